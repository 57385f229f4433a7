//! What was read and waits for something before it is an event.
//!
//! It is put here in the transaction that notes how far its file was read, and goes in the one that takes the event it became: at no moment it is in
//! both, or in neither. It takes room as everything else does.

use redb::{ReadableTable as _, WriteTransaction};

use super::load::Load;
use super::tables::HELD;
use super::{Outbox, OutboxError};

/// What changes of what is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// A row that is held from now on.
    Now {
        /// Under which number.
        number: u64,
        /// The row.
        row: Vec<u8>,
    },
    /// One that is held no more.
    NoMore {
        /// Under which number it was.
        number: u64,
    },
}

/// Puts rows there, and takes others away.
pub(super) fn keep(tx: &WriteTransaction, route: &str, rows: &[Held], load: &mut Load) -> Result<(), redb::Error> {
    let mut held = tx.open_table(HELD)?;
    for row in rows {
        let before = match row {
            Held::Now { number, row } => {
                load.is_held(row);
                held.insert((route, *number), row.as_slice())?
            }
            Held::NoMore { number } => held.remove((route, *number))?,
        };
        if let Some(before) = before {
            load.is_held_no_more(before.value());
        }
    }
    Ok(())
}

impl Outbox {
    /// Gives what is held of a route from a number on, in order, at most so many.
    ///
    /// # Errors
    ///
    /// The store is not well.
    pub(super) fn held_of(&self, route: &str, from: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, OutboxError> {
        self.look(|tx| {
            let mut found = Vec::new();
            for row in tx.open_table(HELD)?.range((route, from)..=(route, u64::MAX))?.take(most) {
                let (place, bytes) = row?;
                found.push((place.value().1, bytes.value().to_vec()));
            }
            Ok(found)
        })
    }

    /// Gives what is held of a route under some numbers, in their order.
    ///
    /// # Errors
    ///
    /// The store is not well, or one of them is not there.
    pub(super) fn held_rows(&self, route: &str, numbers: &[u64]) -> Result<Vec<Vec<u8>>, OutboxError> {
        self.look(|tx| {
            let held = tx.open_table(HELD)?;
            let row = |number: &u64| {
                let row = held.get((route, *number))?.map(|bytes| bytes.value().to_vec());
                row.ok_or_else(|| redb::Error::Corrupted(format!("{route} holds no {number}")))
            };
            numbers.iter().map(row).collect()
        })
    }

    /// Gives the routes of which something is held, each with how much.
    ///
    /// # Errors
    ///
    /// The store is not well.
    pub fn holding(&self) -> Result<Vec<(String, u64)>, OutboxError> {
        self.look(|tx| {
            let (held, mut found) = (tx.open_table(HELD)?, Vec::<(String, u64)>::new());
            for row in held.iter()? {
                let (place, _) = row?;
                match found.last_mut().filter(|(route, _)| route == place.value().0) {
                    Some((_, count)) => *count += 1,
                    None => found.push((place.value().0.to_owned(), 1)),
                }
            }
            Ok(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Fresh;
    use crate::outbox::{Arrival, Content, Decisions as _, HowFar, Limits, ReceiveError, idempotency_key};
    use govlog_formats::digest::Digest;

    const ROUTE: &str = "envoy:edge";

    fn open(dir: &tempfile::TempDir) -> Outbox {
        Outbox::open(&dir.path().join("outbox"), "log.example", "spiffe://prod.example/agent").unwrap()
    }

    fn event(id: &str) -> Arrival {
        let content = Content::Event(id.as_bytes().to_vec());
        let key = idempotency_key("envoy", "e", id);
        Arrival { instance: "e".to_owned(), key, semantic: Digest::sha256(id.as_bytes()), content }
    }

    fn receive(
        outbox: &Outbox,
        arrivals: &[Arrival],
        place: Option<&str>,
        held: &[Held],
        bytes: u64,
    ) -> Result<(), ReceiveError> {
        let name = |instance: &str| Fresh { name: instance.to_owned(), predecessor: None };
        let how_far = HowFar { of: "log", place: place.map(str::as_bytes), notes_of: "log", notes: &[], held };
        let limits = Limits { bytes, streams: 8 };
        outbox.receive_read(ROUTE, arrivals, Some(how_far), limits, 0, &name).map(drop)
    }

    fn row(number: u64, bytes: &str) -> Held {
        Held::Now { number, row: bytes.as_bytes().to_vec() }
    }

    #[test]
    fn what_is_held_comes_with_its_place_takes_room_and_goes_with_the_event_it_becomes() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = open(&dir);
        receive(&outbox, &[], Some("one"), &[row(0, "aaaa"), row(1, "bb"), row(2, "c")], 7).unwrap();
        let refused = receive(&outbox, &[], Some("two"), &[row(3, "d")], 7);
        assert!(matches!(refused, Err(ReceiveError::Full { held: 8, most: 7 })), "{refused:?}");
        receive(&outbox, &[event("b")], None, &[Held::NoMore { number: 1 }], u64::MAX).unwrap();
        let check = |outbox: &Outbox| {
            assert_eq!(
                outbox.place(ROUTE, "log").unwrap(),
                Some(b"one".to_vec()),
                "what is refused is not passed over"
            );
            assert_eq!(outbox.held_of(ROUTE, 0, 9).unwrap(), [(0, b"aaaa".to_vec()), (2, b"c".to_vec())]);
            assert_eq!(outbox.held_of(ROUTE, 1, 9).unwrap(), [(2, b"c".to_vec())]);
            assert_eq!(outbox.held_of("envoy:edg", 0, 9).unwrap(), []);
            assert_eq!(outbox.held_rows(ROUTE, &[2, 0]).unwrap(), [b"c".to_vec(), b"aaaa".to_vec()]);
            assert!(outbox.held_rows(ROUTE, &[1]).is_err());
            assert_eq!(outbox.holding().unwrap(), [(ROUTE.to_owned(), 2)]);
            let backlog = outbox.backlog();
            assert_eq!((backlog.held, backlog.held_bytes, backlog.waiting, backlog.bytes()), (2, 5, 1, 6));
        };
        check(&outbox);
        drop(outbox);
        let outbox = open(&dir);
        check(&outbox);
        // Of what is not known whether it was written the same is written once more.
        receive(&outbox, &[], None, &[row(0, "aaaa")], 7).unwrap();
        check(&outbox);
    }

    #[test]
    fn who_waits_hears_of_decisions_once_they_can_be_looked_up() {
        use crate::outbox::{Decided, Finds, Join, Joining, RequestName};
        #[derive(Debug)]
        struct Ids;
        impl Finds for Ids {
            fn find(&self, event: &[u8]) -> Option<Join> {
                let id = String::from_utf8(event.to_vec()).ok()?;
                Some(Join { request_id: id.clone(), decided: Decided { id, ..Decided::default() } })
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let outbox = open(&dir);
        let finders: Vec<(String, std::sync::Arc<dyn Finds>)> = vec![("/r".to_owned(), std::sync::Arc::new(Ids))];
        let (keep, late_after) = (std::time::Duration::from_secs(900), std::time::Duration::from_secs(15));
        outbox.join(Joining { finders, readers: Vec::new(), keep, late_after }, 0).unwrap();
        let name = |instance: &str| Fresh { name: instance.to_owned(), predecessor: None };
        let upload = |bytes| outbox.receive("/r", &[event("a")], Limits { bytes, streams: 8 }, 0, &name);
        assert!(upload(0).is_err());
        assert_eq!(outbox.joined_since(0).requests, Some(Vec::new()), "what is refused is not known");
        upload(9).unwrap();
        assert_eq!(outbox.joined_since(0).requests, Some(vec![RequestName::of("a")]));
        assert_eq!(outbox.joined_since(1).requests, Some(Vec::new()));
    }
}
