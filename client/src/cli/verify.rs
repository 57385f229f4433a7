//! `govlog verify`: judge files offline.

use std::path::{Path, PathBuf};

use clap::Args;
use govlog_formats::visible::visible;
use serde_json::json;

use super::custody::{is_custody_file, judge as judge_custody};
use super::exit::Usage;
use super::output::Output;
use super::{Exit, files};
use crate::custody::CustodyVerdict;
use crate::time;
use crate::trust::{Trust, TrustDir};
use crate::verify::{self, Join, MemberVerdict, Said, Verdict};

/// `govlog verify`
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is fetched and the trust directory is never written. A .tlog-proof is judged for the entry in the .cose \
    file beside it, a .member (govlog batch prove) for the batch whose .cose is among the files. Over several files, links between them are \
    shown, as of a decision to the issuance of its credential. A custody file is judged as `govlog custody verify` does.\n\n\
    With --json: `verdicts`, one for each file, with its `kind`, the whole `record` and what it `says` in a line, a decision's id, result, action and resource in `decision`, and in `source` \
    whose event it is; `links`: the entries `from` and `to`, their relation `rel`, the handle `by` which they are joined, and the entry with the certificate `through` which, where that has another handle in each; and \
    `redactions`: the `entry` of which openings were destroyed, `by` which entry, `what` of it, and why; `custody`: one verdict for each custody file."
)]
pub(crate) struct Verify {
    /// The trust directory
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// Ask that the checkpoint be no older than this, seconds
    #[arg(long, value_name = "S")]
    max_age: Option<u64>,
    /// Transparent statements (.cose), proof files (.tlog-proof), member proofs (.member) and custody files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl Verify {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let dir = TrustDir::load(&self.trust)?;
        let (trust, now_s) = (dir.trust(), time::now_s());
        let (members, files): (Vec<&PathBuf>, Vec<_>) = self.files.iter().partition(|path| is_member(path));
        let (mut custody, mut entries) = (Vec::new(), Vec::new());
        for path in files {
            if is_custody_file(path)? {
                custody.push(judge_custody(trust, path, &[])?);
            } else {
                entries.push(path);
            }
        }
        let files = entries;
        let mut verdicts = files.iter().map(|path| judge(trust, path)).collect::<anyhow::Result<Vec<_>>>()?;
        let mut members = judge_members(&verdicts, &members)?;
        // Last, of batches and members alike: a batch that is only old is a batch still, and its members are old with it, not unknown.
        if let Some(max_age_s) = self.max_age {
            verdicts.iter_mut().for_each(|verdict| verdict.require_age(max_age_s, now_s));
            members.iter_mut().for_each(|verdict| verdict.require_age(max_age_s, now_s));
            custody.iter_mut().for_each(|verdict| verdict.require_age(max_age_s, now_s));
        }
        let entries: Vec<_> = verdicts.iter().filter_map(|verdict| verdict.result.as_ref().ok()).collect();
        let proved = members.iter().filter_map(|verdict| verdict.result.as_ref().ok());
        let said: Vec<Said> = entries.iter().map(|entry| Said::from(*entry)).chain(proved.map(Said::from)).collect();
        let joins = verify::joins(&said);
        let id = |at: usize| said.get(at).map(|said| said.id.as_str()).unwrap_or_default();

        let mut text: Vec<String> = verdicts.iter().map(|verdict| verdict.text(trust, now_s)).collect();
        text.extend(members.iter().map(|verdict| verdict.text(trust, now_s)));
        text.extend(custody.iter().map(|verdict| verdict.text(now_s)));
        if !joins.is_empty() {
            let through = |join: &Join| join.through.map(|at| format!(", of the certificate in {}", id(at)));
            let line = |join: &Join| {
                let through = through(join).unwrap_or_default();
                visible(&format!("  {} {} {} by {}{through}", id(join.from), join.rel, id(join.to), join.by))
            };
            let lines = joins.iter().map(line);
            text.push(format!("LINKS between the verified entries\n{}", lines.collect::<Vec<_>>().join("\n")));
        }
        let statements: Vec<_> = entries.iter().map(|entry| entry.statement()).collect();
        let redactions = verify::redactions(&statements);
        if !redactions.is_empty() {
            let lines = redactions.iter().map(|redacted| {
                visible(&format!(
                    "  {} redacted by {}: {}; {}",
                    id(redacted.entry),
                    id(redacted.by),
                    redacted.what(),
                    redacted.why()
                ))
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
            "custody": custody.iter().map(|verdict| verdict.json(now_s)).collect::<Vec<_>>(),
        });
        out.result(&text.join("\n\n"), document);
        let outcomes = verdicts.iter().map(Verdict::outcome).chain(members.iter().map(MemberVerdict::outcome));
        Ok(Exit::worst(outcomes.chain(custody.iter().map(CustodyVerdict::outcome)).map(Exit::from)))
    }
}

/// Judges member proofs by the batches among the entries.
fn judge_members(verdicts: &[Verdict], paths: &[&PathBuf]) -> anyhow::Result<Vec<MemberVerdict>> {
    let entries: Vec<_> = verdicts.iter().filter_map(|verdict| verdict.result.as_ref().ok()).collect();
    let judge = |path: &&PathBuf| Ok(verify::member(&path.display().to_string(), &files::read(path)?, &entries));
    paths.iter().map(judge).collect()
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

#[cfg(test)]
mod tests {
    use govlog_formats::member::MemberProof;
    use govlog_formats::merkle::LeafIndex;
    use govlog_formats::statement::SignedStatement;

    use super::*;
    use crate::source::Outbound;
    use crate::testing::{TestLog, batch, decision};

    /// "4 your policy is not satisfied (too few witnesses, `--max-age` exceeded)" (DESIGN §8.3): for a member as for an entry.
    #[test]
    fn a_member_of_a_batch_that_is_too_old_is_too_old_and_not_unknown() {
        let (dir, mut log) = (tempfile::tempdir().unwrap(), TestLog::new());
        let members = [decision("m-0"), decision("m-1")];
        let at = log.add("decision-batch", &batch(&members));
        drop(log.trusted_in(&dir.path().join("trust")));
        let (entry, member) = (dir.path().join("1.2.cose"), dir.path().join("1.2.0.member"));
        std::fs::write(&entry, log.transparent(at, &log.note_of(log.size(), &[0, 1]))).unwrap();
        let leaf = SignedStatement::parse(&log.entries[2]).unwrap().leaf_hash();
        std::fs::write(&member, MemberProof::build(leaf, &members, LeafIndex::new(0)).unwrap().to_bytes()).unwrap();
        let verify = |max_age, files: &[&PathBuf]| {
            let files = files.iter().map(|path| (*path).clone()).collect();
            let command = Verify { trust: dir.path().join("trust"), max_age, files };
            command.run(&Output::new(true, Outbound::default())).unwrap()
        };
        assert_eq!(verify(None, &[&entry, &member]), Exit::Ok);
        assert_eq!(verify(Some(u64::MAX), &[&member, &entry]), Exit::Ok);
        assert_eq!(verify(Some(1), &[&entry]), Exit::PolicyNotSatisfied);
        assert_eq!(verify(Some(1), &[&entry, &member]), Exit::PolicyNotSatisfied);
        assert_eq!(verify(Some(1), &[&member]), Exit::CannotEvaluate, "without its batch it stays unknown");
    }
}
