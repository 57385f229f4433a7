//! Tests of tile coordinates, paths and bundles.

use proptest::prelude::*;

use super::*;
use crate::digest::Digest;
use crate::merkle::{MemoryTree, NodeReader, leaf_hash};

fn hash(level: u8, n: u64, width: u16) -> TilePath {
    TilePath::Hash { id: TileId { level, n }, width }
}

#[test]
fn paths_are_read_and_written_in_one_spelling() {
    for (text, path) in [
        ("tile/0/000", hash(0, 0, 256)),
        ("tile/0/000.p/1", hash(0, 0, 1)),
        ("tile/0/999.p/255", hash(0, 999, 255)),
        ("tile/0/x001/000", hash(0, 1000, 256)),
        ("tile/0/x001/x234/067.p/5", hash(0, 1_234_067, 5)),
        ("tile/1/x001/x234/067", hash(1, 1_234_067, 256)),
        ("tile/63/000", hash(63, 0, 256)),
        ("tile/entries/x273/112.p/9", TilePath::Entries { n: 273_112, width: 9 }),
        ("tile/entries/000", TilePath::Entries { n: 0, width: 256 }),
        ("tile/0/x018/x014/x398/x509/x481/983", hash(0, (1 << 54) - 1, 256)),
    ] {
        assert_eq!(text.parse(), Ok(path));
        assert_eq!(path.to_string(), text);
    }
}

#[test]
fn other_spellings_are_refused() {
    for text in ["", "tile", "tile/", "tile/0", "/tile/0/000", "tiles/0/000", "checkpoint"] {
        assert_eq!(text.parse::<TilePath>(), Err(PathError::Form(text.to_owned())), "{text}");
    }
    for (text, level) in [
        ("tile//000", ""),
        ("tile/64/000", "64"),
        ("tile/256/000", "256"),
        ("tile/-1/000", "-1"),
        ("tile/Entries/000", "Entries"),
    ] {
        assert_eq!(text.parse::<TilePath>(), Err(PathError::Level(level.to_owned())), "{text}");
    }
    for (text, number) in [
        ("tile/0/", ""),
        ("tile/0/0", "0"),
        ("tile/0/00", "00"),
        ("tile/0/0000", "0000"),
        ("tile/0/+01", "+01"),
        ("tile/0/000/", "000/"),
        ("tile/0/xx00", "xx00"),
        ("tile/0/1 2", "1 2"),
        ("tile/0/x018/x014/x398/x509/x481/984", "x018/x014/x398/x509/x481/984"),
        ("tile/0/x018/x446/x744/x073/x709/x551/616", "x018/x446/x744/x073/x709/x551/616"),
    ] {
        assert_eq!(text.parse::<TilePath>(), Err(PathError::Number(number.to_owned())), "{text}");
    }
    for (text, width) in [
        ("tile/0/000.p/0", "0"),
        ("tile/0/000.p/256", "256"),
        ("tile/0/000.p/", ""),
        ("tile/0/000.p/65536", "65536"),
        ("tile/0/000.p/-1", "-1"),
        ("tile/0/000.p/5.p/5", "5.p/5"),
        ("tile/0/000.p/5/", "5/"),
    ] {
        assert_eq!(text.parse::<TilePath>(), Err(PathError::Width(width.to_owned())), "{text}");
    }
    for text in [
        "tile/00/000",
        "tile/+0/000",
        "tile/0/x000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/x000/x001/000",
        "tile/0/000.p/05",
        "tile/0/000.p/+5",
    ] {
        assert!(matches!(text.parse::<TilePath>(), Err(PathError::NotCanonical(_))), "{text}");
    }
}

/// The partial width at level l for size s is floor(s / 256^l) mod 256; a full tile's is 256, and there are no empty
/// tiles.
#[test]
fn widths_follow_the_size() {
    let size = TreeSize::new(70_000);
    assert_eq!(width_at(0, 272, size), 256);
    assert_eq!(width_at(0, 273, size), 112);
    assert_eq!(width_at(0, 274, size), 0);
    assert_eq!(width_at(1, 0, size), 256);
    assert_eq!(width_at(1, 1, size), 17);
    assert_eq!(width_at(1, 2, size), 0);
    assert_eq!(width_at(2, 0, size), 1);
    assert_eq!(width_at(2, 1, size), 0);
    assert_eq!(width_at(3, 0, size), 0);
    assert_eq!(width_at(255, 0, TreeSize::new(u64::MAX)), 0);
    assert_eq!(width_at(0, u64::MAX, TreeSize::new(u64::MAX)), 0);
}

#[test]
fn a_tree_of_70_000_entries_has_551_files() {
    let size = TreeSize::new(70_000);
    let tiles: Vec<TilePath> = hash_tiles(size).collect();
    let bundles: Vec<TilePath> = entry_bundles(size).collect();
    assert_eq!(tiles.len() + bundles.len(), 551);
    let at_level = |level| tiles.iter().filter(move |t| matches!(t, TilePath::Hash { id, .. } if id.level == level));
    assert_eq!(at_level(0).filter(|t| t.is_full()).count(), 273);
    assert_eq!(at_level(0).filter(|t| !t.is_full()).collect::<Vec<_>>(), [&hash(0, 273, 112)]);
    assert_eq!(at_level(1).collect::<Vec<_>>(), [&hash(1, 0, 256), &hash(1, 1, 17)]);
    assert_eq!(at_level(2).collect::<Vec<_>>(), [&hash(2, 0, 1)]);
    assert_eq!(bundles.last(), Some(&TilePath::Entries { n: 273, width: 112 }));
}

#[test]
fn small_and_round_sizes_list_no_empty_tiles() {
    let list = |size| hash_tiles(TreeSize::new(size)).map(|t| t.to_string()).collect::<Vec<_>>();
    assert!(list(0).is_empty());
    assert_eq!(entry_bundles(TreeSize::ZERO).count(), 0);
    assert_eq!(list(1), ["tile/0/000.p/1"]);
    assert_eq!(list(255), ["tile/0/000.p/255"]);
    assert_eq!(list(256), ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(list(257), ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"]);
    assert_eq!(list(65_536).last().unwrap(), "tile/2/000.p/1");
}

/// Fails when any node of a tree of 70,000 leaves is not the root of the hashes its span names.
#[test]
fn every_node_is_found_in_its_tile() {
    let tree: MemoryTree = (0..70_000).map(|i| leaf_hash(format!("leaf {i}").as_bytes())).collect();
    let size = tree.size();
    let mut seen = 0;
    for path in hash_tiles(size) {
        let TilePath::Hash { id, width } = path else { panic!("{path} is no hash tile") };
        let offsets = 0..=u8::try_from(width - 1).unwrap();
        let nodes: Vec<Node> = offsets.map(|offset| id.node(offset)).collect();
        let bytes: Vec<u8> = tree.read_nodes(&nodes).unwrap().iter().flat_map(|h| *h.as_bytes()).collect();
        for (offset, node) in nodes.iter().enumerate() {
            let offset = u16::try_from(offset).unwrap();
            assert_eq!(TileSpan::of(*node), TileSpan { id, offset, count: 1 });
        }
        for rows in 0..HEIGHT {
            let level = id.level * HEIGHT + rows;
            let count = 1 << rows;
            for position in 0..u64::from(width / count) {
                let node = Node { level, index: id.n * (WIDTH >> rows) + position };
                let span = TileSpan::of(node);
                assert_eq!((span.id, span.count), (id, count));
                assert_eq!(span.hash(&bytes), Some(tree.read_nodes(&[node]).unwrap()[0]), "{node:?}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, (0..=16).map(|level| 70_000_u64 >> level).sum::<u64>());
}

#[test]
fn a_short_tile_holds_no_hash() {
    let span = TileSpan::of(Node { level: 1, index: 0 });
    let bytes = [7; 64];
    assert!(span.hash(&bytes).is_some());
    for length in 0..64 {
        assert_eq!(span.hash(&bytes[..length]), None);
    }
    assert_eq!(TileSpan { offset: u16::MAX, ..span }.hash(&bytes), None);
}

#[test]
fn coordinates_never_overflow() {
    for level in 0..=u8::MAX {
        for index in [0, 1, 255, 256, 1 << 54, u64::MAX] {
            let span = TileSpan::of(Node { level, index });
            assert!(span.offset + span.count <= 256);
            let _ = TileId { level, n: index }.node(255);
        }
    }
}

#[test]
fn bundles_hold_what_was_appended() {
    let entries: [&[u8]; 4] = [b"leaf 0", b"", &[0xa0; 65_535], b"x"];
    let mut bytes = Vec::new();
    for entry in entries {
        bundle::append(&mut bytes, entry).unwrap();
    }
    assert_eq!(bytes[..8], *b"\x00\x06leaf 0");
    assert_eq!(bundle::parse(&bytes, 4).unwrap(), entries);
}

#[test]
fn an_entry_beyond_the_limit_is_not_written() {
    let mut bytes = b"before".to_vec();
    let long = vec![0; 65_536];
    assert_eq!(bundle::append(&mut bytes, &long), Err(bundle::BundleError::TooLong(65_536)));
    assert_eq!(bytes, b"before");
}

#[test]
fn a_bundle_has_exactly_its_width() {
    let mut bytes = Vec::new();
    for i in 0..3 {
        bundle::append(&mut bytes, format!("leaf {i}").as_bytes()).unwrap();
    }
    assert!(bundle::parse(&bytes, 3).is_ok());
    assert_eq!(bundle::parse(&bytes, 0), Err(bundle::BundleError::Width(0)));
    assert_eq!(bundle::parse(&bytes, 257), Err(bundle::BundleError::Width(257)));
    assert_eq!(bundle::parse(&bytes, 2), Err(bundle::BundleError::Trailing(8)));
    assert_eq!(bundle::parse(&bytes, 4), Err(bundle::BundleError::Truncated(3)));
    for length in 0..bytes.len() {
        let position = u16::try_from(length / 8).unwrap();
        assert_eq!(bundle::parse(&bytes[..length], 3), Err(bundle::BundleError::Truncated(position)));
    }
}

proptest! {
    #[test]
    fn path_parser_never_panics_and_prints_what_it_reads(
        text in "\\PC{0,40}|tile/([0-9]{1,3}|entries)/(x[0-9]{3}/){0,7}[0-9]{2,4}(\\.p/[0-9]{0,5})?"
    ) {
        if let Ok(path) = text.parse::<TilePath>() {
            prop_assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn paths_come_back(level in 0..=63_u8, n in 0..1_u64 << 54, width in 1..=256_u16) {
        for path in [hash(level, n, width), TilePath::Entries { n, width }] {
            prop_assert_eq!(path.to_string().parse(), Ok(path));
        }
    }

    #[test]
    fn bundle_parser_never_panics_and_loses_nothing(bytes in prop::collection::vec(0..4_u8, 0..64), width in 0..300_u16) {
        if let Ok(entries) = bundle::parse(&bytes, width) {
            prop_assert_eq!(entries.len(), usize::from(width));
            let mut again = Vec::new();
            for entry in entries {
                bundle::append(&mut again, entry).unwrap();
            }
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn widths_add_up_to_the_hashes_of_the_level(size in 0..200_000_u64) {
        let size = TreeSize::new(size);
        let entries: u64 = entry_bundles(size).map(|b| u64::from(b.width())).sum();
        prop_assert_eq!(entries, size.get());
        for level in 0..8_u8 {
            let hashes: u64 = hash_tiles(size)
                .filter(|t| matches!(t, TilePath::Hash { id, .. } if id.level == level))
                .map(|t| u64::from(t.width()))
                .sum();
            prop_assert_eq!(hashes, size.get() >> (8 * u32::from(level)));
        }
        prop_assert!(hash_tiles(size).chain(entry_bundles(size)).all(|t| (1..=256).contains(&t.width())));
    }
}

#[test]
fn a_tile_is_256_digests() {
    assert_eq!(FULL_TILE_BYTES as u64, WIDTH * Digest::LEN as u64);
    assert_eq!(u64::from(FULL), WIDTH);
}
