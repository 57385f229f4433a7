//! A matter of thousands: its page is bounded, and in parts.

use super::super::report;
use super::markup;
use crate::custody::tests::export::{made, mirror, plan};
use crate::testing::{TestLog, decision};

/// So many decisions make a page that is not told field by field, and so many bytes for each of them are enough.
const DECISIONS: usize = 2_100;
const BYTES_EACH: usize = 1_500;

#[test]
fn a_page_of_thousands_is_bounded_and_in_parts() {
    let mut log = TestLog::new();
    for at in 0..DECISIONS {
        log.add("decision", &decision(&format!("m-{at}")));
    }
    let (_dir, source, trust) = mirror(&log);
    let file = made(&source, &trust, &plan(&[("credential", &"11".repeat(32))]));
    let page = report(&file.verdict).unwrap();
    let elements = markup::check(&page);
    let parts: Vec<_> = elements.iter().filter(|element| element.tag == "details").collect();
    assert_eq!(parts.len(), 2 * DECISIONS.div_ceil(500), "timeline and entries");
    assert!(parts.iter().all(|part| !part.attributes.contains_key("open")));
    assert_eq!(elements.iter().filter(|element| element.tag == "article").count(), DECISIONS);
    assert!(page.contains("In 5 parts of 500, each folded up") && page.contains("1.2 to 1.501: 500 entries"));
    assert!(page.len() < DECISIONS * BYTES_EACH, "{} bytes", page.len());
}
