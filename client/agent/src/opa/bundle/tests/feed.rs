//! Bundles read into a real outbox, and the decisions that they bind.

use std::sync::Arc;

use govlog_formats::digest::Digest;
use govlog_formats::record::Record;

use super::*;
use crate::adapter::{Adapter as _, Kept};
use crate::feed::{Feed as _, Found};
use crate::opa::{Group, OpaAdapter, RawGroup};
use crate::outbox::Content;
use crate::seal::Sealer;
use crate::testing::ROUTE;

/// A folder with a bundle and its signer's key.
struct Shop {
    dir: tempfile::TempDir,
    group: Group,
}

impl Shop {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bundle = RawBundle {
            name: "authz".into(),
            file: Some("authz.tar.gz".into()),
            url: None,
            key: "signer.pub.pem".into(),
            keyid: Some("policy-signer".into()),
            scope: String::new(),
            uri: Some("https://policies.prod.example/authz".into()),
            poll_s: 1,
            client: Default::default(),
        };
        let group = Group::try_from(RawGroup { bundle: vec![bundle], ..RawGroup::at(ROUTE) }).unwrap();
        let group = group.within(dir.path());
        let shop = Self { dir, group };
        shop.put("signer.pub.pem", key().public().to_spki_pem().as_bytes());
        shop
    }

    /// Replaces a file as a careful writer does.
    fn put(&self, name: &str, bytes: &[u8]) {
        let (new, path) = (self.dir.path().join("new"), self.dir.path().join(name));
        std::fs::write(&new, bytes).unwrap();
        std::fs::rename(new, path).unwrap();
    }

    fn feed(&self, policies: &Arc<Policies>, place: Option<&[u8]>) -> BundleFeed {
        let mut table = self.group.bundles()[0].clone();
        table.poll = std::time::Duration::ZERO;
        let mut feed = BundleFeed::new(ROUTE, table, Arc::clone(policies));
        feed.resume(place).unwrap();
        feed
    }

    /// The record of the one thing that was found.
    fn record(&self, found: &Found) -> (crate::seal::Draft, Record) {
        let [arrival] = found.arrivals.as_slice() else { panic!("{found:?}") };
        let Content::Formed { form, bytes } = &arrival.content else { panic!("{arrival:?}") };
        let kept = Kept { instance: "", form, received_ms: 1_795_320_441_000, bytes };
        let mut random = || [7; 32];
        let adapter = OpaAdapter::new(self.group.clone(), Arc::default());
        let draft = adapter.draft(&kept, Sealer::new(&mut random)).unwrap();
        let record = Record::parse(draft.kind, &draft.payload).unwrap();
        (draft, record)
    }
}

#[test]
fn a_verified_bundle_is_published_once_and_says_only_what_is_known() {
    let (shop, policies) = (Shop::new(), Arc::new(Policies::default()));
    shop.put("authz.tar.gz", &good("r1"));
    let mut feed = shop.feed(&policies, None);
    let found = feed.read(0).unwrap();
    assert_eq!(found.alarms, []);
    let (draft, record) = shop.record(&found);
    assert_eq!((draft.kind, draft.sub.as_deref()), ("policy", Some("https://policies.prod.example/authz")));
    let verified = verify(&good("r1"), &signer_of(&key())).unwrap();
    let view = govlog_formats::record::view::to_json(draft.kind, &draft.payload).unwrap();
    let digests =
        [("policy_digest", "opa-files", verified.policy_digest), ("bundle_digest", "sha256", verified.bundle_digest)];
    for (name, scheme, digest) in digests {
        assert_eq!(view[name], json!([scheme, digest.to_string()]));
    }
    let texts = [
        ("engine", "opa"),
        ("name", "authz"),
        ("uri", "https://policies.prod.example/authz"),
        ("revision", "r1"),
        ("signer_key_id", "policy-signer"),
        ("signer_alg", "ES256"),
        ("assurance", "scraped"),
    ];
    for (name, text) in texts {
        assert_eq!(view[name], json!(text), "{name}");
    }
    for absent in ["version", "author", "approvers", "source_commit", "content_location", "not_before_ms", "scope"] {
        assert!(view.get(absent).is_none(), "{absent} is not known");
    }
    assert_eq!(draft.openings[0].opening.value, ciborium::Value::Bytes(good("r1")));
    assert!(record.body().is_some());

    assert_eq!(feed.read(0).unwrap().arrivals, [], "it was read");
    let place = found.place.unwrap();
    let again = Arc::new(Policies::default());
    let mut next = shop.feed(&again, Some(&place));
    assert_eq!(again.find("authz", "r1"), Some(verified.policy_digest), "known before anything is read");
    assert_eq!(next.read(0).unwrap().arrivals, [], "and by the next process");
}

#[test]
fn an_earlier_revision_stays_bound_and_one_that_names_two_policies_names_none() {
    let (shop, policies) = (Shop::new(), Arc::new(Policies::default()));
    let mut feed = shop.feed(&policies, None);
    let mut digests = Vec::new();
    for revision in ["r1", "r2"] {
        shop.put("authz.tar.gz", &good(revision));
        assert_eq!(feed.read(0).unwrap().arrivals.len(), 1);
        digests.push(policies.find("authz", revision).unwrap());
    }
    assert_ne!(digests[0], digests[1]);
    assert_eq!(policies.find("authz", "r1"), Some(digests[0]));
    assert_eq!((policies.find("authz", "r3"), policies.find("other", "r1")), (None, None));
    assert!(policies.awaits("authz", "r3") && !policies.awaits("authz", "r1") && !policies.awaits("other", "r1"));
    assert!(policies.take_wanted("authz") && !policies.take_wanted("authz") && !policies.take_wanted("other"));

    let mut changed = files("r1");
    changed[1].1 = b"package b\n".to_vec();
    shop.put("authz.tar.gz", &signed(&changed));
    let found = feed.read(0).unwrap();
    assert_eq!(found.alarms.iter().map(|alarm| alarm.kind).collect::<Vec<_>>(), ["revision"]);
    assert_eq!(found.arrivals.len(), 1, "it is published all the same");
    assert_eq!(policies.find("authz", "r1"), None);
    let again = Arc::new(Policies::default());
    drop(shop.feed(&again, found.place.as_deref()));
    assert_eq!(again.find("authz", "r1"), None, "nor for the next process");
    // The same policy in another archive is the same.
    let packed_otherwise = [good("r2"), gzip(b"")].concat();
    shop.put("authz.tar.gz", &packed_otherwise);
    assert_eq!(feed.read(0).unwrap().arrivals.len(), 1);
    assert_eq!(policies.find("authz", "r2"), Some(digests[1]));
}

#[test]
fn a_bundle_that_is_no_evidence_is_quarantined_once_with_an_alarm() {
    let (shop, policies) = (Shop::new(), Arc::new(Policies::default()));
    let other = SigningKey::from_seed(Curve::P256, &[8; 32]).unwrap();
    shop.put("authz.tar.gz", &good("r1"));
    shop.put("signer.pub.pem", other.public().to_spki_pem().as_bytes());
    let mut feed = shop.feed(&policies, None);
    let found = feed.read(0).unwrap();
    let [arrival] = found.arrivals.as_slice() else { panic!() };
    let Content::Digest { reason, digest, .. } = &arrival.content else { panic!("{arrival:?}") };
    assert!(reason.contains("not the configured signer's"), "{reason}");
    assert_eq!((*digest, found.alarms[0].kind), (Digest::sha256(&good("r1")), "bundle"));
    assert_eq!(policies.find("authz", "r1"), None);
    assert_eq!(feed.read(0).unwrap().arrivals, []);
    // The right key comes later: the same bundle is evidence now.
    shop.put("signer.pub.pem", key().public().to_spki_pem().as_bytes());
    let mut feed = shop.feed(&policies, found.place.as_deref());
    let found = feed.read(0).unwrap();
    assert!(matches!(&found.arrivals[0].content, Content::Formed { .. }));
    assert!(policies.find("authz", "r1").is_some());
}

#[test]
fn what_cannot_be_read_is_said_and_tried_again() {
    let (shop, policies) = (Shop::new(), Arc::new(Policies::default()));
    let mut feed = shop.feed(&policies, None);
    let error = feed.read(0).unwrap_err();
    assert!(error.to_string().contains("authz.tar.gz"), "{error}");
    std::fs::create_dir(shop.dir.path().join("authz.tar.gz")).unwrap();
    feed.read(0).unwrap_err();
    std::fs::remove_dir(shop.dir.path().join("authz.tar.gz")).unwrap();
    shop.put("authz.tar.gz", &good("r1"));
    shop.put("signer.pub.pem", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
    let error = feed.read(0).unwrap_err();
    assert!(error.to_string().contains("signer.pub.pem"), "{error}");
    shop.put("signer.pub.pem", key().public().to_spki_pem().as_bytes());
    assert_eq!(feed.read(0).unwrap().arrivals.len(), 1);
    let mut fresh = BundleFeed::new(ROUTE, shop.group.bundles()[0].clone(), policies);
    fresh.resume(Some(b"{}")).unwrap_err();
    fresh.resume(Some(b"{\"v\":2,\"seen\":null,\"revisions\":[]}")).unwrap_err();
}

#[test]
fn a_bundle_is_fetched_from_a_server() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = std::thread::spawn(move || {
        let same = || (304, Vec::new());
        let answers = [(404, b"no".to_vec()), (200, good("r1")), same(), (200, good("r2")), same(), (200, good("r2"))];
        answers.map(|(status, body)| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut chunk = [0; 512];
                let read = stream.read(&mut chunk).unwrap();
                request.extend_from_slice(&chunk[..read]);
            }
            let tag = Digest::sha256(&body);
            let head = format!(
                "HTTP/1.1 {status} X\r\netag: \"{tag}\"\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&body).unwrap();
            let request = String::from_utf8(request).unwrap();
            let known = request.lines().find_map(|line| line.strip_prefix("if-none-match: ")).map(str::to_owned);
            (request.lines().next().unwrap().to_owned(), known)
        })
    });
    let (shop, policies) = (Shop::new(), Arc::new(Policies::default()));
    let mut table = shop.group.bundles()[0].clone();
    let url = format!("http://{address}/bundles/authz.tar.gz");
    table.origin = Origin::Url { url: url.clone(), client: Box::default() };
    table.poll = std::time::Duration::ZERO;
    let mut feed = BundleFeed::new(ROUTE, table, policies);
    let error = feed.read(0).unwrap_err();
    assert!(error.to_string().contains("404"), "{error}");
    let found = feed.read(0).unwrap();
    let news = [0; 3].map(|_| feed.read(0).unwrap().arrivals.len());
    assert_eq!(news, [0, 1, 0], "it is asked for what is another one");
    // Under another key it is another question.
    shop.put("signer.pub.pem", SigningKey::from_seed(Curve::P256, &[8; 32]).unwrap().public().to_spki_pem().as_bytes());
    assert_eq!(feed.read(0).unwrap().arrivals.len(), 1);
    let served = served.join().unwrap();
    assert!(served.iter().all(|(line, _)| line == "GET /bundles/authz.tar.gz HTTP/1.1"), "{served:?}");
    let tag = |revision: &str| Some(format!("\"{}\"", Digest::sha256(&good(revision))));
    assert_eq!(served.map(|(_, known)| known), [None, None, tag("r1"), tag("r1"), tag("r2"), None]);
    let (draft, _) = shop.record(&found);
    let view = govlog_formats::record::view::to_json(draft.kind, &draft.payload).unwrap();
    assert_eq!(view["content_location"], json!(url));
}

#[test]
fn tables_say_what_is_wrong_with_them() {
    let table = |text: &str| {
        let raw: RawBundle = toml::from_str(&format!("name = \"authz\"\nkey = \"k.pem\"\n{text}")).unwrap();
        Table::try_from(raw)
    };
    assert_eq!(table("file = \"a\"").unwrap().subject(), "policy:authz");
    assert_eq!(table("url = \"https://a/b\"\nuri = \"https://a/p\"").unwrap().subject(), "https://a/p");
    assert_eq!(table(""), Err(BundleError::Origin));
    assert_eq!(table("file = \"a\"\nurl = \"https://a\""), Err(BundleError::Origin));
    for url in ["ftp://a", "https://", "https://me:secret@a/b", "a"] {
        assert_eq!(table(&format!("url = {url:?}")), Err(BundleError::Url));
    }
    assert_eq!(table("file = \"a\"\nuri = \"plain\""), Err(BundleError::Uri));
    assert_eq!(table("file = \"a\"\npoll_s = 0"), Err(BundleError::Poll(0)));
    assert_eq!(table("file = \"a\"\nclient.ca = \"c\""), Err(BundleError::Client));
    assert_eq!(table("file = \"a\"\nkeyid = \"\""), Err(BundleError::Length { key: "keyid", found: 0 }));
}

#[test]
fn what_names_a_bundle_that_was_not_read_yet_waits_for_it_a_moment() {
    let shop = Shop::new();
    let policies = Arc::new(Policies::default());
    let adapter = OpaAdapter::new(shop.group.clone(), Arc::clone(&policies));
    let mut event = crate::testing::event("d-1");
    event["bundles"] = json!({ "authz": { "revision": "r1" }, "other": { "revision": "r9" } });
    let event = event.to_string();
    let waits = |now_ms: u64, bytes: &str| {
        let kept = Kept { instance: "i", form: "", received_ms: 1_000_000, bytes: bytes.as_bytes() };
        adapter.waits(&kept, now_ms)
    };
    assert!(!waits(1_000_000, &event), "nobody reads that bundle");
    let mut feed = shop.feed(&policies, None);
    assert!(waits(1_000_000, &event) && waits(1_004_999, &event));
    assert!(!waits(1_005_000, &event) && !waits(999_999, &event), "not for ever, whatever the clock does");
    assert!(!waits(1_000_000, "{}") && !waits(1_000_000, "no event"));
    shop.put("authz.tar.gz", &good("r1"));
    feed.read(0).unwrap();
    assert!(!waits(1_000_000, &event), "it is known");
}
