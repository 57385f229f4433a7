//! TLS on real sockets: who gets in as whom, and what becomes of that while certificates are replaced.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use govlog_tls::outbound::Outbound;
use govlog_tls::testing::{Authority, Issued};
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::access::Identity;
use crate::serve::{Limits, serve};

/// Long enough that nothing here waits for it by mistake.
const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(100);
const OFTEN: Duration = Duration::from_millis(5);

const LONG: Limits = Limits {
    connections: 8,
    head_bytes: 16 * 1024,
    header: PATIENCE,
    body: PATIENCE,
    idle: PATIENCE,
    stall: PATIENCE,
    drain: PATIENCE,
};

/// A server with the authority that it and its clients have their certificates from.
struct World {
    dir: TempDir,
    authority: Authority,
    tls: Tls,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
}

fn paths(dir: &Path) -> settings::Paths {
    settings::Paths { cert: dir.join("server.pem"), key: dir.join("server.key"), client_ca: Some(dir.join("ca.pem")) }
}

/// Tells whom it takes the peer for.
fn who() -> Router {
    let who = async |request: Request| match request.extensions().get::<Identity>() {
        Some(Identity(id)) => id.to_string(),
        None => "nobody".to_owned(),
    };
    Router::new().route("/", get(who)).route("/large", get(async || vec![0_u8; LARGE]))
}

const LARGE: usize = 64 << 20;

impl World {
    async fn start(limits: Limits) -> Self {
        Self::serving(who(), limits).await
    }

    async fn serving(router: Router, limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        fs::write(dir.path().join("ca.pem"), authority.pem()).unwrap();
        let _files = authority.server("first").write(dir.path(), "server");
        let tls = files::start(paths(dir.path()), OFTEN).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = watch::channel(false);
        let ended = tokio::spawn(serve((listener, Some(tls.clone())), router, limits, stopping));
        Self { dir, authority, tls, address, stop, ended }
    }

    fn outbound(&self, shows: Option<&Issued>) -> Outbound {
        let files = shows.map(|issued| issued.write(self.dir.path(), "client"));
        let (cert, cert_key) = files.map(|files| (files.cert, files.key)).unzip();
        Outbound { ca: Some(self.dir.path().join("ca.pem")), cert, cert_key, token_file: None }
    }

    async fn connect(&self, shows: Option<&Issued>) -> io::Result<TlsStream<TcpStream>> {
        self.connect_with(self.outbound(shows).tls().unwrap().unwrap()).await
    }

    async fn connect_with(&self, config: rustls::ClientConfig) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        timeout(PATIENCE, TlsConnector::from(Arc::new(config)).connect(name, stream)).await.expect("in time")
    }

    /// Replaces the authorities whose clients are believed.
    async fn believe(&self, authorities: &[&Authority]) {
        let before = self.tls.health().replacements();
        let pem: String = authorities.iter().map(|authority| authority.pem()).collect();
        fs::write(self.dir.path().join("ca.pem"), pem).unwrap();
        until(|| self.tls.health().replacements() > before).await;
    }

    /// Asks whom the server takes a client for that shows this.
    async fn taken_for(&self, shows: Option<&Issued>) -> io::Result<String> {
        ask(&mut self.connect(shows).await?).await
    }

    async fn end(self) {
        self.stop.send_replace(true);
        timeout(PATIENCE / 2, self.ended).await.expect("serving ends in time").unwrap();
    }
}

async fn ask(stream: &mut TlsStream<TcpStream>) -> io::Result<String> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await?;
    let mut answer = String::new();
    while !answer.contains("\r\n\r\n") {
        answer.push(char::from(timeout(PATIENCE, stream.read_u8()).await.expect("an answer in time")?));
    }
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let length = answer.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(String::from_utf8(body).unwrap())
}

/// Looks again and again until something is so.
async fn until(so: impl Fn() -> bool) {
    let looking = async {
        while !so() {
            tokio::time::sleep(OFTEN).await;
        }
    };
    timeout(PATIENCE, looking).await.expect("it becomes so in time");
}

fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn a_client_is_whom_its_verified_certificate_names_and_else_nobody() {
    let world = World::start(LONG).await;
    let stream = world.connect(None).await.unwrap();
    let connection = stream.get_ref().1;
    assert_eq!(connection.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert_eq!(connection.alpn_protocol(), Some(&b"http/1.1"[..]));
    drop(stream);
    assert_eq!(world.taken_for(None).await.unwrap(), "nobody");
    let pay = world.authority.client(&["spiffe://prod.example/pay"]);
    assert_eq!(world.taken_for(Some(&pay)).await.unwrap(), "spiffe://prod.example/pay");
    for nameless in [&[][..], &["https://prod.example/pay"], &["spiffe://a/b", "spiffe://a/c"]] {
        let nameless = world.authority.client(nameless);
        assert_eq!(world.taken_for(Some(&nameless)).await.unwrap(), "nobody");
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_expired_foreign_or_no_clients_certificate_gets_no_connection() {
    let world = World::start(LONG).await;
    let id = "spiffe://prod.example/pay";
    let expired = world.authority.expired_client(id);
    let foreign = Authority::new().client(&[id]);
    let servers = world.authority.server("other");
    for (why, wrong) in [("expired", expired), ("foreign", foreign), ("a server's", servers)] {
        // With TLS 1.3 a client hears of it after its own end of the handshake.
        let answer = world.taken_for(Some(&wrong)).await;
        assert!(answer.is_err(), "{why}: {answer:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn tls_1_2_and_plain_http_get_nothing() {
    let world = World::start(LONG).await;
    let authorities = material_roots(&world);
    let old = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(authorities)
        .with_no_client_auth();
    assert!(world.connect_with(old).await.is_err());
    let mut plain = TcpStream::connect(world.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let ended = timeout(PATIENCE / 2, plain.read_to_end(&mut answer)).await.expect("it is closed in time");
    assert!(ended.is_err() || !answer.starts_with(b"HTTP"), "{answer:?}");
    world.end().await;
}

fn material_roots(world: &World) -> rustls::RootCertStore {
    govlog_tls::material::authorities(Path::new("ca"), world.authority.pem().as_bytes()).unwrap()
}

#[tokio::test]
async fn a_certificate_is_replaced_while_connections_go_on() {
    let world = World::start(LONG).await;
    let mut kept = world.connect(None).await.unwrap();
    let first = shown(&kept);
    assert_eq!(ask(&mut kept).await.unwrap(), "nobody");
    let second = world.authority.server("second");
    let _files = second.write(world.dir.path(), "server");
    until(|| world.tls.health().replacements() == 1).await;
    let mut fresh = world.connect(None).await.unwrap();
    assert_eq!(shown(&fresh), second.der);
    assert_ne!(first, second.der);
    assert_eq!(ask(&mut fresh).await.unwrap(), "nobody");
    assert_eq!(ask(&mut kept).await.unwrap(), "nobody", "the connection from before goes on");
    world.end().await;
}

#[tokio::test]
async fn what_can_not_be_used_changes_nothing_and_is_counted_once() {
    let world = World::start(LONG).await;
    let first = shown(&world.connect(None).await.unwrap());
    let file = world.dir.path().join("server.pem");
    for (wrong, refusals) in [("no certificate", 1), ("nor is this", 2)] {
        fs::write(&file, wrong).unwrap();
        until(|| world.tls.health().refusals() >= refusals).await;
        assert_eq!(shown(&world.connect(None).await.unwrap()), first);
    }
    // Gone counts once however often it is looked for; and then comes what is right.
    fs::remove_file(&file).unwrap();
    until(|| world.tls.health().refusals() >= 3).await;
    let second = world.authority.server("second");
    let _files = second.write(world.dir.path(), "server");
    until(|| world.tls.health().replacements() == 1).await;
    assert_eq!(shown(&world.connect(None).await.unwrap()), second.der);
    let rendered = world.tls.health().render();
    assert!(rendered.contains("\ngovlog_tls_replacements_total 1\n"), "{rendered}");
    world.end().await;
}

#[tokio::test]
async fn the_authorities_of_clients_are_replaced_as_well() {
    let world = World::start(LONG).await;
    let other = Authority::new();
    let id = "spiffe://prod.example/pay";
    assert!(world.taken_for(Some(&other.client(&[id]))).await.is_err());
    // The clients here believe the same file, so the server is still to be found in it.
    fs::write(world.dir.path().join("ca.pem"), format!("{}{}", other.pem(), world.authority.pem())).unwrap();
    until(|| world.tls.health().replacements() == 1).await;
    assert_eq!(world.taken_for(Some(&other.client(&[id]))).await.unwrap(), id);
    world.end().await;
}

/// An authority is taken away because its certificates are in wrong hands: those of them that are connected are to go as well.
#[tokio::test]
async fn a_kept_connection_ends_when_its_certificate_is_believed_no_longer() {
    let world = World::start(LONG).await;
    let (id, other) = ("spiffe://prod.example/pay", Authority::new());
    world.believe(&[&world.authority, &other]).await;
    let mut anonymous = world.connect(None).await.unwrap();
    let mut others = world.connect(Some(&other.client(&[id]))).await.unwrap();
    let mut stale = world.connect(Some(&world.authority.client(&[id]))).await.unwrap();
    let mut silent = world.connect(Some(&world.authority.client(&[id]))).await.unwrap();
    for (kept, whom) in [(&mut anonymous, "nobody"), (&mut others, id), (&mut stale, id)] {
        assert_eq!(ask(kept).await.unwrap(), whom);
    }
    world.believe(&[&other]).await;
    // The one that has asked nothing yet may be answered on its way out, as nobody.
    let late = ask(&mut silent).await;
    assert!(late.as_ref().map_or(true, |whom| whom == "nobody"), "{late:?}");
    let mut rest = Vec::new();
    // A close without a goodbye is a close.
    drop(timeout(PATIENCE / 2, stale.read_to_end(&mut rest)).await.expect("it is closed in time"));
    assert!(rest.is_empty());
    assert_eq!(ask(&mut others).await.unwrap(), id, "whoever is believed still goes on");
    assert_eq!(ask(&mut anonymous).await.unwrap(), "nobody", "and so does who never proved anything");
    world.end().await;
}

#[tokio::test]
async fn a_request_under_way_is_answered_when_its_certificate_is_believed_no_longer_and_is_the_last() {
    let (entered, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let held = {
        let (entered, go) = (Arc::clone(&entered), Arc::clone(&go));
        get(async move || {
            entered.notify_one();
            go.notified().await;
            "finished"
        })
    };
    let world = World::serving(Router::new().route("/", held), LONG).await;
    let pay = world.authority.client(&["spiffe://prod.example/pay"]);
    let mut busy = world.connect(Some(&pay)).await.unwrap();
    let asking = tokio::spawn(async move { (ask(&mut busy).await, busy) });
    entered.notified().await;
    world.believe(&[&Authority::new()]).await;
    go.notify_one();
    let (answer, mut busy) = asking.await.unwrap();
    assert_eq!(answer.unwrap(), "finished");
    let mut rest = Vec::new();
    drop(timeout(PATIENCE / 2, busy.read_to_end(&mut rest)).await.expect("it is closed in time"));
    assert!(rest.is_empty());
    world.end().await;
}

/// A handshake is made on its connection's own task, and ends in the header time.
#[tokio::test]
async fn who_dawdles_over_a_handshake_holds_nobody_up_and_is_cut_off() {
    let world = World::start(Limits { header: SHORT * 5, ..LONG }).await;
    let mut dawdlers = Vec::new();
    for begin in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01"] {
        let mut dawdler = TcpStream::connect(world.address).await.unwrap();
        dawdler.write_all(begin).await.unwrap();
        dawdlers.push(dawdler);
    }
    assert_eq!(world.taken_for(None).await.unwrap(), "nobody", "while all of them are at it");
    for mut dawdler in dawdlers {
        let mut sent = Vec::new();
        let ended = timeout(PATIENCE / 2, dawdler.read_to_end(&mut sent)).await.expect("it is closed in time");
        assert!(ended.is_err() || sent.len() < 64, "{sent:?}");
    }
    world.end().await;
}

/// Each byte is progress, and none of them buys more time.
#[tokio::test]
async fn a_handshake_that_drips_is_cut_off_too() {
    let world = World::start(Limits { header: SHORT, ..LONG }).await;
    let (mut reading, mut writing) = TcpStream::connect(world.address).await.unwrap().into_split();
    let dripping = tokio::spawn(async move {
        writing.write_all(b"\x16\x03\x01\x3f\xff").await.unwrap();
        while writing.write_all(b"\x01").await.is_ok() {
            tokio::time::sleep(OFTEN).await;
        }
    });
    let mut sent = Vec::new();
    let ended = timeout(PATIENCE / 2, reading.read_to_end(&mut sent)).await.expect("it is closed in time");
    assert!(ended.is_err() || sent.len() < 64, "{sent:?}");
    timeout(PATIENCE, dripping).await.expect("writing fails in time").unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_handshake_counts_as_a_connection() {
    let world = World::start(Limits { connections: 1, header: SHORT * 5, ..LONG }).await;
    let silent = TcpStream::connect(world.address).await.unwrap();
    let begun = tokio::time::Instant::now();
    assert_eq!(world.taken_for(None).await.unwrap(), "nobody");
    assert!(begun.elapsed() >= SHORT * 4, "it was served beside the one connection there may be");
    drop(silent);
    world.end().await;
}

/// What a certificate proves it proves until its end, and not for as long as the connection is kept.
#[tokio::test]
async fn a_kept_connection_ends_with_the_certificate_that_it_was_begun_with() {
    let world = World::start(LONG).await;
    let brief = world.authority.brief_client("spiffe://prod.example/pay", Duration::from_secs(2));
    let mut kept = world.connect(Some(&brief)).await.unwrap();
    assert_eq!(ask(&mut kept).await.unwrap(), "spiffe://prod.example/pay");
    let mut rest = Vec::new();
    timeout(PATIENCE / 2, kept.read_to_end(&mut rest)).await.expect("it is closed in time").unwrap();
    assert!(rest.is_empty());
    world.end().await;
}

/// Over TLS writing always succeeds at first: bytes wait for the peer when they are flushed.
#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut_off() {
    let world = World::start(Limits { stall: SHORT, ..LONG }).await;
    let mut stream = world.connect(None).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    stream.get_ref().0.readable().await.unwrap();
    // Without reading, until nothing of the connection is left on the server's side.
    until(|| !has_established_end(world.address)).await;
    let mut sent = Vec::new();
    let ended = timeout(PATIENCE / 2, stream.read_to_end(&mut sent)).await.expect("it is closed in time");
    assert!(ended.is_err() && sent.len() < LARGE, "{}", sent.len());
    world.end().await;
}

/// Whether the server has the end of an established connection, as the kernel sees it.
fn has_established_end(server: SocketAddr) -> bool {
    let port = format!(":{:04X}", server.port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let ends = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    ends.filter(|fields| fields[1].ends_with(&port) && fields[3] == "01").count() > 0
}

#[tokio::test]
async fn what_is_wrong_at_the_start_is_an_error_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let start = || files::start(paths(dir.path()), OFTEN).map(drop).unwrap_err().to_string();
    assert!(start().contains("ca.pem"));
    fs::write(dir.path().join("ca.pem"), Authority::new().pem()).unwrap();
    assert!(start().contains("server.pem"));
    let files = Authority::new().server("x").write(dir.path(), "server");
    files::start(paths(dir.path()), OFTEN).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(start().contains("chmod 600"));
}
