//! Invariants of postern.toml, whatever it contains.

use postern_shared::config::file::{ConfigError, validate_with_accounts};
use std::path::Path;

/// Parses a configuration. Returns whether it is valid.
pub fn postern_toml(bytes: &[u8]) -> bool {
    // No folder accounts.d exists beside this path.
    let path = Path::new("/nonexistent/postern.toml");
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let valid = match validate_with_accounts(path, text.to_owned()) {
        Ok(valid) => valid,
        Err(error) => {
            let said = error.to_string();
            assert!(said.contains("postern.toml"), "{said}");
            if let ConfigError::Content { line, .. } = error {
                assert!(
                    line >= 1 && line <= text.lines().count().max(1) + 1,
                    "line {line}"
                );
            }
            return false;
        }
    };
    // The saved copy has the same meaning as the file.
    let written = toml::to_string(&valid.config).expect("a configuration can be written");
    let again = validate_with_accounts(path, written).expect("what was written is valid");
    assert!(
        again.config == valid.config,
        "it means something else once it is written"
    );
    true
}
