//! What an X.509-SVID must be to be signed with, and where it is read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use govlog_formats::cose::SigningKey;
use govlog_tls::testing::{Authority, Issued};

use super::{Files, MAX_CHAIN_BYTES, Svid, SvidError, Svids as _};

const ISS: &str = "spiffe://prod.example/govlog-agent";

fn key(issued: &Issued) -> SigningKey {
    SigningKey::from_pkcs8_der(&issued.key_der).unwrap()
}

#[test]
fn an_svid_is_the_issuers_and_the_keys() {
    let authority = Authority::of_trust_domain("prod.example");
    let (own, other) = (authority.svid(ISS), authority.svid("spiffe://prod.example/other"));
    Svid::new(ISS, vec![own.der.clone()], key(&own)).unwrap();
    Svid::new(ISS, vec![own.der.clone(), authority.der()], key(&own)).unwrap();
    let refused = |chain: Vec<Vec<u8>>, issued: &Issued| Svid::new(ISS, chain, key(issued)).unwrap_err();
    let error = refused(vec![other.der.clone()], &other);
    assert!(matches!(&error, SvidError::Other { found, .. } if found.ends_with("/other")), "{error}");
    assert!(matches!(refused(vec![own.der.clone()], &other), SvidError::Pair));
    // What the log would never take is not signed with: it would cost the record.
    for chain in [vec![], vec![b"none".to_vec()], vec![own.der.clone(), other.der.clone()], vec![authority.der()]] {
        assert!(matches!(refused(chain.clone(), &own), SvidError::Chain(_)), "{chain:?}");
    }
    let long = [vec![own.der.clone()], vec![authority.der(); MAX_CHAIN_BYTES / authority.der().len()]].concat();
    assert!(matches!(refused(long, &own), SvidError::Long { .. }));
    assert!(!format!("{:?}", Svid::new(ISS, vec![own.der.clone()], key(&own))).contains("key"));
}

#[test]
fn files_are_read_when_they_are_there_and_belong_together() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::of_trust_domain("prod.example");
    let files = Files::new(dir.path().join("svid.pem"), dir.path().join("svid.key"), ISS);
    assert!(matches!(files.newest(), Err(SvidError::File { .. })), "not there yet");
    let (first, second) = (authority.svid(ISS), authority.svid(ISS));
    let paths = first.write(dir.path(), "svid");
    assert_eq!(files.newest().unwrap().chain(), std::slice::from_ref(&first.der));
    // One file after the other.
    fs::write(&paths.cert, second.cert_pem.clone() + &authority.pem()).unwrap();
    assert!(matches!(files.newest(), Err(SvidError::Pair)));
    fs::write(&paths.key, &second.key_pem).unwrap();
    assert_eq!(files.newest().unwrap().chain(), [second.der.clone(), authority.der()]);
    fs::set_permissions(&paths.key, fs::Permissions::from_mode(0o644)).unwrap();
    let error = files.newest().unwrap_err();
    assert!(matches!(error, SvidError::KeyFile(_)) && error.to_string().contains("chmod 600"), "{error}");
    fs::write(&paths.cert, "no certificate").unwrap();
    assert!(matches!(files.newest(), Err(SvidError::Pem { .. })));
}
