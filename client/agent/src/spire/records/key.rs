//! `signing-key`: a step in the life of an authority; and the `revocation` of one that is not to be believed any more.

use ciborium::Value;
use govlog_formats::record::revocation::{RevocationTarget, TargetType};
use govlog_formats::record::signing_key::SigningKeyOp;

use super::sheet::{Sheet, key_iss};
use crate::rfc3339;
use crate::spire::Wrong;
use crate::spire::api::Authority;
use crate::spire::event::Told;
use crate::spire::fields::{Fields, hex};
use crate::spire::log::{Call, Step, What, what};

/// Writes what a line tells of an authority.
pub(super) fn tell(sheet: &mut Sheet<'_, '_>, told: &Told<'_>) -> Result<(), Wrong> {
    let fields = Fields::parse(told.line.ok_or(Wrong::Unknown)?)?;
    let step = match what(&fields)? {
        Some(What::Key(step) | What::Call(Call::Authority(step))) => step,
        _ => return Err(Wrong::Unknown),
    };
    sheet.line(told, &fields)?;
    let id = fields.text(step.id)?.ok_or(Wrong::Missing(step.id))?;
    write(sheet, step.purpose, step.op.as_str(), &id)?;
    let upstream = fields.text("upstream_authority_id")?.unwrap_or_default();
    put_upstream(sheet, &upstream)?;
    for (key, name) in [("not_before_ms", "issued_at"), ("not_after_ms", "expiration")] {
        if let Some(time) = fields.time_ms(name)? {
            sheet.put(key, time);
        }
    }
    Ok(())
}

/// Writes an authority as found.
pub(super) fn found(sheet: &mut Sheet<'_, '_>, authority: &Authority) -> Result<(), Wrong> {
    SigningKeyOp::from_name(&authority.op).ok_or(Wrong::Unknown)?;
    sheet.native_id(authority.native_id());
    write(sheet, &authority.purpose, &authority.op, &authority.id)?;
    put_upstream(sheet, &authority.upstream)?;
    if let Some(expires_ms) = authority.expires_s.and_then(rfc3339::of_seconds) {
        sheet.put("not_after_ms", expires_ms);
    }
    Ok(())
}

/// Writes that an authority is not to be believed any more.
pub(super) fn revoked(sheet: &mut Sheet<'_, '_>, step: Step, fields: &Fields<'_>) -> Result<(), Wrong> {
    let id = fields.text(step.id)?.ok_or(Wrong::Missing(step.id))?;
    let key_id = key_id(step.purpose, &id)?;
    sheet.put("target_type", TargetType::IssuerKey.as_str());
    sheet.put("target", RevocationTarget::Id(id).to_value());
    sheet.put("reason", step.op.as_str());
    sheet.link("revokes", key_iss(key_id, &sheet.settings.issuer()));
    Ok(())
}

fn write(sheet: &mut Sheet<'_, '_>, purpose: &str, op: &str, id: &str) -> Result<(), Wrong> {
    let (key_id, issuer) = (key_id(purpose, id)?, sheet.settings.issuer());
    sheet.put("op", op);
    sheet.put("use", purpose);
    sheet.put("key_id", key_id.clone());
    sheet.handle(key_iss(key_id, &issuer));
    sheet.put("issuer", issuer);
    Ok(())
}

fn put_upstream(sheet: &mut Sheet<'_, '_>, upstream: &str) -> Result<(), Wrong> {
    if upstream.is_empty() {
        return Ok(());
    }
    let wrong = Wrong::Form { at: "upstream_authority_id", should: "hexadecimal" };
    sheet.put("upstream", Value::Bytes(hex(upstream).ok_or(wrong)?));
    Ok(())
}

/// The id as credentials have it: bytes in certificates, text in tokens.
fn key_id(purpose: &str, id: &str) -> Result<Value, Wrong> {
    if purpose != "x509-svid" {
        return Ok(id.into());
    }
    hex(id).map(Value::Bytes).ok_or(Wrong::Form { at: "the authority's id", should: "hexadecimal" })
}
