//! The broker over TLS with its own vhost, as RabbitMQ hosters provide it: `amqps://user:password@host/vhost`. This
//! needs the real program, because the trusted authority is set in its environment.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use microbazaar::domain::ids::UserId;
use serde_json::{Value, json};

use crate::broker::DEADLINE;

/// The program with its own folder; both end with this value.
struct Server {
    child: Child,
    base: String,
    folder: PathBuf,
    client: reqwest::Client,
}

impl Server {
    fn start(broker: &str, authority: &Path) -> Self {
        let folder = std::env::temp_dir().join(format!("microbazaar-tls-{}", UserId::generate()));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(env!("CARGO_BIN_EXE_microbazaar"))
            .args(["serve", "--port", &port.to_string()])
            .env("JWT_SECRET", "a secret of thirty-two bytes, or so")
            .env("RABBIT_URL", broker)
            .env("SSL_CERT_FILE", authority)
            .env("MICROBAZAAR_DATA_DIR", &folder)
            .env("MICROBAZAAR_LOG__LEVEL", "error")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let client = microbazaar::runtime::http_client::builder().timeout(DEADLINE).build().unwrap();
        Self { child, base: format!("http://127.0.0.1:{port}"), folder, client }
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.client.get(format!("{}{path}", self.base)).header("accept", "application/json");
        match request.send().await {
            Ok(answer) => answer.json().await.unwrap_or_default(),
            Err(_) => Value::Null,
        }
    }

    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        while !holds().await {
            assert!(tokio::time::Instant::now() < deadline, "in time: {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn until_it_is(&self, status: &str) {
        self.until(status, async || self.get("/readyz").await["status"] == status).await;
    }

    async fn register(&self, email: &str) {
        let new = json!({"email": email, "password": "correct horse"});
        let answer = self.client.post(format!("{}/api/auth/register", self.base)).json(&new).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 201);
    }

    async fn is_welcomed(&self, email: &str) -> bool {
        self.get("/dev/mailbox").await.as_array().is_some_and(|mails| mails.iter().any(|mail| mail["to"] == email))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

/// The broker's TLS address and its authority, where `scripts/broker` could make them.
fn broker() -> Option<(String, PathBuf)> {
    let plain = std::env::var("TEST_RABBIT_URL").ok();
    let authority = std::env::var_os("TEST_RABBIT_CA").map(PathBuf::from).filter(|file| file.exists());
    let (Some(plain), Some(authority)) = (plain, authority) else {
        eprintln!("left out: TEST_RABBIT_CA names no authority of a broker with TLS");
        return None;
    };
    let (_, address) = plain.rsplit_once('@').unwrap();
    let port: u16 = address.split(['/', ':']).nth(1).unwrap().parse().unwrap();
    Some((format!("amqps://shop:sesame@localhost:{}/shop", port + 3), authority))
}

#[actix_rt::test]
async fn events_travel_over_tls_with_a_vhost() {
    let Some((broker, authority)) = broker() else { return };
    let server = Server::start(&broker, &authority);
    server.until_it_is("ready").await;
    let email = format!("{}@example.com", UserId::generate());
    server.register(&email).await;
    server.until("the mail, by the broker and back", async || server.is_welcomed(&email).await).await;
}

#[actix_rt::test]
async fn a_broker_with_an_untrusted_certificate_is_refused() {
    let Some((broker, authority)) = broker() else { return };
    let nobody = authority.with_file_name("nobody.pem");
    std::fs::write(&nobody, "").unwrap();
    let server = Server::start(&broker, &nobody);
    server.until_it_is("degraded").await;
    let email = format!("{}@example.com", UserId::generate());
    server.register(&email).await;
    let away = server.get("/readyz").await["away"].clone();
    assert_eq!(away, json!(["rabbitmq"]), "the shop sells on, and the event waits");
    assert!(!server.is_welcomed(&email).await);
}
