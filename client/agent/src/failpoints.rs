//! Named places at which a test kills the agent, or makes a step fail.
//!
//! How they work is said in [`govlog_daemon::failpoints`].
//!
//! | Name | The last durable thing before it |
//! |---|---|
//! | `receive::before_write` | nothing of this upload |
//! | `receive::after_write` | the upload's events; the source has no answer yet |
//! | `feed::before_write` | nothing of what was read |
//! | `feed::after_write` | what was read, its lines that wait too, and how far it was read |
//! | `feed::before_settle` | lines that wait |
//! | `feed::after_settle` | the events that they became |
//! | `sign::before_write` | the events |
//! | `sign::after_write` | the signed statements |
//! | `send::before` | the signed statements; the log has none |
//! | `send::after` | the signed statements; the log has them, and its answer was not looked at |
//! | `confirm::after_answer` | the statements are published, and their openings are in the outbox alone |
//! | `confirm::after_openings` | the openings are in their store as well |
//! | `confirm::after_delete` | the statements are out of the outbox |

#[cfg(feature = "failpoints")]
pub use govlog_daemon::failpoints::from_environment;
pub use govlog_daemon::failpoints::{Injected, hit};
