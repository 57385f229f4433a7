//! `govlog admission`: who may submit what. The operator's commands.

mod approve;
mod change;
mod show;

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use govlog_formats::admission::{Change, ChangeFields, Expected, GenesisRequest, PolicyState, operator_statement};
use govlog_formats::cose::{PublicKey, SigningKey};
use govlog_formats::statement::SignedStatement;
use serde_json::json;

use super::exit::Usage;
use super::output::Output;
use super::{Exit, files};
use crate::operator::{BringError, ProposalError};
use crate::source::{Http, Source};
use crate::time;

/// `govlog admission …`
#[derive(Debug, Subcommand)]
pub(crate) enum Admission {
    /// Sign entry 0 of a new log, from the request that `govlog-server init` wrote
    Init(Init),
    /// Show the admission policy, change by change, who its operators are, and what waits for their approval
    Show(show::Show),
    /// Let an issuer submit; replaces the issuer's whole row if it has one
    Add(change::Add),
    /// End an issuer's row: what it logged stays, nothing new is taken
    Retire(change::Retire),
    /// Say who the operators are, and how many of them a change takes
    Operators(change::Operators),
    /// Say your word, as an operator, on a change that another one has drafted
    Approve(approve::Approve),
    /// Submit a change that was drafted with --draft, once enough operators have approved it
    Submit(change::Submit),
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
    /// The public key of another operator (SPKI PEM); may be given several times
    #[arg(long = "operator", value_name = "FILE")]
    operators: Vec<PathBuf>,
    /// How many operators a later change takes, its signer included [default: 1]
    #[arg(long, value_name = "K")]
    threshold: Option<NonZeroU64>,
    /// Where the signed entry 0 goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Admission {
    pub(crate) fn run(self, out: &Output) -> anyhow::Result<Exit> {
        match self {
            Self::Init(init) => init.run(out),
            Self::Show(show) => show.run(out),
            Self::Add(add) => add.run(out),
            Self::Retire(retire) => retire.run(out),
            Self::Operators(operators) => operators.run(out),
            Self::Approve(approve) => approve.run(out),
            Self::Submit(submit) => submit.run(out),
        }
    }
}

impl Init {
    fn run(self, out: &Output) -> anyhow::Result<Exit> {
        let request = GenesisRequest::parse(&files::read_text(&self.request)?)
            .map_err(|error| Usage(format!("{}: {error}", self.request.display())))?;
        let key = files::signing_key(&self.key)?;
        let mut operators = vec![key.public()];
        for path in &self.operators {
            operators.push(files::public_key(path)?);
        }
        let origin = &request.log().origin;
        out.notice(&format!(
            "signing entry 0 of {origin}: checkpoint key {}, operator {}",
            request.log().checkpoint,
            key.public().thumbprint()
        ));
        let genesis = self.sign(&request, operators, &key)?;
        files::create_new(&self.out, 0o644, genesis.entry())?;
        let digest = govlog_formats::digest::Digest::sha256(genesis.entry()).to_string();
        out.result(&digest, json!({ "origin": origin, "genesis": digest, "file": self.out.display().to_string() }));
        Ok(Exit::Ok)
    }

    /// Signs entry 0, and judges it as every reader of the log will.
    fn sign(
        &self,
        request: &GenesisRequest,
        operators: Vec<PublicKey>,
        key: &SigningKey,
    ) -> anyhow::Result<SignedStatement> {
        let now_s = time::now_s();
        let fields = ChangeFields {
            event_ms: now_s.saturating_mul(1000),
            operators,
            threshold: self.threshold.map(NonZeroU64::get),
            log: Some(request.log().clone()),
            ..ChangeFields::default()
        };
        let change = Change::new(fields).map_err(|error| Usage(error.to_string()))?;
        let genesis = operator_statement(&request.log().origin, &change, Expected::START, now_s, key)
            .context("signing entry 0")?;
        PolicyState::genesis(&genesis).map_err(|error| Usage(error.to_string()))?;
        Ok(genesis)
    }
}

/// The server of a log; a folder takes no statements.
fn http<'s>(source: &'s Source, log: &str) -> Result<&'s Http, Usage> {
    source.http().ok_or_else(|| Usage(format!("{log}: this needs a log's address")))
}

fn in_file(path: &Path) -> impl Fn(ProposalError) -> Usage + '_ {
    move |error| Usage(format!("{}: {error}", path.display()))
}

/// What a failure to bring a statement in means for the exit code.
fn not_brought(error: BringError) -> anyhow::Error {
    match error {
        BringError::Update(error) => super::trust::refuting(error),
        BringError::Refused { .. } => Usage(error.to_string()).into(),
        other => anyhow::Error::new(other),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::OpenOptionsExt as _;

    use govlog_formats::cose::Curve;

    use super::*;
    use crate::source::Outbound;
    use crate::testing::TestLog;

    #[test]
    fn entry_0_names_every_operator_and_how_many_of_them_a_change_takes() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let key = |seed: u8, name: &str| {
            let key = SigningKey::from_seed(Curve::Ed25519, &[seed; 32]).unwrap();
            let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path(name)).unwrap();
            std::io::Write::write_all(&mut &file, key.to_pkcs8_pem().as_bytes()).unwrap();
            std::fs::write(path(&format!("{name}.pub")), key.public().to_spki_pem()).unwrap();
            key.public().thumbprint()
        };
        let kids = [key(1, "first.key"), key(2, "second.key"), key(3, "third.key")];
        let genesis = SignedStatement::parse(&TestLog::new().entries[0]).unwrap();
        let log = PolicyState::genesis(&genesis).unwrap().log().clone();
        std::fs::write(path("request"), GenesisRequest::new(log).unwrap().encode()).unwrap();
        let init = |operators: &[&str], threshold: Option<u64>, out: &str| {
            let command = Init {
                request: path("request"),
                key: path("first.key"),
                operators: operators.iter().map(|name| path(name)).collect(),
                threshold: threshold.and_then(NonZeroU64::new),
                out: path(out),
            };
            command.run(&Output::new(true, Outbound::default()))
        };
        let read = |name: &str| {
            let statement = SignedStatement::parse(&std::fs::read(path(name)).unwrap()).unwrap();
            let policy = PolicyState::genesis(&statement).unwrap();
            let mut named: Vec<_> = policy.operators().map(|(kid, _)| *kid).collect();
            named.sort_unstable();
            (named, policy.threshold())
        };
        let sorted = |kids: &[govlog_formats::digest::Digest]| {
            let mut kids = kids.to_vec();
            kids.sort_unstable();
            kids
        };
        assert_eq!(init(&["second.key.pub", "third.key.pub"], Some(2), "two-of-three").unwrap(), Exit::Ok);
        assert_eq!(read("two-of-three"), (sorted(&kids), 2));
        assert_eq!(init(&["second.key.pub"], None, "one-of-two").unwrap(), Exit::Ok);
        assert_eq!(read("one-of-two"), (sorted(&kids[..2]), 1));
        assert_eq!(init(&[], None, "alone").unwrap(), Exit::Ok);
        assert_eq!(read("alone"), (sorted(&kids[..1]), 1));
        // What no change could ever meet is not signed, for an operator named twice is one; and no private key is taken for a public one.
        for (operators, threshold) in [
            (&["second.key.pub"][..], Some(3)),
            (&[], Some(2)),
            (&["first.key.pub"], Some(2)),
            (&["second.key"], None),
            (&["none.pub"], None),
        ] {
            let error = init(operators, threshold, "refused").unwrap_err();
            assert_eq!(Exit::of(&error), Exit::Usage, "{operators:?} {threshold:?}: {error:#}");
            assert!(!path("refused").exists(), "{operators:?} {threshold:?}");
        }
        // And an entry 0 that is there is not written over.
        assert_eq!(Exit::of(&init(&[], None, "alone").unwrap_err()), Exit::Usage);
    }
}
