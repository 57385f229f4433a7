//! The table of refusals, over real HTTP: status, kind of body, and what the body says.

use govlog_formats::admission::{Change, ChangeFields, IssuerRow, operator_statement};
use govlog_formats::batch;
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::digest::Digest;
use govlog_formats::problem::{self, Problem};
use govlog_formats::statement::{Content, SignedStatement, content_type_of};
use harness::issuer::{Draft, now_s};
use harness::log::{COSE, location};
use harness::network::Plan;
use harness::{Answer, Client, Issuer, Network, check};

use crate::NODE;

/// A log that knows one issuer of each curve.
struct Door {
    network: Network,
    client: Client,
    issuer: Issuer,
    other: Issuer,
}

fn door() -> Door {
    let mut network = Plan::new(NODE).start();
    let (issuer, other) = (Issuer::new(0, &network.log.origin), Issuer::new(1, &network.log.origin));
    network.log.admit(&[issuer.clone(), other.clone()]);
    Door { client: network.log.client(), network, issuer, other }
}

impl Door {
    fn post(&mut self, body: &[u8]) -> Answer {
        self.client.post("/entries?wait=committed", COSE, body).unwrap()
    }

    /// Takes the issuer's next statement into the log.
    fn take(&mut self) -> (SignedStatement, String) {
        let statement = self.issuer.sign_next();
        let answer = self.post(statement.entry());
        assert_eq!(answer.status, 201, "{}", answer.text());
        (statement, answer.header("location").unwrap().to_owned())
    }

    /// Expects a refusal with concise problem details that name what is wrong.
    fn refused(&mut self, what: &str, body: &[u8], status: u16, named: &str) -> Problem {
        let answer = self.post(body);
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some(problem::CONTENT_TYPE), "{what}");
        let problem = Problem::parse(&answer.body).unwrap();
        assert!(problem.detail.contains(named), "{what}: {problem:?} does not name {named:?}");
        assert!(!problem.title.is_empty());
        problem
    }

    /// Expects that a draft is refused when the issuer signs it.
    fn draft_refused(&mut self, what: &str, change: impl FnOnce(&mut Draft), status: u16, named: &str) -> Problem {
        let mut draft = self.issuer.draft();
        change(&mut draft);
        let statement = draft.sign(&self.issuer.key.clone());
        self.refused(what, statement.entry(), status, named)
    }
}

/// An entry with another payload, its signature left as it was.
fn with_payload(statement: &SignedStatement, payload: &[u8]) -> Vec<u8> {
    let entry = statement.entry();
    let old = statement.payload();
    let at = entry.windows(old.len()).position(|window| window == old).unwrap();
    let header = if old.len() < 256 { 2 } else { 3 };
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&entry[..at - header], &[0x5a], &length, payload, &entry[at + old.len()..]].concat()
}

fn with_last_bit_flipped(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    bytes
}

#[test]
fn what_is_no_statement_is_400_with_the_offset() {
    let mut door = door();
    let entry = door.issuer.draft().sign(&door.issuer.key.clone());
    let bytes = entry.entry().to_vec();
    door.refused("nothing", b"", 400, "");
    door.refused("text", b"hello", 400, "");
    door.refused("an untagged array", &bytes[1..], 400, "");
    door.refused("cut short", &bytes[..bytes.len() - 1], 400, "");
    let trailing = [&bytes[..], &[0]].concat();
    door.refused("a byte behind the end", &trailing, 400, &format!("{}", bytes.len()));
    let long_head = [&bytes[..1], &[0x98, 0x04], &bytes[2..]].concat();
    door.refused("a length in a longer form", &long_head, 400, "1");
    let indefinite = [&bytes[..1], &[0x9f], &bytes[2..], &[0xff]].concat();
    door.refused("an indefinite length", &indefinite, 400, "1");
    door.draft_refused(
        "another log's statement",
        |draft| draft.claims.aud = Some("log.example/other".into()),
        400,
        "aud",
    );
    let committed = door.take();
    assert!(committed.1.starts_with("/entries/1."));
}

#[test]
fn a_signature_that_fails_is_400() {
    let mut door = door();
    for number in [0, 1] {
        let issuer = if number == 0 { door.issuer.clone() } else { door.other.clone() };
        let statement = issuer.draft().sign(&issuer.key);
        door.refused("a flipped bit", &with_last_bit_flipped(statement.entry()), 400, "signature");
    }
}

#[test]
fn what_is_too_large_is_413() {
    let mut door = door();
    let statement = door.issuer.draft().sign(&door.issuer.key.clone());
    let entry = with_payload(&statement, &vec![0; 66_000]);
    let problem = door.refused("an entry", &entry, 413, "65535");
    assert!(problem.detail.contains(&entry.len().to_string()), "{problem:?}");
    door.refused("a body", &vec![0; 128 * 1024 + 1], 413, "131072");
}

#[test]
fn who_may_not_is_403() {
    let mut door = door();
    let stranger = Issuer::new(7, &door.network.log.origin);
    let unknown = stranger.draft().sign(&stranger.key);
    door.refused("an unknown issuer", unknown.entry(), 403, &stranger.iss);
    // The issuer is judged before the signature.
    door.refused("an unknown issuer's bad signature", &with_last_bit_flipped(unknown.entry()), 403, &stranger.iss);
    let key = SigningKey::from_seed(Curve::Ed25519, &[9; 32]).unwrap();
    let statement = door.issuer.draft().sign(&key);
    door.refused("an unknown key", statement.entry(), 403, "kid");

    let kind = |draft: &mut Draft| draft.content = Content::Plain(content_type_of("registration"));
    door.draft_refused("a kind", kind, 403, "registration");
    door.draft_refused(
        "a foreign kind",
        |draft| draft.content = Content::Plain("text/plain".into()),
        403,
        "text/plain",
    );
    door.draft_refused(
        "a subject",
        |draft| draft.claims.sub = "spiffe://other.example/x".into(),
        403,
        "spiffe://other",
    );
    // A pattern is a prefix of whole segments, and a subject can never pose as a stream.
    door.draft_refused("a subject's prefix", |draft| draft.claims.sub = "spiffe://prod.example".into(), 403, "sub");
    door.draft_refused("a subject like a stream", |draft| draft.claims.sub = "workload-1".into(), 403, "sub");
    door.draft_refused("too old", |draft| draft.claims.iat -= 86_410, 403, "iat");
    door.draft_refused("too far ahead", |draft| draft.claims.iat += 400, 403, "iat");

    // Nothing of all that took the stream's place.
    door.take();
}

#[test]
fn only_the_operator_changes_the_policy() {
    let mut door = door();
    let log = &door.network.log;
    let fields = ChangeFields { event_ms: 1, set: vec![door.issuer.row()], ..ChangeFields::default() };
    let change = Change::new(fields).unwrap();
    let place = log.admission.next_change();
    let key = SigningKey::from_seed(Curve::Ed25519, &[9; 32]).unwrap();
    let stranger = operator_statement(&log.origin, &change, place, now_s(), &key).unwrap();
    door.refused("a stranger's change", stranger.entry(), 403, "kid");
    let change = |draft: &mut Draft| {
        draft.content = Content::Plain(content_type_of("admission-policy"));
        draft.payload = change.encode();
    };
    door.draft_refused("an issuer's change", change, 403, "operator");
}

#[test]
fn a_duplicate_gets_the_earlier_entry() {
    let mut door = door();
    let (statement, place) = door.take();
    let (later, _) = door.take();
    for path in ["/entries", "/entries?wait=committed", "/entries?wait=published"] {
        let answer = door.client.post(path, COSE, statement.entry()).unwrap();
        assert!(matches!(answer.status, 201 | 303), "{}", answer.text());
        assert_eq!(answer.header("location"), Some(place.as_str()));
    }
    // Found by what was signed, before signature, issuer and rate are looked at.
    let bent = with_last_bit_flipped(statement.entry());
    let answer = door.post(&bent);
    assert_eq!((answer.status, answer.header("location")), (201, Some(place.as_str())));
    let receipt = govlog_formats::receipt::Receipt::parse(&answer.body).unwrap();
    let key = &door.network.log.receipt_keys()[0];
    receipt.verify(&statement.leaf_hash(), &statement.claims().sub, key).expect("the receipt is for the logged bytes");

    let fields = ChangeFields { event_ms: 1, retire: vec![door.issuer.iss.clone()], ..ChangeFields::default() };
    let log = &door.network.log;
    let (change, next) = (Change::new(fields).unwrap(), log.admission.next_change());
    let retired = operator_statement(&log.origin, &change, next, now_s(), &log.operator).unwrap();
    assert_eq!(door.post(retired.entry()).status, 201);
    let answer = door.post(later.entry());
    assert_eq!(answer.status, 201, "logged before its issuer was retired: {}", answer.text());
    let new = door.issuer.sign_next();
    let iss = door.issuer.iss.clone();
    door.refused("a retired issuer", new.entry(), 403, &iss);
}

#[test]
fn an_unprotected_header_is_replaced_by_the_empty_map() {
    let mut door = door();
    let statement = door.issuer.sign_next();
    let entry = statement.entry();
    let after_protected = entry.windows(statement.protected().len()).position(|w| w == statement.protected()).unwrap()
        + statement.protected().len();
    assert_eq!(entry[after_protected], 0xa0);
    // {"note": 1}
    let map = [0xa1, 0x64, b'n', b'o', b't', b'e', 0x01];
    let adorned = [&entry[..after_protected], &map, &entry[after_protected + 1..]].concat();
    let answer = door.post(&adorned);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let index = location(answer.header("location")).index.get();
    let ledger = harness::Ledger::default();
    ledger.acknowledged(index, statement.leaf_hash()).unwrap();
    let checked = check::log(&door.network.log, &ledger).unwrap();
    assert_eq!(checked.entries[usize::try_from(index).unwrap()], entry);
}

#[test]
fn a_stream_goes_on_or_is_409_with_what_it_expects() {
    let mut door = door();
    let (first, _) = door.take();
    let (second, _) = door.take();
    let expected = (Some(2), Some(second.sig_structure_digest()));
    let position = |seq, prev| {
        move |draft: &mut Draft| {
            let stream = draft.claims.stream.as_mut().unwrap();
            (stream.seq, stream.prev) = (seq, prev);
        }
    };
    let last = second.sig_structure_digest();
    for (what, seq, prev) in [
        ("another predecessor", 2, first.sig_structure_digest()),
        ("a gap", 3, last),
        ("far ahead", 1 << 40, last),
        ("a place that is taken", 1, first.sig_structure_digest()),
        ("the beginning again", 0, Digest::ZERO),
        ("the beginning with a predecessor", 0, last),
    ] {
        let problem = door.draft_refused(what, position(seq, prev), 409, "");
        assert_eq!((problem.seq, problem.prev), expected, "{what}");
    }
    let fresh = |draft: &mut Draft| {
        let stream = draft.claims.stream.as_mut().unwrap();
        (stream.stream, stream.seq, stream.prev) = ("fresh".into(), 0, Digest::sha256(b"x"));
    };
    let problem = door.draft_refused("a new stream with a predecessor", fresh, 409, "");
    assert_eq!((problem.seq, problem.prev), (Some(0), Some(Digest::ZERO)));
    door.take();
    // Without a stream there is no order.
    door.issuer.stream = None;
    door.take();
    door.take();
}

#[test]
fn over_its_rate_an_issuer_is_429_with_retry_after() {
    let mut door = door();
    let limited = IssuerRow { rate: std::num::NonZeroU64::new(1), ..door.issuer.row() };
    door.network.log.admit_rows(vec![limited]);
    let mut refused = None;
    for _ in 0..20 {
        let statement = door.issuer.draft().sign(&door.issuer.key);
        let answer = door.post(statement.entry());
        match answer.status {
            201 => door.issuer.took(&statement),
            429 => {
                refused = Some((statement, answer));
                break;
            }
            other => panic!("{other}: {}", answer.text()),
        }
    }
    let (statement, answer) = refused.expect("twenty statements in a row go over one in a second");
    let retry: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&retry), "{retry}");
    assert_eq!(Problem::parse(&answer.body).unwrap().retry_s, Some(retry));
    harness::wait::until("the rate to allow the same bytes", harness::wait::SOON, || {
        (door.post(statement.entry()).status == 201).then_some(())
    });
    // Others have their own.
    let other = door.other.sign_next();
    assert_eq!(door.post(other.entry()).status, 201);
}

#[test]
fn a_bad_statement_of_a_batch_fails_alone_with_its_successors() {
    let mut door = door();
    let ours: Vec<SignedStatement> = (0..4).map(|_| door.issuer.sign_next()).collect();
    let theirs: Vec<SignedStatement> = (0..2).map(|_| door.other.sign_next()).collect();
    let bent = with_last_bit_flipped(ours[1].entry());
    let order =
        [ours[0].entry(), theirs[0].entry(), &bent, ours[2].entry(), &[0x01], theirs[1].entry(), ours[3].entry()];
    let answer = door.client.post("/v1/batches", batch::CONTENT_TYPE, &order.concat()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some(batch::CONTENT_TYPE));
    let results = batch::parse_results(&answer.body).unwrap();
    let statuses: Vec<u16> = results.iter().map(|result| result.status).collect();
    assert_eq!(statuses, [201, 201, 400, 409, 400, 201, 409]);
    assert_eq!(results[3].seq, Some(1));
    assert_eq!(results[3].prev, Some(ours[0].sig_structure_digest()));
    assert!(results[2].detail.as_ref().unwrap().contains("signature"));

    // The same bytes in good order: the first is a duplicate, all have their places.
    let whole: Vec<u8> = ours.iter().flat_map(SignedStatement::entry).copied().collect();
    let answer = door.client.post("/v1/batches", batch::CONTENT_TYPE, &whole).unwrap();
    let results = batch::parse_results(&answer.body).unwrap();
    assert!(results.iter().all(|result| result.status == 201 && result.proof.is_some()), "{results:?}");
}

#[test]
fn a_batch_that_is_not_framed_is_refused_whole() {
    let mut door = door();
    let statement = door.issuer.sign_next();
    let cut = [statement.entry(), &statement.entry()[..20]].concat();
    let many = vec![0x01; 1025];
    let large = vec![0x01; (8 << 20) + 1];
    for (what, body, status) in [("cut short", cut, 400), ("too many", many, 413), ("too large", large, 413)] {
        let answer = door.client.post("/v1/batches", batch::CONTENT_TYPE, &body).unwrap();
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some(problem::CONTENT_TYPE), "{what}");
        Problem::parse(&answer.body).unwrap();
        door.client = door.network.log.client();
    }
    let nothing = door.client.post("/v1/batches", batch::CONTENT_TYPE, b"").unwrap();
    assert_eq!((nothing.status, nothing.body.len()), (200, 0));
    // What was framed with the broken one was not admitted.
    let answer = door.client.get(&format!("/v1/streams?issuer={}&stream=stream-0", door.issuer.iss)).unwrap();
    assert!(answer.text().contains("\"next_seq\":0"), "{}", answer.text());
}

#[test]
fn other_types_methods_and_questions_are_refused_with_the_routes_kind_of_body() {
    let mut door = door();
    let statement = door.issuer.sign_next();
    let entry = statement.entry();
    let scrapi = problem::CONTENT_TYPE;
    let client = &mut door.client;
    let mut expect = |method: &str, path: &str, kind: Option<&str>, status: u16, body_type: &str| {
        let headers: Vec<(&str, &str)> = kind.iter().map(|kind| ("content-type", *kind)).collect();
        let body = if method == "POST" { entry } else { b"" };
        let answer = client.send(method, path, &headers, body).unwrap();
        assert_eq!(answer.status, status, "{method} {path} {kind:?}: {}", answer.text());
        let found = answer.header("content-type").unwrap_or_default().to_owned();
        assert!(found.starts_with(body_type), "{method} {path}: {found}");
        answer
    };
    expect("POST", "/entries", Some("application/json"), 415, scrapi);
    expect("POST", "/entries", None, 415, scrapi);
    expect("POST", "/entries?wait=forever", Some(COSE), 400, scrapi);
    expect("POST", "/v1/batches", Some(COSE), 415, scrapi);
    let wrong = expect("PUT", "/entries", None, 405, scrapi);
    assert!(wrong.header("allow").unwrap().contains("POST"));
    expect("GET", "/entries/1.999999", None, 404, scrapi);
    expect("GET", "/entries/nonsense", None, 404, scrapi);
    expect("GET", "/tile/0/001", None, 404, "text/plain");
    expect("GET", "/tile/0/000.p/0", None, 404, "text/plain");
    expect("GET", "/v1/proofs/inclusion?index=5", None, 400, "application/problem+json");
    expect("GET", "/v1/proofs/inclusion?index=1&size=1", None, 400, "application/problem+json");
    expect("GET", "/v1/proofs/consistency?old=0&new=1", None, 400, "application/problem+json");
    expect("GET", "/v1/streams?issuer=x&stream=y&more=z", None, 400, "application/problem+json");
    expect("GET", "/v1/proofs/inclusion?index=1&size=999999", None, 404, "application/problem+json");
    // Types compare without case, parameters are ignored.
    let accepted = client.post("/entries", "Application/COSE; cose-type=\"cose-sign1\"", entry).unwrap();
    assert_eq!(accepted.status, 303, "{}", accepted.text());
}
