//! What a person's words stand for, by their form alone.

use std::path::{Path, PathBuf};

use ciborium::Value;
use govlog_formats::base64;
use govlog_formats::digest::Digest;
use govlog_formats::entry_id::EntryId;
use govlog_formats::record::{Handle, SchemeDigest};

use super::ResolveError;

/// What words stand for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// An entry of the log.
    Entry(EntryId),
    /// An entry of the log, by its leaf hash.
    Leaf(Digest),
    /// A handle, written out.
    Handle(Handle),
    /// A SPIFFE ID or another URI.
    Uri(String),
    /// A file.
    File(PathBuf),
    /// What stands on stdin.
    Stdin,
}

/// The handles whose value is a digest of 32 bytes.
const DIGESTS: [&str; 8] =
    ["cert_s256", "tbs_s256", "spki_s256", "tok_s256", "jws_input_s256", "jkt", "entry_digest", "op_digest"];

/// The handles whose value is a digest beside its algorithm.
const SCHEME_DIGESTS: [&str; 4] = ["policy_digest", "bundle_digest", "schema_digest", "entities_digest"];

/// Tells the forms apart; the first that fits is meant. `pdp`: who issued a decision that is named by its id alone.
pub(super) fn read(text: &str, pdp: Option<&str>, is_file: impl Fn(&Path) -> bool) -> Result<Said, ResolveError> {
    if text == "-" {
        return Ok(Said::Stdin);
    }
    if looks_like_token(text) {
        return Err(ResolveError::TokenOnCommandLine);
    }
    if let Ok(id) = text.parse() {
        return Ok(Said::Entry(id));
    }
    if let Some((name, value)) = text.split_once(':')
        && let Some(said) = prefixed(name, value, text, pdp)
    {
        return said;
    }
    if text.contains("://") || text.starts_with("urn:") {
        return Ok(Said::Uri(text.to_owned()));
    }
    if is_file(Path::new(text)) {
        return Ok(Said::File(PathBuf::from(text)));
    }
    if Digest::from_hex_lenient(text).is_ok() {
        return Err(ResolveError::BareDigest(text.to_owned()));
    }
    match pdp {
        Some(pdp) => Ok(Said::Handle(decision(text, pdp))),
        None => Err(ResolveError::NotUnderstood(text.to_owned())),
    }
}

/// Reads `name:value` where the name is one that says what the value is; `None` for any other name.
fn prefixed(name: &str, value: &str, text: &str, pdp: Option<&str>) -> Option<Result<Said, ResolveError>> {
    let wrong = |expected: &'static str| ResolveError::Value { text: text.to_owned(), expected };
    let handle = |value: Value| Said::Handle(Handle { name: name.to_owned(), value });
    Some(match name {
        "leaf" => digest(value).map(Said::Leaf).ok_or_else(|| wrong(DIGEST)),
        name if DIGESTS.contains(&name) => {
            digest(value).map(|digest| Said::Handle(Handle::of_digest(name, &digest))).ok_or_else(|| wrong(DIGEST))
        }
        // A digest that says its algorithm and nothing else is a policy's: every other one has its name in front.
        "sha256" => scheme_digest(text)
            .map(|value| Said::Handle(Handle { name: "policy_digest".to_owned(), value }))
            .ok_or_else(|| wrong(SCHEMED)),
        name if SCHEME_DIGESTS.contains(&name) => scheme_digest(value).map(handle).ok_or_else(|| wrong(SCHEMED)),
        "serial_aki" => pair(value)
            .and_then(|(serial, aki)| Some(vec![Value::Bytes(without_zeros(hex(serial)?)), Value::Bytes(hex(aki)?)]))
            .map(|parts| handle(Value::Array(parts)))
            .ok_or_else(|| wrong("serial number and authority key id, both hex, as serial_aki:1F2E,126E…")),
        "jti_iss" => pair(value)
            .map(|(jti, iss)| handle(Value::Array(vec![jti.into(), iss.into()])))
            .ok_or_else(|| wrong("the token's id and its issuer, as jti_iss:ID,ISSUER")),
        "attested" => pair(value)
            .map(|(subject, verifier)| handle(Value::Array(vec![subject.into(), verifier.into()])))
            .ok_or_else(|| wrong("the attested party and who judged its evidence, as attested:SPIFFE-ID,SPIFFE-ID")),
        "key_iss" => pair(value)
            .map(|(key_id, iss)| handle(Value::Array(vec![key_id_of(key_id), iss.into()])))
            .ok_or_else(|| wrong("the key's id and who signs with it, as key_iss:126E…,spiffe://DOMAIN")),
        "dec" => match pdp {
            Some(pdp) if !value.is_empty() => Ok(Said::Handle(decision(value, pdp))),
            _ => Err(ResolveError::NoPdp(value.to_owned())),
        },
        _ => return None,
    })
}

const DIGEST: &str = "a digest: 64 hex digits, or 43 characters of base64url";
const SCHEMED: &str = "a digest in hex with its algorithm, as sha256:9f86…";

pub(super) fn decision(id: &str, pdp: &str) -> Handle {
    Handle { name: "dec".to_owned(), value: Value::Array(vec![pdp.into(), id.into()]) }
}

/// Says whether text is the compact form of a signed token: such text is never repeated to anybody.
fn looks_like_token(text: &str) -> bool {
    text.starts_with("eyJ") && text.split('.').count() == 3
}

/// Reads a digest as people copy it: hex, or the base64url of JOSE.
fn digest(text: &str) -> Option<Digest> {
    let base64url = || base64::decode_url(text).ok().and_then(|bytes| Digest::from_slice(&bytes));
    Digest::from_hex_lenient(text).ok().or_else(base64url)
}

/// Reads `scheme:hex`; without a scheme it is `sha256`.
fn scheme_digest(text: &str) -> Option<Value> {
    let (scheme, digits) = text.split_once(':').unwrap_or(("sha256", text));
    let bytes = hex(digits).filter(|bytes| scheme != "sha256" || bytes.len() == Digest::LEN)?;
    (!scheme.is_empty()).then(|| SchemeDigest { scheme: scheme.to_owned(), bytes }.to_value())
}

fn pair(text: &str) -> Option<(&str, &str)> {
    text.split_once(',').filter(|(one, other)| !one.is_empty() && !other.is_empty())
}

/// Reads a key's id: of an authority 20 bytes in hex, as certificates have it; else text, as tokens do.
fn key_id_of(text: &str) -> Value {
    hex(text).filter(|bytes| bytes.len() == 20).map_or_else(|| text.into(), Value::Bytes)
}

/// Reads hex of either case, with or without colons; at least one byte.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| *c != ':')
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    (rest.is_empty() && !pairs.is_empty()).then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

fn without_zeros(bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count().min(bytes.len().saturating_sub(1));
    bytes.into_iter().skip(zeros).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "292c42db8692942a23f02804e23af6428631ef7f49c167e7f37129a3b6c8f9e9";

    fn read_here(text: &str, pdp: Option<&str>) -> Result<Said, ResolveError> {
        read(text, pdp, |path| path == Path::new("here.pem"))
    }

    fn handle(text: &str) -> Handle {
        match read_here(text, Some("https://pdp.example")).unwrap() {
            Said::Handle(handle) => handle,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_form_is_taken_for_what_it_is() {
        assert_eq!(read_here("1.57", None).unwrap(), Said::Entry("1.57".parse().unwrap()));
        assert_eq!(read_here("-", None).unwrap(), Said::Stdin);
        assert_eq!(read_here("here.pem", None).unwrap(), Said::File("here.pem".into()));
        assert_eq!(
            read_here("spiffe://prod.example/pay", None).unwrap(),
            Said::Uri("spiffe://prod.example/pay".into())
        );
        assert_eq!(read_here("urn:agent:7", None).unwrap(), Said::Uri("urn:agent:7".into()));
        let digest: Digest = HEX.parse().unwrap();
        assert_eq!(read_here(&format!("leaf:{HEX}"), None).unwrap(), Said::Leaf(digest));
        assert_eq!(handle(&format!("cert_s256:{HEX}")), Handle::of_digest("cert_s256", &digest));
        let colons: Vec<String> =
            HEX.as_bytes().chunks(2).map(|two| String::from_utf8_lossy(two).to_uppercase()).collect();
        assert_eq!(handle(&format!("tbs_s256:{}", colons.join(":"))).digest(), Some(digest));
        assert_eq!(handle(&format!("jkt:{}", base64::encode_url(digest.as_bytes()))).digest(), Some(digest));
        let policy = SchemeDigest { scheme: "sha256".into(), bytes: digest.as_bytes().to_vec() }.to_value();
        assert_eq!(handle(&format!("sha256:{HEX}")), Handle { name: "policy_digest".into(), value: policy.clone() });
        for name in SCHEME_DIGESTS {
            let expected = Handle { name: name.to_owned(), value: policy.clone() };
            assert_eq!(handle(&format!("{name}:{HEX}")), expected);
            assert_eq!(handle(&format!("{name}:sha256:{HEX}")), expected);
        }
        let other = SchemeDigest { scheme: "cedar-1".into(), bytes: vec![0x1f, 0x2e] }.to_value();
        assert_eq!(handle("entities_digest:cedar-1:1f2e").value, other);
        assert_eq!(
            handle("serial_aki:00:1f,126e").value,
            Value::Array(vec![Value::Bytes(vec![0x1f]), Value::Bytes(vec![0x12, 0x6e])])
        );
        assert_eq!(
            handle("jti_iss:j-1,https://idp.example").value,
            Value::Array(vec!["j-1".into(), "https://idp.example".into()])
        );
        let (agent, server) = ("spiffe://prod.example/spire/agent/x509pop/1", "spiffe://prod.example/spire/server");
        let attested = handle(&format!("attested:{agent},{server}"));
        assert_eq!(attested.value, Value::Array(vec![agent.into(), server.into()]));
        let keys = [("00".repeat(20), Value::Bytes(vec![0; 20])), ("1f2e".to_owned(), "1f2e".into())];
        for (text, key_id) in keys {
            let expected = Value::Array(vec![key_id, "spiffe://prod.example".into()]);
            assert_eq!(handle(&format!("key_iss:{text},spiffe://prod.example")).value, expected);
        }
        let dec = Value::Array(vec!["https://pdp.example".into(), "d-1".into()]);
        assert_eq!(handle("d-1"), Handle { name: "dec".into(), value: dec.clone() });
        assert_eq!(handle("dec:d-1").value, dec);
    }

    #[test]
    fn what_could_mean_several_things_is_not_guessed() {
        assert!(matches!(read_here(HEX, Some("pdp")), Err(ResolveError::BareDigest(_))));
        assert!(matches!(read_here("d-1", None), Err(ResolveError::NotUnderstood(_))));
        assert!(matches!(read_here("dec:d-1", None), Err(ResolveError::NoPdp(_))));
        for text in [
            "cert_s256:12",
            "sha256:12",
            "leaf:",
            "serial_aki:1f",
            "jti_iss:a,",
            "policy_digest::12",
            "schema_digest:12",
            "serial_aki:1,2",
        ] {
            assert!(matches!(read_here(text, None), Err(ResolveError::Value { .. })), "{text}");
        }
    }

    #[test]
    fn a_token_on_the_command_line_is_refused_and_not_repeated() {
        let error = read_here("eyJhbGciOiJub25lIn0.eyJzdWIiOiJzZWNyZXQifQ.c2ln", None).unwrap_err();
        assert!(matches!(error, ResolveError::TokenOnCommandLine));
        assert!(!error.to_string().contains("eyJ"));
    }
}
