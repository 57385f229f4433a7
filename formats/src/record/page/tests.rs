use super::*;
use crate::record::{KINDS, RELATIONS};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/RECORDS.md");

#[test]
#[expect(clippy::disallowed_methods, reason = "the file is compared, not read by the crate")]
fn the_page_is_what_tables_and_examples_say() {
    let page = records_page();
    if std::env::var_os("GOVLOG_WRITE_RECORDS").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let file = std::fs::read_to_string(PAGE).unwrap();
    assert!(file == page, "{PAGE} is not what the tables say; GOVLOG_WRITE_RECORDS=1 writes it anew");
}

#[test]
fn every_kind_stands_in_one_plane() {
    let kinds: Vec<&str> = PLANES.iter().flat_map(|(_, kinds)| kinds.iter().copied()).collect();
    assert_eq!(kinds, KINDS);
}

#[test]
fn every_relation_is_borne_by_known_kinds() {
    assert_eq!(LINKS.map(|(rel, _, _)| rel), RELATIONS);
    assert!(LINKS.iter().flat_map(|(_, _, kinds)| kinds.iter()).all(|kind| KINDS.contains(kind)));
}
