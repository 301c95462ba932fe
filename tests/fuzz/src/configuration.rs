//! What must hold of postern.toml, whatever it says.

use shared::config::file::{ConfigError, validate_with_accounts};
use std::path::Path;

/// Reads a configuration; returns whether it is valid.
pub fn postern_toml(bytes: &[u8]) -> bool {
    // without a folder accounts.d beside it
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
    // it is kept as it was understood
    let written = toml::to_string(&valid.config).expect("a configuration can be written");
    let again = validate_with_accounts(path, written).expect("what was written is valid");
    assert!(
        again.config == valid.config,
        "it means something else once it is written"
    );
    true
}
