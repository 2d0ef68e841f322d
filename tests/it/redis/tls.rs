//! `rediss://`, as Redis hosters provide it. This needs the real program, because the trusted authority is set in its
//! environment.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::redis::{
    nodes::{client, folder},
    prefix, shared_redis, until,
};

/// The program with its own folder; both end with this value.
struct Program {
    child: Child,
    base: String,
    folder: PathBuf,
}

impl Program {
    fn start(redis: &str, authority: &Path) -> Self {
        let folder = folder();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(env!("CARGO_BIN_EXE_microbazaar"))
            .args(["serve", "--port", &port.to_string()])
            .env("JWT_SECRET", "a secret of thirty-two bytes, or so")
            .env("REDIS_URL", redis)
            .env("MICROBAZAAR_REDIS__PREFIX", prefix())
            .env("MICROBAZAAR_REDIS__TIMEOUT", "5s")
            .env("SSL_CERT_FILE", authority)
            .env("MICROBAZAAR_DATA_DIR", &folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, base: format!("http://127.0.0.1:{port}"), folder }
    }

    async fn is(&self, status: &str) {
        let client = client();
        until(status, async || match client.get(format!("{}/readyz", self.base)).send().await {
            Ok(answer) => answer.json::<Value>().await.unwrap()["status"] == status,
            Err(_) => false,
        })
        .await;
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

#[actix_rt::test]
async fn redis_over_tls_needs_a_trusted_certificate() {
    let Some(url) = shared_redis() else { return };
    let authority = std::env::var_os("TEST_REDIS_CA").map(PathBuf::from).filter(|file| file.exists());
    let Some(authority) = authority else {
        eprintln!("left out: TEST_REDIS_CA names no authority of a Redis with TLS");
        return;
    };
    let port: u16 = url.trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap();
    let url = format!("rediss://localhost:{}/", port + 1);
    Program::start(&url, &authority).is("ready").await;
    let nobody = authority.with_file_name("nobody.pem");
    std::fs::write(&nobody, "").unwrap();
    Program::start(&url, &nobody).is("degraded").await;
}
