//! Fuzzes forms, queries and JSON bodies.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_gate::fuzz::forms(bytes);
});
