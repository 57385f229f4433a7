//! `govlog admission`: who may submit what. The operator's commands.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, Subcommand};
use govlog_formats::admission::{Change, ChangeFields, Credentials, GenesisRequest, IssuerRow, operator_statement};
use govlog_formats::merkle::LeafIndex;
use govlog_formats::record::view;
use serde_json::{Value, json};

use super::exit::Usage;
use super::output::Output;
use super::{Exit, files, trust::refuting};
use crate::source::Source;
use crate::submit::{self, Wait};
use crate::time;
use crate::trust::{self, TrustDir, UpdateError};

/// How long to wait until a published change can be proved.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);

/// `govlog admission …`
#[derive(Debug, Subcommand)]
pub(crate) enum Admission {
    /// Sign entry 0 of a new log, from the request that `govlog-server init` wrote
    Init(Init),
    /// Show the admission policy, change by change
    Show(Show),
    /// Let an issuer submit; replaces the issuer's whole row if it has one
    Add(Add),
    /// End an issuer's row: what it logged stays, nothing new is taken
    Retire(Retire),
}

/// `govlog admission init`
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The request (the log's D/genesis.request)
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// The operator's private key (PKCS#8 PEM); keep it offline
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the signed entry 0 goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `govlog admission show`
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Read the changes from this log, up to its newest published head, and check them
    #[arg(long, value_name = "URL")]
    log: Option<String>,
    /// The trust directory; without --log it alone is shown
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
}

/// What every change needs.
#[derive(Debug, Args)]
pub(crate) struct Operator {
    /// The log's address
    #[arg(long, value_name = "URL")]
    log: String,
    /// The trust directory: the change is signed for its log, and added to it once proved
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// The operator's private key (PKCS#8 PEM)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The issuer's URI, such as spiffe://prod.example/pep/envoy
    #[arg(long, value_name = "URI")]
    iss: String,
}

/// `govlog admission add`
#[derive(Debug, Args)]
#[command(after_help = "Patterns: a subject exactly, or a prefix when it ends in /, such as spiffe://prod.example/")]
pub(crate) struct Add {
    #[command(flatten)]
    operator: Operator,
    /// The issuer's public key (SPKI PEM); may be given several times
    #[arg(long = "pub", value_name = "FILE", required = true)]
    public: Vec<PathBuf>,
    /// The kinds it may submit, such as issuance,decision
    #[arg(long, value_name = "K,…", value_delimiter = ',', required = true)]
    kinds: Vec<String>,
    /// The subjects it may speak about
    #[arg(long, value_name = "PATTERN,…", value_delimiter = ',', required = true)]
    subjects: Vec<String>,
    /// Statements per second [default: the log's own limits only]
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroU64>,
    /// How old a statement may be when it arrives, seconds [default: 86400]
    #[arg(long, value_name = "S")]
    max_age: Option<u64>,
}

/// `govlog admission retire`
#[derive(Debug, Args)]
pub(crate) struct Retire {
    #[command(flatten)]
    operator: Operator,
}

impl Admission {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        match self {
            Self::Init(init) => init.run(out),
            Self::Show(show) => show.run(out),
            Self::Add(add) => add.run(out),
            Self::Retire(retire) => {
                let iss = retire.operator.iss.clone();
                change(&retire.operator, ChangeFields { retire: vec![iss], ..ChangeFields::default() }, out)
            }
        }
    }
}

impl Init {
    fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let request = GenesisRequest::parse(&files::read_text(&self.request)?)
            .map_err(|error| Usage(format!("{}: {error}", self.request.display())))?;
        let key = files::signing_key(&self.key)?;
        let origin = &request.log().origin;
        out.notice(&format!(
            "signing entry 0 of {origin}: checkpoint key {}, operator {}",
            request.log().checkpoint,
            key.public().thumbprint()
        ));
        let genesis = request.sign(&key, time::now_s().saturating_mul(1000)).context("signing entry 0")?;
        files::create_new(&self.out, 0o644, genesis.entry())?;
        let digest = govlog_formats::digest::Digest::sha256(genesis.entry()).to_string();
        out.result(&digest, json!({ "origin": origin, "genesis": digest, "file": self.out.display().to_string() }));
        Ok(Exit::Ok)
    }
}

impl Show {
    fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let dir = TrustDir::load(&self.trust)?;
        let history = match &self.log {
            None => dir.trust().history().clone(),
            Some(log) => trust::read_history(&Source::open(log)?, dir.trust()).map_err(refuting)?,
        };
        let mut lines = Vec::new();
        let mut documents = Vec::new();
        for (number, change) in history.changes().iter().enumerate() {
            let record = view::to_json(change.statement.kind(), change.statement.payload()).unwrap_or(Value::Null);
            lines.push(format!("change {number}, entry 1.{}\n{record:#}", change.index));
            documents.push(json!({ "change": number, "id": format!("1.{}", change.index), "record": record }));
        }
        let newest = &history.newest().after;
        for row in newest.issuers() {
            let subjects = row.subjects.join(", ");
            lines.push(format!("in force: {} may submit {} about {subjects}", row.iss, row.kinds.join(", ")));
        }
        out.result(&lines.join("\n"), json!({ "origin": newest.origin(), "changes": documents }));
        Ok(Exit::Ok)
    }
}

impl Add {
    fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let keys = self.public.iter().map(|path| files::public_key(path)).collect::<anyhow::Result<Vec<_>>>()?;
        let row = IssuerRow {
            iss: self.operator.iss.clone(),
            credentials: Credentials::Keys(keys),
            kinds: self.kinds,
            subjects: self.subjects,
            rate: self.rate,
            max_age_s: self.max_age,
        };
        change(&self.operator, ChangeFields { set: vec![row], ..ChangeFields::default() }, out)
    }
}

/// Signs a change for the log of the trust directory, submits it, and waits until it is proved to be in force.
fn change(operator: &Operator, fields: ChangeFields, out: &Output) -> anyhow::Result<Exit> {
    let key = files::signing_key(&operator.key)?;
    let mut dir = TrustDir::load(&operator.trust)?;
    let source = Source::open(&operator.log)?;
    let http = source.http().ok_or_else(|| Usage(format!("{}: a change needs a log's address", operator.log)))?;
    // The place in the operator's stream is the proved one, never the server's word.
    trust::update(&source, &mut dir).map_err(refuting)?;
    let now_s = time::now_s();
    let fields = ChangeFields { event_ms: now_s.saturating_mul(1000), ..fields };
    let change = Change::new(fields).map_err(|error| Usage(error.to_string()))?;
    let policy = &dir.trust().history().newest().after;
    let statement = operator_statement(policy.origin(), &change, policy.next_change(), now_s, &key)
        .context("signing the change")?;
    policy
        .apply(LeafIndex::new(policy.as_of().get() + 1), &statement)
        .map_err(|refusal| Usage(format!("the log would refuse this: {refusal}")))?;

    let answers = submit::send(http, &[statement.entry().to_vec()], Wait::Published)?;
    let answer = answers.first().ok_or_else(|| anyhow::anyhow!("the log gave no answer"))?;
    if !matches!(answer.status, 201 | 303) {
        let detail = answer.detail.as_deref().unwrap_or_default();
        return Err(Usage(format!("the log refused the change ({}): {detail}", answer.status)).into());
    }
    let Some(index) = answer.id.map(|id| id.index) else {
        anyhow::bail!("the log took the change and gave no entry id")
    };
    let number = match prove(&source, &mut dir, index)? {
        Some(number) => number,
        None => {
            out.notice(&format!(
                "entry 1.{index}: committed, but not published within {} s; run: govlog trust update",
                PATIENCE.as_secs()
            ));
            return Ok(Exit::Pending);
        }
    };
    out.result(
        &format!("change {number} is in force: entry 1.{index}, proved and added to {}", operator.trust.display()),
        json!({ "change": number, "id": format!("1.{index}") }),
    );
    Ok(Exit::Ok)
}

/// Updates the trust directory until it holds the change at an index.
fn prove(source: &Source, dir: &mut TrustDir, index: LeafIndex) -> anyhow::Result<Option<usize>> {
    let started = Instant::now();
    loop {
        match trust::update(source, dir) {
            Ok(_) => {}
            // While the newest head lacks its quorum there is nothing to prove by: the witnesses may come back.
            Err(UpdateError::Head(error)) if !error.refutes() && started.elapsed() < PATIENCE => {}
            Err(error) => return Err(refuting(error)),
        }
        if dir.trust().history().change_at(index).is_some() {
            return Ok(Some(dir.trust().history().newest_number()));
        }
        if started.elapsed() >= PATIENCE {
            return Ok(None);
        }
        std::thread::sleep(PAUSE);
    }
}
