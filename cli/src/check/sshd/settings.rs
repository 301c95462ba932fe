//! Reads the output of `sshd -T`, and finds the line of sshd_config that set a keyword.

use crate::check::finding::Place;
use crate::check::machine::Machine;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// sshd's own configuration file.
pub(crate) const SSHD_CONFIG: &str = "/etc/ssh/sshd_config";
/// Limits on what is read.
const MAX_LINES: usize = 4096;
const MAX_METHODS: usize = 64;
const MAX_INCLUDES: usize = 256;

/// What sshd does for one user, or for whom no `Match` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SshdSettings {
    keywords: BTreeMap<String, String>,
}

/// A list of methods that grants access if all of them pass.
pub(crate) type MethodList = Vec<SshdMethod>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SshdMethod {
    Publickey,
    Password,
    KeyboardInteractive,
    /// Host keys and Kerberos, which need no prompt.
    Other,
}

impl SshdSettings {
    pub(crate) fn parse(text: &str) -> SshdSettings {
        let lines = text.lines().take(MAX_LINES);
        let pairs = lines.filter_map(|line| line.trim().split_once(' '));
        let mut keywords = BTreeMap::new();
        for (key, value) in pairs {
            // of a keyword with several lines, the first counts
            keywords
                .entry(key.to_ascii_lowercase())
                .or_insert_with(|| value.trim().to_owned());
        }
        SshdSettings { keywords }
    }

    pub(crate) fn value(&self, key: &str) -> &str {
        self.keywords.get(key).map_or("", String::as_str)
    }

    pub(crate) fn is_on(&self, key: &str) -> bool {
        self.value(key) == "yes"
    }

    fn is_enabled(&self, method: SshdMethod) -> bool {
        match method {
            SshdMethod::Publickey => self.is_on("pubkeyauthentication"),
            SshdMethod::Password => self.is_on("passwordauthentication"),
            SshdMethod::KeyboardInteractive => {
                self.is_on("kbdinteractiveauthentication")
                    || self.is_on("challengeresponseauthentication")
            }
            SshdMethod::Other => true,
        }
    }

    /// Returns every list of methods by which this user can get in. The last method of a list may
    /// be one that sshd has disabled, or denies to root; then the list is left out.
    pub(crate) fn usable_methods(&self, is_root: bool) -> Vec<MethodList> {
        let prompts_denied = match self.value("permitrootlogin") {
            "no" if is_root => return Vec::new(),
            "yes" => false,
            _ => is_root,
        };
        let is_usable = |method: &SshdMethod| {
            let is_prompt = matches!(
                method,
                SshdMethod::Password | SshdMethod::KeyboardInteractive
            );
            self.is_enabled(*method) && !(prompts_denied && is_prompt)
        };
        let lists = match self.value("authenticationmethods") {
            "" | "any" => self.single_methods(),
            lists => lists
                .split_whitespace()
                .take(MAX_METHODS)
                .map(|list| list.split(',').map(SshdMethod::parse).collect())
                .collect(),
        };
        lists
            .into_iter()
            .filter(|list: &MethodList| list.iter().all(is_usable))
            .collect()
    }

    fn single_methods(&self) -> Vec<MethodList> {
        let mut lists = vec![
            vec![SshdMethod::Publickey],
            vec![SshdMethod::Password],
            vec![SshdMethod::KeyboardInteractive],
        ];
        if self.is_on("hostbasedauthentication") || self.is_on("gssapiauthentication") {
            lists.push(vec![SshdMethod::Other]);
        }
        lists
    }

    /// Returns the files of authorized keys of a user.
    pub(crate) fn authorized_keys(&self, name: &str, home: &Path, uid: u32) -> Vec<PathBuf> {
        let patterns = self.value("authorizedkeysfile").split_whitespace();
        let fill = |pattern: &str| {
            let mut path = String::new();
            let mut chars = pattern.chars();
            while let Some(c) = chars.next() {
                match (c, chars.clone().next()) {
                    ('%', Some('h')) => path.push_str(&home.to_string_lossy()),
                    ('%', Some('u')) => path.push_str(name),
                    ('%', Some('U')) => path.push_str(&uid.to_string()),
                    ('%', Some('%')) => path.push('%'),
                    (c, _) => {
                        path.push(c);
                        continue;
                    }
                }
                chars.next();
            }
            home.join(path)
        };
        patterns
            .filter(|pattern| *pattern != "none")
            .take(MAX_METHODS)
            .map(fill)
            .collect()
    }
}

impl SshdMethod {
    fn parse(word: &str) -> SshdMethod {
        match word.split(':').next().unwrap_or_default() {
            "publickey" => SshdMethod::Publickey,
            "password" => SshdMethod::Password,
            "keyboard-interactive" => SshdMethod::KeyboardInteractive,
            _ => SshdMethod::Other,
        }
    }
}

/// Returns the first line outside `Match` that sets a keyword: sshd uses the first. If none does,
/// the default holds, and the result is `None`.
pub(crate) fn find_keyword(machine: &Machine, keyword: &str) -> Option<Place> {
    let mut left = MAX_INCLUDES;
    let mut in_match = false;
    search(
        machine,
        Path::new(SSHD_CONFIG),
        keyword,
        &mut left,
        &mut in_match,
    )
}

fn search(
    machine: &Machine,
    path: &Path,
    keyword: &str,
    left: &mut usize,
    in_match: &mut bool,
) -> Option<Place> {
    *left = left.checked_sub(1)?;
    let text = machine.read(path).ok()?;
    let begun = *in_match;
    for (number, line) in (1..).zip(text.lines().take(MAX_LINES)) {
        let line = line.trim();
        let separator = |c: char| c.is_whitespace() || c == '=';
        let (key, value) = line.split_once(separator).unwrap_or((line, ""));
        let value = value.trim_start_matches(separator);
        if key.eq_ignore_ascii_case("match") {
            *in_match = !value.trim().eq_ignore_ascii_case("all");
        } else if key.eq_ignore_ascii_case("include") && !*in_match {
            for pattern in value.split_whitespace() {
                for file in expand(machine, pattern.trim_matches('"')) {
                    let found = search(machine, &file, keyword, left, in_match);
                    if found.is_some() {
                        return found;
                    }
                    // a Match ends with its file
                    *in_match = begun;
                }
            }
        } else if key.eq_ignore_ascii_case(keyword) && !*in_match {
            return Some(Place::line(path, number));
        }
    }
    None
}

/// Returns the files that an Include names: `*` is known in the last part of the path.
fn expand(machine: &Machine, pattern: &str) -> Vec<PathBuf> {
    let path = Path::new("/etc/ssh").join(pattern);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some((begin, end)) = name.split_once('*') else {
        return vec![path];
    };
    let folder = path.parent().unwrap_or(Path::new("/etc/ssh"));
    let files = machine.files_in(folder).into_iter();
    let fits = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.len() >= begin.len() + end.len()
            && name.starts_with(begin)
            && name.ends_with(end)
            && !name.starts_with('.')
    };
    files.filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use SshdMethod::{KeyboardInteractive, Password, Publickey};

    const DEFAULT: &str = "port 22\npubkeyauthentication yes\npasswordauthentication yes\nkbdinteractiveauthentication no\npermitrootlogin without-password\nauthenticationmethods any\n";
    const SAMPLE: &str = "pubkeyauthentication yes\npasswordauthentication no\nkbdinteractiveauthentication yes\npermitrootlogin without-password\nauthenticationmethods publickey,keyboard-interactive:pam keyboard-interactive:pam\n";

    #[test]
    fn the_usable_methods_are_those_that_sshd_grants() {
        let default = SshdSettings::parse(DEFAULT);
        assert_eq!(
            default.usable_methods(false),
            [vec![Publickey], vec![Password]]
        );
        assert_eq!(default.usable_methods(true), [vec![Publickey]]);
        let sample = SshdSettings::parse(SAMPLE);
        assert_eq!(
            sample.usable_methods(false),
            [
                vec![Publickey, KeyboardInteractive],
                vec![KeyboardInteractive]
            ]
        );
        assert!(sample.usable_methods(true).is_empty());
        let closed = SshdSettings::parse(&SAMPLE.replace("without-password", "no"));
        assert!(closed.usable_methods(true).is_empty());
        let dropped = SAMPLE.replace(
            "kbdinteractiveauthentication yes",
            "kbdinteractiveauthentication no",
        );
        assert!(
            SshdSettings::parse(&dropped)
                .usable_methods(false)
                .is_empty()
        );
    }

    #[test]
    fn hostile_output_is_read_without_a_panic() {
        for text in [
            "",
            "\n\n",
            "authenticationmethods ,,, : a:b:c,",
            "x",
            "authorizedkeysfile %%%h %",
        ] {
            let read = SshdSettings::parse(&text.repeat(2000));
            read.usable_methods(true);
            read.authorized_keys("a", Path::new("/home/a"), 1);
        }
        let many = format!("authenticationmethods {}", "publickey ".repeat(10_000));
        let many = many + "\npubkeyauthentication yes\n";
        assert_eq!(
            SshdSettings::parse(&many).usable_methods(false).len(),
            MAX_METHODS
        );
        let keys = SshdSettings::parse("authorizedkeysfile .ssh/k /etc/keys/%u %h/%%\n");
        let keys = keys.authorized_keys("bob", Path::new("/home/bob"), 7);
        assert_eq!(
            keys,
            ["/home/bob/.ssh/k", "/etc/keys/bob", "/home/bob/%"].map(PathBuf::from)
        );
    }

    #[test]
    fn the_first_line_that_sets_a_keyword_is_found() {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::at(root.path());
        machine.write(
            "/etc/ssh/sshd_config",
            "# x\nInclude /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\nkbdInteractiveAuthentication no\n",
        );
        machine.write(
            "/etc/ssh/sshd_config.d/20.conf",
            "Match User root\nUsePAM no\n",
        );
        machine.write(
            "/etc/ssh/sshd_config.d/30.conf",
            "\nPasswordAuthentication=no\n",
        );
        machine.write("/etc/ssh/sshd_config.d/notes.txt", "UsePAM no\n");
        let found = |keyword: &str| find_keyword(&machine, keyword).map(|place| place.to_string());
        assert_eq!(found("usepam").as_deref(), Some("/etc/ssh/sshd_config:3"));
        assert_eq!(
            found("passwordauthentication").as_deref(),
            Some("/etc/ssh/sshd_config.d/30.conf:2")
        );
        assert_eq!(found("port"), None);
        machine.write(
            "/etc/ssh/sshd_config.d/30.conf",
            "Include /etc/ssh/sshd_config.d/30.conf\n",
        );
        assert_eq!(found("port"), None);
    }
}
