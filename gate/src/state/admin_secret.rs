//! The secret of programs that administer through the API.
//!
//! Refuses a secret that is short, or that has the form of an app password.

use postern_shared::config::{Config, secret_file};
use postern_shared::credential::app_password::{AppPassword, InvalidAppPassword};
use postern_shared::protocol::admin_api::{SHORTEST_SECRET, is_secret};
use zeroize::Zeroizing;

pub(crate) struct AdminSecret {
    pub(crate) secret: Option<Zeroizing<String>>,
}

impl AdminSecret {
    pub(crate) fn read(config: &Config) -> Result<AdminSecret, String> {
        const KEY: &str = "gate.administration.secret";
        let configured = &config.gate.administration;
        let secret = secret_file::read_secret_line(
            KEY,
            configured.secret_file.as_ref(),
            configured.secret_credential.as_ref(),
        )?;
        let Some(secret) = secret else {
            return Ok(AdminSecret { secret: None });
        };
        if !is_secret(secret.as_bytes()) {
            return Err(format!(
                "{KEY}: must have at least {SHORTEST_SECRET} ASCII characters, without blanks; create one with openssl rand -hex 32"
            ));
        }
        // The gate refuses app passwords at its own pages, so a secret of this form could never be
        // used.
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
