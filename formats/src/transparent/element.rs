//! Elements of label 394 that may come from any service.
//!
//! Only as much is asked of them as it takes to say whose they are. Every encoding of a `COSE_Sign1` is understood here, so that a
//! receipt under a key in force cannot hide from the verifier behind an unusual one; whoever has that key is then read strictly.

use crate::cbor::{Rules, Value, check};
use crate::cose::label::KID;

/// Returns the protected key id of a tagged `COSE_Sign1`.
pub(super) fn kid(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let Value::Tag(18, content) = value(bytes)? else { return Err("it is not tag 18".to_owned()) };
    let Value::Array(parts) = *content else { return Err("tag 18 must stand before an array".to_owned()) };
    let [Value::Bytes(protected), Value::Map(_), Value::Bytes(_) | Value::Null, Value::Bytes(_)] = parts.as_slice()
    else {
        return Err("the array must hold a byte string, a map, a byte string or nil, and a byte string".to_owned());
    };
    let Value::Map(header) = value(protected)? else { return Err("the protected header must be a map".to_owned()) };
    let mut kids = header.into_iter().filter(|(label, _)| *label == Value::from(KID)).map(|(_, kid)| kid);
    match (kids.next(), kids.next()) {
        (Some(Value::Bytes(kid)), None) => Ok(kid),
        (Some(_), None) => Err("4 kid must be a byte string".to_owned()),
        (None, _) => Err("4 kid is missing".to_owned()),
        (Some(_), Some(_)) => Err("4 kid stands there twice".to_owned()),
    }
}

fn value(bytes: &[u8]) -> Result<Value, String> {
    check(bytes, Rules::WellFormed).and_then(|item| item.to_value()).map_err(|error| error.to_string())
}
