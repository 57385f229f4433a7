//! A log's index over HTTP. Its answers are the server's word: it may name too many, and whoever asks looks at each.
//!
//! A matter asks the same again and again: who carries out this, who speaks of that, by every name that an entry has. So what was answered of who
//! has or speaks of a name is kept, and questions that will come are asked several at a time; and of a kind that the log has few of, all are taken
//! instead of asking for each name who of that kind has it. What answers a query, what is newest and how many there are is asked each time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::record::LinkTarget;
use govlog_formats::search::{Column, Filter, Term};

use super::finder::{FindError, Finder, Question, Way, filters};
use crate::source::{Http, at_once};

/// A log's index.
#[derive(Debug)]
pub struct Index<'a> {
    http: &'a Http,
    at: TreeSize,
    most: usize,
    is_cut: bool,
    has_more: bool,
    /// What was answered, by the question's query string.
    answered: HashMap<String, Answer>,
    /// Kinds that the log has few of, and all entries of each; or at least how many it has.
    few: HashMap<String, Few>,
}

/// The entries that were named, and whether there are more.
type Answer = (Vec<LeafIndex>, bool);

#[derive(Debug)]
enum Few {
    All(Vec<LeafIndex>),
    AtLeast(usize),
}

impl<'a> Index<'a> {
    /// Asks a log's server about the entries below a size, and takes so many of each answer at most.
    #[must_use]
    pub fn new(http: &'a Http, at: TreeSize, most: usize) -> Self {
        Self { http, at, most, is_cut: false, has_more: false, answered: HashMap::new(), few: HashMap::new() }
    }

    /// The entries that may answer; whoever names few of a kind names them all.
    fn find_by(&mut self, filter: &Filter) -> Result<Vec<LeafIndex>, FindError> {
        if let Some(Few::All(all)) = kind(filter).and_then(|kind| self.few.get(&kind)) {
            return Ok(all.clone());
        }
        let query = filter.to_query();
        let (found, is_cut) = match self.answered.get(&query) {
            Some(known) => known.clone(),
            None => {
                let answer = self.http.records(filter, self.at, self.most)?;
                self.answered.insert(query, answer.clone());
                answer
            }
        };
        self.has_more |= is_cut;
        Ok(found)
    }

    /// Finds out of which kinds there are so few that taking all is less than asking for each name.
    fn count_kinds(&mut self, open: &[Filter]) -> Result<(), FindError> {
        let mut asked: BTreeMap<String, usize> = BTreeMap::new();
        open.iter().filter_map(kind).for_each(|kind| *asked.entry(kind).or_default() += 1);
        for (kind, questions) in asked {
            let most = (questions / 2).min(MOST_OF_FEW);
            let is_known = match self.few.get(&kind) {
                Some(Few::All(_)) => true,
                Some(Few::AtLeast(count)) => *count > most,
                None => most == 0,
            };
            let Some(term) = Term::new(Column::KIND, &kind).ok().filter(|_| !is_known) else { continue };
            let (found, has_more) = self.http.records(&Filter::default().with(term), self.at, most)?;
            let count = found.len();
            self.few.insert(kind, if has_more { Few::AtLeast(count + 1) } else { Few::All(found) });
        }
        Ok(())
    }
}

/// The kind that every answer has.
fn kind(filter: &Filter) -> Option<String> {
    let kind = filter.terms().iter().find(|term| term.column() == Column::KIND).map(|term| term.value().to_owned());
    // Only approvals have that field.
    let is_approval = || filter.terms().iter().any(|term| Some(term.column()) == Column::named("approved"));
    kind.or_else(|| is_approval().then(|| "approval".to_owned()))
}

impl Finder for Index<'_> {
    fn find(&mut self, way: Way, target: &LinkTarget, kinds: &[&str]) -> Result<Vec<LeafIndex>, FindError> {
        let mut found = BTreeSet::new();
        self.has_more = false;
        for filter in filters(way, target, kinds) {
            found.extend(self.find_by(&filter)?);
        }
        self.is_cut |= self.has_more;
        Ok(found.into_iter().collect())
    }

    fn expect(&mut self, questions: &[Question]) -> Result<Vec<LeafIndex>, FindError> {
        let all = questions.iter().flat_map(|question| {
            let kinds: Vec<&str> = question.kinds.iter().map(String::as_str).collect();
            filters(question.way, &question.target, &kinds)
        });
        let all: BTreeMap<String, Filter> = all.map(|filter| (filter.to_query(), filter)).collect();
        let is_open = |query: &String| !self.answered.contains_key(query);
        let open: Vec<Filter> =
            all.iter().filter(|(query, _)| is_open(query)).map(|(_, filter)| filter.clone()).collect();
        self.count_kinds(&open)?;
        let is_few =
            |filter: &Filter| kind(filter).is_some_and(|kind| matches!(self.few.get(&kind), Some(Few::All(_))));
        let open: Vec<Filter> = open.into_iter().filter(|filter| !is_few(filter)).collect();
        let (http, at, most) = (self.http, self.at, self.most);
        let answers = at_once(&open, |filter| http.records(filter, at, most));
        for (filter, answer) in open.iter().zip(answers) {
            self.answered.insert(filter.to_query(), answer?);
        }
        let mut found = BTreeSet::new();
        for filter in all.values() {
            found.extend(self.find_by(filter)?);
        }
        Ok(found.into_iter().collect())
    }

    fn answers(&mut self, filters: &[Filter]) -> Result<Vec<LeafIndex>, FindError> {
        let mut found = Vec::new();
        self.has_more = false;
        for filter in filters {
            let (indexes, is_cut) = self.http.records(filter, self.at, self.most)?;
            self.has_more |= is_cut;
            self.is_cut |= is_cut;
            found.extend(indexes);
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// A log answers from its beginning on. So it is asked about its last entries, and further back while there is nothing: of heartbeats there
    /// are many, and the last one is near.
    fn newest(&mut self, filter: &Filter, below: TreeSize, most: usize) -> Result<Vec<LeafIndex>, FindError> {
        let (end, mut back) = (below.min(self.at), FIRST_BACK);
        // Of no entries nothing is asked.
        if end == TreeSize::ZERO {
            return Ok(Vec::new());
        }
        loop {
            let from = LeafIndex::new(end.get().saturating_sub(back));
            let (mut indexes, _): Answer = self.http.records_from(from, filter, end, usize::MAX)?;
            if !indexes.is_empty() || from.get() == 0 {
                return Ok(indexes.split_off(indexes.len().saturating_sub(most)));
            }
            back = back.saturating_mul(FURTHER_BACK);
        }
    }

    fn count(&mut self, filter: &Filter, most: usize) -> Result<usize, FindError> {
        let Some(but_one) = most.checked_sub(1) else { return Ok(0) };
        let (found, has_more): Answer = self.http.records(filter, self.at, but_one)?;
        Ok(found.len() + usize::from(has_more))
    }

    fn is_cut(&self) -> bool {
        self.is_cut
    }

    fn has_more(&self) -> bool {
        self.has_more
    }
}

/// More of one kind are never taken at once.
const MOST_OF_FEW: usize = 500;
/// So many entries from the end are asked about first when the newest are wanted, and so many times more whenever there are none.
const FIRST_BACK: u64 = 4096;
const FURTHER_BACK: u64 = 16;
