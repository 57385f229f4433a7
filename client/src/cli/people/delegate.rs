//! `govlog delegate`.

use clap::Args;

use super::{Desk, Person};
use crate::cli::Exit;
use crate::cli::exit::Usage;
use crate::cli::output::Output;
use crate::people::{DelegationFacts, PartyName, delegation};
use crate::time;

/// `govlog delegate`
#[derive(Debug, Args)]
#[command(after_help = "\
For example, a user lets an agent read one account for thirty minutes:
  govlog delegate --from user:person-7f3a --to agent:spiffe://prod.example/agent/ledger \\
    --scope ledger:read --resource account=acct-5 --for 30m --log https://log.example \\
    --trust trust --key sts.key --iss https://sts.example

A party is a SPIFFE ID (a workload), or has what it is in front: user:, agent:, workload:. With --parent, what is granted must lie \
within the parent's scope, resources, time and hops; --force goes beyond, and the record shows it to any auditor.")]
pub(crate) struct Delegate {
    /// In whose name: user:<pseudonym>, or a SPIFFE ID
    #[arg(long, value_name = "A")]
    from: String,
    /// Who may act: a SPIFFE ID, agent:<id> …
    #[arg(long, value_name = "B")]
    to: String,
    /// What is granted; may be given several times
    #[arg(long, value_name = "SCOPE", value_delimiter = ',', required = true)]
    scope: Vec<String>,
    /// On what; may be given several times
    #[arg(long, value_name = "TYPE=ID")]
    resource: Vec<String>,
    /// For how long: 30m, 8h …
    #[arg(long = "for", value_name = "SPAN")]
    span: String,
    /// From when: now, a time, or a span from now
    #[arg(long, value_name = "WHEN", default_value = "now")]
    not_before: String,
    /// The delegation that this one derives from: an entry id or a .cose file
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
    /// How many further delegations may follow one another [default: none]
    #[arg(long, value_name = "N", conflicts_with = "no_redelegate")]
    max_hops: Option<u64>,
    /// The delegate may not delegate further; so it is unless --max-hops says otherwise
    #[arg(long)]
    no_redelegate: bool,
    /// What for
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// The approval that it rests on: an entry id or a .cose file
    #[arg(long, value_name = "ID")]
    approval: Option<String>,
    /// Go beyond the parent or the approval
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    person: Person,
}

impl Delegate {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        self.person.sign("delegate", out, |desk, seals| Ok(delegation(&self.facts(desk)?, desk.now_s, seals)?))
    }

    fn facts(&self, desk: &Desk<'_>) -> anyhow::Result<DelegationFacts> {
        let span = time::span(&self.span).map_err(|error| Usage(format!("--for: {error}")))?;
        let not_before_ms = desk.when("--not-before", Some(&self.not_before))?.unwrap_or_default();
        let resource = |text: &String| {
            let parts = text.split_once('=').filter(|(kind, id)| !kind.is_empty() && !id.is_empty());
            let (kind, id) =
                parts.ok_or_else(|| Usage(format!("--resource {text}: write TYPE=ID, such as account=acct-5")))?;
            Ok::<_, Usage>((kind.to_owned(), id.to_owned()))
        };
        Ok(DelegationFacts {
            from: PartyName::read(&self.from),
            to: PartyName::read(&self.to),
            scope: self.scope.clone(),
            resources: self.resource.iter().map(resource).collect::<Result<_, _>>()?,
            purpose: self.purpose.clone(),
            not_before_ms,
            expires_ms: not_before_ms.saturating_add(span.as_secs().saturating_mul(1000)),
            max_hops: self.max_hops.unwrap_or(0),
            parent: desk.find_some(self.parent.as_deref())?,
            approval: desk.find_some(self.approval.as_deref())?,
            force: self.force,
            sub: desk.sub.clone(),
        })
    }
}
