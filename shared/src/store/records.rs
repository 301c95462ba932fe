//! Records of the store, as transactions return and take them. Rows and SQL are in `transaction`.
//!
//! MUST NOT name anything of a database library, since more than one may keep the same records.

use crate::account::email::EmailAddress;
use crate::account::event::AuditEvent;
use crate::account::host::HostName;
use crate::account::name::{Label, UserName};
use crate::account::record::AccountId;
use crate::credential::break_glass_code::BreakGlassHash;
use crate::credential::otp::totp::OtpParameters;
use crate::credential::scope::AppPasswordScope;
use crate::crypto::vault::{AppPasswordHash, ApprovalHash, AssociatedData, MailedFor};
use crate::system::clock::Timestamp;
use crate::token::session::SessionId;
use crate::verify::app_password::FoundAppPassword;
use crate::verify::passkey::StoredPasskey;
use crate::verify::throttle::Phase;
use crate::verify::throttle_scope::ThrottleScope;
use serde::{Deserialize, Serialize};

/// Number of a throttle failure that can be removed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureId(pub(super) i64);

/// Authenticator as the store keeps it.
pub struct AuthenticatorRecord {
    /// Number that the store assigns.
    pub number: i64,
    /// Name that the account's owner chose; unique in the account.
    pub name: Label,
    pub parameters: OtpParameters,
    pub sealed: Vec<u8>,
    pub created: Timestamp,
}

/// Passkey as the store keeps it.
#[derive(Clone, Debug)]
pub struct PasskeyRecord {
    /// Number that the store assigns.
    pub number: i64,
    /// Name that the account's owner chose; unique among the passkeys of the account.
    pub name: Label,
    /// Random bytes by which its authenticator knows the account; the same for all of them.
    pub user_handle: Vec<u8>,
    /// The relying party that it was made for.
    pub rp_id: String,
    pub passkey: StoredPasskey,
    pub created: Timestamp,
    pub last_used: Option<Timestamp>,
}

/// Request of a PAM prompt for an approval, as the store keeps it.
#[derive(Clone, Debug)]
pub struct ApprovalRecord {
    /// Keyed hash of the account and the address.
    pub hash: ApprovalHash,
    /// Generation of the account when it was made; what ends all sessions raises it.
    pub generation: u64,
    /// Keyed hash of the conversation that made it.
    pub conversation: ApprovalHash,
    /// Keyed hash of the number that the prompt shows.
    pub number: ApprovalHash,
    pub state: ApprovalState,
    /// The session that approved it.
    pub session: Option<SessionId>,
    pub service: String,
    /// The user who signs in.
    pub user: String,
    /// Name of the host whose prompt it is.
    pub host: String,
    /// Where the prompt is: requests of one scope end those of no other.
    pub scope: String,
    /// Address or local user, as the host states.
    pub origin: String,
    pub created: Timestamp,
    pub expires: Timestamp,
}

/// State of a request for an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalState {
    Open,
    /// Approved, and not yet consumed by its conversation.
    Approved,
    /// Refused by the account's owner.
    Refused,
    /// Ended by a wrong number.
    WrongNumber,
    /// Consumed, replaced by a later one, or ended by its conversation.
    Ended,
}

impl ApprovalState {
    /// Whether the owner refused it, or typed another number.
    pub fn is_refused(self) -> bool {
        matches!(self, ApprovalState::Refused | ApprovalState::WrongNumber)
    }

    const ALL: [ApprovalState; 5] = [
        ApprovalState::Open,
        ApprovalState::Approved,
        ApprovalState::Refused,
        ApprovalState::WrongNumber,
        ApprovalState::Ended,
    ];

    /// Returns the name in the store.
    pub fn name(self) -> &'static str {
        match self {
            ApprovalState::Open => "open",
            ApprovalState::Approved => "approved",
            ApprovalState::Refused => "refused",
            ApprovalState::WrongNumber => "wrong-number",
            ApprovalState::Ended => "ended",
        }
    }

    /// Finds the state with this [`ApprovalState::name`].
    pub fn from_name(name: &str) -> Option<ApprovalState> {
        ApprovalState::ALL
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// Owner of a throttle bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BucketOwner {
    Account(AccountId),
    /// One of a fixed number of buckets that names without an account share.
    UnknownName(u16),
    /// A host of a fleet, for its wrong inputs over all accounts.
    FleetHost(i64),
}

/// Key of a throttle bucket: owner, phase and scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BucketKey {
    pub owner: BucketOwner,
    pub phase: Phase,
    pub scope: ThrottleScope,
}

/// Wrong codes since the last sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedInputs {
    pub count: u64,
    /// Address of the last wrong code, or `-`.
    pub last_from: String,
}

/// Session as the store keeps it.
#[derive(Clone, Debug)]
pub struct SessionRecord {
    pub id: SessionId,
    /// Name from the User-Agent header.
    pub browser: String,
    /// Address at sign-in, or `-`.
    pub address: String,
    pub created: Timestamp,
    pub last_seen: Timestamp,
    pub expires: Timestamp,
    /// Trusted browser in which the session began, if any.
    pub trusted_browser: Option<SessionBrowser>,
}

/// Trusted browser of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionBrowser {
    pub number: i64,
    /// Whether the trusted browser replaced the second factor.
    pub by_trust: bool,
}

impl SessionRecord {
    /// Returns whether the trusted browser replaced the second factor.
    pub fn is_by_trust(&self) -> bool {
        self.trusted_browser.is_some_and(|in_it| in_it.by_trust)
    }
}

/// Selection among the sessions of a trusted browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrowserSessions {
    /// All sessions that began in it.
    All,
    /// Sessions in which the trusted browser replaced the second factor.
    ByTrust,
}

/// Trusted browser as the store keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BrowserRecord {
    pub number: i64,
    pub account: AccountId,
    /// Name from the User-Agent header.
    pub name: String,
    /// Address of the last use, or `-`.
    pub address: String,
    /// Time since which it is trusted.
    pub created: Timestamp,
    pub last_seen: Timestamp,
    /// Expiry of the trust.
    pub expires: Timestamp,
}

/// Validity of a trusted browser's cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrowserToken {
    /// The newest token. It replaces the second factor.
    Newest,
    /// An older token, while the newest was not seen yet: two tabs, or a lost reply. The second
    /// factor is required.
    Older,
    /// A token from before the newest was seen. It was stolen.
    Stolen,
}

/// Summary of one account for `postern status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountTally {
    pub name: UserName,
    /// Last sign-in with a second factor.
    pub last_sign_in: Option<Timestamp>,
    /// Number of active authenticators.
    pub authenticators: u64,
    /// Number of passkeys.
    pub passkeys: u64,
    /// Activation of the oldest active authenticator.
    pub since: Option<Timestamp>,
    /// Number of recovery codes that are not used.
    pub recovery_codes: u64,
    pub addresses: MailAddresses,
    /// Number of locked throttle buckets.
    pub locks: u64,
}

/// App password as lists show it.
#[derive(Clone, Debug)]
pub struct AppPasswordRecord {
    pub number: i64,
    pub account: UserName,
    /// Name that the account's owner chose; unique in the account.
    pub name: Label,
    /// Services and addresses for which it is valid.
    pub scope: AppPasswordScope,
    pub created: Timestamp,
    /// Expiry; `None` for an app password that does not expire.
    pub expires: Option<Timestamp>,
    /// Last use, to the minute.
    pub last_used: Option<Timestamp>,
}

/// Valid app passwords, or the changes since a revision, for a gate that keeps them in memory.
#[derive(Debug, Default)]
pub struct LiveAppPasswords {
    /// Revision, raised by every change of an app password and of what a gate copies from its
    /// account.
    pub revision: u64,
    /// Whether `all` is complete. If not, `all` holds only the new and changed ones.
    pub is_complete: bool,
    /// App passwords with their hashes, in no order.
    pub all: Vec<(AppPasswordHash, FoundAppPassword)>,
    pub removed: Vec<AppPasswordHash>,
}

/// Result of adding an audit event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoggedEvent {
    Added,
    /// The account has too many events of this kind in one day.
    TooMany,
}

/// Authority of a fleet as the store keeps it.
pub struct AuthorityRecord {
    /// The host's certificate in DER.
    pub certificate: Vec<u8>,
    /// The private key, sealed.
    pub sealed: Vec<u8>,
}

/// Invitation of a host to join.
pub struct InvitationRecord {
    pub name: HostName,
    pub hash: [u8; 32],
    pub issued: Timestamp,
    pub expires: Timestamp,
}

/// Host that has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRecord {
    pub number: i64,
    pub name: HostName,
    /// SHA-256 of the public key.
    pub fingerprint: [u8; 32],
    pub joined: Timestamp,
    /// When the certificate expires.
    pub expires: Timestamp,
    pub revoked: Option<Timestamp>,
}

/// How many conversations of a host ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConversationCounts {
    /// A second factor was verified.
    pub passed: u64,
    /// No second factor was required.
    pub not_needed: u64,
    pub denied: u64,
}

/// What one server has seen of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostActivity {
    /// Number of the host.
    pub host: i64,
    pub server: String,
    /// When the server heard of it last.
    pub seen: Timestamp,
    /// Whether a connection was open when this was written.
    pub is_connected: bool,
    /// The Postern of the host, as it states it; empty if it has not yet.
    pub version: String,
    pub counts: ConversationCounts,
}

/// Break-glass code of a host.
#[derive(Clone, Debug)]
pub struct BreakGlassRecord {
    pub hash: BreakGlassHash,
    pub issued: Timestamp,
    /// When the host had the whole set.
    pub received: Option<Timestamp>,
    /// When the host reported the use.
    pub used: Option<Timestamp>,
}

/// Kind of a sealed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedValue {
    Authenticators,
    /// Codes in queued mail.
    QueuedMail,
    /// The key of the fleet's authority.
    FleetAuthority,
}

impl SealedValue {
    pub const ALL: [SealedValue; 3] = [
        SealedValue::Authenticators,
        SealedValue::QueuedMail,
        SealedValue::FleetAuthority,
    ];
}

/// Row with a sealed value.
pub struct SealedRow {
    pub sealed_in: SealedValue,
    pub number: i64,
    /// The account, if it is a value of one.
    pub name: Option<UserName>,
    /// Associated data of the seal.
    pub associated_data: AssociatedData,
    pub sealed: Vec<u8>,
}

/// An authenticator of any account.
pub struct OwnedAuthenticator {
    pub number: i64,
    pub account: AccountId,
    pub owner: UserName,
    pub parameters: OtpParameters,
    pub sealed: Vec<u8>,
}

/// Credentials of an account that a backup brings back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoredCredential {
    /// Recovery codes that were not used before the backup.
    RecoveryCodes,
    AppPasswords,
    Passkeys,
}

/// Value that is stored only as a keyed hash or checked only by a signature. It is worthless
/// without the key and cannot be computed again from the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyBound {
    /// Password of the built-in first factor.
    Password,
    RecoveryCodes,
    /// One-time codes that are not used and not expired.
    OneTimeCodes,
    /// Codes for PAM prompts that passkeys have made, likewise.
    PasskeyCodes,
    /// App passwords that are not expired.
    AppPasswords,
    MailedCodes,
    Browsers,
    Sessions,
}

impl KeyBound {
    pub const ALL: [KeyBound; 8] = [
        KeyBound::Password,
        KeyBound::RecoveryCodes,
        KeyBound::OneTimeCodes,
        KeyBound::PasskeyCodes,
        KeyBound::AppPasswords,
        KeyBound::MailedCodes,
        KeyBound::Browsers,
        KeyBound::Sessions,
    ];
}

/// Use of a login token so far. A token without a row is unused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoginTokenState {
    /// Number of wrong codes.
    pub wrong: u32,
    /// Whether a code was right, which ends the login.
    pub used: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailAddresses {
    /// Address to which mail has arrived. Codes are sent there.
    pub confirmed: Option<EmailAddress>,
    /// Address that replaces `confirmed` once mail to it has arrived.
    pub pending: Option<EmailAddress>,
}

/// Mail that waits for posternd.
pub struct QueuedMail {
    pub number: i64,
    /// Account that the code belongs to.
    pub account: AccountId,
    pub name: UserName,
    pub to: EmailAddress,
    pub purpose: MailedFor,
    /// Expiry of the code.
    pub expires: Timestamp,
    pub sealed: Vec<u8>,
}

/// Queued mail whose code has expired.
pub struct ExpiredMail {
    pub number: i64,
    pub name: UserName,
    pub state: MailState,
}

/// State of queued mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailState {
    /// posternd has not read it.
    Waiting,
    /// posternd is sending it.
    Sending,
    Sent,
    /// It could not be sent, with the reason.
    Failed(String),
}

/// Maximum of stored notifications per account. The oldest are kept.
pub const MAX_NOTIFICATIONS: u32 = 20;

/// Notification that waits for posternd.
#[derive(Debug)]
pub struct Notification {
    pub number: i64,
    pub to: EmailAddress,
    pub event: AuditEvent,
}

/// What of a database server's settings could break a promise of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreRisk {
    /// The role has an attribute, or is a member of a role, that reaches beyond its database.
    MightyRole(&'static str),
    /// This setting is off: a crash of the server loses commits.
    NotDurable(&'static str),
    /// Standbys are connected, and no commit waits for one: a failover loses commits.
    AsynchronousReplication,
    /// Commits of the role, or of this session, are answered before they are durable.
    AsynchronousCommit,
    /// The time limits with which sessions begin are not in force: a pooler drops them.
    SettingsNotInForce,
    /// The connection is neither encrypted nor a Unix socket.
    NotEncrypted,
    /// The server takes fewer connections than the hosts need.
    FewConnections { limit: u32, needed: u32 },
    /// The clock of the server differs from that of this host.
    ClocksApart { seconds: u64 },
}
