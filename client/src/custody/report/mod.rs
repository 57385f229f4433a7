//! The report: one self-contained page, made from a verified custody file, for people to read, print and hand on.
//!
//! ```text
//! Custody ─▶ Matter ─▶ summary · exceptions · chain · timeline · entries ─▶ page
//! ```
//!
//! The page proves nothing: whoever can write a file can write another one. So it says what verifies it, by which digests, and above all what
//! was not proved. Nothing in it runs and nothing is fetched, by a policy that the browser holds to; what records say is escaped and shown
//! whatever it is. The same file and trust directory give the same page: no clock is read, and the file's name is left out.
//!
//! In scope: what is shown, and how. Out of scope: what is true of a file (`custody::verify`); a file that is refused has no page.

mod chain;
mod entry;
mod escape;
mod exceptions;
mod fields;
mod html;
mod matter;
mod page;
mod parts;
mod summary;
#[cfg(test)]
mod tests;
mod timeline;
mod words;

use super::judge::CustodyVerdict;
use crate::verify::Failure;

/// Makes the page of a file that was verified.
///
/// # Errors
///
/// The file was refused; why, as its verdict says.
pub fn report(verdict: &CustodyVerdict) -> Result<String, &Failure> {
    let custody = verdict.result.as_ref()?;
    Ok(page::page(&matter::Matter::new(custody, &verdict.not_proved)))
}
