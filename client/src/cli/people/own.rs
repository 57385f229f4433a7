//! `govlog own`.

use clap::Args;

use super::{Desk, Person};
use crate::cli::Exit;
use crate::cli::output::Output;
use crate::people::{OwnershipFacts, ownership};

/// `govlog own`
#[derive(Debug, Args)]
#[command(after_help = "\
For example, team-ledger answers for all below a path, and team-audit for its evidence:
  govlog own spiffe://prod.example/ledger/ --owner team-ledger --role policy \\
    --role evidence=team-audit --review 90d --log https://log.example --trust trust \\
    --key platform.key --iss https://platform.example/inventory")]
pub(crate) struct Own {
    /// A SPIFFE ID or URI; where it ends in / all that begin with it
    #[arg(value_name = "SPIFFE-ID|PREFIX/")]
    prefix: String,
    /// Who answers for it: a team, or a person's pseudonym
    #[arg(long, value_name = "TEAM")]
    owner: String,
    /// What for: attestation, policy, evidence …; with =TEAM another team sees to it; may be given several times
    #[arg(long, value_name = "ROLE[=TEAM]")]
    role: Vec<String>,
    /// production, staging …
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// When it is to be looked at again: 90d, 2027-02-01 …
    #[arg(long, value_name = "WHEN")]
    review: Option<String>,
    /// When the owner leaves, and the identity is to go: 2027-02-01 …
    #[arg(long, value_name = "WHEN")]
    offboard: Option<String>,
    #[command(flatten)]
    person: Person,
}

impl Own {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        self.person.sign("own", out, |desk, seals| Ok(ownership(&self.facts(desk)?, desk.now_s, seals)?))
    }

    fn facts(&self, desk: &Desk<'_>) -> anyhow::Result<OwnershipFacts> {
        let role = |text: &String| match text.split_once('=') {
            Some((role, who)) => (role.to_owned(), Some(who.to_owned())),
            None => (text.clone(), None),
        };
        Ok(OwnershipFacts {
            prefix: self.prefix.clone(),
            owner: self.owner.clone(),
            roles: self.role.iter().map(role).collect(),
            environment: self.environment.clone(),
            purpose: self.purpose.clone(),
            review_ms: desk.when("--review", self.review.as_deref())?,
            offboard_ms: desk.when("--offboard", self.offboard.as_deref())?,
            sub: desk.sub.clone(),
        })
    }
}
