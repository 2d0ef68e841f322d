//! The broker over TLS with its own vhost, as RabbitMQ hosters provide it: `amqps://user:password@host/vhost`. This
//! needs the real program, because the trusted authority is set in its environment.

use std::path::{Path, PathBuf};

use microbazaar::domain::ids::UserId;
use serde_json::json;
use test_support::{Client, Process, Settings, eventually, servers};

/// The program, with the authority that it trusts.
fn start(settings: &Settings, authority: &Path) -> Process {
    Process::launch(settings, &[("SSL_CERT_FILE", authority.to_str().unwrap())]).unwrap()
}

async fn until_it_is(client: &Client, status: &str) {
    eventually(status, async || client.readyz().await.1["status"] == status).await;
}

async fn is_welcomed(client: &Client, email: &str) -> bool {
    client.mailbox().await.iter().any(|mail| mail["to"] == email)
}

/// The broker's TLS address and its authority, where `scripts/broker` could make them.
fn broker() -> Option<(String, PathBuf)> {
    let (plain, authority) = (servers::rabbit()?, servers::authority("TEST_RABBIT_CA")?);
    let (_, address) = plain.rsplit_once('@').unwrap();
    let port: u16 = address.split(['/', ':']).nth(1).unwrap().parse().unwrap();
    Some((format!("amqps://shop:sesame@localhost:{}/shop", port + 3), authority))
}

#[actix_rt::test]
async fn events_travel_over_tls_with_a_vhost() {
    let Some((broker, authority)) = broker() else { return };
    let settings = Settings::new().rabbit(&broker);
    let Process { client, .. } = &start(&settings, &authority);
    until_it_is(client, "ready").await;
    let email = client.user(&UserId::generate().to_string()).await.email;
    eventually("the mail, by the broker and back", async || is_welcomed(client, &email).await).await;
}

#[actix_rt::test]
async fn a_broker_with_an_untrusted_certificate_is_refused() {
    let Some((broker, authority)) = broker() else { return };
    let nobody = authority.with_file_name("nobody.pem");
    std::fs::write(&nobody, "").unwrap();
    let settings = Settings::new().rabbit(&broker);
    let Process { client, .. } = &start(&settings, &nobody);
    until_it_is(client, "degraded").await;
    let email = client.user(&UserId::generate().to_string()).await.email;
    let away = client.readyz().await.1["away"].clone();
    assert_eq!(away, json!(["rabbitmq"]), "the shop sells on, and the event waits");
    assert!(!is_welcomed(client, &email).await);
}
