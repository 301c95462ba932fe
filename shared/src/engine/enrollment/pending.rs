//! An authenticator in the making: secret, QR text, and with the first one recovery codes, in memory only. Nothing
//! of it is stored before it is confirmed, so a cancelled setup leaves no trace.

use crate::account::name::{Label, UserName};
use crate::account::record::AccountId;
use crate::account::second_factor::{Enrolled, MailStatus};
use crate::config::Config;
use crate::config::value::SingleLine;
use crate::credential::input::Input;
use crate::credential::otpauth_uri;
use crate::credential::recovery_code::RecoveryCode;
use crate::credential::secret::{RandomError, Secret};
use crate::credential::totp::{OtpKind, OtpParameters, Step};
use crate::crypto::vault::SecretFingerprint;
use crate::system::clock::Timestamp;
use crate::token::{AccountVersion, TokenParent};
use crate::verify::account::{AccountCredentials, LiveAuthenticator};
use crate::verify::decision::{Attempt, Consumed, Invitation, Refusal, decide};
use crate::verify::throttle::{Bucket, Phase};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What is shown during setup, once.
pub struct PendingEnrollment {
    name: UserName,
    label: Label,
    secret: Secret,
    parameters: OtpParameters,
    first: Step,
    issuer: String,
    kind: EnrollmentKind,
    recovery_codes: Vec<RecoveryCode>,
    footing: Option<AccountSnapshot>,
    parent: Option<TokenParent>,
    invitation: Option<Invitation>,
}

/// How an account stood when something was begun that is finished later. Whatever has changed since makes it stale:
/// it cannot undo a revocation, nor be finished twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountSnapshot {
    /// Its number and generation, if there was one.
    pub(crate) account: Option<(AccountId, u64)>,
    /// What tells its set of recovery codes from every other.
    pub(crate) recovery: Option<[u8; 32]>,
    /// What tells the data keys from others: whoever stole some forges nothing once they are renewed.
    pub(crate) keys: [u8; 32],
}

impl AccountSnapshot {
    /// The account as a token says it.
    pub(crate) fn at(&self) -> Option<AccountVersion> {
        self.account
            .map(|(id, generation)| AccountVersion { id, generation })
    }
}

/// What comes of a setup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnrollmentKind {
    /// A second factor where there was none, with recovery codes.
    First,
    /// A second factor in place of the one that there is, with recovery codes.
    Replacement,
    /// One authenticator more.
    Further,
}

/// Why an enrolment may be made active: the person has shown a code, whose step is spent, or an administrator
/// vouches.
#[derive(Debug)]
pub struct EnrollmentConfirmation(Option<Step>);

impl EnrollmentConfirmation {
    /// An administrator's word instead of a code.
    pub fn vouched() -> EnrollmentConfirmation {
        EnrollmentConfirmation(None)
    }

    /// One that was given earlier, and sealed.
    pub(crate) fn given(step: Step) -> EnrollmentConfirmation {
        EnrollmentConfirmation(Some(step))
    }

    /// The step that the confirming code spent.
    pub(crate) fn step(&self) -> Option<Step> {
        self.0
    }
}

impl PendingEnrollment {
    /// A new secret and new recovery codes for `name`.
    pub fn new(config: &Config, name: &UserName) -> Result<PendingEnrollment, RandomError> {
        let recovery_codes = config.recovery.generate_codes()?;
        Ok(PendingEnrollment {
            kind: EnrollmentKind::First,
            recovery_codes,
            ..PendingEnrollment::further(config, name)?
        })
    }

    /// The same, in place of the second factor that there is.
    pub fn replacement(config: &Config, name: &UserName) -> Result<PendingEnrollment, RandomError> {
        Ok(PendingEnrollment {
            kind: EnrollmentKind::Replacement,
            ..PendingEnrollment::new(config, name)?
        })
    }

    /// A new secret for an additional authenticator.
    pub fn further(config: &Config, name: &UserName) -> Result<PendingEnrollment, RandomError> {
        Ok(PendingEnrollment {
            name: name.clone(),
            label: Label::try_from("app".to_owned()).expect("it is short and plain"),
            secret: Secret::random()?,
            parameters: config.totp.otp_parameters(),
            first: Step(0),
            issuer: issuer(config),
            kind: EnrollmentKind::Further,
            recovery_codes: Vec::new(),
            footing: None,
            parent: None,
            invitation: None,
        })
    }

    /// With a name of its own.
    #[must_use]
    pub fn called(self, label: Label) -> PendingEnrollment {
        PendingEnrollment { label, ..self }
    }

    /// With other parameters; one by counter begins at `first`.
    #[must_use]
    pub fn with_parameters(self, parameters: OtpParameters, first: Step) -> PendingEnrollment {
        PendingEnrollment {
            parameters,
            first,
            ..self
        }
    }

    /// With the seed of a token that exists.
    #[must_use]
    pub fn with_secret(self, secret: Secret) -> PendingEnrollment {
        PendingEnrollment { secret, ..self }
    }

    /// Of this kind, with recovery codes that were shown.
    #[must_use]
    pub(crate) fn restored(
        self,
        kind: EnrollmentKind,
        recovery_codes: Vec<RecoveryCode>,
    ) -> PendingEnrollment {
        PendingEnrollment {
            kind,
            recovery_codes,
            ..self
        }
    }

    /// To become active only while the account stands so.
    #[must_use]
    pub(crate) fn on(self, footing: AccountSnapshot) -> PendingEnrollment {
        PendingEnrollment {
            footing: Some(footing),
            ..self
        }
    }

    /// To become active only while that is alive.
    #[must_use]
    pub(crate) fn born_of(self, parent: TokenParent) -> PendingEnrollment {
        PendingEnrollment {
            parent: Some(parent),
            ..self
        }
    }

    /// What must be alive.
    pub(crate) fn parent(&self) -> Option<&TokenParent> {
        self.parent.as_ref()
    }

    /// To spend the one-time code that allowed it.
    #[must_use]
    pub(crate) fn invited(self, invitation: Invitation) -> PendingEnrollment {
        PendingEnrollment {
            invitation: Some(invitation),
            ..self
        }
    }

    /// How the account must stand.
    pub(crate) fn footing(&self) -> Option<&AccountSnapshot> {
        self.footing.as_ref()
    }

    /// The one-time code to spend.
    pub(crate) fn invitation(&self) -> Option<Invitation> {
        self.invitation
    }

    /// For whom.
    pub fn name(&self) -> &UserName {
        &self.name
    }

    /// What the person calls it.
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// The first counter whose code counts.
    pub fn first(&self) -> Step {
        self.first
    }

    /// The secret.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The text of the QR.
    pub fn url(&self) -> Zeroizing<String> {
        otpauth_uri::format_uri(
            &self.issuer,
            self.name.as_str(),
            &self.secret,
            self.parameters,
            self.first,
        )
    }

    /// The recovery codes; none for an additional authenticator.
    pub fn recovery_codes(&self) -> &[RecoveryCode] {
        &self.recovery_codes
    }

    /// What comes of it.
    pub fn kind(&self) -> EnrollmentKind {
        self.kind
    }

    /// How the authenticator makes codes.
    pub fn parameters(&self) -> OtpParameters {
        self.parameters
    }

    /// The floor that a counter begins with; time needs none.
    pub(crate) fn before_first(&self) -> Option<Step> {
        match self.parameters.moving {
            OtpKind::Time { .. } => None,
            OtpKind::Counter => self.first.0.checked_sub(1).map(Step),
        }
    }

    /// Confirms by a current code.
    pub fn confirm(
        &self,
        answer: &Input,
        config: &Config,
        now: Timestamp,
    ) -> Result<EnrollmentConfirmation, Refusal> {
        let account = AccountCredentials {
            enrolled: Enrolled::Yes,
            authenticators: vec![LiveAuthenticator {
                secret: self.secret.clone(),
                parameters: self.parameters,
                fingerprint: SecretFingerprint([0; 32]),
                floor: self.before_first(),
                used_above: Vec::new(),
            }],
            decoy: None,
            mail: MailStatus::Off,
            mailed_code: None,
            recovery_codes: Vec::new(),
            one_time_code: None,
            bucket: Bucket::default(),
            address_wait: None,
        };
        let stage = Phase::After;
        let attempt = Attempt {
            input: answer,
            recovery_hash: None,
            one_time_hash: None,
            mailed_hash: None,
            configured_length: config.recovery.length.value(),
            phase: stage,
        };
        match decide(&account, &attempt, &config.totp, &config.throttle, now).result {
            Err(refusal) => Err(refusal),
            Ok(accepted) => match accepted.consumed() {
                Consumed::Step(_, step) => Ok(EnrollmentConfirmation(Some(step))),
                Consumed::RecoveryCode(_) | Consumed::OneTimeCode | Consumed::MailedCode => {
                    Err(Refusal::Malformed)
                }
            },
        }
    }
}

/// The name that people know this host by.
pub fn issuer(config: &Config) -> String {
    config
        .totp
        .issuer
        .as_ref()
        .map_or_else(host_name, |issuer| issuer.as_str().to_owned())
}

/// The host's name up to the first dot.
fn host_name() -> String {
    let name = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok());
    let short = name
        .as_deref()
        .and_then(|name| name.split('.').next())
        .unwrap_or_default()
        .to_owned();
    SingleLine::try_from(short).map_or_else(|_| "postern".to_owned(), String::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::totp::generate_code;

    const NOW: Timestamp = Timestamp(1_800_000_015);

    fn pending(config: &Config) -> PendingEnrollment {
        PendingEnrollment::new(config, &"alice".parse().unwrap()).unwrap()
    }

    #[test]
    fn two_setups_differ_in_everything() {
        let config = Config::default();
        let (one, two) = (pending(&config), pending(&config));
        assert_ne!(one.url(), two.url());
        for code in one.recovery_codes() {
            assert!(
                two.recovery_codes()
                    .iter()
                    .all(|other| other.plain() != code.plain())
            );
        }
        assert_eq!(
            (one.recovery_codes().len(), one.secret().expose().len()),
            (6, 20)
        );
    }

    #[test]
    fn a_current_code_confirms_and_its_step_is_remembered() {
        let config = Config::default();
        let pending = pending(&config);
        let step = pending.parameters().moving.step_at(NOW).unwrap();
        let code = generate_code(pending.secret(), pending.parameters(), step);
        let confirmation = pending
            .confirm(&Input::parse(code.as_bytes()), &config, NOW)
            .ok()
            .unwrap();
        assert_eq!(confirmation.step(), Some(step));
    }

    #[test]
    fn a_wrong_code_confirms_nothing() {
        let config = Config::default();
        let refusal = pending(&config)
            .confirm(&Input::parse(b"12"), &config, NOW)
            .err();
        assert_eq!(refusal, Some(Refusal::Malformed));
    }

    #[test]
    fn with_disable_there_is_one_recovery_code() {
        let config: Config = toml::from_str("[recovery]\non_use = \"disable\"").unwrap();
        assert_eq!(pending(&config).recovery_codes().len(), 1);
    }

    #[test]
    fn the_usual_url_fits_a_terminal() {
        let config: Config = toml::from_str("[totp]\nissuer = \"server-01\"").unwrap();
        let pending = PendingEnrollment::new(&config, &"demonstration".parse().unwrap()).unwrap();
        assert!(pending.url().len() <= 134, "{}", pending.url().len());
    }
}
