//! Members of a line, read with their bounds.

use super::{Settings, Wrong};
use crate::json::{self, JsonError, Kind, Object, RawValue};
use crate::opa::decision::MAX_TEXT_BYTES;
use crate::rfc3339;

/// The most elements of a list in clear.
pub(super) const MAX_ELEMENTS: usize = 1024;

/// A line of the log: one JSON object.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a>(Object<'a>);

impl<'a> Fields<'a> {
    pub(super) fn parse(raw: &'a RawValue) -> Result<Self, Wrong> {
        Object::parse(raw).map(Self).map_err(at("line"))
    }

    /// Finds a member; `null` is none.
    pub(super) fn member(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(name).filter(|raw| json::kind(raw) != Kind::Null)
    }

    /// Reads a member that is text; the empty one is none, as SPIRE writes it for what it does not know.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<String>, Wrong> {
        let Some(raw) = self.member(name) else { return Ok(None) };
        let text = json::text(raw).map_err(at(name))?;
        bounded(name, &text).map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()))
    }

    /// Reads a member that is a number of 0 or more.
    pub(super) fn uint(&self, name: &'static str) -> Result<Option<u64>, Wrong> {
        let Some(raw) = self.member(name) else { return Ok(None) };
        raw.get()
            .trim()
            .parse()
            .map(Some)
            .map_err(|_| Wrong::Form { at: name, should: "a number of 0 or more, below 2^64" })
    }

    /// Reads a member that is true or false.
    pub(super) fn flag(&self, name: &'static str) -> Result<Option<bool>, Wrong> {
        self.member(name).map(json::boolean).transpose().map_err(at(name))
    }

    /// Reads a time: RFC 3339 or POSIX seconds, for SPIRE writes both. 0 seconds are none.
    pub(super) fn time_ms(&self, name: &'static str) -> Result<Option<u64>, Wrong> {
        let wrong = || Wrong::Form { at: name, should: "a time between 1970 and 2200, RFC 3339 or seconds" };
        match self.member(name) {
            None => Ok(None),
            Some(raw) if json::kind(raw) == Kind::Number => match self.uint(name)? {
                Some(0) | None => Ok(None),
                Some(seconds) => rfc3339::of_seconds(seconds).map(Some).ok_or_else(wrong),
            },
            Some(_) => match self.text(name)? {
                None => Ok(None),
                Some(text) => rfc3339::milliseconds(&text).map(Some).ok_or_else(wrong),
            },
        }
    }

    /// Reads a list of text; SPIRE writes some as a list and some as text with commas.
    pub(super) fn list(&self, name: &'static str) -> Result<Vec<String>, Wrong> {
        let Some(raw) = self.member(name) else { return Ok(Vec::new()) };
        let found = if json::kind(raw) == Kind::Text {
            self.text(name)?.iter().flat_map(|text| text.split(',')).map(str::to_owned).collect()
        } else {
            let elements = json::array(raw, MAX_ELEMENTS).map_err(at(name))?;
            let text = |raw: &&RawValue| {
                let text = json::text(raw).map_err(at(name))?;
                bounded(name, &text).map(str::to_owned)
            };
            elements.iter().map(text).collect::<Result<Vec<String>, Wrong>>()?
        };
        match found.len() {
            many if many > MAX_ELEMENTS => Err(Wrong::Elements { at: name, found: many, most: MAX_ELEMENTS }),
            _ => Ok(found),
        }
    }

    /// Reads the SPIFFE ID of somebody in the configured trust domain.
    pub(super) fn member_id(&self, name: &'static str, settings: &Settings) -> Result<Option<String>, Wrong> {
        match self.text(name)? {
            Some(id) if !settings.is_member(&id) => {
                Err(Wrong::Form { at: name, should: "a SPIFFE ID with a path, of the configured trust domain" })
            }
            id => Ok(id),
        }
    }
}

/// Refuses text that is too long to stand in clear.
pub(super) fn bounded<'t>(at: &'static str, text: &'t str) -> Result<&'t str, Wrong> {
    match text.len() {
        found if found > MAX_TEXT_BYTES => Err(Wrong::Length { at, found }),
        _ => Ok(text),
    }
}

fn at(at: &'static str) -> impl Fn(JsonError) -> Wrong {
    move |problem| Wrong::Json { at, problem }
}

/// Reads hexadecimal digits, two for each of 1 to 64 bytes.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
    (rest.is_empty() && (1..=64).contains(&bytes.len())).then_some(bytes)
}

/// Reads a serial number as SPIRE writes it, decimal; gives its bytes without leading zeros. RFC 5280 §4.1.2.2: at most 20 octets, positive.
pub(super) fn serial(decimal: &str) -> Option<Vec<u8>> {
    if decimal.len() > 49 || !decimal.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut bytes: Vec<u8> = Vec::new();
    for digit in decimal.bytes() {
        let mut carry = u16::from(digit - b'0');
        for byte in bytes.iter_mut().rev() {
            let [high, low] = (u16::from(*byte) * 10 + carry).to_be_bytes();
            (*byte, carry) = (low, u16::from(high));
        }
        if carry > 0 {
            bytes.insert(0, u8::try_from(carry).ok()?);
        }
    }
    (1..=20).contains(&bytes.len()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields<'_> {
        Fields::parse(json::value(text.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn serial_numbers_are_the_bytes_that_certificates_have() {
        assert_eq!(serial("317065148869014834034949866842047486204").map(|bytes| bytes.len()), Some(16));
        assert_eq!(
            serial("72091423699071402799699827608080717905").unwrap(),
            hex("363c4d9c2071bd3deaa1984257059851").unwrap()
        );
        assert_eq!((serial("255"), serial("256"), serial("007")), (Some(vec![255]), Some(vec![1, 0]), Some(vec![7])));
        let most = "1461501637330902918203684832716283019655932542975";
        assert_eq!(serial(most), Some(vec![255; 20]));
        let more = "1461501637330902918203684832716283019655932542976";
        for wrong in ["", "0", "000", "-1", "+1", "1.0", "0x1", "1 ", "٣", more, &"9".repeat(400)] {
            assert_eq!(serial(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_come_as_seconds_and_as_text() {
        let read = fields(
            r#"{"a":1795324039,"b":"2026-11-22T05:07:19Z","c":0,"d":"","e":-1,"f":1e99,"g":"soon","h":null,"i":99999999999999}"#,
        );
        assert_eq!(read.time_ms("a").unwrap(), Some(1_795_324_039_000));
        assert_eq!(read.time_ms("b").unwrap(), Some(1_795_324_039_000));
        for none in ["c", "d", "h", "z"] {
            assert_eq!(read.time_ms(none).unwrap(), None, "{none}");
        }
        for wrong in ["e", "f", "g", "i"] {
            let error = read.time_ms(wrong).unwrap_err().to_string();
            assert!(error.starts_with(wrong) && !error.contains("soon"), "{error}");
        }
    }

    #[test]
    fn lists_come_as_lists_and_as_text() {
        let read = fields(r#"{"a":"x,y","b":["x","y"],"c":"","d":[1],"e":7}"#);
        assert_eq!(read.list("a").unwrap(), ["x", "y"]);
        assert_eq!(read.list("b").unwrap(), ["x", "y"]);
        assert!(read.list("c").unwrap().is_empty() && read.list("z").unwrap().is_empty());
        assert!(read.list("d").is_err() && read.list("e").is_err());
        let many = format!("{{\"a\":{:?}}}", ",".repeat(MAX_ELEMENTS));
        assert!(matches!(fields(&many).list("a"), Err(Wrong::Elements { found: 1025, .. })));
    }
}
