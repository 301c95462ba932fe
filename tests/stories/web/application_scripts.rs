//! What the scripts of an application see through each proxy, in a real browser: replies to fetch
//! and XMLHttpRequest, websockets, server-sent events, and a service worker that keeps replies.

use serde_json::{Value, json};
use testhost::{APP, Chromium, Host, PagesAt, Postern, Proxy, Web, assert_lacks};

const WAYS: [(Proxy, PagesAt); 7] = [
    (Proxy::Nginx, PagesAt::OwnHost),
    (Proxy::Nginx, PagesAt::Path),
    (Proxy::Traefik, PagesAt::OwnHost),
    (Proxy::Caddy, PagesAt::OwnHost),
    (Proxy::NewerCaddy, PagesAt::Path),
    (Proxy::Haproxy, PagesAt::OwnHost),
    (Proxy::Envoy, PagesAt::OwnHost),
];

const PROTOCOL: &str = "return performance.getEntriesByType('navigation')[0].nextHopProtocol";

/// Registers the service worker, and waits until it answers for the page.
const REGISTER: &str = "return (async () => {
    await navigator.serviceWorker.register('/worker.js');
    await navigator.serviceWorker.ready;
    while (!navigator.serviceWorker.controller) {
        await new Promise(done => navigator.serviceWorker.addEventListener('controllerchange', done));
    }
    return 'controlled';
})()";

const FETCH: &str = "return (async () => {
    const reply = await fetch('/data');
    const text = await reply.text();
    return [reply.status, reply.redirected, /password/.test(text)];
})().catch(error => String(error))";

const XML_HTTP_REQUEST: &str = "return new Promise(done => {
    const request = new XMLHttpRequest();
    request.onload = () => done(request.status);
    request.onerror = () => done('error');
    request.open('POST', '/data');
    request.send('x');
})";

const SOCKET: &str = "return new Promise(done => {
    const socket = new WebSocket('wss://' + location.host + '/socket');
    socket.onopen = () => socket.send('hello');
    socket.onmessage = message => { done(message.data); socket.close(); };
    socket.onerror = () => done('refused');
})";

/// Asks for the next event once an event has arrived.
const EVENTS: &str = "return new Promise(done => {
    const events = new EventSource('/stream'), got = [];
    events.onmessage = message => {
        got.push(message.data);
        fetch('/next');
        if (got.length === 3) { events.close(); done(got); }
    };
    events.onerror = () => done([...got, 'refused', events.readyState]);
})";

const UPDATE: &str = "return (async () => {
    const registration = await navigator.serviceWorker.getRegistration();
    return registration.update().then(() => 'updated', error => error.name);
})()";

/// Lists what the service worker has kept: the path, and whether it is a page of the gate.
const KEPT: &str = "return (async () => {
    const kept = await caches.open('kept'), list = [];
    for (const request of await kept.keys()) {
        const text = await (await kept.match(request)).text();
        list.push([new URL(request.url).pathname, /password/.test(text)]);
    }
    return list;
})()";

/// The service worker must not take a page of the gate for one of the application.
#[track_caller]
fn assert_kept_pages_are_the_applications(browser: &Chromium, why: &str) {
    let kept = browser.runs(KEPT);
    let list = kept.as_array().expect("a list");
    assert!(!list.is_empty(), "{why}");
    for entry in list {
        let path = entry[0].as_str().expect("a path");
        assert!(
            path.starts_with("/_postern/") || entry[1] == json!(false),
            "{why} {kept}"
        );
    }
}

/// A script whose session ended got the sign-in page as its data, or an error that says nothing.
#[test]
#[ignore = "needs the test host: tests/run"]
fn scripts_see_that_the_session_ended() {
    for (proxy, pages_at) in WAYS {
        let why = format!("{proxy:?} {pages_at:?}");
        let host = Host::fresh();
        let web = Web::start(&host, proxy, pages_at, "");
        let (alice, phone) = host.web_user("alice");
        let browser = Chromium::start();
        let page = format!("{APP}/page?a=1");
        browser
            .opens(&page)
            .enters_password("alice", &alice.password)
            .enters_code(&phone.code())
            .arrives_at("The application");
        let sees = |script: &str, expected: Value| {
            assert_eq!(browser.runs(script), expected, "{why}: {script}");
        };
        sees(PROTOCOL, json!("h2"));
        sees(REGISTER, json!("controlled"));
        sees(FETCH, json!([200, false, false]));
        sees(XML_HTTP_REQUEST, json!(200));
        sees(SOCKET, json!("hello"));
        sees(EVENTS, json!(["one", "two", "three"]));
        sees(UPDATE, json!("updated"));
        web.application.arrived();

        Postern::call("session revoke alice --all").does();
        sees(FETCH, json!([401, false, false]));
        sees(XML_HTTP_REQUEST, json!(401));
        sees(SOCKET, json!("refused"));
        sees(EVENTS, json!(["refused", 2]));
        sees(UPDATE, json!("TypeError"));
        web.application.got_nothing();
        assert_kept_pages_are_the_applications(&browser, &why);

        host.clock.forward(30);
        browser
            .opens(&page)
            .enters_password("alice", &alice.password)
            .enters_code(&phone.code())
            .arrives_at("The application");
        assert_eq!(browser.url(), page, "{why}");
        sees(FETCH, json!([200, false, false]));
        assert_kept_pages_are_the_applications(&browser, &why);
        assert_lacks(web.gate.log(), "panicked");
    }
}
