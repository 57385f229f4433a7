//! Quorum arithmetic against brute force, and any text at all.

use proptest::prelude::*;

use super::*;

// ---- quorum arithmetic against brute force ---------------------------------

/// What the bounds are by definition: over all satisfying sets of those that cosigned.
fn bounds_by_definition(policy: &Policy, times: &[Option<u64>]) -> (Option<u64>, Option<u64>) {
    let (mut lower, mut upper) = (None, None);
    for set in 1_u32..1 << times.len() {
        let inside = |at: usize| set & (1 << at) != 0;
        let chosen: Option<Vec<u64>> = (0..times.len()).filter(|&at| inside(at)).map(|at| times[at]).collect();
        let Some(chosen) = chosen else { continue };
        let position = |witness: &Witness| policy.witnesses().iter().position(|other| other == witness).unwrap();
        if policy.satisfied_by(|witness| inside(position(witness))) {
            lower = lower.max(chosen.iter().min().copied());
            let newest = chosen.iter().max().copied();
            upper = if upper.is_none() { newest } else { upper.min(newest) };
        }
    }
    (lower, upper)
}

/// Definition of the shortfall: the fewest witnesses that, added, satisfy the quorum.
fn shortfall_by_definition(policy: &Policy, times: &[Option<u64>]) -> usize {
    let position = |witness: &Witness| policy.witnesses().iter().position(|other| other == witness).unwrap();
    let has = |set: u32, at: usize| times[at].is_some() || set & (1 << at) != 0;
    (0_u32..1 << times.len())
        .filter(|&set| policy.satisfied_by(|witness| has(set, position(witness))))
        .map(|set| set.count_ones() as usize)
        .min()
        .unwrap()
}

const SHAPES: [&str; 7] = [
    "quorum w3\n",
    "group g 2 w1 w2 w3\nquorum g\n",
    "group g 3 w1 w2 w3 w4 w5\nquorum g\n",
    "group x 2 w1 w2 w3\ngroup y any w4 w5\ngroup z all x y\nquorum z\n",
    "group x 2 w1 w2 w3\ngroup y all w4 w5\ngroup z any x y\nquorum z\n",
    "group a all w1 w2\ngroup b all w3 w4\ngroup c 2 a b w5\nquorum c\n",
    "group a any w1 w2\ngroup b all a w3\ngroup c any b w4\nquorum c\n",
];

proptest! {
    #[test]
    fn bounds_and_shortfall_are_what_their_definitions_say(
        shape in prop::sample::select(SHAPES.as_slice()),
        times in prop::collection::vec(prop::option::of(1_u64..6), 5),
    ) {
        let policy = policy(5, shape);
        let position = |witness: &Witness| policy.witnesses().iter().position(|other| other == witness).unwrap();
        let time = |witness: &Witness| times[position(witness)];
        let (lower, upper) = bounds_by_definition(&policy, &times);
        prop_assert_eq!(policy.lower_time(time), lower);
        prop_assert_eq!(policy.upper_time(time), upper);
        let verdict = policy.judge_quorum(|witness| time(witness).is_some());
        prop_assert_eq!(verdict.shortfall(), shortfall_by_definition(&policy, &times));
        prop_assert_eq!(verdict.met(), upper.is_some());
        prop_assert_eq!(verdict.met(), policy.satisfied_by(|witness| time(witness).is_some()));
    }

    #[test]
    fn reading_a_policy_never_panics_and_printing_is_stable(file in any::<Vec<u8>>()) {
        if let Ok(policy) = Policy::parse(&file) {
            prop_assert_eq!(Policy::parse(&policy.to_bytes()).unwrap(), policy);
        }
    }

    #[test]
    fn reading_policy_like_lines_never_panics_and_printing_is_stable(
        lines in prop::collection::vec("(log|witness|group|quorum|#|)( |\t)(w1|w2|g|none|all|1|2|[ -~]{0,3})( )(any|w1|w2|g|)( )(w1|w2|)", 0..8),
    ) {
        let keys = format!("witness w1 {}\nwitness w2 {}\n", witness(1).vkey(), witness(2).vkey());
        let file = format!("{keys}{}\n", lines.join("\n"));
        if let Ok(policy) = Policy::parse(file.as_bytes()) {
            prop_assert_eq!(Policy::parse(&policy.to_bytes()).unwrap(), policy);
        }
    }
}
