//! The names an admission policy is written in: kinds, subject patterns, the operator.

use crate::digest::Digest;
use crate::statement::kind_of;

/// The content type of a change of the admission policy.
pub const ADMISSION_POLICY: &str = "application/vnd.govlog.admission-policy+cbor";

/// The content type of an approval; where an operator signs it, it is one of a change.
pub const APPROVAL: &str = "application/vnd.govlog.approval+cbor";

/// The name of the one stream that all changes of the admission policy form.
pub const OPERATOR_STREAM: &str = "admission";

/// How the names of the streams begin in which operators' approvals stand.
pub const APPROVAL_STREAMS: &str = "approval-";

/// The kinds that speak about a stream itself: their subject is their own stream.
const STREAM_KINDS: [&str; 3] =
    ["application/vnd.govlog.stream+cbor", "application/vnd.govlog.gap+cbor", "application/vnd.govlog.quarantine+cbor"];

/// Names the issuer of a log's admission policy: `https://<origin>/operator`.
pub fn operator_iss(origin: &str) -> String {
    format!("https://{origin}/operator")
}

/// Names the stream of the approvals that are signed with an operator's key: [`APPROVAL_STREAMS`] and the first 16 hex digits of its thumbprint.
pub fn approval_stream(kid: &Digest) -> String {
    let hex = kid.to_string();
    format!("{APPROVAL_STREAMS}{}", hex.get(..16).unwrap_or(&hex))
}

/// Tells whether a subject pattern covers a subject: an exact text, or a prefix when the pattern ends in `/`.
pub fn subject_matches(pattern: &str, subject: &str) -> bool {
    if pattern.ends_with('/') { subject.starts_with(pattern) } else { subject == pattern }
}

/// Spells a content type as short as a policy may.
pub(crate) fn short_kind(content_type: &str) -> &str {
    kind_of(content_type).unwrap_or(content_type)
}

/// Tells whether a content type is `stream`, `gap` or `quarantine`.
pub(crate) fn is_stream_kind(kind: &str) -> bool {
    STREAM_KINDS.contains(&kind)
}

/// Tells whether a subject or pattern can not be taken for a stream name, which holds neither `:` nor `/`.
pub(crate) fn is_scoped(subject: &str) -> bool {
    subject.contains([':', '/'])
}

/// Takes the trust domain's SPIFFE ID, `spiffe://TD`, from a SPIFFE ID.
pub(crate) fn trust_domain(iss: &str) -> Option<&str> {
    let rest = iss.strip_prefix("spiffe://")?;
    let end = rest.find('/').unwrap_or(rest.len());
    iss.get(..iss.len() - rest.len() + end)
}

/// Quotes a text for a message: escaped, and cut where it is long.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 160;
    let mut cut: String = text.chars().take(MOST).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    format!("{cut:?}")
}

/// Lists texts for a message, the first few of them.
pub(crate) fn listed<'a>(texts: impl ExactSizeIterator<Item = &'a str>) -> String {
    const MOST: usize = 12;
    let all = texts.len();
    if all == 0 {
        return "none".to_owned();
    }
    let mut line = texts.take(MOST).map(shown).collect::<Vec<_>>().join(", ");
    if all > MOST {
        line.push_str(&format!(" and {} more", all - MOST));
    }
    line
}
