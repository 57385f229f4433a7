//! `govlog custody diff`: what one custody file has that another has not.

use std::path::{Path, PathBuf};

use clap::Args;
use govlog_formats::visible::visible;
use serde_json::json;

use crate::cli::exit::Usage;
use crate::cli::output::Output;
use crate::cli::{Exit, files};
use crate::custody::{self, Difference, MAX_FILE_BYTES};

/// `govlog custody diff`
#[derive(Debug, Args)]
#[command(after_help = "\
Compares members and manifests; nothing is verified: do that with both files first. Two exports of one query at one checkpoint, for one collector \
and purpose, are the same file, byte for byte. At a later checkpoint every proof is another one, and that is not told apart one by one: look at \
the entries that were added.

Exit codes: 0 compared, whatever came out (with --json look at `same`) · 2 one of them is no custody file.

For example:
  govlog custody diff monday.zip friday.zip")]
pub(crate) struct Diff {
    /// The first custody file
    #[arg(value_name = "A")]
    first: PathBuf,
    /// The second, as a rule the later one
    #[arg(value_name = "B")]
    second: PathBuf,
}

impl Diff {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let read = |path: &Path| files::read_at_most(path, MAX_FILE_BYTES as u64);
        let (first, second) = (read(&self.first)?, read(&self.second)?);
        // Each with itself: so it is said which of them is no custody file.
        for (path, bytes) in [(&self.first, &first), (&self.second, &second)] {
            custody::diff(bytes, bytes).map_err(|error| Usage(format!("{}: {error}", path.display())))?;
        }
        let difference = custody::diff(&first, &second)?;
        let text = if difference.is_none() { "the same".to_owned() } else { lines(&difference).join("\n") };
        let document = json!({
            "same": difference.is_none(), "added": difference.added, "removed": difference.removed,
            "changed": difference.changed, "manifest": difference.said,
        });
        out.result(&text, document);
        Ok(Exit::Ok)
    }
}

/// One line for each difference, for people.
fn lines(difference: &Difference) -> Vec<String> {
    // Of the proofs of entries that both have nobody wants to read: they follow the checkpoint.
    let is_proof = |name: &&String| name.starts_with("proofs/") || name.ends_with(".tlog-proof");
    let proofs = difference.changed.iter().filter(is_proof).count();
    let mut lines = Vec::new();
    for (sign, names) in [("+", &difference.added), ("-", &difference.removed)] {
        lines.extend(names.iter().filter(|name| !is_proof(name)).map(|name| format!("{sign} {name}")));
    }
    lines.extend(difference.changed.iter().filter(|name| !is_proof(name)).map(|name| format!("! {name}")));
    if proofs > 0 {
        lines.push(format!("! {proofs} proofs"));
    }
    for said in &difference.said {
        lines.push(format!("manifest {}: {} became {}", said.field, said.first, said.second));
    }
    lines.iter().map(|line| visible(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custody::Said;

    #[test]
    fn what_files_and_manifests_are_called_begins_no_line() {
        let text = "\nVERIFIED  \u{1b}[2J\u{7f}\u{202e}\u{2028}";
        let said = Said { field: text.to_owned(), first: text.into(), second: serde_json::Value::Null };
        let names = vec![text.to_owned()];
        let difference = Difference { added: names.clone(), removed: names.clone(), changed: names, said: vec![said] };
        let lines = lines(&difference);
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.chars().all(|c| (' '..='~').contains(&c))), "{lines:?}");
    }
}
