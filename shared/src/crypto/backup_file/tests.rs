use super::chunks::CHUNK;
use super::*;

const NOW: Timestamp = Timestamp(1_800_000_000);
const PASSPHRASE: &str = "twelve characters";

fn masters() -> MasterKeys {
    MasterKeys::generate().unwrap().0
}

fn sealed(masters: &MasterKeys, content: &[u8], passphrase: Option<&str>) -> Vec<u8> {
    let header = BackupHeader::new(masters, NOW, 5, passphrase).unwrap();
    let mut file = Vec::new();
    header.seal(masters, &mut &*content, &mut file).unwrap();
    file
}

fn opened(masters: &MasterKeys, mut file: &[u8]) -> Result<Vec<u8>, BackupFileError> {
    let header = BackupHeader::read(&mut file)?;
    let mut content = Vec::new();
    header.open(masters, &mut file, &mut content)?;
    Ok(content)
}

#[test]
fn what_was_sealed_is_opened_whatever_its_length() {
    let masters = masters();
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7] {
        let content: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let file = sealed(&masters, &content, None);
        assert_eq!(opened(&masters, &file).unwrap(), content, "{length}");
        let header = BackupHeader::read(&mut &*file).unwrap();
        assert_eq!((header.created, header.store_version), (NOW, 5));
        assert!(!header.contains_key_file());
    }
}

#[test]
fn a_file_that_was_altered_by_a_bit_anywhere_is_refused() {
    let masters = masters();
    let file = sealed(&masters, b"the store", Some(PASSPHRASE));
    for position in 0..file.len() {
        for bit in [0, 3, 7] {
            let mut altered = file.clone();
            altered[position] ^= 1 << bit;
            assert!(opened(&masters, &altered).is_err(), "byte {position}");
        }
    }
    opened(&masters, &file).unwrap();
}

#[test]
fn a_truncated_or_extended_file_is_refused() {
    let masters = masters();
    let file = sealed(&masters, &vec![7; 3 * CHUNK], None);
    let chunk = CHUNK + TAG;
    for length in (0..FIXED).chain([
        FIXED,
        FIXED + 1,
        FIXED + chunk,
        FIXED + 2 * chunk,
        file.len() - 1,
    ]) {
        assert!(opened(&masters, &file[..length]).is_err(), "{length}");
    }
    let longer = [&*file, b"x"].concat();
    assert!(opened(&masters, &longer).is_err());
    let twice = [&*file, &file[file.len() - chunk..]].concat();
    assert!(opened(&masters, &twice).is_err());
}

#[test]
fn exchanged_chunks_are_refused() {
    let masters = masters();
    let file = sealed(&masters, &vec![7; 3 * CHUNK], None);
    let (first, second) = (FIXED, FIXED + CHUNK + TAG);
    let mut exchanged = file.clone();
    exchanged[first..second].copy_from_slice(&file[second..second + CHUNK + TAG]);
    assert!(opened(&masters, &exchanged).is_err());
    // and those of another backup of the same store
    let other = sealed(&masters, &vec![7; 3 * CHUNK], None);
    let mixed = [&file[..second], &other[second..]].concat();
    assert!(opened(&masters, &mixed).is_err());
}

#[test]
fn a_huge_declared_length_takes_no_memory() {
    let masters = masters();
    let mut file = sealed(&masters, b"the store", None);
    file[FIXED - 2..FIXED].copy_from_slice(&u16::MAX.to_be_bytes());
    let error = BackupHeader::read(&mut &*file).unwrap_err();
    assert!(matches!(error, BackupFileError::Damaged));
}

#[test]
fn another_key_another_format_and_another_file_are_named() {
    let (masters, other) = (masters(), self::masters());
    let mut file = sealed(&masters, b"the store", None);
    let error = opened(&other, &file).unwrap_err().to_string();
    for id in [masters.ids()[0], other.ids()[0]] {
        assert!(error.contains(&key_fingerprint(&id)), "{error}");
    }
    file[MAGIC.len()] = 2;
    let error = opened(&masters, &file).unwrap_err();
    assert!(matches!(error, BackupFileError::Format(2)));
    let error = opened(&masters, b"SQLite format 3\0 and more").unwrap_err();
    assert!(matches!(error, BackupFileError::NotABackup));
}

#[test]
fn the_key_file_is_in_it_only_if_asked_for_and_opens_with_its_passphrase() {
    let masters = masters();
    let file = sealed(&masters, b"the store", Some(PASSPHRASE));
    let header = BackupHeader::read(&mut &*file).unwrap();
    let text = header.open_key_file(PASSPHRASE).unwrap();
    assert_eq!(&*text, masters.to_text().as_bytes());
    let error = header.open_key_file("twelve character").unwrap_err();
    assert!(matches!(error, BackupFileError::Passphrase));

    let key_line = masters.to_text().lines().last().unwrap().to_owned();
    for file in [file, sealed(&masters, key_line.as_bytes(), None)] {
        let has_key = file
            .windows(key_line.len())
            .any(|part| part == key_line.as_bytes());
        assert!(!has_key);
    }
    let without = sealed(&masters, b"the store", None);
    let header = BackupHeader::read(&mut &*without).unwrap();
    let error = header.open_key_file(PASSPHRASE).unwrap_err();
    assert!(matches!(error, BackupFileError::NoKeyFile));
    for weak in ["", "elevenchars"] {
        let error = BackupHeader::new(&masters, NOW, 5, Some(weak)).unwrap_err();
        assert!(matches!(error, BackupFileError::WeakPassphrase { .. }));
    }
}
