//! Notes, checkpoints, signature lines, cosignatures and the keys that verify them.

use govlog_formats::checkpoint::{Checkpoint, Origin};
use govlog_formats::cosignature::TimestampedSignature;
use govlog_formats::digest::Digest;
use govlog_formats::limits::{MAX_NOTE_BYTES, MAX_SIGNATURE_LINES};
use govlog_formats::merkle::TreeSize;
use govlog_formats::note::{Note, NoteSigner, SignatureLine, Vkey, parse_lines};

use super::{choice, chosen, prints_as_read, world};

pub(super) fn check(data: &[u8]) -> bool {
    let (form, bytes) = choice(data, 7);
    match (form, std::str::from_utf8(bytes)) {
        (0, _) => note(bytes),
        (1, _) => cosignature(bytes),
        (2, Ok(text)) => prints_as_read::<Checkpoint>(text),
        (3, Ok(text)) => prints_as_read::<Vkey>(text),
        (4, Ok(text)) => prints_as_read::<SignatureLine>(text),
        (5, Ok(text)) => NoteSigner::from_secret_text(text).is_ok_and(|signer| signer.to_secret_text() == text),
        (6, Ok(text)) => parse_lines(text).is_ok_and(|lines| {
            assert!((1..=MAX_SIGNATURE_LINES).contains(&lines.len()));
            true
        }),
        _ => false,
    }
}

fn note(bytes: &[u8]) -> bool {
    let Ok(note) = Note::parse(bytes) else { return false };
    assert_eq!(note.to_bytes(), bytes);
    assert!(bytes.len() <= MAX_NOTE_BYTES && (1..=MAX_SIGNATURE_LINES).contains(&note.lines().len()));
    assert_eq!(Note::with_lines(note.text(), note.lines()).as_ref(), Ok(&note));
    if let Ok(checkpoint) = Checkpoint::of_note(&note) {
        assert_eq!(checkpoint.to_string(), note.text());
    }
    let (log, witness) = (world::log_signer(), world::witness(1));
    let known = [log.vkey().clone(), witness.vkey().clone()];
    let strict = note.verify(&known);
    let known_only = note.verify_known(&known);
    if let Ok(verified) = &strict {
        assert_eq!(verified.signatures().len() + verified.ignored().len(), note.lines().len());
        assert!(known_only.is_ok(), "a verifier takes it, and a witness does not");
    }
    // Signing is deterministic here: a line that verifies and that the key's holder would not have written is forged.
    if note.verify_log(log.vkey()).is_ok() {
        let written = log.sign(note.text(), None).unwrap();
        assert!(note.lines().contains(&written), "forged: {note}");
    }
    true
}

fn cosignature(bytes: &[u8]) -> bool {
    TimestampedSignature::parse(bytes).is_ok_and(|read| {
        assert_eq!(read.to_bytes(), bytes);
        assert_eq!(TimestampedSignature::new(read.timestamp(), *read.signature()).as_ref(), Ok(&read));
        true
    })
}

/// A checkpoint's note, signed by the log and by two witnesses.
pub(super) fn cosigned() -> Note {
    let origin = Origin::new(world::ORIGIN).unwrap();
    let text = Checkpoint::new(origin, TreeSize::new(70_000), Digest::sha256(b"root")).to_string();
    let lines = [
        world::log_signer().sign(&text, None).unwrap(),
        world::witness(1).sign(&text, Some(1_700_000_000)).unwrap(),
        world::witness(2).sign(&text, Some(1_700_000_003)).unwrap(),
    ];
    Note::with_lines(&text, &lines).unwrap()
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let note = cosigned();
    let line = note.lines()[1].clone();
    vec![
        chosen(0, note.to_bytes()),
        chosen(0, Note::with_lines("any text\n\nwith an empty line\n", note.lines()).unwrap().to_bytes()),
        chosen(1, line.bytes()),
        chosen(2, note.text()),
        chosen(2, format!("{}extension\n", note.text())),
        chosen(3, world::log_signer().vkey().to_string()),
        chosen(3, world::witness(1).vkey().to_string()),
        chosen(4, line.to_string()),
        chosen(5, world::log_signer().to_secret_text()),
        chosen(6, note.lines().iter().map(|line| format!("{line}\n")).collect::<String>()),
    ]
}
