//! What a command has to do with the world: what goes to stdout and what to stderr, and how servers are reached.
//!
//! Nothing leaves here that a terminal would obey or hide, whoever wrote it. That a stranger's text begins no line of its own is for whoever puts
//! lines together: with [`visible`], too.

use std::io::{ErrorKind, IsTerminal, Write as _};

use govlog_formats::visible::{visible, visible_json, visible_lines};
use serde_json::{Value, json};

use super::exit::Exit;
use crate::source::{Outbound, Source, SourceError};

/// The version of every `--json` document; it grows when a reader of the old ones would misread a new one.
const JSON_VERSION: u32 = 1;

/// Where a command's results go, and how it shows itself to servers.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    outbound: Outbound,
}

impl Output {
    pub(crate) fn new(json: bool, outbound: Outbound) -> Self {
        Self { json, outbound }
    }

    /// Opens the place that an option names, with the certificate, token and authorities of the command line.
    pub(crate) fn source(&self, place: &str) -> Result<Source, SourceError> {
        Source::open_as(place, &self.outbound)
    }

    /// Prints a result: `text` for people, or `document` for programs.
    pub(crate) fn result(&self, text: &str, document: Value) {
        if self.json {
            print_json(document);
        } else {
            print(visible_lines(text).trim_end());
        }
    }

    /// Prints a page that was drawn in visible pieces, with the colours that it has.
    pub(crate) fn page(&self, drawn: &str, document: Value) {
        if self.json {
            print_json(document);
        } else {
            print(drawn.trim_end());
        }
    }

    /// Ends a result of many lines: people are told on stderr, so that stdout has the lines alone, and programs in a last document.
    pub(crate) fn end(&self, text: &str, document: Value) {
        if self.json {
            print_json(document);
        } else {
            self.notice(text);
        }
    }

    /// How many columns the terminal has that results go to; `None` in a pipe.
    pub(crate) fn width(&self) -> Option<usize> {
        let stdout = std::io::stdout();
        if self.json || !stdout.is_terminal() {
            return None;
        }
        let size = rustix::termios::tcgetwinsize(&stdout).ok()?;
        Some(usize::from(size.ws_col)).filter(|columns| *columns > 0).or(Some(80))
    }

    /// Says something that is not a result.
    pub(crate) fn notice(&self, text: &str) {
        say(&format!("{}\n", visible_lines(text)));
    }

    /// Asks something, and leaves the line open for the answer.
    pub(crate) fn ask(&self, text: &str) {
        say(&visible_lines(text));
    }

    /// Says why the command failed, with every cause.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        if self.json {
            print_json(json!({ "error": format!("{error:#}") }));
        }
        say(&format!("govlog: {}\n", error_lines(&format!("{error:#}"))));
    }

    /// Whether progress can be drawn: on a terminal only, never into a pipe.
    pub(crate) fn draws_progress(&self) -> bool {
        std::io::stderr().is_terminal()
    }
}

/// Says what is no result. Whoever listens may have gone, as in `2>&1 | head`; what the command ends with is then still its verdict.
fn say(text: &str) {
    let mut stderr = std::io::stderr().lock();
    drop(stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()));
}

/// Prints a line of a result. Whoever reads it may have had enough, as `head` has: what the command ends with is then still its verdict. A result
/// that could not be written is none.
fn print(line: &str) {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            say(&format!("govlog: the result could not be written: {error}\n"));
            std::process::exit(i32::from(Exit::CannotEvaluate.code()));
        }
        _ => {}
    }
}

fn print_json(document: Value) {
    print(&visible_json(&versioned(document).to_string()));
}

/// An error can quote what it was given. What it says in further lines is marked, so that none of them is taken for the program's own.
fn error_lines(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n  | ")
}

fn versioned(document: Value) -> Value {
    let mut whole = json!({ "govlog": JSON_VERSION });
    if let (Some(whole), Value::Object(fields)) = (whole.as_object_mut(), document) {
        whole.extend(fields);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_quotes_begins_no_line() {
        assert_eq!(error_lines("unknown field `\nVERIFIED  \u{1b}[2J`"), "unknown field `\n  | VERIFIED  \\u{1b}[2J`");
    }
}
