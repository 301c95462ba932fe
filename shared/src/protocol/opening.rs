//! The opening: the first frame to posternd, with the version, and the transaction or the request.
//! The kind for hosts of effective user 0 is refused on the socket for other users, and theirs on
//! the socket for root.

use super::VERSIONS;
use super::codec::{DecodeError, Decoder, Encoder};
use super::frame::{Frame, FrameError};
use super::pam_function::PamFunction;
use crate::account::name;
use crate::credential::completed_methods;
use crate::system::process::TransactionId;
use std::fmt;
use zeroize::Zeroizing;

const HOST: u8 = 16;
const USER_HOST: u8 = 17;
const COMMAND: u8 = 18;

/// Most options in a service file's line, and the longest of them in bytes.
const OPTIONS: usize = 32;
const OPTION: usize = 1024;
/// Longest item in bytes: one byte above the longest name shows that an item is too long.
const ITEM: usize = name::LONGEST + 1;
const VARIABLE: usize = completed_methods::LONGEST + 1;
/// Longest mark in bytes.
const MARK: usize = 4 * 1024;
/// First version in which a host that runs as root identifies its transaction.
const NAMES_TRANSACTION: u16 = 2;
/// Longest request of a command in bytes; its longest part is a token of some 3 KiB.
const REQUEST: usize = 16 * 1024;

/// The opening of a conversation.
#[derive(PartialEq, Eq)]
pub enum Opening {
    /// From a PAM host of effective user 0; only on host.sock.
    Host {
        /// Protocol version that the module chose from the greeting.
        version: u16,
        transaction: Box<PamTransaction>,
        /// Identifier of the transaction, since version 2; not sent in version 1.
        id: Option<TransactionId>,
    },
    /// From a PAM host of any other effective user; only on pam.sock.
    UserHost {
        /// Protocol version that the module chose from the greeting.
        version: u16,
        transaction: Box<PamTransaction>,
    },
    /// From a command of a user; only on pam.sock. The reply is a [`super::CommandReply`].
    Command {
        /// Protocol version that the command chose from the greeting.
        version: u16,
        /// The request in the format of [`super::wire`].
        request: Zeroizing<Vec<u8>>,
    },
}

impl Opening {
    /// Returns the protocol version of the frames that follow.
    pub fn version(&self) -> u16 {
        match self {
            Opening::Host { version, .. }
            | Opening::UserHost { version, .. }
            | Opening::Command { version, .. } => *version,
        }
    }
}

impl fmt::Debug for Opening {
    /// Omits the request, which may contain a code or a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Opening::Host {
                version,
                transaction,
                id,
            } => {
                write!(f, "Host({version}, {transaction:?}, {id:?})")
            }
            Opening::UserHost {
                version,
                transaction,
            } => write!(f, "UserHost({version}, {transaction:?})"),
            Opening::Command { version, .. } => write!(f, "Command({version}, …)"),
        }
    }
}

/// A PAM transaction as the module knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PamTransaction {
    pub hook: PamFunction,
    /// Options in the service file.
    pub options: Vec<String>,
    pub service: Option<Vec<u8>>,
    pub user: Option<Vec<u8>>,
    /// The item PAM_RHOST, if set.
    pub remote_host: Option<Vec<u8>>,
    /// The item PAM_TTY, if set.
    pub terminal: Option<Vec<u8>>,
    /// SSH_CONNECTION of the PAM environment; a value that is set and empty has a meaning too.
    pub ssh_connection: Option<Vec<u8>>,
    /// SSH_AUTH_INFO_0 of the PAM environment.
    pub ssh_auth_info: Option<Vec<u8>>,
    /// Real user of the host process, whatever its effective user.
    pub real_uid: u32,
    /// Mark that an earlier function of the transaction had the module keep.
    pub mark: Option<Zeroizing<Vec<u8>>>,
}

impl Frame for Opening {
    const LIMIT: usize = 64 * 1024 + 2 * VARIABLE;

    fn kind(&self) -> u8 {
        match self {
            Opening::Host { .. } => HOST,
            Opening::UserHost { .. } => USER_HOST,
            Opening::Command { .. } => COMMAND,
        }
    }

    fn encode(&self, fields: &mut Encoder) {
        fields.u16(self.version());
        match self {
            Opening::Host {
                version,
                transaction,
                id,
            } => {
                transaction.encode(fields);
                if *version >= NAMES_TRANSACTION {
                    fields.optional_bytes(id.as_ref().map(|id| id.0.as_slice()));
                }
            }
            Opening::UserHost { transaction, .. } => transaction.encode(fields),
            Opening::Command { request, .. } => fields.bytes(request),
        }
    }

    fn decode(kind: u8, fields: &mut Decoder<'_>) -> Result<Opening, FrameError> {
        if ![HOST, USER_HOST, COMMAND].contains(&kind) {
            return Err(FrameError::Kind(kind));
        }
        // the fields that follow depend on the version
        let version = fields.u16("version")?;
        if !VERSIONS.contains(&version) {
            return Err(DecodeError("version").into());
        }
        if kind == COMMAND {
            let request = Zeroizing::new(fields.bytes(REQUEST, "request")?.to_vec());
            return Ok(Opening::Command { version, request });
        }
        let transaction = Box::new(PamTransaction::decode(fields)?);
        if kind == USER_HOST {
            return Ok(Opening::UserHost {
                version,
                transaction,
            });
        }
        let id = match version >= NAMES_TRANSACTION {
            true => decode_id(fields)?,
            false => None,
        };
        Ok(Opening::Host {
            version,
            transaction,
            id,
        })
    }
}

pub(super) fn decode_id(fields: &mut Decoder<'_>) -> Result<Option<TransactionId>, DecodeError> {
    const FIELD: &str = "transaction id";
    let bytes = fields.optional_bytes(TransactionId::LENGTH, FIELD)?;
    let id = bytes.map(|bytes| bytes.try_into().map(TransactionId));
    id.transpose().map_err(|_| DecodeError(FIELD))
}

impl PamTransaction {
    pub(super) fn encode(&self, fields: &mut Encoder) {
        fields.u8(self.hook.number());
        fields.u32(u32::try_from(self.options.len()).unwrap_or(u32::MAX));
        for option in &self.options {
            fields.bytes(option.as_bytes());
        }
        for item in [
            &self.service,
            &self.user,
            &self.remote_host,
            &self.terminal,
            &self.ssh_connection,
            &self.ssh_auth_info,
        ] {
            fields.optional_bytes(item.as_deref());
        }
        fields.u32(self.real_uid);
        fields.optional_bytes(self.mark.as_ref().map(|mark| mark.as_slice()));
    }

    pub(super) fn decode(fields: &mut Decoder<'_>) -> Result<PamTransaction, FrameError> {
        let hook = fields.one_of(PamFunction::ALL, PamFunction::number, "hook")?;
        let count = usize::try_from(fields.u32("options")?).unwrap_or(usize::MAX);
        if count > OPTIONS {
            return Err(DecodeError("options").into());
        }
        let options = (0..count).map(|_| fields.text(OPTION, "option").map(str::to_owned));
        let options = options.collect::<Result<Vec<String>, DecodeError>>()?;
        let mut item = |limit, field| {
            fields
                .optional_bytes(limit, field)
                .map(|item| item.map(<[u8]>::to_vec))
        };
        Ok(PamTransaction {
            hook,
            options,
            service: item(ITEM, "service")?,
            user: item(ITEM, "user")?,
            remote_host: item(ITEM, "remote host")?,
            terminal: item(ITEM, "terminal")?,
            ssh_connection: item(VARIABLE, "SSH_CONNECTION")?,
            ssh_auth_info: item(VARIABLE, "SSH_AUTH_INFO_0")?,
            real_uid: fields.u32("real uid")?,
            mark: fields
                .optional_bytes(MARK, "mark")?
                .map(|mark| Zeroizing::new(mark.to_vec())),
        })
    }
}
