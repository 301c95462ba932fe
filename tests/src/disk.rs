//! A small disk of its own under a folder, with what was there.

use crate::folder::WORK;
use crate::processes::finished;
use std::process::Command;

/// It lies over the folder until this goes.
pub struct Disk {
    folder: String,
}

impl Disk {
    /// Puts it there; `size` is as mount(8) takes it.
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
        // owner and mode of the folder too
        finished(Command::new("cp").args(["--archive", &format!("{copy}/."), folder]));
        finished(Command::new("rm").args(["-r", &copy]));
        Disk {
            folder: folder.to_owned(),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // at the latest the end of the throwaway host takes it away
        let _ = Command::new("umount")
            .args(["--lazy", &self.folder])
            .status();
    }
}
