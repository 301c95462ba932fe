//! Fuzzes the frames of posternd, read by the module.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::frames::module_reads(bytes);
});
