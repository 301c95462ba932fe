//! The Debian packages, by the words of docs/guides/packages.md: published, installed by apt,
//! upgraded while people sign in, refused to be removed, removed and purged.

use super::codes::Codes;
use super::hour::finds;
use super::readme;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use testhost::{BootedHost, Person, assert_contains, assert_lacks, checkout, finished};

const GUIDE: &str = "docs/guides/packages.md";
/// The repository, as the booted host sees it.
const REPOSITORY: &str = "/srv/postern";
const KEY: &str = "releases@example.com";

/// What a host has of packages: files with their modes and owners, but for what apt and dpkg note.
const FILES: &str = "find /etc /usr /var /run/postern -xdev \
    \\( -path /var/lib/apt -o -path /var/cache -o -path /var/log -o -path /var/lib/dpkg \\
       -o -path /var/lib/systemd -o -path /var/tmp -o -path /etc/ssh \\) -prune \
    -o ! -path '/etc/apt/*' -printf '%p %M %U:%G %l\\n' 2>/dev/null | sort";

struct People {
    alice: Person,
    /// The person who never enrolls.
    bob: Person,
}

/// How Postern came to the host before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Earlier {
    Never,
    /// The checkout, by packaging/install.
    FromCheckout,
}

pub(crate) fn pass_on(release: &str, earlier: Earlier) {
    let host = BootedHost::boot(release);
    let people = People {
        alice: host.person("alice"),
        bob: host.person("bob"),
    };
    let before = host.runs(&format!("{FILES} || true"));
    let key = SigningKey::make();
    publish(&host, &key, "1");
    if earlier == Earlier::FromCheckout {
        host.does("sudo packaging/install");
    }
    let screen = install(&host, &key);
    let is_said = screen.contains("packaging/install was used on this host");
    assert_eq!(is_said, earlier == Earlier::FromCheckout, "{screen}");
    let mut codes = protect_ssh(&host, &people);
    upgrade(&host, &key, &people, &mut codes);
    is_not_removed(&host, &people);
    remove_and_purge(&host, &before);
}

/// The key that signs a release, in a keyring of its own.
struct SigningKey {
    keyring: PathBuf,
}

impl SigningKey {
    fn make() -> SigningKey {
        let keyring = PathBuf::from("/run/postern-tests/gnupg");
        finished(
            Command::new("install")
                .args(["-d", "-m", "0700"])
                .arg(&keyring),
        );
        let key = SigningKey { keyring };
        let options = ["--batch", "--quiet", "--passphrase", ""];
        let made = ["--quick-generate-key", KEY, "ed25519", "sign", "never"];
        finished(key.with(Command::new("gpg")).args(options).args(made));
        key
    }

    fn with(&self, mut command: Command) -> Command {
        command.env("GNUPGHOME", &self.keyring);
        command
    }

    fn public(&self) -> String {
        finished(
            self.with(Command::new("gpg"))
                .args(["--armor", "--export", KEY]),
        )
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        let _ = self
            .with(Command::new("gpgconf"))
            .args(["--kill", "all"])
            .status();
        let _ = fs::remove_dir_all(&self.keyring);
    }
}

/// Puts the packages of a version into the repository, and signs it.
fn publish(host: &BootedHost, key: &SigningKey, version: &str) {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| checkout("target"), PathBuf::from);
    let folder = target.join("packages").join(version);
    let repository = host.outside(REPOSITORY);
    let packages = packages_in(&folder);
    finished(
        Command::new(checkout("packaging/apt-repository"))
            .arg(&repository)
            .args(packages),
    );
    let mut sign = key.with(Command::new(checkout("packaging/sign")));
    finished(sign.arg(KEY).arg(&repository));
}

#[track_caller]
fn packages_in(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap_or_else(|error| {
        let folder = folder.display();
        panic!("{folder}: {error}; tests/run makes it with tests/packages")
    });
    let paths = files.map(|file| file.expect("a folder").path());
    let packages: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .collect();
    assert_eq!(packages.len(), 3, "{packages:?}");
    packages
}

/// Follows the guide, and returns what apt prints. Nothing runs, and nothing has changed for anyone.
fn install(host: &BootedHost, key: &SigningKey) -> String {
    let mut screen = String::new();
    // The host has no network.
    host.runs("rm -f /etc/apt/sources.list; mkdir -p /etc/apt/keyrings");
    host.writes("/tmp/postern.asc", &key.public());
    for line in guide("/etc/apt/keyrings") {
        let line = line.replace("-m 0644 postern.asc", "-m 0644 /tmp/postern.asc");
        screen += &host.does(&line.replace("https://packages.example.com", "file:///srv"));
    }
    finds(host, &["neither a key nor a store|postern init"]);
    let units = host.runs("systemctl --no-legend list-units 'postern*' --state=active");
    let active: Vec<&str> = units.split_whitespace().take(1).collect();
    assert_eq!(active, ["postern-config.path"], "{units}");
    let refused = host.types("sudo packaging/install").ends();
    assert_eq!(refused.status.code(), Some(1), "{}", refused.transcript);
    assert_contains(
        &refused.transcript,
        "Debian packages of Postern are installed: libpam-totp postern postern-gate",
    );
    screen
}

/// Returns the command lines of the block in the guide that contains a text.
fn guide(contained: &str) -> Vec<String> {
    let text = fs::read_to_string(checkout(GUIDE)).expect("the checkout has it");
    let block = text
        .split("```")
        .skip(1)
        .step_by(2)
        .find(|block| block.contains(contained))
        .unwrap_or_else(|| panic!("{GUIDE} has no block with {contained}"));
    let lines = block.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Follows README from `postern init` on, with the files of the package.
fn protect_ssh(host: &BootedHost, people: &People) -> Codes {
    host.does("sudo postern init");
    host.does("sudo systemctl enable --now posternd");
    let mut codes = Codes::printed(&host.does("sudo postern enroll alice --no-confirm --json"));
    host.does("sudo useradd --system ansible");
    for line in readme::commands("README.md", "2. SSH") {
        host.does(&line.replace(" config/", " /usr/share/doc/postern/examples/"));
    }
    let gate = r#"[gate]\nurl = "https://auth.example.com/"\ncookie_domain = "example.com""#;
    host.runs(&format!(
        "sed -i 's|^\\[gate\\]|{gate}|' /etc/postern/postern.toml"
    ));
    host.does("sudo systemctl enable --now postern-gate");
    is_named_in_the_remedy(host);
    host.with_key(&people.alice).enters_with(&codes.next());
    host.with_key(&people.bob).enters();
    codes
}

/// A program that is missing is to be installed as it was: as a package.
fn is_named_in_the_remedy(host: &BootedHost) {
    let found = host.runs(
        "mv /usr/bin/postern-gate /usr/bin/moved; postern check || true; mv /usr/bin/moved /usr/bin/postern-gate",
    );
    assert_contains(&found, "apt-get install --reinstall postern-gate");
    assert_lacks(&found, "packaging/install");
}

/// Upgrades while a session is open, and while people sign in.
fn upgrade(host: &BootedHost, key: &SigningKey, people: &People, codes: &mut Codes) {
    publish(host, key, "2");
    let mut session = host
        .with_key(&people.alice)
        .to_a_shell()
        .option("RequestTTY=force")
        .up_to_the_code();
    session.types(&codes.next()).expect("$ ");
    let daemons = "systemctl show --value --property MainPID posternd postern-gate";
    let earlier = host.runs(daemons);

    host.does("sudo apt-get -q update");
    let logins = thread::scope(|scope| {
        let upgrade = scope.spawn(|| host.does("sudo apt-get -q -y dist-upgrade"));
        let mut logins = 0;
        while !upgrade.is_finished() {
            host.with_key(&people.bob).enters();
            logins += 1;
        }
        assert_contains(
            upgrade.join().expect("apt upgrades"),
            "the store has version",
        );
        logins
    });
    assert!(logins > 1, "{logins} logins while apt upgraded");

    session.types("echo still $((40 + 2))").expect("still 42");
    session.types("exit");
    session.ends();
    let versions = host.runs("dpkg-query -W -f '${Version} ' libpam-totp postern postern-gate");
    let is_new = |version: &str| version.ends_with("-2");
    assert!(versions.split_whitespace().all(is_new), "{versions}");
    let later = host.runs(daemons);
    for (earlier, later) in earlier.split_whitespace().zip(later.split_whitespace()) {
        assert!(
            earlier != later && later != "0",
            "{earlier} {later}: {}",
            host.runs("journalctl --boot --no-pager --unit 'postern*' | tail -n 50")
        );
    }
    assert_contains(
        host.runs("cat /etc/postern/postern.toml"),
        "\nurl = \"https://auth.example.com/\"",
    );
    let mut others = Codes::of_another_app(host, "alice", "second");
    host.with_key(&people.alice).enters_with(&others.next());
}

/// Removing the module or its daemon from under sshd would deny everyone.
fn is_not_removed(host: &BootedHost, people: &People) {
    for packages in ["libpam-totp", "postern", "libpam-totp postern postern-gate"] {
        let refused = host
            .types(&format!("sudo apt-get -q -y remove {packages}"))
            .ends();
        assert_eq!(refused.status.code(), Some(100), "{}", refused.transcript);
        assert_contains(&refused.transcript, "/etc/pam.d/sshd:");
        assert_contains(&refused.transcript, "nothing is removed yet");
        host.with_key(&people.bob).enters();
    }
}

/// Goes back as README says, and removes everything.
fn remove_and_purge(host: &BootedHost, before: &str) {
    host.does("sudo cp /root/pam.d-sshd.before /etc/pam.d/sshd && sudo rm /root/pam.d-sshd.before");
    let [remove, purge] = guide("purge").try_into().expect("two commands");
    let removed = host.does(&remove);
    assert_contains(&removed, "/etc/ssh/sshd_config.d/postern.conf is kept");
    assert_contains(&removed, "/var/lib/postern is kept");
    host.runs("test -e /etc/postern/postern.key -a -e /var/lib/postern/postern.db");
    assert_lacks(
        host.runs("systemctl list-units 'postern*' --no-legend"),
        "running",
    );
    host.runs("rm /etc/ssh/sshd_config.d/postern*.conf; sshd -t; systemctl reload ssh");

    let purged = host.does(&purge);
    for folder in ["/etc/postern", "/var/lib/postern"] {
        assert_contains(&purged, format!("{folder} is deleted"));
    }
    host.runs(&format!("rm -r {REPOSITORY} /tmp/postern.asc"));
    assert_lines(before, &host.runs(&format!("{FILES} || true")));
    assert_lacks(host.runs("dpkg-query -W"), "postern");
}

/// Compares two lists of files, and shows only where they differ.
#[track_caller]
fn assert_lines(before: &str, after: &str) {
    let only = |one: &str, other: &str| -> Vec<String> {
        let other: std::collections::HashSet<&str> = other.lines().collect();
        let lines = one.lines().filter(|line| !other.contains(line));
        lines.map(str::to_owned).collect()
    };
    let (gone, left) = (only(before, after), only(after, before));
    assert!(
        gone.is_empty() && left.is_empty(),
        "gone: {gone:#?}, left: {left:#?}"
    );
}
