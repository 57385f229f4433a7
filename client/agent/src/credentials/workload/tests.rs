//! A Workload API on a socket, watched as the agent does.

use std::sync::Arc;
use std::time::Duration;

use govlog_daemon::tls::workload::fake::WorkloadApi;
use govlog_formats::base64;
use govlog_formats::digest::Digest;
use govlog_formats::record::view;
use govlog_tls::testing::Authority;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::api::Client;
use super::*;
use crate::credentials::observation::Sight;
use crate::credentials::tests::{contains, draft, kept};
use crate::credentials::{RawWatched, Watched, Watcher};
use crate::feed::{Feed as _, Found};
use crate::outbox::Arrival;
use crate::world::{Machine, World as _};

const PAY: &str = "spiffe://prod.example/pay";
const LEDGER: &str = "ledger.prod.example";
const PATIENCE: Duration = Duration::from_secs(20);

struct Lab {
    dir: tempfile::TempDir,
    own: Authority,
    api: WorkloadApi,
}

impl Lab {
    fn new() -> Self {
        let (dir, own) = (tempfile::tempdir().unwrap(), Authority::of_trust_domain("prod.example"));
        let api = WorkloadApi::start(&dir.path().join("api.sock"), PAY, &own.svid(PAY), &own);
        Self { dir, own, api }
    }

    fn watch(&self, audiences: &[&str]) -> Watcher<Workload> {
        let audiences: Vec<String> = audiences.iter().map(|audience| (*audience).to_owned()).collect();
        let raw = RawWatched {
            name: "node-7".into(),
            folder: None,
            workload_api: Some(self.api.endpoint().to_owned()),
            audiences: audiences.clone(),
            own: false,
            observer: None,
        };
        let watched = Arc::new(Watched::new(raw, self.dir.path()).unwrap());
        Watcher::new(watched, Workload::new(self.api.endpoint(), &audiences))
    }
}

/// A token that says so much, for the ledger, until then.
fn token(jti: &str, exp_s: u64) -> String {
    let part = |json: Value| base64::encode_url(json.to_string().as_bytes());
    let claims = json!({"sub": PAY, "aud": [LEDGER], "exp": exp_s, "jti": jti, "iss": "spiffe://prod.example"});
    format!("{}.{}.{}", part(json!({"alg": "ES256", "kid": "k-1"})), part(claims), base64::encode_url(jti.as_bytes()))
}

/// Reads until there are so many more.
async fn until(feed: &mut Watcher<Workload>, many: usize) -> Vec<Arrival> {
    let reading = async {
        let mut arrivals = Vec::new();
        while arrivals.len() < many {
            if let Ok(Found { arrivals: new, .. }) = feed.read(Machine.now_ms()) {
                arrivals.extend(new);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        arrivals
    };
    timeout(PATIENCE, reading).await.expect("they are seen in time")
}

fn views(arrivals: &[Arrival]) -> Vec<Value> {
    let view = |arrival: &Arrival| {
        let draft = draft(arrival).unwrap();
        view::to_json(draft.kind, &draft.payload).unwrap()
    };
    arrivals.iter().map(view).collect()
}

#[tokio::test]
async fn certificates_bundles_and_tokens_are_each_observed_once_and_again_when_they_are_renewed() {
    let lab = Lab::new();
    let ends_s = Machine.now_ms() / 1_000 + 6;
    let (first, second) = (token("1", ends_s), token("2", ends_s + 600));
    lab.api.tell_bundles(&[("prod.example", b"{\"keys\":[]}")]);
    lab.api.tell_token(LEDGER, PAY, &first);
    let mut feed = lab.watch(&[LEDGER]);
    let arrivals = until(&mut feed, 4).await;
    let seen = views(&arrivals);
    let of = |key: &str, value: &str| seen.iter().filter(|view| view[key] == value).collect::<Vec<_>>();
    assert_eq!((of("credential_type", "x509").len(), of("observed", "bundle").len()), (1, 2));
    let digest = Digest::sha256(b"{\"keys\":[]}").to_string();
    assert!(of("observed", "bundle").iter().any(|view| view["bundle_digest"] == json!(["sha256", digest])));
    let [jwt] = of("credential_type", "jwt")[..] else { panic!("{seen:?}") };
    assert_eq!(jwt["handles"]["tok_s256"], json!(Digest::sha256(first.as_bytes()).to_string()));
    assert_eq!((&jwt["subject"], &jwt["audience"]), (&json!(PAY), &json!([LEDGER])));
    assert_eq!((&jwt["key_id"], &jwt["not_after_ms"]), (&json!("k-1"), &json!(ends_s * 1_000)));

    // Asked for again while half of it is left.
    lab.api.tell_token(LEDGER, PAY, &second);
    let renewed = views(&until(&mut feed, 1).await);
    assert_eq!(renewed[0]["handles"]["tok_s256"], json!(Digest::sha256(second.as_bytes()).to_string()));
    assert!(Machine.now_ms() < ends_s * 1_000, "it is renewed before it ends");

    // All of it changes; what is known to the next process is not told again.
    lab.api.tell_bundles(&[("prod.example", b"{\"keys\":[1]}"), ("spiffe://test.example", b"{\"keys\":[]}")]);
    lab.api.rotate(PAY, &lab.own.svid(PAY), &lab.own, &[]);
    assert_eq!(until(&mut feed, 3).await.len(), 3);
    let told = feed.read(Machine.now_ms()).unwrap();
    assert_eq!(told.arrivals, []);
}

#[tokio::test]
async fn what_is_known_to_the_next_process_is_not_told_again() {
    let lab = Lab::new();
    lab.api.tell_bundles(&[("prod.example", b"{\"keys\":[]}")]);
    let mut feed = lab.watch(&[]);
    let mut place = None;
    let reading = async {
        let mut there = 0;
        while there < 3 {
            if let Ok(found) = feed.read(Machine.now_ms()) {
                there += found.arrivals.len();
                place = found.place.or(place.take());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, reading).await.unwrap();
    let mut next = lab.watch(&[]);
    next.resume(place.as_deref()).unwrap();
    lab.api.rotate(PAY, &lab.own.svid(PAY), &lab.own, &[]);
    assert_eq!(views(&until(&mut next, 1).await)[0]["credential_type"], "x509");
}

/// What is asked for in the background is not answered at the first look: nothing of it has gone.
#[tokio::test]
async fn what_is_answered_later_by_a_new_process_is_not_told_again() {
    let lab = Lab::new();
    let mut feed = lab.watch(&[]);
    let certificate_and_bundle = until(&mut feed, 2).await;
    let bundle = crate::credentials::read::bundle("prod.example", b"{\"keys\":[]}").name();
    let sight = |arrival: &Arrival| serde_json::from_slice::<Sight>(arrival.content.event().unwrap().1).unwrap();
    let mut names: Vec<String> = certificate_and_bundle.iter().map(|arrival| sight(arrival).seen.name()).collect();
    names.push(bundle.clone());
    let place = json!({"known": names}).to_string();
    // The Workload API has no bundles yet, as if it had not answered.
    let mut next = lab.watch(&[]);
    next.resume(Some(place.as_bytes())).unwrap();
    let seen = async {
        loop {
            if let Ok(found) = next.read(Machine.now_ms()) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let found = timeout(PATIENCE, seen).await.unwrap();
    assert_eq!((found.arrivals, found.place), (vec![], None), "all of it may still be there");
    lab.api.tell_bundles(&[("prod.example", b"{\"keys\":[]}"), ("other.example", b"{}")]);
    let new = until(&mut next, 1).await;
    assert_eq!(new.iter().map(|arrival| sight(arrival).seen.name()).filter(|name| *name == bundle).count(), 0);
}

/// Somebody takes the call and says nothing.
#[tokio::test(start_paused = true)]
async fn bundles_that_are_not_begun_to_be_sent_are_not_waited_for_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("api.sock");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let silent = tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            taken.push(stream);
        }
    });
    let mut client = Client::connect(&format!("unix://{}", socket.display())).await.unwrap();
    let why = client.bundles().await.unwrap_err();
    assert!(why.to_string().contains("no answer in time"), "{why}");
    silent.abort();
}

#[tokio::test]
async fn no_token_is_kept_or_signed_or_said() {
    let lab = Lab::new();
    let secret = token("secret", Machine.now_ms() / 1_000 + 600);
    lab.api.tell_token(LEDGER, PAY, &secret);
    let mut feed = lab.watch(&[LEDGER]);
    for arrival in until(&mut feed, 3).await {
        let kept = kept(&arrival);
        assert!(secret.split('.').all(|part| !contains(&kept, part.as_bytes())));
    }
    // One that is none, and one that is refused with the token in the words.
    lab.api.tell_token("half", PAY, "secret.secret");
    let mut client = Client::connect(lab.api.endpoint()).await.unwrap();
    for audience in ["half", "nobody-secret"] {
        let why = client.svids(audience).await.unwrap_err();
        assert!(!format!("{why} {why:?}").contains("secret"), "{why:?}");
    }
    let missing = async {
        let mut feed = lab.watch(&["half"]);
        loop {
            if let Ok(Found { heard, .. }) = feed.read(Machine.now_ms())
                && heard.first().is_some_and(|(_, counts)| counts["answers that are missing"] == "2")
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // The token's, and the bundles', of which there are none.
    timeout(PATIENCE, missing).await.expect("what is missing is counted");
}

#[tokio::test]
async fn a_workload_api_that_comes_later_or_again_is_found() {
    let lab = Lab::new();
    let Lab { dir, own, api } = lab;
    let endpoint = api.endpoint().to_owned();
    drop(api);
    std::fs::remove_file(dir.path().join("api.sock")).unwrap();
    let lab = Lab { api: WorkloadApi::start(&dir.path().join("other.sock"), PAY, &own.svid(PAY), &own), dir, own };
    let raw = RawWatched {
        name: "node-7".into(),
        folder: None,
        workload_api: Some(endpoint.clone()),
        audiences: vec![LEDGER.into()],
        own: false,
        observer: None,
    };
    let watched = Arc::new(Watched::new(raw, lab.dir.path()).unwrap());
    let mut feed = Watcher::new(watched, Workload::new(&endpoint, &[LEDGER.to_owned()]));
    assert!(feed.read(Machine.now_ms()).unwrap_err().to_string().contains("api.sock"));
    let api = WorkloadApi::start(&lab.dir.path().join("api.sock"), PAY, &lab.own.svid(PAY), &lab.own);
    api.tell_bundles(&[("prod.example", b"{}")]);
    api.tell_token(LEDGER, PAY, &token("1", Machine.now_ms() / 1_000 + 600));
    assert_eq!(until(&mut feed, 4).await.len(), 4);
}
