use govlog_formats::note::{NoteSigner, SignatureAlgorithm};

use super::*;
use crate::testing::{Log, own};

const ORIGIN: &str = "log.example/a";
const NOW: u64 = 1_700_000_000;

fn authentic(log: &Log, body: &[u8]) -> Authentic {
    Request::parse(body).unwrap().authenticate(&[log.vkey()]).unwrap()
}

/// What the witness remembers after cosigning `log` at `size` a minute ago.
fn remembered(log: &Log, size: u64) -> Remembered {
    let text = log.text(size);
    let line = own().sign(&text, Some(NOW - 60)).unwrap();
    let bytes = Note::with_lines(&text, &[log.line(&text), line]).unwrap().to_bytes();
    Remembered::open(&bytes, &log.hash(), own().vkey(), &[log.vkey()]).unwrap()
}

fn judged(log: &Log, body: &[u8], held: Option<&Remembered>) -> Result<u64, Refusal> {
    decide(&authentic(log, body), held, NOW).map(|grant| grant.timestamp())
}

/// A checkpoint text of any size and root.
fn text(log: &Log, size: u64, root: Digest) -> String {
    Checkpoint::new(log.origin(), TreeSize::new(size), root).to_string()
}

// --- form: 400 ---

#[test]
fn malformed_bodies_are_refused() {
    let log = Log::new(ORIGIN, 8);
    let good = String::from_utf8(log.request_with(4, &log.proof(4, 8), &log.text(8))).unwrap();
    Request::parse(good.as_bytes()).unwrap();
    let hash = log.root(4).to_base64();
    let note = &good[good.find("\n\n").unwrap() + 2..];
    let unused_bits = format!("{}R=", &hash[..hash.len() - 2]);
    let mut bad = vec![
        String::new(),
        note.to_owned(),
        good.replacen("old 4", "old 04", 1),
        good.replacen("old 4", "old 00", 1),
        good.replacen("old 4", "old -4", 1),
        good.replacen("old 4", "old +4", 1),
        good.replacen("old 4", "old 4 ", 1),
        good.replacen("old 4", "old  4", 1),
        good.replacen("old 4", "Old 4", 1),
        good.replacen("old 4", "old", 1),
        good.replacen("old 4", "old 18446744073709551616", 1),
        good.replacen("old 4", "size 4", 1),
        good.replacen('\n', "\r\n", 1),
        good.replacen("\n\n", "\n", 1),
        format!("old 4\n{}\n{note}", format!("{hash}\n").repeat(64)),
        format!("old 4\n{}\n\n{note}", hash.trim_end_matches('=')),
        format!("old 4\n{unused_bits}\n\n{note}"),
        format!("old 4\n {hash}\n\n{note}"),
        format!("old 4\nAAAA\n\n{note}"),
        good.trim_end_matches('\n').to_owned(),
        format!("{good}\n"),
        good.replacen("\n8\n", "\n08\n", 1),
        good.replacen("\n8\n", "\n\n", 1),
        good.replacen("\n8\n", "\n-8\n", 1),
        good.replacen("\n8\n", "\n4611686018427387905\n", 1),
        good.replacen("\n8\n", "\n8\n\u{1}\n", 1),
        good[..good.rfind("\u{2014}").unwrap()].to_owned(),
    ];
    bad.push(format!("old 0\n\n{}", note.replacen(&log.root(8).to_base64(), "AAAA", 1)));
    for body in bad {
        assert!(matches!(Request::parse(body.as_bytes()), Err(Refusal::Malformed(_))), "{body:?}");
    }
    assert!(matches!(Request::parse(&[good.as_bytes(), &[0xff]].concat()), Err(Refusal::Malformed(_))));
}

#[test]
fn sixty_three_hashes_are_read() {
    let log = Log::new(ORIGIN, 8);
    let body = log.request_with(4, &[Digest::ZERO; 63], &log.text(8));
    assert_eq!(authentic(&log, &body).proof().len(), 63);
}

#[test]
fn sixteen_lines_of_post_quantum_size_are_read() {
    let log = Log::new(ORIGIN, 8);
    let lines: Vec<_> = (0..16)
        .map(|n| {
            let other = Log::new(&format!("witness.example/{n}"), 0).vkey();
            SignatureLine::new(other.name().clone(), other.id(), vec![n; 2428]).unwrap()
        })
        .chain([log.line(&log.text(8))])
        .collect();
    let note = Note::with_lines(&log.text(8), &lines).unwrap().to_bytes();
    let body = AddCheckpoint { old: TreeSize::ZERO, proof: Vec::new(), note }.encode();
    assert_eq!(judged(&log, &body, None), Ok(NOW));
}

#[test]
fn extension_lines_are_allowed_and_cosigned() {
    let log = Log::new(ORIGIN, 8);
    let text = format!("{}an extension\n", log.text(8));
    let request = authentic(&log, &log.request_with(0, &[], &text));
    assert_eq!(decide(&request, None, NOW).unwrap().request().text(), text);
}

// --- origin: 404 ---

#[test]
fn an_origin_without_keys_is_unknown() {
    let log = Log::new(ORIGIN, 8);
    let refusal = Request::parse(&log.request(0, 8)).unwrap().authenticate(&[]).unwrap_err();
    assert_eq!(refusal, Refusal::UnknownOrigin(log.origin()));
}

// --- signatures: 403 ---

fn with_lines(text: &str, lines: &[SignatureLine]) -> Vec<u8> {
    let note = Note::with_lines(text, lines).unwrap().to_bytes();
    AddCheckpoint { old: TreeSize::ZERO, proof: Vec::new(), note }.encode()
}

#[test]
fn a_note_the_log_did_not_sign_is_refused() {
    let (log, other) = (Log::new(ORIGIN, 8), Log::new("log.example/b", 8));
    let (text, wrong) = (log.text(8), log.line(&log.text(7)));
    let stranger = other.line(&text);
    let renamed = SignatureLine::new(log.vkey().name().clone(), other.vkey().id(), stranger.bytes().to_vec()).unwrap();
    let short = SignatureLine::new(log.vkey().name().clone(), log.vkey().id(), vec![1; 63]).unwrap();
    let cases: [(&str, Vec<SignatureLine>); 6] = [
        ("only a stranger's line", vec![stranger.clone()]),
        ("only a stranger's line in the log's name", vec![renamed]),
        ("the log's line over another text", vec![wrong.clone()]),
        ("the log's line cut short", vec![short.clone()]),
        ("a good line and then a failing one", vec![log.line(&text), wrong]),
        ("a failing line and then a good one", vec![short, log.line(&text)]),
    ];
    for (what, lines) in cases {
        let refused = Request::parse(&with_lines(&text, &lines)).unwrap().authenticate(&[log.vkey()]);
        assert!(matches!(refused, Err(Refusal::Untrusted(_))), "{what}");
    }
}

#[test]
fn every_flipped_bit_of_the_signed_text_is_refused() {
    let log = Log::new(ORIGIN, 8);
    let good = log.request(0, 8);
    let start = good.windows(ORIGIN.len()).position(|window| window == ORIGIN.as_bytes()).unwrap();
    let end = start + log.text(8).len();
    for bit in start * 8..end * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        if let Ok(request) = Request::parse(&bad) {
            assert!(matches!(request.authenticate(&[log.vkey()]), Err(Refusal::Untrusted(_))), "bit {bit}");
        }
    }
}

#[test]
fn unknown_lines_are_ignored_and_left_behind() {
    let (log, other) = (Log::new(ORIGIN, 8), Log::new("log.example/b", 8));
    let text = log.text(8);
    // A forged cosignature in this witness's own name and key ID, and a stranger's junk.
    let forged = SignatureLine::new(own().vkey().name().clone(), own().vkey().id(), vec![7; 72]).unwrap();
    let junk = SignatureLine::new(other.vkey().name().clone(), other.vkey().id(), vec![7; 3]).unwrap();
    let request = authentic(&log, &with_lines(&text, &[forged, junk, log.line(&text), log.line(&text)]));
    assert_eq!(decide(&request, None, NOW).unwrap().timestamp(), NOW);
    assert_eq!(request.note_with(&[]).unwrap().lines(), [log.line(&text)]);
    let line = own().sign(&text, Some(NOW)).unwrap();
    assert_eq!(request.note_with(std::slice::from_ref(&line)).unwrap().lines(), [log.line(&text), line]);
}

#[test]
fn a_log_with_two_keys_may_sign_with_either_or_both() {
    let log = Log::new(ORIGIN, 8);
    let second =
        NoteSigner::from_seed(ORIGIN.parse().unwrap(), SignatureAlgorithm::CosignatureEd25519, &[9; 32]).unwrap();
    let text = log.text(8);
    let (one, two) = (log.line(&text), second.sign(&text, Some(1)).unwrap());
    let keys = [log.vkey(), second.vkey().clone()];
    for lines in [vec![one.clone()], vec![two.clone()], vec![one.clone(), two]] {
        let request = Request::parse(&with_lines(&text, &lines)).unwrap().authenticate(&keys).unwrap();
        assert_eq!(request.note_with(&[]).unwrap().lines(), lines);
    }
    let wrong = second.sign(&log.text(7), Some(1)).unwrap();
    let refused = Request::parse(&with_lines(&text, &[one, wrong])).unwrap().authenticate(&keys);
    assert!(matches!(refused, Err(Refusal::Untrusted(_))));
}

// --- old size against the checkpoint's: 400 ---

#[test]
fn an_old_size_above_the_checkpoints_is_refused_before_the_record_is_looked_at() {
    let log = Log::new(ORIGIN, 8);
    let held = remembered(&log, 5);
    for (old, size) in [(1, 0), (8, 7), (5, 4), (1 << 62, 8)] {
        let body = log.request_with(old, &[], &log.text(size));
        let refusal = Refusal::OldAboveNew { old: TreeSize::new(old), size: TreeSize::new(size) };
        assert_eq!(judged(&log, &body, None), Err(refusal.clone()));
        assert_eq!(judged(&log, &body, Some(&held)), Err(refusal));
    }
}

// --- old size against the record: 409 ---

#[test]
fn an_old_size_other_than_the_recorded_one_is_refused_before_the_tree_is_looked_at() {
    let log = Log::new(ORIGIN, 8);
    for recorded in 0..=8 {
        let held = remembered(&log, recorded);
        for old in (0..=8).filter(|old| *old != recorded) {
            // With a proof that is wrong for every pair of sizes.
            let body = log.request_with(old, &[Digest::ZERO; 63], &log.text(8));
            let (old, recorded) = (TreeSize::new(old), TreeSize::new(recorded));
            assert_eq!(judged(&log, &body, Some(&held)), Err(Refusal::Stale { old, recorded }));
        }
    }
}

#[test]
fn a_log_never_cosigned_has_size_zero_on_record() {
    let log = Log::new(ORIGIN, 8);
    for old in 1..=8 {
        let refusal = Refusal::Stale { old: TreeSize::new(old), recorded: TreeSize::ZERO };
        assert_eq!(judged(&log, &log.request(old, 8), None), Err(refusal));
    }
}

// --- tree: 422 ---

#[test]
fn every_honest_step_of_small_trees_is_cosigned_and_every_damaged_proof_is_not() {
    let log = Log::new(ORIGIN, 33);
    for old in 1..33 {
        let held = remembered(&log, old);
        for new in old + 1..=33 {
            let proof = log.proof(old, new);
            let judge = |proof: &[Digest]| judged(&log, &log.request_with(old, proof, &log.text(new)), Some(&held));
            assert_eq!(judge(&proof), Ok(NOW), "{old} to {new}");
            for position in 0..proof.len() {
                let mut bad = proof.clone();
                let mut bytes = *bad[position].as_bytes();
                bytes[position % 32] ^= 1;
                bad[position] = Digest::from_bytes(bytes);
                assert!(matches!(judge(&bad), Err(Refusal::Inconsistent(_))), "{old} to {new}, hash {position}");
            }
            assert!(matches!(judge(&[&proof[..], &[Digest::ZERO]].concat()), Err(Refusal::Inconsistent(_))));
            if let Some((_, cut)) = proof.split_last() {
                assert!(matches!(judge(cut), Err(Refusal::Inconsistent(_))), "{old} to {new}, cut");
            }
        }
    }
}

#[test]
fn another_tree_is_not_consistent_however_it_is_proved() {
    let (log, fork) = (Log::new(ORIGIN, 8), Log::with_entries(ORIGIN, 8, "fork"));
    let held = remembered(&log, 5);
    for proof in [log.proof(5, 8), fork.proof(5, 8), Vec::new()] {
        let body = log.request_with(5, &proof, &fork.text(8));
        assert!(matches!(judged(&log, &body, Some(&held)), Err(Refusal::Inconsistent(_))));
    }
}

#[test]
fn from_old_size_zero_there_is_no_proof() {
    let log = Log::new(ORIGIN, 8);
    let empty = remembered(&log, 0);
    for held in [None, Some(&empty)] {
        for size in 0..=8 {
            assert_eq!(judged(&log, &log.request_with(0, &[], &log.text(size)), held), Ok(NOW), "0 to {size}");
            let body = log.request_with(0, &[log.root(1)], &log.text(size));
            assert_eq!(judged(&log, &body, held), Err(Refusal::ProofNotEmpty { hashes: 1 }), "0 to {size}");
        }
    }
}

#[test]
fn the_empty_tree_has_one_root() {
    let log = Log::new(ORIGIN, 8);
    let empty = remembered(&log, 0);
    let wrong = log.root(1);
    for held in [None, Some(&empty)] {
        let body = log.request_with(0, &[], &text(&log, 0, wrong));
        assert_eq!(judged(&log, &body, held), Err(Refusal::EmptyTreeRoot { found: wrong }));
    }
}

#[test]
fn the_same_tree_is_cosigned_again_at_the_later_time() {
    let log = Log::new(ORIGIN, 8);
    for size in 0..=8 {
        let held = remembered(&log, size);
        assert_eq!(judged(&log, &log.request_with(size, &[], &log.text(size)), Some(&held)), Ok(NOW));
        let body = log.request_with(size, &[Digest::ZERO], &log.text(size));
        assert_eq!(judged(&log, &body, Some(&held)), Err(Refusal::ProofNotEmpty { hashes: 1 }));
    }
}

#[test]
fn the_same_size_with_another_root_is_refused() {
    let (log, fork) = (Log::new(ORIGIN, 8), Log::with_entries(ORIGIN, 8, "fork"));
    for size in 1..=8 {
        let held = remembered(&log, size);
        let refusal =
            Refusal::RootDiffers { size: TreeSize::new(size), recorded: log.root(size), found: fork.root(size) };
        assert_eq!(judged(&log, &log.request_with(size, &[], &fork.text(size)), Some(&held)), Err(refusal));
    }
}

// --- time: 503 ---

#[test]
fn time_never_goes_backwards_is_never_zero_and_never_too_large() {
    let log = Log::new(ORIGIN, 8);
    let held = remembered(&log, 5);
    let request = authentic(&log, &log.request(5, 8));
    let last = NOW - 60;
    for now in [0, 1, last - 1, MAX_TIMESTAMP + 1, u64::MAX] {
        assert_eq!(decide(&request, Some(&held), now).unwrap_err(), Refusal::Clock { now, last });
    }
    for now in [last, last + 1, MAX_TIMESTAMP] {
        assert_eq!(decide(&request, Some(&held), now).unwrap().timestamp(), now);
    }
    let first = authentic(&log, &log.request(0, 8));
    assert_eq!(decide(&first, None, 0).unwrap_err(), Refusal::Clock { now: 0, last: 1 });
    assert_eq!(decide(&first, None, 1).unwrap().timestamp(), 1);
}

#[test]
fn a_wrong_clock_hides_no_refusal() {
    let log = Log::new(ORIGIN, 8);
    let held = remembered(&log, 5);
    let refusal = |body: &[u8]| decide(&authentic(&log, body), Some(&held), 0).unwrap_err();
    assert!(matches!(refusal(&log.request(4, 8)), Refusal::Stale { .. }));
    assert!(matches!(refusal(&log.request_with(5, &[], &log.text(8))), Refusal::Inconsistent(_)));
}

// --- room ---

#[test]
fn a_note_without_room_for_a_cosignature_is_refused() {
    let log = Log::new(ORIGIN, 8);
    let empty = with_lines(&format!("{}x\n", log.text(8)), &[log.line(&log.text(8))]).len() - "old 0\n\n".len();
    let most = govlog_formats::limits::MAX_NOTE_BYTES;
    let text = format!("{}{}\n", log.text(8), "x".repeat(most - empty + 1));
    let request = authentic(&log, &log.request_with(0, &[], &text));
    request.note_with(&[]).unwrap();
    let line = own().sign(&text, Some(NOW)).unwrap();
    assert!(matches!(request.note_with(&[line]), Err(Refusal::NoRoom(_))));
}

// --- evidence ---

#[test]
fn misbehaviour_is_seen_wherever_the_refusal_came_from() {
    let (log, fork) = (Log::new(ORIGIN, 8), Log::with_entries(ORIGIN, 8, "fork"));
    let held = remembered(&log, 5);
    let seen = |body: &[u8], held: Option<&Remembered>| {
        let request = authentic(&log, body);
        let refusal = decide(&request, held, NOW).unwrap_err();
        misbehaviour(&request, held, &refusal)
    };
    let split = Some(Misbehaviour::SplitView);
    assert_eq!(seen(&log.request_with(5, &[], &fork.text(5)), Some(&held)), split);
    assert_eq!(
        seen(&log.request_with(0, &[], &fork.text(5)), Some(&held)),
        split,
        "with an old size that is not on record"
    );
    assert_eq!(seen(&log.request_with(5, &[Digest::ZERO], &fork.text(5)), Some(&held)), split, "with a proof");
    assert_eq!(seen(&log.request_with(6, &[], &fork.text(5)), Some(&held)), split, "with an old size above it");
    let empty = log.request_with(0, &[], &text(&log, 0, log.root(1)));
    assert_eq!(seen(&empty, None), Some(Misbehaviour::EmptyTreeRoot));
    assert_eq!(seen(&empty, Some(&held)), Some(Misbehaviour::EmptyTreeRoot), "with an old size that is not on record");
    assert_eq!(seen(&log.request_with(5, &[], &log.text(8)), Some(&held)), Some(Misbehaviour::BadProof));
    assert_eq!(seen(&log.request(4, 8), Some(&held)), None, "an honest log that lost count");
    assert_eq!(seen(&log.request_with(0, &[], &log.text(5)), Some(&held)), None, "an old checkpoint sent again");
    assert_eq!(seen(&log.request_with(5, &[Digest::ZERO], &log.text(5)), Some(&held)), None);
}
