//! Changes of the admission policy, the policy they lead to, and the request for the first.

use std::sync::LazyLock;

use govlog_formats::admission::{Change, GenesisRequest, PolicyState, operator_statement};
use govlog_formats::merkle::LeafIndex;

use super::{choice, chosen, number, world};

pub(super) fn check(data: &[u8]) -> bool {
    match choice(data, 2) {
        (0, rest) => changes(rest),
        (_, text) => std::str::from_utf8(text).is_ok_and(request),
    }
}

fn request(text: &str) -> bool {
    GenesisRequest::parse(text).is_ok_and(|request| {
        assert_eq!(GenesisRequest::parse(&request.encode()).as_ref(), Ok(&request));
        if let Ok(statement) = request.sign(&world::ed25519(1), 1_700_000_000_000) {
            let policy = PolicyState::genesis(&statement).unwrap();
            assert_eq!(policy.origin(), request.log().origin);
        }
        true
    })
}

/// Reads changes one after the other, each behind its length, and folds in what a log would.
fn changes(mut rest: &[u8]) -> bool {
    static BEGUN: LazyLock<PolicyState> = LazyLock::new(world::begun);
    let mut policy = BEGUN.clone();
    let mut read = false;
    while !rest.is_empty() {
        let (length, after) = number(rest);
        let (payload, after) = after.split_at(length.min(after.len()));
        rest = after;
        let Ok(change) = Change::parse(payload) else { continue };
        assert_eq!(change.encode(), payload, "written as it was read");
        assert_eq!(Change::from_view(&change.to_view()).as_ref(), Ok(&change), "another change after its view");
        read = true;
        if let Some(next) = applied(&policy, &change) {
            policy = next;
        }
    }
    read
}

fn applied(policy: &PolicyState, change: &Change) -> Option<PolicyState> {
    let place = policy.next_change();
    let statement = operator_statement(world::ORIGIN, change, place, 1_700_000_000, &world::ed25519(1)).ok()?;
    let index = LeafIndex::new(policy.as_of().get() + 1);
    let next = policy.apply(index, &statement).ok()?;
    assert_eq!((next.as_of(), next.origin()), (index, policy.origin()));
    assert_eq!((next.next_change().seq, next.next_change().prev), (place.seq + 1, statement.sig_structure_digest()));
    assert!(next.apply(index, &statement).is_err(), "taken a second time");
    let fields = change.fields();
    assert!(fields.set.iter().all(|row| next.issuer(&row.iss) == Some(row)));
    assert!(fields.retire.iter().all(|iss| next.issuer(iss).is_none()));
    assert!(
        next.operators().count() as u64 >= next.threshold() && next.threshold() >= 1,
        "nobody can change it any more"
    );
    let receipts = policy.all_receipt_keys().count();
    assert!(next.all_receipt_keys().count() >= receipts.min(1), "receipts that were good have no key any more");
    Some(next)
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let example = super::record::payloads().into_iter().find(|(kind, _)| *kind == "admission-policy").unwrap().1;
    let first = world::genesis_request().change(vec![world::ed25519(1).public()], 1_700_000_000_000).unwrap().encode();
    let framed = |change: &[u8]| [&u16::try_from(change.len()).unwrap().to_be_bytes(), change].concat();
    let request = world::genesis_request().encode();
    vec![chosen(0, framed(&example)), chosen(0, [framed(&first), framed(&example)].concat()), chosen(1, request)]
}
