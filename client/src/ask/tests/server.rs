//! A log's server in memory, honest but for its index: that says what its test lets it say.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::TreeSize;
use govlog_formats::search::Filter;
use govlog_formats::statement::SignedStatement;
use serde_json::{Value, json};

use crate::testing::TestLog;

/// What the index makes of an honest answer to a query: the size asked for, and the indexes that answer.
pub(super) type Index = fn(u64, &[u64]) -> Value;

pub(super) fn honest(at: u64, found: &[u64]) -> Value {
    let ids: Vec<String> = found.iter().map(|index| format!("1.{index}")).collect();
    json!({ "as_of": at, "ids": ids, "cursor": null })
}

/// What a server makes of its log.
pub(super) struct Serves {
    /// Where its answer is null, there is no index.
    pub(super) index: Index,
    /// Other bytes that it gives for some entries.
    pub(super) other: Vec<(u64, Vec<u8>)>,
    /// What it answers with no more than a status, by how the paths begin.
    pub(super) fails: Vec<(&'static str, &'static str)>,
    /// The log as it was, of which it has the files, too.
    pub(super) earlier: Option<TestLog>,
    /// Whether the index gives whole answers, whatever it was asked for at most.
    pub(super) is_whole: bool,
    /// A note that it lists at this size, instead of the one that was published.
    pub(super) listed: Option<(u64, Vec<u8>)>,
    /// Which witnesses had cosigned the newest note when it was published; all of them have since.
    pub(super) archived: &'static [usize],
    /// An entry of the admission policy that it does not list.
    pub(super) hidden: Option<String>,
}

impl Default for Serves {
    fn default() -> Self {
        Self {
            index: honest,
            is_whole: false,
            listed: None,
            other: Vec::new(),
            fails: Vec::new(),
            earlier: None,
            archived: &[0, 1, 2],
            hidden: None,
        }
    }
}

pub(super) struct Server {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    /// What it was asked for, in order.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) fn serving(log: TestLog, serves: Serves) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let files = tempfile::tempdir().unwrap();
        for log in serves.earlier.iter().chain([&log]) {
            log.write_to(files.path(), &log.note_of(log.size(), &[0, 1, 2]));
        }
        let (ends, asked) = (is_over.clone(), Arc::new(Mutex::new(Vec::new())));
        let list = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    break;
                }
                let mut stream = stream.unwrap();
                let target = target(&mut stream);
                list.lock().unwrap().push(target.clone());
                let is_asked = |(index, _): &&(u64, Vec<u8>)| target == format!("/entries/1.{index}/statement");
                let other = serves.other.iter().find(is_asked);
                let other = other.map(|(_, bytes)| bytes.clone());
                let file = || std::fs::read(files.path().join(target.trim_start_matches('/'))).ok();
                let fails = serves.fails.iter().find(|(path, _)| target.starts_with(path));
                let (status, body) = match fails {
                    Some((_, status)) => (*status, Vec::new()),
                    None => match other.or_else(|| answer(&log, &serves, &target)).or_else(file) {
                        Some(body) => ("200 OK", body),
                        None => ("404 Not Found", Vec::new()),
                    },
                };
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).unwrap();
            }
        });
        Self { address, is_over, asked }
    }

    /// How many requests there were for paths that begin so.
    pub(super) fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|target| target.starts_with(path)).count()
    }

    /// How much the index was asked for at most, by each request.
    pub(super) fn limits(&self) -> Vec<u64> {
        self.numbers("limit=")
    }

    /// Where each of its answers was to begin.
    pub(super) fn cursors(&self) -> Vec<u64> {
        self.numbers("cursor=")
    }

    fn numbers(&self, name: &str) -> Vec<u64> {
        let asked = self.asked.lock().unwrap();
        let number = |target: &String| target.split('&').find_map(|pair| pair.strip_prefix(name))?.parse().ok();
        asked.iter().filter(|target| target.starts_with("/v1/records")).filter_map(number).collect()
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

/// A server gives no more in one page.
const PAGE: u64 = 1000;

fn target(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap().split(' ').nth(1).unwrap_or_default().to_owned()
}

fn answer(log: &TestLog, serves: &Serves, target: &str) -> Option<Vec<u8>> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs: Vec<(String, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), decode(value)))
        .collect();
    let number = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.parse().unwrap());
    let statement = path.strip_prefix("/entries/").and_then(|rest| rest.strip_suffix("/statement"));
    let document = match (path, statement) {
        (_, Some(id)) => {
            let EntryId { index, .. } = id.parse().ok()?;
            return log.size().covers(index).then(|| log.transparent(index, &log.note_of(log.size(), serves.archived)));
        }
        ("/v1/admission-policy", _) => {
            let is_change =
                |at: &usize| SignedStatement::parse(&log.entries[*at]).unwrap().kind() == "admission-policy";
            let ids = (0..log.entries.len()).filter(is_change).map(|at| format!("1.{at}"));
            let ids: Vec<String> = ids.filter(|id| Some(id) != serves.hidden.as_ref()).collect();
            json!({ "as_of": log.size().get(), "entries": ids })
        }
        ("/v1/checkpoints", _) => {
            let sizes = number("from").unwrap_or(1).max(1)..=number("to").unwrap_or(u64::MAX).min(log.size().get());
            let note = |size: u64| {
                let cosigners: &[usize] = if size == log.size().get() { serves.archived } else { &[0, 1] };
                let other = serves.listed.as_ref().filter(|(at, _)| *at == size).map(|(_, note)| note.clone());
                let note = other.unwrap_or_else(|| log.note_of(TreeSize::new(size), cosigners));
                let note = String::from_utf8(note).unwrap();
                json!({ "size": size, "time_ms": 1, "note": note })
            };
            json!({ "checkpoints": sizes.map(note).collect::<Vec<_>>(), "next": null })
        }
        ("/v1/records", _) => {
            let at = number("at").unwrap();
            let terms = pairs.iter().filter(|(name, _)| !["at", "limit", "cursor"].contains(&name.as_str()));
            let filter = Filter::from_pairs(terms.map(|(name, value)| (name.as_str(), value.as_str()))).unwrap();
            let (from, limit) = (number("cursor").unwrap_or(0), number("limit").unwrap_or(PAGE));
            assert!((1..=PAGE).contains(&limit), "{limit}");
            let is_asked = |index: &u64| {
                let entry = log.entries.get(usize::try_from(*index).unwrap());
                entry.is_some_and(|entry| filter.matches(&SignedStatement::parse(entry).unwrap()))
            };
            let mut answer = (serves.index)(at, &(from..at).filter(is_asked).collect::<Vec<u64>>());
            let ids = answer["ids"].as_array_mut()?;
            let limit = usize::try_from(limit).ok().filter(|_| !serves.is_whole);
            let next = limit.filter(|limit| ids.len() > *limit).map(|limit| ids.split_off(limit));
            if let Some(next) = next {
                let next: EntryId = next[0].as_str().unwrap().parse().unwrap();
                answer["cursor"] = json!(next.index.to_string());
            }
            answer
        }
        _ => return None,
    };
    Some(document.to_string().into_bytes())
}

fn decode(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| char::from(byte.unwrap()).to_digit(16).unwrap();
        let is_escape = byte == b'%';
        let byte = if is_escape { u8::try_from(digit(rest.next()) * 16 + digit(rest.next())).unwrap() } else { byte };
        bytes.push(byte);
    }
    String::from_utf8(bytes).unwrap()
}
