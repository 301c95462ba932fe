//! Completed methods: the authentication methods that passed before the second factor, as sshd
//! reports them in SSH_AUTH_INFO_0, one method on each line with the key that was used. This file
//! parses; the caller decides which host is trusted to report them.
//!
//! MUST NOT treat a line that cannot be parsed as absent: it may be the very method that an
//! exemption excludes.

use data_encoding::{BASE64, BASE64_NOPAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt;

/// Longest text that is parsed, in bytes: the longest keys have some 3 KiB, a certificate a few
/// times that.
pub const LONGEST: usize = 16 * 1024;
/// The algorithms of FIDO security keys (PROTOCOL.u2f of OpenSSH), without their certificates.
const SECURITY_KEYS: [&str; 2] = [
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];
/// Methods that are parsed; AuthenticationMethods of sshd chains two or three.
const MOST: usize = 8;

/// The methods that passed before the second factor; empty if nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedMethods(Cow<'static, [CompletedFactor]>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompletedFactor {
    /// The method, `None` if it is unknown.
    pub method: Option<SshMethod>,
    pub key: SshKey,
    /// Whether the key is known, and is of a FIDO security key; never for a certificate, whose
    /// authority decides and not the key.
    #[serde(default)]
    pub is_security_key: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SshMethod {
    /// A password, also one that the PAM stack asked for.
    Password,
    Publickey,
    /// Prompts of PAM or of another device.
    KeyboardInteractive,
    /// The key of the client's host.
    Hostbased,
    GssapiWithMic,
    /// Kerberos during the key exchange.
    GssapiKeyex,
}

/// The key that a method used.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SshKey {
    None,
    /// A key with this fingerprint.
    Known(SshKeyFingerprint),
    /// Not parsed: a certificate, whose fingerprint is that of the key in it, or no valid key.
    Unread,
}

/// The fingerprint of a key as `ssh-keygen -l` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SshKeyFingerprint([u8; 32]);

impl CompletedMethods {
    pub const EMPTY: CompletedMethods = CompletedMethods(Cow::Borrowed(&[]));
    /// A password and no other method.
    pub const PASSWORD: CompletedMethods = CompletedMethods(Cow::Borrowed(&[CompletedFactor {
        method: Some(SshMethod::Password),
        key: SshKey::None,
        is_security_key: false,
    }]));
    /// An unknown method passed.
    const UNCLEAR: CompletedMethods = CompletedMethods(Cow::Borrowed(&[CompletedFactor {
        method: None,
        key: SshKey::Unread,
        is_security_key: false,
    }]));

    /// Parses the value of SSH_AUTH_INFO_0.
    pub fn parse_ssh_auth_info(text: &[u8]) -> CompletedMethods {
        if text.trim_ascii().is_empty() {
            return CompletedMethods::default();
        }
        let text = std::str::from_utf8(text)
            .ok()
            .filter(|text| text.len() <= LONGEST);
        let Some(text) = text else {
            return CompletedMethods::UNCLEAR;
        };
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let factors: Vec<CompletedFactor> = lines
            .by_ref()
            .take(MOST)
            .map(CompletedFactor::parse_line)
            .collect();
        if lines.next().is_some() {
            return CompletedMethods::UNCLEAR;
        }
        CompletedMethods(factors.into())
    }

    /// Returns whether no method is known to have passed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the key that sshd has verified for this login, the first if there are several. A
    /// certificate is not parsed, but was verified nevertheless.
    pub fn verified_key(&self) -> Option<&SshKey> {
        let with_key = |factor: &&CompletedFactor| factor.method == Some(SshMethod::Publickey);
        self.0.iter().find(with_key).map(|factor| &factor.key)
    }

    /// Returns the fingerprint of the FIDO security key that sshd has verified for this login.
    /// `None` if there is none, for a certificate of such a key, and where any line is unclear.
    pub fn security_key(&self) -> Option<&SshKeyFingerprint> {
        if self.0.iter().any(|factor| factor.method.is_none()) {
            return None;
        }
        let found = self.0.iter().find(|factor| factor.has_security_key())?;
        match &found.key {
            SshKey::Known(fingerprint) => Some(fingerprint),
            SshKey::None | SshKey::Unread => None,
        }
    }

    pub fn factors(&self) -> &[CompletedFactor] {
        &self.0
    }
}

impl CompletedFactor {
    /// Parses `publickey ssh-ed25519 AAAA…`, `keyboard-interactive/pam` or `password`. What follows
    /// is detail of the method.
    fn parse_line(line: &str) -> CompletedFactor {
        let mut words = line.split_ascii_whitespace();
        let name = words.next().unwrap_or_default();
        let method = SshMethod::from_name(name.split_once('/').map_or(name, |(method, _)| method));
        let (algorithm, blob) = (words.next(), words.next());
        let key = match method {
            Some(SshMethod::Publickey | SshMethod::Hostbased) => SshKey::parse(algorithm, blob),
            None => SshKey::Unread,
            Some(_) => SshKey::None,
        };
        // the blob of a known key begins with the name of this algorithm
        let is_security_key = matches!(key, SshKey::Known(_))
            && algorithm.is_some_and(|algorithm| SECURITY_KEYS.contains(&algorithm));
        CompletedFactor {
            method,
            key,
            is_security_key,
        }
    }

    /// Whether sshd has verified a FIDO security key of the user.
    pub fn has_security_key(&self) -> bool {
        self.method == Some(SshMethod::Publickey) && self.is_security_key
    }
}

impl SshMethod {
    const ALL: [SshMethod; 6] = [
        SshMethod::Password,
        SshMethod::Publickey,
        SshMethod::KeyboardInteractive,
        SshMethod::Hostbased,
        SshMethod::GssapiWithMic,
        SshMethod::GssapiKeyex,
    ];

    /// Returns the name that sshd uses.
    pub fn name(self) -> &'static str {
        match self {
            SshMethod::Password => "password",
            SshMethod::Publickey => "publickey",
            SshMethod::KeyboardInteractive => "keyboard-interactive",
            SshMethod::Hostbased => "hostbased",
            SshMethod::GssapiWithMic => "gssapi-with-mic",
            SshMethod::GssapiKeyex => "gssapi-keyex",
        }
    }

    /// Finds the method with this [`SshMethod::name`].
    pub fn from_name(name: &str) -> Option<SshMethod> {
        SshMethod::ALL
            .into_iter()
            .find(|method| method.name() == name)
    }
}

impl SshKey {
    fn parse(algorithm: Option<&str>, blob: Option<&str>) -> SshKey {
        let (Some(algorithm), Some(blob)) = (algorithm, blob) else {
            return SshKey::Unread;
        };
        let Ok(blob) = BASE64.decode(blob.as_bytes()) else {
            return SshKey::Unread;
        };
        // RFC 4253, section 6.6: a key begins with the name of its algorithm, so a key of another
        // algorithm cannot be passed off as this one
        let prefix = [
            &u32::try_from(algorithm.len())
                .unwrap_or(u32::MAX)
                .to_be_bytes(),
            algorithm.as_bytes(),
        ];
        if algorithm.contains("-cert-") || !blob.starts_with(&prefix.concat()) {
            return SshKey::Unread;
        }
        SshKey::Known(SshKeyFingerprint(Sha256::digest(&blob).into()))
    }
}

impl TryFrom<String> for SshKeyFingerprint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<SshKeyFingerprint, Self::Error> {
        const EXPECTED: &str =
            "must be a key's fingerprint as ssh-keygen -l prints it, \"SHA256:\" and 43 characters";
        let digest = text.strip_prefix("SHA256:").ok_or(EXPECTED)?;
        let digest = BASE64_NOPAD
            .decode(digest.as_bytes())
            .map_err(|_| EXPECTED)?;
        digest
            .try_into()
            .map(SshKeyFingerprint)
            .map_err(|_| EXPECTED)
    }
}

impl From<SshKeyFingerprint> for String {
    fn from(fingerprint: SshKeyFingerprint) -> String {
        fingerprint.to_string()
    }
}

impl fmt::Display for SshKeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", BASE64_NOPAD.encode(&self.0))
    }
}

impl fmt::Display for SshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SshKey::None => f.write_str("-"),
            SshKey::Known(fingerprint) => fingerprint.fmt(f),
            SshKey::Unread => f.write_str("?"),
        }
    }
}

/// Formats methods and fingerprints for a log, separated by commas.
impl fmt::Display for CompletedMethods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("-");
        }
        for (position, factor) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            write!(f, "{comma}{}", factor.method.map_or("?", SshMethod::name))?;
            match &factor.key {
                SshKey::None => {}
                key => write!(f, "/{key}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key from `ssh-keygen -t ed25519`, and its fingerprint from `ssh-keygen -l`.
    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEp/obPU6ZIlYCHB8fiCNRIHMT7V/OqFgzRmspboa4KP";
    const FINGERPRINT: &str = "SHA256:Gf/CoChim98JfgmP7qqTdSiy4vqvCKXAcZ/T5s6Rdzw";
    /// The same key, certified by `ssh-keygen -s`.
    const CERTIFICATE: &str = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIOXG6oSQ85fJsFcbpzikcEPgycxVXNqCEq5ELNkkptPRAAAAIEp/obPU6ZIlYCHB8fiCNRIHMT7V/OqFgzRmspboa4KPAAAAAAAAAAAAAAABAAAAAWkAAAAJAAAABWFsaWNlAAAAAAAAAAD//////////wAAAAAAAACCAAAAFXBlcm1pdC1YMTEtZm9yd2FyZGluZwAAAAAAAAAXcGVybWl0LWFnZW50LWZvcndhcmRpbmcAAAAAAAAAFnBlcm1pdC1wb3J0LWZvcndhcmRpbmcAAAAAAAAACnBlcm1pdC1wdHkAAAAAAAAADnBlcm1pdC11c2VyLXJjAAAAAAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIIXBcaMr3TAPh1Dx2tCZL0tE6fu6GFjQTBvVa0nK6uDcAAAAUwAAAAtzc2gtZWQyNTUxOQAAAEBD2/psYtDeQXIjrlPUea6tNEtqVtqgaw6RhtAg6dK6ybR1CAoYCu7vj4n0n9PThxII3MNaZtj1gIR2Ej09RjEA";

    fn known() -> SshKey {
        SshKey::Known(FINGERPRINT.to_owned().try_into().unwrap())
    }

    fn parse(text: &str) -> Vec<CompletedFactor> {
        CompletedMethods::parse_ssh_auth_info(text.as_bytes())
            .factors()
            .to_vec()
    }

    fn one(method: SshMethod, key: SshKey) -> Vec<CompletedFactor> {
        vec![CompletedFactor {
            method: Some(method),
            key,
            is_security_key: false,
        }]
    }

    #[test]
    fn a_line_is_a_method_and_its_key() {
        use SshMethod::{GssapiWithMic, Hostbased, KeyboardInteractive, Password, Publickey};
        let publickey = format!("publickey {KEY}\n");
        let hostbased =
            format!("hostbased {KEY} client user \"alice\", client host \"a.example.org\"\n");
        for (line, method, key) in [
            (publickey.as_str(), Publickey, known()),
            (&hostbased, Hostbased, known()),
            ("password\n", Password, SshKey::None),
            (
                "keyboard-interactive/pam\n",
                KeyboardInteractive,
                SshKey::None,
            ),
            (
                "gssapi-with-mic alice@EXAMPLE.ORG",
                GssapiWithMic,
                SshKey::None,
            ),
        ] {
            assert_eq!(parse(line), one(method, key), "{line}");
        }
        assert_eq!(parse(&format!("{publickey}\npassword\n")).len(), 2);
        for nothing in ["", "\n", " \n\t"] {
            let completed = CompletedMethods::parse_ssh_auth_info(nothing.as_bytes());
            assert!(completed.is_empty(), "{nothing:?}");
        }
    }

    #[test]
    fn a_key_that_is_not_parsed_still_counts_as_a_key() {
        let blob = KEY.split_once(' ').unwrap().1;
        for key in [
            CERTIFICATE.to_owned(),
            String::new(),
            "ssh-ed25519".to_owned(),
            "ssh-ed25519 !".to_owned(),
            "ssh-ed25519 AAAA".to_owned(),
            format!("ssh-rsa {blob}"),
            format!("ssh-ed25519 {}", &blob[4..]),
        ] {
            let expected = one(SshMethod::Publickey, SshKey::Unread);
            assert_eq!(parse(&format!("publickey {key}\n")), expected, "{key}");
        }
    }

    #[test]
    fn too_long_and_unknown_methods_count_as_unclear() {
        let unclear = [CompletedFactor {
            method: None,
            key: SshKey::Unread,
            is_security_key: false,
        }];
        let long_key = format!("publickey ssh-rsa {}\n", "A".repeat(LONGEST));
        for text in [&long_key, &*"password\n".repeat(MOST + 1), "telepathy\n"] {
            assert_eq!(parse(text), unclear);
        }
        let not_utf8 = CompletedMethods::parse_ssh_auth_info(b"\xff");
        assert_eq!(not_utf8.factors(), unclear);
        assert_eq!(parse(&"password\n".repeat(MOST)).len(), MOST);
    }

    #[test]
    fn fingerprints_are_those_of_ssh_keygen() {
        let parse = |text: &str| SshKeyFingerprint::try_from(text.to_owned());
        assert_eq!(parse(FINGERPRINT).unwrap().to_string(), FINGERPRINT);
        let short = &FINGERPRINT[..FINGERPRINT.len() - 1];
        for text in [
            "",
            "SHA256:",
            "MD5:00:11",
            short,
            &format!("{FINGERPRINT}="),
            &format!("{FINGERPRINT}A"),
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&FINGERPRINT.replace("SHA256", "sha256")).is_err());
    }

    #[test]
    fn only_a_publickey_method_has_a_verified_key() {
        let key = |text: &str| {
            CompletedMethods::parse_ssh_auth_info(text.as_bytes())
                .verified_key()
                .cloned()
        };
        assert_eq!(key(&format!("password\npublickey {KEY}\n")), Some(known()));
        let certificate = key(&format!("publickey {CERTIFICATE}\n"));
        assert_eq!(certificate, Some(SshKey::Unread));
        for text in [
            "",
            "password\n",
            "telepathy\n",
            &format!("hostbased {KEY} client user \"alice\"\n"),
        ] {
            assert_eq!(key(text), None, "{text}");
        }
        let not_utf8 = CompletedMethods::parse_ssh_auth_info(b"\xff");
        assert_eq!(not_utf8.verified_key(), None);
    }

    /// Keys with the blobs that PROTOCOL.u2f of OpenSSH describes.
    #[test]
    fn a_security_key_is_found_unless_it_is_a_certificate_or_a_line_is_unclear() {
        const ED25519: &str = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fAAAABHNzaDo=";
        const ECDSA: &str = "sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyNTYAAABBBAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8AAAAEc3NoOg==";
        let security_key = |text: &[u8]| {
            CompletedMethods::parse_ssh_auth_info(text)
                .security_key()
                .cloned()
        };
        for key in [ED25519, ECDSA] {
            let line = format!("publickey {key}\n");
            let found = security_key(line.as_bytes()).unwrap();
            let mut expected = one(SshMethod::Publickey, SshKey::Known(found));
            expected[0].is_security_key = true;
            assert_eq!(parse(&line), expected);
            let second = format!("password\n{line}");
            assert!(security_key(second.as_bytes()).is_some());
        }
        let (algorithm, blob) = ED25519.split_once(' ').unwrap();
        let certificate = algorithm.replace("@", "-cert-v01@");
        for text in [
            String::new(),
            "password\n".to_owned(),
            format!("publickey {KEY}\n"),
            format!("publickey {CERTIFICATE}\n"),
            format!("publickey {certificate} {blob}\n"),
            // a key that calls itself another
            format!("publickey ssh-ed25519 {blob}\n"),
            format!("publickey {algorithm} {}\n", KEY.split_once(' ').unwrap().1),
            format!("publickey {algorithm}\n"),
            format!("publickey {algorithm} !\n"),
            format!("hostbased {ED25519} client user \"a\"\n"),
            format!("password {ED25519}\n"),
            format!("publickey {ED25519}\ntelepathy\n"),
            format!("publickey {ED25519}\n{}", "password\n".repeat(MOST)),
        ] {
            assert_eq!(security_key(text.as_bytes()), None, "{text}");
        }
        let not_utf8 = [format!("publickey {ED25519}\n").as_bytes(), b"\xff"].concat();
        assert_eq!(security_key(&not_utf8), None);
    }

    #[test]
    fn completed_methods_survive_serialization() {
        let text = format!("publickey {KEY}\nhostbased x\npassword\nfoo\n");
        let completed = CompletedMethods::parse_ssh_auth_info(text.as_bytes());
        let json = serde_json::to_string(&completed).unwrap();
        let parsed: CompletedMethods = serde_json::from_str(&json).unwrap();
        assert_eq!(parsed, completed);
        let expected = format!("publickey/{FINGERPRINT},hostbased/?,password,?/?");
        assert_eq!(completed.to_string(), expected);
    }
}
