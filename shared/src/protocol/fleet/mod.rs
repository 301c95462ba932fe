//! The protocol between a host of a fleet and a server, over TLS. The server sends a [`HostGreeting`].
//! The host then sends one [`HostRequest`] after the other. A conversation is answered by
//! instructions, as a module gets them, and ends with [`super::Instruction::End`]; every other request
//! by one [`ServerReply`].
//!
//! TLS is version 1.3, and both sides show certificates of the fleet's authority (`tls`,
//! `connection`); `files` are those of a host.
//!
//! MUST NOT name the host in a frame: the server knows it by its certificate. MUST NOT trust any other
//! authority, and MUST NOT send anything before the server is verified.

pub mod connection;
pub mod files;
pub mod tls;

use super::break_glass::{REPORT_BYTES, decode_grant, decode_uses, encode_grant, encode_uses};
use super::codec::{DecodeError, Decoder, Encoder};
use super::frame::{Frame, FrameError};
use super::opening::{PamTransaction, decode_id};
pub use super::release::ReleaseName;
use crate::account::name;
use crate::policy::groups::GroupMembership;
use crate::system::clock::Timestamp;
use crate::system::process::TransactionId;
use crate::verify::break_glass::{OfflineAccess, OfflineGrant};
use std::fmt;
use zeroize::Zeroizing;

/// Versions of this protocol, newest first. A host uses the newest that its server speaks, too.
/// Version 1 has no break-glass codes, and a host does not state its release. Before version 3, only PAM
/// hosts that run as root are relayed.
pub const FLEET_VERSIONS: &[u16] = &[3, 2, 1];
/// The first version in which a conversation may be one of a user's own process.
pub const USER_PROCESS_VERSION: u16 = 3;
/// The first version in which a host states its release.
pub const RELEASE_VERSION: u16 = 2;

/// Returns the newest version of ours that a peer speaks, too.
pub fn newest_common_version(theirs: &[u16]) -> Option<u16> {
    newest_common(FLEET_VERSIONS, theirs)
}

fn newest_common(ours: &[u16], theirs: &[u16]) -> Option<u16> {
    let common = ours.iter().filter(|version| theirs.contains(version));
    common.max().copied()
}
/// The first version with break-glass codes.
pub const BREAK_GLASS_VERSION: u16 = 2;

const GREETING: u8 = 32;
const CONVERSATION: u8 = 48;
const JOIN: u8 = 49;
const RENEW: u8 = 50;
const PING: u8 = 51;
const RELEASE: u8 = 54;
const REPORT: u8 = 52;
const BREAK_GLASS: u8 = 53;
const JOINED: u8 = 176;
const RENEWED: u8 = 177;
const PONG: u8 = 178;
const REFUSED: u8 = 179;
const REPORTED: u8 = 180;
const GRANTED: u8 = 181;

/// Most versions in a greeting.
const VERSIONS: usize = 16;
/// Most groups that a policy names, and the longest name.
const GROUPS: usize = 1024;
const NAME: usize = name::LONGEST + 1;
/// Longest certificate, secret of an invitation, and refusal, in bytes.
const CERTIFICATE: usize = 8 * 1024;
const SECRET: usize = 64;
const TEXT: usize = 1024;
/// Longest list of groups as bytes.
const GROUP_BYTES: usize = GROUPS * (NAME + 5);

/// What a server allows to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostStanding {
    /// The host has joined.
    Joined = 0,
    /// The connection limit is reached.
    Busy = 1,
    /// The host showed no certificate: it may join.
    Unknown = 2,
    /// The host was revoked, or has joined again with another key.
    Revoked = 3,
    /// The server cannot read its store.
    Unavailable = 4,
}

impl HostStanding {
    const ALL: [HostStanding; 5] = [
        HostStanding::Joined,
        HostStanding::Busy,
        HostStanding::Unknown,
        HostStanding::Revoked,
        HostStanding::Unavailable,
    ];
}

/// The first frame of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostGreeting {
    pub versions: Vec<u16>,
    pub standing: HostStanding,
    /// The groups that the policy names: the host states who is in them.
    pub groups: Vec<String>,
    /// When the certificate of the host expires.
    pub expires: Timestamp,
}

impl Frame for HostGreeting {
    const LIMIT: usize = GROUP_BYTES + 64;

    fn kind(&self) -> u8 {
        GREETING
    }

    fn encode(&self, fields: &mut Encoder) {
        fields.u8(self.standing as u8);
        let versions = self.versions.iter().take(VERSIONS);
        let bytes: Vec<u8> = versions.flat_map(|version| version.to_le_bytes()).collect();
        fields.bytes(&bytes);
        encode_names(fields, &self.groups);
        fields.bytes(&self.expires.0.to_le_bytes());
    }

    fn decode(kind: u8, fields: &mut Decoder<'_>) -> Result<HostGreeting, FrameError> {
        if kind != GREETING {
            return Err(FrameError::Kind(kind));
        }
        let standing = fields.one_of(HostStanding::ALL, |one| one as u8, "standing")?;
        let bytes = fields.bytes(2 * VERSIONS, "versions")?;
        if bytes.len() % 2 != 0 {
            return Err(DecodeError("versions").into());
        }
        let pairs = bytes
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let (versions, groups) = (pairs.collect(), decode_names(fields)?);
        let expires = fields.bytes(8, "expiry")?.try_into();
        let expires = expires.map_err(|_| DecodeError("expiry"))?;
        Ok(HostGreeting {
            standing,
            versions,
            groups,
            expires: Timestamp(u64::from_le_bytes(expires)),
        })
    }
}

/// The name service's reply about a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookedUpUser {
    /// The host's own spelling of the name.
    Found(Vec<u8>),
    /// The host does not know the user. For the real user of a process: root.
    Absent,
    /// The name service does not reply.
    Failed,
}

impl LookedUpUser {
    fn encode(&self, fields: &mut Encoder) {
        match self {
            LookedUpUser::Found(name) => {
                fields.u8(1);
                fields.bytes(name);
            }
            LookedUpUser::Absent => fields.u8(0),
            LookedUpUser::Failed => fields.u8(2),
        }
    }

    fn decode(fields: &mut Decoder<'_>) -> Result<LookedUpUser, DecodeError> {
        const FIELD: &str = "user";
        match fields.u8(FIELD)? {
            0 => Ok(LookedUpUser::Absent),
            1 => Ok(LookedUpUser::Found(fields.bytes(NAME, FIELD)?.to_vec())),
            2 => Ok(LookedUpUser::Failed),
            _ => Err(DecodeError(FIELD)),
        }
    }
}

/// What the host knows and the server cannot look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    /// The user who signs in.
    pub user: LookedUpUser,
    /// The real user of the process, whose effective user is root.
    pub real_user: LookedUpUser,
    /// The user who runs the process, for the log.
    pub runs_as: String,
    /// Memberships of the user who signs in, in the groups of the greeting.
    pub groups: Vec<(String, GroupMembership)>,
}

/// A conversation of a PAM host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayedConversation {
    pub version: u16,
    /// Whether the PAM host is a process of the real user's own, and does not run as root.
    pub is_users: bool,
    pub transaction: PamTransaction,
    pub id: Option<TransactionId>,
    pub facts: HostFacts,
}

/// A request of a host.
#[derive(PartialEq, Eq)]
pub enum HostRequest {
    Conversation(Box<RelayedConversation>),
    /// To join, with the secret of an invitation and the SubjectPublicKeyInfo of the host's key.
    Join {
        secret: Zeroizing<Vec<u8>>,
        public_key: Vec<u8>,
    },
    /// A new certificate for the key of the connection's certificate.
    Renew,
    /// Whether the server still answers.
    Ping,
    /// The release of this host's Postern, for operators. The server replies as to a ping.
    Release(ReleaseName),
    /// Accesses that the host has granted while no server answered.
    Report(Vec<OfflineAccess>),
    /// What the host may decide while no server answers. `held` is the digest of the codes that it
    /// has; none, if it has lost them.
    BreakGlass {
        held: Option<[u8; 32]>,
    },
}

impl HostRequest {
    /// Returns the release of the host, where the request states it.
    pub fn release(&self) -> Option<&ReleaseName> {
        match self {
            HostRequest::Release(release) => Some(release),
            _ => None,
        }
    }
}

impl fmt::Debug for HostRequest {
    /// Prints the fields without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HostRequest::Conversation(_) => "Conversation(…)",
            HostRequest::Join { .. } => "Join(…)",
            HostRequest::Renew => "Renew",
            HostRequest::Ping => "Ping",
            HostRequest::Release(_) => "Release(…)",
            HostRequest::Report(_) => "Report(…)",
            HostRequest::BreakGlass { .. } => "BreakGlass",
        })
    }
}

impl Frame for HostRequest {
    const LIMIT: usize = super::Opening::LIMIT + GROUP_BYTES + 4 * NAME + REPORT_BYTES;

    fn kind(&self) -> u8 {
        match self {
            HostRequest::Conversation(_) => CONVERSATION,
            HostRequest::Join { .. } => JOIN,
            HostRequest::Renew => RENEW,
            HostRequest::Ping => PING,
            HostRequest::Release(_) => RELEASE,
            HostRequest::Report(_) => REPORT,
            HostRequest::BreakGlass { .. } => BREAK_GLASS,
        }
    }

    fn encode(&self, fields: &mut Encoder) {
        match self {
            HostRequest::Conversation(relayed) => {
                fields.u16(relayed.version);
                if relayed.version >= USER_PROCESS_VERSION {
                    fields.u8(relayed.is_users.into());
                }
                relayed.transaction.encode(fields);
                fields.optional_bytes(relayed.id.as_ref().map(|id| id.0.as_slice()));
                relayed.facts.encode(fields);
            }
            HostRequest::Join { secret, public_key } => {
                fields.bytes(secret);
                fields.bytes(public_key);
            }
            HostRequest::Renew | HostRequest::Ping => {}
            HostRequest::Release(release) => fields.bytes(release.as_str().as_bytes()),
            HostRequest::Report(uses) => encode_uses(fields, uses),
            HostRequest::BreakGlass { held } => {
                fields.optional_bytes(held.as_ref().map(<[u8; 32]>::as_slice));
            }
        }
    }

    fn decode(kind: u8, fields: &mut Decoder<'_>) -> Result<HostRequest, FrameError> {
        Ok(match kind {
            CONVERSATION => {
                let version = fields.u16("version")?;
                if !FLEET_VERSIONS.contains(&version) {
                    return Err(DecodeError("version").into());
                }
                let is_users = version >= USER_PROCESS_VERSION
                    && fields.one_of([false, true], u8::from, "process")?;
                HostRequest::Conversation(Box::new(RelayedConversation {
                    version,
                    is_users,
                    transaction: PamTransaction::decode(fields)?,
                    id: decode_id(fields)?,
                    facts: HostFacts::decode(fields)?,
                }))
            }
            JOIN => HostRequest::Join {
                secret: Zeroizing::new(fields.bytes(SECRET, "secret")?.to_vec()),
                public_key: fields.bytes(CERTIFICATE, "public key")?.to_vec(),
            },
            RENEW => HostRequest::Renew,
            PING => HostRequest::Ping,
            RELEASE => {
                let text = fields.text(ReleaseName::LONGEST, "release")?;
                let release = ReleaseName::parse(text).ok_or(DecodeError("release"))?;
                HostRequest::Release(release)
            }
            REPORT => HostRequest::Report(decode_uses(fields)?),
            BREAK_GLASS => {
                let held = fields
                    .optional_bytes(32, "digest")?
                    .map(<[u8; 32]>::try_from);
                let held = held.transpose().map_err(|_| DecodeError("digest"))?;
                HostRequest::BreakGlass { held }
            }
            _ => return Err(FrameError::Kind(kind)),
        })
    }
}

impl HostFacts {
    fn encode(&self, fields: &mut Encoder) {
        self.user.encode(fields);
        self.real_user.encode(fields);
        fields.bytes(self.runs_as.as_bytes());
        let count = self.groups.len().min(GROUPS);
        fields.u32(u32::try_from(count).unwrap_or(0));
        for (name, membership) in self.groups.iter().take(count) {
            fields.bytes(name.as_bytes());
            fields.u8(membership_number(*membership));
        }
    }

    fn decode(fields: &mut Decoder<'_>) -> Result<HostFacts, DecodeError> {
        let (user, real_user) = (LookedUpUser::decode(fields)?, LookedUpUser::decode(fields)?);
        let runs_as = fields.text(NAME, "user")?.to_owned();
        let count = decode_count(fields)?;
        let all = [
            GroupMembership::No,
            GroupMembership::Yes,
            GroupMembership::Unknown,
        ];
        let groups = (0..count).map(|_| {
            let name = fields.text(NAME, "group")?.to_owned();
            Ok((name, fields.one_of(all, membership_number, "membership")?))
        });
        Ok(HostFacts {
            user,
            real_user,
            runs_as,
            groups: groups.collect::<Result<_, DecodeError>>()?,
        })
    }
}

fn membership_number(membership: GroupMembership) -> u8 {
    match membership {
        GroupMembership::No => 0,
        GroupMembership::Yes => 1,
        GroupMembership::Unknown => 2,
    }
}

fn encode_names(fields: &mut Encoder, names: &[String]) {
    let count = names.len().min(GROUPS);
    fields.u32(u32::try_from(count).unwrap_or(0));
    for name in names.iter().take(count) {
        fields.bytes(name.as_bytes());
    }
}

fn decode_names(fields: &mut Decoder<'_>) -> Result<Vec<String>, DecodeError> {
    let count = decode_count(fields)?;
    (0..count)
        .map(|_| fields.text(NAME, "group").map(str::to_owned))
        .collect()
}

fn decode_count(fields: &mut Decoder<'_>) -> Result<usize, DecodeError> {
    let count = usize::try_from(fields.u32("groups")?).unwrap_or(usize::MAX);
    match count <= GROUPS {
        true => Ok(count),
        false => Err(DecodeError("groups")),
    }
}

/// The reply to a request that is no conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerReply {
    /// The host has joined under this name. Certificates are DER.
    Joined {
        name: String,
        certificate: Vec<u8>,
        authority: Vec<u8>,
    },
    Renewed {
        certificate: Vec<u8>,
    },
    /// With the groups that the policy names now.
    Pong {
        groups: Vec<String>,
    },
    /// The text says why.
    Refused(String),
    /// What was reported is in the audit log.
    Reported,
    Granted(OfflineGrant),
}

impl Frame for ServerReply {
    const LIMIT: usize = GROUP_BYTES + 2 * CERTIFICATE + TEXT + 64;

    fn kind(&self) -> u8 {
        match self {
            ServerReply::Joined { .. } => JOINED,
            ServerReply::Renewed { .. } => RENEWED,
            ServerReply::Pong { .. } => PONG,
            ServerReply::Refused(_) => REFUSED,
            ServerReply::Reported => REPORTED,
            ServerReply::Granted(_) => GRANTED,
        }
    }

    fn encode(&self, fields: &mut Encoder) {
        match self {
            ServerReply::Joined {
                name,
                certificate,
                authority,
            } => {
                fields.bytes(name.as_bytes());
                fields.bytes(certificate);
                fields.bytes(authority);
            }
            ServerReply::Renewed { certificate } => fields.bytes(certificate),
            ServerReply::Pong { groups } => encode_names(fields, groups),
            ServerReply::Refused(text) => fields.bytes(text.as_bytes()),
            ServerReply::Reported => {}
            ServerReply::Granted(grant) => encode_grant(fields, grant),
        }
    }

    fn decode(kind: u8, fields: &mut Decoder<'_>) -> Result<ServerReply, FrameError> {
        Ok(match kind {
            JOINED => ServerReply::Joined {
                name: fields.text(NAME, "name")?.to_owned(),
                certificate: fields.bytes(CERTIFICATE, "certificate")?.to_vec(),
                authority: fields.bytes(CERTIFICATE, "certificate")?.to_vec(),
            },
            RENEWED => ServerReply::Renewed {
                certificate: fields.bytes(CERTIFICATE, "certificate")?.to_vec(),
            },
            PONG => ServerReply::Pong {
                groups: decode_names(fields)?,
            },
            REFUSED => ServerReply::Refused(fields.text(TEXT, "text")?.to_owned()),
            REPORTED => ServerReply::Reported,
            GRANTED => ServerReply::Granted(decode_grant(fields)?),
            _ => return Err(FrameError::Kind(kind)),
        })
    }
}

#[cfg(test)]
mod tests;
