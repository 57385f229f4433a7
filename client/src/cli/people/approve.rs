//! `govlog approve`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use govlog_formats::digest::Digest;
use govlog_formats::record::approval::{ApprovalDecision, ApprovalType};
use govlog_formats::record::{Record, view};

use super::{Desk, Person};
use crate::cli::exit::Usage;
use crate::cli::output::Output;
use crate::cli::{Exit, files};
use crate::people::{ApprovalFacts, Target, approval};

/// `govlog approve`
#[derive(Debug, Args)]
#[command(after_help = "\
For example, a break-glass approval of what decision 1.57 refused, good for eight hours:
  govlog approve 1.57 --type break-glass --approver person-91c0 --reason-code INC-204 \\
    --expires 8h --log https://log.example --trust trust --key approvals.key \\
    --iss https://approvals.example/desk

What is signed is the digest of what is approved: of a statement its Sig_structure, of a record its payload, of an operation its \
op_digest. `shown_digest` is SHA-256 of the description that is shown first (with --out it is kept as <ID>.shown), or of the file that \
--shown names. Whoever approves is a pseudonym, or is sealed (--openings). A change of the admission policy is approved by operators: \
govlog admission approve.")]
pub(crate) struct Approve {
    /// What is approved: an entry id, a .cose file, op_digest:…, or with --kind the JSON file of a record that is not signed yet
    #[arg(value_name = "WHAT")]
    what: String,
    /// What kind of thing it is
    #[arg(long = "type", value_enum)]
    approval_type: Type,
    /// WHAT is the JSON view of a record of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Reject it instead
    #[arg(long)]
    reject: bool,
    /// Who decides: a pseudonym [default: the issuer]
    #[arg(long, value_name = "WHO")]
    approver: Option<String>,
    /// How the approver answered: cli, web, chat …
    #[arg(long, value_name = "METHOD", default_value = "cli")]
    method: String,
    /// Why, from a list of your organisation, such as a ticket
    #[arg(long, value_name = "CODE")]
    reason_code: Option<String>,
    /// Why, in words; sealed, so it needs --openings
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Until when it may be relied upon: 8h, 2026-11-28T16:00:00Z …
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// Joins a request, its answers and what is decided again
    #[arg(long, value_name = "ID")]
    thread: Option<String>,
    /// What the approver saw, if not what this command shows: its digest is signed
    #[arg(long, value_name = "FILE")]
    shown: Option<PathBuf>,
    #[command(flatten)]
    person: Person,
}

/// `--type`
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Type {
    /// A change of what holds for many
    Change,
    /// What a rule would not allow
    Exception,
    /// Access in an emergency, past the rules
    BreakGlass,
    /// One operation
    Operation,
}

impl Approve {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        self.person.sign("approve", out, |desk, seals| {
            let facts = self.facts(desk)?;
            Ok(approval(&self.target(desk)?, &facts, desk.now_s, seals)?)
        })
    }

    fn facts(&self, desk: &Desk<'_>) -> anyhow::Result<ApprovalFacts> {
        let expires_ms = desk.when("--expires", self.expires.as_deref())?;
        if expires_ms.is_some_and(|at_ms| at_ms / 1000 <= desk.now_s) {
            return Err(
                Usage("--expires: that is past; an approval that has expired approves nothing".to_owned()).into()
            );
        }
        Ok(ApprovalFacts {
            approval_type: match self.approval_type {
                Type::Change => ApprovalType::Change,
                Type::Exception => ApprovalType::Exception,
                Type::BreakGlass => ApprovalType::BreakGlass,
                Type::Operation => ApprovalType::Operation,
            },
            decision: if self.reject { ApprovalDecision::Reject } else { ApprovalDecision::Approve },
            approver: self.approver.clone(),
            key: Digest::sha256(&desk.key.public().spki_der()),
            iss: desk.iss.to_owned(),
            method: self.method.clone(),
            reason_code: self.reason_code.clone(),
            reason: self.reason.clone(),
            expires_ms,
            thread: self.thread.clone(),
            shown: self.shown.as_deref().map(files::read).transpose()?,
            sub: desk.sub.clone(),
        })
    }

    fn target(&self, desk: &Desk<'_>) -> anyhow::Result<Target> {
        let Some(kind) = &self.kind else { return Ok(Target::Found(desk.find(&self.what)?)) };
        let kind = govlog_formats::record::short_kind(kind).to_owned();
        let wrong = |error: String| Usage(format!("{}: {error}", self.what));
        if kind == "admission-policy" {
            return Err(
                wrong("a change of the admission policy is approved with govlog admission approve".to_owned()).into()
            );
        }
        let view =
            view::parse_text(&files::read_text(Path::new(&self.what))?).map_err(|error| wrong(error.to_string()))?;
        let payload = view::from_json(&kind, &view).map_err(|error| wrong(error.to_string()))?;
        Record::parse(&kind, &payload).map_err(|error| wrong(error.to_string()))?;
        Ok(Target::Record { name: self.what.clone(), kind, payload })
    }
}
