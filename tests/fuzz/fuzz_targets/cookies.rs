//! Fuzzes the Cookie header of a request at the gate.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_gate::fuzz::cookies(bytes);
});
