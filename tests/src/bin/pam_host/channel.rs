//! The channel for orders and reports: standard input and output, or copies of them once those are
//! closed.

use nix::unistd::close;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

struct Copies {
    input: Mutex<BufReader<File>>,
    output: File,
}

static COPIES: OnceLock<Copies> = OnceLock::new();

/// Closes the descriptors 0, 1 and 2.
pub(crate) fn close_standard_descriptors() {
    COPIES.get_or_init(|| {
        let input = File::open("/dev/fd/0").expect("standard input is a pipe");
        let output = File::options()
            .write(true)
            .open("/dev/fd/1")
            .expect("standard output is a pipe");
        Copies {
            input: Mutex::new(BufReader::new(input)),
            output,
        }
    });
    for descriptor in 0..=2 {
        close(descriptor).expect("it is open");
    }
}

/// Reads the next line. The text is empty at the end of the input.
pub(crate) fn read_line() -> String {
    let mut line = String::new();
    match COPIES.get() {
        None => io::stdin().read_line(&mut line),
        Some(copies) => copies
            .input
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .read_line(&mut line),
    }
    .expect("orders are text");
    line
}

pub(crate) fn write_line(line: &str) {
    match COPIES.get() {
        None => println!("{line}"),
        Some(copies) => writeln!(&copies.output, "{line}").expect("the story listens"),
    }
}
