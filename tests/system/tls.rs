//! Everybody speaks to everybody over mutual TLS: log and witness, the command `govlog`, an agent; and certificates change meanwhile.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use govlog_client::openings::{Folder, Identities, OpeningStore as _};
use govlog_client::source::{Http, Outbound, Source};
use govlog_formats::digest::Digest;
use govlog_formats::transparent::TransparentStatement;
use govlog_tls::testing::Authority;
use harness::network::{FAST, Plan};
use harness::process::{Ended, Launch, Process};
use harness::wait::{SOON, until};
use tempfile::TempDir;

use crate::NODE;

const ORIGIN: &str = "log.example/tls";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A log and a witness that speak TLS alone, an authority for all, and somebody with a certificate for each role.
struct World {
    dir: TempDir,
    authority: Authority,
    log: Process,
    log_url: String,
    log_admin: String,
    _witness: Process,
    witness_url: String,
}

fn run(program: &str) -> Launch {
    Launch::new(Path::new(NODE), program)
}

fn served(process: &mut Process, words: &str) -> String {
    format!("https://{}", process.line(&format!("{words} https://")).unwrap_or_else(|ended| panic!("{}", ended.stderr)))
}

/// The section by which a program serves with the certificate NAME of its own directory.
fn tls(name: &str) -> String {
    format!("[tls]\ncert = \"../{name}.pem\"\nkey = \"../{name}.key\"\nclient_ca = \"../ca.pem\"\n")
}

impl World {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        fs::write(dir.path().join("ca.pem"), authority.pem()).unwrap();
        for server in ["log", "witness"] {
            let _files = authority.server(server).write(dir.path(), server);
        }
        for client in ["log", "pay", "ops", "visitor"] {
            let id = format!("spiffe://prod.example/{client}");
            let _files = authority.client(&[&id]).write(dir.path(), &format!("{client}-client"));
        }
        let token = dir.path().join("token");
        fs::write(&token, TOKEN).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
        let (mut witness, vkey) = witness(dir.path());
        let witness_url = served(&mut witness, "listening on");
        let (mut log, key) = log(dir.path(), &format!("w {vkey} {witness_url}"));
        drop(run("witness").args(["add-log", &key, "--dir"]).arg(dir.path().join("w")).output());
        let log_url = served(&mut log, "listening on");
        let log_admin = served(&mut log, "admin on");
        let world = Self { dir, authority, log, log_url, log_admin, _witness: witness, witness_url };
        let ops = world.http(&world.log_admin, "ops");
        until("readiness", SOON, || ops.ask("readyz", 1 << 16).ok().filter(|answer| answer.status == 200));
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// How somebody shows who it is.
    fn as_client(&self, name: &str) -> Outbound {
        Outbound {
            ca: Some(self.path("ca.pem")),
            cert: Some(self.path(&format!("{name}-client.pem"))),
            cert_key: Some(self.path(&format!("{name}-client.key"))),
            token_file: None,
        }
    }

    fn http(&self, url: &str, name: &str) -> Http {
        open(url, &self.as_client(name))
    }

    /// The command `govlog` with the certificate of somebody.
    fn govlog(&self, name: &str, arguments: &[&str]) -> Ended {
        let command = run("govlog").args(arguments).arg("--ca").arg(self.path("ca.pem"));
        let shown = self.as_client(name);
        command.arg("--tls-cert").arg(shown.cert.unwrap()).arg("--tls-key").arg(shown.cert_key.unwrap()).finish()
    }

    /// What the log's metrics say.
    fn metric(&self, name: &str) -> u64 {
        let answer = self.http(&self.log_admin, "ops").ask("metrics", 1 << 22).unwrap();
        let text = String::from_utf8(answer.body).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} in {text}"));
        line.trim().parse().unwrap()
    }

    fn log_address(&self) -> SocketAddr {
        self.log_url.trim_start_matches("https://").parse().unwrap()
    }
}

fn open(url: &str, outbound: &Outbound) -> Http {
    match Source::open_as(url, outbound).unwrap() {
        Source::Http(http) => http,
        Source::Folder(_) => panic!("{url} is no folder"),
    }
}

/// A witness that the log alone may ask, by its certificate.
fn witness(dir: &Path) -> (Process, String) {
    let folder = dir.join("w");
    let init = run("witness").args(["init", "--name", "witness.example/tls", "--dir"]).arg(&folder);
    let vkey = init.output().trim().to_owned();
    let roles = "[access]\nsubmit = \"spiffe://prod.example/log\"\nread = []\noperate = []\n";
    let text = format!("listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n{}{roles}", tls("witness"));
    fs::write(folder.join("witness.toml"), text).unwrap();
    (run("witness").args(["run", "--config"]).arg(folder.join("witness.toml")).start(), vkey)
}

/// A log that shows itself to its witness, and has a role for each of those who ask it.
fn log(dir: &Path, witness: &str) -> (Process, String) {
    let folder = dir.join("log");
    let init =
        run("server").args(["init", "--demo", "--quorum", "1", "--origin", ORIGIN, "--witness", witness, "--dir"]);
    let vkey = init.arg(&folder).output().trim().to_owned();
    let client = "[client]\nca = \"../ca.pem\"\ncert = \"../log-client.pem\"\ncert_key = \"../log-client.key\"\n";
    let roles = format!(
        "[access]\nread = [\"spiffe://prod.example/\", \"{}\"]\nsubmit = [\"spiffe://prod.example/pay\", \"spiffe://prod.example/ops\"]\n\
         operate = \"spiffe://prod.example/ops\"\n",
        Digest::sha256(TOKEN.as_bytes())
    );
    let text = format!(
        "origin = \"{ORIGIN}\"\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n{}{client}{roles}{FAST}",
        tls("log")
    );
    fs::write(folder.join("log.toml"), text).unwrap();
    (run("server").args(["run", "--config"]).arg(folder.join("log.toml")).start(), vkey)
}

#[test]
fn a_record_goes_from_its_issuer_through_log_and_witness_to_a_verifier_over_mutual_tls_alone() {
    let world = World::start();
    let text = |name: &str| world.path(name).to_str().unwrap().to_owned();
    let (trust, key, url) = (text("trust"), text("issuer.key"), world.log_url.clone());
    let (policy, genesis) = (text("log/policy.txt"), text("log/genesis.cose"));
    drop(run("govlog").args(["trust", "init", "--policy", &policy, "--genesis", &genesis, "--out", &trust]).output());
    drop(run("govlog").args(["key", "new", "--alg", "p256", "--out", &key]).output());
    let (operator, public) = (text("log/operator.key"), format!("{key}.pub"));
    let iss = "https://issuer.example";
    let add =
        ["admission", "add", "--log", &url, "--trust", &trust, "--key", &operator, "--iss", iss, "--pub", &public];
    let row = ["--kinds", "effect,redaction", "--subjects", "spiffe://prod.example/"];
    world.govlog("ops", &[&add[..], &row].concat()).expect(0);
    let record = text("effect.json");
    let effect = serde_json::json!({
        "v": 1, "event_ms": 1_795_320_442_600_u64, "decision_id": "d-1", "decision_iss": iss, "outcome": "performed",
        "performer": "spiffe://prod.example/pay",
    });
    fs::write(&record, effect.to_string()).unwrap();
    let submit = ["submit", "--log", &url, "--trust", &trust, "--key", &key, "--iss", iss, "--kind", "effect", &record];
    // The visitor may read and not submit.
    let refused = world.govlog("visitor", &submit);
    assert!(refused.code() != Some(0) && refused.stderr.contains("403"), "{}{}", refused.stdout, refused.stderr);
    // What is published the witness has cosigned, and it lets the log's certificate in alone.
    let published = world.govlog("pay", &submit);
    published.expect(0);
    let (id, out) = (published.stdout.split_whitespace().next().unwrap(), text("effect.cose"));
    world.govlog("visitor", &["get", "--log", &url, id, "--out", &out]).expect(0);
    world.govlog("visitor", &["trust", "update", "--log", &url, &trust]).expect(0);
    run("govlog").args(["verify", "--trust", &trust, &out]).finish().expect(0);
    // And so does the word that its openings are destroyed, from whoever may submit.
    let openings = text("openings");
    drop(run("govlog").args(["openings", "init", "--plaintext", "--openings", &openings]).output());
    let store = Folder::existing(Path::new(&openings), Identities::default()).unwrap();
    let entry = TransparentStatement::parse(&fs::read(&out).unwrap()).unwrap().statement().leaf_hash();
    store.put(&[(entry, b"what opens it")]).unwrap();
    let redact = ["redact", "--openings", &openings, "--log", &url, "--trust", &trust, "--key", &key, "--iss", iss];
    let why = ["--sub", "spiffe://prod.example/dpo", "--rule", "order", "--basis", "an order", "--yes", &out];
    let redact = [&redact[..], &why].concat();
    for refused in [world.govlog("visitor", &redact), run("govlog").args(&redact).finish()] {
        assert!(!matches!(refused.code(), Some(0 | 5)) && store.has(&entry), "{}{}", refused.stdout, refused.stderr);
    }
    world.govlog("pay", &redact).expect(0);
    assert!(!store.has(&entry));
}

/// A proxy that the environment names would see tokens and records, and has no business on the way to this machine.
#[test]
fn a_proxy_of_the_environment_is_asked_for_other_machines_and_never_for_this_one() {
    let network = Plan::new(NODE).start();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let named = format!("http://{}", proxy.local_addr().unwrap());
    let policy = network.log.dir.join("policy.txt").display().to_string();
    let ask = |log: &str, out: &str| {
        let names = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
        let out = network.path(out).display().to_string();
        let command = run("govlog").args(["trust", "init", "--policy", &policy, "--log", log, "--out", &out]);
        names.iter().fold(command, |command, name| command.env(name, &named))
    };
    ask(&network.log.url(), "own").finish().expect(0);
    assert!(proxy.accept().is_err(), "nobody came to the proxy");
    // Where a proxy is to be asked it is, so that nothing else keeps it out above.
    let elsewhere = ask("http://log.example", "elsewhere").start();
    until("somebody asks the proxy", SOON, || proxy.accept().ok());
    drop(elsewhere);
}

#[test]
fn each_door_opens_for_its_own_alone() {
    let world = World::start();
    let no_one = Outbound { ca: Some(world.path("ca.pem")), ..Outbound::default() };
    let by_token = Outbound { token_file: Some(world.path("token")), ..no_one.clone() };
    let status = |url: &str, outbound: &Outbound, path: &str| open(url, outbound).ask(path, 1 << 20).unwrap().status;
    let (url, admin) = (&world.log_url, &world.log_admin);
    assert_eq!(status(url, &world.as_client("visitor"), "checkpoint"), 200);
    assert_eq!(status(url, &by_token, "checkpoint"), 200);
    // Being on this machine is nobody's role here.
    assert_eq!(status(url, &no_one, "checkpoint"), 401);
    assert_eq!(status(admin, &world.as_client("visitor"), "metrics"), 403);
    assert_eq!(status(admin, &by_token, "metrics"), 403);
    assert_eq!(status(admin, &world.as_client("ops"), "metrics"), 200);
    let post = |outbound: &Outbound| open(url, outbound).post("entries", "application/cose", vec![0], 1 << 16).unwrap();
    assert_eq!(post(&world.as_client("visitor")).status, 403);
    assert_eq!(post(&by_token).status, 403);
    assert_eq!(post(&world.as_client("pay")).status, 400, "it may, and sends nonsense");
    // The witness is the log's alone.
    let asked =
        open(&world.witness_url, &world.as_client("pay")).post("add-checkpoint", "text/plain", vec![0], 1 << 16);
    assert_eq!(asked.unwrap().status, 403);
    // Neither a foreign nor an expired certificate gets a connection, for whatever it says.
    let foreign = Authority::new().client(&["spiffe://prod.example/ops"]).write(world.dir.path(), "foreign");
    let expired = world.authority.expired_client("spiffe://prod.example/ops").write(world.dir.path(), "expired");
    for files in [foreign, expired] {
        let outbound = Outbound { cert: Some(files.cert), cert_key: Some(files.key), ..no_one.clone() };
        assert!(open(url, &outbound).ask("checkpoint", 1 << 16).is_err());
    }
    // And a server that the client does not believe gets nothing from it.
    fs::write(world.path("other-ca.pem"), Authority::new().pem()).unwrap();
    let doubting = Outbound { ca: Some(world.path("other-ca.pem")), ..by_token };
    assert!(open(url, &doubting).ask("checkpoint", 1 << 16).is_err());
}

#[test]
fn certificates_change_while_clients_read_and_nobody_notices() {
    let world = World::start();
    let kept = world.http(&world.log_url, "visitor");
    let mut reads = 0_u32;
    for round in 1..=3 {
        // Client and server both get new ones; the client's is shown at its next handshake.
        let _files = world.authority.server("log").write(world.dir.path(), "log");
        let visitor = world.authority.client(&["spiffe://prod.example/visitor"]);
        let _files = visitor.write(world.dir.path(), "visitor-client");
        until("the new certificate", SOON, || {
            for client in [&kept, &world.http(&world.log_url, "visitor")] {
                let answer = client.ask("checkpoint", 1 << 20).expect("it is answered throughout");
                assert_eq!(answer.status, 200);
                reads += 1;
            }
            (world.metric("govlog_tls_replacements_total") >= round).then_some(())
        });
    }
    assert!(reads >= 6, "{reads}");
    // Half a file changes nothing, and is seen in the metrics.
    fs::write(world.path("log.pem"), "-----BEGIN CERTIFICATE-----\nAAAA").unwrap();
    until("the refusal", SOON, || (world.metric("govlog_tls_refusals_total") >= 1).then_some(()));
    assert_eq!(world.http(&world.log_url, "visitor").ask("checkpoint", 1 << 20).unwrap().status, 200);
}

/// The agent takes uploads from whoever may upload alone, and shows the log a certificate of its own.
#[test]
fn an_agent_serves_its_sources_and_reaches_its_log_over_mutual_tls() {
    let world = World::start();
    let text = |name: &str| world.path(name).to_str().unwrap().to_owned();
    let (trust, key, url) = (text("agent/trust"), text("agent/agent.key"), world.log_url.clone());
    fs::create_dir(world.path("agent")).unwrap();
    let (policy, genesis) = (text("log/policy.txt"), text("log/genesis.cose"));
    drop(run("govlog").args(["trust", "init", "--policy", &policy, "--genesis", &genesis, "--out", &trust]).output());
    drop(run("govlog").args(["key", "new", "--alg", "ed25519", "--out", &key]).output());
    let (operator, public, iss) = (text("log/operator.key"), format!("{key}.pub"), "spiffe://prod.example/agent");
    let add =
        ["admission", "add", "--log", &url, "--trust", &trust, "--key", &operator, "--iss", iss, "--pub", &public];
    let row = ["--kinds", "decision,stream,quarantine", "--subjects", "spiffe://"];
    world.govlog("ops", &[&add[..], &row].concat()).expect(0);
    let client = "[client]\nca = \"../ca.pem\"\ncert = \"../pay-client.pem\"\ncert_key = \"../pay-client.key\"\n";
    let roles = "[access]\nsubmit = \"spiffe://prod.example/visitor\"\noperate = \"spiffe://prod.example/ops\"\n";
    let top = format!(
        "iss = {iss:?}\nlog = {url:?}\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nopenings.plaintext = true\n"
    );
    fs::write(world.path("agent/agent.toml"), format!("{top}{}{roles}{client}", tls("log"))).unwrap();
    let mut agent = run("agent").args(["run", "--config"]).arg(world.path("agent/agent.toml")).start();
    let (uploads, admin) = (served(&mut agent, "listening on"), served(&mut agent, "admin on"));
    let upload = |who: &str| {
        let answer =
            world.http(&uploads, who).post("ingest/opa/v1/logs", "application/json", b"no event".to_vec(), 4096);
        answer.unwrap().status
    };
    assert_eq!(upload("pay"), 403);
    assert_eq!(world.http(&admin, "visitor").ask("readyz", 4096).unwrap().status, 403);
    assert_eq!(world.http(&admin, "ops").ask("readyz", 4096).unwrap().status, 200);
    assert_eq!(upload("visitor"), 200);
    // Entry 0, the operator's change, the stream's opening, and what became of the upload.
    let reader = world.http(&world.log_url, "visitor");
    until("a checkpoint of four entries", SOON, || {
        let note = String::from_utf8(reader.ask("checkpoint", 1 << 20).ok()?.body).ok()?;
        note.lines().nth(1)?.parse::<u64>().ok().filter(|size| *size >= 4)
    });
}

/// Every one of the dawdlers has begun a handshake and will not end it.
#[test]
fn handshakes_that_dawdle_hold_no_honest_client_up_and_are_cut_off() {
    let mut world = World::start();
    let mut dawdlers: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(world.log_address()).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00").unwrap();
            stream
        })
        .collect();
    let begun = Instant::now();
    for _ in 0..20 {
        assert_eq!(world.http(&world.log_url, "visitor").ask("checkpoint", 1 << 20).unwrap().status, 200);
    }
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}: longer than a handshake may take", begun.elapsed());
    for dawdler in &mut dawdlers {
        // Closed or reset, and not the timeout of this side.
        match dawdler.read_to_end(&mut Vec::new()) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
        }
    }
    assert!(world.log.is_running());
}
