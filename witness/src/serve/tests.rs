use std::net::SocketAddr;

use axum::{
    body::Body,
    routing::{get, post},
};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Long enough that nothing in these tests waits for it by mistake, short enough to fail a test instead of hanging it.
const NEVER: Duration = Duration::from_secs(20);
const SOON: Duration = Duration::from_millis(60);

const PATIENT: Limits = Limits { connections: 8, header: NEVER, body: NEVER, idle: NEVER, stall: NEVER, drain: NEVER };

struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    ended: tokio::task::JoinHandle<()>,
}

async fn start(app: Router, limits: Limits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    Server { address, stop, ended: tokio::spawn(serve(listener, app, limits, stopped)) }
}

fn hello() -> Router {
    Router::new()
        .route("/", get(async || "hello"))
        .route("/len", post(async |body: Body| body.collect().await.unwrap().to_bytes().len().to_string()))
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// Reads one answer whose body is known.
async fn read_answer(stream: &mut TcpStream, body: &str) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(format!("\r\n\r\n{body}").as_bytes()) {
        let byte = timeout(NEVER, stream.read_u8()).await.unwrap().unwrap_or_else(|error| {
            panic!("{error} after {:?}", String::from_utf8_lossy(&answer));
        });
        answer.push(byte);
    }
    String::from_utf8(answer).unwrap()
}

/// Waits until the server closes the connection and returns what it sent before that, and how long it took.
async fn read_to_close(stream: &mut TcpStream) -> (Vec<u8>, Duration) {
    let begun = Instant::now();
    let mut rest = Vec::new();
    // A reset is a close too.
    let closed = timeout(NEVER - Duration::from_secs(1), stream.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the connection stayed open");
    (rest, begun.elapsed())
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let server = start(hello(), PATIENT).await;
    let mut stream = server.connect().await;
    for _ in 0..5 {
        stream.write_all(GET).await.unwrap();
        assert!(read_answer(&mut stream, "hello").await.starts_with("HTTP/1.1 200"));
    }
    stream.write_all(b"POST /len HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc").await.unwrap();
    assert!(read_answer(&mut stream, "3").await.starts_with("HTTP/1.1 200"));
    // Two requests in one packet are answered in order.
    stream.write_all(&[GET, GET].concat()).await.unwrap();
    read_answer(&mut stream, "hello").await;
    read_answer(&mut stream, "hello").await;
}

#[tokio::test]
async fn a_connection_that_sends_nothing_is_closed_after_the_idle_time() {
    let server = start(hello(), Limits { idle: SOON, ..PATIENT }).await;
    let mut stream = server.connect().await;
    let (sent, took) = read_to_close(&mut stream).await;
    assert_eq!(sent, b"");
    assert!(took >= SOON / 2, "{took:?}");
}

#[tokio::test]
async fn a_kept_connection_is_closed_after_the_idle_time_and_not_after_the_header_time() {
    let server = start(hello(), Limits { idle: SOON * 4, header: SOON, ..PATIENT }).await;
    let mut stream = server.connect().await;
    for _ in 0..2 {
        stream.write_all(GET).await.unwrap();
        read_answer(&mut stream, "hello").await;
    }
    let (sent, took) = read_to_close(&mut stream).await;
    assert_eq!(sent, b"");
    assert!(took >= SOON * 3, "{took:?}");
}

#[tokio::test]
async fn a_head_begun_must_be_finished_within_the_header_time_however_it_dribbles() {
    let server = start(hello(), Limits { header: SOON, ..PATIENT }).await;
    for first in [&b""[..], GET] {
        let stream = server.connect().await;
        let (mut reading, mut writing) = stream.into_split();
        writing.write_all(first).await.unwrap();
        // One byte at a time, for ever: each is progress, and none of them buys more time.
        let dribble = tokio::spawn(async move {
            writing.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
            while writing.write_all(b"x").await.is_ok() {
                tokio::time::sleep(SOON / 20).await;
            }
        });
        let mut sent = Vec::new();
        let closed = timeout(NEVER - Duration::from_secs(1), reading.read_to_end(&mut sent)).await;
        assert!(closed.is_ok(), "the connection stayed open");
        timeout(NEVER, dribble).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_head_over_the_bound_is_refused() {
    let server = start(hello(), PATIENT).await;
    let mut stream = server.connect().await;
    let head = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(2 * MAX_HEAD_BYTES));
    // The server may close before all of it is written.
    let written = stream.write_all(head.as_bytes()).await;
    let (sent, _) = read_to_close(&mut stream).await;
    assert!(
        written.is_err() || sent.is_empty() || sent.starts_with(b"HTTP/1.1 431"),
        "{}",
        String::from_utf8_lossy(&sent)
    );
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let big = Router::new().route("/", get(async || vec![0_u8; 64 << 20]));
    let server = start(big, Limits { stall: SOON, ..PATIENT }).await;
    let mut stream = server.connect().await;
    stream.write_all(GET).await.unwrap();
    // Wait, without reading, until the server has given up; then what is left in the buffers is less than the answer.
    stream.readable().await.unwrap();
    until(|| unread(&server).is_empty()).await;
    let mut sent = Vec::new();
    let _reset_or_end = stream.read_to_end(&mut sent).await;
    assert!(sent.len() < 64 << 20);
}

/// Returns, for each of the server's ends of established connections, how many bytes it has not read yet, as the kernel sees them.
fn unread(server: &Server) -> Vec<u64> {
    let port = format!(":{:04X}", server.address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let ends = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ours = ends.filter(|fields| fields[1].ends_with(&port) && fields[3] == "01");
    ours.map(|fields| u64::from_str_radix(fields[4].split_once(':').unwrap().1, 16).unwrap()).collect()
}

/// Looks again and again until something is so.
async fn until(so: impl Fn() -> bool) {
    let looking = async {
        while !so() {
            tokio::time::sleep(SOON / 20).await;
        }
    };
    timeout(NEVER / 2, looking).await.unwrap();
}

#[tokio::test]
async fn no_more_connections_are_served_than_the_bound_and_the_next_waits_for_its_turn() {
    let server = start(hello(), Limits { connections: 2, ..PATIENT }).await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    for stream in [&mut first, &mut second] {
        stream.write_all(GET).await.unwrap();
        read_answer(stream, "hello").await;
    }
    let mut third = server.connect().await;
    third.write_all(GET).await.unwrap();
    assert!(timeout(SOON, third.read_u8()).await.is_err(), "the third was served beside two others");
    drop(first);
    read_answer(&mut third, "hello").await;
    drop(second);
}

#[tokio::test]
async fn connections_without_a_whole_request_are_closed_soon_when_told_to_end() {
    let server = start(hello(), PATIENT).await;
    let mut fresh = server.connect().await;
    let mut kept = server.connect().await;
    kept.write_all(GET).await.unwrap();
    read_answer(&mut kept, "hello").await;
    let mut half = server.connect().await;
    half.write_all(&GET[..10]).await.unwrap();
    until(|| unread(&server) == [0, 0, 0]).await;
    server.stop.send_replace(true);
    timeout(NEVER / 2, server.ended).await.unwrap().unwrap();
    for stream in [&mut fresh, &mut kept, &mut half] {
        assert_eq!(read_to_close(stream).await.0, b"");
    }
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_request_under_way_is_finished_when_told_to_end() {
    let (begun, mut has_begun) = watch::channel(false);
    let (go_on, may_go_on) = watch::channel(false);
    let app = Router::new().route(
        "/",
        get(async move || {
            begun.send_replace(true);
            may_go_on.clone().wait_for(|go_on| *go_on).await.unwrap();
            "finished"
        }),
    );
    let server = start(app, PATIENT).await;
    let mut stream = server.connect().await;
    stream.write_all(GET).await.unwrap();
    has_begun.wait_for(|begun| *begun).await.unwrap();
    server.stop.send_replace(true);
    assert!(timeout(SOON, TcpStream::connect(server.address)).await.is_ok());
    go_on.send_replace(true);
    let answer = read_answer(&mut stream, "finished").await;
    assert!(answer.contains("connection: close"), "{answer}");
    timeout(NEVER, server.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_after_the_drain_time() {
    let (begun, mut has_begun) = watch::channel(false);
    let app = Router::new().route(
        "/",
        get(async move || {
            begun.send_replace(true);
            std::future::pending::<&str>().await
        }),
    );
    let server = start(app, Limits { drain: SOON, ..PATIENT }).await;
    let mut stream = server.connect().await;
    stream.write_all(GET).await.unwrap();
    has_begun.wait_for(|begun| *begun).await.unwrap();
    server.stop.send_replace(true);
    timeout(NEVER / 2, server.ended).await.unwrap().unwrap();
    assert_eq!(read_to_close(&mut stream).await.0, b"");
}
