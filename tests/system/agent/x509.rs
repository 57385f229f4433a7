//! The agent signs with X.509-SVIDs out of files: they are renewed while it works, by another authority too, and they are missing for a while.

use govlog_formats::admission::{Credentials, IssuerRow};
use govlog_formats::cose::Algorithm;
use govlog_formats::statement::{SignedStatement, Signer};
use govlog_tls::testing::{Authority, Issued};
use harness::agent::{ISS, QUICK, WAITING, alarm, captured_groups};
use harness::issuer::now_s;
use harness::network::Plan;
use harness::wait::SOON;
use harness::{Ledger, check};

use super::{Scene, one_source};
use crate::NODE;

const UNTIL: &str = "govlog_agent_svid_not_after_seconds";
const UNSIGNED: &str = "govlog_agent_unsigned";

fn scene(authorities: &[&Authority]) -> Scene {
    let tables = "[x509]\nsvid = \"svid.pem\"\nsvid_key = \"svid.key\"\n".to_owned() + QUICK + &captured_groups();
    let mut scene = Scene::unadmitted(Plan::new(NODE).witnesses(1, 1), &tables);
    let anchors = authorities.iter().map(|authority| authority.der()).collect();
    let row = IssuerRow { credentials: Credentials::X509(anchors), ..scene.agent.row() };
    scene.network.log.admit_rows(vec![row]);
    scene
}

fn lay(scene: &Scene, svid: &Issued) {
    drop(svid.write(&scene.agent.dir, "svid"));
}

/// The agent's entries, each with the leaf that it was signed with.
fn signed(scene: &Scene) -> Vec<(SignedStatement, Vec<u8>)> {
    let checked = check::log(&scene.network.log, &Ledger::default()).unwrap();
    let statements = checked.entries.iter().map(|entry| SignedStatement::parse_entry(entry).unwrap());
    let with_leaf = |statement: SignedStatement| match statement.signer() {
        Signer::X5chain(chain) => Some((statement.clone(), chain[0].clone())),
        Signer::Kid(_) => None,
    };
    statements.filter_map(with_leaf).collect()
}

#[test]
fn streams_go_on_from_svid_to_svid_and_wait_while_there_is_none() {
    let (old, new) = (Authority::of_trust_domain("prod.example"), Authority::of_trust_domain("prod.example"));
    let mut scene = scene(&[&old, &new]);
    let now = now_s();
    let first = old.svid_from_to(ISS, now - 60, now + 3_600);
    let second = new.p384_svid(ISS, now - 60, now + 7_200);

    // It is not there yet: uploads are taken all the same, and nothing of them is lost.
    scene.agent.check().expect(1);
    scene.start();
    let mut sources = one_source(21);
    scene.upload(&mut sources, 4);
    scene.agent.metric_until(UNSIGNED, SOON, |unsigned| unsigned == 1);
    assert_eq!(scene.agent.metric(&alarm("svid")), 1);
    assert!(scene.agent.metric(WAITING) > 0);
    lay(&scene, &first);
    scene.all_logged(&sources);
    assert_eq!(scene.agent.metric(UNTIL), now + 3_600);
    let checked = scene.agent.reader.update(&scene.network.log.url());
    checked.expect(0);

    lay(&scene, &second);
    scene.agent.metric_until(UNTIL, SOON, |until| until == now + 7_200);
    scene.upload(&mut sources, 4);
    let recorded = scene.all_logged(&sources);
    assert_eq!(recorded.opened_streams().len(), 1, "one stream, without a gap");
    scene.agent.stop();
    let checked = scene.agent.check();
    checked.expect(0);
    assert!(checked.stdout.contains("an X.509-SVID until ") && checked.stdout.contains("P-384"), "{}", checked.stdout);

    // And from one process to the next.
    scene.start();
    scene.upload(&mut sources, 4);
    let recorded = scene.all_logged(&sources);
    assert_eq!(recorded.opened_streams().len(), 1, "one stream, without a gap");
    scene.agent.stop();

    let signed = signed(&scene);
    let turn = signed.iter().position(|(_, leaf)| *leaf == second.der).unwrap();
    assert!(signed[..turn].iter().all(|(one, leaf)| *leaf == first.der && one.algorithm() == Algorithm::Es256));
    assert!(signed[turn..].iter().all(|(one, leaf)| *leaf == second.der && one.algorithm() == Algorithm::Es384));
    let url = scene.network.log.url();
    scene.agent.reader.trusting(&["audit", "--structure", "--log", &url]).expect(0);
}
