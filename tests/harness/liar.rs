//! Something in front of a log that passes everything on but lies about what the index says.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::http::Client;

/// What becomes of an honest answer to a search.
pub type Lie = fn(&mut Value);

/// The liar; it is silent once it is dropped.
#[derive(Debug)]
pub struct Liar {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
}

impl Liar {
    /// Stands in front of a log.
    ///
    /// # Panics
    /// When there is no port to be had.
    #[must_use]
    pub fn before(log: SocketAddr, lie: Lie) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let made = Self { address: listener.local_addr().unwrap(), is_over: Arc::default() };
        let is_over = made.is_over.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                // Whoever hangs up misses nothing but its own answer.
                drop(stream.and_then(|stream| serve(stream, log, lie)));
            }
        });
        made
    }

    /// Where it is reached.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn serve(stream: TcpStream, log: SocketAddr, lie: Lie) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream);
    let mut request = String::new();
    lines.read_line(&mut request)?;
    let mut line = String::new();
    while lines.read_line(&mut line)? > 2 {
        line.clear();
    }
    let target = request.split(' ').nth(1).unwrap_or_default();
    let mut answer = Client::new(log).get(target)?;
    if target.starts_with("/v1/records") && answer.status == 200 {
        let mut document = serde_json::from_slice(&answer.body)?;
        lie(&mut document);
        answer.body = document.to_string().into_bytes();
    }
    let mut head =
        format!("HTTP/1.1 {} X\r\nconnection: close\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
    for name in ["location", "retry-after", "content-type"] {
        answer.header(name).into_iter().for_each(|value| head.push_str(&format!("{name}: {value}\r\n")));
    }
    let stream = lines.get_mut();
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"\r\n")?;
    stream.write_all(&answer.body)
}
