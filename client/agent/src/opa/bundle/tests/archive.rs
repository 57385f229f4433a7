//! Archives as writers make them, and as nobody should.

use proptest::prelude::*;

use super::super::archive::files;
use super::*;

fn one(name: &str, kind: u8) -> Vec<u8> {
    tar(&[(name.to_owned(), kind, b"x".to_vec())])
}

fn pax(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let mut len = rest.len();
    while format!("{len}{rest}").len() != len {
        len = format!("{len}{rest}").len();
    }
    format!("{len}{rest}").into_bytes()
}

#[test]
fn long_names_come_in_each_way_that_writers_have() {
    let long = format!("{}/{}.rego", "a".repeat(90), "b".repeat(120));
    let by_pax = tar(&[
        ("x".into(), b'x', [pax("mtime", "1.5"), pax("path", &long)].concat()),
        ("cut".into(), b'0', b"1".to_vec()),
    ]);
    let by_gnu =
        tar(&[("././@LongLink".into(), b'L', [long.as_bytes(), b"\0"].concat()), ("cut".into(), b'0', b"1".to_vec())]);
    for archive in [by_pax, by_gnu] {
        assert_eq!(files(&archive).unwrap(), [File { name: long.clone(), bytes: b"1" }]);
    }
    let by_size = tar(&[("x".into(), b'x', pax("size", "3")), ("a".into(), b'0', b"123".to_vec())]);
    assert_eq!(files(&by_size).unwrap()[0].bytes, b"123");
}

#[test]
fn only_plain_files_with_plain_names_are_taken_each_once() {
    for kind in [b'1', b'2', b'3', b'4', b'6', b'7', b'S', b'?'] {
        assert_eq!(files(&one("a", kind)), Err(ArchiveError::Kind(0)), "{kind}");
    }
    for name in ["", "/", "//a", "..", "../a", "a/../b", "./a", "a//b", "a/", "/a/."] {
        assert_eq!(files(&one(name, b'0')), Err(ArchiveError::Name(0)), "{name}");
    }
    let folder =
        tar(&[("a/".into(), b'5', Vec::new()), ("b/".into(), b'\0', Vec::new()), ("a/b".into(), b'\0', b"1".to_vec())]);
    assert_eq!(files(&folder).unwrap(), [File { name: "a/b".into(), bytes: b"1" }]);
    let twice = tar(&[("/a".into(), b'0', Vec::new()), ("a".into(), b'0', Vec::new())]);
    assert_eq!(files(&twice), Err(ArchiveError::Twice(1)));
    let hidden =
        tar(&[("x".into(), b'x', pax("path", "a")), ("b".into(), b'0', Vec::new()), ("a".into(), b'0', Vec::new())]);
    assert_eq!(files(&hidden), Err(ArchiveError::Twice(2)));
    for record in [pax("GNU.sparse.major", "1"), b"9 path=".to_vec(), b"999 path=a\n".to_vec(), b"x".to_vec()] {
        let archive = tar(&[("x".into(), b'x', record), ("b".into(), b'0', Vec::new())]);
        assert_eq!(files(&archive), Err(ArchiveError::Header(0)));
    }
    let global = tar(&[("g".into(), b'g', pax("path", "a")), ("b".into(), b'0', Vec::new())]);
    assert_eq!(files(&global), Err(ArchiveError::Header(0)));
    let not_utf8 = [&header(b"a\xff", b'0', 0)[..], &[0; 1024]].concat();
    assert_eq!(files(&not_utf8), Err(ArchiveError::Name(0)));
}

#[test]
fn what_is_cut_off_or_endless_is_refused() {
    let archive = one("a", b'0');
    assert_eq!(files(&archive[..600]), Err(ArchiveError::CutOff(0)));
    assert_eq!(files(&archive[..100]), Err(ArchiveError::CutOff(0)));
    let huge = [&header(b"a", b'0', 0o77_777_777_777)[..], &[0; 512]].concat();
    assert_eq!(files(&huge), Err(ArchiveError::CutOff(0)));
    let size = tar(&[("x".into(), b'x', pax("size", &usize::MAX.to_string())), ("a".into(), b'0', Vec::new())]);
    assert_eq!(files(&size), Err(ArchiveError::CutOff(1)));
    let many: Vec<u8> = std::iter::repeat_n(header(b"a/", b'5', 0), 20_000).flatten().collect();
    assert_eq!(files(&many), Err(ArchiveError::Entries));
    let mut no_sum = archive;
    no_sum[148] ^= 1;
    assert_eq!(files(&no_sum), Err(ArchiveError::Header(0)));
}

#[test]
fn a_bomb_stops_at_the_bound() {
    let bomb = gzip(&vec![0; MAX_UNPACKED_BYTES + 1]);
    assert!(bomb.len() < 1 << 20);
    assert_eq!(verify(&bomb, &captured_signer()), Err(Refused::Unpacked(MAX_UNPACKED_BYTES).into()));
    assert_eq!(verify(&vec![0; MAX_BUNDLE_BYTES + 1], &captured_signer()), Err(Unverified::Long(MAX_BUNDLE_BYTES + 1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is altered, a bundle is refused, or says what was signed.
    #[test]
    fn no_bytes_make_it_fail_or_say_something_else(at in any::<prop::sample::Index>(), bit in 0..8_u8, cut in any::<bool>()) {
        let mut archive = crate::opa::upload::gunzip(&good("r1"), 1 << 20).unwrap();
        let whole = verify(&gzip(&archive), &signer_of(&key())).unwrap();
        let at = at.index(archive.len());
        if cut { archive.truncate(at) } else { archive[at] ^= 1 << bit }
        if let Ok(verified) = verify(&gzip(&archive), &signer_of(&key())) {
            prop_assert_eq!(verified.policy_digest, whole.policy_digest);
            prop_assert_eq!(verified.revision, whole.revision);
        }
    }
}
