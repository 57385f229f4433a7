//! What there is a lot of, in parts that are folded up: a browser lays out what is open, and a reader finds the part that he looks for.

use super::html::Html;
use super::words::count;

/// So many stand in one part.
const PART: usize = 500;

/// Writes all of them, in parts where there are many; `name` writes what a part is called by its first and its last.
pub(super) fn parts<T>(html: &mut Html, all: &[T], name: impl Fn(&mut Html, &T, &T), write: impl Fn(&mut Html, &[T])) {
    if all.len() <= PART {
        return write(html, all);
    }
    html.plain("p", |html| {
        let parts = count(all.len().div_ceil(PART), "part", "parts");
        html.words(&format!(
            "In {parts} of {PART}, each folded up: it opens by its heading, or by a link to an entry in it. Printed are those that are open."
        ));
    });
    for part in all.chunks(PART) {
        let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
        html.of("details", "part", |html| {
            html.plain("summary", |html| {
                name(html, first, last);
                html.words(&format!(": {}", count(part.len(), "entry", "entries")));
            });
            write(html, part);
        });
    }
}
