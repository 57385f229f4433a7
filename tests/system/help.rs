//! `--help` of every command, as golden files: `data/help/<program>.txt`, and one for each subcommand below `data/help/<program>/`.
//!
//! The commands are found by walking the tree that the program itself parses with, so that a new one without its file fails.

use std::collections::BTreeMap;
use std::path::Path;

use clap::{Command, CommandFactory as _};

const AGAIN: &str = "cargo test -p govlog-tests --test system help";

#[test]
fn help_of_every_command_is_as_it_was_reviewed() {
    let mut files = BTreeMap::new();
    for program in programs() {
        let name = program.get_name().to_owned();
        collect(&program, &name, &mut files);
    }
    harness::golden::folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/help"), &files, AGAIN);
}

/// As `head` ends what it reads from: the result is lost on nobody, and what the command ends with stands.
#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let key = folder.path().join("a.key");
    let mut command = std::process::Command::new(crate::NODE);
    let ended =
        command.args(["govlog", "key", "new", "--alg", "ed25519", "--out"]).arg(&key).stdout(writer).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && !said.contains("panicked") && key.is_file(), "{}: {said}", ended.status);
}

/// Whoever reads help sees what each command and each option is for, in every line of it.
#[test]
fn every_command_and_every_option_says_what_it_is_for() {
    fn check(command: &Command) {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        assert!(command.get_about().is_some() || command.get_long_about().is_some(), "{name} says nothing of itself");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{name}: {} says nothing of itself", argument.get_id());
        }
        command.get_subcommands().for_each(check);
    }
    programs().iter().for_each(check);
}

/// The programs of the workspace, their trees complete.
fn programs() -> [Command; 4] {
    let mut programs = [
        govlog_client::cli::command(),
        govlog_server::cli::Cli::command(),
        govlog_witness::cli::Cli::command(),
        govlog_agent::cli::Cli::command(),
    ];
    programs.iter_mut().for_each(Command::build);
    programs
}

fn collect(command: &Command, path: &str, files: &mut BTreeMap<String, String>) {
    // What a terminal of 120 columns shows.
    let help = command.clone().term_width(120).render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    files.insert(format!("{path}.txt"), lines.join("\n") + "\n");
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        collect(sub, &format!("{path}/{}", sub.get_name()), files);
    }
}
