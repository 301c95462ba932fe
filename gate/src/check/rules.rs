//! The rules at the gate: what they say of a request, and whether a session is enough for that. Part of every check: no
//! disk, no lock.

use crate::state::site::Site;
use shared::account::name::{Group, UserName};
use shared::account::second_factor::Enrolled;
use shared::config::gate::rule::RuleAccess;
use shared::engine::{RequestedPage, SERVICE};
use shared::network::address::Address;
use shared::network::web_address::split_url;
use shared::policy::groups::{PersonGroups, UnresolvedGroup};
use shared::policy::requirement::PolicySubject;
use shared::policy::rule::{self, RuleDecision, RuleReason, RuleRequest, RuleUser};
use shared::token::session::{SecondFactorMethod, Session};
use shared::verify::app_password::FoundAppPassword;

/// How far a session goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionLevel {
    /// It is enough.
    Sufficient,
    /// It takes more than what opened it.
    UpgradeRequired,
    /// Nobody enters, or not this one.
    Denied,
}

/// What the rules say of a request of nobody's.
pub(crate) fn decide_anonymous(site: &Site, request: &RuleRequest<'_>) -> RuleDecision {
    rule::evaluate_rules(&site.gate().rule, request, None)
}

/// Of one with an app password.
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
    rule::evaluate_rules(&site.gate().rule, request, Some(&person))
}

/// Of one in a session, and whether that is enough.
pub(crate) fn decide_session(
    site: &Site,
    request: &RuleRequest<'_>,
    session: &Session,
) -> (RuleDecision, SessionLevel) {
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
    let decision = rule::evaluate_rules(&site.gate().rule, request, Some(&person));
    let reach = match decision.access {
        RuleAccess::Open | RuleAccess::Password => SessionLevel::Sufficient,
        RuleAccess::Code if is_full_session(site, session, request.address) => {
            SessionLevel::Sufficient
        }
        RuleAccess::Code => SessionLevel::UpgradeRequired,
        // a new session knows
        RuleAccess::Deny if decision.reason == RuleReason::GroupsUnknown => {
            SessionLevel::UpgradeRequired
        }
        RuleAccess::Deny => SessionLevel::Denied,
    };
    (decision, reach)
}

/// Whether a session is good where the code is asked, by the policy of now. One without a second factor is where an
/// exemption holds, or the policy asks none of that person.
pub(crate) fn is_full_session(site: &Site, session: &Session, address: Option<Address>) -> bool {
    let mut passed = session.passed;
    if !matches!(passed.second, SecondFactorMethod::None(_)) {
        return true;
    }
    // one that the configuration has declared since has no other sign
    if site.config.find_declared_account(&session.name).is_some() {
        passed.second = SecondFactorMethod::None(Enrolled::Yes);
    }
    let policy = &site.config.policy;
    let asks_groups = !policy.named_groups().is_empty();
    let groups = match (
        asks_groups,
        session.host_groups.read_for(&site.requested_groups),
    ) {
        (false, _) => PersonGroups::default(),
        // other groups were asked about when it began: whether the policy means this person, a new session knows
        (true, None) => return false,
        (true, Some(of_host)) => {
            let ours = site
                .config
                .memberships(&session.name, &session.groups)
                .map(Group::as_str);
            PersonGroups::from_names(ours.chain(of_host.confirmed()))
                .with_unresolved(of_host.unresolved(), UnresolvedGroup::UnknownAtSignIn)
        }
    };
    let subject = PolicySubject {
        name: &session.name,
        groups: &groups,
        service: SERVICE,
        address,
        completed_methods: site.gate().first_factor.completed_methods(),
    };
    passed.is_full(policy, &subject)
}

fn declared_groups<'a>(site: &'a Site, name: &UserName) -> &'a [Group] {
    site.config
        .find_declared_account(name)
        .map_or(&[], |declared| &declared.groups)
}

/// A page behind the gate, to go back to.
pub(crate) struct ReturnPage {
    host: String,
    target: String,
}

impl ReturnPage {
    /// Reads what [`Site::back_to`] let pass. The gate's own pages have no rules.
    pub(crate) fn parse(site: &Site, url: &str) -> Option<ReturnPage> {
        let (host, target) = split_url(url)?;
        (!site.is_own_page(&host, &target)).then_some(ReturnPage { host, target })
    }

    /// As a door asks about it.
    pub(crate) fn page(&self) -> RequestedPage<'_> {
        RequestedPage {
            host: &self.host,
            target: &self.target,
        }
    }

    /// The request of a browser that goes back.
    pub(crate) fn request(&self, address: Address) -> RuleRequest<'_> {
        RuleRequest {
            host: &self.host,
            target: &self.target,
            method: "GET",
            address: Some(address),
        }
    }
}
