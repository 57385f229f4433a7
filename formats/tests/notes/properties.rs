//! Parsers never panic, and what they accept prints as it was read.

use govlog_formats::checkpoint::Checkpoint;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::note::{KeyId, KeyName, Note, NoteSigner, SignatureLine, Vkey};
use govlog_formats::tlog_proof::TlogProof;
use govlog_formats::wire::add_checkpoint::{AddCheckpoint, encode_reply, parse_conflict_body, parse_reply};
use proptest::prelude::*;

use crate::vectors::{PROOF, log, note, policy, witness};

/// Reads bytes as everything they could be; whatever is accepted prints as it was read.
fn read_as_everything(bytes: &[u8]) {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_bytes(), bytes);
        drop(note.verify(&[log().vkey().clone(), witness().vkey().clone()]));
        drop(note.verify_log(log().vkey()));
    }
    if let Ok(proof) = TlogProof::parse(bytes) {
        assert_eq!(proof.to_bytes(), bytes);
        drop(proof.verify(&Digest::ZERO, &policy("w1")));
    }
    if let Ok(request) = AddCheckpoint::parse(bytes) {
        assert_eq!(request.encode(), bytes);
    }
    if let Ok(lines) = parse_reply(bytes) {
        assert_eq!(encode_reply(&lines), bytes);
    }
    if let Ok(size) = parse_conflict_body(bytes) {
        assert_eq!(format!("{size}\n").as_bytes(), bytes);
    }
    drop(policy("w1").verify_checkpoint(bytes));
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_string(), text);
    }
    if let Ok(vkey) = text.parse::<Vkey>() {
        assert_eq!(vkey.to_string(), text);
    }
    if let Ok(line) = text.parse::<SignatureLine>() {
        assert_eq!(line.to_string(), text);
    }
    if let Ok(signer) = NoteSigner::from_secret_text(text) {
        assert_eq!(signer.to_secret_text(), text);
    }
}

/// Well-formed texts to alter.
fn well_formed() -> Vec<Vec<u8>> {
    let line = witness().sign("a\n", Some(1)).unwrap();
    vec![
        note().into_bytes(),
        PROOF.as_bytes().to_vec(),
        PROOF.replacen("index", "extra AAE=\nindex", 1).into_bytes(),
        format!("old 5\n{}\n\n{}", Digest::ZERO.to_base64(), note()).into_bytes(),
        format!("{line}\n{line}\n").into_bytes(),
        line.to_string().into_bytes(),
        b"70000\n".to_vec(),
        crate::vectors::CHECKPOINT.as_bytes().to_vec(),
        log().vkey().to_string().into_bytes(),
        log().to_secret_text().into_bytes(),
    ]
}

#[test]
fn the_well_formed_texts_are_read() {
    let texts = well_formed();
    texts.iter().for_each(|text| read_as_everything(text));
    assert!(Note::parse(&texts[0]).is_ok());
    assert!(TlogProof::parse(&texts[1]).is_ok() && TlogProof::parse(&texts[2]).is_ok());
    assert!(AddCheckpoint::parse(&texts[3]).is_ok());
    assert!(parse_reply(&texts[4]).is_ok());
}

fn signature_line() -> impl Strategy<Value = SignatureLine> {
    let name = "[!-*,-~\u{e9}\u{2014}]{1,20}";
    (name, any::<[u8; 4]>(), prop::collection::vec(any::<u8>(), 1..100)).prop_map(|(name, id, bytes)| {
        SignatureLine::new(KeyName::new(name).unwrap(), KeyId::from_bytes(id), bytes).unwrap()
    })
}

fn digests() -> impl Strategy<Value = Vec<Digest>> {
    prop::collection::vec(any::<[u8; 32]>().prop_map(Digest::from_bytes), 0..=63)
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>()) {
        read_as_everything(&bytes);
    }

    #[test]
    fn any_lines_are_read_or_refused(text in "(old|index|extra|\u{2014}|a)?( [0-9]{0,20}|[ -~]{0,60})\n{0,3}[ -~\u{2014}\n]{0,200}\n") {
        read_as_everything(text.as_bytes());
    }

    #[test]
    fn altered_texts_are_read_or_refused(
        which in 0..10_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..4), 0..4_usize), 1..4),
    ) {
        let mut text = well_formed().swap_remove(which);
        for (at, new, removed) in edits {
            let start = at.index(text.len() + 1);
            let end = (start + removed).min(text.len());
            text.splice(start..end, new);
        }
        read_as_everything(&text);
    }

    #[test]
    fn what_is_written_is_read_back(
        text in "[^\u{0}-\u{9}\u{b}-\u{1f}]{0,60}\n",
        lines in prop::collection::vec(signature_line(), 1..5),
    ) {
        let note = Note::with_lines(&text, &lines).unwrap();
        prop_assert_eq!(note.text(), &text);
        prop_assert_eq!(note.lines(), &lines);
        prop_assert_eq!(Note::parse(&note.to_bytes()).unwrap(), note);
        let reply = encode_reply(&lines);
        prop_assert_eq!(parse_reply(&reply).unwrap(), lines);
    }

    #[test]
    fn proof_files_and_requests_are_read_back(
        path in digests(),
        number in 0..=TreeSize::MAX.get(),
        extra in prop::option::of(prop::collection::vec(any::<u8>(), 1..50)),
    ) {
        let checkpoint = note().into_bytes();
        let proof = TlogProof { extra, index: LeafIndex::new(number), path: path.clone(), checkpoint: checkpoint.clone() };
        prop_assert_eq!(TlogProof::parse(&proof.to_bytes()).unwrap(), proof);
        let request = AddCheckpoint { old: TreeSize::new(number), proof: path, note: checkpoint };
        prop_assert_eq!(AddCheckpoint::parse(&request.encode()).unwrap(), request);
    }

    #[test]
    fn a_signature_verifies_for_its_text_and_time_alone(
        text in "[ -~]{1,40}\n",
        other in "[ -~]{1,40}\n",
        time in 1..=govlog_formats::cosignature::MAX_TIMESTAMP,
    ) {
        prop_assume!(text != other);
        let line = log().sign(&text, None).unwrap();
        prop_assert_eq!(log().vkey().verify(&text, line.bytes()), Ok(None));
        prop_assert!(log().vkey().verify(&other, line.bytes()).is_err());
        let line = witness().sign(&text, Some(time)).unwrap();
        prop_assert_eq!(witness().vkey().verify(&text, line.bytes()), Ok(Some(time)));
        prop_assert!(witness().vkey().verify(&other, line.bytes()).is_err());
    }
}
