use clap::{CommandFactory as _, Parser as _};
use govlog_formats::note::Vkey;

use super::*;
use crate::admission::testing::ManualClock;
use crate::config::KEYS;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split('|'))
}

fn init_args(line: &str) -> InitArgs {
    match parse(line).unwrap().command {
        Command::Init(args) => args,
        Command::Run(_) | Command::RebuildIndex(_) => panic!("{line}"),
    }
}

#[test]
fn the_command_line_is_consistent_in_itself() {
    Cli::command().debug_assert();
}

#[test]
fn init_has_defaults_for_all_but_directory_and_origin() {
    let args = init_args("govlog-server|init|--dir|D|--origin|log.example");
    assert_eq!((args.listen, args.admin), (crate::config::DEFAULT_LISTEN, crate::config::DEFAULT_ADMIN));
    assert!(args.witness.is_empty() && args.quorum.is_none() && args.genesis.is_none() && !args.demo);
}

#[test]
fn the_forms_of_init_do_not_mix() {
    for refused in [
        "govlog-server|init|--dir|D",
        "govlog-server|init|--origin|O",
        "govlog-server|init|--dir|D|--demo",
        "govlog-server|init|--dir|D|--genesis|G|--origin|O",
        "govlog-server|init|--dir|D|--genesis|G|--demo",
        "govlog-server|init|--dir|D|--genesis|G|--quorum|none",
        "govlog-server|init|--dir|D|--genesis|G|--witness|w",
        "govlog-server|init|--dir|D|--genesis|G|--listen|127.0.0.1:1",
        "govlog-server|init|--dir|D|--origin|O|--quorum|0",
        "govlog-server|init|--dir|D|--origin|O|--quorum|some",
        "govlog-server|init|--dir|D|--origin|O|--listen|8080",
        "govlog-server|run",
        "govlog-server",
    ] {
        assert_eq!(parse(refused).unwrap_err().exit_code(), 2, "{refused}");
    }
    init_args("govlog-server|init|--dir|D|--genesis|G");
    assert_eq!(init_args("govlog-server|init|--dir|D|--origin|O|--quorum|2").quorum, Some(QuorumArg::AtLeast(2)));
    assert_eq!(init_args("govlog-server|init|--dir|D|--origin|O|--quorum|none").quorum, Some(QuorumArg::None));
}

#[test]
fn help_says_all_of_it() {
    let mut command = Cli::command();
    let overview = command.render_long_help().to_string();
    assert!(overview.contains("govlog admission init") && overview.contains("genesis.request"), "{overview}");
    assert!(overview.contains(govlog_daemon::logging::VARIABLE), "{overview}");
    let run = command.find_subcommand_mut("run").unwrap().render_long_help().to_string();
    for key in KEYS {
        assert!(run.contains(key.name), "{}", key.name);
    }
    let init = command.find_subcommand_mut("init").unwrap().render_long_help().to_string();
    for option in ["--dir", "--origin", "--listen", "--admin", "--witness", "--quorum", "--genesis", "--demo"] {
        assert!(init.contains(option), "{option}");
    }
}

#[test]
fn stdout_of_init_is_one_line_the_logs_vkey() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let line = format!("govlog-server|init|--dir|{}|--origin|log.example|--quorum|none", log.display());
    let (mut out, mut notices) = (Vec::new(), Vec::new());
    init(&init_args(&line), ManualClock::new().as_ref(), &mut out, &mut notices).unwrap();
    let out = String::from_utf8(out).unwrap();
    let vkey: Vkey = out.strip_suffix('\n').unwrap().parse().unwrap();
    assert_eq!(vkey.name().as_str(), "log.example");
    let notices = String::from_utf8(notices).unwrap();
    assert!(notices.contains("govlog admission init --request"), "{notices}");
    assert!(notices.contains("--genesis genesis.cose"), "{notices}");
}

#[test]
fn all_forms_print_the_same_vkey_and_demo_says_what_it_is_for() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let line = format!("govlog-server|init|--demo|--dir|{}|--origin|log.example|--quorum|none", log.display());
    let (mut out, mut notices) = (Vec::new(), Vec::new());
    init(&init_args(&line), ManualClock::new().as_ref(), &mut out, &mut notices).unwrap();
    let notices = String::from_utf8(notices).unwrap();
    assert!(notices.contains("for trying out") && notices.contains("operator.key"), "{notices}");
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);

    // The same directory, as if the operator had signed elsewhere.
    let genesis = dir.path().join("genesis.cose");
    std::fs::rename(log.join("genesis.cose"), &genesis).unwrap();
    std::fs::remove_dir_all(log.join("store")).unwrap();
    std::fs::remove_dir_all(log.join("head")).unwrap();
    let line = format!("govlog-server|init|--dir|{}|--genesis|{}", log.display(), genesis.display());
    let (mut again, mut notices) = (Vec::new(), Vec::new());
    init(&init_args(&line), ManualClock::new().as_ref(), &mut again, &mut notices).unwrap();
    assert_eq!(again, out);
    assert!(String::from_utf8(notices).unwrap().contains("govlog-server run --config"));
}

#[test]
fn a_refused_init_prints_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let line = format!("govlog-server|init|--dir|{}/log|--origin|log.example", dir.path().display());
    let (mut out, mut notices) = (Vec::new(), Vec::new());
    let error = init(&init_args(&line), ManualClock::new().as_ref(), &mut out, &mut notices).unwrap_err();
    assert!(error.to_string().contains("--quorum none"), "{error}");
    assert!(out.is_empty() && notices.is_empty());
}
