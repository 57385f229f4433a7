//! `attestation`: a node gave evidence of what it is; and the `revocation` of one that was banned or removed.

use govlog_formats::record::attestation::{AttestationResult, Strength};
use govlog_formats::record::revocation::{RevocationTarget, TargetType};

use super::call;
use super::credential::reason;
use super::sheet::{Sheet, attested};
use crate::spire::Wrong;
use crate::spire::api::Agent;
use crate::spire::event::Told;
use crate::spire::fields::Fields;

/// Writes what a line tells of a node that attested.
pub(super) fn tell(sheet: &mut Sheet<'_, '_>, told: &Told<'_>) -> Result<(), Wrong> {
    let (fields, _) = call(told)?;
    sheet.line(told, &fields)?;
    let id = fields.member_id("agent_id", sheet.settings)?;
    let method = fields.text("node_attestor_type")?;
    if fields.text("status")?.as_deref() == Some("success") {
        let (id, method) = (id.ok_or(Wrong::Missing("agent_id"))?, method.ok_or(Wrong::Missing("node_attestor_type"))?);
        sheet.put("result", AttestationResult::Accepted.as_str());
        attest(sheet, id, method);
        return Ok(());
    }
    let reason = reason(&fields)?;
    // The others say what became of the evidence; these, that something else stood in the way.
    let is_error = matches!(
        reason,
        "Unknown" | "Internal" | "Unavailable" | "ResourceExhausted" | "Canceled" | "DeadlineExceeded"
    );
    let result = if is_error { AttestationResult::Error } else { AttestationResult::Refused };
    sheet.put("result", result.as_str());
    sheet.put("reason", reason);
    // Whoever is refused early has not said who it is, or how it would show that.
    sheet.put("method", method.unwrap_or_else(|| "unknown".to_owned()));
    let subject = id.unwrap_or_else(|| sheet.settings.issuer());
    sheet.subject(subject);
    let verifier = sheet.settings.verifier();
    sheet.put("verifier", verifier);
    Ok(())
}

/// Writes an agent as found: what the log does not tell are its selectors.
pub(super) fn found(sheet: &mut Sheet<'_, '_>, agent: &Agent) -> Result<(), Wrong> {
    let id = checked(sheet, agent)?;
    sheet.native_id(agent.native_id());
    sheet.put("result", AttestationResult::Accepted.as_str());
    let method = if agent.method.is_empty() { "unknown".to_owned() } else { agent.method.clone() };
    attest(sheet, id, method);
    sheet.selectors(&agent.selectors)
}

/// Writes that an agent was found to be banned.
pub(super) fn banned(sheet: &mut Sheet<'_, '_>, agent: &Agent, received_ms: u64) -> Result<(), Wrong> {
    let id = checked(sheet, agent)?;
    sheet.native_id(agent.ban_id());
    sheet.put("effective_ms", received_ms);
    revoke(sheet, id);
    Ok(())
}

/// Writes that an agent was banned or removed.
pub(super) fn revoked(sheet: &mut Sheet<'_, '_>, fields: &Fields<'_>) -> Result<(), Wrong> {
    let id = fields.member_id("spiffe_id", sheet.settings)?.ok_or(Wrong::Missing("spiffe_id"))?;
    let reason = match fields.text("method")?.as_deref() {
        Some("BanAgent") => "banned",
        _ => "removed",
    };
    sheet.put("reason", reason);
    revoke(sheet, id);
    Ok(())
}

fn checked(sheet: &Sheet<'_, '_>, agent: &Agent) -> Result<String, Wrong> {
    let is_member = sheet.settings.is_member(&agent.id);
    let wrong = Wrong::Form { at: "id", should: "a SPIFFE ID with a path, of the configured trust domain" };
    is_member.then(|| agent.id.clone()).ok_or(wrong)
}

fn attest(sheet: &mut Sheet<'_, '_>, id: String, method: String) {
    if let Some(strength) = strength(&method) {
        sheet.put("strength", strength.as_str());
    }
    sheet.put("method", method);
    let verifier = sheet.settings.verifier();
    sheet.handle(attested(&id, &verifier));
    sheet.put("verifier", verifier);
    sheet.subject(id);
}

fn revoke(sheet: &mut Sheet<'_, '_>, id: String) {
    sheet.put("target_type", TargetType::Agent.as_str());
    sheet.put("target", RevocationTarget::Id(id.clone()).to_value());
    sheet.link("revokes", attested(&id, &sheet.settings.verifier()));
    sheet.subject(id);
}

/// What the evidence of a method rests on, where that is the same for all who use it.
fn strength(method: &str) -> Option<Strength> {
    Some(match method {
        "join_token" => Strength::Bearer,
        "x509pop" | "sshpop" | "http_challenge" => Strength::Pop,
        "tpm_devid" => Strength::Hardware,
        "aws_iid" | "gcp_iit" | "azure_imds" | "azure_msi" | "k8s_psat" | "k8s_sat" => Strength::PlatformSigned,
        _ => return None,
    })
}
