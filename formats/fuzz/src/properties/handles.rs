//! Handles of credentials, and what records hold apart from plain values: sealed values, handles, links.

use govlog_formats::cbor::{self, Value};
use govlog_formats::digest::Digest;
use govlog_formats::record::handles::{
    CertificateHandles, TokenHandles, certificate_from_pem, issuance_from_certificate, jwk_thumbprint, spki_thumbprint,
};
use govlog_formats::record::sealed::Sealed;
use govlog_formats::record::view::{fill, from_json};
use govlog_formats::record::{Handle, Link, LinkTarget, Record, SchemeDigest};
use serde_json::json;

use super::{choice, chosen, world};

const CERTIFICATES: [&str; 2] =
    [include_str!("../../../tests/data/pay-1.pem"), include_str!("../../../tests/data/ledger-1.pem")];
const JWK: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

pub(super) fn check(data: &[u8]) -> bool {
    let (form, bytes) = choice(data, 6);
    match (form, std::str::from_utf8(bytes)) {
        (0, _) => certificate(bytes),
        (1, _) => certificate_from_pem(bytes).is_ok_and(|der| {
            certificate(&der);
            true
        }),
        (2, Ok(text)) => token(text),
        (3, Ok(text)) => jwk_thumbprint(text).is_ok(),
        (4, _) => spki_thumbprint(bytes).is_ok(),
        (5, _) => cbor::parse(bytes).is_ok_and(|value| values(&value)),
        _ => false,
    }
}

fn certificate(der: &[u8]) -> bool {
    let Ok(found) = CertificateHandles::from_der(der) else { return false };
    assert_eq!(found.cert_s256, Digest::sha256(der));
    // What is taken of a certificate makes a record, once its submitter has said the rest.
    let mut view = issuance_from_certificate(der).unwrap();
    let mut rest = json!({"stage": "issued", "event_ms": 1});
    if !view.contains_key("subject") {
        rest["subject"] = "spiffe://example.org/pay".into();
    }
    fill(&mut view, rest.as_object().unwrap()).unwrap();
    let record = Record::parse("issuance", &from_json("issuance", &view.into()).unwrap()).unwrap();
    assert_eq!(record.body().unwrap().handles().len(), found.handles().len());
    true
}

fn token(text: &str) -> bool {
    TokenHandles::from_compact(text).is_ok_and(|token| {
        assert_eq!(token.tok_s256, Digest::sha256(text.as_bytes()));
        assert_eq!(token.handles().len(), if token.jti_iss().is_some() { 3 } else { 2 });
        true
    })
}

/// Each form that a value has is written as it was read; a sealed value is nothing else.
fn values(value: &Value) -> bool {
    let written = |again: Value| assert_eq!(cbor::to_deterministic(&again), cbor::to_deterministic(value));
    let sealed = Sealed::from_value(value);
    let handle = Handle::from_value(value);
    let digest = SchemeDigest::from_value(value);
    assert!(sealed.is_err() || (handle.is_none() && digest.is_none()));
    let known = [
        sealed.map(|sealed| written(sealed.to_value())).is_ok(),
        handle.map(|handle| written(handle.to_value())).is_some(),
        digest.map(|digest| written(digest.to_value())).is_some(),
        LinkTarget::from_value(value).is_some_and(|read| LinkTarget::from_value(&read.to_value()) == Some(read)),
        Link::from_value(value).is_some_and(|read| Link::from_value(&read.to_value()) == Some(read)),
    ];
    known.contains(&true)
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let svid =
        include_str!("../../../tests/data/pay-jwt.json").split('"').find(|text| text.starts_with("eyJ")).unwrap();
    let digest = Digest::sha256(b"entry");
    let sealed = Sealed { digest, reference: Some(vec![1; 32]) };
    let handle = Handle::of_digest("cert_s256", &digest);
    let targets = [
        LinkTarget::Entry(digest),
        LinkTarget::Handle(handle.clone()),
        LinkTarget::LogRef { origin: world::ORIGIN.to_owned(), index: "7".parse().unwrap(), leaf: digest },
    ];
    let links = targets.map(|target| Link { rel: "caused_by".to_owned(), target }.to_value());
    let scheme = SchemeDigest { scheme: "sha256".to_owned(), bytes: vec![1; 32] };
    let mut seeds = vec![chosen(2, svid), chosen(3, JWK), chosen(4, world::p256(1).public().spki_der())];
    for text in CERTIFICATES {
        seeds.push(chosen(0, certificate_from_pem(text.as_bytes()).unwrap()));
        seeds.push(chosen(1, text));
    }
    let values = [sealed.to_value(), handle.to_value(), scheme.to_value()].into_iter().chain(links);
    seeds.extend(values.map(|value| chosen(5, cbor::to_deterministic(&value))));
    seeds
}
