//! `govlog-server init`.

use std::io::{self, Write};

use govlog_formats::note::Vkey;

use crate::clock::Clock;
use crate::init::{self, InitError, Plan, Quorum, WitnessLine};

use super::args::{InitArgs, QuorumArg};

/// Makes a log as the arguments say. On success `out` gets one line, the log's vkey, and `notices` what to do next.
///
/// # Errors
/// Why no log was made, or why nobody could be told.
pub fn init(args: &InitArgs, clock: &dyn Clock, out: &mut dyn Write, notices: &mut dyn Write) -> Result<(), CliError> {
    let (vkey, notice) = make(args, clock)?;
    writeln!(notices, "{notice}")?;
    writeln!(out, "{vkey}")?;
    Ok(out.flush()?)
}

/// Why a command did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// No log was made.
    #[error(transparent)]
    Init(#[from] InitError),
    /// Standard output or error is gone.
    #[error("can not write the result: {0}")]
    Output(#[from] io::Error),
}

fn make(args: &InitArgs, clock: &dyn Clock) -> Result<(Vkey, String), InitError> {
    let dir = args.dir.display();
    let run = format!("Start it: govlog-server run --config {dir}/{}", init::CONFIG);
    if let Some(genesis) = &args.genesis {
        return Ok((init::begin(&args.dir, genesis, clock)?, format!("The log has its entry 0.\n{run}")));
    }
    let plan = plan(args)?;
    if args.demo {
        let notice = format!(
            "This log is for trying out: its operator's key lies beside it, in {dir}/{}.\n\
             Verifiers pin {dir}/{}.\n{run}",
            init::DEMO_OPERATOR,
            init::DEMO_GENESIS
        );
        return Ok((init::demo(&plan, clock)?, notice));
    }
    let notice = format!(
        "Next, the operator signs entry 0: govlog admission init --request {dir}/{} --key operator.key --out genesis.cose\n\
         Then: govlog-server init --dir {dir} --genesis genesis.cose",
        init::REQUEST
    );
    Ok((init::prepare(&plan)?, notice))
}

fn plan(args: &InitArgs) -> Result<Plan, InitError> {
    let witnesses = args.witness.iter().map(|line| WitnessLine::parse(line)).collect::<Result<_, _>>()?;
    Ok(Plan {
        dir: args.dir.clone(),
        origin: args.origin.clone().unwrap_or_default(),
        listen: args.listen,
        admin: args.admin,
        witnesses,
        quorum: args.quorum.map(|quorum| match quorum {
            QuorumArg::None => Quorum::None,
            QuorumArg::AtLeast(number) => Quorum::AtLeast(number),
        }),
    })
}
