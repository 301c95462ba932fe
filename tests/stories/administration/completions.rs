//! Completion in a shell on a terminal, with the completions as they are installed.

use std::fs;
use std::process::Command;
use testhost::{Host, Terminal};

#[test]
#[ignore = "needs the test host: tests/run"]
fn bash_completes_commands_options_and_values() {
    let _host = Host::fresh();
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile", "-i"]);
    let mut shell = Terminal::run(bash);
    shell
        .types(". /usr/share/bash-completion/bash_completion; echo loaded $((1 + 1))")
        .expect("loaded 2");

    let mut completes = |typed: &str, shown: &str| {
        // Ctrl-U clears the line.
        shell
            .types_bytes(&[0x15])
            .types_bytes(typed.as_bytes())
            .types_bytes(b"\t")
            .expect(shown);
    };
    completes("postern stat", "postern status ");
    completes("postern log --fol", "postern log --follow ");
    completes("postern log --event acce", "postern log --event accepted ");
    completes(
        "postern browser revoke --al",
        "postern browser revoke --all ",
    );
    completes(
        "sudo postern print-config cad",
        "sudo postern print-config caddy ",
    );
    shell.types_bytes(&[0x15]).types("exit");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn each_shell_finds_its_completions() {
    let _host = Host::fresh();
    for (path, shell) in [
        (
            "/usr/share/bash-completion/completions/postern",
            "complete -F _postern",
        ),
        (
            "/usr/share/zsh/vendor-completions/_postern",
            "#compdef postern",
        ),
        (
            "/usr/share/fish/vendor_completions.d/postern.fish",
            "complete -c postern",
        ),
    ] {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(text.contains(shell), "{path}");
    }
}
