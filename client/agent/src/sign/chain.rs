//! A stream's end, as statements are put behind it.

use govlog_formats::digest::Digest;
use govlog_formats::statement::{
    Claims, Content, SignedStatement, StatementError, StatementHeader, StreamPosition, content_type_of,
};

use crate::keys::{Credential, Keys, Unsigned};
use crate::outbox::Stream;

/// Who signs, with what, for which log.
#[derive(Debug)]
pub struct Identity {
    /// The issuer, as the admission policy names it.
    pub iss: String,
    /// The log's origin.
    pub origin: String,
    /// What the issuer signs with.
    pub keys: Keys,
}

/// The end of a stream.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    identity: &'a Identity,
    /// For all that is signed with one `iat`.
    credential: Credential,
    stream: &'a str,
    iat: i64,
    head: Option<Digest>,
    pub(super) next_seq: u64,
    pub(super) prev: Digest,
}

impl<'a> Chain<'a> {
    /// Begins where a stream stands.
    ///
    /// # Errors
    ///
    /// Nothing can be signed now.
    pub(super) fn behind(
        identity: &'a Identity,
        stream: &'a Stream,
        head: Option<Digest>,
        now_ms: u64,
    ) -> Result<Self, Unsigned> {
        Self::at(identity, &stream.name, (stream.next_seq, stream.prev), head, now_ms)
    }

    /// Begins at a place of a stream. `head`: the newest published checkpoint that was seen, which every statement names, for that is what
    /// it can be shown to be no older than (records.md §5, lower bound).
    ///
    /// # Errors
    ///
    /// As [`Chain::behind`].
    pub(super) fn at(
        identity: &'a Identity,
        stream: &'a str,
        (next_seq, prev): (u64, Digest),
        head: Option<Digest>,
        now_ms: u64,
    ) -> Result<Self, Unsigned> {
        let iat = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
        let credential = identity.keys.at(now_ms)?;
        Ok(Self { identity, credential, stream, iat, head, next_seq, prev })
    }

    /// The newest published checkpoint that was seen since the start.
    pub(super) const fn head(&self) -> Option<Digest> {
        self.head
    }

    /// Signs the next statement. `sub`: none for a record about the stream itself.
    ///
    /// # Errors
    ///
    /// The statement is too large, or the subject is no subject; the place is not taken then.
    pub(super) fn sign(
        &mut self,
        kind: &str,
        sub: Option<&str>,
        payload: &[u8],
    ) -> Result<SignedStatement, StatementError> {
        self.sign_naming(self.head, kind, sub, payload)
    }

    /// The same with another checkpoint, for this statement alone.
    ///
    /// # Errors
    ///
    /// As [`Chain::sign`].
    pub(super) fn sign_naming(
        &mut self,
        head: Option<Digest>,
        kind: &str,
        sub: Option<&str>,
        payload: &[u8],
    ) -> Result<SignedStatement, StatementError> {
        let claims = Claims {
            iss: self.identity.iss.clone(),
            sub: sub.unwrap_or(self.stream).to_owned(),
            aud: Some(self.identity.origin.clone()),
            iat: self.iat,
            stream: Some(StreamPosition { stream: self.stream.to_owned(), seq: self.next_seq, prev: self.prev }),
            head,
        };
        let header = StatementHeader { content: Content::Plain(content_type_of(kind)), claims };
        let statement = self.credential.sign(&header, payload)?;
        self.next_seq += 1;
        self.prev = statement.sig_structure_digest();
        Ok(statement)
    }
}
