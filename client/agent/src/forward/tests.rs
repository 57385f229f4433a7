//! A queue on a real disk, and a sink on a real socket.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use super::*;
use crate::pump::Round;
use crate::telemetry::Telemetry;
use crate::testing::StillWorld;
use crate::world::World;

fn upload(body: &[u8]) -> Upload {
    Upload {
        resource: "logs".into(),
        content_type: Some("application/json".into()),
        content_encoding: Some("gzip".into()),
        body: body.to_vec(),
    }
}

fn open(dir: &tempfile::TempDir, most: u64) -> Arc<Queue> {
    Arc::new(Queue::open(&folder(dir.path(), "/a/v1"), most).unwrap())
}

fn forwarder(queue: &Arc<Queue>, address: SocketAddr) -> (Forwarder, Arc<Telemetry>) {
    let telemetry = Arc::new(Telemetry::new().unwrap());
    let world: Arc<dyn World> = StillWorld::at(1);
    let forward = Forward { url: format!("http://{address}/old/v1"), client: Outbound::default(), bytes: 0 };
    let retry_most = Duration::from_secs(9);
    (Forwarder::new("/a/v1", forward, Arc::clone(queue), Arc::clone(&telemetry), world, retry_most), telemetry)
}

/// The head and the body of a request.
type Got = (String, Vec<u8>);

/// A sink that gives these answers, and tells what it got: head and body.
fn sink(answers: Vec<u16>) -> (SocketAddr, std::thread::JoinHandle<Vec<Got>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = std::thread::spawn(move || {
        let serve = |status: u16| {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
            loop {
                let read = stream.read(&mut chunk).unwrap();
                bytes.extend_from_slice(&chunk[..read]);
                let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
                let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                if bytes.len() - end - 4 < length.parse().unwrap() {
                    continue;
                }
                write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
                return (head, bytes[end + 4..].to_vec());
            }
        };
        answers.into_iter().map(serve).collect()
    });
    (address, served)
}

#[test]
fn what_the_sink_did_not_take_is_there_after_a_kill_and_arrives_as_it_came() {
    let dir = tempfile::tempdir().unwrap();
    let (address, served) = sink(vec![503, 200, 200]);
    let first = upload(b"\x1f\x8b\x00 not even gzip");
    let second = Upload { resource: "status".into(), content_encoding: None, ..upload(b"{}") };
    {
        let queue = open(&dir, 1 << 20);
        assert_eq!(queue.push(&first).unwrap(), Pushed::Waits { dropped: 0 });
        assert_eq!(queue.push(&second).unwrap(), Pushed::Waits { dropped: 0 });
        let (mut forwarder, telemetry) = forwarder(&queue, address);
        assert!(matches!(forwarder.round().unwrap(), Round::Later(wait) if wait >= Duration::from_millis(50)));
        assert!(telemetry.render(&Default::default()).contains("result=\"failed\"} 1"));
        // Nothing is done when it is dropped: what is on disk is what a killed process leaves.
    }
    let queue = open(&dir, 1 << 20);
    assert_eq!(queue.depth().0, 2);
    let (mut forwarder, telemetry) = forwarder(&queue, address);
    assert_eq!(forwarder.round().unwrap(), Round::Worked);
    assert_eq!(forwarder.round().unwrap(), Round::Worked);
    assert_eq!(forwarder.round().unwrap(), Round::Idle);
    assert_eq!(queue.depth(), (0, 0));
    assert!(telemetry.render(&Default::default()).contains("result=\"sent\"} 2"));
    let got = served.join().unwrap();
    for (head, body) in &got[..2] {
        assert!(head.starts_with("post /old/v1/logs http/1.1"), "{head}");
        assert!(head.contains("content-type: application/json") && head.contains("content-encoding: gzip"), "{head}");
        assert_eq!(body, &first.body);
    }
    let (head, body) = &got[2];
    assert!(head.starts_with("post /old/v1/status ") && !head.contains("content-encoding"), "{head}");
    assert_eq!(body, &second.body);
}

#[test]
fn a_full_queue_drops_the_oldest_and_says_how_many() {
    let dir = tempfile::tempdir().unwrap();
    let queue = open(&dir, 1_000);
    for n in 0..3_u8 {
        assert_eq!(queue.push(&upload(&[n; 200])).unwrap(), Pushed::Waits { dropped: 0 });
    }
    assert_eq!(queue.push(&upload(&[3; 800])).unwrap(), Pushed::Waits { dropped: 3 });
    assert_eq!(queue.push(&upload(&[4; 2_000])).unwrap(), Pushed::TooLarge);
    assert_eq!(queue.first().unwrap().unwrap().1.body, [3; 800]);
    assert!(queue.depth().1 <= 1_000);
    drop(queue);
    let queue = open(&dir, 1_000);
    let (number, kept) = queue.first().unwrap().unwrap();
    assert_eq!((number, kept.body.as_slice(), queue.depth().0), (3, [3; 800].as_slice(), 1));
    queue.take_away(number).unwrap();
    assert_eq!(queue.first().unwrap(), None);
}

#[test]
fn what_is_sent_again_a_moment_later_is_handed_on_once() {
    let dir = tempfile::tempdir().unwrap();
    let queue = open(&dir, 1 << 20);
    queue.push(&upload(b"1")).unwrap();
    assert_eq!(queue.push(&upload(b"1")).unwrap(), Pushed::Known);
    let other = Upload { resource: "status".into(), ..upload(b"1") };
    assert_eq!(queue.push(&other).unwrap(), Pushed::Waits { dropped: 0 });
    assert_eq!(queue.depth().0, 2);
}

#[test]
fn what_the_sink_refuses_for_good_does_not_stand_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let queue = open(&dir, 1 << 20);
    let (address, served) = sink(vec![413, 200]);
    queue.push(&upload(b"1")).unwrap();
    queue.push(&upload(b"2")).unwrap();
    let (mut forwarder, telemetry) = forwarder(&queue, address);
    assert_eq!(forwarder.round().unwrap(), Round::Worked);
    assert_eq!(forwarder.round().unwrap(), Round::Worked);
    assert_eq!(served.join().unwrap()[1].1, b"2");
    let metrics = telemetry.render(&Default::default());
    assert!(metrics.contains("result=\"refused\"} 1") && metrics.contains("kind=\"forward\"} 1"), "{metrics}");
}

#[test]
fn a_sink_that_is_away_and_a_folder_that_others_can_read_are_said() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let queue = open(&dir, 1 << 20);
    queue.push(&upload(b"1")).unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (mut forwarder, _) = forwarder(&queue, address);
    assert!(matches!(forwarder.round().unwrap(), Round::Later(_)));
    assert_eq!(queue.depth().0, 1);
    // What no crash of ours leaves: it stays, and is said.
    let path = folder(dir.path(), "/a/v1");
    std::fs::write(path.join(format!("{:020}.upload", 0)), b"cut off").unwrap();
    queue.first().unwrap_err();
    std::fs::write(path.join("new"), b"half").unwrap();
    assert_eq!(open(&dir, 1 << 20).depth().0, 1);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    Queue::open(&path, 1).unwrap_err();
    assert_ne!(folder(dir.path(), "/a/v1"), folder(dir.path(), "/a.v1"));
}
