//! The folder keeps what it promises; the document is read as strictly as it is written.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use ciborium::Value;
use govlog_formats::cbor;
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::digest::Digest;
use govlog_formats::record::redaction::RedactionRule;
use govlog_formats::record::sealed::Opening;
use govlog_formats::statement::{Claims, Content, SignedStatement, StatementHeader, content_type_of};

use super::redact::destroy;
use super::*;

/// A folder of each kind, to write and to read.
struct Stores {
    dir: tempfile::TempDir,
    identities: Identities,
    recipient: String,
}

impl Stores {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (identities, recipient) = identity(dir.path(), "openings.key");
        Self { dir, identities, recipient }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("openings")
    }

    fn age(&self) -> Settings {
        let recipients = Recipients::parse(&[&self.recipient]).unwrap();
        Settings { protection: Protection::Age(recipients), retention_days: Some(30) }
    }

    fn open(&self, settings: Settings) -> Folder {
        drop(Folder::open(&self.path(), settings).unwrap());
        Folder::existing(&self.path(), self.identities.clone()).unwrap()
    }
}

fn identity(dir: &Path, name: &str) -> (Identities, String) {
    let (path, new) = (dir.join(name), NewIdentity::draw());
    std::fs::write(&path, new.file_bytes()).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    (Identities::load(&path).unwrap(), new.recipient)
}

const CLEAR: Settings = Settings { protection: Protection::Plaintext, retention_days: None };

fn field(path: &str) -> FieldOpening {
    FieldOpening { path: path.into(), opening: Opening { salt: [7; 32], value: Value::Bytes(b"{}".to_vec()) } }
}

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
fn a_folder_in_clear_keeps_its_promise() {
    let stores = Stores::new();
    conformance::check(&stores.open(CLEAR));
}

#[test]
fn an_encrypted_folder_keeps_its_promise() {
    let stores = Stores::new();
    conformance::check(&stores.open(stores.age()));
}

#[test]
fn a_folder_that_was_in_clear_before_keeps_its_promise() {
    let stores = Stores::new();
    let leaf = Digest::sha256(b"0");
    let clear = stores.open(CLEAR);
    clear.put(&[(leaf, b"before")]).unwrap();
    let store = stores.open(stores.age());
    assert_eq!(store.get(&leaf).unwrap().unwrap(), b"before");
    conformance::check(&store);
    store.replace(&leaf, b"after").unwrap();
    assert!(!clear.file(&leaf).exists(), "what was in clear is gone");
    assert_eq!(store.get(&leaf).unwrap().unwrap(), b"after");
}

#[test]
fn openings_are_files_that_only_their_owner_can_read() {
    let stores = Stores::new();
    let store = stores.open(stores.age());
    let leaf = Digest::sha256(b"1");
    store.put(&[(leaf, b"first")]).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&store.file(&leaf)), 0o600);
    assert_eq!(mode(store.file(&leaf).parent().unwrap()), 0o700);
    assert_eq!(mode(&stores.path().join("store.toml")), 0o600);
    assert_eq!(Folder::existing(&stores.path(), Identities::default()).unwrap().settings(), &stores.age());
}

#[test]
fn what_others_can_read_is_refused() {
    let stores = Stores::new();
    let store = stores.open(stores.age());
    let leaf = Digest::sha256(b"1");
    store.put(&[(leaf, b"first")]).unwrap();
    std::fs::set_permissions(store.file(&leaf), Permissions::from_mode(0o640)).unwrap();
    assert!(store.get(&leaf).unwrap_err().to_string().contains("chmod 600"));
    std::fs::set_permissions(stores.path(), Permissions::from_mode(0o755)).unwrap();
    assert!(Folder::open(&stores.path(), CLEAR).unwrap_err().to_string().contains("chmod 700"));
    let key = stores.dir.path().join("openings.key");
    std::fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    assert!(Identities::load(&key).unwrap_err().to_string().contains("chmod 600"));
}

#[test]
fn a_folder_without_settings_is_no_store() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    let error = Folder::existing(dir.path(), Identities::default()).unwrap_err().to_string();
    assert!(error.contains("store.toml") && error.contains("no opening store"), "{error}");
    for damaged in ["", "version = 2\nplaintext = true", "version = 1", "version = 1\nplaintext = true\nother = 1"] {
        std::fs::write(dir.path().join("store.toml"), damaged).unwrap();
        assert!(matches!(Folder::existing(dir.path(), Identities::default()), Err(StoreError::Settings { .. })));
    }
}

#[test]
fn who_writes_cannot_read_and_another_identity_cannot_either() {
    let stores = Stores::new();
    let writer = Folder::open(&stores.path(), stores.age()).unwrap();
    let leaf = Digest::sha256(b"1");
    writer.put(&[(leaf, b"a secret, which stands in no file")]).unwrap();
    assert!(matches!(writer.get(&leaf), Err(StoreError::NoIdentity { .. })));
    let bytes = std::fs::read(writer.file(&leaf)).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n"), "any age tool reads it");
    assert!(!bytes.windows(8).any(|window| window == b"a secret"));
    let (other, _) = identity(stores.dir.path(), "other.key");
    let error = Folder::existing(&stores.path(), other).unwrap().get(&leaf).unwrap_err().to_string();
    assert!(error.contains("none of these identities"), "{error}");
}

#[test]
fn a_file_that_was_changed_or_cut_is_not_read() {
    let stores = Stores::new();
    let store = stores.open(stores.age());
    let leaf = Digest::sha256(b"1");
    store.put(&[(leaf, b"first")]).unwrap();
    let (path, whole) = (store.file(&leaf), std::fs::read(store.file(&leaf)).unwrap());
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(matches!(store.get(&leaf), Err(StoreError::Sealed { .. })), "{length} bytes of it");
    }
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        assert!(matches!(store.get(&leaf), Err(StoreError::Sealed { .. })), "byte {at} changed");
    }
    // A crash may leave any of these: the caller puts it again.
    store.put(&[(leaf, b"first")]).unwrap();
    assert_eq!(store.get(&leaf).unwrap().unwrap(), b"first");
}

#[test]
fn what_a_crash_left_of_a_replacement_is_destroyed_too() {
    let stores = Stores::new();
    let store = stores.open(stores.age());
    let leaf = Digest::sha256(b"1");
    store.put(&[(leaf, b"first")]).unwrap();
    let left = crate::durable::beside(&store.file(&leaf));
    std::fs::copy(store.file(&leaf), &left).unwrap();
    assert_eq!(store.remove(&[leaf]).unwrap(), 1);
    assert!(!left.exists());
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

/// A signed redaction, begun.
pub(crate) fn redaction(planned: &[Planned]) -> Journaled {
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
fn retention_counts_from_when_an_opening_was_stored_first() {
    let stores = Stores::new();
    let store = stores.open(stores.age());
    let leaf = Digest::sha256(b"1");
    store.put(&[(leaf, b"first")]).unwrap();
    let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000);
    std::fs::OpenOptions::new().write(true).open(store.file(&leaf)).unwrap().set_modified(then).unwrap();
    assert_eq!(store.stored().unwrap(), [(leaf, then)]);
    store.replace(&leaf, b"less").unwrap();
    assert_eq!(store.stored().unwrap(), [(leaf, then)]);
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
fn what_is_put_again_is_kept_as_the_store_is_kept_now() {
    let stores = Stores::new();
    let leaf = Digest::sha256(b"1");
    let clear = stores.open(CLEAR);
    clear.put(&[(leaf, b"first")]).unwrap();
    let store = stores.open(stores.age());
    store.put(&[(leaf, b"first")]).unwrap();
    assert!(store.file(&leaf).exists() && !clear.file(&leaf).exists());
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

#[test]
fn a_folder_is_not_written_by_anybody_but_its_owner() {
    let stores = Stores::new();
    drop(stores.open(CLEAR));
    let owner = std::fs::metadata(stores.path()).unwrap().uid();
    folder::check_owner(&stores.path(), owner).unwrap();
    let error = folder::check_owner(&stores.path(), owner + 1).unwrap_err().to_string();
    assert!(error.contains(&format!("sudo -u '#{owner}'")), "{error}");
}
