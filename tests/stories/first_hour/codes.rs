//! The codes of people on a booted host, whose clock cannot be moved: no story waits for a time
//! step, so an authenticator shows two codes, and a person who needs more has another.

use testhost::{BootedHost, Clock, Phone};

/// Time steps have 30 seconds.
const PERIOD: u64 = 30;

/// An authenticator, and the time step whose code it has shown.
pub(crate) struct Codes {
    phone: Phone,
    shown: Vec<u64>,
}

impl Codes {
    pub(crate) fn scan(url: &str) -> Codes {
        let (phone, shown) = (Phone::scans(url), Vec::new());
        Codes { phone, shown }
    }

    /// Gives a person another authenticator.
    #[track_caller]
    pub(crate) fn of_another_app(host: &BootedHost, account: &str, name: &str) -> Codes {
        let command = format!("sudo postern authenticator add {account} --name {name}");
        Codes::printed(&host.does(&format!("{command} --no-confirm --json")))
    }

    /// Reads what a command printed as JSON.
    #[track_caller]
    pub(crate) fn printed(json: &str) -> Codes {
        let enrolled: serde_json::Value = serde_json::from_str(json.trim()).expect("JSON");
        Codes::scan(enrolled["otpauth_url"].as_str().expect("an otpauth_url"))
    }

    /// Returns a code that is valid now and was not returned before. The host accepts one time step
    /// before and one after its own, so that the second code is valid at any time after the first.
    #[track_caller]
    pub(crate) fn next(&mut self) -> String {
        Clock.as_setuid_programs_see_it();
        let (now, second) = (Clock.now() / PERIOD, Clock.now() % PERIOD);
        // Near the end of a step it could pass before the host verifies the code.
        let oldest = if second > PERIOD / 2 { now } else { now - 1 };
        let step = match self.shown[..] {
            [] => oldest,
            [first] => oldest.max(first + 1),
            _ => panic!("an authenticator shows two codes; a third could need a wait"),
        };
        self.shown.push(step);
        let signed = |step: u64| i64::try_from(step).expect("a time step");
        self.phone.code_in(signed(step) - signed(now))
    }

    pub(crate) fn wrong(&self) -> String {
        Clock.as_setuid_programs_see_it();
        self.phone.wrong()
    }
}
