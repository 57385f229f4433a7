//! Submitters that sign once, resend the same bytes until they are acknowledged, and write down every promise.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use govlog_formats::batch::{self, BatchResult};
use govlog_formats::cose::PublicKey;
use govlog_formats::digest::Digest;
use govlog_formats::receipt::Receipt;
use govlog_formats::statement::SignedStatement;
use govlog_formats::tlog_policy::Policy;
use govlog_formats::tlog_proof::TlogProof;

use crate::http::{Answer, Client};
use crate::log::{COSE, location};
use crate::wait::SOON;
use crate::{Broken, Issuer, Ledger, Log};

/// How a submitter hands its statements in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `POST /entries`: acknowledged by the place alone.
    Place,
    /// `POST /entries?wait=committed`: acknowledged by a receipt.
    Receipt,
    /// `POST /v1/batches` with so many statements: acknowledged by proof files.
    Batch(usize),
}

/// One issuer at work.
#[derive(Debug)]
pub struct Submitter {
    /// Who signs.
    pub issuer: Issuer,
    way: Way,
    pending: VecDeque<SignedStatement>,
    confirmed: Vec<SignedStatement>,
}

/// What promises are judged by, and where they are written down.
#[derive(Clone, Debug)]
pub struct Judge {
    /// Where promises go.
    pub ledger: Arc<Ledger>,
    policy: Policy,
    receipt_keys: Vec<PublicKey>,
}

/// What became of one request.
#[derive(Debug)]
enum Step {
    Done,
    /// Not taken for now.
    Later,
    /// The connection broke: nobody knows what the server has done.
    Lost,
}

/// All submitters of a log.
#[derive(Debug)]
pub struct Crowd {
    submitters: Vec<Submitter>,
    judge: Judge,
}

impl Judge {
    /// Takes keys and quorum of a log, and opens a ledger.
    #[must_use]
    pub fn of(log: &Log) -> Self {
        Self { ledger: Arc::default(), policy: log.policy.clone(), receipt_keys: log.receipt_keys() }
    }

    /// Judges a note, and writes down its head.
    ///
    /// # Errors
    /// When the log has not signed it, or has signed another of its size.
    pub fn note(&self, note: &[u8]) -> Result<(), Broken> {
        let verified = self.policy.verify_checkpoint(note).map_err(broken)?;
        let checkpoint = verified.checkpoint();
        self.ledger.signed(checkpoint.size.get(), checkpoint.root)
    }

    /// Judges a proof file, and writes down entry and head.
    ///
    /// # Errors
    /// When it does not prove that the entry stands at this index.
    pub fn proof(&self, index: u64, leaf: Digest, file: &[u8]) -> Result<(), Broken> {
        let proof = TlogProof::parse(file).map_err(broken)?;
        if proof.index.get() != index {
            return Err(Broken(format!("the proof of entry {index} is of {}", proof.index)));
        }
        proof.verify(&leaf, &self.policy).map_err(broken)?;
        self.note(&proof.checkpoint)?;
        self.ledger.acknowledged(index, leaf)
    }

    /// Judges a receipt, and writes down entry and head.
    ///
    /// # Errors
    /// When it does not prove that the statement stands at this index.
    pub fn receipt(&self, index: u64, statement: &SignedStatement, bytes: &[u8]) -> Result<(), Broken> {
        let receipt = Receipt::parse(bytes).map_err(broken)?;
        let key = self.receipt_keys.iter().find(|key| key.thumbprint() == receipt.kid());
        let key = key.ok_or_else(|| Broken(format!("receipt of an unknown key {}", receipt.kid())))?;
        let leaf = statement.leaf_hash();
        let verified = receipt.verify(&leaf, &statement.claims().sub, key).map_err(broken)?;
        let head = self.policy.verify_checkpoint(receipt.note()).map_err(broken)?;
        let bound = verified.bind(head.checkpoint()).map_err(broken)?;
        if bound.index().get() != index {
            return Err(Broken(format!("the receipt of entry {index} is of {}", bound.index())));
        }
        self.note(receipt.note())?;
        self.ledger.acknowledged(index, leaf)
    }
}

fn broken(error: impl std::error::Error) -> Broken {
    Broken(error.to_string())
}

impl Submitter {
    /// Puts an issuer to work.
    #[must_use]
    pub fn new(issuer: Issuer, way: Way) -> Self {
        Self { issuer, way, pending: VecDeque::new(), confirmed: Vec::new() }
    }

    /// Sends what waits, or something new.
    fn step(&mut self, client: &mut Client, judge: &Judge) -> Result<Step, Broken> {
        let wanted = if let Way::Batch(count) = self.way { count } else { 1 };
        while self.pending.len() < wanted {
            self.pending.push_back(self.issuer.sign_next());
        }
        self.send(client, judge)
    }

    fn send(&mut self, client: &mut Client, judge: &Judge) -> Result<Step, Broken> {
        let answer = match self.way {
            Way::Batch(_) => {
                let body: Vec<u8> = self.pending.iter().flat_map(|statement| statement.entry()).copied().collect();
                client.post("/v1/batches", batch::CONTENT_TYPE, &body)
            }
            Way::Place => client.post("/entries", COSE, self.pending[0].entry()),
            Way::Receipt => client.post("/entries?wait=committed", COSE, self.pending[0].entry()),
        };
        let Ok(answer) = answer else { return Ok(Step::Lost) };
        match (self.way, answer.status) {
            (_, 429 | 503) => Ok(Step::Later),
            (Way::Batch(_), 200) => self.results(&answer, judge),
            (Way::Receipt, 201) => {
                let index = location(answer.header("location")).index.get();
                judge.receipt(index, &self.pending[0], &answer.body)?;
                self.confirm();
                Ok(Step::Done)
            }
            (Way::Place | Way::Receipt, 303) => {
                let index = location(answer.header("location")).index.get();
                judge.ledger.acknowledged(index, self.pending[0].leaf_hash())?;
                self.confirm();
                Ok(Step::Done)
            }
            _ => Err(Broken(format!("{:?} was answered {}: {}", self.way, answer.status, answer.text()))),
        }
    }

    /// Takes the results of a batch: those that are done are its beginning, for the statements continue one stream.
    fn results(&mut self, answer: &Answer, judge: &Judge) -> Result<Step, Broken> {
        let results = batch::parse_results(&answer.body).map_err(broken)?;
        if results.len() != self.pending.len() {
            return Err(Broken(format!("{} results for {} statements", results.len(), self.pending.len())));
        }
        for result in &results {
            let BatchResult { status, id, proof, .. } = result;
            match (status, id, proof) {
                (201, Some(id), Some(proof)) => {
                    judge.proof(id.index.get(), self.pending[0].leaf_hash(), proof)?;
                    self.confirm();
                }
                (303 | 429 | 503, ..) => return Ok(Step::Later),
                _ => return Err(Broken(format!("a statement of a batch was answered {result:?}"))),
            }
        }
        Ok(Step::Done)
    }

    fn confirm(&mut self) {
        self.confirmed.extend(self.pending.pop_front());
        if self.confirmed.len() > REMEMBERED {
            self.confirmed.remove(0);
        }
    }

    /// Works until told to stop or cut off.
    fn run(&mut self, mut client: Client, judge: &Judge, stop: &AtomicBool) -> Result<(), Broken> {
        while !stop.load(Ordering::Relaxed) {
            match self.step(&mut client, judge)? {
                Step::Done => {}
                Step::Later => std::thread::sleep(PAUSE),
                Step::Lost => break,
            }
        }
        Ok(())
    }

    /// Resends what was never answered until it is, and then the last statements that were, which must get their old places.
    fn settle(&mut self, mut client: Client, judge: &Judge) -> Result<(), Broken> {
        let known = self.confirmed.clone();
        let end = Instant::now() + SOON;
        while !self.pending.is_empty() {
            match self.send(&mut client, judge)? {
                Step::Done => {}
                _ if Instant::now() > end => return Err(Broken(format!("not answered within {SOON:?}"))),
                Step::Later | Step::Lost => std::thread::sleep(PAUSE),
            }
        }
        // The ledger knows their places, and refuses others.
        self.pending.extend(known);
        while !self.pending.is_empty() {
            match self.send(&mut client, judge)? {
                Step::Done => {}
                Step::Later | Step::Lost if Instant::now() < end => std::thread::sleep(PAUSE),
                Step::Later | Step::Lost => return Err(Broken("a duplicate was not answered".into())),
            }
        }
        Ok(())
    }
}

/// How many acknowledged statements a submitter keeps to send once more.
const REMEMBERED: usize = 5;

/// Before a refused statement is sent again.
const PAUSE: Duration = Duration::from_millis(3);

impl Crowd {
    /// Admits issuers to a running log, one for each way, and puts them to work.
    #[must_use]
    pub fn admitted_to(log: &mut Log) -> Self {
        Self::of_ways(log, &[Way::Batch(7), Way::Receipt, Way::Place])
    }

    /// Admits issuers to a running log for these ways.
    #[must_use]
    pub fn of_ways(log: &mut Log, ways: &[Way]) -> Self {
        let issuers: Vec<Issuer> = (0u8..).zip(ways).map(|(number, _)| Issuer::new(number, &log.origin)).collect();
        log.admit(&issuers);
        let submitters = issuers.into_iter().zip(ways).map(|(issuer, way)| Submitter::new(issuer, *way)).collect();
        Self { submitters, judge: Judge::of(log) }
    }

    /// Where promises are written down.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.judge.ledger
    }

    /// What promises are judged by.
    #[must_use]
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// Works for as long as `go_on` says, each submitter until it is cut off.
    ///
    /// # Errors
    /// The first promise that was broken.
    pub fn work(&mut self, log: &mut Log, mut go_on: impl FnMut(&mut Log) -> bool) -> Result<(), Broken> {
        let (stop, judge) = (AtomicBool::new(false), &self.judge);
        std::thread::scope(|scope| {
            let client = || log.client().patient_for(SOON);
            let running: Vec<_> = self
                .submitters
                .iter_mut()
                .map(|submitter| {
                    let (client, stop) = (client(), &stop);
                    scope.spawn(move || submitter.run(client, judge, stop))
                })
                .collect();
            while go_on(log) && !running.iter().any(|thread| thread.is_finished() && log.is_running()) {
                std::thread::sleep(PAUSE);
            }
            stop.store(true, Ordering::Relaxed);
            running.into_iter().try_for_each(|thread| thread.join().unwrap())
        })
    }

    /// Works until so many more entries are acknowledged.
    ///
    /// # Errors
    /// The first promise that was broken, or that it takes too long.
    pub fn submit(&mut self, log: &mut Log, count: usize) -> Result<(), Broken> {
        let ledger = Arc::clone(&self.judge.ledger);
        let (goal, end) = (ledger.count() + count, Instant::now() + SOON);
        self.work(log, |_| ledger.count() < goal && Instant::now() < end)?;
        if ledger.count() < goal {
            return Err(Broken(format!("{} of {goal} entries were acknowledged within {SOON:?}", ledger.count())));
        }
        Ok(())
    }

    /// Works until the process ends by itself, and returns how.
    ///
    /// # Errors
    /// The first promise that was broken.
    pub fn work_until_end(&mut self, log: &mut Log) -> Result<crate::Ended, Broken> {
        let end = Instant::now() + SOON;
        self.work(log, |log| log.is_running() && Instant::now() < end)?;
        Ok(log.ended(SOON))
    }

    /// Resends what was never answered, and the last of what was.
    ///
    /// # Errors
    /// When a statement gets no answer, or another place than before.
    pub fn settle(&mut self, log: &Log) -> Result<(), Broken> {
        let judge = &self.judge;
        std::thread::scope(|scope| {
            let running: Vec<_> = self
                .submitters
                .iter_mut()
                .map(|submitter| {
                    let client = log.client().patient_for(SOON);
                    scope.spawn(move || submitter.settle(client, judge))
                })
                .collect();
            running.into_iter().try_for_each(|thread| thread.join().unwrap())
        })
    }
}
