//! An agent: its directory, and the process that runs on it.

use std::ops::{Deref, DerefMut};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use govlog_formats::admission::{Credentials, IssuerRow};
use govlog_formats::cose::SigningKey;

use crate::http::Client;
use crate::process::{Ended, Launch};
use crate::reader::{Reader, new_key};
use crate::served::{Served, kill_while_starting};
use crate::wait::{SOON, until};
use crate::{Faults, Network};

/// An agent with a key and a trust directory, running or not.
#[derive(Debug)]
pub struct Agent {
    node: PathBuf,
    /// Its directory.
    pub dir: PathBuf,
    /// Whom it trusts.
    pub reader: Reader,
    key: SigningKey,
    served: Served,
}

/// Who signs.
pub const ISS: &str = "spiffe://prod.example/govlog-agent";

/// The proxy whose headers the captured events carry.
pub const ENVOY: &str = "spiffe://prod.example/pep/envoy";

/// Settings with which it tries again soon, says nothing of itself but that a stream was opened, and makes an entry of every decision.
pub const QUICK: &str =
    "[sending]\nretry_max_ms = 200\n[streams]\nheartbeat_s = 3600\nidle_close_s = 86400\n[capture]\nbatch = \"none\"\n";

/// The same, but permits share batches, which close soon.
pub const QUICK_BATCHED: &str = "[sending]\nretry_max_ms = 200\n[streams]\nheartbeat_s = 3600\nidle_close_s = 86400\n\
    [capture]\nwindow_ms = 60\nmembers = 64\n";

/// The two groups that the captured instances upload to, in which their proxy is believed.
#[must_use]
pub fn captured_groups() -> String {
    group("/a/v1", &[ENVOY]) + &group("/b/v1", &[ENVOY])
}

/// An `[[opa]]` table with the mapping of the captured events.
#[must_use]
pub fn group(prefix: &str, xfcc_from: &[&str]) -> String {
    format!("[[opa]]\nprefix = {prefix:?}\nxfcc_from = {xfcc_from:?}\n{MAPPING}")
}

const MAPPING: &str = r#"
[[opa.mapping]]
path = "ledger/authz"
subject = "/input/subject/id"
subject_type = "/input/subject/type"
action = "/input/action/name"
resource = "/input/resource/id"
resource_type = "/input/resource/type"
decision = "/result/allow"
reasons = "/result/reasons"
[[opa.mapping]]
path = "mcp/tools"
subject = "/input/subject/id"
subject_type = "workload"
action = "/input/method"
resource = "/input/params/name"
resource_type = "tool"
decision = "/result"
"#;

impl Deref for Agent {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.served
    }
}

impl DerefMut for Agent {
    fn deref_mut(&mut self) -> &mut Served {
        &mut self.served
    }
}

impl Agent {
    /// Makes an agent of a network whose log has an address; `tables` are the tables of `agent.toml`.
    #[must_use]
    pub fn create(network: &Network, node: &Path, tables: &str) -> Self {
        let dir = network.path("agent");
        std::fs::create_dir(&dir).unwrap();
        let key = new_key(network, "agent/agent.key", "ed25519");
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        let key = SigningKey::from_pkcs8_pem(&std::fs::read_to_string(key).unwrap()).unwrap();
        drop(new_key(network, "agent/openings.key", "age"));
        let reader = Reader::of(network, "agent/trust");
        let agent = Self { node: node.to_owned(), dir, reader, key, served: Served::default() };
        agent.configure(&network.log.url(), tables);
        agent
    }

    /// Writes `agent.toml`.
    pub fn configure(&self, log: &str, tables: &str) {
        let recipient = std::fs::read_to_string(self.dir.join("openings.key.pub")).unwrap();
        let text = format!(
            "iss = {ISS:?}\nlog = {log:?}\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nopenings.recipients = [{:?}]\naccess.submit = \"loopback\"\n{tables}",
            recipient.trim()
        );
        std::fs::write(self.config(), text).unwrap();
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.dir.join("agent.toml")
    }

    /// The row that admits it.
    #[must_use]
    pub fn row(&self) -> IssuerRow {
        IssuerRow {
            iss: ISS.to_owned(),
            credentials: Credentials::Keys(vec![self.key.public()]),
            kinds: KINDS.map(str::to_owned).to_vec(),
            subjects: ["spiffe://", "opa/", "policy:authz"].map(str::to_owned).to_vec(),
            rate: None,
            max_age_s: None,
        }
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// How the process ended instead.
    pub fn try_start(&mut self, faults: &Faults) -> Result<(), Ended> {
        let launch = self.launch(faults);
        self.served.try_launch(&launch)
    }

    /// The command that runs this agent.
    #[must_use]
    pub fn launch(&self, faults: &Faults) -> Launch {
        let launch = Launch::new(&self.node, "agent").args(["run", "--config"]).arg(self.config());
        if *faults == Faults::none() { launch } else { launch.env("FAILPOINTS", faults.to_string()) }
    }

    /// Starts it and ends it at once after this time, wherever it is then.
    pub fn kill_while_starting(&self, after: Duration) -> Ended {
        kill_while_starting(&self.launch(&Faults::none()), after)
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(&mut self, faults: &Faults) {
        self.try_start(faults).unwrap_or_else(|ended| panic!("start: {}\n{}", ended.status, ended.stderr));
    }

    /// Looks for what is wrong with it: `agent check`.
    #[must_use]
    pub fn check(&self) -> Ended {
        Launch::new(&self.node, "agent").args(["check", "--config"]).arg(self.config()).finish()
    }

    /// Ends the process in good order.
    ///
    /// # Panics
    /// When it takes longer than the 10 s it has, or does not end well.
    pub fn stop(&mut self) {
        self.stop_within(Duration::from_secs(10));
    }

    /// A source's connection.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.address()).patient_for(SOON)
    }

    /// A client of the admin routes.
    ///
    /// # Panics
    /// When it was never started.
    #[must_use]
    pub fn admin(&self) -> Client {
        Client::new(self.admin_address()).patient_for(SOON)
    }

    /// Waits until it takes uploads.
    pub fn ready(&self) {
        let mut admin = self.admin();
        until("readiness", SOON, || admin.get("/readyz").ok().filter(|answer| answer.status == 200));
    }

    /// Reads a metric by its name and labels, as they are printed; what was never counted is 0.
    ///
    /// # Panics
    /// When there are no metrics.
    #[must_use]
    pub fn metric(&self, name: &str) -> u64 {
        let answer = self.admin().get("/metrics").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        metric_of(&answer.text(), name)
    }

    /// Waits until a metric is what it should be.
    pub fn metric_until(&self, name: &str, limit: Duration, is_well: impl Fn(u64) -> bool) -> u64 {
        until(&format!("{name} to change"), limit, || Some(self.metric(name)).filter(|found| is_well(*found)))
    }

    /// How much is in the outbox: what waits to be signed or for a decision, and what is signed and not proved to be published.
    #[must_use]
    pub fn depth(&self) -> (u64, u64) {
        let text = self.admin().get("/metrics").unwrap().text();
        (metric_of(&text, WAITING) + metric_of(&text, HELD), metric_of(&text, SIGNED))
    }

    /// Waits until nothing is left in the outbox.
    pub fn drained(&self, limit: Duration) {
        // What is signed leaves one count before it enters the other: once is not enough.
        let mut times = 0;
        until("an empty outbox", limit, || {
            times = if self.depth() == (0, 0) { times + 1 } else { 0 };
            (times == 3).then_some(())
        });
    }
}

/// What it may sign: all that its adapters write.
const KINDS: [&str; 16] = [
    "activation",
    "attestation",
    "decision",
    "decision-batch",
    "effect",
    "federation",
    "finding",
    "gap",
    "issuance",
    "observation",
    "policy",
    "quarantine",
    "registration",
    "revocation",
    "signing-key",
    "stream",
];

/// Inputs that wait to be signed.
pub const WAITING: &str = "govlog_agent_outbox_depth{state=\"waiting\"}";
const HELD: &str = "govlog_agent_outbox_depth{state=\"held\"}";
/// Statements that are not proved to be published.
pub const SIGNED: &str = "govlog_agent_outbox_depth{state=\"signed\"}";
/// Statements that the log proved to have committed.
pub const COMMITTED: &str = "govlog_agent_committed_total";
/// Statements proved to be published.
pub const PUBLISHED: &str = "govlog_agent_published_total";

/// The metric of an alarm.
#[must_use]
pub fn alarm(kind: &str) -> String {
    format!("govlog_agent_alarms_total{{kind=\"{kind}\"}}")
}

fn metric_of(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |number| number.trim().parse().unwrap_or_else(|error| panic!("{name} {number}: {error}")))
}
