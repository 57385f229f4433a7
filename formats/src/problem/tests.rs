use proptest::prelude::*;

use super::*;
use crate::cbor::check_deterministic;
use crate::cbor::tests::unhex;

#[test]
fn title_and_detail_stand_under_minus_1_and_minus_2() {
    let problem = Problem { title: "Rejected".to_owned(), detail: "why".to_owned(), ..Problem::default() };
    assert_eq!(problem.encode(), unhex("a2 20 6852656a6563746564 21 63776879"));
    assert_eq!(Problem::parse(&problem.encode()).unwrap(), problem);
}

#[test]
fn what_a_stream_expects_stands_under_a_text_key() {
    let problem = Problem {
        title: "a".to_owned(),
        detail: "b".to_owned(),
        seq: Some(12),
        prev: Some(Digest::ZERO),
        retry_s: Some(30),
    };
    let zeros = "00".repeat(32);
    let expected =
        format!("a3 20 6161 21 6162 72 75726e3a676f766c6f673a70726f626c656d a3 01 0c 02 5820{zeros} 03 181e");
    assert_eq!(problem.encode(), unhex(&expected));
    assert_eq!(Problem::parse(&problem.encode()).unwrap(), problem);
}

#[test]
fn unknown_keys_are_passed_over_and_order_is_free() {
    let bytes = unhex("a4 21 6162 22 6163 20 6161 6178 a1 01 02");
    let problem = Problem::parse(&bytes).unwrap();
    assert_eq!((problem.title.as_str(), problem.detail.as_str()), ("a", "b"));
}

#[test]
fn errors_name_the_key() {
    assert_eq!(Problem::parse(&unhex("a1 20 6161")), Err(ProblemError::Missing(-2)));
    assert_eq!(Problem::parse(&unhex("a1 21 6161")), Err(ProblemError::Missing(-1)));
    let wrong = |bytes: &str| match Problem::parse(&unhex(bytes)) {
        Err(ProblemError::Wrong { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(wrong("a2 20 01 21 6161"), "-1 title");
    let extension = "a3 20 6161 21 6162 72 75726e3a676f766c6f673a70726f626c656d";
    assert_eq!(wrong(&format!("{extension} a1 01 20")), "the expected seq");
    assert_eq!(wrong(&format!("{extension} a1 02 4101")), "the expected prev");
    assert_eq!(wrong(&format!("{extension} a1 03 6131")), "the seconds to wait");
    assert!(matches!(Problem::parse(&unhex(&format!("{extension} 80"))), Err(ProblemError::Header(_))));
    assert!(matches!(Problem::parse(&[0x80]), Err(ProblemError::Header(_))));
    assert!(matches!(Problem::parse(&[]), Err(ProblemError::Cbor(_))));
    let large = vec![0; MAX_PROBLEM_BYTES + 1];
    assert_eq!(Problem::parse(&large), Err(ProblemError::TooLarge(MAX_PROBLEM_BYTES + 1)));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        title in "\\PC{0,40}",
        detail in "\\PC{0,400}",
        seq in any::<Option<u64>>(),
        prev in any::<Option<[u8; 32]>>(),
        retry_s in any::<Option<u64>>(),
    ) {
        let problem = Problem { title, detail, seq, prev: prev.map(Digest::from_bytes), retry_s };
        check_deterministic(&problem.encode()).unwrap();
        prop_assert_eq!(Problem::parse(&problem.encode()).unwrap(), problem);
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in any::<Vec<u8>>()) {
        let _ = Problem::parse(&bytes);
    }
}
