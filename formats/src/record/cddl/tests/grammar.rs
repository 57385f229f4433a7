//! Reads CDDL text: as much of RFC 8610 as the files use.
//!
//! It knows nothing of the tables: what is tested is what a reader of the files would understand.

use std::collections::BTreeMap;

/// The rules of a text, by name.
#[derive(Debug)]
pub(super) struct Rules(pub(super) BTreeMap<String, Rule>);

#[derive(Debug)]
pub(super) enum Rule {
    Type(Type),
    Group(Vec<Entry>),
}

#[derive(Debug)]
pub(super) enum Type {
    /// `a / b`.
    Choice(Vec<Self>),
    Name(String),
    Text(String),
    Int(i128),
    /// `#6.<tag>(type)`.
    Tag(u64, Box<Self>),
    Map(Vec<Entry>),
    Array(Vec<Entry>),
    /// `.size`: least and greatest.
    Size(Box<Self>, u64, u64),
    /// `.ne` a text.
    Ne(Box<Self>, String),
    /// `.and`.
    And(Box<Self>, Box<Self>),
}

/// A member of a map or an array.
#[derive(Debug)]
pub(super) enum Entry {
    /// A type, or the group of that name, with how often it stands there.
    One { least: usize, most: usize, key: Option<Key>, value: Type },
    /// `(a // b)`.
    Choice(Vec<Vec<Entry>>),
}

#[derive(Debug)]
pub(super) enum Key {
    /// `name:` or `1:`. RFC 8610 §3.5.4: the colon cuts, so that a key that is there is this entry's.
    Cut(Type),
    /// `type =>`.
    Arrow(Type),
}

/// Reads rules.
///
/// # Panics
///
/// The text is no such CDDL.
pub(super) fn rules(text: &str) -> Rules {
    let mut reader = Reader { tokens: tokens(text), at: 0 };
    let mut rules = BTreeMap::new();
    while let Some(name) = reader.next() {
        reader.expect("=");
        let rule = if reader.peek() == Some("(") && reader.is_group() {
            reader.expect("(");
            Rule::Group(reader.entries(")"))
        } else {
            Rule::Type(reader.choice())
        };
        assert!(rules.insert(name.clone(), rule).is_none(), "{name} is defined twice");
    }
    Rules(rules)
}

/// Splits into names, numbers, quoted texts (with their quotes) and signs.
fn tokens(text: &str) -> Vec<String> {
    let signs = ["=>", "//", "..", "#6."];
    let mut tokens = Vec::new();
    for line in text.lines() {
        let mut rest = line.split(';').next().unwrap().trim_start();
        while !rest.is_empty() {
            let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            let length = if let Some(quoted) = rest.strip_prefix('"') {
                quoted.find('"').expect("a quote that ends") + 2
            } else if let Some(sign) = signs.iter().find(|sign| rest.starts_with(**sign)) {
                sign.len()
            } else if let Some(control) = rest.strip_prefix('.') {
                1 + control.find(|c| !is_word(c)).unwrap_or(control.len())
            } else {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len()).max(1)
            };
            let (token, after) = rest.split_at(length);
            tokens.push(token.to_owned());
            rest = after.trim_start();
        }
    }
    tokens
}

struct Reader {
    tokens: Vec<String>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    fn next(&mut self) -> Option<String> {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned()
    }

    fn expect(&mut self, token: &str) {
        assert_eq!(self.next().as_deref(), Some(token), "before {:?}", &self.tokens[self.at..]);
    }

    fn accept(&mut self, token: &str) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    /// Says whether the parenthesis ahead holds entries, not a type.
    fn is_group(&self) -> bool {
        let key = self.tokens.get(self.at + 2).map(String::as_str);
        matches!(key, Some(":" | "," | "=>"))
            || matches!(self.tokens.get(self.at + 1).map(String::as_str), Some("?" | "*"))
    }

    fn choice(&mut self) -> Type {
        let mut choices = vec![self.controlled()];
        while self.accept("/") {
            choices.push(self.controlled());
        }
        if choices.len() == 1 { choices.remove(0) } else { Type::Choice(choices) }
    }

    fn controlled(&mut self) -> Type {
        let target = Box::new(self.simple());
        match self.peek() {
            Some(".size") => {
                self.at += 1;
                let (least, most) = self.range();
                Type::Size(target, least, most)
            }
            Some(".ne") => {
                self.at += 1;
                match self.simple() {
                    Type::Text(text) => Type::Ne(target, text),
                    other => panic!(".ne {other:?}"),
                }
            }
            Some(".and") => {
                self.at += 1;
                Type::And(target, Box::new(self.simple()))
            }
            _ => *target,
        }
    }

    fn range(&mut self) -> (u64, u64) {
        let number = |token: Option<String>| token.unwrap().parse().unwrap();
        if !self.accept("(") {
            let size = number(self.next());
            return (size, size);
        }
        let least = number(self.next());
        self.expect("..");
        let most = number(self.next());
        self.expect(")");
        (least, most)
    }

    fn simple(&mut self) -> Type {
        let token = self.next().expect("a type");
        match token.as_str() {
            "(" => {
                let inner = self.choice();
                self.expect(")");
                inner
            }
            "{" => Type::Map(self.entries("}")),
            "[" => Type::Array(self.entries("]")),
            "#6." => {
                let tag = self.next().unwrap().parse().unwrap();
                self.expect("(");
                let inner = self.choice();
                self.expect(")");
                Type::Tag(tag, Box::new(inner))
            }
            _ => literal(&token),
        }
    }

    fn entries(&mut self, end: &str) -> Vec<Entry> {
        let mut entries = Vec::new();
        while !self.accept(end) {
            entries.push(self.entry());
            self.accept(",");
        }
        entries
    }

    fn entry(&mut self) -> Entry {
        if self.peek() == Some("(") && self.is_group() {
            self.at += 1;
            let mut choices = vec![Vec::new()];
            while !self.accept(")") {
                if self.accept("//") {
                    choices.push(Vec::new());
                }
                let entry = self.entry();
                choices.last_mut().unwrap().push(entry);
                self.accept(",");
            }
            return Entry::Choice(choices);
        }
        let (least, most) = match self.peek() {
            Some("?") => (0, 1),
            Some("*") => (0, usize::MAX),
            Some("+") => (1, usize::MAX),
            _ => (1, 1),
        };
        self.at += usize::from((least, most) != (1, 1));
        let mut value = self.choice();
        let key = if self.accept(":") {
            Some(Key::Cut(bareword(std::mem::replace(&mut value, Type::Int(0)))))
        } else if self.accept("=>") {
            Some(Key::Arrow(std::mem::replace(&mut value, Type::Int(0))))
        } else {
            None
        };
        if key.is_some() {
            value = self.choice();
        }
        Entry::One { least, most, key, value }
    }
}

fn literal(token: &str) -> Type {
    if let Some(text) = token.strip_prefix('"') {
        return Type::Text(text.strip_suffix('"').unwrap().to_owned());
    }
    match token.parse() {
        Ok(number) => Type::Int(number),
        Err(_) => {
            assert!(token.starts_with(|c: char| c.is_ascii_alphabetic()), "{token:?} is no type");
            Type::Name(token.to_owned())
        }
    }
}

/// RFC 8610 §3.5.1: a name before a colon is a text.
fn bareword(key: Type) -> Type {
    match key {
        Type::Name(name) => Type::Text(name),
        other => other,
    }
}
