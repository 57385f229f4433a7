use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use govlog_formats::admission::{Expected, GenesisRequest, PolicyState, operator_statement};
use govlog_formats::cose::SigningKey;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, leaf_hash};
use govlog_formats::note::{KeyName, NoteSigner, SignatureAlgorithm};
use govlog_formats::statement::SignedStatement;
use govlog_formats::tlog_policy::Policy;
use tempfile::TempDir;

use super::*;
use crate::admission::testing::{ManualClock, key};
use crate::head::{HeadFile, HeadOwner, HeadStore as _};
use crate::keys::LogKeys;
use crate::store::{LogStore as _, RocksStore};

const ORIGIN: &str = "log.example/2026";

fn witness(number: u8) -> WitnessLine {
    let name = KeyName::new(format!("witness.example/{number}")).unwrap();
    let algorithm = SignatureAlgorithm::CosignatureEd25519;
    let vkey = NoteSigner::from_seed(name, algorithm, &[number; 32]).unwrap().vkey().clone();
    WitnessLine { name: format!("w{number}"), vkey, url: format!("http://127.0.0.1:{number}/") }
}

fn plan(dir: &TempDir, witnesses: u8) -> Plan {
    Plan {
        dir: dir.path().join("log"),
        origin: ORIGIN.to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        admin: "127.0.0.1:0".parse().unwrap(),
        witnesses: (1..=witnesses).map(witness).collect(),
        quorum: if witnesses == 0 { Some(Quorum::None) } else { None },
    }
}

fn operator() -> SigningKey {
    key(40)
}

/// Signs the request of a prepared log, as the operator does.
fn signed(plan: &Plan) -> SignedStatement {
    let text = fs::read_to_string(plan.dir.join(REQUEST)).unwrap();
    GenesisRequest::parse(&text).unwrap().sign(&operator(), 1_800_000_000_000).unwrap()
}

fn write_genesis(dir: &TempDir, statement: &SignedStatement) -> PathBuf {
    let path = dir.path().join("genesis.cose");
    fs::write(&path, statement.entry()).unwrap();
    path
}

fn prepared() -> (TempDir, Plan, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(&dir, 3);
    prepare(&plan).unwrap();
    let genesis = write_genesis(&dir, &signed(&plan));
    (dir, plan, genesis)
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Checks that store and head file hold entry 0 and nothing else.
fn check_begun(dir: &Path, statement: &SignedStatement) {
    let config = load_config(dir).unwrap();
    check_finished(&config).unwrap();
    let store = Arc::new(RocksStore::open(&config.files.store).unwrap());
    let identity = store.identity().unwrap();
    assert_eq!((identity.origin.as_str(), identity.epoch), (ORIGIN, 1));
    assert_eq!(store.entry(LeafIndex::new(0)).unwrap().as_deref(), Some(statement.entry()));
    assert_eq!(store.last_entry().unwrap(), Some(LeafIndex::new(0)));
    let head = store.head().unwrap();
    assert_eq!((head.size.get(), head.root), (1, leaf_hash(statement.entry())));
    let stored = HeadFile::open(&config.files.head_file()).unwrap().read().unwrap();
    assert_eq!(stored.head, head);
    assert_eq!(stored.owner, HeadOwner::new(identity.store, ORIGIN));
    assert_eq!(stored.torn, None);
}

// --- The first step -----------------------------------------------------------------------------------------------------------------------

#[test]
fn the_first_step_makes_its_files_and_nothing_else() {
    let (_dir, plan, _) = prepared();
    assert_eq!(names(&plan.dir), ["checkpoint.key", "genesis.request", "log.toml", "policy.txt", "receipt.key"]);
    for (name, mode) in [("checkpoint.key", 0o600), ("receipt.key", 0o600)] {
        assert_eq!(fs::metadata(plan.dir.join(name)).unwrap().permissions().mode() & 0o777, mode, "{name}");
    }
}

#[test]
fn what_the_first_step_made_belongs_together() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(&dir, 3);
    let vkey = prepare(&plan).unwrap();
    let config = load_config(&plan.dir).unwrap();
    assert_eq!((config.origin.as_str(), config.listen, config.admin), (ORIGIN, plan.listen, plan.admin));
    let keys = LogKeys::load(&config).unwrap();
    assert_eq!(keys.checkpoint.vkey(), &vkey);
    assert_eq!(config.load_policy().unwrap().logs()[0].vkey(), &vkey);
    let request = GenesisRequest::parse(&fs::read_to_string(plan.dir.join(REQUEST)).unwrap()).unwrap();
    assert_eq!(request.log().checkpoint, vkey);
    assert_eq!(request.log().receipts.len(), 1);
    assert_eq!(request.log().receipts[0].key, keys.receipt.public());
}

#[test]
fn the_policy_file_names_log_witnesses_and_quorum() {
    let (_dir, plan, _) = prepared();
    let vkey = LogKeys::load(&load_config(&plan.dir).unwrap()).unwrap().checkpoint.vkey().to_string();
    let text = fs::read_to_string(plan.dir.join("policy.txt")).unwrap();
    let witness_lines: String =
        plan.witnesses.iter().map(|line| format!("witness {} {} {}\n", line.name, line.vkey, line.url)).collect();
    let rest = "group witnesses 2 w1 w2 w3\nquorum witnesses\n";
    assert_eq!(text, format!("log {vkey}\n{witness_lines}{rest}"));
}

#[test]
fn two_logs_have_different_keys() {
    let (_one, first, _) = prepared();
    let (_two, second, _) = prepared();
    for name in ["checkpoint.key", "receipt.key", REQUEST] {
        assert_ne!(fs::read(first.dir.join(name)).unwrap(), fs::read(second.dir.join(name)).unwrap(), "{name}");
    }
}

fn quorum_of(witnesses: u8, quorum: Option<Quorum>) -> Result<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan { quorum, ..plan(&dir, witnesses) };
    let result = prepare(&plan).map_err(|error| error.to_string());
    if result.is_err() {
        assert!(!plan.dir.exists(), "a refused plan leaves nothing");
    }
    result?;
    let text = fs::read_to_string(plan.dir.join("policy.txt")).unwrap();
    Policy::parse(text.as_bytes()).unwrap();
    Ok(text
        .lines()
        .filter(|line| line.starts_with("group") || line.starts_with("quorum"))
        .collect::<Vec<_>>()
        .join("; "))
}

#[test]
fn more_than_half_of_the_witnesses_are_the_quorum_unless_told_otherwise() {
    for (witnesses, quorum) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)] {
        let text = quorum_of(witnesses, None).unwrap();
        assert!(text.starts_with(&format!("group witnesses {quorum} ")), "{witnesses}: {text}");
    }
    assert!(quorum_of(3, Some(Quorum::AtLeast(3))).unwrap().starts_with("group witnesses 3 "));
    assert!(quorum_of(3, Some(Quorum::AtLeast(1))).unwrap().starts_with("group witnesses 1 "));
    assert_eq!(quorum_of(3, Some(Quorum::None)).unwrap(), "quorum none");
}

#[test]
fn a_log_without_witnesses_has_to_be_asked_for() {
    let refused = quorum_of(0, None).unwrap_err();
    assert!(refused.contains("--quorum none"), "{refused}");
    assert_eq!(quorum_of(0, Some(Quorum::None)).unwrap(), "quorum none");
}

#[test]
fn a_quorum_that_can_not_be_met_is_refused() {
    let refused = quorum_of(3, Some(Quorum::AtLeast(4))).unwrap_err();
    assert!(refused.contains("from 1 to 3"), "{refused}");
    assert!(quorum_of(3, Some(Quorum::AtLeast(0))).is_err());
    assert!(quorum_of(0, Some(Quorum::AtLeast(1))).is_err());
}

#[test]
fn witnesses_that_other_tools_would_not_read_are_refused() {
    for name in ["quorum", "any", "w#1"] {
        let dir = tempfile::tempdir().unwrap();
        let mut plan = plan(&dir, 3);
        plan.witnesses[1].name = name.to_owned();
        let refused = prepare(&plan).unwrap_err().to_string();
        assert!(refused.starts_with("witness policy: "), "{refused}");
        assert!(!plan.dir.exists());
    }
    let dir = tempfile::tempdir().unwrap();
    let mut plan = plan(&dir, 3);
    plan.witnesses[2].vkey = plan.witnesses[0].vkey.clone();
    assert!(prepare(&plan).unwrap_err().to_string().contains("already that of another witness"));
}

#[test]
fn a_witness_line_is_name_vkey_and_url() {
    let line = witness(1);
    let text = format!(" {}  {}\t{} ", line.name, line.vkey, line.url);
    assert_eq!(WitnessLine::parse(&text).unwrap(), line);
    for (text, why) in [
        ("", "0 parts"),
        ("w1", "1 parts"),
        (&format!("w1 {} http://a b", line.vkey), "4 parts"),
        ("w1 key http://a", "not a key"),
        (&format!("w1 {} 127.0.0.1:80", line.vkey), "no http://"),
    ] {
        let refused = WitnessLine::parse(text).unwrap_err().to_string();
        assert!(refused.contains(why) && refused.contains("'NAME VKEY URL'"), "{refused}");
    }
}

#[test]
fn an_origin_that_can_not_name_a_log_is_refused_before_anything_is_written() {
    for origin in ["", "https://log.example", "log example", "a+b", "a#b"] {
        let dir = tempfile::tempdir().unwrap();
        let plan = Plan { origin: origin.to_owned(), ..plan(&dir, 3) };
        let refused = prepare(&plan).unwrap_err();
        assert!(matches!(refused, InitError::Origin(_)), "{refused}");
        assert!(!plan.dir.exists());
    }
}

#[test]
fn the_first_step_never_overwrites() {
    let (_dir, plan, _) = prepared();
    let before: Vec<_> = names(&plan.dir).iter().map(|name| fs::read(plan.dir.join(name)).unwrap()).collect();
    assert!(matches!(prepare(&plan), Err(InitError::Already(_))));
    let clock = ManualClock::new();
    assert!(matches!(demo(&plan, clock.as_ref()), Err(InitError::Already(_))));
    let after: Vec<_> = names(&plan.dir).iter().map(|name| fs::read(plan.dir.join(name)).unwrap()).collect();
    assert_eq!(before, after);
}

#[test]
fn a_first_step_that_was_cut_short_is_told_apart() {
    // In the order in which they are made; a crash leaves some of the first ones.
    let made = ["checkpoint.key", "receipt.key", "policy.txt", "genesis.request", "log.toml.new"];
    for left in 1..=made.len() {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan(&dir, 3);
        fs::create_dir(&plan.dir).unwrap();
        for name in &made[..left] {
            fs::write(plan.dir.join(name), b"half of it").unwrap();
        }
        let refused = prepare(&plan).unwrap_err();
        assert!(matches!(&refused, InitError::CutShort { found: "checkpoint.key", .. }), "{refused}");
        assert!(refused.to_string().contains("remove the directory"), "{refused}");
        assert!(matches!(demo(&plan, ManualClock::new().as_ref()), Err(InitError::CutShort { .. })));
        assert!(begin(&plan.dir, &dir.path().join("genesis.cose"), ManualClock::new().as_ref()).is_err());
        assert_eq!(names(&plan.dir).len(), left);
    }
}

#[test]
fn a_directory_with_other_things_in_it_is_used_and_they_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(&dir, 3);
    fs::create_dir_all(plan.dir.join("lost+found")).unwrap();
    prepare(&plan).unwrap();
    assert!(plan.dir.join("lost+found").is_dir());
}

// --- The second step ----------------------------------------------------------------------------------------------------------------------

#[test]
fn the_second_step_makes_store_and_head_with_entry_0() {
    let (_dir, plan, genesis) = prepared();
    let vkey = begin(&plan.dir, &genesis, ManualClock::new().as_ref()).unwrap();
    assert_eq!(vkey.name().as_str(), ORIGIN);
    check_begun(&plan.dir, &signed(&plan));
    let head = fs::metadata(load_config(&plan.dir).unwrap().files.head_file()).unwrap();
    assert_eq!(head.permissions().mode() & 0o077, 0);
    assert!(!plan.dir.join(MARKER).exists());
}

#[test]
fn a_log_is_begun_once() {
    let (_dir, plan, genesis) = prepared();
    begin(&plan.dir, &genesis, ManualClock::new().as_ref()).unwrap();
    let config = load_config(&plan.dir).unwrap();
    let refused = begin(&plan.dir, &genesis, ManualClock::new().as_ref()).unwrap_err();
    assert!(matches!(&refused, InitError::Begun(path) if *path == config.files.store), "{refused}");
    check_begun(&plan.dir, &signed(&plan));
    // Nor when one of the two was lost: that is no beginning.
    fs::remove_file(config.files.head_file()).unwrap();
    assert!(matches!(begin(&plan.dir, &genesis, ManualClock::new().as_ref()), Err(InitError::Begun(_))));
    let (_dir, plan, genesis) = prepared();
    begin(&plan.dir, &genesis, ManualClock::new().as_ref()).unwrap();
    fs::remove_dir_all(plan.dir.join("store")).unwrap();
    let refused = begin(&plan.dir, &genesis, ManualClock::new().as_ref()).unwrap_err();
    assert!(matches!(&refused, InitError::Begun(path) if path.ends_with("head/head")), "{refused}");
}

#[test]
fn a_second_step_that_was_cut_short_holds_run_back_and_is_done_again() {
    type Crash = fn(&Path);
    let after_the_marker: Crash = |dir| {
        fs::remove_dir_all(dir.join("store")).unwrap();
        fs::remove_dir_all(dir.join("head")).unwrap();
    };
    let within_the_store: Crash = |dir| {
        fs::remove_file(dir.join("store/CURRENT")).unwrap();
        fs::remove_dir_all(dir.join("head")).unwrap();
    };
    let before_the_head: Crash = |dir| fs::remove_dir_all(dir.join("head")).unwrap();
    let within_the_head: Crash = |dir| fs::write(dir.join("head/head"), [0; 4096]).unwrap();
    let before_the_marker_goes: Crash = |_| ();
    for crash in [after_the_marker, within_the_store, before_the_head, within_the_head, before_the_marker_goes] {
        let (_dir, plan, genesis) = prepared();
        begin(&plan.dir, &genesis, ManualClock::new().as_ref()).unwrap();
        fs::write(plan.dir.join(MARKER), marker_text(&plan)).unwrap();
        crash(&plan.dir);
        let refused = check_finished(&load_config(&plan.dir).unwrap()).unwrap_err();
        assert!(refused.to_string().contains("run it again"), "{refused}");
        begin(&plan.dir, &genesis, ManualClock::new().as_ref()).unwrap();
        check_begun(&plan.dir, &signed(&plan));
    }
}

/// What stands in the marker while the second step is under way.
fn marker_text(plan: &Plan) -> String {
    let dir = plan.dir.display();
    format!("init --genesis was cut short: run it again\nstore {dir}/store\nhead {dir}/head/head\n")
}

#[test]
fn a_marker_that_was_cut_short_itself_is_written_again() {
    let (_dir, plan, genesis) = prepared();
    for length in [0, 1, 50, marker_text(&plan).len() - 1] {
        fs::write(plan.dir.join(MARKER), &marker_text(&plan)[..length]).unwrap();
        begin(&plan.dir, &genesis, ManualClock::new().as_ref()).unwrap();
        check_begun(&plan.dir, &signed(&plan));
        fs::remove_dir_all(plan.dir.join("store")).unwrap();
        fs::remove_dir_all(plan.dir.join("head")).unwrap();
    }
}

#[test]
fn only_what_the_marker_names_is_removed() {
    let (_dir, plan, genesis) = prepared();
    begin(&plan.dir, &genesis, ManualClock::new().as_ref()).unwrap();
    for marker in ["", "init --genesis was cut short: run it again\nstore /elsewhere/store\nhead /elsewhere/head\n"] {
        fs::write(plan.dir.join(MARKER), marker).unwrap();
        let refused = begin(&plan.dir, &genesis, ManualClock::new().as_ref()).unwrap_err();
        assert!(matches!(refused, InitError::Begun(_)), "{refused}");
        fs::remove_file(plan.dir.join(MARKER)).unwrap();
        check_begun(&plan.dir, &signed(&plan));
    }
}

fn refusal_of(spoil: impl FnOnce(&TempDir, &Plan) -> PathBuf) -> String {
    let (dir, plan, _) = prepared();
    let genesis = spoil(&dir, &plan);
    let refused = begin(&plan.dir, &genesis, ManualClock::new().as_ref()).unwrap_err().to_string();
    let left = names(&plan.dir);
    assert_eq!(left, ["checkpoint.key", "genesis.request", "log.toml", "policy.txt", "receipt.key"], "{refused}");
    refused
}

#[test]
fn what_is_no_entry_0_is_refused_and_nothing_is_made() {
    let missing = refusal_of(|dir, _| dir.path().join("nothing"));
    assert!(missing.contains("can not open it"), "{missing}");
    let garbage = refusal_of(|dir, _| {
        fs::write(dir.path().join("garbage"), b"garbage").unwrap();
        dir.path().join("garbage")
    });
    assert!(garbage.contains("not a signed statement"), "{garbage}");
    let later = refusal_of(|dir, plan| {
        let request = GenesisRequest::parse(&fs::read_to_string(plan.dir.join(REQUEST)).unwrap()).unwrap();
        let change = request.change(vec![operator().public()], 1).unwrap();
        let place = Expected { seq: 1, prev: Digest::ZERO };
        write_genesis(dir, &operator_statement(ORIGIN, &change, place, 1, &operator()).unwrap())
    });
    assert!(later.contains("seq is \"1\""), "{later}");
}

#[test]
fn entry_0_of_another_log_is_refused() {
    // The same origin, other keys: another directory's request.
    let other_keys = refusal_of(|dir, _| {
        let (_other, plan, _) = prepared();
        write_genesis(dir, &signed(&plan))
    });
    assert!(other_keys.contains("log.checkpoint is"), "{other_keys}");
    let other_origin = refusal_of(|dir, _| {
        let elsewhere = tempfile::tempdir().unwrap();
        let plan = Plan { origin: "log.example/2027".to_owned(), ..plan(&elsewhere, 3) };
        prepare(&plan).unwrap();
        write_genesis(dir, &signed(&plan))
    });
    assert!(other_origin.contains("log.origin is log.example/2027"), "{other_origin}");
}

#[test]
fn entry_0_names_the_receipt_key_of_this_log() {
    for from in [0, 3] {
        let refused = refusal_of(|dir, plan| {
            let request = GenesisRequest::parse(&fs::read_to_string(plan.dir.join(REQUEST)).unwrap()).unwrap();
            let mut log = request.log().clone();
            log.receipts[0].from = from;
            if from == 0 {
                log.receipts[0].key = keys::generate(Curve::P256).unwrap().public();
            }
            write_genesis(dir, &GenesisRequest::new(log).unwrap().sign(&operator(), 1).unwrap())
        });
        assert!(refused.contains("log.receipts at size 2 is"), "{refused}");
    }
}

#[test]
fn keys_that_others_can_read_hold_the_second_step_back() {
    for name in ["checkpoint.key", "receipt.key"] {
        let refused = refusal_of(|dir, plan| {
            fs::set_permissions(plan.dir.join(name), fs::Permissions::from_mode(0o644)).unwrap();
            write_genesis(dir, &signed(plan))
        });
        assert!(refused.contains(name) && refused.contains("chmod 600"), "{refused}");
    }
}

#[test]
fn keys_of_another_kind_or_name_are_refused() {
    let refused = refusal_of(|dir, plan| {
        fs::write(plan.dir.join("receipt.key"), operator().to_pkcs8_pem().as_bytes()).unwrap();
        write_genesis(dir, &signed(plan))
    });
    assert!(refused.contains("receipts are signed with a P-256 key"), "{refused}");
    for (name, algorithm, why) in [
        ("log.example/2027", SignatureAlgorithm::Ed25519, "the key is named"),
        (ORIGIN, SignatureAlgorithm::CosignatureEd25519, "a log signs with type 0x01"),
    ] {
        let refused = refusal_of(|dir, plan| {
            let signer = NoteSigner::from_seed(KeyName::new(name).unwrap(), algorithm, &[3; 32]).unwrap();
            fs::write(plan.dir.join("checkpoint.key"), signer.to_secret_text()).unwrap();
            write_genesis(dir, &signed(plan))
        });
        assert!(refused.contains(why), "{refused}");
    }
}

// --- For trying out -----------------------------------------------------------------------------------------------------------------------

#[test]
fn a_demo_log_is_whole_and_its_operator_lies_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(&dir, 3);
    let vkey = demo(&plan, ManualClock::new().as_ref()).unwrap();
    assert_eq!(vkey.name().as_str(), ORIGIN);
    let operator = plan.dir.join(DEMO_OPERATOR);
    assert_eq!(fs::metadata(&operator).unwrap().permissions().mode() & 0o777, 0o600);
    let operator = SigningKey::from_pkcs8_pem(&fs::read_to_string(operator).unwrap()).unwrap();
    let statement = SignedStatement::parse(&fs::read(plan.dir.join(DEMO_GENESIS)).unwrap()).unwrap();
    let policy = PolicyState::genesis(&statement).unwrap();
    assert_eq!(policy.operators().map(|(_, key)| key.clone()).collect::<Vec<_>>(), [operator.public()]);
    let public = fs::read_to_string(plan.dir.join("operator.key.pub")).unwrap();
    assert_eq!(public, operator.public().to_spki_pem());
    check_begun(&plan.dir, &statement);
}

#[test]
fn a_demo_overwrites_no_operator_key() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(&dir, 3);
    fs::create_dir(&plan.dir).unwrap();
    fs::write(plan.dir.join(DEMO_OPERATOR), b"precious").unwrap();
    assert!(matches!(demo(&plan, ManualClock::new().as_ref()), Err(InitError::CutShort { .. })));
    assert_eq!(fs::read(plan.dir.join(DEMO_OPERATOR)).unwrap(), b"precious");
    assert_eq!(names(&plan.dir), [DEMO_OPERATOR]);
}
