//! `govlog query`: which entries answer a question, each of them verified.

use std::path::PathBuf;
use std::sync::LazyLock;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::TreeSize;
use govlog_formats::record::KINDS;
use govlog_formats::search::{Column, Filter};
use govlog_formats::visible::visible;
use serde_json::json;

use super::exit::Usage;
use super::output::Output;
use super::{Exit, progress};
use crate::ask::{self, Answered, Asked, NOT_CHECKED};
use crate::time;
use crate::trust::TrustDir;

/// `govlog query`
#[derive(Debug, Args)]
#[command(after_help = "\
Every entry that is printed was read, proved under the log's checkpoint and judged by your trust directory, and answers the question by this \
program's own rules: the server's index only says where to look. All that is given must hold, and each option can be given several times. \
Digests are taken as people copy them: in either case, with colons, with sha256: before them. Times are those that signers claim.

What the index did not name is not checked, unless --complete reads every entry and hashes it up to the checkpoint; entries that the index \
held back are then named; where the index does not answer, what was read is the answer. A file in hand, or a thing of which you do not know what it is: govlog show.

With --json: one document a line, an entry each, and last of all one with the `summary`.

Exit codes: 0 found · 1 the index answered wrongly, or an entry is refuted · 5 nothing found · 3, 4 as `govlog verify`.

For example, everything under a trace, and what was decided for an agent since yesterday:
  govlog query --log https://log.example --trust trust --trace 4bf92f3577b34da6a3ce929d0e0e4736
  govlog query --log https://log.example --trust trust --kind decision --agent ledger-assistant --since 1d")]
pub(crate) struct Query {
    /// The log's address, or with --complete a folder with its public files
    #[arg(long, value_name = "URL|DIR")]
    log: String,
    /// The trust directory
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// The size of the checkpoint that everything is proved at [default: the newest]
    #[arg(long, value_name = "SIZE", value_parser = clap::value_parser!(u64).range(1..))]
    at: Option<u64>,
    /// The most entries to print
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Read every entry, and hold the index's answer against it
    #[arg(long)]
    complete: bool,
    /// Nothing that only speaks of times before: 2026-11-28T16:00:00Z, 2026-11-28, or so long ago, such as 2h
    #[arg(long, value_name = "TIME", help_heading = "What is asked for")]
    since: Option<String>,
    /// Nothing that only speaks of times after
    #[arg(long, value_name = "TIME", help_heading = "What is asked for")]
    until: Option<String>,
    #[command(flatten)]
    terms: Terms,
}

/// The options that ask by a column: one for each column that entries are found by.
#[derive(Debug, Default)]
struct Terms(Vec<(&'static str, String)>);

/// An option: its name, the column, and what that is.
type Option_ = (String, Column, String);

static OPTIONS: LazyLock<Vec<Option_>> = LazyLock::new(|| {
    let option = |column: &Column| (column.name().replace('_', "-"), *column, column.about());
    Column::all().iter().map(option).collect()
});

/// What is asked for most, in the order of the help.
const FIRST: [&str; 11] =
    ["kind", "subject", "issuer", "decision", "trace", "request", "policy", "credential", "key", "resource", "agent"];

impl Args for Terms {
    fn augment_args(command: Command) -> Command {
        let rank = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
        let mut options: Vec<&'static Option_> = OPTIONS.iter().collect();
        options.sort_by_key(|(_, column, _)| (rank(column.name()), column.name()));
        options.into_iter().fold(command, |command, (name, column, about)| {
            let heading = if rank(column.name()) < FIRST.len() { "What is asked for" } else { "Or also" };
            let arg = Arg::new(column.name())
                .long(name.as_str())
                .value_name("VALUE")
                .action(ArgAction::Append)
                .value_parser(ValueParser::string())
                .help(about.as_str())
                .help_heading(heading);
            command.arg(arg)
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Terms {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut terms = Self::default();
        terms.update_from_arg_matches(matches)?;
        Ok(terms)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let values = |column: &Column| matches.get_many::<String>(column.name()).into_iter().flatten();
        self.0 = Column::all()
            .iter()
            .flat_map(|column| values(column).map(|value| (column.name(), value.clone())))
            .collect();
        Ok(())
    }
}

impl Query {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let now_s = time::now_s();
        let filter = self.filter(now_s)?;
        for kind in self.terms.0.iter().filter(|(name, kind)| *name == "kind" && !KINDS.contains(&kind.as_str())) {
            out.notice(&format!(
                "--kind {}: none of the kinds that are known here: {}",
                visible(&kind.1),
                KINDS.join(", ")
            ));
        }
        let dir = TrustDir::load(&self.trust)?;
        let source = out.source(&self.log)?;
        if source.http().is_none() && !self.complete {
            return Err(Usage(format!("{}: a folder has no index to ask; read all of it: --complete", self.log)).into());
        }
        let asked = Asked {
            filter,
            at: self.at.map(TreeSize::new),
            most: usize::try_from(self.limit).unwrap_or(usize::MAX),
            complete: self.complete,
        };
        let bar = progress::bar(out, "entries", 0);
        let mut each = |hit: &ask::Hit| bar.suspend(|| out.result(&visible(&hit.line()), hit.json()));
        let mut tick = |what: &'static str, done, all| {
            bar.set_message(what);
            bar.set_length(all);
            bar.set_position(done);
        };
        let answered = ask::query(&source, dir.trust(), &asked, &mut each, &mut tick);
        bar.finish_and_clear();
        Ok(self.conclude(&answered?, now_s, out))
    }

    fn filter(&self, now_s: u64) -> Result<Filter, Usage> {
        let terms = self.terms.0.iter().map(|(name, value)| (*name, value.as_str()));
        let mut filter = Filter::from_pairs(terms).map_err(|error| Usage(error.to_string()))?;
        let (since, until) =
            (moment("--since", self.since.as_deref(), now_s)?, moment("--until", self.until.as_deref(), now_s)?);
        if let (Some(since), Some(until)) = (since, until)
            && since > until
        {
            return Err(Usage("--since is later than --until: nothing can be between".to_owned()));
        }
        filter = since.into_iter().fold(filter, Filter::since);
        Ok(until.into_iter().fold(filter, Filter::until))
    }

    /// Says what the entries alone do not: where the answer ends, and what of it was checked.
    fn conclude(&self, answered: &Answered, now_s: u64, out: &Output) -> Exit {
        for why in &answered.wrong {
            out.notice(&format!("WRONG  {}", visible(why)));
        }
        if !answered.held_back.is_empty() {
            let ids: Vec<String> = answered.held_back.iter().map(EntryId::to_string).collect();
            out.notice(&format!("HELD BACK by the index: {}", ids.join(", ")));
        }
        for (id, failure) in &answered.refused {
            out.notice(&format!("{}  {id}: {}", failure.outcome.word(), visible(&failure.why)));
        }
        if let Some(why) = &answered.not_compared {
            out.notice(&format!("the index was not held against what was read: {}", visible(why)));
        }
        let others = match (self.complete, answered.has_more) {
            (_, true) => format!("there are more than {}: --limit", self.limit),
            (true, false) => format!("none besides among all {} entries", answered.size),
            (false, false) if answered.found == 0 => {
                format!("absence is not proved ({NOT_CHECKED}); --complete reads every entry")
            }
            (false, false) => "others: the server named none, not checked; --complete reads every entry".to_owned(),
        };
        let age =
            answered.time_s.map_or_else(|| "of unknown age".to_owned(), |at| format!("{} old", time::age(at, now_s)));
        let found = if answered.found == 0 {
            "nothing found".to_owned()
        } else {
            format!("{} found and verified", answered.found)
        };
        let text = format!("{found} below size {}, {age}; {others}", answered.size);
        let exit = match Exit::from(answered.outcome()) {
            Exit::Ok if answered.found == 0 => Exit::NothingFound,
            exit => exit,
        };
        out.end(&text, json!({ "summary": {
            "found": answered.found,
            "has_more": answered.has_more,
            "size": answered.size.get(),
            "checkpoint_age_s": answered.time_s.map(|at| now_s.saturating_sub(at)),
            "complete": self.complete,
            "absence": if self.complete { "checked" } else { NOT_CHECKED },
            "wrong": answered.wrong,
            "not_compared": answered.not_compared,
            "held_back": answered.held_back.iter().map(EntryId::to_string).collect::<Vec<_>>(),
            "refused": answered.refused.iter().map(|(id, failure)| json!({ "id": id.to_string(), "because": failure.why })).collect::<Vec<_>>(),
        }}));
        exit
    }
}

/// A moment, or how long ago it was.
fn moment(flag: &str, text: Option<&str>, now_s: u64) -> Result<Option<u64>, Usage> {
    let Some(text) = text else { return Ok(None) };
    if let Ok(ago) = time::span(text) {
        return Ok(Some(now_s.saturating_sub(ago.as_secs()).saturating_mul(1000)));
    }
    time::when_ms(text, now_s).map(Some).map_err(|_| {
        Usage(format!(
            "{flag} {text:?}: give a moment, such as 2026-11-28T16:00:00Z or 2026-11-28, or how long ago, such as 2h"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_so_long_ago() {
        assert_eq!(moment("--since", Some("2h"), 10_000).unwrap(), Some(2_800_000));
        assert_eq!(moment("--since", Some("2026-11-22"), 0).unwrap(), Some(1_795_305_600_000));
        assert!(moment("--since", Some("yesterday"), 0).is_err());
    }
}
