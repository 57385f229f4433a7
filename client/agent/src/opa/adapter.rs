//! OPA's place among the adapters.

use super::xfcc::Unknown;
use super::{Group, SYSTEM, decision};
use crate::adapter::{Adapter, Kept};
use crate::seal::{Draft, Sealer};

impl Adapter for Group {
    fn route(&self) -> &str {
        self.prefix()
    }

    fn system(&self) -> &'static str {
        SYSTEM
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["decision"]
    }

    fn draft(&self, event: &Kept<'_>, sealer: Sealer<'_>) -> Result<Draft, String> {
        match event.form {
            "" => decision(event.bytes, self, sealer).map_err(|unmapped| unmapped.to_string()),
            form => Err(format!("a form that this version does not know: {form}")),
        }
    }

    fn doubt(&self, event: &Kept<'_>) -> Option<Unknown> {
        let is_asked = event.form.is_empty() && !self.xfcc_from().is_empty();
        is_asked.then(|| decision::client(event.bytes, self).err()).flatten()
    }
}
