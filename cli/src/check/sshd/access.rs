//! Whether every way in by ssh leads to the prompt for the code, and whom that locks out.

use crate::check::finding::{Finding, Place};
use crate::check::machine::Machine;
use crate::check::pam::evaluation::StackCaller;
use crate::check::sshd::facts::{SshdAccount, SshdFacts};
use crate::check::sshd::settings::{MethodList, SSHD_CONFIG, SshdMethod};
use std::collections::BTreeSet;

const SERVICE_FILE: &str = "/etc/pam.d/sshd";
const DROP_IN: &str = "/etc/ssh/sshd_config.d/postern.conf";
const COPY_SAMPLES: &str =
    "copy sshd_config.d/postern.conf of the samples to /etc/ssh/sshd_config.d, and reload ssh";
const COPY_EXCEPTIONS: &str = "copy sshd_config.d/postern-exceptions.conf of the samples to /etc/ssh/sshd_config.d, and reload ssh";

/// Most accounts whose names are looked up one by one.
const MOST_LOOK_UPS: usize = 100;

/// What the policy requires of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccountNeed {
    pub(crate) enrolled: bool,
    /// Whether a code, or enrollment, is required after a key.
    pub(crate) after_key: bool,
}

impl SshdFacts {
    /// Returns the line that sets a keyword, else the file where it belongs.
    pub(crate) fn place(&self, keyword: &str) -> Place {
        let known = self.places.iter().find(|(key, _)| *key == keyword);
        let known = known.and_then(|(_, place)| place.clone());
        known.unwrap_or_else(|| Place::file(SSHD_CONFIG))
    }

    fn has_guard(&self) -> bool {
        self.account.asks() && self.account.bypass(StackCaller::Root).is_none()
    }

    /// Whether sshd asks people for the code.
    pub(crate) fn asks(&self) -> bool {
        self.auth.asks()
            && self.general.is_on("usepam")
            && self
                .general
                .usable_methods(false)
                .iter()
                .any(|list| list.contains(&SshdMethod::KeyboardInteractive))
    }

    /// Returns what holds for everyone whom no `Match` names.
    pub(crate) fn general_findings(&self, machine: &Machine) -> Vec<Finding> {
        let fault = |what: &str| Finding::fault("sshd", what);
        if !self.auth.asks() {
            let needs_code = machine.exists(DROP_IN);
            return vec![match needs_code {
                true => fault("does not name pam_totp.so, so sshd asks for no code, although sshd_config.d/postern.conf is installed")
                    .in_file(SERVICE_FILE)
                    .remedy("copy pam.d/sshd of the samples to /etc/pam.d"),
                false => Finding::ok(
                    "sshd",
                    "does not ask for a code: /etc/pam.d/sshd does not name pam_totp.so",
                ),
            }];
        }
        if !self.general.is_on("usepam") {
            return vec![
                fault("UsePAM is no, so sshd asks for no code")
                    .at(&self.place("usepam"))
                    .remedy("set UsePAM yes, and reload ssh"),
            ];
        }
        let lists = self.general.usable_methods(false);
        let mut findings = Vec::new();
        if lists.iter().any(is_without_prompt) && !self.has_guard() {
            findings.push(
                fault("a key alone grants access without a code: there is no AuthenticationMethods that leads to the prompt, and the account lines of pam.d/sshd do not deny it")
                    .at(&self.place("authenticationmethods"))
                    .remedy(format_args!("{COPY_SAMPLES}; add \"account required pam_totp.so\" to {SERVICE_FILE}")),
            );
        }
        if !self.general.is_on("kbdinteractiveauthentication") {
            findings.push(
                fault("KbdInteractiveAuthentication is no, so sshd shows no prompt for the code, and an account that needs one is denied")
                    .at(&self.place("kbdinteractiveauthentication"))
                    .remedy(self.remedy_for_prompt(machine)),
            );
            return findings;
        }
        if lists.is_empty() {
            findings.push(
                fault("no list of AuthenticationMethods can be completed, so nobody can sign in")
                    .at(&self.place("authenticationmethods"))
                    .remedy(COPY_SAMPLES),
            );
        }
        if lists.iter().any(is_without_prompt) && self.has_guard() {
            findings.push(
                fault("after a key sshd does not go on to the prompt for the code, and an account that needs one is denied")
                    .at(&self.place("authenticationmethods"))
                    .remedy(COPY_SAMPLES),
            );
        }
        let by_password = |list: &MethodList| list.contains(&SshdMethod::Password);
        if lists.iter().any(by_password) && !self.reads_code_from_password() {
            findings.push(
                fault("PasswordAuthentication answers the prompt for the code with the password, and an account that needs a code is denied")
                    .at(&self.place("passwordauthentication"))
                    .remedy("set PasswordAuthentication no, and reload ssh"),
            );
        }
        if findings.is_empty() {
            findings.push(Finding::ok("sshd", "every way in leads to the code"));
        }
        findings.extend(self.other_match.as_ref().map(|place| {
            let mut finding = Finding::skipped(
                "sshd",
                "this Match depends on addresses or hosts, and what it sets was not looked at",
            )
            .at(place);
            finding.remedy = Some("try it: sshd -T -C user=NAME,host=NAME,addr=ADDRESS".to_owned());
            finding
        }));
        if !self.has_guard() {
            findings.push(
                Finding::warning("sshd", "nothing denies a login by a key alone, should sshd_config change: the account lines have no pam_totp.so that decides")
                    .in_file(SERVICE_FILE)
                    .remedy("add \"account required pam_totp.so\" above the other account lines"),
            );
        }
        findings
    }

    fn remedy_for_prompt(&self, machine: &Machine) -> String {
        match (
            machine.exists(DROP_IN),
            &self.place("kbdinteractiveauthentication").line,
        ) {
            (true, Some(_)) => {
                "remove this line: sshd uses the first value; then reload ssh".to_owned()
            }
            _ => COPY_SAMPLES.to_owned(),
        }
    }

    fn reads_code_from_password(&self) -> bool {
        let words = ["forward_pass", "use_first_pass", "try_first_pass"];
        let lines = self.auth.our_lines();
        lines
            .iter()
            .any(|(_, rule)| words.iter().any(|word| rule.has_argument(word)))
    }

    /// Returns what holds for single accounts: who is locked out, and who gets in without a code.
    pub(crate) fn account_findings(
        &self,
        mut need: impl FnMut(&SshdAccount) -> Option<AccountNeed>,
    ) -> Vec<Finding> {
        if !self.asks() {
            return Vec::new();
        }
        let mut findings = Vec::new();
        if self.left_out > 0 {
            let (left_out, accounts) = (self.left_out, self.accounts.len());
            findings.push(Finding::skipped(
                "sshd",
                format_args!(
                    "not looked at: {left_out} of {} accounts with a shell",
                    accounts + left_out
                ),
            ));
        }
        let mut without_factor = Vec::new();
        for account in &self.accounts {
            let name = &account.user.name;
            let is_root = account.user.uid == 0;
            let lists = account.settings.usable_methods(is_root);
            let is_closed = is_root && account.settings.value("permitrootlogin") == "no";
            if lists.is_empty() && is_root && !is_closed {
                if let Some((keys, _)) = &account.keys {
                    findings.push(
                        Finding::fault("sshd", format_args!("{name} has a key in {}, and cannot sign in: PermitRootLogin {} forbids the prompt for the code", keys.display(), account.settings.value("permitrootlogin")))
                            .at(&self.place("permitrootlogin"))
                            .remedy(format_args!("{COPY_EXCEPTIONS}; or set PermitRootLogin no")),
                    );
                }
                continue;
            }
            let Some(need) = need(account) else { continue };
            let key_alone = lists.iter().any(is_without_prompt);
            let is_general =
                account.settings.usable_methods(false) == self.general.usable_methods(false);
            if key_alone && need.after_key && !is_general {
                findings.push(self.key_alone(name));
            }
            let has_key = account.keys.is_some();
            if has_key && !need.enrolled && !key_alone && !lists.is_empty() {
                without_factor.push(name.as_str());
            }
        }
        if !without_factor.is_empty() {
            findings.push(
                Finding::warning("sshd", format_args!("keys and no second factor: {}; people sign in as before, but a program, which answers no prompt (BatchMode=yes), is denied", list_names(&without_factor)))
                    .in_file("/etc/ssh/sshd_config.d/postern-exceptions.conf")
                    .remedy("enroll the people; make the programs members of the group robots, with this file of the samples installed"),
            );
        }
        findings
    }

    /// Reports accounts of Postern that this machine knows from a source that lists none, and for
    /// which a `Match` may set something else.
    pub(crate) fn unlisted<'a>(
        &self,
        machine: &Machine,
        names: impl Iterator<Item = &'a str>,
    ) -> Option<Finding> {
        if !self.has_match || !self.asks() {
            return None;
        }
        let listed: BTreeSet<&str> = self
            .accounts
            .iter()
            .map(|account| account.user.name.as_str())
            .collect();
        let unlisted: Vec<&str> = names
            .filter(|name| !listed.contains(name))
            .take(MOST_LOOK_UPS)
            .filter(|name| machine.user(name).is_some())
            .collect();
        (!unlisted.is_empty()).then(|| {
            Finding::skipped("sshd", format_args!("getent passwd does not list {}, and what a Match sets for them was not looked at", list_names(&unlisted)))
                .remedy("try it: sshd -T -C user=NAME,host=NAME,addr=ADDRESS")
        })
    }

    fn key_alone(&self, name: &str) -> Finding {
        match self.has_guard() {
            true => Finding::fault("sshd", format_args!("{name} signs in by a key alone, and is then denied, because {name} needs a code"))
                .in_file("/etc/postern/postern.toml")
                .remedy(format_args!("with postern edit, add [[policy.exempt]] with services = [\"sshd\"] and a group of {name}; or remove the Match for {name} from sshd_config")),
            false => Finding::fault("sshd", format_args!("{name} needs a code, and a key alone grants access"))
                .in_file(SERVICE_FILE)
                .remedy("add \"account required pam_totp.so\" above the other account lines"),
        }
    }
}

/// Joins names for a message: at most ten.
pub(crate) fn list_names(names: &[&str]) -> String {
    match names.len() {
        ..=10 => names.join(", "),
        more => format!("{}, and {} more", names[..10].join(", "), more - 10),
    }
}

/// Whether a list is completed before PAM can ask for anything.
fn is_without_prompt(list: &MethodList) -> bool {
    let is_prompt = |method: &SshdMethod| {
        matches!(
            method,
            SshdMethod::Password | SshdMethod::KeyboardInteractive
        )
    };
    !list.iter().any(is_prompt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::FindingSeverity;
    use crate::check::sshd::facts::CLIENT;
    use std::path::Path;

    const GENERAL: &str = "usepam yes\npubkeyauthentication yes\npasswordauthentication no\nkbdinteractiveauthentication yes\npermitrootlogin without-password\nauthenticationmethods publickey,keyboard-interactive:pam keyboard-interactive:pam\nauthorizedkeysfile .ssh/authorized_keys\n";

    fn machine(root: &Path) -> Machine {
        let machine = Machine::at(root);
        machine.write("/usr/sbin/sshd", "");
        machine.write(
            "/etc/passwd",
            "root:x:0:0::/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/bash\nwww:x:33:33::/:/usr/sbin/nologin\nbroken:x\n",
        );
        machine.write(
            SERVICE_FILE,
            "auth requisite pam_unix.so\nauth required pam_totp.so\naccount required pam_totp.so\n",
        );
        machine.write(
            SSHD_CONFIG,
            "Match User root\n AuthenticationMethods publickey\n",
        );
        machine.write(
            "/home/alice/.ssh/authorized_keys",
            "# mine\nfrom=\"*\" ssh-ed25519 AAAA alice\n",
        );
        machine
    }

    fn gather(machine: &Machine) -> SshdFacts {
        SshdFacts::gather(machine).unwrap().unwrap()
    }

    #[test]
    fn root_and_each_account_with_a_shell_are_asked_for() {
        let root = tempfile::tempdir().unwrap();
        let root_settings = GENERAL.replace(
            "publickey,keyboard-interactive:pam keyboard-interactive:pam",
            "publickey",
        );
        let machine = machine(root.path())
            .record("/usr/sbin/sshd -T", GENERAL)
            .record(
                &format!("/usr/sbin/sshd -T -C user=root,{CLIENT}"),
                &root_settings,
            )
            .record(
                &format!("/usr/sbin/sshd -T -C user=alice,{CLIENT}"),
                GENERAL,
            );
        let facts = gather(&machine);
        let names: Vec<&str> = facts
            .accounts
            .iter()
            .map(|account| account.user.name.as_str())
            .collect();
        assert_eq!(names, ["root", "alice"]);
        assert_eq!(
            facts.accounts[1].auth_info(),
            "publickey ssh-ed25519 AAAA\n"
        );
        assert!(facts.asks());
        assert_eq!(
            facts.general_findings(&machine)[0].severity,
            FindingSeverity::Ok
        );

        let need = |enrolled, after_key| {
            move |_: &SshdAccount| {
                Some(AccountNeed {
                    enrolled,
                    after_key,
                })
            }
        };
        assert_eq!(facts.account_findings(need(true, false)), []);
        // root signs in by a key alone, and the guard denies it
        let findings = facts.account_findings(need(true, true));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].what.contains("root signs in by a key alone"));
        let findings = facts.account_findings(need(false, false));
        assert_eq!(findings[0].severity, FindingSeverity::Warning);
        assert!(
            findings[0].what.contains("no second factor: alice;"),
            "{findings:?}"
        );
    }

    /// A second account of user id 0 is a way to root of its own.
    #[test]
    fn names_that_share_a_user_id_are_looked_at_each() {
        let root = tempfile::tempdir().unwrap();
        let machine = machine(root.path());
        let users = "root:x:0:0::/root:/bin/bash\ntoor:x:0:0::/home/toor:/bin/sh\nweb,addr=x:x:7:7::/:/bin/sh\n";
        machine.write("/etc/passwd", users);
        machine.write(SSHD_CONFIG, "");
        let listed = "toor:x:0:0::/home/toor:/bin/sh\nldap:x:9000:9000::/home/ldap:/bin/sh\n";
        let machine = machine
            .record("/usr/sbin/sshd -T", GENERAL)
            .record("/usr/bin/getent passwd", listed);
        let names: Vec<String> = gather(&machine)
            .accounts
            .into_iter()
            .map(|account| account.user.name)
            .collect();
        assert_eq!(names, ["root", "toor", "ldap"]);
    }

    #[test]
    fn of_a_hundred_thousand_accounts_the_rest_is_reported() {
        let root = tempfile::tempdir().unwrap();
        let machine = machine(root.path());
        let users =
            (1..=100_000u32).map(|uid| format!("u{uid}:x:{uid}:{uid}::/home/u{uid}:/bin/sh\n"));
        machine.write("/etc/passwd", &users.collect::<String>());
        machine.write(SSHD_CONFIG, "");
        let machine = machine.record("/usr/sbin/sshd -T", GENERAL);
        let begin = std::time::Instant::now();
        let facts = gather(&machine);
        assert_eq!((facts.accounts.len(), facts.left_out), (100, 99_900));
        let findings = facts.account_findings(|_| None);
        assert!(
            findings[0].what.contains("99900 of 100000 accounts"),
            "{findings:?}"
        );
        assert!(begin.elapsed().as_secs() < 20);
    }

    #[test]
    fn a_match_by_address_is_reported_as_not_looked_at() {
        let root = tempfile::tempdir().unwrap();
        let machine = machine(root.path());
        machine.write(
            SSHD_CONFIG,
            "Match User root\n X y\nMatch Address 10.0.0.0/8\n X y\n",
        );
        let machine = machine.record("/usr/sbin/sshd -T", GENERAL);
        let root_and_alice = ["root", "alice"];
        let machine = root_and_alice.iter().fold(machine, |machine, user| {
            machine.record(
                &format!("/usr/sbin/sshd -T -C user={user},{CLIENT}"),
                GENERAL,
            )
        });
        let findings = gather(&machine).general_findings(&machine);
        let skipped = findings
            .iter()
            .find(|finding| finding.severity == FindingSeverity::Skipped);
        assert_eq!(skipped.unwrap().line, Some(3));
    }

    #[test]
    fn sshd_that_refuses_its_configuration_is_a_fault() {
        let root = tempfile::tempdir().unwrap();
        let machine = machine(root.path());
        let skipped = SshdFacts::gather(&machine).unwrap().err().unwrap();
        assert_eq!(skipped.severity, FindingSeverity::Skipped);
    }
}
