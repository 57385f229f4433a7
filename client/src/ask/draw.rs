//! The chain as lines of a terminal: a tree from who answers for it down to what came of it, and below it what is missing and how fresh it is.
//!
//! Lines are made of pieces and cut to the terminal's width before they get colours; in a pipe they are whole and plain.

use std::fmt::Write as _;

use govlog_formats::visible::visible;

use super::chain::Chain;
use super::entry::{bounds, says};
use super::missing::{Missing, id, named};
use super::show::Shown;
use crate::custody::{Role, Spot};
use crate::time;
use crate::trust::Relation;

/// How a page is drawn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Page {
    /// Columns, where there are only so many.
    pub width: Option<usize>,
    /// Whether there are colours.
    pub has_colours: bool,
}

/// How a piece of a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Plain,
    Strong,
    Faint,
    Alarm,
}

type Line = Vec<(Look, String)>;

/// Kinds that say something is wrong.
const ALARMS: [&str; 5] = ["revocation", "finding", "gap", "quarantine", "redaction"];
/// Of so many like ones below one entry only some are drawn.
const MANY: usize = 12;
const FIRST: usize = 8;
const LAST: usize = 2;

impl Page {
    /// Draws a chain; `now_s` is the reader's clock.
    #[must_use]
    pub fn draw(&self, shown: &Shown, now_s: u64) -> String {
        let chain = shown.chain();
        let mut lines = heading(shown, &chain, now_s);
        tree(&chain, &mut lines);
        let missing = Missing::new(&shown.custody, &chain).lines(&chain, &shown.absence());
        section(&mut lines, "WRONG", shown.wrong.iter().map(|why| (Look::Alarm, why.clone())));
        section(&mut lines, "NOT THERE", missing.into_iter().map(|said| (Look::Plain, said)));
        let mut streams = Vec::new();
        for fresh in shown.streams(now_s) {
            streams.push((if fresh.is_silent() { Look::Alarm } else { Look::Plain }, fresh.line()));
            streams.extend(fresh.gaps().map(|gap| (Look::Alarm, format!("  {gap}"))));
        }
        section(&mut lines, "STREAMS", streams);
        section(&mut lines, "NOT CHECKED", not_checked(shown).into_iter().map(|said| (Look::Faint, said)));
        self.paint(&lines)
    }

    fn paint(&self, lines: &[Line]) -> String {
        let mut text = String::new();
        for line in lines {
            let line: Line = line.iter().map(|(look, piece)| (*look, visible(piece))).collect();
            let mut left = self.width.unwrap_or(usize::MAX);
            let whole: usize = line.iter().map(|(_, piece)| piece.chars().count()).sum();
            // Room for the sign that something was left out.
            let bound = if whole > left { left.saturating_sub(1) } else { left };
            left = bound;
            for (look, piece) in &line {
                let kept: String = piece.chars().take(left).collect();
                left -= kept.chars().count();
                self.piece(&mut text, *look, &kept);
            }
            text.push_str(if whole > bound { "…\n" } else { "\n" });
        }
        text
    }

    fn piece(&self, text: &mut String, look: Look, piece: &str) {
        let code = match look {
            _ if !self.has_colours || piece.is_empty() => None,
            Look::Plain => None,
            Look::Strong => Some("1"),
            Look::Faint => Some("2"),
            Look::Alarm => Some("31"),
        };
        // Writing to a string cannot fail.
        match code {
            Some(code) => write!(text, "\u{1b}[{code}m{piece}\u{1b}[0m").ok(),
            None => write!(text, "{piece}").ok(),
        };
    }
}

fn heading(shown: &Shown, chain: &Chain<'_>, now_s: u64) -> Vec<Line> {
    let head = &shown.custody.checkpoint;
    let starts = chain.entries.values().filter(|(_, role)| *role == Role::Start).count();
    let mut found = format!("{} entries, {starts} of them asked for (marked >)", chain.entries.len());
    if !shown.by.is_empty() {
        let columns: Vec<&str> = shown.by.iter().map(|term| term.column().name()).collect();
        write!(found, ", found by {}", columns.join(", ")).ok();
    }
    let independent = head.witnesses.iter().filter(|witness| witness.relation == Relation::Independent).count();
    let age = head.time_s.map_or_else(|| "of unknown age".to_owned(), |at| format!("{} old", time::age(at, now_s)));
    let checkpoint = format!(
        "{}, checkpoint of size {}, {age}; {} of {} witnesses, {independent} independent",
        visible(&shown.custody.manifest.origin),
        head.size,
        head.witnesses.len(),
        head.known_witnesses
    );
    let mut lines = vec![vec![(Look::Strong, visible(&shown.asked))], vec![(Look::Plain, found)]];
    if shown.has_more {
        let more = "more entries have it: what it is, and the newest of the others, is drawn; govlog query names all";
        lines.push(vec![(Look::Alarm, more.to_owned())]);
    }
    lines.push(vec![(Look::Faint, checkpoint)]);
    lines.push(Vec::new());
    lines
}

/// What is still to be drawn.
enum Step<'a> {
    Entry {
        index: Spot,
        rel: &'a str,
        before: String,
        is_last: bool,
        is_root: bool,
    },
    /// So many like ones that are left out, the first and the last of them.
    LeftOut {
        count: usize,
        first: Spot,
        last: Spot,
        before: String,
    },
}

/// Draws the forest, without recursion: chains can be long.
fn tree(chain: &Chain<'_>, lines: &mut Vec<Line>) {
    let root =
        |index: &Spot| Step::Entry { index: *index, rel: "", before: String::new(), is_last: true, is_root: true };
    let mut open: Vec<Step<'_>> = chain.roots.iter().rev().map(root).collect();
    while let Some(step) = open.pop() {
        match step {
            Step::LeftOut { count, first, last, before } => {
                let said = format!("… {count} more of this kind, {} to {}", id(first), id(last));
                lines.push(vec![(Look::Faint, before + "├─ "), (Look::Faint, said)]);
            }
            Step::Entry { index, rel, before, is_last, is_root } => {
                let below = below(chain, index);
                let (sign, on) = match (is_root, is_last) {
                    (true, _) => ("", ""),
                    (false, true) => ("└─ ", "   "),
                    (false, false) => ("├─ ", "│  "),
                };
                let inner = format!("{before}{on}");
                let margin = format!("{inner}{}", if below.is_empty() { "   " } else { "│  " });
                entry(chain, index, rel, &format!("{before}{sign}"), &margin, lines);
                for (at, step) in below.into_iter().enumerate().rev() {
                    open.push(match step {
                        Below::One(index, rel, is_last) => {
                            Step::Entry { index, rel, before: inner.clone(), is_last, is_root: false }
                        }
                        Below::LeftOut(count, first, last) => {
                            debug_assert!(at > 0, "some are always drawn before it");
                            Step::LeftOut { count, first, last, before: inner.clone() }
                        }
                    });
                }
            }
        }
    }
}

enum Below<'a> {
    One(Spot, &'a str, bool),
    LeftOut(usize, Spot, Spot),
}

/// What is drawn below an entry: of many of one kind with nothing below them, the first and the last.
fn below<'a>(chain: &Chain<'a>, index: Spot) -> Vec<Below<'a>> {
    let all = chain.below(index);
    let kind = |index: Spot| chain.entries.get(&index).map(|(held, _)| held.kind());
    let mut drawn = Vec::new();
    let mut at = 0;
    while let Some((child, _)) = all.get(at) {
        let is_like = |(other, _): &&(Spot, &str)| chain.below(*other).is_empty() && kind(*other) == kind(*child);
        let run = all.get(at..).unwrap_or_default();
        let run = run.get(..run.iter().take_while(is_like).count().max(1)).unwrap_or_default();
        at += run.len();
        let one = |(index, rel): &(Spot, &'a str)| Below::One(*index, rel, false);
        match (run.get(..FIRST), run.get(FIRST..run.len().saturating_sub(LAST)), run.last_chunk::<LAST>()) {
            (Some(first), Some([(from, _), .., (to, _)]), Some(last)) if run.len() > MANY => {
                drawn.extend(first.iter().map(one));
                drawn.push(Below::LeftOut(run.len() - FIRST - LAST, *from, *to));
                drawn.extend(last.iter().map(one));
            }
            _ => drawn.extend(run.iter().map(one)),
        }
    }
    if let Some(Below::One(_, _, is_last)) = drawn.last_mut() {
        *is_last = true;
    }
    drawn
}

/// An entry: what it is and says, who signed it and when it was there, what else it rests on, and what it names that is not there.
fn entry(chain: &Chain<'_>, index: Spot, rel: &str, sign: &str, margin: &str, lines: &mut Vec<Line>) {
    let Some((held, role)) = chain.entries.get(&index) else { return };
    let statement = held.entry.statement();
    let look = if ALARMS.contains(&held.kind()) { Look::Alarm } else { Look::Strong };
    let mark = if *role == Role::Start { "> " } else { "" };
    lines.push(vec![
        (Look::Faint, sign.to_owned()),
        (look, format!("{mark}{} {}", visible(held.kind()), held.id())),
        (Look::Plain, format!("  {}", says(held.record().as_ref(), statement))),
        (Look::Faint, if rel.is_empty() { String::new() } else { format!("  [{}]", visible(rel)) }),
    ]);
    let signed = format!("signed by {}, {}", visible(&statement.claims().iss), bounds(held.bracket));
    lines.push(vec![(Look::Faint, margin.to_owned()), (Look::Faint, signed)]);
    let also: Vec<String> =
        chain.also(index).map(|edge| format!("{} {}", visible(&edge.rel), named(chain, edge.to))).collect();
    if !also.is_empty() {
        lines.push(vec![(Look::Faint, margin.to_owned()), (Look::Faint, format!("also {}", also.join(", ")))]);
    }
}

fn section(lines: &mut Vec<Line>, title: &str, said: impl IntoIterator<Item = (Look, String)>) {
    let said: Vec<(Look, String)> = said.into_iter().collect();
    if said.is_empty() {
        return;
    }
    lines.push(Vec::new());
    lines.push(vec![(Look::Strong, title.to_owned())]);
    lines.extend(said.into_iter().map(|(look, said)| vec![(Look::Plain, "  ".to_owned()), (look, said)]));
}

fn not_checked(shown: &Shown) -> Vec<String> {
    let head = &shown.custody.checkpoint;
    let mut list = Vec::new();
    match shown.custody.manifest.completeness.as_str() {
        "index" => list.push("completeness: the log's index was asked; --complete reads every entry".to_owned()),
        said if shown.is_live => list.push(format!("what came after the entries {}", visible(said))),
        said => list.push(format!("completeness: the file's maker claims to have {}", visible(said))),
    }
    if !head.witnesses.iter().any(|witness| witness.relation == Relation::Independent) {
        list.push("that everybody is shown the same log: no witness is independent of its operator".to_owned());
    }
    list.push("whether what the issuers state is true".to_owned());
    list
}
