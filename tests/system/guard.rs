//! No test is forgotten.

use std::path::Path;

/// A file that no module names would never run.
#[test]
fn every_file_here_is_a_module() {
    let main = include_str!("main.rs");
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("system")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        assert!(module == "main" || main.contains(&format!("\nmod {module};\n")), "{name} is listed nowhere");
    }
}

/// A fail point that no test knows would never be hit.
#[test]
fn every_fail_point_is_hit_by_a_crash_test() {
    let documented: Vec<&str> = include_str!("../../log-server/src/failpoints.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `")?.split_once('`'))
        .map(|(name, _)| name)
        .filter(|name| name.contains("::"))
        .collect();
    assert_eq!(documented, crate::crash::POINTS);
}
