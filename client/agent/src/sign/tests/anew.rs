//! What is signed anew keeps its content, its key and its openings.

use govlog_formats::digest::Digest;
use govlog_formats::record::Record;

use super::record;
use crate::sign::Replaced;
use crate::testing::{Bench, event};

/// The signer of a bench, to be asked for what the sender asks for.
fn payloads(bench: &Bench, number: u64) -> Vec<Vec<u8>> {
    bench.signed(number).iter().map(|statement| statement.payload().to_vec()).collect()
}

#[test]
fn a_refused_statement_gives_its_place_to_a_quarantine_and_the_rest_follows() {
    let bench = Bench::new();
    bench.receive(&[event("d-1"), event("d-2"), event("d-3")]);
    bench.sign();
    let before = bench.signed(0);
    let replaced = bench.shared.with_signer(|signer| signer.replace_refused(0, 2, 400).unwrap());
    assert_eq!(replaced, Replaced::Quarantined);
    let after = bench.signed(0);
    let kinds: Vec<&str> = after.iter().map(|statement| statement.kind()).collect();
    assert_eq!(kinds, ["stream", "decision", "quarantine", "decision"]);
    assert_eq!(after[1], before[1], "what stands before is as it was");
    assert_eq!(after[3].payload(), before[3].payload());
    let at = after[3].claims().stream.as_ref().unwrap();
    assert_eq!((at.seq, at.prev), (3, after[2].sig_structure_digest()));
    let Record::Quarantine(quarantine) = record(&after[2]) else { panic!() };
    assert_eq!(quarantine.refused().present(), Some(400));
    assert_eq!(quarantine.reason().present(), Some("the log refused the statement with 400"));
    let row = &bench.shared.outbox.signed(0, 2, 1, u64::MAX).unwrap()[0].1;
    let refused = before[2].entry();
    assert!(row.openings.windows(refused.len()).any(|window| window == refused), "the statement is kept beside");
    // A quarantine that is refused as well would be refused for ever.
    let again = bench.shared.with_signer(|signer| signer.replace_refused(0, 2, 400).unwrap());
    assert_eq!(again, Replaced::Stuck);
    let gone = bench.shared.with_signer(|signer| signer.replace_refused(0, 9, 400).unwrap());
    assert_eq!(gone, Replaced::Gone);
}

#[test]
fn statements_signed_anew_say_the_same_at_another_time() {
    let bench = Bench::new();
    bench.receive(&[event("d-1"), event("d-2")]);
    bench.sign();
    let before = bench.signed(0);
    bench.world.wind(crate::testing::DAY);
    bench.shared.with_signer(|signer| signer.sign_anew(0, 1).unwrap());
    let after = bench.signed(0);
    assert_eq!(after[0], before[0]);
    assert_eq!(after[1].payload(), before[1].payload());
    assert_eq!(after[1].claims().iat, before[1].claims().iat + 86_400);
    assert_eq!(after[2].claims().stream.as_ref().unwrap().prev, after[1].sig_structure_digest());
}

/// What a statement names is what it can be shown to be no older than: what is signed anew loses none of it, and takes none from
/// what is signed with it.
#[test]
fn statements_signed_anew_name_what_was_seen_since_and_before_that_what_each_named() {
    let bench = Bench::new();
    let [first, second, third] = [b"1", b"2", b"3"].map(|note| Digest::sha256(note));
    bench.receive(&[event("d-1")]);
    bench.sign();
    for (id, note) in [("d-2", first), ("d-3", second)] {
        bench.shared.signer().saw_head(note);
        bench.receive(&[event(id)]);
        bench.sign();
    }
    let heads = |bench: &Bench| -> Vec<Option<Digest>> {
        bench.signed(0).iter().map(|statement| statement.claims().head).collect()
    };
    let named = [None, None, Some(first), Some(second)];
    assert_eq!(heads(&bench), named);
    let bench = bench.restart();
    bench.shared.with_signer(|signer| signer.sign_anew(0, 0).unwrap());
    assert_eq!(heads(&bench), named, "another process has seen none yet");
    bench.shared.signer().saw_head(third);
    bench.shared.with_signer(|signer| signer.sign_anew(0, 3).unwrap());
    assert_eq!(heads(&bench), [None, None, Some(first), Some(third)]);
    bench.shared.with_signer(|signer| signer.sign_anew(0, 0).unwrap());
    assert_eq!(heads(&bench), [Some(third); 4]);
}

#[test]
fn a_fork_carries_on_everything_but_what_the_old_stream_said_of_itself() {
    let bench = Bench::new();
    bench.receive(&[event("d-1"), event("d-2")]);
    bench.sign();
    bench.receive(&[event("d-3")]);
    let before = payloads(&bench, 0);
    let number = bench.shared.with_signer(|signer| signer.fork(0, 0, "opa-new".into()).unwrap()).unwrap();
    let after = bench.signed(number);
    let Record::Stream(opened) = record(&after[0]) else { panic!() };
    assert_eq!(opened.predecessor().present(), Some(bench.shared.outbox.stream(0).unwrap().unwrap().name.as_str()));
    assert_eq!(payloads(&bench, number)[1..], before[1..]);
    bench.sign();
    assert_eq!(bench.signed(number).len(), 4, "what waited goes into the new stream");
}

#[test]
fn what_the_log_has_stays_in_the_old_stream() {
    let bench = Bench::new();
    bench.receive(&[event("d-1"), event("d-2")]);
    bench.sign();
    let before = bench.signed(0);
    let number = bench.shared.with_signer(|signer| signer.fork(0, 2, "opa-new".into()).unwrap()).unwrap();
    assert_eq!(bench.signed(0), before[..2]);
    let kinds: Vec<String> = bench.signed(number).iter().map(|statement| statement.kind().to_owned()).collect();
    assert_eq!(kinds, ["stream", "decision"]);
}
