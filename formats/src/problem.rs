//! Concise problem details (RFC 9290): why a request was refused.
