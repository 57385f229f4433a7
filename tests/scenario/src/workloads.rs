//! The identity plane: trust domains and their keys, registrations, attestations, credentials that rotate, and CI.

use govlog_formats::base64;
use govlog_formats::cbor::Value;
use govlog_formats::record::Handle;
use govlog_formats::record::handles::{CertificateHandles, certificate_from_pem};
use serde_json::{Value as Json, json};

use super::book::{Book, Who};
use super::clock::MINUTE;
use super::people::approve_operation;
use super::policies::Policy;

/// A trust domain.
#[derive(Clone, Debug)]
pub(super) struct Domain {
    pub(super) name: &'static str,
    pub(super) who: Who,
    key_id: String,
    keys: u64,
}

/// Somebody with a SPIFFE ID.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    pub(super) id: String,
    /// Which of the domains it is in.
    pub(super) domain: usize,
    pub(super) entry_id: String,
    pub(super) credential: Credential,
    registration: usize,
    entry_digest: String,
    revision: u64,
    attestation: usize,
    issued: usize,
}

/// A credential, as those who meet it name it.
#[derive(Clone, Debug)]
pub(super) struct Credential {
    /// `[name, value]`.
    pub(super) shown: Json,
    pub(super) jkt: String,
    pub(super) renew_ms: u64,
}

/// How long a certificate is used.
const RENEWED_AFTER_MS: u64 = 40 * MINUTE;

/// Certificates of a real SPIRE server, whose issuer's log has serial numbers alone.
const CAPTURED: [(&str, &str); 3] = [
    ("pay", include_str!("../../../client/agent/tests/data/capture/spire/pay-1.pem")),
    ("pay", include_str!("../../../client/agent/tests/data/capture/spire/pay-2.pem")),
    ("ledger", include_str!("../../../client/agent/tests/data/capture/spire/ledger-1.pem")),
];

/// Makes the two trust domains and lets them federate.
pub(super) fn domains(book: &mut Book, rules: &Policy) -> Vec<Domain> {
    let mut domains = Vec::new();
    for (name, who) in [("prod.example", Who::Spire), ("partner.example", Who::PartnerSpire)] {
        let mut domain = Domain { name, who, key_id: String::new(), keys: 0 };
        new_key(book, &mut domain, "add");
        domains.push(domain);
    }
    let approval = approve_operation(book, "federate with partner.example", "person-91c0");
    let federation = json!({
        "op": "add", "domain": "partner.example", "own": false, "sequence": 1, "profile": "https_spiffe",
        "bundle_digest": bundle(book, &domains[1]), "endpoint_url": "https://bundle.partner.example/",
        "accepted_policies": [{ "name": "partner-authz", "revision": "p1" }],
        "links": [book.link("authorised_by", approval), { "rel": "governed_by", "target": { "handle": ["policy_digest", rules.digest] } }],
    });
    book.put(Who::Spire, "federation", "spiffe://partner.example", federation);
    domains
}

/// Prepares a key, puts it in use, and publishes the bundle with it.
pub(super) fn new_key(book: &mut Book, domain: &mut Domain, op: &str) {
    domain.keys += 1;
    domain.key_id = book.of_day(&format!("{}-key-{}", domain.name, domain.keys));
    let sub = format!("spiffe://{}", domain.name);
    let bundle = bundle(book, domain);
    let spki = book.random.digest();
    for step in ["prepared", "active"] {
        let key = json!({
            "op": step, "key_id": domain.key_id, "issuer": sub, "use": "x509-svid", "spki_s256": spki, "trust_domain": domain.name,
            "links": [{ "rel": "anchored_in", "target": { "handle": ["bundle_digest", bundle] } }],
        });
        book.put(domain.who, "signing-key", &sub, key);
    }
    let federation = json!({
        "op": op, "domain": domain.name, "own": true, "bundle_digest": bundle, "sequence": domain.keys,
        "keys": [{ "use": "x509-svid", "key_id": domain.key_id, "spki_s256": spki }], "trust_domain": domain.name,
    });
    book.put(domain.who, "federation", &sub, federation);
}

fn bundle(book: &Book, domain: &Domain) -> Json {
    json!(["sha256", book.digest(&format!("bundle {} {}", domain.name, domain.keys))])
}

/// Registers a workload, attests it and issues its first certificate.
pub(super) fn register(book: &mut Book, domains: &[Domain], domain: usize, name: &str, appraisal: &Policy) -> Workload {
    let id = format!("spiffe://{}/{name}", domains[domain].name);
    let entry_id = book.of_day(&name.replace('/', "-"));
    let mut workload = Workload {
        domain,
        entry_id,
        credential: Credential { shown: Json::Null, jkt: String::new(), renew_ms: 0 },
        registration: 0,
        entry_digest: String::new(),
        revision: 0,
        attestation: 0,
        issued: 0,
        id,
    };
    change(book, domains, &mut workload, "create");
    attest(book, domains, &mut workload, appraisal);
    issue(book, domains, &mut workload);
    workload
}

/// Changes a workload's registration entry.
pub(super) fn change(book: &mut Book, domains: &[Domain], workload: &mut Workload, op: &str) {
    let domain = &domains[workload.domain];
    let what = format!("{op} {} {}", workload.entry_id, workload.revision);
    let approval = approve_operation(book, &what, "person-91c0");
    if op != "delete" {
        workload.revision += 1;
        workload.entry_digest = book.digest(&format!("entry {} {}", workload.id, workload.revision));
    }
    let account = book.seal("selectors[1].value", Value::from(format!("sa:{}", workload.entry_id)));
    let mut links = vec![book.link("authorised_by", approval)];
    if workload.revision > 1 && op == "update" {
        links.push(book.link("supersedes", workload.registration));
    }
    let registration = json!({
        "op": op, "entry_id": workload.entry_id, "revision": workload.revision, "subject": workload.id, "entry_digest": workload.entry_digest,
        "parent": format!("spiffe://{}/spire/agent/k8s_psat/node-1", domain.name), "trust_domain": domain.name,
        "selectors": [{ "type": "k8s", "value": "ns:payments" }, { "type": "k8s", "value": account }],
        "ttl_s": { "x509": 3600 }, "requester": "person-91c0", "links": links,
    });
    workload.registration = book.put(domain.who, "registration", &workload.id.clone(), registration);
}

/// Attests a workload.
pub(super) fn attest(book: &mut Book, domains: &[Domain], workload: &mut Workload, appraisal: &Policy) {
    let domain = &domains[workload.domain];
    let evidence = book.seal("evidence", Value::Bytes(book.now_ms.to_be_bytes().to_vec()));
    let (bound, digest) = (book.random.digest(), book.random.digest());
    let attestation = json!({
        "subject": workload.id, "method": "k8s_psat", "strength": "platform-signed", "result": "accepted", "evidence": evidence,
        "evidence_digest": digest, "verifier": format!("spiffe://{}/spire/server", domain.name), "policy_digest": appraisal.digest,
        "bound_key": { "jkt": bound }, "trust_domain": domain.name,
    });
    workload.attestation = book.put(domain.who, "attestation", &workload.id.clone(), attestation);
}

/// Issues a workload's next certificate; the first ones of the organisation's first day are captured ones.
pub(super) fn issue(book: &mut Book, domains: &[Domain], workload: &mut Workload) {
    let captured = CAPTURED.iter().filter(|(name, _)| workload.entry_id == *name).nth(workload.issued);
    workload.issued += 1;
    let jkt = book.random.digest();
    let (handles, shown) = match captured {
        Some((_, pem)) => whole(book, workload, pem),
        None => {
            let (cert, tbs) = (book.random.digest(), book.random.digest());
            let (serial, aki) = (book.random.bytes(), book.digest(&format!("aki {}", workload.domain)));
            let serial = json!([bytes(&serial[..16]), bytes(&aki.as_bytes()[..20])]);
            let shown =
                if workload.issued.is_multiple_of(3) { json!(["cert_s256", cert]) } else { json!(["tbs_s256", tbs]) };
            let handles = json!({ "cert_s256": cert, "tbs_s256": tbs, "spki_s256": book.random.digest(), "jkt": jkt, "serial_aki": serial });
            (handles, shown)
        }
    };
    let issuance = issuance(book, &domains[workload.domain], workload, &handles);
    book.put(domains[workload.domain].who, "issuance", &workload.id.clone(), issuance);
    workload.credential = Credential { shown, jkt, renew_ms: book.now_ms + RENEWED_AFTER_MS };
}

fn issuance(book: &Book, domain: &Domain, workload: &Workload, handles: &Json) -> Json {
    let mut issuance = json!({
        "stage": "issued", "credential_type": "x509", "subject": workload.id, "issuer": format!("spiffe://{}", domain.name),
        "issuer_key_id": domain.key_id, "possession": "key", "entry_id": workload.entry_id, "revision": workload.revision, "handles": handles,
        "not_before_ms": book.now_ms - 10_000, "not_after_ms": book.now_ms + 60 * MINUTE, "trust_domain": domain.name,
        "source": { "system": "spire-server", "version": "1.15.3", "instance": domain.name },
        "links": [book.link("attested_by", workload.attestation)],
    });
    // A registry that only knows its own id of the entry, and one that gives its digest.
    if workload.domain == 0 {
        issuance["entry_digest"] = json!(workload.entry_digest);
    }
    issuance
}

/// A certificate that its issuer's log names by its serial number, an enforcement point by its digest; whoever issued it logs it whole.
fn whole(book: &mut Book, workload: &Workload, pem: &str) -> (Json, Json) {
    let der = certificate_from_pem(pem.as_bytes()).unwrap();
    let handles = CertificateHandles::from_der(&der).unwrap().handles();
    let of = |name: &str| handles.iter().find(|handle| handle.name == name).unwrap();
    // Anybody can show a certificate: only by its own issuer it ties the two names.
    for who in [Who::Spire, Who::Envoy] {
        let observation = json!({
            "observed": "credential", "subject": workload.id, "credential_type": "x509", "certificate": { "$bytes": base64::encode_url(&der) },
        });
        book.put(who, "observation", &workload.id, observation);
    }
    (json!({ "serial_aki": json_of(of("serial_aki")) }), json!(["cert_s256", json_of(of("cert_s256"))]))
}

/// The key of a captured certificate.
pub(super) fn captured_key() -> Json {
    let der = certificate_from_pem(CAPTURED[2].1.as_bytes()).unwrap();
    let handles = CertificateHandles::from_der(&der).unwrap().handles();
    json!(["spki_s256", json_of(handles.iter().find(|handle| handle.name == "spki_s256").unwrap())])
}

/// The value of a handle in the JSON view.
pub(super) fn json_of(handle: &Handle) -> Json {
    match (&handle.value, handle.digest()) {
        (_, Some(digest)) => json!(digest.to_string()),
        (Value::Array(parts), None) => parts.iter().map(|part| bytes(part.as_bytes().unwrap())).collect(),
        (other, None) => panic!("{other:?}"),
    }
}

fn bytes(bytes: &[u8]) -> Json {
    json!({ "$bytes": base64::encode_url(bytes) })
}

/// Renews what has grown old.
pub(super) fn renew(book: &mut Book, domains: &[Domain], workloads: &mut [Workload]) {
    for workload in workloads {
        if book.now_ms >= workload.credential.renew_ms {
            issue(book, domains, workload);
        }
    }
}

/// A job of CI exchanges its token for one of its own, by which a deployment is decided.
pub(super) fn exchange(book: &mut Book, appraisal: &Policy, job: u64) -> Json {
    let sub = "spiffe://prod.example/ci/deploy";
    let actor = book.seal("claims.actor", Value::from(format!("person-{job}")));
    let (id_token, evidence) = (book.random.digest(), book.random.digest());
    let attestation = json!({
        "subject": sub, "method": "github", "strength": "platform-signed", "result": "accepted", "evidence_digest": evidence,
        "claims": { "repository": "prod/pay", "ref": "refs/heads/main", "workflow": "deploy", "run_id": format!("{job}"), "actor": actor },
        "verifier": "https://sts.prod.example", "policy_digest": appraisal.digest, "handles": { "tok_s256": id_token },
    });
    let attestation = book.put(Who::Sts, "attestation", sub, attestation);
    let token = book.random.digest();
    let jti = book.of_day(&format!("ci-{job}"));
    let issuance = json!({
        "stage": "issued", "credential_type": "jwt", "subject": sub, "issuer": "https://sts.prod.example", "possession": "bearer",
        "handles": { "tok_s256": token, "jws_input_s256": book.random.digest(), "jti_iss": [jti, "https://sts.prod.example"] },
        "not_after_ms": book.now_ms + 5 * MINUTE, "links": [book.link("attested_by", attestation)],
    });
    book.put(Who::Sts, "issuance", sub, issuance);
    json!(["tok_s256", token])
}
