//! Submission: bytes become a parsed, bounded statement. Nothing is judged here.

use govlog_formats::limits::{MAX_ENTRY_BYTES, MAX_SUBMISSION_BYTES};
use govlog_formats::statement::{SignedStatement, StatementError};

use crate::refusal::Refusal;

/// A statement as somebody sent it: well-formed, within all bounds, and not yet judged.
#[derive(Debug, Clone)]
pub struct Submission {
    statement: SignedStatement,
}

impl Submission {
    /// Reads one statement from the body of a request.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] for a body or an entry beyond its limit, [`Refusal::Malformed`] for everything else that can be seen in the bytes
    /// alone.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        // exact.md §1: "The 65,535 bound counts after that; the request body may be 128 KiB."
        if body.len() > MAX_SUBMISSION_BYTES {
            return Err(too_large("the request body", body.len(), MAX_SUBMISSION_BYTES));
        }
        match SignedStatement::parse(body) {
            Ok(statement) => Ok(Self { statement }),
            Err(StatementError::TooLarge { bytes, .. }) => Err(too_large("the entry", bytes, MAX_ENTRY_BYTES)),
            Err(error) => Err(Refusal::Malformed(error)),
        }
    }

    /// Returns the statement.
    pub fn statement(&self) -> &SignedStatement {
        &self.statement
    }

    pub(crate) fn into_statement(self) -> SignedStatement {
        self.statement
    }
}

fn too_large(what: &'static str, found: usize, limit: usize) -> Refusal {
    let number = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    Refusal::TooLarge { what, found: number(found), limit: number(limit) }
}

#[cfg(test)]
mod tests {
    use govlog_formats::statement::Content;
    use proptest::prelude::*;

    use super::*;
    use crate::admission::testing::{statement, statement_with};
    use crate::refusal::Class;

    /// A statement whose entry has as many bytes as asked for.
    fn of_length(length: usize) -> Result<Refusal, usize> {
        let plain = |header: &mut govlog_formats::statement::StatementHeader| {
            header.content = Content::Plain("text/plain".to_owned());
        };
        let small = statement_with(0, plain).entry().to_vec();
        // The payload's head grows from one byte to three; its 14 bytes are replaced by as many as are lacking.
        let payload = vec![b'x'; length - small.len() - 2 + 14];
        let at = small.windows(15).position(|window| window == b"\x4e\xa2\x61v\x01\x68event_ms\x01").unwrap();
        let head = [0x59, u8::try_from(payload.len() >> 8).unwrap(), u8::try_from(payload.len() & 0xff).unwrap()];
        let body = [&small[..at], &head, &payload, &small[at + 15..]].concat();
        assert_eq!(body.len(), length);
        match Submission::parse(&body) {
            Ok(submission) => Err(submission.statement().entry().len()),
            Err(refusal) => Ok(refusal),
        }
    }

    #[test]
    fn a_statement_is_taken_as_it_is() {
        let submission = Submission::parse(statement(1).entry()).unwrap();
        assert_eq!(submission.statement(), &statement(1));
    }

    #[test]
    fn an_entry_of_65535_bytes_is_taken_and_one_more_is_413() {
        assert_eq!(of_length(65_535), Err(65_535));
        let refusal = of_length(65_536).unwrap();
        assert_eq!(refusal, Refusal::TooLarge { what: "the entry", found: 65_536, limit: 65_535 });
    }

    #[test]
    fn a_body_beyond_128_kib_is_413_whatever_it_holds() {
        let refusal = Submission::parse(&vec![0; 128 * 1024 + 1]).unwrap_err();
        assert_eq!(refusal, Refusal::TooLarge { what: "the request body", found: 131_073, limit: 131_072 });
        assert_eq!(refusal.class(), Class::Refused);
        assert!(matches!(Submission::parse(&vec![0; 128 * 1024]), Err(Refusal::Malformed(_))));
    }

    #[test]
    fn the_bound_counts_after_the_unprotected_header_was_emptied() {
        // The unprotected map is the byte behind the protected header, which is a byte string with a two-byte head.
        let entry = statement(1).entry().to_vec();
        let at = 4 + usize::from(entry[3]);
        assert_eq!((entry[2], entry[at]), (0x58, 0xa0));
        let filler = [b"\xa1\x63pad\x5a\x00\x01\x80\x00".as_slice(), &vec![0; 0x18000]].concat();
        let body = [&entry[..at], &filler, &entry[at + 1..]].concat();
        let submission = Submission::parse(&body).unwrap();
        assert_eq!(submission.statement().entry(), entry);
    }

    #[test]
    fn what_is_no_statement_is_malformed() {
        for body in [b"".as_slice(), b"\xd2", b"{}", b"\xff"] {
            assert!(matches!(Submission::parse(body), Err(Refusal::Malformed(_))), "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_taken_or_refused(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Err(refusal) = Submission::parse(&body) {
                prop_assert_eq!(refusal.class(), Class::Refused);
            }
        }

        #[test]
        fn a_statement_with_one_byte_altered_is_taken_or_refused(at in any::<prop::sample::Index>(), by in 1_u8..) {
            let mut body = statement(1).entry().to_vec();
            let at = at.index(body.len());
            body[at] ^= by;
            if let Err(refusal) = Submission::parse(&body) {
                prop_assert!(!refusal.to_string().is_empty());
            }
        }
    }
}
