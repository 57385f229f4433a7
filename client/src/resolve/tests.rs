//! What is named is found, and no entry counts that does not verify.

use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::digest::Digest;
use govlog_formats::merkle::LeafIndex;
use govlog_formats::record::LinkTarget;
use govlog_formats::statement::{Claims, Content, SignedStatement, StatementHeader, content_type_of};

use super::*;
use crate::testing::{TestLog, decision, issuance};
use crate::trust::TrustDir;

const PAY_1: &[u8] = include_bytes!("../../../formats/tests/data/pay-1.pem");
/// Header, payload and signature of a token that nobody issued.
const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoic3BpZmZlOi8vcHJvZC5leGFtcGxlL3BheSIsImp0aSI6ImotMSJ9.c2ln";

struct Setup {
    log: TestLog,
    _dir: tempfile::TempDir,
    dir: TrustDir,
}

impl Setup {
    fn new() -> Self {
        let mut log = TestLog::new();
        log.add("issuance", &issuance());
        log.add("decision", &decision("d-1"));
        let temporary = tempfile::tempdir().unwrap();
        let dir = log.trusted_in(&temporary.path().join("trust"));
        Self { log, _dir: temporary, dir }
    }

    fn resolver(&self, unverified: bool) -> Resolver<'_> {
        Resolver { trust: self.dir.trust(), http: None, unverified, pdp: None }
    }

    fn decision(&self, cosigners: &[usize]) -> Vec<u8> {
        self.log.transparent(LeafIndex::new(3), &self.log.note_of(self.log.size(), cosigners))
    }
}

#[test]
fn a_verified_entry_gives_its_leaf_its_subject_and_what_it_says() {
    let setup = Setup::new();
    let found = setup.resolver(false).content("d.cose", &setup.decision(&[0, 1])).unwrap();
    let entry = found.entry().unwrap();
    assert_eq!(entry.id().unwrap().to_string(), "1.3");
    assert_eq!(found.target(), Some(LinkTarget::Entry(entry.statement.leaf_hash())));
    assert_eq!(found.subject().as_deref(), Some("spiffe://prod.example/pay"));
    assert_eq!(found.is_verified(), Some(true));
    let said = found.summary();
    assert!(said.contains("entry 1.3: decision (permit: read account acct-5)") && said.ends_with("verified"), "{said}");
}

#[test]
fn an_entry_gives_the_handles_that_its_record_bears() {
    let setup = Setup::new();
    let bytes = setup.log.transparent(LeafIndex::new(2), &setup.log.note_of(setup.log.size(), &[0, 1]));
    let found = setup.resolver(false).content("i.cose", &bytes).unwrap();
    assert_eq!(found.handles().iter().map(|handle| handle.name.as_str()).collect::<Vec<_>>(), ["cert_s256"]);
}

#[test]
fn what_does_not_verify_is_taken_only_when_asked_for_and_said() {
    let setup = Setup::new();
    for (name, bytes, why) in [
        ("too few witnesses", setup.decision(&[1]), "the checkpoint of size 4"),
        ("no receipt", setup.log.entries[3].clone(), "no receipt"),
    ] {
        let error = setup.resolver(false).content("d.cose", &bytes).unwrap_err();
        assert!(error.to_string().contains(why) && error.to_string().contains("--unverified"), "{name}: {error}");
        let found = setup.resolver(true).content("d.cose", &bytes).unwrap();
        assert_eq!(found.is_verified(), Some(false), "{name}");
        assert!(found.summary().contains("NOT VERIFIED"), "{name}: {}", found.summary());
    }
}

#[test]
fn what_is_proved_wrong_is_never_taken() {
    let setup = Setup::new();
    let mut bent = setup.decision(&[0, 1]);
    let at = bent.windows(6).position(|window| window == b"acct-5").unwrap();
    bent[at + 5] = b'6';
    for unverified in [false, true] {
        let error = setup.resolver(unverified).content("d.cose", &bent).unwrap_err();
        assert!(matches!(error, ResolveError::Unverified { outcome: Outcome::Refuted, .. }), "{error}");
        assert!(!error.to_string().contains("--unverified"), "{error}");
    }
}

#[test]
fn a_certificate_is_linked_by_what_no_one_can_sign_anew() {
    let setup = Setup::new();
    let found = setup.resolver(false).content("pay.pem", PAY_1).unwrap();
    let Some(LinkTarget::Handle(handle)) = found.target() else { panic!() };
    assert_eq!(handle.to_string(), "tbs_s256 e9aa25946a8eb5746728ed47ff7d7d228f911842a393d47e774ab4ef8f4d7bcf");
    assert_eq!(found.subject().as_deref(), Some("spiffe://prod.example/pay"));
    assert_eq!((found.handles().len(), found.is_verified()), (5, None));
}

#[test]
fn a_token_gives_handles_and_is_repeated_nowhere() {
    let setup = Setup::new();
    let found = setup.resolver(false).content("stdin", format!("{TOKEN}\n").as_bytes()).unwrap();
    let input = TOKEN.rsplit_once('.').unwrap().0;
    let link = LinkTarget::Handle(Handle::of_digest("jws_input_s256", &Digest::sha256(input.as_bytes())));
    assert_eq!(found.target(), Some(link));
    let names: Vec<String> = found.handles().into_iter().map(|handle| handle.name).collect();
    assert_eq!(names, ["tok_s256", "jws_input_s256", "jti_iss"]);
    assert!(!format!("{found:?}{}", found.summary()).contains("eyJ"));
    let broken = format!("{TOKEN}*");
    let error = setup.resolver(false).content("stdin", broken.as_bytes()).unwrap_err();
    assert!(!format!("{error}{error:?}").contains("eyJ"), "{error}");
}

#[test]
fn a_token_is_about_nobody_but_a_workload() {
    let setup = Setup::new();
    let subject = |sub: &str| {
        let claims = serde_json::json!({ "iss": "https://idp.example", "sub": sub, "jti": "j-1" }).to_string();
        let claims = govlog_formats::base64::encode_url(claims.as_bytes());
        let header = TOKEN.split_once('.').unwrap().0;
        let token = format!("{header}.{claims}.c2ln");
        setup.resolver(false).content("stdin", token.as_bytes()).unwrap().subject()
    };
    assert_eq!(subject("spiffe://prod.example/pay").as_deref(), Some("spiffe://prod.example/pay"));
    for person in ["acct:alice", "https://idp.example/people/alice", "auth0|alice/1"] {
        assert_eq!(subject(person), None, "{person}");
    }
}

#[test]
fn a_summary_is_one_line_whatever_an_entry_says() {
    let mut setup = Setup::new();
    let claims = Claims {
        iss: "spiffe://x/a\nverified".to_owned(),
        sub: "spiffe://x/\u{9b}2J\u{202e}".to_owned(),
        aud: None,
        iat: 1_700_000_000,
        stream: None,
        head: None,
    };
    let header = StatementHeader { content: Content::Plain(content_type_of("decision")), claims };
    let statement = SignedStatement::sign(&header, &decision("d"), &setup.log.issuer).unwrap();
    setup.log.append(statement.entry().to_vec());
    let said = setup.resolver(true).content("d.cose", statement.entry()).unwrap().summary();
    assert!(said.contains("about spiffe://x/\\u{9b}2J\\u{202e} by spiffe://x/a\\nverified, NOT VERIFIED"), "{said}");
    assert!(said.chars().all(|c| (' '..='~').contains(&c)), "{said:?}");
    let mut certificate = setup.resolver(false).content("pay.pem", PAY_1).unwrap();
    if let What::Certificate(handles) = &mut certificate.what {
        handles.spiffe_id = Some("spiffe://x/\n\u{202e}".to_owned());
    }
    assert!(
        certificate.summary().contains("certificate of spiffe://x/\\n\\u{202e}, valid"),
        "{}",
        certificate.summary()
    );
}

#[test]
fn a_key_has_the_same_handles_in_every_form() {
    let setup = Setup::new();
    let key = SigningKey::from_seed(Curve::P256, &[7; 32]).unwrap();
    let handles = |text: &str| setup.resolver(false).content("key", text.as_bytes()).unwrap().handles();
    let public = handles(&key.public().to_spki_pem());
    assert_eq!(public.iter().map(|handle| handle.name.as_str()).collect::<Vec<_>>(), ["spki_s256", "jkt"]);
    assert_eq!(handles(&key.to_pkcs8_pem()), public);
    let error = setup.resolver(false).content("notes.txt", b"nothing of the kind").unwrap_err();
    assert!(matches!(error, ResolveError::Content(_)), "{error}");
}
