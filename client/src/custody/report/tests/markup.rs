//! A reader of markup that takes only what the page's own writer may write: everything closed, everything quoted, every name known.

use std::collections::{BTreeMap, BTreeSet};

/// What may be on a page. No `script`, `iframe`, `img`, `object`, `form`, `base`, `link`; nothing that could fetch or run.
const TAGS: [&str; 53] = [
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "a",
    "nav",
    "main",
    "header",
    "section",
    "article",
    "details",
    "summary",
    "footer",
    "div",
    "h1",
    "h2",
    "h3",
    "h4",
    "p",
    "span",
    "strong",
    "bdi",
    "code",
    "pre",
    "time",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "figure",
    "figcaption",
    "svg",
    "desc",
    "g",
    "path",
    "rect",
    "text",
    "hr",
    "em",
    "small",
    "br",
    "b",
];
/// What may be an attribute. No event handlers, no `style`, no `src`.
const ATTRIBUTES: [&str; 29] = [
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "class",
    "href",
    "id",
    "tabindex",
    "aria-label",
    "aria-labelledby",
    "aria-describedby",
    "scope",
    "datetime",
    "role",
    "viewBox",
    "width",
    "height",
    "x",
    "y",
    "rx",
    "d",
    "colspan",
    "rowspan",
    "title",
    "open",
    "dir",
    "start",
    "value",
];
const VOID: [&str; 3] = ["meta", "hr", "br"];

/// An element, in the order of the page.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) tag: String,
    pub(super) attributes: BTreeMap<String, String>,
    /// The tags around it, from the outside.
    pub(super) within: Vec<String>,
    /// All text in it, as a reader sees it.
    pub(super) text: String,
}

/// Reads a page; panics at the first thing that is not as it should be.
pub(super) fn read(page: &str) -> Vec<Element> {
    let mut rest = page.strip_prefix("<!DOCTYPE html>\n").expect("it begins with its type");
    let (mut elements, mut open): (Vec<Element>, Vec<usize>) = (Vec::new(), Vec::new());
    while !rest.is_empty() {
        let (text, after) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
        let text = unescaped(text);
        open.iter().for_each(|at| elements[*at].text.push_str(&text));
        if after.is_empty() {
            assert!(text.trim().is_empty() && open.is_empty(), "the end: {text:?}, {open:?}");
            break;
        }
        let end = after.find('>').expect("a tag ends");
        let tag = &after[1..end];
        rest = &after[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let at = open.pop().expect("something is open");
            assert_eq!(elements[at].tag, name, "what was opened last is closed first");
            continue;
        }
        let element = element(tag, open.iter().map(|at| elements[*at].tag.clone()).collect());
        let name = element.tag.clone();
        elements.push(element);
        if name == "style" {
            let (sheet, after) = rest.split_once("</style>").expect("the sheet ends");
            elements.last_mut().unwrap().text = sheet.to_owned();
            rest = after;
        } else if !VOID.contains(&name.as_str()) {
            open.push(elements.len() - 1);
        }
    }
    elements
}

fn element(tag: &str, within: Vec<String>) -> Element {
    let (name, mut rest) = tag.split_at(tag.find(' ').unwrap_or(tag.len()));
    assert!(TAGS.contains(&name), "<{tag}>");
    let mut attributes = BTreeMap::new();
    while let Some(more) = rest.strip_prefix(' ') {
        let (name, value) = more.split_once("=\"").unwrap_or_else(|| panic!("<{tag}>"));
        assert!(ATTRIBUTES.contains(&name), "{name} in <{tag}>");
        let (value, after) = value.split_once('"').unwrap_or_else(|| panic!("<{tag}>"));
        assert!(attributes.insert(name.to_owned(), unescaped(value)).is_none(), "{name} twice in <{tag}>");
        rest = after;
    }
    assert!(rest.is_empty(), "{rest:?} in <{tag}>");
    Element { tag: name.to_owned(), attributes, within, text: String::new() }
}

fn unescaped(text: &str) -> String {
    assert!(!text.contains('>') && !text.contains('\''), "not escaped: {text}");
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let (name, tail) = after.split_once(';').unwrap_or_else(|| panic!("& in {text}"));
        let c = match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "#39" => '\'',
            other => panic!("&{other};"),
        };
        out.push_str(before);
        out.push(c);
        rest = tail;
    }
    out + rest
}

/// What must hold of every page, whatever is on it.
pub(super) fn check(page: &str) -> Vec<Element> {
    let elements = read(page);
    let ids: Vec<&String> = elements.iter().filter_map(|element| element.attributes.get("id")).collect();
    let distinct: BTreeSet<&String> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len(), "an id names one element");
    for element in &elements {
        for name in ["href", "aria-labelledby", "aria-describedby"] {
            let Some(value) = element.attributes.get(name) else { continue };
            let target =
                if name == "href" { value.strip_prefix('#').expect("links lead within the page") } else { value };
            assert!(distinct.contains(&target.to_owned()), "{name}={value} leads nowhere");
        }
        if element.tag == "th" {
            assert!(element.attributes.contains_key("scope"), "{element:?}");
        }
        if element.tag == "table" {
            assert!(elements.iter().any(|other| other.tag == "caption"));
        }
    }
    let level = |element: &Element| match element.tag.as_str() {
        "h1" => Some(1),
        "h2" => Some(2),
        "h3" => Some(3),
        "h4" => Some(4),
        _ => None,
    };
    let levels: Vec<u8> = elements.iter().filter_map(level).collect();
    assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1);
    assert_eq!(levels.first(), Some(&1));
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "no level is passed over: {levels:?}");
    // Whatever could run or fetch is no tag and no attribute that is taken above; a style sheet can fetch too.
    let sheet = &elements.iter().find(|element| element.tag == "style").unwrap().text;
    for word in ["url(", "@import", "http", "expression", "<"] {
        assert!(!sheet.contains(word), "{word} in the style sheet");
    }
    assert!(page.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()), "no control character");
    elements
}
