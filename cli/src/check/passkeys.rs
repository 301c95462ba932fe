//! Passkeys: whether the configuration names the relying party that they were made for.

use super::finding::{Finding, Place};
use postern_shared::config::file;
use postern_shared::engine::{Engine, EngineError};
use std::path::Path;

/// Reports passkeys that were made for another relying party: none of them works.
pub(crate) fn relying_party(
    engine: &mut Engine,
    text: &str,
    path: &Path,
) -> Result<Option<Finding>, EngineError> {
    if engine.config().gate.url.is_none() {
        return Ok(None);
    }
    let Some(other) = engine.passkeys().other_relying_party()? else {
        return Ok(None);
    };
    let keys: [&[&str]; 2] = [&["gate", "passkeys", "rp_id"], &["gate", "url"]];
    let line = keys.iter().find_map(|key| file::line_of_key(text, key));
    let place = line.map_or(Place::file(path), |line| Place::line(path, line));
    let finding = Finding::fault("passkeys", &other).at(&place);
    Ok(Some(finding.remedy(other.remedy())))
}
