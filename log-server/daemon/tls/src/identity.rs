//! Who a peer is, once its certificate is verified.

use govlog_formats::record::handles::CertificateHandles;

/// Gives the SPIFFE ID that a leaf certificate bears as its only URI; none if it has none, several, or one that is no workload's.
///
/// A statement about the peer only after the chain was verified against authorities that may speak for it.
#[must_use]
pub fn spiffe_id(leaf: &[u8]) -> Option<String> {
    CertificateHandles::from_der(leaf).ok()?.spiffe_id
}

/// Gives the end of a certificate's validity in seconds since 1970; none if it is no certificate.
#[must_use]
pub fn not_after_s(leaf: &[u8]) -> Option<u64> {
    Some(CertificateHandles::from_der(leaf).ok()?.not_after_ms / 1000)
}

/// Gives the trust domain of a SPIFFE ID.
#[must_use]
pub fn trust_domain(spiffe_id: &str) -> Option<&str> {
    Some(spiffe_id.strip_prefix("spiffe://")?.split_once('/')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Authority;

    #[test]
    fn a_certificate_with_one_spiffe_id_has_an_identity_and_no_other_has() {
        let authority = Authority::new();
        let der = |uris: &[&str]| authority.client(uris).der;
        assert_eq!(spiffe_id(&der(&["spiffe://prod.example/pay"])).as_deref(), Some("spiffe://prod.example/pay"));
        for none in
            [&[][..], &["https://prod.example/pay"], &["spiffe://prod.example"], &["spiffe://a/b", "spiffe://a/c"]]
        {
            assert_eq!(spiffe_id(&der(none)), None, "{none:?}");
        }
        assert_eq!(spiffe_id(b"no certificate"), None);
    }

    #[test]
    fn the_trust_domain_is_what_stands_before_the_path() {
        assert_eq!(trust_domain("spiffe://prod.example/ns/pay"), Some("prod.example"));
        assert_eq!(trust_domain("https://prod.example/"), None);
        assert_eq!(trust_domain("spiffe://prod.example"), None);
    }
}
