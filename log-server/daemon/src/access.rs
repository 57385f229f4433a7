//! Who may do what: roles, each given to loopback, to anyone, to bearer tokens, to SPIFFE IDs.
//!
//! A role opens the door, no more: what gives a statement authority is the signature on it.
//!
//! Trust: whoever connects says all of this of itself, and only three things count. Where it connects from, as the system sees it: a proxy on
//! this machine makes everybody loopback. A token, of which the configuration knows the digest alone. The identity in a certificate that TLS has
//! verified.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use govlog_formats::digest::Digest;
use govlog_formats::record::handles::is_spiffe_id;
use serde::Deserialize;

use crate::serve::Peer;

/// A peer's SPIFFE ID, verified; stands in the extensions of every request on its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity(pub Arc<str>);

/// Who has a role: everybody that one of these lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    loopback: bool,
    anyone: bool,
    tokens: BTreeSet<Digest>,
    identities: BTreeSet<String>,
    /// Prefixes of SPIFFE IDs, each ending in `/`.
    below: BTreeSet<String>,
}

/// A role as typed: one grant, or a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "\"loopback\", \"anyone\", the SHA-256 of a bearer token in hex, a SPIFFE ID, a prefix of SPIFFE IDs that ends in '/', or a list of these"
)]
pub enum RawAccess {
    /// One grant.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// What may stand where a role is given, for errors and help.
pub const EXPECTED: &str = "\"loopback\", \"anyone\", the SHA-256 of a bearer token in hex, a SPIFFE ID, a prefix of SPIFFE IDs that ends in '/' \
                            such as \"spiffe://prod.example/\", or a list of these";

/// A text that is no grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?}; it must be {EXPECTED}")]
pub struct NoGrant {
    /// The text.
    pub found: String,
}

/// Why somebody is not let in. The one place that decides between 401, 403 and 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// 401: a bearer token would open this, and none that does was brought.
    Unauthenticated,
    /// 403: nothing that could be sent on this connection would open this.
    Forbidden,
    /// 429: a bearer token would open this, and too many wrong ones came from there for another to be looked at.
    Throttled,
}

impl Denied {
    /// The status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Throttled => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// Answers with one line of text.
    #[must_use]
    pub fn answer(self) -> Response {
        let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")];
        let mut answer = (self.status(), headers, format!("{}\n", self.reason())).into_response();
        if self == Self::Unauthenticated {
            // RFC 6750: how a token is brought.
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s() {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }

    /// After how many seconds the same request may fare better.
    #[must_use]
    pub const fn retry_after_s(self) -> Option<u64> {
        match self {
            Self::Throttled => Some(1),
            Self::Unauthenticated | Self::Forbidden => None,
        }
    }

    /// What a person is told: nothing of who has the role.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unauthenticated => "this wants a bearer token that it was given to",
            Self::Forbidden => {
                "this is not for whom the connection comes from; its operator gives access under [access]"
            }
            Self::Throttled => {
                "too many wrong bearer tokens came from this address: none is looked at now; try again in a moment"
            }
        }
    }
}

/// What is known of somebody who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caller<'a> {
    /// It connects from this machine.
    pub from_loopback: bool,
    /// The token of its `Authorization` header.
    pub bearer: Option<&'a str>,
    /// The SPIFFE ID of its verified certificate.
    pub identity: Option<&'a str>,
}

impl<'a> Caller<'a> {
    /// Gathers what a request says of who sent it. Whoever's address is not known is not this machine.
    #[must_use]
    pub fn of(request: &'a Request) -> Self {
        let extensions = request.extensions();
        Self {
            from_loopback: extensions.get::<Peer>().is_some_and(|Peer(address)| is_loopback(address.ip()))
                && !is_relayed(request.headers()),
            bearer: bearer(request.headers()),
            identity: extensions.get::<Identity>().map(|Identity(id)| &**id),
        }
    }
}

impl Access {
    /// Gives the role to nobody.
    #[must_use]
    pub const fn nobody() -> Self {
        Self {
            loopback: false,
            anyone: false,
            tokens: BTreeSet::new(),
            identities: BTreeSet::new(),
            below: BTreeSet::new(),
        }
    }

    /// Gives the role to whoever connects from this machine. "default: loopback open, anything else closed until configured" (DESIGN §8.1)
    #[must_use]
    pub fn loopback() -> Self {
        Self { loopback: true, ..Self::nobody() }
    }

    /// Gives the role to whoever connects.
    #[must_use]
    pub fn anyone() -> Self {
        Self { anyone: true, ..Self::nobody() }
    }

    /// Takes what was typed; nothing typed is [`Access::loopback`], and an empty list is nobody.
    ///
    /// # Errors
    /// Shows what is no grant.
    pub fn parse(typed: Option<RawAccess>) -> Result<Self, NoGrant> {
        let grants = match typed {
            None => return Ok(Self::loopback()),
            Some(RawAccess::One(grant)) => vec![grant],
            Some(RawAccess::Several(grants)) => grants,
        };
        let mut access = Self::nobody();
        for grant in grants {
            access.grant(grant)?;
        }
        Ok(access)
    }

    fn grant(&mut self, grant: String) -> Result<(), NoGrant> {
        match grant.as_str() {
            "loopback" => self.loopback = true,
            "anyone" => self.anyone = true,
            id if is_spiffe_id(id) => drop(self.identities.insert(grant)),
            prefix if is_prefix(prefix) => drop(self.below.insert(grant)),
            digest => match Digest::from_hex_lenient(digest) {
                Ok(digest) => drop(self.tokens.insert(digest)),
                Err(_) => return Err(NoGrant { found: grant }),
            },
        }
        Ok(())
    }

    /// Whether nobody but this machine has the role.
    #[must_use]
    pub fn is_local(&self) -> bool {
        !self.anyone && self.tokens.is_empty() && self.identities.is_empty() && self.below.is_empty()
    }

    /// Returns a SPIFFE ID that the role is given to, or a prefix of some.
    #[must_use]
    pub fn identity(&self) -> Option<&str> {
        self.identities.iter().chain(&self.below).next().map(String::as_str)
    }

    /// Tells whether somebody has the role.
    #[must_use]
    pub fn allows(&self, caller: &Caller<'_>) -> bool {
        self.anyone
            || (self.loopback && caller.from_loopback)
            || caller.bearer.is_some_and(|token| self.knows_token(token))
            || caller.identity.is_some_and(|id| self.knows(id))
    }

    /// Tells whether the role was given to a token.
    #[must_use]
    pub fn knows_token(&self, token: &str) -> bool {
        self.tokens.contains(&Digest::sha256(token.as_bytes()))
    }

    fn knows(&self, id: &str) -> bool {
        self.identities.contains(id) || self.below.iter().any(|prefix| id.starts_with(prefix.as_str()))
    }

    /// Lets somebody in or not.
    ///
    /// # Errors
    /// [`Denied`] says what is answered.
    pub fn check(&self, caller: &Caller<'_>) -> Result<(), Denied> {
        check_any([self], caller)
    }
}

/// Lets somebody in who has one of these roles.
///
/// # Errors
/// As [`Access::check`].
pub fn check_any<'a>(roles: impl IntoIterator<Item = &'a Access>, caller: &Caller<'_>) -> Result<(), Denied> {
    let mut denied = Denied::Forbidden;
    for role in roles {
        if role.allows(caller) {
            return Ok(());
        }
        if !role.tokens.is_empty() {
            denied = Denied::Unauthenticated;
        }
    }
    Err(denied)
}

/// Whether a text is a trust domain, or a path in one, to the slash at its end: whatever ID begins with it is a workload there.
fn is_prefix(text: &str) -> bool {
    text.strip_suffix('/').is_some_and(|_| is_spiffe_id(&format!("{text}x")))
}

/// Tells whether a request says that somebody else is behind the connection: a proxy on this machine, or a page in a browser on it.
///
/// Who leaves these headers out gains nothing that it had not; who adds them loses loopback, no more.
fn is_relayed(headers: &HeaderMap) -> bool {
    ["forwarded", "origin", "via", "x-forwarded-for"].iter().any(|name| headers.contains_key(*name))
}

/// Tells whether an address is this machine's own.
#[must_use]
pub fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|address| address.is_loopback())
        }
    }
}

/// The token of the one `Authorization` header; two of them are nobody's.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (first, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = first.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn access(grants: &[&str]) -> Access {
        let grants = grants.iter().map(|grant| (*grant).to_owned()).collect();
        Access::parse(Some(RawAccess::Several(grants))).unwrap()
    }

    const STRANGER: Caller<'_> = Caller { from_loopback: false, bearer: None, identity: None };
    const OWN: Caller<'_> = Caller { from_loopback: true, ..STRANGER };

    fn with_token(bearer: &str) -> Caller<'_> {
        Caller { bearer: Some(bearer), ..STRANGER }
    }

    fn with_id(identity: &str) -> Caller<'_> {
        Caller { identity: Some(identity), ..STRANGER }
    }

    #[test]
    fn what_a_proxy_or_a_web_page_sends_on_is_not_this_machines() {
        let asked = |header: Option<(&str, &str)>| {
            let mut request = Request::new(axum::body::Body::empty());
            request.extensions_mut().insert(Peer("127.0.0.1:1".parse().unwrap()));
            if let Some((name, value)) = header {
                let name = axum::http::HeaderName::try_from(name).unwrap();
                request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
            }
            Caller::of(&request).from_loopback
        };
        assert!(asked(None));
        assert!(asked(Some(("user-agent", "curl"))));
        for (name, value) in [
            ("Forwarded", "for=192.0.2.1"),
            ("X-Forwarded-For", "192.0.2.1"),
            ("Via", "1.1 proxy"),
            ("Origin", "https://evil.example"),
        ] {
            assert!(!asked(Some((name, value))), "{name}");
        }
    }

    #[test]
    fn each_grant_opens_for_its_own_and_for_nobody_else() {
        let token = Digest::sha256(b"sesame").to_string();
        let callers = [
            STRANGER,
            OWN,
            with_token("sesame"),
            with_token("sesam"),
            with_token(&token),
            with_id("spiffe://prod.example/pay"),
            with_id("spiffe://prod.example/pay/deep"),
            with_id("spiffe://prod.example.evil/pay"),
            with_id("spiffe://test.example/pay"),
        ];
        let table: &[(&[&str], &[usize])] = &[
            (&[], &[]),
            (&["loopback"], &[1]),
            (&["anyone"], &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
            (&[&token], &[2]),
            (&["spiffe://prod.example/pay"], &[5]),
            (&["spiffe://prod.example/pay/"], &[6]),
            (&["spiffe://prod.example/"], &[5, 6]),
            (&["loopback", &token, "spiffe://test.example/"], &[1, 2, 8]),
        ];
        for (grants, open_for) in table {
            let access = access(grants);
            for (at, caller) in callers.iter().enumerate() {
                assert_eq!(access.check(caller).is_ok(), open_for.contains(&at), "{grants:?}: {caller:?}");
            }
        }
    }

    #[test]
    fn what_is_refused_is_401_where_a_token_would_do_and_403_where_none_would() {
        let token = Digest::sha256(b"sesame").to_string();
        for caller in [STRANGER, OWN, with_token("other"), with_id("spiffe://a/b")] {
            assert_eq!(access(&[&token]).check(&caller), Err(Denied::Unauthenticated));
            assert_eq!(access(&["spiffe://x/y"]).check(&caller), Err(Denied::Forbidden));
            let either = [&access(&["spiffe://x/y"]), &access(&[&token])];
            assert_eq!(check_any(either, &caller), Err(Denied::Unauthenticated));
        }
    }

    #[test]
    fn nothing_typed_is_loopback_and_a_word_need_be_no_list() {
        assert_eq!(Access::parse(None).unwrap(), access(&["loopback"]));
        assert_eq!(Access::parse(Some(RawAccess::One("anyone".to_owned()))).unwrap(), Access::anyone());
        assert!(access(&[]).is_local() && Access::loopback().is_local());
        for open in ["anyone", "spiffe://a/", "spiffe://a/b", &"0".repeat(64)] {
            assert!(!access(&["loopback", open]).is_local(), "{open}");
        }
    }

    #[test]
    fn what_is_no_grant_is_shown() {
        for wrong in [
            "",
            "everybody",
            "Loopback",
            "sesame",
            "spiffe://",
            "spiffe://prod.example",
            "spiffe:///",
            "spiffe://Prod.example/",
            "spiffe://a//",
            "spiffe://a/../",
            "spiffe://a/*",
            "https://a/",
            &"0".repeat(63),
        ] {
            let refused = Access::parse(Some(RawAccess::One(wrong.to_owned()))).unwrap_err();
            assert_eq!(refused.found, wrong);
        }
    }

    #[test]
    fn only_one_bearer_token_counts() {
        let request = |values: &[&str]| {
            let mut request = Request::new(axum::body::Body::empty());
            for value in values {
                request.headers_mut().append(AUTHORIZATION, value.parse().unwrap());
            }
            request
        };
        for right in ["Bearer t", "bearer t", "BEARER  t "] {
            assert_eq!(Caller::of(&request(&[right])).bearer, Some("t"), "{right}");
        }
        for wrong in [&["t"][..], &["Basic t"], &["Bearer"], &["Bearer t", "Bearer t"], &[]] {
            assert_eq!(Caller::of(&request(wrong)).bearer, None, "{wrong:?}");
        }
    }

    proptest! {
        /// A prefix lets in what lies below it, and never what merely looks like it.
        #[test]
        fn a_prefix_ends_at_a_slash(domain in "[a-z]{1,5}", path in "[a-z]{1,5}(/[a-z]{1,5}){0,2}", other in "[a-z./]{0,8}") {
            let role = access(&[&format!("spiffe://{domain}/")]);
            let id = format!("spiffe://{domain}/{path}");
            prop_assert!(role.allows(&with_id(&id)));
            let near = format!("spiffe://{domain}{other}");
            prop_assert_eq!(role.allows(&with_id(&near)), other.starts_with('/'));
        }
    }
}
