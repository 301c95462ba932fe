//! A pending enrollment: secret, otpauth URI, and recovery codes with a first authenticator. The
//! store keeps nothing before activation, so a cancelled enrollment changes nothing: between two
//! steps the caller holds the draft in a sealed token.

use super::sealed_fields::sealed_recovery_codes;
use crate::account::name::{Label, UserName};
use crate::account::record::AccountId;
use crate::account::second_factor::{Enrolled, MailStatus};
use crate::config::Config;
use crate::config::value::SingleLine;
use crate::credential::input::Input;
use crate::credential::otp::otpauth_uri;
use crate::credential::otp::secret::Secret;
use crate::credential::otp::totp::{OtpKind, OtpParameters, Step};
use crate::credential::recovery_code::RecoveryCode;
use crate::crypto::vault::SecretFingerprint;
use crate::engine::AdministrationError;
use crate::protocol::command_request::{AuthenticatorKind, EnrollmentOperation, TypedText};
use crate::system::clock::Timestamp;
use crate::system::random::RandomError;
use crate::token::AccountVersion;
use crate::verify::account::{AccountCredentials, LiveAuthenticator};
use crate::verify::decision::{Attempt, Consumed, Refusal, decide};
use crate::verify::one_time_code::AcceptedEnrollmentCode;
use crate::verify::throttle::{Phase, ThrottleBucket};
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

/// An enrollment that is not activated yet. Its secret and recovery codes are shown once.
pub struct PendingEnrollment {
    pub(super) name: UserName,
    issuer: String,
    pub(crate) draft: EnrollmentDraft,
}

/// A pending enrollment as a sealed token carries it.
#[derive(Serialize, Deserialize)]
pub(crate) struct EnrollmentDraft {
    /// Activation fails if the account is no longer in this state. Every sealed draft has it.
    #[serde(rename = "footing", deserialize_with = "required_snapshot")]
    pub(crate) snapshot: Option<AccountSnapshot>,
    pub(super) label: Label,
    pub(super) parameters: OtpParameters,
    /// First counter whose code is accepted.
    first: Step,
    #[serde(with = "super::sealed_fields::sealed_secret")]
    pub(super) secret: Secret,
    pub(super) kind: EnrollmentKind,
    /// Empty for an additional authenticator.
    #[serde(with = "sealed_recovery_codes")]
    pub(super) recovery_codes: Vec<RecoveryCode>,
    /// The one-time code that permitted the enrollment, which activation consumes.
    #[serde(rename = "invitation")]
    pub(super) accepted_code: Option<AcceptedEnrollmentCode>,
}

fn required_snapshot<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<AccountSnapshot>, D::Error> {
    AccountSnapshot::deserialize(deserializer).map(Some)
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
    pub(super) fn by_code(step: Step) -> EnrollmentConfirmation {
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
        let mut pending = PendingEnrollment::further(config, name)?;
        pending.draft.kind = EnrollmentKind::First;
        pending.draft.recovery_codes = config.recovery.generate_codes()?;
        Ok(pending)
    }

    /// Makes an enrollment that replaces the existing second factor.
    pub fn replacement(config: &Config, name: &UserName) -> Result<PendingEnrollment, RandomError> {
        let mut pending = PendingEnrollment::new(config, name)?;
        pending.draft.kind = EnrollmentKind::Replacement;
        Ok(pending)
    }

    /// Makes an enrollment of an additional authenticator.
    pub fn further(config: &Config, name: &UserName) -> Result<PendingEnrollment, RandomError> {
        Ok(PendingEnrollment {
            name: name.clone(),
            issuer: issuer(config),
            draft: EnrollmentDraft {
                snapshot: None,
                label: Label::try_from("app".to_owned()).expect("it is short and plain"),
                parameters: config.totp.otp_parameters(),
                first: Step(0),
                secret: Secret::random()?,
                kind: EnrollmentKind::Further,
                recovery_codes: Vec::new(),
                accepted_code: None,
            },
        })
    }

    /// Makes the pending enrollment of a request. Its secret is random unless the request has a
    /// seed.
    pub(crate) fn from_operation(
        config: &Config,
        account: &UserName,
        operation: &EnrollmentOperation,
    ) -> Result<PendingEnrollment, AdministrationError> {
        let pending = match operation.kind {
            AuthenticatorKind::First => PendingEnrollment::new(config, account),
            AuthenticatorKind::Further => PendingEnrollment::further(config, account),
        };
        let defaults = config.totp.otp_parameters();
        let parameters = OtpParameters {
            algorithm: operation.algorithm.unwrap_or(defaults.algorithm),
            digits: operation.digits.unwrap_or(defaults.digits),
            moving: match (operation.counter, operation.period) {
                (Some(_), _) => OtpKind::Counter,
                (None, Some(period)) => OtpKind::Time { period },
                (None, None) => defaults.moving,
            },
        };
        let parameters = parameters
            .check()
            .map_err(AdministrationError::Authenticator);
        let pending = pending?
            .with_label(operation.name.clone())
            .with_parameters(parameters?, Step(operation.counter.unwrap_or_default()));
        Ok(match &operation.seed {
            Some(seed) => pending
                .with_secret(Secret::from_seed(seed).map_err(AdministrationError::Authenticator)?),
            None => pending,
        })
    }

    #[must_use]
    pub fn with_label(mut self, label: Label) -> PendingEnrollment {
        self.draft.label = label;
        self
    }

    /// Sets the parameters. A HOTP authenticator begins at counter `first`.
    #[must_use]
    pub fn with_parameters(mut self, parameters: OtpParameters, first: Step) -> PendingEnrollment {
        (self.draft.parameters, self.draft.first) = (parameters, first);
        self
    }

    /// Sets the secret of an existing hardware token.
    #[must_use]
    pub fn with_secret(mut self, secret: Secret) -> PendingEnrollment {
        self.draft.secret = secret;
        self
    }

    pub fn name(&self) -> &UserName {
        &self.name
    }

    pub fn label(&self) -> &Label {
        &self.draft.label
    }

    pub fn secret(&self) -> &Secret {
        &self.draft.secret
    }

    pub fn parameters(&self) -> OtpParameters {
        self.draft.parameters
    }

    pub fn recovery_codes(&self) -> &[RecoveryCode] {
        &self.draft.recovery_codes
    }

    /// Returns the otpauth URI, which is the text of the QR code.
    pub fn url(&self) -> Zeroizing<String> {
        self.draft.url(&self.name, &self.issuer)
    }

    /// Verifies a current code of the new authenticator.
    pub fn confirm(
        &self,
        input: &Input,
        config: &Config,
        now: Timestamp,
    ) -> Result<EnrollmentConfirmation, Refusal> {
        let step = self.draft.verify_code(input, config, now)?;
        Ok(EnrollmentConfirmation(Some(step)))
    }
}

impl EnrollmentDraft {
    /// Returns the otpauth URI.
    pub(super) fn url(&self, name: &UserName, issuer: &str) -> Zeroizing<String> {
        let (secret, parameters) = (&self.secret, self.parameters);
        otpauth_uri::format_uri(issuer, name.as_str(), secret, parameters, self.first)
    }

    pub(super) fn grouped_recovery_codes(&self) -> Vec<TypedText> {
        group_recovery_codes(&self.recovery_codes)
    }

    /// Floor that a HOTP authenticator begins with. A TOTP authenticator begins without one.
    pub(super) fn before_first(&self) -> Option<Step> {
        match self.parameters.moving {
            OtpKind::Time { .. } => None,
            OtpKind::Counter => self.first.0.checked_sub(1).map(Step),
        }
    }

    /// Verifies a current code of the new authenticator. Returns the time step that the code
    /// consumes.
    pub(super) fn verify_code(
        &self,
        input: &Input,
        config: &Config,
        now: Timestamp,
    ) -> Result<Step, Refusal> {
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
            passkey_code: None,
            bucket: ThrottleBucket::default(),
            address_wait: None,
            host_wait: None,
        };
        let attempt = Attempt {
            input,
            recovery_hash: None,
            one_time_hash: None,
            mailed_hash: None,
            configured_length: config.recovery.length.value(),
            phase: Phase::After,
        };
        let accepted = decide(&account, &attempt, &config.totp, &config.throttle, now).result?;
        match accepted.consumed() {
            Consumed::Step(_, step) => Ok(step),
            Consumed::RecoveryCode(_)
            | Consumed::OneTimeCode
            | Consumed::PasskeyCode
            | Consumed::MailedCode => Err(Refusal::Malformed),
        }
    }
}

/// Returns recovery codes as they are shown.
pub(in crate::engine) fn group_recovery_codes(codes: &[RecoveryCode]) -> Vec<TypedText> {
    codes.iter().map(|code| code.grouped().into()).collect()
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
pub fn host_name() -> String {
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
    use crate::credential::otp::totp::generate_code;

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

    /// A draft without a snapshot would be activated after a revocation.
    #[test]
    fn a_sealed_draft_has_a_snapshot() {
        let mut draft = pending(&Config::default()).draft;
        let opens = |draft| serde_json::from_value::<EnrollmentDraft>(draft).is_ok();
        assert!(!opens(serde_json::to_value(&draft).unwrap()));
        draft.snapshot = Some(AccountSnapshot {
            account: None,
            recovery: None,
            keys: [0; 32],
        });
        let mut sealed = serde_json::to_value(&draft).unwrap();
        assert!(sealed["secret"].is_string() && sealed["recovery_codes"][0].is_string());
        assert!(opens(sealed.clone()));
        sealed.as_object_mut().unwrap().remove("footing");
        assert!(!opens(sealed));
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
