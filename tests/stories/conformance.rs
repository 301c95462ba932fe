//! The conformance suite against Postern behind every proxy.

use testhost::{Conformance, Proxy};

#[track_caller]
fn passes(proxy: Proxy) {
    let run = Conformance::prepare(proxy).run(&[]);
    println!("{}", run.output);
    assert!(run.status.success(), "{proxy:?}: see the output above");
}

/// Makes a story of each proxy, so that they can run side by side.
macro_rules! stories {
    ($($story:ident: $proxy:ident),+ $(,)?) => {
        const COVERED: &[Proxy] = &[$(Proxy::$proxy),+];

        $(#[test]
        #[ignore = "needs the test host: tests/run"]
        fn $story() {
            passes(Proxy::$proxy);
        })+
    };
}

stories! {
    postern_behind_nginx_passes: Nginx,
    postern_behind_traefik_passes: Traefik,
    postern_behind_caddy_passes: Caddy,
    postern_behind_haproxy_passes: Haproxy,
    postern_behind_envoy_passes: Envoy,
}

#[test]
fn each_proxy_has_a_story() {
    assert_eq!(COVERED, Proxy::ALL);
}
