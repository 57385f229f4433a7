//! What is wrong before an agent starts: every part of its configuration tried, nothing signed and nothing sent.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use govlog_client::key_file;
use govlog_client::openings::{Folder, Protection, StoreError};
use govlog_client::source::Source;
use govlog_client::trust::{Trust, TrustDir};
use govlog_formats::admission::{Credentials, DEFAULT_MAX_AGE_S, DEFAULT_MAX_AGE_X509_S, IssuerRow, subject_matches};
use govlog_formats::x509::{Anchor, Chain};

use crate::adapter::Adapter;
use crate::capture::{batch_subject, rule_uri};
use crate::config::Config;
use crate::keys::{self, Credential, SvidError};
use crate::names::Names;
use crate::opa::bundle::{self, Table};
use crate::opa::{Group, watch};
use crate::outbox::{self, Outbox, OutboxError};
use crate::run::{self, RunError};
use crate::sources::Sources;
use crate::spire;
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
    let uploads = match prefixes.as_slice() {
        [] => "no uploads: access.submit names nobody".to_owned(),
        prefixes => format!("uploads to {}", prefixes.join(", ")),
    };
    let mut findings = vec![ok("configuration", uploads)];
    let credential = credential(&config);
    let what = if config.x509.is_some() { "x509" } else { "key" };
    findings.push(of(what, &credential, shown));
    let trust = TrustDir::load(&config.trust);
    findings.push(of("trust", &trust, |trust| format!("log {}", trust.trust().origin())));
    if let Err(error) = Names::beside(&config.key, Arc::new(Machine)) {
        findings.push(wrong("names of streams", error.to_string()));
    }
    if let (Ok(credential), Ok(trust)) = (&credential, &trust) {
        findings.extend(admission(&config, credential, trust.trust()));
    }
    if let Ok(trust) = &trust {
        findings.push(outbox_of(&config, trust.trust().origin()));
        findings.push(log(&config, trust.trust()));
    }
    findings.extend(config.spire.iter().flat_map(spire::Settings::check));
    findings.push(of("opening store", &opening_store(&config), String::clone));
    findings.extend(bundles(&config));
    // A running agent has its addresses itself.
    if !findings.iter().any(|finding| finding.found == RUNNING) {
        findings.push(address("listen", config.listen));
        findings.push(address("admin", config.admin));
    }
    findings
}

/// What statements would be signed with now.
fn credential(config: &Config) -> Result<Credential, String> {
    let Some(settings) = &config.x509 else {
        return key_file::load(&config.key)
            .map(|key| Credential::Key(Arc::new(key)))
            .map_err(|error| error.to_string());
    };
    let source = keys::open(settings, &config.iss).map_err(|error| error.to_string())?;
    let end = Instant::now() + PATIENCE;
    // A Workload API answers in the background.
    loop {
        match source.newest() {
            Err(SvidError::Workload { .. }) if Instant::now() < end => std::thread::sleep(Duration::from_millis(50)),
            newest => {
                let svid = newest.map_err(|error| error.to_string())?;
                svid.check_at(now_s())?;
                return Ok(Credential::Svid(svid));
            }
        }
    }
}

fn shown(credential: &Credential) -> String {
    let public = credential.public();
    let kid = public.thumbprint();
    match credential.not_after_s() {
        None => kid.to_string(),
        Some(until) => {
            let until = govlog_client::time::utc(u64::try_from(until).unwrap_or(0));
            format!("an X.509-SVID until {until}, {} key {kid}", public.curve())
        }
    }
}

/// Whether the row lets in what is signed so; why not, if not.
fn is_admitted(config: &Config, credential: &Credential, row: &IssuerRow) -> Result<(), String> {
    match (&row.credentials, credential) {
        (Credentials::Keys(keys), Credential::Key(key)) if keys.contains(&key.public()) => Ok(()),
        (Credentials::Keys(_), Credential::Key(_)) => {
            Err(format!("{} is admitted with other keys than {}", config.iss, config.key.display()))
        }
        (Credentials::X509(anchors), Credential::Svid(svid)) => {
            let anchors: Vec<Anchor> = anchors.iter().filter_map(|der| Anchor::parse(der).ok()).collect();
            let judged = Chain::parse(svid.chain()).and_then(|chain| chain.verify(&anchors, now_s()));
            let advice =
                "run govlog admission add with the authorities of now (--x509-anchors), or govlog trust update";
            judged.map(drop).map_err(|error| format!("the X.509-SVID is not one of {}: {error}; {advice}", row.iss))
        }
        (Credentials::Keys(_), Credential::Svid(_)) => {
            Err(format!("{} is admitted with keys, not with certificates; set key instead of [x509]", config.iss))
        }
        (Credentials::X509(_), Credential::Key(_)) => {
            Err(format!("{} is admitted with certificates, not with keys; set [x509] instead of key", config.iss))
        }
    }
}

fn now_s() -> i64 {
    i64::try_from(govlog_client::time::now_s()).unwrap_or(i64::MAX)
}

/// What the newest known admission policy says of this issuer.
fn admission(config: &Config, credential: &Credential, trust: &Trust) -> Vec<Finding> {
    const WHAT: &str = "admission";
    let policy = &trust.history().newest().after;
    let Some(row) = policy.row_by(&config.iss, config.x509.is_some()) else {
        let advice =
            "is not admitted, as far as the trust directory knows; run govlog admission add, or govlog trust update";
        return vec![wrong(WHAT, format!("{} {advice}", config.iss))];
    };
    let mut findings = Vec::new();
    findings.extend(is_admitted(config, credential, row).err().map(|why| wrong(WHAT, why)));
    let is_allowed = |kind: &str| row.kinds.iter().any(|allowed| govlog_formats::record::short_kind(allowed) == kind);
    let of_sources: Vec<&str> = match Sources::of(config, None) {
        Ok(sources) => sources.adapters.iter().flat_map(Adapter::kinds).collect(),
        // Said where the outbox is looked at.
        Err(_) => Vec::new(),
    };
    let of_batches = if config.capture.is_some() { BATCH_KINDS } else { &[] };
    let needed: BTreeSet<&str> = of_sources.iter().chain(of_batches).copied().collect();
    let missing: Vec<&str> = needed.into_iter().filter(|kind| !is_allowed(kind)).collect();
    if !missing.is_empty() {
        let (iss, allowed) = (&config.iss, row.kinds.join(", "));
        let only_batches = missing.iter().all(|kind| !of_sources.contains(kind));
        let advice = if only_batches { "; add them, or set capture.batch = \"none\"" } else { "" };
        findings.push(wrong(WHAT, format!("{iss} may not submit {}, only {allowed}{advice}", missing.join(", "))));
    }
    findings.extend(batch_subjects(config, row));
    findings.extend(policy_subjects(config, row));
    findings.extend(config.spire.iter().filter_map(|server| may_tell(config, server, row)));
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

/// What is said of policies and of instances is filed under subjects that this issuer may speak about.
fn policy_subjects(config: &Config, row: &IssuerRow) -> Option<Finding> {
    let policies = config.groups.iter().flat_map(Group::bundles).map(Table::subject);
    let finding = config.groups.iter().filter(|group| !group.terms().silent_after.is_zero());
    // Of each instance; one stands for all.
    let instances = finding.map(|group| watch::subject(group, "*"));
    let subjects: BTreeSet<String> = policies.chain(instances).collect();
    let is_allowed = |subject: &String| row.subjects.iter().any(|pattern| subject_matches(pattern, subject));
    let missing: Vec<String> = subjects.into_iter().filter(|subject| !is_allowed(subject)).collect();
    let why = format!(
        "{} may not speak about {}, which policies and findings are filed under; add them to its subjects (\"opa/\" for all below it), or set \
         uri in [[opa.bundle]], and pdp or silent_after_s = 0 in [[opa]]",
        config.iss,
        missing.join(", ")
    );
    (!missing.is_empty()).then(|| wrong("admission", why))
}

/// Reads and verifies every bundle once.
fn bundles(config: &Config) -> Vec<Finding> {
    let tables = config.groups.iter().flat_map(Group::bundles);
    let tried = tables.map(|table| {
        let found = bundle::look(table);
        of("bundle", &found.map_err(|why| format!("{}: {why}", table.name())), |said| {
            format!("{}: {said}", table.name())
        })
    });
    tried.collect()
}

/// What is told of a SPIRE server must be of kinds and subjects that this issuer may write.
fn may_tell(config: &Config, server: &spire::Settings, row: &IssuerRow) -> Option<Finding> {
    let is_allowed =
        |kind: &&&str| row.kinds.iter().any(|allowed| govlog_formats::record::short_kind(allowed) == **kind);
    let kinds: Vec<&str> = spire::KINDS.iter().filter(|kind| !is_allowed(kind)).copied().collect();
    let may_be = |subject: &String| row.subjects.iter().any(|pattern| subject_matches(pattern, subject));
    let subjects: Vec<String> = server.subjects().into_iter().filter(|subject| !may_be(subject)).collect();
    let (iss, name) = (&config.iss, server.name());
    let why = format!(
        "{iss} may not tell all of {name}: add what is missing of its kinds ({}) and of its subjects ({})",
        kinds.join(", "),
        subjects.join(", ")
    );
    (!kinds.is_empty() || !subjects.is_empty()).then(|| wrong("admission", why))
}

fn max_age(config: &Config, row: &IssuerRow) -> Option<Finding> {
    let default = match row.credentials {
        Credentials::Keys(_) => DEFAULT_MAX_AGE_S,
        Credentials::X509(_) => DEFAULT_MAX_AGE_X509_S,
    };
    let (configured, admitted) = (config.max_age.as_secs(), row.max_age_s.unwrap_or(default));
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
        Ok(outbox) => match Sources::of(config, None)
            .map_err(RunError::Route)
            .and_then(|sources| run::check_routes(&outbox, &sources.adapters))
        {
            Ok(()) => {
                let backlog = outbox.backlog();
                ok(WHAT, format!("{} inputs and {} statements wait", backlog.waiting + backlog.held, backlog.signed))
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

/// For the first answer of a Workload API.
const PATIENCE: Duration = Duration::from_secs(5);
/// What permits need besides: batches, and the rule by which they are made.
const BATCH_KINDS: &[&str] = &["decision-batch", "policy"];
const RUNNING: &str = "in use by a running agent";
