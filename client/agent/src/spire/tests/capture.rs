//! All lines read, all records made, all certificates met.

use std::collections::BTreeMap;

use govlog_formats::record::handles::{CertificateHandles, certificate_from_pem};
use govlog_formats::record::{Handle, LinkTarget, Record};

use super::*;
use crate::spire::SYSTEM;

fn all() -> (Arc<Settings>, Vec<Made>) {
    let settings = settings(Some(&captured().join("server.log")), Some(&captured()));
    let arrivals = read_all(&mut feeds(&settings));
    let made = made(&settings, &arrivals);
    (settings, made)
}

fn of<'a>(made: &'a [Made], kind: &str, field: &str, value: &str) -> Vec<&'a Made> {
    made.iter().filter(|made| made.kind == kind && made.view[field] == value).collect()
}

fn count(made: &[Made], fields: [&str; 2]) -> BTreeMap<(String, String, String), usize> {
    let mut counts = BTreeMap::new();
    for made in made {
        let [one, other] = fields.map(|field| made.view[field].as_str().unwrap_or_default().to_owned());
        *counts.entry((made.kind.to_owned(), one, other)).or_default() += 1;
    }
    counts
}

#[test]
fn the_log_alone_gives_every_credential_entry_and_key() {
    let settings = settings(Some(&captured().join("server.log")), None);
    let made = made(&settings, &read_all(&mut feeds(&settings)));
    let expected = [
        (("attestation", "", "accepted"), 1),
        (("issuance", "agent", "jwt"), 2),
        (("issuance", "agent", "x509"), 6),
        (("issuance", "local", "jwt"), 1),
        (("issuance", "local", "x509"), 1),
        (("registration", "", "create"), 4),
        (("registration", "", "delete"), 1),
        (("registration", "", "update"), 1),
        (("revocation", "", "entry"), 1),
        (("signing-key", "", "jwt-svid active"), 1),
        (("signing-key", "", "jwt-svid prepared"), 1),
        (("signing-key", "", "x509-svid active"), 2),
        (("signing-key", "", "x509-svid prepared"), 2),
    ];
    let mut counts: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    for Made { kind, view, .. } in &made {
        let text = |name: &str| view[name].as_str().unwrap_or_default();
        let what = match *kind {
            "attestation" => text("result").to_owned(),
            "issuance" => text("credential_type").to_owned(),
            "revocation" => text("target_type").to_owned(),
            "signing-key" => format!("{} {}", text("use"), text("op")),
            _ => text("op").to_owned(),
        };
        *counts.entry(((*kind).to_owned(), text("authorised_as").to_owned(), what)).or_default() += 1;
        assert_eq!((&view["source"]["system"], &view["source"]["instance"]), (&json!(SYSTEM), &json!(NAME)));
        assert_eq!(view["source"]["version"], "1.15.3-dev-unk");
        assert_eq!((&view["assurance"], &view["trust_domain"]), (&json!("adapter-signed"), &json!("prod.example")));
        assert!(view["native"]["$sealed"].is_string());
    }
    assert_eq!(counts, expected.map(|((kind, by, what), count)| ((kind.into(), by.into(), what.into()), count)).into());
}

#[test]
fn serial_numbers_are_those_of_the_certificates() {
    let (_, made) = all();
    let issued = of(&made, "issuance", "credential_type", "x509");
    assert_eq!(issued.len(), 7);
    for name in ["pay-1", "pay-2", "ledger-1", "agentbot-1", "breakglass"] {
        let pem = std::fs::read(captured().join(format!("{name}.pem"))).unwrap();
        let certificate = CertificateHandles::from_der(&certificate_from_pem(&pem).unwrap()).unwrap();
        let handle = certificate.handles().into_iter().find(|handle| handle.name == "serial_aki").unwrap();
        let bytes =
            |part: &Option<Vec<u8>>| json!({"$bytes": govlog_formats::base64::encode_url(part.as_ref().unwrap())});
        let expected = json!([bytes(&certificate.serial), bytes(&certificate.aki)]);
        let [issuance] =
            issued.iter().filter(|made| made.view["handles"]["serial_aki"] == expected).collect::<Vec<_>>()[..]
        else {
            panic!("{name}: {handle} is not there once")
        };
        assert_eq!(issuance.view["subject"], json!(certificate.spiffe_id.unwrap()));
        assert_eq!(issuance.view["not_after_ms"], json!(certificate.not_after_ms), "{name}");
        assert_eq!(issuance.view["stage"], "issued");
        assert_eq!(issuance.view["issuer_key_id"], bytes(&certificate.aki));
        assert_eq!(issuance.view["entry_id"].is_null(), name == "breakglass", "{name}");
    }
}

#[test]
fn what_an_operator_minted_is_marked_and_has_no_entry() {
    let (_, made) = all();
    let minted = of(&made, "issuance", "authorised_as", "local");
    let subjects: Vec<&Json> = minted.iter().map(|made| &made.view["subject"]).collect();
    assert_eq!(subjects, [&json!("spiffe://prod.example/breakglass/oncall"), &json!("spiffe://prod.example/batch")]);
    for made in minted {
        assert_eq!(made.view["requester"], "local");
        for none in ["entry_id", "entry_digest", "revision"] {
            assert!(made.view[none].is_null(), "{none}");
        }
        let links = made.view["links"].as_array().unwrap();
        assert!(links.iter().all(|link| link["rel"] == "signed_by"), "{links:?}");
    }
}

#[test]
fn links_lead_to_records() {
    let settings = settings(Some(&captured().join("server.log")), Some(&captured()));
    let arrivals = read_all(&mut feeds(&settings));
    let records: Vec<Record> = arrivals
        .iter()
        .map(|arrival| {
            let draft = draft(&settings, arrival).unwrap();
            Record::parse(draft.kind, &draft.payload).unwrap()
        })
        .collect();
    // As verifiers find records: by the handles they bear, and an entry by its digest.
    let bears = |record: &Record, handle: &Handle| {
        let own = match record {
            Record::Registration(entry) => entry.entry_digest().present(),
            _ => None,
        };
        record.body().unwrap().handles().contains(handle)
            || own.is_some_and(|digest| *handle == Handle::of_digest("entry_digest", &digest))
    };
    let mut found: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for record in &records {
        for link in record.body().unwrap().links() {
            let LinkTarget::Handle(handle) = &link.target else { panic!("{link:?}") };
            let to =
                records.iter().filter(|to| bears(to, handle) && to.kind() != record.kind()).map(Record::kind).min();
            let rel = ["registered_as", "attested_by", "signed_by", "revokes"]
                .into_iter()
                .find(|rel| *rel == link.rel)
                .unwrap();
            *found.entry((rel, to.unwrap_or("nothing"))).or_default() += 1;
        }
    }
    let expected = [
        // Eight asked for by the agent; the mints were asked for by nobody that attested.
        (("attested_by", "attestation"), 8),
        // pay at revision 0 and agent/triage were not there any more when the entries were listed.
        (("registered_as", "registration"), 4),
        (("signed_by", "signing-key"), 10),
    ];
    assert_eq!(found, expected.into());
}

#[test]
fn entries_that_were_made_get_the_ids_that_their_lines_lack() {
    let (_, made) = all();
    let created = of(&made, "registration", "op", "create");
    let ids: BTreeMap<&str, Option<&str>> =
        created.iter().map(|made| (made.view["subject"].as_str().unwrap(), made.view["entry_id"].as_str())).collect();
    let expected = [
        ("spiffe://prod.example/agent/triage", None),
        ("spiffe://prod.example/ledger", Some("de7359ec-f408-4e34-9f58-4c157b151672")),
        ("spiffe://prod.example/pay", Some("bce6c7ff-9342-4c53-83af-38a705a64a90")),
        ("spiffe://prod.example/pep/envoy", Some("a806264c-273f-421f-bda0-19cc916c7d4d")),
    ];
    assert_eq!(ids, expected.into());
    for made in created {
        let is_whole = made.view["entry_digest"].is_string();
        // pay was changed since, and agent/triage removed.
        assert_eq!(
            is_whole,
            ["/ledger", "/envoy"].iter().any(|end| made.view["subject"].as_str().unwrap().ends_with(end))
        );
        assert_eq!(is_whole, made.view["revision"] == 0);
        let snapshot = of(&made_of(&made.view["entry_id"]), "registration", "op", "snapshot").len();
        assert_eq!(snapshot, usize::from(!made.view["entry_id"].is_null()));
    }
    let [update] = of(&made, "registration", "op", "update")[..] else { panic!("one update") };
    assert_eq!((&update.view["ttl_s"], &update.view["revision"]), (&json!({"x509": 1800}), &Json::Null));
    let [delete] = of(&made, "registration", "op", "delete")[..] else { panic!("one delete") };
    assert_eq!(delete.view["entry_id"], "ad01d411-22b7-4441-9058-0570f01f56bb");
    assert_eq!(delete.sub.as_deref(), Some("spiffe://prod.example"));
    assert_eq!(
        count(&made, ["op", "target_type"]).get(&("revocation".into(), String::new(), "entry".into())),
        Some(&1)
    );
}

/// The records of one entry.
fn made_of(id: &Json) -> Vec<Made> {
    all().1.into_iter().filter(|made| !id.is_null() && made.view["entry_id"] == *id).collect()
}

#[test]
fn every_digest_of_an_entry_can_be_made_again_from_its_record() {
    let settings = settings(None, Some(&captured()));
    let arrivals = read_all(&mut feeds(&settings));
    let mut digests = 0;
    for arrival in &arrivals {
        let draft = draft(&settings, arrival).unwrap();
        if let Record::Registration(entry) = Record::parse(draft.kind, &draft.payload).unwrap() {
            assert_eq!(entry.entry_digest().present(), Some(entry.digest_of_entry()));
            digests += 1;
        }
    }
    assert_eq!(digests, 4);
}

#[test]
fn nothing_of_a_line_but_names_ids_and_times_is_in_clear() {
    let (_, made) = all();
    for made in made {
        let text = made.view.to_string();
        for secret in ["127.0.0.1", "/opt/spire", "caller_uid", "csr", "9107ac46", "eyJ"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
