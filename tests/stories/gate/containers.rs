//! Samples for proxies in containers and clusters. Neither Docker nor Kubernetes runs here: nginx and
//! Traefik have what their containers would make of the samples.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use testhost::{
    APP, Host, PROOF, PagesAt, Postern, Proxy, Web, WebClient, assert_contains, assert_lacks,
    checkout, finished, handbook_shell,
};

const WAYS: [(Proxy, PagesAt); 4] = [
    (Proxy::NginxProxyManager, PagesAt::OwnHost),
    (Proxy::NginxProxyManager, PagesAt::Path),
    (Proxy::TraefikLabels, PagesAt::OwnHost),
    (Proxy::TraefikLabels, PagesAt::Path),
];

/// Names that a client must not send, and what an application could take for them.
const FORGED: [&str; 7] = [
    "Remote_User: root",
    "Remote.User: root",
    "X-Original-URL: https://app.example.test/open",
    "X-Forwarded-Uri: /open",
    "X-Forwarded-For: 192.0.2.66",
    "X-Real-IP: 192.0.2.66",
    "X-Postern-Proxy: guess",
];

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_proxy_in_a_container_protects_as_one_on_the_host() {
    let rules = "[[gate.rule]]\npaths = [\"/open\"]\nthen = \"open\"\n\
                 [[gate.rule]]\nnetworks = [\"192.0.2.0/24\"]\nthen = \"open\"\n";
    for (proxy, pages_at) in WAYS {
        let host = Host::fresh();
        let mut web = Web::start(&host, proxy, pages_at, rules);
        let (alice, phone) = host.web_user("alice");
        let stranger = WebClient::new();
        for forged in FORGED {
            let reply = stranger.with(forged).loads(&format!("{APP}/notes?a=1"));
            assert_eq!(
                reply.status, 302,
                "{proxy:?} {pages_at:?} {forged} {reply:?}"
            );
            assert_contains(reply.header("location"), "%2Fnotes%3Fa%3D1");
            let reply = stranger.with(forged).fetches(&format!("{APP}/notes"));
            assert_eq!(
                reply.status, 401,
                "{proxy:?} {pages_at:?} {forged} {reply:?}"
            );
        }
        web.application.got_nothing();
        assert_eq!(stranger.loads(&format!("{APP}/open")).status, 200);
        assert_eq!(web.application.got().value("Remote-User"), "");

        let client = WebClient::new();
        client.signs_in(&web, &alice, &phone.code());
        for forged in FORGED {
            let reply = client.with(forged).with("Cookie: theme=dark");
            let reply = reply.loads(&format!("{APP}/notes"));
            assert_eq!(
                reply.status, 200,
                "{proxy:?} {pages_at:?} {forged} {reply:?}"
            );
            let got = web.application.got();
            assert_eq!(
                got.value("Remote-User"),
                "alice",
                "{proxy:?} {forged} {got:?}"
            );
            let text = format!("{got:?}");
            for ours in ["Secure-postern", "Host-postern", PROOF, "guess"] {
                assert_lacks(&text, ours);
            }
        }
        for named in ["Remote-User", "Cookie", "X-Postern-Proxy"] {
            let reply = client.with(&format!("Connection: {named}"));
            let reply = reply.option("--http1.1").loads(&format!("{APP}/notes"));
            assert!([200, 302, 400].contains(&reply.status), "{named} {reply:?}");
            for got in web.application.arrived() {
                assert_eq!(got.value("Remote-User"), "alice", "{named} {got:?}");
            }
        }
        if pages_at == PagesAt::OwnHost {
            assert_eq!(client.loads(&web.page("check/nginx")).status, 404);
            assert_eq!(client.loads(&web.page("check/traefik")).status, 404);
        }
        web.gate.stop();
        assert!(client.loads(&format!("{APP}/notes")).status >= 500);
        web.application.got_nothing();
        web.gate.restart();
        assert_eq!(client.loads(&format!("{APP}/notes")).status, 200);
        assert_lacks(web.gate.log(), "panicked");
    }
}

/// Returns a value of the sample for ingress-nginx, by an expression of Python for the manifest.
#[track_caller]
fn annotation(manifest: &str, name: &str) -> String {
    const READ: &str = "import sys, yaml; print(yaml.safe_load(sys.argv[1])['metadata']['annotations'][sys.argv[2]])";
    let name = format!("nginx.ingress.kubernetes.io/{name}");
    let mut python = Command::new("python3");
    finished(python.args(["-c", READ, manifest, &name]))
        .trim()
        .to_owned()
}

/// The server that ingress-nginx makes of the annotations. Debian's nginx has no set_escape_uri.
#[track_caller]
fn ingress_server(manifest: &str) -> String {
    let headers = annotation(manifest, "auth-response-headers");
    let headers = headers.split(',').enumerate().map(|(number, name)| {
        let variable = name.to_lowercase().replace('-', "_");
        format!(
            "        auth_request_set $authHeader{number} $upstream_http_{variable};\n        \
             proxy_set_header '{name}' $authHeader{number};\n"
        )
    });
    let sign_in = annotation(manifest, "auth-signin");
    let sign_in = sign_in.replace("$escaped_request_uri", "$request_uri");
    assert_eq!(
        annotation(manifest, "auth-proxy-set-headers"),
        "default/postern-proof"
    );
    format!(
        "server {{
    listen 443 ssl http2;
    server_name app.example.test;
    ssl_certificate /etc/ssl/private/app.example.test.crt;
    ssl_certificate_key /etc/ssl/private/app.example.test.key;
    location = /_external-auth-Lw-Prefix {{
        internal;
        proxy_pass_request_body off;
        proxy_set_header Content-Length \"\";
        proxy_set_header X-Forwarded-Proto \"\";
        proxy_set_header X-Request-ID $request_id;
        proxy_set_header Host 127.0.0.1;
        proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
        proxy_set_header X-Original-Method $request_method;
        proxy_set_header X-Sent-From \"nginx-ingress-controller\";
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Auth-Request-Redirect $request_uri;
        proxy_buffering {buffering};
        proxy_buffer_size {buffer};
        proxy_buffers 4 {buffer};
        proxy_pass_request_headers on;
        client_max_body_size {body};
        proxy_set_header 'X-Postern-Proxy' \"{PROOF}\";
        set $target {url};
        proxy_pass $target;
    }}
    location @sign_in {{
        internal;
        return 302 {sign_in};
    }}
    location / {{
        auth_request /_external-auth-Lw-Prefix;
{headers}        error_page 401 = @sign_in;
        client_max_body_size {body};
        proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $postern_connection;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_http_version 1.1;
        proxy_pass http://127.0.0.1:8080;
    }}
}}
",
        buffering = annotation(manifest, "proxy-buffering"),
        buffer = annotation(manifest, "proxy-buffer-size"),
        body = annotation(manifest, "proxy-body-size"),
        url = annotation(manifest, "auth-url"),
        headers = headers.collect::<String>(),
    )
}

/// The commands of its page, to the letter: the snippet, and the files in the folder that the container
/// mounts, with the mode of the secret.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_files_of_nginx_proxy_manager_are_where_its_page_puts_them() {
    let _host = Host::fresh();
    let folder = Path::new("/run/postern-tests/npm");
    let _ = fs::remove_dir_all(folder);
    let custom = folder.join("DATA/nginx/custom");
    fs::create_dir_all(&custom).expect("/run can be written");
    let page = "docs/proxies/nginx-proxy-manager.md";
    finished(&mut handbook_shell(
        page,
        "sudo postern print-config",
        folder,
    ));
    let printed = fs::read_to_string(folder.join("advanced.txt")).expect("it was printed");
    assert_contains(&printed, "auth_request");
    let secret = fs::read_to_string("/etc/postern/proxy.secret").expect("it was made");
    assert_lacks(&printed, secret.trim());
    let proof = custom.join("postern-proof.conf");
    assert_contains(
        fs::read_to_string(&proof).expect("it was copied"),
        secret.trim(),
    );
    let mode = fs::metadata(&proof).expect("it was copied").mode();
    assert_eq!(mode & 0o7777, 0o640);
    assert!(custom.join("postern-headers.conf").exists());
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_annotations_of_ingress_nginx_ask_as_nginx_does() {
    let host = Host::fresh();
    let settings = "[gate]\nurl = \"https://auth.example.test:8443/\"\ncookie_domain = \"example.test\"\n\
                    listen = [\"unix:/run/postern/gate.sock\", \"tcp:127.0.0.1:9091\"]\n\
                    [[gate.trusted_proxies]]\nproxy = \"nginx\"\nfrom = [\"unix\", \"127.0.0.1\"]\n\
                    secret_file = \"/etc/postern/proxy.secret\"\n";
    let pages = format!("{}/", testhost::AUTH);
    let mut web = Web::start_with(&host, Proxy::Nginx, settings, pages, || {
        let words = "print-config ingress-nginx --app app.example.test --address 127.0.0.1:9091";
        let manifest = Postern::call(words).does().out;
        let written = std::fs::read_to_string("/etc/postern/postern-proof.yaml");
        assert_contains(written.expect("it was written"), PROOF);
        assert_lacks(&manifest, PROOF);
        // The pages do not come through the cluster: here, nginx serves them with its own sample.
        let sample = Postern::call("print-config nginx --app app.example.test")
            .does()
            .out;
        let pages = sample.split("# An application. For another one").next();
        pages.expect("a part").to_owned() + &ingress_server(&manifest)
    });
    let (alice, phone) = host.web_user("alice");
    let sent = WebClient::new().loads(&format!("{APP}/notes"));
    assert_eq!(sent.status, 302, "{sent:?}");
    assert_eq!(
        sent.header("location").replace(":8443", ""),
        "https://auth.example.test/sign-in?rd=https://app.example.test/notes"
    );
    web.application.got_nothing();
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    for forged in [
        "X-A: a",
        "Remote-User: root",
        "X-Original-URL: https://x/",
        "X-Postern-Proxy: guess",
    ] {
        let reply = client.with(forged).with("Cookie: theme=dark");
        let reply = reply.loads(&format!("{APP}/notes"));
        assert_eq!(reply.status, 200, "{forged} {reply:?}");
        let got = web.application.got();
        assert_eq!(got.value("Remote-User"), "alice", "{forged} {got:?}");
        let text = format!("{got:?}");
        assert_lacks(&text, "Secure-postern");
        assert_lacks(&text, PROOF);
    }
    web.gate.stop();
    assert_eq!(client.loads(&format!("{APP}/notes")).status, 500);
    web.application.got_nothing();
}

/// The manifests for a cluster cannot run here. They name the headers that the sample for Envoy
/// names, which runs.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_manifests_of_the_gateway_api_name_the_headers_of_envoys_sample() {
    const COMPARE: &str = "
import sys, yaml
envoy, *manifests = [list(yaml.safe_load_all(open(path))) for path in sys.argv[1:]]
def find(tree, key):
    if isinstance(tree, dict):
        if key in tree:
            yield tree[key]
        tree = tree.values()
    if not isinstance(tree, str) and hasattr(tree, '__iter__'):
        for part in tree:
            yield from find(part, key)
exact = lambda patterns: sorted(pattern['exact'] for pattern in patterns['patterns'])
asked = exact(next(find(envoy, 'allowed_headers')))
# A certificate proves the gateway.
asked.remove('x-postern-proxy')
given = exact(next(find(envoy, 'allowed_upstream_headers')))
prefix = next(find(envoy, 'path_prefix'))
for manifest in manifests:
    [check] = find(manifest, 'extAuth')
    assert check['failOpen'] is False
    assert sorted(check['headersToExtAuth']) == asked, check
    assert sorted(check['http']['headersToBackend']) == given, check
    assert check['http']['path'] == prefix, check
    removed = next(find(manifest, 'earlyRequestHeaders'))['remove']
    assert {'Remote-User', 'Remote-Groups', 'Remote-Email', 'Remote-Name', 'X-Forwarded-For'} <= set(removed)
    # The Gateway API allows no longer list.
    assert all(len(names) <= 16 for names in find(manifest, 'remove'))
    names = {(part['kind'], part['metadata']['name']) for part in manifest}
    for target in find(manifest, 'targetRefs'):
        assert all((one['kind'], one['name']) in names for one in target), target
print('compared', len(manifests))";
    let host = Host::fresh();
    host.configure(
        "[gate]\nurl = \"https://auth.example.com/\"\ncookie_domain = \"example.com\"\n",
    );
    let refused = Postern::call("print-config gateway-api").refuses();
    assert_contains(&refused.err, "--address");
    let refused = Postern::call(
        "print-config ingress-nginx --address 192.0.2.10:9091 --url https://app.example.com/_postern/",
    )
    .refuses();
    assert_contains(&refused.err, "host of their own");
    let mut paths = Vec::new();
    for url in [
        "https://auth.example.com/",
        "https://app.example.com/_postern/",
    ] {
        let words = format!("print-config gateway-api --address 192.0.2.10:9443 --url {url}");
        let printed = Postern::call(&words).does();
        assert_lacks(printed.all(), "wrote");
        let path = format!("/run/postern-tests/gateway-{}.yaml", paths.len());
        std::fs::write(&path, printed.out).expect("the tests' folder can be written");
        paths.push(path);
    }
    let envoy = std::fs::read_to_string(checkout("config/envoy/own-host.yaml")).expect("a sample");
    let sample = "/run/postern-tests/envoy-sample.yaml";
    std::fs::write(
        sample,
        envoy.replace('@', "_").replace("\"_type\"", "\"@type\""),
    )
    .expect("the tests' folder can be written");
    let mut python = Command::new("python3");
    let output = finished(python.args(["-c", COMPARE, sample]).args(&paths));
    assert_contains(output, "compared 2");
}
