//! Events become records.
//!
//! In clear stands what audits join and count: SPIFFE IDs, ids of entries and keys, serial numbers, times. Lines of the log are sealed whole,
//! byte for byte, beside it: they hold addresses and paths of callers. Selectors stand in clear where they name machines and workloads; where
//! they may name people or hold secrets they are sealed.

mod agent;
mod credential;
mod entry;
mod federation;
mod key;
mod sheet;

use super::event::{Form, Told};
use super::fields::Fields;
use super::log::{Call, What};
use super::{Settings, Wrong};
use crate::adapter::Kept;
use crate::seal::{Draft, Sealer};
use sheet::Sheet;

/// Makes the record of an event.
///
/// # Errors
///
/// [`Wrong`] says where something is missing, of another form or too long.
pub fn draft(event: &Kept<'_>, settings: &Settings, sealer: Sealer<'_>) -> Result<Draft, Wrong> {
    let form = Form::from_name(event.form).ok_or(Wrong::Unknown)?;
    let mut sheet = Sheet::new(settings, event.instance, form, sealer);
    let kind = match form {
        Form::Issuance => {
            let told = read(event.bytes)?;
            credential::write(&mut sheet, &told)?;
            "issuance"
        }
        Form::Registration => {
            let told = read(event.bytes)?;
            entry::tell(&mut sheet, &told)?;
            "registration"
        }
        Form::Attestation => {
            let told = read(event.bytes)?;
            agent::tell(&mut sheet, &told)?;
            "attestation"
        }
        Form::Revocation => {
            let told = read(event.bytes)?;
            revocation(&mut sheet, &told)?;
            "revocation"
        }
        Form::SigningKey => {
            let told = read(event.bytes)?;
            key::tell(&mut sheet, &told)?;
            "signing-key"
        }
        Form::Federation => {
            let told = read(event.bytes)?;
            federation::tell(&mut sheet, &told)?;
            "federation"
        }
        form => found(&mut sheet, form, event)?,
    };
    sheet.finish(kind)
}

/// Records what was found by asking.
fn found(sheet: &mut Sheet<'_, '_>, form: Form, event: &Kept<'_>) -> Result<&'static str, Wrong> {
    sheet.is_found(event.received_ms);
    Ok(match form {
        Form::FoundEntry => {
            entry::found(sheet, &read(event.bytes)?)?;
            "registration"
        }
        Form::GoneEntry => {
            entry::gone(sheet, &read(event.bytes)?)?;
            "registration"
        }
        Form::FoundAgent => {
            agent::found(sheet, &read(event.bytes)?)?;
            "attestation"
        }
        Form::BannedAgent => {
            agent::banned(sheet, &read(event.bytes)?, event.received_ms)?;
            "revocation"
        }
        Form::FoundBundle => {
            federation::found(sheet, &read(event.bytes)?)?;
            "federation"
        }
        Form::FoundAuthority => {
            key::found(sheet, &read(event.bytes)?)?;
            "signing-key"
        }
        _ => return Err(Wrong::Unknown),
    })
}

/// Reads what a feed wrote.
fn read<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Wrong> {
    serde_json::from_slice(bytes).map_err(|_| Wrong::Unknown)
}

/// Gives the line of an audit log, and the call it is about.
fn call<'a>(told: &Told<'a>) -> Result<(Fields<'a>, Call), Wrong> {
    let fields = Fields::parse(told.line.ok_or(Wrong::Unknown)?)?;
    match super::log::what(&fields)? {
        Some(What::Call(call)) => Ok((fields, call)),
        _ => Err(Wrong::Unknown),
    }
}

/// Records that something is not good any more.
fn revocation(sheet: &mut Sheet<'_, '_>, told: &Told<'_>) -> Result<(), Wrong> {
    let (fields, call) = call(told)?;
    let at_ms = sheet.line(told, &fields)?;
    sheet.put("effective_ms", at_ms);
    let requester = sheet.requester(&fields)?;
    sheet.put_text("revoked_by", requester);
    match call {
        Call::Entry(_) => entry::revoked(sheet, told, &fields),
        Call::Agent => agent::revoked(sheet, &fields),
        Call::Authority(step) => key::revoked(sheet, step, &fields),
        Call::Credential(_) | Call::Attest | Call::Federation(_) => Err(Wrong::Unknown),
    }
}
