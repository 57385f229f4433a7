use govlog_daemon::access::Caller;

use super::*;

fn parse(text: &str) -> Result<Config, ContentError> {
    Config::parse(text, Path::new("/etc/govlog"))
}

const LEAST: &str = "iss = \"spiffe://prod.example/agent\"\nlog = \"http://127.0.0.1:8080\"\naccess.submit = \"loopback\"\nopenings.plaintext = true\n";
const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

#[test]
fn four_keys_are_enough_and_the_rest_has_defaults() {
    let config = parse(LEAST).unwrap();
    assert_eq!(config.key, Path::new("/etc/govlog/agent.key"));
    assert_eq!(config.outbox, Path::new("/etc/govlog/outbox"));
    assert!(config.listen.ip().is_loopback() && config.admin.ip().is_loopback());
    assert_ne!(config.listen, config.admin);
    let prefixes: Vec<&str> = config.groups.iter().map(Group::prefix).collect();
    assert_eq!(prefixes, [DEFAULT_PREFIX]);
    assert!(config.groups[0].xfcc_from().is_empty(), "no header is believed unless somebody says so");
    assert_eq!(config.upload, opa::Limits::default());
    assert_eq!((config.max_age.as_secs(), config.remember.as_secs()), (86_400, 7 * 86_400));
}

#[test]
fn nobody_uploads_unless_somebody_writes_who() {
    let text = LEAST.replace("access.submit = \"loopback\"\n", "");
    let config = parse(&text).unwrap();
    let neighbour = Caller { from_loopback: true, ..Caller::default() };
    assert!(config.groups.is_empty() && !config.access.submit.allows(&neighbour));
    assert!(config.access.operate.allows(&neighbour));
    let error = parse(&format!("{text}[[opa]]\nprefix = \"/a\"\n")).unwrap_err().to_string();
    assert!(error.contains("access.submit") && error.contains("submit = \"loopback\""), "{error}");
    assert!(parse(LEAST).unwrap().access.submit.allows(&neighbour));
}

#[test]
fn keys_are_taken_over() {
    let text = format!(
        "{LEAST}outbox = \"/var/lib/outbox\"\nlisten = \"[::1]:0\"\n[streams]\nheartbeat_s = 5\nmost = 7\n[sending]\nmax_age_s = 600\n\
         [limits]\noutbox_mib = 65\nevents = 9\n[[opa]]\nprefix = \"/a\"\n[[opa]]\nprefix = \"/b\"\nxfcc_from = [\"spiffe://p/envoy\"]\n"
    );
    let config = parse(&text).unwrap();
    assert_eq!(config.outbox, Path::new("/var/lib/outbox"));
    assert_eq!((config.beat.heartbeat.as_secs(), config.hold.streams, config.hold.bytes), (5, 7, 65 << 20));
    assert_eq!((config.max_age.as_secs(), config.upload.events), (600, 9));
    assert_eq!(config.groups.len(), 2);
}

#[test]
fn an_svid_takes_the_place_of_the_key() {
    let with = |table: &str| parse(&format!("{LEAST}{table}"));
    let config = with("[x509]\nsvid = \"svid.pem\"\nsvid_key = \"/run/svid.key\"\n").unwrap();
    let files = keys::Settings::Files { svid: "/etc/govlog/svid.pem".into(), key: "/run/svid.key".into() };
    assert_eq!(config.x509, Some(files));
    assert_eq!((config.key.as_path(), config.max_age.as_secs()), (Path::new("/etc/govlog/agent.x509"), 600));
    let config = with("[x509]\nspiffe = \"unix:///run/api.sock\"\n[sending]\nmax_age_s = 300\n").unwrap();
    assert_eq!(config.x509, Some(keys::Settings::Workload("unix:///run/api.sock".into())));
    assert_eq!(config.max_age.as_secs(), 300);
    for (table, why) in [
        ("[x509]", "needs svid and svid_key, or spiffe"),
        ("[x509]\nsvid = \"s\"", "stand together"),
        ("[x509]\nsvid_key = \"s\"", "stand together"),
        ("[x509]\nsvid = \"s\"\nspiffe = \"unix:s\"", "one or the other"),
        ("key = \"k\"\n[x509]\nspiffe = \"unix:s\"", "one or the other"),
    ] {
        let error = with(table).unwrap_err().to_string();
        assert!(error.starts_with("[x509]") && error.contains(why), "{table}: {error}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let wrong = [
        ("", "iss"),
        ("iss = \"a:b\"", "log"),
        ("log = \"http://x\"", "iss"),
        ("iss = \"\"\nlog = \"http://x\"", "iss"),
        ("iss = \"a:b\"\nlog = \"x\"", "log"),
        ("iss = \"a:b\"\nlog = \"http://x\"\nlisten = \"0.0.0.0:1\"", "listen"),
        ("iss = \"a:b\"\nlog = \"http://x\"\nadmin = \"192.0.2.1:1\"", "admin"),
        ("iss = \"a:b\"\nlog = \"http://x\"\n[access]\nsubmit = \"everybody\"", "access.submit"),
        ("iss = \"a:b\"\nlog = \"http://x\"\n[access]\nread = \"anyone\"", "read"),
        ("iss = \"a:b\"\nlog = \"http://x\"\n[tls]\nkey = \"k\"", "tls.cert"),
        ("iss = \"a:b\"\nlog = \"http://x\"\nlissen = \"127.0.0.1:1\"", "lissen"),
    ];
    for (text, named) in wrong {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(named), "{text}: {error}");
    }
}

#[test]
fn permits_are_batched_unless_somebody_says_otherwise() {
    let rule = parse(LEAST).unwrap().capture.unwrap();
    assert_eq!((rule.window.as_millis(), rule.members, rule.bytes), (1_000, 1_024, 4 << 20));
    assert_eq!(parse(&format!("{LEAST}[capture]\nbatch = \"none\"\n")).unwrap().capture, None);
    let own = "[capture]\nwindow_ms = 50\nmembers = 9\nkib = 64\nalone_subjects = [\"a:b\"]\nalone_policies = [\"/mcp/tools/\"]\n";
    let rule = parse(&format!("{LEAST}{own}")).unwrap().capture.unwrap();
    assert_eq!((rule.window.as_millis(), rule.members, rule.bytes), (50, 9, 64 << 10));
    assert_eq!((rule.alone_subjects, rule.alone_policies), (vec!["a:b".to_owned()], vec!["mcp/tools".to_owned()]));
    let error = parse(&format!("{LEAST}[capture]\nbatch = \"all\"\n")).unwrap_err().to_string();
    assert!(error.contains("capture.batch"), "{error}");
}

#[test]
fn an_address_that_others_can_reach_needs_tls_or_a_word_and_somebody_who_may_use_it() {
    let at = |settings: &str| {
        parse(&format!(
            "iss = \"a:b\"\nlog = \"http://x\"\nlisten = \"0.0.0.0:1\"\nopenings.plaintext = true\n{settings}"
        ))
    };
    let refused = |settings: &str| at(settings).unwrap_err().to_string();
    assert!(refused("[access]\nsubmit = \"anyone\"").contains("tls.plaintext"));
    assert!(refused("[tls]\ncert = \"c\"\nkey = \"k\"").contains("[access]"));
    assert!(refused("[tls]\ncert = \"c\"\nkey = \"k\"\n[access]\noperate = \"anyone\"").contains("submit"));
    let config =
        at("[tls]\ncert = \"c\"\nkey = \"k\"\nclient_ca = \"ca\"\n[access]\nsubmit = \"spiffe://prod.example/opa\"")
            .unwrap();
    assert!(config.access.operate.is_local() && !config.access.submit.is_local());
    at("[tls]\nplaintext = true\n[access]\nsubmit = \"anyone\"").unwrap();
}

#[test]
fn openings_are_encrypted_unless_somebody_writes_otherwise() {
    let text = LEAST.replace("openings.plaintext = true", "[openings]");
    let with = |more: &str| parse(&format!("{text}{more}"));
    let error = with("").unwrap_err().to_string();
    assert!(error.contains("govlog key new --alg age") && error.contains("plaintext = true"), "{error}");
    let config =
        with(&format!("recipients = [{RECIPIENT:?}]\nretention_days = 365\nfolder = \"/var/lib/openings\"")).unwrap();
    assert_eq!(config.openings, Path::new("/var/lib/openings"));
    assert_eq!(config.keeping.retention_days, Some(365));
    assert_eq!(config.keeping.protection, Protection::Age(Recipients::parse(&[RECIPIENT]).unwrap()));
    assert_eq!(parse(LEAST).unwrap().keeping.protection, Protection::Plaintext);
    for wrong in [
        format!("recipients = [{RECIPIENT:?}]\nplaintext = true"),
        "recipients = [\"age1x\"]".to_owned(),
        format!("recipients = [{}]", format!("{RECIPIENT:?},").repeat(17)),
        format!("recipients = [{RECIPIENT:?}]\nretention_days = 0"),
    ] {
        assert!(with(&wrong).is_err(), "{wrong}");
    }
    // Whoever pastes the secret does not find it in a log.
    let error = with("recipients = [\"AGE-SECRET-KEY-1SECRET\"]").unwrap_err().to_string();
    assert!(!error.contains("1SECRET"), "{error}");
}

#[test]
fn every_number_has_a_range() {
    let tables = [
        ("streams", "heartbeat_s", 0),
        ("streams", "idle_close_s", 0),
        ("streams", "most", 1),
        ("sending", "max_age_s", 59),
        ("capture", "window_ms", 0),
        ("capture", "members", 1),
        ("capture", "kib", 63),
        ("sending", "retry_max_ms", 9),
        ("sending", "remember_days", 0),
        ("limits", "outbox_mib", 63),
        ("limits", "upload_mib", 1_025),
        ("limits", "unpacked_mib", 0),
        ("limits", "event_mib", 65),
        ("limits", "events", 1_000_001),
        ("limits", "uploads_mib", 15),
        ("limits", "connections", 0),
        ("limits", "body_timeout_s", 3_601),
    ];
    for (table, key, number) in tables {
        let error = parse(&format!("{LEAST}[{table}]\n{key} = {number}\n")).unwrap_err().to_string();
        assert!(error.contains(&format!("{table}.{key} = {number}")), "{error}");
    }
}

#[test]
fn groups_have_prefixes_of_their_own() {
    let twice = format!("{LEAST}[[opa]]\nprefix = \"/a\"\n[[opa]]\nprefix = \"/a\"\n");
    assert!(matches!(parse(&twice), Err(ContentError::Prefix(prefix)) if prefix == "/a"));
    let wrong = format!("{LEAST}[[opa]]\nprefix = \"a/\"\n");
    assert!(parse(&wrong).unwrap_err().to_string().contains("prefix"));
}

#[test]
fn a_spire_server_is_read_by_its_log_and_asked_on_its_socket() {
    let table = "[[spire]]\nname = \"s-0\"\ntrust_domain = \"prod.example\"\nlog = \"server.log\"\nsocket = \"/run/api.sock\"\n";
    let config = parse(&format!("{LEAST}{table}")).unwrap();
    assert_eq!(config.spire.len(), 1);
    assert_eq!(config.spire[0].name(), "s-0");
    let error = parse(&format!("{LEAST}{table}snapshots = \"s\"\n")).unwrap_err().to_string();
    assert!(error.contains("[[spire]] s-0") && error.contains("snapshots"), "{error}");
}

#[test]
fn the_help_names_every_key_of_a_spire_server() {
    let help = include_str!("../cli/help.txt");
    let table = help.split("[[spire]]").nth(1).unwrap();
    for key in ["name", "trust_domain", "log", "socket", "poll_s", "snapshots"] {
        assert!(table.lines().any(|line| line.trim_start().starts_with(&format!("{key} = "))), "{key}");
    }
}

/// Every key of `agent.toml`, but for those of `[[spire]]`.
const KEYS: &str = "iss log key trust outbox svid svid_key folder recipients retention_days listen admin cert client_ca spiffe \
    plaintext submit operate ca cert_key token_file heartbeat_s idle_close_s most max_age_s retry_max_ms \
    remember_days batch window_ms members kib alone_subjects alone_policies outbox_mib upload_mib unpacked_mib \
    event_mib events uploads_mib connections body_timeout_s prefix pdp pep xfcc_from enforcement path subject \
    subject_type action resource resource_type decision reasons name node performer settle_s settle_most_s join_s decided_by documents \
    no_decision http_method http_path http_authority \
    seal_path line_kib fields workload_api audiences own observer";

/// What `--help` shows is what the program takes.
#[test]
fn the_help_names_every_key() {
    let help = include_str!("../cli/help.txt");
    for key in KEYS.split_whitespace() {
        assert!(help.lines().any(|line| line.trim_start().starts_with(&format!("{key} = "))), "{key}");
    }
    let config = parse(LEAST).unwrap();
    for (key, value) in [
        ("heartbeat_s", config.beat.heartbeat.as_secs()),
        ("idle_close_s", config.beat.idle_close.as_secs()),
        ("most", config.hold.streams),
        ("outbox_mib", config.hold.bytes >> 20),
        ("kib", config.capture.unwrap().bytes >> 10),
        ("max_age_s", config.max_age.as_secs()),
        ("connections", u64::try_from(config.connections.connections).unwrap()),
    ] {
        assert!(help.contains(&format!("{key} = {value}")), "{key} = {value}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Path::new("/nonexistent/agent.toml")).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/agent.toml"), "{error}");
}

#[test]
fn a_bundle_is_where_the_file_of_the_configuration_says() {
    let bundle = "name = \"authz\"\nfile = \"authz.tar.gz\"\nkey = \"signer.pub.pem\"\n";
    let text = format!("{LEAST}[[opa]]\nprefix = \"/a\"\n[[opa.bundle]]\n{bundle}");
    let config = parse(&text).unwrap();
    assert_eq!(config.groups[0].bundles()[0].key(), Path::new("/etc/govlog/signer.pub.pem"));
    for (text, named) in [
        (format!("{text}[[opa.bundle]]\n{bundle}"), "authz"),
        (format!("{text}url = \"https://x/y\"\n"), "one of file and url"),
        (text.replace("key =", "keys ="), "keys"),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(named), "{text}: {error}");
    }
}

#[test]
fn the_sample_is_what_the_program_takes_and_names_every_key_of_what_is_read() {
    let sample = include_str!("../../../../deploy/agent/agent.toml");
    parse(sample).unwrap();
    let is_read = |section: &&str| section.contains("[[envoy]]") || section.contains("[[credentials]]");
    let lines = sample.split("\n\n").filter(is_read).flat_map(str::lines).filter_map(|line| line.strip_prefix("# "));
    // A place is a folder or a socket or the agent itself, not all of them.
    let is_key = |line: &&str| {
        let is_other = |key: &str| ["workload_api", "audiences", "own"].contains(&key);
        let begins = |key: &str| !is_other(key) && line.starts_with(&format!("{key} = "));
        line.starts_with("[[") || KEYS.split_whitespace().any(begins)
    };
    let text = format!("{LEAST}{}\n", lines.filter(is_key).collect::<Vec<_>>().join("\n"));
    let config = parse(&text).unwrap();
    assert_eq!((config.envoys.len(), config.watched.len()), (1, 1));
    assert_eq!(config.envoys[0].names, crate::envoy::table::Names::default());
    let envoys = format!("{LEAST}[[envoy]]\nname = \"a\"\nlog = \"l\"\nnode = \"n\"\nperformer = \"p\"\n");
    let by_default = parse(&envoys).unwrap().envoys.remove(0);
    let shown = |envoy: &Envoy| {
        (envoy.settle, envoy.settle_most, envoy.join, envoy.decided_by.clone(), envoy.documents.clone())
    };
    assert_eq!(shown(&by_default), shown(&config.envoys[0]));
    assert_eq!(by_default.log, Path::new("/etc/govlog/l"));
    let error = parse(&envoys.replace("node = \"n\"", "node = \"\"")).unwrap_err().to_string();
    assert!(error.contains("[[envoy]]") && error.contains("node"), "{error}");
    let error = parse(&format!("{LEAST}[[credentials]]\nname = \"a\"\n")).unwrap_err().to_string();
    assert!(error.contains("[[credentials]]") && error.contains("folder"), "{error}");
}
