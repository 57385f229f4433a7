//! Golden files: what a program writes, kept in the repository so that a change of it is seen and reviewed.
//!
//! `GOLDEN=write` in front of the command that ran the test writes the files anew; `git diff` then shows what changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Compares a folder with the files that it must consist of, names with `/` relative to it. No file may be missing, changed or left over.
///
/// # Panics
///
/// When they differ; the message names the file, the first line that does, and `again`, the command that writes them.
pub fn folder(folder: &Path, expected: &BTreeMap<String, String>, again: &str) {
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        return write(folder, expected);
    }
    let found = read(folder);
    for (name, text) in expected {
        let Some(golden) = found.get(name) else {
            panic!("{} is missing; if that is right: GOLDEN=write {again}", folder.join(name).display())
        };
        if golden != text {
            let line = golden.lines().zip(text.lines()).take_while(|(old, new)| old == new).count();
            let at = |text: &str| text.lines().nth(line).unwrap_or("(end)").to_owned();
            panic!(
                "{}, line {}:\n  golden: {}\n  now:    {}\nif that is right: GOLDEN=write {again}",
                folder.join(name).display(),
                line + 1,
                at(golden),
                at(text)
            );
        }
    }
    let stale: Vec<&String> = found.keys().filter(|name| !expected.contains_key(*name)).collect();
    assert!(stale.is_empty(), "{}: {stale:?} belong to nothing; GOLDEN=write {again}", folder.display());
}

fn write(folder: &Path, expected: &BTreeMap<String, String>) {
    if folder.exists() {
        std::fs::remove_dir_all(folder).unwrap();
    }
    for (name, text) in expected {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn read(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<PathBuf> = if folder.exists() { vec![folder.to_owned()] } else { Vec::new() };
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}
