//! One submitter's session with one log: its place in the stream, what it signs, and what it has to keep until that is settled.

use govlog_formats::base64;
use govlog_formats::cose::SigningKey;
use govlog_formats::digest::Digest;
use govlog_formats::statement::{
    Claims, Content, SignedStatement, StatementError, StatementHeader, StreamPosition, UnsignedStatement,
    content_type_of,
};

use super::check::{Judge, Unproved};
use super::draft::Draft;
use super::place::{Own, PlaceError, place};
use super::send::{Answer, SendError, Wait, send};
use super::state::{StateError, Stream, StreamFile};
use crate::source::Http;
use crate::trust::Trust;

/// Who submits, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The log's origin: what the statements are signed for.
    pub origin: String,
    /// The issuer.
    pub iss: String,
}

/// A submitter at work.
#[derive(Debug)]
pub struct Session<'a> {
    http: &'a Http,
    key: &'a SigningKey,
    trust: Option<&'a Trust>,
    target: Target,
    file: StreamFile,
}

/// A statement that was sent, and what the log says of it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The signed statement.
    pub statement: SignedStatement,
    /// What the log says; `None` when it was held back after a refusal in its stream.
    pub answer: Option<Answer>,
    /// Whether the proof in the answer holds; `None` without one.
    pub proof: Option<Result<(), Unproved>>,
}

/// What sending came to.
#[derive(Debug)]
pub struct Done {
    /// Each statement that was sent, older pending ones first.
    pub sent: Vec<Sent>,
    /// How many of them were left over from an earlier run.
    pub resent: usize,
}

/// Statements as they will be signed, to be shown to whoever signs them.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The stream as it stood; `None` for statements outside any.
    stream: Option<Stream>,
    pending: Vec<SignedStatement>,
    statements: Vec<UnsignedStatement>,
}

/// Statements that were signed, and neither remembered nor sent.
#[derive(Clone, Debug)]
pub struct Signed {
    stream: Option<Stream>,
    pending: Vec<SignedStatement>,
    statements: Vec<SignedStatement>,
}

impl Prepared {
    /// What will be signed, in order.
    #[must_use]
    pub fn statements(&self) -> &[UnsignedStatement] {
        &self.statements
    }

    /// How many statements of an earlier run are sent before these.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Signs exactly what was shown.
    ///
    /// # Errors
    ///
    /// With its signature a statement is too large.
    pub fn sign(self, key: &SigningKey) -> Result<Signed, SubmitError> {
        let statements = self.statements.iter().map(|statement| statement.sign(key)).collect::<Result<_, _>>()?;
        Ok(Signed { stream: self.stream, pending: self.pending, statements })
    }
}

impl Signed {
    /// What was signed, in order.
    #[must_use]
    pub fn statements(&self) -> &[SignedStatement] {
        &self.statements
    }
}

/// Why nothing, or nothing more, could be submitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The submitter's own state cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A statement cannot be signed.
    #[error("signing: {0}")]
    Statement(#[from] StatementError),
    /// The log could not be reached. What was signed is kept and sent again by the next run.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The log's word on a stream cannot be had or does not hold.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Another run took the stream's place while this one was being read and agreed to.
    #[error("stream {0} went on meanwhile, with another run of the same key; nothing was sent: run again")]
    Moved(String),
    /// The system gives no randomness.
    #[error("the system gives no randomness: {0}")]
    Random(getrandom::Error),
}

impl<'a> Session<'a> {
    /// Begins a session. With `trust` every proof is judged by it; without, only its structure is checked.
    #[must_use]
    pub fn new(
        http: &'a Http,
        key: &'a SigningKey,
        trust: Option<&'a Trust>,
        target: Target,
        file: StreamFile,
    ) -> Self {
        Self { http, key, trust, target, file }
    }

    /// Signs drafts outside any stream and sends them: no completeness is claimed, and nothing is remembered.
    ///
    /// # Errors
    ///
    /// A draft cannot be signed, or the log cannot be reached.
    pub fn submit_unordered(&mut self, drafts: &[Draft], iat: i64, wait: Wait) -> Result<Done, SubmitError> {
        let signed = self.prepare_unordered(drafts, iat)?.sign(self.key)?;
        self.send(signed, wait)
    }

    /// Signs drafts as the next statements of a stream and sends them, after what an earlier run left unsettled.
    ///
    /// `name`: the stream; without one, this issuer's default stream, made on first use.
    ///
    /// # Errors
    ///
    /// As said in [`SubmitError`]. Whatever was signed is durable before it is sent, and is sent again by the next run.
    pub fn submit(&mut self, name: Option<&str>, drafts: &[Draft], iat: i64, wait: Wait) -> Result<Done, SubmitError> {
        let signed = self.prepare(name, drafts, iat)?.sign(self.key)?;
        self.send(signed, wait)
    }

    /// Writes drafts as statements outside any stream, unsigned.
    ///
    /// # Errors
    ///
    /// A draft breaks a rule of statements.
    pub fn prepare_unordered(&self, drafts: &[Draft], iat: i64) -> Result<Prepared, SubmitError> {
        let statements = drafts.iter().map(|draft| self.write(draft, iat, None)).collect::<Result<_, _>>()?;
        Ok(Prepared { stream: None, pending: Vec::new(), statements })
    }

    /// Writes drafts as the next statements of a stream, unsigned: nothing is remembered or sent yet.
    ///
    /// # Errors
    ///
    /// The stream's place cannot be had, or a draft breaks a rule of statements.
    pub fn prepare(&self, name: Option<&str>, drafts: &[Draft], iat: i64) -> Result<Prepared, SubmitError> {
        let stream = self.stream(name)?;
        let pending = self.pending(&stream)?;
        let (mut seq, mut prev) = (stream.next_seq, prev(&stream));
        let mut statements = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let statement =
                self.write(draft, iat, Some(StreamPosition { stream: stream.stream.clone(), seq, prev }))?;
            (seq, prev) = (seq + 1, statement.sig_structure_digest());
            statements.push(statement);
        }
        Ok(Prepared { stream: Some(stream), pending, statements })
    }

    /// Remembers what was signed, sends it after what an earlier run left unsettled, and forgets what is settled by the answers.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Moved`] when the stream went on since it was prepared; nothing was sent then. Else the log cannot be reached, or the
    /// file cannot be written; what was signed is sent again by the next run.
    pub fn send(&mut self, signed: Signed, wait: Wait) -> Result<Done, SubmitError> {
        let Signed { stream, mut pending, statements } = signed;
        let Some(stream) = stream else {
            return Ok(Done { sent: self.send_all(statements, wait)?, resent: 0 });
        };
        self.file.reload()?;
        let name = (!stream.default).then_some(stream.stream.as_str());
        if self.file.find(&stream.origin, &stream.iss, name).is_some_and(|now| *now != stream) {
            return Err(SubmitError::Moved(stream.stream));
        }
        let stream = with_signed(stream, &statements);
        // A crash after this leaves signed statements that were perhaps sent: the next run sends the same bytes again.
        self.file.put(stream.clone())?;
        let resent = pending.len();
        pending.extend(statements);
        let sent = self.send_all(pending, wait)?;
        self.settle(stream, &sent)?;
        Ok(Done { sent, resent })
    }

    fn write(
        &self,
        draft: &Draft,
        iat: i64,
        position: Option<StreamPosition>,
    ) -> Result<UnsignedStatement, StatementError> {
        let header = StatementHeader {
            content: Content::Plain(content_type_of(&draft.kind)),
            claims: Claims {
                iss: self.target.iss.clone(),
                sub: draft.sub.clone(),
                aud: Some(self.target.origin.clone()),
                iat,
                stream: position,
                head: None,
            },
        };
        UnsignedStatement::new(&header, &draft.payload, self.key)
    }

    fn send_all(&self, statements: Vec<SignedStatement>, wait: Wait) -> Result<Vec<Sent>, SubmitError> {
        let bytes: Vec<Vec<u8>> = statements.iter().map(|statement| statement.entry().to_vec()).collect();
        let mut answers = send(self.http, &bytes, wait)?.into_iter();
        let mut judge = Judge::new(self.trust);
        let judged = |statement: SignedStatement| {
            let answer = answers.next();
            let proof = answer.as_ref().and_then(|answer| judge.judge(&statement, answer, wait));
            Sent { statement, answer, proof }
        };
        Ok(statements.into_iter().map(judged).collect())
    }

    /// Forgets what is settled, and gives back the places of what the log will never take as it is.
    fn settle(&mut self, mut stream: Stream, sent: &[Sent]) -> Result<(), SubmitError> {
        let refused =
            sent.iter().position(|sent| sent.answer.as_ref().is_some_and(|answer| is_definite(answer.status)));
        if let Some(position) =
            refused.and_then(|at| sent.get(at)).and_then(|sent| sent.statement.claims().stream.as_ref())
        {
            // The stream stands where it stood before the refused statement: whatever was signed after it names it.
            stream.next_seq = position.seq;
            stream.prev = position.prev.to_string();
        }
        let kept = sent.iter().take(refused.unwrap_or(sent.len())).filter(|sent| !is_settled(sent));
        stream.pending = kept.map(|sent| base64::encode_url(sent.statement.entry())).collect();
        Ok(self.file.put(stream)?)
    }

    fn pending(&self, stream: &Stream) -> Result<Vec<SignedStatement>, SubmitError> {
        let damaged = |why: String| PlaceError::Wrong { stream: stream.stream.clone(), why };
        let read = |text: &String| {
            let bytes = base64::decode_url(text).map_err(|error| damaged(error.to_string()))?;
            SignedStatement::parse(&bytes).map_err(|error| damaged(format!("a pending statement: {error}")))
        };
        Ok(stream.pending.iter().map(read).collect::<Result<_, _>>()?)
    }

    /// The stream from the file beside the key; else from what the log shows, checked; else a new one.
    fn stream(&self, name: Option<&str>) -> Result<Stream, SubmitError> {
        if let Some(stream) = self.file.find(&self.target.origin, &self.target.iss, name) {
            return Ok(stream.clone());
        }
        let (stream, default) = match name {
            Some(name) => (name.to_owned(), false),
            None => (new_name()?, true),
        };
        let (next_seq, prev) = if default {
            (0, Digest::ZERO)
        } else {
            let place = place(self.http, &self.target.iss, &stream, Own::from(&self.key.public()))?;
            (place.next_seq, place.prev)
        };
        let (origin, iss) = (self.target.origin.clone(), self.target.iss.clone());
        Ok(Stream { origin, iss, stream, next_seq, prev: prev.to_string(), pending: Vec::new(), default })
    }
}

/// The stream after these statements, which it keeps until they are settled.
fn with_signed(mut stream: Stream, statements: &[SignedStatement]) -> Stream {
    for statement in statements {
        stream.next_seq += 1;
        stream.prev = statement.sig_structure_digest().to_string();
        stream.pending.push(base64::encode_url(statement.entry()));
    }
    stream
}

/// Refused for good: these bytes will never be taken as they are, or not in this place.
fn is_definite(status: u16) -> bool {
    matches!(status, 400 | 403 | 409 | 413)
}

/// Logged, with a proof in hand that holds.
fn is_settled(sent: &Sent) -> bool {
    matches!(sent.proof, Some(Ok(())))
}

fn prev(stream: &Stream) -> Digest {
    // The file was checked when it was read, and is only written with digests.
    stream.prev.parse().unwrap_or(Digest::ZERO)
}

fn new_name() -> Result<String, SubmitError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(SubmitError::Random)?;
    Ok(format!("cli-{}", random.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}
