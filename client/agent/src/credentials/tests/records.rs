//! One credential, one observation.

use govlog_formats::record::view;
use serde_json::{Value, json};

use super::*;
use crate::feed::Feed as _;

/// The views of what a folder with one file gives.
fn views(name: &str, bytes: &[u8]) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(name), bytes).unwrap();
    let mut feed = Watcher::new(watched(dir.path()), Folder::new(dir.path()));
    let found = feed.read(NOW).unwrap();
    let view = |arrival: &Arrival| {
        let draft = draft(arrival).unwrap();
        let mut view = view::to_json(draft.kind, &draft.payload).unwrap();
        view["sub"] = draft.sub.into();
        view
    };
    found.arrivals.iter().map(view).collect()
}

#[test]
fn a_certificate_is_observed_with_all_its_handles() {
    let [view] = <[Value; 1]>::try_from(views("svid.0.pem", &capture("pay-1.pem"))).unwrap();
    assert_eq!(view["observed"], "credential");
    assert_eq!(
        (&view["subject"], &view["sub"]),
        (&json!("spiffe://prod.example/pay"), &json!("spiffe://prod.example/pay"))
    );
    assert_eq!(view["handles"]["cert_s256"], "292c42db8692942a23f02804e23af6428631ef7f49c167e7f37129a3b6c8f9e9");
    for handle in ["tbs_s256", "spki_s256", "jkt"] {
        assert_eq!(view["handles"][handle].as_str().map(str::len), Some(64), "{handle}");
    }
    assert_eq!(view["links"][0]["rel"], "observes");
    assert_eq!(view["links"][0]["target"]["handle"][0], "serial_aki");
    assert_eq!(view["links"][0]["target"]["handle"][1], view["handles"]["serial_aki"]);
    assert_eq!(
        (&view["not_before_ms"], &view["not_after_ms"]),
        (&json!(1_795_320_429_000_u64), &json!(1_795_324_039_000_u64))
    );
    assert_eq!((&view["observer"], &view["assurance"]), (&json!(ISS), &json!("scraped")));
    assert!(view["where"].as_str().unwrap().ends_with("/svid.0.pem"));
}

#[test]
fn the_bundle_of_a_trust_domain_is_one() {
    let [view] = <[Value; 1]>::try_from(views("bundle.0.pem", &capture("bundle.pem"))).unwrap();
    assert_eq!((&view["observed"], &view["domain"]), (&json!("bundle"), &json!("prod.example")));
    assert_eq!(view["sub"], "spiffe://prod.example");
    let twice = [capture("bundle.pem"), capture("bundle.pem")].concat();
    let [two] = <[Value; 1]>::try_from(views("bundle.0.pem", &twice)).unwrap();
    assert_ne!(two["bundle_digest"], view["bundle_digest"], "it is a digest of all of them");
}

#[test]
fn of_a_token_digests_and_claims_are_known_and_nothing_more() {
    let views = views("pay.json", &capture("pay-jwt.json"));
    let [token, bundle] = <[Value; 2]>::try_from(views).unwrap();
    assert_eq!((&token["credential_type"], &token["subject"]), (&json!("jwt"), &json!("spiffe://prod.example/pay")));
    assert_eq!(token["audience"], json!(["ledger.prod.example"]));
    assert_eq!(
        (&token["key_id"], &token["not_after_ms"]),
        (&json!("Mg9mvyfmNgDbvLzKIfc5g9Ehe7m1RbCg"), &json!(1_795_320_740_000_u64))
    );
    assert_eq!(token["links"][0]["target"]["handle"][0], "jws_input_s256");
    assert_eq!(bundle["observed"], "bundle");
}

#[test]
fn neither_tokens_nor_keys_are_kept_or_signed() {
    let dir = tempfile::tempdir().unwrap();
    let secret = b"MHcCAQEEIBsecretsecretsecret";
    let key = [b"-----BEGIN PRIVATE KEY-----\n", &secret[..], b"\n-----END PRIVATE KEY-----\n"].concat();
    std::fs::write(dir.path().join("both.pem"), [key.clone(), capture("pay-1.pem"), key.clone()].concat()).unwrap();
    std::fs::write(dir.path().join("only.pem"), &key).unwrap();
    std::fs::write(dir.path().join("minted.jwt"), capture("batch-minted.jwt")).unwrap();
    std::fs::write(dir.path().join("svid.key"), &key).unwrap();
    let mut feed = Watcher::new(watched(dir.path()), Folder::new(dir.path()));
    let found = feed.read(NOW).unwrap();
    assert_eq!(found.arrivals.len(), 2);
    assert_eq!(found.heard[0].1["files that cannot be read"], "1");
    let token = capture("batch-minted.jwt");
    let parts: Vec<&[u8]> = token.trim_ascii().split(|byte| *byte == b'.').collect();
    for arrival in &found.arrivals {
        let kept = kept(arrival);
        assert!(!contains(&kept, secret) && !contains(&kept, b"PRIVATE"));
        assert!(parts.iter().all(|part| !contains(&kept, part)), "no part of the token");
    }
    assert!(!contains(found.place.as_deref().unwrap(), secret));
}

#[test]
fn a_subject_that_may_be_a_person_is_sealed() {
    let encode = |text: &str| govlog_formats::base64::encode_url(text.as_bytes());
    let token = format!(
        "{}.{}.AAAA",
        encode(r#"{"alg":"ES256"}"#),
        encode(r#"{"sub":"jane@prod.example","jti":"1","iss":"i"}"#)
    );
    let [view] = <[Value; 1]>::try_from(views("user.jwt", token.as_bytes())).unwrap();
    assert!(view["subject"]["$sealed"].is_string(), "{view}");
    assert_eq!(view["handles"]["jti_iss"], json!(["1", "i"]));
    assert_eq!(view["sub"], ISS, "it is filed under who saw it");
}

#[test]
fn a_wrong_table_is_refused_by_its_key() {
    for (text, named) in [
        ("name = \"a/b\"\nfolder = \"x\"", "name"),
        ("name = \"a\"", "one of folder, workload_api and own"),
        ("name = \"a\"\nfolder = \"x\"\nobserver = \"\"", "observer"),
        ("name = \"a\"\nfolder = \"x\"\nworkload_api = \"unix:///s\"", "one of folder, workload_api and own"),
        ("name = \"a\"\nfolder = \"x\"\nown = true", "one of folder, workload_api and own"),
        ("name = \"a\"\nfolder = \"x\"\naudiences = [\"a\"]", "audiences"),
    ] {
        let why = Watched::new(toml::from_str(text).unwrap(), Path::new("/")).unwrap_err().to_string();
        assert!(why.contains(named), "{text}: {why}");
    }
    let table = toml::from_str("name = \"a\"\nworkload_api = \"unix:///s\"").unwrap();
    assert_eq!(Watched::new(table, Path::new("/")).is_ok(), cfg!(feature = "spiffe"));
    #[cfg(feature = "spiffe")]
    for (audiences, is_right) in [("[\"a\", \"b\"]", true), ("[\"a\", \"a\"]", false), ("[\"\"]", false)] {
        let table = format!("name = \"a\"\nworkload_api = \"unix:///s\"\naudiences = {audiences}");
        assert_eq!(Watched::new(toml::from_str(&table).unwrap(), Path::new("/")).is_ok(), is_right, "{audiences}");
    }
}
