//! A digest of what a value says, whatever the order of its members, its spaces and its escapes.

use std::ops::Range;

use govlog_formats::digest::Digest;

use super::{JsonError, MAX_DEPTH, RawValue};

/// Takes the SHA-256 of a value's canonical text.
///
/// That is JSON without spaces, the members of each object in ascending order of their encoded names, strings with no escapes but those
/// JSON demands, numbers as they came: `1` and `1.0` differ. It is never longer than the value's own text.
///
/// # Errors
///
/// An object has a member twice, a string is no text, or something stands deeper than [`MAX_DEPTH`].
pub fn canonical_digest(raw: &RawValue) -> Result<Digest, JsonError> {
    canonical_digest_without(raw, &[])
}

/// Takes the digest of an object as if it did not have some members. What these hold is not looked at.
///
/// # Errors
///
/// As [`canonical_digest`].
pub fn canonical_digest_without(raw: &RawValue, members: &[&str]) -> Result<Digest, JsonError> {
    Ok(Digest::sha256(&canonical(raw, members)?))
}

pub(super) fn canonical(raw: &RawValue, without: &[&str]) -> Result<Vec<u8>, JsonError> {
    let mut writer = Writer { text: raw.get(), at: 0, out: Vec::new() };
    writer.value(0, without)?;
    Ok(writer.out)
}

/// Walks text that is known to be JSON, in one pass, and writes it anew.
struct Writer<'a> {
    text: &'a str,
    at: usize,
    out: Vec<u8>,
}

/// A member as written: where its name stands, and the whole of it.
struct Written {
    name: Range<usize>,
    whole: Range<usize>,
}

impl<'a> Writer<'a> {
    fn value(&mut self, depth: usize, without: &[&str]) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'{' | b'[') if depth == MAX_DEPTH => Err(JsonError::Depth(MAX_DEPTH)),
            Some(b'{') => self.object(depth + 1, without),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => self.string(),
            _ => {
                let token = self.token();
                self.out.extend_from_slice(token.as_bytes());
                Ok(())
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), JsonError> {
        self.copy();
        while !matches!(self.peek(), Some(b']') | None) {
            self.value(depth, &[])?;
            if self.peek() == Some(b',') {
                self.copy();
            }
        }
        self.copy();
        Ok(())
    }

    fn object(&mut self, depth: usize, without: &[&str]) -> Result<(), JsonError> {
        self.copy();
        let begin = self.out.len();
        let mut members: Vec<Written> = Vec::new();
        while !matches!(self.peek(), Some(b'}') | None) {
            let before = self.out.len();
            if !members.is_empty() {
                self.out.push(b',');
            }
            let start = self.out.len();
            self.string()?;
            let name = start..self.out.len();
            self.peek();
            self.copy();
            if without.iter().any(|left_out| self.is_name(&name, left_out)) {
                self.out.truncate(before);
                self.skip();
            } else {
                self.value(depth, &[])?;
                members.push(Written { name, whole: start..self.out.len() });
            }
            if self.peek() == Some(b',') {
                self.at += 1;
            }
        }
        self.sort(begin, &mut members)?;
        self.copy();
        Ok(())
    }

    /// Puts the members of an object in order, where they are not.
    fn sort(&mut self, begin: usize, members: &mut [Written]) -> Result<(), JsonError> {
        let out = &self.out;
        let name = |member: &Written| out.get(member.name.clone()).unwrap_or_default();
        if members.is_sorted_by(|one, next| name(one) < name(next)) {
            return Ok(());
        }
        members.sort_by(|one, other| name(one).cmp(name(other)));
        if members.windows(2).any(|pair| matches!(pair, [one, next] if name(one) == name(next))) {
            return Err(JsonError::Duplicate);
        }
        let parts: Vec<&[u8]> = members.iter().filter_map(|member| out.get(member.whole.clone())).collect();
        let sorted = parts.join(&b',');
        self.out.truncate(begin);
        self.out.extend_from_slice(&sorted);
        Ok(())
    }

    fn string(&mut self) -> Result<(), JsonError> {
        self.peek();
        let start = self.at;
        self.skip_string();
        let token = self.text.get(start..self.at).unwrap_or_default();
        if !token.contains('\\') {
            self.out.extend_from_slice(token.as_bytes());
            return Ok(());
        }
        let plain: String = serde_json::from_str(token).map_err(|_| JsonError::Surrogate)?;
        serde_json::to_writer(&mut self.out, &plain).map_err(|error| JsonError::Syntax(error.to_string()))
    }

    fn is_name(&self, written: &Range<usize>, name: &str) -> bool {
        let quoted = self.out.get(written.clone()).unwrap_or_default();
        quoted.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) == Some(name.as_bytes())
    }

    /// Passes over a value of any depth without recursion.
    fn skip(&mut self) {
        let mut open = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'{' | b'[' => open += 1,
                b'}' | b']' => open = open.saturating_sub(1),
                _ => {}
            }
            match byte {
                b'"' => self.skip_string(),
                b'{' | b'[' | b'}' | b']' | b',' | b':' => self.at += 1,
                _ => {
                    self.token();
                }
            }
            if open == 0 {
                return;
            }
        }
    }

    fn skip_string(&mut self) {
        self.at += 1;
        let mut bytes = self.text.as_bytes().iter().skip(self.at);
        while let Some(byte) = bytes.next() {
            self.at += 1;
            match byte {
                b'"' => return,
                b'\\' => {
                    bytes.next();
                    self.at += 1;
                }
                _ => {}
            }
        }
    }

    /// Takes a number, `true`, `false` or `null`. Takes at least one byte, so that no text makes the walk stand still.
    fn token(&mut self) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.find([',', ']', '}', ':', ' ', '\t', '\n', '\r']).unwrap_or(rest.len());
        let start = self.at;
        self.at += end.max(1);
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Goes to the next byte that is no space, and shows it.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at)? {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    /// Writes the byte at hand, a bracket, comma or colon.
    fn copy(&mut self) {
        self.out.extend(self.text.as_bytes().get(self.at));
        self.at += 1;
    }
}
