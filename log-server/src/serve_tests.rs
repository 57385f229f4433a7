//! Connections on real sockets, with short times.

use axum::body::{Body, Bytes};
use axum::extract::Extension;
use axum::routing::get;
use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Notify, oneshot};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(60);

struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    done: tokio::task::JoinHandle<()>,
}

/// Times so long that none of them ends a test.
fn long() -> Limits {
    Limits { connections: 8, header: PATIENCE, idle: PATIENCE, stall: PATIENCE, drain: PATIENCE }
}

async fn start(app: Router, limits: Limits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopping) = watch::channel(false);
    let done = tokio::spawn(serve(listener, app, limits, stopping));
    Server { address, stop, done }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn end(self) {
        self.stop.send_replace(true);
        tokio::time::timeout(PATIENCE, self.done).await.expect("serving ends in time").unwrap();
    }
}

fn hello() -> Router {
    Router::new().route("/", get(|Extension(Peer(peer)): Extension<Peer>| async move { format!("hello {peer}") }))
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// Reads until the peer closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("it is closed in time") {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads one answer to its last byte.
async fn one_answer(stream: &mut TcpStream, last: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 1024];
    while !text.ends_with(last) {
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.expect("in time").unwrap();
        assert!(read > 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    text
}

#[tokio::test]
async fn requests_are_answered_on_one_connection_and_know_their_peer() {
    let server = start(hello(), long()).await;
    let mut stream = server.connect().await;
    let own = format!("hello {}", stream.local_addr().unwrap());
    for _ in 0..3 {
        stream.write_all(REQUEST).await.unwrap();
        let answer = one_answer(&mut stream, &own).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    server.end().await;
}

/// "a connection that has sent nothing is closed after 60 s" (exact.md §4)
#[tokio::test]
async fn a_connection_that_sends_nothing_is_closed_after_the_idle_time() {
    let server = start(hello(), Limits { idle: SHORT, ..long() }).await;
    let begun = Instant::now();
    let mut silent = server.connect().await;
    assert_eq!(rest(&mut silent).await, "");
    assert!(begun.elapsed() >= SHORT);
    // And so is one that was served and then says nothing more.
    let mut served = server.connect().await;
    served.write_all(REQUEST).await.unwrap();
    assert!(rest(&mut served).await.starts_with("HTTP/1.1 200 OK"));
    server.end().await;
}

/// "Timeouts: header 10 s […]: 408 or plain close" (exact.md §4)
#[tokio::test]
async fn a_request_head_must_end_in_time_however_its_bytes_drip() {
    let server = start(hello(), Limits { header: SHORT, ..long() }).await;
    let begun = Instant::now();
    let mut cut = server.connect().await;
    cut.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    assert!(!rest(&mut cut).await.contains("200 OK"));
    assert!(begun.elapsed() >= SHORT);
    let (mut read, mut write) = server.connect().await.into_split();
    let dripping = tokio::spawn(async move {
        write.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        while write.write_all(b"a: b\r\n").await.is_ok() {
            tokio::time::sleep(SHORT / 8).await;
        }
    });
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, read.read_to_end(&mut bytes)).await.expect("it is cut off in time");
    assert!(ended.is_err() || !String::from_utf8_lossy(&bytes).contains("200 OK"));
    tokio::time::timeout(PATIENCE, dripping).await.expect("writing fails in time").unwrap();
    server.end().await;
}

/// A handler that takes its time is not cut off by the header or idle times.
#[tokio::test]
async fn a_handler_at_work_is_not_idle() {
    let slow = Router::new().route(
        "/",
        get(|| async {
            tokio::time::sleep(SHORT * 4).await;
            "done"
        }),
    );
    let server = start(slow, Limits { header: SHORT, idle: SHORT, ..long() }).await;
    let mut stream = server.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    assert!(rest(&mut stream).await.ends_with("done"));
    server.end().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut_off() {
    let (dropped, gone) = oneshot::channel::<()>();
    let held = Arc::new(Mutex::new(Some(dropped)));
    let endless = Router::new().route(
        "/",
        get(move || async move {
            let held = held.lock().unwrap().take();
            Body::from_stream(futures_util::stream::repeat_with(move || {
                let _ = &held;
                Ok::<_, io::Error>(Bytes::from_static(&[0; 65_536]))
            }))
        }),
    );
    let server = start(endless, Limits { stall: SHORT, ..long() }).await;
    let mut stream = server.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    let dropped = tokio::time::timeout(PATIENCE, gone).await.expect("the answer is given up in time");
    assert!(dropped.is_err(), "the body was dropped");
    drop(stream);
    server.end().await;
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_their_turn() {
    let server = start(hello(), Limits { connections: 1, ..long() }).await;
    let first = server.connect().await;
    let mut second = server.connect().await;
    second.write_all(REQUEST).await.unwrap();
    let mut byte = [0];
    let early = tokio::time::timeout(SHORT, second.read(&mut byte)).await;
    assert!(early.is_err(), "the second waits while the first is there");
    drop(first);
    let answered = tokio::time::timeout(PATIENCE, second.read(&mut byte)).await.expect("its turn comes").unwrap();
    assert_eq!(answered, 1);
    server.end().await;
}

#[tokio::test]
async fn at_the_end_requests_under_way_are_answered_and_idle_connections_closed() {
    let (entered, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let app = Router::new().route("/", {
        let (entered, go) = (Arc::clone(&entered), Arc::clone(&go));
        get(move || async move {
            entered.notify_one();
            go.notified().await;
            "finished"
        })
    });
    let server = start(app, long()).await;
    let mut idle = server.connect().await;
    let mut busy = server.connect().await;
    busy.write_all(REQUEST).await.unwrap();
    entered.notified().await;
    server.stop.send_replace(true);
    assert_eq!(rest(&mut idle).await, "");
    assert!(!server.done.is_finished());
    go.notify_one();
    assert!(rest(&mut busy).await.ends_with("finished"));
    server.end().await;
}

#[tokio::test]
async fn what_does_not_end_in_the_drain_time_is_cut() {
    let entered = Arc::new(Notify::new());
    let app = Router::new().route("/", {
        let entered = Arc::clone(&entered);
        get(move || async move {
            entered.notify_one();
            std::future::pending::<&str>().await
        })
    });
    let server = start(app, Limits { drain: SHORT, ..long() }).await;
    let mut stuck = server.connect().await;
    stuck.write_all(REQUEST).await.unwrap();
    entered.notified().await;
    server.end().await;
    assert_eq!(rest(&mut stuck).await, "");
}

#[tokio::test]
async fn heads_beyond_their_bound_and_what_is_no_http_are_refused() {
    let server = start(hello(), long()).await;
    let mut large = server.connect().await;
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(4 * MAX_HEAD_BYTES));
    // The server may close before it has read all of it.
    drop(large.write_all(head.as_bytes()).await);
    assert!(!rest(&mut large).await.contains("200 OK"));
    let mut noise = server.connect().await;
    noise.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await.unwrap();
    noise.shutdown().await.unwrap();
    assert!(!rest(&mut noise).await.contains("200 OK"));
    let stream = futures_util::stream::iter(0..20).map(|_| server.connect());
    stream.buffer_unordered(20).for_each(|stream| async { drop(stream) }).await;
    let mut after = server.connect().await;
    after.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut after).await.contains("200 OK"));
    server.end().await;
}
