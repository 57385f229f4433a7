//! What goes to stdout and what to stderr.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the one module that prints")]

use std::io::IsTerminal;

use serde_json::{Value, json};

/// The version of every `--json` document; it grows when a reader of the old ones would misread a new one.
const JSON_VERSION: u32 = 1;

/// Where a command's results go.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints a result: `text` for people, or `document` for programs.
    pub(crate) fn result(&self, text: &str, document: Value) {
        if self.json {
            println!("{}", versioned(document));
        } else {
            println!("{}", text.trim_end());
        }
    }

    /// Says something that is not a result.
    pub(crate) fn notice(&self, text: &str) {
        eprintln!("{text}");
    }

    /// Asks something, and leaves the line open for the answer.
    pub(crate) fn ask(&self, text: &str) {
        eprint!("{text}");
    }

    /// Says why the command failed, with every cause.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        if self.json {
            println!("{}", versioned(json!({ "error": format!("{error:#}") })));
        }
        eprintln!("govlog: {error:#}");
    }

    /// Whether progress can be drawn: on a terminal only, never into a pipe.
    pub(crate) fn draws_progress(&self) -> bool {
        std::io::stderr().is_terminal()
    }
}

fn versioned(document: Value) -> Value {
    let mut whole = json!({ "govlog": JSON_VERSION });
    if let (Some(whole), Value::Object(fields)) = (whole.as_object_mut(), document) {
        whole.extend(fields);
    }
    whole
}
