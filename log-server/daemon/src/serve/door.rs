//! Where connections come in: a socket, and TLS on it or not.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use govlog_tls::identity;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::access::Identity;
use crate::tls::{Standing, Tls};

/// A listening socket, and what handshakes are made with.
#[derive(Debug)]
pub struct Door {
    pub(super) listener: TcpListener,
    pub(super) tls: Option<Tls>,
}

impl From<TcpListener> for Door {
    /// Without TLS.
    fn from(listener: TcpListener) -> Self {
        Self { listener, tls: None }
    }
}

impl From<(TcpListener, Option<Tls>)> for Door {
    fn from((listener, tls): (TcpListener, Option<Tls>)) -> Self {
        Self { listener, tls }
    }
}

/// What a handshake has shown of the peer.
pub(super) struct Shown {
    /// Its SPIFFE ID, if its certificate was verified and has one.
    pub(super) identity: Option<Identity>,
    /// When its certificate ends: from then on it has proved nothing.
    pub(super) until: Option<Instant>,
    /// Whether its certificate is still believed.
    pub(super) standing: Option<Standing>,
}

impl Shown {
    /// Nothing.
    pub(super) const NOTHING: Self = Self { identity: None, until: None, standing: None };
}

/// Makes a handshake within `most`; bytes before its end are bounded by what one may have.
pub(super) async fn handshake(
    tls: &Tls,
    stream: TcpStream,
    most: Duration,
) -> io::Result<(TlsStream<TcpStream>, Shown)> {
    let mut material = tls.follow();
    // Whatever changes from here on is news to the connection, be it during the handshake.
    let config = Arc::clone(&material.borrow_and_update().config);
    let accepted = timeout(most, TlsAcceptor::from(config).accept(stream)).await;
    let stream =
        accepted.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the handshake did not end in time"))??;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
    let shown = match chain.first() {
        None => Shown::NOTHING,
        Some(leaf) => Shown {
            identity: identity::spiffe_id(leaf).map(|id| Identity(Arc::from(id))),
            until: identity::not_after_s(leaf).and_then(until),
            standing: Some(Standing::new(chain, material)),
        },
    };
    Ok((stream, shown))
}

/// When a second since 1970 is; `None` if it is too far away to matter.
fn until(second: u64) -> Option<Instant> {
    let end = std::time::UNIX_EPOCH.checked_add(Duration::from_secs(second))?;
    let left = end.duration_since(std::time::SystemTime::now()).unwrap_or_default();
    Instant::now().checked_add(left.min(A_YEAR))
}

/// Timers need not reach further.
const A_YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Binds an address, or says which one cannot be had.
///
/// # Errors
/// Names the address.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
}
