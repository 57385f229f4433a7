//! The certificate that the agent itself signs with.

use super::*;
use crate::feed::Feed as _;
use crate::keys::Rotating;
use crate::testing::Shelf;

#[test]
fn each_certificate_that_the_agent_signs_with_is_observed_once() {
    let (authority, shelf) =
        (govlog_tls::testing::Authority::of_trust_domain("prod.example"), Arc::new(Shelf::default()));
    let raw = RawWatched {
        name: "own".into(),
        folder: None,
        workload_api: None,
        audiences: Vec::new(),
        own: true,
        observer: None,
    };
    let watched = Arc::new(Watched::new(raw, Path::new("/")).unwrap());
    let mut feed = Watcher::new(watched, Own::new(Arc::new(Rotating::new(Box::new(Arc::clone(&shelf))))));
    let now_ms = crate::world::World::now_ms(&crate::world::Machine);
    assert!(feed.read(now_ms).unwrap_err().to_string().contains("X.509-SVID"));
    for second in 1..3 {
        let issued = authority.svid(govlog_client::testing::ISSUER);
        shelf.lay(&issued);
        let found = feed.read(now_ms + 1_000 * second).unwrap();
        let [arrival] = &found.arrivals[..] else { panic!("{found:?}") };
        let draft = draft(arrival).unwrap();
        let record = Record::parse(draft.kind, &draft.payload).unwrap();
        let handle = govlog_formats::record::Handle::of_digest(
            "cert_s256",
            &govlog_formats::digest::Digest::sha256(&issued.der),
        );
        assert!(record.body().unwrap().handles().contains(&handle));
        assert_eq!(feed.read(now_ms + 1_000 * second).unwrap().arrivals, []);
    }
}
