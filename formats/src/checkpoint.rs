//! Checkpoints: the origin, size and root hash of a tree, as the text of a note.
