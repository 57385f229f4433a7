//! Peers that send too much, too slowly, or nothing; an honest client is served meanwhile, and memory stays bounded.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use govlog_client::testing::Random;
use harness::http::{connect, read_answer};
use harness::log::COSE;
use harness::network::{FAST, Plan};
use harness::wait::{SOON, until};
use harness::{Client, Issuer, Log, Network, check};

use crate::NODE;

/// What the log may take in memory beside its documented bounds, in KiB: attackers must not make it grow by more.
const MOST_GROWTH_KIB: u64 = 128 * 1024;

/// The longest that an honest request may take while others misbehave.
const PATIENCE: Duration = Duration::from_secs(5);

struct Honest {
    network: Network,
    issuer: Issuer,
    before_kib: u64,
}

fn honest(plan: Plan) -> Honest {
    let mut network = plan.start();
    let mut issuer = Issuer::new(0, &network.log.origin);
    network.log.admit(std::slice::from_ref(&issuer));
    serve(&network.log, &mut issuer);
    let before_kib = network.log.process().resident_kib();
    Honest { network, issuer, before_kib }
}

/// One honest submission.
fn serve(log: &Log, issuer: &mut Issuer) {
    let begun = Instant::now();
    let answer = log.client().patient_for(PATIENCE).post("/entries?wait=committed", COSE, issuer.sign_next().entry());
    let answer = answer.unwrap_or_else(|error| panic!("an honest client was not served in {PATIENCE:?}: {error}"));
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert!(begun.elapsed() < PATIENCE);
}

impl Honest {
    fn served(&mut self) {
        serve(&self.network.log, &mut self.issuer);
    }

    /// The log is whole, and has not grown.
    fn unharmed(mut self) {
        self.served();
        let after = self.network.log.process().resident_kib();
        assert!(after < self.before_kib + MOST_GROWTH_KIB, "from {} to {after} KiB", self.before_kib);
        check::log(&self.network.log, &harness::Ledger::default()).unwrap();
        self.network.log.stop();
    }

    fn connection(&self) -> BufReader<TcpStream> {
        connect(self.network.log.address(), SOON).unwrap()
    }
}

const HEAD: &str = "POST /entries HTTP/1.1\r\nhost: log\r\ncontent-type: application/cose\r\n";

/// Sends bytes until the log closes the connection; how many it took.
fn push(connection: &mut TcpStream, piece: &[u8], most: usize) -> usize {
    let mut sent = 0;
    while sent < most && connection.write_all(piece).is_ok() {
        sent += piece.len();
    }
    sent
}

#[test]
fn bodies_without_end_are_cut_off() {
    let mut honest = honest(Plan::new(NODE));
    // Announced: refused before a byte of it is sent.
    for path in ["/entries", "/v1/batches"] {
        let mut connection = honest.connection();
        let kind = if path == "/entries" { "application/cose" } else { "application/cbor-seq" };
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: log\r\ncontent-type: {kind}\r\ncontent-length: 10000000000\r\n\r\n");
        connection.get_mut().write_all(head.as_bytes()).unwrap();
        let answer = read_answer(&mut connection, false).unwrap();
        assert_eq!(answer.status, 413, "{}", answer.text());
    }
    // Not announced: cut off long before a gigabyte.
    for _ in 0..4 {
        let mut connection = honest.connection();
        connection.get_mut().write_all(format!("{HEAD}transfer-encoding: chunked\r\n\r\n").as_bytes()).unwrap();
        let chunk = [b"10000\r\n".as_slice(), &vec![7; 65_536], b"\r\n"].concat();
        let sent = push(connection.get_mut(), &chunk, 1 << 30);
        assert!(sent < 64 << 20, "{sent} bytes of one statement were taken");
        honest.served();
    }
    honest.unharmed();
}

#[test]
fn heads_without_end_are_cut_off() {
    let honest = honest(Plan::new(NODE));
    let mut connection = honest.connection();
    connection.get_mut().write_all(b"GET /checkpoint HTTP/1.1\r\nhost: log\r\n").unwrap();
    let sent = push(connection.get_mut(), &[b"x-more: ".as_slice(), &[b'x'; 4000], b"\r\n"].concat(), 1 << 30);
    assert!(sent < 16 << 20, "{sent} bytes of one head were taken");
    let mut line = honest.connection();
    line.get_mut().write_all(b"GET /").unwrap();
    let sent = push(line.get_mut(), &[b'x'; 4096], 1 << 30);
    assert!(sent < 16 << 20, "{sent} bytes of one line were taken");
    honest.unharmed();
}

/// "a connection that has sent nothing is closed after 60 s"; until then it costs next to nothing.
#[test]
fn idle_connections_are_in_nobodys_way() {
    let mut honest = honest(Plan::new(NODE));
    let idle: Vec<_> = (0..200).map(|_| honest.connection()).collect();
    for _ in 0..20 {
        honest.served();
    }
    drop(idle);
    honest.unharmed();
}

/// A head that comes a byte at a time is given 10 s, a body 30 s, however busily they trickle.
#[test]
fn dribbled_requests_are_given_up() {
    let mut honest = honest(Plan::new(NODE));
    let begun = Instant::now();
    let mut heads: Vec<_> = (0..50).map(|_| honest.connection()).collect();
    let mut bodies: Vec<_> = (0..50).map(|_| honest.connection()).collect();
    for connection in &mut bodies {
        connection.get_mut().write_all(format!("{HEAD}content-length: 1000\r\n\r\n").as_bytes()).unwrap();
    }
    let mut head_ended = None;
    let limit = Duration::from_secs(45);
    until("dribbled connections to be closed", limit, || {
        // One byte at a time, each a little after the last.
        heads.retain_mut(|connection| connection.get_mut().write_all(b"G").is_ok());
        bodies.retain_mut(|connection| connection.get_mut().write_all(b"x").is_ok());
        if heads.is_empty() && head_ended.is_none() {
            head_ended = Some(begun.elapsed());
        }
        honest.served();
        std::thread::sleep(Duration::from_millis(200));
        (heads.is_empty() && bodies.is_empty()).then_some(())
    });
    assert!(head_ended.unwrap() < Duration::from_secs(20), "heads were given {head_ended:?}");
    honest.unharmed();
}

/// A peer that has nothing more to say still gets its answer; one that goes away in the middle is forgotten.
#[test]
fn half_closed_connections_are_answered_or_forgotten() {
    let mut honest = honest(Plan::new(NODE));
    let mut whole = honest.connection();
    whole.get_mut().write_all(b"GET /checkpoint HTTP/1.1\r\nhost: log\r\n\r\n").unwrap();
    whole.get_mut().shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_answer(&mut whole, false).unwrap().status, 200);
    for part in ["G", "GET /checkpoint HTTP/1.1\r\n", &format!("{HEAD}content-length: 1000\r\n\r\nxx")] {
        let mut half = honest.connection();
        half.get_mut().write_all(part.as_bytes()).unwrap();
        half.get_mut().shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        // Closed, with a refusal or without: the read ends, and does so at once.
        let begun = Instant::now();
        half.read_to_end(&mut rest).ok();
        assert!(begun.elapsed() < PATIENCE, "{part:?} was waited for");
        assert!(!rest.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&rest));
    }
    honest.served();
    honest.unharmed();
}

#[test]
fn random_bytes_are_answered_with_a_refusal_or_not_at_all() {
    let honest = honest(Plan::new(NODE));
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut noise =
        |length: usize| -> Vec<u8> { (0..length).map(|_| u8::try_from(random.below(256)).unwrap()).collect() };
    for length in [1, 2, 10, 100, 1000, 10_000] {
        let mut connection = honest.connection();
        // The log may close before all is sent.
        connection.get_mut().write_all(&noise(length)).ok();
        connection.get_mut().shutdown(Shutdown::Write).ok();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).ok();
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&answer));
    }
    let mut client = honest.network.log.client();
    for length in [0, 1, 7, 64, 500, 5000, 65_000] {
        let answer = client.post("/entries", COSE, &noise(length)).unwrap();
        assert_eq!(answer.status, 400, "{length} random bytes: {}", answer.text());
        let answer = client.post("/v1/batches", "application/cbor-seq", &noise(length)).unwrap();
        assert!(matches!(answer.status, 200 | 400 | 413), "{length} random bytes: {}", answer.text());
    }
    honest.unharmed();
}

/// More connections than are served at once wait, or are turned away; nobody is served wrongly, and the next is served again.
#[test]
fn more_connections_than_allowed_wait_their_turn() {
    let settings = format!("{FAST}[limits]\nconnections = 16\n");
    let mut honest = honest(Plan::new(NODE).settings(&settings));
    let crowd: Vec<_> = (0..64).map(|_| honest.connection()).collect();
    drop(crowd);
    until("an honest client to be served again", SOON, || {
        Client::new(honest.network.log.address()).patient_for(PATIENCE).get("/checkpoint").ok()
    });
    honest.served();
    honest.unharmed();
}

/// The admin routes are not on the public address, and the public ones not on the admin's.
#[test]
fn admin_and_public_addresses_are_apart() {
    let honest = honest(Plan::new(NODE));
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(honest.network.log.client().get(path).unwrap().status, 404, "{path}");
        assert_eq!(honest.network.log.admin().get(path).unwrap().status, 200, "{path}");
    }
    assert_eq!(honest.network.log.admin().get("/checkpoint").unwrap().status, 404);
    let metrics = honest.network.log.admin().get("/metrics").unwrap().text();
    assert!(metrics.contains("# TYPE"), "{metrics}");
    honest.unharmed();
}
