//! The engine: the opened store with its keys and configuration, and every act on it.
//! Each act loads what it needs, asks a pure decision function, writes what the decision consumes,
//! and commits before it returns. The PAM module's daemon, the gate and the command use the same
//! acts. The engine MUST NOT report success before the commit.

mod accounts;
mod app_passwords;
mod approval;
mod backup;
mod break_glass;
mod commands;
mod context;
pub mod enrollment;
mod host_status;
mod hosts;
mod keys;
mod login;
pub(crate) mod mail;
pub mod messages;
mod passkeys;
mod policy;
mod sessions;
pub(crate) mod verify;

pub use accounts::account_data::read_secret_file;
pub use accounts::api_secret::ShownSecret;
pub use accounts::error::{AdministrationError, AppPasswordError};
pub use accounts::import::{ImportMode, ImportReport};
pub use accounts::password_change::refuse_guessable_password;
pub use app_passwords::changes::AppPasswordsAfter;
pub use approval::PendingApproval;
pub use approval::answer::{ApprovalAnswer, ShownApproval};
pub use backup::replaced::ReplacedStore;
pub use backup::restoring::{RestoreOptions, RestoreReport, ToRenew};
pub use backup::writing::BackupError;
pub use break_glass::{BreakGlassTally, OfflineReply};
use context::engine::is_enrolled;
pub use context::engine::{COMMAND, Engine, EngineError, PolicyFacts};
pub use context::principal::{Principal, Requester};
pub use context::privileges;
pub use context::subjects::{
    AccountPolicy, Accounts, AppPasswords, Approvals, AuditLog, Backups, Commands, Enrollment,
    Hosts, Keys, Login, Mail, Passkeys, Sessions, Verification,
};
pub use context::warning::{EngineWarning, suspected_clock};
use context::{principal, transaction};
pub use enrollment::at_prompt::PromptEnrollment;
pub use enrollment::authenticators::ShownRecoveryCodes;
pub use enrollment::by_command::EnrollmentRequest;
pub use enrollment::steps::{AfterEnrollmentCode, ShownEnrollment};
pub use enrollment::token::{EnrollmentPermission, EnrollmentToken};
pub use enrollment::web::AfterEnrollment;
pub use host_status::HostStatus;
pub use hosts::{HostError, JoinedFleet};
pub use keys::rotation::{EndedByRotation, RotationError, RotationReport};
pub use login::refresh::AfterRefresh;
pub use login::{
    AfterCode, AfterPasskeyAlone, AfterPassword, AfterStepUp, BrowserContext, CodeSkipped,
    FirstFactorAttempt, LoginClass, LoginError, OpenedSession, RequestedPage, SERVICE,
    TrustRequest,
};
pub use mail::code::{MailMessage, MailQueued, MailRefusal, MailRequest, NotMailed};
pub use mail::sign_in::BY_LINK;
pub use mail::waiting::{WaitCallbackGuard, report_waiting, set_wait_callback};
pub use passkeys::error::PasskeyError;
pub use passkeys::relying_party::OtherRelyingParty;
pub use passkeys::request::PasskeyOptions;
pub use policy::exemption::PolicyError;
pub use policy::groups::AdministratorStatus;
pub use policy::rule_test::RuleTest;
pub use sessions::revocation::{KnownRevisions, LEASE, RevocationUpdate, UpdateResult};
pub use verify::attempt::{AfterLogin, AfterRecovery, VerificationRequest, VerifiedAttempt};
pub use verify::charge::ChargedAttempt;
pub use verify::host_password::HostPassword;
pub use verify::pam_context::{
    MarkRefusal, PamContext, PamGrant, PamRefusal, PamRequirement, PamVerification,
};
