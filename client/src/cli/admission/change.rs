//! `govlog admission add`, `retire`, `operators` and `submit`: changes of the admission policy.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use clap::Args;
use govlog_formats::admission::{ChangeFields, Credentials, IssuerRow, PolicyState};
use govlog_formats::cose::PublicKey;
use govlog_formats::digest::Digest;
use serde_json::json;

use super::{http, in_file, not_brought};
use crate::cli::exit::Usage;
use crate::cli::output::Output;
use crate::cli::{Exit, files, trust::refuting};
use crate::operator::{self, PATIENCE, Proposal};
use crate::source::{Http, Source};
use crate::time;
use crate::trust::{self, TrustDir};

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
    /// Write the signed change here instead of submitting it, for other operators to approve
    #[arg(long, value_name = "FILE")]
    draft: Option<PathBuf>,
}

/// `govlog admission add`
#[derive(Debug, Args)]
#[command(
    after_help = "Patterns: a subject exactly, or a prefix when it ends in /, such as spiffe://prod.example/\n\n\
    With --x509-anchors the issuers are workloads that sign with X.509-SVIDs: --iss spiffe://prod.example is every one of the trust domain, and \
    --iss spiffe://prod.example/pep/envoy is that one alone. Whoever holds an anchor's key speaks for all of them. An anchor ends when its \
    certificate does: run the command again with the new bundle before that, the old anchors in it for as long as their SVIDs are about.\n\n\
    Where the policy asks for several operators: --draft FILE here, govlog admission approve FILE by the others, and \
    govlog admission submit FILE, within a day of the draft."
)]
pub(crate) struct Add {
    #[command(flatten)]
    operator: Operator,
    /// The issuer's URI, such as spiffe://prod.example/pep/envoy
    #[arg(long, value_name = "URI")]
    iss: String,
    /// The issuer's public key (SPKI PEM); may be given several times
    #[arg(
        long = "pub",
        value_name = "FILE",
        required_unless_present = "x509_anchors",
        conflicts_with = "x509_anchors"
    )]
    public: Vec<PathBuf>,
    /// Certificates of the authorities that issue the workloads' X.509-SVIDs (PEM, such as a SPIFFE bundle); may be given several times
    #[arg(long, value_name = "FILE")]
    x509_anchors: Vec<PathBuf>,
    /// The kinds it may submit, such as issuance,decision
    #[arg(long, value_name = "K,…", value_delimiter = ',', required = true)]
    kinds: Vec<String>,
    /// The subjects it may speak about
    #[arg(long, value_name = "PATTERN,…", value_delimiter = ',', required = true)]
    subjects: Vec<String>,
    /// Statements per second; of a trust domain, all its workloads together [default: the log's own limits only]
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroU64>,
    /// How old a statement may be when it arrives, seconds [default: 86400, with --x509-anchors 600]
    #[arg(long, value_name = "S")]
    max_age: Option<u64>,
}

/// `govlog admission retire`
#[derive(Debug, Args)]
pub(crate) struct Retire {
    #[command(flatten)]
    operator: Operator,
    /// The issuer's URI, such as spiffe://prod.example/pep/envoy
    #[arg(long, value_name = "URI")]
    iss: String,
}

/// `govlog admission operators`
#[derive(Debug, Args)]
#[command(
    after_help = "A change that raises or lowers the threshold takes the threshold in force before it. From one operator to two of three:\n  \
    govlog admission operators --log URL --trust DIR --key K --add b.pub --add c.pub --threshold 2"
)]
pub(crate) struct Operators {
    #[command(flatten)]
    operator: Operator,
    /// The public key of a new operator (SPKI PEM); may be given several times
    #[arg(long, value_name = "FILE")]
    add: Vec<PathBuf>,
    /// The key id of an operator who shall be one no more; may be given several times
    #[arg(long, value_name = "KID")]
    remove: Vec<String>,
    /// How many operators a change takes from then on, its signer included
    #[arg(long, value_name = "K")]
    threshold: Option<NonZeroU64>,
}

/// `govlog admission submit`
#[derive(Debug, Args)]
pub(crate) struct Submit {
    /// The signed change, as --draft wrote it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The log's address
    #[arg(long, value_name = "URL")]
    log: String,
    /// The trust directory: the change must be for its log, and is added to it once proved
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
}

impl Add {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let credentials = if self.x509_anchors.is_empty() {
            let keys = self.public.iter().map(|path| files::public_key(path));
            Credentials::Keys(keys.collect::<anyhow::Result<Vec<_>>>()?)
        } else {
            let bundles = self.x509_anchors.iter().map(|path| Ok((path.display().to_string(), files::read(path)?)));
            let bundles = bundles.collect::<anyhow::Result<Vec<_>>>()?;
            operator::anchors(&self.iss, &bundles, time::now_s()).map_err(|error| Usage(error.to_string()))?
        };
        let row = IssuerRow {
            iss: self.iss,
            credentials,
            kinds: self.kinds,
            subjects: self.subjects,
            rate: self.rate,
            max_age_s: self.max_age,
        };
        let fields = ChangeFields { set: vec![row], ..ChangeFields::default() };
        self.operator.change(|_| Ok(fields), out)
    }
}

impl Retire {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let fields = ChangeFields { retire: vec![self.iss], ..ChangeFields::default() };
        self.operator.change(|_| Ok(fields), out)
    }
}

impl Operators {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let added = self.add.iter().map(|path| files::public_key(path)).collect::<anyhow::Result<Vec<_>>>()?;
        let kid = |text: &String| Digest::from_hex_lenient(text).map_err(|error| Usage(format!("--remove: {error}")));
        let removed = self.remove.iter().map(kid).collect::<Result<Vec<_>, _>>()?;
        if added.is_empty() && removed.is_empty() && self.threshold.is_none() {
            return Err(Usage("nothing to change: give --add, --remove or --threshold".to_owned()).into());
        }
        let threshold = self.threshold.map(NonZeroU64::get);
        let fields = |policy: &PolicyState| {
            let operators = operators(policy, &added, &removed)?;
            Ok(ChangeFields { operators, threshold, ..ChangeFields::default() })
        };
        self.operator.change(fields, out)
    }
}

/// All operator keys from then on; none when they stay as they are.
fn operators(policy: &PolicyState, added: &[PublicKey], removed: &[Digest]) -> Result<Vec<PublicKey>, Usage> {
    if let Some(other) = removed.iter().find(|kid| policy.operators().all(|(operator, _)| operator != *kid)) {
        return Err(Usage(format!("{other} is not an operator; govlog admission show lists them")));
    }
    if added.is_empty() && removed.is_empty() {
        return Ok(Vec::new());
    }
    let kept = policy.operators().filter(|(kid, _)| !removed.contains(kid)).map(|(_, key)| key.clone());
    let mut keys: Vec<PublicKey> = kept.collect();
    for key in added {
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    if keys.is_empty() {
        return Err(Usage("a log needs an operator: add one in the same change that removes the last".to_owned()));
    }
    Ok(keys)
}

impl Operator {
    /// Signs a change for the log of the trust directory; then drafts it, or submits it and waits until it is proved to be in force.
    fn change(
        &self,
        fields: impl FnOnce(&PolicyState) -> Result<ChangeFields, Usage>,
        out: &Output,
    ) -> anyhow::Result<Exit> {
        let key = files::signing_key(&self.key)?;
        let mut dir = TrustDir::load(&self.trust)?;
        let source = out.source(&self.log)?;
        let http = http(&source, &self.log)?;
        // The place in the operator's stream is the proved one, never the server's word.
        trust::update(&source, &mut dir).map_err(refuting)?;
        let policy = &dir.trust().history().newest().after;
        let proposal =
            Proposal::sign(policy, fields(policy)?, time::now_s(), &key).map_err(|error| Usage(error.to_string()))?;
        match &self.draft {
            Some(path) => self.write(path, policy, &proposal, out),
            None if proposal.missing() > 0 => {
                let (missing, threshold) = (proposal.missing(), policy.threshold());
                Err(Usage(format!(
                    "a change takes {threshold} operators, and {missing} more must approve this one before it is submitted: add --draft FILE, \
                     have it approved (govlog admission approve FILE), then run govlog admission submit FILE"
                ))
                .into())
            }
            None => {
                let words = operator::in_words(policy, proposal.change());
                out.notice(&format!("signed for {}: {}", policy.origin(), words.join("; ")));
                bring(http, &source, &mut dir, &proposal, out)
            }
        }
    }

    fn write(&self, path: &Path, policy: &PolicyState, proposal: &Proposal, out: &Output) -> anyhow::Result<Exit> {
        files::create_new(path, 0o644, proposal.statement().entry())?;
        out.notice(&proposal.text(policy));
        let (file, missing) = (path.display(), proposal.missing());
        out.notice(&format!(
            "{missing} more operators must approve it, each with:\n  govlog admission approve {file} --log {log} --trust DIR --key THEIR.key\n\
             then, within a day of now and before any other change:\n  govlog admission submit {file} --log {log} --trust {trust}",
            log = self.log,
            trust = self.trust.display()
        ));
        let digest = proposal.digest().to_string();
        out.result(&digest, json!({ "change": digest, "missing": missing, "file": file.to_string() }));
        Ok(Exit::Ok)
    }
}

impl Submit {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let mut dir = TrustDir::load(&self.trust)?;
        let source = out.source(&self.log)?;
        let http = http(&source, &self.log)?;
        trust::update(&source, &mut dir).map_err(refuting)?;
        let policy = &dir.trust().history().newest().after;
        let proposal = Proposal::read(&files::read(&self.file)?, policy).map_err(in_file(&self.file))?;
        if proposal.missing() > 0 {
            let (file, missing) = (self.file.display(), proposal.missing());
            let digest = proposal.digest();
            return Err(Usage(format!(
                "{file}: {missing} more operators must approve change {digest} first, with: govlog admission approve {file}"
            ))
            .into());
        }
        bring(http, &source, &mut dir, &proposal, out)
    }
}

/// Submits a change, and waits until it is proved to be in force.
fn bring(http: &Http, source: &Source, dir: &mut TrustDir, proposal: &Proposal, out: &Output) -> anyhow::Result<Exit> {
    let brought = operator::bring(http, source, dir, proposal.statement()).map_err(not_brought)?;
    let index = brought.index;
    let Some(number) = brought.proved else {
        out.notice(&format!(
            "entry 1.{index}: committed, but not published within {} s; run: govlog trust update",
            PATIENCE.as_secs()
        ));
        return Ok(Exit::Pending);
    };
    out.result(
        &format!("change {number} is in force: entry 1.{index}, proved and added to {}", dir.path().display()),
        json!({ "change": number, "id": format!("1.{index}") }),
    );
    Ok(Exit::Ok)
}
