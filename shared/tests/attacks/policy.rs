//! Required groups that no group source knows, and PAM hosts that try to avoid the code.

use super::test_store::{TestStore, alice, name};
use crate::test_store::assert_contains;
use postern_shared::account::name::{Group, Service};
use postern_shared::credential::completed_methods::CompletedMethods;
use postern_shared::engine::{PamContext, Requester};
use postern_shared::policy::requirement::Requirement;
use postern_shared::system::process::HostProcess;
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;

use super::test_store::NOW;

/// Returns the requirement at a prompt after the first factor.
fn need(test: &mut TestStore, who: &str) -> Requirement {
    let who = name(who);
    let context = PamContext {
        requester: Requester::Root("root"),
        service: &Service::from_pam(b"sshd"),
        user: &who,
        account: &who,
        process: &HostProcess::find(1),
        origin: &Origin::Unknown,
        phase: Phase::After,
        completed_methods: &CompletedMethods::default(),
    };
    let found = test
        .verification()
        .find_pam_requirement(context, NOW)
        .unwrap();
    found.requirement
}

/// A group of LDAP is unknown while LDAP is down, and so is a group with a typing error. The
/// requirement MUST NOT end without a log line.
#[test]
fn a_required_group_that_no_source_knows_requires_everyone_and_the_log_says_so() {
    let mut test = TestStore::new("[policy]\nrequired = [\"%staf\", \"!bob\"]\n");
    assert_eq!(need(&mut test, "root"), Requirement::Enrollment);
    assert_eq!(need(&mut test, "bob"), Requirement::Nothing);
    let doubts = test.take_warnings();
    assert_eq!(doubts.len(), 1, "{doubts:?}");
    assert!(
        doubts[0]
            .text
            .starts_with("the group \"staf\" in policy.required: no source knows it"),
        "{doubts:?}"
    );
    assert!(test.take_warnings().is_empty());
}

#[test]
fn an_exception_an_exemption_and_administration_are_nothing_to_have_by_a_group_that_no_source_knows()
 {
    let mut test = TestStore::new("[policy]\nrequired = [\"all\", \"!%robts\"]\n");
    assert_eq!(need(&mut test, "root"), Requirement::Enrollment);
    let (mut test, _) =
        alice("[policy]\nadministrators = [\"%sudoo\"]\n[[policy.exempt]]\ngroups = [\"robts\"]\n");
    assert_eq!(need(&mut test, "alice"), Requirement::Code);
    assert_contains(
        &test.take_warnings()[0].text,
        "\"robts\" in policy.exempt-1",
    );
    let administers = test.policy().administrator_status(&name("alice")).unwrap();
    assert_eq!(administers, postern_shared::engine::AdministratorStatus::No);
    assert_contains(
        &test.take_warnings()[0].text,
        "\"sudoo\" in policy.administrators",
    );
}

/// The name service does not know Postern's own groups, which is no fault.
#[test]
fn a_group_of_posterns_own_is_no_doubt() {
    let mut test = TestStore::new("[policy]\nrequired = [\"%ours-alone\"]\n");
    test.enrols("bob");
    let ours: [Group; 1] = ["ours-alone".parse().unwrap()];
    test.accounts()
        .change_groups(&name("bob"), &ours, &[], "root", NOW)
        .unwrap();
    assert_eq!(need(&mut test, "root"), Requirement::Nothing);
    assert!(test.take_warnings().is_empty());
    test.accounts()
        .change_groups(&name("bob"), &[], &ours, "root", NOW)
        .unwrap();
    assert_eq!(
        need(&mut test, "root"),
        Requirement::Enrollment,
        "it has no member: the name may be wrong"
    );
    let mut test = TestStore::new(
        "[policy]\nrequired = [\"%declared-alone\"]\n\
         [[account]]\nname = \"carol\"\nsecret_file = \"/nonexistent\"\ngroups = [\"declared-alone\"]\n",
    );
    assert_eq!(need(&mut test, "root"), Requirement::Nothing);
}

/// A group that exists on this host is decided for each person, also if it has no members.
#[test]
fn a_group_of_this_host_is_asked_about_each_person() {
    let mut test = TestStore::new("[policy]\nrequired = [\"%root\"]\n");
    assert_eq!(need(&mut test, "root"), Requirement::Enrollment);
    assert_eq!(need(&mut test, "daemon"), Requirement::Nothing);
    assert_eq!(need(&mut test, "no-such-user-here"), Requirement::Nothing);
    assert!(test.take_warnings().is_empty());
}
