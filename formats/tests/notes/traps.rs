//! Where implementations have differed or gone wrong: one test each.

use govlog_formats::checkpoint::{Checkpoint, CheckpointError, Origin};
use govlog_formats::cosignature::{MAX_TIMESTAMP, TimestampedSignature};
use govlog_formats::digest::Digest;
use govlog_formats::limits::{MAX_ADD_CHECKPOINT_BYTES, MAX_TLOG_PROOF_BYTES};
use govlog_formats::merkle::{ConsistencyProof, TreeSize};
use govlog_formats::note::{LineError, NoteError, SignatureError};
use govlog_formats::tlog_proof::{TlogProof, TlogProofError};
use govlog_formats::wire::HashLineError;
use govlog_formats::wire::add_checkpoint::{
    AddCheckpoint, AddCheckpointError, TLOG_SIZE, encode_conflict_body, encode_reply, parse_conflict_body, parse_reply,
};

use crate::vectors::{CHECKPOINT, COSIGNED_AT, LOG_LINE, PROOF, WITNESS_LINE, log, note, policy, witness};

const HASH: &str = "2gUy/3su5W9AZxEPyWTp8ntZWflSe//z+lAap1hN6vM=";

/// Other spellings of the same 32 bytes, or of nearly the same: none is base64 as RFC 4648 §4 writes it.
const OTHER_SPELLINGS: [&str; 7] = [
    "2gUy/3su5W9AZxEPyWTp8ntZWflSe//z+lAap1hN6vM",
    "2gUy/3su5W9AZxEPyWTp8ntZWflSe//z+lAap1hN6vN=",
    "2gUy_3su5W9AZxEPyWTp8ntZWflSe__z-lAap1hN6vM=",
    "2gUy/3su5W9AZxEPyWTp8ntZWflSe//z+lAap1hN6vM==",
    " 2gUy/3su5W9AZxEPyWTp8ntZWflSe//z+lAap1hN6vM=",
    "2gUy/3su5W9AZxEPyWTp8ntZWflSe//z+lAap1hN6vM= ",
    "2gUy/3su5W9AZxEPyWTp8ntZWflSe//z+lAap1hN6g==",
];

fn request(old: &str, proof: &str) -> String {
    format!("{old}\n{proof}\n{}", note())
}

fn refused(body: &str) -> AddCheckpointError {
    AddCheckpoint::parse(body.as_bytes()).unwrap_err()
}

// ---- base64 ----------------------------------------------------------------

#[test]
fn base64_of_a_root_is_canonical_and_padded() {
    for other in OTHER_SPELLINGS {
        let text = CHECKPOINT.replace(HASH, other);
        assert_eq!(Checkpoint::parse(&text).unwrap_err(), CheckpointError::Root(other.to_owned()));
    }
}

#[test]
fn base64_of_proof_lines_is_canonical_and_padded() {
    assert!(AddCheckpoint::parse(request("old 1", &format!("{HASH}\n")).as_bytes()).is_ok());
    for other in OTHER_SPELLINGS {
        let body = request("old 1", &format!("{HASH}\n{other}\n"));
        assert_eq!(refused(&body), AddCheckpointError::Proof(HashLineError::Hash(2)), "{other}");
        let file = PROOF.replacen("index 69999\n", &format!("index 69999\n{other}\n"), 1);
        assert_eq!(TlogProof::parse(file.as_bytes()).unwrap_err(), TlogProofError::Path(HashLineError::Hash(1)));
    }
}

#[test]
fn base64_of_signatures_is_canonical_and_padded() {
    let unpadded = format!("{}\n", WITNESS_LINE.trim_end_matches('='));
    assert_eq!(parse_reply(unpadded.as_bytes()).unwrap_err(), NoteError::Line { line: 1, fault: LineError::Base64 });
    let spare_bits = format!("{}\n", WITNESS_LINE.replace("Ag==", "Ah=="));
    assert_eq!(parse_reply(spare_bits.as_bytes()).unwrap_err(), NoteError::Line { line: 1, fault: LineError::Base64 });
}

#[test]
fn base64_of_extra_data_is_canonical_and_padded() {
    let file = |extra: &str| PROOF.replacen("index", &format!("extra {extra}\nindex"), 1);
    assert_eq!(TlogProof::parse(file("AAE=").as_bytes()).unwrap().extra, Some(vec![0, 1]));
    for extra in ["AAE", "AAF=", "AA-_", "", " AAE=", "AAE= "] {
        assert_eq!(TlogProof::parse(file(extra).as_bytes()).unwrap_err(), TlogProofError::Extra, "{extra}");
    }
}

// ---- numbers ---------------------------------------------------------------

#[test]
fn old_00_is_malformed() {
    for old in ["old 00", "old 01", "old +1", "old -1", "old  1", "old 1 ", "old", "old ", "Old 1", "old 0x1", "", "1"]
    {
        assert_eq!(refused(&request(old, "")), AddCheckpointError::Old, "{old:?}");
    }
    for old in [0, 1, 70_000, TreeSize::MAX.get()] {
        let body = request(&format!("old {old}"), "");
        assert_eq!(AddCheckpoint::parse(body.as_bytes()).unwrap().old.get(), old);
    }
    // No tree is larger than 2^62.
    assert_eq!(refused(&request("old 4611686018427387905", "")), AddCheckpointError::Old);
}

#[test]
fn tree_sizes_have_no_leading_zeros() {
    for size in ["05", "00", "+5", "", " 5", "5 ", "5.0", "-0", "18446744073709551616"] {
        let text = format!("example.com/trial\n{size}\n{HASH}\n");
        assert_eq!(Checkpoint::parse(&text).unwrap_err(), CheckpointError::Size(size.to_owned()));
    }
    let text = format!("example.com/trial\n0\n{HASH}\n");
    assert_eq!(Checkpoint::parse(&text).unwrap().size, TreeSize::ZERO);
}

#[test]
fn indexes_have_no_leading_zeros() {
    for index in ["index 069999", "index +1", "index", "index ", "Index 1", "index 1 ", ""] {
        let file = PROOF.replacen("index 69999", index, 1);
        assert_eq!(TlogProof::parse(file.as_bytes()).unwrap_err(), TlogProofError::Index, "{index:?}");
    }
}

// ---- proof lines -----------------------------------------------------------

#[test]
fn sixty_three_proof_lines_are_read_and_sixty_four_are_not() {
    let lines = |count: usize| format!("{HASH}\n").repeat(count);
    assert_eq!(AddCheckpoint::parse(request("old 1", &lines(63)).as_bytes()).unwrap().proof.len(), 63);
    assert_eq!(refused(&request("old 1", &lines(64))), AddCheckpointError::Proof(HashLineError::TooMany));
    let file = |count: usize| format!("c2sp.org/tlog-proof@v1\nindex 1\n{}\n{}", lines(count), note());
    assert_eq!(TlogProof::parse(file(63).as_bytes()).unwrap().path.len(), 63);
    let refused = TlogProof::parse(file(64).as_bytes()).unwrap_err();
    assert_eq!(refused, TlogProofError::Path(HashLineError::TooMany));
}

#[test]
fn the_empty_line_before_the_checkpoint_is_needed() {
    let cut = "old 1\n".to_owned() + HASH + "\n";
    assert_eq!(refused(&cut), AddCheckpointError::Proof(HashLineError::Unterminated));
    assert_eq!(refused("old 1\n"), AddCheckpointError::Proof(HashLineError::Unterminated));
    assert_eq!(refused("old 1"), AddCheckpointError::Old);
    // Without it the origin stands where a hash should.
    let joined = format!("old 1\n{HASH}\n{}", note());
    assert_eq!(refused(&joined), AddCheckpointError::Proof(HashLineError::Hash(2)));
}

#[test]
fn a_proof_for_an_unchanged_tree_is_empty() {
    let root = Digest::from_base64(HASH).unwrap();
    let size = TreeSize::new(70_000);
    let proof = |path| ConsistencyProof { old: size, new: size, path };
    assert!(proof(vec![]).verify(&root, &root).is_ok());
    assert!(proof(vec![root]).verify(&root, &root).is_err());
    assert!(proof(vec![]).verify(&root, &Digest::ZERO).is_err());
}

// ---- checkpoint text -------------------------------------------------------

#[test]
fn empty_checkpoint_lines_are_malformed() {
    let parse = |text: &str| Checkpoint::parse(text).unwrap_err();
    assert_eq!(parse(&format!("\n1\n{HASH}\n")), CheckpointError::EmptyOrigin);
    assert_eq!(parse(&format!("origin\n\n{HASH}\n")), CheckpointError::Size(String::new()));
    assert_eq!(parse("origin\n1\n\n"), CheckpointError::Root(String::new()));
    assert_eq!(parse(&format!("origin\n1\n{HASH}\n\n")), CheckpointError::EmptyLine(4));
    assert_eq!(parse(&format!("origin\n1\n{HASH}\nmore\n\nmore\n")), CheckpointError::EmptyLine(5));
    assert_eq!(parse(""), CheckpointError::Unterminated);
    assert_eq!(parse("\n"), CheckpointError::EmptyOrigin);
    assert_eq!(parse("origin\n"), CheckpointError::TooFewLines);
    assert_eq!(parse("origin\n1\n"), CheckpointError::TooFewLines);
    assert_eq!(parse(&format!("origin\n1\n{HASH}")), CheckpointError::Unterminated);
    assert_eq!(parse(&format!("o\tn\n1\n{HASH}\n")), CheckpointError::OriginCharacter("o\tn".to_owned()));
    assert_eq!(parse(&format!("origin\n1\n{HASH}\na\r\n")), CheckpointError::ExtensionCharacter);
}

#[test]
fn empty_checkpoint_lines_are_malformed_inside_a_signed_note() {
    let text = format!("{CHECKPOINT}\n");
    let line = log().sign(&text, None).unwrap();
    let body = format!("old 0\n\n{text}\n{line}\n");
    assert_eq!(refused(&body), AddCheckpointError::Checkpoint(CheckpointError::EmptyLine(4)));
}

#[test]
fn extension_lines_are_read_kept_and_cosigned() {
    let text = format!("{CHECKPOINT}an extension\nand another\n");
    let checkpoint = Checkpoint::parse(&text).unwrap();
    assert_eq!(checkpoint.extensions(), ["an extension", "and another"]);
    assert_eq!(checkpoint.to_string(), text);
    let cosigned = witness().sign(&text, Some(COSIGNED_AT)).unwrap();
    assert_eq!(witness().vkey().verify(&text, cosigned.bytes()), Ok(Some(COSIGNED_AT)));
    assert_eq!(witness().vkey().verify(CHECKPOINT, cosigned.bytes()), Err(SignatureError::Mismatch));
}

#[test]
fn origins_need_not_look_like_urls() {
    for origin in ["a b", "a+b", "é", "-"] {
        let text = CHECKPOINT.replace("example.com/trial", origin);
        assert_eq!(Checkpoint::parse(&text).unwrap().origin.as_str(), origin);
    }
    assert_eq!(Origin::new("").unwrap_err(), CheckpointError::EmptyOrigin);
}

// ---- time ------------------------------------------------------------------

#[test]
fn timestamp_zero_is_illegal_in_a_cosignature() {
    let mut bytes = [1; TimestampedSignature::LENGTH];
    bytes[..8].fill(0);
    assert_eq!(TimestampedSignature::parse(&bytes).unwrap_err(), SignatureError::Timestamp(0));
    bytes[0] = 0x80;
    assert_eq!(TimestampedSignature::parse(&bytes).unwrap_err(), SignatureError::Timestamp(1 << 63));
    bytes[..8].copy_from_slice(&MAX_TIMESTAMP.to_be_bytes());
    let parsed = TimestampedSignature::parse(&bytes).unwrap();
    assert_eq!((parsed.timestamp(), parsed.to_bytes()), (MAX_TIMESTAMP, bytes.to_vec()));
    for length in [0, 7, 8, 71, 73] {
        let wrong = SignatureError::Length { expected: 72, found: length };
        assert_eq!(TimestampedSignature::parse(&vec![1; length]).unwrap_err(), wrong);
    }
}

#[test]
fn a_cosignature_from_the_future_is_the_callers_to_judge() {
    let verified = policy("w1").verify_checkpoint(note().as_bytes()).unwrap();
    assert_eq!(verified.ahead_of(COSIGNED_AT - 1).count(), 1);
    assert_eq!(verified.ahead_of(COSIGNED_AT).count(), 0);
}

// ---- answers of a witness --------------------------------------------------

#[test]
fn the_conflict_body_is_a_size_and_a_newline() {
    assert_eq!(TLOG_SIZE, "text/x.tlog.size");
    assert_eq!(encode_conflict_body(TreeSize::new(20_852_163)), b"20852163\n");
    assert_eq!(parse_conflict_body(b"20852163\n").unwrap(), TreeSize::new(20_852_163));
    assert_eq!(parse_conflict_body(b"0\n").unwrap(), TreeSize::ZERO);
    for body in ["20852163", "\n", "", "00\n", "5\n\n", "5\r\n", " 5\n", "-1\n", "4611686018427387905\n"] {
        assert_eq!(parse_conflict_body(body.as_bytes()).unwrap_err(), AddCheckpointError::Conflict, "{body:?}");
    }
}

#[test]
fn error_pages_are_no_conflict_bodies() {
    for body in ["<html>409</html>\n", "{\"size\":5}\n", "Conflict\n"] {
        assert_eq!(parse_conflict_body(body.as_bytes()).unwrap_err(), AddCheckpointError::Conflict);
    }
    assert_eq!(parse_conflict_body(b"\xff\n").unwrap_err(), AddCheckpointError::Conflict);
}

#[test]
fn a_reply_is_one_or_more_signature_lines() {
    let body = format!("{WITNESS_LINE}\n{LOG_LINE}\n");
    let lines = parse_reply(body.as_bytes()).unwrap();
    assert_eq!(lines.len(), 2);
    assert_eq!(encode_reply(&lines), body.as_bytes());
    assert_eq!(parse_reply(b"").unwrap_err(), NoteError::NoSignature);
    assert_eq!(parse_reply(WITNESS_LINE.as_bytes()).unwrap_err(), NoteError::LineUnterminated { line: 1 });
    let start = |line| NoteError::Line { line, fault: LineError::Start };
    assert_eq!(parse_reply(b"\n").unwrap_err(), start(1));
    assert_eq!(parse_reply(format!("{WITNESS_LINE}\n\n").as_bytes()).unwrap_err(), start(2));
    assert_eq!(parse_reply(b"\xff\n").unwrap_err(), NoteError::NotUtf8 { offset: 0 });
}

#[test]
fn the_example_request_of_the_specification_is_read() {
    // The checkpoint's signatures are shortened in no way: two lines of one name, two key IDs.
    let body = "old 20852014\n\
        PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
        jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\
        5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
        /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\
        \n\
        example.com/behind-the-sofa\n\
        20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\
        \n\
        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        — example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n";
    let (request, note, checkpoint) = AddCheckpoint::parse_with_note(body.as_bytes()).unwrap();
    assert_eq!((request.old.get(), request.proof.len(), note.lines().len()), (20_852_014, 4, 2));
    assert_eq!(checkpoint.size.get(), 20_852_163);
    assert_eq!(request.encode(), body.as_bytes());
}

// ---- sizes -----------------------------------------------------------------

#[test]
fn bodies_over_their_limits_are_refused() {
    let found = MAX_ADD_CHECKPOINT_BYTES + 1;
    let body = vec![b'a'; found];
    assert_eq!(AddCheckpoint::parse(&body).unwrap_err(), AddCheckpointError::TooLarge { found });
    let found = MAX_TLOG_PROOF_BYTES + 1;
    let file = vec![b'a'; found];
    assert_eq!(TlogProof::parse(&file).unwrap_err(), TlogProofError::TooLarge { found });
    let reply = vec![b'a'; 128 * 1024 + 1];
    assert_eq!(parse_reply(&reply).unwrap_err(), NoteError::TooLarge { found: 128 * 1024 + 1 });
}

#[test]
fn a_proof_file_begins_with_its_version() {
    for header in ["c2sp.org/tlog-proof@v2\n", "", "\n", "c2sp.org/tlog-proof@v1 \n"] {
        let file = PROOF.replacen("c2sp.org/tlog-proof@v1\n", header, 1);
        assert_eq!(TlogProof::parse(file.as_bytes()).unwrap_err(), TlogProofError::Header, "{header:?}");
    }
    assert_eq!(TlogProof::parse(b"\xff").unwrap_err(), TlogProofError::NotUtf8 { offset: 0 });
    assert_eq!(AddCheckpoint::parse(b"old\xff").unwrap_err(), AddCheckpointError::NotUtf8 { offset: 3 });
}

#[test]
fn a_proof_file_ends_in_a_whole_checkpoint() {
    let cut = &PROOF[..PROOF.len() - 1];
    assert!(matches!(TlogProof::parse(cut.as_bytes()).unwrap_err(), TlogProofError::Note(_)));
    let unsigned = PROOF.split_once('—').unwrap().0;
    assert!(matches!(TlogProof::parse(unsigned.as_bytes()).unwrap_err(), TlogProofError::Note(_)));
    let no_size = PROOF.replacen("70000", "seventy", 1);
    assert!(matches!(TlogProof::parse(no_size.as_bytes()).unwrap_err(), TlogProofError::Checkpoint(_)));
}

#[test]
fn empty_extra_data_is_printed_like_none() {
    let proof = TlogProof::parse(PROOF.as_bytes()).unwrap();
    let empty = TlogProof { extra: Some(vec![]), ..proof };
    assert_eq!(empty.to_bytes(), PROOF.as_bytes());
}
