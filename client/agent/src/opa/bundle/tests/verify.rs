//! What is evidence, and what OPA might take and is none.

use super::*;

/// How a test spoils the files and what is signed of them.
type Spoil = fn(&mut Vec<(String, Vec<u8>)>, &mut Value);

fn refused(spoil: Spoil) -> Unverified {
    let mut files = files("r1");
    let mut payload = json!({ "files": list(&files) });
    spoil(&mut files, &mut payload);
    verify(&bundle(&files, &[token(&payload)]), &signer_of(&key())).unwrap_err()
}

#[test]
fn the_captured_bundles_verify_under_their_signers_key() {
    let signer = captured_signer();
    let [one, two] = ["r1", "r2"].map(|revision| verify(&captured(revision), &signer).unwrap());
    assert_eq!((one.revision.as_deref(), two.revision.as_deref()), (Some("r1"), Some("r2")));
    assert_eq!((one.signer_alg, one.signer_key_id.as_deref()), ("ES256", Some("default")));
    assert_eq!(one.bundle_digest, Digest::sha256(&captured("r1")));
    assert_ne!(one.policy_digest, two.policy_digest);
    // Taken of the signature's list by hand: sorted by name, members sorted, no spaces.
    let listed = concat!(
        r#"[{"algorithm":"SHA-256","hash":"ac782d63ed62993941fa1bac30548a970424c2993c7ba7e4acbc65d5a419964f","name":".manifest"},"#,
        r#"{"algorithm":"SHA-256","hash":"f9fdc0735772e552705a275cb2754b62c6ac37d65bd326354b7c0c9fc732286f","name":"data.json"},"#,
        r#"{"algorithm":"SHA-256","hash":"c0bc707be3eff4c751290ca7fe59b70bfc39e175b573a9f3299933c595f71eec","name":"policy/ledger/ledger.rego"},"#,
        r#"{"algorithm":"SHA-256","hash":"a24c5ed042f0f01d2f3e5a9752b94f14ec95aa9e48239d396a6f39a4a5e7260f","name":"policy/system/log.rego"},"#,
        r#"{"algorithm":"SHA-256","hash":"3619b1479275c342b26a95c04a230b1034189fbb6bba2fde575804003883edd3","name":"policy/tools/tools.rego"}]"#,
    );
    assert_eq!(one.policy_digest, Digest::sha256(listed.as_bytes()));
    assert_eq!(verify(&captured("r1"), &signer_of(&key())), Err(SignatureError::Mismatch.into()));
}

#[test]
fn no_file_of_a_captured_bundle_can_be_changed() {
    use std::io::Read as _;
    let mut archive = Vec::new();
    flate2::read::GzDecoder::new(captured("r1").as_slice()).read_to_end(&mut archive).unwrap();
    let signer = captured_signer();
    let places: Vec<(usize, usize)> = crate::opa::bundle::archive::files(&archive)
        .unwrap()
        .iter()
        .map(|file| (file.bytes.as_ptr().addr() - archive.as_ptr().addr(), file.bytes.len()))
        .collect();
    for (start, len) in places {
        for at in (start..start + len).step_by(len / 16 + 1) {
            let mut spoilt = archive.clone();
            // A letter for a letter, a digit for a digit: JSON stays JSON.
            spoilt[at] ^= 1;
            if let Ok(verified) = verify(&gzip(&spoilt), &signer) {
                // What says the same is the same: a space of JSON for another.
                assert!(archive[at].is_ascii_whitespace(), "byte {at} of the archive is not in the signature");
                assert_eq!(verified.revision.as_deref(), Some("r1"));
            }
        }
    }
}

#[test]
fn only_spaces_and_the_order_of_json_may_differ_from_what_was_signed() {
    let mut files = files("r1");
    let payload = json!({ "files": list(&files) });
    let before = verify(&bundle(&files, &[token(&payload)]), &signer_of(&key())).unwrap();
    files[0].1 = b"{\"a\":[1.0,\"\\u0078\"],\n\"limit\":1000}".to_vec();
    let after = verify(&bundle(&files, &[token(&payload)]), &signer_of(&key())).unwrap();
    assert_eq!(after.policy_digest, before.policy_digest);
    assert_ne!(after.bundle_digest, before.bundle_digest);
}

#[test]
fn the_archive_must_hold_exactly_what_was_signed() {
    assert_eq!(refused(|files, _| files[0].1 = b"{\"limit\": 1001}".to_vec()), Unverified::Changed(0));
    assert_eq!(
        refused(|files, _| files[0].1 = b"{\"limit\": 1000, \"a\": [1, \"x\"]}".to_vec()),
        Unverified::Changed(0)
    );
    assert_eq!(refused(|files, _| files[1].1.push(b'\n')), Unverified::Changed(1));
    assert_eq!(refused(|files, _| files.push(("/b.rego".into(), Vec::new()))), Unverified::NotListed(3));
    assert_eq!(refused(|files, _| drop(files.remove(1))), Unverified::Missing(1));
    assert_eq!(refused(|files, _| files[0].1 = b"{\"limit\": 1, \"limit\": 1000}".to_vec()), {
        Unverified::Json { at: "file 0 of the archive".into(), problem: JsonError::Duplicate }
    });
    assert_eq!(refused(|files, _| files.push(("/x/patch.json".into(), b"{}".to_vec()))), Unverified::Delta);
    assert_eq!(
        refused(|files, _| files.push(("/x.manifest".into(), b"{}".to_vec()))),
        Unverified::Ambiguous(".manifest")
    );
    assert_eq!(refused(|files, _| files.push(("/x/.signatures.json".into(), b"{}".to_vec()))), {
        Unverified::Ambiguous(".signatures.json")
    });
    assert_eq!(
        refused(|files, payload| {
            files.push(("/data.yaml".into(), b"a: 1".to_vec()));
            payload["files"] = json!(list(files));
        }),
        Unverified::Yaml(3)
    );
    assert!(matches!(
        refused(|files, payload| {
            files[2].1 = json!({ "revision": "r".repeat(2000) }).to_string().into_bytes();
            payload["files"] = json!(list(files));
        }),
        Unverified::Revision(2000)
    ));
}

#[test]
fn what_is_signed_must_name_each_file_once_with_a_hash_that_nobody_collides() {
    assert_eq!(refused(|_, payload| payload["files"][0]["algorithm"] = json!("MD5")), SignatureError::File(0).into());
    assert_eq!(refused(|_, payload| payload["files"][0]["algorithm"] = json!("SHA-1")), SignatureError::File(0).into());
    assert_eq!(refused(|_, payload| payload["files"][1]["hash"] = json!("zz")), SignatureError::File(1).into());
    assert_eq!(refused(|_, payload| payload["files"][1] = json!(7)), SignatureError::File(1).into());
    assert_eq!(refused(|_, payload| payload["scope"] = json!("write")), SignatureError::Scope.into());
    assert_eq!(
        refused(|_, payload| {
            let again = payload["files"][0].clone();
            payload["files"].as_array_mut().unwrap().push(again);
        }),
        SignatureError::Twice.into()
    );
    let scoped = json!({ "files": list(&files("r1")), "scope": "write" });
    let signer = Signer { scope: "write".into(), key_id: Some("prod".into()), ..signer_of(&key()) };
    let verified = verify(&bundle(&files("r1"), &[token(&scoped)]), &signer).unwrap();
    assert_eq!(verified.signer_key_id.as_deref(), Some("prod"));
    assert_eq!(verify(&good("r1"), &signer), Err(SignatureError::Scope.into()));
}

#[test]
fn other_hashes_that_are_safe_are_taken() {
    let files = files("r1");
    for hashing in ["SHA-384", "SHA-512", "SHA-512-256"] {
        let mut listed = list(&files);
        let hash: String =
            Hashing::of(hashing).unwrap().digest(&files[1].1).iter().map(|byte| format!("{byte:02X}")).collect();
        listed[1]["algorithm"] = json!(hashing);
        listed[1]["hash"] = json!(hash);
        verify(&bundle(&files, &[token(&json!({ "files": listed }))]), &signer_of(&key())).unwrap();
    }
}

#[test]
fn exactly_one_signature_by_the_signer_and_none_that_a_verifier_could_make() {
    let files = files("r1");
    let payload = json!({ "files": list(&files) });
    let of = |tokens: &[String]| verify(&bundle(&files, tokens), &signer_of(&key())).unwrap_err();
    let well = token(&payload);
    assert_eq!(of(&[]), SignatureError::Count(0).into());
    assert_eq!(of(&[well.clone(), well.clone()]), SignatureError::Count(2).into());
    let with = |header: Value| jwt(&header, &payload, |message| key().sign(message));
    // The public key as the secret of an HMAC is the classic.
    for alg in ["HS256", "HS384", "HS512"] {
        assert_eq!(of(&[with(json!({ "alg": alg }))]), SignatureError::Shared.into());
    }
    for alg in ["none", "None", "NONE"] {
        let unsigned = jwt(&json!({ "alg": alg }), &payload, |_| Vec::new());
        assert_eq!(of(&[unsigned]), SignatureError::Nobody.into());
    }
    assert_eq!(of(&[with(json!({ "alg": "ES512" }))]), SignatureError::Algorithm.into());
    assert_eq!(of(&[with(json!({}))]), SignatureError::Algorithm.into());
    assert_eq!(of(&[with(json!({ "alg": "RS256" }))]), SignatureError::KeyKind("RS256").into());
    assert_eq!(of(&[with(json!({ "alg": "ES384" }))]), SignatureError::KeyKind("ES384").into());
    assert_eq!(of(&[with(json!({ "alg": "ES256", "crit": ["b64"], "b64": false }))]), SignatureError::Critical.into());
    let other = SigningKey::from_seed(Curve::P256, &[8; 32]).unwrap();
    let by_other = jwt(&json!({ "alg": "ES256" }), &payload, |message| other.sign(message));
    assert_eq!(of(&[by_other]), SignatureError::Mismatch.into());
    assert_eq!(of(&[format!("{well}A")]), SignatureError::Mismatch.into());
    assert_eq!(of(&[format!("{well}==")]), SignatureError::Token.into());
    assert_eq!(of(&["a.b".into()]), SignatureError::Token.into());
    let (message, _) = well.rsplit_once('.').unwrap();
    assert_eq!(of(&[format!("{message}.")]), SignatureError::Mismatch.into());
    assert_eq!(verify(&bundle(&files, &[well]), &signer_of(&key())).unwrap().revision.as_deref(), Some("r1"));
    let all = tar(&files.iter().map(|(name, bytes)| (name.clone(), b'0', bytes.clone())).collect::<Vec<_>>());
    assert_eq!(verify(&gzip(&all), &signer_of(&key())), Err(Unverified::Unsigned));
}

#[test]
fn signatures_with_p384_and_with_rsa_keys_are_verified() {
    let files = files("r1");
    let payload = json!({ "files": list(&files) });
    let p384 = SigningKey::from_seed(Curve::P384, &[7; 48]).unwrap();
    let token = jwt(&json!({ "alg": "ES384" }), &payload, |message| p384.sign(message));
    assert_eq!(verify(&bundle(&files, &[token]), &signer_of(&p384)).unwrap().signer_alg, "ES384");

    let pem = String::from_utf8(data("bundles/rsa.pub.pem")).unwrap();
    let rsa = Signer { key: SignerKey::from_pem(&pem).unwrap(), key_id: None, scope: String::new() };
    let unpacked = crate::opa::upload::gunzip(&captured("r1"), 1 << 20).unwrap();
    let captured: Vec<(String, Vec<u8>)> = crate::opa::bundle::archive::files(&unpacked)
        .unwrap()
        .iter()
        .filter(|file| file.name != SIGNATURES)
        .map(|file| (file.name.clone(), file.bytes.to_vec()))
        .collect();
    for (name, alg) in [("rs256", "RS256"), ("ps256", "PS256")] {
        let token = String::from_utf8(data(&format!("bundles/{name}.jwt"))).unwrap();
        let verified = verify(&bundle(&captured, std::slice::from_ref(&token)), &rsa).unwrap();
        assert_eq!((verified.signer_alg, verified.signer_key_id.as_deref()), (alg, Some("rsa-signer")));
        let (message, signature) = token.rsplit_once('.').unwrap();
        let mut spoilt = base64::decode_url(signature).unwrap();
        spoilt[9] ^= 1;
        let spoilt = format!("{message}.{}", base64::encode_url(&spoilt));
        assert_eq!(verify(&bundle(&captured, &[spoilt]), &rsa), Err(SignatureError::Mismatch.into()));
        assert!(matches!(
            verify(&bundle(&captured, &[token]), &signer_of(&key())),
            Err(Unverified::Signature(SignatureError::KeyKind(_)))
        ));
    }
    let ed25519 = SigningKey::from_seed(Curve::Ed25519, &[7; 32]).unwrap();
    SignerKey::from_pem(&ed25519.public().to_spki_pem()).unwrap_err();
    SignerKey::from_pem("").unwrap_err();
}

#[test]
fn json_is_hashed_as_go_writes_it() {
    let text = concat!(
        r#"{ "b": [1.50, 1e400, -0, true, null, {}, []],"#,
        "\n ",
        r#""a!": "<&> \u2028\b\f\n\r\t\u0001\u007f\"\\\/é", "a": {"z":1,"\u0061b":2}, "#,
        r#""a\"": 1 , "a\\": 2, "\ud83d\ude00":3, "\uffff":4 }"#,
    );
    let written = hash::structured(json::value(text.as_bytes()).unwrap()).unwrap();
    // By a program in Go that walks as OPA does.
    let expected = "7013d1b9f9e752f3edd3903c2d2fe789dcb7a4521fe58da0544562535a54e222";
    assert_eq!(Digest::sha256(&written).to_string(), expected);
}

#[test]
fn a_reason_repeats_nothing_of_the_bundle() {
    let secret = "hunter2-secret";
    let mut files = files(secret);
    files.push((format!("/{secret}.rego"), secret.as_bytes().to_vec()));
    let spoilt = [
        bundle(&files, &[token(&json!({ "files": list(&files[..2]) }))]),
        bundle(&files, &[jwt(&json!({ "alg": secret, "kid": secret }), &json!({}), |_| Vec::new())]),
        bundle(&files, &[format!("{secret}.{secret}.{secret}")]),
        bundle(&files, &[token(&json!({ "files": [{ "name": secret }], "scope": secret }))]),
    ];
    for bundle in spoilt {
        let reason = verify(&bundle, &signer_of(&key())).unwrap_err().to_string();
        assert!(!reason.contains("hunter2"), "{reason}");
    }
}
