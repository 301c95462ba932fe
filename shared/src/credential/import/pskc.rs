//! Portable Symmetric Key Containers (RFC 6030), version 1.0: the keys, their accounts, and how
//! they make codes. Encrypted values are decrypted by [`key`]. A document type is refused, and with
//! it all entities.
//!
//! Only secrets are encrypted and verified. Accounts, digits and counters are not, as RFC 6030
//! specifies.

mod element;
mod key;

pub use key::PskcKey;

use super::{ImportEntry, ImportError, ImportOwners, ImportedFile, MovingFactor, stamp};
use crate::credential::otp::secret::Secret;
use crate::credential::otp::totp::Algorithm;
use crate::system::clock::Timestamp;
use element::{child, decode_base64, line_of, refusal, required_child, text_of};
use key::PskcDecryptor;
use roxmltree::{Document, Error, Node, ParsingOptions};
use std::collections::HashSet;
use zeroize::Zeroizing;

const NAMESPACE: &str = "urn:ietf:params:xml:ns:keyprov:pskc";
const NODES: u32 = 1_000_000;
const MOST_PREFIXES: usize = 50;
const LONGEST_PIECE: usize = 16 * 1024;
const DOCUMENT_TYPE: &str = "it has a document type, which is refused; remove it";
const DEFAULT_PERIOD: u64 = 30;
const DEFAULT_DIGITS: u64 = 6;
const ONE_VALUE: &str = "a Secret holds one PlainValue or one EncryptedValue";

/// Adds the authenticators of `text`.
pub(super) fn parse_pskc(
    text: &str,
    key: PskcKey,
    owners: ImportOwners,
    now: Timestamp,
    import: &mut ImportedFile,
) -> Result<(), ImportError> {
    refuse_slow_xml(text)?;
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).map_err(|error| match error {
        Error::DtdDetected => ImportError::File(DOCUMENT_TYPE),
        Error::NodesLimitReached => ImportError::File("it has more than a million XML nodes"),
        _ => {
            let at = error.pos();
            let (line, column) = (at.row as usize, at.col as usize);
            ImportError::Position(line, column, "the XML is malformed")
        }
    })?;
    let container = document.root_element();
    if !is_element(container, "KeyContainer") || container.attribute("Version") != Some("1.0") {
        let why = "it is not a KeyContainer of RFC 6030, version 1.0";
        return Err(ImportError::File(why));
    }
    if let Some(signature) = document
        .descendants()
        .find(|node| node.tag_name().name() == "Signature")
    {
        let why = "it is signed, and Postern does not verify XML signatures: verify it with pskctool --verify, then \
                   remove the Signature element";
        return Err(refusal(signature, why));
    }
    let opener = PskcDecryptor::new(container, key)?;
    let mut not_verified = None;
    for package in container
        .children()
        .filter(|node| is_element(*node, "KeyPackage"))
    {
        let key = match child(package, "Key") {
            Ok(Some(key)) => key,
            Ok(None) => continue,
            Err(error) => {
                import.leave_out_malformed(Err(error))?;
                continue;
            }
        };
        match describe_key(package, key, owners, now) {
            Ok(described) => {
                if let Some(error) = described.add_to(&opener, import)? {
                    not_verified.get_or_insert(error);
                }
            }
            Err(unusable) => {
                import.leave_out(line_of(key), unusable.account.as_deref(), unusable.why)?;
            }
        }
    }
    // where no secret can be verified, the key that was given is wrong
    match not_verified {
        Some(error) if import.found.is_empty() => Err(error),
        _ => Ok(()),
    }
}

/// Refuses documents that the XML parser would process in quadratic time: it compares each
/// attribute of an element with every other, and looks up each name among all prefixes above it. No
/// `<` occurs within an element's attributes.
fn refuse_slow_xml(text: &str) -> Result<(), ImportError> {
    if text.split('<').any(|piece| piece.len() > LONGEST_PIECE) {
        let why = "it has an XML element or a text longer than 16 KiB";
        return Err(ImportError::File(why));
    }
    let mut prefixes = HashSet::new();
    for rest in text.split("xmlns").skip(1) {
        prefixes.insert(rest.split('=').next().unwrap_or(rest).trim());
        if prefixes.len() > MOST_PREFIXES {
            return Err(ImportError::File("it declares more than 50 XML namespaces"));
        }
    }
    Ok(())
}

/// A key whose secret is not yet read.
struct DescribedKey<'a> {
    line: usize,
    account: String,
    label: Option<String>,
    algorithm: Algorithm,
    digits: u64,
    moving: MovingFactor,
    losses: Vec<&'static str>,
    secret: Node<'a, 'a>,
}

/// Why a key is left out.
struct UnusableKey {
    account: Option<String>,
    why: &'static str,
}

impl From<ImportError> for UnusableKey {
    fn from(error: ImportError) -> UnusableKey {
        let why = error.why();
        UnusableKey { account: None, why }
    }
}

impl DescribedKey<'_> {
    /// Reads the secret and adds the authenticator. Leaves out one whose secret cannot be verified or
    /// decrypted, and returns why. An encrypted secret without a key refuses the file.
    fn add_to(
        self,
        opener: &PskcDecryptor,
        import: &mut ImportedFile,
    ) -> Result<Option<ImportError>, ImportError> {
        let (line, account) = (self.line, self.account);
        let has_key = !matches!(opener, PskcDecryptor::Plain);
        let is_encrypted = !matches!(child(self.secret, "EncryptedValue"), Ok(None));
        let secret = match read_secret(self.secret, opener) {
            Ok(secret) => Secret::from_imported_bytes(secret),
            Err(error) if is_encrypted && !has_key => return Err(error),
            Err(error) => {
                import.leave_out(line, Some(&account), error.why())?;
                return Ok(has_key.then_some(error));
            }
        };
        for why in self.losses {
            import.note_loss(line, &account, why);
        }
        import.add(ImportEntry {
            label: self.label,
            algorithm: self.algorithm,
            digits: self.digits,
            ..ImportEntry::new(line, account, secret, self.moving)
        })?;
        Ok(None)
    }
}

/// Returns how a key makes codes and whose it is.
fn describe_key<'a>(
    package: Node<'a, 'a>,
    key: Node<'a, 'a>,
    owners: ImportOwners,
    now: Timestamp,
) -> Result<DescribedKey<'a>, UnusableKey> {
    let device = child(package, "DeviceInfo")?;
    let account = find_account(key, device, owners)?;
    let unusable = |why| UnusableKey {
        account: Some(account.clone()),
        why,
    };
    let mut losses = Vec::new();
    if let Some(policy) = child(key, "Policy")? {
        losses.extend(check_policy(policy, now).map_err(unusable)?);
    }
    if let Some(why) = find_unsupported(key)? {
        return Err(unusable(why));
    }
    let data = required_child(key, "Data", "the Key element has no Data")?;
    let period = plain_number(data, "TimeInterval")?.unwrap_or(DEFAULT_PERIOD);
    let moving = match key.attribute("Algorithm").map(last_segment) {
        Some("totp") => MovingFactor::Time { period },
        Some("hotp") => {
            let next = plain_number(data, "Counter")?;
            let next = next.ok_or_else(|| unusable("a HOTP key needs its Counter"))?;
            MovingFactor::Counter { next }
        }
        _ => return Err(unusable("neither a TOTP nor a HOTP key")),
    };
    if plain_number(data, "Time")?.unwrap_or(0) != 0 {
        return Err(unusable("its steps do not count from 1970"));
    }
    let parameters = child(key, "AlgorithmParameters")?;
    let algorithm = parse_suite(parameters)?
        .ok_or_else(|| unusable("the algorithm must be SHA1, SHA256 or SHA512"))?;
    let response = parameters
        .map(|node| child(node, "ResponseFormat"))
        .transpose()?
        .flatten();
    let digits = match response.and_then(|node| node.attribute("Length")) {
        Some(text) => text
            .parse()
            .map_err(|_| unusable("the Length must be a number"))?,
        None => DEFAULT_DIGITS,
    };
    if child(data, "TimeDrift")?.is_some() {
        losses.push("the clock drift it learnt: Postern does not learn one");
    }
    Ok(DescribedKey {
        line: line_of(key),
        label: device_label(key, device)?,
        algorithm,
        digits,
        moving,
        losses,
        secret: required_child(data, "Secret", "its Data has no Secret")?,
        account,
    })
}

/// Returns the account of a key: that of its serial number in the administrator's list, of its
/// UserId, or the one that was given for all.
fn find_account(
    key: Node,
    device: Option<Node>,
    owners: ImportOwners,
) -> Result<String, UnusableKey> {
    let serial = match device {
        Some(device) => text_of(device, "SerialNo")?,
        None => None,
    };
    let named = match (text_of(key, "UserId")?, device) {
        (None, Some(device)) => text_of(device, "UserId")?,
        (named, _) => named,
    };
    let unusable = |why| UnusableKey { account: None, why };
    let serial = serial.or(key.attribute("Id"));
    if let Some(account) = owners.account_of(serial, named.and_then(account_of_user_id)) {
        let is_unclear = named.is_some_and(|named| account_of_user_id(named).is_none());
        let is_listed = owners.is_listed(serial);
        if !is_unclear || is_listed {
            return Ok(account);
        }
    }
    match named {
        Some(_) => Err(unusable(
            "its UserId is a distinguished name without one clear UID or CN",
        )),
        None => Err(unusable(
            "it names no user; give --user, or --user-list with its serial number",
        )),
    }
}

/// Checks the dates of a policy, and returns what of it is lost. A policy that is not understood
/// forbids the use of the key (RFC 6030, section 5).
fn check_policy(policy: Node, now: Timestamp) -> Result<Option<&'static str>, &'static str> {
    let mut loss = None;
    for node in policy.children().filter(Node::is_element) {
        let text = node.text().map_or("", str::trim);
        let date = || {
            // a time without zone is taken as UTC
            let date = stamp::parse_rfc3339(text).or_else(|| stamp::parse_civil(text));
            date.ok_or("a date of its Policy is malformed")
        };
        if is_element(node, "StartDate") {
            if now < date()? {
                return Err("its Policy has a StartDate after today");
            }
        } else if is_element(node, "ExpiryDate") {
            if now >= date()? {
                return Err("its Policy has an ExpiryDate before today");
            }
            loss = Some("its ExpiryDate: remove the authenticator then");
        } else if !is_element(node, "KeyUsage") || text != "OTP" {
            return Err("its Policy (PIN, number of uses) is not supported");
        }
    }
    Ok(loss)
}

/// Returns the account of a UserId: of a distinguished name (`UID=alice,DC=example`) its only UID,
/// or else its only CN; or the text itself. A name with escapes or several values gives none:
/// `CN=x\,UID=root` MUST NOT become `root`.
fn account_of_user_id(owner: &str) -> Option<&str> {
    if !owner.contains('=') {
        return Some(owner);
    }
    if owner.contains(['\\', '"', '+', ';', '#', '<', '>']) {
        return None;
    }
    let pairs: Vec<_> = owner
        .split(',')
        .map(|part| part.split_once('='))
        .collect::<Option<_>>()?;
    let named = |wanted: &str| {
        let kinds = pairs
            .iter()
            .filter(|(kind, _)| kind.trim().eq_ignore_ascii_case(wanted));
        kinds.map(|(_, name)| name.trim()).collect::<Vec<_>>()
    };
    match (&named("UID")[..], &named("CN")[..]) {
        ([name], _) | ([], [name]) => Some(name),
        _ => None,
    }
}

/// Returns the label by which the user recognises the device.
fn device_label(key: Node, device: Option<Node>) -> Result<Option<String>, ImportError> {
    if let Some(name) = text_of(key, "FriendlyName")? {
        return Ok(Some(name.to_owned()));
    }
    let Some(device) = device else {
        return Ok(None);
    };
    let words = [
        text_of(device, "Manufacturer")?,
        text_of(device, "SerialNo")?,
    ];
    let words: Vec<&str> = words.into_iter().flatten().collect();
    Ok(Some(words.join(" ")).filter(|label| !label.is_empty()))
}

/// Returns why codes of this key cannot be verified as it requires.
fn find_unsupported(key: Node) -> Result<Option<&'static str>, ImportError> {
    if child(key, "KeyProfileId")?.is_some() || child(key, "KeyReference")?.is_some() {
        let why = "it refers to a profile or key that is not in the file";
        return Ok(Some(why));
    }
    let Some(parameters) = child(key, "AlgorithmParameters")? else {
        return Ok(None);
    };
    if child(parameters, "ChallengeFormat")?.is_some() {
        return Ok(Some("its codes answer a challenge"));
    }
    let Some(response) = child(parameters, "ResponseFormat")? else {
        return Ok(None);
    };
    let decimal = response
        .attribute("Encoding")
        .is_none_or(|encoding| encoding == "DECIMAL");
    let no_check = response
        .attribute("CheckDigits")
        .is_none_or(|check| matches!(check, "false" | "0"));
    Ok((!decimal || !no_check).then_some("its codes are not plain decimal digits"))
}

fn parse_suite(parameters: Option<Node>) -> Result<Option<Algorithm>, ImportError> {
    let suite = parameters
        .map(|node| text_of(node, "Suite"))
        .transpose()?
        .flatten();
    let Some(suite) = suite else {
        return Ok(Some(Algorithm::Sha1));
    };
    let hash = suite
        .get(..5)
        .filter(|start| start.eq_ignore_ascii_case("HMAC-"))
        .map_or(suite, |_| &suite[5..]);
    Ok(Algorithm::from_name(&hash.replace('-', "")))
}

/// Returns `totp` of `urn:ietf:params:xml:ns:keyprov:pskc:totp` and of its older and shorter forms.
fn last_segment(uri: &str) -> &str {
    uri.rsplit([':', '#']).next().unwrap_or(uri)
}

fn read_secret(node: Node, opener: &PskcDecryptor) -> Result<Zeroizing<Vec<u8>>, ImportError> {
    match (child(node, "PlainValue")?, child(node, "EncryptedValue")?) {
        (Some(plain), None) => {
            opener.expects_plain(plain)?;
            decode_base64(plain)
        }
        (None, Some(encrypted)) => opener.decrypt_verified(encrypted, child(node, "ValueMAC")?),
        _ => Err(refusal(node, ONE_VALUE)),
    }
}

/// Returns a number below `Data`, such as a counter or a time. Only secrets may be encrypted.
fn plain_number(data: Node, name: &str) -> Result<Option<u64>, ImportError> {
    let Some(node) = child(data, name)? else {
        return Ok(None);
    };
    let number = text_of(node, "PlainValue")?.and_then(|text| text.parse().ok());
    number
        .map(Some)
        .ok_or_else(|| refusal(node, "this needs a PlainValue with a number"))
}

fn is_element(node: Node, name: &str) -> bool {
    node.has_tag_name((NAMESPACE, name))
}

#[cfg(test)]
mod tests;
