//! Invariants of input at a prompt, of names, and of SSH_AUTH_INFO_0.

use postern_shared::account::name::{Group, Label, Service, UserName};
use postern_shared::credential::app_password::AppPassword;
use postern_shared::credential::completed_methods::{CompletedMethods, LONGEST as LONGEST_INFO};
use postern_shared::credential::input::{Input, LONGEST};
use postern_shared::credential::recovery_code::{
    looks_like_one_time_code, looks_like_recovery_code,
};

/// Parses bytes as each credential and each name. Returns whether any of them is valid.
pub fn typed(bytes: &[u8]) -> bool {
    let [answer, name] = [answer(bytes), name(bytes)];
    let password = std::str::from_utf8(bytes).is_ok_and(app_password);
    answer || name || password
}

fn answer(bytes: &[u8]) -> bool {
    let answer = Input::parse(bytes);
    let plain = match &answer {
        Input::Digits(plain) => {
            assert!(!plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit()));
            plain.to_string()
        }
        Input::RecoveryCode(plain) => {
            assert!(looks_like_recovery_code(plain));
            plain.to_string()
        }
        Input::OneTimeCode(plain) => {
            assert!(looks_like_one_time_code(plain));
            format!("P-{}", **plain)
        }
        Input::Malformed => return false,
    };
    assert!(bytes.len() <= LONGEST && plain.len() <= bytes.len());
    let again = Input::parse(plain.as_bytes());
    assert_eq!(
        std::mem::discriminant(&again),
        std::mem::discriminant(&answer)
    );
    true
}

fn app_password(text: &str) -> bool {
    let Ok(password) = AppPassword::parse(text) else {
        return false;
    };
    let grouped = password.grouped();
    let again = AppPassword::parse(&grouped).expect("what was written can be read");
    assert_eq!(again.grouped(), grouped);
    // An app password is no valid input at a prompt.
    assert!(matches!(Input::parse(grouped.as_bytes()), Input::Malformed));
    true
}

fn name(bytes: &[u8]) -> bool {
    let service = Service::from_pam(bytes);
    assert!(!service.as_str().contains(char::is_control));
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(label) = Label::try_from(text.to_owned()) {
            assert!(!label.as_str().contains(char::is_control));
        }
        if let Ok(group) = Group::try_from(text.to_owned()) {
            assert!(!group.as_str().contains(['\n', ',']), "{group:?}");
        }
    }
    let Ok(name) = UserName::parse(bytes) else {
        return false;
    };
    assert_eq!(name.as_str().as_bytes(), bytes);
    assert!(
        !name.as_str().is_empty() && !name.as_str().contains(|c: char| c.is_control() || c == '/')
    );
    // The key of a name is deterministic.
    assert_eq!(name.key(), name.key());
    true
}

/// Parses the completed methods of sshd. Returns whether there is any.
pub fn auth_info(bytes: &[u8]) -> bool {
    let earlier = CompletedMethods::parse_ssh_auth_info(bytes);
    // Malformed bytes are not treated as an empty list.
    assert_eq!(
        earlier.is_empty(),
        bytes.trim_ascii().is_empty() || is_blank(bytes)
    );
    assert!(earlier.factors().len() <= 8);
    assert!(bytes.len() <= LONGEST_INFO || earlier.is_empty() || earlier.verified_key().is_none());
    assert!(
        !earlier
            .to_string()
            .contains(|c: char| c.is_control() || c == ' '),
        "{earlier}"
    );
    let written = serde_json::to_string(&earlier).expect("it can be written");
    assert_eq!(
        serde_json::from_str::<CompletedMethods>(&written).expect("and read"),
        earlier
    );
    !earlier.is_empty()
}

/// Returns whether the bytes are whitespace alone, Unicode whitespace included.
fn is_blank(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes)
        .is_ok_and(|text| text.len() <= LONGEST_INFO && text.trim().is_empty())
}
