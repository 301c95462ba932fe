//! Every kind of token against every fault, in one table, since all are opened by one function.

use super::session::{FirstFactorMethod, Session};
use super::*;
use crate::account::name::{Label, UserName};
use crate::account::record::AccountId;
use crate::account::second_factor::CodeMethods;
use crate::config::Config;
use crate::credential::otp::secret::Secret;
use crate::credential::otp::totp::Step;
use crate::credential::recovery_code::RecoveryCode;
use crate::crypto::vault::TokenKeys;
use crate::engine::enrollment::pending::{AccountSnapshot, EnrollmentDraft, PendingEnrollment};
use crate::engine::enrollment::token::{
    ConfirmedEnrollment, EnrollmentPermission, EnrollmentToken, PendingRecoveryCodes, WebEnrollment,
};
use crate::engine::verify::auth_token::{AuthMark, EarlyAcceptance};
use crate::system::clock::Timestamp;
use crate::system::process::{HostProcess, ProcessId};
use crate::verify::origin::Origin;
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

const NOW: Timestamp = Timestamp(1_000_000);

/// Replaces one character by `A`, or an `A` by `B`.
pub(super) fn with_other_character(text: &str, position: usize) -> String {
    let other = if text[position..].starts_with('A') {
        "B"
    } else {
        "A"
    };
    let mut altered = text.to_owned();
    altered.replace_range(position..=position, other);
    altered
}

fn alice() -> UserName {
    "alice".parse().unwrap()
}

fn longest_name() -> UserName {
    let name = "\u{fc}".repeat(crate::account::name::LONGEST / 2);
    name.parse().unwrap()
}

fn at() -> AccountVersion {
    AccountVersion {
        id: AccountId(1),
        generation: 2,
    }
}

fn snapshot() -> AccountSnapshot {
    AccountSnapshot {
        account: Some((AccountId(1), 2)),
        recovery: None,
        keys: [0; 32],
    }
}

fn draft_of(pending: PendingEnrollment, snapshot: AccountSnapshot) -> EnrollmentDraft {
    let mut draft = pending.draft;
    draft.snapshot = Some(snapshot);
    draft
}

fn draft() -> EnrollmentDraft {
    let pending = PendingEnrollment::new(&Config::default(), &alice()).unwrap();
    draft_of(pending, snapshot())
}

/// A token of one kind, sealed, and the function that opens it.
struct Sample {
    kind: TokenKind,
    text: String,
    /// Sealed in the same way, with a lifetime that is too long for its kind.
    too_long: String,
    opens: fn(&str, &TokenKeys, TokenHolder, Timestamp) -> bool,
}

fn sample<P: TokenPayload>(
    keys: &TokenKeys,
    holder: TokenHolder,
    payload: impl Fn() -> P,
) -> Sample {
    let to = TokenRecipient {
        account: &alice(),
        at: Some(at()),
        holder,
        parent: TokenParent::FirstFactor {
            sign_in: TokenId([3; 16]),
            first: FirstFactorMethod::Password,
        },
    };
    let token = Token::issue(keys, to, payload(), NOW).unwrap();
    let longer = token.clone_with_life(P::KIND.lifetime() + 1, payload());
    Sample {
        kind: P::KIND,
        text: token.seal(keys).unwrap().to_string(),
        too_long: longer.seal(keys).unwrap().to_string(),
        opens: |text, keys, holder, now| Token::<P>::open(text, keys, holder, now).is_some(),
    }
}

impl<P: TokenPayload> Token<P> {
    fn clone_with_life(&self, life: u64, payload: P) -> Token<P> {
        let json = serde_json::json!({
            "kind": P::KIND, "id": self.id(), "account": self.account(), "at": self.at(),
            "holder": self.holder_for_tests(), "parent": self.parent(), "issued": NOW, "expires": NOW.plus(life),
        });
        self.reopened(json, payload)
    }
}

fn all(keys: &TokenKeys, holder: TokenHolder) -> Vec<Sample> {
    let codes = || vec![RecoveryCode::random(10).unwrap()];
    let cookie = || "cookie".to_owned();
    let login = || LoginPayload {
        digits: 6,
        methods: CodeMethods::App,
        back_to: "https://a.example.com/".to_owned(),
        needs_passkey: false,
    };
    vec![
        sample(keys, holder, login),
        sample(keys, holder, || WebEnrollment {
            may: EnrollmentPermission::Yes,
            back_to: String::new(),
        }),
        sample(keys, holder, draft),
        sample(keys, holder, || ConfirmedEnrollment {
            draft: draft(),
            step: Step(7),
        }),
        sample(keys, holder, move || PendingRecoveryCodes {
            snapshot: snapshot(),
            codes: codes(),
        }),
        sample(keys, holder, || StepUpPayload {}),
        sample(keys, holder, || AccessPayload { cookie: cookie() }),
        sample(keys, holder, || RefreshPayload {
            cookie: cookie(),
            number: 3,
        }),
        sample(keys, holder, || AuthMark {
            user: alice(),
            service: "sshd".to_owned().try_into().unwrap(),
            binding: HostProcess::new(ProcessId::new(4711, 1), Vec::new())
                .binding()
                .unwrap(),
            accepted: Some(EarlyAcceptance {
                means: crate::verify::method::AuthenticationMethod::Code,
                at: NOW,
                from: Origin::Unknown,
            }),
            told: Vec::new(),
        }),
        sample(keys, holder, || EndSessionsPayload {}),
        sample(keys, holder, || PasskeyPayload {
            purpose: PasskeyPurpose::StepUp,
            user_handle: vec![1; 32],
        }),
    ]
}

#[test]
fn the_table_has_every_kind() {
    let samples = all(&TokenKeys::fresh(), TokenHolder::Bearer).into_iter();
    assert!(samples.map(|one| one.kind).eq(TokenKind::ALL));
}

#[test]
fn a_token_opens_as_it_was_issued_and_with_no_fault() {
    let (keys, others) = (TokenKeys::fresh(), TokenKeys::fresh());
    let holder = TokenHolder::User(1000);
    let samples = all(&keys, holder);
    for one in &samples {
        let (kind, life) = (one.kind, one.kind.lifetime());
        let opens = |text: &str| (one.opens)(text, &keys, holder, NOW);
        assert!(opens(&one.text), "{kind:?}");
        // age, by clocks that run or are set back
        let opens_at = |at| (one.opens)(&one.text, &keys, holder, at);
        for (age, good) in [(life - 1, true), (life, false), (life * 2, false)] {
            assert_eq!(opens_at(NOW.plus(age)), good, "{kind:?} after {age}");
        }
        for back in [1, 60, life, NOW.0] {
            assert!(!opens_at(NOW.minus(back)), "{kind:?} {back} s before");
        }
        assert!(!opens(&one.too_long), "{kind:?} of a longer life");
        for other in [
            TokenHolder::Bearer,
            TokenHolder::Root,
            TokenHolder::User(1001),
            TokenHolder::Session(super::session::SessionId([1; 16])),
            TokenHolder::Enrollment(TokenId([1; 16])),
        ] {
            let opened = (one.opens)(&one.text, &keys, other, NOW);
            assert!(!opened, "{kind:?} of {other:?}");
        }
        let opened = (one.opens)(&one.text, &others, holder, NOW);
        assert!(!opened, "{kind:?} with other keys");
        // cut, doubled, altered
        for cut in 0..one.text.len() {
            let opened = opens(&one.text[..cut]) || opens(&one.text[cut + 1..]);
            assert!(!opened, "{kind:?} cut at {cut}");
        }
        assert!(!opens(&one.text.repeat(2)), "{kind:?} doubled");
        for position in (0..one.text.len()).step_by(7) {
            let altered = with_other_character(&one.text, position);
            assert!(!opens(&altered), "{kind:?} altered at {position}");
        }
        for text in [
            "",
            "=",
            "\u{fc}",
            &"A".repeat(8193),
            &Session::of_alice().to_cookie(&keys),
        ] {
            assert!(!opens(text), "{kind:?} {text}");
        }
        // another kind, also with this kind's associated data
        for other in &samples {
            let is_same = other.kind == kind;
            assert_eq!(opens(&other.text), is_same, "{:?} as {kind:?}", other.kind);
        }
        let sealed = BASE64URL_NOPAD.decode(one.text.as_bytes()).unwrap();
        let plain = keys.unseal(kind.sealed_as(), &sealed).unwrap();
        for other in TokenKind::ALL.into_iter().filter(|other| *other != kind) {
            let name = |kind: TokenKind| serde_json::to_string(&kind).unwrap();
            let text = String::from_utf8(plain.to_vec()).unwrap();
            let forged = text.replacen(&name(kind), &name(other), 1);
            let sealed = keys.seal(kind.sealed_as(), forged.as_bytes()).unwrap();
            let opened = opens(&BASE64URL_NOPAD.encode(&sealed));
            assert!(!opened, "{kind:?} with the name {other:?}");
        }
    }
}

#[test]
fn the_token_of_the_next_step_has_the_remaining_lifetime() {
    let (keys, holder, name) = (TokenKeys::fresh(), TokenHolder::User(1000), alice());
    let to = TokenRecipient {
        account: &name,
        at: Some(at()),
        holder,
        parent: TokenParent::Peer,
    };
    let draft = Token::issue(&keys, to, draft(), NOW).unwrap();
    let next = draft
        .into_next(|draft| ConfirmedEnrollment {
            draft,
            step: Step(7),
        })
        .seal(&keys)
        .unwrap();
    let opens =
        |at| Token::<ConfirmedEnrollment>::open(&next, &keys, holder, Timestamp(at)).is_some();
    assert!(opens(NOW.0) && opens(NOW.0 + 899) && !opens(NOW.0 + 900) && !opens(NOW.0 - 1));
}

#[test]
fn tokens_of_a_session_expire_with_it() {
    let keys = TokenKeys::fresh();
    let session = Session {
        expires: NOW.plus(60),
        ..Session::of_alice()
    };
    let access = AccessToken::issue_access(&session, &keys, NOW.plus(3600), NOW).unwrap();
    assert_eq!(access.seconds_left(NOW), 60);
    let text = access.seal(&keys).unwrap();
    let opened = AccessToken::open_access(&text, &keys, NOW);
    assert_eq!(opened, Some(session.clone()));
    assert_eq!(AccessToken::open_access(&text, &keys, NOW.plus(60)), None);
    let refresh = RefreshToken::issue_first(&session, &keys, NOW).unwrap();
    let text = refresh.seal(&keys).unwrap();
    let opened = RefreshToken::open_refresh(&text, &keys, NOW).unwrap();
    assert_eq!((opened.session(&keys), opened.number()), (Some(session), 0));
    assert!(RefreshToken::open_refresh(&text, &keys, NOW.plus(60)).is_none());
}

#[test]
fn an_access_token_is_valid_for_fifteen_minutes() {
    let (keys, session) = (TokenKeys::fresh(), Session::of_alice());
    let long = AccessToken::issue_access(&session, &keys, NOW.plus(12 * 3600), NOW).unwrap();
    assert_eq!(long.seconds_left(NOW), 900);
    let short = AccessToken::issue_access(&session, &keys, NOW.plus(60), NOW).unwrap();
    assert_eq!(short.seconds_left(NOW), 60);
}

#[test]
fn the_longest_return_address_fits_a_cookie_that_browsers_keep() {
    let (keys, name) = (TokenKeys::fresh(), longest_name());
    for back_to in ["x".repeat(2048), "\"".repeat(2048)] {
        let to = || TokenRecipient {
            account: &name,
            at: Some(at()),
            holder: TokenHolder::Bearer,
            parent: TokenParent::session(&Session::of_alice()),
        };
        let methods = CodeMethods::AppOrMail("a\u{2022}\u{2022}\u{2022}@example.com".to_owned());
        let login = LoginPayload {
            digits: 8,
            methods,
            back_to: back_to.clone(),
            needs_passkey: false,
        };
        let login = Token::issue(&keys, to(), login, NOW).unwrap();
        let login = login.seal(&keys).unwrap();
        let enrollment = WebEnrollment {
            may: EnrollmentPermission::Yes,
            back_to: back_to.clone(),
        };
        let enrollment = Token::issue(&keys, to(), enrollment, NOW).unwrap();
        let enrollment = enrollment.seal(&keys).unwrap();
        for cookie in [&login, &enrollment] {
            assert!(cookie.len() <= envelope::LONGEST_COOKIE, "{}", cookie.len());
        }
        let opened = LoginToken::open_login(&login, &keys, NOW).unwrap();
        let is_dropped = opened.payload().back_to.is_empty();
        assert_eq!(is_dropped, back_to.starts_with('"'), "kept where it fits");
        assert!(EnrollmentToken::open_enrollment(&enrollment, &keys, NOW).is_some());
    }
}

#[test]
fn the_largest_token_fits_a_frame() {
    let config: Config = toml::from_str("[recovery]\ncount = 20\nlength = 32").unwrap();
    let account = longest_name();
    let seed = Zeroizing::new(vec![255; crate::credential::otp::secret::LONGEST]);
    let seed = Secret::from_bytes(seed).unwrap();
    let pending = PendingEnrollment::new(&config, &account)
        .unwrap()
        .with_label(Label::try_from("\"".repeat(crate::account::name::LONGEST_LABEL)).unwrap())
        .with_secret(seed);
    let snapshot = AccountSnapshot {
        account: Some((AccountId(i64::MAX), u64::MAX)),
        recovery: Some([255; 32]),
        keys: [255; 32],
    };
    let keys = TokenKeys::fresh();
    let to = TokenRecipient {
        account: &account,
        at: snapshot.at(),
        holder: TokenHolder::Enrollment(TokenId([255; 16])),
        parent: TokenParent::session(&Session::of_alice()),
    };
    let draft = Token::issue(&keys, to, draft_of(pending, snapshot), NOW).unwrap();
    let text = draft
        .into_next(|draft| ConfirmedEnrollment {
            draft,
            step: Step(u64::MAX),
        })
        .seal(&keys)
        .unwrap();
    assert!(text.len() < 8192 / 2, "{}", text.len());
}
