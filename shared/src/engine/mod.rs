//! The engine: the opened store with its keys and configuration, and every act on it.
//! Each act loads what it needs, asks a pure decision function, writes what the decision consumes,
//! and commits before it returns. The PAM module's daemon, the gate and the command use the same
//! acts. The engine MUST NOT report success before the commit.

mod account_data;
pub(crate) mod administration;
mod context;
pub mod enrollment;
mod key_rotation;
mod keyed_store;
mod login;
pub(crate) mod mail;
pub mod messages;
mod principal;
pub mod privileges;
mod revocation;
mod subjects;
pub(crate) mod verify;

pub use account_data::read_secret_file;
pub use administration::acting::{AdministrationError, AppPasswordError};
pub use administration::api_secret::ShownSecret;
pub use administration::app_passwords::AppPasswordsAfter;
pub use administration::command::Requester;
pub use administration::import::{ImportMode, ImportReport};
use context::is_enrolled;
pub use context::{COMMAND, DeclaredError, Engine, EngineError, PolicyFacts};
pub use enrollment::by_host_password::EnrollmentRequest;
pub use enrollment::token::{EnrollmentPermission, EnrollmentToken};
pub use enrollment::web::{AfterEnrollment, AfterEnrollmentCode, ShownEnrollment};
pub use key_rotation::{EndedByRotation, RotationError, RotationReport};
pub use login::refresh::AfterRefresh;
pub use login::{
    AfterCode, AfterPassword, AfterStepUp, BrowserContext, CodeSkipped, FirstFactorAttempt,
    LoginClass, LoginError, OpenedSession, RequestedPage, SERVICE, TrustRequest,
};
pub use mail::code::{MailMessage, MailQueued, MailRefusal, MailRequest, NotMailed};
pub use mail::waiting::{WaitCallbackGuard, report_waiting, set_wait_callback};
pub use principal::Principal;
pub use revocation::{KnownRevisions, LEASE, RevocationUpdate};
pub use subjects::{
    AccountPolicy, Accounts, AppPasswords, AuditLog, Commands, Enrollment, Keys, Login, Mail,
    Sessions, Verification,
};
pub use verify::attempt::{AfterLogin, AfterRecovery, VerificationRequest, VerifiedAttempt};
pub use verify::exemption::PolicyError;
pub use verify::groups::AdministratorStatus;
pub use verify::host_password::{HostPassword, HostPasswordAttempt, HostPasswordResult};
pub use verify::pam_context::{
    MarkRefusal, PamContext, PamGrant, PamRefusal, PamRequirement, PamVerification,
    PromptEnrollment,
};
pub use verify::rule_test::RuleTest;
