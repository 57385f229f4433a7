//! `approval`: somebody approved or rejected a statement, a record or an operation.

use ciborium::Value;
use govlog_formats::digest::Digest;
use govlog_formats::record::approval::{ApprovalDecision, ApprovalType, Approved};
use govlog_formats::record::{Handle, Record, view};

use super::sheet::{BuildError, Built, Seals, Sheet};
use crate::resolve::{Entry, Found, What};
use crate::time;

/// What a person says of what they approve.
#[derive(Clone, Debug)]
pub struct ApprovalFacts {
    /// What kind of thing is to be approved.
    pub approval_type: ApprovalType,
    /// What was decided.
    pub decision: ApprovalDecision,
    /// Who decides: a pseudonym; without one the issuer, whose key signs.
    pub approver: Option<String>,
    /// The signing key's `spki_s256`, by which the approver is known.
    pub key: Digest,
    /// Who signs: the statement's `iss`.
    pub iss: String,
    /// How the approver answers.
    pub method: String,
    /// Why, from a list of the organisation.
    pub reason_code: Option<String>,
    /// Why, in words: sealed.
    pub reason: Option<String>,
    /// Until when it may be relied upon: POSIX milliseconds.
    pub expires_ms: Option<u64>,
    /// Joins a request, its answers and what is decided again.
    pub thread: Option<String>,
    /// What the approver saw, where it was not the text that this command shows.
    pub shown: Option<Vec<u8>>,
    /// The subject, where it is not that of what is approved.
    pub sub: Option<String>,
}

/// What is approved.
#[derive(Clone, Debug)]
pub enum Target {
    /// Something that was found.
    Found(Found),
    /// A record that nobody has signed yet.
    Record {
        /// What it was called.
        name: String,
        /// Its kind.
        kind: String,
        /// Its payload.
        payload: Vec<u8>,
    },
}

/// Builds an `approval` record.
///
/// `shown_digest` is SHA-256 of what the approver saw: of the file they name, else of [`Built::shown`], the text that describes what is
/// approved. It is never of the approval itself, which holds it. Anybody who has the thing approved can write that text again and compare.
///
/// # Errors
///
/// As said in [`BuildError`]; what is named is nothing that can be approved.
pub fn approval(
    target: &Target,
    facts: &ApprovalFacts,
    now_s: u64,
    seals: &mut Seals<'_>,
) -> Result<Built, BuildError> {
    let approved = approved(target, facts.approval_type)?;
    let mut sheet = Sheet::new("approval", now_s, seals);
    sheet.put(&["type"], facts.approval_type.as_str())?;
    sheet.put(&["approved"], approved.to_value())?;
    sheet.put(&["decision"], facts.decision.as_str())?;
    sheet.person(&["approver"], facts.approver.as_deref().unwrap_or(&facts.iss))?;
    sheet.put(&["credential", "handle"], Handle::of_digest("spki_s256", &facts.key).to_value())?;
    sheet.put(&["method"], facts.method.as_str())?;
    sheet.put_some(&["reason_code"], facts.reason_code.as_deref())?;
    if let Some(reason) = &facts.reason {
        sheet.guessable(&["reason"], reason.as_str())?;
    }
    let shown = shown(target);
    let seen = facts.shown.as_deref().or(shown.as_ref().map(String::as_bytes));
    match seen {
        Some(seen) => sheet.put(&["shown_digest"], Value::Bytes(Digest::sha256(seen).as_bytes().to_vec()))?,
        None => sheet.warnings.push(
            "only a digest of the operation is at hand, so what you saw is not recorded; name it with --shown FILE"
                .to_owned(),
        ),
    }
    sheet.shown = shown;
    sheet.time("expires_ms", facts.expires_ms)?;
    sheet.put_some(&["thread"], facts.thread.as_deref())?;
    let note = match (approved, facts.approval_type) {
        (Approved::OpDigest(_), _) => Some(
            "an operation can often be guessed from its digest; --seal approved hides it from whoever has no opening",
        ),
        (_, ApprovalType::Operation) => Some(
            "this approves the statement or record and not the operation in it: it holds no op_digest, or a sealed one; name op_digest:… for that",
        ),
        _ => None,
    };
    sheet.warnings.extend(note.map(str::to_owned));
    if facts.expires_ms.is_none() && facts.decision == ApprovalDecision::Approve {
        sheet.warnings.push("this approval never expires; --expires 8h would end it".to_owned());
    }
    let subject = match target {
        Target::Found(found) => {
            sheet.link("about", found);
            found.subject()
        }
        Target::Record { kind, payload, .. } => {
            Record::parse(kind, payload).ok().and_then(|record| govlog_formats::record::default_subject(&record))
        }
    };
    sheet.finish(facts.sub.as_deref(), subject)
}

/// The digest that stands for what is approved, by what it is.
fn approved(target: &Target, approval_type: ApprovalType) -> Result<Approved, BuildError> {
    let found = match target {
        Target::Record { payload, .. } => return Ok(Approved::Payload(Digest::sha256(payload))),
        Target::Found(found) => found,
    };
    let unfit = |why: &str| BuildError::Unfit { name: found.name.clone(), why: why.to_owned() };
    match &found.what {
        What::Entry(entry) if entry.statement.kind() == "admission-policy" && entry.id().is_none() => Err(unfit(
            "that is a change of the admission policy; its approval counts towards the operators' threshold: govlog admission approve",
        )),
        What::Entry(entry) => {
            // An operation that was asked for in a decision is the operation, not the decision.
            let operation = entry.record().filter(|_| approval_type == ApprovalType::Operation);
            let op_digest = operation.and_then(|record| record.body()?.digest(&["op_digest"]).present());
            Ok(op_digest
                .map_or_else(|| Approved::SigStructure(entry.statement.sig_structure_digest()), Approved::OpDigest))
        }
        What::Handle(handle) if handle.name == "op_digest" => {
            handle.digest().map(Approved::OpDigest).ok_or_else(|| unfit("an op_digest is a digest of 32 bytes"))
        }
        What::Handle(handle) if handle.name == "policy_digest" => {
            Err(unfit("a policy is approved by its entry, or by the record that is to be logged (FILE --kind policy)"))
        }
        _ => Err(unfit("what is approved is an entry, a record (FILE --kind KIND) or an operation (op_digest:…)")),
    }
}

/// Describes what is approved: what the approver reads, and what `shown_digest` is over. `None`: there is nothing but a digest.
fn shown(target: &Target) -> Option<String> {
    let (head, kind, payload) = match target {
        Target::Found(found) => {
            let entry = found.entry()?;
            (statement_head(entry), entry.statement.kind(), entry.statement.payload())
        }
        Target::Record { kind, payload, .. } => {
            (format!("record     SHA-256 {}\n", Digest::sha256(payload)), kind.as_str(), payload.as_slice())
        }
    };
    let view = view::to_json(kind, payload).ok();
    let body =
        view.map_or_else(|| format!("payload    SHA-256 {}", Digest::sha256(payload)), |view| format!("{view:#}"));
    Some(escaped(&format!("govlog shown v1\n{head}kind       {kind}\n{body}\n")))
}

/// Writes what a terminal would hide or obey, such as text that runs backwards, as escapes: what is read is what is there. Its digest is signed, so
/// that these are its format's, and not what [`govlog_formats::visible`] may become.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | ' '..='~' => out.push(c),
            c => out.extend(c.escape_debug()),
        }
    }
    out
}

fn statement_head(entry: &Entry) -> String {
    let claims = entry.statement.claims();
    let signed = u64::try_from(claims.iat).map_or_else(|_| "before 1970".to_owned(), time::utc);
    format!(
        "statement  {}\nissuer     {}\nsubject    {}\nsigned     {signed}, as claimed\n",
        entry.statement.sig_structure_digest(),
        claims.iss.escape_debug(),
        claims.sub.escape_debug()
    )
}
