//! Sealed values open with what is kept, and nothing is signed without randomness.

use std::sync::Arc;
use std::time::Duration;

use ciborium::Value;
use govlog_client::testing::{ISSUER, ORIGIN};
use govlog_formats::cbor;
use govlog_formats::record::sealed::{Opening, Sealed};

use super::record;
use crate::adapter::Adapters;
use crate::opa::{Group, OpaAdapter, RawGroup};
use crate::sign::{Beat, Identity, SignError, Signer};
use crate::testing::{Bench, ROUTE, event};
use crate::world::World;

fn field<'a>(map: &'a [(Value, Value)], name: &str) -> &'a Value {
    &map.iter().find(|(key, _)| key.as_text() == Some(name)).unwrap().1
}

#[test]
fn every_sealed_value_opens_and_no_salt_is_used_twice() {
    let bench = Bench::new();
    bench.receive(&[event("d-1"), event("d-2")]);
    bench.sign();
    let mut salts = std::collections::BTreeSet::new();
    for (_, row) in bench.shared.outbox.signed(0, 1, 9, u64::MAX).unwrap() {
        let statement = govlog_formats::statement::SignedStatement::parse_entry(&row.entry).unwrap();
        let record = record(&statement);
        let openings = cbor::parse(&row.openings).unwrap();
        let openings = field(openings.as_map().unwrap(), "openings").as_array().unwrap().clone();
        assert!(openings.len() >= 2, "input and output at least");
        for opening in openings {
            let opening = opening.as_map().unwrap();
            let salt: [u8; 32] = field(opening, "salt").as_bytes().unwrap().clone().try_into().unwrap();
            assert!(salts.insert(salt), "a salt is used twice");
            let path = field(opening, "path").as_text().unwrap();
            let sealed = field(record.body().unwrap().pairs(), path);
            let opening = Opening { salt, value: field(opening, "value").clone() };
            Sealed::from_value(sealed).unwrap().open(&opening).unwrap();
        }
    }
}

/// A machine that has run out of randomness.
struct Dry;

impl World for Dry {
    fn now_ms(&self) -> u64 {
        1_795_320_442_000
    }

    fn random(&self) -> Option<[u8; 32]> {
        None
    }
}

#[test]
fn nothing_is_sealed_with_a_salt_that_is_known() {
    let bench = Bench::new();
    bench.receive(&[event("d-1")]);
    let key = bench.log.with(|state| state.log.issuer.clone());
    let identity = Identity { iss: ISSUER.into(), origin: ORIGIN.into(), keys: key.into() };
    let mut adapters = Adapters::default();
    let group = Group::try_from(RawGroup::at(ROUTE)).unwrap();
    adapters.add(Arc::new(OpaAdapter::new(group, Arc::default()))).unwrap();
    let beat = Beat { heartbeat: Duration::from_secs(60), idle_close: Duration::from_secs(60) };
    let signer = Signer::new(identity, adapters, Arc::clone(&bench.shared.outbox), Arc::new(Dry), beat);
    assert!(matches!(signer.step(0, 9), Err(SignError::Random)));
    assert_eq!((bench.shared.outbox.backlog().waiting, bench.shared.outbox.backlog().signed), (1, 0));
}
