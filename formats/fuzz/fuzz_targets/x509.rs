#![no_main]
govlog_fuzz::fuzz!();
