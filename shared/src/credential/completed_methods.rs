//! What passed before the code was asked for, as sshd tells it in SSH_AUTH_INFO_0: a method on each line, and the key
//! that was shown. Reads; who is to be believed is for the door to know.
//!
//! MUST NOT take what it cannot read for nothing: it could be the very factor that an exemption excepts.

use data_encoding::{BASE64, BASE64_NOPAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt;

/// The most that is read, in bytes: the longest keys have some 3 KiB, a certificate a few times that.
pub const LONGEST: usize = 16 * 1024;
/// Factors that are told apart; sshd's AuthenticationMethods chain two or three.
const MOST: usize = 8;

/// The factors that passed before the code was asked for; none if nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier(Cow<'static, [Factor]>);

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// How it was shown, if that is a method that is known here.
    pub method: Option<Method>,
    /// With which key.
    pub key: Key,
}

/// A method of sshd's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// A password; also the one that a PAM stack asks for itself.
    Password,
    /// A key.
    Publickey,
    /// What PAM, or another device, asked.
    KeyboardInteractive,
    /// The key of the host that the person comes from.
    Hostbased,
    /// Kerberos.
    GssapiWithMic,
    /// Kerberos, while keys were exchanged.
    GssapiKeyex,
}

/// The key of a factor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// The method has none.
    None,
    /// One with this fingerprint.
    Known(Fingerprint),
    /// One that is not read: a certificate, whose fingerprint is that of the key in it, or no key at all.
    Unread,
}

/// A key's fingerprint, as `ssh-keygen -l` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

impl Earlier {
    /// Nothing that is known.
    pub const NOTHING: Earlier = Earlier(Cow::Borrowed(&[]));
    /// A password, and nothing else.
    pub const PASSWORD: Earlier = Earlier(Cow::Borrowed(&[Factor {
        method: Some(Method::Password),
        key: Key::None,
    }]));
    /// Something passed, and it is not known what.
    const UNCLEAR: Earlier = Earlier(Cow::Borrowed(&[Factor {
        method: None,
        key: Key::Unread,
    }]));

    /// Reads what an sshd says in SSH_AUTH_INFO_0.
    pub fn of_sshd(said: &[u8]) -> Earlier {
        if said.trim_ascii().is_empty() {
            return Earlier::default();
        }
        let text = std::str::from_utf8(said)
            .ok()
            .filter(|text| text.len() <= LONGEST);
        let Some(text) = text else {
            return Earlier::UNCLEAR;
        };
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let factors: Vec<Factor> = lines.by_ref().take(MOST).map(Factor::of_line).collect();
        if lines.next().is_some() {
            return Earlier::UNCLEAR;
        }
        Earlier(factors.into())
    }

    /// Whether nothing is known to have passed.
    pub fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }

    /// The key that sshd has verified for this login, the first if there are several. One that is not read, such as a
    /// certificate, was verified all the same.
    pub fn verified_key(&self) -> Option<&Key> {
        let with_key = |factor: &&Factor| factor.method == Some(Method::Publickey);
        self.0.iter().find(with_key).map(|factor| &factor.key)
    }

    /// What passed.
    pub fn factors(&self) -> &[Factor] {
        &self.0
    }
}

impl Factor {
    /// `publickey ssh-ed25519 AAAA…`, `keyboard-interactive/pam`, `password`; what follows says more of the method.
    fn of_line(line: &str) -> Factor {
        let mut words = line.split_ascii_whitespace();
        let name = words.next().unwrap_or_default();
        let method = Method::named(name.split_once('/').map_or(name, |(method, _)| method));
        let key = match method {
            Some(Method::Publickey | Method::Hostbased) => Key::read(words.next(), words.next()),
            None => Key::Unread,
            Some(_) => Key::None,
        };
        Factor { method, key }
    }
}

impl Method {
    const ALL: [Method; 6] = [
        Method::Password,
        Method::Publickey,
        Method::KeyboardInteractive,
        Method::Hostbased,
        Method::GssapiWithMic,
        Method::GssapiKeyex,
    ];

    /// sshd's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Method::Password => "password",
            Method::Publickey => "publickey",
            Method::KeyboardInteractive => "keyboard-interactive",
            Method::Hostbased => "hostbased",
            Method::GssapiWithMic => "gssapi-with-mic",
            Method::GssapiKeyex => "gssapi-keyex",
        }
    }

    /// Reads [`Method::name`].
    pub fn named(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|method| method.name() == name)
    }
}

impl Key {
    fn read(algorithm: Option<&str>, blob: Option<&str>) -> Key {
        let (Some(algorithm), Some(blob)) = (algorithm, blob) else {
            return Key::Unread;
        };
        let Ok(blob) = BASE64.decode(blob.as_bytes()) else {
            return Key::Unread;
        };
        // RFC 4253, 6.6: a key begins with its algorithm's name, so that one of another kind cannot be given out for it
        let begins = [
            &u32::try_from(algorithm.len())
                .unwrap_or(u32::MAX)
                .to_be_bytes(),
            algorithm.as_bytes(),
        ];
        if algorithm.contains("-cert-") || !blob.starts_with(&begins.concat()) {
            return Key::Unread;
        }
        Key::Known(Fingerprint(Sha256::digest(&blob).into()))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Fingerprint, Self::Error> {
        const WHAT: &str =
            "must be a key's fingerprint as ssh-keygen -l prints it, \"SHA256:\" and 43 characters";
        let digest = text.strip_prefix("SHA256:").ok_or(WHAT)?;
        let digest = BASE64_NOPAD.decode(digest.as_bytes()).map_err(|_| WHAT)?;
        digest.try_into().map(Fingerprint).map_err(|_| WHAT)
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.to_string()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", BASE64_NOPAD.encode(&self.0))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::None => f.write_str("-"),
            Key::Known(fingerprint) => fingerprint.fmt(f),
            Key::Unread => f.write_str("?"),
        }
    }
}

/// For a log: methods and fingerprints, with a comma between.
impl fmt::Display for Earlier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_nothing() {
            return f.write_str("-");
        }
        for (position, factor) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            write!(f, "{comma}{}", factor.method.map_or("?", Method::name))?;
            match &factor.key {
                Key::None => {}
                key => write!(f, "/{key}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `ssh-keygen -t ed25519`, and what `ssh-keygen -l` says of it.
    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEp/obPU6ZIlYCHB8fiCNRIHMT7V/OqFgzRmspboa4KP";
    const PRINT: &str = "SHA256:Gf/CoChim98JfgmP7qqTdSiy4vqvCKXAcZ/T5s6Rdzw";
    /// The same key, certified by `ssh-keygen -s`.
    const CERTIFICATE: &str = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIOXG6oSQ85fJsFcbpzikcEPgycxVXNqCEq5ELNkkptPRAAAAIEp/obPU6ZIlYCHB8fiCNRIHMT7V/OqFgzRmspboa4KPAAAAAAAAAAAAAAABAAAAAWkAAAAJAAAABWFsaWNlAAAAAAAAAAD//////////wAAAAAAAACCAAAAFXBlcm1pdC1YMTEtZm9yd2FyZGluZwAAAAAAAAAXcGVybWl0LWFnZW50LWZvcndhcmRpbmcAAAAAAAAAFnBlcm1pdC1wb3J0LWZvcndhcmRpbmcAAAAAAAAACnBlcm1pdC1wdHkAAAAAAAAADnBlcm1pdC11c2VyLXJjAAAAAAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIIXBcaMr3TAPh1Dx2tCZL0tE6fu6GFjQTBvVa0nK6uDcAAAAUwAAAAtzc2gtZWQyNTUxOQAAAEBD2/psYtDeQXIjrlPUea6tNEtqVtqgaw6RhtAg6dK6ybR1CAoYCu7vj4n0n9PThxII3MNaZtj1gIR2Ej09RjEA";

    fn known() -> Key {
        Key::Known(PRINT.to_owned().try_into().unwrap())
    }

    fn read(said: &str) -> Vec<Factor> {
        Earlier::of_sshd(said.as_bytes()).factors().to_vec()
    }

    fn one(method: Method, key: Key) -> Vec<Factor> {
        vec![Factor {
            method: Some(method),
            key,
        }]
    }

    #[test]
    fn a_line_is_a_method_and_its_key() {
        assert_eq!(
            read(&format!("publickey {KEY}\n")),
            one(Method::Publickey, known())
        );
        let hostbased =
            format!("hostbased {KEY} client user \"alice\", client host \"a.example.org\"\n");
        assert_eq!(read(&hostbased), one(Method::Hostbased, known()));
        assert_eq!(read("password\n"), one(Method::Password, Key::None));
        assert_eq!(
            read("keyboard-interactive/pam\n"),
            one(Method::KeyboardInteractive, Key::None)
        );
        assert_eq!(
            read("gssapi-with-mic alice@EXAMPLE.ORG"),
            one(Method::GssapiWithMic, Key::None)
        );
        assert_eq!(read(&format!("publickey {KEY}\n\npassword\n")).len(), 2);
        for nothing in ["", "\n", " \n\t"] {
            assert!(
                Earlier::of_sshd(nothing.as_bytes()).is_nothing(),
                "{nothing:?}"
            );
        }
    }

    #[test]
    fn a_key_that_is_not_read_is_a_key_all_the_same() {
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
            assert_eq!(
                read(&format!("publickey {key}\n")),
                one(Method::Publickey, Key::Unread),
                "{key}"
            );
        }
    }

    #[test]
    fn what_is_too_long_or_unheard_of_is_not_taken_for_nothing() {
        let unclear = [Factor {
            method: None,
            key: Key::Unread,
        }];
        assert_eq!(
            read(&format!("publickey ssh-rsa {}\n", "A".repeat(LONGEST))),
            unclear
        );
        assert_eq!(read(&"password\n".repeat(MOST + 1)), unclear);
        assert_eq!(read("telepathy\n"), unclear);
        assert_eq!(Earlier::of_sshd(b"\xff").factors(), unclear);
        assert_eq!(read(&"password\n".repeat(MOST)).len(), MOST);
    }

    #[test]
    fn fingerprints_are_those_of_ssh_keygen() {
        let read = |text: &str| Fingerprint::try_from(text.to_owned());
        assert_eq!(read(PRINT).unwrap().to_string(), PRINT);
        let short = &PRINT[..PRINT.len() - 1];
        for text in [
            "",
            "SHA256:",
            "MD5:00:11",
            short,
            &format!("{PRINT}="),
            &format!("{PRINT}A"),
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(&PRINT.replace("SHA256", "sha256")).is_err());
    }

    #[test]
    fn only_a_key_that_sshd_verified_for_the_user_is_one() {
        let key = |said: &str| Earlier::of_sshd(said.as_bytes()).verified_key().cloned();
        assert_eq!(key(&format!("password\npublickey {KEY}\n")), Some(known()));
        assert_eq!(
            key(&format!("publickey {CERTIFICATE}\n")),
            Some(Key::Unread)
        );
        for said in [
            "",
            "password\n",
            "telepathy\n",
            &format!("hostbased {KEY} client user \"alice\"\n"),
        ] {
            assert_eq!(key(said), None, "{said}");
        }
        assert_eq!(Earlier::of_sshd(b"\xff").verified_key(), None);
    }

    #[test]
    fn it_is_sent_as_it_was_read() {
        let earlier =
            Earlier::of_sshd(format!("publickey {KEY}\nhostbased x\npassword\nfoo\n").as_bytes());
        let text = serde_json::to_string(&earlier).unwrap();
        assert_eq!(serde_json::from_str::<Earlier>(&text).unwrap(), earlier);
        assert_eq!(
            earlier.to_string(),
            format!("publickey/{PRINT},hostbased/?,password,?/?")
        );
    }
}
