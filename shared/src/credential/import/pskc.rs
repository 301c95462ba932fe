//! Portable Symmetric Key Containers (RFC 6030), version 1.0: the keys, their accounts, and how
//! they make codes. Encrypted values are decrypted by [`key`]. A document type is refused, and with
//! it all entities.
//!
//! Only secrets are encrypted and verified. Accounts, digits and counters are not, as RFC 6030
//! specifies.

mod element;
mod key;

pub use key::PskcKey;

use super::{ImportEntry, ImportError, ImportedFile, MovingFactor};
use crate::credential::secret::Secret;
use crate::credential::totp::Algorithm;
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
        _ => ImportError::Line(error.pos().row as usize, "the XML is malformed"),
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
    for package in container
        .children()
        .filter(|node| is_element(*node, "KeyPackage"))
    {
        if let Some(key) = child(package, "Key")? {
            add_authenticator(package, key, &opener, import)?;
        }
    }
    Ok(())
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

fn add_authenticator(
    package: Node,
    key: Node,
    opener: &PskcDecryptor,
    import: &mut ImportedFile,
) -> Result<(), ImportError> {
    let line = line_of(key);
    let device = child(package, "DeviceInfo")?;
    let owner = match (text_of(key, "UserId")?, device) {
        (None, Some(device)) => text_of(device, "UserId")?,
        (owner, _) => owner,
    };
    let Some(owner) = owner else {
        let why = "it names no user; add a UserId to the Key element";
        return import.leave_out(line, None, why);
    };
    let Some(account) = account_of_user_id(owner).map(str::to_owned) else {
        let why = "its UserId is a distinguished name without one clear UID or CN";
        return import.leave_out(line, None, why);
    };
    if let Some(why) = find_unsupported(key)? {
        return import.leave_out(line, Some(&account), why);
    }
    let data = required_child(key, "Data", "the Key element has no Data")?;
    let period = plain_number(data, "TimeInterval")?.unwrap_or(DEFAULT_PERIOD);
    let moving = match key.attribute("Algorithm").map(last_segment) {
        Some("totp") => MovingFactor::Time { period },
        Some("hotp") => {
            let next = plain_number(data, "Counter")?;
            let next = next.ok_or_else(|| refusal(data, "a HOTP key needs its Counter"))?;
            MovingFactor::Counter { next }
        }
        _ => return import.leave_out(line, Some(&account), "neither a TOTP nor a HOTP key"),
    };
    if plain_number(data, "Time")?.unwrap_or(0) != 0 {
        return import.leave_out(line, Some(&account), "its steps do not count from 1970");
    }
    let parameters = child(key, "AlgorithmParameters")?;
    let Some(algorithm) = parse_suite(parameters)? else {
        let why = "the algorithm must be SHA1, SHA256 or SHA512";
        return import.leave_out(line, Some(&account), why);
    };
    let response = parameters
        .map(|node| child(node, "ResponseFormat"))
        .transpose()?
        .flatten();
    let digits = match response.and_then(|node| node.attribute("Length")) {
        Some(text) => text
            .parse()
            .map_err(|_| refusal(key, "the Length must be a number"))?,
        None => DEFAULT_DIGITS,
    };
    let secret = required_child(data, "Secret", "its Data has no Secret")?;
    let secret = Secret::from_bytes(read_secret(secret, opener)?);
    if child(data, "TimeDrift")?.is_some() {
        let why = "the clock drift it learnt: Postern does not learn one";
        import.note_loss(line, &account, why);
    }
    import.add(ImportEntry {
        label: device_label(key, device)?,
        algorithm,
        digits,
        ..ImportEntry::new(line, account, secret, moving)
    })
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

/// Returns why codes of this key cannot be verified as it requires. A policy that is not understood
/// forbids the use of the key (RFC 6030, section 5).
fn find_unsupported(key: Node) -> Result<Option<&'static str>, ImportError> {
    if let Some(policy) = child(key, "Policy")? {
        let known =
            |node: Node| is_element(node, "KeyUsage") && node.text().map(str::trim) == Some("OTP");
        if !policy.children().filter(Node::is_element).all(known) {
            let why = "its Policy (dates, PIN, number of uses) is not supported";
            return Ok(Some(why));
        }
    }
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
