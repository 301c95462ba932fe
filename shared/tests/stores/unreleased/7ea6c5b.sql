-- Version 3. Times are seconds since 1970, steps are RFC 6238's T.

CREATE TABLE data_key (
    purpose TEXT PRIMARY KEY,
    master  BLOB NOT NULL,
    wrapped BLOB NOT NULL
) STRICT;

-- AUTOINCREMENT: a number is never given twice, since sealed secrets and hashes are bound to it.
CREATE TABLE account (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT NOT NULL UNIQUE,
    created      INTEGER NOT NULL,
    -- with a second factor, or without one that the policy requires
    first_sign_in INTEGER,
    last_sign_in INTEGER,
    password     TEXT,
    -- names of groups, one a line
    member_of    TEXT NOT NULL DEFAULT '',
    -- raised by whatever ends all sessions; sessions of an older one are over
    generation   INTEGER NOT NULL DEFAULT 0,
    generation_at INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Accounts that are gone: their sessions are over.
CREATE TABLE removed_account (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT;

CREATE TABLE authenticator (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    account   INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    name      TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    digits    INTEGER NOT NULL,
    -- seconds; 0 for one by counter
    period    INTEGER NOT NULL,
    created   INTEGER NOT NULL,
    UNIQUE (account, name)
) STRICT;

-- Sealed secrets, by authenticator. Rows are appended, overwritten in their place by as many bytes, and never removed:
-- where rows are, the engine moves others between pages and leaves copies behind that no later removal reaches.
CREATE TABLE secret (
    authenticator INTEGER PRIMARY KEY,
    sealed        BLOB NOT NULL
) STRICT;

-- The last accepted step or counter of a secret. Outlives authenticators and accounts.
CREATE TABLE floor (
    fingerprint BLOB PRIMARY KEY,
    step        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE recovery_code (
    account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    hash    BLOB NOT NULL,
    used_at INTEGER,
    PRIMARY KEY (account, hash)
) STRICT, WITHOUT ROWID;

-- An administrator's one-time code; a new one takes the place of the old one.
CREATE TABLE one_time_code (
    account INTEGER PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    hash    BLOB NOT NULL,
    expires INTEGER NOT NULL,
    used    INTEGER NOT NULL
) STRICT;

-- App passwords, by keyed hash. scope: one term a line. expires: NULL is never. last_used: the minute.
CREATE TABLE app_password (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    hash      BLOB NOT NULL UNIQUE,
    account   INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    name      TEXT NOT NULL,
    scope     TEXT NOT NULL,
    created   INTEGER NOT NULL,
    expires   INTEGER,
    last_used INTEGER,
    UNIQUE (account, name)
) STRICT;

-- One row: raised whenever gates must read the app passwords anew.
CREATE TABLE app_password_revision (
    number INTEGER NOT NULL
) STRICT;
INSERT INTO app_password_revision (number) VALUES (0);

-- Addresses: the one that codes are mailed to, and one that takes its place once mail to it has arrived.
CREATE TABLE email (
    account   INTEGER PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    confirmed TEXT,
    pending   TEXT
) STRICT;

-- The newest mailed code; a new one takes the place of the old one. purpose: 'sign-in' or 'confirmation'.
CREATE TABLE mailed_code (
    account INTEGER PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    purpose TEXT NOT NULL,
    hash    BLOB NOT NULL,
    sent    INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    used    INTEGER NOT NULL,
    -- wrong confirmations
    wrong   INTEGER NOT NULL
) STRICT;

-- Letters with codes for the gate to send, one for each account at most. sealed: the code, until a gate takes it.
-- fate: 0 waiting, 1 taken, 2 sent, 3 failed.
CREATE TABLE outbox (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL UNIQUE REFERENCES account ON DELETE CASCADE,
    address TEXT NOT NULL,
    purpose TEXT NOT NULL,
    expires INTEGER NOT NULL,
    sealed  BLOB NOT NULL,
    fate    INTEGER NOT NULL,
    why     TEXT
) STRICT;

-- Events to be mailed to the people whose accounts they concern; nothing in them is secret. A notice outlives its
-- account. due: when it is sent next; every try moves it on.
CREATE TABLE notice (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    address TEXT NOT NULL,
    due     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    account TEXT NOT NULL,
    what    TEXT NOT NULL,
    door    TEXT NOT NULL,
    origin  TEXT NOT NULL,
    actor   TEXT NOT NULL,
    cause   TEXT NOT NULL
) STRICT;
CREATE INDEX notice_account ON notice (account);

-- Wrong answers. owner: an account's number, or -1 minus the shared row of names without an account.
-- stage: 0 before the first factor, 1 after it. wrong: what was, 'password' or 'code'.
CREATE TABLE failure (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    owner   INTEGER NOT NULL,
    stage   INTEGER NOT NULL,
    place   TEXT NOT NULL,
    at      INTEGER NOT NULL,
    cost    INTEGER NOT NULL,
    wrong   TEXT NOT NULL,
    address TEXT
) STRICT;
CREATE INDEX failure_row ON failure (owner, stage, place, at);

CREATE TABLE row_lock (
    owner INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    place TEXT NOT NULL,
    at    INTEGER NOT NULL,
    PRIMARY KEY (owner, stage, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE address_failure (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    address TEXT NOT NULL,
    at      INTEGER NOT NULL
) STRICT;
CREATE INDEX address_failure_address ON address_failure (address, at);
CREATE INDEX address_failure_at ON address_failure (at);

-- Addresses that the account got in from, by door: a PAM service, the web. code_at: when a code opened there last, unless
-- something ended all sessions since; for a while none is asked there (grace).
CREATE TABLE familiar_address (
    account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    address TEXT NOT NULL,
    door    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    code_at INTEGER,
    PRIMARY KEY (account, address, door)
) STRICT, WITHOUT ROWID;

-- Browsers that sign in with the first factor alone.
CREATE TABLE trusted_browser (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    account   INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    name      TEXT NOT NULL,
    address   TEXT NOT NULL,
    created   INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    expires   INTEGER NOT NULL
) STRICT;
CREATE INDEX trusted_browser_account ON trusted_browser (account);

-- Keyed hashes of the cookies that a trusted browser was given.
-- state: 0 the newest; 1 an older one, while the newest was not seen yet; 2 its use means theft.
CREATE TABLE browser_token (
    hash    BLOB PRIMARY KEY,
    browser INTEGER NOT NULL REFERENCES trusted_browser ON DELETE CASCADE,
    state   INTEGER NOT NULL,
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX browser_token_browser ON browser_token (browser);

CREATE TABLE session (
    id        BLOB PRIMARY KEY,
    account   INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    name      TEXT NOT NULL,
    address   TEXT NOT NULL,
    created   INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    expires   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_account ON session (account);

-- Sign-ins between the first factor and the code, once a code was tried. wrong: how many were; used: whether one was right.
CREATE TABLE login_ticket (
    id      BLOB PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    expires INTEGER NOT NULL,
    wrong   INTEGER NOT NULL,
    used    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX login_ticket_expires ON login_ticket (expires);

-- Sessions ended one by one, until they would have expired.
CREATE TABLE revoked_session (
    id      BLOB PRIMARY KEY,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: raised by every revocation.
CREATE TABLE revision (
    number INTEGER NOT NULL
) STRICT;
INSERT INTO revision (number) VALUES (0);

-- Running gates, and the last revision that each goes by.
CREATE TABLE gate (
    id   BLOB PRIMARY KEY,
    seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    account TEXT NOT NULL,
    what    TEXT NOT NULL,
    door    TEXT NOT NULL,
    origin  TEXT NOT NULL,
    actor   TEXT NOT NULL,
    cause   TEXT NOT NULL
) STRICT;
-- how many of a day; which are too old. postern log reads by number alone.
CREATE INDEX event_day ON event (account, what, at);
CREATE INDEX event_at ON event (at);
