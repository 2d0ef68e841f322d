//! `microbazaar admin create`, beside a running server and without one.

use microbazaar::actors::admin::calls::SetUserBlocked;
use std::process::{Command, Output};

use serde_json::json;

use super::{PASSWORD, TestApp, text};

/// Runs the command over the documents of `app`, in a process of its own.
async fn create(app: &TestApp, email: &str, password: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_microbazaar"));
    command.env_clear().current_dir(std::env::temp_dir()).stdin(std::process::Stdio::null());
    command.arg("--data-dir").arg(&app.config.data_dir).args(["admin", "create", "--email", email]);
    if let Some(uri) = &app.config.mongo.uri {
        use secrecy::ExposeSecret;
        command.env("MONGO_URI", uri.expose_secret());
        command.env("MICROBAZAAR_MONGO__DATABASE_PREFIX", &app.config.mongo.database_prefix);
    }
    if let Some(password) = password {
        command.env("MICROBAZAAR_ADMIN_PASSWORD", password);
    }
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

async fn said(app: &TestApp, email: &str, password: Option<&str>) -> String {
    let done = create(app, email, password).await;
    assert!(done.status.success(), "{email}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[actix_web::test]
async fn an_admin_is_created_while_the_server_runs() {
    let app = TestApp::spawn().await;
    assert_eq!(said(&app, "root@example.com", Some(PASSWORD)).await, "root@example.com is an admin now\n");
    let session = app.login(&json!({"email": "root@example.com", "password": PASSWORD})).await.expect(200);
    assert_eq!(session["user"]["role"], "admin");
    let made = said(&app, "made@example.com", None).await;
    let password = made.lines().find_map(|line| line.strip_prefix("password: ")).unwrap();
    app.login(&json!({"email": "made@example.com", "password": password})).await.expect(200);

    // A user becomes an admin, whatever the server has cached.
    let asha = app.seller("asha").await;
    app.get("/api/auth/me").token(&asha.token).send().await.expect(200);
    let promoted = said(&app, " ASHA@example.com", Some("another password")).await;
    assert!(promoted.contains("is an admin now, with the password that they have"), "{promoted}");
    let body = json!({"email": asha.email, "password": PASSWORD});
    let session = app.login(&body).await.expect(200);
    assert_eq!((&session["user"]["role"], &session["user"]["_id"]), (&json!("admin"), &json!(asha.id)));
    let me = app.get("/api/auth/me").token(&text(&session["token"])).send().await.expect(200);
    assert_eq!(me["user"]["role"], "admin");
    app.login(&json!({"email": asha.email, "password": "another password"})).await.expect(401);
    said(&app, &asha.email, None).await;

    // The server can still write.
    let ravi = app.user("ravi").await;
    let block = SetUserBlocked { user: ravi.id.parse().unwrap(), blocked: true };
    app.app.services.calls.ask(block).await.unwrap();
    let refused = create(&app, &ravi.email, None).await;
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(String::from_utf8(refused.stderr).unwrap().trim().lines().count(), 1, "one sentence");
    let refused = create(&app, "nobody", Some(PASSWORD)).await;
    assert!(String::from_utf8(refused.stderr).unwrap().contains("must be an e-mail address"));
    app.settle().await;
    let config = app.config.clone();
    let folder = app.end().await;
    // Without a server.
    let app = TestApp::start(config, folder).await;
    app.login(&body).await.expect(200);
    app.shutdown().await;
}
