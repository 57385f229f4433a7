//! The drawing itself: an inline SVG with a title and a description. What it shows is said again as a list, so it has no links of its own.

use super::super::super::file::id;
use super::super::escape::shown;
use super::super::html::Html;
use super::super::matter::Matter;
use super::super::words::{clock, count, grouped};
use super::graph::{Graph, Node};
use super::layout::{Curve, Measures, Rect, layout};

/// For screens and paper.
pub(super) const WIDE: Measures = Measures { columns: 3, width: 208, height: 86, low: 44, between: 26, below: 46 };
/// For phones.
pub(super) const NARROW: Measures = Measures { columns: 2, width: 158, height: 102, low: 46, between: 14, below: 40 };

/// From a box's edge to its text.
const PADDING: i64 = 12;
/// From one line of text to the next.
const LINE: i64 = 16;
/// What a box says, in pixels for a letter of the middle width.
const LETTER: f64 = 12.5;

/// The nodes, from the top of the drawing to its bottom.
pub(super) fn reading_order(graph: &Graph) -> impl Iterator<Item = &Node> {
    layout(graph, WIDE).boxes.into_iter().filter_map(|(node, _)| graph.nodes.get(node))
}

/// Draws a graph.
pub(super) fn svg(html: &mut Html, matter: &Matter<'_>, graph: &Graph, form: Measures, name: &str) {
    let drawn = layout(graph, form);
    let (title, about) = (format!("chain-{name}-title"), format!("chain-{name}-about"));
    let (width, height) = (drawn.width.to_string(), drawn.height.to_string());
    let attributes = [
        ("class", name),
        ("role", "img"),
        ("aria-labelledby", title.as_str()),
        ("aria-describedby", about.as_str()),
        ("viewBox", &format!("0 0 {width} {height}")),
        ("width", &width),
        ("height", &height),
    ];
    html.element("svg", &attributes, |html| {
        html.element("title", &[("id", &title)], |html| html.words("The chain from people to effects"));
        html.element("desc", &[("id", &about)], |html| html.words(&description(graph)));
        drawn.curves.iter().for_each(|curve| line(html, curve));
        drawn.curves.iter().filter(|curve| curve.is_end).for_each(|curve| arrow(html, curve));
        for (node, rect) in &drawn.boxes {
            if let Some(node) = graph.nodes.get(*node) {
                draw(html, matter, node, *rect);
            }
        }
    });
}

fn description(graph: &Graph) -> String {
    let people = graph.nodes.iter().filter(|node| matches!(node, Node::Person { .. } | Node::People(_))).count();
    let boxes = count(graph.nodes.len() - people, "box with entries", "boxes with entries");
    let lines = count(graph.links.len(), "arrow", "arrows");
    format!(
        "{boxes}, {} and {lines}. The list after the drawing says the same in words.",
        count(people, "with people", "with people")
    )
}

fn line(html: &mut Html, curve: &Curve) {
    let ((x, y), (to_x, to_y)) = (curve.from, curve.to);
    let middle = (curve.leaves + curve.arrives) / 2;
    let mut path = format!("M{x} {y}");
    if curve.leaves > y {
        path += &format!("V{}", curve.leaves);
    }
    if curve.arrives > curve.leaves {
        let (arrives, leaves) = (curve.arrives, curve.leaves);
        path += &if x == to_x {
            format!("V{arrives}")
        } else {
            // Steep at both ends, so that what meets at one box comes from above.
            format!("C{x} {},{to_x} {},{to_x} {arrives}", middle.max(leaves), middle.min(arrives))
        };
    }
    if to_y > curve.arrives {
        path += &format!("V{to_y}");
    }
    html.element("path", &[("class", if curve.is_word { "line word" } else { "line" }), ("d", &path)], |_| {});
}

fn arrow(html: &mut Html, curve: &Curve) {
    let (x, y) = curve.to;
    let path = format!("M{x} {y}L{} {}H{}Z", x - 4, y - 7, x + 4);
    html.element("path", &[("class", "head"), ("d", &path)], |_| {});
}

fn draw(html: &mut Html, matter: &Matter<'_>, node: &Node, rect: Rect) {
    let Rect { x, y, width, height } = rect;
    let Words { class, label, aside, said, when } = Words::of(matter, node);
    html.of("g", &format!("box {class}"), |html| {
        if matches!(node, Node::Stack { .. }) {
            rectangle(html, "sheet", Rect { x: x + 4, y: y + 4, width: width - 4, height: height - 4 }, 3);
            rectangle(html, "face", Rect { x, y, width: width - 4, height: height - 4 }, 3);
        } else {
            let round = if matches!(node, Node::Person { .. } | Node::People(_)) { height / 2 } else { 3 };
            rectangle(html, "face", rect, round);
        }
        if matches!(node, Node::Entry(_) | Node::Stack { .. }) {
            rectangle(
                html,
                "plane",
                Rect { x, y, width: 4, height: height - if matches!(node, Node::Stack { .. }) { 4 } else { 0 } },
                0,
            );
            let room = width - 2 * PADDING;
            text(html, "label", x + PADDING, y + 20, &label);
            html.element(
                "text",
                &[("class", "id"), ("x", &(x + width - PADDING).to_string()), ("y", &(y + 20).to_string())],
                |html| html.words(&aside),
            );
            let lines = usize::try_from((height - 24) / LINE).unwrap_or(1);
            for (at, line) in (1..).zip(wrapped(&said, room, lines - usize::from(!when.is_empty()))) {
                text(html, "says", x + PADDING, y + 20 + 2 + at * LINE, &line);
            }
            if !when.is_empty() {
                text(html, "when", x + PADDING, y + height - 11, &when);
            }
        } else {
            let middle = x + width / 2;
            let room = width - 2 * PADDING;
            let name = wrapped(&said, room, 1).into_iter().next().unwrap_or_default();
            text(html, "name", middle, y + height / 2 - 2, &name);
            let part = wrapped(&label, room, 1).into_iter().next().unwrap_or_default();
            text(html, "as", middle, y + height / 2 + 13, &part);
        }
    });
}

fn rectangle(html: &mut Html, class: &str, rect: Rect, round: i64) {
    let numbers = [rect.x, rect.y, rect.width, rect.height, round].map(|number| number.to_string());
    let [x, y, width, height, round] = &numbers;
    let attributes = [("class", class), ("x", x), ("y", y), ("width", width), ("height", height), ("rx", round)];
    html.element("rect", &attributes, |_| {});
}

fn text(html: &mut Html, class: &str, x: i64, y: i64, text: &str) {
    html.element("text", &[("class", class), ("x", &x.to_string()), ("y", &y.to_string())], |html| html.words(text));
}

/// What a box says.
#[derive(Default)]
struct Words {
    class: &'static str,
    label: String,
    /// At the other end of the label's line.
    aside: String,
    said: String,
    /// When it happened, as claimed.
    when: String,
}

impl Words {
    fn of(matter: &Matter<'_>, node: &Node) -> Self {
        match node {
            Node::Entry(index) => {
                let Some(told) = matter.told.get(index) else { return Self::default() };
                let label: String = shown(told.kind()).chars().take(18).collect();
                let when = clock(told.at_ms);
                Self { class: plane(told.kind()), label, aside: told.id(), said: told.says.clone(), when }
            }
            Node::Stack { kind, members } => {
                let said = match (members.first(), members.last()) {
                    (Some(first), Some(last)) => format!("entries {} to {}", id(*first), id(*last)),
                    _ => String::new(),
                };
                let aside = format!("× {}", grouped(members.len()));
                Self { class: plane(kind), label: kind.clone(), aside, said, when: String::new() }
            }
            Node::Person { name, parts } => {
                let label = parts.iter().copied().collect::<Vec<_>>().join(", ");
                Self { class: "people", label, said: name.clone(), ..Self::default() }
            }
            Node::People(number) => {
                let said = count(*number, "person", "people and teams");
                Self { class: "people", label: "named by these entries".to_owned(), said, ..Self::default() }
            }
        }
    }
}

/// The plane of a kind, for its colour; the kind itself stands beside it in words.
fn plane(kind: &str) -> &'static str {
    match kind {
        "admission-policy" | "policy" | "activation" | "approval" | "ownership" | "agent" => "governance",
        "registration" | "attestation" | "issuance" | "signing-key" | "revocation" | "federation" => "identity",
        "delegation" | "decision" | "decision-batch" | "effect" | "observation" => "operation",
        _ => "integrity",
    }
}

/// Breaks what is said into lines that fit, the last with dots if there is more.
fn wrapped(said: &str, room: i64, most: usize) -> Vec<String> {
    let said = shown(said);
    let mut lines: Vec<String> = Vec::new();
    let mut rest = said.as_str();
    while !rest.is_empty() {
        let fits = fitting(rest, room);
        let (line, after) = rest.split_at(fits);
        if after.is_empty() {
            lines.push(line.to_owned());
            break;
        }
        if lines.len() + 1 == most {
            let mut line = line.trim_end().to_owned();
            while wide(&line) + wide("…") > as_f64(room) && line.pop().is_some() {}
            lines.push(format!("{}…", line.trim_end()));
            break;
        }
        // At a space, or behind a sign that long names have, where that is not too far back.
        let breaks =
            line.char_indices().filter(|(_, c)| " /:,-".contains(*c)).map(|(at, c)| at + c.len_utf8()).next_back();
        let cut = breaks.filter(|at| *at * 2 > line.len()).unwrap_or(fits);
        let (line, after) = rest.split_at(cut);
        lines.push(line.trim_end().to_owned());
        rest = after.trim_start();
    }
    lines
}

/// How many bytes fit, at least one letter.
fn fitting(text: &str, room: i64) -> usize {
    let mut used = 0.0;
    for (at, c) in text.char_indices() {
        used += letter(c);
        if used > as_f64(room) && at > 0 {
            return at;
        }
    }
    text.len()
}

fn wide(text: &str) -> f64 {
    text.chars().map(letter).sum()
}

/// About how wide a letter is, rather more than less: which font a reader has is not known.
fn letter(c: char) -> f64 {
    let share = match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '\'' | '!' => 0.32,
        'f' | 't' | 'r' | ' ' | '(' | ')' | '[' | ']' | '/' | '\\' | '-' | '"' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 0.95,
        'A'..='Z' | '&' => 0.72,
        '0'..='9' => 0.65,
        ' '..='~' => 0.6,
        _ => 1.0,
    };
    share * LETTER
}

#[expect(clippy::cast_precision_loss, reason = "a drawing's width")]
fn as_f64(number: i64) -> f64 {
    number as f64
}
