//! The secret that programs show.

use shared::config::{Config, secret_file};
use shared::credential::app_password::{AppPassword, InvalidAppPassword};
use shared::protocol::admin_api::{SHORTEST_SECRET, is_secret};
use zeroize::Zeroizing;

/// What programs show.
pub(crate) struct AdminSecret {
    pub(crate) secret: Option<Zeroizing<String>>,
}

impl AdminSecret {
    /// Reads the secret, if there is one.
    pub(crate) fn read(config: &Config) -> Result<AdminSecret, String> {
        const KEY: &str = "gate.administration.secret";
        let given = &config.gate.administration;
        let secret = secret_file::read(
            KEY,
            given.secret_file.as_ref(),
            given.secret_credential.as_ref(),
        )?;
        let Some(secret) = secret else {
            return Ok(AdminSecret { secret: None });
        };
        if !is_secret(secret.as_bytes()) {
            return Err(format!(
                "{KEY}: must have at least {SHORTEST_SECRET} ASCII characters, without blanks; create one with openssl rand -hex 32"
            ));
        }
        // the gate refuses those at its own pages, whatever they are good for
        if !matches!(
            AppPassword::parse(&secret),
            Err(InvalidAppPassword::OtherShape)
        ) {
            return Err(format!(
                "{KEY}: looks like an app password; create another with openssl rand -hex 32"
            ));
        }
        Ok(AdminSecret {
            secret: Some(secret),
        })
    }
}
