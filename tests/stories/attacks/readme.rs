//! The commands of README, run exactly as printed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use testhost::{Host, assert_lacks, finished, set_mode};

const TOOLS: &str = "/run/postern-tests/readme";

/// Returns the commands of README's code blocks that name these words, in order.
fn commands(words: &[&str]) -> Vec<String> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"));
    let readme = readme.expect("the checkout has one");
    let blocks = readme
        .split("```\n")
        .skip(1)
        .step_by(2)
        .flat_map(str::lines);
    let found: Vec<_> = blocks
        .filter(|line| words.iter().any(|word| line.contains(word)))
        .collect();
    assert!(
        found.len() >= words.len(),
        "README has not all of {words:?}: {found:?}"
    );
    found.into_iter().map(str::to_owned).collect()
}

/// Runs commands with replacements for systemctl, sudo and the editor, which the test host lacks.
fn paste(lines: &[String]) -> String {
    let tool = |name: &str, script: &str| {
        fs::create_dir_all(TOOLS).expect("the tests' folder can be written");
        let path = format!("{TOOLS}/{name}");
        fs::write(&path, format!("#!/bin/sh\n{script}\n"))
            .expect("the tests' folder can be written");
        set_mode(path, 0o755);
    };
    tool("systemctl", "echo \"systemctl $*\"");
    tool("sudo", "exec \"$@\"");
    tool(
        "editor",
        "sed -n '/^# postern.toml needs:/,/^$/s/^#     //p' /etc/nginx/conf.d/postern.conf >\"$1\"",
    );
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", &lines.join("\n")]);
    bash.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    bash.env("EDITOR", format!("{TOOLS}/editor"))
        .env_remove("VISUAL");
    let path = std::env::var("PATH").expect("there is a PATH");
    finished(bash.env("PATH", format!("{TOOLS}:{path}")))
}

/// A command of README wrote the proxy's secret to a file that everyone could read, and the sshd
/// settings locked out root.
#[test]
#[ignore = "needs the test host: tests/run"]
fn what_readme_says_can_be_pasted_and_leaves_no_secret_readable() {
    let mut host = Host::fresh();
    fs::remove_file("/etc/ssh/sshd_config.d/postern.conf").expect("a drop-in can be removed");
    let output = paste(
        &commands(&[
            "pam.d/sshd",
            "postern.conf",
            "postern-exceptions.conf",
            "sshd -t",
        ])[..4],
    );
    assert_eq!(output, "systemctl reload ssh\n");
    host.restart_sshd();
    let (root, alice) = (host.person("root"), host.person("alice"));
    let phone = alice.enrols();
    root.with_key().option("BatchMode=yes").enters();
    alice.with_key().enters_with(&phone.code());

    host.configure("[gate]\nurl = \"https://auth.example.com/\"\n");
    for name in ["auth", "app"] {
        for ending in ["crt", "key"] {
            let from = format!("/etc/ssl/private/readme.{ending}");
            if !Path::new(&from).exists() {
                finished(Command::new("openssl").args([
                    "req",
                    "-x509",
                    "-newkey",
                    "rsa:2048",
                    "-nodes",
                    "-days",
                    "2",
                    "-subj",
                    "/CN=readme",
                    "-keyout",
                    "/etc/ssl/private/readme.key",
                    "-out",
                    "/etc/ssl/private/readme.crt",
                ]));
            }
            fs::copy(
                from,
                format!("/etc/ssl/private/{name}.example.com.{ending}"),
            )
            .expect("/etc can be written");
        }
    }
    let lines = commands(&["print-config nginx", "postern edit", "usermod", "nginx -t"]);
    let output = paste(&lines);
    assert!(
        output.ends_with("systemctl enable --now postern-gate\nsystemctl restart nginx\n"),
        "{output}"
    );
    let secret = fs::read_to_string("/etc/postern/proxy.secret").expect("it was made");
    assert_lacks(&output, secret.trim());
    for folder in ["/etc/nginx", "/etc/nginx/conf.d", "/etc/postern"] {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let open = entry
                .metadata()
                .is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o004 != 0);
            let text = fs::read(entry.path()).unwrap_or_default();
            let holds = String::from_utf8_lossy(&text).contains(secret.trim());
            assert!(
                !(open && holds),
                "everyone reads the secret in {:?}",
                entry.path()
            );
        }
    }
    fs::remove_file("/etc/nginx/conf.d/postern.conf").expect("/etc can be written");
}
