//! What one line tells.

use crate::json::{self, JsonError, RawValue};
use crate::spire::Wrong;
use crate::spire::fields::Fields;
use govlog_formats::record::federation::FederationOp;
use govlog_formats::record::registration::RegistrationOp;
use govlog_formats::record::signing_key::SigningKeyOp;

/// A line that was looked at.
#[derive(Clone, Debug)]
pub enum Seen<'a> {
    /// It tells of nothing that is recorded.
    Other,
    /// It should tell of something, and cannot be read.
    Unreadable(Wrong),
    /// It tells of something.
    Of(&'a RawValue, What),
}

/// What a line tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The server's version, at its start.
    Version,
    /// A step in the life of a signing key.
    Key(Step),
    /// A credential was signed.
    Signed,
    /// Somebody called.
    Call(Call),
}

/// A step in the life of a signing key, as the server itself tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it signs.
    pub purpose: &'static str,
    /// What became of it.
    pub op: SigningKeyOp,
    /// Which member has its id.
    pub id: &'static str,
}

/// A call of the server's interfaces that is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// A credential was asked for.
    Credential(Credential),
    /// An entry was made, changed or removed.
    Entry(RegistrationOp),
    /// An agent attested.
    Attest,
    /// An agent was banned or removed.
    Agent,
    /// An authority was tainted or revoked.
    Authority(Step),
    /// A bundle, or what was agreed with another trust domain, was changed.
    Federation(FederationOp),
}

/// A credential that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credential {
    /// What it is.
    pub kind: &'static str,
    /// Whether another line tells that it was signed.
    pub has_signed: bool,
}

/// Looks at a line.
#[must_use]
pub fn look(bytes: &[u8]) -> Seen<'_> {
    let unreadable = |problem: JsonError| {
        if is_marked(bytes) { Seen::Unreadable(Wrong::Json { at: "line", problem }) } else { Seen::Other }
    };
    // Most lines are of no interest: nothing is made of them.
    if !is_marked(bytes) {
        return Seen::Other;
    }
    let raw = match json::value(bytes) {
        Ok(raw) => raw,
        Err(problem) => return unreadable(problem),
    };
    match Fields::parse(raw).and_then(|fields| what(&fields)) {
        Ok(Some(what)) => Seen::Of(raw, what),
        Ok(None) => Seen::Other,
        Err(wrong) => Seen::Unreadable(wrong),
    }
}

/// Finds out what a line tells of; `None`: nothing that is recorded.
pub(in crate::spire) fn what(fields: &Fields<'_>) -> Result<Option<What>, Wrong> {
    let Some(message) = fields.text("msg")? else { return Ok(None) };
    if message == AUDIT {
        return Ok(if is(fields, "type", "audit")? { call(fields)?.map(What::Call) } else { None });
    }
    if SIGNED.contains(&&*message) {
        // What the server signs for itself belongs to no call.
        let is_of_call = is(fields, "service", SVID)? && fields.text("request_id")?.is_some();
        return Ok(is_of_call.then_some(What::Signed));
    }
    if message == CONFIGURED {
        return Ok(
            (fields.text("version")?.is_some() && fields.member("launch_log_level").is_some()).then_some(What::Version)
        );
    }
    Ok(STEPS
        .iter()
        .find(|(known, ..)| *known == message)
        .map(|(_, purpose, op, id)| What::Key(Step { purpose, op: *op, id })))
}

fn call(fields: &Fields<'_>) -> Result<Option<Call>, Wrong> {
    let (Some(service), Some(method)) = (fields.text("service")?, fields.text("method")?) else { return Ok(None) };
    let found = CALLS.iter().find(|(of, known, _)| *of == service && *known == method).map(|(.., call)| *call);
    // Of a credential or an attestation that was refused it is told; of another call that came to nothing there is nothing to tell.
    Ok(match found {
        Some(Call::Credential(_) | Call::Attest) => found,
        Some(_) if is(fields, "status", "success")? => found,
        _ => None,
    })
}

fn is(fields: &Fields<'_>, name: &'static str, text: &str) -> Result<bool, Wrong> {
    Ok(fields.text(name)?.as_deref() == Some(text))
}

/// Whether a line may tell of something, whatever its form: cut off, of another log format, or whole.
fn is_marked(line: &[u8]) -> bool {
    let found = |mark: &&str| line.windows(mark.len()).any(|part| part == mark.as_bytes());
    MARKS.iter().any(found)
}

const AUDIT: &str = "API accessed";
const CONFIGURED: &str = "Configured";
const SVID: &str = "svid.v1.SVID";
const SIGNED: [&str; 3] =
    ["Signed X509 SVID", "Server CA successfully signed JWT SVID", "Server CA successfully signed WIT-SVID"];
const MARKS: [&str; 8] = [
    AUDIT,
    "Signed X509 SVID",
    "successfully signed",
    "X509 CA ",
    "JWT key ",
    "WIT key ",
    "authority ",
    "launch_log_level",
];

const LOCAL_ID: &str = "local_authority_id";
const SUBJECT_KEY_ID: &str = "subject_key_id";

/// What the server tells of its keys.
#[rustfmt::skip]
const STEPS: [(&str, &str, SigningKeyOp, &str); 8] = [
    ("X509 CA prepared", "x509-svid", SigningKeyOp::Prepared, LOCAL_ID),
    ("X509 CA activated", "x509-svid", SigningKeyOp::Active, LOCAL_ID),
    ("JWT key prepared", "jwt-svid", SigningKeyOp::Prepared, LOCAL_ID),
    ("JWT key activated", "jwt-svid", SigningKeyOp::Active, LOCAL_ID),
    ("WIT key prepared", "wit-svid", SigningKeyOp::Prepared, LOCAL_ID),
    ("WIT key activated", "wit-svid", SigningKeyOp::Active, LOCAL_ID),
    ("X.509 authority tainted", "x509-svid", SigningKeyOp::Tainted, SUBJECT_KEY_ID),
    ("X.509 authority revoked", "x509-svid", SigningKeyOp::Revoked, SUBJECT_KEY_ID),
];

const ENTRY: &str = "entry.v1.Entry";
const AGENT: &str = "agent.v1.Agent";
/// The call that bans an agent; the other of these removes it.
pub(super) const BAN: &str = "BanAgent";
const BUNDLE: &str = "bundle.v1.Bundle";
const DOMAIN: &str = "trustdomain.v1.TrustDomain";
const AUTHORITY: &str = "localauthority.v1.LocalAuthority";

const fn credential(kind: &'static str, has_signed: bool) -> Call {
    Call::Credential(Credential { kind, has_signed })
}

const fn authority(purpose: &'static str, op: SigningKeyOp, id: &'static str) -> Call {
    Call::Authority(Step { purpose, op, id })
}

/// The calls that are recorded. That an authority is prepared or activated the server tells by itself.
#[rustfmt::skip]
const CALLS: [(&str, &str, Call); 30] = [
    (SVID, "BatchNewX509SVID", credential("x509", true)),
    (SVID, "MintX509SVID", credential("x509", true)),
    (SVID, "NewDownstreamX509CA", credential("x509", false)),
    (SVID, "NewJWTSVID", credential("jwt", true)),
    (SVID, "MintJWTSVID", credential("jwt", true)),
    (SVID, "MintWITSVID", credential("wit", true)),
    (SVID, "BatchNewWITSVID", credential("wit", false)),
    (ENTRY, "BatchCreateEntry", Call::Entry(RegistrationOp::Create)),
    (ENTRY, "BatchUpdateEntry", Call::Entry(RegistrationOp::Update)),
    (ENTRY, "BatchDeleteEntry", Call::Entry(RegistrationOp::Delete)),
    (AGENT, "AttestAgent", Call::Attest),
    (AGENT, BAN, Call::Agent),
    (AGENT, "DeleteAgent", Call::Agent),
    (BUNDLE, "AppendBundle", Call::Federation(FederationOp::Change)),
    (BUNDLE, "PublishJWTAuthority", Call::Federation(FederationOp::Change)),
    (BUNDLE, "PublishWITAuthority", Call::Federation(FederationOp::Change)),
    (BUNDLE, "BatchCreateFederatedBundle", Call::Federation(FederationOp::Add)),
    (BUNDLE, "BatchUpdateFederatedBundle", Call::Federation(FederationOp::Change)),
    (BUNDLE, "BatchSetFederatedBundle", Call::Federation(FederationOp::Change)),
    (BUNDLE, "BatchDeleteFederatedBundle", Call::Federation(FederationOp::Remove)),
    (DOMAIN, "BatchCreateFederationRelationship", Call::Federation(FederationOp::Add)),
    (DOMAIN, "BatchUpdateFederationRelationship", Call::Federation(FederationOp::Change)),
    (DOMAIN, "BatchDeleteFederationRelationship", Call::Federation(FederationOp::Remove)),
    (AUTHORITY, "TaintX509Authority", authority("x509-svid", SigningKeyOp::Tainted, LOCAL_ID)),
    (AUTHORITY, "RevokeX509Authority", authority("x509-svid", SigningKeyOp::Revoked, LOCAL_ID)),
    (AUTHORITY, "TaintX509UpstreamAuthority", authority("x509-svid", SigningKeyOp::Tainted, SUBJECT_KEY_ID)),
    (AUTHORITY, "RevokeX509UpstreamAuthority", authority("x509-svid", SigningKeyOp::Revoked, SUBJECT_KEY_ID)),
    (AUTHORITY, "TaintJWTAuthority", authority("jwt-svid", SigningKeyOp::Tainted, LOCAL_ID)),
    (AUTHORITY, "RevokeJWTAuthority", authority("jwt-svid", SigningKeyOp::Revoked, LOCAL_ID)),
    // WIT authorities cannot be tainted or revoked in the versions that have them; if they can one day, this is how.
    (AUTHORITY, "RevokeWITAuthority", authority("wit-svid", SigningKeyOp::Revoked, LOCAL_ID)),
];
