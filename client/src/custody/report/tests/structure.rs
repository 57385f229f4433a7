//! What stands where on a page.

use super::super::matter::Matter;
use super::*;

fn texts<'e>(elements: &'e [markup::Element], tag: &str) -> Vec<&'e str> {
    elements.iter().filter(|element| element.tag == tag).map(|element| element.text.as_str()).collect()
}

#[test]
fn a_whole_matter_is_told_from_its_verdict_to_its_fields() {
    let story = Story::whole();
    let verdict = judge(&story);
    let page = page(&verdict);
    // To be looked at in a browser: GOVLOG_WRITE_REPORT=FILE.
    if let Some(path) = std::env::var_os("GOVLOG_WRITE_REPORT") {
        std::fs::write(path, &page).unwrap();
    }
    let elements = markup::check(&page);
    assert_eq!(texts(&elements, "h1"), ["Verified: 14 entries, with things missing"]);
    let parts = [
        "What is not proved",
        "Witnesses and times",
        "What is here",
        "Exceptions",
        "The chain",
        "How to verify it",
        "Timeline",
        "Entries",
    ];
    assert_eq!(texts(&elements, "h2"), parts);
    for (landmark, count) in
        [("main", 1), ("nav", 1), ("footer", 1), ("section", 8), ("article", 14), ("svg", 2), ("h3", 15)]
    {
        assert_eq!(texts(&elements, landmark).len(), count, "{landmark}");
    }
    let main = texts(&elements, "main")[0];
    for words in &verdict.not_proved {
        let claim = words.split(": ").next().unwrap();
        assert!(texts(&elements, "li").iter().any(|said| said.starts_with(claim)), "{claim}");
    }
    let custody = verdict.result.as_ref().unwrap();
    for digest in [custody.manifest_digest, custody.file_digest, custody.fingerprint, custody.checkpoint.root] {
        assert!(texts(&elements, "code").contains(&digest.to_string().as_str()));
    }
    assert!(
        main.contains("This page proves nothing by itself.") && main.contains("govlog custody verify FILE --trust DIR")
    );
    assert!(main.contains("3 of 3 witnesses cosigned, 0 independent."), "{main}");
}

/// The same is said by the drawing, by its list, and at each entry.
#[test]
fn the_chain_goes_from_people_to_the_effect() {
    let elements = markup::check(&page(&judge(&Story::whole())));
    let steps: Vec<&str> = elements
        .iter()
        .filter(|element| element.tag == "li" && element.within.last().is_some_and(|tag| tag == "ol"))
        .map(|element| element.text.as_str())
        .collect();
    let at = |begins: &str| {
        steps.iter().position(|step| step.starts_with(begins)).unwrap_or_else(|| panic!("{begins}: {steps:#?}"))
    };
    let down = ["person-7f3a, ", "delegation ", "decision ", "effect "].map(at);
    assert!(down.is_sorted(), "{steps:#?}");
    assert!(
        at("person-91c0, approver") < at("approval ")
            && at("approval ") < at("policy ")
            && at("policy ") < at("activation ")
    );
    assert!(at("registration ") < at("issuance ") && at("issuance ") < at("revocation "));
    let decision = steps[at("decision ")];
    for words in ["authenticated by 1.9", "on behalf of 1.11", "acted as 1.10", "governed by 1."] {
        assert!(decision.contains(words), "{words}: {decision}");
    }
    let drawn: Vec<&str> =
        elements.iter().filter(|element| element.tag == "text").map(|element| element.text.as_str()).collect();
    for word in ["person-7f3a", "delegation", "decision", "effect", "1.12"] {
        assert!(drawn.contains(&word), "{word}: {drawn:?}");
    }
    let described = elements
        .iter()
        .filter(|element| element.tag == "desc")
        .all(|element| element.text.contains("boxes with entries"));
    assert!(described);
}

#[test]
fn sealed_and_disclosed_values_are_told_apart() {
    let elements = markup::check(&page(&judge(&Story::whole())));
    let row = |path: &str| {
        let is_field =
            |element: &&markup::Element| element.tag == "tr" && element.within.contains(&"article".to_owned());
        let rows = elements.iter().filter(is_field).filter(|element| element.text.starts_with(path));
        rows.map(|element| element.text.replace('\n', " "))
            .find(|row| !row.is_empty())
            .unwrap_or_else(|| panic!("{path}"))
    };
    assert!(
        row("context").contains("disclosed sealed in the log as ") && row("context").contains("opened by openings/")
    );
    assert!(row("context.ticket").contains("CHG-2041"));
    assert!(row("input").contains("sealed commitment ") && !row("input").contains("secret"));
    assert!(row("output").contains("{\"allow\":true}"));
    assert!(row("delegation").contains("entry 1.11, leaf "));
    assert!(row("expires_ms").contains("2026-11-22 04:37:22.504 UTC"), "{}", row("expires_ms"));
    assert!(row("decision_id").contains("unique for its PDP"));
}

#[test]
fn what_stands_out_is_said_before_the_chain() {
    let elements = markup::check(&page(&judge(&Story::whole())));
    let found: Vec<&str> = elements
        .iter()
        .filter(|element| element.tag == "section" && element.attributes["id"] == "exceptions")
        .map(|element| element.text.as_str())
        .collect();
    for words in [
        "revoked 1.9: revoked by 1.14, from",
        "gap 1.15: 3 events, lost before they reached stream s-1: the collector was away",
    ] {
        assert!(found[0].contains(words), "{words}: {found:?}");
    }

    let mut quiet = Story::begin();
    // Nobody misses the owner of a workload twice, or one that its prefix has.
    assert!(!found[0].contains("owned"), "{found:?}");
    quiet.say("ownership", serde_json::json!({ "prefix": "spiffe://prod.example/", "owner": "team-ledger" }));
    let elements = markup::check(&page(&judge(&quiet)));
    assert_eq!(texts(&elements, "h1"), ["Verified: 1 entry"]);
    assert!(texts(&elements, "main")[0].contains("None found among these entries. Looked for:"));
}

#[test]
fn what_contradicts_itself_stands_out() {
    let mut story = Story::begin();
    let decision = |id: &str, result: &str, enforcement: &str| {
        serde_json::json!({
            "decision_id": id, "result": result, "enforcement": enforcement, "subject": { "id": "spiffe://prod.example/pay" },
            "action": { "name": "read" }, "resource": { "type": "account", "id": "acct-5" },
        })
    };
    let effect = |id: &str, outcome: &str| serde_json::json!({ "decision_id": id, "performer": "spiffe://prod.example/ledger", "outcome": outcome });
    story.say("decision", decision("d-1", "deny", "enforced"));
    story.say("effect", effect("d-1", "performed"));
    story.say("decision", decision("d-2", "permit", "fail-open"));
    story.say("effect", effect("d-2", "failed"));
    let elements = markup::check(&page(&judge(&story)));
    let main = texts(&elements, "main")[0];
    for words in [
        "against a decision 1.4, 1.3: it was done, and the decision was deny",
        "denied 1.3",
        "failed open 1.5",
        "failed 1.6",
    ] {
        assert!(main.contains(words), "{words}: {main}");
    }
}

#[test]
fn the_same_file_gives_the_same_page_whatever_it_is_called() {
    let story = Story::whole();
    let (bytes, _) = story.contents(story.log.size()).write().unwrap();
    let named = |name: &str| page(&verify(&story.trust, name, &bytes, &[]));
    assert_eq!(named("case.zip"), named("/elsewhere/another name.zip"));
}

#[test]
fn a_file_that_is_refused_has_no_page() {
    let story = Story::whole();
    let (mut bytes, _) = story.contents(story.log.size()).write().unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let verdict = verify(&story.trust, "case.zip", &bytes, &[]);
    assert_eq!(report(&verdict).unwrap_err(), verdict.result.as_ref().unwrap_err());
}

/// A file that is not the whole says so before everything else.
#[test]
fn what_was_cut_or_is_missing_is_said_first() {
    let story = Story::whole();
    let mut cut = story.contents(story.log.size());
    cut.cut_at = Some(14);
    cut.entries.retain(|index, _| index.get() != 9);
    let verdict = verify(&story.trust, "case.zip", &cut.write().unwrap().0, &[]);
    let page = page(&verdict);
    // Nothing is told as absence that may be among what was left out.
    let unlooked = "(not looked for to the end)";
    assert!(page.contains(&format!("no entry of the file is that {unlooked}")));
    let text = verdict.text(0);
    let mut absent = text.lines().filter(|line| line.contains("not found  ") || line.contains("no revocation is here"));
    assert!(absent.clone().count() > 1 && absent.all(|line| line.contains(unlooked)), "{text}");
    let elements = markup::check(&page);
    let first = elements
        .iter()
        .find(|element| element.attributes.get("class").is_some_and(|class| class == "lacking"))
        .unwrap();
    for words in
        ["the collector stopped at 14 entries", "1 gap is declared", "1 relation leads to no entry of the file"]
    {
        assert!(first.text.contains(words), "{words}: {}", first.text);
    }
    assert!(page.find("class=\"lacking\"") < page.find("What is not proved"));
}

/// A matter of thousands is drawn in a few boxes, and every entry of it is still told.
#[test]
fn many_entries_of_a_kind_stand_in_one_box() {
    let mut story = Story::begin();
    for at in 0..60 {
        story.say(
            "ownership",
            serde_json::json!({ "prefix": format!("spiffe://prod.example/{at}"), "owner": format!("team-{at}") }),
        );
    }
    let mut contents = story.contents(story.log.size());
    contents.starts = contents.entries.keys().copied().map(Into::into).collect();
    contents.query.entries = contents.starts.iter().map(|index| crate::custody::id(*index)).collect();
    let page = page(&verify(&story.trust, "case.zip", &contents.write().unwrap().0, &[]));
    let elements = markup::check(&page);
    assert_eq!(texts(&elements, "article").len(), 60);
    let drawn = texts(&elements, "text");
    assert!(drawn.contains(&"× 60") && drawn.contains(&"60 people and teams"), "{drawn:?}");
}

/// Where there are more entries than a browser shows with all their fields, each is told in a line, and where the fields are is said.
#[test]
fn of_too_many_entries_the_fields_are_left_to_the_file() {
    let verdict = judge(&Story::whole());
    let mut matter = Matter::new(verdict.result.as_ref().unwrap(), &verdict.not_proved);
    matter.most_with_fields = 13;
    let elements = markup::check(&super::super::page::page(&matter));
    assert_eq!(texts(&elements, "article").len(), 14);
    let main = texts(&elements, "main")[0];
    assert!(main.contains("More than 13 entries") && main.contains("permit: read account acct-5"));
    assert!(!elements.iter().any(|element| element.attributes.get("class").is_some_and(|class| class == "fields")));
    matter.most_with_fields = 14;
    assert!(super::super::page::page(&matter).contains("class=\"fields\""));
}

#[test]
fn what_leads_to_another_log_is_named_and_not_missed() {
    let mut story = Story::begin();
    let target =
        serde_json::json!({ "log_ref": { "origin": "log.example.org/ca", "index": 345, "leaf": "22".repeat(32) } });
    let links = serde_json::json!([{ "rel": "external_log", "target": target }]);
    story.say(
        "ownership",
        serde_json::json!({ "prefix": "spiffe://prod.example/", "owner": "team-ledger", "links": links }),
    );
    let elements = markup::check(&page(&judge(&story)));
    assert_eq!(texts(&elements, "h1"), ["Verified: 1 entry"]);
    let said =
        "its external_log leads out of this log, or is not known here: entry 345 of log.example.org/ca, leaf 2222";
    assert!(texts(&elements, "main")[0].contains(said));
}
