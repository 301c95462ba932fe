//! Keys of postern.toml that had another name. The old name is refused, and the message gives the
//! new one.

/// Old and new names as dotted keys.
const RENAMED: [(&str, &str); 6] = [
    ("email.time_limit", "email.timeout"),
    ("gate.look", "gate.branding"),
    ("gate.own_paths", "gate.application_urls"),
    ("gate.session", "gate.session_lifetime"),
    ("gate.trust", "gate.trusted_browser_lifetime"),
    ("policy.exempt.after", "policy.exempt.completed_methods"),
];

/// Returns the present name of a key, if `old` is its former one.
pub(super) fn find_new_name(old: &str) -> Option<&'static str> {
    let renamed = RENAMED.iter().find(|(former, _)| *former == old);
    renamed.map(|(_, new)| *new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, file};
    use std::fs;

    /// Returns a file with one key and a value that the key accepts.
    fn file_with(key: &str) -> String {
        let (table, key) = key.rsplit_once('.').unwrap();
        match (table, key) {
            ("gate", "look" | "branding") => format!("[{table}.{key}]\nname = \"a\"\n"),
            ("gate", "own_paths" | "application_urls") => {
                format!("[gate]\nurl = \"https://a.example\"\n{key} = [\"https://b.example/p/\"]\n")
            }
            ("policy.exempt", key) => format!("[[{table}]]\n{key} = [\"publickey\"]\n"),
            _ => format!("[{table}]\n{key} = \"1h\"\n").replace("timeout = \"1h", "timeout = \"9s"),
        }
    }

    #[test]
    fn each_old_name_is_refused_and_the_message_gives_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postern.toml");
        for (old, new) in RENAMED {
            toml::from_str::<Config>(&file_with(new)).expect(new);
            fs::write(&path, file_with(old)).unwrap();
            let refused = file::read_config(&path).expect_err(old).to_string();
            let expected = format!(": {old}: is now called {new}");
            assert!(refused.ends_with(&expected), "{refused}");
        }
    }
}
