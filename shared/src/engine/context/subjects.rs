//! Acts on the engine, by subject. Each subject borrows the engine, and so its store, keys and
//! configuration. The acts stand in the folder of the subject.

use crate::engine::Engine;

/// What the policy requires of an account, with its groups.
pub struct AccountPolicy<'e> {
    pub(in crate::engine) engine: &'e mut Engine,
}

pub struct Accounts<'e> {
    pub(in crate::engine) engine: &'e mut Engine,
}

/// App passwords of accounts.
pub struct AppPasswords<'e> {
    pub(in crate::engine) engine: &'e mut Engine,
}

pub struct AuditLog<'e> {
    pub(in crate::engine) engine: &'e mut Engine,
}

/// Backup of the store, and what makes a restored one safe.
pub struct Backups<'e> {
    pub(in crate::engine) engine: &'e mut Engine,
}

pub struct Commands<'e> {
    pub(in crate::engine) engine: &'e mut Engine,
}

/// Enrollment of authenticators, and new recovery codes.
pub struct Enrollment<'e> {
    pub(in crate::engine) engine: &'e mut Engine,
}

/// The hosts of a fleet.
pub struct Hosts<'e> {
    pub(in crate::engine) engine: &'e mut Engine,
}

/// Rotation of the keys.
pub struct Keys<'e> {
    pub(in crate::engine) engine: &'e mut Engine,
}

/// Logins at the web, from the first factor to a session, and step-up.
pub struct Login<'e> {
    pub(in crate::engine) engine: &'e mut Engine,
}

/// The outbox: mailed codes and notifications.
pub struct Mail<'e> {
    pub(in crate::engine) engine: &'e mut Engine,
}

/// Passkeys of accounts.
pub struct Passkeys<'e> {
    pub(in crate::engine) engine: &'e mut Engine,
}

/// Requests of PAM prompts that a passkey approves at the web.
pub struct Approvals<'e> {
    pub(in crate::engine) engine: &'e mut Engine,
}

/// Sessions and trusted browsers, and their revocation at every gate.
pub struct Sessions<'e> {
    pub(in crate::engine) engine: &'e mut Engine,
}

/// Verification of inputs, at PAM services and at the web, and what the policy says of a request.
pub struct Verification<'e> {
    pub(in crate::engine) engine: &'e mut Engine,
}

impl Engine {
    pub fn policy(&mut self) -> AccountPolicy<'_> {
        AccountPolicy { engine: self }
    }

    pub fn accounts(&mut self) -> Accounts<'_> {
        Accounts { engine: self }
    }

    pub fn app_passwords(&mut self) -> AppPasswords<'_> {
        AppPasswords { engine: self }
    }

    pub fn approvals(&mut self) -> Approvals<'_> {
        Approvals { engine: self }
    }

    pub fn audit_log(&mut self) -> AuditLog<'_> {
        AuditLog { engine: self }
    }

    pub fn backups(&mut self) -> Backups<'_> {
        Backups { engine: self }
    }

    pub fn commands(&mut self) -> Commands<'_> {
        Commands { engine: self }
    }

    pub fn enrollment(&mut self) -> Enrollment<'_> {
        Enrollment { engine: self }
    }

    pub fn hosts(&mut self) -> Hosts<'_> {
        Hosts { engine: self }
    }

    pub fn keys(&mut self) -> Keys<'_> {
        Keys { engine: self }
    }

    pub fn login(&mut self) -> Login<'_> {
        Login { engine: self }
    }

    pub fn mail(&mut self) -> Mail<'_> {
        Mail { engine: self }
    }

    pub fn passkeys(&mut self) -> Passkeys<'_> {
        Passkeys { engine: self }
    }

    pub fn sessions(&mut self) -> Sessions<'_> {
        Sessions { engine: self }
    }

    pub fn verification(&mut self) -> Verification<'_> {
        Verification { engine: self }
    }
}
