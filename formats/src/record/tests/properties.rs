//! Properties of records of any content.

use proptest::prelude::*;

use super::*;
use crate::record::arbitrary::{any_record, typed_record};

proptest! {
    #[test]
    fn what_the_tables_allow_is_a_record((kind, record) in typed_record()) {
        let payload = cbor::to_deterministic(&record);
        let parsed = Record::parse(kind, &payload);
        prop_assert!(parsed.is_ok(), "{}", parsed.unwrap_err());
        let parsed = parsed.unwrap();
        prop_assert_eq!(parsed.kind(), kind);
        prop_assert!(!matches!(parsed, Record::Opaque(_)), "{} has a table and no type", kind);
        prop_assert_eq!(cbor::to_deterministic(&Value::Map(parsed.body().unwrap().pairs().to_vec())), payload);
        let _ = (default_subject(&parsed), parsed.body().unwrap().links(), parsed.body().unwrap().handles());
    }

    #[test]
    fn no_payload_panics(kind in prop::sample::select(KINDS.to_vec()), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Record::parse(kind, &bytes);
    }

    #[test]
    fn no_record_panics(kind in prop::sample::select(KINDS.to_vec()), record in any_record()) {
        let payload = cbor::to_deterministic(&record);
        if let Ok(record) = Record::parse(kind, &payload) {
            let _ = (default_subject(&record), record.body().map(Body::links), record.body().map(Body::handles));
        }
    }
}
