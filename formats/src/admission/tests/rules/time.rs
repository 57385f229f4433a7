//! How old a statement may be.

use crate::admission::{Class, Refusal};

use super::*;

// --- iat ----------------------------------------------------------------------------------------------------------------------------------

#[test]
fn iat_may_be_a_day_old_unless_the_row_says_otherwise() {
    judged(&Draft::new().iat(NOW - 86_400)).unwrap();
    let refusal = judged(&Draft::new().iat(NOW - 86_401)).unwrap_err();
    assert!(matches!(refusal, Refusal::TooOld { age_s: 86_401, max_age_s: 86_400, .. }));
    assert_eq!(refusal.class(), Class::Forbidden);
    let policy = with_row(|row| row.max_age_s = Some(10));
    policy.judge(&Draft::new().iat(NOW - 10).sign(), Some(NOW)).unwrap();
    assert!(policy.judge(&Draft::new().iat(NOW - 11).sign(), Some(NOW)).is_err());
    let policy = with_row(|row| row.max_age_s = Some(0));
    policy.judge(&Draft::new().sign(), Some(NOW)).unwrap();
    assert!(policy.judge(&Draft::new().iat(NOW - 1).sign(), Some(NOW)).is_err());
}

#[test]
fn iat_may_be_300_seconds_ahead_whatever_the_row_says() {
    for policy in [policy(), with_row(|row| row.max_age_s = Some(0))] {
        policy.judge(&Draft::new().iat(NOW + 300).sign(), Some(NOW)).unwrap();
        let refusal = policy.judge(&Draft::new().iat(NOW + 301).sign(), Some(NOW)).unwrap_err();
        assert!(matches!(refusal, Refusal::Ahead { ahead_s: 301, .. }));
        assert_eq!(refusal.class(), Class::Forbidden);
    }
}

#[test]
fn without_a_clock_the_age_of_iat_is_not_judged() {
    for iat in [i64::MIN, 0, NOW - 1_000_000, NOW + 1_000_000, i64::MAX] {
        policy().judge(&Draft::new().iat(iat).sign(), None).unwrap();
    }
}

#[test]
fn the_ends_of_time_are_judged_without_overflow() {
    for (iat, now) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (i64::MIN, 0), (i64::MAX, -1)] {
        let refusal = policy().judge(&Draft::new().iat(iat).sign(), Some(now)).unwrap_err();
        assert_eq!(refusal.class(), Class::Forbidden);
    }
}

#[test]
fn a_change_may_be_a_day_old_too() {
    let policy = policy();
    let draft = Draft::change(&policy, &set(vec![row(OTHER, &ed25519(3))]));
    policy.judge(&draft.clone().iat(NOW - 86_400).sign(), Some(NOW)).unwrap();
    assert!(matches!(policy.judge(&draft.iat(NOW - 86_401).sign(), Some(NOW)), Err(Refusal::TooOld { .. })));
}
