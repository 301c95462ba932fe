//! pam_u2f.so in the stacks of PAM services: a second factor beside the code, where its options make
//! it one.

use crate::check::pam::stack::{Stack, StackLine, StackStep};
use postern_shared::system::pam_service::{PamRule, is_module};

/// Modules that succeed for the right password.
const PASSWORD: [&str; 6] = [
    "pam_unix.so",
    "pam_sss.so",
    "pam_ldap.so",
    "pam_krb5.so",
    "pam_winbind.so",
    "pam_systemd_home.so",
];
/// Options of pam_u2f.so with which it succeeds without a key.
const WITHOUT_KEY: [&str; 2] = ["nouserok", "alwaysok"];

impl Stack {
    /// Whether a security key is accepted in place of the code. Of use where the stack has no bypass.
    pub(crate) fn accepts_key(&self) -> bool {
        self.lines.iter().any(StackLine::accepts_key)
    }
}

impl StackLine {
    fn accepts_key(&self) -> bool {
        match &self.step {
            StackStep::Module { rule, actions } => {
                use postern_shared::system::pam_service::PamAction::{Done, Jump};
                is_proof(rule) && matches!(actions.action("success"), Done | Jump(_))
            }
            StackStep::Substack(inner) => inner.iter().any(StackLine::accepts_key),
        }
    }
}

pub(super) fn asks_for_key(rule: &PamRule) -> bool {
    is_module(&rule.target, "pam_u2f.so")
}

/// Whether success of this line proves a second factor: a key that root has listed for the user. With
/// `nouserok` a user without a key passes; a file in the home is written with the first factor alone.
pub(super) fn is_proof(rule: &PamRule) -> bool {
    let listed_by_root = |word: &String| {
        let file = word.strip_prefix("authfile=");
        file.is_some_and(|path| path.starts_with('/') && !path.starts_with("/home/"))
    };
    let names_file = |word: &&String| word.starts_with("authfile=");
    asks_for_key(rule)
        && !WITHOUT_KEY.iter().any(|word| rule.has_argument(word))
        // the module uses the last one
        && rule.arguments.iter().rfind(names_file).is_some_and(listed_by_root)
}

pub(super) fn verifies_password(rule: &PamRule) -> bool {
    PASSWORD
        .iter()
        .any(|module| is_module(&rule.target, module))
}

/// Whether a module for passwords has no options with which it returns PAM_IGNORE for some accounts.
pub(super) fn never_ignores(rule: &PamRule) -> bool {
    let for_some = |word: &String| word.starts_with("ignore_") || word.starts_with("minimum_uid");
    verifies_password(rule) && !rule.arguments.iter().any(for_some)
}

#[cfg(test)]
mod tests {
    use crate::check::finding::Finding;
    use crate::check::machine::Machine;
    use crate::check::pam::evaluation::{BypassKind, OurResult, StackCaller};
    use crate::check::pam::services::findings;
    use crate::check::pam::stack::{Stack, load_stack};
    use postern_shared::system::pam_service::PamHook;

    const UNIX: &str = "auth requisite pam_unix.so\n";
    const KEY: &str = "auth sufficient pam_u2f.so cue authfile=/etc/u2f_mappings\n";
    const OURS: &str = "auth required pam_totp.so\nauth required pam_permit.so\n";

    fn machine(text: &str) -> (tempfile::TempDir, Machine) {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::at(root.path());
        machine.write("/etc/pam.d/sudo", text);
        machine.write("/etc/pam.d/sudo-i", text);
        (root, machine)
    }

    fn stack(text: &str) -> Stack {
        load_stack(&machine(text).1, "sudo", PamHook::Auth)
    }

    #[test]
    fn a_listed_key_after_the_password_is_a_second_factor() {
        let debian = "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\n";
        let jump = KEY.replace("sufficient", "[success=1 default=ignore]");
        for text in [
            format!("{UNIX}{KEY}{OURS}"),
            format!("{debian}{KEY}{OURS}"),
            format!("{UNIX}{jump}{OURS}"),
        ] {
            let stack = stack(&text);
            assert_eq!(stack.bypass(StackCaller::User), None, "{text}");
            assert!(stack.asks() && stack.accepts_key(), "{text}");
            for ours in [OurResult::Success, OurResult::Ignore] {
                assert!(stack.can_grant(ours, StackCaller::User), "{text}");
            }
        }
        // in addition to the code
        let both = stack(&format!(
            "{UNIX}{}{OURS}",
            KEY.replace("sufficient", "required")
        ));
        assert_eq!(both.bypass(StackCaller::User), None);
        assert!(!both.accepts_key());
    }

    #[test]
    fn a_key_alone_or_of_the_users_own_list_or_none_is_no_second_factor() {
        let env = "auth required pam_env.so\n";
        let option = |options: &str| format!("{UNIX}auth sufficient pam_u2f.so {options}\n{OURS}");
        for (text, line) in [
            (format!("{KEY}{UNIX}{OURS}"), 1),
            (format!("{env}{KEY}{UNIX}{OURS}"), 2),
            (format!("auth optional pam_unix.so\n{env}{KEY}{OURS}"), 3),
            (
                format!("auth requisite pam_sss.so ignore_unknown_user\n{KEY}{OURS}"),
                2,
            ),
            (option("cue"), 2),
            (option("authfile=.ssh/u2f_keys"), 2),
            (option("authfile=/home/alice/u2f"), 2),
            (
                option("authfile=/etc/u2f_mappings authfile=.ssh/u2f_keys"),
                2,
            ),
            (option("authfile=/etc/u2f_mappings nouserok"), 2),
            (option("authfile=/etc/u2f_mappings alwaysok"), 2),
        ] {
            let found = stack(&text).bypass(StackCaller::User).unwrap();
            assert_eq!(found.kind, BypassKind::KeyUnproven, "{text}");
            assert_eq!(found.place.line, Some(line), "{text}");
        }
        // a failure of the code after a key counts
        let text = format!(
            "{UNIX}{}auth optional pam_totp.so\n",
            KEY.replace("sufficient", "optional")
        );
        assert!(stack(&text).bypass(StackCaller::User).is_some());
    }

    #[test]
    fn the_findings_tell_where_a_key_takes_the_place_of_the_code() {
        let texts = |text: &str| -> Vec<String> {
            let found: Vec<Finding> = findings(&machine(text).1);
            found.iter().map(|finding| format!("{finding:?}")).collect()
        };
        let good = texts(&format!("{UNIX}{KEY}{OURS}"));
        let said = "accepts a security key of pam_u2f.so in place of the code: sudo, sudo-i";
        assert!(good.iter().any(|text| text.contains(said)), "{good:?}");
        let bad = texts(&format!("{UNIX}{}{OURS}", KEY.replace(" cue", " nouserok")));
        assert!(!bad.iter().any(|text| text.contains(said)), "{bad:?}");
        let fault = "without a proof of a second factor";
        assert!(bad.iter().any(|text| text.contains(fault)), "{bad:?}");
    }
}
