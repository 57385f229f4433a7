//! What is redacted is gone, and what is held stays.

use govlog_formats::cbor;
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::record::redaction::RedactionRule;
use govlog_formats::statement::{Claims, Content, SignedStatement, StatementHeader, content_type_of};

use super::super::redact::destroy;
use super::*;

/// A signed redaction, begun.
fn redaction(planned: &[Planned]) -> Journaled {
    journaled(&payload(planned, &ground()).unwrap())
}

fn ground() -> Ground {
    Ground {
        rule: RedactionRule::ErasureRequest,
        legal_basis: "GDPR Art. 17".into(),
        reason: None,
        reference: Some("2031-17".into()),
        store: None,
        event_ms: 1,
    }
}

fn journaled(payload: &[u8]) -> Journaled {
    let header = StatementHeader {
        content: Content::Plain(content_type_of("redaction")),
        claims: Claims {
            iss: "a:b".into(),
            sub: "a:b".into(),
            aud: Some("log.example/a".into()),
            iat: 1,
            stream: None,
            head: None,
        },
    };
    let key = SigningKey::from_seed(Curve::Ed25519, &[7; 32]).unwrap();
    let statement = SignedStatement::sign(&header, payload, &key).unwrap();
    Journaled { statement, id: None, is_done: false }
}

#[test]
fn what_a_redaction_names_is_destroyed_and_nothing_else_and_twice_is_once() {
    let stores = Stores::new();
    let store = stores.open(stores.age());
    let openings = Openings {
        refused: Some(b"of refused".to_vec()),
        ..Openings::new("quarantine", vec![field("input"), other()])
    };
    let bytes = openings.encode().unwrap();
    let [whole, part, kept] = [b"1", b"2", b"3"].map(|text| Digest::sha256(text));
    store.put(&[(whole, &bytes), (part, &bytes), (kept, &bytes)]).unwrap();
    let commitment = field("input").opening.seal().digest;
    let planned = [
        Planned { leaf: whole, fields: None },
        Planned { leaf: part, fields: Some(vec![("/input".into(), commitment)]) },
    ];
    let journaled = redaction(&planned);
    assert_eq!(journaled.targets().len(), 2);
    for destroyed in [2, 0] {
        assert_eq!(destroy(&store, &journaled).unwrap(), destroyed);
        assert_eq!(store.get(&whole).unwrap(), None);
        let left = Openings::decode(&store.get(&part).unwrap().unwrap()).unwrap();
        assert_eq!(
            (left.fields, left.refused),
            (vec![other()], None),
            "the bytes of a refused statement go with what opens it"
        );
        assert_eq!(store.get(&kept).unwrap().unwrap(), bytes);
    }
    // The last of an entry's fields takes the file with it.
    let last = Planned { leaf: part, fields: Some(vec![("/native".into(), other().opening.seal().digest)]) };
    assert_eq!(destroy(&store, &redaction(&[last])).unwrap(), 1);
    assert!(!store.has(&part));
}

fn other() -> FieldOpening {
    FieldOpening { path: "native".into(), opening: Opening { salt: [8; 32], value: Value::Null } }
}

#[test]
fn what_was_redacted_does_not_come_back() {
    let stores = Stores::new();
    let store = stores.open(stores.age());
    let [gone, kept] = [b"1", b"2"].map(|text| Digest::sha256(text));
    store.put(&[(gone, b"first")]).unwrap();
    // An agent has the folder open all the while.
    let agent = Folder::open(&stores.path(), stores.age()).unwrap();
    let mut journaled = redaction(&[Planned { leaf: gone, fields: None }]);
    let lock = store.lock().unwrap();
    store.note_redaction(&lock, &journaled).unwrap();
    journaled.id = Some("1.9".into());
    assert_eq!(carry_out(&store, &lock, &mut journaled).unwrap(), 1);
    // It was cut off before it let go of them, or starts anew, and stores them once more.
    for agent in [agent, Folder::open(&stores.path(), stores.age()).unwrap()] {
        agent.put(&[(gone, b"first"), (kept, b"second")]).unwrap();
        assert!(!agent.has(&gone) && agent.has(&kept));
        agent.remove(&[kept]).unwrap();
    }
    let noted = store.redactions().unwrap();
    assert_eq!((noted.len(), noted[0].is_done, noted[0].id.as_deref()), (1, true, Some("1.9")));
}

#[test]
fn what_is_held_stays_whatever_asks_for_it() {
    let stores = Stores::new();
    let store = stores.open(CLEAR);
    let [held, free] = [b"1", b"2"].map(|text| Digest::sha256(text));
    store.put(&[(held, b"first"), (free, b"second")]).unwrap();
    let lock = store.lock().unwrap();
    let hold = |name: &str, everything, leaves: &[Digest]| Hold {
        name: name.into(),
        reason: "litigation".into(),
        placed_ms: 1,
        everything,
        leaves: leaves.iter().map(Digest::to_string).collect(),
        released: None,
    };
    store.hold(&lock, hold("case-7", false, &[held])).unwrap();
    assert!(store.hold(&lock, hold("case-7", false, &[free])).is_err(), "a name stands for one hold");
    for refused in [store.remove(&[free, held]).map(drop), store.replace(&held, b"less")] {
        assert!(matches!(&refused, Err(StoreError::Held { hold, .. }) if hold == "case-7"), "{refused:?}");
    }
    assert!(store.has(&free), "nothing of what was asked for together is destroyed");
    assert_eq!(store.remove(&[free]).unwrap(), 1);
    // An agent stores all the same.
    store.put(&[(held, b"first"), (free, b"second")]).unwrap();
    store.hold(&lock, hold("all", true, &[])).unwrap();
    assert!(store.remove(&[free]).is_err());
    let end = || Release { reason: "settled".into(), at_ms: 2 };
    store.release(&lock, "all", end()).unwrap();
    store.release(&lock, "case-7", end()).unwrap();
    assert!(store.release(&lock, "case-7", end()).is_err());
    assert_eq!(store.remove(&[held, free]).unwrap(), 2);
    assert_eq!(store.holds().unwrap().all().len(), 2, "they stay on record");
    // A hold that cannot be read is not taken for none.
    std::fs::write(stores.path().join("holds.toml"), "version = 1\n[[hold]]\nname = 7\n").unwrap();
    assert!(matches!(store.remove(&[held]), Err(StoreError::Settings { .. })));
}

#[test]
fn what_a_redaction_only_begun_names_is_stored_for_the_log_may_refuse_it() {
    let stores = Stores::new();
    let store = stores.open(stores.age());
    let leaf = Digest::sha256(b"1");
    let begun = redaction(&[Planned { leaf, fields: None }]);
    let lock = store.lock().unwrap();
    store.note_redaction(&lock, &begun).unwrap();
    store.put(&[(leaf, b"first")]).unwrap();
    store.forget_redaction(&lock, &begun).unwrap();
    assert_eq!(store.get(&leaf).unwrap().unwrap(), b"first");
}

#[test]
fn a_store_waits_until_what_is_being_destroyed_is() {
    let stores = Stores::new();
    let store = stores.open(CLEAR);
    let leaf = Digest::sha256(b"1");
    let writing = store.writing().unwrap();
    let lock = store.lock().unwrap();
    let agent = std::thread::spawn({
        let agent = Folder::open(&stores.path(), CLEAR).unwrap();
        move || agent.put(&[(leaf, b"first")])
    });
    // As a redaction under way writes it, whether the agent waits already or comes later.
    let mut logged = redaction(&[Planned { leaf, fields: None }]);
    logged.id = Some("1.9".into());
    store.note_redaction(&lock, &logged).unwrap();
    drop(writing);
    agent.join().unwrap().unwrap();
    assert!(!store.has(&leaf));
}

#[test]
fn nothing_of_a_redacted_field_is_left_of_how_the_store_was_kept_before() {
    let stores = Stores::new();
    let leaf = Digest::sha256(b"1");
    let openings = |fields| Openings::new("quarantine", fields).encode().unwrap();
    let (full, less) = (openings(vec![field("input"), other()]), openings(vec![other()]));
    let named = Planned { leaf, fields: Some(vec![("/input".into(), field("input").opening.seal().digest)]) };
    // A crash came after the file as the store is kept now was durable, and before the other was removed; once the store is kept again as it
    // was before that.
    for is_changed_back in [false, true] {
        let clear = stores.open(CLEAR);
        clear.put(&[(leaf, &full)]).unwrap();
        let (left, cut) = (clear.file(&leaf), crate::durable::beside(&clear.file(&leaf)));
        let sealed = stores.open(stores.age());
        sealed.replace(&leaf, &less).unwrap();
        for path in [&left, &cut] {
            std::fs::write(path, &full).unwrap();
            std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
        }
        let store = if is_changed_back { stores.open(CLEAR) } else { sealed };
        destroy(&store, &redaction(std::slice::from_ref(&named))).unwrap();
        assert_eq!(store.get(&leaf).unwrap().unwrap(), less);
        let files = std::fs::read_dir(left.parent().unwrap()).unwrap().map(|file| file.unwrap().path());
        assert_eq!(files.collect::<Vec<_>>(), [store.file(&leaf)], "and nothing that a replacement left");
    }
}

#[test]
fn a_redaction_that_is_held_waits_and_stays_logged() {
    let stores = Stores::new();
    let store = stores.open(CLEAR);
    let leaf = Digest::sha256(b"1");
    store.put(&[(leaf, b"first")]).unwrap();
    let lock = store.lock().unwrap();
    let (name, reason) = ("case-7".to_owned(), "litigation".to_owned());
    store.hold(&lock, Hold { name, reason, placed_ms: 1, everything: true, leaves: vec![], released: None }).unwrap();
    let mut logged = redaction(&[Planned { leaf, fields: None }]);
    logged.id = Some("1.9".into());
    let held = carry_out(&store, &lock, &mut logged);
    assert!(matches!(held, Err(RedactError::Store(StoreError::Held { .. }))), "{held:?}");
    let noted = store.redactions().unwrap().remove(0);
    assert_eq!((noted.id.as_deref(), noted.is_done, store.has(&leaf)), (Some("1.9"), false, true));
    store.release(&lock, "case-7", Release { reason: "settled".into(), at_ms: 2 }).unwrap();
    assert_eq!(carry_out(&store, &lock, &mut logged).unwrap(), 1);
    assert!(store.redactions().unwrap().remove(0).is_done);
}

#[test]
fn members_of_a_batch_are_not_said_to_be_destroyed() {
    let stores = Stores::new();
    let store = stores.open(CLEAR);
    let leaf = Digest::sha256(b"1");
    store.put(&[(leaf, b"first")]).unwrap();
    let mut whole = cbor::parse(&payload(&[Planned { leaf, fields: None }], &ground()).unwrap()).unwrap();
    let targets = whole.as_map_mut().unwrap().iter_mut().find(|(key, _)| key.as_text() == Some("targets")).unwrap();
    let target = targets.1.as_array_mut().unwrap()[0].as_map_mut().unwrap();
    target.retain(|(key, _)| key.as_text() != Some("extent"));
    target.push(("extent".into(), "members".into()));
    target.push(("members".into(), Value::Array(vec![0.into()])));
    let refused = destroy(&store, &journaled(&cbor::to_deterministic(&whole)));
    assert!(matches!(refused, Err(RedactError::Members { .. })), "{refused:?}");
    assert!(store.has(&leaf));
}
