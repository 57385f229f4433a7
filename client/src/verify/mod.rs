//! Verification: bytes and trust in, a verdict out. Pure: nothing is fetched, no clock is read.
//!
//! A verdict says what was checked and what was not. A step that was skipped does not compile: [`VerifiedEntry`] has private
//! fields and one constructor, here.

mod entry;
pub(crate) mod join;
mod member;
mod outcome;
mod phrase;
mod redacted;
mod said;
mod verdict;

pub use entry::{Included, VerifiedEntry};
pub(crate) use entry::{checkpoint, compare_with_pinned, judge_transparent, judge_under, place, seen, unknown_key};
pub use join::{Join, Said, joins};
pub(crate) use member::judge_member;
pub use member::{MemberVerdict, VerifiedMember, member};
pub use outcome::{Bracket, Failure, Outcome, WitnessSeen};
pub use redacted::{Redacted, redactions};
pub(crate) use said::summary;
pub(crate) use verdict::too_old;
pub use verdict::{Verdict, proof_file, transparent_statement};

#[cfg(test)]
mod tests;
