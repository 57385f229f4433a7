//! `[access]`: who may do what.

use std::path::Path;

use govlog_daemon::access::{self, Access, RawAccess};
use govlog_daemon::routes::Roles;
use serde::Deserialize;

use super::ConfigError;

/// `[access]` as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRoles {
    read: Option<RawAccess>,
    search: Option<RawAccess>,
    submit: Option<RawAccess>,
    operate: Option<RawAccess>,
}

impl RawRoles {
    pub(super) fn check(self, path: &Path) -> Result<Roles, ConfigError> {
        Ok(Roles {
            read: role(path, "access.read", self.read)?,
            search: role(path, "access.search", self.search)?,
            submit: role(path, "access.submit", self.submit)?,
            operate: role(path, "access.operate", self.operate)?,
        })
    }
}

fn role(path: &Path, key: &'static str, typed: Option<RawAccess>) -> Result<Access, ConfigError> {
    Access::parse(typed).map_err(|wrong| super::raw::value(path, key, &format!("{:?}", wrong.found), access::EXPECTED))
}
