//! What is wrong before an agent starts: every part of its configuration tried, nothing signed and nothing sent.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use govlog_client::key_file;
use govlog_client::openings::{Folder, Protection, StoreError};
use govlog_client::source::Source;
use govlog_client::trust::{Trust, TrustDir};
use govlog_formats::admission::{Credentials, IssuerRow, subject_matches};
use govlog_formats::cose::SigningKey;

use crate::capture::{batch_subject, rule_uri};
use crate::config::Config;
use crate::names::Names;
use crate::opa::Group;
use crate::outbox::{self, Outbox, OutboxError};
use crate::run::{self, RunError};
use crate::sources::Sources;
use crate::world::Machine;

/// What was tried, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was tried.
    pub what: &'static str,
    /// What was found, if it is well.
    pub found: String,
    /// What is wrong and what to do, if it is not.
    pub wrong: Option<String>,
}

/// Tries everything that a configuration names.
#[must_use]
pub fn check(path: &Path) -> Vec<Finding> {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => return vec![wrong("configuration", error.to_string())],
    };
    let prefixes: Vec<&str> = config.groups.iter().map(|group| group.prefix()).collect();
    let mut findings = vec![ok("configuration", format!("uploads to {}", prefixes.join(", ")))];
    let key = key_file::load(&config.key);
    findings.push(of("key", &key, |key| key.public().thumbprint().to_string()));
    let trust = TrustDir::load(&config.trust);
    findings.push(of("trust", &trust, |trust| format!("log {}", trust.trust().origin())));
    if let Err(error) = Names::beside(&config.key, Arc::new(Machine)) {
        findings.push(wrong("names of streams", error.to_string()));
    }
    if let (Ok(key), Ok(trust)) = (&key, &trust) {
        findings.extend(admission(&config, key, trust.trust()));
    }
    if let Ok(trust) = &trust {
        findings.push(outbox_of(&config, trust.trust().origin()));
        findings.push(log(&config, trust.trust()));
    }
    findings.push(of("opening store", &opening_store(&config), String::clone));
    // A running agent has its addresses itself.
    if !findings.iter().any(|finding| finding.found == RUNNING) {
        findings.push(address("listen", config.listen));
        findings.push(address("admin", config.admin));
    }
    findings
}

/// What the newest known admission policy says of this issuer.
fn admission(config: &Config, key: &SigningKey, trust: &Trust) -> Vec<Finding> {
    const WHAT: &str = "admission";
    let policy = &trust.history().newest().after;
    let Some(row) = policy.issuer(&config.iss) else {
        let advice =
            "is not admitted, as far as the trust directory knows; run govlog admission add, or govlog trust update";
        return vec![wrong(WHAT, format!("{} {advice}", config.iss))];
    };
    let mut findings = Vec::new();
    let has_key = match &row.credentials {
        Credentials::Keys(keys) => keys.contains(&key.public()),
        Credentials::X509(_) => false,
    };
    if !has_key {
        findings.push(wrong(WHAT, format!("{} is admitted with other keys than {}", config.iss, config.key.display())));
    }
    let is_allowed = |kind: &str| row.kinds.iter().any(|allowed| govlog_formats::record::short_kind(allowed) == kind);
    let needed = ["decision", "decision-batch", "policy"];
    // Without batches the first alone.
    let needed = needed.get(..if config.capture.is_some() { needed.len() } else { 1 }).unwrap_or_default();
    let missing: Vec<&str> = needed.iter().copied().filter(|kind| !is_allowed(kind)).collect();
    if !missing.is_empty() {
        let (iss, allowed) = (&config.iss, row.kinds.join(", "));
        let advice = if missing.contains(&"decision") { "" } else { "; add them, or set capture.batch = \"none\"" };
        findings.push(wrong(WHAT, format!("{iss} may not submit {}, only {allowed}{advice}", missing.join(", "))));
    }
    findings.extend(batch_subjects(config, row));
    findings.extend(max_age(config, row));
    if findings.is_empty() {
        findings.push(ok(WHAT, format!("{} may speak about {}", config.iss, row.subjects.join(", "))));
    }
    findings
}

/// What batches and the rule for them are filed under must be subjects that this issuer may speak about.
fn batch_subjects(config: &Config, row: &IssuerRow) -> Option<Finding> {
    config.capture.as_ref()?;
    let iss = &config.iss;
    let of_group = |group: &Group| match group.pep() {
        Some(pep) => vec![batch_subject(Some(pep), iss)],
        None => group.xfcc_from().iter().map(|by| batch_subject(Some(by), iss)).chain([iss.clone()]).collect(),
    };
    let mut subjects: Vec<String> = config.groups.iter().flat_map(of_group).chain([rule_uri(iss)]).collect();
    subjects.retain(|subject| !row.subjects.iter().any(|pattern| subject_matches(pattern, subject)));
    subjects.sort();
    subjects.dedup();
    let why = format!(
        "{iss} may not speak about {}, which batches are filed under; add them to its subjects, or set capture.batch = \"none\"",
        subjects.join(", ")
    );
    (!subjects.is_empty()).then(|| wrong("admission", why))
}

fn max_age(config: &Config, row: &IssuerRow) -> Option<Finding> {
    let (configured, admitted) = (config.max_age.as_secs(), row.max_age_s.unwrap_or(DEFAULT_MAX_AGE_S));
    let why =
        format!("sending.max_age_s = {configured}, the admission policy grants {admitted}; they should be the same");
    (configured != admitted).then(|| wrong("admission", why))
}

fn outbox_of(config: &Config, origin: &str) -> Finding {
    const WHAT: &str = "outbox";
    if !outbox::exists(&config.outbox) {
        return ok(WHAT, format!("{} will be made", config.outbox.display()));
    }
    match Outbox::open(&config.outbox, origin, &config.iss) {
        Ok(outbox) => match Sources::of(config)
            .map_err(RunError::Route)
            .and_then(|sources| run::check_routes(&outbox, &sources.adapters))
        {
            Ok(()) => {
                let backlog = outbox.backlog();
                ok(WHAT, format!("{} inputs and {} statements wait", backlog.waiting, backlog.signed))
            }
            Err(error) => wrong(WHAT, error.to_string()),
        },
        // It runs: that is well, and more cannot be seen from here.
        Err(OutboxError::Held { .. }) => ok(WHAT, RUNNING.to_owned()),
        Err(error) => wrong(WHAT, error.to_string()),
    }
}

fn log(config: &Config, trust: &Trust) -> Finding {
    const WHAT: &str = "log";
    let asked = Source::open_as(&config.log, &config.client).map_err(|error| error.to_string()).and_then(|source| {
        let note =
            source.get("checkpoint", govlog_formats::limits::MAX_NOTE_BYTES).map_err(|error| error.to_string())?;
        let note = note.ok_or("it has published nothing yet; are its witnesses there?")?;
        let head = trust.policy().verify_checkpoint(&note).map_err(|error| error.to_string())?;
        if head.checkpoint().origin.as_str() != trust.origin() {
            return Err(format!("it is {}, the trust directory is for {}", head.checkpoint().origin, trust.origin()));
        }
        Ok(format!("size {}, {}", head.checkpoint().size, head.quorum()))
    });
    match asked {
        Ok(found) => ok(WHAT, found),
        Err(why) => wrong(WHAT, format!("{}: {why}", config.log)),
    }
}

fn opening_store(config: &Config) -> Result<String, StoreError> {
    let path = &config.openings;
    let how = match &config.keeping.protection {
        Protection::Plaintext => "in clear".to_owned(),
        Protection::Age(recipients) => format!("encrypted to {}", recipients.texts().join(", ")),
    };
    if !path.exists() {
        return Ok(format!("{} will be made, {how}", path.display()));
    }
    Folder::check(path)?;
    Ok(format!("{}, {how}", path.display()))
}

fn address(what: &'static str, address: SocketAddr) -> Finding {
    of(what, &TcpListener::bind(address).map_err(|error| format!("{address}: {error}")), |_| address.to_string())
}

fn of<T, E: std::fmt::Display>(what: &'static str, tried: &Result<T, E>, found: impl FnOnce(&T) -> String) -> Finding {
    match tried {
        Ok(good) => ok(what, found(good)),
        Err(error) => wrong(what, error.to_string()),
    }
}

fn ok(what: &'static str, found: String) -> Finding {
    Finding { what, found, wrong: None }
}

fn wrong(what: &'static str, why: String) -> Finding {
    Finding { what, found: String::new(), wrong: Some(why) }
}

/// DESIGN §6: "absent `max_age_s`: 86,400".
const DEFAULT_MAX_AGE_S: u64 = 86_400;
const RUNNING: &str = "in use by a running agent";
