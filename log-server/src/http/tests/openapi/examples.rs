//! The examples of the description: what is asked of the log that the description tells of.

use govlog_formats::base64;
use serde_json::{Value, json};

use super::super::{statement, statements};
use crate::http::testing::receipt_key;
use crate::sequencer::testing::{Place, World};
use govlog_formats::digest::Digest;
use govlog_formats::statement::SignedStatement;

/// One question, and the status of its answer; the answer itself is the log's.
pub(super) struct Example {
    pub(super) operation: &'static str,
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    pub(super) status: u16,
    pub(super) parameters: Vec<(&'static str, Value)>,
    pub(super) body: Option<Vec<u8>>,
}

/// Lists all examples.
pub(super) fn all() -> Vec<Example> {
    [submissions(), batches(), receipts(), keys(), tiles(), proofs(), hints()].into_iter().flatten().collect()
}

/// The statements of entries 1 to 3, and those that would come next.
pub(super) fn chain() -> Vec<SignedStatement> {
    World::get().chain(0, "s", 6)
}

/// The statement of entry 4.
pub(super) fn unpublished() -> SignedStatement {
    statement("outside all streams")
}

/// A statement that would have the place of entry 1.
pub(super) fn rival() -> SignedStatement {
    World::get().statement(0, &Place::at("s", 0, Digest::ZERO), "another story")
}

fn ask(
    operation: &'static str,
    name: &'static str,
    summary: &'static str,
    status: u16,
    parameters: &[(&'static str, Value)],
) -> Example {
    Example { operation, name, summary, status, parameters: parameters.to_vec(), body: None }
}

impl Example {
    fn with(self, body: &[u8]) -> Self {
        Self { body: Some(body.to_vec()), ..self }
    }
}

fn submissions() -> Vec<Example> {
    let submit = |name, summary, status, parameters: &[_]| ask("submitStatement", name, summary, status, parameters);
    let chain = chain();
    let stranger = super::super::changed(|header| header.claims.iss = "https://stranger.example".into());
    let (committed, published) = (("wait", json!("committed")), ("wait", json!("published")));
    vec![
        submit("at-once", "No wait: the answer tells where the receipt will be", 303, &[])
            .with(statement("another one").entry()),
        submit(
            "committed",
            "The next of stream `s`, with a receipt under a root that the log has signed",
            201,
            &[committed],
        )
        .with(chain[3].entry()),
        submit("known", "The statement of entry 1 again, with its receipt under witnesses", 201, &[published])
            .with(chain[0].entry()),
        submit("no-statement", "Bytes that are no statement", 400, &[]).with(b"\xd2\x84"),
        submit("stranger", "An issuer that the admission policy does not name", 403, &[]).with(stranger.entry()),
        submit("gap", "Sequence number 5, where stream `s` expects 3", 409, &[]).with(chain[5].entry()),
    ]
}

fn batches() -> Vec<Example> {
    let submit = |name, summary, status, parameters: &[_]| ask("submitBatch", name, summary, status, parameters);
    let chain = chain();
    let sequence = |all: &[&[u8]]| all.concat();
    let others = statements(2);
    vec![
        submit("each-alone", "One is good, one is no statement, one leaves a gap in its stream", 200, &[])
            .with(&sequence(&[others[0].entry(), b"\x01", chain[5].entry()])),
        submit(
            "known",
            "The statements of entries 1 and 2 again, proved under witnesses",
            200,
            &[("wait", json!("published"))],
        )
        .with(&sequence(&[chain[0].entry(), chain[1].entry()])),
        submit("no-sequence", "A break where an item should begin: nothing is admitted", 400, &[])
            .with(&sequence(&[others[1].entry(), b"\xff"])),
    ]
}

fn receipts() -> Vec<Example> {
    let id = |id: &str| ("id", json!(id));
    let receipt = |name, summary, status, parameters: &[_]| ask("receipt", name, summary, status, parameters);
    let statement =
        |name, summary, status, parameters: &[_]| ask("transparentStatement", name, summary, status, parameters);
    let committed = ("wait", json!("committed"));
    vec![
        receipt("published", "At the first published size that covers the entry", 200, &[id("1.1")]),
        receipt("at-size", "At another published size", 200, &[id("1.1"), ("size", json!(4))]),
        receipt("committed", "Not yet published, under a root that the log has signed", 200, &[id("1.4"), committed]),
        receipt("not-yet", "Not yet published", 302, &[id("1.4")]),
        receipt("unassigned", "An id that is not assigned", 404, &[id("1.99")]),
        statement("published", "With the receipt at the first published size that covers the entry", 200, &[id("1.2")]),
        statement("not-yet", "Not yet published", 302, &[id("1.4")]),
        statement("unassigned", "An id that is not assigned", 404, &[id("2.0")]),
    ]
}

fn keys() -> Vec<Example> {
    let kid = base64::encode_url(receipt_key().public().thumbprint().as_bytes());
    vec![
        ask("receiptKeys", "all", "The one key that was ever in force", 200, &[]),
        ask("receiptKey", "in-force", "The key that signs receipts", 200, &[("kid", json!(kid))]),
        ask("receiptKey", "unknown", "A key of somebody else", 404, &[("kid", json!("A".repeat(43)))]),
    ]
}

fn tiles() -> Vec<Example> {
    let (level, n, width) = (("level", json!(0)), ("n", json!("000")), ("width", json!(4)));
    vec![
        ask("checkpoint", "newest", "Of size 4", 200, &[]),
        ask(
            "partialHashTile",
            "leaves",
            "The leaf hashes of entries 0 to 3",
            200,
            &[level.clone(), n.clone(), width.clone()],
        ),
        ask("hashTile", "not-full", "The tree has fewer than 256 leaves", 404, &[level, n.clone()]),
        ask("partialEntryBundle", "entries", "Entries 0 to 3", 200, &[n.clone(), width]),
        ask("entryBundle", "not-full", "The tree has fewer than 256 entries", 404, &[n]),
    ]
}

fn proofs() -> Vec<Example> {
    let inclusion = |name, summary, status, index: u64, size: u64| {
        ask("inclusionProof", name, summary, status, &[("index", json!(index)), ("size", json!(size))])
    };
    let consistency = |name, summary, status, old: u64, new: u64| {
        ask("consistencyProof", name, summary, status, &[("old", json!(old)), ("new", json!(new))])
    };
    let leaf = chain()[0].leaf_hash().to_string();
    vec![
        inclusion("entry-1", "Entry 1 in the tree of size 4", 200, 1, 4),
        ask(
            "inclusionProof",
            "by-leaf",
            "The same, found by its leaf hash",
            200,
            &[("leaf", json!(leaf)), ("size", json!(4))],
        ),
        inclusion("outside", "The tree of size 3 has no leaf 3", 400, 3, 3),
        inclusion("to-come", "Size 5 is not published", 404, 1, 5),
        consistency("two-to-four", "Size 4 continues size 2", 200, 2, 4),
        consistency("same", "Every tree continues itself: the path is empty", 200, 3, 3),
        consistency("backwards", "Nothing shrinks", 400, 4, 2),
        consistency("to-come", "Size 5 is not published", 404, 4, 5),
    ]
}

fn hints() -> Vec<Example> {
    let stream = |name, summary, stream: &str| {
        let parameters = [("issuer", json!("https://issuer-0.example")), ("stream", json!(stream))];
        ask("stream", name, summary, 200, &parameters)
    };
    vec![
        stream("three", "A stream of three statements", "s"),
        stream("never-seen", "A stream that the log has never seen", "t"),
        ask("admissionPolicy", "entry-0", "Entry 0 alone", 200, &[]),
        ask("records", "stream", "The statements of a stream", 200, &[("stream", json!("s")), ("at", json!(4))]),
        ask(
            "records",
            "page",
            "One id a page, of what an issuer signed, from entry 2 on",
            200,
            &[
                ("issuer", json!("https://issuer-0.example")),
                ("at", json!(4)),
                ("cursor", json!("2")),
                ("limit", json!(1)),
            ],
        ),
        ask("records", "nobody", "No entry has that trace", 200, &[("trace", json!("none")), ("at", json!(4))]),
        ask(
            "records",
            "empty",
            "No time is within",
            400,
            &[("since", json!(2)), ("until", json!(1)), ("at", json!(4))],
        ),
        ask(
            "checkpoints",
            "page",
            "Two sizes of the four published ones",
            200,
            &[("from", json!(2)), ("to", json!(3))],
        ),
        ask("checkpoints", "empty", "No size is at least 9", 200, &[("from", json!(9))]),
        ask("conflicts", "one", "A second statement for the place of entry 1", 200, &[]),
        ask("conflicts", "empty", "No number is at least 9", 200, &[("from", json!(9))]),
    ]
}
