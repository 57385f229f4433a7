//! What a log is started with so that it fails at a named place.

use std::fmt;

/// Armed fail points, as the environment variable `FAILPOINTS` holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<String>);

impl Faults {
    /// No fault.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The process ends at this point, after having passed it `passes` times.
    #[must_use]
    pub fn kill(point: &str, passes: usize) -> Self {
        Self::none().and(point, &at(passes, "return(kill)"))
    }

    /// The step at this point reports a failure, after having passed it `passes` times.
    #[must_use]
    pub fn error(point: &str, passes: usize) -> Self {
        Self::none().and(point, &at(passes, "return(error)"))
    }

    /// The thread at this point goes no further, after having passed it `passes` times.
    #[must_use]
    pub fn pause(point: &str, passes: usize) -> Self {
        Self::none().and(point, &at(passes, "pause"))
    }

    /// Switches a safety off.
    #[must_use]
    pub fn off(safety: &str) -> Self {
        Self::none().and(safety, "return")
    }

    /// Arms one more point with an action of the crate `fail`.
    #[must_use]
    pub fn and(mut self, point: &str, action: &str) -> Self {
        self.0.push(format!("{point}={action}"));
        self
    }

    /// Arms both.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

fn at(passes: usize, action: &str) -> String {
    if passes == 0 { action.to_owned() } else { format!("{passes}*off->{action}") }
}

/// Writes the variable's value.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(";"))
    }
}
