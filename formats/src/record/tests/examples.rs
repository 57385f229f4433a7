//! The examples that lie beside the schemas.

use super::*;
use crate::record::sealed::Opening;
use crate::record::view::{parse_text, to_json};

const EXAMPLES: [(&str, &str); 4] = [
    ("admission-policy", include_str!("../../../examples/admission-policy.json")),
    ("decision", include_str!("../../../examples/decision.json")),
    ("effect", include_str!("../../../examples/effect.json")),
    ("issuance", include_str!("../../../examples/issuance.json")),
];

#[test]
fn each_is_a_record_and_its_own_view() {
    for (kind, text) in EXAMPLES {
        let view = parse_text(text).unwrap();
        let payload = from_json(kind, &view).unwrap();
        assert_eq!(Record::parse(kind, &payload).unwrap().kind(), kind);
        assert_eq!(to_json(kind, &payload).unwrap(), view, "{kind}");
    }
}

#[test]
fn the_decision_finds_its_issuance_and_the_effect_its_decision() {
    let [_, decision, effect, issuance] = EXAMPLES.map(|(kind, text)| parsed(kind, &parse_text(text).unwrap()));
    let (Record::Decision(decision), Record::Effect(effect), Record::Issuance(issuance)) = (decision, effect, issuance)
    else {
        panic!()
    };
    assert!(issuance.body().handles().contains(&decision.credential().present().unwrap()));
    assert_eq!(effect.decision_id(), decision.decision_id());
}

#[test]
fn the_sealed_context_opens() {
    let Record::Decision(decision) = parsed("decision", &parse_text(EXAMPLES[1].1).unwrap()) else { panic!() };
    let Recorded::Sealed(sealed) = decision.body().at(&["context"]) else { panic!() };
    let salt = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let opening = Opening { salt, value: Value::Map(vec![("amount".into(), 250.into())]) };
    sealed.open(&opening).unwrap();
    assert_eq!(opening.seal_searchable(b"tenant lookup key"), sealed);
}
