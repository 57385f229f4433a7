//! The types of optional fields, kind by kind.

use super::*;

/// Adds a field to the least record of a kind, and compares what is said of it.
#[track_caller]
fn each(kind: &str, cases: impl IntoIterator<Item = (Json, &'static str)>) {
    for (more, expected) in cases {
        assert_eq!(fault(kind, &with(least(kind), more)), expected);
    }
}

#[test]
fn of_a_decision() {
    let cases = [
        (json!({"policies": {}}), "policies: map of 0, should be a list, each element a map"),
        (json!({"policies": [{"revision": 1}]}), "policies[0].revision: integer 1, should be text"),
        (
            json!({"policies": [{"policy_digest": ["sha256"]}]}),
            "policies[0].policy_digest: list of 1, should be a list [scheme, digest]",
        ),
        (json!({"op_digest": 5}), "op_digest: integer 5, should be a digest of 32 bytes"),
        (json!({"op_digest": {"$bytes": "AQID"}}), "op_digest: byte string of 3, should be a digest of 32 bytes"),
        (json!({"pop": {"jkt": {"$text": "x"}}}), "pop.jkt: text \"x\", should be a digest of 32 bytes"),
        (json!({"pop": {"digests": {"ath": 1}}}), "pop.digests.ath: integer 1, should be a digest of 32 bytes"),
        (json!({"nd_cache": "{}"}), "nd_cache: text \"{}\", should be a byte string"),
        (json!({"input": {}}), "input: map of 0, should be a byte string"),
        (json!({"output": true}), "output: true, should be a byte string"),
        (json!({"error": "x"}), "error: text \"x\", should be a byte string"),
        (json!({"erased": "/a"}), "erased: text \"/a\", should be a list, each element text"),
        (json!({"masked": ["/a", 1]}), "masked[1]: integer 1, should be text"),
        (json!({"native": {}}), "native: map of 0, should be a byte string"),
        (
            json!({"valid_ms": -1}),
            "valid_ms: integer -1, should be a time in POSIX milliseconds, an integer of 0 or more",
        ),
        (json!({"nonce": 1}), "nonce: integer 1, should be text or a byte string"),
        (
            json!({"agent": {"tool": {"schema_digest": [1]}}}),
            "agent.tool.schema_digest: list of 1, should be a digest of 32 bytes",
        ),
        (
            json!({"delegation": {}}),
            "delegation: map of 0, should be a map with exactly one of the keys entry, handle, log_ref",
        ),
    ];
    each("decision", cases);
}

#[test]
fn of_an_effect() {
    let cases = [
        (json!({"resource": {"id": "x"}}), "resource.type: missing, should be text that is not empty"),
        (
            json!({"side_effect": {"reversible": "yes"}}),
            "side_effect.reversible: text \"yes\", should be true or false",
        ),
        (json!({"decision_iss": ""}), "decision_iss: text \"\", should be text that is not empty"),
    ];
    each("effect", cases);
}

#[test]
fn of_an_issuance() {
    let cases = [
        (json!({"audience": "x"}), "audience: text \"x\", should be a list, each element text"),
        (json!({"revision": -1}), "revision: integer -1, should be an integer of 0 or more"),
        (json!({"handles": []}), "handles: list of 0, should be a map"),
        (json!({"handles": {"jkt": 1}}), "handles.jkt: integer 1, should be a digest of 32 bytes"),
        (
            json!({"handles": {"serial_aki": [{"$bytes": ""}]}}),
            "handles.serial_aki: list of 1, should be a list [serial, aki]",
        ),
        (json!({"handles": {"jti_iss": ["j", 1]}}), "handles.jti_iss[1]: integer 1, should be text"),
        (
            json!({"handles": {"schema_digest": {"$bytes": "AQID"}}}),
            "handles.schema_digest: byte string of 3, should be a list [scheme, digest]",
        ),
        (
            json!({"handles": {"entities_digest": ["sha256"]}}),
            "handles.entities_digest: list of 1, should be a list [scheme, digest]",
        ),
    ];
    each("issuance", cases);
}

#[test]
fn of_a_policy() {
    let bare = json!({"$bytes": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"});
    let cases = [
        (json!({"policy_digest": bare}), "policy_digest: byte string of 32, should be a list [scheme, digest]"),
        (json!({"schema_digest": bare}), "schema_digest: byte string of 32, should be a list [scheme, digest]"),
    ];
    each("policy", cases);
}

#[test]
fn of_a_stream() {
    let cases = [
        (json!({"predecessor": ""}), "predecessor: text \"\", should be text that is not empty"),
        (json!({"counters": []}), "counters: list of 0, should be a map"),
        (json!({"counters": {"waiting": -1}}), "counters.waiting: integer -1, should be an integer of 0 or more"),
        (
            json!({"counters": {"dropped": 3}}),
            "counters.dropped: integer 3, should be a map, each value an integer of 0 or more",
        ),
        (
            json!({"counters": {"dropped": {"full": "3"}}}),
            "counters.dropped.full: text \"3\", should be an integer of 0 or more",
        ),
        (json!({"source_counters": [1]}), "source_counters: list of 1, should be a map, each value any value"),
        (json!({"head": {"$text": "x"}}), "head: text \"x\", should be a digest of 32 bytes"),
        (json!({"reason": 1}), "reason: integer 1, should be text"),
    ];
    each("stream", cases);
}

#[test]
fn of_a_quarantine() {
    let cases = [
        (json!({"digest": {"$bytes": "AQID"}}), "digest: byte string of 3, should be a digest of 32 bytes"),
        (json!({"size": -1}), "size: integer -1, should be an integer of 0 or more"),
        (json!({"input": "{"}), "input: text \"{\", should be a byte string"),
        (json!({"refused": "403"}), "refused: text \"403\", should be an integer of 0 or more"),
    ];
    each("quarantine", cases);
}

#[test]
fn of_every_kind() {
    let cases = [
        (json!({"source": {"system": 1}}), "source.system: integer 1, should be text"),
        (json!({"tenant": null}), "tenant: null, should be text"),
        (json!({"trace_id": {"$tag": 1, "value": 2}}), "trace_id: tag 1, should be text"),
    ];
    each("of-tomorrow", cases);
}
