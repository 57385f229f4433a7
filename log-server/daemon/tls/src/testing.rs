//! A certificate authority in memory.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, SanType, date_time_ymd,
};

/// An authority whose certificates the tests' programs are told to believe.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate that an authority has issued.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate in PEM.
    pub cert_pem: String,
    /// Its private key in PEM.
    pub key_pem: String,
    /// The certificate in DER.
    pub der: Vec<u8>,
    /// Its private key in DER, PKCS#8.
    pub key_der: Vec<u8>,
}

/// The two files that a certificate and its key lie in.
#[derive(Clone, Debug)]
pub struct Files {
    /// The certificate.
    pub cert: PathBuf,
    /// The key, mode 0600.
    pub key: PathBuf,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// Makes an authority.
    ///
    /// # Panics
    /// When the system gives no randomness.
    #[must_use]
    pub fn new() -> Self {
        Self::of(&[])
    }

    /// Makes the authority of a trust domain.
    ///
    /// # Panics
    /// As [`Authority::new`].
    #[must_use]
    pub fn of_trust_domain(name: &str) -> Self {
        Self::of(&[format!("spiffe://{name}")])
    }

    fn of(uris: &[String]) -> Self {
        let mut params = params("test authority", uris);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self { issuer: CertifiedIssuer::self_signed(params, key()).expect("a certificate of one's own") }
    }

    /// The authority's own certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The authority's own certificate in DER.
    #[must_use]
    pub fn der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    /// Issues a server's certificate for 127.0.0.1 and `localhost`; `name` tells it from others.
    #[must_use]
    pub fn server(&self, name: &str) -> Issued {
        let mut params = params(name, &[]);
        params.subject_alt_names = vec![
            SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()),
            SanType::DnsName("localhost".try_into().expect("a name")),
        ];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(&params)
    }

    /// Issues a client's certificate with these URIs.
    #[must_use]
    pub fn client(&self, uris: &[&str]) -> Issued {
        let uris: Vec<String> = uris.iter().map(|uri| (*uri).to_owned()).collect();
        self.issue(&client_params(&uris))
    }

    /// As [`Authority::client`], but it has not been valid for years.
    #[must_use]
    pub fn expired_client(&self, uri: &str) -> Issued {
        let mut params = client_params(&[uri.to_owned()]);
        (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
        self.issue(&params)
    }

    /// As [`Authority::client`], but it ends so soon.
    #[must_use]
    pub fn brief_client(&self, uri: &str, valid_for: Duration) -> Issued {
        let mut params = client_params(&[uri.to_owned()]);
        params.not_after = (SystemTime::now() + valid_for).into();
        self.issue(&params)
    }

    /// Issues a workload's X.509-SVID, which is a server's and a client's certificate.
    #[must_use]
    pub fn svid(&self, id: &str) -> Issued {
        self.issue(&workload_params(id))
    }

    /// As [`Authority::svid`], valid from one second to another, POSIX, with a key on P-384.
    #[must_use]
    pub fn p384_svid(&self, id: &str, from_s: u64, until_s: u64) -> Issued {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key");
        self.issue_to(&svid_params(id, from_s, until_s), &key)
    }

    /// As [`Authority::svid`], valid from one second to another, POSIX.
    #[must_use]
    pub fn svid_from_to(&self, id: &str, from_s: u64, until_s: u64) -> Issued {
        self.issue(&svid_params(id, from_s, until_s))
    }

    fn issue(&self, params: &CertificateParams) -> Issued {
        self.issue_to(params, &key())
    }

    fn issue_to(&self, params: &CertificateParams, key: &KeyPair) -> Issued {
        let certificate = params.signed_by(key, &self.issuer).expect("a certificate");
        Issued {
            cert_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            der: certificate.der().to_vec(),
            key_der: key.serialize_der(),
        }
    }
}

impl Issued {
    /// Writes it to `NAME.pem` and `NAME.key` in a folder, over what is there.
    ///
    /// # Panics
    /// When it cannot.
    #[must_use]
    pub fn write(&self, folder: &Path, name: &str) -> Files {
        let files = Files { cert: folder.join(format!("{name}.pem")), key: folder.join(format!("{name}.key")) };
        fs::write(&files.cert, &self.cert_pem).expect("the certificate is written");
        let key = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&files.key);
        key.and_then(|mut file| file.write_all(self.key_pem.as_bytes())).expect("the key is written");
        files
    }
}

fn svid_params(id: &str, from_s: u64, until_s: u64) -> CertificateParams {
    let time = |at_s: u64| (UNIX_EPOCH + Duration::from_secs(at_s)).into();
    let mut params = workload_params(id);
    (params.not_before, params.not_after) = (time(from_s), time(until_s));
    params
}

fn workload_params(id: &str) -> CertificateParams {
    let mut params = client_params(&[id.to_owned()]);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    // Said, and not only left out: who takes X.509-SVIDs may ask for it.
    params.is_ca = IsCa::ExplicitNoCa;
    params
}

fn client_params(uris: &[String]) -> CertificateParams {
    let mut params = params("client", uris);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn params(name: &str, uris: &[String]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let uris = uris.iter().map(|uri| SanType::URI(uri.as_str().try_into().expect("a URI")));
    params.subject_alt_names = uris.collect();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
