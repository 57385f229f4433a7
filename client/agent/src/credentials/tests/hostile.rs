//! Whatever stands in a file: it is read, or it is not, and what is signed is a record.

use proptest::prelude::*;

use super::*;
use crate::credentials::observation::Sight;

/// Files as they are, with bytes changed, cut and put between.
fn near() -> impl Strategy<Value = Vec<u8>> {
    let names = ["pay-1.pem", "bundle.pem", "pay-jwt.json", "batch-minted.jwt"];
    (
        prop::sample::select(names.to_vec()),
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(name, changes, end)| {
            let mut bytes = capture(name);
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let end = end.index(bytes.len() * 2);
            bytes.truncate(end.max(1));
            bytes
        })
}

proptest! {
    #[test]
    fn a_file_gives_records_or_nothing(
        bytes in prop_oneof![near(), prop::collection::vec(any::<u8>(), 0..300)],
        ending in prop::sample::select(vec!["pem", "jwt", "json"]),
    ) {
        let Ok(seen) = read::read(&format!("x.{ending}"), &bytes) else { return Ok(()) };
        for seen in seen {
            let sight = Sight { seen, at: "x".to_owned(), seen_ms: NOW };
            let mut random = || [1; 32];
            let made = observation(&serde_json::to_vec(&sight).unwrap(), "pay", ISS, Sealer::new(&mut random));
            let observation = record(&made.unwrap());
            prop_assert!(observation.observed().present().is_some());
        }
    }
}
