//! A peer of posternd that follows orders: `pam_peer SOCKET`. It reads one order in JSON from each
//! line of standard input, and prints the result as one line of JSON. Each order opens a connection
//! of its own.
//!
//! - `{"command": TEXT}`: the request of a command
//! - `{"user_host": CLAIMS}`, `{"host": CLAIMS}`: a PAM host that claims these `service`, `user`,
//!   `remote_host`, `terminal`, `ssh_connection`, `ssh_auth_info`, `options`, `real_uid` and
//!   `hook`, and answers prompts with `typed`
//! - `{"bytes": TEXT}`: these bytes alone
//! - `{"hold": NUMBER}`: so many connections, open until this process ends

use postern_shared::protocol::{
    CommandReply, Greeting, GreetingState, Instruction, Opening, PamFunction, PamFunctionResult,
    PamTransaction, RelayReply, VERSIONS, receive, send,
};
use serde_json::{Value, json};
use std::io::{BufRead, Read, Write, stdin, stdout};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use zeroize::Zeroizing;

fn main() {
    let socket = std::env::args().nth(1).expect("usage: pam_peer SOCKET");
    let mut held = Vec::new();
    for line in stdin().lock().lines().map_while(Result::ok) {
        let order: Value = serde_json::from_str(&line).expect("an order in JSON");
        let came = match order["hold"].as_u64() {
            Some(count) => {
                let before = held.len();
                held.extend((0..count).filter_map(|_| UnixStream::connect(&socket).ok()));
                json!({ "held": held.len() - before })
            }
            None => follow(&socket, &order),
        };
        println!("{came}");
        stdout().flush().expect("standard output");
    }
}

fn follow(socket: &str, order: &Value) -> Value {
    let mut stream = match UnixStream::connect(socket) {
        Ok(stream) => stream,
        Err(error) => return json!({ "error": error.to_string() }),
    };
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a time limit");
    let greeting: Greeting = match receive(&mut stream) {
        Ok(greeting) => greeting,
        Err(error) => return json!({ "error": error.to_string() }),
    };
    if greeting.state != GreetingState::Ready {
        return json!({ "state": format!("{:?}", greeting.state) });
    }
    if let Some(bytes) = order["bytes"].as_str() {
        let _ = stream.write_all(bytes.as_bytes());
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        return json!({ "closed_after": rest.len() });
    }
    let version = VERSIONS[0];
    if let Some(request) = order["command"].as_str() {
        let request = Zeroizing::new(request.as_bytes().to_vec());
        let _ = send(&mut stream, &Opening::Command { version, request });
        return match receive::<CommandReply>(&mut stream) {
            Ok(CommandReply(reply)) => json!({ "reply": String::from_utf8_lossy(&reply) }),
            Err(error) => json!({ "error": error.to_string() }),
        };
    }
    let opening = if order["host"].is_object() {
        Opening::Host {
            version,
            transaction: Box::new(transaction(&order["host"])),
            id: None,
        }
    } else {
        Opening::UserHost {
            version,
            transaction: Box::new(transaction(&order["user_host"])),
        }
    };
    let _ = send(&mut stream, &opening);
    converse(&mut stream, order["typed"].as_str().unwrap_or_default())
}

fn converse(stream: &mut UnixStream, typed: &str) -> Value {
    let (mut prompts, mut texts, mut lines, mut mark) = (Vec::new(), Vec::new(), Vec::new(), None);
    let result = loop {
        match receive(stream) {
            Ok(Instruction::Ask { prompt, .. }) => {
                prompts.push(prompt.to_string());
                let _ = send(
                    stream,
                    &RelayReply::Typed(Zeroizing::new(typed.as_bytes().to_vec())),
                );
            }
            Ok(Instruction::Tell(text)) => texts.push(text),
            Ok(Instruction::Log { line, .. }) => lines.push(line),
            Ok(Instruction::GetStacked) => drop(send(stream, &RelayReply::Stacked(None))),
            Ok(Instruction::KeepMark(bytes)) => mark = Some(bytes.len()),
            Ok(Instruction::End(result)) => {
                break match result {
                    PamFunctionResult::Passed => "passed".to_owned(),
                    PamFunctionResult::NotNeeded => "not needed".to_owned(),
                    PamFunctionResult::Denied(denial) => format!("{denial:?}"),
                };
            }
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
    };
    json!({ "result": result, "prompts": prompts, "texts": texts, "lines": lines, "mark": mark })
}

fn transaction(claims: &Value) -> PamTransaction {
    let item = |name: &str| claims[name].as_str().map(|text| text.as_bytes().to_vec());
    let options = claims["options"].as_array().into_iter().flatten();
    PamTransaction {
        hook: match claims["hook"].as_str() {
            Some("account") => PamFunction::Account,
            Some("password") => PamFunction::Password,
            _ => PamFunction::Auth,
        },
        options: options
            .filter_map(|option| option.as_str().map(str::to_owned))
            .collect(),
        service: item("service"),
        user: item("user"),
        remote_host: item("remote_host"),
        terminal: item("terminal"),
        ssh_connection: item("ssh_connection"),
        ssh_auth_info: item("ssh_auth_info"),
        real_uid: claims["real_uid"]
            .as_u64()
            .and_then(|uid| u32::try_from(uid).ok())
            .unwrap_or(0),
        mark: item("mark").map(Zeroizing::new),
    }
}
