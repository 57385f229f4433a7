//! One member of a `decision-batch`, by the batch's verified entry and a member proof.

use govlog_formats::admission::{IssuerRow, subject_matches};
use govlog_formats::digest::Digest;
use govlog_formats::member::{MemberError, MemberProof};
use govlog_formats::merkle::TreeSize;
use govlog_formats::record::{Record, default_subject, short_kind};
use govlog_formats::visible::visible;
use serde_json::{Value, json};

use super::entry::VerifiedEntry;
use super::outcome::{Failure, Outcome};
use super::{said, verdict};
use crate::trust::Trust;

/// A decision that is a member of a batch you verified, in the place its proof names.
#[derive(Clone, Debug)]
pub struct VerifiedMember {
    batch: VerifiedEntry,
    proof: MemberProof,
    record: Record,
}

/// The verdict on a member proof.
#[derive(Clone, Debug)]
pub struct MemberVerdict {
    /// The file's name, as the caller gave it.
    pub name: String,
    /// The member, or why there is none.
    pub result: Result<VerifiedMember, Failure>,
    /// What was not checked, each with how it could be.
    pub not_checked: Vec<String>,
}

impl VerifiedMember {
    /// The entry of its batch.
    #[must_use]
    pub fn batch(&self) -> &VerifiedEntry {
        &self.batch
    }

    /// Its record, a decision.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Its leaf hash in the batch's tree.
    #[must_use]
    pub fn leaf(&self) -> Digest {
        self.proof.leaf()
    }

    /// The batch's id and the place in it, as `1.5#17`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}#{}", self.batch.id(), self.proof.index)
    }
}

/// Judges a member proof (`.member`) offline; `batches` are verified entries, among them that of its batch.
#[must_use]
pub fn member(name: &str, bytes: &[u8], batches: &[&VerifiedEntry]) -> MemberVerdict {
    let result = judge(bytes, batches);
    let mut not_checked = Vec::new();
    if result.is_ok() {
        not_checked.extend(verdict::NEVER_CHECKED.map(str::to_owned));
        not_checked.push(
            "whether the batch's other members are as it counts them: govlog batch check does, with its opening store"
                .to_owned(),
        );
    }
    MemberVerdict { name: name.to_owned(), result, not_checked }
}

fn judge(bytes: &[u8], batches: &[&VerifiedEntry]) -> Result<VerifiedMember, Failure> {
    let refuted = |error: MemberError| Failure::refuted(error.to_string());
    let proof = MemberProof::parse(bytes).map_err(refuted)?;
    let batch = batches.iter().find(|entry| entry.statement().leaf_hash() == proof.batch).ok_or_else(|| {
        Failure::unknown(format!(
            "its batch, the entry with leaf hash {}, is not among the verified files: give its .cose too (govlog get)",
            proof.batch
        ))
    })?;
    let record = judge_member(batch, &proof)?;
    Ok(VerifiedMember { batch: (*batch).clone(), proof, record })
}

/// Judges a member by its batch's verified entry: under its root, and nothing that its issuer could not have logged. Gives its record.
pub(crate) fn judge_member(batch: &VerifiedEntry, proof: &MemberProof) -> Result<Record, Failure> {
    let (count, root) = tree_of(batch)?;
    let decision = proof.verify(&batch.statement().leaf_hash(), count, &root);
    let record = Record::Decision(decision.map_err(|error| Failure::refuted(error.to_string()))?);
    may_speak_of(batch, &record)?;
    Ok(record)
}

/// The size and the root of the tree over a batch's members, as its issuer signed them.
fn tree_of(batch: &VerifiedEntry) -> Result<(TreeSize, Digest), Failure> {
    let Some(Record::DecisionBatch(record)) = batch.record() else {
        let (id, kind) = (batch.id(), batch.statement().kind());
        return Err(Failure::refuted(format!("entry {id}, of kind {kind}, is no decision-batch, and has no members")));
    };
    match (record.count().present(), record.root().present()) {
        (Some(count), Some(root)) => Ok((TreeSize::new(count), root)),
        _ => Err(Failure::unknown(format!("the batch {} has its count or its root sealed", batch.id()))),
    }
}

/// A decision that its issuer could not have logged by itself is none that it can log in a batch: its row must let it submit decisions, and speak
/// about this one's subject.
pub(super) fn may_speak_of(batch: &VerifiedEntry, record: &Record) -> Result<(), Failure> {
    let may_not = |what: String| {
        let (iss, change) = (visible(&batch.statement().claims().iss), batch.as_of_change());
        Failure::unknown(format!(
            "{iss} may not {what} (admission policy as of change {change}); a later change may say otherwise: run govlog trust update"
        ))
    };
    let decides = |row: &&IssuerRow| row.kinds.iter().any(|kind| short_kind(kind) == "decision");
    let row = batch.row().filter(decides);
    let row = row.ok_or_else(|| may_not("submit decisions, and so none in a batch".to_owned()))?;
    let is_allowed = |subject: &str| row.subjects.iter().any(|pattern| subject_matches(pattern, subject));
    match default_subject(record) {
        Some(subject) if is_allowed(&subject) => Ok(()),
        Some(subject) => Err(may_not(format!("speak about {}", visible(&subject)))),
        None => Err(Failure::unknown("whether its issuer may speak about its subject: that is sealed")),
    }
}

impl MemberVerdict {
    /// How the check ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.result.as_ref().map_or_else(|failure| failure.outcome, |_| Outcome::Verified)
    }

    /// Asks that the checkpoint over its batch be no older than `max_age_s` by the reader's clock.
    pub fn require_age(&mut self, max_age_s: u64, now_s: u64) {
        let at = self.result.as_ref().ok().map(|member| member.batch().included().checkpoint_time_s);
        let too_old = at.and_then(|at| verdict::too_old(at, max_age_s, now_s));
        if let Some(failure) = too_old {
            self.result = Err(failure);
        }
    }

    /// Writes the verdict for people; `now_s` is the reader's clock.
    #[must_use]
    pub fn text(&self, trust: &Trust, now_s: u64) -> String {
        verdict::framed_text(self.outcome(), &self.name, &self.result, &self.not_checked, |text, member| {
            lines(text, member, trust, now_s);
        })
    }

    /// Writes the verdict for programs; `now_s` is the reader's clock.
    #[must_use]
    pub fn json(&self, trust: &Trust, now_s: u64) -> Value {
        verdict::framed_json(self.outcome(), &self.name, &self.result, &self.not_checked, |member| {
            member_json(member, trust, now_s)
        })
    }
}

fn lines(text: &mut String, member: &VerifiedMember, trust: &Trust, now_s: u64) {
    let (batch, proof) = (member.batch(), &member.proof);
    let what = format!("{} of {} in the decision-batch {} of {}", proof.index, proof.size, batch.id(), trust.origin());
    verdict::line(text, "member", &what);
    verdict::line(text, "issuer", &format!("{}, signature of the batch verified", batch.statement().claims().iss));
    if let Some(subject) = default_subject(member.record()) {
        verdict::line(text, "subject", &subject);
    }
    for (label, value) in said::lines(member.record()) {
        verdict::line(text, label, &value);
    }
    verdict::line(
        text,
        "in the batch",
        &format!("leaf {} under the batch's root, {} hashes", member.leaf(), proof.path.len()),
    );
    verdict::place_lines(text, batch, trust, now_s);
}

fn member_json(member: &VerifiedMember, trust: &Trust, now_s: u64) -> Value {
    let mut document = verdict::place_json(member.batch(), trust, now_s);
    let claims = member.batch().statement().claims();
    let own = json!({
        "id": member.id(),
        "kind": "decision",
        "iss": claims.iss,
        "iat": claims.iat,
        "sub": default_subject(member.record()),
        "leaf": member.leaf().to_string(),
        "batch": {
            "id": member.batch().id().to_string(),
            "leaf": member.proof.batch.to_string(),
            "member": member.proof.index.get(),
            "count": member.proof.size.get(),
        },
    });
    if let (Some(document), Value::Object(own)) = (document.as_object_mut(), own) {
        document.extend(own);
        document.extend(said::json(member.record()));
    }
    document
}
