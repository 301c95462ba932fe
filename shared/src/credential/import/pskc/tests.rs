//! Containers written by python-pskc 1.2, the plain one as pskctool 2.6.7 reads it, one that pskctool signed, and
//! an example of the RFC.

use super::*;
use crate::credential::import::{FoundAuthenticator, ImportFormat, ImportLoss, PskcKey};

const PLAIN: &str = include_str!("../../../../tests/import/pskc/plain.xml");
const AES128: &str = include_str!("../../../../tests/import/pskc/aes128.xml");
const AES256: &str = include_str!("../../../../tests/import/pskc/aes256.xml");
const PASSWORD: &str = include_str!("../../../../tests/import/pskc/password.xml");
const SIGNED: &str = include_str!("../../../../tests/import/pskc/signed.xml");
const RFC: &str = include_str!("../../../../tests/import/pskc/rfc6030-figure6.xml");

const SHARED: [u8; 16] = [
    0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12,
];

fn house_key() -> Vec<u8> {
    (0..32).collect()
}

fn import(text: &str, key: PskcKey) -> Result<ImportedFile, ImportError> {
    crate::credential::import::parse_import_file(ImportFormat::Pskc { key }, text.as_bytes())
}

#[track_caller]
fn refused(text: &str, key: PskcKey) -> String {
    import(text, key).unwrap_err().to_string()
}

fn fields_of(
    found: &FoundAuthenticator,
) -> (&str, Option<&str>, Vec<u8>, Algorithm, u32, MovingFactor) {
    let secret = found.secret.expose().to_vec();
    (
        found.account.as_str(),
        found.label.as_deref(),
        secret,
        found.algorithm,
        found.digits,
        found.moving,
    )
}

#[test]
fn plain_and_encrypted_containers_have_the_same_contents() {
    let secret = |hex: &str| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
    let expected = [
        (
            "alice",
            Some("Key of Alice"),
            b"12345678901234567890".to_vec(),
            Algorithm::Sha1,
            6,
            MovingFactor::Time { period: 30 },
        ),
        (
            "bob",
            Some("Example 0002"),
            secret("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
            Algorithm::Sha256,
            8,
            MovingFactor::Time { period: 60 },
        ),
        (
            "carol",
            Some("Example 0003"),
            secret("ffeeddccbbaa99887766554433221100ffeeddcc"),
            Algorithm::Sha1,
            6,
            MovingFactor::Counter { next: 7 },
        ),
    ];
    for (name, text, key) in [
        ("plain", PLAIN, PskcKey::None),
        ("AES-128", AES128, PskcKey::Shared(&SHARED)),
        ("AES-256", AES256, PskcKey::Shared(&house_key())),
        ("password", PASSWORD, PskcKey::Password(b"correct horse")),
    ] {
        let import = import(text, key).unwrap();
        assert_eq!(
            import.found.iter().map(fields_of).collect::<Vec<_>>(),
            expected,
            "{name}"
        );
        assert!(import.dropped.is_empty(), "{name}");
    }
}

/// Figure 6, with the UserId that it lacks.
#[test]
fn the_example_of_the_rfc_is_imported() {
    let import = import(RFC, PskcKey::Shared(&SHARED)).unwrap();
    let found = &import.found[0];
    assert_eq!((found.account.as_str(), found.digits), ("jsmith", 8));
    assert_eq!(
        (found.secret.expose(), found.moving),
        (
            &b"12345678901234567890"[..],
            MovingFactor::Counter { next: 0 }
        )
    );
}

#[test]
fn what_cannot_be_verified_is_refused() {
    let house_key = house_key();
    let (shared, house) = (PskcKey::Shared(&SHARED), PskcKey::Shared(&house_key));
    let without_mac = cut(AES128, "<pskc:ValueMAC>", "</pskc:ValueMAC>");
    let without_method = cut(AES128, "<pskc:MACMethod", "</pskc:MACMethod>");
    let without_mac_key = cut(AES128, "<pskc:MACKey>", "</pskc:MACKey>");
    for (text, key, said) in [
        (AES128, PskcKey::None, "line 24: this is encrypted"),
        (AES128, house, "line 5: AES-128 needs a key of 16 bytes"),
        (
            AES128,
            PskcKey::Shared(&[0; 16]),
            "line 5: this cannot be decrypted",
        ),
        (
            AES128,
            PskcKey::Password(b"x"),
            "its key is not derived from a password",
        ),
        (
            PASSWORD,
            shared,
            "line 4: its key is derived from a password",
        ),
        (
            PASSWORD,
            PskcKey::Password(b"wrong"),
            "line 17: this cannot be decrypted",
        ),
        (PLAIN, shared, "it has no MACMethod"),
        (&without_mac, shared, "line 24: this has no ValueMAC"),
        (&without_method, shared, "it has no MACMethod"),
        (
            &without_mac_key,
            shared,
            "line 4: the MACMethod has no MACKey",
        ),
        (
            &AES128.replace("hmac-sha1", "hmac-md5"),
            shared,
            "line 4: the MAC must be",
        ),
        (
            &AES128.replace("#aes128-cbc", "#tripledes-cbc"),
            shared,
            "line 5: the cipher must be",
        ),
        (
            &PASSWORD.replace(">100000<", ">4000000000<"),
            PskcKey::Password(b"x"),
            "line 4: the IterationCount",
        ),
        (SIGNED, PskcKey::None, "line 2: it is signed"),
    ] {
        let message = refused(text, key);
        assert!(message.starts_with(said), "{message}, not {said}");
    }
}

/// Each Base64 character in turn, so each bit of vector, value and MAC at least once.
#[test]
fn a_changed_value_is_refused_before_it_is_decrypted() {
    let begin = AES128.find("<pskc:EncryptedValue>").unwrap();
    let end = AES128.find("</pskc:ValueMAC>").unwrap();
    let mut tried = 0;
    for tag in ["<xenc:CipherValue>", "<pskc:ValueMAC>"] {
        let from = begin + AES128[begin..end].find(tag).unwrap() + tag.len();
        let length = AES128[from..].find('<').unwrap();
        for place in from..from + length {
            let mut changed = AES128.as_bytes().to_vec();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(
                import(&changed, PskcKey::Shared(&SHARED)).is_err(),
                "{place}"
            );
            tried += 1;
        }
    }
    assert!(tried > 80);
    let plain = "<pskc:PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</pskc:PlainValue>";
    let smuggled = AES128.replacen("<pskc:EncryptedValue>", &format!("{plain}<!--"), 1);
    let smuggled = smuggled.replacen("</pskc:ValueMAC>", "</pskc:ValueMAC>-->", 1);
    assert!(refused(&smuggled, PskcKey::Shared(&SHARED)).contains("this is not encrypted"));
}

#[test]
fn keys_that_are_not_understood_are_left_out() {
    let policy =
        "<pskc:Policy><pskc:ExpiryDate>2030-01-01T00:00:00Z</pskc:ExpiryDate></pskc:Policy>";
    let usage = "<pskc:Policy><pskc:KeyUsage>OTP</pskc:KeyUsage></pskc:Policy>";
    let before_data = |text: &str| PLAIN.replacen("<pskc:Data>", &format!("{text}<pskc:Data>"), 1);
    for (text, why) in [
        (before_data(policy), "its Policy"),
        (
            before_data("<pskc:KeyReference>x</pskc:KeyReference>"),
            "it refers to",
        ),
        (
            PLAIN.replacen("Length=\"6\"", "Length=\"7\"", 1),
            "digits must be",
        ),
        (
            PLAIN.replacen("DECIMAL", "HEXADECIMAL", 1),
            "its codes are not",
        ),
        (
            PLAIN.replacen("pskc:totp", "pskc:ocra", 1),
            "neither a TOTP nor",
        ),
        (PLAIN.replacen(">30<", ">5<", 1), "the period"),
        (
            PLAIN.replacen("<pskc:UserId>alice</pskc:UserId>", "", 1),
            "it names no user",
        ),
        (
            PLAIN.replacen("MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", "MTIz", 1),
            "the secret must have",
        ),
        (
            PLAIN.replacen(
                "<pskc:TimeInterval>",
                "<pskc:Time><pskc:PlainValue>9</pskc:PlainValue></pskc:Time><pskc:TimeInterval>",
                1,
            ),
            "its steps",
        ),
        (
            PLAIN.replacen(
                "<pskc:ResponseFormat",
                "<pskc:ChallengeFormat/><pskc:ResponseFormat",
                1,
            ),
            "its codes answer",
        ),
    ] {
        let import = import(&text, PskcKey::None).unwrap();
        assert_eq!(import.found.len(), 2, "{why}");
        assert_eq!(
            (import.dropped[0].line, import.dropped[0].loss),
            (8, ImportLoss::Authenticator),
            "{why}"
        );
        assert!(
            import.dropped[0].why.starts_with(why),
            "{}",
            import.dropped[0].why
        );
    }
    assert_eq!(
        import(&before_data(usage), PskcKey::None)
            .unwrap()
            .found
            .len(),
        3
    );
}

#[test]
fn an_account_is_read_from_a_distinguished_name_only_if_unambiguous() {
    for (owner, name) in [
        ("alice", Some("alice")),
        ("UID=jsmith,DC=example-bank,DC=net", Some("jsmith")),
        ("CN=Joe Smith, uid=joe", Some("joe")),
        ("CN=joe,O=x", Some("joe")),
        ("CN=x\\,UID=root,O=y", None),
        ("CN=x+UID=root", None),
        ("UID=a,UID=root", None),
        ("CN=a,CN=root", None),
        ("O=x", None),
        ("UID=a,root", None),
    ] {
        assert_eq!(account_of_user_id(owner), name, "{owner}");
    }
}

#[test]
fn malformed_xml_and_document_types_are_refused() {
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b SYSTEM \"/etc/passwd\">]>\n";
    let headed = PLAIN.replacen(
        "<pskc:KeyContainer",
        &format!("{bomb}<pskc:KeyContainer"),
        1,
    );
    let twice = "<pskc:UserId>bob</pskc:UserId><pskc:UserId>alice</pskc:UserId>";
    for (text, said) in [
        (headed, "it has a document type"),
        (PLAIN.replacen("</pskc:Data>", "", 1), "line 2"),
        (
            PLAIN.replacen("Version=\"1.0\">", "Version=\"2.0\">", 1),
            "it is not a KeyContainer",
        ),
        (
            PLAIN.replace("keyprov:pskc\"", "keyprov:other\""),
            "it is not a KeyContainer",
        ),
        ("<a/>".to_owned(), "it is not a KeyContainer"),
        ("{}".to_owned(), "line 1: the XML is malformed"),
        (
            PLAIN.replacen("<pskc:UserId>alice</pskc:UserId>", twice, 1),
            "line 21: it holds the same element",
        ),
        (
            PLAIN.replacen(">alice<", ">al<!-- -->ice<", 1),
            "line 21: this element may contain only text",
        ),
        (
            PLAIN.replacen("MTIz", "M*Iz", 1),
            "line 15: this is not Base64",
        ),
        (
            PLAIN.replacen(">30<", ">x<", 1),
            "line 17: this needs a PlainValue",
        ),
        (
            PLAIN.replacen(">7<", "><", 1),
            "line 58: this needs a PlainValue",
        ),
    ] {
        let message = refused(&text, PskcKey::None);
        assert!(message.starts_with(said), "{message}, not {said}");
    }
}

#[test]
fn a_million_nested_elements_are_refused() {
    let deep = "<a>".repeat(crate::credential::import::LARGEST / 3);
    assert!(refused(&deep, PskcKey::None).contains("XML"));
    let pairs = crate::credential::import::LARGEST / 7;
    let closed = format!("{}{}", "<a>".repeat(pairs), "</a>".repeat(pairs));
    assert!(import(&closed, PskcKey::None).is_err());
    let scopes: String = (0..51).map(|n| format!("<a xmlns:b{n}='c'>")).collect();
    assert!(refused(&scopes, PskcKey::None).contains("namespaces"));
    let attributes: String = (0..5000).map(|n| format!(" a{n}='>'")).collect();
    assert!(refused(&format!("<a{attributes}/>"), PskcKey::None).contains("16 KiB"));
}

fn cut(text: &str, from: &str, to: &str) -> String {
    let begin = text.find(from).unwrap();
    let end = begin + text[begin..].find(to).unwrap() + to.len();
    format!("{}{}", &text[..begin], &text[end..])
}
