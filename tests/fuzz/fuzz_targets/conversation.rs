//! Fuzzes a whole conversation of posternd with a hostile module.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::conversation::posternd_converses(bytes);
});
