//! Fuzzes the proxy headers of a check.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_gate::fuzz::proxy_headers(bytes);
});
