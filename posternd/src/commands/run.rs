//! Commands of users who are not root, for their own accounts: each is parsed, run by an engine,
//! and replied to.
//!
//! MUST NOT act for another account than that of the user whom the kernel names.

use super::host_password::{HelperSilent, HostPasswordHelper};
use crate::daemon::configuration::CONFIGURATION;
use crate::daemon::user_log::UserLog;
use crate::pam::hooks::{LogFields, User};
use crate::workers::engines::{Worker, WorkerError};
use postern_shared::account::name::{Service, UserName};
use postern_shared::config::Config;
use postern_shared::engine::{AdministrationError, COMMAND, Engine, Requester};
use postern_shared::protocol::command_request::{
    CommandRequest, EngineReply, EnrollmentOperation, Operation, ReplyBody, TypedText,
};
use postern_shared::protocol::host_password::{Candidate, HostPasswordReply, HostPasswordRequest};
use postern_shared::protocol::{CommandReply, Frame, Severity, wire};
use postern_shared::store;
use postern_shared::system::admission::{AdmissionClass, AdmissionRefusal};
use postern_shared::system::clock::{self, Timestamp};
use postern_shared::verify::decision::Refusal;
use std::error::Error;
use std::fmt::Display;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

/// A command of a user.
pub(crate) struct UserCommand<'a> {
    pub(crate) config: &'a Path,
    pub(crate) passwords: &'a HostPasswordHelper,
    pub(crate) log: &'a UserLog,
    pub(crate) worker: Worker,
    pub(crate) user: &'a User,
}

/// Why a command was refused.
enum NotDone {
    /// With a message for the user.
    Refused(AdministrationError),
    /// All workers are in use.
    Busy(AdmissionRefusal),
    /// With a log line.
    Failed {
        /// The cause, as logs name it.
        cause: &'static str,
        /// The problem and the remedy.
        why: String,
    },
}

impl NotDone {
    fn failed(error: &(dyn Error + 'static)) -> NotDone {
        NotDone::Failed {
            cause: store::log_cause(error),
            why: error.to_string(),
        }
    }
}

impl From<AdministrationError> for NotDone {
    /// Errors that only an administrator can solve are logged.
    fn from(error: AdministrationError) -> NotDone {
        match error {
            AdministrationError::Engine(error) => NotDone::failed(&error),
            error => NotDone::Refused(error),
        }
    }
}

impl UserCommand<'_> {
    /// Runs the command of a request.
    pub(crate) fn reply(&self, request: &[u8]) -> CommandReply {
        let reply = match wire::decode::<CommandRequest>(request) {
            None => {
                refused("invalid request; the command and posternd may have different versions")
            }
            Some(request) => {
                let done = panic::catch_unwind(AssertUnwindSafe(|| self.run_command(request)));
                // the panic hook has logged its message
                done.map_or_else(
                    |_| refused(NOT_NOW),
                    |done| done.unwrap_or_else(|why| self.log_refusal(why)),
                )
            }
        };
        let fits = wire::encode(&reply).filter(|bytes| bytes.len() + 16 <= CommandReply::LIMIT);
        let bytes = fits.or_else(|| wire::encode(&refused("the reply is too long")));
        CommandReply(bytes.unwrap_or_default())
    }

    fn run_command(&self, request: CommandRequest) -> Result<EngineReply, NotDone> {
        let in_force = CONFIGURATION
            .load_config(self.config)
            .map_err(|error| NotDone::failed(&error))?;
        if let Some(problem) = in_force.fallback {
            self.write_log(Severity::Error, "warning", "misconfigured", Some(&problem));
        }
        let config = in_force.config;
        match request {
            CommandRequest {
                account,
                operation: Operation::FirstEnrollment { password, setup },
            } => self.begin_first_setup(&config, account, &password, setup),
            request => self.run_at_engine(&config, |engine, requester, now| {
                engine.commands().execute_request(requester, &request, now)
            }),
        }
    }

    /// Charges the try in one operation, asks the helper while no worker is held, and continues in
    /// a second operation.
    fn begin_first_setup(
        &self,
        config: &Config,
        account: UserName,
        password: &TypedText,
        setup: EnrollmentOperation,
    ) -> Result<EngineReply, NotDone> {
        let Some(password) = Candidate::from_input(password.as_bytes()) else {
            return Err(AdministrationError::HostPassword(Refusal::Wrong).into());
        };
        let asking = self.run_at_engine(config, |engine, requester, now| {
            engine
                .enrollment()
                .prepare_first_enrollment(requester, &account, setup, now)
        })?;
        let User { uid, name, .. } = self.user;
        let question = HostPasswordRequest {
            name: name.clone(),
            address: None,
            class: AdmissionClass::Familiar,
            password,
        };
        let warn = |severity, cause, why: &dyn Display| {
            self.write_log(severity, "warning", cause, Some(why));
            HostPasswordReply::NotVerified
        };
        let reply = match self.passwords.verify_password(*uid, &question) {
            Ok(reply) => reply,
            Err(HelperSilent::Unanswered(why)) => {
                warn(Severity::Error, "password-timeout", &why);
                return Err(AdministrationError::HostPasswordTimedOut(name.clone()).into());
            }
            Err(HelperSilent::Absent(why)) => warn(Severity::Error, "password-unavailable", &why),
            Err(HelperSilent::Busy(busy)) => warn(Severity::Notice, "password-unavailable", &busy),
        };
        self.run_at_engine(config, |engine, requester, now| {
            engine
                .enrollment()
                .begin_first_enrollment(requester, asking, reply, now)
        })
    }

    /// Runs an operation at the engine, as the user whom the kernel names.
    fn run_at_engine<R>(
        &self,
        config: &Config,
        act: impl FnOnce(&mut Engine, Requester<'_>, Timestamp) -> Result<R, AdministrationError>,
    ) -> Result<R, NotDone> {
        let requester = Requester::Owner {
            name: &self.user.name,
            uid: self.user.uid,
        };
        let acted = self.worker.run_operation(config, |engine| {
            let now = clock::now().map_err(|error| NotDone::failed(&error))?;
            let acted = act(engine, requester, now);
            for warning in engine.take_warnings() {
                self.write_log(
                    Severity::Error,
                    "warning",
                    warning.cause,
                    Some(&warning.text),
                );
            }
            match acted {
                // an error closes the engine
                Err(AdministrationError::Engine(error)) => Err(NotDone::failed(&error)),
                acted => Ok(acted),
            }
        });
        match acted {
            Ok(acted) => Ok(acted??),
            Err(WorkerError::Busy(busy)) => Err(NotDone::Busy(busy)),
            Err(WorkerError::Open(error)) => Err(NotDone::failed(&error)),
        }
    }

    fn log_refusal(&self, why: NotDone) -> EngineReply {
        match why {
            NotDone::Failed { cause, why } => {
                self.write_log(Severity::Error, "refused", cause, Some(&why));
                refused(NOT_NOW)
            }
            NotDone::Busy(AdmissionRefusal::KeyLimit) => {
                refused("too many commands of yours run at once; try again when they have ended")
            }
            NotDone::Busy(AdmissionRefusal::Capacity) => {
                refused("too many commands of other users run at once; try again in a moment")
            }
            NotDone::Refused(error) => {
                let cause = match &error {
                    AdministrationError::Code(cause) => Some(cause.to_string()),
                    AdministrationError::HostPassword(cause) => Some(format!("password-{cause}")),
                    AdministrationError::HostPasswordUnavailable(_) => {
                        Some("password-unavailable".to_owned())
                    }
                    AdministrationError::HostPasswordTimedOut(_) => {
                        Some("password-timeout".to_owned())
                    }
                    _ => None,
                };
                if let Some(cause) = cause {
                    self.write_log(Severity::Notice, "refused", &cause, None);
                }
                refused(&error.to_string())
            }
        }
    }

    fn write_log(
        &self,
        severity: Severity,
        result: &str,
        cause: &str,
        detail: Option<&dyn Display>,
    ) {
        let fields = LogFields {
            address: None,
            service: Service::from_pam(COMMAND.as_bytes()),
            user: Some(self.user.name.clone()),
        };
        let line = fields.format_line(result, cause, detail);
        self.log.write(self.user.uid, severity, &line);
    }
}

pub(crate) const NOT_NOW: &str =
    "this cannot be done now; ask the administrator to look at posternd's log";

fn refused(why: &str) -> EngineReply {
    ReplyBody::Refused(why.to_owned()).into()
}
