//! `microbazaar dead` over the embedded outbox, with and without a running server.

use std::{
    path::Path,
    process::{Command, Output},
};

use microbazaar::{
    domain::{
        Timestamp,
        event::{Envelope, Event, UserSnapshot},
        ids::{EventId, UserId},
        queues::{PRODUCT_CREATED_NOTIFICATION, USER_CREATED_NOTIFICATION},
        user::{FullName, Role},
    },
    store::{Stores, outbox::Parked},
};

use super::{Person, TestApp};

/// Runs the command in a process of its own.
async fn dead(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_microbazaar"));
    command.env_clear().current_dir(std::env::temp_dir()).arg("--data-dir").arg(data).arg("dead").args(arguments);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

async fn said(data: &Path, arguments: &[&str]) -> String {
    let done = dead(data, arguments).await;
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

async fn refused(data: &Path, arguments: &[&str], code: i32) -> String {
    let done = dead(data, arguments).await;
    let sentence = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(code), "{arguments:?}: {sentence}");
    assert_eq!(sentence.trim().lines().count(), 1, "one sentence: {sentence}");
    sentence
}

/// A user whose welcome mail is a dead letter.
async fn unwelcomed(stores: &Stores, name: &str, queue: &str) -> (Person, EventId) {
    let email = format!("{name}@example.com");
    let user = UserSnapshot {
        id: UserId::generate(),
        email: email.clone(),
        username: name.to_owned(),
        full_name: FullName::default(),
        role: Role::User,
        created_at: Timestamp::now(),
    };
    let person = Person { id: user.id.to_hex(), email, token: String::new() };
    let event = EventId::generate();
    let envelope = Envelope { id: event, occurred_at: Timestamp::now(), event: Event::UserCreated(user), trace: None };
    let reason = "the mail server said no".to_owned();
    let row = Parked { id: 0, queue: queue.to_owned(), envelope, attempts: 5, retry_at: None, reason };
    stores.outbox.settle(&[], &[row]).await.unwrap();
    (person, event)
}

#[actix_web::test]
async fn dead_letters_are_listed_shown_and_replayed_while_the_server_runs() {
    let app = TestApp::spawn_with(super::servers::embedded).await;
    let (data, stores) = (app.folder.0.clone(), app.app.storage.stores());
    assert_eq!(said(&data, &["list"]).await, "no message is dead\n");
    let (asha, of_asha) = unwelcomed(&stores, "asha", USER_CREATED_NOTIFICATION).await;
    let (ravi, of_ravi) = unwelcomed(&stores, "ravi", USER_CREATED_NOTIFICATION).await;
    // Its event makes no message for that queue, so that it fails again at once.
    let (_, hopeless) = unwelcomed(&stores, "nobody", PRODUCT_CREATED_NOTIFICATION).await;

    let listed = said(&data, &["list"]).await;
    assert_eq!(listed.lines().count(), 4, "{listed}");
    for part in [&of_asha.to_hex(), &of_ravi.to_hex(), USER_CREATED_NOTIFICATION, "the mail server said no"] {
        assert!(listed.contains(part), "{part} in {listed}");
    }
    let some = said(&data, &["list", "--limit", "1"]).await;
    assert!(some.contains(&of_asha.to_hex()) && some.contains("--limit") && !some.contains(&of_ravi.to_hex()));
    let others = said(&data, &["list", "--queue", "PRODUCT_NOTIFICATION.PRODUCT_CREATED.dead"]).await;
    assert!(others.contains(&hopeless.to_hex()) && !others.contains(&of_asha.to_hex()), "{others}");
    let shown = said(&data, &["show", &of_asha.to_hex()]).await;
    assert!(shown.contains("asha@example.com") && shown.contains("attempts  5"), "{shown}");

    // By its number, then the rest of its queue.
    let row = listed.lines().nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    assert_eq!(said(&data, &["replay", &row]).await, "1 message is tried again\n");
    until_welcome(&app, &asha).await;
    assert_eq!(app.mails(&ravi).await, []);
    assert_eq!(said(&data, &["replay", "--queue", USER_CREATED_NOTIFICATION]).await, "1 message is tried again\n");
    until_welcome(&app, &ravi).await;
    assert_eq!(said(&data, &["replay", "--all"]).await, "1 message is tried again\n");
    let deadline = std::time::Instant::now() + super::DEADLINE;
    // It was retried as if new, and has the new reason.
    while !said(&data, &["list"]).await.contains("nobody reads this queue here") {
        assert!(std::time::Instant::now() < deadline, "it dies again");
    }
    assert_eq!((app.mails(&asha).await.len(), app.mails(&ravi).await.len()), (1, 1));
    app.shutdown().await;
}

async fn until_welcome(app: &TestApp, who: &Person) {
    let deadline = std::time::Instant::now() + super::DEADLINE;
    while app.mails_that_begin(who, "Welcome").await == 0 {
        assert!(std::time::Instant::now() < deadline, "{} is welcomed", who.email);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[actix_web::test]
async fn a_replay_without_a_server_takes_effect_at_the_next_start() {
    let app = TestApp::spawn_with(super::servers::embedded).await;
    let (asha, event) = unwelcomed(&app.app.storage.stores(), "asha", USER_CREATED_NOTIFICATION).await;
    let config = app.config.clone();
    let folder = app.end().await;
    assert!(said(&folder.0, &["list"]).await.contains(&event.to_hex()));
    assert_eq!(said(&folder.0, &["replay", &event.to_hex()]).await, "1 message is tried again\n");
    assert_eq!(said(&folder.0, &["replay", "--all"]).await, "no message is dead\n");
    let app = TestApp::start(config, folder).await;
    until_welcome(&app, &asha).await;
    app.shutdown().await;
}

#[actix_web::test]
async fn an_impossible_command_is_one_sentence_and_changes_nothing() {
    let app = TestApp::spawn_with(super::servers::embedded).await;
    let folder = app.end().await;
    for arguments in [["show", "7"], ["replay", "665f1f77bcf86cd799439011"]] {
        let sentence = refused(&folder.0, &arguments, 1).await;
        assert!(sentence.contains(&format!("no dead message has the id {:?}", arguments[1])), "{sentence}");
    }
    for arguments in
        [&["list", "--queue", "A.B"][..], &["list", "--limit", "0"], &["replay"], &["replay", "1", "--all"]]
    {
        refused(&folder.0, arguments, 2).await;
    }
    let empty = folder.0.join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert!(refused(&empty, &["list"], 1).await.contains("there is no data file"));
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0);
}
