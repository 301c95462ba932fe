//! The stacks of PAM services, with the files that they include.
//!
//! Reads files only; `evaluation` says what a stack decides.

use crate::check::finding::Place;
use crate::check::machine::Machine;
use postern_shared::system::pam_service::{
    MAX_SERVICE_FILE, PamActions, PamControl, PamHook, PamLineContent, PamRule, SERVICE_FOLDERS,
    parse_service_file,
};
use std::collections::BTreeSet;
use std::path::Path;

/// Limits on files and lines of one stack.
const MAX_FILES: usize = 64;
const MAX_LINES: usize = 512;
/// Limit on substacks within substacks.
const MAX_DEPTH: usize = 4;

/// One line of a stack, with its includes resolved.
#[derive(Clone, Debug)]
pub(crate) struct StackLine {
    pub(crate) place: Place,
    pub(crate) step: StackStep,
}

#[derive(Clone, Debug)]
pub(crate) enum StackStep {
    Module { rule: PamRule, actions: PamActions },
    Substack(Vec<StackLine>),
}

/// The lines of one type of a service.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stack {
    pub(crate) lines: Vec<StackLine>,
    /// Lines that PAM refuses, and files that are missing: the service denies access.
    pub(crate) broken: Vec<(Place, String)>,
}

/// Returns the names of the service files.
pub(crate) fn service_names(machine: &Machine) -> BTreeSet<String> {
    let files = SERVICE_FOLDERS
        .iter()
        .flat_map(|folder| machine.files_in(folder));
    let names = files.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
    names
        .filter(|name| !name.contains(".dpkg-") && !name.ends_with('~') && !name.starts_with('.'))
        .collect()
}

/// Reads the lines of one type of a service. A service without a file has those of `other`.
pub(crate) fn load_stack(machine: &Machine, service: &str, hook: PamHook) -> Stack {
    let mut loader = Loader {
        machine,
        hook,
        files: MAX_FILES,
        lines: MAX_LINES,
        broken: Vec::new(),
    };
    let exists = SERVICE_FOLDERS
        .iter()
        .any(|folder| machine.exists(Path::new(folder).join(service)));
    let service = if exists { service } else { "other" };
    let lines = loader.file(service, None, 0);
    Stack {
        lines,
        broken: loader.broken,
    }
}

struct Loader<'m> {
    machine: &'m Machine,
    hook: PamHook,
    files: usize,
    lines: usize,
    broken: Vec<(Place, String)>,
}

impl Loader<'_> {
    fn file(&mut self, name: &str, from: Option<&Place>, depth: usize) -> Vec<StackLine> {
        // a name that begins with a slash replaces the folder
        let mut paths = SERVICE_FOLDERS
            .iter()
            .map(|folder| Path::new(folder).join(name));
        let found = paths.find(|path| self.machine.exists(path));
        let path = found.unwrap_or_else(|| Path::new(SERVICE_FOLDERS[0]).join(name));
        let place = from.cloned().unwrap_or_else(|| Place::file(&path));
        if self.files == 0 || depth > MAX_DEPTH {
            let what = "the service includes too many files, or itself".to_owned();
            self.broken.push((place, what));
            return Vec::new();
        }
        self.files -= 1;
        let too_large = |machine: &Machine| {
            machine
                .metadata(&path)
                .is_ok_and(|metadata| metadata.len() > MAX_SERVICE_FILE)
        };
        let text = match self.machine.read(&path) {
            Ok(text) if !too_large(self.machine) => text,
            Ok(_) => {
                self.broken
                    .push((place, format!("{} is too large", path.display())));
                return Vec::new();
            }
            Err(error) => {
                self.broken
                    .push((place, format!("{}: {error}", path.display())));
                return Vec::new();
            }
        };
        let mut lines = Vec::new();
        for line in parse_service_file(&text) {
            let place = Place::line(&path, line.number);
            if self.lines == 0 {
                self.broken
                    .push((place, "the service has too many lines".to_owned()));
                break;
            }
            self.lines -= 1;
            match line.content {
                PamLineContent::IncludeFile(name) => {
                    lines.extend(self.file(&name, Some(&place), depth));
                }
                PamLineContent::Invalid => self
                    .broken
                    .push((place, "PAM does not understand this line".to_owned())),
                PamLineContent::Rule(rule) if rule.hook == self.hook => match &rule.control {
                    PamControl::Include => {
                        lines.extend(self.file(&rule.target, Some(&place), depth));
                    }
                    PamControl::Substack => {
                        let inner = self.file(&rule.target, Some(&place), depth + 1);
                        let step = StackStep::Substack(inner);
                        lines.push(StackLine { place, step });
                    }
                    PamControl::Actions(actions) => {
                        let actions = actions.clone();
                        let step = StackStep::Module { rule, actions };
                        lines.push(StackLine { place, step });
                    }
                },
                PamLineContent::Rule(_) => {}
            }
        }
        lines
    }
}

impl Stack {
    /// Returns the lines of pam_totp.so that ask for the code or, in the account stack, guard it.
    pub(crate) fn our_lines(&self) -> Vec<(&Place, &PamRule)> {
        fn collect<'s>(lines: &'s [StackLine], found: &mut Vec<(&'s Place, &'s PamRule)>) {
            for line in lines {
                match &line.step {
                    StackStep::Module { rule, .. } if rule.is_ours() => {
                        found.push((&line.place, rule));
                    }
                    StackStep::Module { .. } => {}
                    StackStep::Substack(inner) => collect(inner, found),
                }
            }
        }
        let mut found = Vec::new();
        collect(&self.lines, &mut found);
        found
    }
}
