//! Invalid input ends at most the session of its sender.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{server::TestServer, until};

/// Bodies that no valid client sends after joining.
const BODIES: [&[u8]; 36] = [
    b"",
    b"abc",
    b"0{}",
    b"2",
    b"2probe",
    b"3probe",
    b"7",
    b"\x1e",
    b"4\x1e",
    b"\xff\xfe",
    b"4\xc3\x28",
    b"4",
    b"4abc",
    b"49",
    b"4\xc3\xa9",
    b"40[]",
    b"40null",
    b"40{\"token\"",
    b"40",
    b"42",
    b"42{}",
    b"42[]",
    b"42[1]",
    b"42[null]",
    b"42[\"connect\"]",
    b"42[\"disconnect\"]",
    b"42/other,[\"message\",\"a\"]",
    b"42abc[\"message\"]",
    b"43",
    b"43/other,1[]",
    b"44{\"message\":\"x\"}",
    b"45[\"message\"]",
    b"45999999999999999999999-[\"message\"]",
    b"4511-[\"message\"]",
    b"bAQID",
    b"b!!",
];

#[actix_rt::test]
async fn invalid_packets_end_only_their_own_session() {
    let server = TestServer::start();
    let other = server.join("bob").await;
    for body in BODIES {
        let sid = server.join("ann").await;
        let shown = String::from_utf8_lossy(body);
        let answer = server.post(&sid, body).await.status();
        assert!(answer == 200 || answer == 400, "{shown}: {answer}");
        until(&format!("{shown} ends it"), async || server.engine.len() == 1).await;
    }
    assert_eq!(server.post(&other, r#"42["message","a"]"#).await.status(), 200);
    assert_eq!(server.packets(&other, 1).await, [r#"42["message","1: a"]"#]);
    server.stop().await;
}

#[actix_rt::test]
async fn unusual_but_harmless_packets_are_ignored() {
    let server = TestServer::start();
    let sid = server.join("ann").await;
    for body in ["3", "5", "6", "43999[]", "43-1[]", "41/other", "42[\"\",1]", "42[\"message\",{\"text\":1e400}]"] {
        let answer = server.post(&sid, body).await.status();
        assert_eq!(answer, 200, "{body}");
        if body.contains("-1") || body.contains("1e400") {
            // Neither JSON nor an acknowledgement: these end the session.
            until(body, async || server.engine.is_empty()).await;
            break;
        }
    }
    server.stop().await;
}

#[actix_rt::test]
async fn a_panic_of_a_handler_ends_only_its_own_session() {
    let server = TestServer::start();
    let (ann, bob) = (server.join("ann").await, server.join("bob").await);
    assert_eq!(server.post(&ann, r#"42["panic"]"#).await.status(), 200);
    until("its session ends", async || server.engine.len() == 1).await;
    assert_eq!(server.post(&bob, r#"42["message","a"]"#).await.status(), 200);
    assert_eq!(server.packets(&bob, 1).await, [r#"42["message","1: a"]"#]);
    server.stop().await;
}

/// A frame of a client, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    assert!(length < 126);
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

/// The code with which the server closes a WebSocket after these bytes.
async fn close_code(server: &TestServer, bytes: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).await.unwrap();
    let upgrade = "GET /api/socket/socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n\
        upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).await.unwrap();
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream.write_all(bytes).await.unwrap();
    loop {
        let (first, length) = (stream.read_u8().await.unwrap(), stream.read_u8().await.unwrap());
        let length = if length == 126 { stream.read_u16().await.unwrap() } else { length.into() };
        let mut payload = vec![0; length.into()];
        stream.read_exact(&mut payload).await.unwrap();
        if first == 0x88 {
            return u16::from_be_bytes([payload[0], payload[1]]);
        }
    }
}

#[actix_rt::test]
async fn what_breaks_the_websocket_protocol_is_closed_with_its_code() {
    let server = TestServer::start();
    let too_long = [&[0x81, 0xff][..], &(1_u64 << 40).to_be_bytes(), &[0; 4]].concat();
    for (bytes, code, what) in [
        (frame(0x83, b""), 1002, "an opcode that is reserved"),
        (vec![0x81, 0x01, b'2'], 1002, "a frame without a mask"),
        (frame(0x80, b"x"), 1002, "a continuation of nothing"),
        ([frame(0x01, b"4a"), frame(0x81, b"b")].concat(), 1002, "a text within a text"),
        ([&[0x89, 0xfe, 0, 200, 0, 0, 0, 0][..], &[0; 200]].concat(), 1002, "a long ping"),
        (frame(0x88, &999_u16.to_be_bytes()), 1002, "a close with a code that there is not"),
        (frame(0x81, b"4\xc3\x28"), 1007, "a text that is not UTF-8"),
        ([frame(0x01, b"4\xc3"), frame(0x80, b"\x28")].concat(), 1007, "such a text in two frames"),
        (too_long, 1009, "a frame that is too large"),
        (frame(0x88, &1000_u16.to_be_bytes()), 1000, "a close"),
    ] {
        let closed = timeout(Duration::from_secs(20), close_code(&server, &bytes)).await;
        assert_eq!(closed, Ok(code), "{what}");
    }
    server.stop().await;
}
