//! Bytes on a socket that are not a request, or more than one.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{judge, shop::Shop, targets::run, wire};

/// By then the shop has answered or closed the connection, however slow the client is; its deadline for a request's
/// head is 10 seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Byte sequences with their descriptions.
fn oddities() -> Vec<(&'static str, Vec<u8>)> {
    let text = |what, text: &str| (what, text.as_bytes().to_vec());
    let end = "host: x\r\n\r\n";
    let request = |line: &str| format!("{line}\r\n{end}").into_bytes();
    let mut odd = vec![
        text("nothing", ""),
        text("blank lines", "\r\n\r\n\r\n"),
        text("line feeds", "\n\n\n\n"),
        text("a word", "hello\r\n\r\n"),
        text("half a line", "GET /heal"),
        text("half a head", "GET /healthz HTTP/1.1\r\nhost: x\r\n"),
        text("HTTP/0.9", "GET /healthz\r\n"),
        text("HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n"),
        text("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
        text("TLS hello", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}"),
        text("no host", "GET /healthz HTTP/1.1\r\n\r\n"),
        text("two hosts", "GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"),
        text("odd host", "GET /healthz HTTP/1.1\r\nhost: a:b:c@[::\r\n\r\n"),
        text("line feeds only", "GET /healthz HTTP/1.1\nhost: x\n\n"),
        text("folded header", "GET /healthz HTTP/1.1\r\nhost: x\r\n folded\r\n\r\n"),
        text("space before colon", "GET /healthz HTTP/1.1\r\nhost : x\r\n\r\n"),
        text("no colon", "GET /healthz HTTP/1.1\r\nhost\r\n\r\n"),
        text("empty name", "GET /healthz HTTP/1.1\r\n: x\r\n\r\n"),
        text("NUL in a header", "GET /healthz HTTP/1.1\r\nhost: x\r\na: \0\r\n\r\n"),
        text("bare CR", "GET /healthz HTTP/1.1\r\nhost: x\r\na: b\rc: d\r\n\r\n"),
        text("bad chunk", "POST /api/cart/items HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n"),
        text(
            "huge chunk",
            "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
        ),
        text(
            "overflowing chunk",
            "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nx",
        ),
        text(
            "length overflow",
            "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999999999999999\r\n\r\n{}",
        ),
        text(
            "huge length",
            "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 18446744073709551615\r\n\r\n{}",
        ),
        text(
            "expect",
            "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n{}",
        ),
        text(
            "early no to expect",
            "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: 9000000\r\nexpect: 100-continue\r\n\r\n",
        ),
        text(
            "upgrade",
            "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: x\r\n\r\n",
        ),
        text(
            "websocket",
            "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n",
        ),
        ("lower case", request("get /healthz http/1.1")),
        ("unknown method", request("BREW /healthz HTTP/1.1")),
        ("long method", request(&format!("{} /healthz HTTP/1.1", "M".repeat(10_000)))),
        ("no method", request(" /healthz HTTP/1.1")),
        ("no target", request("GET  HTTP/1.1")),
        ("spaces", request("GET   /healthz   HTTP/1.1")),
        ("tab", request("GET\t/healthz\tHTTP/1.1")),
        ("version 1.7", request("GET /healthz HTTP/1.7")),
        ("version 9", request("GET /healthz HTTP/9.9")),
        ("version x", request("GET /healthz HTTPS/1.1")),
        ("absolute form", request("GET http://evil.example/healthz HTTP/1.1")),
        ("absolute form of no host", request("GET http:///healthz HTTP/1.1")),
        ("file", request("GET file:///etc/passwd HTTP/1.1")),
        ("asterisk form", request("OPTIONS * HTTP/1.1")),
        ("asterisk and GET", request("GET * HTTP/1.1")),
        ("authority form", request("CONNECT evil.example:443 HTTP/1.1")),
        ("authority and GET", request("GET evil.example:443 HTTP/1.1")),
        ("fragment", request("GET /healthz#x HTTP/1.1")),
        ("dots", request("GET /../../../../etc/passwd HTTP/1.1")),
        ("backslashes", request("GET \\..\\windows HTTP/1.1")),
        ("long target", request(&format!("GET /{} HTTP/1.1", "a".repeat(100_000)))),
        ("long line without end", b"GET /".repeat(40_000)),
        ("many headers", format!("GET /healthz HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(5_000)).into_bytes()),
        (
            "large header",
            format!("GET /healthz HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "b".repeat(100_000)).into_bytes(),
        ),
        (
            "huge header",
            format!("GET /healthz HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "b".repeat(1_000_000)).into_bytes(),
        ),
        ("every byte", (0..=255).collect()),
        ("zeros", vec![0; 100_000]),
    ];
    for length in ["-1", "+2", "0x2", "2, 2", "2 2", "", "two", "2;"] {
        let head = format!("POST /api/auth/logout HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{{}}");
        odd.push(("odd length", head.into_bytes()));
    }
    for coding in
        ["xchunked", "chunked, identity", "identity, chunked", "\u{b}chunked", "chunked\r\ntransfer-encoding: x"]
    {
        let head = format!("POST /api/auth/logout HTTP/1.1\r\nhost: x\r\ntransfer-encoding: {coding}\r\n\r\n0\r\n\r\n");
        odd.push(("odd coding", head.into_bytes()));
    }
    odd
}

/// All that comes back until the other side closes, or has answered and waits.
async fn converse(shop: &Shop, bytes: &[u8], half_close: bool) -> Result<Vec<u8>, String> {
    let mut stream = TcpStream::connect(shop.address).await.map_err(|error| error.to_string())?;
    let (mut reader, mut writer) = stream.split();
    let mut received = vec![];
    // It may close before it has read everything.
    let _ = timeout(PATIENCE, writer.write_all(bytes)).await.map_err(|_| "it takes no bytes")?;
    if half_close {
        let _ = writer.shutdown().await;
    }
    let until = Instant::now() + PATIENCE;
    loop {
        let left = if answered(&received) {
            Duration::from_millis(200)
        } else {
            until.saturating_duration_since(Instant::now())
        };
        match timeout(left, reader.read_buf(&mut received)).await {
            Ok(Ok(0) | Err(_)) => return Ok(received),
            Ok(Ok(_)) => {}
            Err(_) if answered(&received) => return Ok(received),
            Err(_) => return Err(format!("neither answered nor closed: {}", String::from_utf8_lossy(&received))),
        }
    }
}

/// Whether a final status was received.
fn answered(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.contains("\r\n\r\n") && text.split("HTTP/1.").skip(1).any(|rest| !rest[1..].starts_with(" 1"))
}

/// The fault of a conversation, if it has one.
fn fault(bytes: &Result<Vec<u8>, String>) -> Option<String> {
    let bytes = match bytes {
        Ok(bytes) => String::from_utf8_lossy(bytes),
        Err(fault) => return Some(fault.clone()),
    };
    let statuses = ["HTTP/1.0 ", "HTTP/1.1 "];
    let is_answer = bytes.is_empty() || statuses.iter().any(|status| bytes.starts_with(status));
    let is_fault = statuses.iter().any(|status| bytes.contains(&format!("{status}5")));
    let is_bare = bytes.contains("/json") && !bytes.contains("nosniff");
    (!is_answer || is_fault || is_bare).then(|| bytes.into_owned())
}

#[test]
fn no_bytes_cause_an_error() {
    run(async {
        let shop = Shop::open().await;
        let oddities = oddities();
        let talks = oddities.iter().flat_map(|(what, bytes)| [(what, bytes, false), (what, bytes, true)]);
        // The server waits for a missing body, unless the client closed its half of the connection.
        let talks = talks.filter(|(what, _, half)| *half || **what != "huge chunk");
        let talks = talks.map(async |(what, bytes, half)| {
            let fault = fault(&converse(&shop, bytes, half).await)?;
            Some(format!("{what}, half closed {half}: {fault}"))
        });
        let faults: Vec<String> = futures_util::future::join_all(talks).await.into_iter().flatten().collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        shop.is_well().await;
        shop.close().await;
    });
}

#[test]
fn a_request_within_a_request_is_not_answered() {
    run(async {
        let shop = Shop::open().await;
        let inner = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
        for framing in [
            format!("content-length: {}\r\ntransfer-encoding: chunked", inner.len() + 5),
            format!("transfer-encoding: chunked\r\ncontent-length: {}", inner.len() + 5),
            format!("transfer-encoding: xchunked\r\ncontent-length: {}", inner.len() + 5),
            format!("content-length: 0\r\ncontent-length: {}", inner.len() + 5),
            "transfer-encoding: chunked\r\ntransfer-encoding: identity".to_owned(),
        ] {
            let bytes = format!("POST /api/auth/logout HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n0\r\n\r\n{inner}");
            let bytes = converse(&shop, bytes.as_bytes(), false).await.unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(text.starts_with("HTTP/1.1 4") && text.matches("HTTP/1.1").count() == 1, "{framing}: {text}");
        }
        shop.close().await;
    });
}

#[test]
fn requests_sent_at_once_are_answered_in_order() {
    run(async {
        let shop = Shop::open().await;
        let mut stream = TcpStream::connect(shop.address).await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let ask = |at: usize| format!("GET /nothing/{at} HTTP/1.1\r\nhost: x\r\nx-request-id: r{at}\r\n\r\n");
        let bytes = (0..200).map(ask).collect::<String>();
        let mut unread = vec![];
        let reading = async {
            for at in 0..200 {
                let answer = wire::read_answer(&mut reader, &mut unread, false).await;
                assert_eq!(judge::fault(&answer, judge::By::App, false), None);
                assert_eq!(answer.unwrap().header("x-request-id"), Some(format!("r{at}").as_str()));
            }
        };
        let both = async { tokio::join!(async { writer.write_all(bytes.as_bytes()).await.unwrap() }, reading) };
        timeout(wire::DEADLINE, both).await.unwrap();
        shop.is_well().await;
        shop.close().await;
    });
}
