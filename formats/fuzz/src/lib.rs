//! Fuzz targets for every parser: what the bytes are cut into, and what must hold of it.
//!
//! The agent's parsers come with the agent: what they make is judged by the records and openings that they make of it.

mod agent;
mod agent_envoy;
mod agent_spire;
mod properties;
mod target;

pub use govlog_agent::{adapter, credentials, envoy, json, opa, outbox, seal, spire};

/// Where `govlog-formats` stands.
pub const FORMATS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn target(name: &str) -> &'static target::Target {
    let found = properties::TARGETS.iter().chain(agent::TARGETS).find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("no target {name}"))
}

/// Gives the property of a target.
///
/// # Panics
///
/// There is no target of that name.
#[must_use]
pub fn check_of(name: &str) -> fn(&[u8]) -> bool {
    target(name).check
}

/// Writes a target's seeds into the folder that `FUZZ_SEEDS` names, if it does.
///
/// # Panics
///
/// A file cannot be written.
pub fn write_seeds(name: &str) {
    let Some(folder) = std::env::var_os("FUZZ_SEEDS") else { return };
    for (number, seed) in (target(name).seeds)().into_iter().enumerate() {
        std::fs::write(std::path::Path::new(&folder).join(format!("seed-{number}")), seed)
            .expect("FUZZ_SEEDS is a folder");
    }
}

/// Makes a fuzz target of the property that has the program's name.
#[macro_export]
macro_rules! fuzz {
    () => {
        libfuzzer_sys::fuzz_target!(init: $crate::write_seeds(env!("CARGO_BIN_NAME")), |data: &[u8]| {
            static CHECK: std::sync::LazyLock<fn(&[u8]) -> bool> =
                std::sync::LazyLock::new(|| $crate::check_of(env!("CARGO_BIN_NAME")));
            CHECK(data);
        });
    };
}
