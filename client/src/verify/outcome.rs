//! How a check can end, and what witnesses add to it.

use crate::trust::Relation;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything that this check covers holds.
    Verified,
    /// Something is proved wrong.
    Refuted,
    /// There is not enough to judge by.
    CannotEvaluate,
    /// Everything holds, but not what your own policy asks for.
    PolicyNotSatisfied,
}

/// Why something was not verified.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Failure {
    /// How the check ended; never [`Outcome::Verified`].
    pub outcome: Outcome,
    /// What was wrong, and what would be right.
    pub why: String,
}

/// A witness that cosigned the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessSeen {
    /// Its name in your policy.
    pub name: String,
    /// When it says it cosigned, POSIX seconds.
    pub time_s: u64,
    /// How it stands to the log's operator.
    pub relation: Relation,
}

/// What witnesses prove of an entry's time, POSIX seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bracket {
    /// It was logged no earlier than this.
    pub lower_s: Option<u64>,
    /// It was logged no later than this.
    pub upper_s: Option<u64>,
}

impl Failure {
    /// Says that something is proved wrong.
    pub(crate) fn refuted(why: impl Into<String>) -> Self {
        Self { outcome: Outcome::Refuted, why: why.into() }
    }

    /// Says that there is not enough to judge by.
    pub(crate) fn unknown(why: impl Into<String>) -> Self {
        Self { outcome: Outcome::CannotEvaluate, why: why.into() }
    }

    /// Says that the reader's own policy asks for more.
    pub(crate) fn policy(why: impl Into<String>) -> Self {
        Self { outcome: Outcome::PolicyNotSatisfied, why: why.into() }
    }
}

impl Outcome {
    /// The worst of several: what is proved wrong, then what cannot be judged, then what your policy does not take.
    pub(crate) fn worst(outcomes: impl IntoIterator<Item = Self>) -> Self {
        let rank = |outcome: &Self| match outcome {
            Self::Refuted => 3,
            Self::CannotEvaluate => 2,
            Self::PolicyNotSatisfied => 1,
            Self::Verified => 0,
        };
        outcomes.into_iter().max_by_key(rank).unwrap_or(Self::Verified)
    }

    /// The word that a verdict begins with.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Verified => "VERIFIED",
            Self::Refuted => "REFUTED",
            Self::CannotEvaluate => "CANNOT EVALUATE",
            Self::PolicyNotSatisfied => "POLICY NOT SATISFIED",
        }
    }
}
