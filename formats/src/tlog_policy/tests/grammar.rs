//! Which files are policies, and what others read of those that are written.

use super::*;

// ---- grammar ---------------------------------------------------------------

#[test]
fn reads_whitespace_comments_and_empty_lines() {
    let (l, w) = (log(), witness(1));
    let file = format!(
        "# a comment\n\n \t \n\t# another\n  log\t{}   https://log.example/ \nwitness \t w {}\nquorum w \n",
        l.vkey(),
        w.vkey()
    );
    let policy: Policy = file.parse().unwrap();
    assert_eq!(policy.logs().len(), 1);
    assert_eq!(policy.logs()[0].vkey(), l.vkey());
    assert_eq!(policy.logs()[0].url().unwrap().as_str(), Some("https://log.example/"));
    assert_eq!(policy.witnesses()[0].name(), &word("w"));
    assert_eq!(policy.witnesses()[0].url(), None);
    assert_eq!(policy.quorum(), Some(Member::Witness(0)));
    assert_eq!(
        policy.to_string(),
        format!("log {} https://log.example/\nwitness w {}\nquorum w\n", l.vkey(), w.vkey())
    );
}

#[test]
fn the_two_level_example_of_the_specification_means_what_it_says() {
    let policy = policy(6, "group X 2 w1 w2 w3\ngroup Y any w4 w5 w6\ngroup XY all X Y\nquorum XY\n");
    assert_eq!(policy.groups()[1].threshold(), 1);
    assert_eq!(policy.groups()[2].threshold(), 2);
    for set in 0_u32..64 {
        let has = |witness: &Witness| {
            let n: u32 = witness.name().as_str().unwrap()[1..].parse().unwrap();
            set & (1 << (n - 1)) != 0
        };
        let expected = (set & 0b111).count_ones() >= 2 && set >> 3 != 0;
        assert_eq!(policy.satisfied_by(has), expected, "{set:06b}");
        assert_eq!(policy.judge_quorum(has).met(), expected, "{set:06b}");
    }
}

#[test]
fn refuses_keywords_it_does_not_know() {
    assert_eq!(fault("quorums none\n"), PolicyFault::Keyword("quorums".to_owned()));
    assert_eq!(fault("Quorum none\n"), PolicyFault::Keyword("Quorum".to_owned()));
}

#[test]
fn refuses_lines_with_missing_or_extra_items() {
    let vkey = log().vkey().to_string();
    let cosigner = witness(1).vkey().to_string();
    for line in [
        "log".to_owned(),
        format!("log {vkey} url more"),
        "witness w".to_owned(),
        format!("witness w {cosigner} url more"),
        "group".to_owned(),
        "group g".to_owned(),
        "quorum".to_owned(),
        "quorum none none".to_owned(),
    ] {
        assert!(matches!(fault(&format!("{line}\n")), PolicyFault::Form { .. }), "{line}");
    }
}

#[test]
fn names_the_line_that_is_wrong() {
    let error = Policy::parse(b"# one\n\nquorum nobody\n").unwrap_err();
    assert_eq!(error, PolicyError::Line { line: 3, fault: PolicyFault::Undefined(word("nobody")) });
    assert_eq!(error.to_string(), "line 3 of the policy: the name nobody is not defined on an earlier line");
}

#[test]
fn refuses_octets_outside_the_character_set() {
    for octet in (0..=0xff_u8).filter(|&b| b != b'\n') {
        let result = Policy::parse(&[b"# ".as_slice(), &[octet], b"\nquorum none\n"].concat());
        let allowed = octet == b'\t' || (0x20..=0x7e).contains(&octet) || octet >= 0x80;
        let expected = PolicyError::Octet { line: 1, octet };
        assert_eq!(result.err(), (!allowed).then_some(expected), "{octet:02x}");
    }
}

#[test]
fn refuses_a_file_cut_short() {
    assert_eq!(Policy::parse(b"quorum none").unwrap_err(), PolicyError::Unterminated);
    assert_eq!(Policy::parse(b"").unwrap_err(), PolicyError::Whole(PolicyFault::NoQuorum));
}

#[test]
fn refuses_a_file_over_the_limit() {
    let mut file = vec![b'\n'; crate::limits::MAX_POLICY_BYTES - 12];
    file.extend_from_slice(b"quorum none\n");
    assert!(Policy::parse(&file).is_ok());
    file.insert(0, b'\n');
    assert!(matches!(Policy::parse(&file).unwrap_err(), PolicyError::TooLarge { .. }));
}

#[test]
fn needs_exactly_one_quorum() {
    assert_eq!(fault("# nothing\n"), PolicyFault::NoQuorum);
    assert_eq!(fault("quorum none\nquorum none\n"), PolicyFault::SecondQuorum);
}

#[test]
fn quorum_none_needs_no_log_and_no_witness() {
    let policy: Policy = "quorum none\n".parse().unwrap();
    assert_eq!(policy.quorum(), None);
    assert!(policy.satisfied_by(|_| false));
    assert!(policy.counted().is_empty());
}

#[test]
fn names_are_defined_on_earlier_lines() {
    let w = witness(1);
    let late = format!("group g any w\nwitness w {}\nquorum g\n", w.vkey());
    assert_eq!(fault(&late), PolicyFault::Undefined(word("w")));
    let late = format!("quorum w\nwitness w {}\n", w.vkey());
    assert_eq!(fault(&late), PolicyFault::Undefined(word("w")));
    let itself = format!("witness w {}\ngroup g any g\nquorum g\n", w.vkey());
    assert_eq!(fault(&itself), PolicyFault::Undefined(word("g")));
}

#[test]
fn a_name_is_a_member_at_most_once() {
    let two = format!("witness a {}\nwitness b {}\n", witness(1).vkey(), witness(2).vkey());
    assert_eq!(fault(&format!("{two}group g 1 a a\nquorum g\n")), PolicyFault::MemberTwice(word("a")));
    let second = format!("{two}group g any a\ngroup h any b a\nquorum h\n");
    assert_eq!(fault(&second), PolicyFault::MemberTwice(word("a")));
    let group = format!("{two}group g any a\ngroup h any g\ngroup i all b g\nquorum i\n");
    assert_eq!(fault(&group), PolicyFault::MemberTwice(word("g")));
    // The quorum is no membership.
    assert!(Policy::parse(format!("{two}group g any a b\nquorum a\n").as_bytes()).is_ok());
}

#[test]
fn witnesses_and_groups_share_one_namespace() {
    let two = format!("witness a {}\nwitness b {}\n", witness(1).vkey(), witness(2).vkey());
    assert_eq!(fault(&format!("{two}group a any b\nquorum a\n")), PolicyFault::NameTaken(word("a")));
    let same = format!("witness a {}\nwitness a {}\nquorum a\n", witness(1).vkey(), witness(2).vkey());
    assert_eq!(fault(&same), PolicyFault::NameTaken(word("a")));
}

#[test]
fn none_is_reserved() {
    let w = witness(1);
    assert_eq!(fault(&format!("witness none {}\nquorum none\n", w.vkey())), PolicyFault::NoneAsMember);
    assert_eq!(fault(&format!("witness w {}\ngroup none any w\nquorum none\n", w.vkey())), PolicyFault::NoneAsMember);
    assert_eq!(fault(&format!("witness w {}\ngroup g any w none\nquorum g\n", w.vkey())), PolicyFault::NoneAsMember);
}

#[test]
fn thresholds_are_all_any_or_a_decimal_from_one_to_n() {
    let two = format!("witness a {}\nwitness b {}\n", witness(1).vkey(), witness(2).vkey());
    let group = |threshold: &str| format!("{two}group g {threshold} a b\nquorum g\n");
    for (threshold, k) in [("all", 2), ("any", 1), ("1", 1), ("2", 2)] {
        assert_eq!(group(threshold).parse::<Policy>().unwrap().groups()[0].threshold(), k);
    }
    for threshold in ["0", "3", "18446744073709551615"] {
        assert!(matches!(fault(&group(threshold)), PolicyFault::Threshold { members: 2, .. }), "{threshold}");
    }
    for threshold in ["01", "+1", "-1", "1.0", "ALL", "18446744073709551616"] {
        assert_eq!(fault(&group(threshold)), PolicyFault::ThresholdForm(threshold.to_owned()));
    }
    let empty = format!("{two}group g all\nquorum g\n");
    assert_eq!(fault(&empty), PolicyFault::Threshold { threshold: 0, members: 0 });
}

#[test]
fn duplicates_are_found_by_public_key_under_another_name() {
    let renamed = signer("another.example", SignatureAlgorithm::CosignatureEd25519, 1);
    let file = format!("witness a {}\nwitness b {}\nquorum a\n", witness(1).vkey(), renamed.vkey());
    assert_eq!(fault(&file), PolicyFault::DuplicateWitness(renamed.vkey().name().clone()));
    let renamed = signer("another.example", SignatureAlgorithm::Ed25519, 100);
    let file = format!("log {}\nlog {}\nquorum none\n", log().vkey(), renamed.vkey());
    assert_eq!(fault(&file), PolicyFault::DuplicateLog(renamed.vkey().name().clone()));
}

#[test]
fn keys_are_of_the_type_their_role_needs() {
    assert_eq!(fault(&format!("log {}\nquorum none\n", witness(1).vkey())), PolicyFault::LogAlgorithm);
    assert_eq!(fault(&format!("witness w {}\nquorum none\n", log().vkey())), PolicyFault::WitnessAlgorithm);
    assert!(matches!(fault("log nonsense\nquorum none\n"), PolicyFault::Key(_)));
}

#[test]
fn names_are_opaque_octets() {
    let w = witness(1).vkey().to_string();
    let other = witness(2).vkey().to_string();
    // The letter K and the Kelvin sign, and octets that are no UTF-8.
    let file = [
        format!("witness K {w}\nwitness \u{212a} {other}\ngroup ").as_bytes(),
        b"\xff\xfe all K \xe2\x84\xaa\nquorum \xff\xfe\n",
    ]
    .concat();
    let policy = Policy::parse(&file).unwrap();
    assert_eq!(policy.witnesses().len(), 2);
    assert_eq!(policy.groups()[0].name().as_bytes(), b"\xff\xfe");
    assert_eq!(policy.groups()[0].name().as_str(), None);
    assert_eq!(Policy::parse(&policy.to_bytes()).unwrap(), policy);
}

#[test]
fn words_are_not_empty_and_hold_no_space() {
    for octets in [b"".as_slice(), b"a b", b"a\tb", b"a\nb", b"\x7f"] {
        assert!(Word::new(octets).is_err(), "{octets:?}");
    }
}

#[test]
fn supports_thirty_two_of_each_and_no_more() {
    let key = |n: u8, algorithm| signer(&format!("example.com/{n}"), algorithm, n).vkey().to_string();
    let line = |keyword: &str, n: u8| match keyword {
        "log" => format!("log {}\n", key(n, SignatureAlgorithm::Ed25519)),
        "witness" => format!("witness w{n} {}\n", key(n, SignatureAlgorithm::CosignatureEd25519)),
        _ => format!("group g{n} any {}\n", if n == 1 { "w1".to_owned() } else { format!("g{}", n - 1) }),
    };
    let lines = |keyword: &str, count: u8| (1..=count).map(|n| line(keyword, n)).collect::<String>();
    let all = lines("log", 32) + &lines("witness", 32) + &lines("group", 32);
    let policy: Policy = format!("{all}quorum g32\n").parse().unwrap();
    assert_eq!((policy.logs().len(), policy.witnesses().len(), policy.groups().len()), (32, 32, 32));
    assert_eq!(policy.counted().len(), 1);
    assert_eq!(policy.upper_time(|_| Some(7)), Some(7));
    for keyword in ["log", "witness", "group"] {
        let file = format!("{all}{}", line(keyword, 33));
        assert!(matches!(fault(&file), PolicyFault::TooMany { most: 32, .. }), "{keyword}");
    }
}

// ---- policies for other tools ----------------------------------------------

fn reachable(n: u8, name: &str) -> Witness {
    let url = word(&format!("https://w{n}.example/"));
    Witness::new(word(name), witness(n).vkey().clone(), Some(url)).unwrap()
}

#[test]
fn writes_policies_that_other_tools_read() {
    let log = Log::new(log().vkey().clone(), None).unwrap();
    let witnesses = vec![reachable(1, "w1"), reachable(2, "witnesses"), reachable(3, "w3")];
    let policy = Policy::of_log(log.clone(), witnesses, Some(2)).unwrap();
    let expected = format!(
        "log {}\nwitness w1 {} https://w1.example/\nwitness witnesses {} https://w2.example/\n\
         witness w3 {} https://w3.example/\ngroup witnesses- 2 w1 witnesses w3\nquorum witnesses-\n",
        log.vkey(),
        witness(1).vkey(),
        witness(2).vkey(),
        witness(3).vkey()
    );
    assert_eq!(policy.to_string(), expected);
    assert_eq!(expected.parse::<Policy>().unwrap(), policy);
    let alone = Policy::of_log(log.clone(), vec![], None).unwrap();
    assert_eq!(alone.to_string(), format!("log {}\nquorum none\n", log.vkey()));
}

#[test]
fn a_threshold_that_cannot_be_met_is_refused() {
    let log = Log::new(log().vkey().clone(), None).unwrap();
    for (count, threshold) in [(0, 0), (0, 1), (2, 0), (2, 3)] {
        let witnesses = (1..=count).map(|n| reachable(n, &format!("w{n}"))).collect();
        let refused = Policy::of_log(log.clone(), witnesses, Some(threshold)).unwrap_err();
        assert!(matches!(refused, PortabilityError::Policy(_)), "{count} {threshold}");
    }
}

#[test]
fn other_tools_need_urls_and_plain_names() {
    let witness_line = |name: &str, url: &str| format!("witness {name} {} {url}\n", witness(1).vkey());
    let check = |file: String| file.parse::<Policy>().unwrap().check_portable();
    assert_eq!(check(witness_line("w", "https://w.example/") + "quorum w\n"), Ok(()));
    assert_eq!(check(witness_line("w", "") + "quorum w\n"), Err(PortabilityError::NoUrl(word("w"))));
    for keyword in ["log", "witness", "group", "quorum", "all", "any"] {
        let refused = Err(PortabilityError::Keyword(word(keyword)));
        assert_eq!(check(witness_line(keyword, "https://w.example/") + "quorum none\n"), refused);
        let group = format!("group {keyword} any w\nquorum {keyword}\n");
        assert_eq!(check(witness_line("w", "https://w.example/") + &group), refused);
    }
    let hash = |found: &str| Err(PortabilityError::Hash(found.to_owned()));
    assert_eq!(check(witness_line("w#1", "https://w.example/") + "quorum none\n"), hash("w#1"));
    assert_eq!(check(witness_line("w", "https://w.example/#") + "quorum none\n"), hash("https://w.example/#"));
    let named = signer("a#b", SignatureAlgorithm::Ed25519, 9);
    assert_eq!(check(format!("log {}\nquorum none\n", named.vkey())), hash("a#b"));
}
