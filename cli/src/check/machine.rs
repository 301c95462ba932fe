//! The facts of the machine that the checks read: files, their owners and modes, users and groups,
//! listening sockets, processes, and the output of `sshd -T` and similar commands.
//!
//! MUST NOT change anything, nor start a service. A test reads a folder in place of `/`, with
//! recorded output of commands.

mod access_list;
mod command;
mod regular_file;

pub(crate) use access_list::AccessHolder;
use access_list::AccessList;
use nix::sys::statvfs::statvfs;
use nix::unistd::geteuid;
use regular_file::RegularFile;
#[cfg(test)]
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Size limit of a file that is read, in bytes: /etc/passwd may have a hundred thousand users.
const LARGEST: u64 = 32 * 1024 * 1024;
/// Size limit of a file of a user, in bytes.
const LARGEST_OF_USER: u64 = 256 * 1024;
/// Most files of a folder that are looked at.
const MOST_FILES: usize = 1000;
/// Time limit of a command.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(20);
/// Environment of the commands.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
const GETENT: &str = "/usr/bin/getent";
const ID: &str = "/usr/bin/id";

pub(crate) struct Machine {
    /// `/`, or the folder of a test.
    root: PathBuf,
    is_root: bool,
    /// Output of commands by command line, in a test.
    #[cfg(test)]
    recorded: BTreeMap<String, CommandOutput>,
}

#[derive(Clone, Debug)]
pub(crate) struct CommandOutput {
    pub(crate) succeeded: bool,
    /// Whether it ended within the time limit.
    pub(crate) has_ended: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A user of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MachineUser {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: PathBuf,
    pub(crate) shell: PathBuf,
}

/// A user id with all its groups, for the question whether a file can be read.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) uid: u32,
    pub(crate) gids: Vec<u32>,
}

/// A running process.
#[derive(Clone, Debug)]
pub(crate) struct MachineProcess {
    pub(crate) id: u32,
    name: String,
    pub(crate) uid: u32,
    pub(crate) groups: Vec<u32>,
    /// Program file; `None` if it cannot be read.
    pub(crate) program: Option<PathBuf>,
}

impl MachineProcess {
    /// Whether the program file was replaced or removed after the process had started.
    pub(crate) fn is_outdated(&self) -> bool {
        self.program
            .as_ref()
            .is_some_and(|program| program.to_string_lossy().ends_with(" (deleted)"))
    }
}

impl Machine {
    pub(crate) fn real() -> Machine {
        Machine {
            root: PathBuf::from("/"),
            is_root: geteuid().is_root(),
            #[cfg(test)]
            recorded: BTreeMap::new(),
        }
    }

    /// Whether everything can be read.
    pub(crate) fn is_root(&self) -> bool {
        self.is_root
    }

    fn real_path(&self, path: &Path) -> PathBuf {
        let parts = path.components();
        self.root.join(
            parts
                .skip_while(|part| *part == Component::RootDir)
                .collect::<PathBuf>(),
        )
    }

    pub(crate) fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.real_path(path.as_ref()).exists()
    }

    /// Reads a text file. Bytes that are not UTF-8 are replaced.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> io::Result<String> {
        RegularFile::locate(&self.real_path(path.as_ref()))?.read(LARGEST)
    }

    /// Reads a text file that a user may have made, if its mode lets that user read it.
    pub(crate) fn read_as(&self, user: &MachineUser, path: &Path) -> io::Result<String> {
        let file = RegularFile::locate(&self.real_path(path))?;
        match file.is_readable_by(&self.reader(user)) {
            true => file.read(LARGEST_OF_USER),
            false => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }

    /// Returns owner and mode of a file, through links.
    pub(crate) fn metadata(&self, path: impl AsRef<Path>) -> io::Result<fs::Metadata> {
        self.real_path(path.as_ref()).metadata()
    }

    /// Returns the files of a folder, sorted by name.
    pub(crate) fn files_in(&self, folder: impl AsRef<Path>) -> Vec<PathBuf> {
        let folder = folder.as_ref();
        let entries = fs::read_dir(self.real_path(folder));
        let entries = entries.into_iter().flatten().flatten().take(MOST_FILES);
        let mut files: Vec<PathBuf> = entries
            .map(|entry| folder.join(entry.file_name()))
            .collect();
        files.sort();
        files
    }

    /// Returns regular files below a folder, to a depth of four folders.
    pub(crate) fn files_below(&self, folder: impl AsRef<Path>) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![(folder.as_ref().to_owned(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            for path in self.files_in(folder) {
                match self.metadata(&path) {
                    Ok(metadata) if metadata.is_dir() && depth < 4 => {
                        folders.push((path, depth + 1));
                    }
                    Ok(metadata) if metadata.is_file() => found.push(path),
                    _ => {}
                }
                if found.len() >= MOST_FILES {
                    return found;
                }
            }
        }
        found
    }

    /// Returns the free bytes of the file system, for users who are not root.
    pub(crate) fn free_space(&self, path: impl AsRef<Path>) -> Option<u64> {
        let stat = statvfs(&self.real_path(path.as_ref())).ok()?;
        Some(stat.blocks_available().saturating_mul(stat.fragment_size()))
    }

    /// Runs a command without input, for 20 s at most: it may wait for a name service or a bus.
    /// `None` if it is not installed.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Option<CommandOutput> {
        #[cfg(test)]
        if self.root != Path::new("/") {
            let line = [&[program], arguments].concat().join(" ");
            return self.recorded.get(&line).cloned();
        }
        let mut command = Command::new(program);
        // the other variables are root's, and one of a tool that sets the clock must arrive
        command.args(arguments).env("PATH", PATH).env("LC_ALL", "C");
        command::run_limited(command, TIME_LIMIT).ok()
    }

    /// Returns a user by name, from every source of the name service.
    pub(crate) fn user(&self, name: &str) -> Option<MachineUser> {
        let found = self.run(GETENT, &["passwd", "--", name]);
        let line = found.filter(|output| output.succeeded);
        match line.and_then(|output| parse_user(output.out.lines().next()?)) {
            Some(user) => Some(user).filter(|user| user.name == name),
            None => {
                let mut users = self.local_users().into_iter();
                users.find(|user| user.name == name)
            }
        }
    }

    /// Returns the users of /etc/passwd.
    pub(crate) fn local_users(&self) -> Vec<MachineUser> {
        let text = self.read("/etc/passwd").unwrap_or_default();
        text.lines().filter_map(parse_user).collect()
    }

    /// Returns the users of /etc/passwd, and those of other sources that list their users.
    pub(crate) fn listed_users(&self) -> Vec<MachineUser> {
        let mut users = self.local_users();
        let names: BTreeSet<String> = users.iter().map(|user| user.name.clone()).collect();
        let listed = self.run(GETENT, &["passwd"]);
        let listed = listed.map_or_else(String::new, |output| output.out);
        let others = listed.lines().filter_map(parse_user);
        users.extend(others.filter(|user| !names.contains(&user.name)));
        users
    }

    /// Returns the id of a group.
    pub(crate) fn group(&self, name: &str) -> Option<u32> {
        let found = self.run(GETENT, &["group", "--", name]);
        let text = match found.filter(|output| output.succeeded) {
            Some(output) => output.out,
            None => self.read("/etc/group").unwrap_or_default(),
        };
        let line = text
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        line.split(':').nth(2)?.parse().ok()
    }

    /// Returns a user with all its groups.
    pub(crate) fn reader(&self, user: &MachineUser) -> Reader {
        let mut gids = vec![user.gid];
        let listed = self.run(ID, &["-G", "--", &user.name]);
        match listed.filter(|output| output.succeeded) {
            Some(output) => {
                let ids = output.out.split_whitespace();
                gids.extend(ids.filter_map(|id| id.parse::<u32>().ok()));
            }
            None => {
                let text = self.read("/etc/group").unwrap_or_default();
                gids.extend(text.lines().filter_map(|line| {
                    let fields: Vec<&str> = line.split(':').collect();
                    let is_member = fields.get(3)?.split(',').any(|member| member == user.name);
                    fields.get(2)?.parse::<u32>().ok().filter(|_| is_member)
                }));
            }
        }
        Reader {
            uid: user.uid,
            gids,
        }
    }

    /// Returns the path that keeps a user from reading a file: the file, or a folder above it;
    /// `None` if the user can read it.
    pub(crate) fn blocking_path(&self, path: &Path, reader: &Reader) -> Option<PathBuf> {
        let allows = |path: &Path, bit: u32| {
            let Ok(metadata) = self.metadata(path) else {
                return false;
            };
            // where the list cannot be read, the mode has the rights that it leaves at most
            if let Ok(Some(list)) = AccessList::of(&self.real_path(path)) {
                return list.allows(reader, (metadata.uid(), metadata.gid()), bit);
            }
            let shift = if metadata.uid() == reader.uid {
                6
            } else if reader.gids.contains(&metadata.gid()) {
                3
            } else {
                0
            };
            metadata.mode() >> shift & bit != 0
        };
        let mut folders: Vec<&Path> = path.ancestors().skip(1).collect();
        folders.reverse();
        let closed = folders.into_iter().find(|folder| !allows(folder, 1));
        closed
            .or_else(|| (!allows(path, 4)).then_some(path))
            .map(Path::to_owned)
    }

    /// Returns the users and groups that an access control list of a file names.
    pub(crate) fn named_holders(&self, path: &Path) -> io::Result<Vec<AccessHolder>> {
        let list = AccessList::of(&self.real_path(path))?;
        Ok(list.map_or_else(Vec::new, |list| list.named()))
    }

    /// Returns the paths of Unix sockets that listen.
    pub(crate) fn listening_paths(&self) -> BTreeSet<PathBuf> {
        let text = self.read_proc("net/unix");
        let paths = text.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let flags = u32::from_str_radix(fields.get(3)?, 16).ok()?;
            // __SO_ACCEPTCON of the kernel
            let listens = flags & 0x1_0000 != 0;
            fields.get(7).filter(|_| listens).map(PathBuf::from)
        });
        paths.collect()
    }

    /// Returns the TCP ports on which a process listens, at any address.
    pub(crate) fn listening_ports(&self) -> BTreeSet<u16> {
        let text = self.read_proc("net/tcp") + &self.read_proc("net/tcp6");
        let ports = text.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let listens = *fields.get(3)? == "0A";
            let (_, port) = fields.get(1)?.rsplit_once(':')?;
            u16::from_str_radix(port, 16).ok().filter(|_| listens)
        });
        ports.collect()
    }

    /// Returns the connections to a Unix socket that listens, by their inodes.
    pub(crate) fn unix_connections(&self, socket: &Path) -> BTreeSet<String> {
        let text = self.read_proc("net/unix");
        let inodes = text.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // SS_CONNECTED of the kernel
            let is_connected = *fields.get(5)? == "03" && Path::new(fields.get(7)?) == socket;
            is_connected.then(|| fields[6].to_owned())
        });
        inodes.collect()
    }

    /// Returns the connections to a TCP port, by their inodes.
    pub(crate) fn tcp_connections(&self, port: u16) -> BTreeSet<String> {
        let text = self.read_proc("net/tcp") + &self.read_proc("net/tcp6");
        let ending = format!(":{port:04X}");
        let inodes = text.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // TCP_ESTABLISHED of the kernel
            let is_open = *fields.get(3)? == "01" && fields.get(1)?.ends_with(&ending);
            is_open.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
        });
        inodes.collect()
    }

    /// Returns the processes whose name is `name`.
    pub(crate) fn processes(&self, name: &str) -> Vec<MachineProcess> {
        let mut processes = self.all_processes();
        // the kernel keeps 15 bytes of a name
        processes.retain(|process| process.name == name[..name.len().min(15)]);
        processes
    }

    /// Returns the processes of a program, those of an earlier one at the same path too, without
    /// helpers of one conversation. `name` is that of the processes, where the program cannot be
    /// seen, and that of their user. Other users can run the program too, and those do not count.
    pub(crate) fn daemons(&self, name: &str, program: &str) -> Vec<MachineProcess> {
        let mut processes = self.all_processes();
        let user = self.user(name).map(|user| user.uid);
        processes.retain(|process| process.uid == 0 || Some(process.uid) == user);
        processes.retain(|process| match &process.program {
            // a name that goes on is that of a copy beside it
            Some(path) => path
                .to_string_lossy()
                .strip_prefix(program)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '.'])),
            None => process.name.starts_with(&name[..name.len().min(15)]),
        });
        let is_helper = |process: &MachineProcess| {
            let words = self.read_proc(&format!("{}/cmdline", process.id));
            words
                .split('\0')
                .any(|word| ["--stdio", "--mail-command"].contains(&word))
        };
        processes.retain(|process| !is_helper(process));
        processes
    }

    fn all_processes(&self) -> Vec<MachineProcess> {
        let entries = fs::read_dir(self.real_path(Path::new("/proc")));
        let ids = entries
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.map(|id| self.process(id)).collect()
    }

    fn process(&self, id: u32) -> MachineProcess {
        let status = self.read_proc(&format!("{id}/status"));
        let numbers = |key: &str| -> Vec<u32> {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let words = line.unwrap_or_default().split_whitespace();
            words.filter_map(|word| word.parse().ok()).collect()
        };
        let mut groups = numbers("Groups:");
        groups.extend(numbers("Gid:"));
        MachineProcess {
            id,
            name: self.read_proc(&format!("{id}/comm")).trim_end().to_owned(),
            uid: numbers("Uid:").get(1).copied().unwrap_or(u32::MAX),
            groups,
            program: fs::read_link(self.real_path(Path::new(&format!("/proc/{id}/exe")))).ok(),
        }
    }

    fn read_proc(&self, name: &str) -> String {
        self.read(Path::new("/proc").join(name)).unwrap_or_default()
    }
}

/// Parses a line of passwd(5).
fn parse_user(line: &str) -> Option<MachineUser> {
    let fields: Vec<&str> = line.split(':').collect();
    Some(MachineUser {
        name: (*fields.first()?).to_owned(),
        uid: fields.get(2)?.parse().ok()?,
        gid: fields.get(3)?.parse().ok()?,
        home: PathBuf::from(fields.get(5)?),
        shell: PathBuf::from(fields.get(6)?),
    })
}

#[cfg(test)]
impl Machine {
    /// Returns a machine whose root is a folder, as root sees it.
    pub(crate) fn at(root: &Path) -> Machine {
        Machine {
            root: root.to_owned(),
            is_root: true,
            recorded: BTreeMap::new(),
        }
    }

    /// Adds the output of a command line.
    pub(crate) fn record(mut self, line: &str, out: &str) -> Machine {
        let output = CommandOutput {
            succeeded: true,
            has_ended: true,
            out: out.to_owned(),
            err: String::new(),
        };
        self.recorded.insert(line.to_owned(), output);
        self
    }

    /// Writes a file of the machine.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.real_path(Path::new(path));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}
