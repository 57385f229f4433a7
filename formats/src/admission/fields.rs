//! Reading a CBOR map field by field, every error naming the field it is about.

use ciborium::Value;

use super::change::ChangeError;

/// The fields of one map, each to be taken once; what is left over at the end is unknown.
pub(super) struct Fields<'a> {
    path: String,
    left: Vec<(&'a str, &'a Value)>,
}

impl<'a> Fields<'a> {
    /// Opens a map with text keys. `path` is where it stands, empty for the record itself.
    pub(super) fn open(path: &str, value: &'a Value) -> Result<Self, ChangeError> {
        let Value::Map(pairs) = value else {
            return Err(ChangeError::WrongType { field: or_record(path), expected: "a map" });
        };
        let mut left = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let Value::Text(name) = key else {
                return Err(ChangeError::KeyNotText { field: or_record(path) });
            };
            left.push((name.as_str(), value));
        }
        Ok(Self { path: path.to_owned(), left })
    }

    /// Spells the full name of a field of this map.
    pub(super) fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Takes a field that may be absent.
    pub(super) fn optional(&mut self, name: &str) -> Option<&'a Value> {
        let position = self.left.iter().position(|(found, _)| *found == name)?;
        Some(self.left.swap_remove(position).1)
    }

    /// Takes a field that must be there.
    pub(super) fn required(&mut self, name: &str) -> Result<&'a Value, ChangeError> {
        self.optional(name).ok_or_else(|| ChangeError::Missing { field: self.at(name) })
    }

    /// Takes an unsigned integer that may be absent.
    pub(super) fn optional_uint(&mut self, name: &str) -> Result<Option<u64>, ChangeError> {
        let field = self.at(name);
        self.optional(name).map(|value| uint(&field, value)).transpose()
    }

    /// Takes an unsigned integer that must be there.
    pub(super) fn required_uint(&mut self, name: &str) -> Result<u64, ChangeError> {
        uint(&self.at(name), self.required(name)?)
    }

    /// Takes a text that must be there.
    pub(super) fn required_text(&mut self, name: &str) -> Result<&'a str, ChangeError> {
        text(&self.at(name), self.required(name)?)
    }

    /// Takes a list that may be absent and is not empty, reading each member.
    pub(super) fn optional_list<T>(
        &mut self,
        name: &str,
        read: impl Fn(&str, &'a Value) -> Result<T, ChangeError>,
    ) -> Result<Option<Vec<T>>, ChangeError> {
        let field = self.at(name);
        self.optional(name).map(|value| list(&field, value, read)).transpose()
    }

    /// Takes a list that must be there and is not empty, reading each member.
    pub(super) fn required_list<T>(
        &mut self,
        name: &str,
        read: impl Fn(&str, &'a Value) -> Result<T, ChangeError>,
    ) -> Result<Vec<T>, ChangeError> {
        list(&self.at(name), self.required(name)?, read)
    }

    /// Ends the map: exact.md §2: "Unknown keys are refused in this kind alone."
    pub(super) fn end(self) -> Result<(), ChangeError> {
        match self.left.first() {
            None => Ok(()),
            Some((name, _)) => Err(ChangeError::Unknown { field: self.at(name) }),
        }
    }
}

/// Reads an unsigned integer.
pub(super) fn uint(field: &str, value: &Value) -> Result<u64, ChangeError> {
    value.as_integer().and_then(|found| u64::try_from(found).ok()).ok_or_else(|| ChangeError::WrongType {
        field: field.to_owned(),
        expected: "an unsigned integer of at most 64 bits",
    })
}

/// Reads a text.
pub(super) fn text<'a>(field: &str, value: &'a Value) -> Result<&'a str, ChangeError> {
    value.as_text().ok_or_else(|| ChangeError::WrongType { field: field.to_owned(), expected: "a text" })
}

/// Reads a byte string.
pub(super) fn bytes<'a>(field: &str, value: &'a Value) -> Result<&'a [u8], ChangeError> {
    value
        .as_bytes()
        .map(Vec::as_slice)
        .ok_or_else(|| ChangeError::WrongType { field: field.to_owned(), expected: "a byte string" })
}

fn list<'a, T>(
    field: &str,
    value: &'a Value,
    read: impl Fn(&str, &'a Value) -> Result<T, ChangeError>,
) -> Result<Vec<T>, ChangeError> {
    let Value::Array(members) = value else {
        return Err(ChangeError::WrongType { field: field.to_owned(), expected: "a list" });
    };
    if members.is_empty() {
        return Err(ChangeError::Empty { field: field.to_owned() });
    }
    members.iter().enumerate().map(|(position, member)| read(&format!("{field}[{position}]"), member)).collect()
}

fn or_record(path: &str) -> String {
    if path.is_empty() { "the record".to_owned() } else { path.to_owned() }
}
