//! Every line of exact.md §2 and every row of the table of DESIGN §6 that can be judged from the log alone, one test each.

mod changes;
mod issuers;
mod matter;
mod time;

use crate::admission::{Class, IssuerRow, PolicyState, Refusal};

use super::world::*;

fn judged(draft: &Draft) -> Result<(), Refusal> {
    policy().judge(&draft.sign(), Some(NOW)).map(drop)
}

fn class(draft: &Draft) -> Option<Class> {
    judged(draft).err().map(|refusal| refusal.class())
}

fn with_row(change: impl FnOnce(&mut IssuerRow)) -> PolicyState {
    let mut changed = row(PEP, &pep_key());
    change(&mut changed);
    applied(&begun(), &set(vec![changed]))
}

const STREAM_KINDS: [&str; 3] =
    ["application/vnd.govlog.stream+cbor", "application/vnd.govlog.gap+cbor", "application/vnd.govlog.quarantine+cbor"];
