//! Admission policy: who may submit what, folded from the entries that change it.
