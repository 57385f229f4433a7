//! HTTP/1.1 as bytes on a socket: nothing is retried, followed or mended on the way.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A client of one address, which keeps its connection while the server does.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    limit: Duration,
    connection: Option<BufReader<TcpStream>>,
}

/// An answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Finds a header field by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Longer than the 30 s that `?wait=` may last.
const LONGEST_ANSWER: Duration = Duration::from_secs(40);

impl Client {
    /// Names the server; connects when something is sent.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, limit: LONGEST_ANSWER, connection: None }
    }

    /// Gives up on an answer after this time.
    #[must_use]
    pub fn patient_for(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Asks for a path.
    ///
    /// # Errors
    /// When the connection breaks or the time is up.
    pub fn get(&mut self, path: &str) -> Result<Answer> {
        self.send("GET", path, &[], b"")
    }

    /// Posts a body.
    ///
    /// # Errors
    /// When the connection breaks or the time is up; whether the server has acted on the body is then unknown.
    pub fn post(&mut self, path: &str, content_type: &str, body: &[u8]) -> Result<Answer> {
        self.send("POST", path, &[("content-type", content_type)], body)
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let message = [head.as_bytes(), body].concat();
        let mut connection = match self.connection.take().filter(is_alive) {
            Some(connection) => connection,
            None => connect(self.address, self.limit)?,
        };
        // A server that refuses a body before its end may close while it is still being sent: its answer counts.
        let written = connection.get_mut().write_all(&message);
        let answer = match (read_answer(&mut connection, method == "HEAD"), written) {
            (Ok(answer), _) => answer,
            (Err(_), Err(error)) | (Err(error), Ok(())) => return Err(error),
        };
        if answer.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Ok(answer)
    }
}

/// Opens a connection on which nothing has been sent.
///
/// # Errors
/// When nobody listens.
pub fn connect(address: SocketAddr, limit: Duration) -> Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// Whether a kept connection was not closed by the server meanwhile.
fn is_alive(connection: &BufReader<TcpStream>) -> bool {
    let stream = connection.get_ref();
    if stream.set_nonblocking(true).is_err() {
        return false;
    }
    let silent = matches!(stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
    stream.set_nonblocking(false).is_ok() && silent
}

/// Reads one answer.
///
/// # Errors
/// When the connection ends before it does, or it is no HTTP.
pub fn read_answer(from: &mut impl BufRead, head_only: bool) -> Result<Answer> {
    let line = read_line(from)?;
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|digits| digits.parse().ok());
    let status = status.ok_or_else(|| Error::new(ErrorKind::InvalidData, format!("status line {line:?}")))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(from)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| Error::new(ErrorKind::InvalidData, line.clone()))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Answer { status, headers, body: Vec::new() };
    if !head_only {
        answer.body = read_body(from, &answer)?;
    }
    Ok(answer)
}

fn read_body(from: &mut impl BufRead, answer: &Answer) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    if answer.header("transfer-encoding") == Some("chunked") {
        loop {
            let size = read_line(from)?;
            let size = usize::from_str_radix(&size, 16).map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
            let begin = body.len();
            body.resize(begin + size, 0);
            from.read_exact(&mut body[begin..])?;
            read_line(from)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    match answer.header("content-length").and_then(|length| length.parse().ok()) {
        Some(length) => {
            body.resize(length, 0);
            from.read_exact(&mut body)?;
        }
        None => {
            from.read_to_end(&mut body)?;
        }
    }
    Ok(body)
}

fn read_line(from: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    if from.take(MOST_HEADER).read_line(&mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

const MOST_HEADER: u64 = 1 << 16;
