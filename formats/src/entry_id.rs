//! Entry ids: `<epoch>.<leaf index>`.
