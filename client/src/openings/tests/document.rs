//! The document: read as strictly as it is written.

use govlog_formats::cbor;

use super::*;

fn all_of_it() -> Openings {
    Openings {
        refused: Some(b"refused".to_vec()),
        members: vec![
            Member { record: b"one".to_vec(), openings: vec![field("input")] },
            Member { record: b"two".to_vec(), openings: Vec::new() },
        ],
        ..Openings::new("quarantine", vec![field("input"), field("subject.properties")])
    }
}

#[test]
fn what_is_written_is_read_and_opens_what_was_sealed() {
    let openings = all_of_it();
    let read = Openings::decode(&openings.clone().encode().unwrap()).unwrap();
    assert_eq!(read, openings);
    let opening = &read.fields[0].opening;
    field("input").opening.seal().open(opening).unwrap();
    let plain = Openings::new("decision", vec![field("input")]);
    assert_eq!(Openings::decode(&plain.clone().encode().unwrap()).unwrap(), plain);
}

#[test]
fn every_other_document_is_refused() {
    let bytes = all_of_it().encode().unwrap();
    for length in 0..bytes.len() {
        assert!(Openings::decode(&bytes[..length]).is_err(), "{length} bytes of it");
    }
    // Every key of every map: gone, renamed, of another type.
    let whole = cbor::parse(&bytes).unwrap();
    let mut refused = 0;
    for place in 0.. {
        let changes: [Change; 3] = [
            |map, at| drop(map.remove(at)),
            |map, at| map[at].0 = "other".into(),
            |map, at| map[at].1 = Value::Bool(true),
        ];
        let mut found = false;
        for change in changes {
            let (mut value, mut left) = (whole.clone(), place);
            found = change_one(&mut value, &mut left, change);
            let changed = cbor::to_deterministic(&value);
            let is_optional = cbor::parse(&changed) != Ok(whole.clone()) && Openings::decode(&changed).is_ok();
            // `refused` and `members` may be missing, and a value may be any.
            if found && !is_optional {
                refused += 1;
            }
        }
        if !found {
            break;
        }
    }
    // Five keys of the whole, two of each of two members, three of each of three openings: 18 in three ways; but two may be missing, and
    // three may be anything.
    assert_eq!(refused, 18 * 3 - 2 - 3);
}

/// A change of one pair of a map.
type Change = fn(&mut Vec<(Value, Value)>, usize);

/// Changes the pair that is `left` pairs away; says whether there is one.
fn change_one(value: &mut Value, left: &mut usize, change: Change) -> bool {
    match value {
        Value::Map(pairs) => {
            for at in 0..pairs.len() {
                if *left == 0 {
                    change(pairs, at);
                    return true;
                }
                *left -= 1;
                if change_one(&mut pairs[at].1, left, change) {
                    return true;
                }
            }
            false
        }
        Value::Array(items) => items.iter_mut().any(|item| change_one(item, left, change)),
        _ => false,
    }
}

#[test]
fn bounds_hold_on_the_way_in_and_out() {
    let too_many = Openings::new("decision", vec![field("input"); MAX_FIELDS + 1]);
    let most = Openings::new("decision", vec![field("input"); MAX_FIELDS]);
    assert!(matches!(too_many.encode(), Err(DocumentError::Bound { found: 1_601, .. })));
    assert!(Openings::decode(&most.encode().unwrap()).is_ok());
    let member = Member { record: vec![0], openings: Vec::new() };
    let batch =
        |members| Openings { members: vec![member.clone(); members], ..Openings::new("decision-batch", Vec::new()) };
    let bytes = batch(MAX_MEMBERS).encode().unwrap();
    assert_eq!(Openings::decode(&bytes).unwrap().members.len(), MAX_MEMBERS);
    assert!(batch(MAX_MEMBERS + 1).encode().is_err());
    let huge = Openings { refused: Some(vec![0; MAX_DOCUMENT_BYTES]), ..Openings::default() };
    assert!(matches!(huge.encode(), Err(DocumentError::Bound { what: "bytes", .. })));
    // Deterministic CBOR may be nested 16 deep; the value stands in three containers.
    let nested = |depth| {
        let value = (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        let opening = Opening { salt: [0; 32], value };
        Openings::new("decision", vec![FieldOpening { path: "context".into(), opening }]).encode()
    };
    assert!(nested(13).is_ok());
    assert!(matches!(nested(14), Err(DocumentError::Cbor(_))));
}
