//! Hosts of another effective user than root: the conversation runs in the host process, and asks the gate.

use crate::host::{self, Host};
use posternd::conversation::{self, Item, NoAnswer, NotForgotten, Reach};
use shared::errand::client::Gate;
use shared::protocol::{Echo, Hook, HookResult, Severity};
use zeroize::Zeroizing;

/// Runs a hook.
pub(crate) fn run(hook: Hook, host: &dyn Host, options: &[String]) -> HookResult {
    conversation::run(hook, &InProcess(host), options)
}

struct InProcess<'a>(&'a dyn Host);

impl conversation::Host for InProcess<'_> {
    fn reach(&self) -> Reach {
        Reach::Gate(Gate::of_this_host())
    }

    fn item(&self, item: Item) -> Option<Vec<u8>> {
        self.0.item(match item {
            Item::Service => host::Item::Service,
            Item::User => host::Item::User,
            Item::RemoteHost => host::Item::RemoteHost,
            Item::Terminal => host::Item::Terminal,
        })
    }

    fn real_user(&self) -> Option<String> {
        conversation::real_user()
    }

    fn runs_as(&self) -> String {
        conversation::runs_as()
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        self.0.variable(name)
    }

    fn ask(&self, prompt: &str, echo: Echo) -> Result<Zeroizing<Vec<u8>>, NoAnswer> {
        self.0.ask(prompt, echo).map_err(|_| NoAnswer)
    }

    fn tell(&self, text: &str) {
        self.0.tell(text);
    }

    fn stacked(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.0.stacked()
    }

    fn hand_on(&self, password: &[u8]) {
        self.0.set_stacked(password);
    }

    fn delay_failure(&self, seconds: u64) {
        self.0.delay_failure(seconds);
    }

    fn log(&self, severity: Severity, line: &str) {
        self.0.log(severity, line);
    }

    fn known_user(&self) -> Option<Vec<u8>> {
        self.0.known_user()
    }

    fn remember(&self, mark: Vec<u8>) {
        self.0.keep_mark(mark);
    }

    fn recall(&self) -> Option<Vec<u8>> {
        self.0.mark()
    }

    fn forget(&self) -> Result<(), NotForgotten> {
        self.0.remove_mark().map_err(|_| NotForgotten)
    }
}
