//! The corpus of a fuzz target, and mutations of it, for tests that need no nightly.

use std::fs;
use std::path::Path;

/// Least number of corpus inputs that the check must accept completely.
const WHOLE: usize = 3;

/// Runs a check on the corpus and on a number of mutations, which are the same in every run. Panics
/// with the name and the bytes of the first input that violates an invariant.
pub fn try_all(target: &str, mutations: usize, check: fn(&[u8]) -> bool) {
    let corpus = corpus(target);
    let try_one = |name: &str, bytes: &[u8]| {
        let held = std::panic::catch_unwind(|| check(bytes));
        held.unwrap_or_else(|_| panic!("{name}: {bytes:02x?}"))
    };
    let whole = corpus
        .iter()
        .filter(|(name, bytes)| try_one(name, bytes))
        .count();
    assert!(
        whole >= WHOLE && whole < corpus.len(),
        "{whole} of the corpus are whole"
    );
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    for number in 0..mutations {
        let (name, bytes) = &corpus[number % corpus.len()];
        let (_, other) = &corpus[chance.below(corpus.len())];
        let mut bytes = bytes.clone();
        for _ in 0..=chance.below(3) {
            mutate(&mut bytes, other, &mut chance);
        }
        try_one(name, &bytes);
    }
}

/// Returns the inputs of the corpus with their names, sorted.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fuzz/corpus")
        .join(target);
    let mut entries: Vec<_> = fs::read_dir(folder)
        .expect("the fuzz targets have a corpus")
        .map(|entry| entry.expect("a folder can be read").path())
        .collect();
    entries.sort();
    assert!(!entries.is_empty());
    let name = |path: &Path| {
        path.file_name()
            .expect("an entry has a name")
            .to_string_lossy()
            .into_owned()
    };
    entries
        .iter()
        .map(|path| (name(path), fs::read(path).expect("a file can be read")))
        .collect()
}

/// Truncates, garbles, repeats or crafts bytes at a random position.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    const NUMBERS: [u32; 8] = [0, 1, 2, 0x7f, 0x8000, 0x8041, u32::MAX >> 1, u32::MAX];
    let at = chance.below(bytes.len() + 1);
    let to = at + chance.below(bytes.len() - at + 1);
    match chance.below(8) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..to)),
        2 => bytes.extend_from_within(at..to),
        3 => bytes.insert(at, chance.byte()),
        4 => bytes
            .splice(
                at..to,
                other[chance.below(other.len() + 1)..].iter().copied(),
            )
            .for_each(drop),
        _ if at == bytes.len() => {}
        5 => bytes[at] ^= 1 << chance.below(8),
        6 => bytes[at] = chance.byte(),
        _ => {
            let number = NUMBERS[chance.below(NUMBERS.len())].to_le_bytes();
            bytes[at..]
                .iter_mut()
                .zip(number)
                .for_each(|(byte, new)| *byte = new);
        }
    }
}

/// Generator of pseudorandom numbers that need not be secret (xorshift64*).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() >> 33).expect("31 bits") % most
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[7]
    }
}
