//! A witness that answers as a test tells it to.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use govlog_formats::note::{KeyName, NoteSigner, SignatureAlgorithm};
use govlog_formats::wire::add_checkpoint::{AddCheckpoint, TLOG_SIZE, encode_conflict_body, encode_reply};
use govlog_formats::{merkle::TreeSize, note::Note};

use crate::issuer::now_s;

/// How it answers a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Cosigns whatever it is shown.
    Cosigns,
    /// Cosigns under its name with a key that nobody knows.
    SignsWrongly,
    /// Claims to have cosigned this size.
    Conflict(u64),
    /// Answers with a status and a line of text.
    Status(u16),
    /// Answers 200 with these bytes.
    Says(Vec<u8>),
    /// Never answers.
    Silent,
}

/// A running fake.
#[derive(Clone, Debug)]
pub struct FakeWitness {
    state: Arc<State>,
    address: SocketAddr,
}

#[derive(Debug)]
struct State {
    signer: NoteSigner,
    impostor: NoteSigner,
    manner: Mutex<Manner>,
    /// What its monitoring route shows.
    shows: Mutex<Option<Vec<u8>>>,
    asked: AtomicUsize,
}

impl FakeWitness {
    /// Starts one; it ends with the test's process.
    #[must_use]
    pub fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let name = KeyName::new("witness.example/fake").unwrap();
        let key = |seed| NoteSigner::from_seed(name.clone(), SignatureAlgorithm::CosignatureEd25519, &[seed; 32]);
        let state = Arc::new(State {
            signer: key(201).unwrap(),
            impostor: key(202).unwrap(),
            manner: Mutex::new(manner),
            shows: Mutex::default(),
            asked: AtomicUsize::new(0),
        });
        let fake = Self { state: Arc::clone(&state), address: listener.local_addr().unwrap() };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&state);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        fake
    }

    /// What the log's option `--witness` takes.
    #[must_use]
    pub fn line(&self) -> String {
        format!("fake {} http://{}", self.state.signer.vkey(), self.address)
    }

    /// Changes how it answers.
    pub fn behave(&self, manner: Manner) {
        *self.state.manner.lock().unwrap() = manner;
    }

    /// Shows a note on its monitoring route.
    pub fn show(&self, note: Option<Vec<u8>>) {
        *self.state.shows.lock().unwrap() = note;
    }

    /// How often it was asked to cosign.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.state.asked.load(Ordering::Relaxed)
    }
}

/// Serves one connection until it ends or is not understood, which is the other side's affair.
fn serve(stream: TcpStream, state: &State) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let (method, body) = read_request(&mut reader)?;
        let (status, content_type, answer) = if method == "GET" {
            match state.shows.lock().unwrap().clone() {
                Some(note) => (200, "text/plain", note),
                None => (404, "text/plain", b"none\n".to_vec()),
            }
        } else {
            state.asked.fetch_add(1, Ordering::Relaxed);
            state.answer(&body)?
        };
        let head =
            format!("HTTP/1.1 {status} .\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n", answer.len());
        writer.write_all(&[head.as_bytes(), &answer].concat()).ok()?;
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let (mut method, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        method.get_or_insert_with(|| line.split(' ').next().unwrap_or_default().to_owned());
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((method?, body))
}

impl State {
    /// Answers a checkpoint; nothing to say nothing, with the connection held.
    fn answer(&self, body: &[u8]) -> Option<(u16, &'static str, Vec<u8>)> {
        let manner = self.manner.lock().unwrap().clone();
        let cosign = |signer: &NoteSigner| {
            let request = AddCheckpoint::parse(body).unwrap();
            let note = Note::parse(&request.note).unwrap();
            (200, "text/plain", encode_reply(&[signer.sign(note.text(), Some(now_s())).unwrap()]))
        };
        Some(match manner {
            Manner::Cosigns => cosign(&self.signer),
            Manner::SignsWrongly => cosign(&self.impostor),
            Manner::Conflict(size) => (409, TLOG_SIZE, encode_conflict_body(TreeSize::new(size))),
            Manner::Status(status) => (status, "text/plain", b"as told\n".to_vec()),
            Manner::Says(bytes) => (200, "text/plain", bytes),
            Manner::Silent => loop {
                std::thread::park();
            },
        })
    }
}
