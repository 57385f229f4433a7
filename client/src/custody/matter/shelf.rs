//! Entries in memory, and how they are looked up there.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;

use govlog_formats::record::LinkTarget;

use super::super::relations::{Node, Spot, target_key};
use super::resolve::Lookup;

/// Entries in memory, by everything they are called and name.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    nodes: BTreeMap<Spot, Arc<Node>>,
    by_name: HashMap<Vec<u8>, Vec<Arc<Node>>>,
    by_point: HashMap<Vec<u8>, Vec<Arc<Node>>>,
}

impl Shelf {
    /// Puts an entry there.
    pub fn add(&mut self, node: Node) {
        let node = Arc::new(node);
        let put = |map: &mut HashMap<Vec<u8>, Vec<Arc<Node>>>, key: Vec<u8>| {
            let there = map.entry(key).or_default();
            if there.last().is_none_or(|last| last.spot != node.spot) {
                there.push(node.clone());
            }
        };
        for target in node.targets().chain(node.certificate.iter().cloned().map(LinkTarget::Handle)) {
            put(&mut self.by_name, target_key(&target));
        }
        for point in &node.points {
            put(&mut self.by_point, target_key(&point.target));
        }
        self.nodes.insert(node.spot, node);
    }

    /// What stands there.
    #[must_use]
    pub fn get(&self, spot: impl Into<Spot>) -> Option<&Arc<Node>> {
        self.nodes.get(&spot.into())
    }

    /// All of them, in the log's order.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.values()
    }
}

impl FromIterator<Node> for Shelf {
    fn from_iter<I: IntoIterator<Item = Node>>(nodes: I) -> Self {
        let mut shelf = Self::default();
        nodes.into_iter().for_each(|node| shelf.add(node));
        shelf
    }
}

impl Lookup for Shelf {
    type Error = Infallible;

    fn named(&mut self, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<Arc<Node>>, Infallible> {
        Ok(of_kinds(self.by_name.get(&target_key(target)), kinds))
    }

    fn pointing(&mut self, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<Arc<Node>>, Infallible> {
        Ok(of_kinds(self.by_point.get(&target_key(target)), kinds))
    }
}

fn of_kinds(nodes: Option<&Vec<Arc<Node>>>, kinds: &[&str]) -> Vec<Arc<Node>> {
    let is_asked = |node: &&Arc<Node>| kinds.is_empty() || kinds.contains(&node.kind.as_str());
    nodes.map(Vec::as_slice).unwrap_or_default().iter().filter(is_asked).cloned().collect()
}
