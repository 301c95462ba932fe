//! What the module sends first: the version, and what the transaction is about. A kind for hosts of effective user 0 is
//! refused where others connect, and the other way round.

use super::codec::{Decoder, Encoder, Malformed};
use super::frame::{FrameError, Message};
use super::hook::Hook;
use crate::{earlier, name};
use zeroize::Zeroizing;

const HOST: u8 = 16;

/// The most options of a line, and the longest of them, in bytes.
const OPTIONS: usize = 32;
const OPTION: usize = 1024;
/// The longest item: one byte above what any name may have shows that it is too long.
const ITEM: usize = name::LONGEST + 1;
const VARIABLE: usize = earlier::LONGEST + 1;
/// The longest mark.
const MARK: usize = 4 * 1024;

/// How a conversation begins.
#[derive(Debug, PartialEq, Eq)]
pub enum Opening {
    /// From a PAM host of effective user 0; only on host.sock.
    Host {
        /// The protocol version that the module chose from the greeting.
        version: u16,
        /// What it is about.
        transaction: Box<Transaction>,
    },
}

/// What the module knows of a PAM transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The hook.
    pub hook: Hook,
    /// The options of the line, as the service file has them.
    pub options: Vec<String>,
    /// PAM_SERVICE
    pub service: Option<Vec<u8>>,
    /// PAM_USER
    pub user: Option<Vec<u8>>,
    /// PAM_RHOST
    pub remote_host: Option<Vec<u8>>,
    /// PAM_TTY
    pub terminal: Option<Vec<u8>>,
    /// SSH_CONNECTION of the PAM environment; set and empty says something too.
    pub ssh_connection: Option<Vec<u8>>,
    /// SSH_AUTH_INFO_0 of the PAM environment.
    pub ssh_auth_info: Option<Vec<u8>>,
    /// Real user of the host process, whatever its effective user.
    pub real_uid: u32,
    /// What an earlier hook of the transaction had the module keep.
    pub mark: Option<Zeroizing<Vec<u8>>>,
}

impl Message for Opening {
    const LIMIT: usize = 64 * 1024 + 2 * VARIABLE;

    fn kind(&self) -> u8 {
        match self {
            Opening::Host { .. } => HOST,
        }
    }

    fn encode(&self, fields: &mut Encoder) {
        let Opening::Host { version, transaction } = self;
        fields.u16(*version);
        fields.u8(transaction.hook.number());
        fields.u32(u32::try_from(transaction.options.len()).unwrap_or(u32::MAX));
        for option in &transaction.options {
            fields.bytes(option.as_bytes());
        }
        let Transaction { service, user, remote_host, terminal, ssh_connection, ssh_auth_info, .. } =
            &**transaction;
        for item in [service, user, remote_host, terminal, ssh_connection, ssh_auth_info] {
            fields.optional_bytes(item.as_deref());
        }
        fields.u32(transaction.real_uid);
        fields.optional_bytes(transaction.mark.as_ref().map(|mark| mark.as_slice()));
    }

    fn decode(kind: u8, fields: &mut Decoder<'_>) -> Result<Opening, FrameError> {
        if kind != HOST {
            return Err(FrameError::Kind(kind));
        }
        let version = fields.u16("version")?;
        let hook = Hook::of_number(fields.u8("hook")?).ok_or(Malformed("hook"))?;
        let count = usize::try_from(fields.u32("options")?).unwrap_or(usize::MAX);
        if count > OPTIONS {
            return Err(Malformed("options").into());
        }
        let options = (0..count).map(|_| fields.text(OPTION, "option").map(str::to_owned));
        let options = options.collect::<Result<Vec<String>, Malformed>>()?;
        let mut item =
            |limit, field| fields.optional_bytes(limit, field).map(|item| item.map(<[u8]>::to_vec));
        let transaction = Box::new(Transaction {
            hook,
            options,
            service: item(ITEM, "service")?,
            user: item(ITEM, "user")?,
            remote_host: item(ITEM, "remote host")?,
            terminal: item(ITEM, "terminal")?,
            ssh_connection: item(VARIABLE, "SSH_CONNECTION")?,
            ssh_auth_info: item(VARIABLE, "SSH_AUTH_INFO_0")?,
            real_uid: fields.u32("real uid")?,
            mark: fields.optional_bytes(MARK, "mark")?.map(|mark| Zeroizing::new(mark.to_vec())),
        });
        Ok(Opening::Host { version, transaction })
    }
}
