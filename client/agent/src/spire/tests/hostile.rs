//! Lines that SPIRE never wrote.

use proptest::prelude::*;

use super::*;
use crate::spire::known::Known;
use crate::spire::log::Reading;

/// The reasons of what cannot be mapped.
fn reasons(lines: &[String]) -> Vec<String> {
    let (settings, arrivals) = read_lines(lines);
    let reason = |arrival: &Arrival| match &arrival.content {
        Content::Input { reason, .. } | Content::Digest { reason, .. } => Some(reason.clone()),
        _ => make(&settings, arrival).err(),
    };
    arrivals.iter().filter_map(reason).collect()
}

#[test]
fn members_of_other_types_and_ranges_are_named_and_not_repeated() {
    let cases = [
        (audit(&[("time", json!("yesterday, by alice"))]), "time: should be"),
        (audit(&[("time", json!(true))]), "time: true or false, should be text"),
        (audit(&[("time", Json::Null)]), "time: missing"),
        (audit(&[("time", json!("2600-01-01T00:00:00Z"))]), "time: should be"),
        (audit(&[("spiffe_id", json!("spiffe://other.example/alice"))]), "spiffe_id: should be"),
        (audit(&[("spiffe_id", json!("spiffe://prod.example/../alice"))]), "spiffe_id: should be"),
        (audit(&[("spiffe_id", json!(""))]), "spiffe_id: missing"),
        (audit(&[("caller_id", json!("alice"))]), "caller_id: should be"),
        (audit(&[("expires_at", json!(-1))]), "expires_at: should be"),
        (audit(&[("expires_at", json!(99_999_999_999_999_u64))]), "expires_at: should be"),
        (audit(&[("expires_at", json!({"alice": 1}))]), "expires_at: an object"),
        (audit(&[("entry_id", json!(["alice"]))]), "entry_id: an array"),
        (audit(&[("entry_id", json!("alice".repeat(1_000)))]), "entry_id: 5000 bytes"),
        (audit(&[("method", json!("MintX509SVID")), ("status", json!(1))]), "status: a number"),
        (signed(&[("serial_num", json!("alice"))]), "serial_num: should be"),
        (signed(&[("serial_num", json!("0"))]), "serial_num: should be"),
        (signed(&[("serial_num", json!(7))]), "serial_num: a number"),
        (signed(&[("revision_number", json!(-1))]), "revision_number: should be"),
        (signed(&[("revision_number", json!(1.5))]), "revision_number: should be"),
    ];
    for (line, expected) in cases {
        let reasons = reasons(std::slice::from_ref(&line));
        let [reason] = &reasons[..] else { panic!("{line}: {reasons:?}") };
        assert!(reason.starts_with(expected), "{line}: {reason}");
        assert!(!reason.contains("alice"), "{reason}");
    }
}

#[test]
fn lines_that_are_no_events_are_counted_and_not_quarantined() {
    let lines = ["", "{}", "[]", "null", "panic: runtime error", "{\"msg\":\"x\"}", "{\"msg\":7}", "\u{0}\u{0}"]
        .map(str::to_owned);
    let other = audit(&[("service", json!("other.v1.Other"))]);
    let svid =
        r#"{"level":"debug","msg":"Signed X509 SVID","spiffe_id":"spiffe://prod.example/spire/server"}"#.to_owned();
    let lines: Vec<String> = lines.into_iter().chain([other, svid]).collect();
    assert_eq!(read_lines(&lines).1, []);
}

#[test]
fn lines_that_should_be_events_and_cannot_be_read_are_kept() {
    let half = audit(&[]).split_at(300).0.to_owned();
    let half = if half.contains("API accessed") { half } else { format!("{{\"msg\":\"API accessed\",{half}") };
    let twice = audit(&[]).replacen('{', r#"{"msg":"API accessed","#, 1);
    let text = r#"time="2026-11-22T04:07:45Z" level=info msg="API accessed" method=BatchNewX509SVID spiffe_id=spiffe://prod.example/alice"#;
    for line in [half, twice, text.to_owned()] {
        let reasons = reasons(std::slice::from_ref(&line));
        assert_eq!(reasons.len(), 1, "{line}");
        assert!(!reasons[0].contains("alice"), "{reasons:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("server.log");
    std::fs::write(
        &log,
        [b"{\"msg\":\"API accessed\xff\"}\n".to_vec(), vec![b'x'; 10 << 20], b"\n{}\n".to_vec()].concat(),
    )
    .unwrap();
    let settings = settings(Some(&log), None);
    let mut feeds = feeds(&settings);
    let mut arrivals = Vec::new();
    for _ in 0..20 {
        arrivals.extend(feeds[0].read(NOW_MS).unwrap().arrivals);
    }
    assert_eq!(arrivals.len(), 2);
    assert!(arrivals.iter().all(is_input));
    assert!(matches!(arrivals[1].content, Content::Digest { size: 10_485_760, .. }));
}

#[test]
fn nothing_waits_for_ever_whatever_the_clock_does() {
    let (known, mut reading) = (Known::new(false, true), Reading::default());
    assert!(reading.line(audit(&[]).as_bytes(), &known, NOW_MS).is_empty());
    assert!(reading.settle(&known, NOW_MS + 29_999).is_empty());
    // Set back by a year: from then on it is waited as long as ever.
    let year = 31_536_000_000;
    assert!(reading.settle(&known, NOW_MS - year).is_empty());
    assert!(reading.settle(&known, NOW_MS - year + 29_999).is_empty());
    assert_eq!(reading.settle(&known, NOW_MS - year + 30_000).len(), 1);
    assert!(reading.is_settled());
}

/// An agent that was away while the server wrote on: what it waits for is the next but one that it reads.
#[test]
fn an_outage_between_two_lines_of_one_credential_does_not_part_them() {
    let (known, mut reading) = (Known::new(false, true), Reading::default());
    let hour = NOW_MS + 3_600_000;
    assert!(reading.line(signed(&[]).as_bytes(), &known, NOW_MS).is_empty());
    assert!(reading.line(b"{\"msg\":\"nothing\"}", &known, hour).is_empty());
    assert_eq!(reading.line(audit(&[]).as_bytes(), &known, hour).len(), 1);
    assert!(reading.is_settled());
    assert_eq!(reading.counters().unjoined, 0);
}

#[test]
fn what_waits_has_bounds() {
    let (known, mut reading, mut given) = (Known::new(false, true), Reading::default(), 0);
    for number in 0..900 {
        let request = json!(format!("r-{number}"));
        let long = audit(&[("request_id", request), ("csr", json!("x".repeat(4_000)))]);
        given += reading.line(long.as_bytes(), &known, NOW_MS).len();
    }
    assert!(given > 600, "{given}");
    assert!(serde_json::to_vec(&reading).unwrap().len() < 2 << 20);
    given += reading.settle(&known, NOW_MS + 60_000).len();
    assert_eq!(given, 900);
}

fn value() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "[ -~]{0,12}".prop_map(Json::from),
        Just(json!("spiffe://prod.example/pay")),
        Just(json!("success")),
        Just(json!([1, "a"])),
        Just(json!({"a": null})),
    ]
}

fn member() -> impl Strategy<Value = &'static str> {
    prop::sample::select(
        &[
            "authorized_as",
            "caller_id",
            "entry_id",
            "expires_at",
            "method",
            "msg",
            "request_id",
            "service",
            "spiffe_id",
            "status",
            "status_code",
            "time",
            "type",
            "serial_num",
            "revision_number",
            "expiration",
            "audience",
            "agent_id",
            "node_attestor_type",
            "local_authority_id",
            "subject_key_id",
            "trust_domain_id",
            "selectors",
            "parent_id",
            "version",
            "launch_log_level",
        ][..],
    )
}

fn method() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop::sample::select(
        &[
            ("svid.v1.SVID", "BatchNewX509SVID"),
            ("svid.v1.SVID", "MintJWTSVID"),
            ("entry.v1.Entry", "BatchCreateEntry"),
            ("entry.v1.Entry", "BatchDeleteEntry"),
            ("agent.v1.Agent", "AttestAgent"),
            ("agent.v1.Agent", "BanAgent"),
            ("localauthority.v1.LocalAuthority", "RevokeJWTAuthority"),
            ("trustdomain.v1.TrustDomain", "BatchDeleteFederationRelationship"),
        ][..],
    )
}

proptest! {
    /// Whatever stands in a line, it gives records that are well formed and of the trust domain, or a reason.
    #[test]
    fn any_members_give_records_or_reasons(
        (service, method) in method(),
        changes in prop::collection::vec((member(), value()), 0..6),
        is_signed in any::<bool>(),
    ) {
        let mut all = vec![("service", json!(service)), ("method", json!(method))];
        all.extend(changes);
        let line = if is_signed { signed(&all[2..]) } else { audit(&all) };
        let (known, mut reading) = (Known::new(false, true), Reading::default());
        let mut events = reading.line(line.as_bytes(), &known, NOW_MS);
        events.extend(reading.settle(&known, NOW_MS + 60_000));
        prop_assert!(reading.is_settled());
        let settings = settings(Some(Path::new("/l")), None);
        for event in events {
            let crate::spire::event::Event::Formed { form, bytes, .. } = event else { continue };
            let mut random = || [7; 32];
            let kept = Kept { instance: NAME, form: form.as_str(), received_ms: NOW_MS, bytes: &bytes };
            if let Ok(draft) = crate::spire::records::draft(&kept, &settings, Sealer::new(&mut random)) {
                Record::parse(draft.kind, &draft.payload).unwrap();
                let sub = draft.sub.unwrap();
                prop_assert!(sub == "spiffe://prod.example" || sub.starts_with("spiffe://prod.example/"), "{}", sub);
            }
        }
    }

    /// Whatever the bytes are, a reading goes on behind them.
    #[test]
    fn any_bytes_are_passed_over_or_kept(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..500, flip in any::<u8>()) {
        let (known, mut reading) = (Known::new(false, true), Reading::default());
        reading.line(&bytes, &known, NOW_MS);
        let mut line = audit(&[]).into_bytes();
        let at = at % line.len();
        line[at] ^= flip;
        reading.line(&line, &known, NOW_MS);
        reading.line(&line[..at], &known, NOW_MS);
        prop_assert_eq!(reading.counters().lines, 3);
        let stored = serde_json::to_vec(&reading).unwrap();
        let read: Reading = serde_json::from_slice(&stored).unwrap();
        prop_assert_eq!(read.counters(), reading.counters());
    }
}
