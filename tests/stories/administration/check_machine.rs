//! `postern check` on the real machine: it finds each set-up that is broken on purpose, names the
//! line to change, and finds nothing in the set-ups of README.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};
use testhost::{Host, Phone, Postern, assert_contains, assert_lacks, finished};

/// Saves what the cases change; `put_back` restores it.
const SAVE: &str = "
    rm -rf /run/saved; mkdir /run/saved
    for folder in pam.d ssh postern nginx traefik apache2; do
        [ ! -e /etc/$folder ] || cp -a /etc/$folder /run/saved/$folder
    done";
const PUT_BACK: &str = "
    for folder in pam.d ssh postern nginx traefik apache2; do
        rm -rf /etc/$folder
        [ ! -e /run/saved/$folder ] || cp -a /run/saved/$folder /etc/$folder
    done
    chown root:postern /var/lib/postern; chmod 0750 /var/lib/postern
    chmod 0660 /var/lib/postern/*";

/// A set-up that is broken on purpose.
pub(super) struct Broken {
    /// Commands that break it.
    by: &'static str,
    /// How the line begins: `fault` or `warning`.
    severity: &'static str,
    /// Words of the line, separated by `|`.
    words: &'static str,
}

pub(super) const fn fault(by: &'static str, words: &'static str) -> Broken {
    Broken {
        by,
        severity: "fault",
        words,
    }
}

pub(super) const fn warning(by: &'static str, words: &'static str) -> Broken {
    Broken {
        by,
        severity: "warning",
        words,
    }
}

#[track_caller]
pub(super) fn shell(script: &str) {
    finished(Command::new("sh").args(["-ec", script]));
}

/// Returns the lines of `postern check` that report a warning or a fault.
#[track_caller]
pub(super) fn complaints() -> Vec<String> {
    let said = Postern::call("check").run();
    let is_complaint = |line: &&str| line.starts_with("warning") || line.starts_with("fault");
    let lines: Vec<String> = said
        .out
        .lines()
        .filter(is_complaint)
        .map(str::to_owned)
        .collect();
    let has_fault = lines.iter().any(|line| line.starts_with("fault"));
    assert_eq!(said.exit, Some(i32::from(has_fault)), "{}", said.all());
    assert!(said.err.is_empty(), "{}", said.err);
    lines
}

#[track_caller]
pub(super) fn finds_nothing(what: &str) {
    let lines = complaints();
    assert!(lines.is_empty(), "{what}: {lines:#?}");
}

/// Breaks the machine in each way, checks it, and puts everything back.
pub(super) fn finds_each(cases: &[Broken]) {
    shell(SAVE);
    let mut missed = Vec::new();
    for Broken {
        by,
        severity,
        words,
    } in cases
    {
        shell(by);
        let lines = complaints();
        let fits = |line: &&String| {
            line.starts_with(severity) && words.split('|').all(|word| line.contains(word))
        };
        match lines.iter().find(fits) {
            Some(line) => println!("{by}\n    {line}"),
            None => missed.push(format!("{by}\n  lacks {severity} {words}: {lines:#?}")),
        }
        shell(PUT_BACK);
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    finds_nothing("after everything is put back");
}

/// The keys of people of other stories, who are no part of the set-ups here. They come back when
/// this value is dropped.
pub(super) struct HiddenKeys(Vec<String>);

impl HiddenKeys {
    fn hide() -> HiddenKeys {
        let homes = fs::read_dir("/home").expect("there is a /home").flatten();
        let mut files: Vec<String> = homes
            .map(|home| format!("{}/.ssh/authorized_keys", home.path().display()))
            .collect();
        files.push("/root/.ssh/authorized_keys".to_owned());
        files.retain(|file| fs::rename(file, format!("{file}.hidden")).is_ok());
        HiddenKeys(files)
    }

    /// Gives a person the own key back.
    #[track_caller]
    pub(super) fn show(&mut self, name: &str) {
        let is_own = |file: &String| file.contains(&format!("/{name}/"));
        if let Some(index) = self.0.iter().position(is_own) {
            let file = self.0.remove(index);
            fs::rename(format!("{file}.hidden"), file).expect("it was hidden");
        }
    }
}

impl Drop for HiddenKeys {
    fn drop(&mut self) {
        for file in &self.0 {
            let _ = fs::rename(format!("{file}.hidden"), file);
        }
    }
}

/// A host as README sets it up for SSH, where no user has a key.
pub(super) fn ssh_host() -> (Host, HiddenKeys) {
    let (host, keys, _) = ssh_host_with_phone();
    (host, keys)
}

pub(super) fn ssh_host_with_phone() -> (Host, HiddenKeys, Phone) {
    let host = Host::fresh();
    let keys = HiddenKeys::hide();
    host.sample("sudo-i");
    let phone = host.person("alice").enrols();
    (host, keys, phone)
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_set_up_for_ssh_has_no_fault_and_each_broken_one_has() {
    let (_host, _keys) = ssh_host();
    finds_nothing("the set-up of README for SSH");
    finds_each(&[
        fault(
            "rm /etc/ssh/sshd_config.d/postern.conf",
            "/etc/ssh/sshd_config:|KbdInteractiveAuthentication is no|copy sshd_config.d/postern.conf",
        ),
        fault(
            "rm /etc/ssh/sshd_config.d/postern.conf; sed -i '/^account.*pam_totp/d' /etc/pam.d/sshd",
            "sshd: |a key alone grants access without a code|account required pam_totp.so",
        ),
        fault(
            "echo 'KbdInteractiveAuthentication no' >/etc/ssh/sshd_config.d/10-other.conf",
            "/etc/ssh/sshd_config.d/10-other.conf:1: sshd refuses its configuration: AuthenticationMethods needs keyboard-interactive, which is disabled here|remove this line",
        ),
        fault(
            "cp /run/postern-tests/pam.d/sshd /etc/pam.d/sshd",
            "/etc/pam.d/sshd: does not name pam_totp.so|copy pam.d/sshd",
        ),
        fault(
            "echo 'UsePAM no' >/etc/ssh/sshd_config.d/10-other.conf",
            "10-other.conf:1: UsePAM is no",
        ),
        fault(
            "printf 'PasswordAuthentication yes\\nAuthenticationMethods password\\n' >/etc/ssh/sshd_config.d/10-other.conf",
            "10-other.conf:1: PasswordAuthentication answers the prompt",
        ),
        fault(
            "echo 'AuthenticationMethods any' >/etc/ssh/sshd_config.d/10-other.conf",
            "10-other.conf:1: after a key sshd does not go on to the prompt",
        ),
        fault(
            "echo Nonsense >/etc/ssh/sshd_config.d/10-other.conf",
            "sshd: /etc/ssh/sshd_config.d/10-other.conf:1: ",
        ),
        fault(
            "sed -i 's/^auth       required      pam_totp.so/auth optional pam_totp.so/' /etc/pam.d/sshd",
            "/etc/pam.d/sshd:|the stack can succeed although pam_totp.so has failed",
        ),
        fault(
            "sed -i 's/^auth       requisite     pam_unix.so/auth sufficient pam_unix.so/' /etc/pam.d/sshd",
            "/etc/pam.d/sshd:|this line ends the stack with success before pam_totp.so",
        ),
        fault(
            "sed -i 's/success=1 default=ignore. pam_totp.so proven/success=2 default=ignore] pam_totp.so proven/' /etc/pam.d/sshd",
            "/etc/pam.d/sshd:|this line jumps over pam_totp.so",
        ),
        fault(
            "sed -i 's/^account    required      pam_totp.so/account sufficient pam_permit.so\\naccount required pam_totp.so/' /etc/pam.d/sshd",
            "/etc/pam.d/sshd:|is not denied, though no code was verified",
        ),
        warning(
            "sed -i 's/first_factor=passed/first_factor=passed nullok/' /etc/pam.d/sudo",
            "/etc/pam.d/sudo:|remove nullok",
        ),
        fault(
            "sed -i 's/^auth       requisite/auth requisit/' /etc/pam.d/sudo",
            "/etc/pam.d/sudo:|PAM does not understand this line",
        ),
        fault(
            "sed -i 's/first_factor=passed/first_facto=passed/' /etc/pam.d/sudo",
            "/etc/pam.d/sudo:|sudo: unknown option \"first_facto\"|pam_totp(8)",
        ),
        fault(
            "echo '@include gone' >>/etc/pam.d/sudo",
            "/etc/pam.d/sudo:|/etc/pam.d/gone: ",
        ),
        fault(
            "cp /run/postern-tests/pam.d/sudo-i /etc/pam.d/sudo-i",
            "/etc/pam.d/sudo-i: sudo asks for the code, and sudo -i does not|copy pam.d/sudo-i",
        ),
        fault(
            "sed -i '1iauth required pam_totp.so' /etc/pam.d/su; printf 'auth required pam_unix.so\\n' >/etc/pam.d/su-l",
            "/etc/pam.d/su-l: su asks for the code, and su - does not",
        ),
        fault(
            "echo 'auth required pam_totp.so' >/etc/pam.d/myapp",
            "/etc/pam.d/myapp:1: myapp: an account that needs no code is denied|pam_permit.so",
        ),
        warning(
            "for service in login su; do sed -i '1iauth required pam_totp.so' /etc/pam.d/$service; done",
            "every way to root asks for the code",
        ),
    ]);
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn whom_sshd_locks_out_is_named() {
    let (mut host, mut keys) = ssh_host();
    let exceptions = "/etc/ssh/sshd_config.d/postern-exceptions.conf";
    let carol = host.person("carol");
    keys.show("carol");
    let lines = complaints();
    assert!(
        matches!(&lines[..], [line] if line.starts_with("warning") && line.contains("keys and no second factor: carol;") && line.contains(exceptions)),
        "{lines:#?}"
    );
    carol.enrols();
    finds_nothing("carol is enrolled");

    host.person("root");
    keys.show("root");
    let lines = complaints();
    assert!(
        matches!(&lines[..], [line] if line.starts_with("fault") && line.contains("root has a key in /root/.ssh/authorized_keys, and cannot sign in") && line.contains("postern-exceptions.conf")),
        "{lines:#?}"
    );
    shell("groupadd --force --system robots");
    host.sshd_sample("postern-exceptions.conf");
    finds_nothing("root is an exception");
    host.configure("[policy]\nrequired = [\"root\"]\n");
    let lines = complaints();
    assert!(
        lines.iter().any(|line| line.starts_with("fault")
            && line.contains("root signs in by a key alone, and is then denied")
            && line.contains("[[policy.exempt]]")),
        "{lines:#?}"
    );
    host.configure("[policy]\nrequired = [\"root\"]\n[[policy.exempt]]\ngroups = [\"root\"]\nservices = [\"sshd\"]\n");
    finds_nothing("root is exempt");
    shell("sed -i '/^account.*pam_totp/d' /etc/pam.d/sshd");
    host.configure("[policy]\nrequired = [\"root\"]\n");
    let lines = complaints();
    assert!(
        lines.iter().any(|line| line.starts_with("fault")
            && line.contains("root needs a code, and a key alone grants access")),
        "{lines:#?}"
    );
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn key_store_and_configuration_are_looked_at() {
    let (_host, _keys) = ssh_host();
    finds_each(&[
        fault(
            "chmod 0644 /etc/postern/postern.key",
            "key: /etc/postern/postern.key: |too open|chmod 0640",
        ),
        fault(
            "rm /etc/postern/postern.key",
            "key: /etc/postern/postern.key: |restore it from the backup",
        ),
        fault(
            "chown root:root /etc/postern/postern.key; chmod 0600 /etc/postern/postern.key",
            "key: /etc/postern/postern.key: user posternd cannot read|chown root:postern",
        ),
        fault(
            "rm -rf /run/other; mkdir -m 0755 /run/other
            printf '[store]\\nurl = \"sqlite:/run/other/db/postern.db\"\\nkey_file = \"/run/other/postern.key\"\\n' >/run/other/postern.toml
            postern --config /run/other/postern.toml init; cat /run/other/postern.key >/etc/postern/postern.key",
            "store: |key|restore key and store from one backup",
        ),
        fault(
            "chmod 0666 /var/lib/postern/postern.db",
            "store: /var/lib/postern/postern.db: |mode 0666|chmod 0660",
        ),
        fault(
            "chmod 0755 /var/lib/postern",
            "store: /var/lib/postern: |mode 0755|chmod 0750",
        ),
        fault(
            "chown posternd /var/lib/postern",
            "store: /var/lib/postern: has owner",
        ),
        fault(
            "chmod 0664 /etc/postern/postern.toml",
            "configuration: /etc/postern/postern.toml: |0664, too open|last valid copy is in force",
        ),
        fault(
            "chown nobody /etc/postern/postern.toml",
            "configuration: /etc/postern/postern.toml: |belongs to uid",
        ),
        fault(
            "chmod 0600 /etc/postern/postern.toml",
            "configuration: /etc/postern/postern.toml: user posternd cannot read|chmod 0644",
        ),
        fault(
            "mkdir -p /etc/postern/accounts.d; chown nobody /etc/postern/accounts.d",
            "accounts.d|belongs to uid",
        ),
        fault(
            "mkdir -p /etc/postern/accounts.d; echo '# none' >/etc/postern/accounts.d/a.toml; chmod 0600 /etc/postern/accounts.d/a.toml",
            "/etc/postern/accounts.d/a.toml: user posternd cannot read",
        ),
        fault(
            "rm /etc/postern/postern.toml",
            "configuration: /etc/postern/postern.toml: |postern init",
        ),
        fault(
            "printf '[totp]\\nperid = 3\\n' >/etc/postern/postern.toml",
            "/etc/postern/postern.toml:2: totp.perid|postern edit",
        ),
        fault(
            "printf '[policy]\\nrequired = [\"%%stuff\"]\\n' >/etc/postern/postern.toml",
            "policy: /etc/postern/postern.toml:2: the group stuff in policy.required: no source knows it",
        ),
        warning(
            "printf '[policy]\\nrequired = \"all\"\\n' >/etc/postern/postern.toml",
            "/etc/postern/postern.toml:2: policy.required includes accounts without a second factor|root",
        ),
        warning(
            "printf '[email]\\ncommand = [\"/bin/cat\"]\\nfrom = \"a@example.test\"\\n' >/etc/postern/postern.toml",
            "mail: |email.command: nothing listens at|systemctl enable --now postern-mail.socket",
        ),
        fault(
            "printf '[email]\\nsmtp_url = \"smtp://127.0.0.1:2\"\\nfrom = \"a@example.test\"\\n' >/etc/postern/postern.toml",
            "mail: |email.smtp_url: 127.0.0.1 port 2 cannot be reached",
        ),
    ]);
}

/// The attack: someone makes files in the own home, or a tool hangs, so that root's check never ends or
/// says less than it should.
#[test]
#[ignore = "needs the test host: tests/run"]
fn files_of_users_and_tools_that_hang_do_not_hold_up_the_check() {
    let (_host, mut keys, _) = ssh_host_with_phone();
    keys.show("alice");
    let file = "/home/alice/.ssh/authorized_keys";
    let begin = Instant::now();
    for change in [
        format!("mkfifo {file}"),
        format!("ln -s /dev/zero {file}"),
        format!("ln -s /etc/shadow {file}"),
        format!("ln -s {file} {file}"),
        format!("truncate --size=100G {file}"),
    ] {
        shell(&format!("mv {file} {file}.saved; {change}"));
        let said = Postern::call("check").run();
        shell(&format!("rm {file}; mv {file}.saved {file}"));
        assert_lacks(said.all(), "$y$");
        let is_fault = |line: &str| line.starts_with("fault");
        assert!(!said.out.lines().any(is_fault), "{change}: {}", said.all());
    }
    assert!(begin.elapsed() < Duration::from_secs(120));

    let sshd = "/usr/sbin/sshd";
    shell(&format!(
        "mv {sshd} {sshd}.saved; printf '#!/bin/sh\\nsleep 600 & wait\\n' >{sshd}; chmod 0755 {sshd}"
    ));
    let begin = Instant::now();
    let said = Postern::call("check").run();
    shell(&format!("mv {sshd}.saved {sshd}"));
    assert!(
        begin.elapsed() < Duration::from_secs(90),
        "{:?}",
        begin.elapsed()
    );
    assert_contains(
        &said.out,
        "skipped  sshd: sshd -T does not end within 20 s, so nothing is known about sshd",
    );
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_report_has_a_form_for_scripts_and_says_what_it_could_not_see() {
    let (host, _keys) = ssh_host();
    shell("chmod 0644 /etc/postern/postern.key");
    let said = Postern::call("check --json").refuses();
    let findings = said.json();
    let all = findings.as_array().expect("an array");
    let key = all
        .iter()
        .find(|one| one["subject"] == "key")
        .expect("the key");
    assert_eq!(key["severity"], "fault");
    assert_eq!(key["file"], "/etc/postern/postern.key");
    assert!(
        key["remedy"]
            .as_str()
            .is_some_and(|text| text.contains("chmod 0640"))
    );
    shell("chmod 0640 /etc/postern/postern.key");

    let said = host.person("bob").postern("check").does();
    for words in ["skipped  store: only root", "skipped  sshd: only root"] {
        assert!(said.out.contains(words), "{}", said.all());
    }
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_profile_names_the_settings_that_differ_and_none_once_they_are_set() {
    let (_host, _keys) = ssh_host();
    let said = Postern::call("check --profile pci").refuses();
    assert_contains(&said.out, "pci: /etc/postern/postern.toml");
    assert_contains(
        &said.out,
        "8.5.1 c: two different types of factors: policy.required is \"enrolled\"",
    );
    shell(SAVE);
    shell("sed -i 's/^\\[policy\\]/&\\nrequired = \"all\"/' /etc/postern/postern.toml");
    let said = Postern::call("check --profile pci").does();
    assert_contains(&said.out, "ok       pci: 8.5.1 c");
    shell("sed -i 's/pam_totp.so/pam_totp.so grace=1h/' /etc/pam.d/sshd");
    let said = Postern::call("check --profile pci").refuses();
    assert_contains(&said.out, "fault    pci: /etc/pam.d/sshd:");
    shell(PUT_BACK);
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn enroll_says_where_the_code_is_asked_for() {
    let (host, _keys) = ssh_host();
    let said = Postern::call("enroll bob --no-confirm").does();
    assert!(
        said.out.contains("the second factor of bob is on; asked for the code at: sshd, sudo; not at: su, login, web"),
        "{}",
        said.all()
    );
    host.write_configuration(
        "[gate]\nurl = \"https://auth.example.test/\"\ncookie_domain = \"example.test\"\n",
    );
    shell("rm /etc/ssh/sshd_config.d/postern.conf");
    let said = Postern::call("enroll carol --no-confirm").does();
    assert!(
        said.out
            .contains("asked for the code at: sudo, web; not at: sshd, su, login"),
        "{}",
        said.all()
    );
}
