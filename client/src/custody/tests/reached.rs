//! Mutations that no comparison of bytes or digests catches: the archive is well made, and the manifest lists what was changed. What the members
//! prove has to refuse them, and says why. (What is caught before that, [`super::mutations`] has: more than ten thousand changes.)

use govlog_formats::admission::{ChangeFields, IssuerRow};
use govlog_formats::cbor::{Value, to_deterministic};
use govlog_formats::record::sealed::Opening;
use govlog_formats::record::view;
use govlog_formats::tlog_proof::TlogProof;
use serde_json::json;

use super::*;
use crate::openings::{FieldOpening, Openings};
use crate::verify::Outcome;

/// A matter with everything that a file can hold: receipts, earlier notes, a change of the admission policy, a decision with a value that is
/// disclosed and one that stays sealed, a gap, and a stream's last word.
struct Matter {
    log: TestLog,
    entries: Vec<u64>,
    openings: (Digest, Openings),
}

impl Matter {
    fn new() -> Self {
        let mut log = TestLog::new();
        let kinds = ["decision", "issuance", "gap", "stream"].map(str::to_owned).to_vec();
        log.change(ChangeFields { set: vec![IssuerRow { kinds, ..log.issuer_row() }], ..ChangeFields::default() });
        let issued = log.add("issuance", &issuance()).get();
        let opening = |salt, value: &str| Opening { salt: [salt; 32], value: value.into() };
        let (disclosed, closed) = (opening(7, "acct-5"), opening(8, "secret"));
        let mut pairs = govlog_formats::cbor::parse(&decision("d-1")).unwrap().into_map().unwrap();
        pairs.extend([("context".into(), disclosed.seal().to_value()), ("input".into(), closed.seal().to_value())]);
        let decided = log.add("decision", &to_deterministic(&Value::Map(pairs))).get();
        let leaf = govlog_formats::merkle::leaf_hash(&log.entries[usize::try_from(decided).unwrap()]);
        let fields = vec![FieldOpening { path: "context".to_owned(), opening: disclosed }];
        let openings = (leaf, Openings::new("decision", fields));
        let gap = said(&mut log, "gap", json!({ "cause": "crash", "count": 3, "from_ms": 1_700_000_000_000_u64 }));
        let word = said(&mut log, "stream", json!({ "op": "heartbeat", "instance": "agent-1", "next_seq": 4 }));
        log.add("decision", &decision("d-2"));
        Self { log, entries: vec![decided, issued, gap, word], openings }
    }

    fn contents(&self) -> Contents {
        let mut contents = contents(&self.log, self.log.size(), &self.entries);
        contents.changes.extend(super::contents(&self.log, self.log.size(), &[2]).entries);
        // Two entries and two changes with receipts and their notes; the others as the log's files have them.
        let bare = contents.entries.iter_mut().filter(|(index, _)| index.get() > 4);
        for (index, evidence) in bare.chain(contents.changes.iter_mut().filter(|(index, _)| index.get() == 2)) {
            evidence.statement = self.log.entries[usize::try_from(index.get()).unwrap()].clone();
        }
        contents.earlier.retain(|size, _| [2, 4, 5].contains(&size.get()));
        contents.openings = [self.openings.clone()].into();
        contents
    }
}

/// Appends what a stream says of itself.
fn said(log: &mut TestLog, kind: &str, mut record: serde_json::Value) -> u64 {
    record["v"] = 1.into();
    record["event_ms"] = 1_700_000_060_000_u64.into();
    log.add_at(kind, &view::from_json(kind, &record).unwrap(), ("s-1", 1_700_000_060)).get()
}

/// What a member is, by its name.
fn sort(name: &str) -> &'static str {
    let ends = |ending: &str| name.ends_with(ending);
    match name.split('/').next().unwrap() {
        "entries" => "entry",
        "proofs" if ends(".consistency") => "consistency",
        "proofs" => "proof",
        "policy" if ends(".cose") => "change",
        "policy" => "change's proof",
        "checkpoints" => "note",
        "openings" if ends(".cbor") => "openings",
        _ => "rendered",
    }
}

/// Whether a refusal names the member, or what it proves.
fn is_named(name: &str, why: &str) -> bool {
    let proved = name.replace("proofs/", "entries/").replace(".tlog-proof", ".cose");
    why.contains(name) || why.starts_with(&proved)
}

/// The rule that refused it, by what it says; all others look at form alone.
fn rule(why: &str) -> &'static str {
    const RULES: [(&str, &str); 9] = [
        ("split view", "two histories"),
        ("the path leads to root hash", "not under the root"),
        ("not a proof for this index at the file's checkpoint", "proof of something else"),
        ("not a proof from this size to the file's checkpoint", "proof of something else"),
        ("receipt", "receipt"),
        ("the entry is sealed for something else", "opens something else"),
        ("not what the entries give", "follows from the entries"),
        ("signature does not verify", "signature"),
        ("is not a key of issuer", "another's key"),
    ];
    RULES.into_iter().find(|(words, _)| why.contains(words)).map_or("form", |(_, rule)| rule)
}

/// How many changes of each sort of member got as far as to which rule.
type Reached = BTreeMap<(&'static str, &'static str), usize>;

/// Of 2,400 changes, 300 in each sort of member, at least so many reach what the member proves.
const AT_LEAST: [(&str, &str, usize); 13] = [
    ("proof", "not under the root", 60),
    ("proof", "proof of something else", 60),
    ("change's proof", "not under the root", 60),
    ("change's proof", "proof of something else", 60),
    ("consistency", "two histories", 50),
    ("consistency", "proof of something else", 60),
    ("entry", "not under the root", 90),
    ("entry", "receipt", 50),
    ("change", "not under the root", 90),
    ("change", "receipt", 50),
    ("note", "signature", 60),
    ("openings", "opens something else", 80),
    ("rendered", "follows from the entries", 120),
];

/// Changes one byte; in text mostly to one that leaves it text of its form, so that what it says is looked at.
fn change(member: &mut Vec<u8>, at: usize, random: &mut Random) {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let is_text = std::str::from_utf8(member).is_ok();
    match random.below(8) {
        0 => drop(member.remove(at)),
        1 => member.insert(at, LETTERS[random.below(LETTERS.len())]),
        2 => member[at] ^= 1 << random.below(8),
        _ if is_text => {
            let at = (at..member.len()).find(|at| member[*at].is_ascii_alphanumeric()).unwrap_or(0);
            let others: Vec<u8> = LETTERS.iter().copied().filter(|letter| *letter != member[at]).collect();
            member[at] = others[random.below(others.len())];
        }
        _ => member[at] ^= 1 << random.below(8),
    }
}

#[test]
fn what_the_manifest_vouches_for_is_refused_by_what_is_proved() {
    let matter = Matter::new();
    let (_dir, trust) = trust(&matter.log);
    let bytes = matter.contents().write().unwrap().0;
    let honest = judge(&trust, &bytes);
    assert_eq!(why(&honest), "VERIFIED");
    let members: Vec<(String, usize)> =
        archive::read(&bytes).unwrap().iter().map(|(name, bytes)| ((*name).to_owned(), bytes.len())).collect();
    let mut sorts: BTreeMap<&str, Vec<&(String, usize)>> = BTreeMap::new();
    // The collector's policy is compared with the reader's and believed by nobody; the manifest is changed value by value below.
    for member in members.iter().filter(|(name, _)| !["manifest.json", "policy/policy.txt"].contains(&name.as_str())) {
        sorts.entry(sort(&member.0)).or_default().push(member);
    }
    let sorts: Vec<_> = sorts.into_values().collect();
    assert_eq!(sorts.len(), 8, "{sorts:?}");
    let (mut random, mut reached) = (Random(0xc0ffee), Reached::new());
    for round in 0..2_400 {
        let of_sort = &sorts[round % sorts.len()];
        let (name, length) = of_sort[random.below(of_sort.len())];
        let altered = rebuilt(&bytes, true, |members| {
            let member = members.get_mut(name).unwrap();
            // Every other change is before the note that a proof encloses.
            let note = member.windows(2).position(|two| two == b"\n\n").filter(|_| round % 16 < 8);
            change(member, random.below(note.unwrap_or(*length)), &mut random);
        });
        let verdict = judge(&trust, &altered);
        let why = why(&verdict);
        // A receipt by a key that nobody knows says nothing, and takes nothing away: that is said.
        if is_by_nobody(&verdict, name, &honest) {
            assert!(["entry", "change"].contains(&sort(name)), "round {round}: {name}");
            *reached.entry((sort(name), "nobody's receipt")).or_default() += 1;
            continue;
        }
        assert!(verdict.result.is_err() && is_named(name, &why), "round {round}: {name}: {why}");
        *reached.entry((sort(name), rule(&why))).or_default() += 1;
    }
    assert_eq!(reached.values().sum::<usize>(), 2_400);
    let by_nobody =
        reached.iter().filter(|((_, rule), _)| *rule == "nobody's receipt").map(|(_, count)| count).sum::<usize>();
    assert!((1..=60).contains(&by_nobody), "{by_nobody}");
    for (sort, rule, least) in AT_LEAST {
        let found = reached.get(&(sort, rule)).copied().unwrap_or_default();
        assert!(found >= least, "{sort}: {rule}: {found} of at least {least}; {reached:#?}");
    }
}

/// An entry that the log itself has, in place of the one that was signed: proof, checkpoint and receipt are right, and its signature is not.
#[test]
fn a_log_that_alters_what_was_signed_is_refused_by_the_signature() {
    let (_dir, trust) = trust(&Matter::new().log);
    let (mut random, mut reached) = (Random(0x1091), Reached::new());
    for round in 0..400 {
        let mut altered = Matter::new();
        let index = altered.entries[random.below(altered.entries.len())];
        let entry = &mut altered.log.entries[usize::try_from(index).unwrap()];
        let at = random.below(entry.len());
        entry[at] ^= 1 << random.below(8);
        let (kind, is_statement) = (["decision", "issuance", "gap", "stream"], SignedStatement::parse(entry).is_ok());
        let kind = kind[altered.entries.iter().position(|of| *of == index).unwrap()];
        if !is_statement {
            // No log takes it, and none of the file's makers could carry it.
            *reached.entry((kind, "form")).or_default() += 1;
            continue;
        }
        let verdict = judge(&trust, &altered.contents().write().unwrap().0);
        let why = why(&verdict);
        assert!(verdict.result.is_err() && why.starts_with(&format!("entries/1.{index}.cose")), "round {round}: {why}");
        *reached.entry((kind, rule(&why))).or_default() += 1;
    }
    for kind in ["decision", "issuance", "gap", "stream"] {
        assert!(reached[&(kind, "signature")] >= 30, "{kind}: {reached:#?}");
    }
}

/// What the manifest says of the entries, changed one value at a time, in the spelling that manifests have.
#[test]
fn a_manifest_that_says_other_things_of_its_entries_is_refused() {
    let matter = Matter::new();
    let (_dir, trust) = trust(&matter.log);
    let bytes = matter.contents().write().unwrap().0;
    let manifest: serde_json::Value = serde_json::from_slice(archive::read(&bytes).unwrap()["manifest.json"]).unwrap();
    let mut reached: BTreeMap<&str, usize> = BTreeMap::new();
    for field in ["streams", "not_found", "starts", "checkpoint", "origin", "files"] {
        for altered in variants(&manifest[field]) {
            // How far was looked stays its maker's word.
            if ["cut_at", "batches"].iter().any(|claim| altered.get(claim) != manifest[field].get(claim)) {
                continue;
            }
            let mut whole = manifest.clone();
            whole[field] = altered.clone();
            let Ok(parsed) = serde_json::from_value::<super::super::Manifest>(whole) else { continue };
            let altered = rebuilt(&bytes, false, |members| {
                members.insert("manifest.json".to_owned(), parsed.to_bytes().unwrap());
            });
            let verdict = judge(&trust, &altered);
            assert_eq!(verdict.outcome(), Outcome::Refuted, "{field}: {:?}", parsed);
            assert!(
                why(&verdict).contains("manifest") || why(&verdict).contains(".note"),
                "{field}: {}",
                why(&verdict)
            );
            *reached.entry(field).or_default() += 1;
        }
    }
    // How many of what is said of gaps and last words, of what was not found, of where the matter starts, and of the members.
    let least = [("streams", 20), ("not_found", 15), ("starts", 3), ("checkpoint", 3), ("origin", 2), ("files", 40)];
    for (field, least) in least {
        assert!(reached[field] >= least, "{field}: {reached:#?}");
    }
}

/// A JSON value with one thing in it changed or left out, in every way there is.
fn variants(value: &serde_json::Value) -> Vec<serde_json::Value> {
    use serde_json::Value as Json;
    match value {
        Json::Null => vec![json!(1), json!("x")],
        Json::Bool(value) => vec![json!(!value)],
        Json::Number(number) => vec![json!(number.as_u64().unwrap() + 1), Json::Null],
        Json::String(text) => vec![json!(format!("{text}x")), json!(text.get(1..).unwrap_or_default()), Json::Null],
        Json::Array(items) => {
            let mut all = vec![json!([])];
            for (at, item) in items.iter().enumerate() {
                let with = |item: Json| {
                    let mut items = items.clone();
                    items[at] = item;
                    Json::Array(items)
                };
                all.extend(variants(item).into_iter().map(with));
                all.push(Json::Array(items.iter().chain([item]).cloned().collect()));
            }
            all.retain(|other| other != value);
            all
        }
        Json::Object(fields) => {
            let with = |key: &String, item: Json| {
                let mut fields = fields.clone();
                fields.insert(key.clone(), item);
                Json::Object(fields)
            };
            fields.iter().flat_map(|(key, item)| variants(item).into_iter().map(move |item| with(key, item))).collect()
        }
    }
}

/// Unsigned data beside a proof is no part of it, and would be carried in a file that reads VERIFIED.
#[test]
fn a_proof_that_carries_more_than_a_proof_is_refused() {
    let matter = Matter::new();
    let (_dir, trust) = trust(&matter.log);
    let bytes = matter.contents().write().unwrap().0;
    for name in ["proofs/1.4.tlog-proof", "policy/1.1.tlog-proof"] {
        let altered = rebuilt(&bytes, true, |members| {
            let mut proof = TlogProof::parse(&members[name]).unwrap();
            proof.extra = Some(b"the defendant did it".to_vec());
            members.insert(name.to_owned(), proof.to_bytes());
        });
        let verdict = judge(&trust, &altered);
        assert!(why(&verdict).starts_with(&format!("{name}: it carries data besides")), "{}", why(&verdict));
    }
}
