//! Records that people sign with `govlog`: each command on a live log, what it shows first, and what it refuses.

use std::path::{Path, PathBuf};

use govlog_formats::digest::Digest;
use harness::Network;
use harness::network::Plan;
use harness::process::Ended;
use harness::reader::{Reader, new_key};
use serde_json::{Value, json};

use crate::NODE;

const ISSUER: &str = "https://issuer.example/desk";
const KINDS: &str = "decision,issuance,approval,ownership,revocation,delegation,agent";
const SUBJECTS: &str = "spiffe://prod.example/,agent:ledger";

/// A network, a reader who trusts its log, and the key of a desk that the log admits.
struct Desk {
    network: Network,
    reader: Reader,
    key: PathBuf,
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Ends with this code, and says this on stderr.
fn refused(ended: &Ended, code: i32, why: &str) {
    ended.expect(code);
    assert!(ended.stderr.contains(why), "{why}: {}", ended.stderr);
}

impl Desk {
    fn open() -> Self {
        let network = Plan::new(NODE).witnesses(1, 1).start();
        let reader = Reader::of(&network, "trust");
        let key = new_key(&network, "desk.key", "p256");
        let (operator, public) = (network.log.dir.join("operator.key"), key.with_extension("key.pub"));
        let change = ["admission", "add", "--log", &network.log.url(), "--key", text(&operator), "--iss", ISSUER];
        let row = ["--pub", text(&public), "--kinds", KINDS, "--subjects", SUBJECTS];
        reader.trusting(&[&change[..], &row].concat()).expect(0);
        Self { network, reader, key }
    }

    /// Runs a command with what every one of them needs.
    fn run(&self, command: &[&str]) -> Ended {
        let (url, out) = (self.network.log.url(), self.network.path("out"));
        let desk = ["--log", &url, "--key", text(&self.key), "--iss", ISSUER, "--out", text(&out)];
        self.reader.trusting(&[command, &desk].concat())
    }

    /// Signs, and gives the entry's id.
    fn sign(&self, command: &[&str]) -> String {
        let ended = self.run(&[command, &["--yes"]].concat());
        ended.expect(0);
        ended.stdout.split_whitespace().next().unwrap().to_owned()
    }

    /// What would be signed.
    fn preview(&self, command: &[&str]) -> Value {
        let ended = self.run(&[command, &["--dry-run", "--json"]].concat());
        ended.expect(0);
        serde_json::from_str::<Value>(&ended.stdout).unwrap()["preview"].clone()
    }

    fn file(&self, id: &str) -> PathBuf {
        self.network.path("out").join(format!("{id}.cose"))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.network.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn decision(&self) -> String {
        let record = json!({
            "v": 1, "event_ms": 1_795_320_442_504_u64, "decision_id": "d-1", "result": "deny", "op_digest": "22".repeat(32),
            "subject": { "id": "spiffe://prod.example/pay" }, "action": { "name": "read" },
            "resource": { "type": "account", "id": "acct-1" },
        });
        let path = self.write("decision.json", record.to_string().as_bytes());
        let ended = self.run(&["submit", "--kind", "decision", text(&path)]);
        ended.expect(0);
        ended.stdout.split_whitespace().next().unwrap().to_owned()
    }
}

const DELEGATE: [&str; 9] = [
    "delegate",
    "--from",
    "user:person-7f3a",
    "--scope",
    "ledger:read",
    "--resource",
    "account=acct-1",
    "--for",
    "30m",
];

/// Signs one of each that leads to no other, over a decision: approval, ownership, agent.
fn sign_governance(desk: &Desk, decision: &str) -> [String; 3] {
    let openings = desk.network.path("openings");
    let recipient =
        std::fs::read_to_string(new_key(&desk.network, "openings.key", "age").with_extension("key.pub")).unwrap();
    desk.reader.run(&["openings", "init", "--openings", text(&openings), "--recipient", recipient.trim()]).expect(0);
    let approval = desk.sign(&[
        "approve",
        decision,
        "--type",
        "break-glass",
        "--approver",
        "alice@prod.example",
        "--expires",
        "8h",
        "--reason-code",
        "INC-204",
        "--openings",
        text(&openings),
    ]);
    let owner = desk.sign(&[
        "own",
        "spiffe://prod.example/pay/",
        "--owner",
        "team-pay",
        "--role",
        "evidence=team-audit",
        "--review",
        "90d",
    ]);
    let tools = desk.write("tools.json", br#"{"tools":[{"name":"read_account"}]}"#);
    let prompt = desk.write("prompt.txt", b"be careful");
    let agent = desk.sign(&[
        "agent",
        "--id",
        "ledger",
        "--sponsor",
        "team-ledger",
        "--model",
        "models.example/large",
        "--tools",
        text(&tools),
        "--system-prompt",
        text(&prompt),
        "--runs-as",
        "spiffe://prod.example/agent/ledger",
        "--openings",
        text(&openings),
    ]);
    [approval, owner, agent]
}

/// Signs a delegation that rests on an approval, and one that derives from it.
fn sign_delegations(desk: &Desk, approval: &str) -> [String; 2] {
    let portal = ["--to", "spiffe://prod.example/portal", "--max-hops", "1", "--approval", approval];
    let parent = desk.sign(&[&DELEGATE[..], &portal].concat());
    let to = ["--to", "agent:spiffe://prod.example/agent/ledger", "--not-before", "now", "--parent", &parent];
    let short: Vec<&str> = DELEGATE.iter().map(|word| if *word == "30m" { "10m" } else { *word }).collect();
    let child = desk.sign(&[&short[..], &to].concat());
    [parent, child]
}

#[test]
fn each_command_logs_a_record_that_verifies_and_joins() {
    let desk = Desk::open();
    let decision = desk.decision();
    let [approval, owner, agent] = sign_governance(&desk, &decision);
    let [parent, child] = sign_delegations(&desk, &approval);
    let certificate = Path::new(env!("CARGO_MANIFEST_DIR")).join("../formats/tests/data/pay-1.pem");
    let issuance = desk.run(&["submit", "--kind", "issuance", "--cert", text(&certificate)]);
    issuance.expect(0);
    let issuance = issuance.stdout.split_whitespace().next().unwrap().to_owned();
    let revocation = desk.sign(&[
        "revoke",
        text(&certificate),
        "--reason",
        "key-compromise",
        "--deadline",
        "1h",
        "--cause",
        &decision,
    ]);
    let ended = desk.sign(&["revoke", &child, "--reason", "done"]);

    let ids = [&decision, &approval, &owner, &agent, &parent, &child, &issuance, &revocation, &ended];
    let files: Vec<PathBuf> = ids.iter().map(|id| desk.file(id)).collect();
    let verdict = desk.reader.verify(&files);
    verdict.expect(0);
    for said in [
        "approve: break-glass of sig_structure",
        "(sealed)",
        "team-pay answers for spiffe://prod.example/pay/",
        "ledger, model large, sponsor team-ledger, runs as spiffe://prod.example/agent/ledger",
        "person-7f3a lets spiffe://prod.example/agent/ledger act: ledger:read on account acct-1",
        "credential tbs_s256 e9aa25946a8eb5746728ed47ff7d7d228f911842a393d47e774ab4ef8f4d7bcf of spiffe://prod.example/pay",
    ] {
        assert!(verdict.stdout.contains(said), "{said}: {}", verdict.stdout);
    }
    for link in [
        format!("{approval} about {decision}"),
        format!("{parent} authorised_by {approval}"),
        format!("{child} derived_from {parent}"),
        format!("{revocation} revokes {issuance}"),
        format!("{revocation} caused_by {decision}"),
        format!("{ended} revokes {child}"),
    ] {
        assert!(verdict.stdout.contains(&link), "{link}: {}", verdict.stdout);
    }
    desk.reader.trusting(&["audit", "--structure", "--log", &desk.network.log.url()]).expect(0);
    // What was shown of the decision is kept, and it is what was signed for.
    let shown = std::fs::read(desk.network.path("out").join(format!("{approval}.shown"))).unwrap();
    let entry = std::fs::read(desk.file(&approval)).unwrap();
    let digest = *Digest::sha256(&shown).as_bytes();
    assert!(entry.windows(32).any(|window| window == digest));
    assert!(!entry.windows(5).any(|window| window == b"alice"));
}

/// What `--dry-run` shows is what is signed afterwards, and it signs nothing itself.
#[test]
fn what_is_shown_is_what_is_signed() {
    let desk = Desk::open();
    let command = ["own", "spiffe://prod.example/pay", "--owner", "team-pay", "--offboard", "2030-01-02"];
    let preview = desk.preview(&command);
    assert_eq!((&preview["kind"], &preview["aud"]), (&json!("ownership"), &json!(desk.network.log.origin)));
    assert_eq!(preview["times"]["offboard_ms"]["utc"], "2030-01-02T00:00:00Z");
    assert!(!desk.network.path("desk.key.streams").exists(), "a dry run remembers nothing");

    let ended = desk.run(&[&command[..], &["--yes", "--json"]].concat());
    ended.expect(0);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    let id = document["entries"][0]["id"].as_str().unwrap();
    let entry = std::fs::read(desk.file(id)).unwrap();
    let signed = govlog_formats::transparent::TransparentStatement::parse(&entry).unwrap().statement().clone();
    assert_eq!(document["preview"]["statement"], signed.sig_structure_digest().to_string());
    let view = govlog_formats::record::view::to_json("ownership", signed.payload()).unwrap();
    assert_eq!(document["preview"]["record"], view);
}

#[test]
fn what_is_not_sure_is_refused_before_anything_is_signed() {
    let mut desk = Desk::open();
    let decision = desk.decision();
    let approve = ["approve", &decision, "--type", "change", "--approver", "person-1"];
    refused(&desk.run(&approve), 2, "no terminal");
    let mailed = ["approve", &decision, "--type", "change", "--approver", "alice@prod.example", "--yes"];
    refused(&desk.run(&mailed), 2, "--openings");
    refused(&desk.run(&["approve", "1.999", "--type", "change", "--yes"]), 5, "no such entry");
    refused(&desk.run(&["revoke", &"ab".repeat(32), "--reason", "x", "--yes"]), 2, "does not say what it is of");
    let token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzZWNyZXQifQ.c2ln";
    let leaked = desk.run(&["revoke", token, "--reason", "x", "--yes"]);
    refused(&leaked, 2, "shell's history");
    assert!(!format!("{}{}", leaked.stdout, leaked.stderr).contains("eyJ"));
    let past = [&approve[..], &["--expires", "2020-01-01", "--yes"]].concat();
    refused(&desk.run(&past), 2, "--expires");

    // A signed statement that was never logged: no receipt, so no link unless it is asked for, and then it is said.
    let logged = std::fs::read(desk.file(&decision)).unwrap();
    let bare = govlog_formats::transparent::TransparentStatement::parse(&logged).unwrap().statement().entry().to_vec();
    let bare = desk.write("bare.cose", &bare);
    refused(&desk.run(&["approve", text(&bare), "--type", "change", "--yes"]), 3, "--unverified");
    let shown = desk.preview(&["approve", text(&bare), "--type", "change", "--unverified"]);
    assert_eq!(shown["links"][0]["verified"], false);
    assert!(shown["links"][0]["summary"].as_str().unwrap().contains("NOT VERIFIED"));

    let expired = ["--to", "spiffe://prod.example/portal", "--max-hops", "1", "--not-before", "2020-01-01T00:00:00Z"];
    let parent = desk.sign(&[&DELEGATE[..], &expired].concat());
    let child = [&DELEGATE[..], &["--to", "spiffe://prod.example/x", "--parent", &parent, "--yes"]].concat();
    refused(&desk.run(&child), 2, "the parent expired");

    // Another log's trust directory: the origin that is signed for is never this server's word.
    let other = Plan::new(NODE).start();
    let stranger = Reader::of(&other, "trust");
    desk.reader = stranger;
    let wrong = desk.run(&["own", "spiffe://prod.example/pay", "--owner", "team-pay", "--yes"]);
    assert!(matches!(wrong.code(), Some(1..=4)), "{}{}", wrong.stdout, wrong.stderr);
    assert!(wrong.stdout.is_empty() && !wrong.stderr.contains("This will be signed"), "{}", wrong.stderr);
}
