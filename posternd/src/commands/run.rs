//! Commands of users, for their own accounts: reads the request, has an engine act, writes the reply.

use super::host_password::{HelperSilent, Passwords};
use crate::daemon::configuration::CONFIGURATION;
use crate::daemon::user_log::UserLog;
use crate::pam::conversation::{LogFields, User};
use crate::workers::engines::{Worker, WorkerError};
use shared::account::name::{Service, UserName};
use shared::config::Config;
use shared::engine::{AdministrationError, COMMAND, Engine, Requester};
use shared::protocol::command_request::{
    CommandRequest, EngineReply, EnrollmentOperation, Operation, ReplyBody, TypedText,
};
use shared::protocol::host_password::{Candidate, HostPasswordReply, HostPasswordRequest};
use shared::protocol::{CommandReply, Frame, Severity, wire};
use shared::store;
use shared::system::admission::{Busy, Class};
use shared::system::clock::{self, Timestamp};
use shared::verify::decision::Refusal;
use std::error::Error;
use std::fmt::Display;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

/// One command of one user.
pub(crate) struct Commands<'a> {
    pub(crate) config: &'a Path,
    pub(crate) passwords: &'a Passwords,
    pub(crate) log: &'a UserLog,
    pub(crate) worker: Worker,
    pub(crate) user: &'a User,
}

/// Why there is no reply but a refusal.
enum NotDone {
    /// In words for the user.
    Refused(AdministrationError),
    /// The user's commands have all workers, or others' do.
    Busy(Busy),
    /// For the log.
    Failed {
        /// The word for it.
        cause: &'static str,
        /// What is wrong, and what to do.
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
    /// What only the administrator can repair is for the log.
    fn from(error: AdministrationError) -> NotDone {
        match error {
            AdministrationError::Engine(error) => NotDone::failed(&error),
            error => NotDone::Refused(error),
        }
    }
}

impl Commands<'_> {
    /// Does what a request asks.
    pub(crate) fn reply(&self, request: &[u8]) -> CommandReply {
        let reply = match wire::decode::<CommandRequest>(request) {
            None => {
                refused("invalid request; the command and posternd may have different versions")
            }
            Some(errand) => {
                let done = panic::catch_unwind(AssertUnwindSafe(|| self.run(errand)));
                match done {
                    Ok(Ok(reply)) => reply,
                    Ok(Err(why)) => self.refuse(why),
                    // the panic's own message stands in the log
                    Err(_) => refused(NOT_NOW),
                }
            }
        };
        let fits = wire::encode(&reply).filter(|bytes| bytes.len() + 16 <= CommandReply::LIMIT);
        let bytes = fits.or_else(|| wire::encode(&refused("the reply is too long")));
        CommandReply(bytes.unwrap_or_default())
    }

    fn run(&self, errand: CommandRequest) -> Result<EngineReply, NotDone> {
        let in_force = CONFIGURATION
            .load_config(self.config)
            .map_err(|error| NotDone::failed(&error))?;
        if let Some(problem) = in_force.fallback {
            self.write_log(Severity::Error, "warning", "misconfigured", Some(&problem));
        }
        let config = in_force.config;
        match errand {
            CommandRequest {
                account,
                operation: Operation::FirstEnrollment { password, setup },
            } => self.begin_first_setup(&config, account, &password, setup),
            errand => self.act(&config, |door, caller, now| {
                door.execute_request(caller, &errand, now)
            }),
        }
    }

    /// The try is charged by one act, the helper is asked while no worker is held, and another act goes on by what it said.
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
        let asking = self.act(config, |door, caller, now| {
            door.prepare_first_enrollment(caller, &account, setup, now)
        })?;
        let User { uid, name, .. } = self.user;
        let question = HostPasswordRequest {
            name: name.clone(),
            address: None,
            class: Class::Familiar,
            password,
        };
        let said = match self.passwords.ask(*uid, &question) {
            Ok(said) => said,
            Err(HelperSilent::Unanswered(why)) => {
                self.write_log(Severity::Error, "warning", "password-timeout", Some(&why));
                return Err(AdministrationError::HostPasswordTimedOut(name.clone()).into());
            }
            Err(HelperSilent::Absent(why)) => {
                self.write_log(
                    Severity::Error,
                    "warning",
                    "password-unavailable",
                    Some(&why),
                );
                HostPasswordReply::NotVerified
            }
            Err(HelperSilent::Busy(busy)) => {
                self.write_log(
                    Severity::Notice,
                    "warning",
                    "password-unavailable",
                    Some(&busy),
                );
                HostPasswordReply::NotVerified
            }
        };
        self.act(config, |door, caller, now| {
            door.begin_first_enrollment(caller, asking, said, now)
        })
    }

    /// An act at the engine, as the user whom the kernel names.
    fn act<R>(
        &self,
        config: &Config,
        act: impl FnOnce(&mut Engine, Requester<'_>, Timestamp) -> Result<R, AdministrationError>,
    ) -> Result<R, NotDone> {
        let caller = Requester::Owner {
            name: &self.user.name,
            uid: self.user.uid,
        };
        let acted = self.worker.run(config, |door| {
            let now = clock::now().map_err(|error| NotDone::failed(&error))?;
            let acted = act(door, caller, now);
            for doubt in door.take_group_warnings() {
                self.write_log(Severity::Error, "warning", "group-unresolved", Some(&doubt));
            }
            match acted {
                // the engine goes with it
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

    fn refuse(&self, why: NotDone) -> EngineReply {
        match why {
            NotDone::Failed { cause, why } => {
                self.write_log(Severity::Error, "refused", cause, Some(&why));
                refused(NOT_NOW)
            }
            NotDone::Busy(Busy::Own) => {
                refused("too many commands of yours run at once; try again when they have ended")
            }
            NotDone::Busy(Busy::All) => {
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
        self.log
            .write(self.user.uid, severity, &fields.line(result, cause, detail));
    }
}

pub(crate) const NOT_NOW: &str =
    "this cannot be done now; ask the administrator to look at posternd's log";

fn refused(why: &str) -> EngineReply {
    ReplyBody::Refused(why.to_owned()).into()
}
