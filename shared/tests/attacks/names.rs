//! Two spellings of one name. No sign-in, prompt, command or import creates a second account for
//! another spelling of an existing name, unless root requests it.

use super::test_store::{NOW, TestStore, alice, browser, name, password, remote};
use postern_shared::account::name::{Distinct, Service, UserName};
use postern_shared::credential::completed_methods::CompletedMethods;
use postern_shared::credential::import::{ImportFormat, parse_import_file};
use postern_shared::engine::enrollment::pending::{EnrollmentConfirmation, PendingEnrollment};
use postern_shared::engine::{
    AdministrationError, AfterPassword, Engine, ImportMode, ImportReport, PamContext,
    PromptEnrollment, Requester,
};
use postern_shared::policy::requirement::Requirement;
use postern_shared::system::process::HostProcess;
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;

const HEADER: &str = "[gate]\nfirst_factor = \"header\"\n[[gate.trusted_proxies]]\nproxy = \"nginx\"\n\
                      from = [\"unix\"]\nidentity_header = \"Remote-User\"\n";

/// Spellings that a person reads as the same name: capitals, full-width letters, and composed
/// characters.
const SPELLINGS: [&str; 6] = [
    "ALICE",
    "Alice",
    "aLiCe",
    "\u{FF41}lice",
    "al\u{131}ce",
    "\u{1D41A}\u{1D425}\u{1D422}\u{1D41C}\u{1D41E}",
];

fn is_brought(opened: &mut Engine, who: &str) -> AfterPassword {
    opened
        .login()
        .enter_identity(&browser(&remote("192.0.2.7")), &name(who), NOW)
        .unwrap()
}

fn accounts(test: &mut TestStore) -> Vec<String> {
    test.accounts()
        .account_statuses()
        .unwrap()
        .into_iter()
        .map(|status| status.tally.name.to_string())
        .collect()
}

/// A proxy passes the identity in the spelling that the person typed there.
#[test]
fn an_identity_in_another_spelling_opens_nothing_and_makes_no_account() {
    let (mut test, _) = alice(HEADER);
    for spelling in SPELLINGS {
        let after = is_brought(&mut test, spelling);
        assert!(
            !matches!(after, AfterPassword::Opened(_)),
            "{spelling} enters without a code"
        );
        assert_eq!(accounts(&mut test), ["alice"], "{spelling}");
    }
}

#[test]
fn characters_that_are_invisible_make_no_name() {
    for text in [
        "ali\u{200B}ce",
        "alice\u{FE0F}",
        "al\u{AD}ice",
        "\u{202E}alice",
        "alice\u{3164}",
        "ali\u{2060}ce",
    ] {
        assert!(UserName::parse(text.as_bytes()).is_err(), "{text:?}");
        assert!(
            text.parse::<postern_shared::account::name::Label>()
                .is_err(),
            "{text:?}"
        );
        assert!(
            text.parse::<postern_shared::account::name::Group>()
                .is_err(),
            "{text:?}"
        );
    }
}

/// Two gates create the account at the same time.
#[test]
fn of_two_spellings_that_come_at_once_one_makes_an_account() {
    for round in 0..20 {
        let mut test = TestStore::new(HEADER);
        let mut engines = [test.another(), test.another()];
        let barrier = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            for (engine, spelling) in engines.iter_mut().zip(["bob", "BOB"]) {
                scope.spawn(|| {
                    barrier.wait();
                    is_brought(engine, spelling)
                });
            }
        });
        assert_eq!(
            accounts(&mut test).len(),
            1,
            "round {round}: {:?}",
            accounts(&mut test)
        );
    }
}

/// The person sees the name of the existing account, and the log holds both spellings.
#[test]
fn a_user_who_signs_in_with_another_spelling_is_refused_with_the_name_of_the_account() {
    let (mut test, _) = alice(HEADER);
    let AfterPassword::OtherSpelling(other) = is_brought(&mut test, "ALICE") else {
        panic!("not refused")
    };
    assert_eq!((other.name, other.existing), (name("ALICE"), name("alice")));
    // an account of exactly this name is not compared with others, since root created both
    test.accounts()
        .add_account(&name("Alice"), Distinct::Yes, "root", NOW)
        .unwrap();
    assert!(matches!(
        is_brought(&mut test, "Alice"),
        AfterPassword::Opened(_)
    ));
}

#[test]
fn a_declared_account_has_one_spelling_too() {
    let mut test = TestStore::new(&format!(
        "{HEADER}\n[[account]]\nname = \"carol\"\nsecret_file = \"/nonexistent\"\n"
    ));
    assert!(matches!(
        is_brought(&mut test, "CAROL"),
        AfterPassword::OtherSpelling(_)
    ));
    assert_eq!(accounts(&mut test), ["carol"]);
    assert!(
        test.accounts()
            .add_account(&name("CAROL"), Distinct::No, "root", NOW)
            .is_err()
    );
}

/// The fault: a rule or policy that names, in capitals, a person without an account applied to
/// another name.
#[test]
fn a_user_who_the_configuration_names_is_named_in_every_spelling() {
    for named in [
        "[[gate.rule]]\nusers = [\"carol\"]\nthen = \"deny\"",
        "[policy]\nrequired = [\"carol\"]",
        "[policy]\nrequired = [\"all\", \"!carol\"]",
        "[policy]\nadministrators = [\"carol\"]",
    ] {
        let mut test = TestStore::new(&format!("{HEADER}\n{named}\n"));
        let other = is_brought(&mut test, "CAROL");
        assert!(
            matches!(other, AfterPassword::OtherSpelling(_)),
            "{named}: an account of its own"
        );
        assert_eq!(accounts(&mut test).len(), 0, "{named}");
        // an unauthenticated client does not learn the names in the configuration
        let need = requirement(&mut test, "CAROL", Phase::Before);
        assert!(matches!(need, Ok(Requirement::Code)), "{named}: {need:?}");
        assert!(
            requirement(&mut test, "CAROL", Phase::After).is_err(),
            "{named}"
        );
        assert!(
            !matches!(
                is_brought(&mut test, "carol"),
                AfterPassword::OtherSpelling(_)
            ),
            "{named}"
        );
        // root may create two accounts
        test.accounts()
            .add_account(&name("CAROL"), Distinct::Yes, "root", NOW)
            .unwrap();
        assert!(
            !matches!(
                is_brought(&mut test, "CAROL"),
                AfterPassword::OtherSpelling(_)
            ),
            "{named}"
        );
    }
    let both = "[policy]\nrequired = [\"dave\", \"Dave\"]";
    let mut test = TestStore::new(&format!("{HEADER}\n{both}\n"));
    for spelling in ["Dave", "dave"] {
        let after = is_brought(&mut test, spelling);
        assert_eq!(
            matches!(after, AfterPassword::OtherSpelling(_)),
            spelling == "dave",
            "{spelling}"
        );
    }
}

/// Each of these commands creates a missing account.
#[test]
fn no_command_makes_an_account_in_another_spelling_unless_it_says_so() {
    let (mut test, _) = alice("");
    for spelling in SPELLINGS {
        let who = name(spelling);
        let pending = PendingEnrollment::new(test.config(), &who).unwrap();
        let engine = &mut test;
        let errors = [
            engine
                .accounts()
                .add_account(&who, Distinct::No, "root", NOW)
                .err(),
            engine.enrollment().check_enrollment(&pending).err(),
            engine
                .enrollment()
                .activate(
                    &pending,
                    &EnrollmentConfirmation::by_administrator(),
                    "root",
                    NOW,
                )
                .err(),
            engine
                .accounts()
                .set_password(&who, &password("correct horse"), "root", NOW)
                .err(),
            engine
                .accounts()
                .set_email(&who, &"a@example.org".parse().unwrap(), "root", NOW)
                .err(),
        ];
        for error in errors {
            assert!(
                matches!(error, Some(AdministrationError::OtherSpelling(_))),
                "{spelling}: {error:?}"
            );
        }
        assert_eq!(accounts(&mut test), ["alice"], "{spelling}");
    }
    test.enrols("bob");
    let renamed = |test: &mut TestStore, to: &str, distinct| {
        test.accounts()
            .rename_account(&name("bob"), &name(to), distinct, "root", NOW)
    };
    assert!(matches!(
        renamed(&mut test, "ALICE", Distinct::No),
        Err(AdministrationError::OtherSpelling(_))
    ));
    renamed(&mut test, "Bob", Distinct::No).expect("a name may be spelled differently");
    test.accounts()
        .rename_account(&name("Bob"), &name("ALICE"), Distinct::Yes, "root", NOW)
        .unwrap();
    test.accounts()
        .add_account(&name("aLICE"), Distinct::Yes, "root", NOW)
        .unwrap();
    assert_eq!(accounts(&mut test), ["ALICE", "aLICE", "alice"]);
}

#[test]
fn an_import_leaves_other_spellings_out_and_takes_the_rest() {
    let (mut test, _) = alice("");
    let url = |who: &str, seed| format!("otpauth://totp/{who}?secret={seed}\n");
    let file = [
        url("ALICE", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
        url("bob", "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"),
        url("BOB", "ONSWG4TFOQQGW5DIMFXHK3TPON2GKZLE"),
    ];
    let import = parse_import_file(ImportFormat::Otpauth, file.concat().as_bytes()).unwrap();
    for trial in [ImportMode::DryRun, ImportMode::Commit] {
        let taken = test
            .accounts()
            .import_authenticators(&import.found, trial, Distinct::No, "root", NOW)
            .unwrap();
        let (app, other) = (ImportReport::Imported("app".parse().unwrap()), |of| {
            ImportReport::OtherSpelling(name(of))
        });
        assert_eq!(taken, [other("alice"), app, other("bob")], "{trial:?}");
    }
    let all = test
        .accounts()
        .import_authenticators(
            &import.found,
            ImportMode::Commit,
            Distinct::Yes,
            "root",
            NOW,
        )
        .unwrap();
    assert_eq!(
        all.iter()
            .filter(|taken| matches!(taken, ImportReport::Imported(_)))
            .count(),
        2,
        "{all:?}"
    );
    assert_eq!(accounts(&mut test), ["ALICE", "BOB", "alice", "bob"]);
}

/// A service whose users have no account on this host may treat any spelling as the same user. The
/// spelling MUST NOT decide whether a second factor is required.
#[test]
fn a_prompt_takes_no_other_spelling_for_a_user_without_a_second_factor() {
    let (mut test, _) = alice("");
    for (phase, spelling) in [Phase::Before, Phase::After]
        .into_iter()
        .flat_map(|s| SPELLINGS.map(|w| (s, w)))
    {
        let need = requirement(&mut test, spelling, phase);
        let is_open = matches!(need, Ok(Requirement::Nothing | Requirement::Exempt(_)));
        assert!(!is_open, "{phase:?} {spelling}");
        // the message is shown only after the first factor
        assert_eq!(need.is_err(), phase == Phase::After, "{phase:?} {spelling}");
        let begun = at_prompt(&mut test, spelling, phase, |engine, context| {
            engine
                .enrollment()
                .begin_prompt_enrollment(context, None, NOW)
        });
        assert!(
            !matches!(begun, Ok(PromptEnrollment::Begun(_))),
            "{phase:?} {spelling}"
        );
    }
    assert!(matches!(
        requirement(&mut test, "bob", Phase::After),
        Ok(Requirement::Nothing)
    ));
}

/// The enrollment grace period creates an account as well.
#[test]
fn a_first_sign_in_at_a_prompt_makes_no_account_in_another_spelling() {
    let (mut test, _) = alice("[policy]\nrequired = \"all\"\nenroll_within = \"1d\"\n");
    let waived = at_prompt(&mut test, "ALICE", Phase::After, |engine, context| {
        engine.verification().exempt_pam_user(context, NOW)
    });
    assert!(waived.is_err());
    assert_eq!(accounts(&mut test), ["alice"]);
}

fn requirement(
    test: &mut TestStore,
    who: &str,
    phase: Phase,
) -> Result<Requirement, AdministrationError> {
    at_prompt(test, who, phase, |engine, context| {
        let found = engine.verification().find_pam_requirement(context, NOW)?;
        Ok(found.requirement)
    })
}

fn at_prompt<R>(
    test: &mut TestStore,
    who: &str,
    phase: Phase,
    operation: impl FnOnce(&mut Engine, PamContext<'_>) -> R,
) -> R {
    let who = name(who);
    let context = PamContext {
        requester: Requester::Root("root"),
        service: &Service::from_pam(b"ftp"),
        user: &who,
        account: &who,
        process: &HostProcess::find(1),
        origin: &Origin::Unknown,
        phase,
        completed_methods: &CompletedMethods::default(),
    };
    operation(test, context)
}
