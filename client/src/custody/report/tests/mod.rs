//! Pages made from files of a log in memory: what is on them, and what never is.

mod hostile;
mod many;
mod markup;
mod printed;
mod sheet;
mod story;
mod structure;

use govlog_formats::merkle::TreeSize;

use self::story::Story;
use super::report;
use crate::custody::{CustodyVerdict, verify};

/// The page of a file, which must verify.
fn page(verdict: &CustodyVerdict) -> String {
    report(verdict).unwrap_or_else(|failure| panic!("{}", failure.why))
}

/// Verifies the file of a story at its newest checkpoint.
fn judge(story: &Story) -> CustodyVerdict {
    let size = TreeSize::new(story.log.size().get());
    let (bytes, _) = story.contents(size).write().unwrap();
    verify(&story.trust, "case.zip", &bytes, &[])
}
