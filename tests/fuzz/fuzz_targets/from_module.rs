//! Fuzzes the frames of a module, read by posternd.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::frames::posternd_reads(bytes);
});
