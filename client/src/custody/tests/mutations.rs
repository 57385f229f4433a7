use super::*;

fn files() -> (TestLog, Vec<u8>, Vec<u8>) {
    let log = log();
    let one = contents(&log, log.size(), &[3, 2]).write().unwrap().0;
    let other = contents(&log, log.size(), &[4, 3]).write().unwrap().0;
    (log, one, other)
}

#[test]
fn any_byte_changed_taken_out_or_put_in_is_refused_with_the_reason() {
    let (log, bytes, _) = files();
    let (_dir, trust) = trust(&log);
    assert_eq!(why(&judge(&trust, &bytes)), "VERIFIED");
    let mut random = Random(0x5eed);
    for round in 0..8_000 {
        let (at, mut altered) = (random.below(bytes.len()), bytes.clone());
        match round % 4 {
            0 | 1 => altered[at] ^= 1 << random.below(8),
            2 => drop(altered.remove(at)),
            _ => altered.insert(at, u8::try_from(random.below(256)).unwrap()),
        }
        if altered == bytes {
            continue;
        }
        let verdict = judge(&trust, &altered);
        assert!(verdict.result.is_err(), "round {round}, byte {at}");
        assert!(!why(&verdict).is_empty());
    }
    for length in (0..bytes.len()).step_by(97) {
        assert!(judge(&trust, &bytes[..length]).result.is_err(), "{length} bytes");
    }
}

/// A member changed inside a well-made archive: the manifest's digest finds it.
#[test]
fn any_member_changed_dropped_added_or_swapped_is_refused_with_its_name() {
    let (log, bytes, other) = files();
    let (_dir, trust) = trust(&log);
    let names: Vec<String> = archive::read(&bytes).unwrap().keys().map(|name| (*name).to_owned()).collect();
    let theirs: BTreeMap<String, Vec<u8>> =
        archive::read(&other).unwrap().into_iter().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect();
    let mut random = Random(0xfeed);
    // Of the manifest the claims are nobody's proof, see below; of all others it holds the digests.
    let others: Vec<&String> = names.iter().filter(|name| *name != "manifest.json").collect();
    for round in 0..1_500 {
        let name = others[random.below(others.len())];
        let altered = rebuilt(&bytes, false, |members| {
            let member = members.get_mut(name).unwrap();
            let at = random.below(member.len());
            member[at] ^= 1 << random.below(8);
        });
        let verdict = judge(&trust, &altered);
        assert!(verdict.result.is_err(), "round {round}: {name}");
        assert!(why(&verdict).contains(name.as_str()), "{name}: {}", why(&verdict));
    }
    for name in &names {
        let dropped = rebuilt(&bytes, false, |members| drop(members.remove(name)));
        assert!(why(&judge(&trust, &dropped)).contains(name.as_str()), "{name} dropped");
        let Some(their) =
            theirs.get(name).filter(|their| archive::read(&bytes).unwrap()[name.as_str()] != their.as_slice())
        else {
            continue;
        };
        let swapped = rebuilt(&bytes, false, |members| drop(members.insert(name.clone(), their.clone())));
        assert!(judge(&trust, &swapped).result.is_err(), "{name} of the other file");
    }
    for (name, their) in theirs.iter().filter(|(name, _)| !names.contains(name)) {
        let added = rebuilt(&bytes, false, |members| drop(members.insert(name.clone(), their.clone())));
        assert!(why(&judge(&trust, &added)).contains(name.as_str()), "{name} added");
    }
    let added = rebuilt(&bytes, true, |members| drop(members.insert("readme.txt".to_owned(), b"run this".to_vec())));
    assert!(why(&judge(&trust, &added)).contains("readme.txt"));
}

/// Whoever changes a member can change the manifest's digest of it too: then what the member proves has to refuse it.
#[test]
fn a_manifest_that_lists_what_was_changed_helps_nobody() {
    let (log, bytes, other) = files();
    let (_dir, trust) = trust(&log);
    let names: Vec<String> = archive::read(&bytes).unwrap().keys().map(|name| (*name).to_owned()).collect();
    // The collector's policy is compared with the reader's and believed by nobody.
    let names: Vec<&String> =
        names.iter().filter(|name| *name != "manifest.json" && *name != "policy/policy.txt").collect();
    let honest = judge(&trust, &bytes);
    let mut random = Random(0xbad);
    for round in 0..1_000 {
        let name = names[random.below(names.len())];
        let altered = rebuilt(&bytes, true, |members| {
            let member = members.get_mut(name).unwrap();
            let at = random.below(member.len());
            member[at] ^= 1 << random.below(8);
        });
        let verdict = judge(&trust, &altered);
        assert!(verdict.result.is_err() || is_by_nobody(&verdict, name, &honest), "round {round}: {name}");
    }
    for name in &names {
        let dropped = rebuilt(&bytes, true, |members| drop(members.remove(*name)));
        assert!(judge(&trust, &dropped).result.is_err(), "{name} dropped");
    }
    let theirs = archive::read(&other).unwrap();
    for (name, their) in theirs.iter().filter(|(name, _)| **name != "manifest.json") {
        let ours = archive::read(&bytes).unwrap();
        if ours.get(name) == Some(their) {
            continue;
        }
        let swapped = rebuilt(&bytes, true, |members| drop(members.insert((*name).to_owned(), their.to_vec())));
        assert!(judge(&trust, &swapped).result.is_err(), "{name} of the other file");
    }
    let altered = rebuilt(&bytes, true, |members| members.get_mut("policy/policy.txt").unwrap().extend(b"# more\n"));
    let verdict = judge(&trust, &altered);
    assert_eq!(why(&verdict), "VERIFIED");
    assert!(verdict.not_proved.iter().any(|said| said.contains("policy.txt")), "a comment, too: {verdict:?}");
    let altered = rebuilt(&bytes, true, |members| {
        let policy = members.get_mut("policy/policy.txt").unwrap();
        *policy = String::from_utf8(policy.clone()).unwrap().replace("quorum two", "quorum none").into_bytes();
    });
    let verdict = judge(&trust, &altered);
    assert!(verdict.not_proved.iter().any(|said| said.contains("policy.txt")), "{:?}", verdict.not_proved);
}

/// The same said in other words is another manifest, and refused.
#[test]
fn a_manifest_has_one_spelling() {
    let (log, bytes, _) = files();
    let (_dir, trust) = trust(&log);
    let with = |change: &dyn Fn(String) -> String| {
        rebuilt(&bytes, false, |members| {
            let text = String::from_utf8(members["manifest.json"].clone()).unwrap();
            members.insert("manifest.json".to_owned(), change(text).into_bytes());
        })
    };
    let changes: [&dyn Fn(String) -> String; 5] = [
        &|text| format!("{text}\n"),
        &|text| text.replace("\"version\": 2", "\"version\":  2"),
        &|text| text.replace("\"version\": 2", "\"version\": 2, \"more\": 1"),
        &|text| text.replace("responder-7", "\\u0072esponder-7"),
        &|text| text.replacen("\"purpose\"", "\"collector\": null, \"purpose\"", 1),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        assert!(why(&judge(&trust, &with(change))).starts_with("manifest.json"), "{at}");
    }
    let verdict = judge(&trust, &with(&|text| text.replace("\"version\": 2", "\"version\": 3")));
    assert_eq!(verdict.outcome(), crate::verify::Outcome::CannotEvaluate, "{}", why(&verdict));
}

/// What the manifest claims of its collector is anybody's to write, until a record names its digest.
#[test]
fn with_its_custody_record_beside_it_a_file_has_one_manifest() {
    let (mut log, bytes, _) = files();
    let manifest = Digest::sha256(archive::read(&bytes).unwrap()["manifest.json"]);
    let row = govlog_formats::admission::IssuerRow { kinds: vec!["custody".into()], ..log.issuer_row() };
    log.change(govlog_formats::admission::ChangeFields { set: vec![row], ..Default::default() });
    let view = serde_json::json!({
        "v": 1, "event_ms": 1, "op": "export", "manifest_digest": manifest.to_string(), "collector": "responder-7", "purpose": "case 2031",
    });
    let index = log.add("custody", &govlog_formats::record::view::from_json("custody", &view).unwrap());
    let record = [("case.cose".to_owned(), transparent_at(&log, index, log.size()))];
    let dir = tempfile::tempdir().unwrap();
    let mut trusted = log.trusted_in(&dir.path().join("trust"));
    let change = LeafIndex::new(5);
    let proof = log.tlog_proof(change, &log.note_of(log.size(), &[0, 1]));
    trusted.add_change(change, &log.entries[5], &proof).unwrap();
    let trust = trusted.trust();
    assert_eq!(why(&verify(trust, "case.zip", &bytes, &record)), "VERIFIED");
    let with = |from: &str, to: &str| {
        rebuilt(&bytes, false, |members| {
            let text = String::from_utf8(members["manifest.json"].clone()).unwrap();
            assert!(text.contains(from));
            members.insert("manifest.json".to_owned(), text.replace(from, to).into_bytes());
        })
    };
    for (from, to) in [("responder-7", "responder-8"), ("case 2031", "case 2032"), ("\"index\"", "\"scanned 0-4\"")] {
        let altered = with(from, to);
        let alone = judge(trust, &altered);
        assert_eq!(why(&alone), "VERIFIED", "a claim");
        assert!(alone.not_proved.iter().any(|said| said.starts_with("collector and purpose")));
        let verdict = verify(trust, "case.zip", &altered, &record);
        assert!(verdict.result.is_err() && why(&verdict).contains("manifest"), "{from}: {}", why(&verdict));
    }
}
