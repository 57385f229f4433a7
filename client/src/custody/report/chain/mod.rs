//! The chain, from people to effects: as a drawing, and the same again in words.

mod draw;
mod graph;
mod layout;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use self::draw::{NARROW, WIDE};
use self::graph::{Graph, Node};
use super::super::relations::Spot;
use super::html::Html;
use super::matter::{Matter, link, links, role};
use super::words::{count, relation};

pub(super) use self::graph::people;

/// How many entries of a stack are named.
const NAMED: usize = 8;

/// Writes the chain.
pub(super) fn chain(html: &mut Html, matter: &Matter<'_>) {
    let graph = Graph::new(matter);
    if graph.nodes.is_empty() {
        html.plain("p", |html| html.words("Nothing leads from one of these entries to another."));
        return;
    }
    html.of("figure", "chain", |html| {
        for (form, name) in [(WIDE, "wide"), (NARROW, "narrow")] {
            draw::svg(html, matter, &graph, form, name);
        }
        html.plain("figcaption", |html| {
            html.words("Each arrow leads from what something rests on to what rests on it; a broken one, from something to a word about it. Times are in UTC, as claimed.");
            if !graph.nodes.iter().any(|node| matches!(node, Node::Person { .. } | Node::People(_))) {
                html.words(" No entry here names a person: the chain begins where the records do.");
            }
            if graph.circles > 0 {
                let left = count(graph.circles, "relation that leads back up is", "relations that lead back up are");
                html.words(&format!(" {left} in the list alone."));
            }
        });
    });
    html.plain("h3", |html| html.words("The same chain in words"));
    html.of("ol", "steps", |html| {
        for node in draw::reading_order(&graph) {
            html.plain("li", |html| step(html, matter, node));
        }
    });
}

fn step(html: &mut Html, matter: &Matter<'_>, node: &Node) {
    match node {
        Node::Entry(index) => entry(html, matter, *index),
        Node::Stack { kind, members } => {
            html.plain("strong", |html| {
                html.words(&format!("{} of kind {kind}: ", count(members.len(), "entry", "entries")))
            });
            links(html, members, NAMED);
            stack(html, matter, members);
        }
        Node::Person { name, parts } => {
            html.plain("strong", |html| html.said(name));
            html.words(&format!(", {}", parts.iter().copied().collect::<Vec<_>>().join(", ")));
            let names = |told: &super::matter::Told<'_>| people(told).iter().any(|(_, other)| other == name);
            let at: BTreeSet<Spot> = matter
                .told
                .values()
                .filter(|told| told.held.role.is_some() && names(told))
                .map(|told| told.spot)
                .collect();
            html.words(" in ");
            links(html, &at, NAMED);
        }
        Node::People(number) => {
            html.words(&format!("{} named by these entries", count(*number, "person", "people and teams")))
        }
    }
}

fn entry(html: &mut Html, matter: &Matter<'_>, index: Spot) {
    let Some(told) = matter.told.get(&index) else { return };
    html.plain("strong", |html| html.said(told.kind()));
    html.words(" ");
    link(html, index);
    html.words(&format!(", {}: ", role(told.held.role)));
    html.said(&told.says);
    let naming = matter.naming(index);
    if naming.is_empty() {
        return;
    }
    html.plain("ul", |html| {
        for edge in naming {
            html.plain("li", |html| {
                html.words(&format!("{} ", relation(&edge.rel, true)));
                link(html, edge.to);
                if let Some(through) = edge.through {
                    html.words(", through the certificate in ");
                    link(html, through);
                }
            });
        }
    });
}

/// What the entries of a stack name, by relation.
fn stack(html: &mut Html, matter: &Matter<'_>, members: &BTreeSet<Spot>) {
    let mut named: std::collections::BTreeMap<&str, BTreeSet<Spot>> = std::collections::BTreeMap::new();
    for edge in members.iter().flat_map(|index| matter.naming(*index)) {
        named.entry(&edge.rel).or_default().insert(edge.to);
    }
    if named.is_empty() {
        return;
    }
    html.plain("ul", |html| {
        for (rel, to) in named {
            html.plain("li", |html| {
                html.words(&format!("{} ", relation(rel, true)));
                links(html, &to, NAMED);
            });
        }
    });
}
