//! `postern print-config`: the proxy's sample with this gate's names and the proxy's proof filled in. The proof is
//! made where there is none.

use crate::arguments::print_config::Proxy;
use crate::arguments::{Arguments, PrintConfig};
use crate::context;
use crate::output::{Failure, Output};
use data_encoding::BASE64URL_NOPAD;
use nix::unistd::Group;
use shared::config::gate::{self, Gate, GateUrl};
use shared::files::{self, Existing, Follow, Privacy};
use shared::secret::fill_random;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The most that is read of a secret file, in bytes.
const LARGEST: u64 = 4096;

pub(super) fn run(arguments: &Arguments, output: Output, what: &PrintConfig) -> Result<(), Failure> {
    let gate = context::config(arguments, output)?.gate;
    let url = gate.url.as_ref().ok_or_else(|| {
        Failure::new("gate.url is missing: set where browsers find the gate first, with postern edit")
    })?;
    // one that has the gate's pages at a path of its own
    let own = gate.own_paths.iter().find(|url| Some(url.host()) == what.app.as_deref());
    let url = own.unwrap_or(url);
    let (kind, sample) = match (what.proxy, url.has_own_host()) {
        (Proxy::Nginx, true) => (gate::Proxy::Nginx, include_str!("../../../config/nginx/own-host.conf")),
        (Proxy::Nginx, false) => (gate::Proxy::Nginx, include_str!("../../../config/nginx/path.conf")),
        (Proxy::Traefik, true) => {
            (gate::Proxy::Traefik, include_str!("../../../config/traefik/own-host.yml"))
        }
        (Proxy::Traefik, false) => (gate::Proxy::Traefik, include_str!("../../../config/traefik/path.yml")),
    };
    let proof = proof(&secret_path(&gate, kind, &arguments.config))?;
    let domain = gate.cookie_domain.as_ref().map_or_else(|| parent(url), |domain| domain.as_str().to_owned());
    let app = match &what.app {
        Some(app) => app.clone(),
        None if url.has_own_host() => format!("app.{domain}"),
        None => url.host().to_owned(),
    };
    let filled = Zeroizing::new(
        sample
            .replace("@GATE_HOST@", url.host())
            .replace("@COOKIE_DOMAIN@", &domain)
            .replace("@APP_HOST@", &app)
            .replace("@PROOF@", &proof),
    );
    output.text(filled.as_str())
}

/// The domain above the gate's host.
fn parent(url: &GateUrl) -> String {
    url.host().split_once('.').map_or(url.host(), |(_, parent)| parent).to_owned()
}

/// Where the configuration keeps the proxy's secret, or where the sample says that it will.
fn secret_path(gate: &Gate, kind: gate::Proxy, config: &Path) -> PathBuf {
    let trusted = gate.trusted_proxies.iter().filter(|trusted| trusted.proxy == kind);
    let configured = trusted.filter_map(|trusted| trusted.secret_file.as_ref()).next();
    configured.map_or_else(|| config.with_file_name("proxy.secret"), |file| file.path().to_owned())
}

/// The proxy's secret; made if there is none.
fn proof(path: &Path) -> Result<Zeroizing<String>, Failure> {
    if path.symlink_metadata().is_err() {
        let mut bytes = Zeroizing::new([0; 32]);
        fill_random(&mut *bytes)?;
        let text = Zeroizing::new(format!("{}\n", BASE64URL_NOPAD.encode(&*bytes)));
        let group = Group::from_name(super::init::GROUP).ok().flatten().map(|group| group.gid.as_raw());
        files::write(path, text.as_bytes(), 0o640, group, Existing::Refuse)?;
    }
    let bytes = files::read(path, Privacy::Secret, Follow::Yes, LARGEST)?;
    match std::str::from_utf8(bytes.trim_ascii()) {
        Ok(text)
            if text.len() >= 16 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) =>
        {
            Ok(Zeroizing::new(text.to_owned()))
        }
        _ => Err(Failure::new(format_args!(
            "{}: a proxy's secret is at least 16 letters, digits, dashes and underscores",
            path.display()
        ))),
    }
}
