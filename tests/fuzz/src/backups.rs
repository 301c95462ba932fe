//! Invariants of the file of a backup: only the file that was written opens, byte for byte, and no
//! file takes more memory than two chunks.

use postern_shared::crypto::backup_file::BackupHeader;
use postern_shared::crypto::master_key::MasterKeys;
use postern_shared::system::clock::Timestamp;
use std::sync::LazyLock;

/// Bytes of the store in the backup. Files of several chunks are tested beside the format.
const LENGTH: usize = 300;

/// The key, and the file of a backup. The master key is the same in every run; the salt of a backup is
/// not, so that inputs of the corpus change the file instead of containing it.
static WRITTEN: LazyLock<(MasterKeys, Vec<u8>)> = LazyLock::new(|| {
    let path = std::path::Path::new("key");
    let masters = MasterKeys::parse(path, "ab".repeat(32).as_bytes()).expect("a key");
    let header = BackupHeader::new(&masters, Timestamp(1_700_000_000), 5, None).expect("a header");
    let mut file = Vec::new();
    header
        .seal(&masters, &mut &vec![7; LENGTH][..], &mut file)
        .expect("it is written to memory");
    (masters, file)
});

/// Reads a file as `postern restore` does. The first byte selects: 0 takes the remaining bytes as the
/// file; any other value changes the written file. Then each group of four bytes is a position
/// (little-endian, three bytes) and the new byte there; the position after the end truncates the
/// file there. Returns whether the file opens.
pub fn forged(bytes: &[u8]) -> bool {
    let (masters, written) = &*WRITTEN;
    let Some((kind, edits)) = bytes.split_first() else {
        return false;
    };
    let file = match kind {
        0 => edits.to_vec(),
        _ => edited(written, edits),
    };
    let mut input = &*file;
    let Ok(header) = BackupHeader::read(&mut input) else {
        return false;
    };
    // what is refused later may have been written before, but never more than the file holds
    let mut content = Vec::new();
    let opened = header.open(masters, &mut input, &mut content).is_ok();
    assert!(content.len() <= file.len());
    assert_eq!(opened, file == *written);
    if opened {
        assert_eq!(content, [7; LENGTH]);
    }
    opened
}

fn edited(written: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut file = written.to_vec();
    for edit in edits.chunks_exact(4) {
        let position = u32::from_le_bytes([edit[0], edit[1], edit[2], 0]);
        let position = usize::try_from(position).unwrap_or(usize::MAX);
        match file.get_mut(position) {
            Some(byte) => *byte = edit[3],
            None => file.truncate(position / 256),
        }
    }
    file
}
