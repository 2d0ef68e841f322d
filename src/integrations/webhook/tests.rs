use super::*;
use test_support::{BASE64, altered};

const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxLek";
const AT: i64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const ENCODED: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const RAW: &str = "a secret of some length";

#[test]
fn signatures_are_those_that_others_make() {
    // node: createHmac("sha256", key).update(`${id}.${at}.${body}`).digest("base64"), where
    // key is Buffer.from(secret.slice(6), "base64") for one that begins with whsec_.
    let encoded = "v1,enRLSa8SQq0bjzfA39jRvVHj4kmZBoO5m8PEGpuQ5q0=";
    let raw = "v1,6pxnzrbHmSTXLlr0D4UHphjQkyOW7oBzeCG4Rn5hwYQ=";
    assert_eq!(signature::standard(&[ENCODED], ID, AT, BODY), encoded);
    assert_eq!(signature::standard(&[RAW], ID, AT, BODY), raw);
    assert_eq!(signature::standard(&[RAW, ENCODED], ID, AT, BODY), format!("{raw} {encoded}"));
    // printf '{"test": 2432232314}' | openssl dgst -sha256 -hmac 'a secret of some length'
    let plain = "sha256=6d1b2ae9a99fa2eef34d939736a47329b4f162908c4857b35e90dbdbab4caf77";
    assert_eq!(signature::plain(RAW, BODY), plain);
}

/// Whether a receiver of Standard Webhooks accepts it: one of the signatures is valid for the id, the time and the
/// body.
fn is_taken(secret: &str, signatures: &str, id: &str, at: i64, body: &[u8]) -> bool {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use hmac::{Hmac, KeyInit, Mac};
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap();
    signatures.split(' ').filter_map(|signature| signature.strip_prefix("v1,")).any(|signature| {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{id}.{at}.").as_bytes());
        mac.update(body);
        STANDARD.decode(signature).is_ok_and(|signature| mac.verify_slice(&signature).is_ok())
    })
}

#[test]
fn a_receiver_takes_what_was_signed_and_nothing_that_is_nearly_it() {
    let signed = signature::standard(&[ENCODED], ID, AT, BODY);
    assert!(is_taken(ENCODED, &signed, ID, AT, BODY));
    let made = signature::make_secret();
    let both = signature::standard(&[&made, ENCODED], ID, AT, BODY);
    assert!(is_taken(&made, &both, ID, AT, BODY) && is_taken(ENCODED, &both, ID, AT, BODY));
    for nearly in altered(signed.trim_start_matches("v1,").trim_end_matches('='), BASE64) {
        assert!(!is_taken(ENCODED, &format!("v1,{nearly}="), ID, AT, BODY), "{nearly}");
    }
    // Any change of the signed content changes the signature.
    for id in altered(ID, "abc") {
        assert!(!is_taken(ENCODED, &signed, &id, AT, BODY), "{id}");
    }
    for body in altered(std::str::from_utf8(BODY).unwrap(), "{1") {
        assert!(!is_taken(ENCODED, &signed, ID, AT, body.as_bytes()), "{body}");
        assert_ne!(signature::plain(RAW, body.as_bytes()), signature::plain(RAW, BODY), "{body}");
    }
    assert!(!is_taken(ENCODED, &signed, ID, AT + 1, BODY));
}

#[test]
fn a_made_secret_is_a_good_one_and_a_given_one_is_looked_at() {
    let made = signature::make_secret();
    assert_eq!(signature::check_secret(&made), Ok(()));
    assert_ne!(made, signature::make_secret());
    assert_eq!(signature::check_secret(RAW), Ok(()));
    for bad in ["", "short", &"x".repeat(129), "whsec_not base64 at all", "whsec_AAAAAAAAAA=="] {
        assert!(signature::check_secret(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_private_address_is_not_called_by_number_or_by_name() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let rules = UrlRules { allow_http: true, allow_private: false };
    let client = WebhookClient::new(rules, Duration::from_secs(10)).unwrap();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let url = format!("http://{host}:{port}/");
        let message = Message { url: &url, id: ID, timestamp: AT, event: "ping", body: "{}", secrets: &[RAW] };
        let refused = client.post(&message).await.unwrap_err();
        assert!(refused.contains("webhooks.allow_private"), "{refused}");
    }
    let name = resolved_name_refused(&client, port).await;
    assert!(name.contains("webhooks.allow_private"), "{name}");
    let nobody = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(nobody.is_err(), "nobody connected");
}

/// The connection's error for a private name that passed the check of the URL.
async fn resolved_name_refused(client: &WebhookClient, port: u16) -> String {
    let error = client.client.post(format!("http://localhost:{port}/")).send().await.unwrap_err();
    reason_of(&error)
}
