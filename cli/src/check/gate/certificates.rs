//! The gate's own certificate: whether the gate can load it, and browsers accept it.
//!
//! MUST NOT print the key.

use crate::check::finding::{Finding, Place};
use crate::check::machine::Machine;
use crate::terminal::output::counted;
use postern_shared::config::Config;
use postern_shared::config::file::{self, ConfigError};
use postern_shared::config::gate::{ListenAddress, TlsConfig};
use postern_shared::system::clock::{self, Timestamp};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use std::fs::File;
use std::io;
use std::path::Path;

/// Seconds before the end of a certificate from which that is reported.
const SOON: u64 = 7 * 86_400;

/// Returns an error for files that the gate cannot load, or that do not belong together.
pub(crate) fn verify(path: &Path, text: Option<&str>, config: &Config) -> Result<(), ConfigError> {
    let Some(tls) = used(config) else {
        return Ok(());
    };
    // postern-config.service is root without capabilities, and cannot read files of other users
    let is_closed = |path: &Path| {
        File::open(path).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    if is_closed(tls.key_file.path()) || is_closed(tls.cert_file.path()) {
        return Ok(());
    }
    load(tls).map(|_| ()).map_err(|(key, message)| {
        let on_disk = || std::fs::read_to_string(path).unwrap_or_default();
        let text = text.map_or_else(on_disk, str::to_owned);
        ConfigError::Content {
            path: path.to_owned(),
            line: file::line_of_key(&text, &["gate", "tls", key]).unwrap_or(1),
            key: Some(format!("gate.tls.{key}")),
            message,
        }
    })
}

/// Returns the findings about a certificate that can be loaded.
pub(crate) fn findings(machine: &Machine, path: &Path, config: &Config) -> Vec<Finding> {
    let (Some(tls), Some(url)) = (used(config), &config.gate.url) else {
        return Vec::new();
    };
    if !machine.is_root() {
        return vec![Finding::skipped(
            "certificate",
            "only root can read its key; run postern check as root",
        )];
    }
    let text = machine.read(path).unwrap_or_default();
    let at = |key: &str| match file::line_of_key(&text, &["gate", "tls", key]) {
        Some(line) => Place::line(path, line),
        None => Place::file(path),
    };
    // configuration::verify has reported it
    let Ok(certificate) = load(tls) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for (key, file) in [("key_file", &tls.key_file), ("cert_file", &tls.cert_file)] {
        let blocked = machine
            .user("postern-gate")
            .and_then(|user| machine.blocking_path(file.path(), &machine.reader(&user)));
        if let Some(blocked) = blocked {
            findings.push(
                Finding::fault("certificate", format_args!("gate.tls.{key}: user postern-gate cannot read {}, so the gate does not start: see {}", file.path().display(), blocked.display()))
                    .at(&at(key))
                    .remedy(format_args!("chgrp postern {0} && chmod 0640 {0}", file.path().display())),
            );
        }
    }
    let fault = |what: String| Finding::fault("certificate", what).at(&at("cert_file"));
    let renew = "renew it, then systemctl reload postern-gate";
    let now = clock::host_time().map_or(0, |now| now.0);
    let file = tls.cert_file.path().display();
    match validity(&certificate) {
        Some((_, end)) if end <= now => {
            findings.push(fault(format!("{file} has expired")).remedy(renew));
        }
        Some((begin, _)) if begin > now => {
            findings.push(fault(format!("{file} is not valid yet")).remedy(renew));
        }
        Some((_, end)) if end <= now + SOON => findings.push(
            Finding::warning(
                "certificate",
                format_args!("{file} expires in {}", counted((end - now) / 86_400, "day")),
            )
            .at(&at("cert_file"))
            .remedy(renew),
        ),
        _ => {}
    }
    let name = ServerName::try_from(url.host().to_owned());
    let parsed = rustls::server::ParsedCertificate::try_from(&certificate);
    if let (Ok(name), Ok(parsed)) = (name, parsed) {
        if rustls::client::verify_server_name(&parsed, &name).is_err() {
            findings.push(
                fault(format!(
                    "{file} is not for {}, the host of gate.url",
                    url.host()
                ))
                .remedy("use a certificate for that host"),
            );
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            "certificate",
            format_args!("{file} is valid for {}", url.host()),
        ));
    }
    findings
}

/// Returns `[gate.tls]`, if a listener uses it.
fn used(config: &Config) -> Option<&TlsConfig> {
    let uses = config
        .gate
        .listen
        .0
        .iter()
        .any(|listen| matches!(listen, ListenAddress::Tls(_)));
    config
        .gate
        .tls
        .as_ref()
        .filter(|_| uses && config.gate.url.is_some())
}

/// Loads certificate and key, and returns the first certificate, or the key of `[gate.tls]` that is
/// wrong, and why.
fn load(tls: &TlsConfig) -> Result<CertificateDer<'static>, (&'static str, String)> {
    let (cert, key) = (tls.cert_file.path(), tls.key_file.path());
    let of_cert =
        |error: &dyn std::fmt::Display| ("cert_file", format!("{}: {error}", cert.display()));
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| of_cert(&error))?;
    let first = chain
        .first()
        .cloned()
        .ok_or_else(|| of_cert(&"holds no certificate"))?;
    let key = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| ("key_file", format!("{}: {error}", key.display())))?;
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(|error| {
        (
            "key_file",
            format!(
                "{}: {error}; key and certificate must belong together",
                tls.key_file.path().display()
            ),
        )
    })?;
    Ok(first)
}

/// Returns begin and end of a certificate's validity in seconds since 1970 (RFC 5280, 4.1.2.5).
fn validity(certificate: &CertificateDer<'_>) -> Option<(u64, u64)> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    // version is [0] and optional; then serial number, signature algorithm, issuer
    if fields.first() == Some(&0xa0) {
        fields = element(fields)?.2;
    }
    for _ in 0..3 {
        fields = element(fields)?.2;
    }
    let (_, times, _) = element(fields)?;
    let (begin_tag, begin, rest) = element(times)?;
    let (end_tag, end, _) = element(rest)?;
    Some((time(begin_tag, begin)?, time(end_tag, end)?))
}

/// Splits a DER element from what follows it: tag, content, rest.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            let length = bytes
                .iter()
                .fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// Reads UTCTime (tag 23) or GeneralizedTime (tag 24), both in UTC.
fn time(tag: u8, text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = text.split_at_checked(if tag == 23 { 2 } else { 4 })?;
    let year: u64 = year.parse().ok()?;
    let year = match (tag, year) {
        (23, 0..50) => 2000 + year,
        (23, _) => 1900 + year,
        _ => year,
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<u64>().ok();
    let (month, day) = (part(0)?, part(2)?);
    let clock = [part(4)?, part(6)?, part(8)?];
    Timestamp::from_civil([year, month, day], clock).map(|time| time.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_rfc_5280() {
        assert_eq!(time(23, b"700101000000Z"), Some(0));
        assert_eq!(time(23, b"240229120000Z"), Some(1_709_208_000));
        assert_eq!(time(24, b"20500101000000Z"), Some(2_524_608_000));
        for wrong in [
            &b""[..],
            b"Z",
            b"2402291200",
            b"249929120000Z",
            b"230229120000Z",
            b"240229240000Z",
            b"24\xff229120000Z",
            b"2402",
        ] {
            assert_eq!(time(23, wrong), None);
        }
    }

    #[test]
    fn hostile_certificates_have_no_validity() {
        for bytes in [
            &b""[..],
            b"0",
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x80",
            b"\x30\x02\x30\x00",
            &[0x30; 500],
        ] {
            assert_eq!(validity(&CertificateDer::from(bytes)), None);
        }
    }
}
