//! `govlog revoke`.

use clap::{Args, builder::PossibleValuesParser};
use govlog_formats::record::revocation::TargetType;

use super::{Desk, Person};
use crate::cli::Exit;
use crate::cli::output::Output;
use crate::people::{RevocationFacts, revocation};

/// `govlog revoke`
#[derive(Debug, Args)]
#[command(after_help = "\
For example, a certificate whose key leaked, to be refused everywhere within the hour:
  govlog revoke pay.pem --reason key-compromise --deadline 1h --log https://log.example \\
    --trust trust --key responder.key --iss https://response.example/desk

A token is piped in and never logged; only its digests are:
  some-vault read token | govlog revoke - --reason leaked --yes …")]
pub(crate) struct Revoke {
    /// What is revoked: an entry id, a .cose file, a certificate, key or token file (- for stdin), a handle, sha256:…, a SPIFFE ID
    #[arg(value_name = "TARGET")]
    target: String,
    /// Why, a code such as key-compromise
    #[arg(long, value_name = "CODE")]
    reason: String,
    /// What TARGET is, where its form does not say
    #[arg(long = "as", value_name = "TYPE", value_parser = PossibleValuesParser::new(TargetType::NAMES))]
    target_type: Option<String>,
    /// From when it is not good any more: now, a time, or a span from now
    #[arg(long, value_name = "WHEN", default_value = "now")]
    effective: String,
    /// By when every enforcement point must follow: 1h, a time …
    #[arg(long, value_name = "WHEN")]
    deadline: Option<String>,
    /// What it was decided upon: an entry id, a .cose file, a handle
    #[arg(long, value_name = "ID")]
    cause: Option<String>,
    /// Who decided it: a pseudonym
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    #[command(flatten)]
    person: Person,
}

impl Revoke {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        self.person.sign("revoke", out, |desk, seals| {
            let (target, facts) = (desk.find(&self.target)?, self.facts(desk)?);
            Ok(revocation(&target, &facts, desk.now_s, seals)?)
        })
    }

    fn facts(&self, desk: &Desk<'_>) -> anyhow::Result<RevocationFacts> {
        Ok(RevocationFacts {
            target_type: self.target_type.as_deref().and_then(TargetType::from_name),
            reason: self.reason.clone(),
            effective_ms: desk.when("--effective", Some(&self.effective))?.unwrap_or_default(),
            deadline_ms: desk.when("--deadline", self.deadline.as_deref())?,
            revoked_by: self.by.clone(),
            cause: desk.find_some(self.cause.as_deref())?,
            sub: desk.sub.clone(),
        })
    }
}
