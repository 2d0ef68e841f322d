//! Tests of the content of mails, and of servers that behave badly.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::{
    compose::{Outgoing, Sender},
    smtp::Pool,
    *,
};
use crate::{
    config::{MailLogin, MailServer, MailTls},
    domain::Timestamp,
};

const EVENT: EventId = EventId::from_bytes([7; 12]);

fn mail(to: &str, subject: &str) -> Mail {
    let at: Timestamp = "2026-01-02T03:04:05.6Z".parse().unwrap();
    let (text, html) = ("Hello\n.\nyou".to_owned(), "<p>Hello</p>".to_owned());
    Mail {
        to: to.into(),
        subject: subject.into(),
        text,
        html,
        at,
        announcement: false,
        confidential: false,
        unsubscribe: None,
        user: None,
        about: None,
    }
}

fn sender() -> Sender {
    Sender::new("Shop \"of\" Ünal <shop@shop.example>", None).unwrap()
}

fn outgoing(to: &str) -> Outgoing {
    sender().compose(EVENT, &mail(to, "Hello")).unwrap()
}

/// The mail as a text.
fn written(mail: &Mail) -> String {
    String::from_utf8(sender().compose(EVENT, mail).unwrap().bytes).unwrap()
}

/// The unfolded header lines of a mail.
fn head(mail: &Mail) -> Vec<String> {
    let text = written(mail);
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    head.replace("\r\n ", " ").split("\r\n").map(ToOwned::to_owned).collect()
}

#[test]
fn a_mail_has_its_headers_and_is_the_same_bytes_each_time() {
    let mail = mail("Asha@example.com", "Hello");
    let lines = head(&mail);
    assert!(lines.contains(&"To: Asha@example.com".to_owned()), "{lines:?}");
    assert!(lines.contains(&"Date: Fri, 02 Jan 2026 03:04:05 +0000".to_owned()), "{lines:?}");
    assert!(lines.contains(&"Auto-Submitted: auto-generated".to_owned()));
    let id = lines.iter().find(|line| line.starts_with("Message-ID: ")).unwrap();
    assert!(id.starts_with(&format!("Message-ID: <{EVENT}.")) && id.ends_with("@shop.example>"), "{id}");
    assert_eq!(written(&mail), written(&mail));
    let other = Mail { to: "ravi@example.com".into(), ..mail.clone() };
    assert!(!head(&other).contains(id), "another receiver, another id");
    let capitals = Mail { to: "ASHA@example.com".into(), ..mail };
    assert!(head(&capitals).contains(id), "the same receiver");
}

#[test]
fn nothing_that_is_typed_begins_a_header() {
    let subjects = [
        "a\r\nBcc: x@example.com",
        "a\nBcc: x@example.com",
        "a\rBcc: x@example.com\r\n\r\nbody",
        "a\u{2028}b\u{85}c\u{0}d",
        "=?utf-8?q?=0d=0aBcc:_x?= \"quoted\" <a@b.c>",
        "مرحبا \u{202e}abc",
        &"é".repeat(5_000),
        &"word ".repeat(2_000),
    ];
    for subject in subjects {
        let lines = head(&mail("asha@example.com", subject));
        let names: Vec<&str> = lines.iter().map(|line| line.split_once(':').unwrap().0).collect();
        let expected =
            ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"];
        assert_eq!(names, expected, "{subject:?}");
        let text = written(&mail("asha@example.com", subject));
        assert!(text.is_ascii() && text.split("\r\n").all(|line| line.len() <= 998));
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
    }
}

#[test]
fn what_is_no_address_is_refused_for_good() {
    for to in [
        "",
        "asha",
        "a@b@c.de",
        "asha@example.com\r\nBcc: x@example.com",
        "asha@example.com\n",
        "<asha@example.com>",
        "asha@example.com,x@example.com",
        "as ha@example.com",
        "asha@１２７.１",
        "asha@-.example",
        &format!("{}@example.com", "x".repeat(65)),
    ] {
        let refused = sender().compose(EVENT, &mail(to, "Hello")).map(|_| ()).unwrap_err();
        assert!(refused.ends_with("is not an address") && !refused.contains(['\r', '\n']), "{refused}");
    }
}

#[test]
fn a_domain_of_any_script_is_written_as_mail_servers_know_it() {
    let outgoing = sender().compose(EVENT, &mail("asha@bücher.example", "Hello")).unwrap();
    assert_eq!(outgoing.envelope.to()[0].to_string(), "asha@xn--bcher-kva.example");
    let outgoing = sender().compose(EVENT, &mail("आशा@example.com", "Hello")).unwrap();
    assert_eq!(outgoing.envelope.to()[0].to_string(), "आशा@example.com");
}

#[test]
fn a_sender_is_quoted_and_an_announcement_names_where_to_turn() {
    let announcement = Mail { announcement: true, ..mail("asha@example.com", "New") };
    let lines = |unsubscribe| {
        let sender = Sender::new("shop@shop.example", unsubscribe).unwrap();
        let text = String::from_utf8(sender.compose(EVENT, &announcement).unwrap().bytes).unwrap();
        text.replace("\r\n ", " ").split("\r\n").map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert!(lines(None).contains(&"List-Unsubscribe: <mailto:shop@shop.example?subject=unsubscribe>".to_owned()));
    let given = lines(Some("stop@shop.example"));
    assert!(given.contains(&"List-Unsubscribe: <mailto:stop@shop.example?subject=unsubscribe>".to_owned()));
    let page = lines(Some("https://shop.example/stop"));
    assert!(page.contains(&"List-Unsubscribe: <https://shop.example/stop>".to_owned()), "{page:?}");
    let here = "https://shop.example/unsubscribe/665f1f77bcf86cd799439011.0123456789abcdef0123456789abcdef";
    let announcement = Mail { unsubscribe: Some(here.to_owned()), ..announcement };
    let lines = |unsubscribe| {
        let sender = Sender::new("shop@shop.example", unsubscribe).unwrap();
        let text = String::from_utf8(sender.compose(EVENT, &announcement).unwrap().bytes).unwrap();
        text.replace("\r\n ", " ").split("\r\n").map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let one_click = "List-Unsubscribe-Post: List-Unsubscribe=One-Click".to_owned();
    let given = lines(None);
    assert!(
        given.contains(&format!("List-Unsubscribe: <{here}>, <mailto:shop@shop.example?subject=unsubscribe>")),
        "{given:?}"
    );
    assert!(given.contains(&one_click), "{given:?}");
    let page = lines(Some("https://shop.example/stop"));
    assert!(page.contains(&"List-Unsubscribe: <https://shop.example/stop>".to_owned()) && !page.contains(&one_click));
    assert!(!head(&mail("asha@example.com", "Welcome")).iter().any(|line| line.starts_with("List-")));
    assert!(Sender::new("Shop <no address>", None).is_err());
}

#[test]
fn a_date_beyond_the_calendar_does_not_panic() {
    for at in [Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH] {
        written(&Mail { at, ..mail("asha@example.com", "Hello") });
    }
}

/// The behaviour of a test server.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// As it should.
    Kind,
    /// It never says anything.
    Mute,
    /// It stops answering once the first mail begins, and accepts the next ones.
    StopsOnce,
}

/// What a small SMTP server received.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
    stopped: AtomicUsize,
    mails: Mutex<Vec<String>>,
}

struct Server {
    port: u16,
    seen: Arc<Seen>,
}

impl Server {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), seen: Arc::default() };
        let seen = server.seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = seen.clone();
                let number = seen.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    seen.most.fetch_max(seen.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let _gone = converse(stream, manner, number, &seen).await;
                    seen.now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    fn pool(&self) -> Pool {
        let server =
            MailServer { host: "127.0.0.1".into(), port: self.port, tls: MailTls::None, login: None, ca_file: None };
        Pool::new(&server, "shop.example").unwrap()
    }
}

async fn converse(mut stream: TcpStream, manner: Manner, number: usize, seen: &Seen) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    if manner == Manner::Mute {
        while lines.next_line().await?.is_some() {}
        return Ok(());
    }
    write.write_all(b"220 here\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let answer = match line.split(' ').next().unwrap_or_default() {
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                let mut mail = String::new();
                while let Some(line) = lines.next_line().await?.filter(|line| line.trim_end() != ".") {
                    mail.push_str(&line);
                    mail.push('\n');
                }
                if manner == Manner::StopsOnce && number == 0 {
                    seen.stopped.fetch_add(1, Ordering::SeqCst);
                    while lines.next_line().await?.is_some() {}
                    return Ok(());
                }
                seen.mails.lock().push(mail);
                "250 taken"
            }
            "QUIT" => "221 bye",
            _ => "250 well",
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn connections_are_bounded_and_used_again() {
    let server = Server::start(Manner::Kind).await;
    let pool = server.pool();
    let mails: Vec<Outgoing> = (0..40).map(|number| outgoing(&format!("buyer{number}@example.com"))).collect();
    assert!(join_all(mails.iter().map(|mail| pool.send(mail))).await.iter().all(Result::is_ok));
    assert_eq!(server.seen.mails.lock().len(), 40);
    assert!(server.seen.most.load(Ordering::SeqCst) <= 4);
    assert!(server.connections() <= 4, "each carries many mails");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up_and_not_asked_by_each_mail() {
    let server = Server::start(Manner::Mute).await;
    let pool = server.pool();
    let mails: Vec<Outgoing> = (0..64).map(|number| outgoing(&format!("buyer{number}@example.com"))).collect();
    for answer in join_all(mails.iter().map(|mail| pool.send(mail))).await {
        assert!(matches!(&answer, Err(MailError::Temporary(why)) if why.contains("in time")), "{answer:?}");
    }
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn a_mail_that_is_given_up_half_way_does_not_run_into_the_next() {
    let server = Server::start(Manner::StopsOnce).await;
    let pool = server.pool();
    let first = outgoing("first@example.com");
    // Only the wait for the answer is left, which is made short.
    let shortly = async {
        let ends = tokio::time::Instant::now() + std::time::Duration::from_secs(15);
        while server.seen.stopped.load(Ordering::SeqCst) == 0 {
            assert!(tokio::time::Instant::now() < ends, "the server gets the mail in time");
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        tokio::time::pause();
    };
    let (given_up, ()) = tokio::join!(pool.send(&first), shortly);
    assert!(matches!(given_up, Err(MailError::Temporary(_))), "{given_up:?}");
    tokio::time::resume();
    assert_eq!(pool.send(&outgoing("second@example.com")).await, Ok(()));
    let mails = server.seen.mails.lock();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("To: second@example.com") && !mails[0].contains("first@example.com"));
}

#[test]
fn a_connection_is_not_used_on_another_runtime() {
    let kept = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = kept.block_on(Server::start(Manner::Kind));
    let pool = server.pool();
    for number in 1..=2 {
        let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(own.block_on(pool.send(&outgoing("asha@example.com"))), Ok(()));
        assert_eq!(server.connections(), number);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_no_fault_of_the_mail() {
    let server = Server::start(Manner::Kind).await;
    let mut away = MailServer {
        host: "no-such-host.invalid".into(),
        port: 25,
        tls: MailTls::None,
        login: Some(MailLogin::Password("shop".into(), "hush".into())),
        ca_file: None,
    };
    let answer = Pool::new(&away, "shop.example").unwrap().send(&outgoing("asha@example.com")).await;
    assert!(matches!(answer, Err(MailError::Temporary(_))), "{answer:?}");
    away.host = "127.0.0.1".into();
    away.port = server.port;
    let answer = Pool::new(&away, "shop.example").unwrap().send(&outgoing("asha@example.com")).await;
    let Err(MailError::Temporary(why)) = answer else { panic!("it knows no logins: {answer:?}") };
    assert!(why.contains("No compatible authentication") && !why.contains("hush"), "{why}");
    away.ca_file = Some("/nowhere.pem".into());
    away.tls = MailTls::Required;
    let refused = Pool::new(&away, "shop.example").map(|_| ()).unwrap_err().to_string();
    assert!(refused.starts_with("smtp.ca_file: /nowhere.pem cannot be used: "), "{refused}");
}
