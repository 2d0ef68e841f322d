//! `microbazaar dead` over the embedded outbox, with and without a running server.

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
use test_support::{Settings, done, eventually};

use super::{Person, Shop};

/// Runs the command in a process of its own.
async fn dead(settings: &Settings, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = settings.command(&["dead"]);
    command.args(arguments);
    done(command).await
}

async fn said(settings: &Settings, arguments: &[&str]) -> String {
    let (code, out, complaint) = dead(settings, arguments).await;
    assert_eq!(code, Some(0), "{arguments:?}: {complaint}");
    out
}

async fn refused(settings: &Settings, arguments: &[&str], code: i32) -> String {
    let (ended, _, sentence) = dead(settings, arguments).await;
    assert_eq!(ended, Some(code), "{arguments:?}: {sentence}");
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
    let app = Shop::embedded().await;
    let (settings, stores) = (&app.settings, app.stores());
    assert_eq!(said(settings, &["list"]).await, "no message is dead\n");
    let (asha, of_asha) = unwelcomed(&stores, "asha", USER_CREATED_NOTIFICATION).await;
    let (ravi, of_ravi) = unwelcomed(&stores, "ravi", USER_CREATED_NOTIFICATION).await;
    // Its event makes no message for that queue, so that it fails again at once.
    let (_, hopeless) = unwelcomed(&stores, "nobody", PRODUCT_CREATED_NOTIFICATION).await;

    let listed = said(settings, &["list"]).await;
    assert_eq!(listed.lines().count(), 4, "{listed}");
    for part in [&of_asha.to_hex(), &of_ravi.to_hex(), USER_CREATED_NOTIFICATION, "the mail server said no"] {
        assert!(listed.contains(part), "{part} in {listed}");
    }
    let some = said(settings, &["list", "--limit", "1"]).await;
    assert!(some.contains(&of_asha.to_hex()) && some.contains("--limit") && !some.contains(&of_ravi.to_hex()));
    let others = said(settings, &["list", "--queue", "PRODUCT_NOTIFICATION.PRODUCT_CREATED.dead"]).await;
    assert!(others.contains(&hopeless.to_hex()) && !others.contains(&of_asha.to_hex()), "{others}");
    let shown = said(settings, &["show", &of_asha.to_hex()]).await;
    assert!(shown.contains("asha@example.com") && shown.contains("attempts  5"), "{shown}");

    // By its number, then the rest of its queue.
    let row = listed.lines().nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    assert_eq!(said(settings, &["replay", &row]).await, "1 message is tried again\n");
    until_welcome(&app, &asha).await;
    assert_eq!(app.mails(&ravi).await, []);
    assert_eq!(said(settings, &["replay", "--queue", USER_CREATED_NOTIFICATION]).await, "1 message is tried again\n");
    until_welcome(&app, &ravi).await;
    assert_eq!(said(settings, &["replay", "--all"]).await, "1 message is tried again\n");
    // It was retried as if new, and has the new reason.
    let dies = async || said(settings, &["list"]).await.contains("nobody reads this queue here");
    eventually("it dies again", dies).await;
    assert_eq!((app.mails(&asha).await.len(), app.mails(&ravi).await.len()), (1, 1));
    app.shutdown().await;
}

async fn until_welcome(app: &Shop, who: &Person) {
    eventually("the welcome", async || app.mails_that_begin(who, "Welcome").await > 0).await;
}

#[actix_web::test]
async fn a_replay_without_a_server_takes_effect_at_the_next_start() {
    let app = Shop::embedded().await;
    let (asha, event) = unwelcomed(&app.stores(), "asha", USER_CREATED_NOTIFICATION).await;
    let config = app.config.clone();
    let settings = app.end().await;
    assert!(said(&settings, &["list"]).await.contains(&event.to_hex()));
    assert_eq!(said(&settings, &["replay", &event.to_hex()]).await, "1 message is tried again\n");
    assert_eq!(said(&settings, &["replay", "--all"]).await, "no message is dead\n");
    let app = Shop::over(config, settings).await;
    until_welcome(&app, &asha).await;
    app.shutdown().await;
}

#[actix_web::test]
async fn an_impossible_command_is_one_sentence_and_changes_nothing() {
    let app = Shop::embedded().await;
    let settings = app.end().await;
    for arguments in [["show", "7"], ["replay", "665f1f77bcf86cd799439011"]] {
        let sentence = refused(&settings, &arguments, 1).await;
        assert!(sentence.contains(&format!("no dead message has the id {:?}", arguments[1])), "{sentence}");
    }
    for arguments in
        [&["list", "--queue", "A.B"][..], &["list", "--limit", "0"], &["replay"], &["replay", "1", "--all"]]
    {
        refused(&settings, arguments, 2).await;
    }
    let empty = settings.folder().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let elsewhere = settings.clone().set("MICROBAZAAR_DATA_DIR", empty.to_str().unwrap());
    assert!(refused(&elsewhere, &["list"], 1).await.contains("there is no data file"));
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0);
}
