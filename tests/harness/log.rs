//! A log: its directory, and the process that serves it.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use govlog_formats::admission::{Change, ChangeFields, IssuerRow, PolicyState, operator_statement};
use govlog_formats::cose::{PublicKey, SigningKey};
use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::LeafIndex;
use govlog_formats::note::Vkey;
use govlog_formats::statement::SignedStatement;
use govlog_formats::tlog_policy::Policy;
use govlog_server::head::{HeadFile, HeadStore as _};
use govlog_server::tree::TreeHead;

use crate::http::Client;
use crate::issuer::now_s;
use crate::process::{Ended, Launch};
use crate::served::{Served, kill_while_starting};
use crate::wait::{SOON, until};
use crate::{Faults, Issuer};

/// The content type of one statement.
pub const COSE: &str = "application/cose";

/// A log with a demo operator, running or not.
#[derive(Debug)]
pub struct Log {
    node: PathBuf,
    /// Its directory.
    pub dir: PathBuf,
    /// Its name.
    pub origin: String,
    /// Its key.
    pub vkey: Vkey,
    /// Its keys, witnesses and quorum, as verifiers have them.
    pub policy: Policy,
    /// Who may change the admission policy.
    pub operator: SigningKey,
    /// The admission policy as far as this harness has changed it.
    pub admission: PolicyState,
    /// Set in the environment of every start.
    pub environment: Vec<(String, String)>,
    served: Served,
}

impl Deref for Log {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.served
    }
}

impl DerefMut for Log {
    fn deref_mut(&mut self) -> &mut Served {
        &mut self.served
    }
}

impl Log {
    /// Makes a log; `witnesses` as the option `--witness` takes them, `quorum` as `--quorum` does, `settings` are more of `log.toml`.
    #[must_use]
    pub fn create(node: &Path, dir: PathBuf, witnesses: &[String], quorum: &str, settings: &str) -> Self {
        let origin = "log.example/system-test".to_owned();
        let mut init = Launch::new(node, "server").args(["init", "--demo", "--quorum", quorum, "--origin", &origin]);
        init = init.arg("--dir").arg(&dir);
        for witness in witnesses {
            init = init.args(["--witness", witness]);
        }
        let vkey = init.output().trim().parse().unwrap();
        let config = format!("origin = \"{origin}\"\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n{settings}");
        std::fs::write(dir.join("log.toml"), config).unwrap();
        let genesis = SignedStatement::parse_entry(&std::fs::read(dir.join("genesis.cose")).unwrap()).unwrap();
        let operator = std::fs::read_to_string(dir.join("operator.key")).unwrap();
        Self {
            node: node.to_owned(),
            vkey,
            policy: Policy::parse(&std::fs::read(dir.join("policy.txt")).unwrap()).unwrap(),
            operator: SigningKey::from_pkcs8_pem(&operator).unwrap(),
            admission: PolicyState::genesis(&genesis).unwrap(),
            origin,
            dir,
            environment: Vec::new(),
            served: Served::default(),
        }
    }

    /// Gives the log an address of its own, at which it is found again after every start. Before the first start.
    pub fn stay(&mut self) {
        let address = SocketAddr::new(own_loopback().into(), 8080);
        let file = self.dir.join("log.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let listen = |address: &str| format!("listen = \"{address}\"\n");
        std::fs::write(&file, text.replacen(&listen("127.0.0.1:0"), &listen(&address.to_string()), 1)).unwrap();
        self.served.public = Some(address);
    }

    /// Starts the log and waits until it listens.
    ///
    /// # Errors
    /// How the process ended instead.
    pub fn try_start(&mut self, faults: &Faults) -> Result<(), Ended> {
        let launch = self.launch(faults);
        self.served.try_launch(&launch)
    }

    /// The command that serves this log.
    #[must_use]
    pub fn launch(&self, faults: &Faults) -> Launch {
        let mut launch = Launch::new(&self.node, "server").args(["run", "--config"]).arg(self.dir.join("log.toml"));
        if *faults != Faults::none() {
            launch = launch.env("FAILPOINTS", faults.to_string());
        }
        for (name, value) in &self.environment {
            launch = launch.env(name, value);
        }
        launch
    }

    /// Starts the log and ends it at once after this time, wherever it is then.
    pub fn kill_while_starting(&self, after: Duration) {
        kill_while_starting(&self.launch(&Faults::none()), after);
    }

    /// Starts the log.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(&mut self, faults: &Faults) {
        self.try_start(faults).unwrap_or_else(|ended| panic!("start: {}\n{}", ended.status, ended.stderr));
    }

    /// Tries to start the log where it must refuse, and returns what it says.
    ///
    /// # Panics
    /// When it starts.
    pub fn refuse_start(&mut self, faults: &Faults) -> Ended {
        match self.try_start(faults) {
            Ok(()) => panic!("the log started, and should have refused"),
            Err(ended) => ended,
        }
    }

    /// Ends the process in good order.
    ///
    /// # Panics
    /// When it takes longer than the 10 s it has, or does not end well.
    pub fn stop(&mut self) {
        self.stop_within(Duration::from_secs(12));
    }

    /// The public address as the command `govlog` takes it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// A client of the public routes.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.address())
    }

    /// A client of the admin routes.
    ///
    /// # Panics
    /// When the log was never started.
    #[must_use]
    pub fn admin(&self) -> Client {
        Client::new(self.admin_address())
    }

    /// Waits until statements are taken: until enough witnesses have confirmed the head.
    pub fn ready(&self) {
        let mut admin = self.admin();
        until("readiness", SOON, || admin.get("/readyz").ok().filter(|answer| answer.status == 200));
    }

    /// Waits until the newest published checkpoint covers a size, and returns its note.
    pub fn published(&self, size: u64) -> Vec<u8> {
        let (mut client, policy) = (self.client(), &self.policy);
        until(&format!("a published checkpoint of size {size}"), SOON, || {
            let answer = client.get("/checkpoint").ok().filter(|answer| answer.status == 200)?;
            let head = policy.verify_checkpoint(&answer.body).unwrap();
            (head.checkpoint().size.get() >= size).then_some(answer.body)
        })
    }

    /// The keys that receipts may be signed with.
    #[must_use]
    pub fn receipt_keys(&self) -> Vec<PublicKey> {
        self.admission.all_receipt_keys().map(|row| row.key.clone()).collect()
    }

    /// Admits issuers, and returns where the change stands.
    ///
    /// # Panics
    /// When the log does not take the change.
    pub fn admit(&mut self, issuers: &[Issuer]) -> EntryId {
        self.admit_rows(issuers.iter().map(Issuer::row).collect())
    }

    /// Puts rows of the admission policy in force.
    ///
    /// # Panics
    /// When the log does not take the change.
    pub fn admit_rows(&mut self, set: Vec<IssuerRow>) -> EntryId {
        let change = Change::new(ChangeFields { event_ms: now_s() * 1000, set, ..ChangeFields::default() }).unwrap();
        let place = self.admission.next_change();
        let statement = operator_statement(&self.origin, &change, place, now_s(), &self.operator).unwrap();
        let answer = self.client().post("/entries?wait=committed", COSE, statement.entry()).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
        let id = location(answer.header("location"));
        self.admission = self.admission.apply(id.index, &statement).unwrap();
        id
    }

    /// The head in the head file of a log that does not run.
    #[must_use]
    pub fn head_on_disk(&self) -> TreeHead {
        HeadFile::open(&self.dir.join("head/head")).unwrap().read().unwrap().head
    }
}

/// A loopback address that no one else listens at: a port that is given up for a while may be somebody else's afterwards.
fn own_loopback() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high, low, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Reads the entry id out of a `Location`.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn location(header: Option<&str>) -> EntryId {
    let id = header.and_then(|place| place.strip_prefix("/entries/")).unwrap_or_else(|| panic!("location {header:?}"));
    id.parse().unwrap()
}

/// Writes an index of the first epoch as an id.
#[must_use]
pub fn id(index: u64) -> EntryId {
    EntryId { epoch: 1, index: LeafIndex::new(index) }
}
