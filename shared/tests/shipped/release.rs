//! packaging/release, in a copy of the checkout.

use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// Files that have the version.
const FILES: [&str; 6] = [
    "Cargo.toml",
    "Cargo.lock",
    "packaging/arch/PKGBUILD",
    "packaging/container/compose.yaml",
    "packaging/nix/package.nix",
    "packaging/rpm/postern.spec",
];
const NEW: &str = "77.8.9";

/// A repository with one commit, which has the files of the checkout.
struct Copy(TempDir);

impl Copy {
    fn new() -> Copy {
        let copy = Copy(tempfile::tempdir().expect("a folder for tests"));
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let script = "for path in * .cargo; do [[ $path == target ]] || cp -r \"$path\" \"$1\"; done
            cd \"$1\"; git init --quiet --initial-branch=main; git add .; git commit --quiet --message first";
        let mut make = copy.command("bash");
        make.args(["-euc", script, "bash"]).arg(copy.0.path());
        let made = make.current_dir(checkout).output().expect("bash runs");
        assert!(made.status.success(), "{made:?}");
        copy
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.0.path());
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "tests");
            command.env(format!("GIT_{who}_EMAIL"), "tests@example.com");
        }
        command
    }

    fn release(&self, words: &[&str]) -> Output {
        self.command("packaging/release")
            .args(words)
            .output()
            .expect("the checkout has it")
    }

    fn git(&self, words: &str) -> String {
        let output = self
            .command("git")
            .args(words.split(' '))
            .output()
            .expect("git is installed");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.0.path().join(path)).expect("a file")
    }

    #[track_caller]
    fn refuses(&self, words: &[&str], why: &str) {
        let before = self.git("rev-parse HEAD");
        let output = self.release(words);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(why), "{text}");
        assert_eq!(self.git("rev-parse HEAD"), before);
    }
}

#[test]
fn a_release_sets_every_version_and_a_dry_run_changes_nothing() {
    let copy = Copy::new();
    let before = copy.git("rev-parse HEAD");
    let shown = copy.release(&[NEW]);
    assert!(shown.status.success(), "{shown:?}");
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    for file in FILES {
        assert!(text.contains(&format!("+++ b/{file}")), "{file}: {text}");
    }
    assert_eq!(copy.git("rev-parse HEAD"), before);
    assert_eq!(
        (copy.git("tag"), copy.git("status --porcelain")),
        (String::new(), String::new())
    );

    let done = copy.release(&["--write", "--unsigned", NEW]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(copy.git("tag"), format!("v{NEW}"));
    assert_eq!(copy.git("log -1 --format=%s"), format!("Release {NEW}"));
    assert_eq!(copy.git("status --porcelain"), "");
    for file in FILES {
        assert!(copy.read(file).contains(NEW), "{file}");
    }
    let own = ["postern-shared", "posternd", "pam_totp"];
    for name in own {
        let entry = format!("name = \"{name}\"\nversion = \"{NEW}\"\n");
        assert!(copy.read("Cargo.lock").contains(&entry), "{name}");
    }
    assert!(
        copy.read("CHANGELOG.md")
            .contains(&format!("## Unreleased\n\n## {NEW} ("))
    );
}

#[test]
fn a_release_is_refused_where_it_would_be_wrong() {
    let copy = Copy::new();
    copy.refuses(&["1.0"], "is not a version");
    copy.refuses(&["--write", "01.0.0"], "is not a version");
    copy.git("tag v0.0.1");
    copy.refuses(&["--write", "0.0.1"], "exists");
    copy.refuses(&["--write", "0.0.2"], "is not newer than");
    std::fs::write(copy.0.path().join("README.md"), "changed").unwrap();
    copy.refuses(&["--write", NEW], "has changes");
    copy.git("checkout --quiet -- README.md");
    copy.git("checkout --quiet -b other");
    copy.refuses(&["--write", NEW], "a release is made from main");
}
