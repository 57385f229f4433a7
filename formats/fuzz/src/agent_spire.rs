//! What must hold of what is read of a SPIRE server, whatever its log and its answers say.

use std::path::Path;

use govlog_formats::record::Record;

use crate::adapter::Kept;
use crate::opa::decision::MAX_PAYLOAD_BYTES;
use crate::seal::Sealer;
use crate::spire::api::Listing;
use crate::spire::api::changes::Before;
use crate::spire::api::snapshot::FILES;
use crate::spire::event::Event;
use crate::spire::known::Known;
use crate::spire::log::Reading;
use crate::spire::{RawSpire, Settings, records};
use crate::target::{choice, chosen};

/// Lines of a log, behind recorded answers on the first of them; or a file of recorded answers.
pub(crate) fn check(data: &[u8]) -> bool {
    let settings = settings();
    match choice(data, 2) {
        (0, log) => lines(log, &settings),
        (_, answers) => {
            let (number, file) = choice(answers, FILES.len());
            answer(number, file, &settings, &Known::new(true, false))
        }
    }
}

fn lines(log: &[u8], settings: &Settings) -> bool {
    let (first, log) = log.split_at(log.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    let known = Known::new(!first.is_empty(), true);
    answer(0, first, settings, &known);
    let mut reading = Reading::default();
    let mut events = Vec::new();
    for line in log.split(|byte| *byte == b'\n') {
        events.extend(reading.line(line, &known, NOW_MS));
        // A process may end behind any line.
        let stored = serde_json::to_vec(&reading).unwrap();
        reading = serde_json::from_slice(&stored).unwrap();
    }
    // Two polls after a new process has seen them, entries are waited for no more.
    for _ in 0..3 {
        events.extend(reading.settle(&known, NOW_MS + 60_000));
        known.asked(NOW_MS);
    }
    assert!(reading.is_settled(), "something waits for ever");
    let counters = reading.counters();
    assert!(counters.passed_over + counters.unreadable <= counters.lines);
    draft(&events, settings) > 0
}

fn answer(number: usize, file: &[u8], settings: &Settings, known: &Known) -> bool {
    let mut listing = Listing::default();
    let (_, kind) = FILES.into_iter().nth(number).unwrap();
    if kind.read(file, DOMAIN, &mut listing).is_err() {
        assert_eq!(listing, Listing::default(), "something was taken of what is none");
        return false;
    }
    if let Some(entries) = &listing.entries {
        known.entries(entries);
    }
    known.authorities(&listing.authorities, NOW_MS);
    let mut before = Before::default();
    let mut compare = |listing: Listing| {
        before.begin(listing, known, true);
        let mut events = Vec::new();
        while !before.is_done() {
            events.extend(before.portion(known, 3, usize::MAX).events);
        }
        events
    };
    let events = compare(listing.clone());
    draft(&events, settings);
    let ids: std::collections::BTreeSet<&str> = events.iter().map(id).collect();
    assert_eq!(ids.len(), events.len(), "two events have one id");
    assert_eq!(compare(listing), [], "what was found is found again");
    true
}

fn id(event: &Event) -> &str {
    let Event::Formed { native_id, .. } = event else { panic!("an answer is no line") };
    native_id
}

/// Makes records; gives how many there are.
fn draft(events: &[Event], settings: &Settings) -> usize {
    let mut made = 0;
    for event in events {
        let Event::Formed { form, bytes, .. } = event else { continue };
        let mut salt = 0;
        let mut random = || {
            salt += 1;
            [salt; 32]
        };
        let kept = Kept { instance: "spire-0", form: form.as_str(), received_ms: NOW_MS, bytes };
        let Ok(draft) = records::draft(&kept, settings, Sealer::new(&mut random)) else { continue };
        assert!(draft.payload.len() <= MAX_PAYLOAD_BYTES);
        let record = Record::parse(draft.kind, &draft.payload).unwrap();
        let sub = draft.sub.expect("it is about somebody");
        assert!(sub == ISSUER || sub.starts_with(&format!("{ISSUER}/")), "{sub} is of another trust domain");
        if let Record::Registration(entry) = &record
            && let Some(digest) = entry.entry_digest().present()
        {
            assert_eq!(digest, entry.digest_of_entry(), "nobody can make this digest again");
        }
        for opening in &draft.openings {
            let sealed = opening.opening.seal();
            let found = draft.payload.windows(32).any(|bytes| bytes == sealed.digest.as_bytes());
            assert!(found, "{} opens nothing in the record", opening.path);
        }
        made += 1;
    }
    made
}

fn settings() -> Settings {
    let raw = RawSpire {
        name: "spire-0".into(),
        trust_domain: DOMAIN.into(),
        log: Some("server.log".into()),
        socket: None,
        poll_s: 5,
        snapshots: None,
    };
    raw.check(Path::new("/")).unwrap()
}

const DOMAIN: &str = "prod.example";
const ISSUER: &str = "spiffe://prod.example";
const NOW_MS: u64 = 1_795_320_500_000;

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../client/agent/tests/data/capture/spire");

/// The captured log in pieces of some lines that are recorded, behind the captured entries; and the captured answers.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let captured = |name: &str| std::fs::read(Path::new(CAPTURE).join(name)).unwrap();
    let log = String::from_utf8(captured("server.log")).unwrap();
    let entries = String::from_utf8(captured("entries.json")).unwrap();
    let kept: Vec<&str> = log
        .lines()
        .filter(|line| !line.contains("GetBundle") && !line.contains("SyncAuthorizedEntries"))
        .filter(|line| line.contains("API accessed") || line.contains("igned") || line.contains("CA activated"))
        .collect();
    let mut seeds: Vec<Vec<u8>> =
        kept.chunks(3).map(|lines| chosen(0, format!("{}\n{}", entries.trim(), lines.join("\n")))).collect();
    seeds.retain(|seed| check(seed));
    for (number, name) in ["entries.json", "agents.json", "bundle.json", "localauthority-x509.json"].iter().enumerate()
    {
        seeds.push(chosen(1, chosen(number, captured(name))));
    }
    seeds
}
