//! The state of one PAM conversation, its log lines, and the mark that it keeps with the
//! transaction. The hooks are in [`super::auth`], [`super::account`] and [`super::password`].
//!
//! MUST NOT log a name that no account can have: it may be a password typed at the prompt for the
//! name.

use super::engine_access::EngineClient;
use super::host::PamHost;
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
    service: &'a PamServiceContext<'a>,
    pub(crate) user: UserName,
    /// The account whose codes count.
    pub(crate) account: UserName,
}

impl<'a> Deref for PamConversation<'a> {
    type Target = PamServiceContext<'a>;

    fn deref(&self) -> &PamServiceContext<'a> {
        self.service
    }
}

/// The result of a hook, or of a step of it. A denial is logged where it is made.
pub(super) type HookResult<T = PamFunctionResult> = Result<T, Denial>;

/// Logs a denial that does not depend on the user.
pub(super) fn deny(host: &dyn PamHost, denial: Denial, error: &dyn Display) -> Denial {
    let cause = match denial {
        Denial::Misconfigured => "misconfigured",
        _ => "unavailable",
    };
    LogFields::of_host(host).write(host, Severity::Error, "refused", cause, Some(error));
    denial
}

/// Parses the options of a hook.
pub(super) fn parse_options(host: &dyn PamHost, words: &[String]) -> HookResult<PamOptions> {
    PamOptions::parse(words).map_err(|error| deny(host, Denial::Misconfigured, &error))
}

/// Removes the mark of an `auth` hook.
pub(super) fn remove_mark(host: &dyn PamHost) -> HookResult<()> {
    host.remove_mark()
        .map_err(|error| deny(host, Denial::Unavailable, &error))
}

impl<'a> PamServiceContext<'a> {
    /// Loads the configuration and finds the origin.
    pub(crate) fn open(
        host: &'a dyn PamHost,
        options: &PamOptions,
    ) -> HookResult<PamServiceContext<'a>> {
        let service = user::read_service(host);
        let config = load_configuration(host, &options.config_path())
            .map_err(|error| deny(host, Denial::Misconfigured, &error))?;
        let settings = options.merge_settings(&config.pam, service.as_str());
        let origin = user::find_origin(host, settings.sshd, settings.rhost_is_address)
            .map_err(|error| deny(host, Denial::Unavailable, &UserError::HostLookup(error)))?;
        Ok(PamServiceContext {
            host,
            engine: EngineClient::new(host.engine_access(), &config),
            config,
            process: host.process(),
            completed_methods: user::read_completed_methods(host, settings.sshd),
            settings,
            service,
            origin,
        })
    }

    fn log_fields(&self, user: Option<UserName>) -> LogFields {
        LogFields {
            address: self.origin.address(),
            service: self.service.clone(),
            user,
        }
    }

    /// Looks up the user who signs in.
    pub(crate) fn identify_user(&self) -> HookResult<PamConversation<'_>> {
        let user = user::find_user(self.host).map_err(|error| self.deny_user(&error))?;
        let account = self.settings.user.clone().unwrap_or_else(|| user.clone());
        Ok(PamConversation {
            service: self,
            user,
            account,
        })
    }

    fn deny_user(&self, error: &UserError) -> Denial {
        let (severity, cause, denial, user) = match error {
            UserError::Name(_) => (Severity::Notice, "invalid-name", Denial::BadName, None),
            UserError::Lookup(_) | UserError::HostLookup(_) => {
                let user = LogFields::of_host(self.host).user;
                (Severity::Error, "unavailable", Denial::Unavailable, user)
            }
        };
        let fields = self.log_fields(user);
        fields.write(self.host, severity, "refused", cause, Some(error));
        denial
    }
}

impl PamConversation<'_> {
    /// Returns the parameters of the engine's operations.
    pub(crate) fn context(&self, phase: Phase) -> PamContext<'_> {
        PamContext {
            requester: self.engine.requester(),
            service: &self.service.service,
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
        if let Some(mark) = mark {
            self.host.keep_mark(mark.as_bytes().to_vec());
        } else if let Err(why) = self.process.binding() {
            self.warn(
                "process-unidentified",
                &format_args!("the account line will not accept this login: {why}"),
            );
        }
    }

    pub(crate) fn show_messages(&self, messages: &[String]) {
        for text in messages {
            self.host.show_message(text);
        }
    }

    /// Decides on a user without a required second factor, where neither the options nor
    /// postern.toml set `unenrolled`.
    pub(crate) fn waive_requirement(&self) -> HookResult {
        let exempted = self.engine.waive_requirement(self.context(Phase::After));
        let exempted = exempted.map_err(|error| self.deny_unavailable(&*error))?;
        let (grace, mark) = exempted.ok_or_else(|| self.deny_unenrolled())?;
        self.host.show_message(&messages::exemption_text(grace));
        self.log_result(Severity::Notice, "not needed", grace.name());
        self.keep_mark(mark.as_ref());
        Ok(PamFunctionResult::NotNeeded)
    }

    pub(crate) fn deny_unenrolled(&self) -> Denial {
        self.log_result(Severity::Notice, "refused", "not-enrolled");
        Denial::Refused
    }

    pub(crate) fn deny_cancelled(&self) -> Denial {
        self.log_result(Severity::Notice, "refused", "cancelled");
        Denial::Conversation
    }

    pub(crate) fn deny_unavailable(&self, error: &(dyn Error + 'static)) -> Denial {
        let cause = format!("{}: {error}", store::log_cause(error));
        self.log_result(Severity::Error, "refused", &cause);
        Denial::Unavailable
    }

    fn warn(&self, cause: &str, detail: &dyn Display) {
        let fields = self.log_fields(Some(self.user.clone()));
        fields.write(self.host, Severity::Error, "warning", cause, Some(detail));
    }

    /// Writes a log line in the fixed format of [`LogFields`].
    pub(crate) fn log_result(&self, severity: Severity, result: &str, cause: &str) {
        for warning in self.engine.take_warnings() {
            self.warn(warning.cause, &warning.text);
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
            fields.write(
                self.host,
                Severity::Debug,
                "details",
                cause,
                Some(&format_args!(
                    "origin={} first_factor={:?} completed_methods={} account={:?}",
                    self.origin,
                    self.settings.first_factor,
                    self.completed_methods,
                    self.account.as_str()
                )),
            );
        }
    }
}

/// Loads postern.toml, or its last valid copy, which is logged.
fn load_configuration(host: &dyn PamHost, path: &Path) -> Result<Config, ConfigError> {
    let in_force = host.load_configuration(path)?;
    if let Some(problem) = in_force.fallback {
        let fields = LogFields::of_host(host);
        fields.write(
            host,
            Severity::Error,
            "warning",
            "misconfigured",
            Some(&problem),
        );
    }
    Ok(in_force.config)
}
