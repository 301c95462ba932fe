//! postern.toml: each key with its type, range and default is declared once.
//! Reading opens no socket and changes nothing but the saved copy; [`file`] describes what happens
//! when the file is invalid.

mod app_passwords;
pub mod branding;
mod check;
mod conflict;
pub mod email;
pub mod file;
pub mod gate;
mod gate_check;
mod keys;
mod listen;
mod locate;
mod pam;
mod policy;
mod renamed;
pub mod rule;
pub mod secret_file;
mod secret_text;
mod unchanged;
pub mod value;

pub use app_passwords::{AppPasswordConfig, OnChange};
pub use check::MOST_GROUPS;
pub use gate_check::{ProxySecrets, check_cookie_domain, check_gate, registrable_domain};
pub use keys::{
    AbsolutePath, Config, DEFAULT_PATH, DeclaredAccount, OnUse, RecoveryConfig, StoreConfig,
    StoreUrl, ThrottleConfig, TotpConfig,
};
pub use pam::{FirstFactorState, GracePeriod, PamConfig, PamServiceConfig, UnenrolledAction};
pub use policy::{
    Administrators, Exemption, MethodCondition, MethodEntry, PolicyConfig, RequiredAccounts,
    SelfEnroll,
};
pub use secret_text::SecretText;
