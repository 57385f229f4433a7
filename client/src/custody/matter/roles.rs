//! Why an entry belongs to a matter, and how that follows along a relation.

use super::super::relations::Class;

/// Why an entry belongs to a matter; a later one outweighs an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Somebody's word about another one: a revocation, an approval, a finding, or who saw a credential.
    Word,
    /// What another one rests on.
    Cause,
    /// What came of what was asked for.
    Effect,
    /// What was asked for.
    Start,
}

impl Role {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Word => "word",
            Self::Cause => "cause",
            Self::Effect => "effect",
            Self::Start => "start",
        }
    }
}

/// The role of what an entry of this role names by a relation of this class; `None`: not followed.
pub(super) fn forward(role: Role, class: Class) -> Option<Role> {
    match (class, role) {
        (Class::Causal | Class::Owner | Class::Part, Role::Start | Role::Effect | Role::Cause) => Some(Role::Cause),
        (Class::Causal | Class::Part, Role::Word) => Some(Role::Word),
        (Class::About | Class::Newer | Class::Seen, Role::Start) => Some(Role::Cause),
        _ => None,
    }
}

/// The role of what names an entry of this role by a relation of this class; `None`: not followed.
pub(super) fn backward(role: Role, class: Class) -> Option<Role> {
    match (class, role) {
        (Class::Causal, Role::Start | Role::Effect) => Some(Role::Effect),
        (Class::About, _) => Some(Role::Word),
        (Class::Newer, Role::Start | Role::Effect | Role::Cause) => Some(Role::Word),
        (Class::Seen, Role::Start | Role::Effect) => Some(Role::Word),
        _ => None,
    }
}
