//! Fuzzes the responses of browsers to requests for passkeys, and the CBOR in them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::passkeys::response(bytes);
});
