//! No box lies on another, no line crosses a box, and every box is within the drawing.

use govlog_formats::merkle::LeafIndex;
use proptest::prelude::*;

use super::draw::{NARROW, WIDE};
use super::graph::{Graph, Link, Node};
use super::layout::{Curve, Layout, Measures, Rect, layout};

fn overlap(one: Rect, other: Rect) -> bool {
    one.x < other.x + other.width
        && other.x < one.x + one.width
        && one.y < other.y + other.height
        && other.y < one.y + one.height
}

/// Where a line may be: straight down at its ends, anywhere between them in the middle.
fn spans(curve: &Curve) -> [Rect; 3] {
    let ((x, y), (to_x, to_y)) = (curve.from, curve.to);
    let rect = |x: i64, y: i64, to_x: i64, to_y: i64| Rect { x, y, width: to_x - x, height: to_y - y };
    [
        rect(x, y, x + 1, curve.leaves),
        rect(x.min(to_x), curve.leaves, x.max(to_x) + 1, curve.arrives),
        rect(to_x, curve.arrives, to_x + 1, to_y),
    ]
}

fn check(drawn: &Layout, form: Measures, graph: &Graph) -> Result<(), TestCaseError> {
    prop_assert_eq!(drawn.boxes.len(), graph.nodes.len(), "each node has its box");
    for (at, (_, one)) in drawn.boxes.iter().enumerate() {
        prop_assert!(
            one.x >= 0 && one.y >= 0 && one.x + one.width <= drawn.width && one.y + one.height <= drawn.height
        );
        prop_assert_eq!(one.width, form.width);
        for (_, other) in drawn.boxes.iter().skip(at + 1) {
            prop_assert!(!overlap(*one, *other), "{:?} {:?}", one, other);
        }
        for curve in &drawn.curves {
            prop_assert!(
                !spans(curve).iter().any(|span| span.height > 0 && overlap(*one, *span)),
                "{:?} {:?}",
                one,
                curve
            );
        }
    }
    for curve in &drawn.curves {
        prop_assert!(
            curve.from.1 <= curve.leaves && curve.leaves <= curve.arrives && curve.arrives <= curve.to.1,
            "{:?}",
            curve
        );
    }
    // Whoever follows the pieces down from a box comes to each box that it leads to.
    for link in &graph.links {
        let rect_of = |node: usize| drawn.boxes.iter().find(|(at, _)| *at == node).map(|(_, rect)| *rect).unwrap();
        let (from, to) = (rect_of(link.from), rect_of(link.to));
        let bottom = (from.x + from.width / 2, from.y + from.height);
        let top = (to.x + to.width / 2, to.y);
        let mut open = vec![bottom];
        let mut seen = Vec::new();
        while let Some(at) = open.pop() {
            seen.push(at);
            let next = drawn.curves.iter().filter(|curve| curve.from == at && curve.is_word == link.is_word);
            open.extend(next.map(|curve| curve.to).filter(|to| !seen.contains(to)));
        }
        prop_assert!(seen.contains(&top), "{:?}", link);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_lies_on_anything_else(
        (count, lines) in (1_usize..24).prop_flat_map(|count| {
            (Just(count), prop::collection::vec((0..count, 0..count, any::<bool>()), 0..40))
        }),
        people in 0_usize..4,
    ) {
        let index = |at: usize| LeafIndex::new(u64::try_from(at).unwrap()).into();
        let person = |at: usize| Node::Person { name: format!("person-{at}"), parts: Default::default() };
        let nodes = (0..count).map(|at| if at < people { person(at) } else { Node::Entry(index(at)) }).collect();
        // From lower to higher, so that there are no circles.
        let mut links: Vec<Link> = lines
            .into_iter()
            .filter(|(one, other, _)| one != other)
            .map(|(one, other, is_word)| Link { from: one.min(other), to: one.max(other), is_word })
            .collect();
        links.sort_unstable();
        links.dedup_by_key(|link| (link.from, link.to));
        let graph = Graph { nodes, links, circles: 0 };
        for form in [WIDE, NARROW] {
            let drawn = layout(&graph, form);
            check(&drawn, form, &graph)?;
        }
    }
}
