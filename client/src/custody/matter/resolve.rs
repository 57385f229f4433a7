//! What a relation leads to, and which revocations bear on an entry: each found by handles that both hold, or through a certificate that somebody
//! logged whole. Where entries are looked up is the caller's.

use std::collections::HashMap;
use std::sync::Arc;

use govlog_formats::record::{Handle, LinkTarget};

use super::super::find::Question;
use super::super::relations::{
    Class, Node, Point, REVOKES, also_called, class, is_certificate_name, is_key_name, meant_kinds, same, target_key,
};

/// Where entries are found by what they are called and by what they name.
pub trait Lookup {
    /// Why nothing can be found.
    type Error;

    /// Every entry that this can mean, by leaf hash or handle; of these kinds, where any are given.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    fn named(&mut self, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<Arc<Node>>, Self::Error>;

    /// Every entry that names this; of these kinds, where any are given.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    fn pointing(&mut self, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<Arc<Node>>, Self::Error>;

    /// Says what will be looked for, so that it can be had at once; whoever has all of it at hand need not listen.
    ///
    /// # Errors
    ///
    /// It cannot be had.
    fn expect(&mut self, questions: &[Question]) -> Result<(), Self::Error> {
        let _ = questions;
        Ok(())
    }

    /// Whether there were more of those that were asked for last.
    fn has_more(&self) -> bool {
        false
    }
}

/// What a relation leads to: the entry, and the one with the certificate through which.
pub(super) type Resolved = Vec<(Arc<Node>, Option<Arc<Node>>)>;

/// A name that an entry is revoked by without being called so, and the entry with the certificate through which.
type Ground = (Handle, Option<Arc<Node>>);

/// A revocation that bears on an entry: by what, and the entry with the certificate through which.
pub(super) type Bearing = (Arc<Node>, LinkTarget, Option<Arc<Node>>);

/// A look-up that remembers what relations lead to.
pub(super) struct Resolver<'l, L> {
    pub(super) lookup: &'l mut L,
    /// What relations lead to, by the kind of who names it, the relation and what is named.
    resolved: HashMap<(String, String, Vec<u8>), Resolved>,
}

impl<'l, L: Lookup> Resolver<'l, L> {
    pub(super) fn new(lookup: &'l mut L) -> Self {
        Self { lookup, resolved: HashMap::new() }
    }

    pub(super) fn resolve(&mut self, from: &Node, point: &Point) -> Result<Resolved, L::Error> {
        let key = (from.kind.clone(), point.rel.clone(), target_key(&point.target));
        let known = match self.resolved.get(&key) {
            Some(known) => known.clone(),
            None => {
                let found = resolve(self.lookup, from, point)?;
                self.resolved.insert(key, found.clone());
                found
            }
        };
        Ok(known.into_iter().filter(|(to, _)| to.spot != from.spot).collect())
    }

    /// Every revocation that bears on an entry without revoking it.
    pub(super) fn bearing(&mut self, node: &Node) -> Result<Vec<Bearing>, L::Error> {
        let mut found = Vec::new();
        for (handle, through) in self.grounds(node)? {
            let target = LinkTarget::Handle(handle);
            for revocation in self.lookup.pointing(&target, &["revocation"])? {
                let is_it = |point: &Point| point.rel == REVOKES && same(&point.target, &target);
                if revocation.spot != node.spot && revocation.points.iter().any(is_it) {
                    found.push((revocation, target.clone(), through.clone()));
                }
            }
        }
        Ok(found)
    }

    /// What an entry rests on and that has no entry here, and what it stands under, unless an entry that it rests on does so itself.
    fn grounds(&mut self, node: &Node) -> Result<Vec<Ground>, L::Error> {
        let (mut grounds, mut known) = (Vec::new(), Vec::new());
        for point in node.points.iter().filter(|point| class(&point.rel) == Class::Causal) {
            let found = self.resolve(node, point)?;
            if let (LinkTarget::Handle(handle), true) = (&point.target, found.is_empty()) {
                grounds.extend(also_called(handle).into_iter().chain([handle.clone()]).map(|handle| (handle, None)));
                grounds.extend(self.hashed(handle)?);
            }
            known.extend(found.into_iter().map(|(to, _)| to));
        }
        let is_known = |handle: &Handle| known.iter().any(|to| to.names.contains(handle) || to.under.contains(handle));
        grounds.extend(node.under.iter().filter(|handle| !is_known(handle)).map(|handle| (handle.clone(), None)));
        Ok(grounds)
    }

    /// The other names of the certificate whose hash this is, by whoever logged it: other bytes would have another hash.
    fn hashed(&mut self, handle: &Handle) -> Result<Vec<Ground>, L::Error> {
        if !["cert_s256", "tbs_s256"].contains(&handle.name.as_str()) {
            return Ok(Vec::new());
        }
        let observations = self.lookup.named(&LinkTarget::Handle(handle.clone()), &["observation"])?;
        let seen = observations.into_iter().find(|seen| seen.certificate.contains(handle));
        let others =
            seen.iter().flat_map(|seen| seen.certificate.iter().map(|other| (other.clone(), Some(seen.clone()))));
        Ok(others.filter(|(other, _)| other != handle).collect())
    }

    /// The other names of a credential, by the certificates that its own issuer logged whole.
    pub(super) fn aliases(&mut self, node: &Node) -> Result<Vec<Handle>, L::Error> {
        let mut aliases = Vec::new();
        for name in node.names.iter().filter(|name| node.kind == "issuance" && is_certificate_name(name)) {
            for seen in self.lookup.named(&LinkTarget::Handle(name.clone()), &["observation"])? {
                if seen.iss == node.iss && seen.certificate.contains(name) {
                    aliases.extend(seen.certificate.iter().filter(|other| !node.names.contains(other)).cloned());
                }
            }
        }
        Ok(aliases)
    }
}

/// Finds what a relation leads to: by leaf hash or a handle that both hold, or else through a certificate that somebody logged whole.
///
/// Anybody can make a certificate with another's serial number; by whoever issued the other one it is that one's own word.
fn resolve<L: Lookup>(lookup: &mut L, from: &Node, point: &Point) -> Result<Resolved, L::Error> {
    let direct: Resolved = lookup
        .named(&point.target, &meant_kinds(&point.rel, &point.target, &from.kind))?
        .into_iter()
        .filter(|to| to.is_meant(&point.rel, &point.target, &from.kind))
        .map(|to| (to, None))
        .collect();
    let LinkTarget::Handle(handle) = &point.target else { return Ok(direct) };
    // Whoever bears a name of what was revoked takes no revocation from another; and by its key every certificate is revoked that has it.
    let is_tied = match point.rel.as_str() {
        REVOKES => is_certificate_name(handle) || is_key_name(handle),
        _ => direct.is_empty() && is_certificate_name(handle),
    };
    if !is_tied {
        return Ok(direct);
    }
    let mut found = direct;
    for seen in lookup.named(&point.target, &["observation"])? {
        if !seen.certificate.contains(handle) {
            continue;
        }
        for other in seen.certificate.iter().filter(|other| *other != handle && is_certificate_name(other)) {
            let other = LinkTarget::Handle(other.clone());
            let named = lookup.named(&other, &meant_kinds(&point.rel, &other, &from.kind))?;
            let meant =
                named.into_iter().filter(|to| to.iss == seen.iss && to.is_meant(&point.rel, &other, &from.kind));
            found.extend(meant.map(|to| (to, Some(seen.clone()))));
        }
    }
    found.sort_by_key(|(to, through)| (to.spot, through.as_ref().map(|through| through.spot)));
    found.dedup_by_key(|(to, _)| to.spot);
    Ok(found)
}
