//! A filter: which entries somebody asks for, and the query string that says so.

use core::fmt::Write as _;
use std::collections::BTreeSet;

use super::{Column, Marks, Term};
use crate::statement::SignedStatement;

/// Which entries are asked for: those with all of its terms, and a time within its bounds. The empty filter asks for all.
///
/// An index says where to look; this says what is right. Both the log, before it answers, and whoever reads the answer ask [`Filter::matches`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    terms: BTreeSet<Term>,
    since_ms: Option<u64>,
    until_ms: Option<u64>,
}

/// Why something is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// There is no such parameter.
    #[error("{name:?} is no parameter of a search; there are: {}, {SINCE}, {UNTIL}", names())]
    Parameter {
        /// What was given.
        name: String,
    },
    /// A value has not the form of its column.
    #[error("{column} is {:?}: {expected} is needed", shown(value))]
    Value {
        /// The column.
        column: Column,
        /// What was given.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A bound of time is none.
    #[error("{name} is {:?}: POSIX milliseconds are needed, decimal without sign or leading zeros", shown(value))]
    Time {
        /// `since` or `until`.
        name: &'static str,
        /// What was given.
        value: String,
    },
    /// A bound of time is given twice.
    #[error("{0} is given twice")]
    Twice(&'static str),
    /// No time is within the bounds.
    #[error("since {since_ms} is later than until {until_ms}: nothing can be within")]
    Empty {
        /// The lower bound.
        since_ms: u64,
        /// The upper bound.
        until_ms: u64,
    },
}

const SINCE: &str = "since";
const UNTIL: &str = "until";

impl Filter {
    /// Reads the parameters of a search, decoded. One of a column may stand several times: the entry must have all of them.
    ///
    /// # Errors
    ///
    /// An unknown parameter, or a value of the wrong form.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for (name, value) in pairs {
            match name {
                SINCE => set(SINCE, &mut filter.since_ms, value)?,
                UNTIL => set(UNTIL, &mut filter.until_ms, value)?,
                _ => {
                    let column = Column::named(name).ok_or_else(|| FilterError::Parameter { name: name.to_owned() })?;
                    filter.terms.insert(Term::new(column, value)?);
                }
            }
        }
        match (filter.since_ms, filter.until_ms) {
            (Some(since_ms), Some(until_ms)) if since_ms > until_ms => Err(FilterError::Empty { since_ms, until_ms }),
            _ => Ok(filter),
        }
    }

    /// Asks for a term, too.
    #[must_use]
    pub fn with(mut self, term: Term) -> Self {
        self.terms.insert(term);
        self
    }

    /// Asks for entries that speak of this time or a later one: POSIX milliseconds, as claimed.
    #[must_use]
    pub fn since(self, since_ms: u64) -> Self {
        Self { since_ms: Some(since_ms), ..self }
    }

    /// Asks for entries that speak of this time or an earlier one: POSIX milliseconds, as claimed.
    #[must_use]
    pub fn until(self, until_ms: u64) -> Self {
        Self { until_ms: Some(until_ms), ..self }
    }

    /// The terms.
    #[must_use]
    pub const fn terms(&self) -> &BTreeSet<Term> {
        &self.terms
    }

    /// The lower bound of time.
    #[must_use]
    pub const fn since_ms(&self) -> Option<u64> {
        self.since_ms
    }

    /// The upper bound of time.
    #[must_use]
    pub const fn until_ms(&self) -> Option<u64> {
        self.until_ms
    }

    /// Says whether all entries are asked for.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Says whether an entry is one that is asked for.
    #[must_use]
    pub fn matches(&self, statement: &SignedStatement) -> bool {
        self.is_all() || self.matches_marks(&Marks::of(statement))
    }

    /// Says the same of an entry whose marks are at hand.
    #[must_use]
    pub fn matches_marks(&self, marks: &Marks) -> bool {
        self.overlaps(marks.earliest_ms(), marks.latest_ms()) && self.terms.is_subset(marks.terms())
    }

    /// Says whether a span of time reaches into the bounds.
    #[must_use]
    pub fn overlaps(&self, earliest_ms: u64, latest_ms: u64) -> bool {
        self.since_ms.is_none_or(|since| latest_ms >= since) && self.until_ms.is_none_or(|until| earliest_ms <= until)
    }

    /// Gives the parameters that say this filter, in one order.
    #[must_use]
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let terms = self.terms.iter().map(|term| (term.column().name(), term.value().to_owned()));
        let times = [(SINCE, self.since_ms), (UNTIL, self.until_ms)];
        terms.chain(times.into_iter().filter_map(|(name, time)| Some((name, time?.to_string())))).collect()
    }

    /// Writes the parameters as a query string, percent-encoded; empty for the empty filter.
    #[must_use]
    pub fn to_query(&self) -> String {
        let pairs = self.pairs();
        pairs.iter().map(|(name, value)| format!("{name}={}", percent_encode(value))).collect::<Vec<_>>().join("&")
    }
}

fn set(name: &'static str, bound: &mut Option<u64>, value: &str) -> Result<(), FilterError> {
    let time = value.parse::<u64>().ok().filter(|time| time.to_string() == value);
    let time = time.ok_or_else(|| FilterError::Time { name, value: value.to_owned() })?;
    if bound.replace(time).is_some() { Err(FilterError::Twice(name)) } else { Ok(()) }
}

/// Writes a value of a query string.
///
/// "unreserved = ALPHA / DIGIT / "-" / "." / "_" / "~"" (RFC 3986 §2.3): all else is percent-encoded.
#[must_use]
pub fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn names() -> String {
    Column::all().iter().map(|column| column.name()).collect::<Vec<_>>().join(", ")
}

fn shown(value: &str) -> String {
    value.chars().take(80).collect()
}
