//! Access control lists of files (acl(5)): they let users and groups read a file beside those that
//! its mode shows.

use super::Reader;
use rustix::fs::getxattr;
use rustix::io::Errno;
use std::io;
use std::path::Path;

/// The extended attribute of a list.
const ATTRIBUTE: &str = "system.posix_acl_access";
/// Largest list that is read, in bytes: 512 entries.
const LARGEST: usize = 4 + 512 * ENTRY;
const VERSION: u32 = 2;
const ENTRY: usize = 8;

/// A list that names users or groups.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AccessList {
    entries: Vec<AccessEntry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct AccessEntry {
    who: AccessHolder,
    bits: u16,
}

/// Whom an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccessHolder {
    Owner,
    User(u32),
    OwningGroup,
    Group(u32),
    Mask,
    Other,
}

impl AccessList {
    /// Returns the list of a file; `None` if it has none, its file system has none, or there is no
    /// such file.
    ///
    /// # Errors
    /// It has a list that cannot be read: nobody knows whom it names.
    pub(super) fn of(path: &Path) -> io::Result<Option<AccessList>> {
        let mut buffer = vec![0; LARGEST];
        let length = match getxattr(path, ATTRIBUTE, &mut buffer[..]) {
            Ok(length) => length,
            Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let list = buffer.get(..length).and_then(AccessList::parse);
        list.map(Some)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is malformed"))
    }

    fn parse(bytes: &[u8]) -> Option<AccessList> {
        let (version, rest) = bytes.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*version) != VERSION {
            return None;
        }
        let parse_entry = |entry: &[u8]| {
            let [tag, tag_high, bits, bits_high, id @ ..] = entry else {
                return None;
            };
            let id = u32::from_le_bytes(id.try_into().ok()?);
            let who = match u16::from_le_bytes([*tag, *tag_high]) {
                0x01 => AccessHolder::Owner,
                0x02 => AccessHolder::User(id),
                0x04 => AccessHolder::OwningGroup,
                0x08 => AccessHolder::Group(id),
                0x10 => AccessHolder::Mask,
                0x20 => AccessHolder::Other,
                _ => return None,
            };
            let bits = u16::from_le_bytes([*bits, *bits_high]);
            Some(AccessEntry { who, bits })
        };
        let entries = rest.chunks(ENTRY).map(parse_entry);
        Some(AccessList {
            entries: entries.collect::<Option<_>>()?,
        })
    }

    fn bits(&self, who: AccessHolder) -> Option<u16> {
        let mut entries = self.entries.iter();
        entries
            .find(|entry| entry.who == who)
            .map(|entry| entry.bits)
    }

    /// Limit on the rights of all but the owner and others.
    fn mask(&self) -> u16 {
        self.bits(AccessHolder::Mask).unwrap_or(0o7)
    }

    /// Whether a user has a right (4 read, 1 search), as acl(5) decides.
    pub(super) fn allows(&self, reader: &Reader, (uid, gid): (u32, u32), bit: u32) -> bool {
        let has = |bits: u16| u32::from(bits) & bit != 0;
        if reader.uid == uid {
            return self.bits(AccessHolder::Owner).is_some_and(has);
        }
        if let Some(bits) = self.bits(AccessHolder::User(reader.uid)) {
            return has(bits & self.mask());
        }
        let of_groups: Vec<u16> = self
            .entries
            .iter()
            .filter(|entry| match entry.who {
                AccessHolder::OwningGroup => reader.gids.contains(&gid),
                AccessHolder::Group(id) => reader.gids.contains(&id),
                _ => false,
            })
            .map(|entry| entry.bits)
            .collect();
        match of_groups.is_empty() {
            false => of_groups.iter().any(|bits| has(bits & self.mask())),
            true => self.bits(AccessHolder::Other).is_some_and(has),
        }
    }

    /// Returns the users and groups that the list names, and that have any right.
    pub(super) fn named(&self) -> Vec<AccessHolder> {
        let is_named =
            |who: AccessHolder| matches!(who, AccessHolder::User(_) | AccessHolder::Group(_));
        let entries = self.entries.iter();
        entries
            .filter(|entry| is_named(entry.who) && entry.bits & self.mask() != 0)
            .map(|entry| entry.who)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{XattrFlags, setxattr};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    const NONE: u32 = u32::MAX;

    fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        for (tag, bits, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(bits.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    fn reader(uid: u32, gids: &[u32]) -> Reader {
        Reader {
            uid,
            gids: gids.to_vec(),
        }
    }

    #[test]
    fn rights_are_decided_as_the_kernel_decides_them() {
        let entries = [
            (0x01, 6, NONE),
            (0x02, 4, 1000),
            (0x02, 2, 1001),
            (0x04, 0, NONE),
            (0x08, 4, 50),
            (0x10, 4, NONE),
            (0x20, 0, NONE),
        ];
        let parsed = AccessList::parse(&list(&entries)).unwrap();
        let owner = (0, 20);
        for (who, may_read) in [
            (reader(0, &[]), true),
            (reader(1000, &[]), true),
            // the mask leaves nothing of "write"
            (reader(1001, &[50]), false),
            (reader(1002, &[20]), false),
            (reader(1002, &[20, 50]), true),
            (reader(1002, &[]), false),
        ] {
            assert_eq!(parsed.allows(&who, owner, 4), may_read, "{who:?}");
        }
        assert_eq!(
            parsed.named(),
            [AccessHolder::User(1000), AccessHolder::Group(50)]
        );
    }

    #[test]
    fn a_malformed_list_is_none() {
        let good = list(&[(0x01, 6, NONE)]);
        for bytes in [
            &b""[..],
            &good[..good.len() - 1],
            &[1, 0, 0, 0],
            &list(&[(0x40, 6, 0)]),
        ] {
            assert_eq!(AccessList::parse(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_list_that_cannot_be_read_is_not_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(AccessList::of(&folder.path().join("none")).unwrap(), None);
        let one = folder.path().join("one");
        let two = folder.path().join("two");
        std::os::unix::fs::symlink(&one, &two).unwrap();
        std::os::unix::fs::symlink(&two, &one).unwrap();
        assert!(AccessList::of(&one).is_err());
    }

    #[test]
    fn the_list_of_a_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(AccessList::of(&path).unwrap(), None);
        let entries = [
            (0x01, 6, NONE),
            (0x02, 4, 54_321),
            (0x04, 4, NONE),
            (0x10, 4, NONE),
            (0x20, 0, NONE),
        ];
        match setxattr(&path, ATTRIBUTE, &list(&entries), XattrFlags::empty()) {
            // a file system without lists
            Err(rustix::io::Errno::OPNOTSUPP) => {}
            set => {
                set.unwrap();
                let found = AccessList::of(&path).unwrap().unwrap();
                assert_eq!(found.named(), [AccessHolder::User(54_321)]);
            }
        }
    }
}
