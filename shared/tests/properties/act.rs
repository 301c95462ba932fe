//! The acts of a property test, and the strategies that generate sequences of them.

use postern_shared::verify::throttle::Phase;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Types {
        typed: Typed,
        from: From,
        phase: Phase,
        engine: usize,
    },
    Passes(u64),
    ClockGoesBack(u64),
    Restarts(Process),
    Administers(Administration),
}

/// An input at the prompt.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Typed {
    /// The code of one of the two authenticators, at an offset in time steps from now.
    Code {
        authenticator: usize,
        offset: i64,
    },
    /// An accepted code, counted from the newest.
    Replayed(usize),
    /// Digits that are no code of the account within the reach of the search.
    WrongCode,
    /// A recovery code of the current set, by its number.
    Recovery(usize),
    /// A recovery code of the previous set, by its number.
    OldRecovery(usize),
    WrongRecovery,
    /// The newest one-time code.
    OneTime,
    /// The password at the web, before the second factor.
    Password(Password),
    Junk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Password {
    Right,
    Wrong,
}

/// The origin of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// The owner's address.
    Home,
    Stranger {
        network: u8,
        host: u8,
    },
    /// The owner as a local user of this host.
    LocalUser,
    /// A trusted browser, at an address of its own.
    Browser,
    Nowhere,
}

/// The processes that end and start again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Process {
    Engine(usize),
    /// All processes at once, so that no process keeps the store open.
    Everything,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Administration {
    /// Removes the second authenticator, or adds the same secret again.
    SecondAuthenticator,
    /// Turns the second factor off, and enrolls the same secret again.
    EnrollsAgain,
    Unlocks,
    NewRecoveryCodes,
    OneTimeCode,
    MendsTheClock,
}

const DAY: u64 = 86_400;

/// Generates sequences of all acts.
pub(crate) fn anything() -> impl Strategy<Value = Vec<Act>> {
    let administration = select(vec![
        Administration::SecondAuthenticator,
        Administration::EnrollsAgain,
        Administration::Unlocks,
        Administration::NewRecoveryCodes,
        Administration::OneTimeCode,
        Administration::MendsTheClock,
    ]);
    let from = prop_oneof![
        3 => Just(From::Home),
        3 => attacker(),
        1 => Just(From::LocalUser),
        1 => Just(From::Browser),
        2 => Just(From::Nowhere),
    ];
    vec(
        prop_oneof![
            24 => types(anything_typed(), from),
            10 => passes(31 * DAY),
            1 => select(vec![1, 30, 45, 60, 600, DAY, 31 * DAY]).prop_map(Act::ClockGoesBack),
            1 => restarts(),
            1 => administration.prop_map(Act::Administers),
        ],
        1..250,
    )
}

/// Generates sequences of acts by attackers, who may know the password, but neither the secret nor
/// a recovery code.
pub(crate) fn attackers() -> impl Strategy<Value = Vec<Act>> {
    let typed = prop_oneof![
        8 => Just(Typed::WrongCode),
        3 => Just(Typed::WrongRecovery),
        1 => Just(Typed::Junk),
        2 => password(),
    ];
    let from = prop_oneof![4 => attacker(), 1 => Just(From::Nowhere)];
    vec(
        prop_oneof![12 => types(typed, from), 3 => passes(DAY / 4), 1 => restarts()],
        1..160,
    )
}

/// Returns the last acts of a sequence, some time steps later: wrong codes before and after the
/// first factor, as many as delay every other client with the same bucket.
pub(crate) fn last_guesses() -> impl Iterator<Item = Act> {
    let guess = |phase| Act::Types {
        typed: Typed::WrongCode,
        from: From::Nowhere,
        phase,
        engine: 0,
    };
    let guesses = (0..3).flat_map(move |_| [guess(Phase::Before), guess(Phase::After)]);
    std::iter::once(Act::Passes(90)).chain(guesses)
}

fn types(
    typed: impl Strategy<Value = Typed>,
    from: impl Strategy<Value = From>,
) -> impl Strategy<Value = Act> {
    let phase = select(vec![Phase::Before, Phase::After, Phase::After]);
    (typed, from, phase, 0..2_usize).prop_map(|(typed, from, phase, engine)| {
        // after the first factor a trusted browser is asked for nothing more
        let is_before = from == From::Browser || matches!(typed, Typed::Password(_));
        let phase = if is_before { Phase::Before } else { phase };
        Act::Types {
            typed,
            from,
            phase,
            engine,
        }
    })
}

fn anything_typed() -> impl Strategy<Value = Typed> {
    let code = |offsets| {
        (0..2_usize, offsets).prop_map(|(authenticator, offset)| Typed::Code {
            authenticator,
            offset,
        })
    };
    prop_oneof![
        4 => code(-2..=2_i64),
        1 => code(-21..=21_i64),
        3 => (0..4_usize).prop_map(Typed::Replayed),
        16 => Just(Typed::WrongCode),
        1 => (0..6_usize).prop_map(Typed::Recovery),
        1 => (0..6_usize).prop_map(Typed::OldRecovery),
        4 => Just(Typed::WrongRecovery),
        1 => Just(Typed::OneTime),
        1 => Just(Typed::Junk),
        1 => password(),
    ]
}

fn password() -> impl Strategy<Value = Typed> {
    select(vec![
        Typed::Password(Password::Right),
        Typed::Password(Password::Wrong),
    ])
}

fn attacker() -> impl Strategy<Value = From> {
    (0..2_u8, any::<u8>()).prop_map(|(network, host)| From::Stranger { network, host })
}

fn passes(longest: u64) -> impl Strategy<Value = Act> {
    select(vec![
        1, 14, 15, 45, 60, 120, 120, 120, 121, 300, 3600, longest,
    ])
    .prop_map(Act::Passes)
}

fn restarts() -> impl Strategy<Value = Act> {
    let process = prop_oneof![
        (0..2_usize).prop_map(Process::Engine),
        Just(Process::Everything),
    ];
    process.prop_map(Act::Restarts)
}
