//! Merging two views.

use serde_json::Value as Json;
use serde_json::map::Entry;

use super::{Object, ViewError};
use crate::record::check::Path;

/// Adds to a view what it lacks, object by object.
///
/// # Errors
///
/// A value that is there already differs: it is named by its path, and the view may have been filled in part.
pub fn fill(view: &mut Object, more: &Object) -> Result<(), ViewError> {
    fill_at(&mut Path::default(), view, more)
}

fn fill_at(path: &mut Path, view: &mut Object, more: &Object) -> Result<(), ViewError> {
    for (key, new) in more {
        let back = path.enter_key(key);
        match view.entry(key.as_str()) {
            Entry::Vacant(place) => {
                place.insert(new.clone());
            }
            Entry::Occupied(mut place) => match (place.get_mut(), new) {
                (Json::Object(old), Json::Object(new)) => fill_at(path, old, new)?,
                (old, new) if old == new => {}
                (old, new) => return Err(ViewError::new(path.name(), format!("{old} stands there, should be {new}"))),
            },
        }
        path.leave(back);
    }
    Ok(())
}
