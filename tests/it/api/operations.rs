//! The operational endpoints.

use std::{collections::BTreeSet, io::Write, path::PathBuf, process::Command, time::Duration};

use microbazaar::{config::Environment, domain::ids::UserId};
use serde_json::json;
use test_support::{Process, Settings};

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

#[actix_web::test]
async fn in_production_details_are_for_operators() {
    let app = Shop::open_with(|config| {
        config.environment = Environment::Production;
        config.http.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    })
    .await;
    let ask = |path: &'static str, from: &'static str| app.get(path).header("x-forwarded-for", from).send();
    for inside in ["127.0.0.1", "10.1.2.3", "172.16.0.9", "192.168.1.1", "fd00::1", "8.8.8.8, 10.0.0.1"] {
        for path in ["/metrics", "/docs", "/healthz"] {
            assert_eq!(ask(path, inside).await.status, 200, "{path} from {inside}");
        }
        assert!(ask("/readyz", inside).await.expect(200)["parts"].is_array(), "{inside}");
    }
    for outside in ["203.0.113.9", "2001:db8::1", "10.0.0.1, 203.0.113.9", "172.32.0.1"] {
        for path in ["/metrics", "/docs"] {
            let answer = ask(path, outside).await;
            assert_eq!(answer.expect(403)["code"], "request.operators_only", "{path} from {outside}");
        }
        ask("/healthz", outside).await.expect(200);
        ask("/openapi.json", outside).await.expect(200);
        assert_eq!(ask("/readyz", outside).await.expect(200), json!({"status": "ready"}), "{outside}");
    }
    let shown = |from| app.get("/").header("accept", "text/html").header("x-forwarded-for", from).send();
    assert!(self::page(&shown("10.0.0.1").await).contains("href=\"/docs\""));
    assert!(!self::page(&shown("203.0.113.9").await).contains("href=\"/docs\""));
    app.shutdown().await;

    let app = Shop::open_with(|config| config.http.operators = vec![]).await;
    app.get("/docs").send().await;
    assert!(app.get("/readyz").send().await.expect(200)["away"].is_array(), "in development everybody sees all");
    app.shutdown().await;
}

/// The samples of a page of metrics, without their values.
fn series(metrics: &str) -> BTreeSet<String> {
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series.to_owned()).collect()
}

#[actix_web::test]
async fn series_do_not_grow_with_what_strangers_send() {
    // A process of its own: the metrics of one are shared by every shop in it.
    let process = Process::start(&Settings::new());
    let app = &process.client;
    let send = async |round: usize| {
        let method = ["GET", "POST", "PUT", "TRACE", "BREW", "OPTIONS", "PATCH", "X-1"][round % 8];
        let path = match round % 11 {
            0 => format!("/nothing/{round}?x={round}"),
            1 => format!("/api/products/{round:024x}"),
            2 => format!("/api/cart/items/{round}"),
            3 => format!("/socket.io/?EIO={round}&transport=x{round}"),
            4 => format!("/assets/{round}.js"),
            5 => format!("/api/orders/{round}/ship/{round}"),
            6 => format!("/media/{round}"),
            7 => "/mcp".to_owned(),
            8 => "/healthz".to_owned(),
            9 => format!("/internal/v1/service{round}.Call"),
            _ => format!("/products/{round}"),
        };
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = app.http.request(method, format!("{}{path}", app.base()));
        let request = request.header("host", format!("host{round}.example")).header("x-request-id", round.to_string());
        request.body(format!("{{\"method\": \"tools/call\", \"params\": {{\"name\": \"tool{round}\"}}}}")).send().await
    };
    for round in 0..(8 * 11) {
        send(round).await.unwrap();
    }
    let before = series(&app.metrics().await);
    for rounds in (88..3_088).collect::<Vec<_>>().chunks(50) {
        futures_util::future::join_all(rounds.iter().map(|round| send(*round))).await;
    }
    let after = series(&app.metrics().await);
    let new: Vec<_> = after.difference(&before).filter(|series| series.starts_with("http_")).collect();
    assert!(new.len() < 20, "{new:#?}");
    assert!(after.len() < 1_200, "{} series", after.len());
    let histograms = after.iter().filter(|series| series.contains("_bucket{") && series.contains("status=\"4"));
    assert!(
        histograms.clone().all(|series| series.contains("route=\"refused\"")),
        "{:?}",
        histograms.collect::<Vec<_>>()
    );
}

#[actix_web::test]
async fn metrics_tell_of_the_process_and_come_as_open_metrics() {
    let app = Shop::open().await;
    app.get("/api/products").send().await.expect(200);
    let plain = page(&app.get("/metrics").send().await);
    for name in ["cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds", "start_time_seconds", "threads"] {
        let value = plain.lines().find_map(|line| line.strip_prefix(&format!("process_{name} ")));
        assert!(value.is_some_and(|value| value.parse::<f64>().unwrap() > 0.0), "{name}: {value:?}");
    }
    let kinds: Vec<_> = plain.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for name in &kinds {
        let help = plain.lines().find_map(|line| line.strip_prefix(&format!("# HELP {name} ")));
        assert!(help.is_some_and(|help| help.contains(' ')), "{name}: {help:?}");
    }
    let accept = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5,*/*;q=0.1";
    let answer = app.get("/metrics").header("accept", accept).send().await;
    let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(media));
    let open = page(&answer);
    assert!(open.ends_with("\n# EOF\n") && open.matches("# EOF").count() == 1, "{open}");
    assert!(open.contains("# TYPE http_requests counter\n") && open.contains("http_requests_total{"), "{open}");
    assert!(open.contains("# TYPE process_cpu_seconds counter\n"), "{open}");
    assert!(open.contains(",le=\"1.0\"}") && open.contains(",le=\"+Inf\"}"), "{open}");
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
