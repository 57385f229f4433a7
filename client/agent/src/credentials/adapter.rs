//! The credential watcher's place among the adapters.

use std::sync::Arc;

use super::{SYSTEM, Watched, observation};
use crate::adapter::{Adapter, Kept};
use crate::seal::{Draft, Sealer};

/// Makes observations of what one table watches.
#[derive(Clone, Debug)]
pub struct Observations {
    watched: Arc<Watched>,
    /// Who sees it.
    observer: String,
}

impl Observations {
    /// Makes one for an issuer, who is the observer unless the table names another.
    #[must_use]
    pub fn new(watched: Arc<Watched>, iss: &str) -> Self {
        let observer = watched.observer.clone().unwrap_or_else(|| iss.to_owned());
        Self { watched, observer }
    }
}

impl Adapter for Observations {
    fn route(&self) -> &str {
        &self.watched.route
    }

    fn system(&self) -> &'static str {
        SYSTEM
    }

    fn kinds(&self) -> Vec<&'static str> {
        vec!["observation"]
    }

    fn draft(&self, event: &Kept<'_>, sealer: Sealer<'_>) -> Result<Draft, String> {
        match event.form {
            FORM => observation(event.bytes, event.instance, &self.observer, sealer).map_err(|none| none.to_string()),
            form => Err(format!("a form that this version does not know: {form}")),
        }
    }
}

/// How what was seen is called in the outbox.
pub(super) const FORM: &str = "sight";
