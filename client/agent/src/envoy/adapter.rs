//! Envoy's place among the adapters.

use std::sync::Arc;

use super::effect::{Known, effect};
use super::{Envoy, SYSTEM};
use crate::adapter::{Adapter, Kept};
use crate::lost;
use crate::seal::{Draft, Sealer};

/// Makes effects of one Envoy's lines.
#[derive(Clone, Debug)]
pub struct Effects {
    envoy: Arc<Envoy>,
    /// Who signs them.
    iss: String,
}

impl Effects {
    /// Makes one for an issuer.
    #[must_use]
    pub fn new(envoy: Arc<Envoy>, iss: &str) -> Self {
        Self { envoy, iss: iss.to_owned() }
    }
}

impl Adapter for Effects {
    fn route(&self) -> &str {
        &self.envoy.route
    }

    fn system(&self) -> &'static str {
        SYSTEM
    }

    fn kinds(&self) -> Vec<&'static str> {
        vec!["effect", "gap"]
    }

    fn draft(&self, event: &Kept<'_>, sealer: Sealer<'_>) -> Result<Draft, String> {
        let (known, line) = match event.form {
            "" => (Known::default(), event.bytes),
            KNOWN => split(event.bytes).ok_or("what is known of a line cannot be read")?,
            lost::FORM => return lost::gap(event, SYSTEM, &self.iss),
            form => return Err(format!("a form that this version does not know: {form}")),
        };
        effect(line, &known, &self.envoy, &self.iss, sealer).map_err(|none| none.to_string())
    }
}

/// Puts what is known of a line before it.
pub(super) fn join(known: &Known, line: &[u8]) -> Vec<u8> {
    // Text and lists of it: there is nothing in it that could not be written.
    let mut bytes = serde_json::to_vec(known).unwrap_or_default();
    bytes.push(b'\n');
    bytes.extend_from_slice(line);
    bytes
}

/// Parts them again.
pub(super) fn split(bytes: &[u8]) -> Option<(Known, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (known, line) = bytes.split_at_checked(end)?;
    Some((serde_json::from_slice(known).ok()?, line.get(1..)?))
}

/// A line with what is known of it before it.
pub(super) const KNOWN: &str = "known";
