//! Query strings, strictly: every parameter known, none twice, percent-encoded UTF-8.

use super::error::Failure;

/// The parameters of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// Reads a query string; `known` names all parameters the route has.
    ///
    /// # Errors
    /// 400 for an unknown, repeated or malformed parameter.
    pub(super) fn read(query: Option<&str>, known: &[&'static str]) -> Result<Self, Failure> {
        let (query, others) = Self::split(query, known)?;
        let Some((name, _)) = others.first() else { return Ok(query) };
        let list = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(bad(format!("unknown parameter {name:?}; this route has: {list}")))
    }

    /// Reads a query string of which only some parameters are known here; the others are returned as they come.
    ///
    /// # Errors
    /// 400 for a repeated one of those that are known, or a malformed one.
    pub(super) fn split(query: Option<&str>, known: &[&'static str]) -> Result<(Self, Vec<(String, String)>), Failure> {
        let mut found: Vec<(&'static str, String)> = Vec::new();
        let mut others = Vec::new();
        for part in query.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            match known.iter().find(|known| **known == name) {
                None => others.push((name, value)),
                Some(name) if found.iter().any(|(other, _)| other == name) => {
                    return Err(bad(format!("parameter {name} is given twice")));
                }
                Some(name) => found.push((name, value)),
            }
        }
        Ok((Self(found), others))
    }

    /// Returns a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// Returns a parameter that must be there.
    ///
    /// # Errors
    /// 400 without it.
    pub(super) fn require(&self, name: &str) -> Result<&str, Failure> {
        self.get(name).ok_or_else(|| bad(format!("parameter {name} is missing")))
    }

    /// Reads a number, decimal without sign or leading zeros.
    ///
    /// # Errors
    /// 400 for anything else.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Failure> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let number = text.parse().map_err(|_| {
            let shown: String = text.chars().take(40).collect();
            bad(format!("{name} is {shown:?}; it must be a number in decimal without leading zeros, below 2^62"))
        });
        number.map(Some)
    }

    /// Reads a number that must be there.
    ///
    /// # Errors
    /// 400 without it, or for anything else.
    pub(super) fn require_number<T: std::str::FromStr>(&self, name: &str) -> Result<T, Failure> {
        self.number(name)?.ok_or_else(|| bad(format!("parameter {name} is missing")))
    }
}

pub(super) fn bad(why: impl Into<String>) -> Failure {
    Failure::BadRequest(why.into())
}

/// Undoes percent-encoding; `+` stands for a space.
fn decode(text: &str) -> Result<String, Failure> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                let value = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                value.ok_or_else(|| bad("the query has a % without two hexadecimal digits"))?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| bad("the query is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use govlog_formats::merkle::TreeSize;

    use super::*;

    #[test]
    fn parameters_are_known_single_and_decoded() {
        let query =
            Query::read(Some("issuer=https%3A%2F%2Fa.example&stream=a+b%C3%A9&"), &["issuer", "stream"]).unwrap();
        assert_eq!(query.get("issuer"), Some("https://a.example"));
        assert_eq!(query.get("stream"), Some("a bé"));
        assert_eq!(Query::read(None, &[]).unwrap().get("issuer"), None);
        for wrong in
            ["x=1", "issuer=a&issuer=b", "issuer=%", "issuer=%4", "issuer=%zz", "issuer=%ff", "iss%75er=a&issuer=b"]
        {
            assert!(matches!(Query::read(Some(wrong), &["issuer"]), Err(Failure::BadRequest(_))), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_canonical() {
        let number =
            |text: &str| Query::read(Some(&format!("size={text}")), &["size"]).unwrap().number::<TreeSize>("size");
        assert_eq!(number("0").unwrap(), Some(TreeSize::new(0)));
        assert_eq!(number("70000").unwrap(), Some(TreeSize::new(70_000)));
        for wrong in ["", "05", "-1", "%2B1", "1.0", "0x1", "99999999999999999999", "1%20"] {
            assert!(number(wrong).is_err(), "{wrong}");
        }
    }
}
