//! Containers written by python-pskc 1.2, the plain one as pskctool 2.6.7 reads it, one that
//! pskctool signed, and an example of RFC 6030.

use super::*;
use crate::credential::import::{ImportFormat, ImportLoss, PskcKey};

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

const NOW: Timestamp = Timestamp(1_795_278_930);

fn format(key: PskcKey) -> ImportFormat {
    ImportFormat::Pskc {
        key,
        owners: ImportOwners::default(),
        now: NOW,
    }
}

#[test]
fn plain_and_encrypted_containers_have_the_same_contents() {
    let expected = [
        (
            "alice (Key of Alice) SHA1 6 30s",
            "3132333435363738393031323334353637383930",
        ),
        (
            "bob (Example 0002) SHA256 8 60s",
            "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        ),
        (
            "carol (Example 0003) SHA1 6 #7",
            "ffeeddccbbaa99887766554433221100ffeeddcc",
        ),
    ];
    for (name, text, key) in [
        ("plain", PLAIN, PskcKey::None),
        ("AES-128", AES128, PskcKey::Shared(&SHARED)),
        ("AES-256", AES256, PskcKey::Shared(&house_key())),
        ("password", PASSWORD, PskcKey::Password(b"correct horse")),
    ] {
        let import = format(key).import(text);
        assert_eq!(import.found.len(), expected.len(), "{name}");
        for (found, (description, secret)) in import.found.iter().zip(expected) {
            assert_eq!(found.description(), description, "{name}");
            let found = data_encoding::HEXLOWER.encode(found.secret.expose());
            assert_eq!(found, secret, "{name}");
        }
        assert!(import.omitted.is_empty(), "{name}");
    }
}

/// Figure 6, with the UserId that it lacks.
#[test]
fn the_example_of_the_rfc_is_imported() {
    let import = format(PskcKey::Shared(&SHARED)).import(RFC);
    let found = &import.found[0];
    assert!(found.description().starts_with("jsmith ("));
    assert!(found.description().ends_with(") SHA1 8 #0"));
    assert_eq!(found.secret.expose(), b"12345678901234567890");
}

#[test]
fn what_cannot_be_verified_is_refused() {
    let house_key = house_key();
    let (shared, house) = (PskcKey::Shared(&SHARED), PskcKey::Shared(&house_key));
    let without_method = cut(AES128, "<pskc:MACMethod", "</pskc:MACMethod>");
    let without_mac_key = cut(AES128, "<pskc:MACKey>", "</pskc:MACKey>");
    let (zero, x, wrong) = (
        PskcKey::Shared(&[0; 16]),
        PskcKey::Password(b"x"),
        PskcKey::Password(b"wrong"),
    );
    let other_mac = AES128.replace("hmac-sha1", "hmac-md5");
    let other_cipher = AES128.replace("#aes128-cbc", "#tripledes-cbc");
    let many_rounds = PASSWORD.replace(">100000<", ">4000000000<");
    for (text, key, expected) in [
        (AES128, PskcKey::None, "line 24: this is encrypted"),
        (AES128, house, "line 5: AES-128 needs a key of 16 bytes"),
        (AES128, zero, "line 5: this cannot be decrypted"),
        (AES128, x, "its key is not derived from a password"),
        (
            PASSWORD,
            shared,
            "line 4: its key is derived from a password",
        ),
        (PASSWORD, wrong, "line 17: this cannot be decrypted"),
        (PLAIN, shared, "it has no MACMethod"),
        (&without_method, shared, "it has no MACMethod"),
        (
            &without_mac_key,
            shared,
            "line 4: the MACMethod has no MACKey",
        ),
        (&other_mac, shared, "line 4: the MAC must be"),
        (&other_cipher, shared, "line 5: the cipher must be"),
        (&many_rounds, x, "line 4: the IterationCount"),
        (SIGNED, PskcKey::None, "line 2: it is signed"),
    ] {
        format(key).assert_refusals([(text, expected)]);
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
        for position in from..from + length {
            let other = if AES128[position..].starts_with('A') {
                "B"
            } else {
                "A"
            };
            let mut changed = AES128.to_owned();
            changed.replace_range(position..=position, other);
            assert_eq!(left_out_of(&changed).0, 2);
            tried += 1;
        }
    }
    assert!(tried > 80);
    let plain = "<pskc:PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</pskc:PlainValue>";
    let smuggled = AES128.replacen("<pskc:EncryptedValue>", &format!("{plain}<!--"), 1);
    let smuggled = smuggled.replacen("</pskc:ValueMAC>", "</pskc:ValueMAC>-->", 1);
    let (found, why) = left_out_of(&smuggled);
    assert!(found == 2 && why.contains("this is not encrypted"), "{why}");
}

/// Returns how many keys of a changed container are imported, and why alice's is not.
#[track_caller]
fn left_out_of(text: &str) -> (usize, &'static str) {
    let import = format(PskcKey::Shared(&SHARED)).import(text);
    let omitted = &import.omitted[0];
    assert_eq!(omitted.account, Some("alice".parse().unwrap()));
    (import.found.len(), omitted.why)
}

/// One key was damaged. Where none can be verified, the key that was given is wrong.
#[test]
fn a_key_whose_mac_fails_is_left_out() {
    let one = cut(AES128, "<pskc:ValueMAC>", "</pskc:ValueMAC>");
    let (found, why) = left_out_of(&one);
    assert_eq!(
        (found, why),
        (2, "this has no ValueMAC and cannot be verified")
    );
    let two = cut(&one, "<pskc:ValueMAC>", "</pskc:ValueMAC>");
    let all = cut(&two, "<pskc:ValueMAC>", "</pskc:ValueMAC>");
    let expected = "line 24: this has no ValueMAC";
    format(PskcKey::Shared(&SHARED)).assert_refusals([(all, expected)]);
}

#[test]
fn keys_that_are_not_understood_are_left_out() {
    let policy = |date: &str| format!("<pskc:Policy>{date}</pskc:Policy>");
    let expired = policy("<pskc:ExpiryDate>2026-11-21T00:00:00Z</pskc:ExpiryDate>");
    let early = policy("<pskc:StartDate>2026-11-22T00:00:00Z</pskc:StartDate>");
    let undated = policy("<pskc:ExpiryDate>soon</pskc:ExpiryDate>");
    let pin = policy("<pskc:PINPolicy/>");
    let twice = "<pskc:UserId>bob</pskc:UserId><pskc:UserId>alice</pskc:UserId>";
    let usage = "<pskc:Policy><pskc:KeyUsage>OTP</pskc:KeyUsage></pskc:Policy>";
    let before_data = |text: &str| PLAIN.replacen("<pskc:Data>", &format!("{text}<pskc:Data>"), 1);
    let changed = |from: &str, to: &str| {
        assert!(PLAIN.contains(from), "{from}");
        PLAIN.replacen(from, to, 1)
    };
    let reference = "<pskc:KeyReference>x</pskc:KeyReference>";
    let time = "<pskc:Time><pskc:PlainValue>9</pskc:PlainValue></pskc:Time><pskc:TimeInterval>";
    let challenge = "<pskc:ChallengeFormat/><pskc:ResponseFormat";
    for (text, why) in [
        (before_data(&expired), "its Policy has an ExpiryDate"),
        (before_data(&early), "its Policy has a StartDate"),
        (before_data(&undated), "a date of its Policy"),
        (before_data(&pin), "its Policy (PIN"),
        (
            changed("<pskc:UserId>alice</pskc:UserId>", twice),
            "it holds the same element",
        ),
        (changed(">alice<", ">al<!-- -->ice<"), "this element may"),
        (changed("MTIz", "M*Iz"), "this is not Base64"),
        (changed(">30<", ">x<"), "this needs a PlainValue"),
        (before_data(reference), "it refers to"),
        (changed("Length=\"6\"", "Length=\"7\""), "digits must be"),
        (changed("DECIMAL", "HEXADECIMAL"), "its codes are not"),
        (changed("pskc:totp", "pskc:ocra"), "neither a TOTP nor"),
        (changed(">30<", ">5<"), "the period"),
        (
            changed("<pskc:UserId>alice</pskc:UserId>", ""),
            "it names no user",
        ),
        (
            changed("MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", "MTIz"),
            "the secret must have",
        ),
        (changed("<pskc:TimeInterval>", time), "its steps"),
        (
            changed("<pskc:ResponseFormat", challenge),
            "its codes answer",
        ),
    ] {
        let import = format(PskcKey::None).import(&text);
        assert_eq!(import.found.len(), 2, "{why}");
        let omitted = &import.omitted[0];
        let found = (omitted.line, omitted.loss);
        assert_eq!(found, (8, ImportLoss::Authenticator), "{why}");
        assert!(omitted.why.starts_with(why), "{}", omitted.why);
    }
    let import = format(PskcKey::None).import(&before_data(usage));
    assert_eq!(import.found.len(), 3);
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
    let changed = |from: &str, to: &str| PLAIN.replacen(from, to, 1);
    let container = "<pskc:KeyContainer";
    let headed = changed(container, &format!("{bomb}{container}"));
    let other_version = changed("Version=\"1.0\">", "Version=\"2.0\">");
    let other_namespace = PLAIN.replace("keyprov:pskc\"", "keyprov:other\"");
    format(PskcKey::None).assert_refusals([
        (headed, "it has a document type"),
        (changed("</pskc:Data>", ""), "line 2"),
        (other_version, "it is not a KeyContainer"),
        (other_namespace, "it is not a KeyContainer"),
        ("<a/>".to_owned(), "it is not a KeyContainer"),
        ("{}".to_owned(), "line 1, column 1: the XML is malformed"),
    ]);
}

#[test]
fn a_million_nested_elements_are_refused() {
    let deep = "<a>".repeat(crate::credential::import::LARGEST / 3);
    assert!(format(PskcKey::None).refusal(&deep).contains("XML"));
    let pairs = crate::credential::import::LARGEST / 7;
    let closed = format!("{}{}", "<a>".repeat(pairs), "</a>".repeat(pairs));
    format(PskcKey::None).refusal(&closed);
    let scopes: String = (0..51).map(|n| format!("<a xmlns:b{n}='c'>")).collect();
    assert!(
        format(PskcKey::None)
            .refusal(&scopes)
            .contains("namespaces")
    );
    let attributes: String = (0..5000).map(|n| format!(" a{n}='>'")).collect();
    assert!(
        format(PskcKey::None)
            .refusal(&format!("<a{attributes}/>"))
            .contains("16 KiB")
    );
}

fn cut(text: &str, from: &str, to: &str) -> String {
    let begin = text.find(from).unwrap();
    let end = begin + text[begin..].find(to).unwrap() + to.len();
    format!("{}{}", &text[..begin], &text[end..])
}

const DATED: &str = include_str!("../../../../tests/import/pskc/dates.xml");
const WITHOUT_USER: &str = include_str!("../../../../tests/import/pskc/without-user.xml");

/// Feitian's containers have dates of 25 years.
#[test]
fn dates_that_include_today_are_a_lost_detail() {
    let alice = &"alice".parse().unwrap();
    let owners = ImportOwners {
        user: Some(alice),
        serials: None,
    };
    let at = |now| {
        let key = PskcKey::None;
        ImportFormat::Pskc { key, owners, now }.import(DATED)
    };
    let import = at(NOW);
    let description = import.found[0].description();
    assert_eq!(description, "alice (Example 2600000000001) SHA1 6 60s");
    assert_eq!(import.omitted[0].loss, ImportLoss::Detail);
    for now in [Timestamp(0), Timestamp(4_000_000_000)] {
        let import = at(now);
        assert!(import.found.is_empty() && import.omitted.len() == 1);
    }
}

#[test]
fn a_key_without_user_goes_to_its_listed_or_the_given_account() {
    let serials = &crate::credential::import::SerialList::parse(b"2600000000001,bob\n").unwrap();
    let alice = &"alice".parse().unwrap();
    for (user, serials, account) in [
        (Some(alice), None, Some("alice")),
        (Some(alice), Some(serials), Some("bob")),
        (None, Some(serials), Some("bob")),
        (None, None, None),
    ] {
        let format = ImportFormat::Pskc {
            key: PskcKey::None,
            owners: ImportOwners { user, serials },
            now: NOW,
        };
        let import = format.import(WITHOUT_USER);
        let found = import.found.first().map(|found| found.account.as_str());
        assert_eq!(found, account);
    }
}

/// RFC 6030, figure 7, has `<PRF/>`.
#[test]
fn an_empty_prf_is_hmac_sha1() {
    assert!(PASSWORD.contains("</KeyLength>") && !PASSWORD.contains("PRF"));
    let empty = PASSWORD.replacen("</KeyLength>", "</KeyLength><PRF/>", 1);
    let import = format(PskcKey::Password(b"correct horse")).import(&empty);
    assert_eq!(import.found.len(), 3);
}
