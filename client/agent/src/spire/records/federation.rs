//! `federation`: a bundle as found, or a change of bundles and of what was agreed with other trust domains.

use ciborium::Value;
use govlog_formats::record::Handle;
use govlog_formats::record::federation::FederationOp;

use super::call;
use super::sheet::Sheet;
use crate::spire::Wrong;
use crate::spire::api::{Bundle, BundleKey};
use crate::spire::event::Told;
use crate::spire::fields::hex;
use crate::spire::log::Call;

/// Writes what a line tells of a bundle or a trust domain.
pub(super) fn tell(sheet: &mut Sheet<'_, '_>, told: &Told<'_>) -> Result<(), Wrong> {
    let (fields, Call::Federation(op)) = call(told)? else { return Err(Wrong::Unknown) };
    sheet.line(told, &fields)?;
    sheet.put("op", op.as_str());
    // Calls about the own bundle name no trust domain, or its SPIFFE ID.
    let domain = fields.text("trust_domain_id")?.unwrap_or_else(|| sheet.settings.trust_domain.clone());
    put_domain(sheet, domain.strip_prefix("spiffe://").unwrap_or(&domain))?;
    for (key, name) in [("sequence", "sequence_number"), ("refresh_hint_s", "refresh_hint")] {
        if let Some(number) = fields.uint(name)?.filter(|number| *number > 0) {
            sheet.put(key, number);
        }
    }
    for (key, name) in [
        ("endpoint_url", "bundle_endpoint_url"),
        ("profile", "bundle_endpoint_profile"),
        ("endpoint_identity", "endpoint_spiffe_id"),
    ] {
        let text = fields.text(name)?;
        sheet.put_text(key, text);
    }
    Ok(())
}

/// Writes a bundle as found.
pub(super) fn found(sheet: &mut Sheet<'_, '_>, bundle: &Bundle) -> Result<(), Wrong> {
    let digest = bundle.keys_digest();
    sheet.native_id(bundle.native_id());
    sheet.put("op", FederationOp::Observe.as_str());
    put_domain(sheet, &bundle.domain)?;
    for (key, number) in [("sequence", bundle.sequence), ("refresh_hint_s", bundle.refresh_hint_s)] {
        if let Some(number) = number {
            sheet.put(key, number);
        }
    }
    let keys = bundle.keys.iter().map(key).collect::<Result<_, _>>()?;
    sheet.put_list("keys", keys)?;
    sheet.put("bundle_digest", digest.to_value());
    sheet.handle(Handle { name: "bundle_digest".to_owned(), value: digest.to_value() });
    let observer = sheet.settings.verifier();
    sheet.put("observer", observer);
    Ok(())
}

fn put_domain(sheet: &mut Sheet<'_, '_>, domain: &str) -> Result<(), Wrong> {
    if domain.is_empty() {
        return Err(Wrong::Missing("trust_domain_id"));
    }
    sheet.put("own", *domain == *sheet.settings.trust_domain);
    sheet.put("domain", domain);
    Ok(())
}

fn key(key: &BundleKey) -> Result<Value, Wrong> {
    let wrong = Wrong::Form { at: "keys", should: "key ids and digests in hexadecimal" };
    let id = match &*key.purpose {
        "x509-svid" if key.id.is_empty() => None,
        "x509-svid" => Some(Value::Bytes(hex(&key.id).ok_or(wrong.clone())?)),
        _ => Some(key.id.as_str().into()),
    };
    let mut map: Vec<(Value, Value)> = vec![("use".into(), key.purpose.as_str().into())];
    map.extend(id.map(|id| ("key_id".into(), id)));
    if let Some(spki) = &key.spki_s256 {
        map.push(("spki_s256".into(), Value::Bytes(hex(spki).ok_or(wrong)?)));
    }
    Ok(Value::Map(map))
}
