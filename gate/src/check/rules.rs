//! Applies the gate's rules to a request, and decides whether a session suffices for it.
//!
//! MUST NOT read the disk or take a lock: it is part of every check.

use crate::state::site::Site;
use postern_shared::account::name::{Group, UserName};
use postern_shared::account::second_factor::Enrolled;
use postern_shared::config::gate::rule::RuleAccess;
use postern_shared::engine::{RequestedPage, SERVICE};
use postern_shared::policy::groups::PersonGroups;
use postern_shared::policy::requirement::PolicySubject;
use postern_shared::policy::rule::{RuleDecision, RuleReason, RuleRequest, RuleUser};
use postern_shared::system::clock::Timestamp;
use postern_shared::system::network::address::Address;
use postern_shared::system::network::web_address::split_url;
use postern_shared::token::session::{OutdatedProof, SecondFactorMethod, Session};
use postern_shared::verify::app_password::FoundAppPassword;

/// Whether a session suffices for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionSufficiency {
    Sufficient,
    /// A second factor is required, a new code, or a new session that knows the user's groups of
    /// now.
    UpgradeRequired,
    /// The first factor is required again.
    SignInRequired,
    /// The rules deny the request to this user or to everyone.
    Denied,
}

/// Decides a request without a user.
pub(crate) fn decide_anonymous(site: &Site, request: &RuleRequest<'_>) -> RuleDecision {
    site.rules.evaluate(request, None)
}

/// Decides a request with an app password.
pub(crate) fn decide_app_password(
    site: &Site,
    request: &RuleRequest<'_>,
    found: &FoundAppPassword,
) -> RuleDecision {
    let groups = [
        declared_groups(site, &found.account),
        found.groups.as_slice(),
    ];
    let person = RuleUser {
        name: &found.account,
        groups,
        host_groups: None,
    };
    site.rules.evaluate(request, Some(&person))
}

/// Decides a request with a session, and whether that session suffices.
pub(crate) fn decide_session(
    site: &Site,
    request: &RuleRequest<'_>,
    session: &Session,
    now: Timestamp,
) -> (RuleDecision, SessionSufficiency) {
    let groups = [
        declared_groups(site, &session.name),
        session.groups.as_slice(),
    ];
    let of_host = session.host_groups.read_for(&site.requested_groups);
    let person = RuleUser {
        name: &session.name,
        groups,
        host_groups: of_host,
    };
    let decision = site.rules.evaluate(request, Some(&person));
    let decision = match decision.access {
        RuleAccess::Code if requires_passkey(site, session, request.address) => {
            decision.with_passkey()
        }
        _ => decision,
    };
    let sufficiency = match decision.access {
        RuleAccess::Open | RuleAccess::Password => SessionSufficiency::Sufficient,
        RuleAccess::Code if is_full_session(site, session, request.address) => {
            SessionSufficiency::Sufficient
        }
        RuleAccess::Code => SessionSufficiency::UpgradeRequired,
        RuleAccess::Passkey if session.passed.second == SecondFactorMethod::Passkey => {
            SessionSufficiency::Sufficient
        }
        RuleAccess::Passkey => SessionSufficiency::UpgradeRequired,
        // A new session asks for the groups that the rules name now.
        RuleAccess::Deny if decision.reason == RuleReason::GroupsUnknown => {
            SessionSufficiency::UpgradeRequired
        }
        RuleAccess::Deny => SessionSufficiency::Denied,
    };
    let outdated = decision.within.and_then(|within| {
        let (passed, at) = (session.passed, session.passed_at);
        passed.outdated_proof(at, decision.access, within, now)
    });
    let sufficiency = match (sufficiency, outdated) {
        (SessionSufficiency::Sufficient, Some(OutdatedProof::FirstFactor)) => {
            SessionSufficiency::SignInRequired
        }
        (SessionSufficiency::Sufficient, Some(OutdatedProof::Code)) => {
            SessionSufficiency::UpgradeRequired
        }
        (sufficiency, _) => sufficiency,
    };
    (decision, sufficiency)
}

/// Whether a session is valid where a second factor is required, by the policy in force. A session
/// without a second factor is valid where an exemption holds, or the policy requires no second
/// factor of this user.
pub(crate) fn is_full_session(site: &Site, session: &Session, address: Option<Address>) -> bool {
    let mut passed = session.passed;
    if !matches!(passed.second, SecondFactorMethod::None(_)) {
        return true;
    }
    // An account that the configuration declares since sign-in has authenticators that the
    // session does not know of.
    if site.config.find_declared_account(&session.name).is_some() {
        passed.second = SecondFactorMethod::None(Enrolled::Yes);
    }
    match session.policy_groups(&site.config, &site.requested_groups) {
        // Only a new session knows whether the policy applies to this user.
        None => false,
        Some(groups) => {
            let subject = policy_subject(site, session, &groups, address);
            passed.is_full(&site.config.policy, &subject)
        }
    }
}

/// Whether the policy requires a passkey of a session's user, where a code suffices for others.
pub(crate) fn requires_passkey(site: &Site, session: &Session, address: Option<Address>) -> bool {
    let policy = &site.config.policy;
    if !policy.requires_some_passkey() {
        return false;
    }
    match session.policy_groups(&site.config, &site.requested_groups) {
        None => true,
        Some(groups) => policy.requires_passkey(&policy_subject(site, session, &groups, address)),
    }
}

fn policy_subject<'a>(
    site: &'a Site,
    session: &'a Session,
    groups: &'a PersonGroups,
    address: Option<Address>,
) -> PolicySubject<'a> {
    PolicySubject {
        name: &session.name,
        groups,
        service: SERVICE,
        address,
        completed_methods: site.gate().first_factor.completed_methods(),
        host: None,
    }
}

fn declared_groups<'a>(site: &'a Site, name: &UserName) -> &'a [Group] {
    site.config
        .find_declared_account(name)
        .map_or(&[], |declared| &declared.groups)
}

/// A page of a protected application, to return to after sign-in.
pub(crate) struct ReturnPage {
    host: String,
    target: String,
}

impl ReturnPage {
    /// Parses a URL that [`Site::valid_return_url`] accepted. The gate's own pages have no rules
    /// and give none.
    pub(crate) fn parse(site: &Site, url: &str) -> Option<ReturnPage> {
        let (host, target) = split_url(url)?;
        (!site.is_own_page(&host, &target)).then_some(ReturnPage { host, target })
    }

    /// Returns the host of the application, in lower case.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn page(&self) -> RequestedPage<'_> {
        RequestedPage {
            host: &self.host,
            target: &self.target,
        }
    }

    /// Returns the request that a browser makes when it returns to the page.
    pub(crate) fn request(&self, address: Address) -> RuleRequest<'_> {
        RuleRequest {
            host: &self.host,
            target: &self.target,
            method: "GET",
            address: Some(address),
        }
    }
}
