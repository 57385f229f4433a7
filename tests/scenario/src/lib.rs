//! A small organisation and a day of its work, the same in every run: what a log holds that somebody has to answer for.
//!
//! Two trust domains that federate; workloads with registrations, attestations and certificates that rotate; CI; people, who let agents act for
//! them for thirty minutes; OPA and Cedar with policies that are approved, published and put in force; decisions and what came of them; a stolen
//! credential, and what was done with it before its revocation and after; gaps, silence, erasure, names that nobody has, and a circle.
//!
//! ```text
//! Plan ─▶ Day ─▶ Scenario ─┬▶ load: a folder, or a real log
//!                          ├▶ starts: everything that somebody could have in hand
//!                          └▶ brute: what belongs to a start, by looking at every relation between all entries
//! ```
//!
//! A seed gives the same records byte for byte. Each is valid, and its links are those of `formats/RECORDS.md`. Longer histories are days in a
//! row, each with ids, policies and streams of its own, so that they are made one at a time.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "in a test a panic is the report")]
#![expect(clippy::missing_panics_doc, reason = "in a test a panic is the report")]

use std::collections::{BTreeMap, BTreeSet};

use govlog_formats::admission::IssuerRow;
use serde_json::{Value as Json, json};

mod book;
pub mod brute;
mod clock;
pub mod history;
pub mod load;
pub mod memory;
mod operations;
mod people;
mod policies;
mod said;
pub mod starts;
mod trouble;
mod workloads;

pub use book::{Entry, Party};

use book::{Book, Who};
use clock::{MINUTE, SECOND};
use people::Delegation;
use policies::Policy;
use workloads::{Credential, Domain, Workload};

/// What is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What chance follows from.
    pub seed: u64,
    /// The log that the statements are for.
    pub origin: String,
    /// When the day begins.
    pub start_ms: u64,
    /// How many entries it has.
    pub size: usize,
    /// Which of the organisation's days it is.
    pub day: u64,
    /// How many days there are.
    pub days: u64,
    /// How often the stolen credential is used on this day.
    pub stolen: usize,
}

/// The records of a day, signed and in order.
#[derive(Debug)]
pub struct Scenario {
    /// How it was made.
    pub plan: Plan,
    /// Who signs.
    pub parties: Vec<Party>,
    /// The entries, in the order in which they are to be logged.
    pub entries: Vec<Entry>,
}

/// The log that system tests start.
pub const ORIGIN: &str = "log.example/system-test";

/// When scenarios begin that have no other time: 2023-11-14.
const START_MS: u64 = 1_700_000_000_000;

impl Plan {
    /// One day of so many entries.
    #[must_use]
    pub fn new(seed: u64, size: usize) -> Self {
        Self { seed, origin: ORIGIN.to_owned(), start_ms: START_MS, size, day: 0, days: 1, stolen: size / 40 }
    }
}

impl Scenario {
    /// Makes a day; 5,000 entries are some hours of it.
    #[must_use]
    pub fn generate(seed: u64, size: usize) -> Self {
        Self::of(Plan::new(seed, size))
    }

    /// Makes what is planned.
    #[must_use]
    pub fn of(plan: Plan) -> Self {
        let book = Day::begin(plan).run();
        Self { plan: book.plan, parties: book.parties, entries: book.entries }
    }

    /// How many entries there are of each kind.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        self.entries.iter().for_each(|entry| *counts.entry(entry.kind).or_default() += 1);
        counts
    }

    /// The rows of an admission policy that lets everybody in.
    #[must_use]
    pub fn rows(&self) -> Vec<IssuerRow> {
        let kinds = |by: usize| self.entries.iter().filter(move |entry| entry.by == by).map(|entry| entry.kind);
        let row = |(by, party): (usize, &Party)| party.row(&kinds(by).collect::<BTreeSet<_>>());
        self.parties.iter().enumerate().map(row).collect()
    }
}

/// Workloads, by their places in [`Day::workloads`].
const PAY: usize = 0;
const LEDGER: usize = 1;
const PORTAL: usize = 2;
const REPORT: usize = 3;
const SEARCH: usize = 4;
const TRIAGE: usize = 5;
const OPS: usize = 6;
const WORKLOADS: [(usize, &str); 10] = [
    (0, "pay"),
    (0, "ledger"),
    (0, "portal"),
    (0, "report"),
    (0, "search"),
    (0, "agent/triage"),
    (0, "agent/ops"),
    (0, "pep/envoy"),
    (1, "sync"),
    (1, "billing"),
];

/// A day at work.
#[derive(Debug)]
struct Day {
    book: Book,
    domains: Vec<Domain>,
    workloads: Vec<Workload>,
    agents: [usize; 2],
    authz: Policy,
    tools: Policy,
    partner_authz: Policy,
    capture: Policy,
    appraisal: Policy,
    delegation: Option<Delegation>,
    stolen: Credential,
    revoked: Option<usize>,
    /// What was done under the stolen credential although it was revoked.
    late: Option<usize>,
    /// A credential that nobody logged, and that decisions name.
    unknown: Json,
    /// Whose stream has gone silent.
    silent: Option<usize>,
}

impl Day {
    /// Everything that stands before anybody asks for anything.
    fn begin(plan: Plan) -> Self {
        let mut book = Book::open(plan);
        let capture = policies::publish(&mut book, "capture", "capture", "c1", 1);
        let appraisal = policies::publish(&mut book, "attestation-appraisal", "appraisal", "a1", 1);
        let rules = policies::publish(&mut book, "federation-rules", "federation-rules", "f1", 1);
        let partner_authz = policies::publish(&mut book, "opa", "partner-authz", "p1", 1);
        let authz = policies::publish(&mut book, "opa", "authz", "r1", 2);
        let tools = policies::publish(&mut book, "cedar", "tools", "t1", 2);
        for (who, policy) in [(Who::Opa, &authz), (Who::Cedar, &tools), (Who::PartnerPdp, &partner_authz)] {
            policies::activate(&mut book, who, "activate", policy);
        }
        policies::activate(&mut book, Who::Opa, "activate", &capture);
        let domains = workloads::domains(&mut book, &rules);
        for (prefix, owner) in [
            ("spiffe://prod.example/", "team-platform"),
            ("spiffe://prod.example/ledger", "team-ledger"),
            ("spiffe://prod.example/agent/", "team-ledger"),
            ("spiffe://partner.example/billing", "team-partner"),
        ] {
            // Owners stay: every identity would have as many as there are days.
            if book.plan.day == 0 {
                policies::own(&mut book, prefix, owner);
            }
        }
        let workloads: Vec<Workload> = WORKLOADS
            .iter()
            .map(|(domain, name)| workloads::register(&mut book, &domains, *domain, name, &appraisal))
            .collect();
        let agents = [("triage", TRIAGE), ("ops", OPS)]
            .map(|(name, at)| policies::describe(&mut book, name, &workloads[at].id, "1", None));
        let stolen = trouble::stolen(&mut book, &workloads[REPORT]);
        let (delegation, revoked, late, silent) = (None, None, None, None);
        Self {
            book,
            domains,
            workloads,
            agents,
            authz,
            tools,
            partner_authz,
            capture,
            appraisal,
            delegation,
            stolen,
            revoked,
            late,
            unknown: Json::Null,
            silent,
        }
    }

    fn run(mut self) -> Book {
        let (size, stolen) = (self.book.plan.size, self.book.plan.stolen);
        let begun = self.book.entries.len();
        let span = size.saturating_sub(begun).max(1);
        let (mut steps, mut used, mut beaten_ms) = (0, 0, self.book.now_ms);
        while self.book.entries.len() + TAIL < size {
            let wait = 2 * SECOND + self.book.random.below(20 * SECOND);
            self.book.pass(wait);
            workloads::renew(&mut self.book, &self.domains, &mut self.workloads);
            if self.book.now_ms >= beaten_ms + 20 * MINUTE {
                beaten_ms = self.book.now_ms;
                self.beat("heartbeat");
            }
            let done = self.book.entries.len() - begun;
            while steps * span / STEPS < done && steps < STEPS {
                self.step(steps);
                steps += 1;
            }
            while used * span < done * stolen && used < stolen {
                self.steal();
                used += 1;
            }
            self.operate();
        }
        // On one day alone: what stands under a trust domain that is revoked would be everything of all of them.
        if self.book.plan.days == 1 {
            self.clean_up();
        }
        let is_prompt =
            |entry: &Entry| entry.kind == "decision" && entry.openings.iter().any(|field| field.path == "agent.prompt");
        let prompted = self.book.entries.iter().position(is_prompt);
        self.look_back(prompted);
        while self.book.entries.len() + self.speaking().len() < size {
            self.book.pass(5 * SECOND);
            self.observe();
        }
        self.beat("close");
        self.book
    }

    /// What happens once, in its order.
    fn step(&mut self, step: usize) {
        match step {
            1 | 9 | 15 => self.deploy(step as u64),
            3 => {
                let before = self.authz.clone();
                self.authz = policies::publish(&mut self.book, "opa", "authz", "r2", 2);
                policies::activate(&mut self.book, Who::Opa, "activate", &self.authz);
                policies::activate(&mut self.book, Who::Opa, "retire", &before);
            }
            5 => {
                let id = self.workloads[TRIAGE].id.clone();
                self.agents[0] = policies::describe(&mut self.book, "triage", &id, "2", Some(self.agents[0]));
            }
            6 => workloads::change(&mut self.book, &self.domains, &mut self.workloads[PORTAL], "update"),
            7 => self.tangle(),
            8 | 14 => self.quarantine(),
            10 => self.lose(),
            11 => workloads::new_key(&mut self.book, &mut self.domains[0], "change"),
            12 if self.book.plan.day + 1 == self.book.plan.days => self.revoke(),
            13 => {
                self.retire();
                let bundle = json!({
                    "observed": "bundle", "domain": "partner.example", "bundle_digest": ["sha256", self.book.digest("seen bundle")], "sequence": 1,
                });
                self.book.put(Who::Envoy, "observation", "spiffe://partner.example", bundle);
            }
            _ => {}
        }
    }

    /// The streams that still speak.
    fn speaking(&self) -> Vec<usize> {
        (0..self.book.parties.len()).filter(|by| self.silent != Some(*by) && *by != Who::Import as usize).collect()
    }

    fn beat(&mut self, op: &str) {
        for by in self.speaking() {
            self.book.beat(by, op);
        }
    }
}

/// In how many parts a day's steps are spread over it.
const STEPS: usize = 18;

/// Room for what is said when the day is over.
const TAIL: usize = 50;
