//! The program as its operator meets it: made, started, asked, ended, started again.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "in a test a panic is the report")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use govlog_formats::{
    checkpoint::{Checkpoint, Origin},
    digest::Digest,
    merkle::{ConsistencyProof, MemoryTree, TreeSize, leaf_hash},
    note::{Note, NoteSigner, SignatureAlgorithm, Vkey},
    wire::add_checkpoint::{AddCheckpoint, monitoring_path, parse_reply},
};

fn witness(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_govlog-witness")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

struct Log {
    signer: NoteSigner,
    tree: MemoryTree,
}

impl Log {
    fn new(size: u64) -> Self {
        let mut tree = MemoryTree::new();
        (0..size).for_each(|i| {
            tree.push(leaf_hash(format!("leaf {i}").as_bytes()));
        });
        let name = "log.example/a".parse().unwrap();
        Self { signer: NoteSigner::from_seed(name, SignatureAlgorithm::Ed25519, &[1; 32]).unwrap(), tree }
    }

    fn origin(&self) -> Origin {
        Origin::from(self.signer.vkey().name().clone())
    }

    fn text(&self, size: u64) -> String {
        let size = TreeSize::new(size);
        Checkpoint::new(self.origin(), size, self.tree.root_at(size).unwrap()).to_string()
    }

    fn request(&self, old: u64, new: u64) -> Vec<u8> {
        let (old_size, new_size) = (TreeSize::new(old), TreeSize::new(new));
        let proof: Vec<Digest> = match old {
            0 => Vec::new(),
            _ => ConsistencyProof::build(&self.tree, old_size, new_size).unwrap().path,
        };
        let text = self.text(new);
        let note = Note::with_lines(&text, &[self.signer.sign(&text, None).unwrap()]).unwrap().to_bytes();
        AddCheckpoint { old: old_size, proof, note }.encode()
    }
}

/// A running witness, killed when the test ends before it does.
struct Running {
    child: Child,
    public: String,
    admin: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already in the tests that end it.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn start(folder: &Path) -> Running {
    let config = folder.join("witness.toml");
    let mut child = Command::new(env!("CARGO_BIN_EXE_govlog-witness"))
        .args(["run", "--config", config.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut address = |start: &str| {
        let line = lines.next().unwrap().unwrap();
        line.strip_prefix(start).unwrap_or_else(|| panic!("{line:?} does not begin with {start:?}")).to_owned()
    };
    let public = address("listening on http://");
    let admin = address("admin on http://");
    Running { child, public, admin }
}

/// Sends one request and returns status and body.
fn http(address: &str, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let split = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let status = text(&answer[9..12]).parse().unwrap();
    (status, answer[split + 4..].to_vec())
}

/// Sends SIGTERM and waits for the end.
fn terminate(mut running: Running) -> Duration {
    let begun = Instant::now();
    assert!(Command::new("kill").args(["-TERM", &running.child.id().to_string()]).status().unwrap().success());
    let status = running.child.wait().unwrap();
    assert!(status.success(), "{status}");
    begun.elapsed()
}

fn init(folder: &Path) -> Vkey {
    let dir = folder.to_str().unwrap();
    let made = witness(&[
        "init",
        "--dir",
        dir,
        "--name",
        "witness.example/w1",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let stdout = text(&made.stdout);
    assert_eq!(stdout.matches('\n').count(), 1, "stdout is one line: {stdout:?}");
    let vkey: Vkey = stdout.trim_end().parse().unwrap();
    assert_eq!(vkey.algorithm(), SignatureAlgorithm::CosignatureEd25519);
    vkey
}

#[test]
fn made_run_asked_ended_and_run_again() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("w");
    let vkey = init(&folder);
    assert_eq!(std::fs::metadata(folder.join("witness.key")).unwrap().permissions().mode() & 0o777, 0o600);
    let log = Log::new(9);
    let monitoring = format!("/{}", monitoring_path(&log.origin()));

    let running = start(&folder);
    assert_eq!(http(&running.public, "POST", "/add-checkpoint", &log.request(0, 5)).0, 404);
    // Added while it runs: the list is looked at again before the next 404.
    let added = witness(&["add-log", "--dir", folder.to_str().unwrap(), &log.signer.vkey().to_string()]);
    assert!(added.status.success(), "{}", text(&added.stderr));
    let (status, body) = http(&running.public, "POST", "/add-checkpoint", &log.request(0, 5));
    assert_eq!(status, 200, "{}", text(&body));
    let lines = parse_reply(&body).unwrap();
    assert!(vkey.verify(&log.text(5), lines[0].bytes()).unwrap().unwrap() > 1_700_000_000);
    let (status, note) = http(&running.public, "GET", &monitoring, b"");
    assert_eq!(status, 200);
    let verified = Note::parse(&note).unwrap().verify(&[log.signer.vkey().clone(), vkey.clone()]).unwrap();
    assert_eq!(verified.signatures().len(), 2);
    assert_eq!(http(&running.admin, "GET", "/readyz", b""), (200, b"ready\n".to_vec()));
    assert_eq!(http(&running.public, "GET", "/metrics", b"").0, 404);

    // Another process keeps out.
    let second = witness(&["run", "--config", folder.join("witness.toml").to_str().unwrap()]);
    assert!(!second.status.success());
    assert!(text(&second.stderr).contains("another govlog-witness"), "{}", text(&second.stderr));
    assert_eq!(text(&second.stdout), "");

    // An idle and a half-open connection do not keep it from ending.
    let idle = TcpStream::connect(&running.public).unwrap();
    let mut dribbling = TcpStream::connect(&running.public).unwrap();
    dribbling.write_all(b"POST /add-checkpoint HTTP/1.1\r\nhost:").unwrap();
    assert!(terminate(running) < Duration::from_secs(10));
    drop((idle, dribbling));

    let running = start(&folder);
    assert_eq!(http(&running.public, "GET", &monitoring, b""), (200, note));
    assert_eq!(http(&running.public, "POST", "/add-checkpoint", &log.request(0, 9)), (409, b"5\n".to_vec()));
    assert_eq!(http(&running.public, "POST", "/add-checkpoint", &log.request(5, 9)).0, 200);
    assert!(terminate(running) < Duration::from_secs(10));
}

/// What was answered survives kill −9 at any moment: nothing is flushed at the end that was not flushed before the answer.
#[test]
fn what_was_answered_survives_a_kill() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("w");
    init(&folder);
    let log = Log::new(12);
    assert!(witness(&["add-log", "--dir", folder.to_str().unwrap(), &log.signer.vkey().to_string()]).status.success());
    for size in 0..12 {
        let mut running = start(&folder);
        let (status, body) = http(&running.public, "POST", "/add-checkpoint", &log.request(size, size + 1));
        assert_eq!(status, 200, "{}", text(&body));
        running.child.kill().unwrap();
        running.child.wait().unwrap();
    }
    let running = start(&folder);
    assert_eq!(http(&running.public, "POST", "/add-checkpoint", &log.request(3, 12)), (409, b"12\n".to_vec()));
}

#[test]
fn refuses_to_start_on_what_it_cannot_trust_and_says_why() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("w");
    init(&folder);
    let config = folder.join("witness.toml");
    let run = || {
        let output = witness(&["run", "--config", config.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(text(&output.stdout), "", "it does not say that it listens");
        text(&output.stderr)
    };
    let key = folder.join("witness.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = run();
    assert!(said.contains("witness.key") && said.contains("0644") && said.contains("chmod 600"), "{said}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();

    let state = folder.join("state").join(Digest::sha256(b"log.example/a").to_string());
    std::fs::write(&state, "nonsense").unwrap();
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = run();
    assert!(said.contains(state.to_str().unwrap()) && said.contains("chmod 600"), "{said}");
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o600)).unwrap();
    let said = run();
    assert!(said.contains(state.to_str().unwrap()) && said.contains("damaged"), "{said}");
    std::fs::remove_file(&state).unwrap();

    std::fs::write(folder.join("logs.txt"), "# ours\nnonsense\n").unwrap();
    assert!(run().contains("logs.txt:2"));
    std::fs::write(folder.join("logs.txt"), "").unwrap();

    std::fs::write(&config, "lissen = \"127.0.0.1:0\"\n").unwrap();
    assert!(run().contains("lissen"));
}

#[test]
fn usage_errors_are_explained_and_help_teaches() {
    for args in [&["init", "--dir", "w"][..], &["add-log", "--dir", "w", "nonsense"], &["run"], &["frobnicate"], &[]] {
        let output = witness(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = text(&output.stderr);
        assert!(said.contains("Usage: govlog-witness") || said.contains("try '--help'"), "{args:?}: {said}");
    }
    let temporary = tempfile::tempdir().unwrap();
    for name in ["", "with space", "with+plus"] {
        let dir = temporary.path().join("w");
        let output = witness(&["init", "--dir", dir.to_str().unwrap(), "--name", name]);
        assert_eq!(output.status.code(), Some(2), "{name:?}");
        assert!(!dir.exists());
    }
    let help = witness(&["--help"]);
    assert!(help.status.success());
    for said in ["init", "add-log", "run", "Example:", "witness.toml", "never restore"] {
        assert!(text(&help.stdout).contains(said), "{said}");
    }
}
