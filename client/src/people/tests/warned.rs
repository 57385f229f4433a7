//! What is not refused, but told before it is signed.

use govlog_formats::record::revocation::TargetType;

use super::*;

fn warnings(made: Result<(Built, Value), BuildError>) -> Vec<String> {
    made.unwrap().0.warnings
}

fn approved(approved: &Value, approver: impl Into<Value>, sub: &str) -> Found {
    signed_by(crate::testing::ISSUER, approved, approver, sub)
}

/// An approval that this issuer has signed.
fn signed_by(iss: &str, approved: &Value, approver: impl Into<Value>, sub: &str) -> Found {
    let approver: Value = approver.into();
    let view = json!({
        "v": 1, "event_ms": NOW_MS, "type": "change", "approved": approved, "decision": "approve", "approver": approver,
    });
    let payload = view::from_json("approval", &view).unwrap();
    let header = StatementHeader {
        content: Content::Plain(content_type_of("approval")),
        claims: Claims {
            iss: iss.to_owned(),
            sub: sub.to_owned(),
            ..sign(&key(), "approval", &payload, None).claims().clone()
        },
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
    let named = format!("agent:{delegate}");
    for own in [
        approved(&of_parent, delegate, elsewhere),
        approved(&of_parent, named, elsewhere),
        signed_by(delegate, &of_parent, "p-1", elsewhere),
        signed_by(delegate, &of_parent, sealed(), elsewhere),
    ] {
        let own = told(own);
        assert!(own.len() == 1 && own[0].contains("may act by it approved it"), "{own:?}");
    }
    // Whoever hides who approved is not thereby somebody else.
    let hidden = told(approved(&of_parent, sealed(), elsewhere));
    assert!(hidden.len() == 1 && hidden[0].contains("1.58 is not to be seen"), "{hidden:?}");
}

fn sealed() -> Value {
    json!({ "$sealed": "A".repeat(43) })
}

/// A name that ends like a party's is another's.
#[test]
fn an_approval_is_about_a_party_only_by_the_whole_of_its_id() {
    let of_other = json!({ "sig_structure": "33".repeat(32) });
    let is_party = |from: &str, sub: &str| {
        let facts = DelegationFacts {
            from: PartyName::read(from),
            approval: Some(approved(&of_other, "p-1", sub)),
            ..delegating()
        };
        let warnings = warnings(built(&[], false, |seals| delegation(&facts, NOW, seals)));
        let said = warnings.iter().filter(|warning| warning.contains("1.58")).collect::<Vec<_>>();
        assert_eq!(said.len(), 1, "{said:?}");
        said[0].contains("of another statement about")
    };
    for (from, sub) in [
        ("user:person-7f3a", "user:person-7f3a"),
        ("user:person-7f3a", "spiffe://prod.example/agent/ledger"),
        ("workload:spiffe://prod.example/portal", "spiffe://prod.example/portal"),
    ] {
        assert!(is_party(from, sub), "{from} {sub}");
    }
    for (from, sub) in [
        ("user:1", "order:2026:1"),
        ("user:1", "user:2:1"),
        ("user:1", "https://other.example/x:1"),
        ("user:person-7f3a", "workload:person-7f3a"),
        ("workload:spiffe://prod.example/portal", "workload:spiffe://prod.example/portal"),
        ("workload:spiffe://prod.example/portal", "https://other.example/:spiffe://prod.example/portal"),
        ("user:person-7f3a", "spiffe://prod.example/agent/ledger/sub"),
    ] {
        assert!(!is_party(from, sub), "{from} {sub}");
    }
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
