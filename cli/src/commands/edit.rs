//! `postern edit`: edits postern.toml as visudo edits sudoers. The editor changes a copy. The copy
//! replaces the file only if it is valid.

use crate::context::Invocation;
use crate::terminal::output::{CommandFailure, CommandResult};
use crate::terminal::prompt;
use nix::fcntl::{Flock, FlockArg};
use postern_shared::config::{check_gate, file};
use postern_shared::system::trusted_file::{self, Existing, FileError};
use std::fs::{self, File};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) fn run(run: Invocation<'_>) -> CommandResult {
    // the target of a link is edited, so the link stays
    let path = &trusted_file::resolve_path(run.config_path)?;
    let io = |error| FileError::io(path, error);
    let original = File::open(path).map_err(io)?;
    let _lock = Flock::lock(original, FlockArg::LockExclusiveNonblock).map_err(|_| {
        CommandFailure::new(format_args!(
            "{} is being edited by someone else",
            path.display()
        ))
    })?;
    trusted_file::remove_abandoned(path)?;
    let before = fs::read(path).map_err(io)?;
    let copy = Copy::of(path, &before)?;
    loop {
        edit(&copy.0)?;
        let after = fs::read(&copy.0).map_err(|error| FileError::io(&copy.0, error))?;
        if after == before {
            return run
                .output
                .done(format_args!("{} is unchanged", path.display()));
        }
        let checked = std::str::from_utf8(&after)
            .map_err(|_| format!("{}: not UTF-8", path.display()))
            .and_then(|text| {
                let valid = file::validate_with_accounts(run.config_path, text.to_owned());
                let checked =
                    valid.and_then(|valid| check_gate(path, Some(text), &valid.config).map(|_| ()));
                checked.map_err(|error| error.to_string())
            });
        match checked {
            Ok(_) => {
                let is_current = || fs::read(path).is_ok_and(|now| now == before);
                if let Err(error) = trusted_file::replace_if(path, &after, 0o644, is_current) {
                    return Err(match error.is_changed() {
                        true => CommandFailure::new(format_args!(
                            "{error}; your text is in {}",
                            copy.left_at(path).display()
                        )),
                        false => CommandFailure::new(error),
                    });
                }
                run.config()?;
                return run
                    .output
                    .done(format_args!("{} is valid and in force", path.display()));
            }
            Err(why) if !std::io::stdin().is_terminal() => {
                return Err(CommandFailure::new(format_args!(
                    "{why}; nothing was changed"
                )));
            }
            Err(why) => {
                run.output.text(format_args!("{why}\n"))?;
                let choice = prompt::ask(run.output, "(e)dit again, or e(x)it without a change? ")?;
                if !choice.trim().eq_ignore_ascii_case("e") {
                    return Err(CommandFailure::new("nothing was changed"));
                }
            }
        }
    }
}

/// The copy that is edited. It is removed when this value is dropped, also after an error.
struct Copy(PathBuf);

impl Copy {
    fn of(path: &Path, bytes: &[u8]) -> Result<Copy, FileError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // The name is that of a temporary file, so `remove_abandoned` removes the copy of an editor
        // that was killed.
        let copy = path.with_file_name(format!(".{name}.{}.new.toml", std::process::id()));
        trusted_file::write_atomically(&copy, bytes, 0o600, None, Existing::Refuse)?;
        Ok(Copy(copy))
    }

    /// Keeps the copy beside the file, and returns its path.
    fn left_at(self, path: &Path) -> PathBuf {
        let left = path.with_file_name(format!(
            "{}.rejected",
            path.file_name().unwrap_or_default().to_string_lossy()
        ));
        let kept = fs::rename(&self.0, &left).map_or_else(|_| self.0.clone(), |()| left);
        // prevents the removal at drop
        std::mem::forget(self);
        kept
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // Best effort: a copy that remains holds no secret and is never read as configuration.
        let _ = fs::remove_file(&self.0);
    }
}

/// Starts the editor of the environment, else Debian's default editor, else vi. The variable may
/// hold options, so a shell splits it into words.
fn edit(path: &Path) -> CommandResult {
    let chosen = ["SUDO_EDITOR", "VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    let editor = chosen
        .filter(|editor| !editor.trim().is_empty())
        .unwrap_or_else(|| {
            let debians = Path::new("/usr/bin/editor");
            if debians.exists() {
                "/usr/bin/editor"
            } else {
                "vi"
            }
            .to_owned()
        });
    let status = Command::new("/bin/sh")
        .arg("-c")
        .arg(format!("{editor} \"$1\""))
        .arg("sh")
        .arg(path)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(CommandFailure::new(format_args!(
            "the editor {editor} ended with {status}; nothing was changed"
        ))),
        Err(error) => Err(CommandFailure::new(format_args!(
            "the editor {editor} cannot be run: {error}"
        ))),
    }
}
