//! What is served, and to how many.

use futures_util::StreamExt as _;

use super::*;

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let server = start(hello(), LONG).await;
    let mut stream = server.connect().await;
    for _ in 0..5 {
        stream.write_all(GET).await.unwrap();
        assert!(read_answer(&mut stream, "hello").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    stream.write_all(b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc").await.unwrap();
    assert!(read_answer(&mut stream, "3").await.starts_with("HTTP/1.1 200 OK\r\n"));
    // Two requests in one packet are answered in order.
    stream.write_all(&[GET, b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"].concat()).await.unwrap();
    assert!(read_answer(&mut stream, "hello").await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(read_answer(&mut stream, "").await.starts_with("HTTP/1.1 404 Not Found\r\n"));
    server.end().await;
}

#[tokio::test]
async fn every_request_knows_its_peer() {
    let server = start(hello(), LONG).await;
    for _ in 0..2 {
        let mut stream = server.connect().await;
        let own = stream.local_addr().unwrap().to_string();
        for _ in 0..3 {
            stream.write_all(b"GET /peer HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            let answer = read_answer(&mut stream, &own).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        }
    }
    server.end().await;
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_their_turn() {
    let server = start(hello(), Limits { connections: 1, ..LONG }).await;
    let first = server.connect().await;
    let mut second = server.connect().await;
    second.write_all(GET).await.unwrap();
    let early = timeout(SHORT, second.read_u8()).await;
    assert!(early.is_err(), "the second was served while the first, which asks nothing, is there");
    drop(first);
    read_answer(&mut second, "hello").await;
    server.end().await;
}

#[tokio::test]
async fn connections_that_were_served_and_are_kept_count_too() {
    let server = start(hello(), Limits { connections: 2, ..LONG }).await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    for stream in [&mut first, &mut second] {
        stream.write_all(GET).await.unwrap();
        read_answer(stream, "hello").await;
    }
    let mut third = server.connect().await;
    third.write_all(GET).await.unwrap();
    assert!(timeout(SHORT, third.read_u8()).await.is_err(), "the third was served beside two others");
    drop(first);
    read_answer(&mut third, "hello").await;
    drop(second);
    server.end().await;
}

/// Who asks nothing keeps nobody out for long; who is in the middle of asking keeps its place.
#[tokio::test]
async fn idle_connections_make_room_when_all_places_are_taken() {
    let server = start(hello(), Limits { connections: 3, ..LONG }).await;
    let mut silent = server.connect().await;
    let mut kept = server.connect().await;
    kept.write_all(GET).await.unwrap();
    read_answer(&mut kept, "hello").await;
    let mut half = server.connect().await;
    half.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let mut late = server.connect().await;
    late.write_all(GET).await.unwrap();
    read_answer(&mut late, "hello").await;
    assert_eq!(read_to_close(&mut silent).await, "");
    assert_eq!(read_to_close(&mut kept).await, "");
    half.write_all(b"Host: x\r\n\r\n").await.unwrap();
    read_answer(&mut half, "hello").await;
    server.end().await;
}

/// Heads that fit are served, those beyond are refused, and a bound too small to work with is raised.
#[tokio::test]
async fn a_head_over_the_bound_is_refused() {
    for head_bytes in [16 * 1024, 32 * 1024, 1] {
        let server = start(hello(), Limits { head_bytes, ..LONG }).await;
        let bound = head_bytes.max(LEAST_HEAD_BYTES);
        let head = |length| format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(length));
        let mut fitting = server.connect().await;
        fitting.write_all(head(bound - 1024).as_bytes()).await.unwrap();
        assert!(read_answer(&mut fitting, "hello").await.starts_with("HTTP/1.1 200 OK"));
        for length in [2 * bound, 4 * bound] {
            let mut large = server.connect().await;
            // The server may close before it has read all of it.
            let written = large.write_all(head(length).as_bytes()).await;
            let sent = read_to_close(&mut large).await;
            assert!(written.is_err() || sent.is_empty() || sent.starts_with("HTTP/1.1 431"), "{sent}");
            assert!(!sent.contains("200 OK"), "{sent}");
        }
        server.end().await;
    }
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_ends_nothing_else() {
    let server = start(hello(), LONG).await;
    let mut noise = server.connect().await;
    // The beginning of a TLS handshake.
    noise.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await.unwrap();
    noise.shutdown().await.unwrap();
    assert!(!read_to_close(&mut noise).await.contains("200 OK"));
    // More than may be there at a time, and gone at once.
    let fleeting = futures_util::stream::iter(0..20).map(|_| server.connect());
    fleeting.buffer_unordered(20).for_each(|stream| async { drop(stream) }).await;
    let mut after = server.connect().await;
    after.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(read_to_close(&mut after).await.contains("200 OK"));
    server.end().await;
}
