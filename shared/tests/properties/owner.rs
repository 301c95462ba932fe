//! The owner, who signed in before: from the home address, and in a browser that is trusted since
//! then.

use crate::test_store::{PASSWORD, accepted, attempt_at, browser, code_at, recovery, remote};
use crate::world::World;
use postern_shared::credential::input::Input;
use postern_shared::engine::{AfterCode, AfterPassword, TrustRequest};
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;

pub(crate) struct Owner {
    test: Origin,
    cookie: String,
}

impl Owner {
    pub(crate) fn moves_in(world: &mut World) -> Owner {
        let test = remote("192.0.2.7");
        let cookie = signs_in(world, &test, TrustRequest::Asked).expect("the browser is trusted");
        Owner { test, cookie }
    }

    /// Signs in everywhere without a delay: with the password alone in the trusted browser, with
    /// password and recovery code from any address, with codes at home and on this host, and a
    /// little later in another browser at home.
    pub(crate) fn gets_in_everywhere(&self, world: &mut World) {
        let code = recovery(&world.authenticators[0], 0);
        // the second address is in one of the attackers' networks
        let (anywhere, elsewhere) = (remote("203.0.113.9"), remote("2001:db8:0:1::10"));
        let in_trusted = world.gives_password(0, &anywhere, Some(&self.cookie), PASSWORD, "");
        assert!(
            matches!(in_trusted, AfterPassword::Opened(_)),
            "the trusted browser is kept out"
        );
        let recovered = world.gives_password(1, &elsewhere, None, PASSWORD, &code);
        assert!(
            matches!(recovered, AfterPassword::Opened(_)),
            "password and recovery code are kept out"
        );

        let here = Origin::Local("alice".to_owned());
        let places = [
            (&self.test, Phase::Before),
            (&self.test, Phase::After),
            (&here, Phase::After),
        ];
        for ((origin, phase), offset) in places.into_iter().zip(-1..) {
            let (typed, now) = (
                code_at(&world.authenticators[0], offset, world.now),
                world.now,
            );
            accepted(&attempt_at(
                world.engine(0),
                "alice",
                origin,
                phase,
                &typed,
                now,
            ));
        }
        world.now = world.now.plus(30);
        signs_in(world, &self.test, TrustRequest::NotAsked);
    }
}

/// Returns a code that was not used before.
fn next_code(world: &mut World) -> String {
    world.now = world.now.plus(30);
    code_at(&world.authenticators[0], 0, world.now)
}

/// Signs in at the gate with password and code. Returns the cookie if the browser becomes trusted.
fn signs_in(world: &mut World, from: &Origin, trust: TrustRequest) -> Option<String> {
    let AfterPassword::Code(pass) = world.gives_password(0, from, None, PASSWORD, "") else {
        panic!("the password is not taken")
    };
    let (typed, now) = (next_code(world), world.now);
    let browser = browser(from);
    let answer = Input::parse(typed.as_bytes());
    match world
        .engine(0)
        .login()
        .enter_code(&browser, &pass, &answer, trust, now)
        .unwrap()
    {
        AfterCode::Opened(opened) => opened.browser_cookie.map(|cookie| cookie.to_string()),
        AfterCode::Refused(refusal) => panic!("the code is refused: {refusal:?}"),
    }
}
