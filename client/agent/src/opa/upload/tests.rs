//! Tests of unpacking and cutting.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn small() -> Limits {
    Limits { upload_bytes: 4096, unpacked_bytes: 2048, event_bytes: 512, events: 8 }
}

fn event(id: &str) -> String {
    format!(r#"{{"labels":{{"id":"opa-1"}},"decision_id":"{id}"}}"#)
}

/// The ids of the events, and the reasons of what is none.
fn judged(upload: &Upload<'_>) -> Vec<Result<String, String>> {
    let judge = |element: &Element<'_>| match element {
        Element::Event(event) => Ok(event.native_id.clone()),
        Element::Unreadable { reason, .. } => Err(reason.clone()),
    };
    upload.elements.iter().map(judge).collect()
}

#[test]
fn gzip_is_unpacked_whether_the_header_says_so_or_not() {
    let packed = gzip(b"[1]");
    for encoding in [Some("gzip"), Some("GZIP"), Some(" x-gzip "), Some("identity"), Some(""), None] {
        assert_eq!(unpack(encoding, &packed, &small()).unwrap(), &b"[1]"[..], "{encoding:?}");
    }
    assert!(matches!(unpack(None, b"[1]", &small()).unwrap(), Cow::Borrowed(b"[1]")));
    assert!(matches!(unpack(Some("identity"), b"", &small()).unwrap(), Cow::Borrowed(b"")));
    let members = [gzip(b"[1,"), gzip(b""), gzip(b"2]")].concat();
    assert_eq!(unpack(Some("gzip"), &members, &small()).unwrap(), &b"[1,2]"[..]);
}

#[test]
fn other_encodings_are_refused() {
    for encoding in ["br", "gzip, gzip", "deflate", "zstd"] {
        assert_eq!(unpack(Some(encoding), b"x", &small()), Err(Refused::Encoding), "{encoding}");
    }
    let long = unpack(Some(&"a".repeat(9000)), b"x", &small()).unwrap_err().to_string();
    assert!(long.len() < 200, "{long}");
}

#[test]
fn gzip_cut_off_anywhere_is_refused() {
    let packed = gzip(&b"0123456789".repeat(50));
    for end in 0..packed.len() {
        let cut = unpack(Some("gzip"), &packed[..end], &small());
        assert!(matches!(cut, Err(Refused::Gzip(_))), "{end}: {cut:?}");
    }
}

#[test]
fn gzip_damaged_or_followed_by_something_is_refused() {
    let packed = gzip(&b"0123456789".repeat(50));
    for tail in [&b"\0"[..], b"x", b"\x1f\x8b", b"[1]"] {
        let body = [&packed, tail].concat();
        let followed = unpack(Some("gzip"), &body, &small());
        assert!(matches!(followed, Err(Refused::Gzip(_))), "{tail:?}");
    }
    // Some bits say nothing of the content, as those after the last block.
    for at in 10..packed.len() {
        let mut damaged = packed.clone();
        damaged[at] ^= 0x10;
        if let Ok(unpacked) = unpack(Some("gzip"), &damaged, &small()) {
            assert_eq!(unpacked, b"0123456789".repeat(50), "{at}");
        }
    }
    assert!(matches!(unpack(Some("gzip"), b"[1]", &small()), Err(Refused::Gzip(_))));
}

#[test]
fn a_bomb_stops_at_the_bound() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..1024 {
        encoder.write_all(&zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    let limits = Limits::default();
    assert!(bomb.len() < limits.upload_bytes);
    assert_eq!(unpack(Some("gzip"), &bomb, &limits), Err(Refused::Unpacked(limits.unpacked_bytes)));
}

#[test]
fn both_sizes_are_bounded_to_the_byte() {
    let limits = small();
    for packed in [false, true] {
        let body = |length: usize| if packed { gzip(&vec![b' '; length]) } else { vec![b' '; length] };
        let whole = body(2048);
        let unpacked = unpack(None, &whole, &limits).unwrap();
        assert_eq!(unpacked.len(), 2048);
        if let Cow::Owned(bytes) = unpacked {
            assert!(bytes.capacity() <= limits.unpacked_bytes, "{}", bytes.capacity());
        }
        assert!(unpack(None, &body(2049), &limits).is_err());
    }
    let refused = unpack(Some("gzip"), &[0; 4097], &limits);
    assert_eq!(refused, Err(Refused::Body { found: 4097, most: 4096 }));
    assert_eq!(read(&[b' '; 2049], &limits).unwrap_err(), Refused::Unpacked(2048));
}

#[test]
fn elements_are_judged_alone() {
    let deep = format!("{}{}", "[".repeat(20), "]".repeat(20));
    let text = format!(
        "[{}, 7 ,{},null,{deep}, {{\"labels\":{{\"id\":\"opa-1\"}}}},{}]",
        event("d-1"),
        event("d-1").replace("}}", "},\"x\":1,\"x\":1}").replace("},\"decision_id\"", ",\"id\":\"x\"},\"decision_id\""),
        event("d-2")
    );
    let upload = read(text.as_bytes(), &small()).unwrap();
    let found = judged(&upload);
    assert_eq!(found.len(), 7, "{found:?}");
    assert_eq!((&found[0], &found[6]), (&Ok("d-1".to_owned()), &Ok("d-2".to_owned())));
    assert_eq!(found[1], Err("event: a number, should be an object".to_owned()));
    assert!(found[2].as_ref().unwrap_err().contains("a member twice"), "{found:?}");
    assert_eq!(found[5], Err("decision_id: missing".to_owned()));
    assert!(matches!(upload.elements[1], Element::Unreadable { bytes: b"7", .. }));
}

#[test]
fn what_is_no_array_is_refused_whole() {
    let texts = ["", "{}", "null", "[", "[1", "[1,", "[1,]", "[1]x", "[1][2]", "1e999", &event("d-1"), "\u{feff}[]"];
    for text in texts {
        assert!(matches!(read(text.as_bytes(), &small()), Err(Refused::Json { .. })), "{text}");
    }
    let spoiled = [b"[\"\xff\"", event("d-1").as_bytes(), b"]"].concat();
    let refused = read(&spoiled, &small()).unwrap_err();
    assert_eq!(refused.to_string(), "upload: not UTF-8 from byte 2 on");
    assert!(read(b" [ ] \n", &small()).unwrap().elements.is_empty());
}

#[test]
fn elements_are_counted_before_they_are_kept() {
    let eight = format!("[{}]", ["0"; 8].join(","));
    assert_eq!(read(eight.as_bytes(), &small()).unwrap().elements.len(), 8);
    let nine = format!("[{}]", ["0"; 9].join(","));
    let refused = read(nine.as_bytes(), &small()).unwrap_err();
    assert_eq!(refused.to_string(), "upload: an array of more than 8 elements");
    let million = format!("[{}]", vec!["0"; 1_000_000].join(","));
    assert!(read(million.as_bytes(), &Limits::default()).is_err());
}

#[test]
fn only_so_many_unreadable_elements_are_kept_and_every_event() {
    let mut elements = vec!["[]".to_owned(); 100];
    elements.insert(3, event("d-1"));
    elements.push(event("d-2"));
    let text = format!("[{}]", elements.join(","));
    let upload = read(text.as_bytes(), &Limits::default()).unwrap();
    assert_eq!((upload.elements.len(), upload.unreadable_beyond), (MAX_UNREADABLE + 2, 36));
    let events = upload.elements.iter().filter(|element| matches!(element, Element::Event(_)));
    assert_eq!(events.count(), 2);
    let fewer = format!("[{}]", vec!["[]"; 64].join(","));
    assert_eq!(read(fewer.as_bytes(), &Limits::default()).unwrap().unreadable_beyond, 0);
}

#[test]
fn one_event_that_is_too_long_stands_alone() {
    let long = event("d-1").replace("opa-1\"", &format!("opa-1\",\"x\":\"{}\"", "x".repeat(10_000_000)));
    let text = format!("[{},{}]", long, event("d-2"));
    let upload = read(text.as_bytes(), &Limits::default()).unwrap();
    let found = judged(&upload);
    assert_eq!(found[1], Ok("d-2".to_owned()));
    let expected = format!("an event of {} bytes, should be at most 8388608", long.len());
    assert_eq!(found[0], Err(expected));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_exceed_its_bounds(
        bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}:,\"\\\\ua0-9e. ]{0,60}", packed in any::<bool>(),
    ) {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            let body = if packed { gzip(bytes) } else { bytes.to_vec() };
            let limits = Limits { unpacked_bytes: 64, events: 2, ..small() };
            for encoding in [None, Some("gzip")] {
                if let Ok(unpacked) = unpack(encoding, &body, &limits) {
                    prop_assert!(unpacked.len() <= 64);
                    if let Ok(upload) = read(&unpacked, &limits) {
                        prop_assert!(upload.elements.len() <= 2);
                    }
                }
            }
        }
    }

    #[test]
    fn garbage_between_events_takes_none_of_them(
        garbage in prop::collection::vec((0..6_usize, "null|7|1e999|\"\\\\\\\\ud800\"|\\{\\}|\\{\"a\":1,\"a\":2\\}|\\[\\[\\[\\]\\]\\]"), 0..12),
    ) {
        let mut elements: Vec<String> = (0..5).map(|n| event(&format!("d-{n}"))).collect();
        for (at, text) in &garbage {
            elements.insert(*at, text.clone());
        }
        let text = format!("[{}]", elements.join(" , "));
        let upload = read(text.as_bytes(), &Limits::default()).unwrap();
        let events: Vec<String> = judged(&upload).into_iter().filter_map(Result::ok).collect();
        prop_assert_eq!(events, ["d-0", "d-1", "d-2", "d-3", "d-4"]);
        prop_assert_eq!(upload.elements.len(), 5 + garbage.len());
    }
}
