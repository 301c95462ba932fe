//! Samples for proxies that run in a container or a cluster, while the gate does not: they reach it
//! at an address of this host.

use super::{Include, ProxySample};
use crate::arguments::print_config::ProxyArguments;
use crate::terminal::output::{CommandFailure, CommandResult};
use postern_shared::config::gate::{GateConfig, GateUrl, ListenAddress, ProxyKind};
use postern_shared::system::trusted_file::Privacy;
use std::net::SocketAddr;

/// Address of a host in the default network of Docker, with the port of the samples.
const DOCKER: &str = "172.17.0.1:9091";

pub(super) const NGINX_PROXY_MANAGER: ProxySample = ProxySample {
    proxy: ProxyKind::Nginx,
    own_host: include_str!("../../../../config/nginx-proxy-manager/own-host.conf"),
    path: include_str!("../../../../config/nginx-proxy-manager/path.conf"),
    includes: &[
        Include {
            name: "postern-headers.conf",
            text: include_str!("../../../../config/nginx/postern-headers.conf"),
            privacy: Privacy::Public,
        },
        Include {
            name: "postern-proof.conf",
            text: include_str!("../../../../config/nginx-proxy-manager/postern-proof.conf"),
            privacy: Privacy::Secret,
        },
    ],
    folder: "/etc/postern",
    printed: "the tab Advanced of proxy hosts, as its head says",
    group: None,
};

pub(super) const TRAEFIK_LABELS: ProxySample = ProxySample {
    proxy: ProxyKind::Traefik,
    own_host: include_str!("../../../../config/traefik-labels/own-host.yml"),
    path: include_str!("../../../../config/traefik-labels/path.yml"),
    includes: &[Include {
        name: "postern-proof.yml",
        text: include_str!("../../../../config/traefik/postern-proof.yml"),
        privacy: Privacy::Secret,
    }],
    folder: "/etc/traefik/dynamic",
    printed: "docker-compose.yml",
    group: Some("traefik"),
};

pub(super) const INGRESS_NGINX: ProxySample = ProxySample {
    proxy: ProxyKind::Nginx,
    own_host: include_str!("../../../../config/ingress-nginx/own-host.yaml"),
    // `refuse_path` has refused this layout.
    path: "",
    includes: &[Include {
        name: "postern-proof.yaml",
        text: include_str!("../../../../config/ingress-nginx/postern-proof.yaml"),
        privacy: Privacy::Secret,
    }],
    folder: "/etc/postern",
    printed: "the cluster, as its head says",
    group: None,
};

pub(super) const GATEWAY_API: ProxySample = ProxySample {
    proxy: ProxyKind::Envoy,
    own_host: include_str!("../../../../config/gateway-api/own-host.yaml"),
    path: include_str!("../../../../config/gateway-api/path.yaml"),
    // A certificate proves the gateway.
    includes: &[],
    folder: "/etc/postern",
    printed: "the cluster, as its head says",
    group: None,
};

/// Refuses a layout for which a proxy has no sample.
pub(super) fn refuse_path(proxy: ProxyArguments, url: &GateUrl) -> CommandResult<()> {
    match proxy {
        ProxyArguments::IngressNginx if !url.has_own_host() => Err(CommandFailure::new(
            "ingress-nginx cannot send the proxy's secret with the gate's pages alone, so they need a host of their \
             own outside of it; give its URL with --url, such as https://auth.example.com/",
        )),
        _ => Ok(()),
    }
}

/// Returns the address at which the proxy reaches the gate: the given one, else one of
/// `gate.listen`, else that of Docker's default network.
pub(super) fn gate_address(
    proxy: ProxyArguments,
    given: Option<SocketAddr>,
    gate: &GateConfig,
) -> CommandResult<SocketAddr> {
    let mut configured = gate.listen.0.iter().filter_map(|listen| match listen {
        ListenAddress::Tcp(address) | ListenAddress::Tls(address) => Some(*address),
        ListenAddress::Unix(_) | ListenAddress::Fastcgi(_) | ListenAddress::Systemd(_) => None,
    });
    let is_reachable =
        |address: &SocketAddr| !address.ip().is_loopback() && !address.ip().is_unspecified();
    if let Some(address) = given.or_else(|| configured.find(is_reachable)) {
        return Ok(address);
    }
    match proxy {
        ProxyArguments::IngressNginx | ProxyArguments::GatewayApi => Err(CommandFailure::new(
            "name the address at which the cluster reaches the gate with --address, such as 192.0.2.10:9091",
        )),
        _ => Ok(DOCKER.parse().expect("it is an address and a port")),
    }
}
