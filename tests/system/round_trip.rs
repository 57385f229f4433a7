//! Records go in with the command `govlog`, and are checked with it: online, offline, in a folder, and when they were bent.

use std::path::{Path, PathBuf};

use govlog_formats::tile::{entry_bundles, hash_tiles};
use harness::network::Plan;
use harness::process::Ended;
use harness::reader::{Reader, new_key};
use harness::{Log, Network};
use serde_json::{Value, json};

use crate::NODE;

const ISSUER: &str = "https://issuer.example/all";

/// A network, a reader who trusts its log, and an issuer's key that the log admits.
struct Scene {
    network: Network,
    reader: Reader,
    key: PathBuf,
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn scene(plan: Plan) -> Scene {
    let network = plan.start();
    let reader = Reader::of(&network, "trust");
    let key = new_key(&network, "issuer.key", "p256");
    let (operator, public) = (network.log.dir.join("operator.key"), key.with_extension("key.pub"));
    let change = ["admission", "add", "--log", &network.log.url(), "--key", text(&operator), "--iss", ISSUER];
    let row = ["--pub", text(&public), "--kinds", "decision,effect,issuance", "--subjects", "spiffe://prod.example/"];
    reader.trusting(&[&change[..], &row].concat()).expect(0);
    Scene { network, reader, key }
}

impl Scene {
    /// Submits one record, and returns the path of its transparent statement.
    fn submit(&self, kind: &str, more: &[&str]) -> PathBuf {
        let ended = self.try_submit(kind, more);
        ended.expect(0);
        self.network.path("out").join(format!("{}.cose", ended.stdout.split_whitespace().next().unwrap()))
    }

    fn try_submit(&self, kind: &str, more: &[&str]) -> Ended {
        let (url, out) = (self.network.log.url(), self.network.path("out"));
        let command = ["submit", "--log", &url, "--key", text(&self.key), "--iss", ISSUER, "--kind", kind];
        self.reader.trusting(&[&command[..], &["--out", text(&out)], more].concat())
    }

    fn record(&self, name: &str, record: &Value) -> PathBuf {
        let path = self.network.path(name);
        std::fs::write(&path, record.to_string()).unwrap();
        path
    }

    fn decision(&self, number: usize) -> PathBuf {
        let record = json!({
            "v": 1, "event_ms": 1_795_320_442_504_u64, "decision_id": format!("d-{number}"), "result": "permit",
            "subject": { "type": "workload", "id": "spiffe://prod.example/pay" }, "action": { "name": "read" },
            "resource": { "type": "account", "id": format!("acct-{number}") },
        });
        self.record(&format!("decision-{number}.json"), &record)
    }

    /// All three kinds, logged and fetched.
    fn all_kinds(&self) -> Vec<PathBuf> {
        let decision = self.submit("decision", &[text(&self.decision(1))]);
        let effect = json!({
            "v": 1, "event_ms": 1_795_320_442_600_u64, "decision_id": "d-1", "decision_iss": ISSUER, "outcome": "performed",
            "performer": "spiffe://prod.example/pay",
        });
        let effect = self.submit("effect", &[text(&self.record("effect.json", &effect))]);
        let pem = Path::new(env!("CARGO_MANIFEST_DIR")).join("../formats/tests/data/pay-1.pem");
        let issuance = self.submit("issuance", &["--cert", text(&pem)]);
        let fetched = self.network.path("fetched.cose");
        let id = decision.file_stem().unwrap().to_str().unwrap().to_owned();
        self.reader.run(&["get", "--log", &self.network.log.url(), &id, "--out", text(&fetched)]).expect(0);
        vec![decision, effect, issuance, fetched]
    }

    fn audit(&self, place: &str) -> Ended {
        self.reader.trusting(&["audit", "--structure", "--log", place])
    }
}

#[test]
fn all_kinds_go_in_and_verify_offline() {
    let mut scene = scene(Plan::new(NODE).witnesses(3, 2));
    let mut files = scene.all_kinds();
    scene.audit(&scene.network.log.url()).expect(0);
    scene.network.log.kill();
    scene.network.witnesses.iter_mut().for_each(harness::witness::Witness::kill);

    let proofs: Vec<PathBuf> = files[..3].iter().map(|file| file.with_extension("tlog-proof")).collect();
    files.extend(proofs);
    let verdict = scene.reader.verify(&files);
    verdict.expect(0);
    assert!(verdict.stdout.contains("of 3 witnesses cosigned"), "{}", verdict.stdout);
    assert!(verdict.stdout.contains("0 independent"), "{}", verdict.stdout);
}

/// Not one bit of a transparent statement can be changed so that it is refused as anything less than verified… or accepted.
#[test]
fn a_tampered_copy_is_refused() {
    let mut scene = scene(Plan::new(NODE).witnesses(1, 1));
    let file = scene.submit("decision", &[text(&scene.decision(1))]);
    scene.network.log.kill();
    let whole = std::fs::read(&file).unwrap();
    let record = whole.windows(6).position(|window| window == b"acct-1").unwrap();
    let copy = scene.network.path("copy.cose");
    let mut bent = whole.clone();
    bent[record + 5] = b'9';
    std::fs::write(&copy, bent).unwrap();
    let verdict = scene.reader.verify(&[&copy]);
    verdict.expect(1);

    let places = (0..whole.len()).step_by(whole.len() / 60 + 1);
    for at in places {
        let mut bent = whole.clone();
        bent[at] ^= 1;
        std::fs::write(&copy, bent).unwrap();
        let verdict = scene.reader.verify(&[&copy]);
        // 4: the cosignature's line no longer names a key that is known.
        assert!(matches!(verdict.code(), Some(1 | 3 | 4)), "byte {at}: {} {}", verdict.status, verdict.stdout);
    }
    scene.reader.verify(&[&file, &copy]).expect(scene.reader.verify(&[&copy]).code().unwrap());
}

/// An issuer that the reader's admission history does not know cannot be judged: exit 3, and advice.
#[test]
fn an_issuer_the_reader_does_not_know_cannot_be_evaluated() {
    let scene = scene(Plan::new(NODE).witnesses(1, 1));
    let newcomer = Reader::of(&scene.network, "newcomer");
    let file = scene.submit("decision", &[text(&scene.decision(1))]);
    let verdict = newcomer.verify(&[&file]);
    verdict.expect(3);
    assert!((verdict.stdout + &verdict.stderr).contains("trust update"));
    newcomer.update(&scene.network.log.url()).expect(0);
    newcomer.verify(&[&file]).expect(0);
}

/// The log's quorum is met, the reader's is not: exit 4.
#[test]
fn a_reader_who_wants_more_witnesses_is_not_satisfied() {
    let mut scene = scene(Plan::new(NODE).witnesses(3, 2));
    scene.network.witnesses[2].kill();
    let file = scene.submit("decision", &[text(&scene.decision(1))]);
    scene.reader.verify(&[&file]).expect(0);
    let policy = std::fs::read_to_string(scene.network.log.dir.join("policy.txt")).unwrap();
    let group = policy.lines().find(|line| line.starts_with("group ")).unwrap();
    let all = policy.replace(group, &group.replacen(" 2 ", " 3 ", 1));
    assert_ne!(all, policy, "{policy}");
    let strict = Reader::with_policy(&scene.network, "strict", &all);
    // It learns the admission policy from the files of the other reader: online it would refuse the checkpoint alike.
    let update = strict.update(&scene.network.log.url());
    update.expect(4);
    harness::network::copy_dir(&scene.reader.trust.join("admission"), &strict.trust.join("admission"));
    let verdict = strict.verify(&[&file]);
    verdict.expect(4);
}

/// What is committed and cannot be published for want of witnesses is pending: exit 6, and 0 when it is asked for again later.
#[test]
fn what_the_witnesses_have_not_seen_is_pending() {
    let mut scene = scene(Plan::new(NODE).witnesses(2, 2));
    scene.network.witnesses[0].kill();
    let pending = scene.try_submit("decision", &[text(&scene.decision(1))]);
    pending.expect(6);
    scene.network.witnesses[0].start();
    let again = scene.try_submit("decision", &[text(&scene.decision(2))]);
    again.expect(0);
}

/// Downloads what an audit reads, under the names that the server gives.
fn mirror(log: &Log, to: &Path) {
    let mut client = log.client();
    let note = log.published(1);
    let size = log.policy.verify_checkpoint(&note).unwrap().checkpoint().size;
    std::fs::create_dir_all(to).unwrap();
    std::fs::write(to.join("checkpoint"), note).unwrap();
    for path in entry_bundles(size).chain(hash_tiles(size)) {
        let file = to.join(path.to_string());
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, client.get(&format!("/{path}")).unwrap().body).unwrap();
    }
}

/// Without the log there is nothing to judge by: exit 3, whatever was asked.
#[test]
fn a_log_that_is_away_cannot_be_evaluated() {
    let mut scene = scene(Plan::new(NODE).witnesses(1, 1));
    let url = scene.network.log.url();
    scene.network.log.kill();
    scene.try_submit("decision", &[text(&scene.decision(1))]).expect(3);
    scene.audit(&url).expect(3);
    scene.reader.update(&url).expect(3);
    scene.reader.run(&["get", "--log", &url, "1.1"]).expect(3);
    scene.network.log.start(&harness::Faults::none());
    scene.network.log.ready();
    scene.reader.run(&["get", "--log", &scene.network.log.url(), "1.99"]).expect(5);
    scene.reader.run(&["get", "--log", &scene.network.log.url(), "nonsense"]).expect(2);
}

#[test]
fn a_folder_of_tiles_is_audited_like_the_log() {
    let mut scene = scene(Plan::new(NODE).witnesses(2, 2));
    let decisions: Vec<PathBuf> = (0..300).map(|number| scene.decision(number)).collect();
    let records: Vec<&str> = decisions.iter().map(|path| text(path)).collect();
    scene.try_submit("decision", &records).expect(0);
    let folder = scene.network.path("mirror");
    mirror(&scene.network.log, &folder);
    scene.audit(&scene.network.log.url()).expect(0);
    scene.network.log.kill();
    scene.audit(text(&folder)).expect(0);

    let bent = |name: &str, at: usize| {
        let path = folder.join(name);
        let whole = std::fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let verdict = scene.audit(text(&folder));
        std::fs::write(&path, whole).unwrap();
        verdict.expect(1);
    };
    bent("tile/entries/000", 700);
    bent("tile/0/000", 100);
    bent("tile/1/000.p/1", 5);
    std::fs::rename(folder.join("tile/entries/000"), scene.network.path("away")).unwrap();
    scene.audit(text(&folder)).expect(3);
    std::fs::rename(scene.network.path("away"), folder.join("tile/entries/000")).unwrap();
    scene.audit(text(&folder)).expect(0);
}

/// A log whose entries were changed after they were signed for is refuted by its audit.
#[test]
fn an_audit_finds_what_the_log_signed_wrongly() {
    use harness::Faults;
    let mut scene = scene(Plan::new(NODE).witnesses(1, 1));
    scene.network.log.stop();
    scene.network.log.start(&Faults::off("skip_read_back").and("flip_stored_entry", "1*return"));
    scene.network.log.ready();
    let _any = scene.try_submit("decision", &[text(&scene.decision(1))]);
    let verdict = scene.audit(&scene.network.log.url());
    verdict.expect(1);
}
