//! No test is forgotten.

use std::path::Path;

/// A file that no module names would never run.
#[test]
fn every_file_here_is_a_module() {
    listed_in("system", include_str!("main.rs"), "main.rs");
    listed_in("system/agent", include_str!("agent/mod.rs"), "mod.rs");
}

fn listed_in(folder: &str, list: &str, name_of_list: &str) {
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        assert!(
            name == name_of_list || list.contains(&format!("\nmod {module};\n")),
            "{folder}/{name} is listed nowhere"
        );
    }
}

/// A fail point that no test knows would never be hit.
#[test]
fn every_fail_point_is_hit_by_a_crash_test() {
    let of_the_log = [&crate::crash::POINTS[..], &crate::index::POINTS].concat();
    assert_eq!(documented(include_str!("../../log-server/src/failpoints.rs")), of_the_log);
    let of_the_agent = documented(include_str!("../../client/agent/src/failpoints.rs"));
    for hit in crate::agent::HIT {
        let listed: Vec<_> = of_the_agent.iter().copied().filter(|point| hit.contains(point)).collect();
        assert_eq!(listed, hit);
    }
    let never_hit = of_the_agent.iter().find(|point| crate::agent::HIT.iter().all(|hit| !hit.contains(point)));
    assert_eq!(never_hit, None);
}

fn documented(table: &'static str) -> Vec<&'static str> {
    let names = table.lines().filter_map(|line| line.strip_prefix("//! | `")?.split_once('`'));
    names.map(|(name, _)| name).filter(|name| name.contains("::")).collect()
}
