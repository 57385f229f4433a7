//! The policy file.

use core::fmt;
use core::str::FromStr;

use super::{Log, Member, Policy, PolicyBuilder, PolicyFault, Witness, Word};
use crate::limits::MAX_POLICY_BYTES;
use crate::note::Vkey;

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// [`PolicyError`] names the line that is wrong.
    pub fn parse(file: &[u8]) -> Result<Self, PolicyError> {
        if file.len() > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLarge { found: file.len() });
        }
        // "each line is terminated by ASCII newline" (tlog-policy, main of 2026-06-22, Structure). Kept strictly: a file cut
        // short inside the last name could otherwise name another, weaker quorum.
        let body = match file {
            [body @ .., b'\n'] => body,
            [] => return Err(PolicyError::Whole(PolicyFault::NoQuorum)),
            _ => return Err(PolicyError::Unterminated),
        };
        let mut builder = PolicyBuilder::new();
        for (position, line) in body.split(|&b| b == b'\n').enumerate() {
            let number = position + 1;
            check_octets(line, number)?;
            read_line(&mut builder, line).map_err(|fault| PolicyError::Line { line: number, fault })?;
        }
        builder.finish().map_err(PolicyError::Whole)
    }

    /// Writes the policy: logs, witnesses, groups, quorum, each item separated by one space, thresholds as numbers.
    ///
    /// Reading that gives an equal policy. Comments of the file it was read from are not kept.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for log in &self.logs {
            write_line(&mut out, &[b"log", log.vkey.to_string().as_bytes(), url_octets(log.url.as_ref())]);
        }
        for witness in &self.witnesses {
            let vkey = witness.vkey.to_string();
            let url = url_octets(witness.url.as_ref());
            write_line(&mut out, &[b"witness", witness.name.as_bytes(), vkey.as_bytes(), url]);
        }
        for group in &self.groups {
            let threshold = group.threshold.to_string();
            let mut items: Vec<&[u8]> = vec![b"group", group.name.as_bytes(), threshold.as_bytes()];
            items.extend(group.members.iter().map(|&member| self.member_octets(Some(member))));
            write_line(&mut out, &items);
        }
        write_line(&mut out, &[b"quorum", self.member_octets(self.quorum)]);
        out
    }

    fn member_octets(&self, member: Option<Member>) -> &[u8] {
        member.and_then(|member| self.name_of(member)).map_or(super::builder::NONE, Word::as_bytes)
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(file: &str) -> Result<Self, PolicyError> {
        Self::parse(file.as_bytes())
    }
}

/// Prints [`Policy::to_bytes`]; names and URLs that are not UTF-8 are shown lossily.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

fn url_octets(url: Option<&Word>) -> &[u8] {
    url.map_or(b"", Word::as_bytes)
}

fn write_line(out: &mut Vec<u8>, items: &[&[u8]]) {
    for (position, item) in items.iter().filter(|item| !item.is_empty()).enumerate() {
        if position > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(item);
    }
    out.push(b'\n');
}

/// "the allowed octet values are 0x09 (tab), 0x0A (newline), 0x20-0x7E, and 0x80-0xFF." (Character set)
fn check_octets(line: &[u8], number: usize) -> Result<(), PolicyError> {
    match line.iter().find(|b| !matches!(b, 0x09 | 0x20..=0x7e | 0x80..=0xff)) {
        Some(&octet) => Err(PolicyError::Octet { line: number, octet }),
        None => Ok(()),
    }
}

fn read_line(builder: &mut PolicyBuilder, line: &[u8]) -> Result<(), PolicyFault> {
    // "the items on each line are separated by "whitespace", which in this specification means sequences of ASCII space and
    // tab characters *only*. Leading and trailing whitespace is allowed." (Structure)
    let mut items = line.split(|&b| b == b' ' || b == b'\t').filter(|item| !item.is_empty());
    // "Empty lines (whitespace only) and comment lines (lines starting with "#", possibly preceded by whitespace) are allowed
    // and ignored." (Structure)
    let Some(keyword) = items.next().filter(|item| !item.starts_with(b"#")) else {
        return Ok(());
    };
    let items: Vec<&[u8]> = items.collect();
    match keyword {
        b"log" => builder.log(read_log(&items)?),
        b"witness" => builder.witness(read_witness(&items)?),
        b"group" => read_group(builder, &items),
        b"quorum" => match items.as_slice() {
            [name] => builder.quorum(&Word::new(*name)?),
            _ => Err(PolicyFault::Form { form: "quorum <name>|none", items: items.len() + 1 }),
        },
        other => Err(PolicyFault::Keyword(String::from_utf8_lossy(other).into_owned())),
    }
}

fn read_log(items: &[&[u8]]) -> Result<Log, PolicyFault> {
    match items {
        [vkey] => Log::new(read_vkey(vkey)?, None),
        [vkey, url] => Log::new(read_vkey(vkey)?, Some(Word::new(*url)?)),
        _ => Err(PolicyFault::Form { form: "log <vkey> [<url>]", items: items.len() + 1 }),
    }
}

fn read_witness(items: &[&[u8]]) -> Result<Witness, PolicyFault> {
    match items {
        [name, vkey] => Witness::new(Word::new(*name)?, read_vkey(vkey)?, None),
        [name, vkey, url] => Witness::new(Word::new(*name)?, read_vkey(vkey)?, Some(Word::new(*url)?)),
        _ => Err(PolicyFault::Form { form: "witness <name> <vkey> [<url>]", items: items.len() + 1 }),
    }
}

fn read_group(builder: &mut PolicyBuilder, items: &[&[u8]]) -> Result<(), PolicyFault> {
    let [name, threshold, members @ ..] = items else {
        return Err(PolicyFault::Form { form: "group <name> all|any|<k> <name>...", items: items.len() + 1 });
    };
    let members: Vec<Word> = members.iter().map(|member| Word::new(*member)).collect::<Result<_, _>>()?;
    builder.group(Word::new(*name)?, read_threshold(threshold, members.len())?, &members)
}

/// "The `any` variant is a shorthand for k = 1, and the `all` variant is a shorthand for k = n. If k is given numerically, it
/// must be written in decimal" (Defining a witness group)
fn read_threshold(item: &[u8], members: usize) -> Result<usize, PolicyFault> {
    let refused = || PolicyFault::ThresholdForm(String::from_utf8_lossy(item).into_owned());
    match item {
        b"all" => Ok(members),
        b"any" => Ok(1),
        _ => {
            let text = core::str::from_utf8(item).map_err(|_| refused())?;
            let threshold: usize = text.parse().map_err(|_| refused())?;
            // Printing it again refuses a sign and leading zeros.
            if threshold.to_string() == text { Ok(threshold) } else { Err(refused()) }
        }
    }
}

fn read_vkey(item: &[u8]) -> Result<Vkey, PolicyFault> {
    let text = core::str::from_utf8(item).map_err(|_| crate::note::KeyError::Form)?;
    Ok(text.parse()?)
}

/// How a file fails to be a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The file is larger than [`MAX_POLICY_BYTES`].
    #[error("the policy has {found} bytes; at most {MAX_POLICY_BYTES} are read")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// The last line does not end in LF.
    #[error("the last line of the policy does not end in a newline: the file may have been cut short")]
    Unterminated,
    /// An octet that may not stand in a policy.
    #[error("line {line} of the policy holds the octet 0x{octet:02x}")]
    Octet {
        /// Line number, from 1.
        line: usize,
        /// The octet.
        octet: u8,
    },
    /// A line is wrong.
    #[error("line {line} of the policy: {fault}")]
    Line {
        /// Line number, from 1.
        line: usize,
        /// What is wrong with it.
        fault: PolicyFault,
    },
    /// The policy as a whole is wrong.
    #[error("the policy: {0}")]
    Whole(PolicyFault),
}
