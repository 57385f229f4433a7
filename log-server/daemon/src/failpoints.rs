//! Named places at which a test kills the process or makes a step fail.
//!
//! Without the feature `failpoints` every call here is a constant and disappears. With it, a point is armed through the
//! crate `fail`: by `FAILPOINTS="name=action;…"` in the environment (read by `from_environment`) or by `fail::cfg`.
//!
//! | Action | What happens there |
//! |---|---|
//! | `return(kill)` | the process ends at once, without unwinding or closing anything |
//! | `return(error)` | the step reports a failure |
//! | `3*off->return(kill)` | the same, from the fourth time on |
//!
//! A point *before* a step that reports an error is "failed and not done"; one *after* it is "reported failed, but done".
//! The party whose points they are keeps the list of their names.
//!
//! Trust: whoever sets the environment of a program built with the feature decides when it dies and what it leaves out.

/// An error made by a fail point.
#[derive(Debug, thiserror::Error)]
#[error("injected failure at {0}")]
pub struct Injected(pub &'static str);

/// Passes a named point.
///
/// # Errors
/// [`Injected`], when a test armed the point with `return(error)`.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub const fn hit(_name: &'static str) -> Result<(), Injected> {
    Ok(())
}

/// Passes a named point.
///
/// # Errors
/// [`Injected`], when a test armed the point with `return(error)`.
#[cfg(feature = "failpoints")]
pub fn hit(name: &'static str) -> Result<(), Injected> {
    match fail::eval(name, |argument| argument) {
        None => Ok(()),
        Some(argument) => match argument.as_deref() {
            Some("kill") => std::process::abort(),
            _ => Err(Injected(name)),
        },
    }
}

/// Tells whether a test switched the named safety off.
#[cfg(not(feature = "failpoints"))]
#[inline]
#[must_use]
pub const fn off(_name: &'static str) -> bool {
    false
}

/// Tells whether a test switched the named safety off.
#[cfg(feature = "failpoints")]
#[must_use]
pub fn off(name: &'static str) -> bool {
    fail::eval(name, |_| ()).is_some()
}

/// Arms the points named in the environment variable `FAILPOINTS`, for as long as the value returned lives.
#[cfg(feature = "failpoints")]
#[must_use]
pub fn from_environment() -> fail::FailScenario<'static> {
    fail::FailScenario::setup()
}

#[cfg(all(test, not(feature = "failpoints")))]
mod tests {
    /// Constants, so that a release holds neither the points nor their names.
    #[test]
    fn without_the_feature_nothing_can_fail() {
        const PASSED: bool = super::hit("a::point").is_ok();
        const OFF: bool = super::off("a_safety");
        assert_eq!((PASSED, OFF), (true, false));
    }
}

#[cfg(all(test, feature = "failpoints"))]
mod tests {
    use super::*;

    #[test]
    fn a_point_fails_from_the_time_it_is_armed_for() {
        let armed = from_environment();
        assert!(hit("a::point").is_ok());
        fail::cfg("a::point", "2*off->return(error)").unwrap();
        for _ in 0..2 {
            assert!(hit("a::point").is_ok());
        }
        for _ in 0..2 {
            assert_eq!(hit("a::point").unwrap_err().to_string(), "injected failure at a::point");
        }
        assert!(hit("another::point").is_ok());
        drop(armed);
        assert!(hit("a::point").is_ok(), "it is armed as long as what armed it lives");
    }

    #[test]
    fn a_safety_is_off_when_a_test_says_so() {
        let _armed = from_environment();
        assert!(!off("a_safety"));
        fail::cfg("a_safety", "return").unwrap();
        assert!(off("a_safety"));
        assert!(!off("another_safety"));
    }
}
