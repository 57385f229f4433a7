//! Markup, built up element by element. Tags and names of attributes are the program's own; whatever else goes in is escaped on its way.

use super::escape::{self, Lines};

/// A piece of a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Html(String);

/// Names and values.
pub(super) type Attributes<'a> = [(&'static str, &'a str)];

impl Html {
    /// Writes an element with its attributes and what is in it.
    pub(super) fn element(&mut self, tag: &'static str, attributes: &Attributes<'_>, inner: impl FnOnce(&mut Self)) {
        self.open(tag, attributes);
        inner(self);
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
        if ends_line(tag) {
            self.0.push('\n');
        }
    }

    /// Writes an element without attributes.
    pub(super) fn plain(&mut self, tag: &'static str, inner: impl FnOnce(&mut Self)) {
        self.element(tag, &[], inner);
    }

    /// Writes an element of a class.
    pub(super) fn of(&mut self, tag: &'static str, class: &str, inner: impl FnOnce(&mut Self)) {
        self.element(tag, &[("class", class)], inner);
    }

    /// Opens an element that has no content and no end.
    pub(super) fn open(&mut self, tag: &'static str, attributes: &Attributes<'_>) {
        self.0.push('<');
        self.0.push_str(tag);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            escape::attribute(&mut self.0, value);
            self.0.push('"');
        }
        self.0.push('>');
    }

    /// Writes words of the page's own.
    pub(super) fn words(&mut self, text: &str) {
        escape::content(&mut self.0, text, Lines::One);
    }

    /// Writes what somebody else wrote, kept apart from the direction of the line around it.
    pub(super) fn said(&mut self, text: &str) {
        self.plain("bdi", |html| escape::content(&mut html.0, text, Lines::One));
    }

    /// Writes an identifier or a digest.
    pub(super) fn code(&mut self, text: &str) {
        self.plain("code", |html| html.words(text));
    }

    /// Writes what a source wrote, line by line.
    pub(super) fn source(&mut self, text: &str) {
        self.plain("pre", |html| html.plain("bdi", |html| escape::content(&mut html.0, text, Lines::Kept)));
    }

    /// Writes the style sheet. It is the program's own but for a digest, in which nothing can end it.
    pub(super) fn style(&mut self, sheet: &str) {
        self.0.push_str("<style>");
        self.0.push_str(sheet);
        self.0.push_str("</style>\n");
    }

    /// Begins a document.
    pub(super) fn document(&mut self) {
        self.0.push_str("<!DOCTYPE html>\n");
    }

    /// Ends a line of the source, so that two pages can be compared.
    pub(super) fn line(&mut self) {
        self.0.push('\n');
    }

    /// The whole.
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// After these a line end changes nothing of what is shown.
fn ends_line(tag: &str) -> bool {
    matches!(
        tag,
        "html"
            | "head"
            | "title"
            | "body"
            | "header"
            | "main"
            | "nav"
            | "section"
            | "article"
            | "footer"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "p"
            | "ul"
            | "ol"
            | "li"
            | "dl"
            | "dd"
            | "table"
            | "caption"
            | "thead"
            | "tbody"
            | "tr"
            | "figure"
            | "details"
            | "summary"
            | "svg"
            | "g"
    )
}
