//! What becomes of connections when serving is to end.

use tokio::sync::Notify;

use super::*;

/// A handler that tells when it was entered, and is done when told so.
struct Held {
    entered: Arc<Notify>,
    go: Arc<Notify>,
}

impl Held {
    fn new() -> (Self, Router) {
        let (entered, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let held = Self { entered: Arc::clone(&entered), go: Arc::clone(&go) };
        let handler = get(async move || {
            entered.notify_one();
            go.notified().await;
            "finished"
        });
        (held, Router::new().route("/", handler))
    }
}

/// Resolves when nobody listens on `address` any more.
async fn refused(address: SocketAddr) {
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(SHORT / 20).await;
    }
}

#[tokio::test]
async fn requests_under_way_are_answered_and_idle_connections_closed() {
    let (held, app) = Held::new();
    let server = start(app, LONG).await;
    let mut idle = server.connect().await;
    let mut busy = server.connect().await;
    busy.write_all(GET).await.unwrap();
    held.entered.notified().await;
    server.stop.send_replace(true);
    assert_eq!(read_to_close(&mut idle).await, "");
    assert!(!server.ended.is_finished());
    // Nobody new is let in meanwhile.
    timeout(PATIENCE / 2, refused(server.address)).await.expect("the listener is closed");
    held.go.notify_one();
    let answer = read_answer(&mut busy, "finished").await;
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(read_to_close(&mut busy).await, "");
    server.end().await;
}

#[tokio::test]
async fn connections_without_a_whole_request_are_closed_soon() {
    let server = start(hello(), LONG).await;
    let mut fresh = server.connect().await;
    let mut kept = server.connect().await;
    kept.write_all(GET).await.unwrap();
    read_answer(&mut kept, "hello").await;
    let mut half = server.connect().await;
    half.write_all(&GET[..10]).await.unwrap();
    until(|| server.unread() == [0, 0, 0]).await;
    let address = server.address;
    server.end().await;
    for stream in [&mut fresh, &mut kept, &mut half] {
        assert_eq!(read_to_close(stream).await, "");
    }
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_does_not_end_in_the_drain_time_is_cut() {
    let (held, app) = Held::new();
    let server = start(app, Limits { drain: SHORT, ..LONG }).await;
    let mut stuck = server.connect().await;
    stuck.write_all(GET).await.unwrap();
    held.entered.notified().await;
    let begun = Instant::now();
    server.end().await;
    assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
    assert_eq!(read_to_close(&mut stuck).await, "");
}

/// Whoever could have said so is gone, and nobody else will.
#[tokio::test]
async fn it_ends_when_nobody_can_say_so_any_more() {
    let Server { address, stop, ended } = start(hello(), LONG).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    drop(stop);
    assert_eq!(read_to_close(&mut idle).await, "");
    timeout(PATIENCE / 2, ended).await.expect("serving ends in time").unwrap();
}
