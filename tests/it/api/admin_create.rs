//! `microbazaar admin create`, beside a running server and without one.

use serde_json::json;
use test_support::done;

use super::{PASSWORD, Shop, text};

/// Runs the command over the documents of `app`, in a process of its own.
async fn create(app: &Shop, email: &str, password: Option<&str>) -> (Option<i32>, String, String) {
    let mut command = app.settings.command(&["admin", "create", "--email", email]);
    if let Some(password) = password {
        command.env("MICROBAZAAR_ADMIN_PASSWORD", password);
    }
    done(command).await
}

async fn said(app: &Shop, email: &str, password: Option<&str>) -> String {
    let (code, out, complaint) = create(app, email, password).await;
    assert_eq!(code, Some(0), "{email}: {complaint}");
    out
}

#[actix_web::test]
async fn an_admin_is_created_while_the_server_runs() {
    let app = Shop::open().await;
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
    app.set_blocked(&ravi, true).await;
    let (code, _, refused) = create(&app, &ravi.email, None).await;
    assert_eq!((code, refused.trim().lines().count()), (Some(1), 1), "one sentence: {refused}");
    let (_, _, refused) = create(&app, "nobody", Some(PASSWORD)).await;
    assert!(refused.contains("must be an e-mail address"), "{refused}");
    app.settle().await;
    let config = app.config.clone();
    let settings = app.end().await;
    // Without a server.
    let app = Shop::over(config, settings).await;
    app.login(&body).await.expect(200);
    app.shutdown().await;
}
