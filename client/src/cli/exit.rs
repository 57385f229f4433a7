//! Exit codes: the one place that decides them.

use std::error::Error;
use std::process::ExitCode;

use govlog_formats::entry_id::EntryId;

use crate::ask::ShowError;
use crate::audit::AuditError;
use crate::custody::{ExportError, FindError, ScanError};
use crate::operator::BringError;
use crate::resolve::ResolveError;
use crate::source::{HeadError, RecordsError, SourceError, TreeError};
use crate::submit::{SendError, SubmitError};
use crate::trust::UpdateError;
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

/// The opening store has no such member, or none of this batch.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoMembers(pub(crate) String);

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

    /// What an error that reached the top means: the first of its causes that means something decides.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        error.chain().find_map(meaning).unwrap_or(Self::Usage)
    }
}

/// What one cause means. A transparent error hides what it is made of from the chain, so it is taken apart here.
fn meaning(cause: &(dyn Error + 'static)) -> Option<Exit> {
    let is_source = cause.is::<SourceError>() || cause.is::<TreeError>();
    let is_sending = cause.is::<SendError>()
        || matches!(cause.downcast_ref(), Some(SubmitError::Place(_) | SubmitError::Send(_)))
        || matches!(cause.downcast_ref(), Some(BringError::Send(_) | BringError::Answer(_)));
    if cause.is::<Refuted>() {
        Some(Exit::Refuted)
    } else if cause.is::<Usage>() {
        Some(Exit::Usage)
    } else if cause.is::<NotFound>() || cause.is::<NoMembers>() {
        Some(Exit::NothingFound)
    } else if is_source || is_sending {
        Some(Exit::CannotEvaluate)
    } else if let Some(head) = cause.downcast_ref::<HeadError>() {
        Some(of_head(head))
    } else if let Some(resolve) = cause.downcast_ref::<ResolveError>() {
        Some(match resolve {
            ResolveError::Unverified { outcome, .. } => (*outcome).into(),
            ResolveError::Absent(_) => Exit::NothingFound,
            ResolveError::Source(_) | ResolveError::NoLog(_) => Exit::CannotEvaluate,
            _ => Exit::Usage,
        })
    } else if let Some(export) = cause.downcast_ref::<ExportError>() {
        Some(of_export(export))
    } else if let Some(show) = cause.downcast_ref::<ShowError>() {
        Some(match show {
            ShowError::Export(export) => of_export(export),
            ShowError::Failure(failure) => failure.outcome.into(),
            ShowError::Wrong { .. } => Exit::Refuted,
        })
    } else if let Some(records) = cause.downcast_ref::<RecordsError>() {
        Some(of_records(records))
    } else if let Some(audit) = cause.downcast_ref::<AuditError>() {
        Some(if let AuditError::Head(head) = audit { of_head(head) } else { Exit::CannotEvaluate })
    } else {
        match cause.downcast_ref::<UpdateError>()? {
            UpdateError::Head(head) => Some(of_head(head)),
            UpdateError::Trust(_) => Some(Exit::Usage),
            _ => Some(Exit::CannotEvaluate),
        }
    }
}

fn of_export(error: &ExportError) -> Exit {
    match error {
        ExportError::Head(head) | ExportError::Update(UpdateError::Head(head)) => of_head(head),
        ExportError::Entry { failure, .. } => failure.outcome.into(),
        ExportError::Find(FindError::Records(records)) => of_records(records),
        ExportError::Scan(ScanError::Broken(_))
        | ExportError::Openings { .. }
        | ExportError::PinSplit { .. }
        | ExportError::Wrong { .. } => Exit::Refuted,
        ExportError::NotPublished(_) | ExportError::NoEntry(_) => Exit::NothingFound,
        ExportError::Query(_) | ExportError::NoIndex | ExportError::Pin(_) | ExportError::Store(_) => Exit::Usage,
        _ => Exit::CannotEvaluate,
    }
}

fn of_records(error: &RecordsError) -> Exit {
    if let RecordsError::Wrong(_) = error { Exit::Refuted } else { Exit::CannotEvaluate }
}

fn of_head(error: &HeadError) -> Exit {
    match error {
        HeadError::SplitView { .. } => Exit::Refuted,
        HeadError::Quorum { .. } => Exit::PolicyNotSatisfied,
        _ => Exit::CannotEvaluate,
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
    use crate::submit::PlaceError;

    #[test]
    fn several_files_end_in_the_first_that_matters() {
        use Exit::{CannotEvaluate, NothingFound, Ok, Pending, PolicyNotSatisfied, Refuted};
        assert_eq!(Exit::worst([]), Ok);
        assert_eq!(Exit::worst([Ok, NothingFound]), NothingFound);
        assert_eq!(Exit::worst([NothingFound, Pending]), Pending);
        assert_eq!(Exit::worst([Pending, PolicyNotSatisfied, Ok]), PolicyNotSatisfied);
        assert_eq!(Exit::worst([PolicyNotSatisfied, CannotEvaluate]), CannotEvaluate);
        assert_eq!(Exit::worst([CannotEvaluate, Refuted, Ok]), Refuted);
        assert_eq!(Exit::worst([Refuted, Pending]), Refuted);
        assert_eq!(
            [Ok, Refuted, Exit::Usage, CannotEvaluate, PolicyNotSatisfied, NothingFound, Pending].map(Exit::code),
            [0, 1, 2, 3, 4, 5, 6]
        );
    }

    #[test]
    fn what_a_source_lacks_cannot_be_evaluated_however_deep_it_is_hidden() {
        let away = || SourceError::Unreachable { url: "http://log".into(), cause: "refused".into() };
        let errors = [
            anyhow::Error::new(away()),
            anyhow::Error::new(TreeError::Source(away())),
            anyhow::Error::new(HeadError::Source(away())),
            anyhow::Error::new(AuditError::Source(away())),
            anyhow::Error::new(AuditError::Tree(TreeError::Source(away()))),
            anyhow::Error::new(AuditError::Head(HeadError::None)),
            anyhow::Error::new(UpdateError::Tree(TreeError::Source(away()))),
            anyhow::Error::new(UpdateError::NoList),
            anyhow::Error::new(SendError::Source(away())),
            anyhow::Error::new(SubmitError::Send(SendError::Source(away()))),
            anyhow::Error::new(BringError::Send(SendError::Source(away()))),
            anyhow::Error::new(SubmitError::Place(PlaceError::Source(away()))).context("submitting"),
        ];
        for error in errors {
            assert_eq!(Exit::of(&error), Exit::CannotEvaluate, "{error:#}");
        }
        assert_eq!(Exit::of(&anyhow::anyhow!("no idea")), Exit::Usage);
    }
}
