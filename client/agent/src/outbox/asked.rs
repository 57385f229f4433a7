//! What somebody knows of a request besides its id, so that what two know of it can be compared.

use govlog_formats::digest::Digest;
use serde::{Deserialize, Serialize};

/// What is known of a request; none of what is not known, which contradicts nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    /// SHA-256 of the caller's certificate, hexadecimal; empty: there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    cert_s256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<String>,
}

impl Asked {
    /// The caller showed this certificate; none: they showed none.
    #[must_use]
    pub fn with_certificate(self, cert_s256: Option<&Digest>) -> Self {
        Self { cert_s256: Some(cert_s256.map(ToString::to_string).unwrap_or_default()), ..self }
    }

    /// It came through this proxy.
    #[must_use]
    pub fn with_proxy(self, proxy: &str) -> Self {
        Self { proxy: Some(short(proxy)), ..self }
    }

    /// Its method.
    #[must_use]
    pub fn with_method(self, method: &str) -> Self {
        Self { method: Some(short(&method.to_ascii_uppercase())), ..self }
    }

    /// The host it was sent to, with the port where that was said.
    #[must_use]
    pub fn with_authority(self, authority: &str) -> Self {
        Self { authority: Some(short(&authority.to_ascii_lowercase())), ..self }
    }

    /// Its path; the query is left out.
    #[must_use]
    pub fn with_path(self, path: &str) -> Self {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        Self { path: Some(short(path)), ..self }
    }

    /// The document of the one who decides that it asked for, by its path.
    #[must_use]
    pub fn with_document(self, path: &str) -> Self {
        let decoded = percent_decoded(path);
        let segments = decoded.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty());
        let plain = segments.collect::<Vec<_>>().join(&b'/');
        Self { document: Some(short(&String::from_utf8_lossy(&plain))), ..self }
    }

    /// Names what both know and each knows otherwise.
    #[must_use]
    pub fn contradicts(&self, other: &Self) -> Vec<&'static str> {
        let both = [
            ("certificate", &self.cert_s256, &other.cert_s256),
            ("proxy", &self.proxy, &other.proxy),
            ("method", &self.method, &other.method),
            ("authority", &self.authority, &other.authority),
            ("path", &self.path, &other.path),
            ("document", &self.document, &other.document),
        ];
        let differ = both.into_iter().filter(|(_, own, other)| own.is_some() && other.is_some() && own != other);
        differ.map(|(name, _, _)| name).collect()
    }
}

/// A text, or the digest of one that is as long as that.
fn short(text: &str) -> String {
    if text.len() < DIGITS { text.to_owned() } else { Digest::sha256(text.as_bytes()).to_string() }
}

/// Takes `%2f` and the like for what they stand for; what is none stands for itself.
fn percent_decoded(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.split_at_checked(2).filter(|_| *first == b'%');
        let code = digits.filter(|(digits, _)| digits.iter().all(u8::is_ascii_hexdigit));
        let code = code.and_then(|(digits, _)| std::str::from_utf8(digits).ok());
        match (code.and_then(|code| u8::from_str_radix(code, 16).ok()), digits) {
            (Some(byte), Some((_, behind))) => {
                bytes.push(byte);
                rest = behind;
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    bytes
}

/// Hexadecimal digits of a digest: a shorter text is none.
const DIGITS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_does_not_know_contradicts_nothing_and_the_rest_is_named() {
        let digest = Digest::sha256(b"certificate");
        let full = Asked::default().with_certificate(Some(&digest)).with_proxy("spiffe://p/envoy").with_method("post");
        let full = full.with_authority("A.example:1").with_path("/a?b#c").with_document("/x/y");
        assert_eq!(full.contradicts(&Asked::default()), [""; 0]);
        assert_eq!(Asked::default().contradicts(&full), [""; 0]);
        let same =
            Asked::default().with_method("POST").with_authority("a.EXAMPLE:1").with_path("/a").with_document("x//%79/");
        assert_eq!(full.contradicts(&same), [""; 0]);
        let other = Asked::default().with_certificate(None).with_proxy("spiffe://p/other").with_method("GET");
        let other = other.with_authority("a.example").with_path("/a/").with_document("x%2fz");
        assert_eq!(full.contradicts(&other), ["certificate", "proxy", "method", "authority", "path", "document"]);
    }

    #[test]
    fn long_values_are_compared_by_their_digests_and_kept_short() {
        let path = |end: &str| Asked::default().with_path(&format!("/{}{end}", "x".repeat(9_000)));
        assert_eq!(path("a").contradicts(&path("b")), ["path"]);
        assert_eq!(path("a").contradicts(&path("a?b")), [""; 0]);
        assert!(serde_json::to_vec(&path("a")).unwrap().len() < 100);
        assert_eq!(percent_decoded("%4a%zz%2"), b"J%zz%2");
        assert_eq!(percent_decoded("%+1%"), b"%+1%", "a sign is no digit");
    }
}
