-- Version 8. Times are seconds since 1970, steps are RFC 6238's T.

CREATE TABLE data_key (
    purpose TEXT PRIMARY KEY,
    master  BLOB NOT NULL,
    wrapped BLOB NOT NULL
) STRICT;

-- One row: how often all data keys were renewed. It counts in the generation of every account. Of an account that is
-- behind, whatever hangs on keys has ended, and its rows are still to be removed.
CREATE TABLE renewal (
    number INTEGER NOT NULL
) STRICT;
INSERT INTO renewal (number) VALUES (0);

-- AUTOINCREMENT: a number is never given twice, since sealed secrets and hashes are bound to it.
CREATE TABLE account (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT NOT NULL UNIQUE,
    -- what all spellings of the name have in common; two accounts have one only where root says so
    name_key     TEXT NOT NULL,
    created      INTEGER NOT NULL,
    -- with a second factor, or without one that the policy requires
    first_sign_in INTEGER,
    last_sign_in INTEGER,
    password     TEXT,
    -- names of groups, one a line
    member_of    TEXT NOT NULL DEFAULT '',
    -- raised by whatever ends all sessions; sessions of an older one are over
    generation   INTEGER NOT NULL DEFAULT 0,
    -- the revision with which it was raised last, since the account had a session
    generation_revision INTEGER NOT NULL DEFAULT 0,
    -- 1 once it had one: of the others gates need to know nothing
    had_session  INTEGER NOT NULL DEFAULT 0,
    -- renewal.number when it was made, or when what hung on older keys was removed last
    at_renewal   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX account_generation ON account (generation_revision) WHERE generation_revision > 0;
CREATE INDEX account_renewal ON account (at_renewal);
CREATE INDEX account_name_key ON account (name_key);

-- The groups of account.member_of again, to find whether any account is in one.
CREATE TABLE account_group (
    name    TEXT NOT NULL,
    account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    PRIMARY KEY (name, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX account_group_account ON account_group (account);

-- Accounts that are gone: their sessions are over. revision: as of a revoked session.
CREATE TABLE removed_account (
    id       INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL
) STRICT;
CREATE INDEX removed_account_revision ON removed_account (revision);

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

-- The last accepted step or counter of a secret. Outlives authenticators and accounts, and is never removed: a clock that is
-- set back would open its codes again, however old it is.
CREATE TABLE floor (
    fingerprint BLOB PRIMARY KEY,
    step        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The newest accepted steps of each secret, a few, and all that lie above a floor that an administrator lowered: by these no
-- code of a clock that ran ahead opens twice.
CREATE TABLE accepted_step (
    fingerprint BLOB NOT NULL,
    step        INTEGER NOT NULL,
    PRIMARY KEY (fingerprint, step)
) STRICT, WITHOUT ROWID;

-- Passkeys: public keys, no secrets. credential: the identifier that the authenticator chose. rp_id: the relying party that it was
-- made for. user_handle: random, one for each account. public_key: COSE. counter: of signatures, 0 where the authenticator has none.
CREATE TABLE passkey (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    account         INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    name            TEXT NOT NULL,
    credential      BLOB NOT NULL UNIQUE,
    user_handle     BLOB NOT NULL,
    rp_id           TEXT NOT NULL,
    public_key      BLOB NOT NULL,
    counter         INTEGER NOT NULL,
    backup_eligible INTEGER NOT NULL,
    backed_up       INTEGER NOT NULL,
    -- 1 if its authenticator verified the user at the registration
    user_verified   INTEGER NOT NULL,
    created         INTEGER NOT NULL,
    last_used       INTEGER,
    UNIQUE (account, name)
) STRICT;

-- Requests of PAM prompts for an approval at the web, until ten minutes after they were made. hash: keyed, of the account and the
-- characters of the address. conversation: keyed hash of what only the conversation that made it knows. number: keyed hash of the
-- digits that it shows. generation: of the account, when it was made. session: the one that approved it.
-- scope: of the throttle, where the prompt is. name: the user who signs in.
CREATE TABLE approval_request (
    hash         BLOB PRIMARY KEY,
    account      INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    generation   INTEGER NOT NULL,
    conversation BLOB NOT NULL,
    number       BLOB NOT NULL,
    state        TEXT NOT NULL,
    session      BLOB,
    service      TEXT NOT NULL,
    name         TEXT NOT NULL,
    host         TEXT NOT NULL,
    scope        TEXT NOT NULL,
    origin       TEXT NOT NULL,
    created      INTEGER NOT NULL,
    expires      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX approval_request_account ON approval_request (account);
CREATE INDEX approval_request_created ON approval_request (created);

CREATE TABLE recovery_code (
    account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    hash    BLOB NOT NULL,
    -- characters of the code
    length  INTEGER NOT NULL,
    used_at INTEGER,
    PRIMARY KEY (account, hash)
) STRICT, WITHOUT ROWID;

-- An administrator's one-time code; a new one takes the place of the old one.
CREATE TABLE one_time_code (
    account INTEGER PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    hash    BLOB NOT NULL,
    issued  INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    used    INTEGER NOT NULL
) STRICT;

-- The one-time code for PAM prompts that a passkey has made; a new one takes the place of the old one.
CREATE TABLE passkey_code (
    account INTEGER PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    hash    BLOB NOT NULL,
    issued  INTEGER NOT NULL,
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
    -- of app passwords, when it or what a gate takes from its account changed last
    revision  INTEGER NOT NULL,
    UNIQUE (account, name)
) STRICT;
CREATE INDEX app_password_changed ON app_password (revision);

-- App passwords that gates have to forget, for as long as a gate may go by an older revision.
CREATE TABLE removed_app_password (
    revision INTEGER NOT NULL,
    hash     BLOB NOT NULL,
    PRIMARY KEY (revision, hash)
) STRICT, WITHOUT ROWID;

-- One row: raised with every change that gates have to know of app passwords.
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

-- Letters with codes for posternd to send, one for each account at most. sealed: the code, until posternd takes it.
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
CREATE INDEX outbox_waiting ON outbox (id) WHERE fate = 0;
CREATE INDEX outbox_address ON outbox (address);
CREATE INDEX outbox_expires ON outbox (expires);

-- Events to be mailed to the people whose accounts they concern; nothing in them is secret. A notification outlives its
-- account. due: when it is sent next; every try moves it on.
CREATE TABLE notification (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    address   TEXT NOT NULL,
    due       INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    account   TEXT NOT NULL,
    kind      TEXT NOT NULL,
    service   TEXT NOT NULL,
    origin    TEXT NOT NULL,
    principal TEXT NOT NULL,
    cause     TEXT NOT NULL
) STRICT;
CREATE INDEX notification_account ON notification (account);
CREATE INDEX notification_due ON notification (due);
CREATE INDEX notification_at ON notification (at);

-- Wrong inputs. owner: an account's number, or -1 minus the shared bucket of names without an account.
-- phase: 0 before the first factor, 1 after it. factor: what was wrong, 'password' or 'code'.
CREATE TABLE failure (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    owner   INTEGER NOT NULL,
    phase   INTEGER NOT NULL,
    scope   TEXT NOT NULL,
    at      INTEGER NOT NULL,
    cost    INTEGER NOT NULL,
    factor  TEXT NOT NULL,
    address TEXT
) STRICT;
CREATE INDEX failure_bucket ON failure (owner, phase, scope, at);
CREATE INDEX failure_at ON failure (at);

CREATE TABLE bucket_lock (
    owner INTEGER NOT NULL,
    phase INTEGER NOT NULL,
    scope TEXT NOT NULL,
    at    INTEGER NOT NULL,
    PRIMARY KEY (owner, phase, scope)
) STRICT, WITHOUT ROWID;
CREATE INDEX bucket_lock_of_address ON bucket_lock (at) WHERE scope GLOB 'address *';

-- At most as many of one address as fill its count.
CREATE TABLE address_failure (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    address TEXT NOT NULL,
    at      INTEGER NOT NULL
) STRICT;
CREATE INDEX address_failure_address ON address_failure (address, at);
CREATE INDEX address_failure_at ON address_failure (at);

-- Addresses from which access was granted to the account, by service: a PAM service, or web. code_at: when a code was
-- last accepted there, unless something ended all sessions since; the grace period runs from then.
CREATE TABLE familiar_address (
    account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    address TEXT NOT NULL,
    service TEXT NOT NULL,
    at      INTEGER NOT NULL,
    code_at INTEGER,
    PRIMARY KEY (account, address, service)
) STRICT, WITHOUT ROWID;
CREATE INDEX familiar_address_at ON familiar_address (at);

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
    expires   INTEGER NOT NULL,
    refreshed INTEGER NOT NULL DEFAULT 0,
    -- the trusted browser that it was begun in, also once that is trusted no longer
    trusted_browser INTEGER,
    -- 1 where that trust took the place of the code
    by_trust  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX session_account ON session (account);
CREATE INDEX session_browser ON session (trusted_browser) WHERE trusted_browser IS NOT NULL;

-- Sign-ins between the first factor and the code, once a code was tried. wrong: how many were; used: whether one was right.
CREATE TABLE login_token (
    id      BLOB PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    expires INTEGER NOT NULL,
    wrong   INTEGER NOT NULL,
    used    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX login_token_expires ON login_token (expires);
CREATE INDEX login_token_account ON login_token (account);

-- Sessions ended one by one. revision: the one with which.
CREATE TABLE revoked_session (
    id       BLOB PRIMARY KEY,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX revoked_session_revision ON revoked_session (revision);

-- One row: raised by every revocation. forgotten: what was revoked with this one or an older one may be known no longer,
-- and sessions that were opened before it are refused.
CREATE TABLE revision (
    number    INTEGER NOT NULL,
    forgotten INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO revision (number) VALUES (0);

-- When revisions were reached, a few a day: by these it is known which are old enough to be forgotten.
CREATE TABLE revision_time (
    number INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL
) STRICT;

-- Running gates, and the last revision that each goes by.
CREATE TABLE gate (
    id   BLOB PRIMARY KEY,
    seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    at        INTEGER NOT NULL,
    account   TEXT NOT NULL,
    kind      TEXT NOT NULL,
    service   TEXT NOT NULL,
    origin    TEXT NOT NULL,
    principal TEXT NOT NULL,
    cause     TEXT NOT NULL
) STRICT;
-- how many of a day; which are too old. postern log reads by number alone.
CREATE INDEX event_day ON event (account, kind, at);
CREATE INDEX event_at ON event (at);

-- One row once there is a fleet: the certificate of its authority, and the key of that, sealed.
CREATE TABLE fleet_authority (
    id          INTEGER PRIMARY KEY,
    certificate BLOB NOT NULL,
    sealed      BLOB NOT NULL
) STRICT;

-- Hosts that have joined, also revoked ones. fingerprint: SHA-256 of the public key. AUTOINCREMENT: what a host causes is
-- counted by its number, and a host that joins again starts afresh.
CREATE TABLE host (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL,
    fingerprint BLOB NOT NULL UNIQUE,
    joined      INTEGER NOT NULL,
    expires     INTEGER NOT NULL,
    revoked     INTEGER
) STRICT;
CREATE UNIQUE INDEX host_joined ON host (name) WHERE revoked IS NULL;

-- What each server has seen of a host: when it heard of it last, whether a connection was open then, the version that
-- the host stated, and how its conversations ended since it joined.
CREATE TABLE host_activity (
    host       INTEGER NOT NULL REFERENCES host ON DELETE CASCADE,
    server     TEXT NOT NULL,
    seen       INTEGER NOT NULL,
    connected  INTEGER NOT NULL,
    version    TEXT NOT NULL,
    passed     INTEGER NOT NULL,
    not_needed INTEGER NOT NULL,
    denied     INTEGER NOT NULL,
    PRIMARY KEY (host, server)
) STRICT, WITHOUT ROWID;

-- Invitations to join, one for each name. hash: keyed hash of the code.
CREATE TABLE host_invitation (
    name    TEXT PRIMARY KEY,
    hash    BLOB NOT NULL UNIQUE,
    issued  INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Break-glass codes of hosts, also used ones. hash: what the host verifies a code with. received: when the host had the
-- whole set. used: when it reported the use.
CREATE TABLE break_glass_code (
    host     INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash     BLOB NOT NULL,
    issued   INTEGER NOT NULL,
    received INTEGER,
    used     INTEGER,
    PRIMARY KEY (host, position)
) STRICT, WITHOUT ROWID;
