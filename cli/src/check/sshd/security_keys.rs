//! Whether sshd verifies the user of a security key, where the policy asks for no code after one.

use crate::check::finding::Finding;
use crate::check::sshd::access::list_names;
use crate::check::sshd::facts::SshdFacts;
use crate::check::sshd::settings::SshdSettings;
use postern_shared::config::{Config, Exemption, MethodEntry};

const REMEDY: &str = "set PubkeyAuthOptions verify-required, and reload ssh";

impl SshdFacts {
    /// Returns a fault if a security key alone grants access to anyone who holds it: its PIN is the
    /// other factor, and sshd asks for it only with `verify-required`. `None` if the policy asks for a
    /// code after a security key, too.
    pub(crate) fn security_key_finding(&self, config: &Config) -> Option<Finding> {
        let exemptions = config.policy.exempt.iter();
        let position = exemptions.map(passes_security_keys).position(|is| is)? + 1;
        let setting = self.place("pubkeyauthoptions");
        if !verifies_user(&self.general) {
            let what = format!(
                "policy.exempt-{position} asks for no code after a security key, and sshd does not have the key verify its user: a stolen key alone grants access"
            );
            return Some(Finding::fault("sshd", what).at(&setting).remedy(REMEDY));
        }
        let unverified = self.accounts.iter().filter(|account| {
            let is_open =
                account.user.uid != 0 || account.settings.value("permitrootlogin") != "no";
            is_open && !verifies_user(&account.settings)
        });
        let names: Vec<&str> = unverified
            .map(|account| account.user.name.as_str())
            .collect();
        if names.is_empty() {
            return Some(Finding::ok("sshd", "a security key verifies its user"));
        }
        let what = format!(
            "policy.exempt-{position} asks for no code after a security key, and a Match turns its verification of the user off for {}",
            list_names(&names)
        );
        Some(
            Finding::fault("sshd", what)
                .at(&setting)
                .remedy("set PubkeyAuthOptions verify-required in that Match, too, and reload ssh"),
        )
    }
}

/// Whether an exemption may apply to security keys at the sshd of this machine.
fn passes_security_keys(exemption: &Exemption) -> bool {
    let is_here = exemption.hosts.is_empty();
    let services = &exemption.services;
    let is_sshd = services.is_empty() || services.iter().any(|service| service == "sshd");
    let listed = &exemption.completed_methods.listed;
    is_here && is_sshd && listed.contains(&MethodEntry::SecurityKey)
}

fn verifies_user(settings: &SshdSettings) -> bool {
    let mut options = settings.value("pubkeyauthoptions").split_whitespace();
    options.any(|option| option == "verify-required")
}
