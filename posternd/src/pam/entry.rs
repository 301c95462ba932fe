//! A line of a service file at work: what it knows of the host and of who stands there, what it logs, and the mark
//! that it leaves. What kinds of lines do is in [`crate::login`] and [`crate::guard`].

use super::auth_token::HostMark;
use super::engine_access::{EngineClient, PamUser};
use super::host::PamHost;
use super::log::LogFields;
use super::options::{PamOptions, PamSettings};
use super::user::{self, UserError};
use shared::account::name::{Service, UserName};
use shared::config::Config;
use shared::config::file::ConfigError;
use shared::credential::completed_methods::CompletedMethods;
use shared::engine::{VerificationRequest, messages};
use shared::protocol::{Denial, PamFunctionResult, Severity};
use shared::store;
use shared::verify::origin::Origin;
use shared::verify::throttle::Phase;
use std::error::Error;
use std::fmt::Display;
use std::ops::Deref;
use std::path::Path;

/// What is known before it is known who stands there.
pub(crate) struct Front<'a> {
    pub(crate) host: &'a dyn PamHost,
    pub(crate) config: Config,
    pub(crate) desk: EngineClient,
    pub(crate) settings: PamSettings,
    pub(crate) service: Service,
    pub(crate) origin: Origin,
    /// What sshd says has passed before.
    pub(crate) earlier: CompletedMethods,
}

/// A line, and who stands there.
pub(crate) struct PamEntry<'a> {
    front: &'a Front<'a>,
    /// Who signs in.
    pub(crate) user: UserName,
    /// Whose code is asked for.
    pub(crate) account: UserName,
}

impl<'a> Deref for PamEntry<'a> {
    type Target = Front<'a>;

    fn deref(&self) -> &Front<'a> {
        self.front
    }
}

pub(crate) fn misconfigured(host: &dyn PamHost, error: &dyn Display) -> PamFunctionResult {
    LogFields::of_host(host).write(
        host,
        Severity::Error,
        "refused",
        "misconfigured",
        Some(error),
    );
    PamFunctionResult::Denied(Denial::Misconfigured)
}

impl<'a> Front<'a> {
    /// Reads the configuration and where the host stands.
    pub(crate) fn open(host: &'a dyn PamHost, options: &PamOptions) -> Result<Front<'a>, Denial> {
        let service = user::service(host);
        let config = configuration(host, &options.config_path()).map_err(|error| {
            misconfigured(host, &error);
            Denial::Misconfigured
        })?;
        let settings = options.settings(&config.pam, service.as_str());
        let origin =
            user::origin(host, settings.sshd, settings.rhost_is_address).map_err(|error| {
                let error = UserError::HostLookup(error);
                LogFields::of_host(host).write(
                    host,
                    Severity::Error,
                    "refused",
                    "unavailable",
                    Some(&error),
                );
                Denial::Unavailable
            })?;
        let earlier = user::earlier(host, settings.sshd);
        let desk = EngineClient::of(host.reach(), host.process(), &config);
        Ok(Front {
            host,
            config,
            desk,
            settings,
            service,
            origin,
            earlier,
        })
    }

    fn log_fields(&self, user: Option<UserName>) -> LogFields {
        LogFields {
            address: self.origin.address(),
            service: self.service.clone(),
            user,
        }
    }

    /// Finds out who stands there.
    pub(crate) fn line(&self) -> Result<PamEntry<'_>, Denial> {
        match user::user(self.host) {
            Ok(user) => {
                let account = self.settings.user.clone().unwrap_or_else(|| user.clone());
                Ok(PamEntry {
                    front: self,
                    user,
                    account,
                })
            }
            Err(error) => {
                let (severity, cause, denial) = match error {
                    UserError::Name(_) => (Severity::Notice, "invalid-name", Denial::BadName),
                    UserError::Lookup(_) | UserError::HostLookup(_) => {
                        (Severity::Error, "unavailable", Denial::Unavailable)
                    }
                };
                let named = match denial {
                    Denial::BadName => None,
                    _ => LogFields::of_host(self.host).user,
                };
                self.log_fields(named)
                    .write(self.host, severity, "refused", cause, Some(&error));
                Err(denial)
            }
        }
    }
}

impl PamEntry<'_> {
    /// Who signs in, for the desk.
    pub(crate) fn person(&self, stage: Phase) -> PamUser<'_> {
        PamUser {
            user: &self.user,
            visitor: VerificationRequest {
                name: &self.account,
                phase: stage,
                origin: &self.origin,
                browser: None,
                service: self.service.as_str(),
            },
        }
    }

    /// Leaves the mark of a line that has passed. Without one the guard asks the policy anew, and the log says why there is
    /// none.
    pub(crate) fn mark(&self, mark: Option<&HostMark>) {
        match (mark, self.host.process().binding()) {
            (Some(mark), _) => self.host.remember(mark.to_bytes()),
            (None, Err(why)) => {
                let fields = self.log_fields(Some(self.user.clone()));
                let detail = format_args!("the account line will not accept this login: {why}");
                fields.write(
                    self.host,
                    Severity::Error,
                    "warning",
                    "process-unidentified",
                    Some(&detail),
                );
            }
            (None, Ok(_)) => {}
        }
    }

    /// What a success brings, told to whoever got in.
    pub(crate) fn tell(&self, told: &[String]) {
        for text in told {
            self.host.tell(text);
        }
    }

    /// What whoever must have a second factor, and has none, gets where neither the line nor postern.toml says what.
    pub(crate) fn waived(&self) -> PamFunctionResult {
        match self.desk.waive(&self.person(Phase::After)) {
            Err(error) => self.unavailable(&error),
            Ok(None) => self.not_enrolled(),
            Ok(Some((waiver, mark))) => {
                self.host.tell(&messages::exemption_text(waiver));
                self.log(Severity::Notice, "not needed", waiver.name());
                self.mark(mark.as_ref());
                PamFunctionResult::NotNeeded
            }
        }
    }

    pub(crate) fn not_enrolled(&self) -> PamFunctionResult {
        self.log(Severity::Notice, "refused", "not-enrolled");
        PamFunctionResult::Denied(Denial::Refused)
    }

    pub(crate) fn cancelled(&self) -> PamFunctionResult {
        self.log(Severity::Notice, "refused", "cancelled");
        PamFunctionResult::Denied(Denial::Conversation)
    }

    pub(crate) fn unavailable(&self, error: &(dyn Error + 'static)) -> PamFunctionResult {
        self.log(
            Severity::Error,
            "refused",
            &format!("{}: {error}", store::log_cause(error)),
        );
        PamFunctionResult::Denied(Denial::Unavailable)
    }

    /// One line in a fixed format: the words before the user never hold what a stranger typed, and the user
    /// comes quoted.
    pub(crate) fn log(&self, severity: Severity, result: &str, cause: &str) {
        for doubt in self.desk.take_doubts() {
            let fields = self.log_fields(Some(self.user.clone()));
            fields.write(
                self.host,
                Severity::Error,
                "warning",
                "group-unresolved",
                Some(&doubt),
            );
        }
        if self.settings.quiet && severity == Severity::Info {
            return;
        }
        let (cause, detail) = match cause.split_once(": ") {
            Some((cause, detail)) => (cause, Some(detail)),
            None => (cause, None),
        };
        let fields = self.log_fields(Some(self.user.clone()));
        let detail = detail.as_ref().map(|detail| detail as &dyn Display);
        fields.write(self.host, severity, result, cause, detail);
        if self.settings.debug {
            let Front {
                origin,
                earlier,
                settings,
                ..
            } = self.front;
            let (first_factor, account) = (settings.first_factor, self.account.as_str());
            let detail = format_args!(
                "origin={origin} first_factor={first_factor:?} completed_methods={earlier} account={account:?}"
            );
            fields.write(self.host, Severity::Debug, "details", cause, Some(&detail));
        }
    }
}

/// postern.toml, or its last valid copy with a line in the log.
fn configuration(host: &dyn PamHost, path: &Path) -> Result<Config, ConfigError> {
    let in_force = host.configuration(path)?;
    if let Some(problem) = in_force.fallback {
        LogFields::of_host(host).write(
            host,
            Severity::Error,
            "warning",
            "misconfigured",
            Some(&problem),
        );
    }
    Ok(in_force.config)
}
