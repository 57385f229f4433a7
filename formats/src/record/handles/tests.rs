use proptest::prelude::*;
use serde_json::json;
use x509_cert::der::{Decode as _, Encode as _};

use super::*;
use crate::record::view::{fill, parse_text};
use crate::record::{Record, view};

const PAY_1: &[u8] = include_bytes!("../../../tests/data/pay-1.pem");
const PAY_2: &[u8] = include_bytes!("../../../tests/data/pay-2.pem");
const LEDGER_1: &[u8] = include_bytes!("../../../tests/data/ledger-1.pem");
const AGENTBOT_1: &[u8] = include_bytes!("../../../tests/data/agentbot-1.pem");
const PAY_JWT: &str = include_str!("../../../tests/data/pay-jwt.json");
const AGENTBOT_JWT: &str = include_str!("../../../tests/data/agentbot-jwt.json");
const AKI: &str = "126ee742d256ed1d12090c5fba25f7a93b0903b8";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn leaf(pem: &[u8]) -> CertificateHandles {
    CertificateHandles::from_der(&certificate_from_pem(pem).unwrap()).unwrap()
}

#[test]
fn all_certificates_of_a_file_come_in_their_order() {
    let both = [b"text before\n".as_slice(), PAY_1, b"text between\n", PAY_2].concat();
    let found = certificates_from_pem(&both).unwrap();
    assert_eq!(found, [certificate_from_pem(PAY_1).unwrap(), certificate_from_pem(PAY_2).unwrap()]);
    let text = String::from_utf8(both.clone()).unwrap();
    let cut = text.rfind("-----END").unwrap();
    assert!(matches!(certificates_from_pem(&both[..cut]), Err(HandleError::Pem { line: 15.., .. })));
    assert!(matches!(certificates_from_pem(b"nothing"), Err(HandleError::NoCertificate(_))));
}

/// What openssl and sha256sum make of the captured certificates: file, digests of certificate, TBS, key and JWK, serial, SPIFFE ID, validity.
#[test]
fn certificates_as_captured() {
    let captured = [
        (
            PAY_1,
            "292c42db8692942a23f02804e23af6428631ef7f49c167e7f37129a3b6c8f9e9",
            "e9aa25946a8eb5746728ed47ff7d7d228f911842a393d47e774ab4ef8f4d7bcf",
            "1f8376c0a1093228e59f2f39e0ae77702f966c5468bfbc8889ad231f07eea97b",
            "393dfe4c96da31133f64b7a21c0e0650fa5cd04a3215d44ec8af93239d298182",
            "ee88e40f279f6b6a9637ce260cc498fc",
            "spiffe://prod.example/pay",
            (1_795_320_429_000, 1_795_324_039_000),
        ),
        (
            PAY_2,
            "717e7563222d33d02377e6f346b9f55bc5227ac3ea08971c5328c2a6e17f7eb8",
            "c50403bcc7864519427d2f135d6e6663c602ad21ace81ee0b303e8d15c28d329",
            "80d978871213c01479ad54268aa75482b796c825bec472a87a11b2f05ed42f2a",
            "542d42817723c9d0c4c1e9af52bd163166dc0b2ae4622eb424b67b9389f7e0d1",
            "363c4d9c2071bd3deaa1984257059851",
            "spiffe://prod.example/pay",
            (1_795_320_455_000, 1_795_322_265_000),
        ),
        (
            LEDGER_1,
            "58e1b8e0848f200e5b06dba909fd4af7aa3f1003cedfcc4282207ef48e12e945",
            "0fa064a9f7fe492450f85015300898227cc6b1481018cfd0820e65b5248bf8cc",
            "a7f94f7fcbf437c103ae5dc97960100b775b8c837c5498c0d5e016e8a8efcf62",
            "987df5dc16174036164044af043de2ccbfa90ed4886c89418c1a3540a02ecb48",
            "9dd77d0821cf819e0bfc36627163d77c",
            "spiffe://prod.example/ledger",
            (1_795_320_429_000, 1_795_324_039_000),
        ),
        (
            AGENTBOT_1,
            "2cef8c94696253c9722be56d7d3c6c7da18d7a964ec6125b7e92e337577e8ecd",
            "abf4d936d9903e614015ec48f4a146c53939e2ead8c23740193b564ccab2e901",
            "d07769ff834be87ac0798564abf9ef1b969268b7e7ae26e77e502d3833fede05",
            "7baab4b157bd653c97401b700a00d1499974f5f82b141e3fd5d5a3eb33da8612",
            "211e133b937eac6dd3244ee19ad32208",
            "spiffe://prod.example/agent/triage",
            (1_795_320_429_000, 1_795_321_339_000),
        ),
    ];
    for (pem, cert, tbs, spki, jkt, serial, spiffe_id, validity) in captured {
        let found = leaf(pem);
        assert_eq!(found.cert_s256.to_string(), cert);
        assert_eq!(found.tbs_s256.to_string(), tbs);
        assert_eq!(found.spki_s256.to_string(), spki);
        assert_eq!(found.jkt.unwrap().to_string(), jkt);
        assert_eq!(hex(&found.serial.clone().unwrap()), serial);
        assert_eq!(hex(&found.aki.clone().unwrap()), AKI);
        assert_eq!(found.spiffe_id.as_deref(), Some(spiffe_id));
        assert_eq!((found.not_before_ms, found.not_after_ms), validity);
    }
}

#[test]
fn the_tbs_digest_outlives_another_signature() {
    let mut der = certificate_from_pem(PAY_1).unwrap();
    let before = CertificateHandles::from_der(&der).unwrap();
    *der.last_mut().unwrap() ^= 1;
    let after = CertificateHandles::from_der(&der).unwrap();
    assert_ne!(before.cert_s256, after.cert_s256);
    assert_eq!((before.tbs_s256, before.spki_s256), (after.tbs_s256, after.spki_s256));
}

#[test]
fn an_issuance_is_filled_from_a_certificate() {
    let more = issuance_from_certificate(&certificate_from_pem(PAY_1).unwrap()).unwrap();
    assert_eq!(
        serde_json::Value::Object(more.clone()),
        json!({
            "v": 1,
            "credential_type": "x509",
            "subject": "spiffe://prod.example/pay",
            "not_before_ms": 1_795_320_429_000_u64,
            "not_after_ms": 1_795_324_039_000_u64,
            "handles": {
                "cert_s256": "292c42db8692942a23f02804e23af6428631ef7f49c167e7f37129a3b6c8f9e9",
                "tbs_s256": "e9aa25946a8eb5746728ed47ff7d7d228f911842a393d47e774ab4ef8f4d7bcf",
                "spki_s256": "1f8376c0a1093228e59f2f39e0ae77702f966c5468bfbc8889ad231f07eea97b",
                "jkt": "393dfe4c96da31133f64b7a21c0e0650fa5cd04a3215d44ec8af93239d298182",
                "serial_aki": [{"$bytes": "7ojkDyefa2qWN84mDMSY_A"}, {"$bytes": "Em7nQtJW7R0SCQxfuiX3qTsJA7g"}],
            },
        })
    );
    let mut record = json!({"event_ms": 5, "stage": "issued"}).as_object().unwrap().clone();
    fill(&mut record, &more).unwrap();
    let record = Record::parse("issuance", &view::from_json("issuance", &record.into()).unwrap()).unwrap();
    assert_eq!(record.body().unwrap().handles().len(), leaf(PAY_1).handles().len());
    for handle in leaf(PAY_1).handles() {
        assert!(record.body().unwrap().handles().contains(&handle), "{handle:?}");
    }
}

#[test]
fn the_example_issuance_is_that_of_the_captured_certificate() {
    let mut example = parse_text(include_str!("../../../examples/issuance.json")).unwrap().as_object().unwrap().clone();
    let before = example.clone();
    fill(&mut example, &issuance_from_certificate(&certificate_from_pem(PAY_1).unwrap()).unwrap()).unwrap();
    assert_eq!(example, before);
}

#[test]
fn pem_text_with_a_chain_gives_the_leaf() {
    let text = |parts: &[&[u8]]| parts.concat();
    let der = certificate_from_pem(PAY_1).unwrap();
    assert_eq!(certificate_from_pem(&text(&[PAY_1, LEDGER_1])).unwrap(), der);
    assert_eq!(certificate_from_pem(&text(&[b"subject=pay\n\n", PAY_1])).unwrap(), der);
    let key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert_eq!(certificate_from_pem(&text(&[key, PAY_1])).unwrap(), der);
    let crlf = String::from_utf8(PAY_1.to_vec()).unwrap().replace('\n', "\r\n");
    assert_eq!(certificate_from_pem(crlf.as_bytes()).unwrap(), der);
}

#[test]
fn a_public_key_has_the_handles_that_its_certificate_has() {
    let found = leaf(PAY_1);
    let der = certificate_from_pem(PAY_1).unwrap();
    let certificate = x509_cert::Certificate::from_der(&der).unwrap();
    let spki = certificate.tbs_certificate().subject_public_key_info().to_der().unwrap();
    let pem = x509_cert::der::pem::encode_string("PUBLIC KEY", x509_cert::der::pem::LineEnding::LF, &spki).unwrap();
    let handles = key_handles(&public_key_from_pem(pem.as_bytes()).unwrap()).unwrap();
    assert_eq!(handles[0], crate::record::Handle::of_digest("spki_s256", &found.spki_s256));
    assert_eq!(handles[1].digest(), found.jkt);
    assert!(matches!(public_key_from_pem(PAY_1), Err(HandleError::NoPublicKey(found)) if found == ["CERTIFICATE"]));
    assert!(key_handles(b"nothing").is_err());
}

#[test]
fn pem_refusals_say_what_is_there_instead() {
    let said = |text: &[u8]| certificate_from_pem(text).unwrap_err().to_string();
    assert!(said(b"").ends_with("found none"));
    assert!(said(b"-----BEGIN PRIVATE KEY-----\nAAAA\n").ends_with("found PRIVATE KEY"));
    assert!(said(&certificate_from_pem(PAY_1).unwrap()).ends_with("found none"));
    assert_eq!(
        said(b"\n-----BEGIN CERTIFICATE-----\nAAAA\n"),
        "the PEM block at line 2 is broken: the line -----END CERTIFICATE----- is missing"
    );
    assert!(said(b"-----BEGIN CERTIFICATE-----\nA*AA\n-----END CERTIFICATE-----\n").contains("line 1 is broken"));
    assert!(said(&vec![b'x'; MAX_BYTES + 1]).contains("should be at most 65535"));
}

#[test]
fn certificates_that_are_none_are_refused() {
    let der = certificate_from_pem(PAY_1).unwrap();
    let cut = der.len() - 1;
    let longer = [&der[..], &[0]].concat();
    for bytes in [&der[..cut], &longer, &[], &[0x30, 0], PAY_1] {
        assert!(
            matches!(CertificateHandles::from_der(bytes), Err(HandleError::Certificate(_))),
            "{} bytes",
            bytes.len()
        );
    }
    assert_eq!(CertificateHandles::from_der(&[0; MAX_BYTES + 1]), Err(HandleError::TooLong(MAX_BYTES + 1)));
}

/// Puts another URI of the same length into a captured certificate; its signature no longer fits, which nothing here looks at.
fn with_uri(uri: &str) -> Result<CertificateHandles, HandleError> {
    let mut der = certificate_from_pem(PAY_1).unwrap();
    let old = b"spiffe://prod.example/pay";
    let at = der.windows(old.len()).position(|window| window == old).unwrap();
    der[at..at + old.len()].copy_from_slice(uri.as_bytes());
    CertificateHandles::from_der(&der)
}

#[test]
fn the_uri_is_a_spiffe_id_of_a_workload() {
    assert_eq!(with_uri("spiffe://prod.example/p_y").unwrap().spiffe_id.as_deref(), Some("spiffe://prod.example/p_y"));
    for uri in [
        "https:///prod.example/pay",
        "spiffe://prod.example////",
        "spiffe://prod.example/pa/",
        "spiffe://prod.example/./y",
        "spiffe://prod.exampl/x/..",
        "spiffe://Prod.example/pay",
        "spiffe://prod.example:/pa",
        "spiffe://prod.example?/pa",
        "spiffe://prod.example/p%y",
        "spiffe://prod.example-pay",
        "spiffe:///prod.example/pa",
    ] {
        assert_eq!(with_uri(uri), Err(HandleError::SpiffeId(uri.to_owned())));
    }
}

/// Tokens as captured; digests by sha256sum, claims by base64 and eye.
#[test]
fn tokens_as_captured() {
    let captured = [
        (
            PAY_JWT,
            "deeda1bda05beb8674d6069e46801dbe65c235658c785b0938127f7444c70e8c",
            "a78e7b0cc539bb5b5a7c19a44befa3054d112e4860c201ce3ff19c41f0ec1ac8",
            "spiffe://prod.example/pay",
            1_795_320_740_000,
        ),
        (
            AGENTBOT_JWT,
            "78d33f2a991621c359b0e524d5722d2c044f117036c305e39bb46301f2c0f538",
            "561d2eaf5ccb7a9da10458c48bc72b24c7ca033d4140c999ff534c099049ea40",
            "spiffe://prod.example/agent/triage",
            1_795_320_560_000,
        ),
    ];
    for (capture, token, input, sub, exp_ms) in captured {
        let found = TokenHandles::from_compact(&captured_token(capture)).unwrap();
        assert_eq!(found.tok_s256.to_string(), token);
        assert_eq!(found.jws_input_s256.to_string(), input);
        assert_eq!(found.sub.as_deref(), Some(sub));
        assert_eq!(found.iss.as_deref(), Some("https://oidc.prod.example"));
        assert_eq!(found.aud, ["ledger.prod.example"]);
        assert_eq!((found.exp_ms, found.iat_ms), (Some(exp_ms), Some(1_795_320_440_000)));
        assert_eq!(found.kid.as_deref(), Some("Mg9mvyfmNgDbvLzKIfc5g9Ehe7m1RbCg"));
        assert_eq!(found.typ.as_deref(), Some("JWT"));
        assert_eq!((found.jti.as_deref(), found.jti_iss()), (None, None));
        assert_eq!(found.handles().len(), 2);
    }
}

fn captured_token(capture: &str) -> String {
    parse_text(capture).unwrap()[0]["svids"][0]["svid"].as_str().unwrap().to_owned()
}

fn token(header: &str, claims: &str) -> String {
    let part = |text: &str| crate::base64::encode_url(text.as_bytes());
    format!("{}.{}.{}", part(header), part(claims), part("signature"))
}

#[test]
fn tokens_with_an_id_have_it_scoped_to_their_issuer() {
    let found = TokenHandles::from_compact(&token("{}", r#"{"jti":"j","iss":"i","aud":"one","exp":1.5}"#)).unwrap();
    assert_eq!(found.jti_iss(), Some(("j", "i")));
    assert_eq!(found.aud, ["one"]);
    assert_eq!((found.exp_ms, found.iat_ms), (Some(1500), None));
    let handle = found.handles().pop().unwrap();
    assert_eq!((handle.name.as_str(), handle.value.as_array().unwrap().len()), ("jti_iss", 2));
}

#[test]
fn tokens_that_are_none_are_refused() {
    let cases = [
        (String::new(), "1 parts between dots"),
        ("a.b".to_owned(), "2 parts between dots"),
        ("a.b.c.d".to_owned(), "4 parts between dots"),
        ("e30.e30.=".to_owned(), "the token's signature is not base64url"),
        ("e30.e3.".to_owned(), "the token's payload is not base64url"),
        ("+.e30.".to_owned(), "the token's header is not base64url"),
        (token("[]", "{}"), "header: not a JSON object"),
        (token("{}", "5"), "payload: not a JSON object"),
        (token("{}", "{\"sub\":1}"), "sub: a string is needed"),
        (token("{}", "{\"aud\":[1]}"), "aud: a string or a list of strings is needed"),
        (token("{}", "{\"exp\":\"1\"}"), "exp: a number of seconds, 0 or more is needed"),
        (token("{}", "{\"exp\":-1}"), "exp: a number of seconds"),
        (token("{}", "{\"iat\":1e300}"), "iat: a number of seconds"),
        (token("{}", "{\"iat\":18446744073709551615}"), "iat: a number of seconds"),
        (token("{}", "{\"sub\":\"a\",\"sub\":\"b\"}"), "stands twice"),
        ("x".repeat(MAX_BYTES + 1), "should be at most 65535"),
    ];
    for (token, expected) in cases {
        let said = TokenHandles::from_compact(&token).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
}

/// RFC 7638 §3.1.
#[test]
fn thumbprint_of_the_rfc() {
    let jwk = r#"{"kty":"RSA",
        "n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e":"AQAB", "alg":"RS256", "kid":"2011-04-29"}"#;
    assert_eq!(url(jwk_thumbprint(jwk).unwrap()), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

/// RFC 8037 A.3.
#[test]
fn thumbprint_of_an_okp_key() {
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    assert_eq!(url(jwk_thumbprint(jwk).unwrap()), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

/// The key of the captured tokens' issuer; the thumbprint was computed with another implementation.
#[test]
fn thumbprint_of_the_captured_ec_key() {
    let bundle = parse_text(PAY_JWT).unwrap()[1]["bundles"]["spiffe://prod.example"].as_str().unwrap().to_owned();
    let bundle = String::from_utf8(crate::base64::decode(&bundle).unwrap()).unwrap();
    let jwk = parse_text(&bundle).unwrap()["keys"][0].to_string();
    assert_eq!(
        jwk_thumbprint(&jwk).unwrap().to_string(),
        "192b24c7968e2e41d759ef28259de23cac1a3dc794e37a29dd43563398715778"
    );
}

/// Keys made by openssl, thumbprints by another implementation.
#[test]
fn thumbprints_of_other_keys_in_der() {
    let cases = [
        (
            "MCowBQYDK2VwAyEA0bAPw_ebjxrG8fGYxcs2RsAbzGKV9OsLZcw2eIf9Lek",
            "06f120d34508e037a5039f63e70b7505c4a426f595ea8858406e345b1833b9b5",
        ),
        (
            "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE7dGyFmIbQYnDbFnR5o2TPfc_0YpUyX5ux6Z5a7cptRWTjhU5DkWdxsTeRNtDdSFF7GQGd9JcKoQixPlE9KG0s_8S_oSpHcmpXRjzotGegkXB2-_Tx6k-T_QdPi_oOBnb",
            "3a0f724ed4316036c11ae5110d2711938ff96a30d7622cc7b3329f1750829aaf",
        ),
        (
            "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQB3Gr_SDIKtnpocWSAo7HEakCYbpwoFxAe-chGYTiViq0t1PJBCQYGj4qhGuyQQY3e1W5LEfXbvDG2sACdzgUGpF8BDCrfCoZ80veirq3anuHV7x_gIQ5E42NX5yhym9uO4ngmQIE9siQo8mpW4wlR3u3UJi-dPUDZqk88SaEIRK9qgHs",
            "1aab4e80c1b4e497c18af46c9f72f50c57597a72399f3890bf94c31d4094dbed",
        ),
        (
            "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAlxJJSkhlZ47BTk9CGZC7YrFNdLkgr_xOQGtJvbo4VWMgV3d2E0BL72JRVzxvLmGsnKThY3CD_IY_Bt3a-leiulwy0MlNKYqTAkVDWNl-EY7LZI5RozRW4CAjJTluhFkcIRJVhdAEL29sAeqm-AJjT-U6o4dE4MCz1Fg7r_CC_x0u1hDJsxv6c9wn16nnLBEglA1iY7jO2FOAQc6Vj1UYwYHv8TByinB-pn4Q1y1uyCNGLtbmWVOCScXK4J0l2UkI8GiXTGW3MzuwNVJ5kBM8mHetrzPAM_RTNp_SnMmoqRm4vUYrVLR9I4VlQhRnRdKeMfgIofGUpk5VydsI2chZgwIDAQAB",
            "2568573ce7d29b869ffbf07f23f20112f7d11d54442b438863077fc4446e136a",
        ),
    ];
    for (spki, thumbprint) in cases {
        let der = crate::base64::decode_url(spki).unwrap();
        assert_eq!(spki_thumbprint(&der).unwrap().to_string(), thumbprint);
    }
}

fn url(digest: crate::digest::Digest) -> String {
    crate::base64::encode_url(digest.as_bytes())
}

#[test]
fn keys_without_a_thumbprint_are_refused() {
    let cases = [
        ("5", "a JWK is a JSON object"),
        ("{", "key: "),
        ("{}", "kty: a string is needed"),
        (r#"{"kty":"oct","k":"AA"}"#, "a key of type \"oct\""),
        (r#"{"kty":"OKP","crv":"Ed25519"}"#, "x: a string is needed"),
        (r#"{"kty":"OKP","crv":"Ed25519","x":"A="}"#, "x: base64url without padding is needed"),
        (r#"{"kty":"OKP","crv":"Ed25519","x":""}"#, "x: base64url without padding is needed"),
        (r#"{"kty":"EC","crv":"P-256","x":"AA","y":5}"#, "y: a string is needed"),
    ];
    for (jwk, expected) in cases {
        let said = jwk_thumbprint(jwk).unwrap_err().to_string();
        assert!(said.contains(expected), "{jwk}: {said}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in ".{0,300}") {
        let _ = CertificateHandles::from_der(&bytes);
        let _ = certificate_from_pem(&bytes);
        let _ = spki_thumbprint(&bytes);
        let _ = TokenHandles::from_compact(&text);
        let _ = jwk_thumbprint(&text);
        let _ = certificate_from_pem(text.as_bytes());
    }

    #[test]
    fn no_altered_certificate_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut der = certificate_from_pem(AGENTBOT_1).unwrap();
        for (at, byte) in changes {
            *at.get_mut(&mut der) = byte;
        }
        let _ = CertificateHandles::from_der(&der);
        let _ = issuance_from_certificate(&der);
    }

    #[test]
    fn no_altered_pem_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut pem = PAY_1.to_vec();
        for (at, byte) in changes {
            *at.get_mut(&mut pem) = byte;
        }
        let _ = certificate_from_pem(&pem);
    }

    #[test]
    fn no_altered_token_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), "[A-Za-z0-9._-]"), 1..6)) {
        let mut token = captured_token(PAY_JWT).into_bytes();
        for (at, byte) in changes {
            *at.get_mut(&mut token) = byte.as_bytes()[0];
        }
        let _ = TokenHandles::from_compact(std::str::from_utf8(&token).unwrap());
    }

    #[test]
    fn tokens_of_any_json_never_panic(header in r#"\{("(kid|typ)":("a"|1|null|\[\]),?){0,2}\}"#, claims in r#"\{("(aud|exp|sub)":("a"|1|-1|1e9|\["b",2\]),?){0,3}\}"#) {
        let _ = TokenHandles::from_compact(&token(&header, &claims));
    }
}

/// The bundle of the captured SPIRE server: one authority, one JWT key.
#[test]
fn an_authority_shows_its_key_and_the_id_that_certificates_name_it_by() {
    let bundle: serde_json::Value = serde_json::from_str(include_str!("../../../tests/data/bundle.json")).unwrap();
    let [authority, jwt] = bundle["keys"].as_array().unwrap().as_slice() else { panic!("two keys") };
    let der = crate::base64::decode(authority["x5c"][0].as_str().unwrap()).unwrap();
    let found = AuthorityHandles::from_der(&der).unwrap();
    assert_eq!(found.key_id.as_deref().map(hex).as_deref(), Some(AKI));
    assert_eq!(leaf(PAY_1).aki, found.key_id);
    assert_eq!(found.spki_s256, crate::digest::Digest::sha256(&jwk_spki(authority).unwrap()));
    assert_eq!((found.not_before_ms, found.not_after_ms), (1_795_320_424_000, 1_795_406_834_000));
    assert_eq!(spki_thumbprint(&jwk_spki(jwt).unwrap()), jwk_thumbprint(&jwt.to_string()));
    assert!(AuthorityHandles::from_der(&der[1..]).is_err());
    let other = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"});
    assert_eq!((jwk_spki(&other), jwk_spki(&json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}))), (None, None));
}
