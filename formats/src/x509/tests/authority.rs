//! Authorities in memory, and certificates that they issue, right ones and wrong ones.

use std::time::{Duration, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SanType,
};

use crate::cose::{Curve, SigningKey};

pub(crate) const DOMAIN: &str = "spiffe://x509.example";
pub(crate) const WORKLOAD: &str = "spiffe://x509.example/w";
/// All that tests issue is valid from here to [`UNTIL`], POSIX seconds.
pub(crate) const FROM: i64 = 1_799_999_000;
pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const UNTIL: i64 = 1_800_003_600;

/// An authority: a root, or one that another has signed.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A workload's certificate and its key.
pub(crate) struct Issued {
    pub(crate) der: Vec<u8>,
    pub(crate) key: SigningKey,
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        Self::root_with(name, Curve::P256, |_| {})
    }

    pub(crate) fn root_with(name: &str, curve: Curve, change: impl FnOnce(&mut CertificateParams)) -> Self {
        Self(CertifiedIssuer::self_signed(authority(name, change), key(curve)).unwrap())
    }

    pub(crate) fn below(&self, name: &str) -> Self {
        self.below_with(name, Curve::P256, |_| {})
    }

    pub(crate) fn below_with(&self, name: &str, curve: Curve, change: impl FnOnce(&mut CertificateParams)) -> Self {
        Self(CertifiedIssuer::signed_by(authority(name, change), key(curve), &self.0).unwrap())
    }

    /// Another certificate of a root, for the same key, in DER.
    pub(crate) fn again(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        authority(name, change).self_signed(self.0.key()).unwrap().der().to_vec()
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        self.0.der().to_vec()
    }

    pub(crate) fn svid(&self, id: &str) -> Issued {
        self.svid_with(id, Curve::P256, |_| {})
    }

    pub(crate) fn svid_with(&self, id: &str, curve: Curve, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let (params, key) = (leaf(id, change), key(curve));
        Issued { der: params.signed_by(&key, &self.0).unwrap().der().to_vec(), key: signing(&key) }
    }
}

/// A workload's certificate that nobody but itself has signed.
pub(crate) fn self_signed(id: &str) -> Issued {
    let (params, key) = (leaf(id, |_| {}), key(Curve::P256));
    Issued { der: params.self_signed(&key).unwrap().der().to_vec(), key: signing(&key) }
}

/// Sets when a certificate is valid, POSIX seconds.
pub(crate) fn valid(params: &mut CertificateParams, from: i64, until: i64) {
    let time = |at: i64| (UNIX_EPOCH + Duration::from_secs(at.unsigned_abs())).into();
    (params.not_before, params.not_after) = (time(from), time(until));
}

pub(crate) fn uri(uri: &str) -> SanType {
    SanType::URI(uri.try_into().unwrap())
}

fn authority(name: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.subject_alt_names = vec![uri(DOMAIN)];
    change(&mut params);
    params
}

fn leaf(id: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = params("workload");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.subject_alt_names = vec![uri(id)];
    change(&mut params);
    params
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    valid(&mut params, FROM, UNTIL);
    params
}

fn key(curve: Curve) -> KeyPair {
    let algorithm = match curve {
        Curve::P256 => &PKCS_ECDSA_P256_SHA256,
        Curve::P384 => &PKCS_ECDSA_P384_SHA384,
        Curve::Ed25519 => &PKCS_ED25519,
    };
    KeyPair::generate_for(algorithm).unwrap()
}

fn signing(key: &KeyPair) -> SigningKey {
    SigningKey::from_pkcs8_pem(&key.serialize_pem()).unwrap()
}
