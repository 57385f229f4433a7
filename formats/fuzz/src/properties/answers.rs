//! Batches, what became of them, and problem details.

use govlog_formats::batch::{self, BatchResult};
use govlog_formats::digest::Digest;
use govlog_formats::limits::{MAX_BATCH_BYTES, MAX_BATCH_STATEMENTS};
use govlog_formats::problem::{MAX_PROBLEM_BYTES, Problem};

use super::{choice, chosen};

pub(super) fn check(data: &[u8]) -> bool {
    match choice(data, 3) {
        (0, bytes) => batch::split(bytes).is_ok_and(|items| {
            assert!(bytes.len() <= MAX_BATCH_BYTES && items.len() <= MAX_BATCH_STATEMENTS);
            assert_eq!(items.concat(), bytes);
            true
        }),
        (1, bytes) => batch::parse_results(bytes).is_ok_and(|results| {
            assert!(results.iter().all(|result| (100..600).contains(&result.status)));
            assert_eq!(batch::parse_results(&batch::encode_results(&results)).as_ref(), Ok(&results));
            true
        }),
        (_, bytes) => Problem::parse(bytes).is_ok_and(|problem| {
            assert!(bytes.len() <= MAX_PROBLEM_BYTES);
            assert_eq!(Problem::parse(&problem.encode()).as_ref(), Ok(&problem));
            true
        }),
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let result = BatchResult {
        status: 201,
        id: Some("1.345".parse().unwrap()),
        proof: Some(b"c2sp.org/tlog-proof@v1\n".to_vec()),
        ..BatchResult::default()
    };
    let refused = BatchResult {
        status: 409,
        seq: Some(7),
        prev: Some(Digest::sha256(b"prev")),
        retry_s: Some(3),
        title: Some("conflict".to_owned()),
        detail: Some("seq 8, expected 7".to_owned()),
        ..BatchResult::default()
    };
    let problem = Problem {
        title: "conflict".to_owned(),
        detail: "seq 8, expected 7".to_owned(),
        seq: Some(7),
        prev: Some(Digest::sha256(b"prev")),
        retry_s: Some(3),
    };
    let plain = Problem { title: "refused".to_owned(), ..Problem::default() };
    let statements: Vec<u8> = super::record::payloads().into_iter().flat_map(|(_, payload)| payload).collect();
    vec![
        chosen(0, statements),
        chosen(1, batch::encode_results(&[result, refused])),
        chosen(2, problem.encode()),
        chosen(2, plain.encode()),
    ]
}
