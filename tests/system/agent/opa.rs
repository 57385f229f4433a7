//! OPA's bundles and statuses, and the sink that it had before.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use govlog_formats::record::{Record, Recorded as Field};
use harness::agent::{ENVOY, QUICK, group};
use harness::network::Plan;
use harness::opa::Sources;
use harness::upload::captured;
use harness::wait::{SOON, until};

use super::{Scene, one_source};
use crate::NODE;

fn data(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../client/agent/tests/data/capture/opa");
    std::fs::read(folder.join(name)).unwrap()
}

/// Replaces the bundle as a careful publisher does.
fn publish(scene: &Scene, revision: &str) {
    let new = scene.agent.dir.join("new");
    std::fs::write(&new, data(&format!("authz-{revision}.tar.gz"))).unwrap();
    std::fs::rename(new, scene.agent.dir.join("authz.tar.gz")).unwrap();
}

/// What an instance did, with nobody writing a record: its decisions under the policies that were published, and when those came into force.
#[test]
fn every_decision_is_bound_to_a_published_policy_across_a_kill() {
    let bundle = "[[opa.bundle]]\nname = \"authz\"\nfile = \"authz.tar.gz\"\nkey = \"signer.pub.pem\"\npoll_s = 1\n";
    let tables = QUICK.to_owned() + &group("/a/v1", &[ENVOY]) + bundle + &group("/b/v1", &[ENVOY]) + bundle;
    let mut scene = Scene::with(Plan::new(NODE), &tables);
    std::fs::write(scene.agent.dir.join("signer.pub.pem"), data("bundle-signer.pub.pem")).unwrap();
    const EMITTED: &str = "govlog_agent_emitted_total";
    publish(&scene, "r1");
    scene.start();
    // Two groups read it, and it is one policy.
    scene.agent.metric_until(EMITTED, SOON, |count| count == 1);
    publish(&scene, "r2");
    scene.agent.metric_until(EMITTED, SOON, |count| count == 2);
    scene.agent.kill();
    scene.start();
    let mut sources = Sources::captured(3);
    scene.upload_capture(&mut sources);
    for status in ["0002-a", "0042-a", "0078-a", "0106-a", "0106-a"] {
        let body = data(&format!("statuses/{status}-status.body"));
        let answer = scene.agent.client().post("/a/v1/status", "application/json", &body).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let recorded = scene.all_logged(&sources);
    let mut policies = BTreeMap::new();
    for policy in &recorded.rules {
        let Field::Present(revision) = policy.record.text(&["revision"]) else { panic!("no revision") };
        let Field::Present(digest) = policy.record.scheme_digest(&["policy_digest"]) else { panic!("no digest") };
        policies.insert(revision.to_owned(), digest);
    }
    assert_eq!((policies.len(), recorded.rules.len()), (2, 2));
    for decision in recorded.decisions.values().flatten() {
        let [policy] = decision.record.policies().try_into().unwrap();
        assert_eq!(policy.policy_digest.as_ref(), policies.get(&policy.revision.unwrap()));
    }
    let activations: Vec<_> = recorded.told.iter().filter(|record| matches!(record, Record::Activation(_))).collect();
    assert_eq!(activations.len(), 3, "r1 in force, r1 out of force, r2 in force");
    for activation in activations {
        let body = activation.body().unwrap();
        let Field::Present(revision) = body.text(&["revision"]) else { panic!("no revision") };
        let Field::Present(digest) = body.scheme_digest(&["policy_digest"]) else { panic!("no digest") };
        assert_eq!(policies.get(revision), Some(&digest));
    }
    scene.agent.stop();
}

/// With which status a body was answered.
type Answered = (u16, Vec<u8>);

/// A sink that answers as it is told to; what it answered, and to which body.
struct Sink {
    address: SocketAddr,
    answer: Arc<AtomicU16>,
    got: Arc<Mutex<Vec<Answered>>>,
}

impl Sink {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (answer, got) = (Arc::new(AtomicU16::new(503)), Arc::new(Mutex::new(Vec::new())));
        let sink = Self { address, answer: Arc::clone(&answer), got: Arc::clone(&got) };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
                // Whoever is killed in the middle has sent nothing.
                while let Ok(read @ 1..) = stream.read(&mut chunk) {
                    bytes.extend_from_slice(&chunk[..read]);
                    let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
                    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
                    assert!(head.starts_with("post /old/logs ") && head.contains("content-encoding: gzip"), "{head}");
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                    if bytes.len() - end - 4 == length.parse::<usize>().unwrap() {
                        let status = answer.load(Ordering::SeqCst);
                        got.lock().unwrap().push((status, bytes[end + 4..].to_vec()));
                        write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok();
                        break;
                    }
                }
            }
        });
        sink
    }

    /// The bodies that were answered so.
    fn answered(&self, status: u16) -> Vec<Vec<u8>> {
        let got = self.got.lock().unwrap();
        got.iter().filter(|(answered, _)| *answered == status).map(|(_, body)| body.clone()).collect()
    }
}

/// Installing the agent takes nothing from the sink that was there before, whatever that one does and whoever is killed.
#[test]
fn the_sink_that_was_there_gets_every_upload_although_it_was_away_and_the_agent_killed() {
    let sink = Sink::start();
    let forward = format!("prefix = \"/a/v1\"\nforward = \"http://{}/old\"\n", sink.address);
    let table = group("/a/v1", &[ENVOY]).replace("prefix = \"/a/v1\"\n", &forward);
    let mut scene = Scene::with(Plan::new(NODE), &(QUICK.to_owned() + &table));
    scene.start();
    let mut sources = one_source(5);
    scene.upload(&mut sources, 6);
    until("a first try", SOON, || (!sink.answered(503).is_empty()).then_some(()));
    scene.agent.kill();
    sink.answer.store(200, Ordering::SeqCst);
    scene.start();
    scene.upload(&mut sources, 1);
    let mut sent: Vec<Vec<u8>> = captured("a").into_iter().take(7).map(|upload| upload.body).collect();
    sent.sort();
    sent.dedup();
    until("all of them", SOON, || {
        let mut arrived = sink.answered(200);
        arrived.sort();
        arrived.dedup();
        (arrived == sent).then_some(())
    });
    scene.all_logged(&sources);
    scene.agent.stop();
}
