//! SPIRE's place among the adapters.

use std::sync::Arc;

use super::{KINDS, SYSTEM, Settings, records};
use crate::adapter::{Adapter, Kept};
use crate::lost;
use crate::seal::{Draft, Sealer};

/// Makes records of what is read of a server.
#[derive(Debug)]
pub struct Server {
    settings: Arc<Settings>,
    /// Who signs the records: the agent declares what may be missing.
    iss: String,
}

impl Server {
    /// For a server, and who signs.
    #[must_use]
    pub fn new(settings: Arc<Settings>, iss: &str) -> Self {
        Self { settings, iss: iss.to_owned() }
    }
}

impl Adapter for Server {
    fn route(&self) -> &str {
        &self.settings.route
    }

    fn system(&self) -> &'static str {
        SYSTEM
    }

    fn kinds(&self) -> Vec<&'static str> {
        KINDS.to_vec()
    }

    fn draft(&self, event: &Kept<'_>, sealer: Sealer<'_>) -> Result<Draft, String> {
        if event.form == lost::FORM {
            return lost::gap(event, SYSTEM, &self.iss);
        }
        records::draft(event, &self.settings, sealer).map_err(|wrong| wrong.to_string())
    }
}
