//! Where errands are run: root's at the store's own door, anyone else's by posternd, for their own account and with a
//! code for every change. Commands say what they want, and not which of the two it is.

use crate::arguments::Arguments;
use crate::output::{Failure, Output};
use crate::{context, terminal};
use nix::unistd::{User, geteuid, getuid};
use shared::account::name::UserName;
use shared::credential::input;
use shared::engine::{Caller, Door, messages};
use shared::protocol::client;
use shared::protocol::command_request::{
    Answer, Change, Errand, Finish, Kind, Look, Setup, Task, Typed,
};
use shared::protocol::status::{AuthenticatorState, Status};
use shared::store::BrowserRecord;
use shared::system::clock;

const CODE: &str = messages::CODE_PROMPT;

/// A desk for the errands of one account.
pub(crate) struct Desk {
    way: Way,
    account: UserName,
    output: Output,
}

enum Way {
    Door { door: Box<Door>, actor: String },
    Daemon,
}

/// A new authenticator, shown once.
pub(crate) struct Shown {
    pub(crate) secret: Typed,
    pub(crate) url: Typed,
    pub(crate) recovery_codes: Vec<Typed>,
    pub(crate) ticket: Typed,
}

impl Desk {
    /// The desk for `account`: whoever is not root may leave it out.
    pub(crate) fn open(
        arguments: &Arguments,
        output: Output,
        account: Option<&UserName>,
    ) -> Result<Desk, Failure> {
        if is_root() {
            let account = account
                .cloned()
                .ok_or(Failure::Usage("as root, give the account: USER"))?;
            let door = Box::new(context::door(arguments, output)?);
            return Ok(Desk {
                way: Way::Door {
                    door,
                    actor: context::actor(),
                },
                account,
                output,
            });
        }
        let own = own_name()?;
        match account {
            Some(other) if *other != own => Err(Failure::new(format_args!(
                "only root may do this for another account than your own, {own}; try sudo"
            ))),
            _ => Ok(Desk {
                way: Way::Daemon,
                account: own,
                output,
            }),
        }
    }

    /// Whose account it is.
    pub(crate) fn account(&self) -> &UserName {
        &self.account
    }

    /// Refuses what only root may ask for, before anything is done.
    pub(crate) fn refuse_unless_root(&self, what: &str) -> Result<(), Failure> {
        match self.way {
            Way::Door { .. } => Ok(()),
            Way::Daemon => Err(Failure::new(format_args!("only root may use {what}"))),
        }
    }

    /// How the account stands.
    pub(crate) fn status(&mut self) -> Result<Status, Failure> {
        match self.run(Task::Look(Look::Status))? {
            Answer::Status(status) => Ok(*status),
            other => Err(unexpected(other)),
        }
    }

    /// Its authenticators.
    pub(crate) fn authenticators(&mut self) -> Result<Vec<AuthenticatorState>, Failure> {
        match self.run(Task::Look(Look::Authenticators))? {
            Answer::Authenticators(all) => Ok(all),
            other => Err(unexpected(other)),
        }
    }

    /// The browsers that it trusts.
    pub(crate) fn browsers(&mut self) -> Result<Vec<BrowserRecord>, Failure> {
        match self.run(Task::Look(Look::Browsers))? {
            Answer::Browsers(all) => Ok(all),
            other => Err(unexpected(other)),
        }
    }

    /// Trusts one browser no longer, or all; how many that were.
    pub(crate) fn revoke_browsers(&mut self, one: Option<i64>) -> Result<usize, Failure> {
        match self.change(Change::RevokeBrowsers(one))? {
            Answer::Revoked(count) => Ok(count),
            other => Err(unexpected(other)),
        }
    }

    /// A change that is done at once.
    pub(crate) fn change_at_once(&mut self, change: Change) -> Result<(), Failure> {
        match self.change(change)? {
            Answer::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// Makes a new authenticator, which nothing keeps yet.
    pub(crate) fn begin_setup(&mut self, setup: Setup) -> Result<Shown, Failure> {
        match self.change(Change::BeginSetup(setup))? {
            Answer::Setup {
                secret,
                url,
                recovery_codes,
                ticket,
            } => Ok(Shown {
                secret,
                url,
                recovery_codes,
                ticket,
            }),
            other => Err(unexpected(other)),
        }
    }

    /// Has it confirmed by a code: the ticket that activates it, or why not.
    pub(crate) fn confirm(
        &mut self,
        ticket: &Typed,
        code: Typed,
    ) -> Result<Result<Typed, String>, Failure> {
        match self.run(Task::Finish(Finish::Confirm {
            ticket: ticket.clone(),
            code,
        }))? {
            Answer::Confirmed { ticket } => Ok(Ok(ticket)),
            Answer::NotConfirmed(why) => Ok(Err(messages::refusal(why))),
            other => Err(unexpected(other)),
        }
    }

    /// Makes new recovery codes, which are not good yet, and the ticket that makes them good.
    pub(crate) fn begin_recovery_codes(&mut self) -> Result<(Vec<Typed>, Typed), Failure> {
        match self.change(Change::BeginRecoveryCodes)? {
            Answer::RecoveryCodes { codes, ticket } => Ok((codes, ticket)),
            other => Err(unexpected(other)),
        }
    }

    /// Finishes what was begun.
    pub(crate) fn finish(&mut self, finish: Finish) -> Result<(), Failure> {
        match self.run(Task::Finish(finish))? {
            Answer::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    fn change(&mut self, change: Change) -> Result<Answer, Failure> {
        match (&self.way, change) {
            (Way::Door { .. }, change) => self.run(Task::Change { code: None, change }),
            (
                Way::Daemon,
                Change::BeginSetup(
                    setup @ Setup {
                        kind: Kind::First, ..
                    },
                ),
            ) => self.begin_first_setup(setup),
            (Way::Daemon, change) => {
                let code = Some(terminal::ask(self.output, CODE)?.into());
                self.run(Task::Change { code, change })
            }
        }
    }

    /// The shape of what is typed tells a one-time code from a password.
    fn begin_first_setup(&mut self, setup: Setup) -> Result<Answer, Failure> {
        let prompt = format!(
            "Password of {} on this host, or a one-time code from the administrator: ",
            self.account
        );
        let typed = Typed::from(terminal::ask_hidden(self.output, &prompt)?);
        self.run(match input::Answer::read(typed.as_bytes()) {
            input::Answer::OneTime(_) => Task::Change {
                code: Some(typed),
                change: Change::BeginSetup(setup),
            },
            _ => Task::FirstSetup {
                password: typed,
                setup,
            },
        })
    }

    fn run(&mut self, task: Task) -> Result<Answer, Failure> {
        let errand = Errand {
            account: self.account.clone(),
            task,
        };
        let reply = match &mut self.way {
            Way::Door { door, actor } => {
                door.run_errand(Caller::Root(actor), &errand, clock::now()?)?
            }
            Way::Daemon => client::run(&errand)?,
        };
        for told in reply.told {
            match self.output.is_json() {
                true => self.output.warn(told)?,
                false => self.output.text(format_args!("{told}\n"))?,
            }
        }
        match reply.answer {
            Answer::Refused(why) => Err(Failure::new(why)),
            answer => Ok(answer),
        }
    }
}

/// Whether this process is root's: only root reads key and store.
pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// The account of whoever runs this: posternd goes by the same name.
fn own_name() -> Result<UserName, Failure> {
    let user = User::from_uid(geteuid())?;
    let user = user.ok_or_else(|| {
        Failure::new(format_args!(
            "this host has no name for your user ID {}",
            getuid()
        ))
    })?;
    Ok(UserName::parse(user.name.as_bytes())?)
}

/// The answer itself may hold what must not be printed.
fn unexpected(_: Answer) -> Failure {
    Failure::new(
        "unexpected reply from posternd (another version?); ask the administrator to restart posternd",
    )
}
