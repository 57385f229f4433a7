//! Who was heard since this process began, and who may have more to say.
//!
//! ```text
//! an upload is kept        ─▶ in touch; behind, if it brought something late
//! an upload is refused     ─▶ spoke, behind, and owes it for as long as who is gone is waited for: what is refused comes again
//! nobody knows whose it is ─▶ all of its route may be behind
//! a status is taken        ─▶ in touch, unless an upload is owed
//! ```
//!
//! In memory alone: another process knows only who was there, and that it heard nobody meanwhile.
//!
//! Trust: whoever may upload says by it that it lives. It can make others wait for it no longer than they mean to, and hides nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::world::millis;

/// What is known of all who upload.
#[derive(Debug, Default)]
pub struct Heard(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    began_ms: u64,
    late_after_ms: u64,
    /// By route and instance.
    instances: HashMap<(String, String), Instance>,
    /// When an upload on a route last came from nobody knows whom.
    unnamed_ms: HashMap<String, u64>,
    /// Up to when each reader has looked at everything.
    reached_ms: HashMap<String, u64>,
}

/// What is known of one instance.
#[derive(Clone, Copy, Debug, Default)]
struct Instance {
    /// When it last uploaded decisions, whether they were kept or not.
    spoke_ms: Option<u64>,
    /// When an upload of it was last taken: it has nothing older.
    touch_ms: Option<u64>,
    /// When a status of it was last taken: it has nothing older but what it owes.
    status_ms: Option<u64>,
    /// When it was last known to have more than it had sent.
    behind_ms: u64,
    /// When it last gave any sign of life.
    alive_ms: u64,
    /// When an upload of it was last refused, if none was kept since.
    owes_ms: Option<u64>,
}

/// What came of an upload of decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upload {
    /// It is kept; the oldest of its decisions was so old.
    Kept {
        /// By the clock of who decided; none: they do not say.
        oldest_ms: Option<u64>,
    },
    /// It was refused, and comes again.
    Refused,
}

/// Whether a decision may still be under way.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The routes on which it would come; none: on any.
    pub routes: Option<&'a [String]>,
    /// Since when somebody looks for it.
    pub since_ms: u64,
    /// How long a decision takes to come, as long as nothing is in its way.
    pub settle: Duration,
    /// After how long without a sign of life nobody is waited for.
    pub most: Duration,
    /// The time.
    pub now_ms: u64,
}

/// Who may still send a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// All who would have were in touch since.
    Nobody,
    /// This instance; without a name: nobody was heard yet at all.
    Instance(String),
}

impl Heard {
    /// Begins to listen, knowing of some who were there before.
    pub(super) fn begin<'a>(
        &self,
        now_ms: u64,
        late_after: Duration,
        known: impl Iterator<Item = (&'a str, &'a str)>,
        readers: &[String],
    ) {
        let mut state = self.state();
        (state.began_ms, state.late_after_ms) = (now_ms, millis(late_after));
        for (route, instance) in known.filter(|(_, instance)| !instance.is_empty()) {
            // What it wanted to say meanwhile, nobody heard.
            let there = Instance { behind_ms: now_ms, alive_ms: now_ms, ..Instance::default() };
            state.instances.insert((route.to_owned(), instance.to_owned()), there);
        }
        state.reached_ms = readers.iter().map(|reader| (reader.clone(), 0)).collect();
    }

    /// An instance uploaded decisions.
    pub(super) fn uploaded(&self, route: &str, instance: &str, upload: Upload, now_ms: u64) {
        let mut state = self.state();
        let late_after_ms = state.late_after_ms;
        let heard = state.instance(route, instance);
        (heard.spoke_ms, heard.alive_ms) = (Some(now_ms), now_ms);
        match upload {
            Upload::Kept { oldest_ms } => {
                (heard.touch_ms, heard.owes_ms) = (Some(now_ms), None);
                if oldest_ms.is_some_and(|oldest_ms| now_ms.saturating_sub(oldest_ms) > late_after_ms) {
                    heard.behind_ms = now_ms;
                }
            }
            Upload::Refused => (heard.behind_ms, heard.owes_ms) = (now_ms, Some(now_ms)),
        }
        state.forget_some();
    }

    /// An instance reported its status.
    pub(super) fn reported(&self, route: &str, instance: &str, is_taken: bool, now_ms: u64) {
        let mut state = self.state();
        if is_taken {
            let heard = state.instance(route, instance);
            (heard.status_ms, heard.alive_ms) = (Some(now_ms), now_ms);
            state.forget_some();
        } else if let Some(heard) = state.instances.get_mut(&(route.to_owned(), instance.to_owned())) {
            // It lives, if it is one; by what is refused nobody becomes one.
            heard.alive_ms = now_ms;
        }
    }

    /// An upload of decisions came on a route, and whose it is was not known: it was refused before it was read, or cannot be read.
    pub fn unnamed(&self, route: &str, now_ms: u64) {
        self.state().unnamed_ms.insert(route.to_owned(), now_ms);
    }

    /// When an instance last uploaded decisions, and when somebody did on its route, nobody knows who.
    #[must_use]
    pub fn spoke_ms(&self, route: &str, instance: &str) -> (Option<u64>, Option<u64>) {
        let state = self.state();
        let heard = state.instances.get(&(route.to_owned(), instance.to_owned()));
        (heard.and_then(|heard| heard.spoke_ms), state.unnamed_ms.get(route).copied())
    }

    pub(super) fn awaited(&self, question: &Question<'_>) -> Awaited {
        let state = self.state();
        let asks_for = |route: &str| question.routes.is_none_or(|routes| routes.iter().any(|of| of == route));
        let mut nobody_there = true;
        for ((route, instance), heard) in state.instances.iter().filter(|((route, _), _)| asks_for(route)) {
            nobody_there = false;
            let behind_ms = heard.behind_ms.max(state.unnamed_ms.get(route).copied().unwrap_or(0));
            let settled_ms = question.since_ms.max(behind_ms).saturating_add(millis(question.settle));
            let is_through = heard.touch_ms(question).is_some_and(|touch_ms| touch_ms >= settled_ms);
            if !is_through && !question.is_over(heard.alive_ms) {
                return Awaited::Instance(instance.clone());
            }
        }
        let somebody_may_come = nobody_there && !question.is_over(state.began_ms);
        if somebody_may_come { Awaited::Instance(String::new()) } else { Awaited::Nobody }
    }

    pub(super) fn reached(&self, reader: &str, at_ms: u64) {
        if let Some(reached_ms) = self.state().reached_ms.get_mut(reader) {
            *reached_ms = at_ms;
        }
    }

    /// Up to when all readers have looked at everything; none: there is no reader.
    pub(super) fn reached_ms(&self) -> Option<u64> {
        self.state().reached_ms.values().min().copied()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one of times, none of which depends on another.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn instance(&mut self, route: &str, instance: &str) -> &mut Instance {
        self.instances.entry((route.to_owned(), instance.to_owned())).or_default()
    }

    /// Makes room, should somebody upload in very many names: those go first that nothing was ever taken of, then who was silent for longest.
    fn forget_some(&mut self) {
        if self.instances.len() <= MOST {
            return;
        }
        let mut order: Vec<(bool, u64)> = self.instances.values().map(Instance::worth).collect();
        let (_, least, _) = order.select_nth_unstable(MOST / 8);
        let least = *least;
        self.instances.retain(|_, heard| heard.worth() > least);
    }
}

impl Instance {
    /// When it last had nothing older. What it owes it does not owe for ever: OPA may have dropped that, and then is idle.
    fn touch_ms(&self, question: &Question<'_>) -> Option<u64> {
        let owes = self.owes_ms.is_some_and(|owes_ms| !question.is_over(owes_ms));
        if owes { self.touch_ms } else { self.touch_ms.max(self.status_ms) }
    }

    fn worth(&self) -> (bool, u64) {
        (self.touch_ms.max(self.status_ms).is_some(), self.alive_ms)
    }
}

impl Question<'_> {
    /// Says whether nothing was heard since for too long. By a clock that was set back nothing is over.
    fn is_over(&self, since_ms: u64) -> bool {
        self.now_ms.saturating_sub(since_ms) >= millis(self.most)
    }
}

/// As many as there may be streams. In tests few.
const MOST: usize = if cfg!(test) { 64 } else { 65_536 };

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: &str = "/r";
    const MINUTE: u64 = 60_000;

    /// One who listens since a while, and knows of `a` from before.
    fn heard() -> Heard {
        let heard = Heard::default();
        heard.begin(10 * MINUTE, Duration::from_secs(15), [(ROUTE, "a"), (ROUTE, "")].into_iter(), &[]);
        heard
    }

    fn asks(heard: &Heard, since_ms: u64, now_ms: u64) -> Option<String> {
        let (settle, most) = (Duration::from_secs(15), Duration::from_secs(300));
        match heard.awaited(&Question { routes: None, since_ms, settle, most, now_ms }) {
            Awaited::Nobody => None,
            Awaited::Instance(name) => Some(name),
        }
    }

    const ON_TIME: Upload = Upload::Kept { oldest_ms: None };

    #[test]
    fn who_was_there_before_is_waited_for_until_it_was_in_touch_for_a_while() {
        let (heard, began) = (heard(), 10 * MINUTE);
        assert_eq!(asks(&heard, began, began + MINUTE).as_deref(), Some("a"));
        heard.reported(ROUTE, "a", true, began + 14_999);
        assert_eq!(asks(&heard, began, began + MINUTE).as_deref(), Some("a"), "its first retry may be under way");
        heard.reported(ROUTE, "a", true, began + 15_000);
        assert_eq!(asks(&heard, began, began + MINUTE), None);
        assert_eq!(asks(&heard, began + 1, began + MINUTE).as_deref(), Some("a"), "what is younger has its own time");
    }

    #[test]
    fn who_gives_no_sign_of_life_is_waited_for_no_longer_than_that() {
        let (heard, began) = (heard(), 10 * MINUTE);
        assert_eq!(asks(&heard, began, began + 5 * MINUTE - 1).as_deref(), Some("a"));
        assert_eq!(asks(&heard, began, began + 5 * MINUTE), None);
        assert_eq!(asks(&heard, began, 0).as_deref(), Some("a"), "a clock that was set back makes nobody gone");
        let nobody = Heard::default();
        nobody.begin(began, Duration::from_secs(15), std::iter::empty(), &[]);
        assert_eq!(asks(&nobody, began, began + MINUTE).as_deref(), Some(""), "who comes first is not known");
        assert_eq!(asks(&nobody, began, began + 5 * MINUTE), None);
    }

    #[test]
    fn a_refused_upload_is_owed_whatever_statuses_say_and_one_unheard_puts_off_all_of_its_route() {
        let (heard, began) = (heard(), 10 * MINUTE);
        let at = began + 2 * MINUTE;
        heard.uploaded(ROUTE, "a", ON_TIME, at);
        assert_eq!(asks(&heard, began, at), None);
        heard.uploaded(ROUTE, "a", Upload::Refused, at + 1);
        assert_eq!(heard.spoke_ms(ROUTE, "a"), (Some(at + 1), None), "it spoke all the same");
        heard.reported(ROUTE, "a", true, at + MINUTE);
        assert_eq!(asks(&heard, began, at + MINUTE).as_deref(), Some("a"));
        heard.uploaded(ROUTE, "a", ON_TIME, at + MINUTE + 1);
        assert_eq!(asks(&heard, began, at + 2 * MINUTE), None);
        heard.unnamed(ROUTE, at + 2 * MINUTE);
        assert_eq!(asks(&heard, began, at + 2 * MINUTE).as_deref(), Some("a"));
        heard.reported(ROUTE, "a", true, at + 3 * MINUTE);
        assert_eq!(asks(&heard, began, at + 3 * MINUTE), None);
    }

    #[test]
    fn who_brings_old_decisions_may_have_more_of_them() {
        let (heard, began) = (heard(), 10 * MINUTE);
        let at = began + MINUTE;
        heard.uploaded(ROUTE, "a", Upload::Kept { oldest_ms: Some(at - 15_001) }, at);
        assert_eq!(asks(&heard, began, at).as_deref(), Some("a"));
        heard.uploaded(ROUTE, "a", Upload::Kept { oldest_ms: Some(at + 5_000) }, at + 14_999);
        assert_eq!(asks(&heard, began, at + 15_000).as_deref(), Some("a"));
        heard.uploaded(ROUTE, "a", Upload::Kept { oldest_ms: Some(at) }, at + 15_000);
        assert_eq!(asks(&heard, began, at + 15_000), None);
    }

    #[test]
    fn only_those_who_could_have_decided_are_waited_for() {
        let heard = heard();
        let (now_ms, settle, most) = (11 * MINUTE, Duration::from_secs(15), Duration::from_secs(300));
        let question = |routes| Question { routes, since_ms: 10 * MINUTE, settle, most, now_ms };
        let (other, own) = (["/other".to_owned()], [ROUTE.to_owned()]);
        heard.uploaded("/other", "b", ON_TIME, now_ms);
        assert_eq!(heard.awaited(&question(Some(&other))), Awaited::Nobody);
        assert_eq!(heard.awaited(&question(Some(&own))), Awaited::Instance("a".to_owned()));
    }

    #[test]
    fn what_was_refused_once_and_never_comes_is_not_owed_for_ever() {
        let (heard, at) = (heard(), 12 * MINUTE);
        heard.uploaded(ROUTE, "a", Upload::Refused, at);
        heard.reported(ROUTE, "a", true, at + 5 * MINUTE - 1);
        assert_eq!(asks(&heard, at, at + 5 * MINUTE - 1).as_deref(), Some("a"));
        assert_eq!(asks(&heard, at, at + 5 * MINUTE), None, "OPA dropped it, is idle, and reports that it lives");
        heard.uploaded(ROUTE, "a", Upload::Refused, at + 5 * MINUTE);
        heard.reported(ROUTE, "a", true, at + 6 * MINUTE);
        assert_eq!(asks(&heard, at, at + 6 * MINUTE).as_deref(), Some("a"), "it still tries");
    }

    #[test]
    fn refused_statuses_make_nobody_known() {
        let (heard, began) = (heard(), 10 * MINUTE);
        for number in 0..10 * MOST {
            heard.reported(ROUTE, &format!("name-{number}"), false, began + number as u64);
        }
        assert_eq!(heard.state().instances.len(), 1);
        heard.reported(ROUTE, "a", false, began + 4 * MINUTE);
        assert_eq!(asks(&heard, began, began + 8 * MINUTE).as_deref(), Some("a"), "it lives, and was not in touch");
        for number in 0..10 * MOST {
            heard.reported(ROUTE, &format!("name-{number}"), true, began + number as u64);
        }
        assert!(heard.state().instances.len() <= MOST);
    }

    #[test]
    fn many_names_that_nothing_is_taken_of_put_out_nobody_else() {
        let (heard, began) = (heard(), 10 * MINUTE);
        heard.uploaded(ROUTE, "a", ON_TIME, began + MINUTE);
        for number in 0..10 * MOST {
            heard.uploaded(ROUTE, &format!("name-{number}"), Upload::Refused, began + 2 * MINUTE + number as u64);
        }
        assert!(heard.state().instances.len() <= MOST);
        assert_eq!(heard.spoke_ms(ROUTE, "a").0, Some(began + MINUTE));
    }
}
