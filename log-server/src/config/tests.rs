use govlog_daemon::access::Caller;

use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("/etc/govlog/log.toml"), text)
}

fn refusal(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

/// A file with every key that has a default set to that default.
fn all_defaults() -> String {
    let mut text = String::from("origin = \"log.example\"\n");
    let mut section = "";
    for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
        if key.section != section {
            section = key.section;
            text.push_str(&format!("[{section}]\n"));
        }
        text.push_str(&format!("{} = {}\n", key.name, key.default));
    }
    text
}

#[test]
fn an_origin_alone_is_a_configuration() {
    let config = parse("origin = \"log.example/2026\"").unwrap();
    assert_eq!(config.origin.as_str(), "log.example/2026");
    assert_eq!(config.listen, DEFAULT_LISTEN);
    assert_eq!(config.files.store, Path::new("/etc/govlog/store"));
    assert_eq!(config.access, Roles::default());
    assert_eq!(config.tls, tls::Settings::default());
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    assert_eq!(parse(&all_defaults()).unwrap(), parse("origin = \"log.example\"").unwrap());
}

#[test]
fn every_documented_key_is_known_and_every_known_key_documented() {
    for key in KEYS {
        let table = if key.section.is_empty() { String::new() } else { format!("[{}]\n", key.section) };
        let refused = refusal(&format!("{table}{} = {{}}", key.name));
        assert!(!refused.contains("unknown field"), "{}: {refused}", key.name);
    }
    // The reader lists what it knows when it meets what it does not know.
    let mut known = 0;
    for table in ["", "[files]\n", "[tls]\n", "[access]\n", "[client]\n", "[limits]\n", "[publication]\n", "[store]\n"]
    {
        let refused = refusal(&format!("{table}nonsense = 1"));
        let listed = refused.split("expected one of").nth(1).unwrap();
        let section = table.trim_matches(['[', ']', '\n']);
        for name in listed.split('`').skip(1).step_by(2) {
            let is_section = KEYS.iter().any(|key| key.section == name);
            let documented = KEYS.iter().any(|key| key.section == section && key.name == name);
            assert!(is_section || documented, "{section}.{name}");
            known += usize::from(documented);
        }
    }
    assert_eq!(known, KEYS.len());
}

#[test]
fn what_init_writes_is_read_back() {
    let origin = "log.example/\"quoted\"";
    let (listen, admin) = ("[::1]:0".parse().unwrap(), "127.0.0.1:9".parse().unwrap());
    let config = parse(&template(origin, listen, admin)).unwrap();
    assert_eq!((config.origin.as_str(), config.listen, config.admin), (origin, listen, admin));
    let default = Config { origin: config.origin.clone(), listen, admin, ..parse("origin = \"x\"").unwrap() };
    assert_eq!(config, default);
}

#[test]
fn the_commented_keys_of_what_init_writes_are_right_as_they_stand() {
    let template = template("log.example", DEFAULT_LISTEN, DEFAULT_ADMIN);
    let uncommented: String = template
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if setting.contains(" = ") => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    assert_eq!(parse(&uncommented).unwrap(), parse("origin = \"log.example\"").unwrap());
}

#[test]
fn help_describes_every_key() {
    let help = describe();
    for key in KEYS {
        assert!(help.contains(key.name) && help.contains(key.about) && help.contains(key.default), "{}", key.name);
    }
}

#[test]
fn a_missing_origin_is_named() {
    assert_eq!(refusal(""), "/etc/govlog/log.toml: origin is missing: the log's name, such as log.example.org/2026");
}

#[test]
fn unknown_keys_are_refused_with_their_line() {
    let refused = refusal("origin = \"a\"\norigins = \"b\"");
    assert!(refused.contains("line 2") && refused.contains("origins"), "{refused}");
    let refused = refusal("origin = \"a\"\n[limits]\nconections = 3");
    assert!(refused.contains("line 3") && refused.contains("conections"), "{refused}");
    assert!(refusal("origin = \"a\"\n[witnesses]\n").contains("witnesses"));
}

#[test]
fn origins_that_could_not_stand_elsewhere_are_refused() {
    assert!(refusal("origin = \"https://log.example\"").contains("has a scheme"));
    assert!(refusal("origin = \"log example\"").contains("' '"));
    assert!(refusal("origin = \"log+example\"").contains("'+'"));
    assert!(refusal("origin = \"log#example\"").contains("'#'"));
    assert!(refusal("origin = \"\"").contains("empty"));
    assert!(refusal(&format!("origin = \"{}\"", "a".repeat(1025))).contains("1025"));
    parse(&format!("origin = \"{}\"", "a".repeat(1024))).unwrap();
}

#[test]
fn values_out_of_range_are_named_with_what_would_be_right() {
    for (text, key) in [
        ("[limits]\nconnections = 0", "limits.connections"),
        ("[limits]\naddress_rate = 0", "limits.address_rate"),
        ("[limits]\nverify_threads = 0", "limits.verify_threads"),
        ("[limits]\nin_flight_mib = 7", "limits.in_flight_mib"),
        ("[publication]\ninterval_ms = 0", "publication.interval_ms"),
        ("[publication]\nstragglers_ms = 3600001", "publication.stragglers_ms"),
        ("[publication]\nrepublish_s = 0", "publication.republish_s"),
        ("[publication]\nwitness_timeout_ms = 0", "publication.witness_timeout_ms"),
        ("[store]\nmemtables_mib = 0", "store.memtables_mib"),
        ("[store]\nblock_cache_mib = 65537", "store.block_cache_mib"),
        ("[store]\ntile_cache_mib = 0", "store.tile_cache_mib"),
        ("[store]\nwal_mib = 0", "store.wal_mib"),
        ("[store]\nreserve_percent = 100", "store.reserve_percent"),
        ("[access]\nread = \"everybody\"", "access.read"),
        ("[access]\nsubmit = [\"12\"]", "access.submit"),
    ] {
        let refused = refusal(&format!("origin = \"a\"\n{text}"));
        assert!(refused.contains(&format!("{key} is ")) && refused.contains("it must be"), "{refused}");
    }
}

#[test]
fn the_admin_listener_is_never_the_public_one() {
    let refused = refusal("origin = \"a\"\nlisten = \"127.0.0.1:8081\"");
    assert!(refused.contains("admin is 127.0.0.1:8081"), "{refused}");
    parse("origin = \"a\"\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"").unwrap();
}

#[test]
fn paths_are_taken_from_the_files_own_directory() {
    let config = parse("origin = \"a\"\n[files]\nhead = \"/mnt/head\"\nstore = \"../data\"").unwrap();
    assert_eq!(config.files.head, Path::new("/mnt/head"));
    assert_eq!(config.files.store, Path::new("/etc/govlog/../data"));
    let beside = Config::parse(Path::new("log.toml"), "origin = \"a\"").unwrap();
    assert_eq!(beside.files.store, Path::new("store"));
}

#[test]
fn roles_are_what_was_typed_and_loopback_where_nothing_was() {
    let digest = govlog_formats::digest::Digest::sha256(b"open sesame");
    let text = format!("origin = \"a\"\n[access]\nsubmit = [\"{digest}\", \"spiffe://a/\"]\nread = \"anyone\"");
    let access = parse(&text).unwrap().access;
    assert_eq!(access.read, Access::anyone());
    let stranger = Caller::default();
    assert!(access.submit.allows(&Caller { bearer: Some("open sesame"), ..stranger }));
    assert!(access.submit.allows(&Caller { identity: Some("spiffe://a/b"), ..stranger }));
    assert!(!access.submit.allows(&stranger));
    assert_eq!((access.search, access.operate), (Access::loopback(), Access::loopback()));
}

#[test]
fn tls_is_taken_from_the_files_own_directory_and_half_of_it_is_refused() {
    let config = parse("origin = \"a\"\n[tls]\ncert = \"tls.pem\"\nkey = \"tls.key\"").unwrap();
    let Some(tls::Source::Files(paths)) = config.tls.source else { panic!("{:?}", config.tls) };
    assert_eq!(paths.cert, Path::new("/etc/govlog/tls.pem"));
    assert!(refusal("origin = \"a\"\n[tls]\ncert = \"tls.pem\"").contains("tls.key"));
}

#[test]
fn what_is_shown_to_witnesses_is_taken_from_the_files_own_directory() {
    let text =
        "origin = \"a\"\n[client]\nca = \"ca.pem\"\ntoken_files = { w1 = \"w1.token\", \"w.example/2\" = \"/t\" }";
    let publication = parse(text).unwrap().publication;
    assert_eq!(publication.client.ca.as_deref(), Some(Path::new("/etc/govlog/ca.pem")));
    let files: Vec<_> = publication.tokens.into_iter().collect();
    assert_eq!(files, [("w.example/2".into(), "/t".into()), ("w1".into(), "/etc/govlog/w1.token".into())]);
}
