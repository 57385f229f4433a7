//! Exit codes: the one place that decides them.

use std::process::ExitCode;

use govlog_formats::entry_id::EntryId;

use crate::source::{HeadError, SourceError, TreeError};
use crate::verify::Outcome;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Verified, or done.
    Ok,
    /// Something is proved wrong.
    Refuted,
    /// The command was not understood, or a file it names is not usable.
    Usage,
    /// There was not enough to judge by, or a source cannot be reached.
    CannotEvaluate,
    /// Everything holds, but not what your own policy asks for.
    PolicyNotSatisfied,
    /// Nothing was found.
    NothingFound,
    /// Not everything has reached what was waited for.
    Pending,
}

/// A failure that is the caller's to mend: a bad argument, or a file that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// A failure that proves something wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refuted(pub(crate) String);

/// The log has no such entry.
#[derive(Debug, thiserror::Error)]
#[error("{0}: the log has no such entry")]
pub(crate) struct NotFound(pub(crate) EntryId);

impl Exit {
    /// The code of DESIGN §8.3.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Refuted => 1,
            Self::Usage => 2,
            Self::CannotEvaluate => 3,
            Self::PolicyNotSatisfied => 4,
            Self::NothingFound => 5,
            Self::Pending => 6,
        }
    }

    /// Over several files: the first of 1, 3, 4, 6, 5, 0 that occurs.
    #[must_use]
    pub fn worst(exits: impl IntoIterator<Item = Self>) -> Self {
        let order = [
            Self::Usage,
            Self::Refuted,
            Self::CannotEvaluate,
            Self::PolicyNotSatisfied,
            Self::Pending,
            Self::NothingFound,
        ];
        let seen: Vec<Self> = exits.into_iter().collect();
        order.into_iter().find(|exit| seen.contains(exit)).unwrap_or(Self::Ok)
    }

    /// What an error that reached the top means.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        if error.chain().any(|cause| cause.is::<Refuted>()) {
            Self::Refuted
        } else if error.chain().any(|cause| cause.is::<Usage>()) {
            Self::Usage
        } else if error.chain().any(|cause| cause.is::<NotFound>()) {
            Self::NothingFound
        } else if error
            .chain()
            .any(|cause| cause.is::<SourceError>() || cause.is::<HeadError>() || cause.is::<TreeError>())
        {
            Self::CannotEvaluate
        } else {
            Self::Usage
        }
    }
}

impl From<Outcome> for Exit {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Verified => Self::Ok,
            Outcome::Refuted => Self::Refuted,
            Outcome::CannotEvaluate => Self::CannotEvaluate,
            Outcome::PolicyNotSatisfied => Self::PolicyNotSatisfied,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_files_end_in_the_first_that_matters() {
        use Exit::{CannotEvaluate, NothingFound, Ok, Pending, PolicyNotSatisfied, Refuted};
        assert_eq!(Exit::worst([]), Ok);
        assert_eq!(Exit::worst([Ok, NothingFound]), NothingFound);
        assert_eq!(Exit::worst([NothingFound, Pending]), Pending);
        assert_eq!(Exit::worst([Pending, PolicyNotSatisfied, Ok]), PolicyNotSatisfied);
        assert_eq!(Exit::worst([PolicyNotSatisfied, CannotEvaluate]), CannotEvaluate);
        assert_eq!(Exit::worst([CannotEvaluate, Refuted, Ok]), Refuted);
        assert_eq!(
            [Ok, Refuted, Exit::Usage, CannotEvaluate, PolicyNotSatisfied, NothingFound, Pending].map(Exit::code),
            [0, 1, 2, 3, 4, 5, 6]
        );
    }
}
