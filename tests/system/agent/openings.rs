//! What opens sealed values: opened offline, held, destroyed by a redaction that is logged; every proof stays as it was.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use govlog_formats::admission::{Credentials, IssuerRow};
use govlog_formats::cose::SigningKey;
use harness::network::Plan;
use harness::process::Ended;
use harness::reader::new_key;
use serde_json::Value;

use super::{NODE, Scene, one_source};

/// Who redacts.
const DPO: &str = "spiffe://prod.example/dpo";

/// A scene in which decisions are logged, and what somebody has of it who opens and redacts.
struct Office {
    scene: Scene,
    entries: PathBuf,
    key: PathBuf,
    /// The ids of the decisions.
    decisions: Vec<String>,
}

impl Office {
    fn open() -> Self {
        let mut scene = Scene::new(Plan::new(NODE).witnesses(1, 1));
        let key = new_key(&scene.network, "dpo.key", "ed25519");
        let public = SigningKey::from_pkcs8_pem(&std::fs::read_to_string(&key).unwrap()).unwrap().public();
        scene.network.log.admit_rows(vec![IssuerRow {
            iss: DPO.to_owned(),
            credentials: Credentials::Keys(vec![public]),
            kinds: vec!["redaction".to_owned()],
            subjects: vec!["spiffe://".to_owned()],
            rate: None,
            max_age_s: None,
        }]);
        scene.start();
        let mut sources = one_source(5);
        scene.upload(&mut sources, 2);
        scene.all_logged(&sources);
        scene.agent.reader.update(&scene.network.log.url()).expect(0);
        let entries = scene.network.path("entries");
        let mut office = Self { scene, entries, key, decisions: Vec::new() };
        // To the end of the log, which comes sooner.
        office.get("1.0..1.9999", &office.entries.display().to_string(), 5);
        let verified = document(&office.verify(), 0);
        let verdicts = verified["verdicts"].as_array().unwrap();
        let decisions = verdicts.iter().filter(|verdict| verdict["kind"] == "decision");
        office.decisions = decisions.map(|verdict| verdict["id"].as_str().unwrap().to_owned()).collect();
        office
    }

    fn get(&self, ids: &str, out: &str, code: i32) {
        let log = self.scene.network.log.url();
        self.scene.agent.reader.run(&["get", "--log", &log, ids, "--out", out]).expect(code);
    }

    fn fetch(&self, id: &str) {
        self.get(id, &self.file(id), 0);
    }

    fn file(&self, id: &str) -> String {
        self.entries.join(format!("{id}.cose")).display().to_string()
    }

    fn verify(&self) -> Ended {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(&self.entries).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        let mut arguments = vec!["--json", "verify"];
        let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
        arguments.extend(names.iter().map(String::as_str));
        self.scene.agent.reader.trusting(&arguments)
    }

    /// Runs a command on the store with the identity.
    fn on_store(&self, arguments: &[&str]) -> Ended {
        let (store, identity) = (self.scene.openings(), self.scene.agent.dir.join("openings.key"));
        let (store, identity) = (store.display().to_string(), identity.display().to_string());
        let mut all = vec!["--json"];
        all.extend(arguments);
        all.extend(["--openings", &store]);
        if matches!(arguments[0], "open" | "redact") {
            all.extend(["--identity", &identity]);
            self.scene.agent.reader.trusting(&all)
        } else {
            self.scene.agent.reader.run(&all)
        }
    }

    fn redact(&self, arguments: &[&str]) -> Ended {
        let (log, key) = (self.scene.network.log.url(), self.key.display().to_string());
        let mut all = vec!["redact", "--log", &log, "--key", &key, "--iss", DPO, "--basis", "GDPR Art. 17"];
        all.extend(arguments);
        self.on_store(&all)
    }

    /// The states of an entry's fields, as `input opened`.
    fn states(&self, code: i32, files: &[&str]) -> Vec<String> {
        let mut arguments = vec!["open"];
        arguments.extend(files);
        let opened = document(&self.on_store(&arguments), code);
        let fields = opened["entries"][0]["fields"].as_array().unwrap();
        fields.iter().map(|field| format!("{} {}", text(&field["path"]), text(&field["state"]))).collect()
    }

    /// The file that holds an entry's openings.
    fn stored(&self, file: &str) -> PathBuf {
        let opened = document(&self.on_store(&["open", file]), 0);
        let leaf = text(&opened["entries"][0]["leaf"]).to_owned();
        self.scene.openings().join(&leaf[..2]).join(format!("{leaf}.cbor.age"))
    }
}

fn document(ended: &Ended, code: i32) -> Value {
    ended.expect(code);
    serde_json::from_str(&ended.stdout).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn what_is_sealed_is_opened_held_redacted_and_explained() {
    let office = Office::open();
    let [one, two] = [0, 1].map(|at: usize| office.file(&office.decisions[at]));

    let opened = document(&office.on_store(&["open", &one]), 0);
    let fields = opened["entries"][0]["fields"].as_array().unwrap();
    assert!(fields.len() >= 2 && fields.iter().all(|field| field["state"] == "opened"), "{fields:?}");
    let input = fields.iter().find(|field| field["path"] == "input").unwrap();
    assert!(serde_json::from_str::<Value>(text(&input["json_text"])).unwrap().is_object(), "{input}");
    let nothing = document(&office.on_store(&["open", "--field", "nowhere", &one]), 5);
    assert_eq!(nothing["entries"][0]["fields"][0]["state"], "not recorded");
    let other = new_key(&office.scene.network, "other.key", "age").display().to_string();
    let store = office.scene.openings().display().to_string();
    let foreign = office.scene.agent.reader.trusting(&["open", "--openings", &store, "--identity", &other, &one]);
    assert!(foreign.stdout.contains("none of these identities"), "{}", foreign.stdout);
    foreign.expect(2);

    // A hold comes before every right to destroy.
    office.on_store(&["openings", "hold", "--name", "case-7", "--reason", "litigation", &one]).expect(0);
    let held = office.redact(&["--rule", "erasure-request", "--yes", "--field", "input", &one]);
    held.expect(2);
    assert!(held.stderr.contains("case-7"), "{}", held.stderr);
    office.on_store(&["openings", "release", "--name", "case-7", "--reason", "settled"]).expect(0);

    // Nobody is there to be asked.
    office.redact(&["--rule", "erasure-request", "--field", "input", &one]).expect(2);
    let redacted = document(&office.redact(&["--rule", "erasure-request", "--yes", "--field", "input", &one]), 0);
    let first = text(&redacted["redactions"][0]["id"]).to_owned();
    let redacted = document(&office.redact(&["--rule", "order", "--yes", &two]), 0);
    let second = text(&redacted["redactions"][0]["id"]).to_owned();
    office.fetch(&first);
    office.fetch(&second);

    let without = office.states(5, &[&one]);
    assert!(
        without.contains(&"input sealed".to_owned()) && without.contains(&"native opened".to_owned()),
        "{without:?}"
    );
    let with = office.states(0, &[&one, &office.file(&first)]);
    assert!(with.contains(&"input redacted".to_owned()) && with.contains(&"native opened".to_owned()), "{with:?}");
    let all = office.states(0, &[&two, &office.file(&second)]);
    assert!(all.iter().all(|state| state.ends_with("redacted")), "{all:?}");

    // Every proof is as it was, and the redactions are told.
    let verified = document(&office.verify(), 0);
    let told = verified["redactions"].as_array().unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().any(|told| told["entry"] == office.decisions[0].as_str() && told["what"] == "/input"));
    assert!(told.iter().any(|told| told["by"] == second.as_str() && told["what"] == "all of it"));
    office.redact(&["--rule", "order", "--yes", &two]).expect(5);
}

#[test]
fn a_redaction_that_was_cut_off_is_finished_by_the_next_run_under_the_same_entry() {
    let office = Office::open();
    let file = office.file(&office.decisions[0]);
    let stored = office.stored(&file);
    let opening = std::fs::read(&stored).unwrap();
    let done = document(&office.redact(&["--rule", "order", "--yes", &file]), 0);
    assert!(!stored.exists());

    // As a crash leaves it that came before the log's answer: signed, sent, and nothing destroyed.
    let journal = office.scene.openings().join("redactions");
    let journal = std::fs::read_dir(&journal).unwrap().next().unwrap().unwrap().path();
    let text_of = |path: &Path| std::fs::read_to_string(path).unwrap();
    let begun: Vec<String> = text_of(&journal)
        .lines()
        .filter(|line| !line.starts_with("id = "))
        .map(|line| line.replace("done = true", "done = false"))
        .collect();
    std::fs::write(&journal, begun.join("\n")).unwrap();
    std::fs::write(&stored, &opening).unwrap();
    let again = document(&office.redact(&["--rule", "order", "--yes", &file]), 0);
    assert_eq!(again["redactions"].as_array().unwrap().len(), 1, "{again}");
    assert_eq!(again["redactions"][0]["id"], done["redactions"][0]["id"], "the same statement, so the same entry");
    assert!(!stored.exists());
    assert!(text_of(&journal).contains("done = true"));

    // Held meanwhile, whether the log has it or not: it waits, and keeps no other from being done.
    let logged = text_of(&journal).replace("done = true", "done = false");
    let id = text(&done["redactions"][0]["id"]);
    for (at, (noted, said)) in [(begun.join("\n"), "nothing was destroyed"), (logged, id)].into_iter().enumerate() {
        let other = office.file(&office.decisions[at + 1]);
        let others = office.stored(&other);
        std::fs::write(&journal, noted).unwrap();
        std::fs::write(&stored, &opening).unwrap();
        let case = format!("case-{at}");
        office.on_store(&["openings", "hold", "--name", &case, "--reason", "litigation", &file]).expect(0);
        let ended = office.redact(&["--rule", "order", "--yes", &other]);
        assert!(ended.stderr.contains(&case) && ended.stderr.contains(said), "{}", ended.stderr);
        assert_eq!(document(&ended, 6)["redactions"].as_array().unwrap().len(), 1);
        assert!(stored.exists() && !others.exists());
        office.on_store(&["openings", "release", "--name", &case, "--reason", "settled"]).expect(0);
        assert_eq!(document(&office.redact(&["--rule", "order", "--yes", &other]), 0)["redactions"][0]["id"], id);
        assert!(!stored.exists());
    }
}

#[test]
fn an_entry_that_cannot_be_opened_keeps_no_other_from_being_shown() {
    let office = Office::open();
    let [cut, whole] = [0, 1].map(|at: usize| office.file(&office.decisions[at]));
    let stored = office.stored(&cut);
    let sealed = std::fs::read(&stored).unwrap();
    std::fs::write(&stored, &sealed[..sealed.len() / 2]).unwrap();
    let none = office.file("none");
    std::fs::write(&none, b"no statement").unwrap();
    let opened = document(&office.on_store(&["open", &cut, &none, &whole]), 2);
    let entries = opened["entries"].as_array().unwrap();
    let of = |file: &str| entries.iter().find(|entry| entry["file"] == file).unwrap();
    assert!(text(&of(&none)["because"]).contains("no statement"), "{opened}");
    assert!(text(&of(&cut)["because"]).contains(".cbor.age"), "{opened}");
    assert!(of(&whole)["fields"].as_array().unwrap().iter().all(|field| field["state"] == "opened"), "{opened}");
}

#[test]
fn what_is_older_than_the_retention_is_redacted_and_nothing_else() {
    let office = Office::open();
    let [old, held, young] = [0, 1, 2].map(|at: usize| office.file(&office.decisions[at]));
    office.redact(&["--expired", "--yes"]).expect(2);
    let settings = office.scene.openings().join("store.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text + "retention_days = 30\n").unwrap();
    office.redact(&["--expired", "--yes"]).expect(5);

    office.on_store(&["openings", "hold", "--name", "case-8", "--reason", "audit", &held]).expect(0);
    let (old, held, young) = (office.stored(&old), office.stored(&held), office.stored(&young));
    for path in [&old, &held] {
        let long_ago = SystemTime::now() - Duration::from_secs(31 * 86_400);
        std::fs::OpenOptions::new().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    let redacted = document(&office.redact(&["--expired", "--yes"]), 0);
    assert_eq!(redacted["redactions"][0]["entries"].as_array().unwrap().len(), 1, "{redacted}");
    assert!(!old.exists() && held.exists() && young.exists());
    let shown = document(&office.on_store(&["openings", "show"]), 0);
    assert_eq!((shown["redactions"]["done"].as_u64(), shown["retention_days"].as_u64()), (Some(1), Some(30)));
}
