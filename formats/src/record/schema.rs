//! The shape of a field: one description that the checks, the JSON view and the CDDL files share.

use ciborium::Value;

use super::sealed::Sealed;

/// The fields of one map, under the name of its CDDL rule.
#[derive(Debug)]
pub(crate) struct Group {
    /// The CDDL rule's name.
    pub(crate) name: &'static str,
    /// What the map is about, for the CDDL file.
    pub(crate) about: &'static str,
    /// Its known fields; others are kept.
    pub(crate) fields: &'static [Field],
}

/// A known field of a map.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) key: &'static str,
    pub(crate) shape: Shape,
    pub(crate) required: bool,
    /// One line for the CDDL file.
    pub(crate) about: &'static str,
    /// Whether records are to be found by it.
    pub(crate) indexed: bool,
}

/// What a field's value must be, unless it is sealed.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Anything a record may hold.
    Any,
    /// The number 1, the version of the schemas. Never sealed: admission reads it.
    Version,
    /// Text.
    Text,
    /// Text of at least one character.
    Name,
    /// A truth value.
    Bool,
    /// An integer of 0 or more.
    Uint,
    /// An integer of either sign.
    Int,
    /// POSIX milliseconds.
    Millis,
    /// A byte string.
    Bytes,
    /// Text or a byte string.
    TextOrBytes,
    /// 32 bytes, printed as hex.
    Digest,
    /// Bytes of a digest whose algorithm stands beside it, printed as hex.
    DigestBytes,
    /// One of these texts and no other.
    Closed(&'static [&'static str]),
    /// Text of at least one character; these are the values in use.
    Open(&'static [&'static str]),
    /// A list of any length.
    List(&'static Shape),
    /// A list of exactly these, each with its name.
    Tuple(&'static [(&'static str, Shape)]),
    /// A map with known fields.
    Map(&'static Group),
    /// A map with exactly one key, one of these fields.
    OneOf(&'static Group),
    /// A map from any text to values of one shape.
    Each(&'static Shape),
    /// `[name, value]`: the value's shape is that of the group's field of that name, any if there is none.
    Pair(&'static Group),
}

/// Any value, for positions nothing is known about.
pub(crate) static ANY: Shape = Shape::Any;

impl Field {
    /// Describes a field a record must have.
    pub(crate) const fn required(key: &'static str, shape: Shape, about: &'static str) -> Self {
        Self { key, shape, required: true, about, indexed: false }
    }

    /// Describes a field a record may have.
    pub(crate) const fn optional(key: &'static str, shape: Shape, about: &'static str) -> Self {
        Self { key, shape, required: false, about, indexed: false }
    }

    /// Says that records are to be found by this field.
    pub(crate) const fn indexed(self) -> Self {
        Self { indexed: true, ..self }
    }
}

impl Group {
    /// Finds a field's shape; that of an unknown key is any.
    pub(crate) fn shape_of(&self, key: &str) -> &'static Shape {
        self.fields.iter().find(|field| field.key == key).map_or(&ANY, |field| &field.shape)
    }
}

impl Group {
    /// Adds the paths of the fields that records are to be found by, below `path`.
    pub(crate) fn indexed(&self, path: &str, found: &mut Vec<String>) {
        for field in self.fields {
            let path = if path.is_empty() { field.key.to_owned() } else { format!("{path}.{}", field.key) };
            if field.indexed {
                found.push(path);
            } else {
                field.shape.indexed(&path, found);
            }
        }
    }
}

impl Shape {
    fn indexed(&self, path: &str, found: &mut Vec<String>) {
        match self {
            Self::Map(group) | Self::OneOf(group) => group.indexed(path, found),
            Self::List(shape) => shape.indexed(&format!("{path}[]"), found),
            _ => {}
        }
    }

    /// Gives the shape of a map's value under `key`.
    pub(crate) fn of_key(&self, key: &str) -> &'static Shape {
        match self {
            Self::Map(group) | Self::OneOf(group) => group.shape_of(key),
            Self::Each(shape) => shape,
            _ => &ANY,
        }
    }

    /// Gives the shape of a list's element at `position`; `first` is the list's first element, if that is text.
    pub(crate) fn of_element(&self, position: usize, first: Option<&str>) -> &'static Shape {
        match (self, position) {
            (Self::List(shape), _) => shape,
            (Self::Tuple(shapes), _) => shapes.get(position).map_or(&ANY, |(_, shape)| shape),
            (Self::Pair(group), 1) => first.map_or(&ANY, |name| group.shape_of(name)),
            _ => &ANY,
        }
    }
}

/// Says whether a value is a well-formed sealed value.
pub(crate) fn is_sealed(value: &Value) -> bool {
    Sealed::from_value(value).is_ok()
}
