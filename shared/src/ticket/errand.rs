//! The tickets of errands that take several steps. The gate keeps nothing of a setup before it is finished: what it
//! made goes to whoever asked, sealed, and comes back with the next step.

use super::LONGEST;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::decision::Invitation;
use crate::enrolment::{EnrolmentKind, Footing, Pending};
use crate::errand::Typed;
use crate::name::{Label, UserName};
use crate::recovery::RecoveryCode;
use crate::secret::{RandomError, Secret, SecretError};
use crate::session::SessionId;
use crate::totp::{Parameters, Step};
use crate::vault::{TokenKeys, VaultError};
use data_encoding::BASE64URL_NOPAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// How long an errand may take, in seconds.
const LIFE: u64 = 900;

/// What is sealed, and for which next step.
pub(crate) trait Purpose: Serialize + DeserializeOwned {
    /// Another kind's ticket does not open.
    const KIND: &str;
}

/// Who began something that takes several steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Holder {
    /// Root.
    Root,
    /// A user of this host.
    User(u32),
    /// Who is signed in by this session.
    Session(SessionId),
    /// The browser that has the setup ticket of this number.
    Browser([u8; 16]),
}

/// A ticket to the next step.
#[derive(Serialize, Deserialize)]
pub(crate) struct ErrandTicket<T> {
    /// Whose account.
    pub(crate) account: UserName,
    /// Who began it, and may bring it back.
    pub(crate) holder: Holder,
    /// Until when it is good.
    expires: Timestamp,
    /// How the account stood when it was begun.
    pub(crate) footing: Footing,
    /// What was made.
    pub(crate) what: T,
}

impl<T: Purpose> ErrandTicket<T> {
    /// One for an errand that begins now.
    pub(crate) fn begun(
        account: &UserName,
        holder: Holder,
        footing: Footing,
        what: T,
        now: Timestamp,
    ) -> ErrandTicket<T> {
        ErrandTicket { account: account.clone(), holder, expires: now.plus(LIFE), footing, what }
    }

    /// One for the step after this one, for the time that is left.
    pub(crate) fn next<N>(self, next: impl FnOnce(T) -> N) -> ErrandTicket<N> {
        let ErrandTicket { account, holder, expires, footing, what } = self;
        ErrandTicket { account, holder, expires, footing, what: next(what) }
    }

    /// The text that goes to whoever asked.
    pub(crate) fn seal(&self, keys: &TokenKeys) -> Result<Typed, VaultError> {
        let mut plain = Zeroizing::new(Vec::with_capacity(LONGEST));
        serde_json::to_writer(&mut *plain, self).map_err(|_| VaultError::Incomplete)?;
        Ok(BASE64URL_NOPAD.encode(&keys.seal(T::KIND, &plain)?).into())
    }

    /// Opens what came back, if it is good at `now` for this account and this holder.
    pub(crate) fn open(
        text: &str,
        keys: &TokenKeys,
        account: &UserName,
        holder: Holder,
        now: Timestamp,
    ) -> Option<ErrandTicket<T>> {
        if text.len() > LONGEST {
            return None;
        }
        let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let plain = keys.unseal(T::KIND, &sealed)?;
        let ticket: ErrandTicket<T> = serde_json::from_slice(&plain).ok()?;
        // A clock that was set back must not lengthen it.
        let in_time = now < ticket.expires && ticket.expires.since(now) <= LIFE;
        (in_time && ticket.account == *account && ticket.holder == holder).then_some(ticket)
    }
}

/// An authenticator that was shown and not confirmed yet.
#[derive(Serialize, Deserialize)]
pub(crate) struct Draft {
    label: Label,
    parameters: Parameters,
    first: Step,
    secret: Typed,
    kind: EnrolmentKind,
    recovery_codes: Vec<Typed>,
    invitation: Option<Invitation>,
}

impl Purpose for Draft {
    const KIND: &str = "postern setup ticket";
}

impl Draft {
    /// What is kept of a setup between two steps.
    pub(crate) fn of(pending: &Pending, invitation: Option<Invitation>) -> Draft {
        let code = |code: &RecoveryCode| Typed::from(code.plain().to_owned());
        Draft {
            label: pending.label().clone(),
            parameters: pending.parameters(),
            first: pending.first(),
            secret: pending.secret().to_base32().into(),
            kind: pending.kind(),
            recovery_codes: pending.recovery_codes().iter().map(code).collect(),
            invitation,
        }
    }

    /// The setup again.
    pub(crate) fn pending(
        &self,
        config: &Config,
        account: &UserName,
        footing: &Footing,
    ) -> Result<Pending, DraftError> {
        let secret = Secret::from_base32(&self.secret).map_err(DraftError::Secret)?;
        let pending = Pending::further(config, account)
            .map_err(DraftError::Random)?
            .restored(self.kind, restored(&self.recovery_codes))
            .called(self.label.clone())
            .with_parameters(self.parameters, self.first)
            .with_secret(secret)
            .on(footing.clone());
        Ok(match self.invitation {
            Some(invitation) => pending.invited(invitation),
            None => pending,
        })
    }
}

/// Why a draft gives no setup.
pub(crate) enum DraftError {
    Secret(SecretError),
    Random(RandomError),
}

/// An authenticator that a code has confirmed.
#[derive(Serialize, Deserialize)]
pub(crate) struct Confirmed {
    pub(crate) draft: Draft,
    pub(crate) step: Step,
}

impl Purpose for Confirmed {
    const KIND: &str = "postern confirmed setup ticket";
}

/// Recovery codes that were shown and are not good yet.
#[derive(Serialize, Deserialize)]
pub(crate) struct NewCodes(Vec<Typed>);

impl Purpose for NewCodes {
    const KIND: &str = "postern recovery codes ticket";
}

impl NewCodes {
    /// What is kept of a new set between two steps.
    pub(crate) fn of(codes: &[RecoveryCode]) -> NewCodes {
        NewCodes(codes.iter().map(|code| code.plain().to_owned().into()).collect())
    }

    /// The set again.
    pub(crate) fn codes(&self) -> Vec<RecoveryCode> {
        restored(&self.0)
    }
}

fn restored(codes: &[Typed]) -> Vec<RecoveryCode> {
    codes.iter().map(|code| RecoveryCode::restored(Zeroizing::new((**code).to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::MasterKeys;
    use crate::store::AccountId;
    use crate::vault::Vault;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn name(text: &str) -> UserName {
        text.parse().unwrap()
    }

    #[test]
    fn a_ticket_is_good_for_its_owner_its_step_and_its_time_only() {
        let (masters, _) = MasterKeys::generate().unwrap();
        let keys = Vault::open(&masters, &Vault::create(&masters).unwrap()).unwrap().token_keys();
        let footing = Footing { account: Some((AccountId(1), 2)), recovery: None, keys: [0; 32] };
        let codes = NewCodes::of(&[RecoveryCode::random(10).unwrap()]);
        let sealed =
            ErrandTicket::begun(&name("alice"), Holder::User(1000), footing, codes, NOW).seal(&keys).unwrap();
        let open = |text: &str, who: &str, holder, now| {
            ErrandTicket::<NewCodes>::open(text, &keys, &name(who), holder, Timestamp(now)).is_some()
        };
        assert!(open(&sealed, "alice", Holder::User(1000), NOW.0 + LIFE - 1));
        for now in [NOW.0 + LIFE, NOW.0 - 1] {
            assert!(!open(&sealed, "alice", Holder::User(1000), now), "{now}");
        }
        assert!(!open(&sealed, "bob", Holder::User(1000), NOW.0));
        assert!(!open(&sealed, "alice", Holder::User(1001), NOW.0));
        assert!(!open(&sealed, "alice", Holder::Root, NOW.0));
        assert!(!open(&sealed[1..], "alice", Holder::User(1000), NOW.0));
        assert!(!open(&"A".repeat(LONGEST + 1), "alice", Holder::User(1000), NOW.0));
        let as_another = ErrandTicket::<Draft>::open(&sealed, &keys, &name("alice"), Holder::User(1000), NOW);
        assert!(as_another.is_none());
    }

    #[test]
    fn the_largest_ticket_fits_an_errand() {
        let (masters, _) = MasterKeys::generate().unwrap();
        let keys = Vault::open(&masters, &Vault::create(&masters).unwrap()).unwrap().token_keys();
        let config: Config = toml::from_str("[recovery]\ncount = 20\nlength = 32").unwrap();
        let account = name(&"ü".repeat(crate::name::LONGEST / 2));
        let seed = Secret::from_bytes(Zeroizing::new(vec![255; crate::secret::LONGEST])).unwrap();
        let pending = Pending::new(&config, &account)
            .unwrap()
            .called(Label::try_from("\"".repeat(crate::name::LONGEST_LABEL)).unwrap())
            .with_secret(seed);
        let footing = Footing {
            account: Some((AccountId(i64::MAX), u64::MAX)),
            recovery: Some([255; 32]),
            keys: [255; 32],
        };
        let ticket = ErrandTicket::begun(
            &account,
            Holder::Browser([255; 16]),
            footing,
            Draft::of(&pending, None),
            NOW,
        )
        .next(|draft| Confirmed { draft, step: Step(u64::MAX) })
        .seal(&keys)
        .unwrap();
        assert!(ticket.len() < LONGEST / 2, "{}", ticket.len());
    }
}
