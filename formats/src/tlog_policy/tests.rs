use proptest::prelude::*;

use super::*;
use crate::note::{KeyName, Note, NoteSigner, SignatureLine, VerifyError};

const ROOT: &str = "G7l9zCFjXUfiZj79/QoXRobZjdcBNS3SzQbotD/T0wU=";

fn signer(name: &str, algorithm: SignatureAlgorithm, seed: u8) -> NoteSigner {
    NoteSigner::from_seed(KeyName::new(name).unwrap(), algorithm, &[seed; 32]).unwrap()
}

fn log() -> NoteSigner {
    signer("example.com/log", SignatureAlgorithm::Ed25519, 100)
}

/// The witness named `w<n>` in policies.
fn witness(n: u8) -> NoteSigner {
    signer(&format!("witness.example/w{n}"), SignatureAlgorithm::CosignatureEd25519, n)
}

/// A policy with the log, `count` witnesses and the given group and quorum lines.
fn policy(count: u8, groups: &str) -> Policy {
    let witnesses: String = (1..=count).map(|n| format!("witness w{n} {}\n", witness(n).vkey())).collect();
    format!("log {}\n{witnesses}{groups}", log().vkey()).parse().unwrap()
}

fn fault(file: &str) -> PolicyFault {
    match Policy::parse(file.as_bytes()).unwrap_err() {
        PolicyError::Line { fault, .. } | PolicyError::Whole(fault) => fault,
        other => panic!("{other}"),
    }
}

fn text() -> String {
    format!("example.com/log\n1\n{ROOT}\n")
}

/// A checkpoint with the log's line and cosignatures of these witnesses at these times.
fn note(cosigned: &[(u8, u64)]) -> Vec<u8> {
    let mut lines = vec![log().sign(&text(), None).unwrap()];
    lines.extend(cosigned.iter().map(|&(n, time)| witness(n).sign(&text(), Some(time)).unwrap()));
    Note::with_lines(&text(), &lines).unwrap().to_bytes()
}

fn word(name: &str) -> Word {
    Word::new(name).unwrap()
}

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

// ---- verification ----------------------------------------------------------

#[test]
fn a_checkpoint_is_verified_and_its_quorum_judged() {
    let policy = policy(3, "group g 2 w1 w2 w3\nquorum g\n");
    let verified = policy.verify_checkpoint(&note(&[(3, 500), (1, 400)])).unwrap();
    assert_eq!(verified.checkpoint().size.get(), 1);
    assert_eq!(verified.log(), log().vkey());
    let cosigned: Vec<_> = verified.cosigned().iter().map(|c| (c.witness.to_string(), c.timestamp)).collect();
    assert_eq!(cosigned, [("w1".to_owned(), 400), ("w3".to_owned(), 500)]);
    assert!(verified.quorum().met());
    assert_eq!(verified.quorum().missing(), [word("w2")]);
    assert_eq!(verified.quorum().to_string(), "2 of 3 witnesses cosigned, quorum met");
    assert_eq!((verified.lower_time(), verified.upper_time()), (Some(400), Some(500)));
    assert_eq!(verified.ahead_of(450).map(|c| c.timestamp).collect::<Vec<_>>(), [500]);
    assert_eq!(verified.ahead_of(500).count(), 0);
    assert!(verified.require_quorum().is_ok());
}

#[test]
fn too_few_cosignatures_are_a_verdict_and_not_a_refusal() {
    let policy = policy(3, "group g 2 w1 w2 w3\nquorum g\n");
    let verified = policy.verify_checkpoint(&note(&[(2, 400)])).unwrap();
    let quorum = verified.quorum().clone();
    assert!(!quorum.met() && quorum.required());
    assert_eq!((quorum.cosigned(), quorum.known(), quorum.shortfall()), (1, 3, 1));
    assert_eq!(quorum.missing(), [word("w1"), word("w3")]);
    assert_eq!(quorum.to_string(), "1 of 3 witnesses cosigned, quorum not met (1 more needed)");
    assert_eq!((verified.lower_time(), verified.upper_time()), (None, None));
    assert_eq!(verified.require_quorum().unwrap_err(), quorum);
}

#[test]
fn without_a_quorum_there_is_no_time_bound() {
    let policy = policy(1, "quorum none\n");
    let verified = policy.verify_checkpoint(&note(&[(1, 400)])).unwrap();
    assert!(verified.quorum().met() && !verified.quorum().required());
    assert_eq!(verified.quorum().to_string(), "1 of 1 witnesses cosigned, no quorum required");
    assert_eq!((verified.lower_time(), verified.upper_time()), (None, None));
}

#[test]
fn a_checkpoint_needs_the_signature_of_its_own_log() {
    let policy = policy(1, "quorum w1\n");
    let cosigned = witness(1).sign(&text(), Some(400)).unwrap();
    let alone = Note::with_lines(&text(), core::slice::from_ref(&cosigned)).unwrap();
    let origin = Origin::new("example.com/log").unwrap();
    assert_eq!(
        policy.verify_checkpoint(&alone.to_bytes()).unwrap_err(),
        PolicyVerifyError::NotSignedByLog(origin.clone())
    );
    // Another log of the policy cannot speak for this one.
    let other = signer("other.example/log", SignatureAlgorithm::Ed25519, 101);
    let both: Policy = format!("log {}\nlog {}\nquorum none\n", log().vkey(), other.vkey()).parse().unwrap();
    let foreign = Note::with_lines(&text(), &[other.sign(&text(), None).unwrap()]).unwrap();
    assert_eq!(both.verify_checkpoint(&foreign.to_bytes()).unwrap_err(), PolicyVerifyError::NotSignedByLog(origin));
    // Nor is a log known that the policy does not list.
    let stranger: Policy = format!("log {}\nquorum none\n", other.vkey()).parse().unwrap();
    assert!(matches!(stranger.verify_checkpoint(&note(&[])).unwrap_err(), PolicyVerifyError::UnknownOrigin(_)));
}

#[test]
fn one_wrong_cosignature_refuses_the_note() {
    let policy = policy(2, "quorum w1\n");
    let bad = witness(2).sign("another text\n", Some(400)).unwrap();
    let good = Note::parse(&note(&[(1, 400)])).unwrap();
    let lines: Vec<SignatureLine> = good.lines().iter().cloned().chain([bad]).collect();
    let refused = policy.verify_checkpoint(&Note::with_lines(&text(), &lines).unwrap().to_bytes()).unwrap_err();
    assert!(matches!(refused, PolicyVerifyError::Signatures(VerifyError::KeyFailed { .. })));
}

#[test]
fn cosignatures_of_strangers_are_listed_and_do_not_count() {
    let policy = policy(1, "quorum w1\n");
    let verified = policy.verify_checkpoint(&note(&[(9, 400)])).unwrap();
    assert_eq!(verified.ignored().len(), 1);
    assert_eq!(verified.ignored()[0].name().as_str(), "witness.example/w9");
    assert!(!verified.quorum().met());
}

#[test]
fn a_witness_outside_the_quorum_does_not_count_for_it() {
    let policy = policy(2, "quorum w1\n");
    let verified = policy.verify_checkpoint(&note(&[(2, 400)])).unwrap();
    assert_eq!(verified.quorum().cosigned(), 1);
    assert!(!verified.quorum().met());
    assert_eq!(verified.quorum().missing(), [word("w1")]);
    assert_eq!(verified.upper_time(), None);
}

#[test]
fn an_empty_tree_has_the_empty_root() {
    let policy = policy(0, "quorum none\n");
    let signed = |root: &str| {
        let text = format!("example.com/log\n0\n{root}\n");
        Note::with_lines(&text, &[log().sign(&text, None).unwrap()]).unwrap().to_bytes()
    };
    assert!(policy.verify_checkpoint(&signed("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")).is_ok());
    assert_eq!(policy.verify_checkpoint(&signed(ROOT)).unwrap_err(), PolicyVerifyError::EmptyRoot);
}

#[test]
fn every_verifiable_note_of_a_full_policy_fits() {
    // 32 logs of one name are possible when the log rotated its key; 32 witnesses cosign.
    let key = |n: u8| signer("example.com/log", SignatureAlgorithm::Ed25519, n);
    let logs: String = (100..132).map(|n| format!("log {}\n", key(n).vkey())).collect();
    let witnesses: String = (1..=32).map(|n| format!("witness w{n} {}\n", witness(n).vkey())).collect();
    let names: String = (1..=32).map(|n| format!(" w{n}")).collect();
    let policy: Policy = format!("{logs}{witnesses}group g all{names}\nquorum g\n").parse().unwrap();
    let mut lines: Vec<SignatureLine> = (100..132).map(|n| key(n).sign(&text(), None).unwrap()).collect();
    lines.extend((1..=32).map(|n| witness(n).sign(&text(), Some(u64::from(n))).unwrap()));
    let note = Note::with_lines(&text(), &lines).unwrap();
    let verified = policy.verify_checkpoint(&note.to_bytes()).unwrap();
    assert!(verified.quorum().met());
    assert_eq!((verified.lower_time(), verified.upper_time()), (Some(1), Some(32)));
}

// ---- quorum arithmetic against brute force ---------------------------------

/// What the bounds are by definition: over all satisfying sets of those that cosigned.
fn bounds_by_definition(policy: &Policy, times: &[Option<u64>]) -> (Option<u64>, Option<u64>) {
    let (mut lower, mut upper) = (None, None);
    for set in 1_u32..1 << times.len() {
        let inside = |at: usize| set & (1 << at) != 0;
        let chosen: Option<Vec<u64>> = (0..times.len()).filter(|&at| inside(at)).map(|at| times[at]).collect();
        let Some(chosen) = chosen else { continue };
        let position = |witness: &Witness| policy.witnesses().iter().position(|other| other == witness).unwrap();
        if policy.satisfied_by(|witness| inside(position(witness))) {
            lower = lower.max(chosen.iter().min().copied());
            let newest = chosen.iter().max().copied();
            upper = if upper.is_none() { newest } else { upper.min(newest) };
        }
    }
    (lower, upper)
}

/// Definition of the shortfall: the fewest witnesses that, added, satisfy the quorum.
fn shortfall_by_definition(policy: &Policy, times: &[Option<u64>]) -> usize {
    let position = |witness: &Witness| policy.witnesses().iter().position(|other| other == witness).unwrap();
    let has = |set: u32, at: usize| times[at].is_some() || set & (1 << at) != 0;
    (0_u32..1 << times.len())
        .filter(|&set| policy.satisfied_by(|witness| has(set, position(witness))))
        .map(|set| set.count_ones() as usize)
        .min()
        .unwrap()
}

const SHAPES: [&str; 7] = [
    "quorum w3\n",
    "group g 2 w1 w2 w3\nquorum g\n",
    "group g 3 w1 w2 w3 w4 w5\nquorum g\n",
    "group x 2 w1 w2 w3\ngroup y any w4 w5\ngroup z all x y\nquorum z\n",
    "group x 2 w1 w2 w3\ngroup y all w4 w5\ngroup z any x y\nquorum z\n",
    "group a all w1 w2\ngroup b all w3 w4\ngroup c 2 a b w5\nquorum c\n",
    "group a any w1 w2\ngroup b all a w3\ngroup c any b w4\nquorum c\n",
];

proptest! {
    #[test]
    fn bounds_and_shortfall_are_what_their_definitions_say(
        shape in prop::sample::select(SHAPES.as_slice()),
        times in prop::collection::vec(prop::option::of(1_u64..6), 5),
    ) {
        let policy = policy(5, shape);
        let position = |witness: &Witness| policy.witnesses().iter().position(|other| other == witness).unwrap();
        let time = |witness: &Witness| times[position(witness)];
        let (lower, upper) = bounds_by_definition(&policy, &times);
        prop_assert_eq!(policy.lower_time(time), lower);
        prop_assert_eq!(policy.upper_time(time), upper);
        let verdict = policy.judge_quorum(|witness| time(witness).is_some());
        prop_assert_eq!(verdict.shortfall(), shortfall_by_definition(&policy, &times));
        prop_assert_eq!(verdict.met(), upper.is_some());
        prop_assert_eq!(verdict.met(), policy.satisfied_by(|witness| time(witness).is_some()));
    }

    #[test]
    fn reading_a_policy_never_panics_and_printing_is_stable(file in any::<Vec<u8>>()) {
        if let Ok(policy) = Policy::parse(&file) {
            prop_assert_eq!(Policy::parse(&policy.to_bytes()).unwrap(), policy);
        }
    }

    #[test]
    fn reading_policy_like_lines_never_panics_and_printing_is_stable(
        lines in prop::collection::vec("(log|witness|group|quorum|#|)( |\t)(w1|w2|g|none|all|1|2|[ -~]{0,3})( )(any|w1|w2|g|)( )(w1|w2|)", 0..8),
    ) {
        let keys = format!("witness w1 {}\nwitness w2 {}\n", witness(1).vkey(), witness(2).vkey());
        let file = format!("{keys}{}\n", lines.join("\n"));
        if let Ok(policy) = Policy::parse(file.as_bytes()) {
            prop_assert_eq!(Policy::parse(&policy.to_bytes()).unwrap(), policy);
        }
    }
}
