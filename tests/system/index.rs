//! Search over real processes: whatever becomes of the index, an answer is what every entry says.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use govlog_formats::search::{Column, Filter, Term};
use govlog_formats::statement::SignedStatement;
use harness::network::Plan;
use harness::process::Launch;
use harness::wait::{SOON, until};
use harness::{Client, Faults, Issuer, Network};

use crate::NODE;

/// The fail points of the index, in the order of their documentation.
pub(crate) const POINTS: [&str; 2] = ["index::before_take_in", "index::after_take_in"];

/// Entry 0 names the log, entry 1 the issuers.
const FIRST: u64 = 2;

/// A log, and everything that was logged after its issuers.
struct Searched {
    network: Network,
    issuers: Vec<Issuer>,
    statements: Vec<SignedStatement>,
}

impl Searched {
    fn start() -> Self {
        let mut network = Plan::new(NODE).start();
        let issuers: Vec<Issuer> = (0..3).map(|number| Issuer::new(number, &network.log.origin)).collect();
        network.log.admit(&issuers);
        Self { network, issuers, statements: Vec::new() }
    }

    /// Logs so many statements of each issuer, one after the other.
    fn grow(&mut self, each: usize) {
        let mut batch = Vec::new();
        for _ in 0..each {
            batch.extend(self.issuers.iter_mut().map(Issuer::sign_next));
        }
        for part in batch.chunks(300) {
            let body: Vec<u8> = part.iter().flat_map(|statement| statement.entry().to_vec()).collect();
            let answer =
                self.network.log.client().post("/v1/batches?wait=published", "application/cbor-seq", &body).unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        self.statements.extend(batch);
        self.network.log.published(self.size());
    }

    fn size(&self) -> u64 {
        FIRST + u64::try_from(self.statements.len()).unwrap()
    }

    fn index(&self) -> PathBuf {
        self.network.log.dir.join("index")
    }

    /// Compares answers with the entries, for questions of one column and of several, with and without bounds of time.
    fn check(&self) {
        let term = |column, value: &str| Filter::default().with(Term::new(column, value).unwrap());
        let claims = self.statements[1].claims();
        let (kind, issuer) = (term(Column::KIND, "decision"), term(Column::ISSUER, &claims.iss));
        let filters = [
            kind.clone(),
            issuer.clone(),
            term(Column::SUBJECT, &claims.sub),
            term(Column::SUBJECT, &claims.sub).with(Term::new(Column::ISSUER, &claims.iss).unwrap()),
            term(Column::RESOURCE, "acct-3"),
            term(Column::DECISION, "https://issuer-2.example-5"),
            term(Column::LEAF, &self.statements[7].leaf_hash().to_string()),
            term(Column::TRACE, "none"),
            issuer.since(harness::issuer::now_s() * 1000 + 3_600_000),
            kind.since(1).until(u64::MAX),
        ];
        let mut client = self.network.log.client();
        for filter in filters {
            let all = self.statements.iter().zip(FIRST..);
            let expected: Vec<u64> = all.filter(|(one, _)| filter.matches(one)).map(|(_, index)| index).collect();
            assert_eq!(self.find(&mut client, &filter), expected, "{}", filter.to_query());
        }
    }

    /// Asks page by page, and again while the index is being built.
    fn find(&self, client: &mut Client, filter: &Filter) -> Vec<u64> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/records?{}&at={}&limit=70{cursor}", filter.to_query(), self.size());
            let page = until("an answer of the index", SOON, || {
                let answer = client.get(&path).unwrap();
                assert!(matches!(answer.status, 200 | 503), "{}", answer.text());
                (answer.status == 200).then(|| serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap())
            });
            assert_eq!(page["as_of"], self.size());
            let ids = page["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap());
            all.extend(ids.map(|id| id.strip_prefix("1.").unwrap().parse::<u64>().unwrap()));
            match page["cursor"].as_str() {
                None => return all,
                Some(next) => cursor = format!("&cursor={next}"),
            }
        }
    }

    fn rebuild(&self, faults: &Faults) -> Launch {
        let launch = Launch::new(Path::new(NODE), "server").args(["rebuild-index", "--config"]);
        launch.arg(self.network.log.dir.join("log.toml")).env("FAILPOINTS", faults.to_string())
    }

    fn rebuilds(&self) -> u64 {
        let metrics = self.network.log.admin().get("/metrics").unwrap().text();
        let counted = metrics.lines().find_map(|line| line.strip_prefix("govlog_index_rebuilds_total "));
        counted.map_or(0, |count| count.parse().unwrap())
    }

    fn restart(&mut self) {
        self.network.log.start(&Faults::none());
        self.network.log.ready();
    }
}

#[test]
fn answers_survive_a_kill_and_a_deletion() {
    let mut log = Searched::start();
    log.grow(150);
    log.check();
    log.network.log.kill();
    log.restart();
    log.check();
    // Under the running log, which notices when it next writes there, and at the start at the latest.
    fs::remove_dir_all(log.index()).unwrap();
    log.grow(20);
    log.check();
    log.network.log.kill();
    log.restart();
    log.check();
    let metrics = log.network.log.admin().get("/metrics").unwrap().text();
    assert!(metrics.contains(&format!("govlog_index_size {}", log.size())), "{metrics}");
    log.network.log.stop();
}

/// Built by the command, so that there are segments on disk, and then harmed in every file.
#[test]
fn flipped_bits_change_no_answer() {
    let mut log = Searched::start();
    log.grow(100);
    log.network.log.stop();
    let said = log.rebuild(&Faults::none()).finish();
    assert!(said.status.success() && said.stderr.contains(&format!("indexed {} entries", log.size())), "{said:?}");
    log.restart();
    log.grow(10);
    log.check();
    for step in [1, 3, 6] {
        log.network.log.kill();
        for file in fs::read_dir(log.index()).unwrap().map(|file| file.unwrap().path()) {
            let mut bytes = fs::read(&file).unwrap();
            let at = bytes.len() * step / 7;
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << step;
                fs::write(&file, bytes).unwrap();
            }
        }
        log.restart();
        log.check();
        assert!(log.rebuilds() >= 1, "no harm was noticed");
        log.network.log.stop();
        assert!(log.rebuild(&Faults::none()).finish().status.success());
        log.restart();
    }
    log.network.log.stop();
}

#[test]
fn a_kill_in_the_middle_of_it_changes_no_answer() {
    let mut log = Searched::start();
    log.grow(60);
    log.network.log.stop();
    for point in POINTS {
        let ended = log.rebuild(&Faults::kill(point, 0)).finish();
        assert!(ended.aborted(), "{point}: {ended:?}");
        log.restart();
        log.check();
        log.network.log.kill();
        let failed = log.rebuild(&Faults::error(point, 0)).finish();
        assert!(failed.code() == Some(1) && failed.stderr.contains(point), "{failed:?}");
    }
    for after in (0..120).step_by(12) {
        let mut process = log.rebuild(&Faults::none()).start();
        // The time is the test's input, not something that is waited for.
        std::thread::sleep(Duration::from_millis(after));
        process.kill();
        log.network.log.start(&Faults::none());
        log.check();
        log.network.log.kill();
    }
}

/// Two at one index would be one too many: the head file's lock keeps the command out.
#[test]
fn it_is_not_rebuilt_under_a_running_log() {
    let mut log = Searched::start();
    log.grow(5);
    let refused = log.rebuild(&Faults::none()).finish();
    assert!(refused.code() == Some(1) && refused.stderr.contains("lock"), "{refused:?}");
    log.check();
    log.network.log.stop();
}
