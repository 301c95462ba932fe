//! Fuzzes the Accept-Language header.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_gate::fuzz::accept_language(bytes);
});
