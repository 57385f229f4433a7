//! Issuers whose certificates are admitted: a row of trust anchors, and statements signed under them.

use super::world::*;
use crate::admission::{ChangeFields, Class, Credentials, IssuerRow, PolicyState, Refusal};
use crate::cose::{Algorithm, Curve};
use crate::statement::{SignedStatement, Signer, StatementHeader};
use crate::x509::tests::authority::{Authority, FROM, Issued, UNTIL, WORKLOAD, uri, valid};
use crate::x509::tests::count::counted;

fn x509_row(iss: &str, anchors: &[&Authority]) -> IssuerRow {
    let anchors = anchors.iter().map(|anchor| anchor.der()).collect();
    IssuerRow { credentials: Credentials::X509(anchors), ..row(iss, &pep_key()) }
}

fn admits(anchors: &[&Authority]) -> PolicyState {
    applied(&begun(), &set(vec![x509_row(TRUST_DOMAIN, anchors)]))
}

/// Signs a draft with a workload's certificate.
fn signed_by(draft: &Draft, svid: &Issued, above: &[&Authority]) -> SignedStatement {
    let header = StatementHeader { content: draft.content.clone(), claims: draft.claims.clone() };
    let above = above.iter().map(|authority| authority.der());
    let chain: Vec<Vec<u8>> = std::iter::once(svid.der.clone()).chain(above).collect();
    SignedStatement::sign_x509(&header, &draft.payload, &svid.key, &chain).unwrap()
}

fn draft() -> Draft {
    Draft::new().iss(WORKLOAD)
}

#[test]
fn a_workload_of_the_trust_domain_submits_with_its_certificate() {
    for (curve, algorithm) in
        [(Curve::P256, Algorithm::Es256), (Curve::P384, Algorithm::Es384), (Curve::Ed25519, Algorithm::EdDsa)]
    {
        let root = Authority::root("root");
        let middle = root.below("middle");
        let svid = middle.svid_with(WORKLOAD, curve, |_| {});
        let policy = admits(&[&root]);
        let statement = signed_by(&draft(), &svid, &[&middle]);
        assert_eq!(statement.algorithm(), algorithm);
        assert_eq!(statement.signer(), &Signer::X5chain(vec![svid.der.clone(), middle.der()]));
        let accepted = policy.judge(&statement, Some(NOW)).unwrap();
        assert_eq!(accepted.key(), &svid.key.public().thumbprint());
        assert_eq!(policy.row_of(&statement).unwrap().iss, TRUST_DOMAIN);
        // One certificate alone is a byte string, several are an array.
        let alone = signed_by(&draft(), &root.svid_with(WORKLOAD, curve, |_| {}), &[]);
        policy.judge(&SignedStatement::parse_entry(alone.entry()).unwrap(), Some(NOW)).unwrap();
    }
}

#[test]
fn kind_and_subject_are_the_rows_to_say() {
    let root = Authority::root("root");
    let (policy, svid) = (admits(&[&root]), root.svid(WORKLOAD));
    let kind = draft().kind("application/vnd.govlog.issuance+cbor");
    let refusal = policy.judge(&signed_by(&kind, &svid, &[]), Some(NOW)).unwrap_err();
    assert!(matches!(refusal, Refusal::Kind { .. }), "{refusal}");
    let sub = draft().sub("spiffe://example.org/else");
    let refusal = policy.judge(&signed_by(&sub, &svid, &[]), Some(NOW)).unwrap_err();
    assert!(matches!(refusal, Refusal::Subject { .. }), "{refusal}");
}

#[test]
fn a_certificate_is_judged_at_iat_and_iat_by_the_doors_clock() {
    let root = Authority::root("root");
    let (policy, svid) = (admits(&[&root]), root.svid(WORKLOAD));
    let at = |iat: i64| signed_by(&draft().iat(iat), &svid, &[]);
    // Signed in its last second it is taken for as long as the row lets it, though the certificate has ended.
    policy.judge(&at(UNTIL), Some(UNTIL + 600)).unwrap();
    let refusal = policy.judge(&at(UNTIL), Some(UNTIL + 601)).unwrap_err();
    assert!(matches!(refusal, Refusal::TooOld { max_age_s: 600, .. }), "{refusal}");
    for iat in [FROM - 1, UNTIL + 1] {
        // With a clock and without one: a replay judges as the door did.
        for now in [Some(iat), None] {
            let refusal = policy.judge(&at(iat), now).unwrap_err();
            assert_eq!(refusal.class(), Class::Malformed, "{refusal}");
            assert!(refusal.to_string().contains("certificate 1 (the leaf is 1) is valid from"), "{refusal}");
        }
    }
    policy.judge(&at(FROM), None).unwrap();
}

#[test]
fn a_workload_speaks_in_its_own_name_alone() {
    let root = Authority::root("root");
    let policy = admits(&[&root]);
    let other = root.svid("spiffe://x509.example/other");
    let refusal = policy.judge(&signed_by(&draft(), &other, &[]), Some(NOW)).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "iss is \"spiffe://x509.example/w\"; the leaf of its x5chain (33) is the certificate of \"spiffe://x509.example/other\""
    );
    assert_eq!(refusal.class(), Class::Malformed);
    // Nobody is the trust domain itself.
    let refusal = policy.judge(&signed_by(&draft().iss(TRUST_DOMAIN), &other, &[]), Some(NOW)).unwrap_err();
    assert!(matches!(refusal, Refusal::OtherSubject { .. }), "{refusal}");
    // Under one domain's anchors nobody speaks for another.
    let foreign = draft().iss("spiffe://other.example/w");
    let svid = root.svid("spiffe://other.example/w");
    let refusal = policy.judge(&signed_by(&foreign, &svid, &[]), Some(NOW)).unwrap_err();
    assert!(matches!(refusal, Refusal::UnknownIssuer { .. }), "{refusal}");
}

#[test]
fn what_a_change_of_the_policy_can_mend_is_403_and_what_none_can_is_400() {
    let (root, stranger) = (Authority::root("root"), Authority::root("root"));
    let policy = admits(&[&root]);
    let class = |statement: &SignedStatement| policy.judge(statement, Some(NOW)).unwrap_err().class();
    assert_eq!(class(&signed_by(&draft(), &stranger.svid(WORKLOAD), &[])), Class::Forbidden);
    assert_eq!(class(&x5chain_statement(WORKLOAD)), Class::Malformed);
    let strange = root.svid_with(WORKLOAD, Curve::P256, |params| {
        let mut extension = rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 32473, 1], vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions = vec![extension];
    });
    assert_eq!(class(&signed_by(&draft(), &strange, &[])), Class::Unsupported);
    // Signed with another key than the leaf's.
    let (svid, other) = (root.svid(WORKLOAD), root.svid(WORKLOAD));
    let mixed = Issued { der: svid.der.clone(), key: other.key };
    assert_eq!(class(&signed_by(&draft(), &mixed, &[])), Class::BadSignature);
    // An algorithm that is not the key's.
    let mixed = Issued { der: svid.der, key: ed25519(5) };
    assert_eq!(class(&signed_by(&draft(), &mixed, &[])), Class::BadSignature);
}

#[test]
fn no_bit_of_the_signed_statement_can_be_another() {
    let root = Authority::root("root");
    let (policy, svid) = (admits(&[&root]), root.svid(WORKLOAD));
    let statement = signed_by(&draft(), &svid, &[]);
    for bit in 0..statement.entry().len() * 8 {
        let mut entry = statement.entry().to_vec();
        entry[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = SignedStatement::parse_entry(&entry) {
            policy.judge(&other, None).expect_err(&format!("bit {bit}"));
        }
    }
}

#[test]
fn an_anchor_that_is_taken_away_ends_what_it_admitted() {
    let (old, new) = (Authority::root("old"), Authority::root("new"));
    let both = admits(&[&old, &new]);
    let statement = signed_by(&draft(), &old.svid(WORKLOAD), &[]);
    let accepted = both.judge(&statement, Some(NOW)).unwrap();
    let again = both.rejudge(&statement, &accepted).unwrap();
    assert_eq!(again, accepted);
    let rotated = applied(&both, &set(vec![x509_row(TRUST_DOMAIN, &[&new])]));
    let refusal = rotated.rejudge(&statement, &accepted).unwrap_err();
    assert!(matches!(refusal, Refusal::Chain { .. }), "{refusal}");
    assert_eq!(refusal.class(), Class::Forbidden);
    rotated.judge(&signed_by(&draft(), &new.svid(WORKLOAD), &[]), Some(NOW)).unwrap();
    let retire = ChangeFields { event_ms: 1, retire: vec![TRUST_DOMAIN.to_owned()], ..ChangeFields::default() };
    let retired = applied(&rotated, &change(retire));
    assert!(matches!(retired.rejudge(&statement, &accepted), Err(Refusal::UnknownIssuer { .. })));
}

/// What the writer of a log has to do for each statement that waits while a change comes into force.
#[test]
fn a_certificate_is_judged_again_without_another_verification() {
    let root = Authority::root("root");
    let (middle, stranger) = (root.below("middle"), Authority::root("root"));
    let statement = signed_by(&draft(), &middle.svid(WORKLOAD), &[&middle]);
    let before = admits(&[&root]);
    let (accepted, took) = counted(|| before.judge(&statement, Some(NOW)).unwrap());
    assert_eq!(took, 2, "the anchor's signature and the authority's");
    let again = |policy: &PolicyState| {
        let (again, took) = counted(|| policy.rejudge(&statement, &accepted));
        assert_eq!(took, 0);
        again
    };
    // Another row changes, the row lists more; the certificate of the anchor is renewed for the same key.
    let renewed = root.again("root", |params| valid(params, FROM - 5, UNTIL + 5));
    for anchors in [vec![root.der()], vec![stranger.der(), root.der()], vec![renewed.clone()]] {
        let row = IssuerRow { credentials: Credentials::X509(anchors), ..row(TRUST_DOMAIN, &pep_key()) };
        let after = applied(&before, &set(vec![row]));
        assert_eq!(again(&after).unwrap().as_of(), after.as_of());
        after.judge(&statement, Some(NOW)).unwrap();
    }
    // One of its name that has not signed, the right one that was not valid at `iat`, or may not stand over so many.
    let late = root.again("root", |params| valid(params, NOW + 1, UNTIL));
    let short = root.again("root", |params| params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0)));
    let foreign = root.again("root", |params| params.subject_alt_names = vec![uri("spiffe://other.example")]);
    for anchor in [stranger.der(), late, short, foreign] {
        let row = IssuerRow { credentials: Credentials::X509(vec![anchor]), ..row(TRUST_DOMAIN, &pep_key()) };
        let after = applied(&before, &set(vec![row]));
        let refusal = again(&after).unwrap_err();
        assert_eq!(refusal.class(), Class::Forbidden, "{refusal}");
        assert_eq!(after.judge(&statement, Some(NOW)).unwrap_err().class(), Class::Forbidden);
    }
    // What the row says of kinds is judged again as ever.
    let row = IssuerRow { kinds: vec!["effect".to_owned()], ..x509_row(TRUST_DOMAIN, &[&root]) };
    assert!(matches!(again(&applied(&before, &set(vec![row]))), Err(Refusal::Kind { .. })));
    // And an acceptance of another statement is worth nothing, though its certificate is the same.
    let other = signed_by(&draft().sub("spiffe://example.org/jobs/x"), &middle.svid(WORKLOAD), &[&middle]);
    let (judged, took) = counted(|| before.rejudge(&other, &accepted));
    assert!(judged.is_ok() && took == 2);
}

/// Anybody can send chains of eight certificates; only whoever names an anchor in force has anything verified.
#[test]
fn a_strangers_chain_costs_no_verification() {
    let (root, stranger) = (Authority::root("root"), Authority::root("stranger"));
    let policy = admits(&[&root]);
    let (middle, other) = (stranger.below("middle"), stranger.below("middle"));
    let svid = middle.svid(WORKLOAD);
    for above in [&middle, &other] {
        let statement = signed_by(&draft(), &svid, &[above]);
        let (refusal, took) = counted(|| policy.judge(&statement, Some(NOW)).unwrap_err());
        assert_eq!((took, refusal.class()), (0, Class::Forbidden), "{refusal}");
        assert!(refusal.to_string().ends_with("none of 1 anchors is named so"), "{refusal}");
    }
    // Who takes an anchor's name pays for one verification, and none below it.
    let impostor = Authority::root("root");
    let middle = impostor.below("middle");
    let statement = signed_by(&draft(), &middle.svid(WORKLOAD), &[&middle]);
    let (refusal, took) = counted(|| policy.judge(&statement, Some(NOW)).unwrap_err());
    assert_eq!((took, refusal.class()), (1, Class::Forbidden), "{refusal}");
    // Below an anchor in force every signature counts.
    let (middle, other) = (root.below("middle"), root.below("middle"));
    let refusal = policy.judge(&signed_by(&draft(), &middle.svid(WORKLOAD), &[&other]), Some(NOW)).unwrap_err();
    assert_eq!(refusal.class(), Class::Malformed, "{refusal}");
    assert!(refusal.to_string().contains("was not signed by the one after it"), "{refusal}");
}

/// A rate for each workload would be none: whoever holds the anchor's key makes as many as it likes.
#[test]
fn the_rate_is_the_rows_that_admits_it() {
    let (root, own) = (Authority::root("root"), Authority::root("own"));
    let rate = std::num::NonZeroU64::new(7);
    let near = IssuerRow { rate: std::num::NonZeroU64::new(2), ..x509_row(WORKLOAD, &[&own]) };
    let domain = IssuerRow { rate, ..x509_row(TRUST_DOMAIN, &[&root]) };
    let policy = applied(&begun(), &set(vec![domain, near]));
    let row_of = |iss: &str, authority: &Authority| {
        let statement = signed_by(&Draft::new().iss(iss), &authority.svid(iss), &[]);
        let rate = policy.authenticate(&statement).unwrap().rate().unwrap().clone();
        assert_eq!(policy.counted_by(&statement), rate.row);
        (rate.row, rate.per_second.get())
    };
    for other in ["spiffe://x509.example/a", "spiffe://x509.example/b"] {
        assert_eq!(row_of(other, &root), (TRUST_DOMAIN.to_owned(), 7));
    }
    assert_eq!(row_of(WORKLOAD, &own), (WORKLOAD.to_owned(), 2));
}

#[test]
fn a_row_for_one_workload_is_nearer_than_its_domains() {
    let (root, own) = (Authority::root("root"), Authority::root("own"));
    let near = IssuerRow { max_age_s: Some(5), ..x509_row(WORKLOAD, &[&own]) };
    let policy = applied(&admits(&[&root]), &set(vec![near]));
    let statement = signed_by(&draft(), &own.svid(WORKLOAD), &[]);
    policy.judge(&statement, Some(NOW)).unwrap();
    assert_eq!(policy.row_of(&statement).unwrap().iss, WORKLOAD);
    assert!(matches!(policy.judge(&statement, Some(NOW + 6)), Err(Refusal::TooOld { max_age_s: 5, .. })));
    let refusal = policy.judge(&signed_by(&draft(), &root.svid(WORKLOAD), &[]), Some(NOW)).unwrap_err();
    assert_eq!(refusal.class(), Class::Forbidden, "{refusal}");
    // All others are the domain's.
    let other = "spiffe://x509.example/other";
    policy.judge(&signed_by(&Draft::new().iss(other), &root.svid(other), &[]), Some(NOW)).unwrap();
}

#[test]
fn bytes_that_are_no_certificate_stand_in_a_row_and_admit_nobody() {
    let root = Authority::root("root");
    let anchors = vec![vec![], vec![0x30], root.svid(WORKLOAD).der];
    let row = IssuerRow { credentials: Credentials::X509(anchors), ..row(TRUST_DOMAIN, &pep_key()) };
    let policy = applied(&begun(), &set(vec![row]));
    let refusal = policy.judge(&signed_by(&draft(), &root.svid(WORKLOAD), &[]), Some(NOW)).unwrap_err();
    assert!(refusal.to_string().ends_with("and none of 0 anchors is named so"), "{refusal}");
}
