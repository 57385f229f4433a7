//! Which decision is a line's own, however its request's id was chosen.

use super::follow::{Lab, NOW};
use super::*;
use crate::envoy::fit::contradictions;
use crate::envoy::line::Line;
use crate::opa::{Group, RawGroup};
use crate::outbox::{Decided, Finds as _};

const PROXY: &str = "spiffe://prod.example/pep/envoy";
const OTHER: &str = "1f0da6ee3bf1a1fcbb2b9b1f2d9d9e7e3d0a6e5a0c8f7b6a5948372615041302";

/// A group that believes this Envoy, and another one.
fn group(prefix: &str) -> Group {
    let xfcc_from = vec![PROXY.to_owned(), "spiffe://prod.example/pep/other".to_owned()];
    Group::try_from(RawGroup { xfcc_from, ..RawGroup::at(prefix) }).unwrap()
}

/// What a group keeps of a decision made for the request of [`line`], with other members in their places.
fn decided(group: &Group, changes: &Value) -> Decided {
    let mut event = crate::testing::event("d-1");
    let header = format!("By={PROXY};Hash={PEER};URI=spiffe://prod.example/pay");
    event["request_context"]["http"]["headers"] =
        json!({"x-request-id": ["df1990ab-9f9b-45e6-a986-749eb5997849"], "x-forwarded-client-cert": [header]});
    for (pointer, value) in changes.as_object().unwrap() {
        let (at, name) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(at).unwrap()[name] = value.clone();
    }
    let join = group.find(&serde_json::to_vec(&event).unwrap()).unwrap();
    assert_eq!((join.request_id.as_str(), join.decided.id.as_str()), ("df1990ab-9f9b-45e6-a986-749eb5997849", "d-1"));
    assert_eq!(join.decided.decided_ms, Some(1_795_320_442_453));
    join.decided
}

fn compared(envoy: &Envoy, changes: &Value, decided: &Decided) -> Vec<&'static str> {
    contradictions(&Line::read(&line(changes), &envoy.names).unwrap(), envoy, decided)
}

fn xfcc(by: &str, hash: &str) -> Value {
    json!({"/request_context/http/headers/x-forwarded-client-cert": [format!("By={by};Hash={hash}")]})
}

fn http(request: &Value) -> Value {
    json!({ "/input/attributes": { "request": { "http": request } } })
}

#[test]
fn what_line_and_decision_both_know_must_agree() {
    let group = group("/opa");
    let envoy = envoy("").beside(std::slice::from_ref(&group)).unwrap();
    let asked = json!({"method": "POST", "host": "OPA.prod.example:18443", "path": "/v1/data/ledger/authz/decision?x"});
    let nothing = json!({});
    let cases = [
        (nothing.clone(), nothing.clone(), vec![]),
        (nothing.clone(), http(&asked), vec![]),
        (json!({"peer_s256": OTHER}), nothing.clone(), vec!["certificate"]),
        (json!({"peer_s256": null}), nothing.clone(), vec!["certificate"]),
        (json!({"peer_s256": "-"}), nothing.clone(), vec!["certificate"]),
        (json!({"peer_s256": "not hex"}), nothing.clone(), vec![]),
        (nothing.clone(), xfcc(PROXY, OTHER), vec!["certificate"]),
        (nothing.clone(), xfcc("spiffe://prod.example/pep/other", PEER), vec!["proxy"]),
        // Whoever is not believed says nothing, for and against.
        (nothing.clone(), xfcc("spiffe://prod.example/stranger", OTHER), vec![]),
        (json!({"path": "/v1/data/ledger/authz"}), nothing.clone(), vec!["document"]),
        (json!({"path": "/v1/data//ledger%2fauthz/decision/"}), nothing.clone(), vec![]),
        (json!({"path": "/pay"}), nothing.clone(), vec![]),
        (json!({"path": "/pay"}), http(&json!({"path": "/pay?to=me"})), vec![]),
        (json!({"path": "/pay"}), http(&json!({"path": "/read"})), vec!["path"]),
        (json!({"path": "/pay"}), http(&json!({"path": ["/read"]})), vec![]),
        (nothing.clone(), http(&json!({"method": "GET", "host": "other.example"})), vec!["method", "authority"]),
        (json!({"method": null, "authority": null}), http(&json!({"method": "GET", "host": "other.example"})), vec![]),
    ];
    for (of_line, of_event, expected) in cases {
        assert_eq!(compared(&envoy, &of_line, &decided(&group, &of_event)), expected, "{of_line} {of_event}");
    }
    // However nothing is written.
    let plain = String::from_utf8(line(&json!({"peer_s256": "-"}))).unwrap();
    let escaped = plain.replace("\"peer_s256\":\"-\"", "\"peer_s256\":\"\\u002d\"");
    assert_ne!(escaped, plain);
    let line = Line::read(escaped.as_bytes(), &envoy.names).unwrap();
    assert_eq!(contradictions(&line, &envoy, &decided(&group, &nothing)), ["certificate"]);
}

#[test]
fn what_was_decided_at_another_time_or_for_another_request_is_not_a_lines_own() {
    let group = group("/opa");
    let envoy = envoy("").beside(std::slice::from_ref(&group)).unwrap();
    let at = |decided_ms: u64| Decided { decided_ms: Some(decided_ms), ..decided(&group, &json!({})) };
    let (open, took) = (json!({}), json!({"duration": 5_000}));
    let start_ms = 1_795_320_442_385;
    for (of_line, decided_ms, expected) in [
        (&open, start_ms - 60_000, vec![]),
        (&open, start_ms - 60_001, vec!["time"]),
        (&open, start_ms + 86_400_000, vec![]),
        (&took, start_ms + 65_000, vec![]),
        (&took, start_ms + 65_001, vec!["time"]),
    ] {
        assert_eq!(compared(&envoy, of_line, &at(decided_ms)), expected, "{of_line} {decided_ms}");
    }
    let reused = Decided { is_reused: true, ..at(start_ms) };
    assert_eq!(compared(&envoy, &open, &reused), ["decision"]);
}

#[test]
fn an_operator_says_who_decides_and_where_events_have_what_was_asked() {
    let (own, other) = (group("/own"), group("/other"));
    let groups = [own.clone(), other.clone()];
    let only = envoy("decided_by = [\"/own\"]\ndocuments = \"\"").beside(&groups).unwrap();
    assert_eq!(compared(&only, &json!({}), &decided(&own, &json!({}))), [""; 0]);
    assert_eq!(compared(&only, &json!({}), &decided(&other, &json!({}))), ["group"]);
    let elsewhere = json!({"path": "/v1/data/an/app"});
    assert_eq!(compared(&only, &elsewhere, &decided(&own, &json!({}))), [""; 0], "no OPA is behind it");
    let any = envoy("").beside(&groups).unwrap();
    assert_eq!(compared(&any, &json!({}), &decided(&other, &json!({}))), [""; 0]);
    let wrong = envoy("decided_by = [\"/owm\"]").beside(&groups).unwrap_err().to_string();
    assert!(wrong.contains("/owm"), "{wrong}");
    let mapped = "path = \"ledger\"\nsubject = \"/input/subject/id\"\naction = \"a\"\nresource = \"r\"\nresource_type = \"t\"\n\
        decision = \"/result\"\nhttp_method = \"/input/action/name\"\nhttp_path = \"/input/resource/id\"\n";
    let raw = RawGroup { mapping: vec![toml::from_str(mapped).unwrap()], ..RawGroup::at("/opa") };
    let group = Group::try_from(raw).unwrap();
    let found = compared(&any, &json!({"path": "acct-5", "method": "READ"}), &decided(&group, &json!({})));
    assert_eq!(found, ["group"], "method and path are where the mapping says");
    assert_eq!(compared(&any, &json!({"path": "/pay"}), &decided(&group, &json!({}))), ["method", "path", "group"]);
}

#[test]
fn an_id_that_another_caller_chose_as_well_links_nothing_to_that_callers_decision() {
    let mut lab = Lab::new();
    let group = group("/opa");
    let stolen = "df1990ab-9f9b-45e6-a986-749eb5997849";
    lab.write(&[line(&json!({"peer_s256": OTHER, "path": "/v1/data/mcp/tools"})), b"\n".to_vec()].concat());
    lab.told.decided(stolen, decided(&group, &json!({})));
    assert!(lab.read(NOW).0.is_empty(), "its own decision may come");
    let (shown, found) = lab.read(NOW + 15_000);
    assert_eq!(shown, ["none"]);
    let Record::Effect(effect) = lab.record(&found.arrivals[0]) else { panic!() };
    assert_eq!(links(&effect).len(), 1, "its certificate's issuance alone: {:?}", links(&effect));
    let said = effect.body().at(&["contradictions"]).present().unwrap().as_array().unwrap().clone();
    assert_eq!(said, ["certificate".into(), "document".into()]);
    let [alarm] = found.alarms.as_slice() else { panic!("{:?}", found.alarms) };
    assert_eq!(alarm.kind, "effect-without-decision");
    assert!(alarm.what.contains("says otherwise: certificate (1), document (1)"), "{}", alarm.what);
    let counters = &found.heard[0].1;
    assert_eq!(
        (&*counters["effects without a decision"], &*counters["effects whose decision says otherwise"]),
        ("1", "1")
    );
    // What was refused is no effect without a decision, whatever is known of its id: the alarm names nothing of it.
    lab.write(&[line(&json!({"peer_s256": OTHER, "code": 403, "path": "/a"})), b"\n".to_vec()].concat());
    lab.write(&[line(&json!({"request_id": "none"})), b"\n".to_vec()].concat());
    lab.read(NOW + 15_001);
    let (shown, found) = lab.read(NOW + 30_001);
    assert_eq!(shown, ["none", "none"]);
    assert!(!found.alarms[0].what.contains("otherwise"), "{}", found.alarms[0].what);
    // Whose decision it is gets it, whatever others are known of that id.
    lab.write(&[line(&json!({"duration": 3})), b"\n".to_vec()].concat());
    lab.told.decided(stolen, Decided { id: "d-2".to_owned(), ..decided(&group, &xfcc(PROXY, OTHER)) });
    let (shown, found) = lab.read(NOW + 30_002);
    assert_eq!((shown, found.alarms.len()), (vec!["d-1".to_owned()], 0));
}
