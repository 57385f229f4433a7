//! Evaluating the quorum.

use core::cmp::Reverse;
use core::fmt;

use super::{Member, Policy, Witness, Word};

impl Policy {
    /// Says whether the witnesses for which `cosigned` is true satisfy the quorum. `quorum none` always is satisfied.
    #[must_use]
    pub fn satisfied_by(&self, cosigned: impl Fn(&Witness) -> bool) -> bool {
        let count = |threshold, members: Vec<bool>| members.into_iter().filter(|&member| member).count() >= threshold;
        self.fold(cosigned, count).unwrap_or(true)
    }

    /// Says how the quorum stands when the witnesses for which `cosigned` is true have cosigned.
    #[must_use]
    pub fn judge_quorum(&self, cosigned: impl Fn(&Witness) -> bool) -> QuorumVerdict {
        let missing = self.counted().into_iter().filter(|witness| !cosigned(witness));
        QuorumVerdict {
            required: self.quorum.is_some(),
            shortfall: self.shortfall(&cosigned),
            cosigned: self.witnesses.iter().filter(|witness| cosigned(witness)).count(),
            known: self.witnesses.len(),
            missing: missing.map(|witness| witness.name.clone()).collect(),
        }
    }

    /// Returns the least, over all sets of witnesses that satisfy the quorum, of the set's newest time: by then a quorum had
    /// cosigned. `None` when no set does, and for `quorum none`.
    ///
    /// Proof: "at most t" holds for a quorum exactly when the witnesses with times up to t satisfy it, as a larger set never
    /// satisfies less. A group is satisfied by these exactly when `threshold` of its members are, that is when `threshold`
    /// of the members' own bounds are at most t. So a group's bound is the `threshold`-th smallest of its members' bounds,
    /// and a witness's bound its time.
    #[must_use]
    pub fn upper_time(&self, time: impl Fn(&Witness) -> Option<u64>) -> Option<u64> {
        // In this order an earlier time is larger and no time is least.
        let earliest_first = |witness: &Witness| time(witness).map(Reverse);
        self.fold(earliest_first, largest).flatten().map(|Reverse(bound)| bound)
    }

    /// Returns the greatest, over all sets of witnesses that satisfy the quorum, of the set's oldest time: a whole quorum
    /// cosigned no earlier. `None` when no set does, and for `quorum none`.
    ///
    /// The mirror image of [`Policy::upper_time`]: "at least t" holds exactly when the witnesses with times from t on
    /// satisfy the quorum, so that a group's bound is the `threshold`-th largest of its members' bounds.
    #[must_use]
    pub fn lower_time(&self, time: impl Fn(&Witness) -> Option<u64>) -> Option<u64> {
        // `None`, for no time, is less than every `Some`.
        self.fold(time, largest).flatten()
    }

    /// Returns how many more witnesses have to cosign, at least. Groups share no witness, so a group lacks what its
    /// `threshold` cheapest members lack together.
    fn shortfall(&self, cosigned: impl Fn(&Witness) -> bool) -> usize {
        let cheapest = |threshold, mut members: Vec<usize>| {
            members.sort_unstable();
            members.into_iter().take(threshold).sum()
        };
        self.fold(|witness| usize::from(!cosigned(witness)), cheapest).unwrap_or(0)
    }

    /// Returns the witnesses the quorum can count, in the policy's order.
    #[must_use]
    pub fn counted(&self) -> Vec<&Witness> {
        let counted = self.fold(|witness| vec![witness], |_, members| members.concat()).unwrap_or_default();
        self.witnesses.iter().filter(|witness| counted.contains(witness)).collect()
    }

    /// Computes a value for the quorum from its witnesses' values, by one pass over the groups: each stands after its
    /// members, so no recursion is needed and each group is looked at once. `None` for `quorum none`.
    fn fold<'a, T: Clone>(&'a self, leaf: impl Fn(&'a Witness) -> T, group: impl Fn(usize, Vec<T>) -> T) -> Option<T> {
        let leaves: Vec<T> = self.witnesses.iter().map(leaf).collect();
        let mut groups: Vec<T> = Vec::with_capacity(self.groups.len());
        for current in &self.groups {
            let members = current.members.iter().filter_map(|&member| value_of(member, &leaves, &groups)).collect();
            groups.push(group(current.threshold, members));
        }
        self.quorum.and_then(|member| value_of(member, &leaves, &groups))
    }
}

fn value_of<T: Clone>(member: Member, leaves: &[T], groups: &[T]) -> Option<T> {
    match member {
        Member::Witness(at) => leaves.get(at).cloned(),
        Member::Group(at) => groups.get(at).cloned(),
    }
}

/// Returns the `threshold`-th largest of the members' bounds; `None` when so many have none.
fn largest<T: Ord>(threshold: usize, mut bounds: Vec<Option<T>>) -> Option<T> {
    bounds.sort_unstable_by(|a, b| b.cmp(a));
    bounds.into_iter().nth(threshold.checked_sub(1)?).flatten()
}

/// How a checkpoint stands with the quorum. Prints as "2 of 3 witnesses cosigned, quorum met".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumVerdict {
    required: bool,
    shortfall: usize,
    cosigned: usize,
    known: usize,
    missing: Vec<Word>,
}

impl QuorumVerdict {
    /// Says whether the quorum is satisfied; `quorum none` always is.
    #[must_use]
    pub const fn met(&self) -> bool {
        self.shortfall == 0
    }

    /// Says whether the policy asks for witnesses at all: false for `quorum none`.
    #[must_use]
    pub const fn required(&self) -> bool {
        self.required
    }

    /// Returns how many more witnesses have to cosign at least; 0 when met.
    #[must_use]
    pub const fn shortfall(&self) -> usize {
        self.shortfall
    }

    /// Returns how many witnesses of the policy cosigned.
    #[must_use]
    pub const fn cosigned(&self) -> usize {
        self.cosigned
    }

    /// Returns how many witnesses the policy lists.
    #[must_use]
    pub const fn known(&self) -> usize {
        self.known
    }

    /// Returns the names of the witnesses that the quorum counts and that did not cosign, in the policy's order.
    #[must_use]
    pub fn missing(&self) -> &[Word] {
        &self.missing
    }
}

impl fmt::Display for QuorumVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} witnesses cosigned, ", self.cosigned, self.known)?;
        match (self.required, self.shortfall) {
            (false, _) => f.write_str("no quorum required"),
            (true, 0) => f.write_str("quorum met"),
            (true, more) => write!(f, "quorum not met ({more} more needed)"),
        }
    }
}
