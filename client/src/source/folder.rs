//! A folder with the files of a log, as a mirror or a backup leaves it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;

use super::SourceError;

/// A folder that holds a log's public files under the names that the server gives them.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn get(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, SourceError> {
        let path = self.root.join(path);
        let fail = |cause| SourceError::File { path: path.clone(), cause };
        let file = match File::open(&path) {
            Ok(file) => file,
            // `.p` folders of partial tiles: where a full tile's file stands in the way, the partial one is absent.
            Err(cause) if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(cause) => return Err(fail(cause)),
        };
        let mut bytes = Vec::new();
        let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
        file.take(limit).read_to_end(&mut bytes).map_err(fail)?;
        if bytes.len() > max {
            return Err(SourceError::TooLarge { what: path.display().to_string(), max });
        }
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_there_and_bounds_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("tile/0")).unwrap();
        std::fs::write(dir.path().join("tile/0/000"), [7; 64]).unwrap();
        let folder = Folder::new(dir.path().to_owned());
        assert_eq!(folder.get("tile/0/000", 64).unwrap(), Some(vec![7; 64]));
        assert_eq!(folder.get("tile/0/001", 64).unwrap(), None);
        assert_eq!(folder.get("tile/0/000/1", 64).unwrap(), None);
        assert!(matches!(folder.get("tile/0/000", 63), Err(SourceError::TooLarge { max: 63, .. })));
    }
}
