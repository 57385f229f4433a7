//! What is not refused, but told before it is signed.

use govlog_formats::record::revocation::TargetType;

use super::*;

fn warnings(made: Result<(Built, Value), BuildError>) -> Vec<String> {
    made.unwrap().0.warnings
}

fn approved(approved: &Value, approver: &str, sub: &str) -> Found {
    let view = json!({
        "v": 1, "event_ms": NOW_MS, "type": "change", "approved": approved, "decision": "approve", "approver": approver,
    });
    let payload = view::from_json("approval", &view).unwrap();
    let header = StatementHeader {
        content: Content::Plain(content_type_of("approval")),
        claims: Claims { sub: sub.to_owned(), ..sign(&key(), "approval", &payload, None).claims().clone() },
    };
    let statement = UnsignedStatement::new(&header, &payload, &key()).unwrap().sign(&key()).unwrap();
    let what = What::Entry(Box::new(Entry { statement, standing: Standing::Unverified("a test's".to_owned()) }));
    Found { name: "1.58".to_owned(), what }
}

/// A delegation that names an approval rests on it for whoever reads it, whatever was approved.
#[test]
fn who_delegates_upon_an_approval_is_told_where_it_is_of_something_else() {
    let parent = parent(|_| {});
    let of_parent = json!({ "sig_structure": parent.entry().unwrap().statement.sig_structure_digest().to_string() });
    let of_other = json!({ "sig_structure": "33".repeat(32) });
    let of_operation = json!({ "op_digest": "22".repeat(32) });
    let told = |approval: Found| {
        let facts = DelegationFacts { parent: Some(parent.clone()), approval: Some(approval), ..delegating() };
        let warnings = warnings(built(&[], false, |seals| delegation(&facts, NOW, seals)));
        warnings.into_iter().filter(|warning| warning.to_lowercase().contains("approval")).collect::<Vec<_>>()
    };
    let (elsewhere, delegate) = ("spiffe://prod.example/batch", "spiffe://prod.example/agent/ledger");
    assert_eq!(told(approved(&of_parent, "p-1", elsewhere)), [""; 0], "it is of what this derives from");
    for (approval, sub, said) in [
        (&of_other, elsewhere, "OF SOMETHING ELSE"),
        (&of_other, delegate, "of another statement about"),
        (&of_operation, elsewhere, "one operation"),
        (&of_operation, delegate, "one operation"),
        (&json!({ "payload": "44".repeat(32) }), elsewhere, "OF SOMETHING ELSE"),
        (&json!({ "$sealed": "A".repeat(43) }), delegate, "sealed"),
    ] {
        let told = told(approved(approval, "p-1", sub));
        assert!(told.len() == 1 && told[0].contains(said), "{approval} {sub}: {told:?}");
    }
    let own = told(approved(&of_parent, delegate, elsewhere));
    assert!(own.len() == 1 && own[0].contains("may act by it approved it"), "{own:?}");
}

/// A record may describe a credential that it did not issue; revoking the record would end that credential for everybody.
#[test]
fn who_revokes_an_entry_with_handles_of_a_credential_that_it_did_not_issue_is_told() {
    let told = |kind: &str, view: &Value| {
        let facts = RevocationFacts { target_type: Some(TargetType::Credential), ..revoking() };
        let made = built(&[], false, |seals| revocation(&entry(kind, view), &facts, NOW, seals));
        let (made, view) = made.unwrap();
        let told =
            made.warnings.into_iter().any(|warning| warning.contains("did not issue") && warning.contains("1.57"));
        (view["target"].clone(), told)
    };
    let (handles, tbs) = (json!({ "tbs_s256": "12".repeat(32) }), json!({ "handle": ["tbs_s256", "12".repeat(32)] }));
    let mut borrowing = decision();
    borrowing["handles"] = handles.clone();
    assert_eq!(told("decision", &borrowing), (tbs.clone(), true));
    let (target, is_told) = told("decision", &decision());
    assert!(target.get("entry").is_some() && !is_told, "one without handles is itself what is revoked: {target}");
    let issuance = json!({
        "v": 1, "event_ms": NOW_MS, "stage": "issued", "credential_type": "x509", "subject": "spiffe://prod.example/pay",
        "handles": handles,
    });
    assert_eq!(told("issuance", &issuance), (tbs, false));
}
