//! `postern print-config`: prints the proxy's sample configuration with this gate's names filled
//! in. It prints no secret. The proxy's secret is written to a file of mode 0640, which the printed
//! configuration includes; it is created if it is missing.

mod containers;
mod ignored;

use crate::arguments::PrintConfig;
use crate::arguments::print_config::ProxyArguments;
use crate::context::Invocation;
use crate::terminal::output::{CommandFailure, CommandResult};
use data_encoding::BASE64URL_NOPAD;
use nix::unistd::Group;
use postern_shared::config::gate::{self, GateConfig, GateUrl};
use postern_shared::engine::privileges;
use postern_shared::system::random::fill_random;
use postern_shared::system::trusted_file::{self, Existing, FileError, Follow, Privacy};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Largest size of a secret file, in bytes.
const LARGEST: u64 = 4096;

/// A file that the printed configuration includes.
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

/// The sample configuration of one proxy.
struct ProxySample {
    proxy: gate::ProxyKind,
    own_host: &'static str,
    path: &'static str,
    includes: &'static [Include],
    /// Default folder of the included files.
    folder: &'static str,
    /// File of the proxy for which the output is meant.
    printed: &'static str,
    /// Group that can read the included files, if it exists on this host.
    group: Option<&'static str>,
}

impl ProxySample {
    /// Returns the text to print, with its placeholders.
    fn printed_text(&self, url: &GateUrl) -> &'static str {
        if url.has_own_host() {
            self.own_host
        } else {
            self.path
        }
    }
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

const CADDY: ProxySample = ProxySample {
    proxy: gate::ProxyKind::Caddy,
    own_host: include_str!("../../../config/caddy/own-host.Caddyfile"),
    path: include_str!("../../../config/caddy/path.Caddyfile"),
    includes: &[Include {
        name: "postern-proof.caddy",
        text: include_str!("../../../config/caddy/postern-proof.caddy"),
        privacy: Privacy::Secret,
    }],
    folder: "/etc/caddy",
    printed: "/etc/caddy/Caddyfile",
    group: Some("caddy"),
};

const HAPROXY: ProxySample = ProxySample {
    proxy: gate::ProxyKind::Haproxy,
    own_host: include_str!("../../../config/haproxy/own-host.cfg"),
    path: include_str!("../../../config/haproxy/path.cfg"),
    includes: &[
        Include {
            name: "postern.lua",
            text: include_str!("../../../config/haproxy/postern.lua"),
            privacy: Privacy::Public,
        },
        Include {
            name: "postern-proof",
            text: include_str!("../../../config/haproxy/postern-proof"),
            privacy: Privacy::Secret,
        },
    ],
    folder: "/etc/haproxy",
    printed: "/etc/haproxy/haproxy.cfg",
    // HAProxy loads its Lua as root
    group: None,
};

const ENVOY: ProxySample = ProxySample {
    proxy: gate::ProxyKind::Envoy,
    own_host: include_str!("../../../config/envoy/own-host.yaml"),
    path: include_str!("../../../config/envoy/path.yaml"),
    includes: &[Include {
        name: "postern-proof.yaml",
        text: include_str!("../../../config/envoy/postern-proof.yaml"),
        privacy: Privacy::Secret,
    }],
    folder: "/etc/envoy",
    printed: "/etc/envoy/envoy.yaml",
    group: Some("envoy"),
};

const APACHE: ProxySample = ProxySample {
    proxy: gate::ProxyKind::Apache,
    own_host: include_str!("../../../config/apache/own-host.conf"),
    path: include_str!("../../../config/apache/path.conf"),
    includes: &[
        Include {
            name: "postern-headers.conf",
            text: include_str!("../../../config/apache/postern-headers.conf"),
            privacy: Privacy::Public,
        },
        Include {
            name: "postern-check.conf",
            text: include_str!("../../../config/apache/postern-check.conf"),
            privacy: Privacy::Public,
        },
        Include {
            name: "postern-proof.conf",
            text: include_str!("../../../config/apache/postern-proof.conf"),
            privacy: Privacy::Secret,
        },
    ],
    folder: "/etc/apache2",
    printed: "/etc/apache2/sites-available/postern.conf",
    // Apache reads its configuration as root
    group: None,
};

pub(super) fn run(run: Invocation<'_>, what: &PrintConfig) -> CommandResult {
    let gate = run.config()?.gate;
    let url = what.url.as_ref().or(gate.url.as_ref()).ok_or_else(|| {
        CommandFailure::new(
            "gate.url is missing; name the URL at which browsers reach the gate with --url, such as https://auth.example.com/",
        )
    })?;
    // an application that serves the gate's pages below its own path
    let configured = gate.application_urls.iter().filter(|_| what.url.is_none());
    let own = configured
        .into_iter()
        .find(|url| Some(url.host()) == what.app.as_deref());
    let url = own.unwrap_or(url);
    let sample = sample(what.proxy);
    containers::refuse_path(what.proxy, url)?;
    ignored::refuse_ignored(what, url, &sample)?;
    let folder = what.folder.as_deref().unwrap_or(Path::new(sample.folder));
    let names = names(&gate, url, what, folder)?;
    if !sample.includes.is_empty() && !folder.is_dir() {
        let folder = folder.display();
        return Err(CommandFailure::new(format_args!(
            "{folder}: no such folder; create it, or give another one with --folder"
        )));
    }
    let proof = match sample.includes.is_empty() {
        true => Zeroizing::default(),
        false => proof(&secret_path(&gate, sample.proxy, run.config_path))?,
    };
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
    run.output.text(names.fill(sample.printed_text(url)))?;

    let wrote = sample.includes.iter().map(|include| {
        format!(
            "{} (mode {:04o})",
            folder.join(include.name).display(),
            include.mode()
        )
    });
    let wrote = match wrote.collect::<Vec<_>>().join(" and ") {
        none if none.is_empty() => none,
        wrote => format!("wrote {wrote}; "),
    };
    Ok(run.output.warn(format_args!(
        "{wrote}what is printed goes to {}",
        sample.printed
    ))?)
}

/// Returns the sample of a proxy.
fn sample(proxy: ProxyArguments) -> ProxySample {
    match proxy {
        ProxyArguments::Nginx => NGINX,
        ProxyArguments::Traefik => TRAEFIK,
        ProxyArguments::Caddy => CADDY,
        ProxyArguments::Haproxy => HAPROXY,
        ProxyArguments::Envoy => ENVOY,
        ProxyArguments::Apache => APACHE,
        ProxyArguments::NginxProxyManager => containers::NGINX_PROXY_MANAGER,
        ProxyArguments::TraefikLabels => containers::TRAEFIK_LABELS,
        ProxyArguments::IngressNginx => containers::INGRESS_NGINX,
        ProxyArguments::GatewayApi => containers::GATEWAY_API,
    }
}

/// Returns what is printed for a gate without a configuration. The handbook shows it.
#[cfg(test)]
pub(crate) fn printed(what: &PrintConfig) -> CommandResult<String> {
    let url = what.url.as_ref().expect("the caller names it");
    let sample = sample(what.proxy);
    let folder = what.folder.as_deref().unwrap_or(Path::new(sample.folder));
    let names = names(&GateConfig::default(), url, what, folder)?;
    Ok(names.fill(sample.printed_text(url)))
}

/// Values of the placeholders between @ signs in a sample. The secret is not one of them.
struct SampleNames {
    gate: String,
    domain: String,
    app: String,
    folder: String,
    /// Where a proxy in a container or a cluster reaches the gate.
    address: SocketAddr,
}

impl SampleNames {
    fn fill(&self, text: &str) -> String {
        text.replace("@GATE_HOST@", &self.gate)
            .replace("@COOKIE_DOMAIN@", &self.domain)
            .replace("@APP_HOST@", &self.app)
            .replace("@FOLDER@", &self.folder)
            .replace("@GATE_ADDRESS@", &self.address.to_string())
            .replace("@GATE_IP@", &self.address.ip().to_string())
            .replace("@GATE_PORT@", &self.address.port().to_string())
            .replace(
                "@GATE_FAMILY@",
                if self.address.is_ipv4() {
                    "IPv4"
                } else {
                    "IPv6"
                },
            )
    }
}

fn names(
    gate: &GateConfig,
    url: &GateUrl,
    what: &PrintConfig,
    folder: &Path,
) -> CommandResult<SampleNames> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-".contains(&b);
    let folder = folder
        .to_str()
        .filter(|folder| folder.starts_with('/') && folder.bytes().all(plain));
    let folder = folder.ok_or_else(|| {
        CommandFailure::new(
            "--folder needs an absolute path of letters, digits, dots, dashes, underscores and slashes",
        )
    })?;
    // the configured domain is that of the configured URL
    let configured = gate.cookie_domain.as_ref().filter(|_| what.url.is_none());
    let domain = configured.map_or_else(|| parent(url), |domain| domain.as_str().to_owned());
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
        address: containers::gate_address(what.proxy, what.address, gate)?,
    })
}

/// Replaces a file for the proxy atomically. An existing file MUST be a regular file and not a
/// link.
fn write(path: &Path, bytes: &[u8], mode: u32, group: u32) -> Result<(), FileError> {
    trusted_file::TrustedFolder::open(path.parent().unwrap_or(Path::new("/")))?;
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => return Err(FileError::link(path)),
        Ok(metadata) if !metadata.is_file() => return Err(FileError::not_a_file(path)),
        _ => {}
    }
    trusted_file::write_atomically(path, bytes, mode, Some(group), Existing::Replace)
}

/// Returns the parent domain of the gate's host.
fn parent(url: &GateUrl) -> String {
    url.host()
        .split_once('.')
        .map_or(url.host(), |(_, parent)| parent)
        .to_owned()
}

/// Returns the path of the proxy's secret: the configured one, else the one in the sample.
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

/// Reads the proxy's secret, and creates the file if it is missing.
fn proof(path: &Path) -> CommandResult<Zeroizing<String>> {
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
