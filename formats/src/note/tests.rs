use super::*;
use crate::base64;

const TEXT: &str = "example.com/log\n1\nG7l9zCFjXUfiZj79/QoXRobZjdcBNS3SzQbotD/T0wU=\n";

fn name(name: &str) -> KeyName {
    KeyName::new(name).unwrap()
}

fn signer(key_name: &str, algorithm: SignatureAlgorithm, seed: u8) -> NoteSigner {
    NoteSigner::from_seed(name(key_name), algorithm, &[seed; 32]).unwrap()
}

fn log() -> NoteSigner {
    signer("example.com/log", SignatureAlgorithm::Ed25519, 1)
}

fn witness() -> NoteSigner {
    signer("witness.example/w1", SignatureAlgorithm::CosignatureEd25519, 2)
}

fn lines() -> [SignatureLine; 2] {
    [log().sign(TEXT, None).unwrap(), witness().sign(TEXT, Some(1_700_000_000)).unwrap()]
}

fn known() -> [Vkey; 2] {
    [log().vkey().clone(), witness().vkey().clone()]
}

fn note(lines: &[SignatureLine]) -> Note {
    Note::with_lines(TEXT, lines).unwrap()
}

/// The line with other bytes, under the same name and ID.
fn with_bytes(line: &SignatureLine, bytes: Vec<u8>) -> SignatureLine {
    SignatureLine::new(line.name().clone(), line.id(), bytes).unwrap()
}

// ---- names and keys --------------------------------------------------------

#[test]
fn key_names_are_not_empty_and_hold_no_space_plus_or_control_character() {
    assert_eq!(KeyName::new("").unwrap_err(), KeyError::EmptyName);
    // U+0085, U+00A0, U+1680, U+2003, U+2028, U+202F, U+205F and U+3000 are Unicode spaces.
    for c in "+ \t\n\r\u{0}\u{1f}\u{85}\u{a0}\u{1680}\u{2003}\u{2028}\u{202f}\u{205f}\u{3000}".chars() {
        let refused = KeyName::new(format!("a{c}b")).unwrap_err();
        assert!(matches!(refused, KeyError::NameCharacter { found, .. } if found == c), "{c:?}");
    }
    for good in ["a", "example.com/log", "é", "#", "\u{200b}"] {
        assert_eq!(name(good).to_string(), good);
    }
}

#[test]
fn key_ids_print_as_eight_lower_case_hex_digits() {
    assert_eq!(KeyId::from_bytes([0, 0x0a, 0xbc, 0xff]).to_string(), "000abcff");
}

#[test]
fn one_key_has_another_id_under_another_type() {
    let cosigner = signer("example.com/log", SignatureAlgorithm::CosignatureEd25519, 1);
    assert_eq!(cosigner.vkey().public_key(), log().vkey().public_key());
    assert_ne!(cosigner.vkey().id(), log().vkey().id());
}

fn vkey_text(type_byte: u8, key: &[u8]) -> String {
    let bytes = [&[type_byte], key].concat();
    let preimage = [b"n\n".as_slice(), &bytes].concat();
    let id = &crate::digest::Digest::sha256(&preimage).to_string()[..8];
    format!("n+{id}+{}", base64::encode(&bytes))
}

#[test]
fn vkeys_parse_only_in_their_one_spelling() {
    let good = log().vkey().to_string();
    assert_eq!(good.parse::<Vkey>().unwrap(), *log().vkey());
    let (front, data) = good.rsplit_once('+').unwrap();
    let (key_name, id) = front.split_once('+').unwrap();
    let refused = |text: String| text.parse::<Vkey>().unwrap_err();
    assert_eq!(refused("example.com/log".to_owned()), KeyError::Form);
    assert_eq!(refused(format!("{key_name}+{id}")), KeyError::Form);
    assert_eq!(refused(format!("+{id}+{data}")), KeyError::EmptyName);
    let upper = id.to_uppercase();
    for id in [upper.as_str(), &id[1..], &format!("0{id}"), "1234567g", ""] {
        assert_eq!(refused(format!("{key_name}+{id}+{data}")), KeyError::Id(id.to_owned()));
    }
    assert_eq!(refused(good.trim_end_matches('=').to_owned() + "+"), KeyError::Base64(data.to_owned() + "+"));
    assert_eq!(refused(format!("{good} ")), KeyError::Base64(format!("{data} ")));
    assert_eq!(refused(format!("{key_name}+{id}+")), KeyError::Form);
}

#[test]
fn a_vkey_whose_id_is_not_its_own_is_refused() {
    let good = log().vkey().to_string();
    let other = good.replacen(&log().vkey().id().to_string(), "00000000", 1);
    let stated = KeyId::from_bytes([0; 4]);
    assert_eq!(other.parse::<Vkey>().unwrap_err(), KeyError::IdMismatch { stated, computed: log().vkey().id() });
    let renamed = good.replacen("example.com", "example.org", 1);
    assert!(matches!(renamed.parse::<Vkey>().unwrap_err(), KeyError::IdMismatch { .. }));
}

#[test]
fn vkeys_of_types_we_cannot_verify_are_refused() {
    for type_byte in (0..=255).filter(|byte| ![1, 4].contains(byte)) {
        let text = vkey_text(type_byte, &[7; 32]);
        assert_eq!(text.parse::<Vkey>().unwrap_err(), KeyError::Algorithm(type_byte));
    }
}

#[test]
fn public_keys_are_canonical_points_of_large_order() {
    let refused = |key: &[u8]| vkey_text(1, key).parse::<Vkey>().unwrap_err();
    assert_eq!(refused(&[7; 31]), KeyError::KeyLength { expected: 32, found: 31 });
    assert_eq!(refused(&[7; 33]), KeyError::KeyLength { expected: 32, found: 33 });
    assert_eq!(refused(&[2; 32]), KeyError::NotAPoint);
    let mut identity = [0; 32];
    identity[0] = 1;
    assert_eq!(refused(&identity), KeyError::SmallOrder);
    assert_eq!(refused(&[0; 32]), KeyError::SmallOrder);
    // y = p + 3 and y = p + 4 stand for 3 and 4, so they are second spellings (where there is such a point at all).
    for y in 0xed..=0xff_u8 {
        let mut key = [0xff; 32];
        key[0] = y;
        key[31] = 0x7f;
        assert_eq!(refused(&key), KeyError::NotAPoint, "{y:02x}");
    }
}

// ---- notes -----------------------------------------------------------------

#[test]
fn notes_print_as_they_were_read() {
    let bytes = note(&lines()).to_bytes();
    let parsed = Note::parse(&bytes).unwrap();
    assert_eq!(parsed.text(), TEXT);
    assert_eq!(parsed.lines(), lines());
    assert_eq!(parsed.to_bytes(), bytes);
}

#[test]
fn the_text_is_split_off_at_the_last_empty_line() {
    let text = "one\n\ntwo\n\n\n";
    let line = log().sign(text, None).unwrap();
    let note = Note::with_lines(text, &[line]).unwrap();
    assert_eq!(note.text(), text);
    assert!(note.verify(&known()).is_ok());
}

#[test]
fn malformed_notes_are_refused_with_the_place() {
    let [line, _] = lines();
    let line = line.to_string();
    let refused = |bytes: &str| Note::parse(bytes.as_bytes()).unwrap_err();
    assert_eq!(refused(""), NoteError::NoSeparator);
    assert_eq!(refused("a\n"), NoteError::NoSeparator);
    assert_eq!(refused(&format!("a\n{line}\n")), NoteError::NoSeparator);
    assert_eq!(refused("a\n\n"), NoteError::NoSignature);
    assert_eq!(refused(&format!("a\n\n{line}")), NoteError::LineUnterminated { line: 3 });
    assert_eq!(refused(&format!("a\n\n{line}\n{line}")), NoteError::LineUnterminated { line: 4 });
    assert_eq!(refused(&format!("a\n\n{line}\n\n")), NoteError::NoSignature);
    assert_eq!(refused(&format!("a\r\n\n{line}\n")), NoteError::ControlCharacter { offset: 1 });
    assert_eq!(refused(&format!("a\tb\n\n{line}\n")), NoteError::ControlCharacter { offset: 1 });
    assert_eq!(Note::parse(b"ab\xff\n\n").unwrap_err(), NoteError::NotUtf8 { offset: 2 });
    let fault = |bytes: &str| match refused(bytes) {
        NoteError::Line { line: 4, fault } => fault,
        other => panic!("{other}"),
    };
    let second = |text: &str| fault(&format!("a\n\n{line}\n{text}\n"));
    assert_eq!(second("- name AAAAAAA="), LineError::Start);
    assert_eq!(second("\u{2014}name AAAAAAA="), LineError::Start);
    assert_eq!(second("\u{2014} nameAAAAAAA="), LineError::Parts);
    assert_eq!(second("\u{2014}  AAAAAAA="), LineError::Name(KeyError::EmptyName));
    assert!(matches!(second("\u{2014} a+b AAAAAAA="), LineError::Name(_)));
    assert_eq!(second("\u{2014} name  AAAAAAA="), LineError::Base64);
    assert_eq!(second("\u{2014} name AAAAAAA= "), LineError::Base64);
    assert_eq!(second("\u{2014} name AAAA"), LineError::NoSignature);
    assert_eq!(second("\u{2014} name AAAAAA=="), LineError::NoSignature);
    assert_eq!(second("\u{2014} name "), LineError::NoSignature);
}

#[test]
fn signature_base64_is_canonical_and_padded() {
    let [line, _] = lines();
    let good = format!("{TEXT}\n{line}\n");
    assert!(Note::parse(good.as_bytes()).is_ok());
    let unpadded = good.replace("=\n\n", "\u{0}").replace("=\n", "\n").replace('\u{0}', "=\n\n");
    assert_ne!(unpadded, good);
    assert!(Note::parse(unpadded.as_bytes()).is_err());
    // 68 bytes leave two spare bits in the last character before the padding: all but one of its values are refused.
    let at = good.len() - 3;
    assert_eq!(&good[at + 1..], "=\n");
    let accepted = (0x21..0x7f).filter(|&c: &u8| c != b'=').filter(|&c| {
        let mut other = good.clone().into_bytes();
        other[at] = c;
        Note::parse(&other).is_ok()
    });
    assert_eq!(accepted.count(), 16);
}

#[test]
fn sixteen_post_quantum_signatures_fit() {
    let line = |n: u8| SignatureLine::new(name(&format!("pq{n}")), KeyId::from_bytes([n; 4]), vec![n; 3732]).unwrap();
    assert!(line(0).to_string().len() > 4990);
    let lines: Vec<_> = (0..16).map(line).chain([log().sign(TEXT, None).unwrap()]).collect();
    assert!(note(&lines).verify(&known()).is_ok());
}

#[test]
fn notes_over_the_limits_are_refused() {
    let line = |n: u8| SignatureLine::new(name("n"), KeyId::from_bytes([n; 4]), vec![1]).unwrap();
    let lines: Vec<_> = (0..=64).map(line).collect();
    assert!(Note::with_lines(TEXT, &lines[..MAX_SIGNATURE_LINES]).is_ok());
    assert_eq!(Note::with_lines(TEXT, &lines).unwrap_err(), NoteError::TooManyLines);
    let rest = note(&lines[..1]).to_bytes().len() - TEXT.len();
    let text = "x".repeat(MAX_NOTE_BYTES - rest - 1) + "\n";
    assert!(Note::with_lines(&text, &lines[..1]).is_ok());
    let text = format!("x{text}");
    let found = MAX_NOTE_BYTES + 1;
    assert_eq!(Note::with_lines(&text, &lines[..1]).unwrap_err(), NoteError::TooLarge { found });
    assert_eq!(parse_lines(&"\n".repeat(found)).unwrap_err(), NoteError::TooLarge { found });
}

#[test]
fn a_note_is_put_together_only_of_what_would_parse() {
    assert_eq!(Note::with_lines("a", &lines()).unwrap_err(), NoteError::TextUnterminated);
    assert_eq!(Note::with_lines("", &lines()).unwrap_err(), NoteError::TextUnterminated);
    assert_eq!(Note::with_lines("a\tb\n", &lines()).unwrap_err(), NoteError::ControlCharacter { offset: 1 });
    assert_eq!(Note::with_lines(TEXT, &[]).unwrap_err(), NoteError::NoSignature);
}

// ---- verification ----------------------------------------------------------

#[test]
fn verified_signatures_name_key_and_time() {
    let verified = note(&lines()).verify(&known()).unwrap();
    let [log_key, witness_key] = known();
    let expected = [
        VerifiedSignature { key: log_key, timestamp: None },
        VerifiedSignature { key: witness_key, timestamp: Some(1_700_000_000) },
    ];
    assert_eq!(verified.signatures(), expected);
    assert!(verified.ignored().is_empty());
}

#[test]
fn a_note_that_no_known_key_signed_is_refused() {
    let stranger = signer("stranger.example", SignatureAlgorithm::Ed25519, 9);
    assert_eq!(note(&lines()).verify(&[stranger.vkey().clone()]).unwrap_err(), VerifyError::Unsigned);
    assert_eq!(note(&lines()).verify(&[]).unwrap_err(), VerifyError::Unsigned);
    assert_eq!(note(&lines()).verify_known(&[]).unwrap_err(), VerifyError::Unsigned);
}

#[test]
fn unknown_lines_are_listed_even_if_they_share_name_or_id_with_a_known_key() {
    let same_name = signer("example.com/log", SignatureAlgorithm::Ed25519, 9).sign(TEXT, None).unwrap();
    let same_id = SignatureLine::new(name("other.example"), log().vkey().id(), vec![5; 64]).unwrap();
    let [line, _] = lines();
    let verified = note(&[same_name.clone(), same_id.clone(), line]).verify(&known()).unwrap();
    assert_eq!(verified.ignored(), [same_name, same_id]);
    assert_eq!(verified.signatures().len(), 1);
}

#[test]
fn a_known_line_that_does_not_verify_refuses_the_whole_note() {
    let [good, cosigned] = lines();
    for bytes in [vec![0; 72], vec![1; 71], vec![1; 73], vec![1]] {
        let bad = with_bytes(&cosigned, bytes);
        let refused = note(&[good.clone(), bad]).verify(&known()).unwrap_err();
        assert!(matches!(refused, VerifyError::KeyFailed { id, .. } if id == cosigned.id()));
    }
}

#[test]
fn a_signature_over_another_text_or_time_does_not_verify() {
    let [log_key, witness_key] = known();
    let [line, cosigned] = lines();
    assert_eq!(log_key.verify("other\n", line.bytes()).unwrap_err(), SignatureError::Mismatch);
    assert_eq!(witness_key.verify("other\n", cosigned.bytes()).unwrap_err(), SignatureError::Mismatch);
    let mut later = cosigned.bytes().to_vec();
    later[7] ^= 1;
    assert_eq!(witness_key.verify(TEXT, &later).unwrap_err(), SignatureError::Mismatch);
}

#[test]
fn timestamp_zero_and_those_above_63_bits_are_refused() {
    let [_, witness_key] = known();
    let [_, cosigned] = lines();
    for time in [0, 1 << 63, u64::MAX] {
        let bytes = [time.to_be_bytes().as_slice(), &cosigned.bytes()[8..]].concat();
        assert_eq!(witness_key.verify(TEXT, &bytes).unwrap_err(), SignatureError::Timestamp(time));
        assert_eq!(witness().sign(TEXT, Some(time)).unwrap_err(), SignerError::Time(SignatureError::Timestamp(time)));
    }
    let newest = witness().sign(TEXT, Some(crate::cosignature::MAX_TIMESTAMP)).unwrap();
    assert_eq!(witness_key.verify(TEXT, newest.bytes()).unwrap(), Some((1 << 63) - 1));
}

#[test]
fn verification_is_strict() {
    let [log_key, _] = known();
    let [line, _] = lines();
    // S + L is the same scalar in a second spelling.
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut bytes = line.bytes().to_vec();
    let mut carry = 0_u16;
    for (byte, add) in bytes[32..].iter_mut().zip(L) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    assert_eq!(carry, 0);
    assert_eq!(log_key.verify(TEXT, &bytes).unwrap_err(), SignatureError::Mismatch);
    // R = r·B with r = 0, a signature that only the key's owner can make and that plain verification accepts: S = k·a.
    const S: [u8; 32] = [
        0xa9, 0xff, 0x02, 0x52, 0x0a, 0xbb, 0xd6, 0x34, 0x61, 0x21, 0xa8, 0x6c, 0xb9, 0x03, 0xec, 0xf8, 0xcf, 0x85,
        0xb2, 0x16, 0xde, 0x85, 0x8f, 0xe2, 0x54, 0x3d, 0xb6, 0x00, 0x60, 0x22, 0xb2, 0x01,
    ];
    let mut small = [0; 64];
    small[0] = 1;
    small[32..].copy_from_slice(&S);
    let plain = ed25519_dalek::VerifyingKey::from_bytes(log_key.public_key().try_into().unwrap()).unwrap();
    let signature = ed25519_dalek::Signature::from_bytes(&small);
    assert!(ed25519_dalek::Verifier::verify(&plain, TEXT.as_bytes(), &signature).is_ok());
    assert_eq!(log_key.verify(TEXT, &small).unwrap_err(), SignatureError::Mismatch);
}

#[test]
fn a_relabelled_line_refuses_the_note() {
    let [line, cosigned] = lines();
    let renamed = SignatureLine::new(name("other.example"), cosigned.id(), cosigned.bytes().to_vec()).unwrap();
    let renumbered = SignatureLine::new(cosigned.name().clone(), line.id(), cosigned.bytes().to_vec()).unwrap();
    for relabelled in [renamed, renumbered] {
        let refused = note(&[line.clone(), relabelled.clone()]).verify(&known()).unwrap_err();
        let expected = VerifyError::Relabelled {
            name: relabelled.name().clone(),
            id: relabelled.id(),
            signer: witness().vkey().name().clone(),
            signer_id: witness().vkey().id(),
        };
        assert_eq!(refused, expected);
        // Also when the true line stands beside it.
        assert!(note(&[line.clone(), cosigned.clone(), relabelled]).verify(&known()).is_err());
    }
}

#[test]
fn a_second_line_under_one_name_and_id_refuses_the_note() {
    let [line, cosigned] = lines();
    let later = witness().sign(TEXT, Some(1_700_000_001)).unwrap();
    let unknown = |bytes: u8| SignatureLine::new(name("unknown.example"), KeyId::from_bytes([9; 4]), vec![bytes; 64]);
    let (one, two) = (unknown(1).unwrap(), unknown(2).unwrap());
    for pair in [[line.clone(), line.clone()], [cosigned.clone(), later], [one.clone(), two.clone()]] {
        let [first, second] = pair.clone();
        let note = note(&[first.clone(), line.clone(), second]);
        let repeated = VerifyError::Repeated { name: first.name().clone(), id: first.id() };
        assert_eq!(note.verify(&known()).unwrap_err(), repeated);
    }
    assert!(note(&[line.clone(), one, cosigned]).verify(&known()).is_ok());
    // A witness looks at the log's own line alone.
    assert!(note(&[line.clone(), two.clone(), two]).verify_log(log().vkey()).is_ok());
}

#[test]
fn known_keys_that_share_name_and_id_are_all_tried() {
    // Two keys whose IDs collide under one name, found by searching seeds.
    let make = |seed: u32| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&seed.to_be_bytes());
        NoteSigner::from_seed(name("collision.example"), SignatureAlgorithm::Ed25519, &bytes).unwrap()
    };
    let (a, b) = (make(COLLISION.0), make(COLLISION.1));
    assert_ne!(a.vkey().public_key(), b.vkey().public_key());
    assert_eq!(a.vkey().id(), b.vkey().id());
    let keys = [a.vkey().clone(), b.vkey().clone()];
    for signer in [&a, &b] {
        let verified = note(&[signer.sign(TEXT, None).unwrap()]).verify(&keys).unwrap();
        assert_eq!(verified.signatures()[0].key, *signer.vkey());
        // Known alone, the other's signature fails instead of being unknown.
        let other = keys.iter().find(|key| *key != signer.vkey()).unwrap();
        let refused = note(&[signer.sign(TEXT, None).unwrap()]).verify(core::slice::from_ref(other)).unwrap_err();
        assert!(matches!(refused, VerifyError::KeyFailed { .. }));
    }
}

const COLLISION: (u32, u32) = (132_909, 138_377);

#[test]
fn a_witness_ignores_unknown_lines_and_needs_the_logs_own() {
    let [line, cosigned] = lines();
    // Relabelled, repeated and malformed lines of others are nothing to it.
    let renamed = SignatureLine::new(name("other.example"), line.id(), line.bytes().to_vec()).unwrap();
    let noisy = note(&[cosigned.clone(), renamed.clone(), renamed, line.clone()]);
    assert_eq!(noisy.verify_log(log().vkey()).unwrap().key, *log().vkey());
    assert_eq!(note(&[cosigned]).verify_log(log().vkey()).unwrap_err(), VerifyError::Unsigned);
    // "a line with trusted name+ID fails to verify" is refused, even beside a good one.
    let bad = with_bytes(&line, vec![3; 64]);
    for order in [[line.clone(), bad.clone()], [bad, line]] {
        assert!(matches!(note(&order).verify_log(log().vkey()).unwrap_err(), VerifyError::KeyFailed { .. }));
    }
}

// ---- signing ---------------------------------------------------------------

#[test]
fn a_time_goes_with_cosignatures_and_with_nothing_else() {
    assert_eq!(log().sign(TEXT, Some(1)).unwrap_err(), SignerError::TimeNotSigned);
    assert_eq!(witness().sign(TEXT, None).unwrap_err(), SignerError::TimeMissing);
}

#[test]
fn only_texts_that_a_note_can_have_are_signed() {
    assert_eq!(log().sign("no newline", None).unwrap_err(), SignerError::Text(NoteError::TextUnterminated));
    let control = NoteError::ControlCharacter { offset: 0 };
    assert_eq!(witness().sign("\u{1}\n", Some(1)).unwrap_err(), SignerError::Text(control));
}

#[test]
fn private_keys_have_the_text_form_of_other_tools() {
    let text = witness().to_secret_text();
    assert!(text.starts_with("PRIVATE+KEY+witness.example/w1+"));
    let read = NoteSigner::from_secret_text(&text).unwrap();
    assert_eq!(read.vkey(), witness().vkey());
    assert_eq!(read.sign(TEXT, Some(5)).unwrap(), witness().sign(TEXT, Some(5)).unwrap());
    assert_eq!(NoteSigner::from_secret_text(&text[1..]).unwrap_err(), KeyError::Form);
    let wrong_id = text.replacen(&witness().vkey().id().to_string(), "00000000", 1);
    assert!(matches!(NoteSigner::from_secret_text(&wrong_id).unwrap_err(), KeyError::IdMismatch { .. }));
}

#[test]
fn private_keys_are_not_printed() {
    let text = witness().to_secret_text();
    let secret = text.rsplit_once('+').unwrap().1;
    assert!(!format!("{:?}", witness()).contains(secret));
    let error = NoteSigner::from_secret_text(&format!("{text}=")).unwrap_err();
    assert_eq!(error, KeyError::Base64("(not shown)".to_owned()));
}
