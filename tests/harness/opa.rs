//! A source that behaves as OPA does: it holds its uploads in order, and sends each again until it hears that it was taken.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::Broken;
use crate::http::{Answer, Client};
use crate::upload::{Id, Upload, captured};
use crate::wait::{SOON, until};
use govlog_client::testing::Random;

/// One instance with its decision log; it never runs out of decisions.
#[derive(Debug)]
pub struct Opa {
    captured: Vec<Upload>,
    /// The same events, a few to an upload.
    pieces: Vec<Upload>,
    /// How many uploads were begun.
    begun: usize,
    current: Option<Upload>,
    /// The last ones that were acknowledged.
    acknowledged: VecDeque<Upload>,
    random: Random,
    /// All events that it sent at least once and, when it has settled, heard to be taken.
    pub sent: BTreeMap<Id, Value>,
    /// How often it was told to come again, or heard nothing.
    pub repeated: usize,
}

/// What a source heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The upload was taken.
    Taken,
    /// There was no room for it.
    Busy,
    /// Nothing.
    Silence,
}

impl Opa {
    /// Makes the captured instance `a` or `b`; `seed` decides which acknowledgements it does not hear.
    #[must_use]
    pub fn new(instance: &str, seed: u64) -> Self {
        let captured = captured(instance);
        let pieces = captured.iter().flat_map(Upload::cut).collect();
        Self {
            captured,
            pieces,
            begun: 0,
            current: None,
            acknowledged: VecDeque::new(),
            random: Random(seed),
            sent: BTreeMap::new(),
            repeated: 0,
        }
    }

    /// How many uploads it has begun to send.
    #[must_use]
    pub fn begun(&self) -> usize {
        self.begun
    }

    /// How many uploads of it were captured.
    #[must_use]
    pub fn captured(&self) -> usize {
        self.captured.len()
    }

    /// Makes it never send again what was acknowledged before.
    pub fn forget_acknowledged(&mut self) {
        self.acknowledged.clear();
    }

    /// Sends the upload that is first in line, once.
    ///
    /// # Errors
    /// When the answer is one that OPA would hear for ever.
    pub fn step(&mut self, client: &mut Client) -> Result<Heard, Broken> {
        let upload = match self.current.take() {
            Some(upload) => upload,
            None => self.next(),
        };
        let heard = heard(&upload.post(client))?;
        // An acknowledgement that got lost: it was taken, and comes again.
        let is_lost = heard == Heard::Taken && self.random.below(LOST_ACKS) == 0;
        if heard == Heard::Taken && !is_lost {
            self.acknowledged.push_back(upload);
            if self.acknowledged.len() > REMEMBERED {
                self.acknowledged.pop_front();
            }
        } else {
            self.current = Some(upload);
            self.repeated += 1;
        }
        Ok(heard)
    }

    fn next(&mut self) -> Upload {
        // One that was acknowledged long ago comes again when an instance is restored or its buffer was.
        if !self.acknowledged.is_empty() && self.random.below(SENT_AGAIN) == 0 {
            self.repeated += 1;
            return self.acknowledged[self.random.below(self.acknowledged.len())].clone();
        }
        // All that was captured, as it was; then the same in small portions and under other ids.
        let upload = match self.begun.checked_sub(self.captured.len()) {
            None => self.captured[self.begun].clone(),
            Some(made) => {
                let round = u64::try_from(made / self.pieces.len()).unwrap() + 1;
                self.pieces[made % self.pieces.len()].derived(round)
            }
        };
        self.begun += 1;
        self.sent.extend(upload.events().into_iter().map(|event| (event.id, event.value)));
        upload
    }

    /// Sends until so many uploads were begun and all of them are taken.
    ///
    /// # Errors
    /// As [`Self::step`]; the agent is there all the time, and has room.
    pub fn send_all(&mut self, client: &mut Client, uploads: usize) -> Result<(), Broken> {
        while self.begun < uploads || self.current.is_some() {
            let heard = self.step(client)?;
            if heard != Heard::Taken {
                return Err(Broken(format!("an upload heard {heard:?}")));
            }
        }
        Ok(())
    }

    /// Sends what is first in line until it is taken.
    ///
    /// # Errors
    /// As [`Self::step`].
    ///
    /// # Panics
    /// When that takes too long.
    pub fn settle(&mut self, client: &mut Client) -> Result<(), Broken> {
        until("the last upload to be taken", SOON, || match self.current {
            None => Some(Ok(())),
            Some(_) => self.step(client).err().map(Err),
        })
    }
}

/// Reads an answer as OPA does.
fn heard(answer: &std::io::Result<Answer>) -> Result<Heard, Broken> {
    match answer {
        Ok(answer) if answer.status == 200 => Ok(Heard::Taken),
        Ok(answer) if answer.status == 503 && answer.header("retry-after").is_some() => Ok(Heard::Busy),
        Ok(answer) => Err(Broken(format!("an upload was answered {}: {}", answer.status, answer.text()))),
        Err(_) => Ok(Heard::Silence),
    }
}

/// One acknowledgement in so many is not heard.
const LOST_ACKS: usize = 7;
/// Before one new upload in so many, an old one comes again.
const SENT_AGAIN: usize = 9;
/// How many old ones are at hand for that.
const REMEMBERED: usize = 5;

/// Instances that upload at the same time.
#[derive(Debug)]
pub struct Sources(pub Vec<Opa>);

impl Sources {
    /// The two captured instances.
    #[must_use]
    pub fn captured(seed: u64) -> Self {
        Self(vec![Opa::new("a", seed | 1), Opa::new("b", seed.rotate_left(17) | 1)])
    }

    /// Uploads for as long as `go_on` says; who hears nothing stops.
    ///
    /// # Errors
    /// As [`Opa::step`].
    pub fn upload(&mut self, agent: SocketAddr, mut go_on: impl FnMut() -> bool) -> Result<(), Broken> {
        let stop = Arc::new(AtomicBool::new(false));
        std::thread::scope(|scope| {
            let running: Vec<_> = self
                .0
                .iter_mut()
                .map(|opa| {
                    let stop = Arc::clone(&stop);
                    scope.spawn(move || opa.upload_until(agent, &stop))
                })
                .collect();
            while go_on() {
                std::thread::sleep(BETWEEN_LOOKS);
            }
            stop.store(true, Ordering::Relaxed);
            running.into_iter().try_for_each(|thread| thread.join().unwrap())
        })
    }

    /// All that was sent, by all of them.
    #[must_use]
    pub fn sent(&self) -> BTreeMap<Id, Value> {
        self.0.iter().flat_map(|opa| opa.sent.clone()).collect()
    }

    /// Sends what is first in line everywhere until it is taken.
    ///
    /// # Errors
    /// As [`Opa::step`].
    pub fn settle(&mut self, agent: SocketAddr) -> Result<(), Broken> {
        self.0.iter_mut().try_for_each(|opa| opa.settle(&mut Client::new(agent).patient_for(SOON)))
    }
}

impl Opa {
    fn upload_until(&mut self, agent: SocketAddr, stop: &AtomicBool) -> Result<(), Broken> {
        let mut client = Client::new(agent).patient_for(SOON);
        while !stop.load(Ordering::Relaxed) {
            if self.step(&mut client)? == Heard::Silence {
                break;
            }
            // Decisions come at some rate; nothing waits for this.
            std::thread::sleep(BETWEEN_UPLOADS);
        }
        Ok(())
    }
}

/// Not a time that anything depends on.
const BETWEEN_LOOKS: Duration = Duration::from_millis(3);
/// How fast decisions are made.
const BETWEEN_UPLOADS: Duration = Duration::from_millis(10);
