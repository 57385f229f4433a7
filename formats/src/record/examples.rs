//! One example of each kind, in its JSON view: the files in `formats/examples`.

/// Gives the example of a kind (`decision`, or its content type). `None`: the kind is not known.
#[must_use]
pub fn example(kind: &str) -> Option<&'static str> {
    let kind = super::short_kind(kind);
    EXAMPLES.into_iter().find(|(name, _)| *name == kind).map(|(_, text)| text)
}

#[rustfmt::skip]
const EXAMPLES: [(&str, &str); super::KINDS.len()] = [
    ("admission-policy", include_str!("../../examples/admission-policy.json")),
    ("policy", include_str!("../../examples/policy.json")),
    ("activation", include_str!("../../examples/activation.json")),
    ("approval", include_str!("../../examples/approval.json")),
    ("ownership", include_str!("../../examples/ownership.json")),
    ("agent", include_str!("../../examples/agent.json")),
    ("registration", include_str!("../../examples/registration.json")),
    ("attestation", include_str!("../../examples/attestation.json")),
    ("issuance", include_str!("../../examples/issuance.json")),
    ("signing-key", include_str!("../../examples/signing-key.json")),
    ("revocation", include_str!("../../examples/revocation.json")),
    ("federation", include_str!("../../examples/federation.json")),
    ("delegation", include_str!("../../examples/delegation.json")),
    ("decision", include_str!("../../examples/decision.json")),
    ("decision-batch", include_str!("../../examples/decision-batch.json")),
    ("effect", include_str!("../../examples/effect.json")),
    ("observation", include_str!("../../examples/observation.json")),
    ("stream", include_str!("../../examples/stream.json")),
    ("gap", include_str!("../../examples/gap.json")),
    ("quarantine", include_str!("../../examples/quarantine.json")),
    ("redaction", include_str!("../../examples/redaction.json")),
    ("finding", include_str!("../../examples/finding.json")),
    ("custody", include_str!("../../examples/custody.json")),
    ("anchor", include_str!("../../examples/anchor.json")),
];
