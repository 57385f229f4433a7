//! Objects: members in order, each name once.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};

use super::{JsonError, Kind, MAX_MEMBERS, RawValue, expect, syntax, text};

/// An object: its members in the order in which they came, each name once.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    members: Vec<Member<'a>>,
}

#[derive(Clone, Debug)]
struct Member<'a> {
    name: Cow<'a, str>,
    /// The name as it came, quotes and escapes included.
    key: &'a RawValue,
    value: &'a RawValue,
}

impl<'a> Object<'a> {
    /// Reads an object.
    ///
    /// # Errors
    ///
    /// The value is another one, has a member twice, or more than [`MAX_MEMBERS`].
    pub fn parse(raw: &'a RawValue) -> Result<Self, JsonError> {
        expect(raw, Kind::Object)?;
        let mut members = Vec::new();
        let mut refused = None;
        let mut deserializer = serde_json::Deserializer::from_str(raw.get());
        let read = Members { members: &mut members, refused: &mut refused }.deserialize(&mut deserializer);
        read.map_err(|error| refused.unwrap_or_else(|| syntax(&error)))?;
        let mut names: Vec<&str> = members.iter().map(|member| &*member.name).collect();
        names.sort_unstable();
        let is_twice = |pair: &[&str]| matches!(pair, [one, next] if one == next);
        if names.windows(2).any(is_twice) { Err(JsonError::Duplicate) } else { Ok(Self { members }) }
    }

    /// Finds a member's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.members.iter().find(|member| member.name == name).map(|member| member.value)
    }

    /// Gives the members, names and values, in order.
    pub fn members(&self) -> impl Iterator<Item = (&Cow<'a, str>, &'a RawValue)> {
        self.members.iter().map(|member| (&member.name, member.value))
    }

    /// Writes an object of those members whose names are chosen: names and values byte for byte, in order.
    #[must_use]
    pub fn select(&self, chosen: impl Fn(&str) -> bool) -> Vec<u8> {
        let parts = self.members.iter().filter(|member| chosen(&member.name));
        let members: Vec<String> = parts.map(|member| format!("{}:{}", member.key.get(), member.value.get())).collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    }
}

struct Members<'s, 'a> {
    members: &'s mut Vec<Member<'a>>,
    refused: &'s mut Option<JsonError>,
}

impl<'de> DeserializeSeed<'de> for Members<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let problem = match text(key) {
                Ok(name) if self.members.len() < MAX_MEMBERS => {
                    self.members.push(Member { name, key, value });
                    continue;
                }
                Ok(_) => JsonError::Members(MAX_MEMBERS),
                Err(problem) => problem,
            };
            *self.refused = Some(problem);
            return Err(A::Error::custom("a member is refused"));
        }
        Ok(())
    }
}
