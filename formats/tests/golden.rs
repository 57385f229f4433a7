//! One frozen statement of each kind and format version, and one of each further curve, which every later version must read as this one does.
//!
//! `golden/v1/<kind>.cose` are statements as they are logged, `golden/v1/index.json` says what each is: leaf hash, digest of the
//! Sig_structure, JSON view, and the public key where it is not the common one. A new kind gets its file by
//! `GOVLOG_MAKE_GOLDEN=1 cargo test -p govlog-formats --test golden`, which writes what is absent and never touches what is there; the digest
//! of the index below is then to be changed by hand.
#![expect(clippy::disallowed_methods, reason = "the files are compared, not read by the crate")]
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test")]

use govlog_formats::admission::PolicyState;
use govlog_formats::cose::{Curve, PublicKey, SigningKey};
use govlog_formats::digest::Digest;
use govlog_formats::record::{self, KINDS, Record, default_subject, example, view};
use govlog_formats::statement::{Claims, Content, SignedStatement, StatementHeader, StreamPosition, content_type_of};
use serde_json::{Map, Value, json};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v1");

/// SHA-256 of the index: it, and so everything it speaks of, stays as it is.
const INDEX: &str = "162f76ebad556bb28cc0d4e16fe74a3b912bcfdcaeba0d0b2ed538de68ef8e56";

const ORIGIN: &str = "log.example.org/2026";

/// The files: name, kind, curve of the key.
fn files() -> impl Iterator<Item = (&'static str, &'static str, Curve)> {
    let curves = [("decision-es256", "decision", Curve::P256), ("decision-es384", "decision", Curve::P384)];
    KINDS.into_iter().map(|kind| (kind, kind, Curve::Ed25519)).chain(curves)
}

/// A key of the examples, and of nothing else.
fn key(curve: Curve) -> SigningKey {
    let mut seed = Digest::sha256(b"govlog golden files").as_bytes().to_vec();
    seed.resize(curve.secret_bytes(), 0);
    SigningKey::from_seed(curve, &seed).unwrap()
}

fn index() -> Map<String, Value> {
    serde_json::from_slice(&std::fs::read(format!("{FOLDER}/index.json")).unwrap()).unwrap()
}

#[test]
fn what_was_frozen_is_read_as_ever() {
    make_what_is_absent();
    let index = index();
    let statements = index["statements"].as_object().unwrap();
    for (name, kind, curve) in files() {
        let frozen = statements.get(name).unwrap_or_else(|| panic!("{name} has no golden file"));
        let entry = std::fs::read(format!("{FOLDER}/{name}.cose")).unwrap();
        let statement = SignedStatement::parse_entry(&entry).unwrap();
        let pem = frozen.get("public_key").unwrap_or(&index["public_key"]);
        let key = PublicKey::from_spki_pem(pem.as_str().unwrap()).unwrap();
        assert_eq!(key.curve(), curve, "{name}");
        statement.verify_signature(&key).unwrap();
        assert_eq!(statement.entry(), entry, "{name}");
        assert_eq!(statement.content_type(), content_type_of(kind), "{name}");
        assert_eq!(frozen["leaf"], statement.leaf_hash().to_string(), "{name}");
        assert_eq!(frozen["sig_structure"], statement.sig_structure_digest().to_string(), "{name}");
        assert_eq!(frozen["view"], view::to_json(kind, statement.payload()).unwrap(), "{name}");
        assert_eq!(view::from_json(kind, &frozen["view"]).unwrap(), statement.payload(), "{name}");
        assert_eq!(Record::parse(kind, statement.payload()).unwrap().kind(), kind);
    }
    assert_eq!(std::fs::read_dir(FOLDER).unwrap().count(), statements.len() + 1, "a file that nobody reads");
}

#[test]
fn the_index_is_as_it_was_frozen() {
    make_what_is_absent();
    let index = std::fs::read(format!("{FOLDER}/index.json")).unwrap();
    assert_eq!(Digest::sha256(&index).to_string(), INDEX);
}

#[test]
fn the_frozen_admission_policy_begins_a_log() {
    make_what_is_absent();
    let entry = std::fs::read(format!("{FOLDER}/admission-policy.cose")).unwrap();
    let state = PolicyState::genesis(&SignedStatement::parse_entry(&entry).unwrap()).unwrap();
    assert_eq!(state.origin(), ORIGIN);
}

/// Writes the files that are absent, where that is asked for.
fn make_what_is_absent() {
    static MADE: std::sync::Once = std::sync::Once::new();
    if std::env::var_os("GOVLOG_MAKE_GOLDEN").is_some() {
        MADE.call_once(make);
    }
}

fn make() {
    std::fs::create_dir_all(FOLDER).unwrap();
    let pem = key(Curve::Ed25519).public().to_spki_pem();
    let mut index = if std::fs::exists(format!("{FOLDER}/index.json")).unwrap() {
        index()
    } else {
        Map::from_iter([("public_key".to_owned(), json!(pem)), ("statements".to_owned(), json!({}))])
    };
    assert_eq!(index["public_key"], pem);
    for (name, kind, curve) in files() {
        let path = format!("{FOLDER}/{name}.cose");
        if std::fs::exists(&path).unwrap() {
            continue;
        }
        let key = key(curve);
        let statement = statement(kind, &key);
        std::fs::write(&path, statement.entry()).unwrap();
        index["statements"][name] = json!({
            "leaf": statement.leaf_hash().to_string(),
            "sig_structure": statement.sig_structure_digest().to_string(),
            "view": view::to_json(kind, statement.payload()).unwrap(),
        });
        if curve != Curve::Ed25519 {
            index["statements"][name]["public_key"] = json!(key.public().to_spki_pem());
        }
    }
    let text = serde_json::to_string_pretty(&Value::Object(index)).unwrap() + "\n";
    std::fs::write(format!("{FOLDER}/index.json"), text).unwrap();
}

fn statement(kind: &str, key: &SigningKey) -> SignedStatement {
    let mut fields = view::parse_text(example(kind).unwrap()).unwrap();
    let place =
        |stream: &str| Some(StreamPosition { stream: stream.to_owned(), seq: 0, prev: Digest::from_bytes([0; 32]) });
    let (iss, sub, stream) = match kind {
        "admission-policy" => {
            // Entry 0 names the key that signs it.
            let x = govlog_formats::base64::encode_url(key.public().ed25519_bytes().unwrap());
            fields["operators"] = json!([{ "kty": "OKP", "crv": "Ed25519", "x": x }]);
            (format!("https://{ORIGIN}/operator"), ORIGIN.to_owned(), place("admission"))
        }
        "stream" | "gap" | "quarantine" => {
            let stream = "opa-5f0c1be2a94d47d1";
            ("spiffe://prod.example/log-agent".to_owned(), stream.to_owned(), place(stream))
        }
        _ => ("spiffe://prod.example/pep/envoy".to_owned(), subject(kind, &fields), None),
    };
    let iat = i64::try_from(fields["event_ms"].as_u64().unwrap() / 1000).unwrap();
    let payload = view::from_json(kind, &fields).unwrap();
    let claims = Claims { iss, sub, aud: Some(ORIGIN.to_owned()), iat, stream, head: None };
    let header = StatementHeader { content: Content::Plain(content_type_of(kind)), claims };
    SignedStatement::sign(&header, &payload, key).unwrap()
}

fn subject(kind: &str, fields: &Value) -> String {
    let record = record::Record::parse(kind, &view::from_json(kind, fields).unwrap()).unwrap();
    default_subject(&record).unwrap_or_else(|| "spiffe://prod.example/pay".to_owned())
}
