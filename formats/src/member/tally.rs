//! What a batch says of its members all together, and whether that is so.

use std::collections::{BTreeMap, BTreeSet};

use super::{MemberError, decision, tree};
use crate::cbor::{Value, to_deterministic};
use crate::digest::Digest;
use crate::record::body::as_u64;
use crate::record::{Body, Decision, Recorded};

/// Members counted by result, policies and subject, and the times that they lie between.
///
/// Who makes a batch and who checks one count alike: with this.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// How many of each, by what they have in common: its deterministic CBOR.
    counts: BTreeMap<Vec<u8>, Row>,
    count: u64,
    from_ms: Option<u64>,
    to_ms: Option<u64>,
}

/// What some members have in common, and how many they are.
type Row = (Vec<(Value, Value)>, u64);

/// What a batch says of its members and is not so.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TallyError {
    /// A member is no decision.
    #[error("member {index}: {cause}")]
    Member {
        /// Its place.
        index: usize,
        /// Why not.
        cause: MemberError,
    },
    /// The batch has no count or no root.
    #[error("the batch has no {0} in clear, so nothing can be a member of it")]
    NoTree(&'static str),
    /// There are more or fewer members than it counts.
    #[error("it counts {said} members; these are {found}")]
    Count {
        /// As it says.
        said: u64,
        /// As they are.
        found: u64,
    },
    /// They are others, or in another order.
    #[error("the root over these members is {found}, the batch's is {said}")]
    Root {
        /// As it says.
        said: Digest,
        /// As they are.
        found: Digest,
    },
    /// A time is another than that of its first or its last member.
    #[error("its {field} is {said}; of its members it is {found}")]
    Time {
        /// `from_ms` or `to_ms`.
        field: &'static str,
        /// As it says.
        said: u64,
        /// As they are.
        found: u64,
    },
    /// A decision point or an enforcement point is another than a member's.
    #[error("its {0} is another than a member's")]
    Party(&'static str),
    /// A row of its counts is not what its members are.
    #[error("its counts say {said} of {what}; of its members {found} are")]
    Row {
        /// What those have in common.
        what: String,
        /// As it says.
        said: u64,
        /// As they are.
        found: u64,
    },
}

impl Tally {
    /// Counts a member.
    pub fn add(&mut self, member: &Decision) {
        let common = common(member.body());
        let row = self.counts.entry(to_deterministic(&Value::Map(common.clone()))).or_insert((common, 0));
        row.1 += 1;
        self.count += 1;
        if let Some(at) = member.body().event_ms().present() {
            self.from_ms = Some(self.from_ms.map_or(at, |from| from.min(at)));
            self.to_ms = Some(self.to_ms.map_or(at, |to| to.max(at)));
        }
    }

    /// Says by how many bytes another member's row would make the counts longer; 0: others have the same in common already.
    #[must_use]
    pub fn grows_by(&self, member: &Decision) -> usize {
        let row = to_deterministic(&Value::Map(common(member.body())));
        // The count's key and its value come on top.
        if self.counts.contains_key(&row) { 0 } else { row.len() + 16 }
    }

    /// How many members were counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The least and the greatest `event_ms` among them.
    #[must_use]
    pub const fn time_ms(&self) -> (Option<u64>, Option<u64>) {
        (self.from_ms, self.to_ms)
    }

    /// Gives the field `counts`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let row = |(common, count): &Row| {
            let mut row = common.clone();
            row.push(("count".into(), (*count).into()));
            Value::Map(row)
        };
        Value::Array(self.counts.values().map(row).collect())
    }
}

/// Checks what a `decision-batch` says of its members against all of them, in their order.
///
/// Gives the fields that could not be checked, since the batch seals or leaves them out.
///
/// # Errors
///
/// [`TallyError`]: what it says is not so. Its issuer signed that.
pub fn check<R: AsRef<[u8]>>(batch: &Body, members: &[R]) -> Result<Vec<&'static str>, TallyError> {
    let said = batch.uint(&["count"]).present().ok_or(TallyError::NoTree("count"))?;
    let root = batch.digest(&["root"]).present().ok_or(TallyError::NoTree("root"))?;
    let found = u64::try_from(members.len()).unwrap_or(u64::MAX);
    if said != found {
        return Err(TallyError::Count { said, found });
    }
    let found = tree(members.iter().map(AsRef::as_ref)).root();
    if root != found {
        return Err(TallyError::Root { said: root, found });
    }
    let mut tally = Tally::default();
    let mut unchecked = BTreeSet::new();
    for (index, member) in members.iter().enumerate() {
        let decision = decision(member.as_ref()).map_err(|cause| TallyError::Member { index, cause })?;
        for party in ["pdp", "pep"] {
            match (batch.text(&[party]), decision.body().text(&[party])) {
                (Recorded::Present(said), Recorded::Present(found)) if said != found => {
                    return Err(TallyError::Party(party));
                }
                (Recorded::Present(_), Recorded::Present(_)) | (Recorded::Absent, Recorded::Absent) => {}
                _ => drop(unchecked.insert(party)),
            }
        }
        tally.add(&decision);
    }
    for (field, found) in [("from_ms", tally.from_ms), ("to_ms", tally.to_ms)] {
        match (batch.uint(&[field]).present(), found) {
            (Some(said), Some(found)) if said != found => return Err(TallyError::Time { field, said, found }),
            (Some(_), Some(_)) => {}
            _ => drop(unchecked.insert(field)),
        }
    }
    match batch.at(&["counts"]) {
        Recorded::Present(Value::Array(rows)) => compare(rows, &tally)?,
        _ => drop(unchecked.insert("counts")),
    }
    Ok(unchecked.into_iter().collect())
}

/// Holds the rows of a batch against the members' own; their order means nothing.
fn compare(rows: &[Value], tally: &Tally) -> Result<(), TallyError> {
    let mut said: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for row in rows.iter().filter_map(Value::as_map) {
        let (count, common): (Vec<_>, Vec<_>) =
            row.iter().cloned().partition(|(key, _)| key.as_text() == Some("count"));
        let count = count.first().and_then(|(_, count)| as_u64(count)).unwrap_or_default();
        let sum = said.entry(to_deterministic(&Value::Map(common))).or_default();
        *sum = sum.saturating_add(count);
    }
    let all: BTreeSet<&Vec<u8>> = said.keys().chain(tally.counts.keys()).collect();
    for row in all {
        let (said, found) = (said.get(row).copied().unwrap_or_default(), tally.counts.get(row).map_or(0, |row| row.1));
        if said != found {
            return Err(TallyError::Row { what: shown(row), said, found });
        }
    }
    Ok(())
}

/// What a decision is counted by: `result`, `policies` and the subject's id, each as it stands there; what is sealed or not there is left out.
fn common(decision: &Body) -> Vec<(Value, Value)> {
    let mut common = Vec::new();
    for (key, path) in [("result", &["result"][..]), ("policies", &["policies"]), ("subject", &["subject", "id"])] {
        if let Recorded::Present(value) = decision.at(path) {
            common.push((key.into(), value.clone()));
        }
    }
    common
}

/// What a row counts, for people: its texts.
fn shown(row: &[u8]) -> String {
    let mut words = Vec::new();
    if let Ok(value) = crate::cbor::parse(row) {
        texts(&value, &mut words);
    }
    words.join(" ")
}

fn texts(value: &Value, words: &mut Vec<String>) {
    match value {
        Value::Text(text) => words.push(text.escape_debug().to_string()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, words)),
        Value::Map(pairs) => pairs.iter().for_each(|(_, value)| texts(value, words)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::record::{Record, view};

    fn member(number: u64, subject: &str, result: &str) -> Vec<u8> {
        let record = json!({
            "v": 1, "event_ms": 1_795_320_442_000_u64 + number, "decision_id": format!("d-{number}"), "result": result,
            "subject": { "id": subject }, "action": { "name": "read" }, "resource": { "type": "account", "id": "a" },
            "policies": [{ "name": "authz", "revision": "r1" }], "pdp": "opa/1",
        });
        view::from_json("decision", &record).unwrap()
    }

    fn members() -> Vec<Vec<u8>> {
        let of = |number, subject: &str| member(number, subject, "permit");
        vec![of(3, "a:pay"), of(1, "a:pay"), of(2, "a:ledger")]
    }

    /// What a batch of these says.
    fn batch(members: &[Vec<u8>]) -> Json {
        let mut tally = Tally::default();
        members.iter().for_each(|member| tally.add(&decision(member).unwrap()));
        let root = tree(members.iter().map(Vec::as_slice)).root();
        let (from_ms, to_ms) = tally.time_ms();
        let payload = to_deterministic(&Value::Map(vec![
            ("v".into(), 1.into()),
            ("event_ms".into(), 1.into()),
            ("count".into(), tally.count().into()),
            ("root".into(), Value::Bytes(root.as_bytes().to_vec())),
            ("counts".into(), tally.to_value()),
            ("pdp".into(), "opa/1".into()),
            ("from_ms".into(), from_ms.unwrap().into()),
            ("to_ms".into(), to_ms.unwrap().into()),
        ]));
        view::to_json("decision-batch", &payload).unwrap()
    }

    fn judged(batch: &Json, members: &[Vec<u8>]) -> Result<Vec<&'static str>, TallyError> {
        let payload = view::from_json("decision-batch", batch).unwrap();
        check(Record::parse("decision-batch", &payload).unwrap().body().unwrap(), members)
    }

    #[test]
    fn what_is_counted_with_this_is_so() {
        let batch = batch(&members());
        assert_eq!(judged(&batch, &members()), Ok(Vec::new()));
        assert_eq!(batch["counts"].as_array().unwrap().len(), 2);
        assert_eq!(
            (&batch["from_ms"], &batch["to_ms"]),
            (&json!(1_795_320_442_001_u64), &json!(1_795_320_442_003_u64))
        );
    }

    /// Makes a batch say something else.
    type Lie = fn(&mut Json);

    #[test]
    fn a_batch_that_lies_about_its_members_is_refuted() {
        let good = batch(&members());
        let lies: [(&str, Lie); 8] = [
            ("counts say", |batch| batch["counts"][0]["count"] = json!(5)),
            ("counts say", |batch| batch["counts"][0]["subject"] = json!("a:else")),
            ("counts say", |batch| batch["counts"][0]["result"] = json!("deny")),
            ("counts say", |batch| batch["counts"][0]["policies"][0]["revision"] = json!("r2")),
            ("counts say", |batch| drop(batch["counts"].as_array_mut().unwrap().pop())),
            ("from_ms", |batch| batch["from_ms"] = json!(1)),
            ("to_ms", |batch| batch["to_ms"] = json!(1_795_320_442_002_u64)),
            ("pdp", |batch| batch["pdp"] = json!("opa/2")),
        ];
        for (what, lie) in lies {
            let mut batch = good.clone();
            lie(&mut batch);
            let error = judged(&batch, &members()).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
        let mut fewer = good.clone();
        fewer["count"] = json!(2);
        assert_eq!(judged(&fewer, &members()), Err(TallyError::Count { said: 2, found: 3 }));
    }

    #[test]
    fn other_members_or_another_order_are_not_its_members() {
        let good = batch(&members());
        let mut swapped = members();
        swapped.swap(0, 1);
        assert!(matches!(judged(&good, &swapped), Err(TallyError::Root { .. })));
        assert!(matches!(judged(&good, &members()[..2]), Err(TallyError::Count { said: 3, found: 2 })));
    }

    #[test]
    fn what_is_sealed_or_left_out_is_named() {
        let mut sealed = batch(&members());
        sealed["counts"] = json!({ "$sealed": "A".repeat(43) });
        sealed.as_object_mut().unwrap().remove("pdp");
        assert_eq!(judged(&sealed, &members()), Ok(vec!["counts", "pdp"]));
        // A root that is sealed is none that anything can be under.
        sealed["root"] = json!({ "$sealed": "A".repeat(43) });
        assert_eq!(judged(&sealed, &members()), Err(TallyError::NoTree("root")));
    }

    #[test]
    fn another_row_makes_the_counts_longer() {
        let mut tally = Tally::default();
        let [one, two] =
            [member(1, "a:pay", "permit"), member(2, "a:else", "permit")].map(|bytes| decision(&bytes).unwrap());
        assert!(tally.grows_by(&one) > 0);
        tally.add(&one);
        let before = to_deterministic(&tally.to_value()).len();
        let more = tally.grows_by(&two);
        assert_eq!(tally.grows_by(&one), 0);
        tally.add(&two);
        assert!(to_deterministic(&tally.to_value()).len() <= before + more);
    }
}
