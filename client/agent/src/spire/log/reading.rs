//! The lines in their order: what is in force, and which lines wait for each other.
//!
//! What is given for a line is a function of the lines before it and of what is known; no clock has a part in it, but for a line whose other
//! half never comes and behind which nothing comes either.

use govlog_formats::digest::Digest;
use govlog_formats::record::registration::RegistrationOp;
use govlog_formats::record::signing_key::SigningKeyOp;
use serde::{Deserialize, Serialize};

use super::line::{self, Call, Credential, Seen, Step, What};
use crate::json::RawValue;
use crate::spire::Wrong;
use crate::spire::api::Entry;
use crate::spire::api::changes::{agent_name, entry_name};
use crate::spire::event::{Event, Form, InForce, Told, native_id};
use crate::spire::fields::Fields;
use crate::spire::known::Known;

/// How far a log was read, and what that left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reading {
    in_force: InForce,
    counters: Counters,
    pending: Vec<Pending>,
}

/// What became of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Counters {
    /// All of them.
    pub lines: u64,
    /// Those that tell of nothing that is recorded.
    pub passed_over: u64,
    /// Those that should be events and cannot be read.
    pub unreadable: u64,
    /// Events.
    pub events: u64,
    /// Credentials of which one of two lines never came.
    pub unjoined: u64,
}

/// A line that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pending {
    /// For the line that belongs to it; else for the entry to be found.
    for_other: bool,
    form: u8,
    line: Option<String>,
    signed: Option<String>,
    in_force: InForce,
    /// How many lines had been read with it.
    at_line: u64,
    read_ms: u64,
    /// How often the server had been asked; unknown after a restart.
    #[serde(skip)]
    polls: Option<u64>,
}

impl Reading {
    /// What became of lines so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.pending.is_empty()
    }

    /// Reads a line.
    pub fn line(&mut self, bytes: &[u8], known: &Known, now_ms: u64) -> Vec<Event> {
        self.counters.lines += 1;
        let mut events = Vec::new();
        match line::look(bytes) {
            Seen::Other => self.counters.passed_over += 1,
            Seen::Unreadable(wrong) => events.push(self.unreadable(&wrong, bytes)),
            Seen::Of(raw, what) => {
                if let Err(wrong) = self.take(raw, what, known, now_ms, &mut events) {
                    events.push(self.unreadable(&wrong, bytes));
                }
            }
        }
        events.extend(self.give(known, now_ms, false));
        events
    }

    /// Counts a line that is too long to be read.
    pub fn long(&mut self, digest: Digest, size: u64) -> Event {
        self.counters.lines += 1;
        self.counters.unreadable += 1;
        Event::Long { digest, size }
    }

    /// Gives what need not wait any more, where the log has been read to its end: what was waited for long enough may be there no more.
    pub fn settle(&mut self, known: &Known, now_ms: u64) -> Vec<Event> {
        self.give(known, now_ms, true)
    }

    /// `is_at_end`: before the end no time counts. After an outage a line may have waited long, and what belongs to it be the next to be read.
    fn give(&mut self, known: &Known, now_ms: u64, is_at_end: bool) -> Vec<Event> {
        let mut events = Vec::new();
        let too_many = self.too_many();
        for (number, mut pending) in std::mem::take(&mut self.pending).into_iter().enumerate() {
            // A clock that was set back would hold it for long.
            pending.read_ms = pending.read_ms.min(now_ms);
            let is_late = self.counters.lines.saturating_sub(pending.at_line) >= JOIN_LINES
                || (is_at_end && now_ms - pending.read_ms >= JOIN_MS)
                || number < too_many;
            if pending.for_other && is_late {
                self.counters.unjoined += 1;
                pending.for_other = false;
            }
            let must = number < too_many || now_ms - pending.read_ms >= ENTRY_MS;
            if pending.for_other {
                self.pending.push(pending);
            } else if let Some(pending) = self.given(pending, known, must, &mut events) {
                self.pending.push(pending);
            }
        }
        events
    }

    /// How many of the oldest must not wait any longer, so that the rest can be kept.
    fn too_many(&self) -> usize {
        let size =
            |pending: &Pending| [&pending.line, &pending.signed].into_iter().flatten().map(String::len).sum::<usize>();
        let (mut left, mut bytes) = (0, 0_usize);
        for pending in self.pending.iter().rev() {
            bytes = bytes.saturating_add(size(pending));
            if left == MAX_PENDING || bytes > MAX_PENDING_BYTES {
                break;
            }
            left += 1;
        }
        self.pending.len() - left
    }

    fn unreadable(&mut self, wrong: &Wrong, bytes: &[u8]) -> Event {
        self.counters.unreadable += 1;
        Event::Input { reason: wrong.to_string(), bytes: bytes.to_vec() }
    }

    fn take(
        &mut self,
        raw: &RawValue,
        what: What,
        known: &Known,
        now_ms: u64,
        events: &mut Vec<Event>,
    ) -> Result<(), Wrong> {
        let fields = Fields::parse(raw)?;
        let form = match what {
            What::Version => {
                self.in_force.version = fields.text("version")?;
                self.counters.passed_over += 1;
                return Ok(());
            }
            What::Key(step) => {
                self.enter(step, &fields)?;
                Form::SigningKey
            }
            What::Signed => return self.signed(raw, &fields, known, now_ms, events),
            What::Call(Call::Credential(credential)) => {
                return self.credential(raw, &fields, credential, known, now_ms, events);
            }
            What::Call(Call::Entry(op)) => {
                if op == RegistrationOp::Delete
                    && let Some(id) = fields.text("entry_id")?
                {
                    self.emit(Form::Revocation, raw, known, events);
                    // Who removed it, and when, stands in the revocation.
                    if known.line_tells(&entry_name(&id), time_ms(&fields)) {
                        return Ok(());
                    }
                }
                let mut pending = self.pending(Form::Registration, known, now_ms);
                pending.line = Some(raw.get().to_owned());
                self.put(pending, known, events);
                return Ok(());
            }
            What::Call(Call::Attest) => Form::Attestation,
            What::Call(Call::Agent) => {
                if is_told(&fields, known)? {
                    return Ok(());
                }
                Form::Revocation
            }
            What::Call(Call::Authority(_)) => {
                self.emit(Form::Revocation, raw, known, events);
                Form::SigningKey
            }
            What::Call(Call::Federation(_)) => Form::Federation,
        };
        self.emit(form, raw, known, events);
        Ok(())
    }

    /// Notes that a key signs from now on.
    fn enter(&mut self, step: Step, fields: &Fields<'_>) -> Result<(), Wrong> {
        if step.op == SigningKeyOp::Active {
            let id = fields.text(step.id)?;
            match step.purpose {
                "x509-svid" => self.in_force.x509 = id,
                "jwt-svid" => self.in_force.jwt = id,
                _ => self.in_force.wit = id,
            }
        }
        Ok(())
    }

    /// Takes a line that says what was signed.
    fn signed(
        &mut self,
        raw: &RawValue,
        fields: &Fields<'_>,
        known: &Known,
        now_ms: u64,
        events: &mut Vec<Event>,
    ) -> Result<(), Wrong> {
        let of = Joint::of(fields)?;
        let mut pending = self
            .waiting_for(&of, |waits| waits.signed.is_none())
            .unwrap_or_else(|| self.pending(Form::Issuance, known, now_ms));
        pending.signed = Some(raw.get().to_owned());
        pending.for_other = pending.line.is_none();
        self.put(pending, known, events);
        Ok(())
    }

    /// Takes a line of the audit log about a credential.
    fn credential(
        &mut self,
        raw: &RawValue,
        fields: &Fields<'_>,
        credential: Credential,
        known: &Known,
        now_ms: u64,
        events: &mut Vec<Event>,
    ) -> Result<(), Wrong> {
        let is_issued = fields.text("status")?.as_deref() == Some("success");
        let other = if credential.has_signed && is_issued {
            self.waiting_for(&Joint::of(fields)?, |waits| waits.line.is_none())
        } else {
            None
        };
        let mut pending = other.unwrap_or_else(|| self.pending(Form::Issuance, known, now_ms));
        pending.line = Some(raw.get().to_owned());
        pending.for_other = credential.has_signed && is_issued && pending.signed.is_none();
        self.put(pending, known, events);
        Ok(())
    }

    fn put(&mut self, pending: Pending, known: &Known, events: &mut Vec<Event>) {
        if pending.for_other {
            self.pending.push(pending);
        } else if let Some(pending) = self.given(pending, known, false, events) {
            self.pending.push(pending);
        }
    }

    /// Takes the oldest line out that waits for this one.
    fn waiting_for(&mut self, of: &Joint, lacks: impl Fn(&Pending) -> bool) -> Option<Pending> {
        let is_it = |pending: &Pending| {
            let line = pending.line.as_ref().or(pending.signed.as_ref());
            pending.for_other && lacks(pending) && line.and_then(|line| Joint::read(line)).as_ref() == Some(of)
        };
        let at = self.pending.iter().position(is_it)?;
        Some(self.pending.remove(at))
    }

    fn pending(&self, form: Form, known: &Known, now_ms: u64) -> Pending {
        Pending {
            for_other: false,
            form: u8::from(form == Form::Registration),
            line: None,
            signed: None,
            in_force: self.in_force.clone(),
            at_line: self.counters.lines,
            read_ms: now_ms,
            polls: known.polls(),
        }
    }

    /// Gives the event of lines that are complete, or the lines back where the entry they are about is still to be found.
    fn given(&mut self, mut pending: Pending, known: &Known, must: bool, events: &mut Vec<Event>) -> Option<Pending> {
        let about = About::of(&pending, known);
        let polls = known.polls();
        pending.polls = pending.polls.or(polls);
        // What was being asked when the line was read may have been answered before it: what is asked behind that is not.
        let is_over = polls.zip(pending.polls).is_none_or(|(now, then)| now >= then + 2);
        if about.is_wanting && !is_over && !must {
            return Some(pending);
        }
        let form = if pending.form == 1 { Form::Registration } else { Form::Issuance };
        let (line, signed) = (parsed(pending.line.as_ref()), parsed(pending.signed.as_ref()));
        let told = Told {
            line,
            signed,
            state: pending.in_force.clone(),
            entry: about.entry,
            entry_id: about.entry_id,
            subject: about.subject,
        };
        self.write(form, &told, known, events);
        None
    }

    fn emit(&mut self, form: Form, raw: &RawValue, known: &Known, events: &mut Vec<Event>) {
        // What cannot be read is about no entry; why it cannot is said where its record is made.
        let fields = Fields::parse(raw).ok();
        let entry_id = fields.and_then(|fields| fields.text("entry_id").ok()).flatten();
        // Of what has an end, what it was at its end.
        let entry = entry_id.filter(|_| form == Form::Revocation).and_then(|id| known.latest(&id));
        let subject = entry.as_ref().map(|entry| entry.subject.clone());
        let told = Told { line: Some(raw), state: self.in_force.clone(), subject, entry, ..Told::default() };
        self.write(form, &told, known, events);
    }

    fn write(&mut self, form: Form, told: &Told<'_>, known: &Known, events: &mut Vec<Event>) {
        let Some(main) = told.line.or(told.signed) else { return };
        let fields = Fields::parse(main);
        let request = fields.as_ref().ok().and_then(|fields| fields.text("request_id").ok()).flatten();
        let native_id = native_id(request.as_deref(), main.get(), form);
        // Only what was learned from the lines is older than they are; what is asked for now need not be what was in force then.
        let x509 = told.state.x509.clone().or_else(|| {
            let at_ms = fields.ok()?.time_ms("time").ok()??;
            known.x509_at(at_ms)
        });
        let told = Told { state: InForce { x509, ..told.state.clone() }, ..told.clone() };
        // Lines that were read are written again: there is nothing in them that could not be.
        let bytes = serde_json::to_vec(&told).unwrap_or_default();
        self.counters.events += 1;
        events.push(Event::Formed { form, native_id, semantic: Digest::sha256(main.get().as_bytes()), bytes });
    }
}

/// Whether a line tells of a ban that was found before the line was read.
fn is_told(fields: &Fields<'_>, known: &Known) -> Result<bool, Wrong> {
    if fields.text("method")?.as_deref() != Some(line::BAN) {
        return Ok(false);
    }
    let id = fields.text("spiffe_id")?;
    Ok(id.is_some_and(|id| known.line_tells(&agent_name(&id), time_ms(fields))))
}

/// When a line was written; of one that does not say so no record can be made either.
fn time_ms(fields: &Fields<'_>) -> Option<u64> {
    fields.time_ms("time").ok().flatten()
}

/// Reads a line that waited.
fn parsed(line: Option<&String>) -> Option<&RawValue> {
    serde_json::from_str(line?).ok()
}

/// By what lines belong together.
#[derive(PartialEq, Eq)]
struct Joint {
    request: Option<String>,
    method: Option<String>,
    subject: Option<String>,
}

impl Joint {
    fn of(fields: &Fields<'_>) -> Result<Self, Wrong> {
        Ok(Self {
            request: fields.text("request_id")?,
            method: fields.text("method")?,
            subject: fields.text("spiffe_id")?,
        })
    }

    fn read(line: &str) -> Option<Self> {
        Self::of(&Fields::parse(serde_json::from_str(line).ok()?).ok()?).ok()
    }
}

/// What is known of the entry that lines are about.
#[derive(Default)]
struct About {
    entry: Option<Entry>,
    entry_id: Option<String>,
    subject: Option<String>,
    /// Whether there should be more to know.
    is_wanting: bool,
}

impl About {
    fn of(pending: &Pending, known: &Known) -> Self {
        let (line, signed) = (parsed(pending.line.as_ref()), parsed(pending.signed.as_ref()));
        let found =
            if pending.form == 1 { Self::of_entry(line, known) } else { Self::of_credential(line, signed, known) };
        found.unwrap_or_default()
    }

    fn of_entry(line: Option<&RawValue>, known: &Known) -> Option<Self> {
        let fields = Fields::parse(line?).ok()?;
        let text = |name| fields.text(name).ok().flatten();
        if let Some(id) = text("entry_id") {
            return Some(Self { subject: known.subject(&id), ..Self::default() });
        }
        let at_ms = fields.time_ms("time").ok()??;
        let made = known.made(&text("spiffe_id")?, &text("parent_id")?, &text("selectors")?, at_ms);
        Some(match made {
            // As it was made; of one that was changed since only the id is the same.
            Some(entry) if entry.revision == 0 => Self { entry: Some(entry), ..Self::default() },
            Some(entry) => Self { entry_id: Some(entry.id), ..Self::default() },
            None => Self { is_wanting: true, ..Self::default() },
        })
    }

    fn of_credential(line: Option<&RawValue>, signed: Option<&RawValue>, known: &Known) -> Option<Self> {
        let read = |raw: Option<&RawValue>| {
            raw.and_then(|raw| {
                Fields::parse(raw).ok().map(|fields| {
                    (
                        fields.text("entry_id").ok().flatten(),
                        fields.uint("revision_number").ok().flatten(),
                        fields.text("status").ok().flatten(),
                    )
                })
            })
        };
        let (line, signed) = (read(line), read(signed));
        let status = line.as_ref().and_then(|(.., status)| status.clone());
        let id = line.and_then(|(id, ..)| id).or(signed.as_ref().and_then(|(id, ..)| id.clone()))?;
        let revision = signed.and_then(|(_, revision, _)| revision);
        let entry = match revision {
            Some(revision) => known.entry(&id, revision),
            None => known.only(&id),
        };
        let subject = known.subject(&id);
        let is_issued = status.is_none_or(|status| status == "success");
        Some(Self { is_wanting: entry.is_none() && revision.is_some() && is_issued, entry, entry_id: None, subject })
    }
}

/// How many lines behind a line its other half may come: they are microseconds apart, and other calls come between.
const JOIN_LINES: u64 = 1_000;
/// How long the other half is waited for where nothing else comes.
const JOIN_MS: u64 = 30_000;
/// How long an entry is waited for where the server does not answer.
const ENTRY_MS: u64 = 60_000;
/// How many lines may wait, and how many bytes of them: they are written with each step.
const MAX_PENDING: usize = 1_024;
const MAX_PENDING_BYTES: usize = 1 << 20;
