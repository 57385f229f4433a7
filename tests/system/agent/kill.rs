//! The kill loop: the agent is killed at every named place and at any other, while its sources upload, the log is killed, and witnesses
//! go. In the end every event is in the log exactly once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use govlog_client::testing::Random;
use harness::agent::{QUICK_BATCHED, captured_groups};
use harness::network::Plan;
use harness::opa::Sources;
use harness::witness::Witness;
use harness::{Ended, Faults};

use super::{LONGEST_LIFE, Scene};
use crate::NODE;

/// All fail points but those of what is read, in the order of their documentation.
pub(super) const POINTS: [&str; 9] = [
    "receive::before_write",
    "receive::after_write",
    "sign::before_write",
    "sign::after_write",
    "send::before",
    "send::after",
    "confirm::after_answer",
    "confirm::after_openings",
    "confirm::after_delete",
];

/// How often the agent is killed.
const KILLS: usize = 216;

/// How often at each place, at least.
const KILLS_AT_EACH: usize = 8;

/// What is there besides the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    Fair,
    /// The log is down.
    NoLog,
    /// The log has too few witnesses to publish.
    NoWitnesses,
}

impl Weather {
    /// The places that are reached in it.
    fn points(self) -> &'static [&'static str] {
        match self {
            Self::Fair => &POINTS,
            Self::NoLog => &POINTS[..5],
            Self::NoWitnesses => &POINTS[..6],
        }
    }
}

/// How a life of the agent ends.
#[derive(Debug)]
enum Blow {
    /// At this place, after it was passed so often.
    At(&'static str, usize),
    /// So long after it has begun to listen.
    After(Duration),
    /// So long after it was started, whether it listens or not.
    Starting(Duration),
}

/// What happened.
#[derive(Default)]
struct Tally {
    at: BTreeMap<&'static str, usize>,
    at_any_time: usize,
    while_starting: usize,
    log_killed: usize,
    witnesses_gone: usize,
}

impl Tally {
    fn kills(&self) -> usize {
        self.at.values().sum::<usize>() + self.at_any_time + self.while_starting
    }

    fn at(&self, point: &str) -> usize {
        self.at.get(point).copied().unwrap_or_default()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at_any_time, while_starting, log_killed, witnesses_gone, .. } = self;
        write!(f, "killed {} times: at any time {at_any_time}, while starting {while_starting}", self.kills())?;
        self.at.iter().try_for_each(|(point, times)| write!(f, ", {point} {times}"))?;
        write!(f, "; the log killed {log_killed} times, the witnesses gone {witnesses_gone} times")
    }
}

/// What is around the sources.
struct World {
    scene: Scene,
    weather: Weather,
    tally: Tally,
}

impl World {
    /// Changes the weather, whatever the agent is doing.
    fn turn(&mut self, next: Weather) {
        let network = &mut self.scene.network;
        match (self.weather, next) {
            (Weather::NoLog, Weather::Fair) => self.scene.start_log(),
            (Weather::NoWitnesses, Weather::Fair) => network.witnesses[..2].iter_mut().for_each(Witness::start),
            (Weather::Fair, Weather::NoLog) => {
                network.log.kill();
                self.tally.log_killed += 1;
            }
            (Weather::Fair, Weather::NoWitnesses) => {
                network.witnesses[..2].iter_mut().for_each(Witness::kill);
                self.tally.witnesses_gone += 1;
            }
            _ => {}
        }
        self.weather = next;
    }

    fn died(&mut self, blow: &Blow, ended: &Ended) {
        let (life, weather) = (self.tally.kills() + 1, self.weather);
        let how = || format!("life {life}, {blow:?}, {weather:?}: {} {}", ended.status, ended.stderr);
        match blow {
            Blow::At(point, _) => {
                assert!(ended.aborted(), "its place was not reached: {}", how());
                *self.tally.at.entry(point).or_default() += 1;
            }
            Blow::After(_) | Blow::Starting(_) => {
                assert_eq!(ended.signal(), Some(9), "{}", how());
                let is_starting = matches!(blow, Blow::Starting(_));
                *(if is_starting { &mut self.tally.while_starting } else { &mut self.tally.at_any_time }) += 1;
            }
        }
    }
}

struct Loop {
    world: World,
    sources: Sources,
    random: Random,
    /// How many more lives the weather lasts.
    lasts: usize,
}

impl Loop {
    fn new(seed: u64) -> Self {
        // Permits in batches, the rest alone: both ways through the outbox.
        let scene = Scene::with(Plan::new(NODE).witnesses(3, 2), &(QUICK_BATCHED.to_owned() + &captured_groups()));
        let world = World { scene, weather: Weather::Fair, tally: Tally::default() };
        Self { world, sources: Sources::captured(seed), random: Random(seed | 1), lasts: 10 }
    }

    /// One life of the agent: it starts, the weather may change while it works, it dies.
    fn live(&mut self) {
        let next = self.next_weather();
        let blow = self.next_blow(next);
        let faults = if let Blow::At(point, passes) = blow { Faults::kill(point, passes) } else { Faults::none() };
        if let Blow::Starting(time) = blow {
            let ended = self.world.scene.agent.kill_while_starting(time);
            self.world.died(&blow, &ended);
        } else {
            match self.world.scene.agent.try_start(&faults) {
                Ok(()) => self.work(&blow, next),
                Err(ended) => self.world.died(&blow, &ended),
            }
        }
        self.world.turn(next);
    }

    /// The sources upload until the blow falls.
    fn work(&mut self, blow: &Blow, next: Weather) {
        let (begun, world) = (Instant::now(), &mut self.world);
        let limit = if let Blow::After(time) = blow { *time } else { LONGEST_LIFE };
        let turns_at = Duration::from_millis(self.random.below(40) as u64);
        let uploaded = self.sources.upload(world.scene.agent.address(), || {
            if begun.elapsed() >= turns_at {
                world.turn(next);
            }
            world.scene.agent.is_running() && begun.elapsed() < limit
        });
        uploaded.unwrap_or_else(|broken| panic!("life {}, {blow:?}: {broken}", world.tally.kills() + 1));
        let ended = world.scene.agent.kill();
        world.died(blow, &ended);
    }

    fn next_weather(&mut self) -> Weather {
        if self.lasts > 0 {
            self.lasts -= 1;
            return self.world.weather;
        }
        let next = match self.world.weather {
            Weather::Fair if self.random.below(2) == 0 => Weather::NoLog,
            Weather::Fair => Weather::NoWitnesses,
            Weather::NoLog | Weather::NoWitnesses => Weather::Fair,
        };
        self.lasts = if next == Weather::Fair { 5 + self.random.below(6) } else { 1 + self.random.below(3) };
        next
    }

    /// Three in four fall at a named place that is reached in this weather, the one that had the fewest.
    fn next_blow(&mut self, weather: Weather) -> Blow {
        match self.random.below(16) {
            0 => Blow::Starting(Duration::from_millis(self.random.below(60) as u64)),
            1..4 => Blow::After(Duration::from_millis(self.random.below(250) as u64)),
            _ => {
                let place = weather.points().iter().min_by_key(|point| self.world.tally.at(point)).unwrap();
                Blow::At(place, [0, 0, 1, 2, 3, 5][self.random.below(6)])
            }
        }
    }
}

/// A seed that is another each time, unless one is given to see a run again.
fn seed() -> u64 {
    let given = std::env::var("KILL_SEED").ok().map(|seed| seed.parse().unwrap());
    given.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into())
}

#[test]
fn every_event_is_logged_once_however_often_the_agent_is_killed() {
    let (seed, begun) = (seed(), Instant::now());
    println!("KILL_SEED={seed}");
    let mut kills = Loop::new(seed);
    while kills.world.tally.kills() < KILLS {
        kills.live();
    }
    kills.world.turn(Weather::Fair);
    let Loop { world: World { scene: mut last, tally, .. }, mut sources, .. } = kills;
    last.start();
    sources.settle(last.agent.address()).unwrap();
    let recorded = last.all_logged(&sources);

    assert!(recorded.quarantines.is_empty(), "{:?}", recorded.quarantines);
    let batched: usize = recorded.decisions.values().flatten().filter(|entry| entry.is_member()).count();
    assert!(batched > 100 && recorded.batches.len() > 20, "{batched} in {} batches", recorded.batches.len());
    // A stream for each instance, and no death gave rise to another.
    let instances: BTreeSet<_> = sources.sent().into_keys().map(|(instance, _)| instance).collect();
    let opened = recorded.opened_streams();
    assert!(opened.iter().all(|(_, _, predecessor)| predecessor.is_none()), "{opened:?}");
    assert_eq!(opened.len(), instances.len(), "{opened:?}");
    last.agent.reader.trusting(&["audit", "--structure", "--log", &last.network.log.url()]).expect(0);
    last.agent.stop();

    for point in POINTS {
        assert!(tally.at(point) >= KILLS_AT_EACH, "{point} is hit too seldom: {tally}");
    }
    assert!(tally.log_killed >= 3 && tally.witnesses_gone >= 3, "{tally}");
    let uploads: usize = sources.0.iter().map(|opa| opa.begun()).sum();
    let repeated: usize = sources.0.iter().map(|opa| opa.repeated).sum();
    let line = format!(
        "{tally}; {} events ({batched} of them in {} batches) in {uploads} uploads, {repeated} sent again; {:.0?}; KILL_SEED={seed}\n",
        recorded.decisions.len(),
        recorded.batches.len(),
        begun.elapsed()
    );
    // To be seen when all went well, too.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
