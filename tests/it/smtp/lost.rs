//! Receivers that refuse, are unavailable, or break off, and a process that is killed: no mail is lost.

use std::collections::{BTreeMap, BTreeSet};

use microbazaar::store::mailbox::MailState;
use serde_json::json;
use test_support::{PASSWORD, Process, Settings, Shop, done, eventually, smtp::Receiver};

use super::{log, until_log};

#[actix_rt::test]
async fn a_deferred_mail_arrives_later() {
    let Some(receiver) = Receiver::start(&json!({"greylist": 2})) else { return };
    let shop = Shop::start(Settings::new().smtp(&receiver.url())).await;
    shop.user("asha").await;
    let sent = until_log(&shop, MailState::Sent, 1).await;
    assert_eq!((sent[0].attempts, &sent[0].reason), (3, &None));
    assert_eq!(receiver.mails().len(), 1);
    shop.stop().await;
}

#[actix_rt::test]
async fn a_mail_deferred_too_often_fails_and_can_be_resent() {
    let Some(receiver) = Receiver::start(&json!({"greylist": 5})) else { return };
    let shop = Shop::start(Settings::new().smtp(&receiver.url())).await;
    shop.user("asha").await;
    let failed = until_log(&shop, MailState::Failed, 1).await;
    assert_eq!(failed[0].attempts, 5);
    assert_eq!(failed[0].reason.as_deref(), Some("451 4.7.1 greylisted, try again later"));
    // While the server runs.
    let resend = shop.settings.command(&["mail", "resend", &failed[0].id.to_string()]);
    let (code, out, complaint) = done(resend).await;
    assert_eq!((code, out.as_str()), (Some(0), "mail 1 is sent to asha@example.com\n"), "{complaint}");
    let mails = receiver.mails();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].header("message-id").contains(&failed[0].event.to_hex()));
    assert_eq!(log(&shop).await[0].state, MailState::Sent);
    shop.stop().await;
}

#[actix_rt::test]
async fn a_permanent_refusal_is_recorded_and_delays_no_other_mail() {
    let Some(receiver) = Receiver::start(&json!({"reject": ["nobody@example.com"]})) else { return };
    let shop = Shop::start(Settings::new().smtp(&receiver.url())).await;
    shop.user("nobody").await;
    shop.user("asha").await;
    let failed = until_log(&shop, MailState::Failed, 1).await;
    until_log(&shop, MailState::Sent, 1).await;
    assert_eq!(failed[0].reason.as_deref(), Some("550 5.1.1 <(address)> is unknown here"));
    assert_eq!(failed[0].attempts, 1, "it is not tried again");
    let dead = shop.app.storage.stores().outbox.dead(0, 10).await.unwrap();
    assert!(dead.is_empty(), "the log has it: {dead:?}");

    let id = failed[0].id.to_string();
    let run = |arguments: &[&str], url: &str| {
        let mut command = shop.settings.command(arguments);
        command.env("SMTP_URL", url);
        done(command)
    };
    let (code, out, _) = run(&["mail", "list", "--failed"], &receiver.url()).await;
    assert_eq!(code, Some(0));
    assert!(out.contains("nobody@example.com: Welcome") && out.contains("550 5.1.1"), "{out}");
    assert!(!out.contains("asha@example.com"), "{out}");
    let (_, out, _) = run(&["mail", "list", "--limit", "1"], &receiver.url()).await;
    assert_eq!(out.lines().count(), 2, "{out}");
    let (code, out, _) = run(&["mail", "show", &id], &receiver.url()).await;
    assert!(code == Some(0) && out.contains("state    failed") && out.contains("Hello"), "{out}");
    let (code, out, complaint) = run(&["mail", "resend", &id], &receiver.url()).await;
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(
        complaint.starts_with(&format!("microbazaar: mail {id} failed again: the mail is refused: 550")),
        "{complaint}"
    );
    let (code, _, complaint) = run(&["mail", "resend", "99"], &receiver.url()).await;
    assert_eq!(code, Some(1));
    assert_eq!(complaint, "microbazaar: there is no mail 99; see: microbazaar mail list\n");
    let (code, _, complaint) = run(&["mail", "resend", &id], "").await;
    assert!(code == Some(1) && complaint.contains("smtp.url is not set"), "{complaint}");

    let port = receiver.kill();
    let receiver = Receiver::start(&json!({ "port": port })).unwrap();
    let (code, out, complaint) = run(&["mail", "resend", &id], &receiver.url()).await;
    assert_eq!((code, out), (Some(0), format!("mail {id} is sent to nobody@example.com\n")), "{complaint}");
    assert_eq!(receiver.mails_to("nobody@example.com").len(), 1);
    let (_, out, _) = run(&["mail", "list", "--failed"], &receiver.url()).await;
    assert_eq!(out, "no mail has failed\n");
    shop.stop().await;
}

#[actix_rt::test]
async fn mails_wait_while_the_receiver_is_unavailable() {
    let Some(receiver) = Receiver::plain() else { return };
    let url = receiver.url();
    let port = receiver.kill();
    // A long retry delay: it is unavailable for as long as the test needs to see waiting mails.
    let patient = Settings::new().smtp(&url).set("MICROBAZAAR_RABBIT__RETRY_DELAYS", "500ms,3s,10s,20s");
    let shop = Shop::start(patient).await;
    for number in 0..10 {
        shop.user(&format!("buyer{number}")).await;
    }
    eventually("every mail was tried", async || {
        let log = log(&shop).await;
        log.len() == 10 && log.iter().all(|record| record.attempts >= 1 && record.reason.is_some())
    })
    .await;
    let receiver = Receiver::start(&json!({ "port": port })).unwrap();
    until_log(&shop, MailState::Sent, 10).await;
    let to: BTreeSet<String> = receiver.mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!((to.len(), receiver.mails().len()), (10, 10));
    shop.stop().await;
}

#[actix_rt::test]
async fn a_connection_broken_during_a_mail_loses_and_mixes_none() {
    let Some(receiver) = Receiver::start(&json!({"cut": 3})) else { return };
    let shop = Shop::start(Settings::new().smtp(&receiver.url())).await;
    for number in 0..6 {
        shop.user(&format!("buyer{number}")).await;
    }
    until_log(&shop, MailState::Sent, 6).await;
    // The receiver prints a mail after it has answered.
    eventually("all arrive", async || receiver.mails().len() >= 6).await;
    let mails = receiver.mails();
    assert_eq!(mails.len(), 6);
    for mail in &mails {
        assert_eq!(mail.header("to"), mail.to);
        assert_eq!(mail.raw.matches("Message-ID:").count(), 1, "one mail and no part of another");
    }
    shop.stop().await;
}

#[actix_rt::test]
async fn a_killed_process_loses_no_mail_and_repeats_only_under_the_same_id() {
    let Some(receiver) = Receiver::start(&json!({"slow": 30})) else { return };
    let settings = Settings::new().smtp(&receiver.url());
    let mut answered = vec![];
    for life in 0..3 {
        let process = Process::start(&settings);
        for number in 0..8 {
            let email = format!("buyer{life}x{number}@example.com");
            let new = json!({"email": email, "password": PASSWORD});
            let answer = process.client.post("/api/auth/register").json(&new).try_send().await;
            if answer.is_ok_and(|answer| answer.status == 201) {
                answered.push(email);
            }
        }
        // During sending: some have arrived and others have not.
        let arrived = receiver.mails().len();
        eventually("a mail of this life arrives", async || receiver.mails().len() > arrived).await;
        process.kill();
    }
    assert_eq!(answered.len(), 24);
    let process = Process::start(&settings);
    let missing = |receiver: &Receiver| {
        let to: BTreeSet<String> = receiver.mails().into_iter().map(|mail| mail.to).collect();
        answered.iter().filter(|email| !to.contains(*email)).count()
    };
    eventually("every mail arrives", async || missing(&receiver) == 0).await;
    eventually("the log says so", async || {
        let (_, list, _) = done(settings.command(&["mail", "list"])).await;
        list.lines().skip(1).filter(|line| line.contains(" sent ")).count() == 24
    })
    .await;
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for mail in receiver.mails() {
        ids.entry(mail.to.clone()).or_default().insert(mail.header("message-id").to_owned());
    }
    assert!(ids.values().all(|ids| ids.len() == 1), "one mail to each, under one id: {ids:?}");
    process.kill();
}
