//! A validator of the JSON Schema that the description is written in, and of no more: a keyword that it does not know is an error, so that
//! nothing described goes unchecked.

use regex::Regex;
use serde_json::Value;

/// Checks a value; the error says where it stands and what is wrong with it.
pub(super) fn check(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let keywords = schema.as_object().ok_or_else(|| format!("{at}: a schema is an object"))?;
    for (keyword, rule) in keywords {
        one(document, keyword, rule, value, at)?;
    }
    let known = keywords.get("properties").and_then(Value::as_object);
    if keywords.get("additionalProperties") == Some(&Value::Bool(false)) {
        let is_known = |name: &str| known.is_some_and(|known| known.contains_key(name));
        let unknown = value.as_object().and_then(|object| object.keys().find(|name| !is_known(name)));
        if let Some(unknown) = unknown {
            return Err(format!("{at}: {unknown} is not described"));
        }
    }
    Ok(())
}

/// Follows a `$ref` within the document.
pub(super) fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} is not in this document"));
            document.pointer(pointer).unwrap_or_else(|| panic!("{reference} is not there"))
        }
        None => value,
    }
}

fn one(document: &Value, keyword: &str, rule: &Value, value: &Value, at: &str) -> Result<(), String> {
    let bad = || Err(format!("{at}: {value} breaks {keyword} {rule}"));
    let at_least = |found: Option<usize>| found.is_none_or(|found| Some(found as u64) >= rule.as_u64());
    let good = match keyword {
        "title" | "description" | "default" => true,
        // Beside `properties`, above.
        "additionalProperties" => *rule == Value::Bool(false),
        "$ref" => {
            let target = serde_json::json!({ "$ref": rule });
            return check(document, resolve(document, &target), value, at);
        }
        "type" => has_type(rule.as_str().unwrap_or_default(), value),
        "enum" => rule.as_array().is_some_and(|all| all.contains(value)),
        "pattern" => {
            let pattern = Regex::new(rule.as_str().unwrap_or_default()).map_err(|error| format!("{at}: {error}"))?;
            value.as_str().is_none_or(|text| pattern.is_match(text))
        }
        "minLength" => at_least(value.as_str().map(|text| text.chars().count())),
        "minimum" => value.as_i64().is_none_or(|number| Some(number) >= rule.as_i64()),
        "maximum" => value.as_i64().is_none_or(|number| Some(number) <= rule.as_i64()),
        "minProperties" => at_least(value.as_object().map(serde_json::Map::len)),
        "minItems" => at_least(value.as_array().map(Vec::len)),
        "maxItems" => value.as_array().is_none_or(|all| Some(all.len() as u64) <= rule.as_u64()),
        "required" => rule.as_array().is_some_and(|names| {
            value.as_object().is_none_or(|object| {
                names.iter().all(|name| name.as_str().is_some_and(|name| object.contains_key(name)))
            })
        }),
        "properties" => {
            for (name, schema) in rule.as_object().into_iter().flatten() {
                if let Some(inner) = value.get(name) {
                    check(document, schema, inner, &format!("{at}.{name}"))?;
                }
            }
            true
        }
        "items" => {
            for (number, inner) in value.as_array().into_iter().flatten().enumerate() {
                check(document, rule, inner, &format!("{at}[{number}]"))?;
            }
            true
        }
        "anyOf" => {
            rule.as_array().is_some_and(|all| all.iter().any(|schema| check(document, schema, value, at).is_ok()))
        }
        _ => return Err(format!("{at}: the schema keyword {keyword} is not known here")),
    };
    if good { Ok(()) } else { bad() }
}

fn has_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "null" => value.is_null(),
        _ => false,
    }
}

#[test]
fn the_validator_refuses_what_breaks_a_rule_and_what_it_does_not_know() {
    let document = serde_json::json!({ "d": { "type": "string", "pattern": "^[0-9a-f]{2}$" } });
    let schema = serde_json::json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": {
            "a": { "type": "integer", "minimum": 1, "maximum": 9 },
            "b": { "type": "array", "minItems": 1, "maxItems": 2, "items": { "$ref": "#/d" } },
            "c": { "anyOf": [{ "type": "null" }, { "enum": ["x"] }] },
        },
    });
    let good = [r#"{"a":1}"#, r#"{"a":9,"b":["0f"],"c":null}"#, r#"{"a":5,"b":["0f","ff"],"c":"x"}"#];
    let bad = [
        "[]",
        "{}",
        r#"{"a":0}"#,
        r#"{"a":10}"#,
        r#"{"a":"1"}"#,
        r#"{"a":1,"b":[]}"#,
        r#"{"a":1,"b":["0f","0f","0f"]}"#,
        r#"{"a":1,"b":["0F"]}"#,
        r#"{"a":1,"c":"y"}"#,
        r#"{"a":1,"d":1}"#,
    ];
    let judged = |text: &str| check(&document, &schema, &serde_json::from_str(text).unwrap(), "it");
    good.iter().for_each(|text| judged(text).unwrap());
    bad.iter().for_each(|text| assert!(judged(text).is_err(), "{text}"));
    let unknown = serde_json::json!({ "uniqueItems": true });
    assert!(check(&document, &unknown, &Value::Null, "it").unwrap_err().contains("uniqueItems"));
}
