//! Signatures and parsing: what each statement costs.

use criterion::{Criterion, criterion_group, criterion_main};
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::digest::Digest;
use govlog_formats::receipt::{ReceiptClaims, SignedRoot};
use govlog_formats::record::view;
use govlog_formats::search::Marks;
use govlog_formats::statement::{Claims, Content, SignedStatement, StatementHeader, content_type_of};

fn statement(key: &SigningKey) -> SignedStatement {
    let record = serde_json::json!({
        "v": 1, "event_ms": 1_700_000_000_000_u64, "decision_id": "d-1", "result": "permit",
        "subject": { "id": "spiffe://prod.example/pay" }, "action": { "name": "read" },
        "resource": { "type": "account", "id": "acct-5" },
    });
    let payload = view::from_json("decision", &record).expect("the record is one");
    let claims = Claims {
        iss: "spiffe://prod.example/pep".to_owned(),
        sub: "spiffe://prod.example/pay".to_owned(),
        aud: Some("log.example/a".to_owned()),
        iat: 1_700_000_000,
        stream: None,
        head: None,
    };
    let header = StatementHeader { content: Content::Plain(content_type_of("decision")), claims };
    SignedStatement::sign(&header, &payload, key).expect("the header is one")
}

fn statements(criterion: &mut Criterion) {
    for (name, curve) in [("Ed25519", Curve::Ed25519), ("P-256", Curve::P256), ("P-384", Curve::P384)] {
        let key = SigningKey::from_seed(curve, &vec![7; curve.secret_bytes()]).expect("a valid seed");
        let (statement, public) = (statement(&key), key.public());
        criterion.bench_function(&format!("statement: verify {name}"), |bencher| {
            bencher.iter(|| statement.verify_signature(&public))
        });
    }
    let key = SigningKey::from_seed(Curve::Ed25519, &[7; 32]).expect("a valid seed");
    let entry = statement(&key).into_entry();
    criterion.bench_function("statement: parse", |bencher| bencher.iter(|| SignedStatement::parse(&entry)));
    let statement = statement(&key);
    criterion.bench_function("statement: what it is found by", |bencher| bencher.iter(|| Marks::of(&statement)));
}

fn receipts(criterion: &mut Criterion) {
    let key = SigningKey::from_seed(Curve::P256, &[7; 32]).expect("a valid seed");
    let claims = ReceiptClaims {
        iss: "https://log.example/a".to_owned(),
        sub: "spiffe://prod.example/pay".to_owned(),
        iat: 1_700_000_000,
    };
    let root = Digest::sha256(b"root");
    criterion.bench_function("receipt: sign", |bencher| bencher.iter(|| SignedRoot::sign(&key, &claims, &root)));
}

criterion_group!(benches, statements, receipts);
criterion_main!(benches);
