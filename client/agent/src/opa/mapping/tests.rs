//! Tests of what an operator writes.

use super::*;

const TABLE: &str = r#"
prefix = "/ingest/opa/v1"
pdp = "opa.prod"
pep = "spiffe://prod.example/pep/envoy"
xfcc_from = ["spiffe://prod.example/pep/envoy"]
enforcement = "dry-run"
[[mapping]]
path = "mcp/tools"
subject = "/input/subject/id"
subject_type = "workload"
action = "/input/method"
resource = "/input/params/name"
resource_type = { constant = "/tool" }
decision = "/result"
reasons = "/result/reasons"
"#;

fn group(table: &str) -> Result<Group, GroupError> {
    toml::from_str::<RawGroup>(table).unwrap().try_into()
}

/// What is said of the table with one part replaced.
#[track_caller]
fn refusal(from: &str, to: &str) -> String {
    assert!(TABLE.contains(from));
    let table = TABLE.replacen(from, to, 1);
    match toml::from_str::<RawGroup>(&table) {
        Ok(raw) => Group::try_from(raw).unwrap_err().to_string(),
        Err(error) => error.message().to_owned(),
    }
}

/// A table with mappings of these paths.
fn with_paths(paths: &[&str]) -> String {
    let mapping = &TABLE[TABLE.find("[[").unwrap()..];
    let mappings = paths.iter().map(|path| mapping.replace("mcp/tools", path)).collect::<String>();
    format!("prefix = \"/opa\"\n{mappings}")
}

#[test]
fn a_full_table_is_read() {
    let group = group(TABLE).unwrap();
    assert_eq!((group.prefix(), group.pdp()), ("/ingest/opa/v1", Some("opa.prod")));
    assert_eq!((group.pep(), group.xfcc_from().len()), (Some("spiffe://prod.example/pep/envoy"), 1));
    assert_eq!(group.enforcement(), Some(Enforcement::DryRun));
    let mapping = group.mapping_of("mcp/tools/allow");
    assert_eq!(mapping.path(), "mcp/tools");
    assert_eq!(mapping.subject, Source::At(Pointer::parse("/input/subject/id").unwrap()));
    assert_eq!(mapping.subject_type, Some(Source::Constant("workload".to_owned())));
    assert_eq!(mapping.resource_type, Source::Constant("/tool".to_owned()));
    assert_eq!(mapping.reasons, Some(Pointer::parse("/result/reasons").unwrap()));
}

#[test]
fn a_prefix_is_enough() {
    let group = group("prefix = \"/opa\"").unwrap();
    assert_eq!((group.pdp(), group.pep(), group.enforcement()), (None, None, None));
    assert!(group.xfcc_from().is_empty());
    let mapping = group.mapping_of("anything/at/all");
    let pointers: Vec<&str> = mapping.decision.iter().map(|pointer| pointer.as_str()).collect();
    assert_eq!(pointers, ["/result", "/result/decision"]);
    assert_eq!(mapping.action, Source::At(Pointer::parse("/input/action/name").unwrap()));
}

#[test]
fn the_longest_path_wins_by_whole_segments() {
    let group = group(&with_paths(&["mcp", "/mcp/tools/allow", "mcp/tools"])).unwrap();
    let expected = [
        ("mcp", "mcp"),
        ("/mcp", "mcp"),
        ("mcp/tool", "mcp"),
        ("mcp/tools", "mcp/tools"),
        ("/mcp/tools/deny", "mcp/tools"),
        ("mcp/tools/allow", "mcp/tools/allow"),
        ("mcp/tools/allow/x", "mcp/tools/allow"),
        ("mcp/tools/allowed", "mcp/tools"),
        ("mcpx", ""),
        ("", ""),
        ("/", ""),
        ("other/mcp", ""),
        ("//mcp", ""),
    ];
    for (path, mapping) in expected {
        assert_eq!(group.mapping_of(path).path(), mapping, "{path}");
    }
}

#[test]
fn an_empty_path_takes_the_place_of_the_default() {
    let group = group(&with_paths(&["/", "mcp"])).unwrap();
    assert_eq!(group.mapping_of("other").decision.len(), 1);
    assert_eq!(group.mapping_of("mcp/x").path(), "mcp");
}

#[test]
fn prefixes_are_plain_paths() {
    for bad in ["", "/", "opa", "/opa/", "//opa", "/o//a", "/o pa", "/ö", "/a/..", "/./a", "/a?b", "/a%20b"] {
        let said = refusal("/ingest/opa/v1", bad);
        assert!(said.starts_with(&format!("prefix = {bad:?}: should begin with '/'")), "{said}");
    }
    for good in ["/a", "/A-Z_0.9/x", "/..a"] {
        assert!(group(&TABLE.replace("/ingest/opa/v1", good)).is_ok(), "{good}");
    }
}

#[test]
fn what_is_wrong_is_named_with_what_would_be_right() {
    assert_eq!(
        refusal("dry-run", "fail-open"),
        r#"enforcement = "fail-open": should be "enforced", "dry-run" or "shadow""#
    );
    assert_eq!(refusal("\"opa.prod\"", "\"\""), "pdp: text of 0 bytes, should be 1 to 2048");
    assert_eq!(
        refusal("[\"spiffe://prod.example/pep/envoy\"]", "[\"\"]"),
        "xfcc_from: text of 0 bytes, should be 1 to 2048"
    );
    let said = refusal("decision = \"/result\"", "decision = \"result\"");
    assert!(
        said.starts_with("mapping \"mcp/tools\": decision: \"result\" is no JSON pointer: one begins with '/'"),
        "{said}"
    );
    let said = refusal("/input/method", "/input/~method");
    assert!(
        said.starts_with("mapping \"mcp/tools\": action: \"/input/~method\" is no JSON pointer: after '~'"),
        "{said}"
    );
    assert!(refusal("/result/reasons", "reasons").contains("reasons: \"reasons\" is no JSON pointer"));
    assert_eq!(
        refusal("\"workload\"", "\"\""),
        "mapping \"mcp/tools\": subject_type: text of 0 bytes, should be 1 to 2048"
    );
    assert!(refusal("{ constant = \"/tool\" }", "{ constant = \"\" }").contains("resource_type: text of 0 bytes"));
    for path in ["mcp//tools", "mcp/", "//mcp"] {
        assert!(
            refusal("mcp/tools", path).starts_with(&format!("mapping path = {path:?}: should be a document's path"))
        );
    }
    let twice = group(&with_paths(&["a", "/a"])).unwrap_err();
    assert_eq!(twice.to_string(), "mapping path = \"a\": there are two of them");
}

#[test]
fn unknown_and_missing_keys_are_named() {
    assert!(refusal("pdp =", "pdb =").starts_with("unknown field `pdb`"));
    assert!(refusal("reasons =", "reason =").starts_with("unknown field `reason`"));
    assert!(refusal("constant =", "const =").starts_with("unknown field `const`"));
    assert!(refusal("action = \"/input/method\"\n", "").starts_with("missing field `action`"));
    assert!(refusal("prefix = \"/ingest/opa/v1\"\n", "").starts_with("missing field `prefix`"));
    let said = refusal("\"/input/method\"", "7");
    assert!(
        said.contains("expected a JSON pointer as \"/input/subject/id\", other text, or { constant = \"…\" }"),
        "{said}"
    );
}
