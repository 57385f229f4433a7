//! Text from outside on its way to people: the one place where it becomes text that can be shown.
//!
//! Issuers, servers and makers of files write what they like. What a terminal would obey (controls), what would turn a line around (direction
//! marks), what nobody sees (zero-width and blank characters) and what would begin a line of its own stands there as an escape; letters of every
//! script stay as they are. Escaping twice is escaping once, so that it is never wrong to do it where text is put together, and again where it is
//! printed.
//!
//! An escape can be mistaken for the same characters written out, as in `\n`: who must know has the JSON documents, which say it exactly.

use std::fmt::Write as _;

/// The most marks that one letter carries; more of them would be drawn over the lines around it.
const MAX_MARKS: usize = 4;

/// Characters with no shape that count as letters or signs.
const BLANK: [char; 6] = ['\u{115f}', '\u{1160}', '\u{2800}', '\u{3164}', '\u{ffa0}', '\u{fffc}'];

/// Writes text on one line.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (c, is_plain) in characters(text) {
        if is_plain { out.push(c) } else { escape(&mut out, c) }
    }
    out
}

/// Writes text whose line ends are its own: for what was put together of lines, each of them [`visible`].
#[must_use]
pub fn visible_lines(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// Writes a JSON document in such characters alone; it says the same.
#[must_use]
pub fn visible_json(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    for (c, is_plain) in characters(document) {
        // White space stands between tokens, and never raw in a string.
        if is_plain || matches!(c, '\n' | '\t' | '\r') {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            write!(out, "\\u{unit:04x}").ok();
        }
    }
    out
}

/// The characters of a line, each with whether it is shown as it is.
pub fn characters(text: &str) -> impl Iterator<Item = (char, bool)> {
    let (mut marks, mut is_first) = (0, true);
    text.chars().map(move |c| {
        let is_mark = !c.is_ascii() && is_mark(c);
        marks = if is_mark { marks + 1 } else { 0 };
        let is_plain = match c {
            ' '..='~' => true,
            _ if BLANK.contains(&c) => false,
            // At the start it would be drawn onto what stands before.
            _ if is_mark => !is_first && marks <= MAX_MARKS,
            _ => c.escape_debug().len() == 1,
        };
        is_first = false;
        (c, is_plain)
    })
}

/// Says whether it is drawn onto the letter before it: the library escapes such a character alone, and not behind a letter.
fn is_mark(c: char) -> bool {
    let mut buffer = [0; 5];
    let Some((letter, rest)) = buffer.split_first_mut() else { return false };
    *letter = b'a';
    let length = 1 + c.encode_utf8(rest).len();
    let behind = buffer.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
    c.escape_debug().len() > 1 && behind.escape_debug().count() == 2
}

fn escape(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c => out.extend(c.escape_unicode()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each of a class that has no place on a terminal.
    const ODD: [char; 30] = [
        '\0',
        '\u{7}',
        '\u{8}',
        '\n',
        '\r',
        '\t',
        '\u{1b}',
        '\u{7f}',
        '\u{80}',
        '\u{9b}',
        '\u{9f}',
        '\u{a0}',
        '\u{ad}',
        '\u{61c}',
        '\u{180e}',
        '\u{200b}',
        '\u{200d}',
        '\u{200e}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202e}',
        '\u{2066}',
        '\u{2069}',
        '\u{3164}',
        '\u{feff}',
        '\u{fff9}',
        '\u{e000}',
        '\u{e0041}',
    ];

    #[test]
    fn what_hides_or_turns_or_ends_the_line_is_shown_as_an_escape() {
        for c in ODD {
            let said = visible(&format!("a{c}b"));
            assert!(said.starts_with("a\\") && said.ends_with('b') && said.is_ascii(), "{c:?}: {said}");
        }
        assert_eq!(visible("\u{1b}[2J\r\nVERIFIED\u{202e}"), r"\u{1b}[2J\r\nVERIFIED\u{202e}");
    }

    #[test]
    fn every_script_stays_readable() {
        for text in ["Zürich", "Ελλάδα", "שלום", "مرحبا", "हिन्दी", "日本語", "e\u{301}", "😀", "it's \\ \"~\""]
        {
            assert_eq!(visible(text), text);
        }
        assert_eq!(visible(&format!("a{}", "\u{300}".repeat(6))).matches("u{300}").count(), 2);
        assert_eq!(visible("\u{300}a"), "\\u{300}a", "it would be drawn onto what stands before");
    }

    #[test]
    fn lines_and_documents_keep_what_they_are_made_of() {
        assert_eq!(visible_lines("a\n  b\u{7}\n\u{300}"), "a\n  b\\u{7}\n\\u{300}");
        let value = serde_json::json!({ "\u{7f}\u{9b}": ["\u{202e}", "\u{e0041}", "é\n"] });
        for document in [value.to_string(), format!("{value:#}")] {
            let shown = visible_json(&document);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
            assert!(shown.chars().all(|c| c == '\n' || c == 'é' || (' '..='~').contains(&c)), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_there_is_one_visible_line_and_stays_it(text in "(\\PC|\\pC|[\u{0}-\u{a0}]|\\pM){0,40}") {
            let said = visible(&text);
            prop_assert!(characters(&said).all(|(_, is_plain)| is_plain), "{said:?}");
            prop_assert!(!said.chars().any(char::is_control));
            prop_assert_eq!(visible(&said), said.clone());
            prop_assert_eq!(visible_lines(&said), said);
        }
    }
}
