//! Connections on real sockets, with short times.

mod ending;
mod requests;
mod times;

use std::io;

use axum::body::Bytes;
use axum::extract::Extension;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;

/// Long enough that nothing here waits for it by mistake, short enough to fail a test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(60);

/// Times so long that none of them ends a test: a connection is to be closed in half of them.
const LONG: Limits = Limits {
    connections: 8,
    head_bytes: 16 * 1024,
    header: PATIENCE,
    body: PATIENCE,
    idle: PATIENCE,
    stall: PATIENCE,
    drain: PATIENCE,
};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
}

async fn start(app: Router, limits: Limits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopping) = watch::channel(false);
    Server { address, stop, ended: tokio::spawn(serve(listener, app, limits, stopping)) }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn end(self) {
        self.stop.send_replace(true);
        timeout(PATIENCE / 2, self.ended).await.expect("serving ends in time").unwrap();
    }

    /// Returns, for each of the server's ends of established connections, how many bytes it has not read yet, as the kernel sees them.
    fn unread(&self) -> Vec<u64> {
        let port = format!(":{:04X}", self.address.port());
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let ends = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        let ours = ends.filter(|fields| fields[1].ends_with(&port) && fields[3] == "01");
        ours.map(|fields| u64::from_str_radix(fields[4].split_once(':').unwrap().1, 16).unwrap()).collect()
    }
}

/// Says hello, tells who asks, and counts the bytes of what is posted.
fn hello() -> Router {
    Router::new()
        .route("/", get(async || "hello"))
        .route("/peer", get(async |Extension(Peer(peer)): Extension<Peer>| peer.to_string()))
        .route("/length", post(async |body: Bytes| body.len().to_string()))
}

/// Reads one answer, whose body is known, to its last byte.
async fn read_answer(stream: &mut TcpStream, body: &str) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(format!("\r\n\r\n{body}").as_bytes()) {
        let byte = timeout(PATIENCE, stream.read_u8()).await.expect("it is answered in time");
        answer.push(byte.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&answer))));
    }
    String::from_utf8(answer).unwrap()
}

/// Waits until the server closes the connection, and returns what it sent before that. A reset is a close too.
async fn read_to_close(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut sent = Vec::new();
    match timeout(PATIENCE / 2, stream.read_to_end(&mut sent)).await.expect("it is closed in time") {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
    String::from_utf8_lossy(&sent).into_owned()
}

/// Looks again and again until something is so.
async fn until(so: impl Fn() -> bool) {
    let looking = async {
        while !so() {
            tokio::time::sleep(SHORT / 20).await;
        }
    };
    timeout(PATIENCE / 2, looking).await.expect("it becomes so in time");
}
