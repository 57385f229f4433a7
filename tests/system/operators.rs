//! Operators who must agree, and issuers who say two things: real processes, killed in between, and what `audit` says afterwards.

use std::path::{Path, PathBuf};

use harness::log::COSE;
use harness::network::Plan;
use harness::process::Ended;
use harness::reader::{Reader, new_key};
use harness::{Faults, Issuer, Network};
use serde_json::Value;

use crate::NODE;

const ISSUER: &str = "https://issuer.example/new";

/// A log of three operators of whom two must agree, each with a trust directory and a key of their own.
struct Scene {
    network: Network,
    readers: [Reader; 3],
    keys: [PathBuf; 3],
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A command that must be refused as it stands, and says why.
fn refused(ended: &Ended, why: &str) {
    ended.expect(2);
    assert!(ended.stderr.contains(why), "{}", ended.stderr);
}

fn scene() -> Scene {
    let network = Plan::new(NODE).witnesses(1, 1).start();
    let readers = ["first", "second", "third"].map(|name| Reader::of(&network, name));
    let keys = [
        network.log.dir.join("operator.key"),
        new_key(&network, "second.key", "p384"),
        new_key(&network, "third.key", "p256"),
    ];
    let scene = Scene { network, readers, keys };
    let [_, second, third] = scene.keys.each_ref().map(|key| key.with_extension("key.pub"));
    let handed_over = scene.by(0, "operators", &["--add", text(&second), "--add", text(&third), "--threshold", "2"]);
    handed_over.expect(0);
    scene
}

impl Scene {
    /// A change, drafted or made by an operator.
    fn by(&self, operator: usize, command: &str, more: &[&str]) -> Ended {
        let url = self.network.log.url();
        let start = ["admission", command, "--log", &url, "--key", text(&self.keys[operator])];
        self.readers[operator].trusting(&[&start[..], more].concat())
    }

    /// The change that lets one more issuer in.
    fn add(&self, operator: usize, more: &[&str]) -> Ended {
        let public = self.keys[1].with_extension("key.pub");
        let row =
            ["--iss", ISSUER, "--pub", text(&public), "--kinds", "decision", "--subjects", "spiffe://prod.example/"];
        self.by(operator, "add", &[&row[..], more].concat())
    }

    /// An operator's word on a draft.
    fn approve(&self, operator: usize, draft: &Path, more: &[&str]) -> Ended {
        self.by(operator, "approve", &[&[text(draft)], more].concat())
    }

    fn submit(&self, operator: usize, draft: &Path) -> Ended {
        let url = self.network.log.url();
        self.readers[operator].trusting(&["admission", "submit", text(draft), "--log", &url])
    }

    fn show(&self, operator: usize) -> Ended {
        let url = self.network.log.url();
        self.readers[operator].trusting(&["admission", "show", "--log", &url])
    }

    fn audit(&self) -> Ended {
        let url = self.network.log.url();
        self.readers[0].trusting(&["audit", "--structure", "--log", &url])
    }

    fn restart(&mut self) {
        self.network.log.kill();
        self.network.log.start(&Faults::none());
        self.network.log.ready();
    }
}

#[test]
fn two_of_three_operators_let_an_issuer_in() {
    let mut scene = scene();
    // No operator alone, whether the command is asked or the log itself.
    refused(&scene.add(0, &[]), "--draft");
    let draft = scene.network.path("change.cose");
    let drafted = scene.add(0, &["--draft", text(&draft)]);
    drafted.expect(0);
    let digest = drafted.stdout.trim().to_owned();
    assert!(
        drafted.stderr.contains(&digest) && drafted.stderr.contains("govlog admission approve"),
        "{}",
        drafted.stderr
    );
    refused(&scene.submit(0, &draft), "1 more operators must approve");
    let bytes = std::fs::read(&draft).unwrap();
    let answer = scene.network.log.client().post("/entries?wait=committed", COSE, &bytes).unwrap();
    assert_eq!(answer.status, 403, "{}", answer.text());

    // What will be signed is shown, and nothing is signed where nobody can say yes; one's own change is no one else's word.
    let unasked = scene.approve(1, &draft, &[]);
    refused(&unasked, "--yes");
    assert!(unasked.stderr.contains(ISSUER) && unasked.stderr.contains(&digest), "{}", unasked.stderr);
    refused(&scene.approve(0, &draft, &["--yes"]), "another operator");
    scene.approve(1, &draft, &["--yes"]).expect(0);

    // The word outlives the process, and so does its withdrawal.
    scene.restart();
    let shown = scene.show(2);
    assert!(shown.stdout.contains("operators: 2 of 3") && shown.stdout.contains(&digest), "{}", shown.stdout);
    scene.approve(1, &draft, &["--yes", "--reject"]).expect(0);
    refused(&scene.submit(2, &draft), "1 more operators must approve");
    scene.approve(2, &draft, &["--yes"]).expect(0);
    scene.restart();
    let submitted = scene.submit(1, &draft);
    submitted.expect(0);
    assert!(submitted.stdout.contains("is in force"), "{}", submitted.stdout);
    let shown = scene.show(2);
    assert!(shown.stdout.contains(&format!("in force: {ISSUER}")), "{}", shown.stdout);
    assert!(!shown.stdout.contains("pending"), "{}", shown.stdout);
    scene.audit().expect(0);
    // The draft has had its day.
    refused(&scene.submit(1, &draft), "moved on");
}

#[test]
fn an_issuer_that_signs_two_statements_for_one_place_is_shown_by_audit() {
    let mut scene = scene();
    let log = &scene.network.log;
    let mut issuer = Issuer::new(2, &log.origin);
    let public = scene.network.path("issuer.pub");
    std::fs::write(&public, issuer.key.public().to_spki_pem()).unwrap();
    let draft = scene.network.path("change.cose");
    let row = ["--kinds", "decision", "--subjects", "spiffe://prod.example/", "--draft", text(&draft)];
    scene.by(0, "add", &[&["--iss", &issuer.iss, "--pub", text(&public)], &row[..]].concat()).expect(0);
    scene.approve(2, &draft, &["--yes"]).expect(0);
    scene.submit(0, &draft).expect(0);

    let mut second = issuer.draft();
    second.claims.iat -= 1;
    let (second, first) = (second.sign(&issuer.key), issuer.sign_next());
    let mut client = scene.network.log.client();
    let mut post = |bytes: &[u8]| client.post("/entries?wait=published", COSE, bytes).unwrap().status;
    assert_eq!((post(first.entry()), post(second.entry()), post(second.entry())), (201, 409, 409));
    scene.restart();

    let audited = scene.audit();
    audited.expect(0);
    let said =
        format!("issuer {} signed two statements for position 0 of stream {}", issuer.iss, issuer.stream.unwrap());
    assert_eq!(audited.stdout.matches(&said).count(), 1, "{}", audited.stdout);
    let url = scene.network.log.url();
    let document = scene.readers[1].trusting(&["--json", "audit", "--structure", "--log", &url]);
    let document: Value = serde_json::from_str(&document.stdout).unwrap();
    let refused = govlog_formats::base64::encode_url(second.entry());
    assert_eq!((&document["verdict"], &document["conflicts"][0]["refused"]), (&"verified".into(), &refused.into()));
}
