//! What is shown before it is signed, in words and in JSON. It is made from the very bytes that the signature will cover.

use std::fmt::Write as _;

use govlog_formats::digest::Digest;
use govlog_formats::record::{LinkTarget, Record, view};
use govlog_formats::statement::UnsignedStatement;
use govlog_formats::visible::{visible, visible_lines};
use serde_json::{Map, Value, json};

use super::sheet::{Built, Linked};
use crate::time;
use crate::verify::summary;

/// A statement as it will be signed, and what there is to know of it.
#[derive(Clone, Copy, Debug)]
pub struct Preview<'a> {
    /// What was built.
    pub built: &'a Built,
    /// What will be signed.
    pub statement: &'a UnsignedStatement,
    /// The signing key's thumbprint.
    pub kid: Digest,
    /// The signer's clock.
    pub now_s: u64,
    /// How many statements of an earlier run are sent before it.
    pub pending: usize,
    /// Where the openings go.
    pub openings: Option<&'a str>,
}

impl Preview<'_> {
    /// Writes it for people: what a terminal would hide or obey stands there as escapes.
    #[must_use]
    pub fn text(&self) -> String {
        let (built, claims) = (self.built, self.statement.claims());
        let mut text = format!("This will be signed:\n  kind         {}", self.statement.kind());
        if let Some(said) = self.said() {
            line(&mut text, "says", &said);
        }
        line(&mut text, "issuer", &format!("{} with key {}", claims.iss, self.kid));
        line(&mut text, "subject", &claims.sub);
        line(&mut text, "log", &format!("{}, as your trust directory says", claims.aud.as_deref().unwrap_or("any")));
        match &claims.stream {
            Some(at) if at.seq == 0 => line(&mut text, "stream", &format!("{} position 0: it begins here", at.stream)),
            Some(at) => line(&mut text, "stream", &format!("{} position {}, after {}", at.stream, at.seq, at.prev)),
            None => line(&mut text, "stream", "none: no completeness is claimed"),
        }
        line(&mut text, "signed at", &self.when(u64::try_from(claims.iat).unwrap_or_default()));
        for (name, at_ms) in &built.times {
            line(&mut text, name, &self.when(at_ms / 1000));
        }
        for link in &built.links {
            line(&mut text, "link", &format!("{} {}: {}", link.rel, link.given, link.summary));
        }
        for opening in &built.openings {
            let place = self.openings.unwrap_or("nowhere");
            line(
                &mut text,
                "sealed",
                &format!("{}: readers see a commitment; what opens it goes to {place}", opening.path),
            );
        }
        for warning in &built.warnings {
            line(&mut text, "note", warning);
        }
        if self.pending > 0 {
            line(&mut text, "before it", &format!("{} signed by an earlier run and sent again", self.pending));
        }
        line(&mut text, "statement", &self.statement.sig_structure_digest().to_string());
        if let Some(shown) = &built.shown {
            write!(text, "\nWhat it is about:\n{}", indented(shown)).ok();
        }
        write!(text, "\nThe record:\n{}", indented(&format!("{:#}", self.record()))).ok();
        visible_lines(&text)
    }

    /// Writes it for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let (built, claims) = (self.built, self.statement.claims());
        let times: Map<String, Value> = built
            .times
            .iter()
            .map(|(name, at_ms)| ((*name).to_owned(), json!({ "ms": at_ms, "utc": time::utc(at_ms / 1000) })))
            .collect();
        json!({
            "kind": self.statement.kind(),
            "says": self.said(),
            "iss": claims.iss,
            "sub": claims.sub,
            "aud": claims.aud,
            "iat": claims.iat,
            "kid": self.kid.to_string(),
            "stream": claims.stream.as_ref().map(|at| json!({ "name": at.stream, "seq": at.seq, "prev": at.prev.to_string() })),
            "statement": self.statement.sig_structure_digest().to_string(),
            "times": times,
            "links": built.links.iter().map(link).collect::<Vec<_>>(),
            "sealed": built.openings.iter().map(|opening| opening.path.as_str()).collect::<Vec<_>>(),
            "notes": built.warnings,
            "pending": self.pending,
            "shown": built.shown,
            "record": self.record(),
        })
    }

    fn record(&self) -> Value {
        view::to_json(self.statement.kind(), self.statement.payload()).unwrap_or(Value::Null)
    }

    fn said(&self) -> Option<String> {
        summary(&Record::parse(self.statement.kind(), self.statement.payload()).ok()?)
    }

    fn when(&self, at_s: u64) -> String {
        format!("{} ({})", time::utc(at_s), time::from_now(at_s, self.now_s))
    }
}

fn link(link: &Linked) -> Value {
    let target = match &link.target {
        LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. } => format!("leaf {leaf}"),
        LinkTarget::Handle(handle) => handle.to_string(),
    };
    json!({ "rel": link.rel, "given": link.given, "target": target, "summary": link.summary, "verified": link.verified })
}

fn line(text: &mut String, label: &str, value: &str) {
    // Writing to a string cannot fail.
    write!(text, "\n  {label:<12} {}", visible(value)).ok();
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("  {line}\n")).collect()
}
