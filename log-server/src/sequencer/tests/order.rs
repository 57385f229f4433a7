//! Places and answers: new entries, duplicates, streams, policy changes, time.

use govlog_formats::admission::{ChangeFields, OperatorApproval, PolicyState, Word, approval_statement};
use govlog_formats::checkpoint::Checkpoint;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{ConsistencyProof, InclusionProof};
use govlog_formats::note::Note;
use govlog_formats::statement::SignedStatement;

use crate::admission::Admitted;
use crate::refusal::Refusal;
use crate::sequencer::testing::{Disk, Live, Place, START_MS, World, decoded, row};
use crate::sequencer::{MAX_BATCH_ENTRIES, Ticket};
use crate::tree::testing::ORIGIN;

fn world() -> &'static World {
    World::get()
}

fn alone(text: &str) -> SignedStatement {
    world().statement(0, &Place::Alone, text)
}

fn texts(tickets: Vec<Ticket>) -> Vec<String> {
    tickets.into_iter().map(|ticket| decoded(ticket.wait())).collect()
}

fn stopped(live: Live, disk: &Disk) -> Vec<Vec<u8>> {
    live.stop();
    disk.check()
}

#[test]
fn statements_are_placed_in_the_order_of_their_submission() {
    let disk = Disk::fresh();
    let live = disk.start();
    let statements: Vec<_> = (0..10).map(|number| alone(&format!("{number}"))).collect();
    assert_eq!(live.log(&statements[..3]), ["=1", "=2", "=3"]);
    assert_eq!(live.log(&statements[3..4]), ["=4"]);
    assert_eq!(live.log(&statements[4..]), ["=5", "=6", "=7", "=8", "=9", "=10"]);
    let entries = stopped(live, &disk);
    assert_eq!(entries[0], world().genesis.entry());
    for (entry, statement) in entries[1..].iter().zip(&statements) {
        assert_eq!(entry, statement.entry());
    }
}

#[test]
fn a_committed_entry_is_proved_by_the_head_it_comes_with() {
    let disk = Disk::fresh();
    let live = disk.start();
    let before = live.head();
    assert_eq!(before.size().get(), 1, "the first head is that of entry 0");
    for round in 0..5 {
        let statements: Vec<_> = (0..200).map(|number| alone(&format!("{round} {number}"))).collect();
        for (ticket, statement) in live.submit(&statements).into_iter().zip(&statements) {
            let committed = ticket.wait().unwrap();
            let head = committed.head();
            let note = Note::parse(head.note()).unwrap();
            note.verify_log(world().note.vkey()).unwrap();
            let checkpoint = Checkpoint::of_note(&note).unwrap();
            assert_eq!((checkpoint.origin.as_str(), checkpoint.size), (ORIGIN, head.size()));
            assert_eq!(checkpoint.root, head.root());
            let proof = InclusionProof::build(head.tree(), committed.index(), head.size()).unwrap();
            proof.verify(&statement.leaf_hash(), &checkpoint.root).unwrap();
            let proof = ConsistencyProof::build(head.tree(), before.size(), head.size()).unwrap();
            proof.verify(&before.root(), &checkpoint.root).unwrap();
        }
    }
    stopped(live, &disk);
}

#[test]
fn more_than_a_batch_is_taken_in_several() {
    let disk = Disk::fresh();
    let live = disk.start();
    let statements: Vec<_> = (0..2500).map(|number| alone(&format!("{number}"))).collect();
    let answers = live.log(&statements);
    assert_eq!(answers, (1..=2500).map(|index| format!("={index}")).collect::<Vec<_>>());
    stopped(live, &disk);
    let signed = disk.signed.lock().unwrap();
    let steps = signed.windows(2).map(|pair| pair[1].size.get() - pair[0].size.get());
    assert!(steps.clone().all(|step| step <= u64::try_from(MAX_BATCH_ENTRIES).unwrap()));
    assert!(steps.filter(|step| *step > 0).count() >= 3);
}

#[test]
fn a_batch_ends_at_its_bytes() {
    let disk = Disk::fresh();
    let live = disk.start();
    let large: Vec<_> = (0..150).map(|number| alone(&format!("{number} {}", "x".repeat(60_000)))).collect();
    let answers = live.log(&large);
    assert_eq!(answers, (1..=150).map(|index| format!("={index}")).collect::<Vec<_>>());
    stopped(live, &disk);
    // 69 entries of a little over 60,000 bytes are the most that 4 MiB hold.
    let signed = disk.signed.lock().unwrap();
    assert!(signed.windows(2).all(|pair| pair[1].size.get() - pair[0].size.get() <= 69), "{signed:?}");
}

#[test]
fn a_duplicate_is_the_logged_entry_wherever_it_is_met() {
    let disk = Disk::fresh();
    let live = disk.start();
    let chain = world().chain(1, "s", 3);
    let one = alone("one");
    // Twice in one batch, in a later one, and after a restart; alone and in a stream.
    let mixed = [one.clone(), chain[0].clone(), one.clone(), chain[0].clone(), chain[1].clone()];
    assert_eq!(live.log(&mixed), ["=1", "=2", "+1", "+2", "=3"]);
    assert_eq!(live.log(&mixed), ["+1", "+2", "+1", "+2", "+3"]);
    live.stop();
    let live = disk.start();
    assert_eq!(live.log(&mixed), ["+1", "+2", "+1", "+2", "+3"]);
    assert_eq!(live.log(&[chain[2].clone(), chain[0].clone()]), ["=4", "+2"]);
    assert_eq!(stopped(live, &disk).len(), 5);
}

#[test]
fn another_signature_over_the_same_statement_is_a_duplicate_of_the_logged_bytes() {
    let disk = Disk::fresh();
    let live = disk.start();
    let logged = world().statement(2, &Place::Alone, "signed twice");
    let other = other_signature(&logged);
    assert_ne!(logged.entry(), other.entry());
    assert_eq!(logged.sig_structure_digest(), other.sig_structure_digest());
    assert_eq!(live.log(&[logged.clone(), other.clone()]), ["=1", "+1"]);
    assert_eq!(live.log(&[other]), ["+1"]);
    assert_eq!(stopped(live, &disk)[1], logged.entry());
}

/// Turns an ECDSA signature (r, s) into (r, n − s), which verifies as well.
fn other_signature(statement: &SignedStatement) -> SignedStatement {
    const N: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut entry = statement.entry().to_vec();
    let at = entry.len() - 32;
    let mut borrow = 0;
    for place in (0..32).rev() {
        let difference = i16::from(N[place]) - i16::from(entry[at + place]) - borrow;
        borrow = i16::from(difference < 0);
        entry[at + place] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    SignedStatement::parse_entry(&entry).unwrap()
}

#[test]
fn a_stream_goes_on_only_where_it_ends() {
    let disk = Disk::fresh();
    let live = disk.start();
    let chain = world().chain(0, "s", 5);
    let at = |seq, prev, text| world().statement(0, &Place::at("s", seq, prev), text);
    let zero = Digest::ZERO;
    let (last, other) = (chain[1].sig_structure_digest(), chain[0].sig_structure_digest());
    // exact.md §2: "`seq` 0 with a non-zero `prev` too" is a conflict.
    assert_eq!(live.log(&[at(0, other, "x"), at(1, zero, "x")]), ["conflict, expected 0", "conflict, expected 0"]);
    assert_eq!(live.log(&chain[..2]), ["=1", "=2"]);
    for wrong in [
        at(2, other, "another prev"),
        at(2, zero, "no prev"),
        at(3, last, "a gap"),
        at(1, chain[0].sig_structure_digest(), "another at a place that is taken"),
        at(0, zero, "another first"),
        at(1 << 62, last, "far ahead"),
    ] {
        let answer = live.submit(&[wrong]).pop().unwrap().wait();
        let Err(Refusal::Conflict(conflict)) = answer else { panic!("{answer:?}") };
        assert_eq!((conflict.expected_seq, conflict.expected_prev), (2, last));
    }
    // The same within one batch, and after a restart.
    let mixed = [chain[2].clone(), at(2, last, "late"), chain[4].clone(), chain[3].clone(), chain[4].clone()];
    let expected = ["=3", "conflict, expected 3", "conflict, expected 3", "=4", "=5"];
    assert_eq!(live.log(&mixed), expected);
    live.stop();
    let live = disk.start();
    assert_eq!(live.log(&[at(2, last, "late")]), ["conflict, expected 5"]);
    assert_eq!(stopped(live, &disk).len(), 6);
}

#[test]
fn a_stream_belongs_to_its_issuer() {
    let disk = Disk::fresh();
    let live = disk.start();
    let (mine, theirs) = (world().chain(0, "s", 2), world().chain(1, "s", 2));
    assert_eq!(
        live.log(&[mine[0].clone(), theirs[0].clone(), theirs[1].clone(), mine[1].clone()]),
        ["=1", "=2", "=3", "=4"]
    );
    stopped(live, &disk);
}

#[test]
fn a_refused_statement_leaves_no_hole_and_no_trace() {
    let disk = Disk::fresh();
    let live = disk.start();
    let chain = world().chain(0, "s", 3);
    assert_eq!(live.log(&[chain[1].clone()]), ["conflict, expected 0"]);
    assert_eq!(live.log(&chain), ["=1", "=2", "=3"]);
    assert_eq!(stopped(live, &disk).len(), 4);
}

fn retire(policy: &PolicyState, number: usize) -> SignedStatement {
    let retire = vec![format!("https://issuer-{number}.example")];
    world().change(policy.next_change(), ChangeFields { retire, ..ChangeFields::default() })
}

#[test]
fn what_was_admitted_before_a_change_is_judged_again_behind_it() {
    let disk = Disk::fresh();
    let live = disk.start();
    let policy = live.sequencer.policy().load_full();
    let of = |issuer, text: &str| world().statement(issuer, &Place::Alone, text);
    let statements = [of(0, "before"), retire(&policy, 0), of(0, "behind"), of(1, "not concerned")];
    // All were admitted under the policy of entry 0.
    assert_eq!(texts(live.submit(&statements)), ["=1", "=2", "Forbidden", "=3"]);
    // A duplicate is answered before anything is judged.
    let again = Admitted::judge(&policy, of(0, "before"), None).unwrap();
    assert_eq!(texts(live.sequencer.submit(vec![again])), ["+1"]);
    let now = live.sequencer.policy().load_full();
    assert_eq!((now.as_of().get(), live.head().policy().as_of().get()), (2, 2));
    live.stop();
    let live = disk.start();
    assert_eq!(live.head().policy(), &now, "the fold of the entries is the policy that was in force");
    let late = Admitted::judge(&policy, of(0, "late"), None).unwrap();
    assert_eq!(texts(live.sequencer.submit(vec![late])), ["Forbidden"]);
    stopped(live, &disk);
}

#[test]
fn a_change_is_in_force_at_the_door_before_it_is_acknowledged() {
    let disk = Disk::fresh();
    let live = disk.start();
    for round in 0..20 {
        let policy = live.sequencer.policy().load_full();
        let set = vec![row(1, &world().issuers[round % 2])];
        let change = world().change(policy.next_change(), ChangeFields { set, ..ChangeFields::default() });
        let committed = live.submit(&[change]).pop().unwrap().wait().unwrap();
        assert_eq!(live.sequencer.policy().load().as_of(), committed.index());
        assert_eq!(committed.head().policy().as_of(), committed.index());
    }
    stopped(live, &disk);
}

/// The word of issuer 1's key, which is an operator's as well, on a statement.
fn word(policy: &PolicyState, about: &SignedStatement, word: Word) -> SignedStatement {
    let key = &world().issuers[1];
    let approved = about.sig_structure_digest();
    let approval = OperatorApproval { event_ms: START_MS, approved, word, expires_ms: None };
    let place = policy.next_approval(&key.public().thumbprint());
    approval_statement(ORIGIN, &approval, None, place, START_MS / 1000, key).unwrap()
}

#[test]
fn an_approval_ends_its_batch_outlives_a_restart_and_lets_a_change_pass() {
    let disk = Disk::fresh();
    let live = disk.start();
    let in_force = |live: &Live| live.sequencer.policy().load_full();
    let operators = vec![world().operator.public(), world().issuers[1].public()];
    let fields = ChangeFields { operators, threshold: Some(2), ..ChangeFields::default() };
    assert_eq!(live.log(&[world().change(in_force(&live).next_change(), fields)]), ["=1"]);
    let wanted = retire(&in_force(&live), 0);
    let early = Admitted::judge(&in_force(&live), wanted.clone(), None).unwrap_err();
    assert!(early.to_string().contains("1 more must approve it"), "{early}");
    // What follows an approval is judged under the policy that knows of it.
    let approve = word(&in_force(&live), &wanted, Word::Approve);
    let behind = world().statement(1, &Place::Alone, "behind");
    assert_eq!(live.log(&[approve, behind]), ["=2", "=3"]);
    let sizes: Vec<u64> = disk.signed.lock().unwrap().iter().map(|head| head.size.get()).collect();
    assert_eq!(sizes, [1, 2, 3, 4], "an approval is the last of its batch");
    let before = in_force(&live);
    live.stop();

    let live = disk.start();
    assert_eq!(in_force(&live), before, "approvals are folded again");
    assert_eq!(before.approvals().count(), 1);
    // Let in while it was approved, and overtaken by a word against it.
    let admitted = Admitted::judge(&before, wanted.clone(), None).unwrap();
    let reject = Admitted::judge(&before, word(&before, &wanted, Word::Reject), None).unwrap();
    assert_eq!(texts(live.sequencer.submit(vec![reject, admitted])), ["=4", "Forbidden"]);
    let again = word(&in_force(&live), &wanted, Word::Approve);
    assert_eq!(live.log(&[again]), ["=5"]);
    assert_eq!(live.log(&[wanted]), ["=6"]);
    let after = in_force(&live);
    assert_eq!((after.approvals().count(), after.as_of().get()), (0, 6));
    live.stop();
    let live = disk.start();
    assert_eq!(in_force(&live), after);
    stopped(live, &disk);
}

#[test]
fn a_change_ends_its_batch_and_two_changes_follow_each_other() {
    let disk = Disk::fresh();
    let live = disk.start();
    let policy = live.sequencer.policy().load_full();
    let first = retire(&policy, 0);
    let after = policy.apply(govlog_formats::merkle::LeafIndex::new(1), &first).unwrap();
    let second = retire(&after, 1);
    // The second names the first as its predecessor; the same place again is a conflict.
    let rival = retire(&policy, 2);
    assert_eq!(live.log(&[first, second, rival]), ["=1", "=2", "conflict, expected 3"]);
    stopped(live, &disk);
    let sizes: Vec<u64> = disk.signed.lock().unwrap().iter().map(|head| head.size.get()).collect();
    assert_eq!(sizes, [1, 2, 3], "each change is the last of its batch");
}

#[test]
fn time_never_goes_back_whatever_the_clock_does() {
    let disk = Disk::fresh();
    let mut times = Vec::new();
    let mut live = disk.start();
    for (round, now) in [5000u64, 9000, 1000, 0, 9000, 9001, 3000].into_iter().enumerate() {
        disk.clock.set(if now == 0 { 0 } else { START_MS + now });
        if round == 3 {
            live.stop();
            live = disk.start();
        }
        let committed = live.submit(&[alone(&format!("{round}"))]).pop().unwrap().wait().unwrap();
        times.push(committed.head().time().get() - START_MS);
    }
    assert_eq!(times, [5000, 9000, 9000, 9000, 9000, 9001, 9001]);
    stopped(live, &disk);
}

#[test]
fn an_idle_restart_signs_the_same_head_again() {
    let disk = Disk::fresh();
    let live = disk.start();
    assert_eq!(live.log(&[alone("one")]), ["=1"]);
    let note = live.head().note().to_vec();
    live.stop();
    for _ in 0..3 {
        let live = disk.start();
        assert_eq!(live.head().note().to_vec(), note);
        live.stop();
    }
    assert_eq!(disk.head.state().generation, 3, "the head was advanced once");
}
