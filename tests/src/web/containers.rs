//! Samples for proxies in containers, as the proxy itself has them: neither Docker nor Nginx Proxy
//! Manager runs on the test host.

use crate::process::processes::wait_for_output;
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

/// What the samples have for the networks of Docker.
pub(super) const DOCKER_NETWORKS: &str = "172.16.0.0/12";

/// What Nginx Proxy Manager has for all proxy hosts: a client in a private network may say in
/// X-Real-IP what its address is.
const NGINX_PROXY_MANAGER: &str = "
client_max_body_size 2000m;
set_real_ip_from 127.0.0.0/8;
real_ip_header X-Real-IP;
real_ip_recursive on;
";

/// Returns the sample in servers as Nginx Proxy Manager makes them, with "Force SSL", "HTTP/2
/// Support" and "Websockets Support".
pub(super) fn nginx_proxy_manager(sample: &str) -> String {
    let sample = sample.replace("/data/nginx/custom/", "/etc/nginx/");
    let parts: Vec<_> = sample.split("# ---- ").skip(1).collect();
    let servers: Vec<_> = match parts[..] {
        [pages, application] => vec![("auth", 9091, pages), ("app", 8080, application)],
        _ => vec![("app", 8080, sample.as_str())],
    };
    let servers = servers.into_iter().map(|(name, port, advanced)| {
        let advanced = match advanced.split_once('\n') {
            Some((_, lines)) if parts.len() > 1 => lines,
            _ => advanced,
        };
        format!(
            "server {{
    set $forward_scheme http;
    set $server \"127.0.0.1\";
    set $port {port};
    listen 80;
    listen [::]:80;
    listen 443 ssl http2;
    listen [::]:443 ssl http2;
    server_name {name}.example.test;
    ssl_certificate /etc/ssl/private/{name}.example.test.crt;
    ssl_certificate_key /etc/ssl/private/{name}.example.test.key;
    set $test \"\";
    if ($scheme = \"http\") {{
        set $test \"H\";
    }}
    if ($test = H) {{
        return 301 https://$host$request_uri;
    }}
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $http_connection;
    proxy_http_version 1.1;
{advanced}
}}
"
        )
    });
    NGINX_PROXY_MANAGER.to_owned() + &servers.collect::<String>()
}

/// Returns Traefik's arguments, and a file with what the labels say.
pub(super) fn traefik_labels(sample: &str) -> (Vec<String>, String) {
    const CONVERT: &str = "
import json, sys, yaml
services = yaml.safe_load(sys.stdin)['services']
tree = {}
for name, value in (label for service in services.values() for label in service['labels'].items()):
    parts = name.split('.')[1:]
    if parts == ['enable']:
        continue
    node = tree
    for part in parts[:-1]:
        node = node.setdefault(part, {})
    is_list = parts[-1] in ('entrypoints', 'middlewares', 'authrequestheaders', 'authresponseheaders')
    node[parts[-1]] = value.split(',') if is_list else value
for service in tree['http']['services'].values():
    server = service['loadbalancer'].pop('server')
    # Docker gives the address of a container.
    service['loadbalancer']['servers'] = [{'url': server.get('url', 'http://127.0.0.1:8080')}]
print(json.dumps([services['traefik']['command'], yaml.safe_dump(tree)]))";
    let mut python = Command::new("python3");
    python.args(["-c", CONVERT]);
    let mut child = python
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(sample.as_bytes()).expect("it reads");
    drop(input);
    let output = wait_for_output(child);
    assert!(output.status.success(), "the labels are YAML: {output:?}");
    let converted: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let arguments = converted[0].as_array().expect("a list").iter();
    let arguments = arguments.map(|argument| argument.as_str().expect("a text"));
    let arguments = arguments.filter(|argument| !argument.contains("providers.docker"));
    let arguments = arguments.map(|argument| {
        let argument = argument.replace("address=:443", "address=:8443");
        argument.replace("address=:80", "address=:8480")
    });
    let dynamic = converted[1].as_str().expect("a text").to_owned();
    (arguments.collect(), dynamic)
}
