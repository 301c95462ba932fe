//! Fuzzes what Apache sends at a `fastcgi:` listener.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_gate::fuzz::fastcgi(bytes);
});
