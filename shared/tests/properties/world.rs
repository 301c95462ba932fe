//! Real engines on a real store, and the model. Each act is done to both, and the results are
//! compared.

use crate::act::{Act, Administration, From, Password, Process, Typed};
use crate::model::{CONFIG, Meaning, Meets, Model, REACH, Who};
use crate::store::Store;
use crate::test_store::{
    NOW, PASSWORD, TestFolder, TestStore, alice_at_the_web, browser_with, code_at, name, password,
    recovery, remote, request,
};
use postern_shared::config::Config;
use postern_shared::credential::input::Input;
use postern_shared::engine::enrollment::pending::{EnrollmentConfirmation, PendingEnrollment};
use postern_shared::engine::{AfterPassword, Engine, VerificationRequest};
use postern_shared::system::clock::Timestamp;
use postern_shared::verify::decision::{Refusal, VerificationResult};
use postern_shared::verify::method::AuthenticationMethod;
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;
use std::collections::HashMap;

/// How often each reply occurred.
pub(crate) type Tally = HashMap<&'static str, usize>;

pub(crate) struct World {
    folder: TestFolder,
    config: Config,
    engines: Vec<Engine>,
    store: Option<Store>,
    pub(crate) authenticators: [PendingEnrollment; 2],
    /// Accepted codes, oldest first.
    opened: Vec<String>,
    recovery: Vec<String>,
    old_recovery: Vec<String>,
    pub(crate) model: Model,
    pub(crate) now: Timestamp,
    pub(crate) tally: Tally,
}

impl World {
    /// Returns a world in which alice has two authenticators and two processes have the store open.
    pub(crate) fn new() -> World {
        let (mut test, app) = alice_at_the_web(CONFIG);
        let second = PendingEnrollment::further(&test.config, &name("alice")).unwrap();
        let second = second.with_label("second".parse().unwrap());
        test.activates(&second);
        let other = test.another();
        let TestStore {
            folder,
            config,
            engine,
        } = test;
        let mut world = World {
            folder,
            config,
            engines: vec![engine, other],
            store: None,
            authenticators: [app, second],
            opened: Vec::new(),
            recovery: Vec::new(),
            old_recovery: Vec::new(),
            model: Model::of(2),
            now: NOW,
            tally: Tally::new(),
        };
        let codes = (0..6)
            .map(|number| recovery(&world.authenticators[0], number))
            .collect();
        world.has_recovery_codes(codes);
        world
    }

    fn has_recovery_codes(&mut self, codes: Vec<String>) {
        self.model.recovery = codes.iter().map(|code| (code.clone(), false)).collect();
        self.old_recovery = std::mem::replace(&mut self.recovery, codes);
    }

    pub(crate) fn engine(&mut self, number: usize) -> &mut Engine {
        while self.engines.len() <= number {
            self.engines
                .push(Engine::open(self.config.clone()).unwrap());
        }
        &mut self.engines[number]
    }

    fn store(&mut self) -> &Store {
        self.store.get_or_insert_with(|| Store::open(&self.folder))
    }

    pub(crate) fn does(&mut self, act: Act) {
        match act {
            Act::Types {
                typed,
                from,
                phase,
                engine,
            } => self.types(typed, from, phase, engine),
            Act::Passes(seconds) => self.now = self.now.plus(seconds),
            Act::ClockGoesBack(seconds) => self.now = self.now.minus(seconds),
            Act::Restarts(Process::Engine(number)) => {
                self.engine(number);
                drop(self.engines.remove(number));
            }
            Act::Restarts(Process::Everything) => {
                self.store = None;
                self.engines.clear();
            }
            Act::Administers(what) => self.administers(what),
        }
    }

    fn types(&mut self, typed: Typed, from: From, phase: Phase, engine: usize) {
        let at_no_web =
            matches!(from, From::LocalUser | From::Browser) && matches!(typed, Typed::Password(_));
        let Some((text, meaning)) = self.reads(typed).filter(|_| !at_no_web) else {
            return;
        };
        let (origin, who) = identify(from, phase);
        let now = self.now;
        let settled = self.model.settle(&who, now.0);
        let expected = self.model.meets(&who, &meaning, now.0);
        let before = self.store().look();

        let alice = name("alice");
        let browser = (from == From::Browser).then_some(7);
        let asked = VerificationRequest {
            phase,
            browser,
            ..request(&alice, &origin)
        };
        let met = match meaning {
            Meaning::RightPassword | Meaning::WrongPassword => {
                at_the_web(&self.gives_password(engine, &origin, None, &text, ""))
            }
            _ => {
                let answer = Input::parse(text.as_bytes());
                at_the_prompt(
                    &self
                        .engine(engine)
                        .verification()
                        .verify_input(&asked, &answer, now)
                        .unwrap()
                        .result,
                )
            }
        };
        if met == Meets::Granted {
            // reports a code that is accepted twice before it reports an unexpected reply
            self.model.notes(&who, &meaning, met, now.0);
            self.opened
                .extend(matches!(meaning, Meaning::Code(..)).then_some(text));
        }
        assert_eq!(met, expected, "{meaning:?} by {who:?}");
        *self.tally.entry(met.name()).or_default() += 1;
        if met == Meets::Granted {
            if phase == Phase::Before {
                self.engine(engine)
                    .verification()
                    .complete_login(&asked, means(&meaning), now)
                    .unwrap();
            }
            self.model.enters(&who, &meaning, now.0);
        } else {
            self.model.notes(&who, &meaning, met, now.0);
            let after = self.store().look();
            assert_eq!(
                after.facts, before.facts,
                "a refusal changed more than counts"
            );
            let is_free = !matches!(met, Meets::Charge | Meets::NextPage);
            assert!(
                !is_free || after.written == before.written,
                "{met:?} wrote something"
            );
            // A delay before the first factor writes as well, and may remove what is too old.
            let clears = matches!(met, Meets::Delay(_)) && phase == Phase::Before;
            let is_counted = match clears {
                true => after
                    .counts
                    .iter()
                    .any(|count| !before.counts.contains(count)),
                false => after.counts != before.counts,
            };
            assert!(!is_free || settled || !is_counted, "{met:?} was counted");
        }
        assert_eq!(self.store().locks(), self.model.locks());
    }

    /// Enters name and password at the gate's sign-in page, with a recovery code or without.
    pub(crate) fn gives_password(
        &mut self,
        engine: usize,
        origin: &Origin,
        cookie: Option<&str>,
        typed: &str,
        recovery: &str,
    ) -> AfterPassword {
        let browser = browser_with(origin, cookie);
        let (alice, now, recovery) = (name("alice"), self.now, Input::parse(recovery.as_bytes()));
        self.engine(engine)
            .login()
            .enter_password(&browser, &alice, Some(&password(typed)), &recovery, now)
            .unwrap()
    }

    /// Returns an input and its meaning. `None` if the same code has two meanings by chance.
    fn reads(&mut self, typed: Typed) -> Option<(String, Meaning)> {
        let codes =
            |codes: &[String], number: usize| codes.get(number % codes.len().max(1)).cloned();
        let text = match typed {
            Typed::Code {
                authenticator,
                offset,
            } => code_at(&self.authenticators[authenticator], offset, self.now),
            Typed::Replayed(ago) => {
                codes(&self.opened.iter().rev().cloned().collect::<Vec<_>>(), ago)?
            }
            Typed::WrongCode => {
                let mut all = (10_000_000..).map(|number: u32| number.to_string());
                all.find(|text| self.steps_of(text).is_empty())?
            }
            Typed::Password(Password::Right) => {
                return Some((PASSWORD.to_owned(), Meaning::RightPassword));
            }
            Typed::Password(Password::Wrong) => {
                return Some(("wrong horse".to_owned(), Meaning::WrongPassword));
            }
            Typed::Junk => return Some(("no code!".to_owned(), Meaning::Junk)),
            Typed::Recovery(number) => {
                let code = codes(&self.recovery, number)?;
                return Some((code.clone(), Meaning::Recovery(code)));
            }
            Typed::OldRecovery(number) => {
                let code = codes(&self.old_recovery, number)?;
                return Some((code.clone(), Meaning::Recovery(code)));
            }
            Typed::WrongRecovery => {
                let code = "ABCDE-FGHJK".to_owned();
                return Some((code.clone(), Meaning::Recovery(code)));
            }
            Typed::OneTime => {
                let (code, ..) = self.model.one_time.clone()?;
                return Some((code.clone(), Meaning::OneTime(code)));
            }
        };
        match self.steps_of(&text)[..] {
            [] => Some((text, Meaning::WrongCode)),
            [(authenticator, step)] => Some((text, Meaning::Code(authenticator, step))),
            _ => None,
        }
    }

    /// Returns the time steps of live authenticators around now that have this code.
    fn steps_of(&self, text: &str) -> Vec<(usize, u64)> {
        let reach = i64::try_from(REACH).unwrap();
        let all = self
            .model
            .live
            .iter()
            .flat_map(|number| (-reach..=reach).map(move |offset| (*number, offset)));
        let equal = all.filter(|(number, offset)| {
            code_at(&self.authenticators[*number], *offset, self.now) == text
        });
        equal
            .map(|(number, offset)| {
                (
                    number,
                    (self.now.0 / 30).checked_add_signed(offset).unwrap(),
                )
            })
            .collect()
    }

    fn administers(&mut self, what: Administration) {
        let (alice, now) = (name("alice"), self.now);
        match what {
            Administration::SecondAuthenticator if self.model.live.remove(&1) => {
                let label = self.authenticators[1].label().clone();
                self.engine(0)
                    .enrollment()
                    .remove_authenticator(&alice, &label, "root", now)
                    .unwrap();
            }
            Administration::SecondAuthenticator => {
                self.engine(0);
                self.engines[0]
                    .enrollment()
                    .activate(
                        &self.authenticators[1],
                        &EnrollmentConfirmation::by_administrator(),
                        "root",
                        now,
                    )
                    .unwrap();
                self.model.live.insert(1);
            }
            Administration::EnrollsAgain => {
                self.engine(1)
                    .accounts()
                    .disable_second_factor(&alice, "root", now)
                    .unwrap();
                let secret = self.authenticators[0].secret().clone();
                let renewed = PendingEnrollment::new(&self.config, &alice)
                    .unwrap()
                    .with_secret(secret);
                self.engine(1)
                    .enrollment()
                    .activate(
                        &renewed,
                        &EnrollmentConfirmation::by_administrator(),
                        "root",
                        now,
                    )
                    .unwrap();
                self.has_recovery_codes((0..6).map(|number| recovery(&renewed, number)).collect());
                self.model.live = [0].into();
                self.model.one_time = None;
                self.model.unlocks();
            }
            Administration::Unlocks => {
                self.engine(1)
                    .accounts()
                    .unlock_account(&alice, "root", now)
                    .unwrap();
                self.model.unlocks();
            }
            Administration::NewRecoveryCodes => {
                let codes = self.config.recovery.generate_codes().unwrap();
                self.engine(0)
                    .enrollment()
                    .replace_recovery_codes(&alice, &codes, "root", now)
                    .unwrap();
                self.has_recovery_codes(
                    codes
                        .iter()
                        .map(|code| code.grouped().to_string())
                        .collect(),
                );
            }
            Administration::OneTimeCode => {
                let (code, ends) = self
                    .engine(1)
                    .accounts()
                    .issue_one_time_code(&alice, "root", now)
                    .unwrap();
                self.model.one_time = Some((code.grouped().to_string(), now.0..ends.0, false));
            }
            Administration::MendsTheClock => {
                self.engine(0)
                    .accounts()
                    .lower_floors_to_clock(&alice, "root", now)
                    .unwrap();
                self.model.mends_the_clock(now.0);
            }
        }
    }
}

/// Returns the origin of an input for the engine and its sender for the model.
fn identify(from: From, phase: Phase) -> (Origin, Who) {
    let who = |address: Option<&str>, own_place| Who {
        phase,
        address: address.map(str::to_owned),
        own_place,
    };
    match from {
        From::Home => (remote("192.0.2.7"), who(Some("home"), None)),
        From::Stranger { network, host } => {
            let origin = remote(&format!("2001:db8:0:{network}::{host:x}"));
            (origin, who(Some(&format!("network {network}")), None))
        }
        From::LocalUser => (Origin::Local("alice".to_owned()), who(None, Some("here"))),
        From::Browser => (
            remote("198.51.100.7"),
            who(Some("of the browser"), Some("browser")),
        ),
        From::Nowhere => (Origin::Unknown, who(None, None)),
    }
}

fn means(meaning: &Meaning) -> AuthenticationMethod {
    match meaning {
        Meaning::Recovery(_) => AuthenticationMethod::RecoveryCode,
        Meaning::OneTime(_) => AuthenticationMethod::OneTimeCode,
        _ => AuthenticationMethod::Code,
    }
}

fn at_the_prompt(result: &VerificationResult) -> Meets {
    match result {
        Ok(_) => Meets::Granted,
        Err(refusal) => refused(*refusal),
    }
}

fn at_the_web(after: &AfterPassword) -> Meets {
    match after {
        AfterPassword::Opened(_) => Meets::Granted,
        AfterPassword::Code(_) | AfterPassword::Enroll(_) => Meets::NextPage,
        AfterPassword::Refused(refusal) => refused(*refusal),
        AfterPassword::OtherSpelling(other) => panic!("every name here is one of its own: {other}"),
    }
}

fn refused(refusal: Refusal) -> Meets {
    match refusal {
        Refusal::Wrong | Refusal::Behind { .. } | Refusal::Ahead { .. } => Meets::Charge,
        Refusal::Delayed { wait } => Meets::Delay(wait),
        Refusal::AddressDelayed { wait } => Meets::AddressDelay(wait),
        Refusal::Locked => Meets::Lock,
        _ => Meets::NoCharge,
    }
}
