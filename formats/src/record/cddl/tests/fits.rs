//! Says whether a value is what CDDL rules describe.

use ciborium::Value;

use super::grammar::{Entry, Key, Rule, Rules, Type};

impl Rules {
    /// Says whether a value fits the rule of that name.
    pub(super) fn fit(&self, name: &str, value: &Value) -> bool {
        match self.0.get(name) {
            Some(Rule::Type(rule)) => self.fits(rule, value),
            Some(Rule::Group(_)) => panic!("{name} is a group"),
            None => prelude(name, value),
        }
    }

    fn fits(&self, rule: &Type, value: &Value) -> bool {
        match rule {
            Type::Choice(choices) => choices.iter().any(|choice| self.fits(choice, value)),
            Type::Name(name) => self.fit(name, value),
            Type::Text(text) => value.as_text() == Some(text),
            Type::Int(number) => value.as_integer().is_some_and(|found| i128::from(found) == *number),
            Type::Tag(tag, inner) => {
                matches!(value, Value::Tag(found, value) if found == tag && self.fits(inner, value))
            }
            Type::Map(entries) => {
                value.as_map().is_some_and(|pairs| self.map(&flat(entries), &pairs.iter().collect::<Vec<_>>()))
            }
            Type::Array(entries) => value.as_array().is_some_and(|items| self.array(&flat(entries), items)),
            Type::Size(target, least, most) => self.fits(target, value) && (*least..=*most).contains(&size(value)),
            Type::Ne(target, text) => self.fits(target, value) && value.as_text() != Some(text),
            Type::And(left, right) => self.fits(left, value) && self.fits(right, value),
        }
    }

    /// Fits pairs to entries in their order; every pair must be some entry's.
    fn map(&self, entries: &[&Entry], pairs: &[&(Value, Value)]) -> bool {
        let Some((entry, rest)) = entries.split_first() else { return pairs.is_empty() };
        let (least, most, key, value) = match entry {
            Entry::Choice(choices) => {
                return choices.iter().any(|choice| self.map(&[flat(choice), rest.to_vec()].concat(), pairs));
            }
            Entry::One { key: None, value: Type::Name(group), .. } => {
                let Some(Rule::Group(entries)) = self.0.get(group) else { panic!("{group} is no group") };
                return self.map(&[flat(entries), rest.to_vec()].concat(), pairs);
            }
            Entry::One { least, most, key: Some(key), value } => (*least, *most, key, value),
            Entry::One { key: None, .. } => panic!("an entry of a map without a key"),
        };
        let (key, cuts) = match key {
            Key::Cut(key) => (key, true),
            Key::Arrow(key) => (key, false),
        };
        let (candidates, others): (Vec<&(Value, Value)>, Vec<_>) =
            pairs.iter().copied().partition(|(name, _)| self.fits(key, name));
        let (taken, left): (Vec<&(Value, Value)>, Vec<_>) =
            candidates.into_iter().partition(|(_, found)| self.fits(value, found));
        // "Cuts in Maps": what has the key and not the value is no other entry's.
        if cuts && !left.is_empty() {
            return false;
        }
        (least..=most).contains(&taken.len()) && self.map(rest, &[others, left].concat())
    }

    fn array(&self, entries: &[&Entry], items: &[Value]) -> bool {
        let Some((entry, rest)) = entries.split_first() else { return items.is_empty() };
        let Entry::One { least, most, value, .. } = entry else { panic!("a choice in an array") };
        // All that fit in a row, or fewer.
        let fit = items.iter().take(*most).take_while(|item| self.fits(value, item)).count();
        (*least..=fit).rev().any(|taken| self.array(rest, &items[taken..]))
    }
}

fn flat(entries: &[Entry]) -> Vec<&Entry> {
    entries.iter().collect()
}

/// RFC 8610 Appendix D.
fn prelude(name: &str, value: &Value) -> bool {
    match name {
        "any" => true,
        "bool" => value.is_bool(),
        "tstr" => value.is_text(),
        "bstr" => value.is_bytes(),
        "int" => value.is_integer(),
        "uint" => value.as_integer().is_some_and(|number| i128::from(number) >= 0),
        _ => panic!("{name} is defined nowhere"),
    }
}

fn size(value: &Value) -> u64 {
    let length = match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => panic!("the size of {value:?}"),
    };
    length.try_into().unwrap()
}
