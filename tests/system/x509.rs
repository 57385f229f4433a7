//! Workloads that sign with X.509-SVIDs: let in by an operator's command, judged at the door, by `verify` and by `audit`, and let in no more.

use std::path::{Path, PathBuf};

use govlog_formats::cose::SigningKey;
use govlog_formats::statement::{SignedStatement, StatementHeader};
use govlog_tls::testing::{Authority, Issued};
use harness::issuer::now_s;
use harness::log::{COSE, location};
use harness::network::Plan;
use harness::process::Ended;
use harness::reader::Reader;
use harness::{Issuer, Network};

use crate::NODE;

const WORKLOAD: &str = "spiffe://prod.example/pep/envoy";
const DOMAIN: &str = "spiffe://prod.example";

struct Scene {
    network: Network,
    reader: Reader,
    /// Drafts what the workload signs.
    drafts: Issuer,
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

impl Scene {
    fn start() -> Self {
        let network = Plan::new(NODE).witnesses(1, 1).start();
        let reader = Reader::of(&network, "trust");
        let drafts = Issuer { iss: WORKLOAD.to_owned(), stream: None, ..Issuer::new(0, &network.log.origin) };
        Self { network, reader, drafts }
    }

    /// An operator's command that lets in who has a certificate of one of these authorities.
    fn add(&self, iss: &str, authorities: &[&Authority]) -> Ended {
        let (bundle, url) = (self.network.path("bundle.pem"), self.network.log.url());
        let pem: String = authorities.iter().map(|authority| authority.pem()).collect();
        std::fs::write(&bundle, pem).unwrap();
        let key = self.network.log.dir.join("operator.key");
        let start = ["admission", "add", "--log", &url, "--key", text(&key), "--iss", iss];
        let row = ["--kinds", "decision", "--subjects", "spiffe://prod.example/", "--x509-anchors", text(&bundle)];
        self.reader.trusting(&[&start[..], &row].concat())
    }

    fn sign(&mut self, svid: &Issued, iat_s: u64) -> SignedStatement {
        self.drafts.signed += 1;
        let mut draft = self.drafts.draft();
        draft.claims.iat = i64::try_from(iat_s).unwrap();
        let header = StatementHeader { content: draft.content, claims: draft.claims };
        let key = SigningKey::from_pkcs8_der(&svid.key_der).unwrap();
        SignedStatement::sign_x509(&header, &draft.payload, &key, std::slice::from_ref(&svid.der)).unwrap()
    }

    /// Submits what is signed now; gives status and answer, and where it stands if it was taken.
    fn submit(&mut self, svid: &Issued, iat_s: u64) -> (u16, String, Option<String>) {
        let statement = self.sign(svid, iat_s);
        let answer = self.network.log.client().post("/entries?wait=published", COSE, statement.entry()).unwrap();
        let id = (answer.status == 201).then(|| location(answer.header("location")).to_string());
        (answer.status, answer.text(), id)
    }

    /// Fetches an entry, to be judged offline.
    fn fetch(&self, id: &str) -> PathBuf {
        let file = self.network.path(&format!("{id}.cose"));
        self.reader.run(&["get", "--log", &self.network.log.url(), id, "--out", text(&file)]).expect(0);
        file
    }

    fn audit(&self) -> Ended {
        self.reader.trusting(&["audit", "--structure", "--log", &self.network.log.url()])
    }
}

#[test]
fn a_workload_is_let_in_by_its_authority_and_judged_so_by_everybody() {
    let mut scene = Scene::start();
    let (authority, stranger) =
        (Authority::of_trust_domain("prod.example"), Authority::of_trust_domain("prod.example"));
    let now = now_s();
    let svid = authority.svid_from_to(WORKLOAD, now - 60, now + 3_600);
    assert_eq!(scene.submit(&svid, now).0, 403, "nobody has let it in");
    let added = scene.add(DOMAIN, &[&authority]);
    added.expect(0);
    assert!(added.stderr.contains("lets in spiffe://prod.example: it may submit decision"), "{}", added.stderr);
    assert!(added.stderr.contains("with X.509-SVIDs under CN=test authority (SHA-256 "), "{}", added.stderr);

    let (status, told, first) = scene.submit(&svid, now);
    assert_eq!(status, 201, "{told}");
    let (status, told, p384) = scene.submit(&authority.p384_svid(WORKLOAD, now - 60, now + 3_600), now);
    assert_eq!(status, 201, "{told}");
    let files = [first, p384].map(|id| scene.fetch(&id.unwrap()));
    scene.reader.verify(&files).expect(0);
    // The same name and another key; an SVID that had ended when it signed; somebody else's.
    let refused = [
        (403, "no trust anchor in force has signed it", stranger.svid_from_to(WORKLOAD, now - 60, now + 3_600)),
        (400, "is valid from", authority.svid_from_to(WORKLOAD, now - 60, now - 10)),
        (400, "is the certificate of", authority.svid("spiffe://prod.example/other")),
        (400, "it is not an X.509 certificate", Issued { der: b"none".to_vec(), ..svid.clone() }),
    ];
    for (expected, why, svid) in refused {
        let (status, told, _) = scene.submit(&svid, now);
        assert!(status == expected && told.contains(why), "{status} {told}");
    }
    // The age that an X.509 row grants where it says nothing.
    assert_eq!(scene.submit(&svid, now - 30).0, 201);
    let old = authority.svid_from_to(WORKLOAD, now - 7_200, now);
    let (status, told, _) = scene.submit(&old, now - 700);
    assert!(status == 403 && told.contains("may be 600 s late"), "{status} {told}");

    // The authority is replaced: what it admitted stays good where it stands, and it admits no more.
    let renewed = Authority::of_trust_domain("prod.example");
    scene.add(DOMAIN, &[&renewed]).expect(0);
    let (status, told, _) = scene.submit(&svid, now_s());
    assert!(status == 403 && told.contains("no trust anchor"), "{status} {told}");
    assert_eq!(scene.submit(&renewed.svid(WORKLOAD), now_s()).0, 201);
    scene.reader.verify(&files).expect(0);
    scene.audit().expect(0);
    let shown = scene.reader.trusting(&["admission", "show", "--log", &scene.network.log.url()]);
    assert!(shown.stdout.contains("in force: spiffe://prod.example may submit decision"), "{}", shown.stdout);
    assert_eq!(shown.stdout.matches("with X.509-SVIDs under ").count(), 1, "{}", shown.stdout);
}

#[test]
fn an_operator_is_told_of_anchors_that_would_admit_nobody() {
    let scene = Scene::start();
    let foreign = Authority::of_trust_domain("other.example");
    for (iss, why) in
        [(DOMAIN, "an authority of spiffe://other.example"), ("https://x.example", "neither a trust domain")]
    {
        let added = scene.add(iss, &[&foreign]);
        added.expect(2);
        assert!(added.stderr.contains(why), "{}", added.stderr);
    }
    scene.add("spiffe://other.example", &[]).expect(2);
}
