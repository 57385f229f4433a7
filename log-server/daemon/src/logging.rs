//! What a program says about itself while it runs: on stderr, and as much of it as was asked for.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

/// The environment variable that says what is told: `debug`, or `warn,govlog_server::sequencer=trace`.
pub const VARIABLE: &str = "GOVLOG_LOG";

/// Writes what the program says to stderr from here on: events of the level `info` and above, or those that [`VARIABLE`] asks for.
///
/// Stdout stays free for what the caller of the program waits for. Colours are for people: where stderr is no terminal, or `NO_COLOR` is
/// set, there are none.
///
/// # Panics
/// When something else of this process listens to events already: it is a program's to call, once, and no library's.
pub fn to_stderr() {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()))
        .with_env_filter(filter(std::env::var(VARIABLE).ok().as_deref()))
        .init();
}

/// Returns the filter asked for. What is no filter is no reason not to run, and says nothing about what to leave out.
fn filter(asked: Option<&str>) -> EnvFilter {
    asked.and_then(|asked| EnvFilter::try_new(asked).ok()).unwrap_or_else(|| EnvFilter::new("info"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_is_told_unless_something_else_is_asked_for() {
        for (asked, becomes) in [
            (None, "info"),
            (Some("debug"), "debug"),
            (Some("warn,govlog_daemon::serve=trace"), "govlog_daemon::serve=trace,warn"),
            (Some("off"), "off"),
            (Some("govlog=loudly"), "info"),
        ] {
            assert_eq!(filter(asked).to_string(), becomes, "{asked:?}");
        }
    }
}
