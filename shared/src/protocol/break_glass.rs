//! Fields of the frames about what a host may decide itself while no server answers.

use super::codec::{DecodeError, Decoder, Encoder};
use crate::account::name::{self, Service, UserName};
use crate::credential::break_glass_code::BreakGlassHash;
use crate::credential::completed_methods::SshKeyFingerprint;
use crate::system::clock::Timestamp;
use crate::system::network::address::Address;
use crate::verify::break_glass::{OfflineAccess, OfflineGrant, OfflineMethod, most_codes};

/// Most uses in a frame.
pub const MOST_REPORTED: usize = 32;
/// Longest texts, in bytes.
const SERVICE: usize = 64;
const ADDRESS: usize = 64;
const FINGERPRINT: usize = 64;
const NAME: usize = name::LONGEST;
/// Longest list of uses as bytes.
pub(super) const REPORT_BYTES: usize =
    MOST_REPORTED * (NAME + SERVICE + ADDRESS + FINGERPRINT + 64);

const CODE: u8 = 0;
const SECURITY_KEY: u8 = 1;

pub(super) fn encode_uses(fields: &mut Encoder, uses: &[OfflineAccess]) {
    let count = uses.len().min(MOST_REPORTED);
    fields.u32(u32::try_from(count).unwrap_or(0));
    for access in uses.iter().take(count) {
        match &access.method {
            OfflineMethod::BreakGlass(hash) => {
                fields.u8(CODE);
                fields.bytes(&hash.0);
            }
            OfflineMethod::SecurityKey(key) => {
                fields.u8(SECURITY_KEY);
                fields.bytes(key.to_string().as_bytes());
            }
        }
        fields.bytes(access.account.as_str().as_bytes());
        fields.bytes(access.service.as_str().as_bytes());
        let address = access.address.map(|address| address.to_string());
        fields.optional_bytes(address.as_ref().map(String::as_bytes));
        fields.bytes(&access.at.0.to_le_bytes());
    }
}

pub(super) fn decode_uses(fields: &mut Decoder<'_>) -> Result<Vec<OfflineAccess>, DecodeError> {
    let count = decode_count(fields, MOST_REPORTED)?;
    (0..count).map(|_| decode_use(fields)).collect()
}

fn decode_use(fields: &mut Decoder<'_>) -> Result<OfflineAccess, DecodeError> {
    let method = match fields.u8("method")? {
        CODE => OfflineMethod::BreakGlass(decode_hash(fields)?),
        SECURITY_KEY => {
            let key = fields.text(FINGERPRINT, "fingerprint")?.to_owned();
            let key = SshKeyFingerprint::try_from(key);
            OfflineMethod::SecurityKey(key.map_err(|_| DecodeError("fingerprint"))?)
        }
        _ => return Err(DecodeError("method")),
    };
    let account = UserName::parse(fields.bytes(NAME, "account")?);
    let account = account.map_err(|_| DecodeError("account"))?;
    let service = Service::try_from(fields.text(SERVICE, "service")?.to_owned());
    let service = service.map_err(|_| DecodeError("service"))?;
    let address = match fields.optional_bytes(ADDRESS, "address")? {
        None => None,
        Some(text) => {
            let text = std::str::from_utf8(text).ok();
            let address = text.and_then(Address::parse);
            Some(address.ok_or(DecodeError("address"))?)
        }
    };
    let at = fields.bytes(8, "time")?.try_into();
    Ok(OfflineAccess {
        method,
        account,
        service,
        address,
        at: Timestamp(u64::from_le_bytes(at.map_err(|_| DecodeError("time"))?)),
    })
}

pub(super) fn encode_grant(fields: &mut Encoder, grant: &OfflineGrant) {
    let count = grant.codes.len().min(most_codes());
    fields.u32(u32::try_from(count).unwrap_or(0));
    for code in grant.codes.iter().take(count) {
        fields.bytes(&code.0);
    }
    fields.u8(u8::from(grant.security_keys));
}

pub(super) fn decode_grant(fields: &mut Decoder<'_>) -> Result<OfflineGrant, DecodeError> {
    let count = decode_count(fields, most_codes())?;
    let codes = (0..count).map(|_| decode_hash(fields));
    Ok(OfflineGrant {
        codes: codes.collect::<Result<_, _>>()?,
        security_keys: fields.one_of([false, true], u8::from, "security keys")?,
    })
}

fn decode_hash(fields: &mut Decoder<'_>) -> Result<BreakGlassHash, DecodeError> {
    let bytes = fields.bytes(32, "code")?.try_into();
    bytes.map(BreakGlassHash).map_err(|_| DecodeError("code"))
}

fn decode_count(fields: &mut Decoder<'_>, most: usize) -> Result<usize, DecodeError> {
    let count = usize::try_from(fields.u32("count")?).unwrap_or(usize::MAX);
    match count <= most {
        true => Ok(count),
        false => Err(DecodeError("count")),
    }
}
