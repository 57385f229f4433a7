//! `govlog admission approve`: an operator's word on a change that another one signed.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::Args;
use govlog_formats::admission::Word;
use serde_json::json;

use super::{http, in_file, not_brought};
use crate::cli::exit::Usage;
use crate::cli::output::Output;
use crate::cli::{Exit, confirm, files, trust::refuting};
use crate::operator::{self, PATIENCE, Proposal};
use crate::time;
use crate::trust::{self, TrustDir};

/// `govlog admission approve`
#[derive(Debug, Args)]
#[command(
    after_help = "Shows what the change says, asks, and logs an approval signed with your operator key. An approval is of these very \
    bytes: a change that is signed again must be approved again. The newest word of an operator counts; --reject withdraws an earlier \
    approval."
)]
pub(crate) struct Approve {
    /// The signed change, as `--draft` wrote it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The log's address
    #[arg(long, value_name = "URL")]
    log: String,
    /// The trust directory: the change must be for its log; your word is added to it once proved
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// Your private operator key (PKCS#8 PEM)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Say no
    #[arg(long)]
    reject: bool,
    /// For how long the word counts, seconds [default: until the change is in force]
    #[arg(long, value_name = "S")]
    expires_in: Option<NonZeroU64>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Approve {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let key = files::signing_key(&self.key)?;
        let mut dir = TrustDir::load(&self.trust)?;
        let source = out.source(&self.log)?;
        let http = http(&source, &self.log)?;
        trust::update(&source, &mut dir).map_err(refuting)?;
        let policy = dir.trust().history().newest().after.clone();
        let proposal = Proposal::read(&files::read(&self.file)?, &policy).map_err(in_file(&self.file))?;
        let kid = key.public().thumbprint();
        if proposal.signer() == Some(kid) {
            return Err(Usage(
                "this key signed the change: its signature is its word, and an approval takes another operator"
                    .to_owned(),
            )
            .into());
        }
        let word = if self.reject { Word::Reject } else { Word::Approve };
        let shown = proposal.text(&policy);
        out.notice(&shown);
        let verb = if self.reject { "reject" } else { "approve" };
        if !confirm::ask(out, self.yes, &format!("{verb} this change as operator {kid}?"))? {
            return Err(Usage("nothing was signed".to_owned()).into());
        }
        let now_s = time::now_s();
        let expires_ms = self.expires_in.map(|s| now_s.saturating_add(s.get()).saturating_mul(1000));
        let said = operator::say(&policy, (&proposal.digest(), word), expires_ms, &shown, now_s, &key)
            .map_err(|error| Usage(error.to_string()))?;
        let brought = operator::bring(http, &source, &mut dir, &said).map_err(not_brought)?;
        let index = brought.index;
        if brought.proved.is_none() {
            let patience = PATIENCE.as_secs();
            out.notice(&format!(
                "entry 1.{index}: committed, but not published within {patience} s; run: govlog trust update"
            ));
            return Ok(Exit::Pending);
        }
        self.tell(&dir, &proposal, &format!("1.{index}"), out)
    }

    fn tell(&self, dir: &TrustDir, proposal: &Proposal, id: &str, out: &Output) -> anyhow::Result<Exit> {
        let policy = &dir.trust().history().newest().after;
        let missing = Proposal::read(proposal.statement().entry(), policy).map_err(in_file(&self.file))?.missing();
        let word = if self.reject { "rejected" } else { "approved" };
        let next = if missing == 0 {
            format!("enough operators stand behind it; run: govlog admission submit {}", self.file.display())
        } else {
            format!("{missing} more operators must approve it")
        };
        let digest = proposal.digest().to_string();
        out.result(
            &format!("{word}: change {digest}, entry {id}; {next}"),
            json!({ "id": id, "change": digest, "word": word, "missing": missing }),
        );
        Ok(Exit::Ok)
    }
}
