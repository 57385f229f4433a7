//! Where the boxes and lines of a drawing go: in rows, causes above what rests on them.
//!
//! A line that passes a row has a lane of its own in it, so that no line crosses a box and no box lies on another. Everything is counted in
//! whole pixels: the same matter is drawn the same everywhere.

use super::graph::{Graph, Link, Node};

/// The measures of a drawing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measures {
    /// How many boxes stand in a row at most.
    pub(super) columns: usize,
    /// A box's width.
    pub(super) width: i64,
    /// A box's height.
    pub(super) height: i64,
    /// The height of a box of people.
    pub(super) low: i64,
    /// Between two in a row.
    pub(super) between: i64,
    /// Between two rows.
    pub(super) below: i64,
}

/// The width of a lane.
const LANE: i64 = 2;
/// Around everything.
const MARGIN: i64 = 2;
/// How often the order in the rows is looked through.
const SWEEPS: usize = 12;

/// A drawing's geometry.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub(super) width: i64,
    pub(super) height: i64,
    /// The boxes, by row and from left to right, each with its node.
    pub(super) boxes: Vec<(usize, Rect)>,
    pub(super) curves: Vec<Curve>,
}

/// A box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rect {
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) width: i64,
    pub(super) height: i64,
}

/// A piece of a line, from the bottom of something down to the top of something in the next row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Curve {
    /// Where it begins.
    pub(super) from: (i64, i64),
    /// Straight down to here, the bottom of the row.
    pub(super) leaves: i64,
    /// Then over to this height, the top of the next row.
    pub(super) arrives: i64,
    /// Where it ends.
    pub(super) to: (i64, i64),
    /// Whether what it leads to is a box.
    pub(super) is_end: bool,
    pub(super) is_word: bool,
}

/// Something in a row: a box, or a lane.
#[derive(Clone, Copy, Debug)]
struct Item {
    node: Option<usize>,
    width: i64,
    height: i64,
    /// Its middle.
    x: i64,
}

/// Lays a graph out.
pub(super) fn layout(graph: &Graph, measures: Measures) -> Layout {
    let mut plan = Plan::new(graph, measures);
    plan.order();
    plan.place();
    plan.finish()
}

/// The layer of each node: as far down as what rests on it lets it.
fn layers(graph: &Graph) -> Vec<usize> {
    let count = graph.nodes.len();
    let longest = |is_down: bool| {
        let mut depth = vec![0_usize; count];
        // Without circles no path is longer than there are nodes.
        for _ in 0..count {
            for link in &graph.links {
                let (near, far) = if is_down { (link.from, link.to) } else { (link.to, link.from) };
                let next = depth.get(near).copied().unwrap_or_default() + 1;
                if let Some(depth) = depth.get_mut(far) {
                    *depth = (*depth).max(next);
                }
            }
        }
        depth
    };
    let above_bottom = longest(false);
    let last = above_bottom.iter().copied().max().unwrap_or_default();
    let mut layers: Vec<usize> = above_bottom.iter().map(|height| last - height).collect();
    // What nothing rests on stands right under what it rests on, or what it is a word about.
    for node in 0..count {
        let above = graph.links.iter().filter(|link| link.to == node).filter_map(|link| layers.get(link.from)).max();
        let is_last = !graph.links.iter().any(|link| link.from == node);
        if let (true, Some(above)) = (is_last, above.copied())
            && let Some(layer) = layers.get_mut(node)
        {
            *layer = above + 1;
        }
    }
    layers
}

struct Plan {
    measures: Measures,
    items: Vec<Item>,
    rows: Vec<Vec<usize>>,
    /// Upper and lower item, and whether it is of a word.
    pieces: Vec<(usize, usize, bool)>,
}

impl Plan {
    fn new(graph: &Graph, measures: Measures) -> Self {
        let box_of = |(node, what): (usize, &Node)| {
            let is_low = matches!(what, Node::Person { .. } | Node::People(_));
            let height = if is_low { measures.low } else { measures.height };
            Item { node: Some(node), width: measures.width, height, x: 0 }
        };
        let items: Vec<Item> = graph.nodes.iter().enumerate().map(box_of).collect();
        let layers = layers(graph);
        let mut rows: Vec<Vec<usize>> = Vec::new();
        for layer in 0..=layers.iter().copied().max().unwrap_or_default() {
            let members: Vec<usize> = (0..items.len()).filter(|node| layers.get(*node) == Some(&layer)).collect();
            // As many in each row, rather than a last one with one.
            let lines = members.len().div_ceil(measures.columns).max(1);
            let each = members.len().div_ceil(lines).max(1);
            rows.extend(members.chunks(each).map(<[usize]>::to_vec));
        }
        let mut plan = Self { measures, items, rows, pieces: Vec::new() };
        graph.links.iter().for_each(|link| plan.lead(*link));
        plan.pieces.sort_unstable();
        plan.pieces.dedup();
        plan
    }

    /// Leads a line down through the rows; lines from one box share their lanes.
    fn lead(&mut self, link: Link) {
        let row_of =
            |rows: &[Vec<usize>], item: usize| rows.iter().position(|row| row.contains(&item)).unwrap_or_default();
        let (first, last) = (row_of(&self.rows, link.from), row_of(&self.rows, link.to));
        let mut at = link.from;
        for row in first + 1..last {
            let is_lane = |item: usize| self.items.get(item).is_some_and(|item| item.node.is_none());
            let known =
                self.pieces.iter().find(|(from, to, is_word)| *from == at && *is_word == link.is_word && is_lane(*to));
            let lane = known.map(|(_, to, _)| *to).unwrap_or_else(|| {
                self.items.push(Item { node: None, width: LANE, height: 0, x: 0 });
                self.items.len() - 1
            });
            if let Some(row) = self.rows.get_mut(row).filter(|row| !row.contains(&lane)) {
                row.push(lane);
            }
            self.pieces.push((at, lane, link.is_word));
            at = lane;
        }
        self.pieces.push((at, link.to, link.is_word));
    }

    /// Orders each row by where its neighbours are, and keeps the order with the fewest crossings.
    fn order(&mut self) {
        let mut best = (self.crossings(), self.rows.clone());
        for sweep in 0..SWEEPS {
            let is_down = sweep % 2 == 0;
            for step in 1..self.rows.len() {
                let (near, row) =
                    if is_down { (step - 1, step) } else { (self.rows.len() - step, self.rows.len() - step - 1) };
                self.sort(near, row, is_down);
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.rows.clone());
            }
        }
        self.rows = best.1;
    }

    fn sort(&mut self, near: usize, row: usize, is_down: bool) {
        let beside = self.rows.get(near).cloned().unwrap_or_default();
        let Some(mut items) = self.rows.get(row).cloned() else { return };
        let half = i64::try_from(items.len()).unwrap_or_default() * 500;
        let middle = |at: usize, item: usize| {
            let places: Vec<i64> =
                self.neighbours(item, is_down).filter_map(|other| position(&beside, other)).collect();
            match i64::try_from(places.len()).unwrap_or_default() {
                // Without neighbours it stays about where it is.
                0 => {
                    i64::try_from(at).unwrap_or_default() * 1000 * i64::try_from(beside.len()).unwrap_or(1) * 500
                        / half.max(1)
                }
                count => places.iter().sum::<i64>() * 1000 / count,
            }
        };
        let mut keyed: Vec<(i64, usize)> =
            items.iter().enumerate().map(|(at, item)| (middle(at, *item), *item)).collect();
        keyed.sort_by_key(|(middle, _)| *middle);
        items = keyed.into_iter().map(|(_, item)| item).collect();
        if let Some(row) = self.rows.get_mut(row) {
            *row = items;
        }
    }

    /// What an item is tied to in the row above, or below.
    fn neighbours(&self, item: usize, is_above: bool) -> impl Iterator<Item = usize> + '_ {
        self.pieces.iter().filter_map(move |(upper, lower, _)| match (is_above, *upper == item, *lower == item) {
            (true, _, true) => Some(*upper),
            (false, true, _) => Some(*lower),
            _ => None,
        })
    }

    fn crossings(&self) -> usize {
        let mut count = 0;
        for pair in self.rows.windows(2) {
            let [upper, lower] = pair else { continue };
            let ends: Vec<(i64, i64)> = self
                .pieces
                .iter()
                .filter_map(|(from, to, _)| Some((position(upper, *from)?, position(lower, *to)?)))
                .collect();
            for (at, one) in ends.iter().enumerate() {
                count += ends.iter().skip(at + 1).filter(|other| (one.0 - other.0) * (one.1 - other.1) < 0).count();
            }
        }
        count
    }

    /// Moves each row's items towards their neighbours, as far as their order and the drawing's width let them.
    fn place(&mut self) {
        let wide = self.rows.iter().map(|row| self.row_width(row)).max().unwrap_or_default();
        for row in self.rows.clone() {
            let mut left = (wide - self.row_width(&row)) / 2;
            for item in row {
                let Some(item) = self.items.get_mut(item) else { continue };
                item.x = left + item.width / 2;
                left += item.width + self.measures.between;
            }
        }
        for sweep in 0..SWEEPS {
            let is_down = sweep % 2 == 0;
            let rows: Vec<Vec<usize>> =
                if is_down { self.rows.clone() } else { self.rows.iter().rev().cloned().collect() };
            for row in rows.iter().skip(1) {
                self.settle(row, is_down, wide);
            }
        }
    }

    fn row_width(&self, row: &[usize]) -> i64 {
        let widths = row.iter().filter_map(|item| self.items.get(*item)).map(|item| item.width + self.measures.between);
        widths.sum::<i64>() - self.measures.between
    }

    /// The places nearest to those wished for: neighbours that would overlap share the mean of their wishes.
    fn settle(&mut self, row: &[usize], is_above: bool, wide: i64) {
        let mut blocks: Vec<(i64, i64)> = Vec::new();
        let mut offset = 0;
        let mut offsets = Vec::new();
        for item in row {
            let width = self.items.get(*item).map_or(0, |item| item.width);
            let near: Vec<i64> = self
                .neighbours(*item, is_above)
                .filter_map(|other| self.items.get(other))
                .map(|other| other.x)
                .collect();
            let here = self.items.get(*item).map_or(0, |item| item.x);
            let wish =
                if near.is_empty() { here } else { near.iter().sum::<i64>() / i64::try_from(near.len()).unwrap_or(1) };
            offsets.push(offset);
            blocks.push((wish - width / 2 - offset, 1));
            while let [.., before, last] = blocks.as_slice() {
                if before.0 * last.1 <= last.0 * before.1 {
                    break;
                }
                let merged = (before.0 + last.0, before.1 + last.1);
                blocks.truncate(blocks.len() - 2);
                blocks.push(merged);
            }
            offset += width + self.measures.between;
        }
        let most = wide - (offset - self.measures.between);
        let lefts = blocks
            .iter()
            .flat_map(|(sum, count)| std::iter::repeat_n(sum / count, usize::try_from(*count).unwrap_or_default()));
        for ((item, offset), left) in row.iter().zip(offsets).zip(lefts) {
            if let Some(item) = self.items.get_mut(*item) {
                item.x = left.clamp(0, most.max(0)) + offset + item.width / 2;
            }
        }
    }

    fn finish(self) -> Layout {
        let mut done = Layout::default();
        let mut tops = vec![(0, 0); self.items.len()];
        let mut bands = vec![(0, 0); self.items.len()];
        let mut y = MARGIN;
        for row in &self.rows {
            let items = || row.iter().filter_map(|at| Some((*at, self.items.get(*at)?)));
            let high = items().map(|(_, item)| item.height).max().unwrap_or_default();
            for (at, item) in items() {
                // A lane passes the whole row; a low box stands in its middle.
                let height = if item.node.is_some() { item.height } else { high };
                let top = y + (high - height) / 2;
                if let (Some(tops), Some(band)) = (tops.get_mut(at), bands.get_mut(at)) {
                    (*tops, *band) = ((top, top + height), (y, y + high));
                }
                let x = MARGIN + item.x - item.width / 2;
                done.boxes.extend(item.node.map(|node| (node, Rect { x, y: top, width: item.width, height })));
                done.width = done.width.max(x + item.width + MARGIN);
            }
            y += high + self.measures.below;
        }
        done.height = y - self.measures.below + MARGIN;
        let at = |of: &[(i64, i64)], item: usize| of.get(item).copied().unwrap_or_default();
        for (upper, lower, is_word) in &self.pieces {
            let x = |item: &usize| MARGIN + self.items.get(*item).map_or(0, |item| item.x);
            done.curves.push(Curve {
                from: (x(upper), at(&tops, *upper).1),
                leaves: at(&bands, *upper).1,
                arrives: at(&bands, *lower).0,
                to: (x(lower), at(&tops, *lower).0),
                is_end: self.items.get(*lower).is_some_and(|item| item.node.is_some()),
                is_word: *is_word,
            });
            // Where it passes a row.
            if self.items.get(*lower).is_some_and(|item| item.node.is_none()) {
                let (top, bottom) = at(&bands, *lower);
                let x = x(lower);
                done.curves.push(Curve {
                    from: (x, top),
                    leaves: bottom,
                    arrives: bottom,
                    to: (x, bottom),
                    is_end: false,
                    is_word: *is_word,
                });
            }
        }
        done.curves.sort_unstable();
        done.curves.dedup();
        done
    }
}

fn position(row: &[usize], item: usize) -> Option<i64> {
    row.iter().position(|other| *other == item).and_then(|at| i64::try_from(at).ok())
}
