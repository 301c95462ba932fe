//! A small disk, mounted on a folder with the files that were in the folder before.

use crate::machine::files::WORK;
use crate::process::processes::finished;
use std::process::Command;

/// A disk that stays mounted until this value is dropped.
pub struct Disk {
    folder: String,
}

impl Disk {
    /// Mounts the disk; `size` is as mount(8) takes it.
    #[track_caller]
    pub fn over(folder: &str, size: &str) -> Disk {
        let copy = format!("{WORK}/disk");
        finished(Command::new("cp").args(["--archive", folder, &copy]));
        finished(Command::new("mount").args([
            "-t",
            "tmpfs",
            "-o",
            &format!("size={size}"),
            "tests",
            folder,
        ]));
        // The copy keeps owner and mode of the folder too.
        finished(Command::new("cp").args(["--archive", &format!("{copy}/."), folder]));
        finished(Command::new("rm").args(["-r", &copy]));
        Disk {
            folder: folder.to_owned(),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // If this fails, the mount ends with the throwaway host.
        let _ = Command::new("umount")
            .args(["--lazy", &self.folder])
            .status();
    }
}
