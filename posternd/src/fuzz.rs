//! Properties of the options in a service file, for the fuzz targets of tests/fuzz.

use crate::pam::options::PamOptions;
use postern_shared::config::PamConfig;

/// Parses options and returns whether all are known. Panics where a property does not hold.
pub fn pam_options(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<String> = text
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let options = match PamOptions::parse(&words) {
        Ok(options) => options,
        Err(unknown) => {
            let said = unknown.to_string();
            assert!(
                said.len() < 512 && !said.contains(char::is_control),
                "{said}"
            );
            return false;
        }
    };
    assert!(options.config_path().is_absolute());
    let settings = options.merge_settings(&PamConfig::default(), "sshd");
    assert!((1..=10).contains(&settings.tries));
    assert!(settings.fail_delay.is_none_or(|seconds| seconds <= 30));
    assert!(!settings.prompt.contains(char::is_control));
    // an unknown option denies access, at any position
    for position in 0..=words.len() {
        let mut words = words.clone();
        words.insert(position, "unknown".to_owned());
        assert!(PamOptions::parse(&words).is_err());
    }
    // the last of repeated options counts, so the same options again change nothing
    assert_eq!(
        PamOptions::parse(&[words.clone(), words].concat()),
        Ok(options)
    );
    true
}

#[cfg(test)]
#[allow(unreachable_pub)]
#[path = "../../tests/fuzz/src/mutations.rs"]
mod mutations;

#[cfg(test)]
mod tests {
    #[test]
    fn a_word_that_is_no_option_denies() {
        super::mutations::try_all("pam_options", 6_000, super::pam_options);
    }
}
