//! One site of the gate: its URL, cookies, trusted proxies, caches and configuration, which do not
//! change until a reload.
//!
//! Decides which hosts a session is valid at, and which URLs a browser may return to.

use super::admin_secret::AdminSecret;
use super::branding::Branding;
use crate::http::cookies::CookieBuilder;
use crate::live::revocation_cache::RevocationCache;
use crate::live::session_uses::SessionUses;
use crate::live::store_pool::StorePool;
use crate::observe::log;
use crate::proxy::trusted_proxy::TrustedProxies;
use postern_shared::config::Config;
use postern_shared::config::gate::{GateConfig, GateUrl};
use postern_shared::policy::rule::IndexedRules;
use postern_shared::policy::session_groups::RequestedGroups;
use postern_shared::system::network::web_address::{WebPath, is_host};
use postern_shared::token::session::Session;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Longest URL to return to, in bytes as the query of a page holds it: nginx reads request lines of
/// up to 8 KiB.
const MAX_RETURN_URL: usize = 7 * 1024;
/// Longest URL to return to that a token keeps, in bytes. It is sealed in a cookie and in Base64,
/// and browsers keep cookies of up to 4096 bytes.
const MAX_SEALED_URL: usize = 2048;

/// Hosts where no session is valid, and that were logged.
#[derive(Default)]
pub(crate) struct UncoveredHosts(Mutex<HashSet<String>>);

impl UncoveredHosts {
    /// Limit on logged hosts, since clients choose names.
    const MOST: usize = 64;

    /// Logs once per host, in lower case, that no session is valid there, and which key to set.
    pub(crate) fn log_once(&self, site: &Site, host: &str) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_host(host) || noted.len() >= UncoveredHosts::MOST || !noted.insert(host.to_owned()) {
            return;
        }
        let last = if noted.len() == UncoveredHosts::MOST {
            "; more such hosts are not logged"
        } else {
            ""
        };
        let line = log::event("refused")
            .with("cause", "host-outside-cookie-domain")
            .quoted("host", host);
        match &site.gate().cookie_domain {
            Some(domain) if site.url.has_own_host() => line.write_with_message(format_args!(
                "gate.cookie_domain = \"{}\" does not cover {host}, so sign-in is not possible there: set a parent domain, or give the host a path in gate.application_urls{last}",
                domain.as_str()
            )),
            _ => line.write_with_message(format_args!(
                "gate.url is a path of {}, and sessions are valid only there: sign-in is not possible at {host}{last}",
                site.url.host()
            )),
        }
    }
}

/// The gate at one URL: at `gate.url`, or at one of `gate.application_urls`.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) url: GateUrl,
    pub(crate) cookies: CookieBuilder,
    /// Sites at the gate's other URLs.
    pub(crate) own_path_sites: Vec<Arc<Site>>,
    pub(crate) branding: Arc<Branding>,
    pub(crate) admin_secret: Arc<AdminSecret>,
    pub(crate) trusted_proxies: Arc<TrustedProxies>,
    pub(crate) uncovered_hosts: Arc<UncoveredHosts>,
    pub(crate) revocation_cache: Arc<RevocationCache>,
    /// Last uses of sessions, if `gate.idle_timeout` is set.
    pub(crate) session_uses: Option<Arc<SessionUses>>,
    pub(crate) store_pool: Arc<StorePool>,
    pub(crate) requested_groups: Arc<RequestedGroups>,
    pub(crate) rules: Arc<IndexedRules>,
    pub(crate) config: Arc<Config>,
}

impl Site {
    pub(crate) fn gate(&self) -> &GateConfig {
        &self.config.gate
    }

    /// Adds a site at each of `gate.application_urls`.
    pub(crate) fn with_own_paths(mut self) -> Site {
        let at = |url: &GateUrl| {
            let jar = CookieBuilder::new(self.gate(), &url.path);
            Arc::new(Site {
                url: url.clone(),
                cookies: jar,
                ..self.clone()
            })
        };
        self.own_path_sites = self.gate().application_urls.iter().map(at).collect();
        self
    }

    /// Returns the site that protects a host, given in lower case.
    pub(crate) fn find_site_protecting(&self, host: &str) -> &Site {
        let own = self
            .own_path_sites
            .iter()
            .find(|site| site.url.host() == host);
        own.map_or(self, |site| site)
    }

    /// Returns the site whose pages are at a host, given with its port unless that is 443.
    pub(crate) fn find_site_at<'a>(self: &'a Arc<Site>, authority: &str) -> Option<&'a Arc<Site>> {
        let is_here = |site: &&Arc<Site>| site.url.authority.eq_ignore_ascii_case(authority);
        std::iter::once(self)
            .chain(&self.own_path_sites)
            .find(is_here)
    }

    /// Returns the host or domain that sessions are valid for.
    pub(crate) fn session_scope(&self) -> &str {
        match &self.gate().cookie_domain {
            Some(domain) if self.url.has_own_host() => domain.as_str(),
            _ => self.url.host(),
        }
    }

    /// Whether a session is valid at a host, given in lower case.
    pub(crate) fn accepts_session_at(&self, session: &Session, host: &str) -> bool {
        session.scope == self.session_scope() && self.covers(host)
    }

    /// Whether the gate protects a host, given in lower case.
    pub(crate) fn covers(&self, host: &str) -> bool {
        match &self.gate().cookie_domain {
            Some(domain) if self.url.has_own_host() => domain.covers(host),
            _ => host == self.url.host(),
        }
    }

    /// Whether a request to a host, given in lower case, may be for the gate's own pages.
    pub(crate) fn is_own_page(&self, host: &str, target: &str) -> bool {
        if host != self.url.host() {
            return false;
        }
        match (WebPath::parse(target), WebPath::parse(&self.url.path)) {
            (Ok(requested), Ok(own)) => requested.is_below(&own),
            // A path that can be parsed in two ways may be one.
            _ => true,
        }
    }

    /// Returns the URL, if a browser may return to it: its scheme is https and its host is
    /// protected. Of a URL that is too long, only the host's front page is returned.
    pub(crate) fn valid_return_url<'a>(&self, url: &'a str) -> Option<&'a str> {
        let rest = url.strip_prefix("https://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let authority = &rest[..end];
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, port),
            None => (authority, "443"),
        };
        let sound = url.bytes().all(|b| b.is_ascii_graphic())
            && port.parse::<u16>().is_ok()
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
        let whole = if query_length(url) <= MAX_RETURN_URL {
            url
        } else {
            &url[..url.len() - rest.len() + end]
        };
        (sound && self.covers(&host.trim_end_matches('.').to_ascii_lowercase())).then_some(whole)
    }
}

/// Returns a URL that [`Site::valid_return_url`] accepted, or its front page where it is too long
/// for a token.
pub(crate) fn shorten_return_url(url: &str) -> &str {
    let rest = url.strip_prefix("https://").unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match url.len() <= MAX_SEALED_URL {
        true => url,
        false => &url[..url.len() - rest.len() + end],
    }
}

/// Returns the length of a URL as a query holds it, at most.
fn query_length(url: &str) -> usize {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    url.bytes()
        .map(|byte| if is_plain(&byte) { 1 } else { 3 })
        .sum()
}
