use proptest::prelude::*;

use super::*;
use crate::cbor::tests::unhex;
use crate::cbor::{CborFault, check_deterministic};
use crate::merkle::LeafIndex;

#[test]
fn a_logged_statement_has_status_id_and_proof() {
    let id = Some(EntryId { epoch: 1, index: LeafIndex::new(345) });
    let result = BatchResult { status: 201, id, proof: Some(b"proof".to_vec()), ..BatchResult::default() };
    assert_eq!(result.encode(), unhex("a3 01 18c9 02 65312e333435 03 4570726f6f66"));
    assert_eq!(BatchResult::parse(&result.encode()).unwrap(), result);
}

#[test]
fn a_refused_statement_has_what_the_stream_expects_title_and_detail() {
    let result = BatchResult {
        status: 409,
        seq: Some(7),
        prev: Some(Digest::ZERO),
        retry_s: Some(2),
        title: Some("Rejected".to_owned()),
        detail: Some("x".to_owned()),
        ..BatchResult::default()
    };
    let zeros = "00".repeat(32);
    assert_eq!(
        result.encode(),
        unhex(&format!("a6 01 190199 04 07 05 5820{zeros} 06 02 20 6852656a6563746564 21 6178"))
    );
    assert_eq!(BatchResult::parse(&result.encode()).unwrap(), result);
}

#[test]
fn errors_name_the_key() {
    assert_eq!(BatchResult::parse(&[0xa0]), Err(BatchError::NoStatus));
    let wrong = |bytes: &str| match BatchResult::parse(&unhex(bytes)) {
        Err(BatchError::Wrong { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(wrong("a1 01 6161"), "1 status");
    assert_eq!(wrong("a1 01 1863"), "1 status");
    assert_eq!(wrong("a1 01 1a00010000"), "1 status");
    assert_eq!(wrong("a2 01 18c9 02 63302e31"), "2 id");
    assert_eq!(wrong("a2 01 18c9 03 6161"), "3 tlog-proof");
    assert_eq!(wrong("a2 01 18c9 04 20"), "4 expected seq");
    assert_eq!(wrong("a2 01 18c9 05 4101"), "5 expected prev");
    assert_eq!(wrong("a2 01 18c9 06 f6"), "6 retry after");
    assert_eq!(wrong("a2 01 18c9 20 01"), "-1 title");
    assert_eq!(wrong("a2 01 18c9 21 01"), "-2 detail");
    assert!(matches!(BatchResult::parse(&[0x80]), Err(BatchError::Header(_))));
    // Unknown keys are passed over.
    assert_eq!(BatchResult::parse(&unhex("a2 01 18c9 07 f5")).unwrap().status, 201);
}

#[test]
fn a_batch_is_framed_before_anything_else() {
    assert_eq!(split(&[]).unwrap(), Vec::<&[u8]>::new());
    // An item that is not deterministic, and one that is no statement, are framed: each fails alone.
    let bytes = unhex("d2 9f 00 ff 1800 6161");
    assert_eq!(split(&bytes).unwrap(), [&bytes[..4], &bytes[4..6], &bytes[6..]]);
    assert!(matches!(split(&[0x00, 0xff]), Err(BatchError::Cbor(CborError { offset: 1, why: CborFault::Break }))));
    assert!(matches!(split(&[0x81; 18]), Err(BatchError::Cbor(CborError { why: CborFault::Depth, .. }))));
}

#[test]
fn a_batch_has_1024_statements_and_8_mib_at_most() {
    assert_eq!(split(&vec![0; MAX_BATCH_STATEMENTS]).unwrap().len(), 1024);
    let error = split(&vec![0; MAX_BATCH_STATEMENTS + 1]).unwrap_err();
    assert_eq!(error, BatchError::Cbor(CborError { offset: 1024, why: CborFault::TooManyItems(1024) }));
    let string = |bytes: u32| [&[0x5a][..], &bytes.to_be_bytes(), &vec![0; bytes as usize]].concat();
    assert_eq!(split(&string(8 * 1024 * 1024 - 5)).unwrap().len(), 1);
    assert_eq!(split(&string(8 * 1024 * 1024 - 4)), Err(BatchError::TooLarge(8 * 1024 * 1024 + 1)));
}

fn any_result() -> impl Strategy<Value = BatchResult> {
    let id = proptest::option::of((1..u64::MAX >> 2, 0..1u64 << 62));
    let expected = (any::<Option<u64>>(), any::<Option<[u8; 32]>>(), any::<Option<u64>>());
    let text = || proptest::option::of("\\PC{0,40}");
    (100..600u16, id, any::<Option<Vec<u8>>>(), expected, text(), text()).prop_map(
        |(status, id, proof, (seq, prev, retry_s), title, detail)| BatchResult {
            status,
            id: id.map(|(epoch, index)| EntryId { epoch, index: LeafIndex::new(index) }),
            proof,
            seq,
            prev: prev.map(Digest::from_bytes),
            retry_s,
            title,
            detail,
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_in_order(results in proptest::collection::vec(any_result(), 0..6)) {
        for result in &results {
            check_deterministic(&result.encode()).unwrap();
        }
        prop_assert_eq!(parse_results(&encode_results(&results)).unwrap(), results);
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in any::<Vec<u8>>()) {
        let _ = (BatchResult::parse(&bytes), parse_results(&bytes), split(&bytes));
    }
}
