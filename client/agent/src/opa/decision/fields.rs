//! Members of an event, read with their bounds.

use std::borrow::Cow;

use super::unmapped::{MAX_TEXT_BYTES, Unmapped};
use crate::json::{self, JsonError, Kind, Object, Pointer, RawValue};
use crate::opa::mapping::Source;

/// The most elements of a list in clear: pointers of a mask, reasons, bundles.
pub(super) const MAX_ELEMENTS: usize = 1024;

/// An event of a decision log.
pub(super) struct Fields<'a> {
    pub(super) raw: &'a RawValue,
    pub(super) members: Object<'a>,
}

impl<'a> Fields<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Unmapped> {
        let raw = json::value(bytes).map_err(at("event"))?;
        Ok(Self { raw, members: Object::parse(raw).map_err(at("event"))? })
    }

    /// Finds a member; `null` is none.
    pub(super) fn member(&self, name: &str) -> Option<&'a RawValue> {
        self.members.get(name).filter(|raw| json::kind(raw) != Kind::Null)
    }

    /// Reads a member that is an object.
    pub(super) fn object(&self, name: &str) -> Result<Option<Object<'a>>, Unmapped> {
        self.member(name).map(Object::parse).transpose().map_err(at(name))
    }

    /// Reads a member that is text; the empty one is none, as OPA leaves it out too.
    pub(super) fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Unmapped> {
        text_member(&self.members, name, name)
    }

    /// Reads a member that is a list of text.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<Cow<'a, str>>>, Unmapped> {
        self.member(name).map(|raw| list_of_text(raw, name)).transpose()
    }

    /// Follows a pointer of the mapping.
    pub(super) fn find(&self, pointer: &Pointer) -> Result<Option<&'a RawValue>, Unmapped> {
        pointer.find(self.raw).map_err(at(pointer.as_str()))
    }

    /// Reads what the mapping says is text.
    pub(super) fn source<'s>(&self, source: &'s Source) -> Result<Cow<'s, str>, Unmapped>
    where
        'a: 's,
    {
        self.optional(source)?.ok_or_else(|| Unmapped::Missing { at: name_of(source) })
    }

    /// Reads what the mapping says is text; `None`: its pointer leads nowhere.
    pub(super) fn optional<'s>(&self, source: &'s Source) -> Result<Option<Cow<'s, str>>, Unmapped>
    where
        'a: 's,
    {
        match source {
            Source::Constant(text) => Ok(Some(Cow::Borrowed(text))),
            Source::At(pointer) => self.find(pointer)?.map(|raw| bounded_text(raw, pointer.as_str())).transpose(),
        }
    }
}

/// Names where a field comes from.
pub(super) fn name_of(source: &Source) -> String {
    match source {
        Source::Constant(_) => "constant".to_owned(),
        Source::At(pointer) => pointer.to_string(),
    }
}

/// Reads a member that is text; `null` and the empty one are none.
pub(super) fn text_member<'a>(object: &Object<'a>, name: &str, at: &str) -> Result<Option<Cow<'a, str>>, Unmapped> {
    let given = object.get(name).filter(|raw| json::kind(raw) != Kind::Null && raw.get() != "\"\"");
    given.map(|raw| bounded_text(raw, at)).transpose()
}

/// Reads text of a length that may stand in clear.
pub(super) fn bounded_text<'a>(raw: &'a RawValue, at: &str) -> Result<Cow<'a, str>, Unmapped> {
    let text = json::text(raw).map_err(self::at(at))?;
    match text.len() {
        1..=MAX_TEXT_BYTES => Ok(text),
        found => Err(Unmapped::Length { at: at.to_owned(), found }),
    }
}

/// Reads a list of text.
pub(super) fn list_of_text<'a>(raw: &'a RawValue, at: &str) -> Result<Vec<Cow<'a, str>>, Unmapped> {
    let elements = json::array(raw, MAX_ELEMENTS).map_err(self::at(at))?;
    elements.into_iter().enumerate().map(|(position, raw)| bounded_text(raw, &format!("{at}/{position}"))).collect()
}

/// Says where reading failed.
pub(super) fn at(at: &str) -> impl Fn(JsonError) -> Unmapped {
    let at = at.to_owned();
    move |problem| Unmapped::Json { at: at.clone(), problem }
}
