//! The description as a document: put together from its parts, asked what its examples ask, filled with the answers.

use govlog_formats::base64;
use govlog_formats::search::Column;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::examples::Example;
use super::schema::resolve;
use crate::http::testing::Answer;

const PARTS: &[&str] = &[
    include_str!("../../openapi/parts/document.json"),
    include_str!("../../openapi/parts/schemas.json"),
    include_str!("../../openapi/parts/responses.json"),
    include_str!("../../openapi/parts/entries.json"),
    include_str!("../../openapi/parts/tiles.json"),
    include_str!("../../openapi/parts/journal.json"),
];

/// Puts the hand-written parts together.
pub(super) fn assemble() -> Value {
    let mut document = Value::Object(Map::new());
    for part in PARTS {
        merge(&mut document, serde_json::from_str(part).unwrap(), "");
    }
    columns(&mut document);
    document
}

/// Puts the columns by which entries are found among the parameters of the search, before those that the part has.
fn columns(document: &mut Value) {
    let parameters = document.pointer_mut("/paths/~1v1~1records/get/parameters").unwrap().as_array_mut().unwrap();
    let of = |column: &Column| {
        let schema = match column.pattern() {
            Some(pattern) => json!({ "type": "string", "pattern": pattern }),
            None => json!({ "type": "string", "minLength": 1 }),
        };
        json!({ "name": column.name(), "in": "query", "required": false, "description": column.about(), "schema": schema })
    };
    let all: Vec<Value> = Column::all().iter().map(of).collect();
    parameters.splice(0..0, all);
}

fn merge(into: &mut Value, part: Value, at: &str) {
    let (Value::Object(into), Value::Object(part)) = (into, part) else { panic!("{at} stands in two parts") };
    for (key, value) in part {
        match into.get_mut(&key) {
            Some(inner) => merge(inner, value, &format!("{at}/{key}")),
            None => {
                into.insert(key, value);
            }
        }
    }
}

/// What an example of the document asks.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Where the operation stands in the document.
    pub(super) operation: String,
    pub(super) name: String,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<(String, Vec<u8>)>,
}

/// Writes what an example asks into the document, and an empty answer.
pub(super) fn insert(document: &mut Value, example: &Example) {
    let operation = pointer_to(document, example.operation);
    for (name, value) in &example.parameters {
        let parameters = document.pointer(&format!("{operation}/parameters")).unwrap().as_array().unwrap();
        let place = parameters.iter().position(|one| resolve(document, one)["name"] == **name);
        let place = format!("{operation}/parameters/{}", place.unwrap_or_else(|| panic!("{operation} has no {name}")));
        inlined(document, &place)["examples"][example.name] = json!({ "summary": example.summary, "value": value });
    }
    if let Some(body) = &example.body {
        let content = &mut document.pointer_mut(&format!("{operation}/requestBody")).unwrap()["content"];
        let (media, content) = content.as_object_mut().unwrap().iter_mut().next().unwrap();
        content["examples"][example.name] = json!({ "summary": example.summary, "externalValue": data(media, body) });
    }
    let response = format!("{operation}/responses/{}", example.status);
    assert!(document.pointer(&response).is_some(), "{response} is not described");
    let location = inlined(document, &response)["headers"].get("Location").is_some();
    if location {
        inlined(document, &format!("{response}/headers/Location"))["examples"][example.name] = json!({ "value": "" });
    }
    let response = document.pointer_mut(&response).unwrap();
    for content in response.get_mut("content").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        content["examples"][example.name] = json!({ "summary": example.summary, "value": "" });
    }
}

/// Writes an answer into the document, in the place that [`insert`] has made.
pub(super) fn answered(document: &mut Value, asked: &Asked, answer: &Answer) {
    let response = document.pointer_mut(&format!("{}/responses/{}", asked.operation, answer.status)).unwrap();
    if let Some(example) = response.pointer_mut(&format!("/headers/Location/examples/{}", asked.name)) {
        example["value"] = answer.location().into();
    }
    let Some(content) = response.get_mut("content") else { return };
    let (media, content) = content.as_object_mut().unwrap().iter_mut().next().unwrap();
    let example = content["examples"][&asked.name].as_object_mut().unwrap();
    if media.contains("json") {
        example["value"] = serde_json::from_slice(&answer.body).unwrap();
    } else if media.starts_with("text/") {
        example["value"] = String::from_utf8(answer.body.clone()).unwrap().into();
    } else {
        example.remove("value");
        example.insert("externalValue".into(), data(media, &answer.body).into());
    }
}

/// Lists what all examples of a document ask, from the document alone.
pub(super) fn asked(document: &Value) -> Vec<Asked> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let pointer = format!("/paths/{}/{method}", path.replace('~', "~0").replace('/', "~1"));
            for name in names(document, operation) {
                all.push(one(document, operation, &pointer, &name, path, method));
            }
        }
    }
    all
}

/// The names of all examples of an operation, be they of a parameter, the body or an answer.
fn names(document: &Value, operation: &Value) -> Vec<String> {
    let mut holders: Vec<&Value> = operation["parameters"].as_array().into_iter().flatten().collect();
    let bodies = operation["responses"].as_object().unwrap().values().map(|one| resolve(document, one));
    for body in bodies.chain(operation.get("requestBody")) {
        holders.extend(body["headers"].as_object().into_iter().flat_map(Map::values));
        holders.extend(body["content"].as_object().into_iter().flat_map(Map::values));
    }
    let examples = holders.into_iter().map(|one| &resolve(document, one)["examples"]);
    let mut names: Vec<String> =
        examples.flat_map(|one| one.as_object().into_iter().flat_map(Map::keys).cloned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn one(document: &Value, operation: &Value, pointer: &str, name: &str, path: &str, method: &str) -> Asked {
    let (mut path, mut query) = (path.to_owned(), reqwest::Url::parse("http://h").unwrap());
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let parameter = resolve(document, parameter);
        let value = parameter["examples"].get(name).map(|example| &example["value"]);
        let Some(value) = value else {
            assert_ne!(parameter["required"], true, "{pointer}: example {name} lacks {}", parameter["name"]);
            continue;
        };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let place = parameter["name"].as_str().unwrap();
        match parameter["in"].as_str() {
            Some("path") => path = path.replace(&format!("{{{place}}}"), &text),
            _ => {
                query.query_pairs_mut().append_pair(place, &text);
            }
        }
    }
    if let Some(query) = query.query() {
        path = format!("{path}?{query}");
    }
    let body = operation.get("requestBody").map(|body| {
        let (media, content) = body["content"].as_object().unwrap().iter().next().unwrap();
        let example = &content["examples"][name]["externalValue"];
        let bytes = example.as_str().unwrap_or_else(|| panic!("{pointer}: example {name} lacks a body"));
        (media.clone(), bytes_of(bytes, media))
    });
    let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
    Asked { operation: pointer.to_owned(), name: name.to_owned(), method, path, body }
}

fn pointer_to(document: &Value, id: &str) -> String {
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["operationId"] == id {
                return format!("/paths/{}/{method}", path.replace('~', "~0").replace('/', "~1"));
            }
        }
    }
    panic!("there is no operation {id}");
}

/// Puts what a reference names in its place, so that something can be added to it there alone.
fn inlined<'a>(document: &'a mut Value, pointer: &str) -> &'a mut Value {
    let target = resolve(document, document.pointer(pointer).unwrap()).clone();
    let place = document.pointer_mut(pointer).unwrap();
    *place = target;
    place
}

fn data(media: &str, bytes: &[u8]) -> String {
    format!("data:{media};base64,{}", base64::encode(bytes))
}

fn bytes_of(uri: &str, media: &str) -> Vec<u8> {
    let prefix = format!("data:{media};base64,");
    base64::decode(uri.strip_prefix(&prefix).unwrap_or_else(|| panic!("{uri} does not begin with {prefix}"))).unwrap()
}
