//! Asking before something is signed.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::Context;

use super::exit::Usage;
use super::output::Output;

/// Asks whether to go on; `yes`: the question was answered on the command line.
///
/// # Errors
/// Nobody is there to answer: stdin is no terminal.
pub(crate) fn ask(out: &Output, yes: bool, question: &str) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Usage(format!(
            "{question} Nobody can answer: stdin is no terminal. Look at what is shown, then add --yes"
        ))
        .into());
    }
    out.notice(&format!("{question} Type yes to go on:"));
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).context("reading the answer")?;
    Ok(answer.trim().eq_ignore_ascii_case("yes"))
}
