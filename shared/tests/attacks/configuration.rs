//! Configuration files that are not trusted: links, owners, modes, and the last valid copy.

use crate::test_store::assert_contains;
use postern_shared::config::file::{self, ConfigError};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A folder in place of /etc/postern.
struct Etc(TempDir);

const FIRST: &str = "# the first day\n";
const SECOND: &str = "[policy]\nrequired = \"all\"\n";

impl Etc {
    /// Returns the folder as `postern init` leaves it: the copy holds the first configuration.
    fn new() -> Etc {
        let etc = Etc(tempfile::tempdir().unwrap());
        etc.writes("postern.toml", FIRST);
        file::save_valid_copy(&etc.at("postern.toml")).unwrap();
        etc
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn writes(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).unwrap();
        mode(&self.at(name), 0o644);
    }

    fn in_force(&self) -> file::CurrentConfig {
        file::load_config(&self.at("postern.toml")).unwrap()
    }

    /// Returns whether the policy requires a second factor of every account.
    fn requires_all(&self) -> bool {
        let required = format!("{:?}", self.in_force().config.policy.required);
        required
            != format!(
                "{:?}",
                postern_shared::config::Config::default().policy.required
            )
    }

    /// Returns the log message that is written while the copy is in force.
    #[track_caller]
    fn problem(&self) -> String {
        self.in_force()
            .fallback
            .expect("the copy is in force")
            .to_string()
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The fault: after a typing error in the file, the policy of the last command that ran as root was
/// in force again.
#[test]
fn a_typo_brings_back_what_was_in_force_last_and_nothing_older() {
    if !is_root() {
        return;
    }
    let etc = Etc::new();
    etc.writes("postern.toml", SECOND);
    assert!(etc.requires_all());
    etc.writes("postern.toml", "[policy]\nrequired = \"alll\"\n");
    assert!(etc.requires_all(), "a login of root's has kept it");
    assert_eq!(
        fs::read_to_string(etc.at("postern.toml.valid")).unwrap(),
        SECOND
    );

    etc.writes("postern.toml", FIRST);
    etc.writes("accounts.d", "");
    fs::remove_file(etc.at("accounts.d")).unwrap();
    fs::create_dir(etc.at("accounts.d")).unwrap();
    etc.writes(
        "accounts.d/bob.toml",
        "[[account]]\nname = \"bob\"\nsecret_file = \"/run/bob\"\n",
    );
    assert_eq!(etc.in_force().config.account.len(), 1);
    etc.writes("accounts.d/bob.toml", "[[account]]\nname = \"bob\"\n");
    assert_eq!(etc.in_force().config.account.len(), 1, "{}", etc.problem());
}

/// A configuration whose copy cannot be saved MUST NOT come into force: the next invalid file would
/// bring back an older one.
#[test]
fn a_configuration_that_cannot_be_kept_is_not_in_force() {
    if !is_root() {
        return;
    }
    let etc = Etc::new();
    etc.writes("postern.toml", SECOND);
    // the temporary file of the copy cannot be created
    let new = etc.at(&format!(".postern.toml.valid.{}.new", std::process::id()));
    fs::create_dir(&new).unwrap();
    assert!(!etc.requires_all());
    assert_contains(
        etc.problem(),
        "comes into force once root has saved a copy of it: postern check --keep",
    );
    fs::remove_dir(&new).unwrap();
    assert!(etc.requires_all());
}

/// The fault: one chmod denied access at every service although a trusted copy was beside the file.
#[test]
fn a_wrong_mode_or_owner_or_a_missing_file_leaves_the_last_valid_copy_in_force() {
    let etc = Etc::new();
    etc.writes("postern.toml", SECOND);
    fs::create_dir(etc.at("accounts.d")).unwrap();
    etc.writes(
        "accounts.d/a.toml",
        "[[account]]\nname = \"a\"\nsecret_file = \"/run/a\"\n",
    );
    file::save_valid_copy(&etc.at("postern.toml")).unwrap();
    let since = fs::metadata(etc.at("postern.toml.valid"))
        .unwrap()
        .modified()
        .unwrap();
    let since = since
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let since = postern_shared::system::clock::Timestamp(since).to_string();

    let (toml, folder, extra) = (
        etc.at("postern.toml"),
        etc.at("accounts.d"),
        etc.at("accounts.d/a.toml"),
    );
    let is_in_doubt = |named: &str| {
        assert!(etc.requires_all(), "{named}");
        assert_eq!(etc.in_force().config.account.len(), 1);
        let (problem, copy) = (etc.problem(), etc.at("postern.toml.valid"));
        assert_contains(&problem, named);
        let of_copy = format!(
            "until then {} is in force, the configuration of {since}",
            copy.display()
        );
        assert_contains(&problem, &of_copy);
    };
    for (path, open, should, named) in [
        (
            &toml,
            0o664,
            0o644,
            "postern.toml: has mode 0664, too open; chmod it to 0644",
        ),
        (
            &extra,
            0o664,
            0o644,
            "a.toml: has mode 0664, too open; chmod it to 0644",
        ),
        (
            &folder,
            0o775,
            0o755,
            "accounts.d: the folder has mode 0775, too open; chmod it to 0755",
        ),
    ] {
        mode(path, open);
        is_in_doubt(named);
        mode(path, should);
        assert!(etc.in_force().fallback.is_none(), "{named}");
        if is_root() {
            chown(path, Some(4321), None).unwrap();
            is_in_doubt("belongs to uid 4321; chown it to root");
            chown(path, Some(0), None).unwrap();
            assert!(etc.in_force().fallback.is_none(), "{named}");
        }
    }
    fs::rename(&toml, etc.at("aside")).unwrap();
    is_in_doubt(
        "postern.toml: No such file or directory (os error 2); restore it, or create one with postern init",
    );
}

/// Without a trusted copy all access is denied, and the message states the remedy.
#[test]
fn a_doubt_without_a_trusted_copy_is_refused_with_a_remedy() {
    let etc = Etc::new();
    fs::remove_file(etc.at("postern.toml")).unwrap();
    mode(&etc.at("postern.toml.valid"), 0o666);
    let refused = file::load_config(&etc.at("postern.toml")).err().unwrap();
    assert!(matches!(refused, ConfigError::NoCopy { .. }));
    let refused = refused.to_string();
    assert_contains(&refused, "restore it, or create one with postern init");
    assert_contains(
        &refused,
        "postern.toml.valid: has mode 0666, too open; chmod it to 0644",
    );
    // a copy that is a link is not trusted
    fs::rename(etc.at("postern.toml.valid"), etc.at("elsewhere")).unwrap();
    mode(&etc.at("elsewhere"), 0o644);
    symlink(etc.at("elsewhere"), etc.at("postern.toml.valid")).unwrap();
    assert!(file::load_config(&etc.at("postern.toml")).is_err());
}

/// NixOS and GNU Stow install the configuration as a link.
#[test]
fn a_link_is_followed_where_every_folder_on_the_way_can_be_trusted() {
    let etc = Etc::new();
    let store = etc.at("store");
    fs::create_dir_all(store.join("a/b")).unwrap();
    fs::write(store.join("a/b/real.toml"), SECOND).unwrap();
    mode(&store.join("a/b/real.toml"), 0o644);
    // a link to a folder, which holds a relative link to a parent folder, and a link to that link
    symlink(store.join("a"), store.join("profile")).unwrap();
    symlink("../a/b/real.toml", store.join("a/current")).unwrap();
    let toml = etc.at("postern.toml");
    fs::remove_file(&toml).unwrap();
    symlink(store.join("profile/../profile/current"), &toml).unwrap();
    assert!(file::read_config(&toml).is_ok());
    fs::create_dir(etc.at("accounts.d")).unwrap();
    fs::write(
        store.join("x.toml"),
        "[[account]]\nname = \"x\"\nsecret_file = \"/run/x\"\n",
    )
    .unwrap();
    symlink(store.join("x.toml"), etc.at("accounts.d/x.toml")).unwrap();
    assert_eq!(file::read_config(&toml).unwrap().config.account.len(), 1);

    for (folder, named) in [
        (store.clone(), "store"),
        (store.join("a"), "store/a"),
        (store.join("a/b"), "store/a/b"),
    ] {
        mode(&folder, 0o775);
        let refused = file::read_config(&toml).err().unwrap().to_string();
        assert_contains(&refused, "has mode 0775, too open; chmod it to 0755");
        mode(&folder, 0o755);
        if is_root() {
            chown(&folder, Some(4321), None).unwrap();
            let refused = file::read_config(&toml).err().unwrap().to_string();
            assert_contains(&refused, format!("{named}: belongs to uid 4321"));
            chown(&folder, Some(0), None).unwrap();
        }
        assert!(file::read_config(&toml).is_ok());
    }
    if is_root() {
        std::os::unix::fs::lchown(&toml, Some(4321), None).unwrap();
        let refused = file::read_config(&toml).err().unwrap().to_string();
        assert_contains(
            &refused,
            "the symbolic link belongs to uid 4321; chown --no-dereference",
        );
        std::os::unix::fs::lchown(&toml, Some(0), None).unwrap();
    }
    mode(&store.join("a/b/real.toml"), 0o666);
    assert_contains(
        file::read_config(&toml).err().unwrap().to_string(),
        "has mode 0666, too open",
    );

    fs::remove_file(&toml).unwrap();
    symlink(&toml, &toml).unwrap();
    assert_contains(
        file::read_config(&toml).err().unwrap().to_string(),
        "too many symbolic links",
    );
}

/// The fault: 4000 files took 1.75 s, because all of them were compared after each read.
#[test]
fn many_files_of_accounts_are_read_in_time() {
    let etc = Etc::new();
    fs::create_dir(etc.at("accounts.d")).unwrap();
    let write = |count: std::ops::Range<u32>| {
        for number in count {
            let text = format!("[[account]]\nname = \"a{number}\"\nsecret_file = \"/run/a\"\n");
            fs::write(etc.at(&format!("accounts.d/{number}.toml")), text).unwrap();
        }
    };
    let time = || {
        let begun = Instant::now();
        file::read_config(&etc.at("postern.toml")).unwrap();
        begun.elapsed()
    };
    write(0..100);
    let few = (0..3).map(|_| time()).min().unwrap();
    write(100..800);
    let many = (0..3).map(|_| time()).min().unwrap();
    assert!(
        many < few * 14 + Duration::from_millis(20),
        "100: {few:?}, 800: {many:?}"
    );
    etc.writes(
        "accounts.d/9999.toml",
        "[[account]]\nname = \"a7\"\nsecret_file = \"/run/a\"\n",
    );
    let refused = file::read_config(&etc.at("postern.toml"))
        .err()
        .unwrap()
        .to_string();
    assert_contains(&refused, "9999.toml:1: the account a7 is declared twice");
}

/// The fault: each line of a PAM stack read postern.toml again. A configuration in memory stays in
/// force until one of its files changes.
#[test]
fn a_configuration_that_is_read_once_is_read_again_after_every_change() {
    let etc = Etc::new();
    let required = |all: bool| {
        // the first read fills the memory, the second one uses it
        for _ in 0..2 {
            assert_eq!(etc.requires_all(), all);
        }
    };
    let old = |name: &str| {
        let ago = std::time::SystemTime::now() - Duration::from_secs(60);
        fs::File::open(etc.at(name))
            .unwrap()
            .set_modified(ago)
            .unwrap();
    };
    required(false);
    // The time of the last change (ctime) cannot be set back, so the test waits until a
    // configuration of this age is kept in memory.
    std::thread::sleep(Duration::from_millis(2100));
    required(false);
    // same length, and the modification time set back
    etc.writes("postern.toml", "# the second day");
    assert_contains(etc.problem(), "does not end with a newline");
    etc.writes("postern.toml", SECOND);
    old("postern.toml");
    if is_root() {
        required(true);
    }
    file::save_valid_copy(&etc.at("postern.toml")).unwrap();
    std::thread::sleep(Duration::from_millis(2100));
    required(true);
    fs::create_dir(etc.at("accounts.d")).unwrap();
    etc.writes(
        "accounts.d/a.toml",
        "[[account]]\nname = \"a\"\nsecret_file = \"/run/a\"\n",
    );
    file::save_valid_copy(&etc.at("postern.toml")).unwrap();
    assert_eq!(etc.in_force().config.account.len(), 1);
    std::thread::sleep(Duration::from_millis(2100));
    assert_eq!(etc.in_force().config.account.len(), 1);
    mode(&etc.at("accounts.d/a.toml"), 0o666);
    assert_contains(etc.problem(), "has mode 0666");
    mode(&etc.at("accounts.d/a.toml"), 0o644);
    assert!(etc.in_force().fallback.is_none());
    fs::remove_file(etc.at("accounts.d/a.toml")).unwrap();
    assert_eq!(etc.in_force().config.account.len(), 0);
}
