//! `postern print-config`: the proxy's sample with this gate's names filled in. Nothing secret is printed: the proxy's
//! secret, made where there is none, goes to a file of mode 0640 that the printed configuration reads.

use crate::arguments::print_config::ProxyArguments;
use crate::arguments::{Arguments, PrintConfig};
use crate::context;
use crate::terminal::output::{CommandFailure, Output};
use data_encoding::BASE64URL_NOPAD;
use nix::unistd::Group;
use shared::config::gate::{self, GateConfig, GateUrl};
use shared::credential::secret::fill_random;
use shared::engine::privileges;
use shared::system::trusted_file::{self, Existing, FileError, Follow, Privacy};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The most that is read of a secret file, in bytes.
const LARGEST: u64 = 4096;

/// A file that the printed configuration reads.
struct Include {
    name: &'static str,
    text: &'static str,
    privacy: Privacy,
}

impl Include {
    fn mode(&self) -> u32 {
        match self.privacy {
            Privacy::Public => 0o644,
            Privacy::Secret => 0o640,
        }
    }
}

/// What there is for one proxy.
struct ProxySample {
    proxy: gate::ProxyKind,
    own_host: &'static str,
    path: &'static str,
    includes: &'static [Include],
    /// Where the includes go if nothing else is said.
    folder: &'static str,
    /// What is printed goes to this file.
    printed: &'static str,
    /// Reads the includes besides root, if there is such a group.
    group: Option<&'static str>,
}

const NGINX: ProxySample = ProxySample {
    proxy: gate::ProxyKind::Nginx,
    own_host: include_str!("../../../config/nginx/own-host.conf"),
    path: include_str!("../../../config/nginx/path.conf"),
    includes: &[
        Include {
            name: "postern-headers.conf",
            text: include_str!("../../../config/nginx/postern-headers.conf"),
            privacy: Privacy::Public,
        },
        Include {
            name: "postern-proof.conf",
            text: include_str!("../../../config/nginx/postern-proof.conf"),
            privacy: Privacy::Secret,
        },
    ],
    folder: "/etc/nginx",
    printed: "/etc/nginx/conf.d/postern.conf",
    // nginx reads its configuration as root
    group: None,
};

const TRAEFIK: ProxySample = ProxySample {
    proxy: gate::ProxyKind::Traefik,
    own_host: include_str!("../../../config/traefik/own-host.yml"),
    path: include_str!("../../../config/traefik/path.yml"),
    includes: &[Include {
        name: "postern-proof.yml",
        text: include_str!("../../../config/traefik/postern-proof.yml"),
        privacy: Privacy::Secret,
    }],
    folder: "/etc/traefik/dynamic",
    printed: "/etc/traefik/dynamic/postern.yml",
    group: Some("traefik"),
};

pub(super) fn run(
    arguments: &Arguments,
    output: Output,
    what: &PrintConfig,
) -> Result<(), CommandFailure> {
    let gate = context::config(arguments, output)?.gate;
    let url = gate.url.as_ref().ok_or_else(|| {
        CommandFailure::new(
            "gate.url is missing; set the URL at which browsers reach the gate, with postern edit",
        )
    })?;
    // one that has the gate's pages at a path of its own
    let own = gate
        .application_urls
        .iter()
        .find(|url| Some(url.host()) == what.app.as_deref());
    let url = own.unwrap_or(url);
    let sample = match what.proxy {
        ProxyArguments::Nginx => NGINX,
        ProxyArguments::Traefik => TRAEFIK,
    };
    let folder = what.folder.as_deref().unwrap_or(Path::new(sample.folder));
    let names = names(&gate, url, what, folder)?;
    if !folder.is_dir() {
        let folder = folder.display();
        return Err(CommandFailure::new(format_args!(
            "{folder}: no such folder; create it, or give another one with --folder"
        )));
    }
    let proof = proof(&secret_path(&gate, sample.proxy, &arguments.config))?;
    let group = sample
        .group
        .and_then(|name| Group::from_name(name).ok().flatten());
    let group = group.map_or(0, |group| group.gid.as_raw());
    for include in sample.includes {
        let text = Zeroizing::new(names.fill(include.text).replace("@PROOF@", &proof));
        write(
            &folder.join(include.name),
            text.as_bytes(),
            include.mode(),
            group,
        )?;
    }
    let printed = if url.has_own_host() {
        sample.own_host
    } else {
        sample.path
    };
    output.text(names.fill(printed))?;

    let wrote = sample.includes.iter().map(|include| {
        format!(
            "{} (mode {:04o})",
            folder.join(include.name).display(),
            include.mode()
        )
    });
    let wrote = wrote.collect::<Vec<_>>().join(" and ");
    Ok(output.note(format_args!(
        "wrote {wrote}; what is printed goes to {}",
        sample.printed
    ))?)
}

/// What stands between @ signs in a sample, but for the secret.
struct SampleNames {
    gate: String,
    domain: String,
    app: String,
    folder: String,
}

impl SampleNames {
    fn fill(&self, text: &str) -> String {
        text.replace("@GATE_HOST@", &self.gate)
            .replace("@COOKIE_DOMAIN@", &self.domain)
            .replace("@APP_HOST@", &self.app)
            .replace("@FOLDER@", &self.folder)
    }
}

fn names(
    gate: &GateConfig,
    url: &GateUrl,
    what: &PrintConfig,
    folder: &Path,
) -> Result<SampleNames, CommandFailure> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-".contains(&b);
    let folder = folder
        .to_str()
        .filter(|folder| folder.starts_with('/') && folder.bytes().all(plain));
    let folder = folder.ok_or_else(|| {
        CommandFailure::new(
            "--folder needs an absolute path of letters, digits, dots, dashes, underscores and slashes",
        )
    })?;
    let domain = gate
        .cookie_domain
        .as_ref()
        .map_or_else(|| parent(url), |domain| domain.as_str().to_owned());
    let app = match &what.app {
        Some(app) => app.clone(),
        None if url.has_own_host() => format!("app.{domain}"),
        None => url.host().to_owned(),
    };
    Ok(SampleNames {
        gate: url.host().to_owned(),
        domain,
        app,
        folder: folder.trim_end_matches('/').to_owned(),
    })
}

/// Writes a file for the proxy, in one step. What stands in its place must be a file, not a link.
fn write(path: &Path, bytes: &[u8], mode: u32, group: u32) -> Result<(), FileError> {
    trusted_file::Folder::open(path.parent().unwrap_or(Path::new("/")))?;
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => return Err(FileError::link(path)),
        Ok(metadata) if !metadata.is_file() => return Err(FileError::not_a_file(path)),
        _ => {}
    }
    trusted_file::write_atomically(path, bytes, mode, Some(group), Existing::Replace)
}

/// The domain above the gate's host.
fn parent(url: &GateUrl) -> String {
    url.host()
        .split_once('.')
        .map_or(url.host(), |(_, parent)| parent)
        .to_owned()
}

/// Where the configuration keeps the proxy's secret, or where the sample says that it will.
fn secret_path(gate: &GateConfig, kind: gate::ProxyKind, config: &Path) -> PathBuf {
    let trusted = gate
        .trusted_proxies
        .iter()
        .filter(|trusted| trusted.proxy == kind);
    let configured = trusted
        .filter_map(|trusted| trusted.secret_file.as_ref())
        .next();
    configured.map_or_else(
        || config.with_file_name("proxy.secret"),
        |file| file.path().to_owned(),
    )
}

/// The proxy's secret; made if there is none.
fn proof(path: &Path) -> Result<Zeroizing<String>, CommandFailure> {
    if path.symlink_metadata().is_err() {
        let mut bytes = Zeroizing::new([0; 32]);
        fill_random(&mut *bytes)?;
        let text = Zeroizing::new(format!("{}\n", BASE64URL_NOPAD.encode(&*bytes)));
        let group = Group::from_name(privileges::GROUP)
            .ok()
            .flatten()
            .map(|group| group.gid.as_raw());
        trusted_file::write_atomically(path, text.as_bytes(), 0o640, group, Existing::Refuse)?;
    }
    let bytes = trusted_file::read_trusted(path, Privacy::Secret, Follow::Yes, LARGEST)?;
    match std::str::from_utf8(bytes.trim_ascii()) {
        Ok(text)
            if text.len() >= 16
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) =>
        {
            Ok(Zeroizing::new(text.to_owned()))
        }
        _ => Err(CommandFailure::new(format_args!(
            "{}: a proxy's secret is at least 16 letters, digits, dashes and underscores",
            path.display()
        ))),
    }
}
