//! Tests of what a proxy says of its client.

use proptest::prelude::*;

use super::*;

const ENVOY: &str = "spiffe://prod.example/pep/envoy";
const PAY: &str = "spiffe://prod.example/pay";
const HASH: &str = "292c42db8692942a23f02804e23af6428631ef7f49c167e7f37129a3b6c8f9e9";
const FORGED: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

fn element(by: &str, hash: &str, uri: &str) -> String {
    format!("By={by};Hash={hash};Subject=\"O=SPIRE,C=US\";URI={uri}")
}

fn read(values: &[&str]) -> Result<Client, Unknown> {
    client_of(values, &["https://other.example".to_owned(), ENVOY.to_owned()])
}

fn pay() -> Client {
    Client { cert_s256: HASH.parse().unwrap(), uri: Some(PAY.to_owned()), by: ENVOY.to_owned() }
}

#[track_caller]
fn malformed(value: &str) {
    assert!(matches!(read(&[value]), Err(Unknown::Malformed(_))), "{value}: {:?}", read(&[value]));
}

#[test]
fn a_trusted_proxy_names_its_client() {
    assert_eq!(read(&[&element(ENVOY, HASH, PAY)]), Ok(pay()));
    let upper = element(ENVOY, &HASH.to_uppercase(), PAY).replace("By", "bY").replace("URI", "uri");
    assert_eq!(read(&[&upper]), Ok(pay()));
    let quoted =
        format!("Cert=\"x%0A,;=\";DNS=a;URI=\"{PAY}\";Hash=\"{HASH}\";Subject=\"CN=\\\"a\\\"\";By=\"{ENVOY}\"");
    assert_eq!(read(&[&quoted]), Ok(pay()));
    assert_eq!(read(&[&format!(" {} ", element(ENVOY, HASH, PAY))]), Ok(pay()));
}

#[test]
fn the_last_element_counts_wherever_it_stands() {
    let last = element(ENVOY, HASH, PAY);
    let before = element(ENVOY, FORGED, "spiffe://prod.example/admin");
    assert_eq!(read(&[&format!("{before},{last}")]), Ok(pay()));
    assert_eq!(read(&[&format!("{before} , {last}")]), Ok(pay()));
    assert_eq!(read(&[&before, &last]), Ok(pay()));
    // A proxy further away may have several names.
    assert_eq!(read(&[&format!("{before};By=a,{last}")]), Ok(pay()));
    let untrusted = element("spiffe://prod.example/evil", FORGED, PAY);
    assert_eq!(read(&[&format!("{last},{untrusted}")]), Err(Unknown::NotTrusted));
    assert_eq!(read(&[&last, &untrusted]), Err(Unknown::NotTrusted));
}

#[test]
fn only_the_named_proxies_are_believed() {
    let header = element(ENVOY, HASH, PAY);
    assert_eq!(client_of(&[&header], &[]), Err(Unknown::NotTrusted));
    assert_eq!(client_of(&[&header], &["spiffe://prod.example/pep".to_owned()]), Err(Unknown::NotTrusted));
    assert_eq!(read(&[&header.replace("/envoy", "/Envoy")]), Err(Unknown::NotTrusted));
    assert_eq!(read(&[&header.replace("/envoy", "/envoy2")]), Err(Unknown::NotTrusted));
    assert_eq!(read(&[&format!("Hash={HASH};URI={PAY}")]), Err(Unknown::NotTrusted));
    assert_eq!(read(&[&header.replace(ENVOY, "")]), Err(Unknown::NotTrusted));
    // A By that stands in somebody's name is none.
    let subject = format!("By=spiffe://prod.example/evil;Hash={HASH};Subject=\"CN=x;By={ENVOY}\"");
    assert_eq!(read(&[&subject]), Err(Unknown::NotTrusted));
    assert_eq!(read(&[&format!("Hash={HASH};Subject=\"x,By={ENVOY};Hash={FORGED}\"")]), Err(Unknown::NotTrusted));
}

#[test]
fn a_client_cannot_swallow_the_proxys_element() {
    // What a client sends ahead of what the proxy appends, in the hope that a quote hides the proxy's element.
    let appended = element(ENVOY, HASH, PAY);
    let forged = element(ENVOY, FORGED, PAY);
    for head in [
        format!("{forged};Subject=\""),
        format!("{forged};Subject=\"\\"),
        format!("{forged};DNS=a\""),
        format!("{forged};DNS=\"a\"b"),
        format!("{forged};DNS"),
        format!("{forged};"),
        "\"".to_owned(),
        ",".to_owned(),
        String::new(),
    ] {
        malformed(&format!("{head},{appended}"));
        if !head.is_empty() {
            assert!(matches!(read(&[&head, &appended]), Err(Unknown::Malformed(_))), "{head}");
        }
    }
}

#[test]
fn what_is_not_the_grammar_is_not_guessed() {
    assert_eq!(read(&[]), Err(Unknown::Absent));
    let header = element(ENVOY, HASH, PAY);
    for value in ["", " ", "By", "By=", "=x", ";", "By=a;;Hash=b"] {
        assert!(read(&[value]).is_err(), "{value}");
    }
    malformed("");
    malformed(&format!("{header};By={ENVOY}"));
    malformed(&format!("{header};hash={HASH}"));
    malformed(&format!("{header};"));
    malformed(&header.replace(HASH, &HASH[1..]));
    malformed(&header.replace(HASH, &format!("{HASH}0")));
    malformed(&header.replace(HASH, &HASH.replace('2', "g")));
    malformed(&header.replace(&format!("Hash={HASH};"), ""));
    malformed(&header.replace("C=US\"", "C=US\\\""));
    malformed(&header.replace("C=US\"", "C=US\\\\\""));
    malformed(&header.replace("C=US\"", "C=US\"x"));
    malformed(&header.replace("By", "B y"));
    malformed(&header.replace("By", "Bý"));
    malformed(&"a".repeat(MAX_BYTES + 1));
}

#[test]
fn several_uris_are_none() {
    let two = format!("{};URI=spiffe://prod.example/other", element(ENVOY, HASH, PAY));
    assert_eq!(read(&[&two]), Ok(Client { uri: None, ..pay() }));
    let long = element(ENVOY, HASH, &format!("spiffe://prod.example/{}", "a".repeat(2048)));
    assert_eq!(read(&[&long]), Ok(Client { uri: None, ..pay() }));
    let none = format!("By={ENVOY};Hash={HASH}");
    assert_eq!(read(&[&none]), Ok(Client { uri: None, ..pay() }));
}

proptest! {
    #[test]
    fn no_value_makes_it_panic(values in prop::collection::vec("\\PC{0,20}|[Byhasuri=;,\"\\\\ é]{0,30}", 0..3)) {
        let _ = client_of(&values, &[ENVOY.to_owned()]);
    }

    #[test]
    fn whatever_a_client_sends_ahead_the_proxy_is_heard_or_nobody(head in "[Byhasuri=;,\"\\\\ x]{0,30}|\\PC{0,30}") {
        let appended = element(ENVOY, HASH, PAY);
        let found = read(&[&format!("{head},{appended}")]);
        prop_assert!(found == Ok(pay()) || matches!(found, Err(Unknown::Malformed(_))), "{:?}", found);
    }

    #[test]
    fn quoted_text_comes_back(uri in "[^\"\\\\]{1,20}") {
        let header = format!("By={ENVOY};Hash={HASH};URI=\"{uri}\"");
        prop_assert_eq!(read(&[&header]).map(|client| client.uri), Ok(Some(uri)));
    }
}
