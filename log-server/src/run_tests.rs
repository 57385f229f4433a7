//! A whole log on RocksDB and real sockets: how it starts, and how it ends.

use std::path::Path;
use std::time::Instant;

use govlog_daemon::access;
use govlog_formats::cose::SigningKey;
use govlog_formats::statement::SignedStatement;

use super::*;
use crate::clock::SystemClock;
use crate::init::{self, Plan, Quorum, WitnessLine};
use crate::publication::testing::{FakeWitness, Mode};
use crate::recovery::StartRefused;

const PATIENCE: Duration = Duration::from_secs(20);
const ORIGIN: &str = "log.example/run";

fn plan(dir: &Path) -> Plan {
    Plan {
        dir: dir.to_owned(),
        origin: ORIGIN.into(),
        listen: "127.0.0.1:0".parse().unwrap(),
        admin: "127.0.0.1:0".parse().unwrap(),
        witnesses: Vec::new(),
        quorum: Some(Quorum::None),
    }
}

fn load(dir: &Path) -> Config {
    let path = dir.join("log.toml");
    let mut text = std::fs::read_to_string(&path).unwrap();
    // The machine that runs the tests may have a small disk.
    text.push_str("\n[store]\nreserve_mib = 0\nreserve_percent = 0\n");
    let text = text.replacen("\n[store]\n", "\n# [store]\n", text.matches("\n[store]\n").count() - 1);
    Config::parse(&path, &text).unwrap()
}

/// Other parties have the same times and other bounds, and changing those is not to change the log's.
#[test]
fn connections_may_take_what_a_log_has_for_them() {
    let seconds = Duration::from_secs;
    let expected = Limits {
        connections: 1024,
        head_bytes: 32_768,
        header: seconds(10),
        body: seconds(30),
        idle: seconds(60),
        stall: seconds(30),
        drain: seconds(3),
    };
    assert_eq!(limits(NonZeroUsize::new(1024).unwrap()), expected);
}

/// The first change of the operator after entry 0.
fn change(dir: &Path, seq: u64, prev: &SignedStatement) -> SignedStatement {
    use govlog_formats::admission::{Change, ChangeFields, Credentials, Expected, IssuerRow, operator_statement};
    let pem = std::fs::read_to_string(dir.join(init::DEMO_OPERATOR)).unwrap();
    let operator = SigningKey::from_pkcs8_pem(&pem).unwrap();
    let key = SigningKey::from_seed(govlog_formats::cose::Curve::Ed25519, &[9; 32]).unwrap();
    let row = IssuerRow {
        iss: format!("https://issuer-{seq}.example"),
        credentials: Credentials::Keys(vec![key.public()]),
        kinds: vec!["decision".into()],
        subjects: vec!["urn:x:".into(), "urn:y".into()].into_iter().filter(|s: &String| s.contains(':')).collect(),
        rate: None,
        max_age_s: None,
    };
    let now = crate::clock::Clock::now(&SystemClock);
    let fields = ChangeFields { event_ms: now.get(), set: vec![row], ..ChangeFields::default() };
    let place = Expected { seq, prev: prev.sig_structure_digest() };
    operator_statement(ORIGIN, &Change::new(fields).unwrap(), place, now.seconds(), &operator).unwrap()
}

fn genesis(dir: &Path) -> SignedStatement {
    SignedStatement::parse(&std::fs::read(dir.join(init::DEMO_GENESIS)).unwrap()).unwrap()
}

/// A log that is served, and the way to end it.
struct Served {
    url: String,
    admin: String,
    client: reqwest::Client,
    sequencer: Sequencer,
    end: tokio::sync::oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<Result<(), RunError>>,
}

async fn serve(config: Config) -> Served {
    let listeners = Listeners::bind(&config).await.unwrap();
    let (public, admin) = listeners.addresses().unwrap();
    let log = Log::open(config).await.unwrap();
    let sequencer = log.sequencer.clone();
    let (end, told) = tokio::sync::oneshot::channel::<()>();
    let ended = tokio::spawn(log.serve(listeners, async move { drop(told.await) }));
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    Served { url: format!("http://{public}"), admin: format!("http://{admin}"), client, sequencer, end, ended }
}

impl Served {
    async fn post(&self, path: &str, statement: &SignedStatement) -> reqwest::Response {
        let request = self.client.post(format!("{}{path}", self.url)).header("content-type", "application/cose");
        request.body(statement.entry().to_vec()).send().await.unwrap()
    }

    async fn end(self) -> Result<(), RunError> {
        drop((self.end, self.sequencer));
        tokio::time::timeout(PATIENCE, self.ended).await.expect("it ends in time").unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_an_end_in_good_order() {
    let dir = tempfile::tempdir().unwrap();
    init::demo(&plan(dir.path()), &SystemClock).unwrap();
    let first = change(dir.path(), 1, &genesis(dir.path()));
    let served = serve(load(dir.path())).await;
    let answer = served.post("/entries?wait=published", &first).await;
    assert_eq!(answer.status(), 201, "{answer:?}");
    let ready = served.client.get(format!("{}/readyz", served.admin)).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    served.end().await.unwrap();
    // The lock is let go, the store opens, and everything goes on.
    let served = serve(load(dir.path())).await;
    let answer = served.post("/entries", &first).await;
    assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()), (303, "/entries/1.1"));
    let second = change(dir.path(), 2, &first);
    assert_eq!(served.post("/entries?wait=published", &second).await.status(), 201);
    served.end().await.unwrap();
}

/// "On SIGTERM a program ends within 10 s, whoever is away." (DESIGN §8.3)
#[tokio::test(flavor = "multi_thread")]
async fn it_ends_in_time_while_witnesses_hang_and_submitters_wait_for_them() {
    let witness = FakeWitness::start(1).await;
    let dir = tempfile::tempdir().unwrap();
    let line = witness.line();
    let [_, name, vkey, url] = line.split_whitespace().collect::<Vec<_>>()[..] else { panic!() };
    let witnesses = vec![WitnessLine::parse(&format!("{name} {vkey} {url}")).unwrap()];
    let plan = Plan { witnesses, quorum: Some(Quorum::AtLeast(1)), ..plan(dir.path()) };
    init::demo(&plan, &SystemClock).unwrap();
    let served = serve(load(dir.path())).await;
    witness.until_cosigned(1).await;
    witness.turn(Mode::Hold);
    let first = change(dir.path(), 1, &genesis(dir.path()));
    let mut heads = served.sequencer.committed();
    let url = format!("{}/entries?wait=published", served.url);
    let request = served.client.post(url).header("content-type", "application/cose").body(first.entry().to_vec());
    let waiting = tokio::spawn(async move { request.send().await.unwrap().status() });
    tokio::time::timeout(PATIENCE, heads.wait_for(|head| head.size().get() == 2)).await.unwrap().unwrap();
    let begun = Instant::now();
    served.end().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(waiting.await.unwrap(), 303);
}

/// "the process exits" (DESIGN §7.5): a poisoned sequencer ends the run with an error.
#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_sequencer_ends_the_run_with_an_error() {
    let dir = tempfile::tempdir().unwrap();
    init::demo(&plan(dir.path()), &SystemClock).unwrap();
    let served = serve(load(dir.path())).await;
    served.sequencer.poison("a test has proof");
    let Served { ended, end, .. } = served;
    let error = tokio::time::timeout(PATIENCE, ended).await.expect("it ends in time").unwrap().unwrap_err();
    assert!(matches!(&error, RunError::Poisoned(why) if why.contains("a test has proof")), "{error}");
    drop(end);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_kept_out() {
    let dir = tempfile::tempdir().unwrap();
    init::demo(&plan(dir.path()), &SystemClock).unwrap();
    let served = serve(load(dir.path())).await;
    let refused = Log::open(load(dir.path())).await.err().expect("the first one holds the lock");
    assert!(matches!(&refused, OpenError::Refused(why) if why.runbook() == "two-processes"), "{refused}");
    served.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_that_can_not_be_right_are_refused_with_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    init::demo(&plan(dir.path()), &SystemClock).unwrap();
    let refused = |config: Config| async { Log::open(config).await.err().expect("it is refused").to_string() };
    let mut config = load(dir.path());
    config.listen = "0.0.0.0:0".parse().unwrap();
    assert!(refused(config.clone()).await.contains("tls.plaintext"), "others would be served in clear");
    config.tls.plaintext = true;
    assert!(refused(config.clone()).await.contains("[access]"), "closed to everybody it can be reached by");
    config.access.read = config::Access::anyone();
    Log::open(config).await.unwrap().close().await.unwrap();
    let mut config = load(dir.path());
    config.admin = "[::]:0".parse().unwrap();
    config.tls.plaintext = true;
    assert!(refused(config).await.starts_with("admin is [::]:0"));
    let mut config = load(dir.path());
    let workloads = access::RawAccess::One("spiffe://prod.example/".into());
    config.access.search = config::Access::parse(Some(workloads)).unwrap();
    assert!(refused(config).await.starts_with("access gives search to \"spiffe://prod.example/\", which only"));

    let other = tempfile::tempdir().unwrap();
    init::demo(&plan(other.path()), &SystemClock).unwrap();
    let mut config = load(dir.path());
    config.files.receipt_key = other.path().join("receipt.key");
    assert!(refused(config).await.contains("receipt.key: the admission policy names another receipt key"));
    let mut config = load(dir.path());
    config.files.checkpoint_key = other.path().join("checkpoint.key");
    assert!(refused(config).await.starts_with("the admission policy names the checkpoint key"));
    let mut config = load(dir.path());
    config.files.policy = other.path().join("policy.txt");
    assert!(refused(config).await.contains("no note of this log could meet it"));
    let mut config = load(dir.path());
    config.files.head = other.path().join("head");
    let error = Log::open(config).await.err().unwrap();
    assert!(matches!(error, OpenError::Refused(StartRefused::ForeignHead { .. })), "{error}");

    std::fs::write(dir.path().join(init::MARKER), "").unwrap();
    assert!(refused(load(dir.path())).await.contains("cut short"));
}

#[tokio::test(flavor = "multi_thread")]
async fn run_is_open_and_serve_in_one() {
    let dir = tempfile::tempdir().unwrap();
    init::demo(&plan(dir.path()), &SystemClock).unwrap();
    let config = load(dir.path());
    let listeners = Listeners::bind(&config).await.unwrap();
    let (public, _) = listeners.addresses().unwrap();
    let taken = Config { listen: public, ..config.clone() };
    let error = Listeners::bind(&taken).await.unwrap_err();
    assert!(error.to_string().contains(&public.to_string()), "{error}");
    run(config, listeners, async {}).await.unwrap();
}
