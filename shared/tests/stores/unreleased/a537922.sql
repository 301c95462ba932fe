-- Version 1. Times are seconds since 1970, steps are RFC 6238's T.

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
    last_sign_in INTEGER,
    password     TEXT,
    -- raised by whatever ends all sessions; sessions of an older one are over
    generation   INTEGER NOT NULL DEFAULT 0,
    generation_at INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE authenticator (
    id        INTEGER PRIMARY KEY,
    account   INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    algorithm TEXT NOT NULL,
    digits    INTEGER NOT NULL,
    period    INTEGER NOT NULL,
    sealed    BLOB NOT NULL,
    created   INTEGER NOT NULL
) STRICT;
CREATE INDEX authenticator_account ON authenticator (account);

-- The last accepted step of a secret. Outlives authenticators and accounts.
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

-- Wrong answers. owner: an account's number, or -1 minus the shared row of names without an account.
-- stage: 0 before the first factor, 1 after it.
CREATE TABLE failure (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    owner   INTEGER NOT NULL,
    stage   INTEGER NOT NULL,
    place   TEXT NOT NULL,
    at      INTEGER NOT NULL,
    cost    INTEGER NOT NULL,
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

CREATE TABLE familiar_address (
    account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    address TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (account, address)
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
    detail  TEXT NOT NULL
) STRICT;
CREATE INDEX event_account ON event (account, id);
