//! Fuzzes what posternd sends, read as the module reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::frames::module_reads(bytes);
});
