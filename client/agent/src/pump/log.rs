//! The log as the pump sees it.

use govlog_client::source::Http;
use govlog_client::submit::{self, Answer, Own, Place, PlaceError, SendError, Wait};

/// A log that statements are sent to.
///
/// Trust: none. Every proof is verified before anything is forgotten because of it, and where a stream stands is checked against what this
/// agent signed. It can refuse, delay and lie about refusals; then nothing is lost, and nothing goes on.
pub trait Log: Send + Sync {
    /// Sends statements in order, and gives an answer for each that was looked at, the first ones.
    ///
    /// # Errors
    ///
    /// There is no answer: nothing is known of the statements.
    fn send(&self, statements: &[Vec<u8>], wait: Wait) -> Result<Vec<Answer>, SendError>;

    /// Asks where a stream stands, and checks that its last entry is one's own.
    ///
    /// # Errors
    ///
    /// There is no answer, or it does not hold.
    fn place(&self, iss: &str, stream: &str, own: Own<'_>) -> Result<Place, PlaceError>;
}

impl Log for Http {
    fn send(&self, statements: &[Vec<u8>], wait: Wait) -> Result<Vec<Answer>, SendError> {
        submit::send(self, statements, wait)
    }

    fn place(&self, iss: &str, stream: &str, own: Own<'_>) -> Result<Place, PlaceError> {
        submit::place(self, iss, stream, own)
    }
}
