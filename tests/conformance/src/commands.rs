//! Commands of the target file, run by sh(1).

use std::process::{Command, Stdio};

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its output, or why it failed.
    pub(crate) out: Result<String, String>,
}

/// Runs a command after it has replaced each `{name}` by a value. The error says why it did not run.
pub(crate) fn run(command: &str, values: &[(&str, &str)]) -> Result<Ended, String> {
    let mut text = command.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("{{{name}}}"), &quoted(value));
    }
    let output = Command::new("sh")
        .args(["-c", &text])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("sh: {error}"))?;
    let out = match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!(
            "{command:?} failed, {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    };
    Ok(Ended { out })
}

/// Quotes a value for sh(1).
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_word_whatever_it_holds() {
        let ended = run("printf %s {user}", &[("user", "a b'; exit 3 #")]);
        assert_eq!(ended.expect("sh runs").out.as_deref(), Ok("a b'; exit 3 #"));
    }

    #[test]
    fn a_failure_names_the_command() {
        let ended = run("echo no >&2; exit 3", &[]).expect("sh runs");
        let message = ended.out.expect_err("exit code 3");
        assert!(
            message.contains("exit 3") && message.contains("no"),
            "{message}"
        );
    }
}
