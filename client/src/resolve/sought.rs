//! What to look for when somebody has a thing in hand and does not say what it is: every term that it can be found by.
//!
//! Nothing is guessed: where a form can mean several things, all of them are asked for, and what is found says which it was.

use std::path::Path;

use govlog_formats::base64;
use govlog_formats::cose::{PublicKey, SigningKey};
use govlog_formats::digest::Digest;
use govlog_formats::entry_id::EntryId;
use govlog_formats::record::Handle;
use govlog_formats::record::handles::{certificate_from_pem, certificate_spki, jwk_spki};
use govlog_formats::search::{Column, FilterError, Term};

use super::{Found, ResolveError, Resolver, What, said};

/// What is looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Sought {
    /// What it was called, fit to be shown to anyone: never a token itself.
    pub name: String,
    /// What it is taken for, in words.
    pub taken_for: String,
    /// The entry, where it is one of a known id.
    pub entry: Option<EntryId>,
    /// Whatever has one of these is meant.
    pub terms: Vec<Term>,
    /// Where nothing has any of those, whatever has one of these.
    pub or_else: Vec<Term>,
}

/// Where digests stand: of an entry itself, of what it holds, and of what it names.
const OF_DIGESTS: [&str; 11] = [
    "leaf",
    "sig_structure",
    "payload",
    "credential",
    "key",
    "signer",
    "policy",
    "entry",
    "op_digest",
    "approved",
    "manifest_digest",
];
/// Where ids stand that somebody made up: UUIDs and such.
const OF_IDS: [&str; 11] =
    ["decision", "request", "txn", "trace", "span", "entry", "credential", "key", "thread", "case", "target"];
/// Where names stand.
const OF_NAMES: [&str; 11] =
    ["subject", "party", "prefix", "agent", "policy", "resource", "domain", "owner", "approver", "stream", "target"];
/// Who signs, and who owns, has much under the name: asked for where nothing is called so.
const OF_SIGNERS: [&str; 3] = ["issuer", "pdp", "sponsor"];
/// Handles that have no column of their own.
const DIGEST_HANDLES: [&str; 2] = ["schema_digest", "entities_digest"];
/// The handles that name one credential; the others of it name its key, which other credentials can have too.
pub(crate) const OF_CREDENTIALS: [&str; 6] =
    ["cert_s256", "tbs_s256", "serial_aki", "tok_s256", "jws_input_s256", "jti_iss"];

/// Whether words look like the path of a file, which is not there. A name that ends so is found by what it is a name of.
fn is_of_a_file(text: &str) -> bool {
    let has = |endings: &[&str]| endings.iter().any(|ending| text.ends_with(ending));
    !text.contains("://") && has(&[".pem", ".crt", ".cose", ".zip", ".member", ".jwk", ".jwt"])
}

impl Resolver<'_> {
    /// Finds out what words can be found by, whatever they are.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or holds nothing that is known here; a token was written on the command line.
    pub fn sought(&self, text: &str) -> Result<Sought, ResolveError> {
        if !Path::new(text).is_file()
            && let Some(sought) = by_form(text, self.pdp)
        {
            return sought;
        }
        match self.find(text) {
            Ok(found) => Ok(self.of_found(text, &found)),
            Err(ResolveError::NotUnderstood(text)) if is_of_a_file(&text) => Err(ResolveError::NoFile(text)),
            Err(ResolveError::NotUnderstood(text)) => {
                let columns = OF_IDS.into_iter().chain(OF_NAMES);
                Ok(Sought::new(&text, "an id or a name", columns, &text).or_else(&OF_SIGNERS, &text))
            }
            Err(error) => Err(error),
        }
    }

    fn of_found(&self, text: &str, found: &Found) -> Sought {
        let handles = found.handles();
        let terms = |is: &dyn Fn(&Handle) -> bool| -> Vec<Term> {
            handles.iter().filter(|handle| is(handle)).filter_map(Term::of_handle).collect()
        };
        let is_credential = |handle: &Handle| OF_CREDENTIALS.contains(&handle.name.as_str());
        let sought = |taken_for: &str, terms, or_else| Sought {
            name: found.name.clone(),
            taken_for: taken_for.to_owned(),
            entry: None,
            terms,
            or_else,
        };
        let signer = || thumbprint(Path::new(text)).and_then(|kid| Term::new(Column::SIGNER, &kid).ok());
        match &found.what {
            What::Entry(entry) => {
                let leaf = vec![Term::of_leaf(&entry.statement.leaf_hash())];
                Sought { entry: entry.id(), ..sought("an entry", leaf, Vec::new()) }
            }
            What::Leaf(leaf) => sought("a leaf hash", vec![Term::of_leaf(leaf)], Vec::new()),
            What::Certificate(_) => {
                let of_its_key = terms(&|handle| !is_credential(handle)).into_iter().chain(signer());
                sought("a certificate", terms(&is_credential), of_its_key.collect())
            }
            What::Token(_) => sought("a token", terms(&is_credential), terms(&|handle| !is_credential(handle))),
            What::Key(_) => sought("a key", terms(&|_| true).into_iter().chain(signer()).collect(), Vec::new()),
            What::Handle(_) => sought("a handle", terms(&|_| true), Vec::new()),
            What::Name(name) => Sought::new(&found.name, "a name", OF_NAMES, name).or_else(&OF_SIGNERS, name),
        }
    }
}

impl Sought {
    fn new(name: &str, taken_for: &str, columns: impl IntoIterator<Item = &'static str>, value: &str) -> Self {
        let terms = terms(columns, value);
        Self { name: name.to_owned(), taken_for: taken_for.to_owned(), entry: None, terms, or_else: Vec::new() }
    }

    fn or_else(self, columns: &[&'static str], value: &str) -> Self {
        Self { or_else: terms(columns.iter().copied(), value), ..self }
    }
}

fn terms(columns: impl IntoIterator<Item = &'static str>, value: &str) -> Vec<Term> {
    columns.into_iter().filter_map(|name| Term::new(Column::named(name)?, value).ok()).collect()
}

/// Tells the forms apart that say enough by themselves; `pdp`: who issued a decision.
fn by_form(text: &str, pdp: Option<&str>) -> Option<Result<Sought, ResolveError>> {
    let sought = |taken_for: &str, columns: &[&'static str], value: &str| {
        Some(Ok(Sought::new(text, taken_for, columns.iter().copied(), value)))
    };
    if let Ok(id) = text.parse::<EntryId>() {
        return Some(Ok(Sought { entry: Some(id), ..Sought::new(text, "an entry id", [], "") }));
    }
    let decision = match text.split_once(':') {
        Some(("dec" | "decision", id)) => Some(id),
        _ => None,
    };
    match (decision, pdp) {
        (Some(id), Some(pdp)) => return Some(Ok(of_decision(text, id, pdp))),
        (Some(id), None) => return sought("a decision id", &["decision"], id),
        (None, Some(pdp)) if !text.contains(':') => return Some(Ok(of_decision(text, text, pdp))),
        (None, _) => {}
    }
    if let Some(trace) = traceparent(text) {
        return sought("a trace id, of a traceparent", &["trace"], trace);
    }
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    if let Some(digest) = Digest::from_hex_lenient(digits).ok().or_else(|| jose_digest(text)) {
        return Some(Ok(of_digest(text, &digest)));
    }
    if let Some((name, value)) = text.split_once(':')
        && !value.starts_with("//")
        && let Some(column) = Column::named(name).filter(|column| *column != Column::LEAF)
    {
        return Some(of_column(text, column, value));
    }
    match hex_digits(text) {
        Some(32) => sought("a trace id, or another id of 16 bytes", &OF_IDS, text),
        Some(16..) => sought("an id in hex", &OF_IDS, text),
        _ if is_uuid(text) => sought("an id, as of a decision or a request", &OF_IDS, text),
        _ => None,
    }
}

fn of_digest(name: &str, digest: &Digest) -> Sought {
    let digest = digest.to_string();
    let mut sought = Sought::new(name, "a digest, of whatever it may be", OF_DIGESTS, &digest);
    let handles = DIGEST_HANDLES.iter().map(|name| format!("{name}:{digest}"));
    sought.terms.extend(handles.filter_map(|handle| Term::new(Column::HANDLE, &handle).ok()));
    sought
}

fn of_decision(name: &str, id: &str, pdp: &str) -> Sought {
    let term = Term::of_handle(&said::decision(id, pdp));
    Sought { terms: term.into_iter().collect(), ..Sought::new(name, "a decision id of that PDP", [], "") }
}

fn of_column(text: &str, column: Column, value: &str) -> Result<Sought, ResolveError> {
    let term = Term::new(column, value).map_err(|error| {
        let expected = match error {
            FilterError::Value { expected, .. } => expected,
            _ => "a value",
        };
        ResolveError::Value { text: text.to_owned(), expected }
    })?;
    Ok(Sought { terms: vec![term], ..Sought::new(text, &column.about(), [], "") })
}

/// "version-format = trace-id "-" parent-id "-" trace-flags" (W3C Trace Context, §3.2.2): gives the trace id.
fn traceparent(text: &str) -> Option<&str> {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<Option<usize>> = parts.iter().map(|part| hex_digits(part)).collect();
    let is_one = lengths.get(..4) == Some(&[Some(2), Some(32), Some(16), Some(2)][..]);
    parts.get(1).copied().filter(|_| is_one)
}

/// A thumbprint as JOSE writes it: 43 characters of base64url, which no word is by chance.
fn jose_digest(text: &str) -> Option<Digest> {
    let bytes = if text.len() == 43 { base64::decode_url(text).ok()? } else { return None };
    Digest::from_slice(&bytes)
}

/// How many hex digits a text is of, if it is of nothing else; colons between bytes do not count.
fn hex_digits(text: &str) -> Option<usize> {
    let has_colons = text.contains(':') && text.split(':').all(|pair| pair.len() == 2);
    let digits: String = if has_colons { text.split(':').collect() } else { text.to_owned() };
    let is_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then_some(digits.len())
}

/// "UUID = 4hexOctet "-" 2hexOctet "-" 2hexOctet "-" 2hexOctet "-" 6hexOctet" (RFC 9562 §4).
fn is_uuid(text: &str) -> bool {
    let lengths: Vec<Option<usize>> = text.split('-').map(hex_digits).collect();
    lengths == [8, 4, 4, 4, 12].map(Some)
}

/// The COSE thumbprint of the key in a file, public, private or certified: what statements name their key by. RSA keys sign none.
pub(crate) fn thumbprint(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let certified = || certificate_from_pem(text.as_bytes()).and_then(|der| certificate_spki(&der)).ok();
    let jwk = || jwk_spki(&serde_json::from_str(&text).ok()?);
    let key = PublicKey::from_spki_pem(&text)
        .ok()
        .or_else(|| Some(SigningKey::from_pkcs8_pem(&text).ok()?.public()))
        .or_else(|| PublicKey::from_spki_der(&certified().or_else(jwk)?).ok())?;
    Some(key.thumbprint().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "292c42db8692942a23f02804e23af6428631ef7f49c167e7f37129a3b6c8f9e9";
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn form(text: &str) -> Sought {
        by_form(text, None).unwrap().unwrap()
    }

    fn columns(sought: &Sought) -> Vec<&'static str> {
        sought.terms.iter().map(|term| term.column().name()).collect()
    }

    #[test]
    fn every_column_that_is_asked_exists() {
        for name in OF_DIGESTS.iter().chain(&OF_IDS).chain(&OF_NAMES).chain(&OF_SIGNERS) {
            assert!(Column::named(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_bare_digest_is_looked_for_as_everything_it_can_be_of() {
        let colons: Vec<String> =
            HEX.as_bytes().chunks(2).map(|two| String::from_utf8_lossy(two).to_uppercase()).collect();
        let digest: Digest = HEX.parse().unwrap();
        let spellings =
            [HEX.to_owned(), format!("sha256:{HEX}"), colons.join(":"), base64::encode_url(digest.as_bytes())];
        for spelling in spellings {
            let sought = form(&spelling);
            assert_eq!(columns(&sought)[..OF_DIGESTS.len()], OF_DIGESTS, "{spelling}");
            assert!(sought.terms.iter().all(|term| term.value().ends_with(HEX)), "{spelling}");
            assert_eq!(sought.terms.len(), OF_DIGESTS.len() + DIGEST_HANDLES.len());
        }
    }

    #[test]
    fn ids_are_told_by_their_form() {
        assert_eq!(form("1.57").entry, Some("1.57".parse().unwrap()));
        assert_eq!(form(&format!("00-{TRACE}-00f067aa0ba902b7-01")).terms, form(&format!("trace:{TRACE}")).terms);
        assert!(columns(&form(TRACE)).contains(&"trace"));
        let uuid = "0190f3c4-8a3e-7c35-9f6d-2b7d1d2f7a11";
        assert!(columns(&form(uuid)).starts_with(&["decision", "request"]));
        assert_eq!(columns(&form(&format!("dec:{uuid}"))), ["decision"]);
        assert_eq!(columns(&form("request:r-1")), ["request"]);
    }

    #[test]
    fn with_its_pdp_a_decision_is_one() {
        for text in ["d-1", "dec:d-1", "decision:d-1"] {
            let sought = by_form(text, Some("https://pdp.example")).unwrap().unwrap();
            let shown: Vec<String> = sought.terms.iter().map(ToString::to_string).collect();
            assert_eq!(shown, ["handle=dec:https://pdp.example,d-1"], "{text}");
        }
    }

    #[test]
    fn what_has_no_such_form_is_left_to_its_content_or_its_name() {
        for text in
            ["spiffe://prod.example/pay", "pay-1.pem", "cert_s256:1", "authz", "leaf:00", "-", "12", "urn:agent:7"]
        {
            assert!(by_form(text, None).is_none(), "{text}");
        }
        assert!(matches!(by_form("payload:12", None), Some(Err(ResolveError::Value { .. }))));
    }
}
