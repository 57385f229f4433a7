//! The properties of the fuzz targets of the agent's parsers, without a fuzzer: for their seeds, and for every input that once broke one.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::path::Path;

// Where the properties look for what they are about.
use govlog_agent::{adapter, credentials, envoy, json, opa, outbox, seal, spire};

#[path = "../../../formats/fuzz/src/agent.rs"]
mod agent;
#[path = "../../../formats/fuzz/src/agent_envoy.rs"]
mod agent_envoy;
#[path = "../../../formats/fuzz/src/agent_spire.rs"]
mod agent_spire;
#[path = "../../../formats/fuzz/src/target.rs"]
mod target;

use agent::TARGETS;

#[test]
fn every_seed_is_accepted_and_keeps_the_properties() {
    for target in TARGETS {
        for (number, seed) in (target.seeds)().iter().enumerate() {
            assert!((target.check)(seed), "{} {number} is refused, so it is a seed of nothing", target.name);
        }
    }
}

#[test]
fn every_seed_cut_off_or_spoilt_keeps_the_properties() {
    for target in TARGETS {
        for seed in (target.seeds)() {
            let step = seed.len() / 64 + 1;
            for at in (0..seed.len()).step_by(step) {
                (target.check)(&seed[..at]);
                let mut spoilt = seed.clone();
                spoilt[at] ^= 0x41;
                (target.check)(&spoilt);
            }
        }
    }
}

#[test]
fn what_broke_a_property_once_does_not_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../formats/fuzz/regressions");
    for target in TARGETS {
        let Ok(inputs) = std::fs::read_dir(folder.join(target.name)) else { continue };
        for input in inputs {
            let path = input.unwrap().path();
            // The name of what breaks, should it do so again.
            println!("{}", path.display());
            (target.check)(&std::fs::read(&path).unwrap());
        }
    }
}
