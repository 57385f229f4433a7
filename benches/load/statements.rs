//! Signed statements, made before the clock runs.

use std::cell::Cell;
use std::time::SystemTime;

use govlog_formats::cose::SigningKey;
use govlog_formats::record::view;
use govlog_formats::statement::{Claims, Content, SignedStatement, StatementHeader, content_type_of};
use serde_json::json;

/// Makes decisions that differ in their id alone, outside any stream, so that their order does not matter.
#[derive(Debug)]
pub(crate) struct Maker {
    origin: String,
    iss: String,
    key: SigningKey,
    run: u64,
    made: Cell<u64>,
}

impl Maker {
    pub(crate) fn new(origin: String, iss: String, key: SigningKey) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { origin, iss, key, run: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX), made: Cell::new(0) }
    }

    /// Makes the next statement.
    pub(crate) fn next(&self) -> anyhow::Result<SignedStatement> {
        let number = self.made.replace(self.made.get() + 1);
        let record = json!({
            "v": 1, "event_ms": self.run / 1_000_000, "decision_id": format!("load-{}-{number}", self.run), "result": "permit",
            "subject": { "id": "spiffe://prod.example/pay", "type": "workload" },
            "action": { "name": "read" }, "resource": { "type": "account", "id": format!("acct-{}", number % 100) },
            "policies": [{ "name": "authz", "revision": "r1" }], "enforcement": "enforced",
            "source": { "system": "load", "version": "1", "instance": "benches", "native_id": format!("{number}") },
        });
        let header = StatementHeader {
            content: Content::Plain(content_type_of("decision")),
            claims: Claims {
                iss: self.iss.clone(),
                sub: "spiffe://prod.example/pay".to_owned(),
                aud: Some(self.origin.clone()),
                iat: i64::try_from(self.run / 1_000_000_000)?,
                stream: None,
                head: None,
            },
        };
        Ok(SignedStatement::sign(&header, &view::from_json("decision", &record)?, &self.key)?)
    }

    /// Makes the bodies of requests: `count` statements, `batch` to a body but for the last; each with its number of statements.
    pub(crate) fn bodies(&self, count: usize, batch: usize) -> anyhow::Result<Vec<(u64, Vec<u8>)>> {
        let mut bodies = Vec::with_capacity(count.div_ceil(batch));
        for first in (0..count).step_by(batch) {
            let mut body = Vec::new();
            let statements = batch.min(count - first);
            for _ in 0..statements {
                body.extend_from_slice(self.next()?.entry());
            }
            bodies.push((statements as u64, body));
        }
        Ok(bodies)
    }

    pub(crate) fn key(&self) -> &SigningKey {
        &self.key
    }
}
