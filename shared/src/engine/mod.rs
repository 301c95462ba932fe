//! One login at any door: configuration, key and store opened, the account loaded, the decision asked, what it
//! spends made durable, and only then the verdict returned. The one way both doors go.

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
pub(crate) mod verify;

pub use account_data::read_secret;
pub use administration::acting::{AdministrationError, AppPasswordError};
pub use administration::api_secret::Shown as ShownSecret;
pub use administration::app_passwords::AppPasswordsAfter;
pub use administration::command::Caller;
pub use administration::import::{Taken, Trial};
pub use administration::web::Administers;
use context::is_enrolled;
pub use context::{COMMAND, DeclaredError, Door, DoorError, Membership};
pub use enrollment::by_host_password::Asking;
pub use enrollment::token::{EnrollmentToken, MayEnroll};
pub use enrollment::web::{AfterSetup, AfterSetupCode, Shown};
pub use key_rotation::{Ended, Rotated, RotationError};
pub use login::refresh::AfterRefresh;
pub use login::{
    AfterCode, AfterPassword, AfterStepUp, Browser, FirstFactorTried, Opened, Page, SERVICE,
    SignInError, SignInScope, Spared, Trust,
};
pub use mail::code::{Asked, Letter, MailRefusal, NotMailed, Posted};
pub use mail::waiting::{Waiting, still_waiting, while_waiting};
pub use principal::Actor;
pub use revocation::{GoesBy, LEASE, Seen};
pub use verify::attempt::{Entered, Outcome, Recovered, Visitor};
pub use verify::exemption::PolicyError;
pub use verify::host_password::{HostPassword, Settled, Tried};
pub use verify::rule_test::Rehearsed;
