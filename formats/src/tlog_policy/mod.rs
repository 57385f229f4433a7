//! Witness policies: which logs and witnesses a verifier trusts, and how many of them it wants.
