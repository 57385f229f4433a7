//! What a certificate must say, and must not, in its place.

use rcgen::{CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, NameConstraints};

use super::authority::{Authority, NOW, WORKLOAD, uri};
use crate::cose::Curve;
use crate::x509::{Anchor, Chain};

type Change = fn(&mut CertificateParams);

fn extension(critical: bool) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 32473, 1], vec![5, 0]);
    extension.set_criticality(critical);
    extension
}

/// extKeyUsage, critical: serverAuth and clientAuth.
fn critical_purposes() -> CustomExtension {
    let purpose = |last: u8| [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, last];
    let content = [&[0x30, 0x14], purpose(1).as_slice(), &purpose(2)].concat();
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 37], content);
    extension.set_criticality(true);
    extension
}

#[test]
fn a_leaf_is_a_workloads_x509_svid() {
    let wrong: [(&str, Change); 12] = [
        ("it is an authority's own certificate", |params| {
            params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        }),
        ("it has no keyUsage", |params| params.key_usages.clear()),
        ("its keyUsage has no digitalSignature", |params| params.key_usages = vec![KeyUsagePurpose::KeyAgreement]),
        ("its keyUsage has keyCertSign or cRLSign", |params| params.key_usages.push(KeyUsagePurpose::KeyCertSign)),
        ("its keyUsage has keyCertSign or cRLSign", |params| params.key_usages.push(KeyUsagePurpose::CrlSign)),
        ("lacks serverAuth or clientAuth", |params| {
            params.extended_key_usages.retain(|purpose| *purpose == ExtendedKeyUsagePurpose::ClientAuth);
        }),
        ("0 URIs among its names", |params| params.subject_alt_names.clear()),
        ("2 URIs among its names", |params| params.subject_alt_names.push(uri("spiffe://x509.example/other"))),
        ("is not a SPIFFE ID with a path", |params| params.subject_alt_names = vec![uri("https://x509.example/w")]),
        ("is not a SPIFFE ID with a path", |params| params.subject_alt_names = vec![uri("spiffe://x509.example")]),
        ("its extension 1.3.6.1.4.1.32473.1 (critical) is not understood", |params| {
            params.custom_extensions = vec![extension(true)];
        }),
        ("its extension 1.3.6.1.4.1.32473.1 stands twice", |params| {
            params.custom_extensions = vec![extension(false), extension(false)];
        }),
    ];
    let root = Authority::root("root");
    for (told, change) in wrong {
        let error = Chain::parse(&[root.svid_with(WORKLOAD, Curve::P256, change).der]).unwrap_err();
        assert!(error.to_string().contains(told), "{told}: {error}");
        assert_eq!(error.is_unsupported(), told.contains("(critical)"), "{error}");
    }
    let right: [Change; 5] = [
        |_| {},
        |params| params.is_ca = IsCa::NoCa,
        |params| params.extended_key_usages.clear(),
        |params| params.custom_extensions = vec![extension(false)],
        |params| {
            params.extended_key_usages.clear();
            params.custom_extensions = vec![critical_purposes()];
        },
    ];
    let anchor = Anchor::parse(&root.der()).unwrap();
    for (number, change) in right.into_iter().enumerate() {
        let chain = Chain::parse(&[root.svid_with(WORKLOAD, Curve::P256, change).der]);
        let judged = chain.and_then(|chain| chain.verify(std::slice::from_ref(&anchor), NOW));
        assert!(judged.is_ok(), "{number}: {judged:?}");
    }
}

#[test]
fn an_authority_may_sign_and_is_bound_by_nothing_that_is_not_understood() {
    let wrong: [(&str, Change); 6] = [
        ("it is no authority", |params| params.is_ca = IsCa::ExplicitNoCa),
        ("it is no authority", |params| params.is_ca = IsCa::NoCa),
        ("its keyUsage has no keyCertSign", |params| params.key_usages = vec![KeyUsagePurpose::CrlSign]),
        ("2.5.29.30 (nameConstraints) is not understood", |params| {
            let permitted_subtrees = vec![rcgen::GeneralSubtree::DnsName("x509.example".to_owned())];
            params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: vec![] });
        }),
        ("2.5.29.37 (extKeyUsage, critical) is not understood", |params| {
            params.custom_extensions = vec![critical_purposes()];
        }),
        ("1.3.6.1.4.1.32473.1 (critical) is not understood", |params| params.custom_extensions = vec![extension(true)]),
    ];
    let root = Authority::root("root");
    for (told, change) in wrong {
        let middle = root.below_with("middle", Curve::P256, change);
        let error = Chain::parse(&[middle.svid(WORKLOAD).der, middle.der()]).unwrap_err().to_string();
        assert!(error.starts_with("certificate 2 (the leaf is 1): ") && error.contains(told), "{told}: {error}");
        let error = Anchor::parse(&Authority::root_with("root", Curve::P256, change).der()).unwrap_err().to_string();
        assert!(error.contains(told), "{told}: {error}");
    }
    // RFC 5280 §6.1 asks nothing of an anchor's keyUsage where it has none; X509-SVID asks it of all others.
    let silent: Change = |params| params.key_usages.clear();
    Anchor::parse(&Authority::root_with("root", Curve::P256, silent).der()).unwrap();
    let middle = root.below_with("middle", Curve::P256, silent);
    let error = Chain::parse(&[middle.svid(WORKLOAD).der, middle.der()]).unwrap_err();
    assert!(error.to_string().contains("it has no keyUsage"), "{error}");
}
