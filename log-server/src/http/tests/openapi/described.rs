//! Answers held against the description: status, headers, content type and body are each one that it names.

use govlog_formats::base64;
use govlog_formats::cbor::{Item, Rules, check, split_sequence};
use govlog_formats::limits::MAX_BATCH_STATEMENTS;
use serde_json::{Map, Value};

use super::schema;
use crate::http::openapi::DOCUMENT;
use crate::http::testing::Answer;

/// The description, as whoever fetches it has it.
pub(in crate::http::tests) struct Description(Value);

impl Description {
    pub(in crate::http::tests) fn get() -> Self {
        Self(serde_json::from_slice(DOCUMENT).unwrap())
    }

    /// Checks an answer to a request of which the path is given without its query.
    pub(in crate::http::tests) fn check(&self, method: &str, path: &str, answer: &Answer) -> Result<(), String> {
        let of = format!("{method} {path}: {}", answer.status);
        let Some(item) = self.item(path) else {
            return told(&of, matches!(answer.status, 404 | 405), "the path is not described, and yet not 404");
        };
        let name = if method == "HEAD" { "get".to_owned() } else { method.to_ascii_lowercase() };
        let described = item.get(name);
        let Some(operation) = described.filter(|_| method.to_ascii_uppercase() == method) else {
            let refused = answer.status == 405 && answer.headers.contains_key("allow");
            return told(&of, refused, "the method is not described, and yet not 405 with Allow");
        };
        let response = operation["responses"].get(answer.status.to_string());
        let response = response.ok_or_else(|| format!("{of}: the status is not described"))?;
        self.response(&of, schema::resolve(&self.0, response), answer, method == "HEAD")
    }

    fn response(&self, of: &str, response: &Value, answer: &Answer, head: bool) -> Result<(), String> {
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let header = schema::resolve(&self.0, header);
            let found = answer.headers.get(name).ok_or_else(|| format!("{of}: {name} is missing"))?;
            let text = found.to_str().map_err(|error| format!("{of}: {error}"))?;
            let number = header["schema"]["type"] == "integer";
            let value = if number { text.parse::<u64>().map_or(Value::Null, Value::from) } else { Value::from(text) };
            schema::check(&self.0, &header["schema"], &value, &format!("{of}: {name}"))?;
        }
        let Some(content) = response["content"].as_object() else {
            return told(of, answer.body.is_empty(), "a body is not described");
        };
        let media = content.get(answer.content_type()).ok_or_else(|| format!("{of}: {}", answer.content_type()))?;
        if head {
            return told(of, answer.body.is_empty(), "an answer to HEAD has no body");
        }
        match view(answer.content_type(), &answer.body).map_err(|error| format!("{of}: {error}"))? {
            Some(view) => schema::check(&self.0, &media["schema"], &view, of),
            None => Ok(()),
        }
    }

    /// Finds what is described of a path: the item with the most segments that are not parameters.
    fn item(&self, path: &str) -> Option<&Value> {
        let items = self.0["paths"].as_object()?;
        let fitting = items.iter().filter(|(template, _)| fits(template, path));
        fitting.min_by_key(|(template, _)| template.matches('{').count()).map(|(_, item)| item)
    }
}

fn told(of: &str, good: bool, otherwise: &str) -> Result<(), String> {
    if good { Ok(()) } else { Err(format!("{of}: {otherwise}")) }
}

/// Tells whether a path fits a template: `{name}` stands for any segment that is not empty, `{name}.p` for one that ends so.
fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    let same = |(template, part): (&&str, &&str)| match template.strip_prefix('{').and_then(|rest| rest.split_once('}'))
    {
        Some((_, end)) => part.strip_suffix(end).is_some_and(|value| !value.is_empty()),
        None => template == part,
    };
    template.len() == path.len() && template.iter().zip(&path).all(same)
}

/// Makes of a body what its schema is about, as the description says; `None` where the schema says nothing that could be checked.
fn view(content_type: &str, body: &[u8]) -> Result<Option<Value>, String> {
    let one = |bytes| check(bytes, Rules::Protected).map(|item| cbor(&item)).map_err(|error| error.to_string());
    match content_type {
        "application/json" | "application/problem+json" => {
            serde_json::from_slice(body).map(Some).map_err(|error| error.to_string())
        }
        "text/plain; charset=utf-8" => {
            std::str::from_utf8(body).map(|text| Some(text.into())).map_err(|error| error.to_string())
        }
        "application/cbor" | "application/concise-problem-details+cbor" => one(body).map(Some),
        "application/cbor-seq" => {
            let items = split_sequence(body, MAX_BATCH_STATEMENTS).map_err(|error| error.to_string())?;
            items.into_iter().map(one).collect::<Result<Vec<_>, _>>().map(|all| Some(all.into()))
        }
        // COSE_Sign1, tagged.
        "application/cose" => match check(body, Rules::Protected).map(|item| item.as_tag().map(|(tag, _)| tag)) {
            Ok(Some(18)) => Ok(None),
            other => Err(format!("no COSE_Sign1: {other:?}")),
        },
        "application/octet-stream" => told("", !body.is_empty(), "an empty tile").map(|()| None),
        other => Err(format!("{other} is not known")),
    }
}

/// "an integer key is written as its decimal text, a byte string as base64url without padding" (the description)
fn cbor(item: &Item<'_>) -> Value {
    if let Some(entries) = item.as_map() {
        let key =
            |key: &Item<'_>| key.as_int().map_or_else(|| key.as_text().unwrap().to_owned(), |int| int.to_string());
        return entries.iter().map(|entry| (key(&entry.key), cbor(&entry.value))).collect::<Map<_, _>>().into();
    }
    if let Some(items) = item.as_array() {
        return items.iter().map(cbor).collect::<Vec<_>>().into();
    }
    let text = item.as_text().map(str::to_owned).or_else(|| item.as_bytes().map(base64::encode_url));
    text.map_or_else(|| item.as_i64().unwrap().into(), Value::from)
}
