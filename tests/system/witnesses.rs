//! Witnesses that are away, come back, or misbehave.

use std::time::Duration;

use govlog_formats::checkpoint::Checkpoint;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::TreeSize;
use govlog_formats::note::{Note, NoteSigner};
use harness::fake_witness::{FakeWitness, Manner};
use harness::log::{COSE, Log, location};
use harness::network::{FAST, Plan};
use harness::wait::{SOON, until};
use harness::{Crowd, Faults, Issuer, check};

use crate::NODE;

/// Submits one statement and returns its index once it is committed.
fn commit_one(log: &Log, issuer: &mut Issuer) -> u64 {
    let statement = issuer.sign_next();
    let answer = log.client().post("/entries?wait=committed", COSE, statement.entry()).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    location(answer.header("location")).index.get()
}

fn published_size(log: &Log) -> u64 {
    let answer = log.client().get("/checkpoint").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    log.policy.verify_checkpoint(&answer.body).unwrap().checkpoint().size.get()
}

#[test]
fn the_log_commits_while_witnesses_are_away_and_publishes_when_they_return() {
    let mut network = Plan::new(NODE).witnesses(3, 2).start();
    let mut crowd = Crowd::admitted_to(&mut network.log);
    let mut issuer = Issuer::new(9, &network.log.origin);
    network.log.admit(std::slice::from_ref(&issuer));

    network.witnesses[0].kill();
    let index = commit_one(&network.log, &mut issuer);
    network.log.published(index + 1);

    network.witnesses[1].kill();
    // A round under way may still have both cosignatures; after it none can.
    let index = commit_one(&network.log, &mut issuer);
    let index = commit_one(&network.log, &mut issuer).max(index);
    crowd.submit(&mut network.log, 30).unwrap();
    let pending = network.log.client().get(&format!("/entries/1.{index}")).unwrap();
    assert_eq!(pending.status, 302, "{}", pending.text());
    assert!(pending.header("retry-after").is_some());
    assert!(published_size(&network.log) < crowd.ledger().covering_size());

    network.witnesses[0].start();
    check::log(&network.log, crowd.ledger()).unwrap();
    let receipt = network.log.client().get(&format!("/entries/1.{index}")).unwrap();
    assert_eq!(receipt.status, 200, "{}", receipt.text());
}

#[test]
fn a_start_without_witnesses_serves_reads_only_until_they_return() {
    let mut network = Plan::new(NODE).witnesses(3, 2).start();
    let mut crowd = Crowd::admitted_to(&mut network.log);
    crowd.submit(&mut network.log, 20).unwrap();
    let checked = check::log(&network.log, crowd.ledger()).unwrap();
    network.log.kill();
    network.witnesses.iter_mut().take(2).for_each(harness::witness::Witness::kill);

    network.log.start(&Faults::none());
    let mut issuer = Issuer::new(0, &network.log.origin);
    let refused = network.log.client().post("/entries", COSE, issuer.sign_next().entry()).unwrap();
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    assert_eq!(network.log.admin().get("/readyz").unwrap().status, 503);
    assert_eq!(network.log.admin().get("/healthz").unwrap().status, 200);
    let bundle = network.log.client().get("/tile/entries/000.p/1").unwrap();
    assert_eq!((bundle.status, &bundle.body[2..]), (200, checked.entries[0].as_slice()));

    network.witnesses[0].start();
    network.log.ready();
    crowd.settle(&network.log).unwrap();
    crowd.submit(&mut network.log, 10).unwrap();
    check::log(&network.log, crowd.ledger()).unwrap();
}

/// Two honest witnesses are enough, whatever the third one does; and then it is the third one's turn to be needed.
#[test]
fn a_witness_that_answers_nonsense_is_done_without() {
    let nonsense = [
        Manner::Status(500),
        Manner::Status(429),
        Manner::Status(404),
        Manner::Status(302),
        Manner::Conflict(0),
        Manner::Conflict(1),
        Manner::Conflict(1 << 40),
        Manner::SignsWrongly,
        Manner::Says(b"".to_vec()),
        Manner::Says(b"\xe2\x80\x94 witness.example/fake AAAA\n".to_vec()),
        Manner::Says(vec![b'x'; 1 << 20]),
        Manner::Silent,
    ];
    let fake = FakeWitness::start(Manner::Cosigns);
    let settings = format!("{FAST}\n").replacen("interval_ms = 10", "interval_ms = 10\nwitness_timeout_ms = 1000", 1);
    let mut network = Plan::new(NODE).settings(&settings).other(fake.line()).witnesses(2, 2).start();
    let mut issuer = Issuer::new(9, &network.log.origin);
    network.log.admit(std::slice::from_ref(&issuer));
    for manner in nonsense {
        fake.behave(manner.clone());
        let asked = fake.asked();
        let index = commit_one(&network.log, &mut issuer);
        network.log.published(index + 1);
        until(&format!("the fake to be asked while {manner:?}"), SOON, || {
            // Each round needs something new to publish.
            (fake.asked() > asked).then_some(()).or_else(|| {
                commit_one(&network.log, &mut issuer);
                None
            })
        });
    }
    fake.behave(Manner::Cosigns);
    network.witnesses[0].kill();
    let index = commit_one(&network.log, &mut issuer);
    network.log.published(index + 1);
    assert!(network.log.is_running());
}

/// A note over a larger tree, shown by a witness that claims to have cosigned it.
fn shown_a_larger_tree(signer: &dyn Fn(&Log) -> NoteSigner) -> (harness::Network, FakeWitness) {
    let fake = FakeWitness::start(Manner::Cosigns);
    let mut network = Plan::new(NODE).other(fake.line()).witnesses(2, 2).start();
    let issuer = Issuer::new(9, &network.log.origin);
    network.log.admit(std::slice::from_ref(&issuer));
    let size = 1_000_000;
    let origin = network.log.vkey.name().clone().into();
    let text = Checkpoint::new(origin, TreeSize::new(size), Digest::sha256(b"another tree")).to_string();
    let line = signer(&network.log).sign(&text, None).unwrap();
    fake.show(Some(Note::with_lines(&text, &[line]).unwrap().to_bytes()));
    fake.behave(Manner::Conflict(size));
    let mut issuer = issuer;
    let answer = network.log.client().post("/entries", COSE, issuer.sign_next().entry());
    // It may stop while it answers.
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status < 600));
    (network, fake)
}

/// "Only a note with this log's own signature proves a larger or different tree; such a note, at any time, poisons the sequencer."
#[test]
fn proof_of_another_tree_under_its_own_key_stops_the_log() {
    let own = |log: &Log| {
        let secret = std::fs::read_to_string(log.dir.join("checkpoint.key")).unwrap();
        NoteSigner::from_secret_text(secret.trim_end()).unwrap()
    };
    let (mut network, _fake) = shown_a_larger_tree(&own);
    let ended = network.log.ended(SOON);
    assert_eq!(ended.code(), Some(70), "{}", ended.stderr);
}

/// "Without one the witness is marked unreliable", and the log goes on.
#[test]
fn a_claim_of_another_tree_under_a_strangers_key_does_not() {
    let stranger = |log: &Log| {
        use govlog_formats::note::SignatureAlgorithm;
        NoteSigner::from_seed(log.vkey.name().clone(), SignatureAlgorithm::Ed25519, &[66; 32]).unwrap()
    };
    let (mut network, fake) = shown_a_larger_tree(&stranger);
    until("the fake to be asked", SOON, || (fake.asked() > 2).then_some(()));
    let mut crowd = Crowd::admitted_to(&mut network.log);
    crowd.submit(&mut network.log, 30).unwrap();
    check::log(&network.log, crowd.ledger()).unwrap();
    assert!(network.log.is_running());
}

/// An idle head is cosigned again; the note in the archive stays the first one.
#[test]
fn an_idle_head_is_cosigned_again() {
    let settings = FAST.replacen("interval_ms = 10", "interval_ms = 10\nrepublish_s = 1", 1);
    let mut network = Plan::new(NODE).settings(&settings).witnesses(2, 2).start();
    let issuer = Issuer::new(9, &network.log.origin);
    let size = network.log.admit(std::slice::from_ref(&issuer)).index.get() + 1;
    let first = network.log.published(size);
    let newest_time = |note: &[u8]| {
        let verified = network.log.policy.verify_checkpoint(note).unwrap();
        verified.cosigned().iter().map(|cosigned| cosigned.timestamp).max().unwrap()
    };
    let begun = newest_time(&first);
    until("a fresher note", SOON, || (newest_time(&network.log.published(size)) > begun).then_some(()));
    let archived = network.log.client().get(&format!("/v1/checkpoints?from={size}")).unwrap();
    let archived: serde_json::Value = serde_json::from_slice(&archived.body).unwrap();
    let note = archived["checkpoints"][0]["note"].as_str().unwrap();
    assert!(newest_time(note.as_bytes()) <= begun + 1);
    let (old, new) = (Note::parse(note.as_bytes()).unwrap(), Note::parse(&network.log.published(size)).unwrap());
    assert_eq!(old.text(), new.text());
    network.log.stop();
}

/// Acknowledgements as `published` name the quorum.
#[test]
fn published_means_that_the_quorum_has_seen_it() {
    let mut network = Plan::new(NODE).witnesses(3, 2).start();
    let mut issuer = Issuer::new(9, &network.log.origin);
    network.log.admit(std::slice::from_ref(&issuer));
    let statement = issuer.sign_next();
    let answer = network.log.client().patient_for(Duration::from_secs(35)).post(
        "/entries?wait=published",
        COSE,
        statement.entry(),
    );
    let answer = answer.unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    let receipt = govlog_formats::receipt::Receipt::parse(&answer.body).unwrap();
    let head = network.log.policy.verify_checkpoint(receipt.note()).unwrap();
    assert!(head.quorum().met(), "{}", head.quorum());
    assert!(head.cosigned().len() >= 2);
}
