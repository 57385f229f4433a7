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
//!
//! | Name | The last durable thing before it |
//! |---|---|
//! | `sequencer::before_write` | nothing of this batch |
//! | `store::after_write` | the batch, synced |
//! | `finisher::before_read_back` | the batch, synced |
//! | `head::before_write` | the batch, synced |
//! | `head::after_first_half` | the batch, and half a head slot |
//! | `head::after_write` | the batch, and a head slot that may not be on disk |
//! | `head::after_sync` | batch and head |
//! | `finisher::before_sign` | batch and head |
//! | `finisher::before_ack` | batch and head |
//! | `archive::before` | nothing of this note |
//! | `archive::after` | the note, synced |
//! | `recovery::before_adopt` | an unsigned tail |
//!
//! And safeties that can be switched off one at a time with `return`, to show that a test would notice:
//! `skip_sync`, `skip_read_back`, `ack_before_head`, `skip_head_check`. `flip_stored_entry` with `return` changes a bit of
//! each batch between hashing and writing, which is what the read-back is there to find.

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
pub(crate) const fn hit(_name: &'static str) -> Result<(), Injected> {
    Ok(())
}

/// Passes a named point.
///
/// # Errors
/// [`Injected`], when a test armed the point with `return(error)`.
#[cfg(feature = "failpoints")]
pub(crate) fn hit(name: &'static str) -> Result<(), Injected> {
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
pub(crate) const fn off(_name: &'static str) -> bool {
    false
}

/// Tells whether a test switched the named safety off.
#[cfg(feature = "failpoints")]
pub(crate) fn off(name: &'static str) -> bool {
    fail::eval(name, |_| ()).is_some()
}

/// Arms the points named in the environment variable `FAILPOINTS`, for as long as the value returned lives.
#[cfg(feature = "failpoints")]
#[must_use]
pub fn from_environment() -> fail::FailScenario<'static> {
    fail::FailScenario::setup()
}
