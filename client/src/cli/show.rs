//! `govlog show`: one thing in hand, and everything that hangs together with it.

use std::path::{Path, PathBuf};

use clap::Args;
use govlog_formats::merkle::TreeSize;
use govlog_formats::visible::visible;
use serde_json::json;

use super::custody::{is_custody_file, judge};
use super::exit::Usage;
use super::output::Output;
use super::{Exit, progress};
use crate::ask::{NOT_CHECKED, Page, Shown, Wanted, in_file, show};
use crate::resolve::{Resolver, Sought};
use crate::time;
use crate::trust::{Trust, TrustDir};

/// `govlog show`
#[derive(Debug, Args)]
#[command(after_help = "\
ANYTHING is what you have in hand: an entry id (1.57); a digest of whatever it may be, in hex, with colons, with sha256: before it, or in base64url; a \
trace id or traceparent header; a decision, request or transaction id; a certificate, key or token file (PEM, JWK, compact; - for stdin); a \
SPIFFE ID or another name; a handle (cert_s256:…) or a column of the search (request:…); a .cose file; a custody file. Where it can mean several things all \
are looked for, and the answer says which it was.

Drawn is what it rests on (credential, registration, owner, policy, delegation, approval), what came of it, and every word about any of these. \
Each entry stands below the one it rests on most directly, and `also` names the others; in [ ] is how. All of it was read, proved under \
one checkpoint and judged by your trust directory; the server only suggests, and with --complete is not asked: every entry is read. Then what is missing, and how fresh each stream is: what happened before it \
last spoke is in the log, what happened since may be in flight.

With a custody file in place of the log nothing is fetched. With --json: one document with `entries`, `edges`, `missing` and `streams`.

Exit codes: 0 shown · 5 nothing found · 1, 3, 4 as `govlog verify`.

For example, from an alert with a trace id, and from a stolen certificate:
  govlog show --log https://log.example --trust trust 4bf92f3577b34da6a3ce929d0e0e4736
  govlog show --log https://log.example --trust trust stolen.pem
  govlog show --trust trust case.zip")]
pub(crate) struct Show {
    /// The log's address, a folder with its public files, or a custody file
    #[arg(long, value_name = "URL|DIR|FILE", required_unless_present = "thing")]
    log: Option<String>,
    /// The trust directory
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// The size of the checkpoint that everything is proved at [default: the newest]
    #[arg(long, value_name = "SIZE", value_parser = clap::value_parser!(u64).range(1..))]
    at: Option<u64>,
    /// Read every entry instead of asking the index: what is not there then is not in the log
    #[arg(long)]
    complete: bool,
    /// The most entries to draw [default: 250]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Who issued the decision that is named by its id
    #[arg(long, value_name = "ISS")]
    pdp: Option<String>,
    /// What you have in hand
    #[arg(value_name = "ANYTHING")]
    thing: Option<String>,
}

/// So many entries are drawn unless more are asked for.
const LIMIT: u64 = 250;

impl Show {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let dir = TrustDir::load(&self.trust)?;
        let trust = dir.trust();
        let is_custody = |text: &str| Path::new(text).is_file() && is_custody_file(Path::new(text)).unwrap_or(false);
        let (log, thing) = (self.log.as_deref(), self.thing.as_deref());
        let shown = match (log, thing) {
            (_, Some(file)) if is_custody(file) => self.file(file, None, trust, out)?,
            (Some(file), None) if is_custody(file) => self.file(file, None, trust, out)?,
            (Some(file), Some(thing)) if is_custody(file) => {
                let resolver = Resolver { trust, http: None, unverified: true, pdp: self.pdp.as_deref() };
                self.file(file, Some(&resolver.sought(thing)?), trust, out)?
            }
            (Some(log), Some(thing)) => self.log(log, thing, trust, out)?,
            (Some(_), None) => {
                return Err(Usage("say what you have in hand: an id, a digest, a file, a name …".to_owned()).into());
            }
            (None, _) => return Err(Usage("say where to look: --log URL, or give a custody file".to_owned()).into()),
        };
        match shown {
            Ok(shown) => {
                let now_s = time::now_s();
                out.page(&page(out).draw(&shown, now_s), shown.json(now_s));
                Ok(shown.outcome.into())
            }
            Err(exit) => Ok(exit),
        }
    }

    fn log(&self, log: &str, thing: &str, trust: &Trust, out: &Output) -> anyhow::Result<Result<Shown, Exit>> {
        let source = out.source(log)?;
        let resolver = Resolver { trust, http: source.http(), unverified: true, pdp: self.pdp.as_deref() };
        let sought = resolver.sought(thing)?;
        let bar = progress::bar(out, "entries", 0);
        let wanted = Wanted {
            sought: &sought,
            at: self.at.map(TreeSize::new),
            most: usize::try_from(self.limit.unwrap_or(LIMIT)).unwrap_or(usize::MAX),
            complete: self.complete,
        };
        let shown = show(&source, trust, &wanted, &mut |what, done, all| {
            bar.set_message(what);
            bar.set_length(all);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        let checked = if source.http().is_some() && !self.complete {
            format!("absence is not proved ({NOT_CHECKED}); --complete reads every entry")
        } else {
            "every entry was read".to_owned()
        };
        Ok(shown?.ok_or_else(|| nothing(&sought, &checked, out)))
    }

    fn file(
        &self,
        file: &str,
        sought: Option<&Sought>,
        trust: &Trust,
        out: &Output,
    ) -> anyhow::Result<Result<Shown, Exit>> {
        if self.at.is_some() || self.limit.is_some() || self.complete {
            let why = "a custody file stands at its own checkpoint, and all of it is drawn: --at, --limit and --complete are for a log";
            return Err(Usage(format!("{file}: {why}")).into());
        }
        let verdict = judge(trust, Path::new(file), &[])?;
        let custody = match verdict.result {
            Ok(custody) => custody,
            Err(failure) => {
                out.result(
                    &visible(&format!("{}  {file}: {}", failure.outcome.word(), failure.why)),
                    json!({ "file": file, "because": failure.why }),
                );
                return Ok(Err(failure.outcome.into()));
            }
        };
        let shown = in_file(custody, sought)?;
        let nowhere =
            || sought.map_or(Exit::NothingFound, |sought| nothing(sought, "the file may hold less than the log", out));
        Ok(shown.ok_or_else(nowhere))
    }
}

fn nothing(sought: &Sought, checked: &str, out: &Output) -> Exit {
    let columns =
        sought.terms.iter().chain(&sought.or_else).map(|term| term.column().name()).collect::<Vec<_>>().join(", ");
    let by = if columns.is_empty() { String::new() } else { format!(", looked for by {columns}") };
    let text = format!("{}: taken for {}{by}: nothing found; {checked}", sought.name, sought.taken_for);
    out.result(
        &visible(&text),
        json!({ "asked": sought.name, "taken_for": sought.taken_for, "entries": [], "absence": checked }),
    );
    Exit::NothingFound
}

/// As wide as the terminal, and with colours if it is one and nobody asked for none (no-color.org).
fn page(out: &Output) -> Page {
    let Some(width) = out.width() else { return Page::default() };
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    Page { width: Some(width), has_colours: !is_set("NO_COLOR") && !is_dumb }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Outbound;
    use crate::testing::TestLog;

    #[test]
    fn what_says_nothing_of_a_file_is_refused_with_one() {
        let dir = tempfile::tempdir().unwrap();
        let (trust, file) = (dir.path().join("trust"), dir.path().join("case.zip"));
        drop(TestLog::new().trusted_in(&trust));
        std::fs::write(&file, b"PK\x03\x04").unwrap();
        let show = |at, limit, complete| {
            let file = Some(file.display().to_string());
            Show { log: file, trust: trust.clone(), at, limit, complete, pdp: None, thing: None }
        };
        let out = Output::new(true, Outbound::default());
        for (at, limit, complete) in [(Some(3), None, false), (None, Some(10), false), (None, None, true)] {
            let error = show(at, limit, complete).run(&out).unwrap_err();
            assert_eq!(Exit::of(&error), Exit::Usage);
            assert!(error.to_string().contains("--at, --limit and --complete are for a log"), "{error}");
        }
        assert_eq!(show(None, None, false).run(&out).unwrap(), Exit::Refuted, "it is no custody file");
    }
}
