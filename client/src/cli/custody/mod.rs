//! `govlog custody`: export a matter as one file that stands alone, check such files, and log what is done with them.

mod diff;
mod export;
mod query;
mod record;
mod report;
mod verify;

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::Exit;
use super::output::Output;

pub(super) use verify::{is_custody_file, judge};

/// `govlog custody`
#[derive(Debug, Subcommand)]
pub(crate) enum Custody {
    /// Collect a matter from a log, as one file
    Export(Box<export::Export>),
    /// Check a custody file, offline
    Verify(verify::Verify),
    /// Write a page for people, from a custody file that verifies
    Report(report::Report),
    /// Say what one custody file has that another has not
    Diff(diff::Diff),
    /// Log that a custody file is given to somebody
    HandOver(Box<record::StepArgs>),
    /// Log that a custody file was got
    Acknowledge(Box<record::StepArgs>),
    /// Log that what a custody file holds must not be destroyed; what keeps it is `govlog openings hold`
    Hold(Box<record::StepArgs>),
    /// Log that it may be destroyed again
    Release(Box<record::StepArgs>),
}

impl Custody {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        match self {
            Self::Export(command) => command.run(out),
            Self::Verify(command) => command.run(out),
            Self::Report(command) => command.run(out),
            Self::Diff(command) => command.run(out),
            Self::HandOver(command) => command.run("hand-over", out),
            Self::Acknowledge(command) => command.run("acknowledge", out),
            Self::Hold(command) => command.run("hold", out),
            Self::Release(command) => command.run("release", out),
        }
    }
}

/// Where the record of a file's export lies.
fn beside(file: &Path) -> PathBuf {
    file.with_extension("cose")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;
    use govlog_formats::admission::{ChangeFields, IssuerRow};
    use govlog_formats::base64;
    use govlog_formats::merkle::{LeafIndex, TreeSize};
    use govlog_formats::record::sealed::Opening;
    use govlog_formats::record::view;
    use govlog_formats::statement::SignedStatement;
    use serde_json::json;

    use super::*;
    use crate::custody::Custody as Read;
    use crate::openings::{FieldOpening, Folder, OpeningStore as _, Openings, Protection, Settings, State};
    use crate::source::Outbound;
    use crate::testing::{ISSUER, TestLog, decision};
    use crate::trust::TrustDir;

    const AT: u64 = 1_700_000_000_000;

    #[derive(Parser)]
    struct Cli {
        #[command(subcommand)]
        command: Custody,
    }

    /// Runs `govlog custody` with these words; gives its exit, or what it says of the way it was called.
    fn run(words: &[&str]) -> Result<Exit, String> {
        let cli = Cli::try_parse_from([&["custody"], words].concat()).map_err(|error| error.to_string())?;
        cli.command.run(&Output::new(false, Outbound::default())).map_err(|error| format!("{error:#}"))
    }

    /// What somebody relies on is not replaced in silence: neither a file, nor what lies beside it, nor a page.
    #[test]
    fn evidence_is_replaced_only_by_force() {
        let (dir, mut log) = (tempfile::tempdir().unwrap(), TestLog::new());
        log.add("decision", &decision("d-1"));
        drop(log.trusted_in(&dir.path().join("trust")));
        log.write_to(&dir.path().join("log"), &log.note_of(log.size(), &[0, 1]));
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let (folder, trust, file) = (path("log"), path("trust"), path("case.zip"));
        let (record, page) = (path("case.cose"), path("case.html"));
        let export = |more: &[&str]| {
            let words =
                ["export", "--log", &folder, "--complete", "--trust", &trust, "--decision", "d-1", "--out", &file];
            run(&[&words, more].concat())
        };
        assert_eq!(export(&[]), Ok(Exit::Ok));
        let first = fs::read(&file).unwrap();
        let refused = export(&["--purpose", "another"]).unwrap_err();
        assert!(refused.contains("case.zip: that is there already") && refused.ends_with("--force"), "{refused}");
        assert!(first == fs::read(&file).unwrap());

        // A record of the file that is gone would be taken for one of this file, and refute it.
        fs::remove_file(&file).unwrap();
        fs::write(&record, "a record").unwrap();
        let refused = export(&[]).unwrap_err();
        assert!(refused.contains("case.cose: that is there already"), "{refused}");
        assert!(!Path::new(&file).exists() && fs::read(&record).unwrap() == b"a record");
        assert_eq!(export(&["--purpose", "another", "--force"]), Ok(Exit::Ok));
        assert!(first != fs::read(&file).unwrap() && !Path::new(&record).exists());
        assert_eq!(run(&["verify", &file, "--trust", &trust]), Ok(Exit::Ok));

        let report =
            |out: &str, more: &[&str]| run(&[&["report", &file, "--trust", &trust, "--out", out], more].concat());
        assert_eq!(report(&page, &[]), Ok(Exit::Ok));
        assert!(report(&page, &[]).unwrap_err().ends_with("--force"));
        assert_eq!(report(&page, &["--force"]), Ok(Exit::Ok));
        let whole = fs::read(&file).unwrap();
        let handed = path("case.hand-over.cose");
        let (records, is_evidence) = ([(&record, "a record"), (&handed, "the first")], "that is the evidence");
        records.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
        for (evidence, why) in [(&file, is_evidence), (&record, "a record's ending"), (&handed, "a record's ending")] {
            let refused = report(evidence, &["--force"]).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
        assert!(records.iter().all(|(path, bytes)| fs::read(path).unwrap() == bytes.as_bytes()));
        assert!(whole == fs::read(&file).unwrap());
        fs::remove_file(&record).unwrap();

        // Refused before anything is signed: there is no log here, and no key.
        let step = ["hand-over", &file, "--trust", &trust, "--recipient", "counsel-3", "--log", "http://127.0.0.1:9"];
        let step = [&step[..], &["--key", "none.key", "--iss", "https://desk.example"]].concat();
        let refused = run(&step).unwrap_err();
        assert!(refused.contains("case.hand-over.cose: that is there already"), "{refused}");
        let over = run(&[&step[..], &["--out", &file, "--force"]].concat()).unwrap_err();
        assert!(over.contains("that is the evidence"), "{over}");
        assert!(fs::read(&handed).unwrap() == b"the first" && whole == fs::read(&file).unwrap());
    }

    /// Entries 3 to 9: a registration, an issuance, a policy, a delegation, the decision d-1 that rests on them, its effect; and a day later d-2.
    fn organisation() -> TestLog {
        let mut log = TestLog::new();
        let kinds = "registration issuance policy delegation decision effect".split(' ').map(str::to_owned);
        let row = IssuerRow { kinds: kinds.collect(), ..log.issuer_row() };
        log.change(ChangeFields { set: vec![row], ..ChangeFields::default() });
        let pay = "spiffe://prod.example/pay";
        let sealed = json!({ "$sealed": base64::encode_url(opening().seal().digest.as_bytes()) });
        let decision = |id: &str, at: u64| {
            json!({
                "event_ms": at, "decision_id": id, "result": "permit", "txn": format!("txn-{id}"), "trace_id": format!("trace-{id}"),
                "subject": { "id": pay, "credential": { "handle": ["cert_s256", "11".repeat(32)] } }, "action": { "name": "read" },
                "resource": { "type": "account", "id": "acct-5" }, "policies": [{ "policy_digest": ["sha256", "33".repeat(32)] }],
                "context": sealed,
            })
        };
        let handles = json!({ "cert_s256": "11".repeat(32), "jkt": "22".repeat(32) });
        let records = [
            ("registration", json!({ "op": "create", "entry_id": "e-1", "subject": pay })),
            (
                "issuance",
                json!({ "stage": "issued", "credential_type": "x509", "subject": pay, "handles": handles, "entry_id": "e-1" }),
            ),
            ("policy", json!({ "engine": "opa", "name": "authz", "policy_digest": ["sha256", "33".repeat(32)] })),
            (
                "delegation",
                json!({ "delegator": { "id": "person-7f3a" }, "delegate": { "id": pay }, "tokens_out": [{ "tok_s256": "44".repeat(32) }] }),
            ),
            ("decision", decision("d-1", AT)),
            ("effect", json!({ "outcome": "performed", "performer": pay, "decision_id": "d-1" })),
            ("decision", decision("d-2", AT + 86_400_000)),
        ];
        for (kind, mut record) in records {
            record["v"] = json!(1);
            record.as_object_mut().unwrap().entry("event_ms").or_insert(json!(AT));
            log.add(kind, &view::from_json(kind, &record).unwrap_or_else(|error| panic!("{kind}: {error}")));
        }
        log
    }

    fn opening() -> Opening {
        Opening { salt: [7; 32], value: "ticket CHG-2041".into() }
    }

    /// A folder with the log's files, a trust directory, and what opens the decision's context.
    struct Desk {
        dir: tempfile::TempDir,
        log: TestLog,
    }

    impl Desk {
        fn new() -> Self {
            let (dir, log) = (tempfile::tempdir().unwrap(), organisation());
            let mut trust = log.trusted_in(&dir.path().join("trust"));
            let (change, note) = (LeafIndex::new(2), log.note_of(log.size(), &[0, 1]));
            trust.add_change(change, &log.entries[2], &log.tlog_proof(change, &note)).unwrap();
            log.write_to(&dir.path().join("log"), &log.note_of(log.size(), &[0, 1, 2]));
            let settings = Settings { protection: Protection::Plaintext, retention_days: None };
            let store = Folder::open(&dir.path().join("openings"), settings).unwrap();
            let leaf = SignedStatement::parse(&log.entries[7]).unwrap().leaf_hash();
            let field = FieldOpening { path: "context".to_owned(), opening: opening() };
            store.put(&[(leaf, &Openings::new("decision", vec![field]).encode().unwrap())]).unwrap();
            Self { dir, log }
        }

        fn path(&self, name: &str) -> String {
            self.dir.path().join(name).to_str().unwrap().to_owned()
        }

        /// Exports what these words ask for.
        fn export(&self, asked: &[&str]) -> Result<Exit, String> {
            let (log, trust, out) = (self.path("log"), self.path("trust"), self.path("case.zip"));
            let words = ["export", "--log", &log, "--complete", "--trust", &trust, "--out", &out, "--force"];
            run(&[&words, asked].concat())
        }

        /// The file that they give, judged.
        fn asked(&self, asked: &[&str]) -> Read {
            assert_eq!(self.export(asked), Ok(Exit::Ok), "{asked:?}");
            let trust = TrustDir::load(&self.dir.path().join("trust")).unwrap();
            let verdict = judge(trust.trust(), &self.dir.path().join("case.zip"), &[]).unwrap();
            verdict.result.unwrap_or_else(|failure| panic!("{asked:?}: {}", failure.why))
        }
    }

    /// What is asked for, where the matter starts, and how many entries belong to it.
    type Matter<'m> = (&'m [&'m str], &'m [&'m str], usize);

    #[test]
    fn every_thing_in_hand_is_a_place_to_start_from() {
        let desk = Desk::new();
        let (cert, tok, policy) =
            (format!("cert_s256:{}", "11".repeat(32)), format!("tok_s256:{}", "44".repeat(32)), "33".repeat(32));
        let (jkt, pay) = (format!("jkt:{}", "22".repeat(32)), "spiffe://prod.example/pay");
        let statement = desk.path("delegation.cose");
        let note = desk.log.note_of(desk.log.size(), &[0, 1, 2]);
        fs::write(&statement, desk.log.transparent(LeafIndex::new(6), &note)).unwrap();
        let all: &[&str] = &["1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.9"];
        let decided = format!("{ISSUER},d-1");
        let matters: [Matter<'_>; 20] = [
            (&["--decision", "d-1"], &["1.7", "1.8"], 5),
            (&["--decision", &decided], &["1.7", "1.8"], 5),
            (&["--effect", "d-1"], &["1.8"], 5),
            (&["--effect", "1.8"], &["1.8"], 5),
            (&["--trace", "trace-d-1"], &["1.7"], 5),
            (&["--transaction", "txn-d-1"], &["1.7"], 5),
            (&["--subject", pay], all, 7),
            (&["--issuer", ISSUER], all, 7),
            (&["--credential", &cert], &["1.4", "1.7", "1.9"], 6),
            (&["--key-handle", &jkt], &["1.4"], 6),
            (&["--policy", &policy], &["1.5", "1.7", "1.9"], 6),
            (&["--policy", "authz"], &["1.5"], 6),
            (&["--registration", "e-1"], &["1.3", "1.4"], 6),
            (&["--delegation", "1.6"], &["1.6"], 1),
            (&["--delegation", &statement], &["1.6"], 1),
            (&["--delegation", &tok], &["1.6"], 1),
            // A day later there is one decision, and what it rests on.
            (&["--from", "2023-11-15T22:13:20Z"], &["1.9"], 4),
            (&["--issuer", ISSUER, "--to", "2023-11-14T22:13:20Z"], all, 7),
            (&["--decision", "d-1", "1.9"], &["1.7", "1.8", "1.9"], 6),
            (&["1.3"], &["1.3"], 6),
        ];
        for (asked, starts, entries) in matters {
            let custody = desk.asked(asked);
            assert_eq!(custody.manifest.starts, starts, "{asked:?}");
            assert_eq!(custody.entries.len(), entries, "{asked:?}");
        }
        // By their times alone the entries of the admission policy, too.
        let custody = desk.asked(&["--to", "2023-11-14T22:13:20Z"]);
        assert_eq!((custody.manifest.starts.len(), custody.entries.len()), (10, 10));
        for nothing in [["--to", "2023-11-14T22:13:19Z"], ["--from", "2023-11-15T22:13:21Z"], ["--decision", "d-9"]] {
            assert_eq!(desk.export(&nothing), Ok(Exit::NothingFound), "{nothing:?}");
        }
    }

    #[test]
    fn what_is_pinned_is_continued_and_what_is_to_be_opened_is_open() {
        let desk = Desk::new();
        let (pin, openings) = (desk.path("their.checkpoint"), desk.path("openings"));
        fs::write(&pin, desk.log.note_of(TreeSize::new(5), &[0, 1])).unwrap();
        let custody = desk.asked(&["--decision", "d-1", "--pin", &pin]);
        assert_eq!(custody.checkpoint.earlier, [TreeSize::new(5)]);
        fs::write(&pin, desk.log.sign_note(TreeSize::new(5), crate::testing::TestLog::new().tree().root(), &[0, 1]))
            .unwrap();
        assert!(desk.export(&["--decision", "d-1", "--pin", &pin]).unwrap_err().contains("split view"));

        let is_open = |custody: &Read| {
            let fields = &custody.at(LeafIndex::new(7)).unwrap().fields;
            fields.iter().any(|field| field.path == "context" && matches!(field.state, State::Opened(_)))
        };
        let opened = desk.asked(&["--decision", "d-1", "--open", "context", "--openings", &openings]);
        assert!(is_open(&opened));
        assert_eq!(opened.disclosed(), ["context of 1.7"]);
        let closed = desk.asked(&["--decision", "d-1", "--openings", &openings]);
        assert!(!is_open(&closed) && closed.disclosed().is_empty());
        assert!(desk.export(&["--decision", "d-1", "--open", "context"]).unwrap_err().contains("--openings"));
    }

    /// A record that somebody names is asked for, and one that lies beside the file is not.
    #[test]
    fn a_record_that_cannot_be_judged_is_not_passed_over() {
        let desk = Desk::new();
        let manifest = desk.asked(&["--decision", "d-1"]).manifest_digest.to_string();
        // Of somebody whom the log lets in later than this trust directory knows.
        let mut later = organisation();
        let row = IssuerRow { kinds: vec!["custody".to_owned()], ..later.issuer_row() };
        later.change(ChangeFields { set: vec![row], ..ChangeFields::default() });
        let handed = json!({ "v": 1, "event_ms": AT, "op": "hand-over", "manifest_digest": manifest });
        let record = later.add("custody", &view::from_json("custody", &handed).unwrap());
        let record = later.transparent(record, &later.note_of(later.size(), &[0, 1]));
        let (file, trust) = (desk.path("case.zip"), desk.path("trust"));
        let verify = |more: &[&str]| run(&[&["verify", &file, "--trust", &trust], more].concat());
        let (named, beside) = (desk.path("named.cose"), desk.path("case.cose"));
        for path in [&named, &beside] {
            fs::write(path, &record).unwrap();
        }
        assert_eq!(verify(&[]), Ok(Exit::Ok));
        assert_eq!(verify(&["--record", &named]), Ok(Exit::CannotEvaluate));
    }

    /// Whoever says what an entry is is told if it is something else.
    #[test]
    fn an_entry_is_not_taken_for_what_it_is_not() {
        let desk = Desk::new();
        for (flag, id, kind) in [("--effect", "1.7", "decision"), ("--delegation", "1.8", "effect")] {
            let refused = desk.export(&[flag, id]).unwrap_err();
            assert!(refused.contains(&format!("{flag} {id}: that entry is of the kind {kind}")), "{refused}");
            assert!(!Path::new(&desk.path("case.zip")).exists());
        }
        assert_eq!(desk.export(&["1.7"]), Ok(Exit::Ok));
    }
}
