//! Progress of long work: drawn on a terminal, silent in a pipe.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Output;

/// Makes a bar for `total` steps of `what`; hidden when stderr is no terminal.
pub(crate) fn bar(out: &Output, what: &'static str, total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), target(out));
    let template = "{msg:>12} [{bar:32}] {human_pos}/{human_len} {per_sec} {eta}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    bar.set_message(what);
    bar
}

fn target(out: &Output) -> ProgressDrawTarget {
    if out.draws_progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}
