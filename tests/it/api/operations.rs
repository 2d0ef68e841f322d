//! The operational endpoints.

use std::{io::Write, path::PathBuf, process::Command, time::Duration};

use microbazaar::domain::ids::UserId;
use serde_json::json;

use super::{Answer, Shop};

fn page(answer: &Answer) -> String {
    assert_eq!(answer.status, 200);
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[actix_web::test]
async fn a_process_reports_liveness_readiness_and_identity() {
    let app = Shop::open().await;
    assert_eq!(app.get("/healthz").send().await.expect(200)["status"], "ok");
    let asha = app.stranger();
    app.get("/api/cart").token(&asha.token).send().await.expect(200);
    let ready = app.get("/readyz").send().await.expect(200);
    assert_eq!((&ready["status"], &ready["away"]), (&json!("ready"), &json!([])));
    let kinds = ready["actors"].as_array().unwrap();
    for kind in ["accounts", "cart", "inventory", "catalogue"] {
        let shown = kinds.iter().find(|one| one["kind"].as_str().unwrap().starts_with(kind));
        let shown = shown.unwrap_or_else(|| panic!("no {kind} in {ready}"));
        for number in ["alive", "restarts", "inFlight", "refused"] {
            assert!(shown[number].is_u64(), "{shown}");
        }
        assert!(shown["alive"].as_u64() >= Some(1), "{shown}");
    }
    let root = app.get("/").header("accept", "application/json").send().await.expect(200);
    assert_eq!((&root["name"], &root["state"]), (&json!("microbazaar"), &json!("ready")));
    app.shutdown().await;
}

#[actix_web::test]
async fn metrics_count_requests_by_route_and_actors_by_kind() {
    let app = Shop::open().await;
    let asha = app.stranger();
    app.get("/api/cart").token(&asha.token).send().await.expect(200);
    app.get("/api/products/665f1f77bcf86cd799439011").send().await.expect(404);
    app.get("/api/products/665f1f77bcf86cd799439012").send().await.expect(404);
    // The actors' metrics are updated once a second.
    let started = std::time::Instant::now();
    let metrics = loop {
        let answer = app.get("/metrics").send().await;
        assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
        let metrics = page(&answer);
        if metrics.contains("actors_alive{") || started.elapsed() > test_support::DEADLINE {
            break metrics;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    for part in [
        "# TYPE http_request_duration_seconds histogram",
        "http_request_duration_seconds_bucket{method=\"GET\",route=\"/api/cart\",status=\"200\",le=\"",
        "http_requests_total{method=\"GET\",route=\"/api/products/{id}\",status=\"404\"}",
        "actors_alive{kind=\"cart\"}",
        "actor_restarts_total{kind=\"cart\"}",
        "actor_calls_in_flight{kind=\"cart\"}",
        "actor_calls_refused_total{kind=\"cart\"}",
        "outbox_events",
    ] {
        assert!(metrics.contains(part), "{part} is not in {metrics}");
    }
    assert!(!metrics.contains("665f1f77bcf86cd799439011"), "labels are bounded");
    app.shutdown().await;
}

#[actix_web::test]
async fn the_documents_are_served() {
    let app = Shop::open().await;
    let document = app.get("/openapi.json").send().await.expect(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    let docs = app.get("/docs").send().await;
    assert!(docs.header("content-type").unwrap().starts_with("text/html"));
    assert!(docs.header("content-security-policy").is_some());
    let html = page(&docs);
    assert!(html.contains("/api/orders/{id}/cancel") && !html.contains("<script"));
    app.shutdown().await;
}

/// A small file system in memory, which is removed after the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this user may not mount. In CI that is a failure.
    fn mount(size: &str) -> Option<Self> {
        let path = std::env::temp_dir().join(format!("microbazaar-disk-{}", UserId::generate()));
        std::fs::create_dir_all(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&path);
        if mount.status().is_ok_and(|status| status.success()) {
            return Some(Self(path));
        }
        let _ = std::fs::remove_dir(&path);
        assert!(std::env::var_os("CI").is_none(), "CI must be able to mount a tmpfs");
        eprintln!("left out: this user may not mount a tmpfs");
        None
    }

    /// Fills the file system.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut filler = std::fs::File::create(&path).unwrap();
        for piece in [1 << 20, 1 << 12, 1] {
            while filler.write_all(&vec![b'x'; piece]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[actix_web::test]
async fn a_full_disk_and_its_recovery_are_reported_within_five_seconds() {
    let Some(disk) = SmallDisk::mount("24m") else { return };
    let app = Shop::open_with(|config| config.data_dir = disk.0.join("data")).await;
    if app.config.mongo.uri.is_some() {
        return app.shutdown().await;
    }
    let ready = async |wanted: u16| {
        let started = std::time::Instant::now();
        loop {
            let answer = app.http.get(format!("{}/readyz", app.base())).send().await.unwrap();
            if answer.status() == wanted {
                return answer.json::<serde_json::Value>().await.unwrap();
            }
            assert!(started.elapsed() < Duration::from_secs(5), "not reported within five seconds: {answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    ready(200).await;
    for round in 0..2 {
        let filler = disk.fill();
        let output = ready(503).await;
        assert_eq!(output["away"], json!(["store"]), "{output}");
        let asha = json!({"email": format!("asha{round}@example.com"), "password": super::PASSWORD});
        let refused = app.register(&asha).await;
        refused.expect(503);
        assert!(refused.header("retry-after").is_some(), "{refused:?}");
        app.get("/api/products").send().await.expect(200);
        std::fs::remove_file(filler).unwrap();
        let output = ready(200).await;
        assert_eq!(output["status"], "ready", "{output}");
        app.register(&asha).await.expect(201);
    }
    app.shutdown().await;
}
