//! Fuzzes what a module sends, read as posternd reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::frames::posternd_reads(bytes);
});
