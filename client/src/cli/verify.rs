//! `govlog verify`: judge files offline.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::exit::Usage;
use super::output::Output;
use super::{Exit, files};
use crate::time;
use crate::trust::{Trust, TrustDir};
use crate::verify::{self, Join, MemberVerdict, Said, Verdict};

/// `govlog verify`
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is fetched and the trust directory is never written. A .tlog-proof is judged for the entry in the .cose \
    file beside it, a .member (govlog batch prove) for the batch whose .cose is among the files. Over several files, links between them are \
    shown, as of a decision to the issuance of its credential.\n\n\
    With --json: `verdicts`, one for each file, with its `kind`, the whole `record` and what it `says` in a line, a decision's id, result, action and resource in `decision`, and in `source` \
    whose event it is; `links`: the entries `from` and `to`, their relation `rel`, the handle `by` which they are joined, and the entry with the certificate `through` which, where that has another handle in each; and \
    `redactions`: the `entry` of which openings were destroyed, `by` which entry, `what` of it, and why."
)]
pub(crate) struct Verify {
    /// The trust directory
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// Ask that the checkpoint be no older than this, seconds
    #[arg(long, value_name = "S")]
    max_age: Option<u64>,
    /// Transparent statements (.cose), proof files (.tlog-proof) and member proofs (.member)
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl Verify {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let dir = TrustDir::load(&self.trust)?;
        let (trust, now_s) = (dir.trust(), time::now_s());
        let (members, files): (Vec<&PathBuf>, Vec<_>) = self.files.iter().partition(|path| is_member(path));
        let mut verdicts = files.iter().map(|path| judge(trust, path)).collect::<anyhow::Result<Vec<_>>>()?;
        if let Some(max_age_s) = self.max_age {
            verdicts.iter_mut().for_each(|verdict| verdict.require_age(max_age_s, now_s));
        }
        let entries: Vec<_> = verdicts.iter().filter_map(|verdict| verdict.result.as_ref().ok()).collect();
        let judge_member =
            |path: &&PathBuf| Ok(verify::member(&path.display().to_string(), &files::read(path)?, &entries));
        let members = members.iter().map(judge_member).collect::<anyhow::Result<Vec<_>>>()?;
        let proved = members.iter().filter_map(|verdict| verdict.result.as_ref().ok());
        let said: Vec<Said> = entries.iter().map(|entry| Said::from(*entry)).chain(proved.map(Said::from)).collect();
        let joins = verify::joins(&said);
        let id = |at: usize| said.get(at).map(|said| said.id.as_str()).unwrap_or_default();

        let mut text: Vec<String> = verdicts.iter().map(|verdict| verdict.text(trust, now_s)).collect();
        text.extend(members.iter().map(|verdict| verdict.text(trust, now_s)));
        if !joins.is_empty() {
            let through = |join: &Join| join.through.map(|at| format!(", of the certificate in {}", id(at)));
            let line = |join: &Join| {
                let through = through(join).unwrap_or_default();
                format!("  {} {} {} by {}{through}", id(join.from), join.rel, id(join.to), join.by)
            };
            let lines = joins.iter().map(line);
            text.push(format!("LINKS between the verified entries\n{}", lines.collect::<Vec<_>>().join("\n")));
        }
        let statements: Vec<_> = entries.iter().map(|entry| entry.statement()).collect();
        let redactions = verify::redactions(&statements);
        if !redactions.is_empty() {
            let lines = redactions.iter().map(|redacted| {
                format!(
                    "  {} redacted by {}: {}; {}",
                    id(redacted.entry),
                    id(redacted.by),
                    redacted.what(),
                    redacted.why()
                )
            });
            text.push(format!("REDACTIONS of the verified entries\n{}", lines.collect::<Vec<_>>().join("\n")));
        }
        let redactions = redactions.iter().map(|redacted| {
            json!({
                "entry": id(redacted.entry), "by": id(redacted.by), "what": redacted.what(),
                "rule": redacted.rule, "legal_basis": redacted.basis, "iss": redacted.iss,
            })
        });
        let links = joins
            .iter()
            .map(|join| json!({ "from": id(join.from), "rel": join.rel, "to": id(join.to), "by": join.by, "through": join.through.map(id) }));
        let documents = verdicts.iter().map(|verdict| verdict.json(trust, now_s));
        let document = json!({
            "verdicts": documents.chain(members.iter().map(|verdict| verdict.json(trust, now_s))).collect::<Vec<_>>(),
            "links": links.collect::<Vec<_>>(),
            "redactions": redactions.collect::<Vec<_>>(),
        });
        out.result(&text.join("\n\n"), document);
        let outcomes = verdicts.iter().map(Verdict::outcome).chain(members.iter().map(MemberVerdict::outcome));
        Ok(Exit::worst(outcomes.map(Exit::from)))
    }
}

fn is_member(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "member")
}

fn judge(trust: &Trust, path: &Path) -> anyhow::Result<Verdict> {
    let name = path.display().to_string();
    let bytes = files::read(path)?;
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("tlog-proof") => {
            let beside = path.with_extension("cose");
            let statement = files::read(&beside)
                .map_err(|error| Usage(format!("{name}: a proof file needs the entry beside it: {error}")))?;
            Ok(verify::proof_file(trust, &name, &bytes, &statement))
        }
        _ => Ok(verify::transparent_statement(trust, &name, &bytes)),
    }
}
