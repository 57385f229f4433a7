//! Text on its way into the page.
//!
//! Issuers write what they like. Nothing of it becomes markup, and nothing of it hides: what a reader could not see, or what would turn the
//! direction of the line around, stands there as its number. Letters of every script stay as they are.

use govlog_formats::visible::characters;

/// What may go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    /// One line: line ends are shown as what they are.
    One,
    /// Line ends and tabs go through, where white space is kept.
    Kept,
}

/// Appends text as the content of an element.
pub(super) fn content(out: &mut String, text: &str, lines: Lines) {
    each(text, lines, |piece| match piece {
        Piece::Plain(c) => push(out, c),
        Piece::Odd(c) => {
            out.push_str("<span class=\"odd\">");
            out.extend(c.escape_unicode());
            out.push_str("</span>");
        }
    });
}

/// Appends text as an attribute's value, between double quotes.
pub(super) fn attribute(out: &mut String, text: &str) {
    each(text, Lines::One, |piece| match piece {
        Piece::Plain(c) => push(out, c),
        Piece::Odd(c) => out.extend(c.escape_unicode()),
    });
}

/// The text as it is shown, without markup: for what is measured before it is drawn.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::new();
    each(text, Lines::One, |piece| match piece {
        Piece::Plain(c) => out.push(c),
        Piece::Odd(c) => out.extend(c.escape_unicode()),
    });
    out
}

enum Piece {
    Plain(char),
    Odd(char),
}

fn each(text: &str, lines: Lines, mut take: impl FnMut(Piece)) {
    for (c, is_plain) in characters(text) {
        let is_kept = lines == Lines::Kept && matches!(c, '\n' | '\t');
        take(if is_plain || is_kept { Piece::Plain(c) } else { Piece::Odd(c) });
    }
}

fn push(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        content(&mut out, text, Lines::One);
        out
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(escaped("<b a='x' c=\"y\">&amp;"), "&lt;b a=&#39;x&#39; c=&quot;y&quot;&gt;&amp;amp;");
        let mut value = String::new();
        attribute(&mut value, "\" onload=\"x\u{202e}\n");
        assert_eq!(value, "&quot; onload=&quot;x\\u{202e}\\u{a}");
    }

    /// Which characters are odd is tested where they are told apart ([`govlog_formats::visible`]).
    #[test]
    fn what_is_odd_stands_there_as_its_number_and_the_rest_as_it_is() {
        for c in ['\0', '\n', '\u{1b}', '\u{a0}', '\u{202e}', '\u{3164}'] {
            let odd = format!("é<span class=\"odd\">{}</span>日", c.escape_unicode());
            assert_eq!(escaped(&format!("é{c}日")), odd, "{c:?}");
        }
        let marks = "\u{300}".repeat(9);
        assert_eq!(escaped(&format!("a{marks}")).matches("odd").count(), 5);
    }

    #[test]
    fn lines_go_through_where_they_are_kept() {
        let mut out = String::new();
        content(&mut out, "{\n\t\"a\": 1\r}", Lines::Kept);
        assert_eq!(out, "{\n\t&quot;a&quot;: 1<span class=\"odd\">\\u{d}</span>}");
    }
}
