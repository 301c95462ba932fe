//! postern.toml: each key with its type, range and default is declared once.
//! Reading opens no socket and changes nothing but the saved copy; [`file`] describes what happens
//! when the file is invalid.

mod check;
pub mod email;
pub mod file;
mod fleet;
pub mod gate;
mod keys;
mod named;
mod pam;
mod policy;
pub mod secret_file;
mod store_url;
pub mod value;

pub use check::MOST_GROUPS;
pub use fleet::{FleetConfig, FleetListener, HostGroups, HostList, ServerUrl};
pub use gate::{ProxySecrets, check_cookie_domain, check_gate, registrable_domain};
pub use keys::{
    AppPasswordConfig, AppPasswordsOnChange, Config, DEFAULT_PATH, DeclaredAccount,
    RecoveryCodeUse, RecoveryConfig, StoreConfig, ThrottleConfig, TotpConfig,
};
pub use pam::{FirstFactorState, GracePeriod, PamConfig, PamServiceConfig, UnenrolledAction};
pub use policy::{
    Administrators, Exemption, MethodCondition, MethodEntry, PolicyConfig, RequiredAccounts,
    SelfEnroll,
};
pub use secret_file::{SecretText, read_secret_line};
pub use store_url::{PostgresUrl, StoreUrl};
pub use value::AbsolutePath;
