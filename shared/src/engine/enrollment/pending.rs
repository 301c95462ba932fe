//! A pending enrollment: secret, otpauth URI, and recovery codes with a first authenticator, in
//! memory only. The store keeps nothing before confirmation, so a cancelled enrollment changes
//! nothing.

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
use crate::verify::decision::{AcceptedEnrollmentCode, Attempt, Consumed, Refusal, decide};
use crate::verify::throttle::{Phase, ThrottleBucket};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// An enrollment that is not activated yet. Its secret and recovery codes are shown once.
pub struct PendingEnrollment {
    name: UserName,
    label: Label,
    secret: Secret,
    parameters: OtpParameters,
    first: Step,
    issuer: String,
    kind: EnrollmentKind,
    recovery_codes: Vec<RecoveryCode>,
    snapshot: Option<AccountSnapshot>,
    parent: Option<TokenParent>,
    invitation: Option<AcceptedEnrollmentCode>,
}

/// State of an account when an act of several steps began. Any later change makes the act stale: it
/// cannot undo a revocation, and it cannot be finished twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountSnapshot {
    /// Id and generation; `None` if there was no account.
    pub(crate) account: Option<(AccountId, u64)>,
    /// Identifies the set of recovery codes.
    pub(crate) recovery: Option<[u8; 32]>,
    /// Identifies the data keys, so that stolen keys forge no token after the keys were renewed.
    pub(crate) keys: [u8; 32],
}

impl AccountSnapshot {
    pub(crate) fn at(&self) -> Option<AccountVersion> {
        self.account
            .map(|(id, generation)| AccountVersion { id, generation })
    }
}

/// What an activation adds or replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnrollmentKind {
    /// A first second factor, with recovery codes.
    First,
    /// A second factor that replaces all authenticators, with new recovery codes.
    Replacement,
    /// An additional authenticator, without recovery codes.
    Further,
}

/// Permission to activate an enrollment: the time step of the code that the user has entered, or
/// `None` where an administrator vouches for it.
#[derive(Debug)]
pub struct EnrollmentConfirmation(Option<Step>);

impl EnrollmentConfirmation {
    pub fn by_administrator() -> EnrollmentConfirmation {
        EnrollmentConfirmation(None)
    }

    /// Restores a confirmation from a sealed token.
    pub(crate) fn by_code(step: Step) -> EnrollmentConfirmation {
        EnrollmentConfirmation(Some(step))
    }

    /// Returns the time step that the confirming code consumes.
    pub(crate) fn step(&self) -> Option<Step> {
        self.0
    }
}

impl PendingEnrollment {
    /// Makes a first enrollment with a random secret and random recovery codes.
    pub fn new(config: &Config, name: &UserName) -> Result<PendingEnrollment, RandomError> {
        let recovery_codes = config.recovery.generate_codes()?;
        Ok(PendingEnrollment {
            kind: EnrollmentKind::First,
            recovery_codes,
            ..PendingEnrollment::further(config, name)?
        })
    }

    /// Makes an enrollment that replaces the existing second factor.
    pub fn replacement(config: &Config, name: &UserName) -> Result<PendingEnrollment, RandomError> {
        Ok(PendingEnrollment {
            kind: EnrollmentKind::Replacement,
            ..PendingEnrollment::new(config, name)?
        })
    }

    /// Makes an enrollment of an additional authenticator.
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
            snapshot: None,
            parent: None,
            invitation: None,
        })
    }

    #[must_use]
    pub fn with_label(self, label: Label) -> PendingEnrollment {
        PendingEnrollment { label, ..self }
    }

    /// Sets the parameters. A HOTP authenticator begins at counter `first`.
    #[must_use]
    pub fn with_parameters(self, parameters: OtpParameters, first: Step) -> PendingEnrollment {
        PendingEnrollment {
            parameters,
            first,
            ..self
        }
    }

    /// Sets the secret of an existing hardware token.
    #[must_use]
    pub fn with_secret(self, secret: Secret) -> PendingEnrollment {
        PendingEnrollment { secret, ..self }
    }

    /// Sets the kind and the recovery codes that were shown.
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

    /// Makes activation fail if the account is no longer in the state of this snapshot.
    #[must_use]
    pub(crate) fn with_snapshot(self, snapshot: AccountSnapshot) -> PendingEnrollment {
        PendingEnrollment {
            snapshot: Some(snapshot),
            ..self
        }
    }

    /// Makes activation fail if the parent session or first factor has ended.
    #[must_use]
    pub(crate) fn with_parent(self, parent: TokenParent) -> PendingEnrollment {
        PendingEnrollment {
            parent: Some(parent),
            ..self
        }
    }

    pub(crate) fn parent(&self) -> Option<&TokenParent> {
        self.parent.as_ref()
    }

    /// Makes activation consume the one-time code that permitted the enrollment.
    #[must_use]
    pub(crate) fn with_invitation(self, invitation: AcceptedEnrollmentCode) -> PendingEnrollment {
        PendingEnrollment {
            invitation: Some(invitation),
            ..self
        }
    }

    pub(crate) fn snapshot(&self) -> Option<&AccountSnapshot> {
        self.snapshot.as_ref()
    }

    pub(crate) fn invitation(&self) -> Option<AcceptedEnrollmentCode> {
        self.invitation
    }

    pub fn name(&self) -> &UserName {
        &self.name
    }

    pub fn label(&self) -> &Label {
        &self.label
    }

    /// First counter whose code is accepted.
    pub fn first(&self) -> Step {
        self.first
    }

    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Returns the otpauth URI, which is the text of the QR code.
    pub fn url(&self) -> Zeroizing<String> {
        otpauth_uri::format_uri(
            &self.issuer,
            self.name.as_str(),
            &self.secret,
            self.parameters,
            self.first,
        )
    }

    /// Recovery codes; empty for an additional authenticator.
    pub fn recovery_codes(&self) -> &[RecoveryCode] {
        &self.recovery_codes
    }

    pub fn kind(&self) -> EnrollmentKind {
        self.kind
    }

    pub fn parameters(&self) -> OtpParameters {
        self.parameters
    }

    /// Floor that a HOTP authenticator begins with. A TOTP authenticator begins without one.
    pub(crate) fn before_first(&self) -> Option<Step> {
        match self.parameters.moving {
            OtpKind::Time { .. } => None,
            OtpKind::Counter => self.first.0.checked_sub(1).map(Step),
        }
    }

    /// Verifies a current code of the new authenticator.
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
            bucket: ThrottleBucket::default(),
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

/// Returns the issuer shown in authenticator apps: the configured one, or the host's name.
pub fn issuer(config: &Config) -> String {
    config
        .totp
        .issuer
        .as_ref()
        .map_or_else(host_name, |issuer| issuer.as_str().to_owned())
}

/// Returns the host's name up to its first dot.
fn host_name() -> String {
    let name = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok());
    let short = name
        .as_deref()
        .and_then(|name| name.split('.').next())
        .unwrap_or_default()
        .to_owned();
    SingleLine::try_from(short)
        .map_or_else(|_| "postern".to_owned(), |line| line.as_str().to_owned())
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
    fn two_enrollments_differ_in_everything() {
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
