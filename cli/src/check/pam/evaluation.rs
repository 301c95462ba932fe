//! What a PAM stack decides: whether it can succeed without the code.
//!
//! The evaluation follows libpam (`_pam_dispatch_aux`): it tries every result that each module can
//! return, and keeps what the stack had decided before.

use crate::check::finding::Place;
use crate::check::pam::security_key::{asks_for_key, is_proof, never_ignores, verifies_password};
use crate::check::pam::stack::{Stack, StackLine, StackStep};
use postern_shared::system::pam_service::{PamAction, PamActions, PamRule, is_module};
use std::collections::BTreeSet;

/// How a stack can grant access without the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bypass {
    /// The line that lets it happen.
    pub(crate) place: Place,
    pub(crate) kind: BypassKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BypassKind {
    /// A line before pam_totp.so ends the stack with success.
    EndsBefore,
    /// A line before pam_totp.so jumps over it.
    JumpsOver,
    /// pam_u2f.so before pam_totp.so skips it, and does not prove a second factor there.
    KeyUnproven,
    /// The control of pam_totp.so lets the stack succeed although it failed.
    FailureIgnored,
    /// A line after a failed pam_totp.so forgets the failure.
    Forgets,
}

impl Stack {
    /// Whether a line asks for the code: not only `proven`, and not for app passwords alone.
    pub(crate) fn asks(&self) -> bool {
        self.our_lines().iter().any(|(_, rule)| decides(rule))
    }

    /// Returns how the stack can succeed although pam_totp.so was skipped or has failed.
    pub(crate) fn bypass(&self, caller: StackCaller) -> Option<Bypass> {
        let run = StackEvaluation {
            caller,
            ours: OurResult::Any,
        };
        let granted = |path: &StackState| path.is_granted() && path.ours != Passed::Yes;
        let path = run.paths(&self.lines).into_iter().find(granted)?;
        let first = || {
            let (place, _) = *self.our_lines().first()?;
            Some(Bypass {
                place: place.clone(),
                kind: BypassKind::FailureIgnored,
            })
        };
        path.cause.or_else(first)
    }

    /// Whether the stack can succeed if pam_totp.so returns `ours`.
    pub(crate) fn can_grant(&self, ours: OurResult, caller: StackCaller) -> bool {
        let run = StackEvaluation { caller, ours };
        run.paths(&self.lines)
            .iter()
            .any(|path| path.is_granted() && path.ours == Passed::Yes)
    }
}

/// Whether the line's success means that a code was verified or is not needed.
fn decides(rule: &PamRule) -> bool {
    rule.is_ours() && !rule.has_argument("proven") && !rule.has_argument("app_password")
}

/// Who runs the PAM host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StackCaller {
    /// A daemon of root: pam_rootok.so lets everyone in.
    Root,
    /// A set-user-ID program: pam_rootok.so lets root in only, who needs no code there.
    User,
}

/// The result that pam_totp.so has in an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OurResult {
    Any,
    Success,
    /// No code is needed.
    Ignore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Impression {
    Undefined,
    /// Positive; whether the status is success.
    Positive(bool),
    Negative,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Passed {
    NotRun,
    Failed,
    Yes,
}

/// One way through a stack.
#[derive(Clone, Debug)]
struct StackState {
    impression: Impression,
    /// Whether the code was verified or is not needed, or a security key was, which is as good.
    ours: Passed,
    /// Whether a module has verified the password.
    password: bool,
    cause: Option<Bypass>,
}

impl StackState {
    fn is_granted(&self) -> bool {
        self.impression == Impression::Positive(true)
    }
}

struct StackEvaluation {
    caller: StackCaller,
    ours: OurResult,
}

impl StackEvaluation {
    /// Returns every state in which the stack can end. States that meet are followed once.
    fn paths(&self, lines: &[StackLine]) -> Vec<StackState> {
        let mut ends: Vec<StackState> = Vec::new();
        let mut seen = BTreeSet::new();
        let begin = StackState {
            impression: Impression::Undefined,
            ours: Passed::NotRun,
            password: false,
            cause: None,
        };
        let mut open = vec![(0, begin)];
        while let Some((index, path)) = open.pop() {
            let Some(line) = lines.get(index) else {
                let key = |end: &StackState| (end.impression, end.ours, end.password);
                if !ends.iter().any(|end| key(end) == key(&path)) {
                    ends.push(path);
                }
                continue;
            };
            if !seen.insert((index, path.impression, path.ours, path.password)) {
                continue;
            }
            for (next, path) in self.step(lines, index, line, &path) {
                open.push((next, path));
            }
        }
        ends
    }

    /// Returns the states after one line.
    fn step(
        &self,
        lines: &[StackLine],
        index: usize,
        line: &StackLine,
        path: &StackState,
    ) -> Vec<(usize, StackState)> {
        match &line.step {
            StackStep::Module { rule, actions } => {
                let results = self.results(rule, actions);
                let apply = |result: &String| {
                    let mut path = path.clone();
                    if decides(rule) || rule.is_ours() && rule.has_argument("app_password") {
                        path.ours = match result.as_str() {
                            "success" | "ignore" => Passed::Yes,
                            // a later line of ours may still pass
                            _ => Passed::Failed,
                        };
                    }
                    if result == "success" {
                        path.password |= verifies_password(rule);
                        if is_proof(rule) && path.password && path.is_granted() {
                            path.ours = Passed::Yes;
                        }
                    }
                    let action = actions.action(result);
                    self.apply(lines, index, line, path, result, action)
                };
                results.iter().map(apply).collect()
            }
            // its result counts as that of a required line
            StackStep::Substack(inner) => {
                let ends = self.paths(inner).into_iter();
                ends.map(|end| {
                    let mut path = path.clone();
                    if end.ours != Passed::NotRun {
                        path.ours = end.ours;
                    }
                    path.password |= end.password;
                    if path.cause.is_none() {
                        path.cause = end.cause.clone();
                    }
                    let (result, action) = match end.is_granted() {
                        true => ("success", PamAction::Ok),
                        false => ("auth_err", PamAction::Bad),
                    };
                    self.apply(lines, index, line, path, result, action)
                })
                .collect()
            }
        }
    }

    fn apply(
        &self,
        lines: &[StackLine],
        index: usize,
        line: &StackLine,
        mut path: StackState,
        result: &str,
        action: PamAction,
    ) -> (usize, StackState) {
        let is_success = result == "success";
        let mut next = index + 1;
        let ours_is_later = || lines[index + 1..].iter().any(StackLine::holds_decision);
        match action {
            PamAction::Ignore => {}
            PamAction::Ok | PamAction::Done => {
                let overwrites = matches!(
                    path.impression,
                    Impression::Undefined | Impression::Positive(true)
                );
                if overwrites && result != "ignore" {
                    path.impression = Impression::Positive(is_success);
                }
                let ends = matches!(path.impression, Impression::Positive(_));
                if action == PamAction::Done && ends {
                    next = lines.len();
                    if path.ours != Passed::Yes && ours_is_later() && is_success {
                        path.cause = Some(line.cause_of_skip(BypassKind::EndsBefore));
                    }
                }
            }
            PamAction::Bad | PamAction::Die => {
                path.impression = Impression::Negative;
                if action == PamAction::Die {
                    next = lines.len();
                }
            }
            PamAction::Reset => {
                path.impression = Impression::Undefined;
                if path.ours == Passed::Failed {
                    path.cause = Some(line.cause(BypassKind::Forgets));
                }
            }
            PamAction::Jump(lines_skipped) => {
                next = index.saturating_add(1).saturating_add(lines_skipped);
                if next > lines.len() {
                    // libpam treats a jump past the end as an error
                    path.impression = Impression::Negative;
                    next = lines.len();
                }
                let skipped = &lines[index + 1..next];
                if path.ours != Passed::Yes && skipped.iter().any(StackLine::holds_decision) {
                    path.cause = Some(line.cause_of_skip(BypassKind::JumpsOver));
                }
            }
        }
        let failed_here = path.ours == Passed::Failed && line.holds_decision();
        if failed_here && path.impression != Impression::Negative && path.cause.is_none() {
            path.cause = Some(line.cause(BypassKind::FailureIgnored));
        }
        (next, path)
    }

    /// Returns the results that a module can have, as far as the control tells them apart.
    fn results(&self, rule: &PamRule, actions: &PamActions) -> Vec<String> {
        let target = rule.target.as_str();
        let words: &[&str] = if is_module(target, "pam_deny.so") {
            &["auth_err"]
        } else if is_module(target, "pam_permit.so") {
            &["success"]
        } else if rule.is_ours() && rule.has_argument("proven") {
            &["success", "ignore"]
        } else if decides(rule) && self.ours == OurResult::Success {
            &["success"]
        } else if decides(rule) && self.ours == OurResult::Ignore {
            &["ignore"]
        } else if rule.is_ours() && rule.has_argument("app_password") {
            &["success", "auth_err"]
        } else if rule.is_ours() {
            &["success", "ignore", "auth_err"]
        } else if asks_for_key(rule) && self.ours != OurResult::Any {
            // whether an account gets in that has no key
            &["auth_err"]
        } else if never_ignores(rule) {
            &["success", "auth_err"]
        } else if is_module(target, "pam_rootok.so") && self.caller == StackCaller::User {
            &["auth_err"]
        } else {
            &["success", "ignore", "auth_err"]
        };
        let mut results: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        if results.iter().any(|result| result == "auth_err") {
            let named = actions.results().map(str::to_owned);
            // a password that must be changed does not grant access by itself
            let is_other =
                |name: &String| !["success", "ignore", "new_authtok_reqd"].contains(&name.as_str());
            results.extend(named.filter(is_other));
        }
        results
    }
}

impl StackLine {
    /// Whether this line, or a line of this substack, decides about the code.
    fn holds_decision(&self) -> bool {
        match &self.step {
            StackStep::Module { rule, .. } => decides(rule),
            StackStep::Substack(inner) => inner.iter().any(StackLine::holds_decision),
        }
    }

    /// Returns the cause where this line has pam_totp.so skipped.
    fn cause_of_skip(&self, kind: BypassKind) -> Bypass {
        match &self.step {
            StackStep::Module { rule, .. } if asks_for_key(rule) => {
                self.cause(BypassKind::KeyUnproven)
            }
            _ => self.cause(kind),
        }
    }

    fn cause(&self, kind: BypassKind) -> Bypass {
        Bypass {
            place: self.place.clone(),
            kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::machine::Machine;
    use crate::check::pam::stack::load_stack;
    use postern_shared::system::pam_service::PamHook;

    const UNIX: &str = "auth requisite pam_unix.so\n";
    const OURS: &str = "auth required pam_totp.so\n";

    fn stack(files: &[(&str, &str)]) -> Stack {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::at(root.path());
        for (name, text) in files {
            machine.write(&format!("/etc/pam.d/{name}"), text);
        }
        load_stack(&machine, files[0].0, PamHook::Auth)
    }

    fn bypass(text: &str) -> Option<(usize, BypassKind)> {
        let found = stack(&[("sshd", text)]).bypass(StackCaller::Root)?;
        Some((found.place.line.unwrap(), found.kind))
    }

    #[test]
    fn the_samples_ask_for_the_code_in_every_case() {
        let samples = [
            include_str!("../../../../config/pam.d/sshd"),
            include_str!("../../../../config/pam.d/sudo"),
            include_str!("../../../../config/pam.d/sudo-i"),
            include_str!("../../../../config/pam.d/su"),
            include_str!("../../../../config/pam.d/login"),
            include_str!("../../../../config/pam.d/locker"),
            include_str!("../../../../config/pam.d/openvpn"),
            include_str!("../../../../config/pam.d/dovecot"),
        ];
        let commons = [
            "common-account",
            "common-session",
            "common-session-noninteractive",
            "common-password",
        ];
        let common = "account [success=1 default=ignore] pam_unix.so\naccount requisite pam_deny.so\naccount required pam_permit.so\n";
        for sample in samples {
            let root = tempfile::tempdir().unwrap();
            let machine = Machine::at(root.path());
            machine.write("/etc/pam.d/service", sample);
            for file in commons {
                machine.write(&format!("/etc/pam.d/{file}"), common);
            }
            for hook in [PamHook::Auth, PamHook::Account] {
                let stack = load_stack(&machine, "service", hook);
                assert_eq!(stack.broken, []);
                if hook == PamHook::Account && !stack.asks() {
                    continue;
                }
                assert!(stack.asks(), "{sample}");
                assert_eq!(stack.bypass(StackCaller::User), None, "{sample}");
                for ours in [OurResult::Success, OurResult::Ignore] {
                    assert!(
                        stack.can_grant(ours, StackCaller::User),
                        "{hook:?} {ours:?} {sample}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_order_that_skips_the_code_is_found() {
        for (text, expected) in [
            (format!("{UNIX}{OURS}"), None),
            (
                format!("auth sufficient pam_unix.so\n{OURS}"),
                Some((1, BypassKind::EndsBefore)),
            ),
            (
                format!(
                    "auth [success=2 default=ignore] pam_unix.so\nauth requisite pam_deny.so\n{OURS}auth required pam_permit.so\n"
                ),
                Some((1, BypassKind::JumpsOver)),
            ),
            (
                format!(
                    "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\n{OURS}auth required pam_permit.so\n"
                ),
                None,
            ),
            (
                format!("{UNIX}auth optional pam_totp.so\n"),
                Some((2, BypassKind::FailureIgnored)),
            ),
            (
                format!("auth sufficient pam_totp.so\n{UNIX}"),
                Some((1, BypassKind::FailureIgnored)),
            ),
            (
                format!("{UNIX}auth [success=ok default=bad perm_denied=ignore] pam_totp.so\n"),
                Some((2, BypassKind::FailureIgnored)),
            ),
            (
                format!("{UNIX}{OURS}auth [success=reset] pam_x.so\nauth required pam_permit.so\n"),
                Some((3, BypassKind::Forgets)),
            ),
            (
                format!("auth sufficient pam_rootok.so\n{OURS}"),
                Some((1, BypassKind::EndsBefore)),
            ),
        ] {
            assert_eq!(bypass(&text), expected, "{text}");
        }
        let su = format!("auth sufficient pam_rootok.so\n{UNIX}{OURS}");
        assert_eq!(stack(&[("su", &su)]).bypass(StackCaller::User), None);
    }

    #[test]
    fn includes_and_substacks_are_followed() {
        let common = "auth [success=2 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n";
        for (first, is_bypass) in [
            // the jump stays in the substack
            ("auth substack common", false),
            ("auth include common", true),
            ("@include common", true),
        ] {
            let text = format!("{first}\n{OURS}auth required pam_permit.so\n");
            let common = common.replace("success=2", "success=3");
            let found = stack(&[("sshd", &text), ("common", &common)]);
            assert_eq!(
                found.bypass(StackCaller::Root).is_some(),
                is_bypass,
                "{first}"
            );
        }
        let deep = stack(&[("sshd", "auth substack inner\n"), ("inner", OURS)]);
        assert!(deep.asks());
        assert_eq!(deep.bypass(StackCaller::Root), None);
    }

    #[test]
    fn a_loop_or_an_endless_file_is_reported() {
        assert_eq!(stack(&[("sshd", "@include sshd\n")]).broken.len(), 1);
        assert!(!stack(&[("sshd", "auth substack sshd\n")]).broken.is_empty());
        assert_eq!(stack(&[("sshd", &OURS.repeat(600))]).broken.len(), 1);
        assert_eq!(stack(&[("sshd", &"#".repeat(70_000))]).broken.len(), 1);
        assert_eq!(stack(&[("sshd", "auth include gone\n")]).broken.len(), 1);
        // a hostile stack ends soon
        let wide = "auth [a=1 b=2 c=3 success=4 default=reset] x.so\n".repeat(400);
        stack(&[("sshd", &format!("{wide}{OURS}"))]).bypass(StackCaller::Root);
    }

    #[test]
    fn a_stack_that_only_ignores_denies() {
        let alone = stack(&[("sshd", OURS)]);
        assert!(!alone.can_grant(OurResult::Ignore, StackCaller::Root));
        assert!(alone.can_grant(OurResult::Success, StackCaller::Root));
    }
}
