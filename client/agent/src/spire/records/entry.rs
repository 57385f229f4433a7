//! `registration`: an entry was made, changed or removed, or is as found; and the `revocation` of one that was removed.

use ciborium::Value;
use govlog_formats::digest::Digest;
use govlog_formats::record::Handle;
use govlog_formats::record::registration::RegistrationOp;
use govlog_formats::record::revocation::{RevocationTarget, TargetType};

use super::call;
use super::sheet::Sheet;
use crate::rfc3339;
use crate::seal::Sealer;
use crate::spire::api::{Entry, Selector};
use crate::spire::event::{Form, Told};
use crate::spire::fields::Fields;
use crate::spire::log::Call;
use crate::spire::{Settings, Wrong};

/// Writes what a line tells of an entry.
pub(super) fn tell(sheet: &mut Sheet<'_, '_>, told: &Told<'_>) -> Result<(), Wrong> {
    let (fields, Call::Entry(op)) = call(told)? else { return Err(Wrong::Unknown) };
    sheet.line(told, &fields)?;
    sheet.put("op", op.as_str());
    let requester = sheet.requester(&fields)?;
    sheet.put_text("requester", requester);
    if let Some(entry) = &told.entry {
        return whole(sheet, entry);
    }
    let id = fields.text("entry_id")?.or_else(|| told.entry_id.clone());
    if id.is_none() && op != RegistrationOp::Create {
        return Err(Wrong::Missing("entry_id"));
    }
    sheet.put_text("entry_id", id);
    as_asked(sheet, told, &fields)
}

/// Writes what was asked for. The revision in the line is that of the request, which is none.
fn as_asked(sheet: &mut Sheet<'_, '_>, told: &Told<'_>, fields: &Fields<'_>) -> Result<(), Wrong> {
    let known = told.subject.clone().filter(|id| sheet.settings.is_member(id));
    if let Some(subject) = fields.member_id("spiffe_id", sheet.settings)?.or(known) {
        sheet.subject(subject);
    }
    let parent = fields.member_id("parent_id", sheet.settings)?;
    sheet.parent(parent);
    // With a comma in it, the text may be one selector or several.
    if let Some((kind, value)) =
        fields.text("selectors")?.filter(|text| !text.contains(',')).as_deref().and_then(|text| text.split_once(':'))
    {
        sheet.selectors(&[Selector(kind.to_owned(), value.to_owned())])?;
    }
    ttls(sheet, fields.uint("x509_svid_ttl")?.unwrap_or(0), fields.uint("jwt_svid_ttl")?.unwrap_or(0));
    for (key, name) in [("admin", "admin"), ("downstream", "downstream"), ("store", "store_svid")] {
        if let Some(flag) = fields.flag(name)? {
            sheet.put(key, flag);
        }
    }
    for (key, name) in [("federates_with", "federates_with"), ("dns_names", "dns_name")] {
        let list = fields.list(name)?.into_iter().map(Value::Text).collect();
        sheet.put_list(key, list)?;
    }
    if let Some(expires_ms) = fields.time_ms("expires_at")? {
        sheet.put("expires_ms", expires_ms);
    }
    let hint = fields.text("hint")?;
    sheet.put_text("hint", hint);
    Ok(())
}

/// Writes an entry as found.
pub(super) fn found(sheet: &mut Sheet<'_, '_>, entry: &Entry) -> Result<(), Wrong> {
    sheet.put("op", RegistrationOp::Snapshot.as_str());
    sheet.native_id(entry.native_id());
    whole(sheet, entry)
}

/// Writes that an entry is there no more.
pub(super) fn gone(sheet: &mut Sheet<'_, '_>, entry: &Entry) -> Result<(), Wrong> {
    sheet.put("op", RegistrationOp::Delete.as_str());
    sheet.native_id(entry.end_id());
    sheet.put_text("entry_id", Some(entry.id.clone()));
    sheet.put("revision", entry.revision);
    subject(sheet, entry)
}

/// Writes that the credentials of an entry are not to be renewed.
pub(super) fn revoked(sheet: &mut Sheet<'_, '_>, told: &Told<'_>, fields: &Fields<'_>) -> Result<(), Wrong> {
    let id = fields.text("entry_id")?.ok_or(Wrong::Missing("entry_id"))?;
    sheet.put("target_type", TargetType::Entry.as_str());
    sheet.put("target", RevocationTarget::Id(id).to_value());
    if let Some(subject) = told.subject.clone().filter(|id| sheet.settings.is_member(id)) {
        sheet.subject(subject);
    }
    if let Some(entry) = &told.entry {
        let digest = digest(entry, sheet.settings)?;
        sheet.link("revokes", Handle::of_digest("entry_digest", &digest));
    }
    Ok(())
}

/// Writes all of an entry, and its digest.
fn whole(sheet: &mut Sheet<'_, '_>, entry: &Entry) -> Result<(), Wrong> {
    fields(sheet, entry)?;
    let digest = sheet.entry_digest();
    sheet.put("entry_digest", Value::Bytes(digest.as_bytes().to_vec()));
    Ok(())
}

fn fields(sheet: &mut Sheet<'_, '_>, entry: &Entry) -> Result<(), Wrong> {
    if entry.id.is_empty() {
        return Err(Wrong::Missing("id"));
    }
    sheet.put("entry_id", entry.id.as_str());
    sheet.put("revision", entry.revision);
    subject(sheet, entry)?;
    sheet.parent(Some(entry.parent.clone()));
    sheet.selectors(&entry.selectors)?;
    ttls(sheet, entry.x509_ttl, entry.jwt_ttl);
    for (key, flag) in [("admin", entry.admin), ("downstream", entry.downstream), ("store", entry.store)] {
        sheet.put(key, flag);
    }
    for (key, list) in [("federates_with", &entry.federates_with), ("dns_names", &entry.dns_names)] {
        sheet.put_list(key, list.iter().map(|item| item.as_str().into()).collect())?;
    }
    for (key, at, seconds) in
        [("expires_ms", "expires_at", entry.expires_s), ("created_ms", "created_at", entry.created_s)]
    {
        if let Some(seconds) = seconds {
            let wrong = Wrong::Form { at, should: "seconds between 1970 and 2200" };
            sheet.put(key, rfc3339::of_seconds(seconds).ok_or(wrong)?);
        }
    }
    sheet.put_text("hint", Some(entry.hint.clone()));
    Ok(())
}

fn subject(sheet: &mut Sheet<'_, '_>, entry: &Entry) -> Result<(), Wrong> {
    if !sheet.settings.is_member(&entry.subject) {
        return Err(Wrong::Form { at: "spiffe_id", should: "a SPIFFE ID with a path, of the configured trust domain" });
    }
    sheet.subject(entry.subject.clone());
    Ok(())
}

fn ttls(sheet: &mut Sheet<'_, '_>, x509: u64, jwt: u64) {
    let ttls = [("x509", x509), ("jwt", jwt)].into_iter().filter(|(_, seconds)| *seconds > 0);
    let ttls: Vec<(Value, Value)> = ttls.map(|(kind, seconds)| (kind.into(), seconds.into())).collect();
    if !ttls.is_empty() {
        sheet.put("ttl_s", Value::Map(ttls));
    }
}

/// Gives the digest that the record of an entry has. What is sealed in it takes no part, so no salt is needed to make it.
pub(super) fn digest(entry: &Entry, settings: &Settings) -> Result<Digest, Wrong> {
    let mut no_salt = || [0; 32];
    let mut sheet = Sheet::new(settings, "", Form::FoundEntry, Sealer::new(&mut no_salt));
    fields(&mut sheet, entry)?;
    Ok(sheet.entry_digest())
}
