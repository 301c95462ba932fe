//! Searches this process's own writable memory for a reply.

use crate::orders::Sealed;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;

const PIECE: usize = 1 << 20;

/// The memory of this process.
pub(crate) struct Memory(File);

impl Memory {
    /// Opens the memory, before a module changes what this process may open.
    pub(crate) fn open() -> Memory {
        Memory(File::open("/proc/self/mem").expect("one's own memory"))
    }

    /// Returns the mappings that contain the plain text.
    pub(crate) fn places_of(&self, reply: &Sealed) -> Vec<String> {
        let mut buffer = vec![0; PIECE + reply.len()];
        let own = buffer.as_ptr().addr()..buffer.as_ptr().addr() + buffer.len();
        let mut found = Vec::new();
        for (from, to, name) in writable_mappings() {
            for start in (from..to).step_by(PIECE) {
                // The pieces overlap, so that a text across a boundary is found.
                let length = (to - start).min(PIECE + reply.len() - 1);
                // This is a guard page, or a mapping that is gone by now.
                let Ok(read) = self.0.read_at(&mut buffer[..length], start as u64) else {
                    continue;
                };
                let fits = |offset: &usize| reply.is_at(&buffer[*offset..offset + reply.len()]);
                let offsets = (0..(read + 1).saturating_sub(reply.len()).min(PIECE)).filter(fits);
                let places = offsets
                    .map(|offset| start + offset)
                    .filter(|pages_at| !own.contains(pages_at));
                found.extend(places.map(|pages_at| format!("{name}+{:#x}", pages_at - from)));
            }
        }
        wipe(&mut buffer);
        found
    }
}

/// Returns the writable mappings. The text of /proc/self/maps is wiped: some of its many digits may
/// look like a code.
fn writable_mappings() -> Vec<(usize, usize, String)> {
    let (mut text, mut length) = (vec![0; PIECE], 0);
    let mut file = File::open("/proc/self/maps").expect("one's own maps");
    while let Ok(read @ 1..) = file.read(&mut text[length..]) {
        length += read;
    }
    let lines = std::str::from_utf8(&text[..length]).expect("paths of this host are text");
    let found = lines.lines().filter_map(writable).collect();
    wipe(&mut text);
    found
}

fn wipe(buffer: &mut [u8]) {
    buffer.fill(0);
    // Without this the compiler removes the wipe, since the buffer is not read again.
    std::hint::black_box(buffer);
}

/// Parses a line `from-to rw… … name`.
fn writable(line: &str) -> Option<(usize, usize, String)> {
    let mut words = line.split_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    words.next().filter(|rights| rights.starts_with("rw"))?;
    let name = words.nth(3).unwrap_or("anonymous");
    Some((
        usize::from_str_radix(from, 16).ok()?,
        usize::from_str_radix(to, 16).ok()?,
        name.to_owned(),
    ))
}

/// Returns the largest resident size so far, in KiB.
pub(crate) fn peak() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").expect("one's own status");
    text.lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}
