//! All that is hostile at once, against each of the programs: a thousand connections that say nothing, heads and bodies that dribble or never
//! end, answers that nobody reads, garbage, peers that vanish. An honest client is served all the while; afterwards nothing is left of it.

use std::io::{BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use govlog_client::testing::Random;
use harness::agent::{QUICK, captured_groups};
use harness::http::connect;
use harness::network::Plan;
use harness::opa::Heard;
use harness::served::Served;
use harness::wait::{SOON, until};
use harness::{Client, Issuer, Ledger, Network, Opa, check};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::NODE;
use crate::agent::Scene;

/// Connections that say nothing, to each program.
const SILENT: usize = 1000;

/// How long it goes on.
const SIEGE: Duration = Duration::from_secs(4);

/// The longest that an honest request may take meanwhile: all of it runs on one machine, attackers included.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a program may take in memory beside what it took before, in KiB.
const MOST_GROWTH_KIB: u64 = 192 * 1024;

/// Files and sockets that may be open afterwards beside those before: an honest client's, and what a store opens.
const MOST_LEFT: usize = 24;

/// A program under siege, and what it posts are for.
struct Target {
    address: SocketAddr,
    /// Where bodies are read.
    post: &'static str,
    content_type: &'static str,
    /// The largest answer to be had.
    get: &'static str,
    /// Whether a body is cut off as soon as it is too long. An agent takes the digest of one up to a gigabyte, within the time for a body, for
    /// its source would send it again and again.
    cuts_bodies: bool,
}

impl Target {
    fn connection(&self) -> BufReader<TcpStream> {
        connect(self.address, PATIENCE).unwrap()
    }

    /// Connects if it can be done: a program that is full lets people wait.
    fn try_connection(&self) -> Option<BufReader<TcpStream>> {
        connect(self.address, Duration::from_secs(1)).ok()
    }

    fn head(&self, more: &str) -> String {
        format!("POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: {}\r\n{more}", self.post, self.content_type)
    }
}

/// One kind of attack; called again and again until the siege is over, with what is left open from the last time.
type Attack = fn(&Target, &mut Vec<BufReader<TcpStream>>, &mut Random);

const ATTACKS: [Attack; 7] =
    [dribbled_heads, dribbled_bodies, endless_bodies, announced_bodies, unread_answers, garbage, vanishing];

/// Tops up to some open connections, and sends a piece on each; those that were closed are replaced.
fn dribble(target: &Target, open: &mut Vec<BufReader<TcpStream>>, begin: &str, piece: &[u8]) {
    open.retain_mut(|connection| connection.get_mut().write_all(piece).is_ok());
    while open.len() < 30 {
        let Some(mut connection) = target.try_connection() else { return };
        if connection.get_mut().write_all(begin.as_bytes()).is_ok() {
            open.push(connection);
        }
    }
    pause();
}

fn dribbled_heads(target: &Target, open: &mut Vec<BufReader<TcpStream>>, _: &mut Random) {
    dribble(target, open, "GET / HTTP/1.1\r\nx: ", b"x");
}

fn dribbled_bodies(target: &Target, open: &mut Vec<BufReader<TcpStream>>, _: &mut Random) {
    dribble(target, open, &target.head("content-length: 100000\r\n\r\n"), b"x");
}

/// Chunks without end, as fast as they are taken.
fn endless_bodies(target: &Target, _: &mut Vec<BufReader<TcpStream>>, _: &mut Random) {
    let Some(mut connection) = target.try_connection() else { return };
    let stream = connection.get_mut();
    stream.write_all(target.head("transfer-encoding: chunked\r\n\r\n").as_bytes()).ok();
    let chunk = [b"10000\r\n".as_slice(), &[b'['; 65_536], b"\r\n"].concat();
    let sent = (0..1024).take_while(|_| stream.write_all(&chunk).is_ok()).count();
    assert!(sent < 1024 || !target.cuts_bodies, "64 MiB of one body were taken");
}

/// Bodies said to be of ten gigabytes.
fn announced_bodies(target: &Target, _: &mut Vec<BufReader<TcpStream>>, _: &mut Random) {
    let Some(mut connection) = target.try_connection() else { return };
    connection.get_mut().write_all(target.head("content-length: 10000000000\r\n\r\n").as_bytes()).ok();
    let mut status = [0; 12];
    if connection.read_exact(&mut status).is_ok() {
        assert!(status.starts_with(b"HTTP/1.1 "), "{}", String::from_utf8_lossy(&status));
    }
    pause();
}

/// Asks for the largest answer again and again on one connection, and reads none.
fn unread_answers(target: &Target, open: &mut Vec<BufReader<TcpStream>>, _: &mut Random) {
    if open.len() >= 30 {
        pause();
        return;
    }
    let Some(mut connection) = target.try_connection() else { return };
    let stream = connection.get_mut();
    stream.set_nonblocking(true).unwrap();
    let request = format!("GET {} HTTP/1.1\r\nhost: x\r\n\r\n", target.get);
    // Until neither side's buffers hold any more.
    let mut left = 100_000;
    while left > 0 && stream.write(request.as_bytes()).is_ok_and(|written| written == request.len()) {
        left -= 1;
    }
    open.push(connection);
}

/// A good request with noise behind it, and noise alone.
fn garbage(target: &Target, _: &mut Vec<BufReader<TcpStream>>, random: &mut Random) {
    let noise: Vec<u8> = (0..500).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
    for begin in
        ["", &format!("GET {} HTTP/1.1\r\nhost: x\r\n\r\n", target.get), "GET / HTTP/1.1\r\nhost: x\r\n\r\n\r\n\r\nGET"]
    {
        // Answered late is not held open: the program is under siege.
        let Ok(mut connection) = connect(target.address, PATIENCE) else { return };
        connection.get_mut().write_all(&[begin.as_bytes(), &noise].concat()).ok();
        connection.get_mut().shutdown(Shutdown::Write).ok();
        let mut answer = Vec::new();
        match connection.read_to_end(&mut answer) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("garbage is held open: {error}")
            }
            _ => {}
        }
    }
}

/// Asks and is gone: with an answer unread the peer's system resets the connection, in the middle of whatever is done.
fn vanishing(target: &Target, _: &mut Vec<BufReader<TcpStream>>, random: &mut Random) {
    let Some(mut connection) = target.try_connection() else { return };
    let request = format!("GET {} HTTP/1.1\r\nhost: x\r\n\r\n", target.get).repeat(20);
    connection.get_mut().write_all(request.as_bytes()).ok();
    if random.below(2) == 0 {
        // Some of the answer has come.
        connection.read_exact(&mut [0]).ok();
    }
}

/// Between two rounds of an attacker that would otherwise do nothing but that; not a time that anything depends on.
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// Besieges a program while `serve` is called again and again, and says how often and how long the slowest call took.
fn besiege(target: &Target, mut serve: impl FnMut()) -> (usize, Duration) {
    allow_files();
    let silent: Vec<_> = (0..SILENT).map(|_| target.connection()).collect();
    let (over, rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
    let served = std::thread::scope(|scope| {
        for (number, attack) in (1..).zip(ATTACKS) {
            let (over, rounds) = (&over, &rounds);
            scope.spawn(move || {
                let (mut open, mut random) = (Vec::new(), Random(number));
                while !over.load(Ordering::Relaxed) {
                    attack(target, &mut open, &mut random);
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let (begun, mut times) = (Instant::now(), 0);
        let mut slowest = Duration::ZERO;
        while begun.elapsed() < SIEGE {
            let this = Instant::now();
            serve();
            (slowest, times) = (slowest.max(this.elapsed()), times + 1);
        }
        over.store(true, Ordering::Relaxed);
        (times, slowest)
    });
    drop(silent);
    assert!(rounds.into_inner() >= ATTACKS.len(), "not everybody has attacked");
    served
}

/// What a program had before, and must not exceed by much.
struct Before {
    peak_kib: u64,
    files: usize,
}

impl Before {
    fn of(served: &mut Served) -> Self {
        Self { peak_kib: served.process().peak_kib(), files: served.process().open_files() }
    }

    /// The program has let everything go, and never took more memory than it may.
    fn is_as_after(&self, served: &mut Served, what: &str) {
        until(&format!("{what} to let go of connections"), SOON, || {
            (served.process().open_files() <= self.files + MOST_LEFT).then_some(())
        });
        let peak = served.process().peak_kib();
        assert!(peak < self.peak_kib + MOST_GROWTH_KIB, "{what}: from {} to {peak} KiB", self.peak_kib);
    }
}

/// The attackers need a file each; the programs see to themselves.
fn allow_files() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

/// Honest requests went on.
fn unharmed(what: &str, (times, slowest): (usize, Duration)) {
    assert!(times >= 3, "{what}: {times} honest requests in {SIEGE:?}, the slowest took {slowest:?}");
}

/// "1,000 idle connections: bounded memory, honest clients unharmed", and all else besides.
#[test]
fn a_log_under_siege_serves_and_forgets() {
    let mut network = Plan::new(NODE).start();
    let mut issuer = Issuer::new(0, &network.log.origin);
    network.log.admit(std::slice::from_ref(&issuer));
    let mut client = network.log.client().patient_for(PATIENCE);
    // A full bundle, for those who will not read it.
    let many: Vec<u8> = (0..256).flat_map(|_| issuer.sign_next().into_entry()).collect();
    assert_eq!(client.post("/v1/batches", "application/cbor-seq", &many).unwrap().status, 200);
    until("a full bundle", SOON, || (client.get("/tile/entries/000").unwrap().status == 200).then_some(()));
    let serve = || {
        let answer = client.post("/entries?wait=committed", "application/cose", issuer.sign_next().entry()).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
    };
    let target = Target {
        address: network.log.address(),
        post: "/entries",
        content_type: "application/cose",
        get: "/tile/entries/000",
        cuts_bodies: true,
    };
    let before = Before::of(&mut network.log);
    unharmed("log", besiege(&target, serve));
    before.is_as_after(&mut network.log, "the log");
    check::log(&network.log, &Ledger::default()).unwrap();
    network.log.stop_within(Duration::from_secs(10));
}

/// The log is a witness's honest client: it publishes nothing without.
#[test]
fn a_witness_under_siege_cosigns_and_forgets() {
    let mut network: Network = Plan::new(NODE).witnesses(1, 1).start();
    let mut issuer = Issuer::new(0, &network.log.origin);
    network.log.admit(std::slice::from_ref(&issuer));
    let target = Target {
        address: network.witnesses[0].address(),
        post: "/add-checkpoint",
        content_type: "application/octet-stream",
        get: "/nowhere",
        cuts_bodies: true,
    };
    let mut client = network.log.client().patient_for(PATIENCE);
    let serve = || {
        let answer = client.post("/entries?wait=published", "application/cose", issuer.sign_next().entry()).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
    };
    let before = Before::of(&mut network.witnesses[0]);
    unharmed("witness", besiege(&target, serve));
    before.is_as_after(&mut network.witnesses[0], "the witness");
    network.witnesses[0].stop_within(Duration::from_secs(10));
    network.log.stop_within(Duration::from_secs(10));
}

#[test]
fn an_agent_under_siege_takes_uploads_and_forgets() {
    let mut scene = Scene::with(Plan::new(NODE), &(QUICK.to_owned() + &captured_groups()));
    scene.start();
    let mut opa = Opa::new("a", 21);
    let target = Target {
        address: scene.agent.address(),
        post: "/a/v1/logs",
        content_type: "application/json",
        get: "/nowhere",
        cuts_bodies: false,
    };
    let before = Before::of(&mut scene.agent);
    let mut client = Client::new(target.address).patient_for(PATIENCE);
    let serve = || {
        assert_eq!(opa.step(&mut client).unwrap(), Heard::Taken);
    };
    unharmed("agent", besiege(&target, serve));
    before.is_as_after(&mut scene.agent, "the agent");
    opa.settle(&mut scene.agent.client()).unwrap();
    scene.agent.stop_within(Duration::from_secs(10));
}
