//! Signed notes: a text and the signature lines below it.
