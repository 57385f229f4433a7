//! COSE key sets: the receipt keys as a log publishes them.
