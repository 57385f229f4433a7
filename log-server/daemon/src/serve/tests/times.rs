//! How long a connection may take over what it does.

use std::sync::Mutex;

use axum::body::Body;
use tokio::sync::oneshot;

use super::*;

/// "a connection that has sent nothing is closed after 60 s" (exact.md §4)
#[tokio::test]
async fn a_connection_that_sends_nothing_is_closed_after_the_idle_time() {
    let server = start(hello(), Limits { idle: SHORT, ..LONG }).await;
    let begun = Instant::now();
    let mut silent = server.connect().await;
    assert_eq!(read_to_close(&mut silent).await, "");
    assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
    // And so is one that was served and then says nothing more.
    let mut served = server.connect().await;
    served.write_all(GET).await.unwrap();
    assert!(read_to_close(&mut served).await.starts_with("HTTP/1.1 200 OK"));
    server.end().await;
}

#[tokio::test]
async fn a_kept_connection_is_closed_after_the_idle_time_and_not_after_the_header_time() {
    let server = start(hello(), Limits { idle: SHORT * 4, header: SHORT, ..LONG }).await;
    let mut stream = server.connect().await;
    let mut begun = Instant::now();
    for _ in 0..2 {
        // Before the request, so that what this side dawdles is not missing from the server's time.
        begun = Instant::now();
        stream.write_all(GET).await.unwrap();
        read_answer(&mut stream, "hello").await;
    }
    assert_eq!(read_to_close(&mut stream).await, "");
    assert!(begun.elapsed() >= SHORT * 4, "{:?}", begun.elapsed());
    server.end().await;
}

/// "Timeouts: header 10 s […]: 408 or plain close" (exact.md §4)
#[tokio::test]
async fn a_head_that_stops_half_way_is_cut_off_after_the_header_time() {
    let server = start(hello(), Limits { header: SHORT, ..LONG }).await;
    let begun = Instant::now();
    let mut half = server.connect().await;
    half.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    assert!(!read_to_close(&mut half).await.contains("200 OK"));
    assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
    server.end().await;
}

/// Each byte and each line is progress, and none of them buys more time, be it the first head of its connection or a later one.
#[tokio::test]
async fn a_head_must_end_within_the_header_time_however_it_drips() {
    let server = start(hello(), Limits { header: SHORT, ..LONG }).await;
    for (before, begin, drop) in [
        (&b""[..], &b"GET / HTTP/1.1\r\nx: "[..], &b"x"[..]),
        (GET, b"GET / HTTP/1.1\r\nx: ", b"x"),
        (b"", b"GET / HTTP/1.1\r\n", b"a: b\r\n"),
        (GET, b"GET / HTTP/1.1\r\n", b"a: b\r\n"),
    ] {
        let (mut reading, mut writing) = server.connect().await.into_split();
        writing.write_all(before).await.unwrap();
        let dripping = tokio::spawn(async move {
            writing.write_all(begin).await.unwrap();
            while writing.write_all(drop).await.is_ok() {
                tokio::time::sleep(SHORT / 20).await;
            }
        });
        let answers = read_to_close(&mut reading).await.matches("200 OK").count();
        assert!(answers <= usize::from(!before.is_empty()), "the head that drips was answered");
        timeout(PATIENCE, dripping).await.expect("writing fails in time").unwrap();
    }
    server.end().await;
}

#[tokio::test]
async fn a_handler_at_work_is_not_idle() {
    let slow = get(async || {
        tokio::time::sleep(SHORT * 4).await;
        "done"
    });
    let server = start(Router::new().route("/", slow), Limits { header: SHORT, idle: SHORT, ..LONG }).await;
    let mut stream = server.connect().await;
    stream.write_all(GET).await.unwrap();
    assert!(read_to_close(&mut stream).await.ends_with("done"));
    server.end().await;
}

#[tokio::test]
async fn an_answer_without_end_that_is_not_read_is_given_up() {
    let (held, gone) = oneshot::channel::<()>();
    let held = Arc::new(Mutex::new(Some(held)));
    let endless = get(async move || {
        let held = held.lock().unwrap().take();
        Body::from_stream(futures_util::stream::repeat_with(move || {
            let _ = &held;
            Ok::<_, io::Error>(Bytes::from_static(&[0; 65_536]))
        }))
    });
    let server = start(Router::new().route("/", endless), Limits { stall: SHORT, ..LONG }).await;
    let mut stream = server.connect().await;
    stream.write_all(GET).await.unwrap();
    let dropped = timeout(PATIENCE / 2, gone).await.expect("the answer is given up in time");
    assert!(dropped.is_err(), "the body was dropped");
    drop(stream);
    server.end().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut_off() {
    const LARGE: usize = 64 << 20;
    let large = get(async || vec![0_u8; LARGE]);
    let server = start(Router::new().route("/", large), Limits { stall: SHORT, ..LONG }).await;
    let mut stream = server.connect().await;
    stream.write_all(GET).await.unwrap();
    // Wait, without reading, until the server has given up; then what is left in the buffers is less than the answer.
    stream.readable().await.unwrap();
    until(|| server.unread().is_empty()).await;
    assert!(read_to_close(&mut stream).await.len() < LARGE);
    server.end().await;
}
