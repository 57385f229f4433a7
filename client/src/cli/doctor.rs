//! `govlog doctor`: the agent's own, by the name that is looked for.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use super::Exit;
use super::exit::Usage;

/// `govlog doctor`
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    after_help = "Runs `govlog-agent doctor` with the same arguments: the program beside this one, or else the one on the PATH. \
    `govlog doctor --help` shows its help."
)]
pub(crate) struct Doctor {
    /// Arguments of `govlog-agent doctor`, as --config agent.toml --opa http://127.0.0.1:8181
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Doctor {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let beside = std::env::current_exe().ok().map(|own| own.with_file_name(AGENT)).filter(|path| path.is_file());
        let program = beside.unwrap_or_else(|| PathBuf::from(AGENT));
        // Takes this program's place, so that output and exit code are its own.
        let error = Command::new(&program).arg("doctor").args(self.arguments).exec();
        Err(Usage(format!("{}: {error}; it comes with the agent, which is to be installed here", program.display()))
            .into())
    }
}

const AGENT: &str = "govlog-agent";
