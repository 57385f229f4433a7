//! What will be looked for about an entry, as far as that is known before anything is looked for: so that it can be asked for at once.
//!
//! It changes nothing of what is found: whatever is not looked for ahead is looked for when it is needed.

use govlog_formats::record::LinkTarget;

use super::super::find::{Question, Way};
use super::super::relations::{Node, can_be_meant, class, is_certificate_name, meant_kinds, speakers};
use super::roles::{Role, forward};

/// What is looked for on the way from an entry of this role.
pub(super) fn questions(node: &Node, role: Role) -> Vec<Question> {
    let followed = node.points.iter().filter(|point| forward(role, class(&point.rel)).is_some());
    let named = followed.map(|point| {
        let kinds = meant_kinds(&point.rel, &point.target, &node.kind);
        Question::new(Way::Named, point.target.clone(), &kinds)
    });
    let aliases = node.names.iter().filter(|name| node.kind == "issuance" && is_certificate_name(name));
    let aliases = aliases.map(|name| Question::new(Way::Named, LinkTarget::Handle(name.clone()), &["observation"]));
    let pointing = node.targets().filter(|target| can_be_meant(target, &node.kind)).map(|target| {
        let kinds = followers_of(role, &target, &node.kind);
        Question::new(Way::Pointing, target, &kinds)
    });
    let under = node.under.iter();
    let under = under.map(|handle| Question::new(Way::Pointing, LinkTarget::Handle(handle.clone()), &["revocation"]));
    named.chain(aliases).chain(pointing).chain(under).collect()
}

/// Of which kinds those are looked for that name an entry: everything under a policy is never looked at, unless it is asked for.
pub(super) fn followers_of<'k>(role: Role, target: &LinkTarget, kind: &'k str) -> Vec<&'k str> {
    if role >= Role::Effect { Vec::new() } else { speakers(target, kind) }
}
