//! The real program, killed while it transfers a shop.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Stdio},
};

use bson::{Document, doc};
use microbazaar::{
    domain::{
        Timestamp,
        ids::{EventId, ProductId, UserId},
        money::{Currency, Money},
        product::{Product, ProductStatus},
    },
    store::{
        mailbox::Mail,
        sqlite::{SqliteOptions, SqliteStore},
    },
};

use test_support::Settings;

use super::{Target, settings};

/// Enough for many batches.
const PRODUCTS: usize = 6_000;
const MAILS: usize = 1_200;

fn product(seller: UserId, number: usize) -> Product {
    Product {
        id: ProductId::generate(),
        title: format!("Lamp {number}"),
        description: "warm ".repeat(200),
        price: Money::new(49_950, Currency::Inr),
        category: "home".into(),
        seller,
        images: vec![],
        max_per_order: None,
        status: ProductStatus::Live,
        status_reason: None,
        created_at: Timestamp::now(),
        updated_at: Timestamp::now(),
        version: 0,
    }
}

async fn large_shop(settings: &Settings) {
    let sqlite = SqliteStore::open(&settings.data(), SqliteOptions::default()).unwrap();
    let (stores, seller) = (sqlite.stores(), UserId::generate());
    let products: Vec<Product> = (0..PRODUCTS).map(|number| product(seller, number)).collect();
    for some in products.chunks(500) {
        stores.products.insert_many(some).await.unwrap();
        let levels: Vec<_> = some.iter().map(|product| (product.id, 7)).collect();
        stores.stock.set_available(&levels).await.unwrap();
    }
    let mail = |number: usize| Mail {
        to: format!("{number}@example.com"),
        subject: "Welcome".into(),
        text: "hello".into(),
        html: String::new(),
        at: Timestamp::now(),
        announcement: false,
        confidential: false,
        unsubscribe: None,
        user: None,
        about: None,
    };
    let mails = (0..MAILS).map(|number| (EventId::generate(), mail(number))).collect::<Vec<_>>();
    for some in mails.chunks(200) {
        futures_util::future::join_all(some.iter().map(|(event, mail)| stores.mailbox.put(*event, mail))).await;
    }
    drop(stores);
    sqlite.close().unwrap();
}

fn migrate(target: &Target, settings: &Settings) -> Child {
    let mut command = settings.command(&["migrate", "--to", &target.uri, "--from"]);
    command.arg(settings.data()).env("MICROBAZAAR_MONGO__DATABASE_PREFIX", &target.prefix);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Kills it when it prints this; returns whether it was running then.
fn kill_at(mut child: Child, word: &str) -> bool {
    let mut output = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let came = output.by_ref().find(|line| line.starts_with(word) || line.starts_with("microbazaar: "));
    let _ended = child.kill();
    assert!(!came.iter().any(|line| line.starts_with("microbazaar")), "{came:?}");
    came.is_some() && !child.wait().unwrap().success()
}

#[actix_rt::test]
async fn a_killed_transfer_continues_without_duplicates() {
    let Some(target) = Target::new() else { return };
    let settings = settings();
    large_shop(&settings).await;
    let mut killed = 0;
    for word in ["products: 0", "mails: 0", "counters: 0", "stock: 0"] {
        killed += usize::from(kill_at(migrate(&target, &settings), word));
    }
    assert!(killed > 1, "killed at work {killed} times");
    let ended = migrate(&target, &settings).wait_with_output().unwrap();
    let (out, output) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{out} {output}");
    let counted = |kind: &str, count: usize| {
        let words = [kind.to_owned(), count.to_string(), count.to_string()];
        out.lines().any(|line| line.split_whitespace().eq(words.iter().map(String::as_str)))
    };
    assert!(counted("products", PRODUCTS) && counted("stock", PRODUCTS) && counted("mails", MAILS), "{out}");
    assert!(out.contains("was not changed"), "{out}");
    let mut again = migrate(&target, &settings);
    let mut out = String::new();
    again.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert!(again.wait().unwrap().success() && out.contains("nothing was done"), "{out}");
    target.drop().await;
}

#[actix_rt::test]
async fn unrecorded_writes_of_a_transfer_are_made_once() {
    let Some(target) = Target::new() else { return };
    let settings = settings();
    let people = super::embedded(&settings).await;
    let client = mongodb::Client::with_uri_str(&target.uri).await.unwrap();
    let database = client.database(&format!("{}auth", target.prefix));
    let notes = database.collection::<Document>("migration");
    // Up to the last kind, and then none of it is recorded.
    let folder = settings.data();
    let migration = target.migration(&folder, 4);
    let last = microbazaar::store::transfer::Kind::Events;
    let mut cut_off = |kind, done, all| {
        anyhow::ensure!(kind != last || done < all, "cut off");
        Ok(())
    };
    assert_eq!(migration.run(&mut cut_off).await.unwrap_err().to_string(), "cut off");
    notes.update_one(doc! {}, doc! { "$set": { "written": {} } }).await.unwrap();
    let counts = match super::whole(&migration).await.unwrap() {
        super::Transferred::Now(counts) => counts,
        before => panic!("{before:?}"),
    };
    assert!(counts.iter().all(|counted| counted.from == counted.to && counted.to > 0), "{counts:?}");
    // A record that is missing in the end is reported.
    let gone = database.collection::<Document>("users").delete_one(doc! { "doc.email": &people.unwelcomed }).await;
    assert_eq!(gone.unwrap().deleted_count, 1);
    notes.update_one(doc! {}, doc! { "$unset": { "finishedAt": "" } }).await.unwrap();
    let output = super::whole(&migration).await.unwrap_err().to_string();
    assert!(output.contains("not everything arrived: the database has users 5 of 6"), "{output}");
    notes.update_one(doc! {}, doc! { "$set": { "finishedAt": 1_i64 } }).await.unwrap();
    target.drop().await;
}
