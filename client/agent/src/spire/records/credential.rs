//! `issuance`: a credential was signed, or was refused.

use ciborium::Value;
use govlog_formats::record::Handle;
use govlog_formats::record::issuance::{Possession, Stage};

use super::sheet::{Sheet, attested, key_iss};
use crate::json::{self, Kind};
use crate::spire::Wrong;
use crate::spire::event::Told;
use crate::spire::fields::{Fields, hex, serial};
use crate::spire::log::{Call, What, what};

/// Writes what lines tell of a credential.
pub(super) fn write(sheet: &mut Sheet<'_, '_>, told: &Told<'_>) -> Result<(), Wrong> {
    let read = |line: Option<_>| line.map(Fields::parse).transpose();
    let (line, signed) = (read(told.line)?, read(told.signed)?);
    let main = line.as_ref().or(signed.as_ref()).ok_or(Wrong::Unknown)?;
    sheet.line(told, main)?;
    let kind = kind(line.as_ref(), signed.as_ref())?;
    let is_issued = match &line {
        Some(line) => line.text("status")?.as_deref() == Some("success"),
        None => true,
    };
    let stage = if is_issued { Stage::Issued } else { Stage::Denied };
    sheet.put("stage", stage.as_str());
    sheet.put("credential_type", kind);
    subject(sheet, told, main, is_issued)?;
    let issuer = sheet.settings.issuer();
    sheet.put("issuer", issuer.as_str());
    let authorised_as = main.text("authorized_as")?.filter(|by| by != "nobody");
    sheet.put_text("authorised_as", authorised_as);
    let requester = sheet.requester(main)?;
    if let Some(agent) = requester.as_ref().filter(|id| id.starts_with("spiffe://")) {
        sheet.link("attested_by", attested(agent, &sheet.settings.verifier()));
    }
    sheet.put_text("requester", requester);
    entry(sheet, told, line.as_ref(), signed.as_ref())?;
    if let Some(line) = line.as_ref().filter(|_| !is_issued) {
        sheet.put("reason", reason(line)?);
        return Ok(());
    }
    let possession = if kind == "jwt" { Possession::Bearer } else { Possession::Key };
    sheet.put("possession", possession.as_str());
    let expires = |fields: Option<&Fields<'_>>| match fields {
        None => Ok(None),
        Some(fields) => fields
            .time_ms("expiration")
            .and_then(|time| time.map_or_else(|| fields.time_ms("expires_at"), |time| Ok(Some(time)))),
    };
    if let Some(not_after_ms) =
        expires(signed.as_ref())?.map_or_else(|| expires(line.as_ref()), |time| Ok(Some(time)))?
    {
        sheet.put("not_after_ms", not_after_ms);
    }
    // A list where it is one: an audience may hold commas.
    let audience = [&signed, &line].into_iter().flatten().map(|fields| fields.list("audience"));
    let audience = audience.collect::<Result<Vec<_>, _>>()?.into_iter().find(|list| !list.is_empty());
    sheet.put_list("audience", audience.into_iter().flatten().map(Value::Text).collect())?;
    key(sheet, told, kind, signed.as_ref(), &issuer)
}

/// What was asked for. What was signed says it by its message, the audit log by the method.
fn kind(line: Option<&Fields<'_>>, signed: Option<&Fields<'_>>) -> Result<&'static str, Wrong> {
    if let Some(line) = line {
        return match what(line)? {
            Some(What::Call(Call::Credential(credential))) => Ok(credential.kind),
            _ => Err(Wrong::Unknown),
        };
    }
    let message = signed.map(|signed| signed.text("msg")).transpose()?.flatten().unwrap_or_default();
    Ok(match &*message {
        message if message.contains("X509") => "x509",
        message if message.contains("JWT") => "jwt",
        _ => "wit",
    })
}

/// Puts in whom it is for. Of what was refused that may not be known: then it is somebody of the trust domain.
fn subject(sheet: &mut Sheet<'_, '_>, told: &Told<'_>, main: &Fields<'_>, is_issued: bool) -> Result<(), Wrong> {
    let settings = sheet.settings;
    let said = main.member_id("spiffe_id", settings)?;
    // A certificate authority below this one signs for the trust domain as a whole.
    let is_domain = main.text("trust_domain_id")?.is_some_and(|id| id == settings.issuer());
    let known = told.subject.clone().filter(|id| settings.is_member(id));
    match said.or(known) {
        Some(id) => sheet.subject(id),
        None if !is_issued || is_domain => sheet.subject(settings.issuer()),
        None => return Err(Wrong::Missing("spiffe_id")),
    }
    Ok(())
}

/// Puts in under which entry it was asked for.
fn entry(
    sheet: &mut Sheet<'_, '_>,
    told: &Told<'_>,
    line: Option<&Fields<'_>>,
    signed: Option<&Fields<'_>>,
) -> Result<(), Wrong> {
    let both = || [line, signed].into_iter().flatten();
    let ids = both().map(|fields| fields.text("entry_id")).collect::<Result<Vec<_>, _>>()?;
    let revisions = both().map(|fields| fields.uint("revision_number")).collect::<Result<Vec<_>, _>>()?;
    let id = ids.into_iter().flatten().next();
    let revision = revisions.into_iter().flatten().next();
    let known = told.entry.as_ref().filter(|entry| Some(&entry.id) == id.as_ref());
    sheet.put_text("entry_id", id);
    if let Some(revision) = revision.or(known.map(|entry| entry.revision)) {
        sheet.put("revision", revision);
    }
    if let Some(entry) = known {
        let digest = super::entry::digest(entry, sheet.settings)?;
        sheet.put("entry_digest", Value::Bytes(digest.as_bytes().to_vec()));
        sheet.link("registered_as", Handle::of_digest("entry_digest", &digest));
    }
    Ok(())
}

/// Puts in which key signed it, and the serial number that this key gave it.
fn key(
    sheet: &mut Sheet<'_, '_>,
    told: &Told<'_>,
    kind: &str,
    signed: Option<&Fields<'_>>,
    issuer: &str,
) -> Result<(), Wrong> {
    let key_id = match kind {
        "x509" => told.state.x509.as_deref().and_then(hex).map(Value::Bytes),
        "jwt" => told.state.jwt.as_deref().map(Value::from),
        _ => told.state.wit.as_deref().map(Value::from),
    };
    let number = signed.map(|signed| signed.text("serial_num")).transpose()?.flatten();
    let number = number
        .map(|text| serial(&text).ok_or(Wrong::Form { at: "serial_num", should: "a decimal number of 1 to 20 bytes" }));
    let number = number.transpose()?;
    let Some(key_id) = key_id else { return Ok(()) };
    if let Some(number) = number.filter(|_| kind == "x509") {
        let value = Value::Array(vec![Value::Bytes(number), key_id.clone()]);
        sheet.handle(Handle { name: "serial_aki".to_owned(), value });
    }
    sheet.put("issuer_key_id", key_id.clone());
    sheet.link("signed_by", key_iss(key_id, issuer));
    Ok(())
}

/// Gives the class of a refusal. What the server says in words repeats what it was asked.
pub(super) fn reason(line: &Fields<'_>) -> Result<&'static str, Wrong> {
    let Some(raw) = line.member("status_code") else { return Ok("Unknown") };
    if json::kind(raw) == Kind::Number {
        let code = line.uint("status_code")?.and_then(|code| usize::try_from(code).ok());
        return Ok(code.and_then(|code| CODES.get(code)).copied().unwrap_or("Unknown"));
    }
    let name = line.text("status_code")?.unwrap_or_default();
    Ok(CODES.into_iter().find(|code| *code == name).unwrap_or("Unknown"))
}

/// The codes of gRPC, by number.
const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];
