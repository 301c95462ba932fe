//! The state of one PAM conversation, its log lines, and the mark that it keeps with the
//! transaction. The hooks are in [`super::auth`], [`super::account`] and [`super::password`].
//!
//! MUST NOT log a name that no account can have: it may be a password typed at the prompt for the
//! name.

use super::engine_access::EngineClient;
use super::host::{MarkNotRemoved, PamHost};
use super::log::LogFields;
use super::options::{PamOptions, PamSettings};
use super::user::{self, UserError};
use postern_shared::account::name::{Service, UserName};
use postern_shared::config::Config;
use postern_shared::config::file::ConfigError;
use postern_shared::credential::completed_methods::CompletedMethods;
use postern_shared::engine::{PamContext, messages};
use postern_shared::protocol::command_request::TypedText;
use postern_shared::protocol::{Denial, PamFunctionResult, Severity};
use postern_shared::store;
use postern_shared::system::process::HostProcess;
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;
use std::error::Error;
use std::fmt::Display;
use std::ops::Deref;
use std::path::Path;

/// The state of a conversation that does not depend on the user.
pub(crate) struct PamServiceContext<'a> {
    pub(crate) host: &'a dyn PamHost,
    pub(crate) config: Config,
    pub(crate) engine: EngineClient,
    pub(crate) process: HostProcess,
    pub(crate) settings: PamSettings,
    pub(crate) service: Service,
    pub(crate) origin: Origin,
    /// The methods that sshd states were completed.
    pub(crate) completed_methods: CompletedMethods,
}

/// A conversation with a user.
pub(crate) struct PamConversation<'a> {
    front: &'a PamServiceContext<'a>,
    /// Who signs in.
    pub(crate) user: UserName,
    /// The account whose codes count.
    pub(crate) account: UserName,
}

impl<'a> Deref for PamConversation<'a> {
    type Target = PamServiceContext<'a>;

    fn deref(&self) -> &PamServiceContext<'a> {
        self.front
    }
}

/// Denies access where libpam keeps the mark of an earlier `auth`.
pub(super) fn deny_mark_not_removed(
    host: &dyn PamHost,
    error: &MarkNotRemoved,
) -> PamFunctionResult {
    LogFields::of_host(host).write(host, Severity::Error, "refused", "unavailable", Some(error));
    PamFunctionResult::Denied(Denial::Unavailable)
}

pub(crate) fn deny_misconfigured(host: &dyn PamHost, error: &dyn Display) -> PamFunctionResult {
    LogFields::of_host(host).write(
        host,
        Severity::Error,
        "refused",
        "misconfigured",
        Some(error),
    );
    PamFunctionResult::Denied(Denial::Misconfigured)
}

impl<'a> PamServiceContext<'a> {
    /// Loads the configuration and finds the origin.
    pub(crate) fn open(
        host: &'a dyn PamHost,
        options: &PamOptions,
    ) -> Result<PamServiceContext<'a>, Denial> {
        let service = user::read_service(host);
        let config = load_configuration(host, &options.config_path()).map_err(|error| {
            deny_misconfigured(host, &error);
            Denial::Misconfigured
        })?;
        let settings = options.merge_settings(&config.pam, service.as_str());
        let origin =
            user::find_origin(host, settings.sshd, settings.rhost_is_address).map_err(|error| {
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
        let earlier = user::read_completed_methods(host, settings.sshd);
        let engine = EngineClient::new(host.engine_access(), &config);
        Ok(PamServiceContext {
            host,
            config,
            engine,
            process: host.process(),
            settings,
            service,
            origin,
            completed_methods: earlier,
        })
    }

    fn log_fields(&self, user: Option<UserName>) -> LogFields {
        LogFields {
            address: self.origin.address(),
            service: self.service.clone(),
            user,
        }
    }

    /// Looks up the user who signs in. A failure is logged.
    pub(crate) fn identify_user(&self) -> Result<PamConversation<'_>, Denial> {
        match user::find_user(self.host) {
            Ok(user) => {
                let account = self.settings.user.clone().unwrap_or_else(|| user.clone());
                Ok(PamConversation {
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

impl PamConversation<'_> {
    /// Returns the parameters of the engine's operations.
    pub(crate) fn context(&self, phase: Phase) -> PamContext<'_> {
        PamContext {
            requester: self.engine.requester(),
            service: &self.service,
            user: &self.user,
            account: &self.account,
            process: &self.process,
            origin: &self.origin,
            phase,
            completed_methods: &self.completed_methods,
        }
    }

    /// Keeps the mark of a passed `auth` hook. Without a mark the `account` hook evaluates the
    /// policy again, and a log line names the reason.
    pub(crate) fn keep_mark(&self, mark: Option<&TypedText>) {
        match (mark, self.process.binding()) {
            (Some(mark), _) => self.host.keep_mark(mark.as_bytes().to_vec()),
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

    pub(crate) fn show_messages(&self, messages: &[String]) {
        for text in messages {
            self.host.show_message(text);
        }
    }

    /// Decides on a user without a required second factor, where neither the options nor
    /// postern.toml set `unenrolled`.
    pub(crate) fn waive_requirement(&self) -> PamFunctionResult {
        match self.engine.waive_requirement(self.context(Phase::After)) {
            Err(error) => self.deny_unavailable(&error),
            Ok(None) => self.deny_unenrolled(),
            Ok(Some((waiver, mark))) => {
                self.host.show_message(&messages::exemption_text(waiver));
                self.log_result(Severity::Notice, "not needed", waiver.name());
                self.keep_mark(mark.as_ref());
                PamFunctionResult::NotNeeded
            }
        }
    }

    pub(crate) fn deny_unenrolled(&self) -> PamFunctionResult {
        self.log_result(Severity::Notice, "refused", "not-enrolled");
        PamFunctionResult::Denied(Denial::Refused)
    }

    pub(crate) fn deny_cancelled(&self) -> PamFunctionResult {
        self.log_result(Severity::Notice, "refused", "cancelled");
        PamFunctionResult::Denied(Denial::Conversation)
    }

    pub(crate) fn deny_unavailable(&self, error: &(dyn Error + 'static)) -> PamFunctionResult {
        self.log_result(
            Severity::Error,
            "refused",
            &format!("{}: {error}", store::log_cause(error)),
        );
        PamFunctionResult::Denied(Denial::Unavailable)
    }

    /// Writes a log line in the fixed format of [`LogFields`].
    pub(crate) fn log_result(&self, severity: Severity, result: &str, cause: &str) {
        for warning in self.engine.take_group_warnings() {
            let fields = self.log_fields(Some(self.user.clone()));
            fields.write(
                self.host,
                Severity::Error,
                "warning",
                "group-unresolved",
                Some(&warning),
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
            let PamServiceContext {
                origin,
                completed_methods: earlier,
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

/// Loads postern.toml, or its last valid copy, which is logged.
fn load_configuration(host: &dyn PamHost, path: &Path) -> Result<Config, ConfigError> {
    let in_force = host.load_configuration(path)?;
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
