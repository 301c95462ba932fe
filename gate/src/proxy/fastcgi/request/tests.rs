use super::*;
use crate::proxy::fastcgi::record::STDOUT;

const RESPONDER: u16 = 1;
const KEEP_CONNECTION: u8 = 1;

fn record(kind: u8, id: u16, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_records(&mut out, kind, id, content);
    out
}

/// Adds padding to a record.
fn padded(mut record: Vec<u8>, padding: u8) -> Vec<u8> {
    record[6] = padding;
    record.resize(record.len() + usize::from(padding), b'p');
    record
}

fn begin(id: u16, role: u16) -> Vec<u8> {
    let [role1, role0] = role.to_be_bytes();
    let body = [role1, role0, KEEP_CONNECTION, 0, 0, 0, 0, 0];
    record(BEGIN_REQUEST, id, &body)
}

fn params(id: u16, content: &[u8]) -> Vec<u8> {
    [record(PARAMS, id, content), record(PARAMS, id, b"")].concat()
}

fn whole(id: u16, content: &[u8]) -> Vec<u8> {
    [begin(id, AUTHORIZER), params(id, content)].concat()
}

fn complete(id: u16, params: &[u8]) -> Result<Progress, ProtocolError> {
    let params = Some(params.to_vec());
    Ok(Progress::Complete(Request { id, params }))
}

/// Receives bytes, and returns what is sent, too.
fn receive(bytes: &[u8]) -> (Result<Progress, ProtocolError>, Vec<u8>) {
    let mut reader = RequestReader::default();
    let progress = reader.receive(bytes);
    (progress, reader.take_output())
}

#[test]
fn a_request_is_complete_with_the_empty_record_of_its_parameters() {
    for id in [1, 2, 255, 256, u16::MAX] {
        let bytes = whole(id, b"\x01\x01ab");
        assert_eq!(receive(&bytes), (complete(id, b"\x01\x01ab"), Vec::new()));
        let most = &bytes[..bytes.len() - 1];
        assert_eq!(receive(most).0, Ok(Progress::Incomplete));
    }
}

#[test]
fn records_may_arrive_in_any_parts() {
    let bytes = [
        padded(begin(7, AUTHORIZER), 255),
        padded(record(PARAMS, 7, b"\x01"), 1),
        record(PARAMS, 7, b"\x01a"),
        padded(record(PARAMS, 7, b"b"), 7),
        padded(record(PARAMS, 7, b""), 3),
    ]
    .concat();
    for size in 1..=bytes.len() {
        let mut reader = RequestReader::default();
        let parts: Vec<_> = bytes
            .chunks(size)
            .map(|part| reader.receive(part))
            .collect();
        let (last, before) = parts.split_last().unwrap();
        assert_eq!(*last, complete(7, b"\x01\x01ab"), "{size}");
        assert!(before.iter().all(|part| *part == Ok(Progress::Incomplete)));
    }
}

#[test]
fn another_role_is_refused() {
    for role in [0, RESPONDER, 3, 0x0102, u16::MAX] {
        let mut bytes = begin(1, role);
        bytes.extend(params(1, b""));
        let end = record(END_REQUEST, 1, &[0, 0, 0, 0, UNKNOWN_ROLE, 0, 0, 0]);
        assert_eq!(receive(&bytes), (Ok(Progress::Close), end), "{role}");
    }
}

#[test]
fn an_aborted_request_ends_without_a_check() {
    let begun = [begin(9, AUTHORIZER), record(PARAMS, 9, b"\x01\x01ab")].concat();
    let of_another = [begun.clone(), record(ABORT_REQUEST, 8, b"")].concat();
    assert_eq!(receive(&of_another).0, Ok(Progress::Incomplete));
    let aborted = [begun, record(ABORT_REQUEST, 9, b""), params(9, b"")].concat();
    let end = record(END_REQUEST, 9, &[0; 8]);
    assert_eq!(receive(&aborted), (Ok(Progress::Close), end));
}

/// A second request must not change the parameters of the first.
#[test]
fn a_second_request_on_the_connection_is_refused() {
    let bytes = [
        begin(1, AUTHORIZER),
        begin(2, AUTHORIZER),
        params(2, b"\x01\x01xy"),
        params(1, b"\x01\x01ab"),
        whole(3, b""),
    ]
    .concat();
    let end = record(END_REQUEST, 2, &[0, 0, 0, 0, CANNOT_MULTIPLEX, 0, 0, 0]);
    assert_eq!(receive(&bytes), (complete(1, b"\x01\x01ab"), end));
    let twice = [begin(1, AUTHORIZER), begin(1, AUTHORIZER)].concat();
    assert_eq!(receive(&twice).0, Err(ProtocolError));
    let many: Vec<u8> = (2..1000).flat_map(|id| begin(id, AUTHORIZER)).collect();
    let many = [begin(1, AUTHORIZER), many].concat();
    let (progress, output) = receive(&many);
    assert_eq!(progress, Err(ProtocolError));
    assert_eq!(output.len(), MAX_ANSWERED * 16);
}

#[test]
fn other_records_do_not_matter() {
    let bytes = [
        params(1, b"\x01\x01no"),
        record(ABORT_REQUEST, 1, b""),
        begin(1, AUTHORIZER),
        record(5, 1, &[b'a'; 5000]),
        record(8, 1, b""),
        record(STDOUT, 1, b"Status: 200"),
        record(200, 1, b"?"),
        params(1, b"\x01\x01ab"),
    ]
    .concat();
    assert_eq!(receive(&bytes), (complete(1, b"\x01\x01ab"), Vec::new()));
}

#[test]
fn records_of_management_are_answered() {
    let mut values = Vec::new();
    for name in ["FCGI_MAX_CONNS", "FCGI_MPXS_CONNS", "FCGI_MPXS_CONNS", "x"] {
        write_pair(&mut values, name.as_bytes(), b"");
    }
    let bytes = [record(GET_VALUES, MANAGEMENT, &values), whole(1, b"")].concat();
    let answer = record(GET_VALUES_RESULT, MANAGEMENT, b"\x0f\x01FCGI_MPXS_CONNS0");
    assert_eq!(receive(&bytes), (complete(1, b""), answer));
    for kind in [BEGIN_REQUEST, PARAMS, 77] {
        let bytes = record(kind, MANAGEMENT, &[0; 8]);
        let answer = record(UNKNOWN_TYPE, MANAGEMENT, &[kind, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(receive(&bytes), (Ok(Progress::Incomplete), answer));
    }
    for content in [&b"\x7f"[..], &[0; MAX_SMALL + 1]] {
        let bytes = record(GET_VALUES, MANAGEMENT, content);
        assert_eq!(receive(&bytes).0, Err(ProtocolError));
    }
    let flood = record(77, MANAGEMENT, b"").repeat(1000);
    let (progress, output) = receive(&flood);
    assert_eq!(progress, Err(ProtocolError));
    assert_eq!(output.len(), MAX_ANSWERED * 16);
}

#[test]
fn parameters_over_the_limit_are_dropped_and_read_to_their_end() {
    for (length, is_kept) in [
        (MAX_PARAMS, true),
        (MAX_PARAMS + 1, false),
        (900_000, false),
    ] {
        let content = vec![0; length];
        let Ok(Progress::Complete(request)) = receive(&whole(1, &content)).0 else {
            panic!("{length}");
        };
        assert_eq!(request.params, is_kept.then_some(content), "{length}");
    }
    let endless = [
        begin(1, AUTHORIZER),
        record(PARAMS, 1, &vec![0; MAX_RECEIVED]),
    ]
    .concat();
    assert_eq!(receive(&endless).0, Err(ProtocolError));
}

#[test]
fn what_is_no_fastcgi_is_refused() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        &record(BEGIN_REQUEST, 1, &[0, 2, 0]),
        &record(BEGIN_REQUEST, 1, &[0, 2, 0, 0, 0, 0, 0, 0, 0]),
        &record(BEGIN_REQUEST, 1, b""),
    ] {
        assert_eq!(receive(bytes).0, Err(ProtocolError), "{bytes:?}");
    }
}
