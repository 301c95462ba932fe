//! What sshd does on this machine: `sshd -T` for users whom no `Match` names, for root, and for each
//! account with a shell; its PAM stacks; and who has keys.

use crate::check::finding::{Finding, Place};
use crate::check::machine::{Machine, MachineUser, TIME_LIMIT};
use crate::check::pam::stack::{Stack, load_stack};
use crate::check::sshd::settings::{SSHD_CONFIG, SshdSettings, find_keyword};
use postern_shared::account::name::UserName;
use postern_shared::system::pam_service::PamHook;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const SSHD: &str = "/usr/sbin/sshd";
/// Most accounts for which `sshd -T` is asked.
const MOST_ACCOUNTS: usize = 100;
/// The client in `sshd -T -C`: an address of documentation, which no `Match` should name.
pub(crate) const CLIENT: &str = "host=client.invalid,addr=192.0.2.1";

/// What sshd and its PAM service do.
pub(crate) struct SshdFacts {
    pub(crate) general: SshdSettings,
    pub(crate) accounts: Vec<SshdAccount>,
    /// How many accounts with a shell were not looked at.
    pub(crate) left_out: usize,
    /// The first `Match` that asks for more than the user and its groups.
    pub(crate) other_match: Option<Place>,
    /// Whether users can differ.
    pub(crate) has_match: bool,
    pub(crate) auth: Stack,
    pub(crate) account: Stack,
    /// Keywords and the lines that set them.
    pub(crate) places: Vec<(&'static str, Option<Place>)>,
}

/// One account of the machine, as sshd treats it.
pub(crate) struct SshdAccount {
    pub(crate) user: MachineUser,
    pub(crate) settings: SshdSettings,
    /// The file of authorized keys that has one, and the first key.
    pub(crate) keys: Option<(PathBuf, String)>,
}

impl SshdFacts {
    /// Returns what there is to know, or why it is not known. `None` if there is no sshd.
    pub(crate) fn gather(machine: &Machine) -> Option<Result<SshdFacts, Finding>> {
        if !machine.exists(SSHD) {
            return None;
        }
        if !machine.is_root() {
            return Some(Err(Finding::skipped(
                "sshd",
                "only root can run sshd -T, which shows what is in force; run postern check as root",
            )));
        }
        Some(SshdFacts::ask(machine))
    }

    fn ask(machine: &Machine) -> Result<SshdFacts, Finding> {
        let general = test_mode(machine, None)?;
        let mut accounts: Vec<SshdAccount> = Vec::new();
        let mut left_out = 0;
        let matches = find_matches(machine);
        for user in candidates(machine) {
            let is_full = accounts.len() >= 4 * MOST_ACCOUNTS;
            let keys = match is_full {
                true => None,
                false => first_key(machine, &general, &user),
            };
            let is_listed = user.uid == 0 || keys.is_some();
            if is_full || !is_listed && accounts.len() >= MOST_ACCOUNTS {
                left_out += 1;
                continue;
            }
            let settings = match matches.is_empty() {
                true => general.clone(),
                false => test_mode(machine, Some(&user.name))?,
            };
            accounts.push(SshdAccount {
                user,
                settings,
                keys,
            });
        }
        let keywords = [
            "usepam",
            "kbdinteractiveauthentication",
            "passwordauthentication",
            "authenticationmethods",
            "permitrootlogin",
            "pubkeyauthoptions",
        ];
        Ok(SshdFacts {
            general,
            accounts,
            left_out,
            has_match: !matches.is_empty(),
            other_match: matches
                .into_iter()
                .find_map(|(place, is_other)| is_other.then_some(place)),
            auth: load_stack(machine, "sshd", PamHook::Auth),
            account: load_stack(machine, "sshd", PamHook::Account),
            places: keywords.map(|key| (key, find_keyword(machine, key))).into(),
        })
    }
}

impl SshdAccount {
    /// Returns the first key, as SSH_AUTH_INFO_0 shows it.
    pub(crate) fn auth_info(&self) -> String {
        let key = self.keys.as_ref().map_or("", |(_, key)| key.as_str());
        format!("publickey {key}\n")
    }
}

/// Runs `sshd -T`, for one user or for none.
fn test_mode(machine: &Machine, user: Option<&str>) -> Result<SshdSettings, Finding> {
    let connection = user.map(|user| format!("user={user},{CLIENT}"));
    let arguments = match &connection {
        Some(connection) => vec!["-T", "-C", connection.as_str()],
        None => vec!["-T"],
    };
    match machine.run(SSHD, &arguments) {
        Some(output) if output.succeeded => Ok(SshdSettings::parse(&output.out)),
        Some(output) if !output.has_ended => Err(Finding::skipped(
            "sshd",
            format_args!(
                "sshd -T does not end within {} s, so nothing is known about sshd",
                TIME_LIMIT.as_secs()
            ),
        )
        .remedy("run it as root, and see what it waits for")),
        Some(output) if output.err.contains("privilege separation directory") => {
            Err(Finding::skipped("sshd", "sshd does not run"))
        }
        Some(output) => {
            let why = output.err.lines().next().unwrap_or("it failed").trim();
            Err(refused(machine, why))
        }
        None => Err(Finding::skipped("sshd", "sshd -T cannot be run")),
    }
}

/// The finding for a configuration that sshd refuses, and does not start with.
fn refused(machine: &Machine, why: &str) -> Finding {
    let disabled = [
        ("keyboard-interactive", "kbdinteractiveauthentication"),
        ("publickey", "pubkeyauthentication"),
        ("password", "passwordauthentication"),
    ];
    let is_disabled =
        |(method, _): &&(&str, &str)| why.starts_with(&format!("Disabled method \"{method}\""));
    if let Some((method, keyword)) = disabled.iter().find(is_disabled) {
        let place = find_keyword(machine, keyword).unwrap_or_else(|| Place::file(SSHD_CONFIG));
        let what = format!(
            "sshd refuses its configuration: AuthenticationMethods needs {method}, which is disabled here"
        );
        return Finding::fault("sshd", what)
            .at(&place)
            .remedy("remove this line: sshd uses the first value; then reload ssh");
    }
    let remedy = "correct it; sshd -t says when it is valid";
    match place_in_message(why) {
        Some((place, why)) => Finding::fault("sshd", why).at(&place).remedy(remedy),
        None => Finding::fault("sshd", format_args!("sshd -T: {why}"))
            .in_file(SSHD_CONFIG)
            .remedy(remedy),
    }
}

/// Splits `FILE line N: MESSAGE`, or `FILE: line N: MESSAGE`.
fn place_in_message(why: &str) -> Option<(Place, &str)> {
    let (file, rest) = why.split_once(" line ")?;
    let (line, message) = rest.split_once(": ")?;
    let file = file.trim_end_matches(':');
    let is_path = file.starts_with('/');
    let place = Place::line(file, line.parse().ok()?);
    is_path.then_some((place, message))
}

/// Returns the lines of sshd_config with a `Match`, by which users differ, and whether each asks for
/// something else than the user. An `Include` of other files counts as one: they may have any.
fn find_matches(machine: &Machine) -> Vec<(Place, bool)> {
    let files = machine.files_in("/etc/ssh/sshd_config.d").into_iter();
    let mut found = Vec::new();
    for file in files.chain([PathBuf::from(SSHD_CONFIG)]) {
        let text = machine.read(&file).unwrap_or_default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim().to_ascii_lowercase();
            let mut words = line.split(|c: char| c.is_whitespace() || c == '=');
            let is_other = match words.next() {
                Some("match") => ["address", "host", "localaddress", "localport", "rdomain"]
                    .iter()
                    .any(|criterion| line.split_whitespace().any(|word| word == *criterion)),
                Some("include") => {
                    if words.all(|word| ["", "/etc/ssh/sshd_config.d/*.conf"].contains(&word)) {
                        continue;
                    }
                    false
                }
                _ => continue,
            };
            found.push((Place::line(&file, number), is_other));
        }
    }
    found
}

/// Returns root and the users with a shell, those with lower ids first. A name that sshd could read
/// as more than a name is left out.
fn candidates(machine: &Machine) -> Vec<MachineUser> {
    let no_shell = |shell: &Path| {
        let name = shell.file_name().unwrap_or_default();
        ["nologin", "false", "sync"].iter().any(|no| name == *no)
    };
    let is_name = |name: &str| !name.contains([',', '=']) && name.parse::<UserName>().is_ok();
    let mut users = machine.listed_users();
    users.retain(|user| (user.uid == 0 || !no_shell(&user.shell)) && is_name(&user.name));
    users.sort_by_key(|user| user.uid);
    // two names of one user id are two accounts
    let mut names = BTreeSet::new();
    users.retain(|user| names.insert(user.name.clone()));
    users
}

fn first_key(
    machine: &Machine,
    settings: &SshdSettings,
    user: &MachineUser,
) -> Option<(PathBuf, String)> {
    let files = settings.authorized_keys(&user.name, &user.home, user.uid);
    files.into_iter().find_map(|file| {
        let text = machine.read_as(user, &file).ok()?;
        let mut lines = text.lines().map(str::trim);
        let line = lines.find(|line| !line.is_empty() && !line.starts_with('#'))?;
        // options may come before the type of the key
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_type = |word: &&&str| {
            ["ssh-", "ecdsa-", "sk-"]
                .iter()
                .any(|p| word.starts_with(p))
        };
        let key = words
            .iter()
            .find(is_type)
            .and_then(|kind| {
                let at = words.iter().position(|word| word == kind)?;
                Some(format!("{kind} {}", words.get(at + 1)?))
            })
            .unwrap_or_default();
        Some((file, key))
    })
}
