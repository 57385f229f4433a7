//! Lines as Envoy writes them, and as nobody should.

mod capture;
mod fit;
mod follow;
mod held;
mod hostile;
mod lines;
mod repeats;
mod waiting;

use std::path::Path;

use govlog_formats::record::{Effect, Link, Record};
use serde_json::{Value, json};

use super::effect::Known;
use super::*;
use crate::seal::{Draft, Sealer};

const ISS: &str = "spiffe://prod.example/govlog/agent";
const PEER: &str = "292c42db8692942a23f02804e23af6428631ef7f49c167e7f37129a3b6c8f9e9";

/// The table with which the capture is read, and more lines of it.
fn envoy(more: &str) -> Envoy {
    let text = format!(
        "name = \"edge-1\"\nlog = \"access.jsonl\"\nnode = \"envoy-lab\"\nperformer = \"spiffe://prod.example/pep/envoy\"\n\
         no_decision = [\"/v1/data/ledger/health\"]\n{more}"
    );
    Envoy::new(toml::from_str(&text).unwrap(), Path::new("/var/log/envoy")).unwrap()
}

/// A line as in the capture, with other members in their places; `null` takes one away.
fn line(changes: &Value) -> Vec<u8> {
    let mut line = json!({
        "authority": "opa.prod.example:18443", "code": 200, "flags": "-", "method": "POST",
        "path": "/v1/data/ledger/authz/decision?pretty=secret", "peer_s256": PEER,
        "peer_serial": "00ee88e40f279f6b6a9637ce260cc498fc", "peer_uri": "spiffe://prod.example/pay",
        "request_id": "df1990ab-9f9b-45e6-a986-749eb5997849", "start": "1795320442.385",
        "traceparent": "00-b3f49c39fe35074398cbe1af0328913c-49be7eb4f8bb067a-01", "upstream": "127.0.0.1:18181",
    });
    for (name, value) in changes.as_object().unwrap() {
        line[name] = value.clone();
    }
    serde_json::to_vec(&line).unwrap()
}

fn known(decisions: &[&str]) -> Known {
    Known { decisions: decisions.iter().map(|id| (*id).to_owned()).collect(), ..Known::default() }
}

fn draft_with(bytes: &[u8], known: &Known, envoy: &Envoy) -> Result<Draft, String> {
    let mut salt = 0;
    let mut random = || {
        salt += 1;
        [salt; 32]
    };
    effect(bytes, known, envoy, ISS, Sealer::new(&mut random)).map_err(|none| none.to_string())
}

fn record_of(draft: &Draft) -> Effect {
    match Record::parse(draft.kind, &draft.payload).unwrap() {
        Record::Effect(effect) => effect,
        other => panic!("{other:?}"),
    }
}

/// What a record links to, as `rel name`.
fn links(effect: &Effect) -> Vec<String> {
    let shown = |link: Link| match link.target {
        govlog_formats::record::LinkTarget::Handle(handle) => format!("{} {handle}", link.rel),
        other => panic!("{other:?}"),
    };
    effect.body().links().into_iter().map(shown).collect()
}
