//! Invalid input ends at most the session of its sender.

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
