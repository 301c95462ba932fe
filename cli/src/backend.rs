//! The backend of the commands that act on one account. Root's operations are done by an engine in
//! this process. The operations of every other user are sent to posternd; they are for the user's
//! own account, and every change needs a code.
//!
//! A command MUST NOT depend on which of the two backends does its operation.

use crate::context::{self, Invocation};
use crate::terminal::output::{CommandFailure, CommandResult, Output};
use crate::terminal::prompt;
use nix::unistd::{User, geteuid, getuid};
use postern_shared::account::name::UserName;
use postern_shared::credential::input;
use postern_shared::engine::{Engine, Requester, messages};
use postern_shared::protocol::client;
use postern_shared::protocol::command_request::{
    AuthenticatorKind, ChangeOperation, CommandRequest, EnrollmentOperation, FinishOperation,
    Operation, ReadOperation, ReplyBody, ShownAuthenticator, TypedText,
};
use postern_shared::protocol::status::{AccountStatus, AuthenticatorState, PasskeyState};
use postern_shared::store::BrowserRecord;
use postern_shared::system::clock;

const CODE: &str = messages::CODE_PROMPT;

/// The operations on one account.
pub(crate) struct Backend {
    way: BackendKind,
    account: UserName,
    output: Output,
}

enum BackendKind {
    Engine { engine: Box<Engine>, actor: String },
    Daemon,
}

impl Backend {
    /// Opens the backend for `account`. Only root must name an account; for other users it is their
    /// own.
    pub(crate) fn open(run: Invocation<'_>, account: Option<&UserName>) -> CommandResult<Backend> {
        let output = run.output;
        if is_root() {
            let account = account
                .cloned()
                .ok_or(CommandFailure::Usage("as root, give the account: USER"))?;
            let engine = Box::new(run.engine()?);
            return Ok(Backend {
                way: BackendKind::Engine {
                    engine,
                    actor: context::actor(),
                },
                account,
                output,
            });
        }
        let own = own_name()?;
        match account {
            Some(other) if *other != own => Err(CommandFailure::new(format_args!(
                "only root may do this for another account than your own, {own}; try sudo"
            ))),
            _ => Ok(Backend {
                way: BackendKind::Daemon,
                account: own,
                output,
            }),
        }
    }

    pub(crate) fn account(&self) -> &UserName {
        &self.account
    }

    /// Returns an error if this user is not root. A command calls this before it changes anything.
    pub(crate) fn refuse_unless_root(&self, what: &str) -> CommandResult {
        match self.way {
            BackendKind::Engine { .. } => Ok(()),
            BackendKind::Daemon => Err(CommandFailure::new(format_args!(
                "only root may use {what}"
            ))),
        }
    }

    pub(crate) fn status(&mut self) -> CommandResult<AccountStatus> {
        match self.run(Operation::Read(ReadOperation::Status))? {
            ReplyBody::Status(status) => Ok(*status),
            other => Err(unexpected(other)),
        }
    }

    pub(crate) fn authenticators(&mut self) -> CommandResult<Vec<AuthenticatorState>> {
        match self.run(Operation::Read(ReadOperation::Authenticators))? {
            ReplyBody::Authenticators(all) => Ok(all),
            other => Err(unexpected(other)),
        }
    }

    pub(crate) fn passkeys(&mut self) -> CommandResult<Vec<PasskeyState>> {
        match self.run(Operation::Read(ReadOperation::Passkeys))? {
            ReplyBody::Passkeys(all) => Ok(all),
            other => Err(unexpected(other)),
        }
    }

    pub(crate) fn browsers(&mut self) -> CommandResult<Vec<BrowserRecord>> {
        match self.run(Operation::Read(ReadOperation::Browsers))? {
            ReplyBody::Browsers(all) => Ok(all),
            other => Err(unexpected(other)),
        }
    }

    /// Revokes one trusted browser, or all of them, and returns how many were revoked.
    pub(crate) fn revoke_browsers(&mut self, one: Option<i64>) -> CommandResult<usize> {
        match self.change(ChangeOperation::RevokeBrowsers(one))? {
            ReplyBody::Revoked(count) => Ok(count),
            other => Err(unexpected(other)),
        }
    }

    /// Makes a change that needs no second operation.
    pub(crate) fn change_at_once(&mut self, change: ChangeOperation) -> CommandResult {
        match self.change(change)? {
            ReplyBody::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// Creates a pending authenticator. Nothing is stored before it is activated.
    pub(crate) fn begin_setup(
        &mut self,
        setup: EnrollmentOperation,
    ) -> CommandResult<ShownAuthenticator> {
        match self.change(ChangeOperation::BeginEnrollment(setup))? {
            ReplyBody::NewAuthenticator(shown) => Ok(shown),
            other => Err(unexpected(other)),
        }
    }

    /// Confirms the pending authenticator by a code. Returns the token that activates it, or the
    /// reason of the refusal.
    pub(crate) fn confirm(
        &mut self,
        token: &TypedText,
        code: TypedText,
    ) -> CommandResult<Result<TypedText, String>> {
        match self.run(Operation::Finish(FinishOperation::Confirm {
            token: token.clone(),
            code,
        }))? {
            ReplyBody::Confirmed { token } => Ok(Ok(token)),
            ReplyBody::NotConfirmed(why) => Ok(Err(messages::refusal(why))),
            other => Err(unexpected(other)),
        }
    }

    /// Creates recovery codes that are not valid yet, and the token that activates them.
    pub(crate) fn begin_recovery_codes(&mut self) -> CommandResult<(Vec<TypedText>, TypedText)> {
        match self.change(ChangeOperation::BeginRecoveryCodes)? {
            ReplyBody::RecoveryCodes { codes, token } => Ok((codes, token)),
            other => Err(unexpected(other)),
        }
    }

    /// Completes a pending enrollment or a pending set of recovery codes.
    pub(crate) fn finish(&mut self, finish: FinishOperation) -> CommandResult {
        match self.run(Operation::Finish(finish))? {
            ReplyBody::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    fn change(&mut self, change: ChangeOperation) -> CommandResult<ReplyBody> {
        match (&self.way, change) {
            (BackendKind::Engine { .. }, change) => {
                self.run(Operation::Change { code: None, change })
            }
            (
                BackendKind::Daemon,
                ChangeOperation::BeginEnrollment(
                    setup @ EnrollmentOperation {
                        kind: AuthenticatorKind::First,
                        ..
                    },
                ),
            ) => self.begin_first_setup(setup),
            (BackendKind::Daemon, change) => {
                let code = Some(prompt::ask(self.output, CODE)?.into());
                self.run(Operation::Change { code, change })
            }
        }
    }

    /// Begins a first enrollment. The format of the input decides whether it is a one-time code or
    /// a password of this host.
    fn begin_first_setup(&mut self, setup: EnrollmentOperation) -> CommandResult<ReplyBody> {
        let prompt = format!(
            "Password of {} on this host, or a one-time code from the administrator: ",
            self.account
        );
        let typed = TypedText::from(prompt::ask_hidden(self.output, &prompt)?);
        self.run(match input::Input::parse(typed.as_bytes()) {
            input::Input::OneTimeCode(_) => Operation::Change {
                code: Some(typed),
                change: ChangeOperation::BeginEnrollment(setup),
            },
            _ => Operation::FirstEnrollment {
                password: typed,
                setup,
            },
        })
    }

    fn run(&mut self, task: Operation) -> CommandResult<ReplyBody> {
        let request = CommandRequest {
            account: self.account.clone(),
            operation: task,
        };
        let reply = match &mut self.way {
            BackendKind::Engine { engine, actor } => engine.commands().execute_request(
                Requester::Root(actor),
                &request,
                clock::now()?,
            )?,
            BackendKind::Daemon => client::send_request(&request)?,
        };
        for told in reply.messages {
            match self.output.is_json() {
                true => self.output.warn(told)?,
                false => self.output.text(format_args!("{told}\n"))?,
            }
        }
        match reply.answer {
            ReplyBody::Refused(why) => Err(CommandFailure::new(why)),
            answer => Ok(answer),
        }
    }
}

/// Returns whether this process runs as root, the only user that opens the key and the store
/// itself.
pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// Returns the account named like the user who runs this process. posternd derives the same name
/// from the peer credentials.
fn own_name() -> CommandResult<UserName> {
    let user = User::from_uid(geteuid())?;
    let user = user.ok_or_else(|| {
        CommandFailure::new(format_args!(
            "this host has no name for your user ID {}",
            getuid()
        ))
    })?;
    Ok(UserName::parse(user.name.as_bytes())?)
}

/// The error does not include the reply, which may hold a secret.
fn unexpected(_: ReplyBody) -> CommandFailure {
    CommandFailure::new(
        "unexpected reply from posternd (another version?); ask the administrator to restart posternd",
    )
}
