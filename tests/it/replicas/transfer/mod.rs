//! An embedded shop that is transferred to MongoDB.

mod killed;
mod shop;

use std::path::Path;

use bson::{Document, doc, oid::ObjectId};
use microbazaar::{
    app::migrate::{Counted, Migration, Transferred},
    domain::ids::UserId,
    store::{
        StoreError,
        mongo::{MongoOptions, MongoStore},
        sqlite::{Batch, Export},
        transfer::Kind,
    },
};
use mongodb::Client;
use secrecy::SecretString;
use serde_json::json;

use self::shop::{Folder, People, Shop, config, leave_behind};

/// The target of the transfer; the databases are dropped by [`Target::drop`].
struct Target {
    uri: String,
    prefix: String,
}

impl Target {
    /// Prints a note and returns `None` where there is no server.
    fn new() -> Option<Self> {
        let Ok(uri) = std::env::var("TEST_MONGO_URI") else {
            eprintln!("left out: TEST_MONGO_URI names no server");
            return None;
        };
        Some(Self { uri, prefix: format!("mv_{}_", UserId::generate()) })
    }

    fn migration<'a>(&self, from: &'a Path, rows: usize) -> Migration<'a> {
        let batch = Batch { rows, bytes: 1 << 20 };
        Migration { from, to: SecretString::from(self.uri.as_str()), prefix: self.prefix.clone(), batch }
    }

    fn options(&self) -> MongoOptions {
        MongoOptions::new(SecretString::from(self.uri.as_str()), self.prefix.clone())
    }

    async fn drop(self) {
        MongoStore::open(self.options()).await.unwrap().drop_databases().await.unwrap();
    }
}

/// A stopped shop with some data of every kind.
async fn embedded(folder: &Folder) -> People {
    let shop = Shop::start(&config(folder, None)).await;
    shop.ready().await;
    let mut people = shop.fill().await;
    shop.app.shutdown().await.unwrap();
    leave_behind(folder, &mut people).await;
    people
}

async fn whole(migration: &Migration<'_>) -> anyhow::Result<Transferred> {
    migration.run(&mut |_, _, _| Ok(())).await
}

fn of(counts: &[Counted], kind: Kind) -> u64 {
    counts.iter().find(|counted| counted.kind == kind).unwrap().to
}

#[actix_rt::test]
async fn every_user_sees_the_same_after_an_interrupted_transfer() {
    let Some(target) = Target::new() else { return };
    let (folder, node) = (Folder::new(), Folder::new());
    let people = embedded(&folder).await;
    let file = folder.0.join("microbazaar.db");
    let before = std::fs::read(&file).unwrap();

    // Interrupted after each batch in turn; each time it continues from there.
    let migration = target.migration(&folder.0, 3);
    let (mut cuts, mut output) = (0, vec![]);
    let moved = loop {
        let mut begun = None;
        let mut cut_off = |kind, done, all| {
            output.push((done, all));
            let (of, from) = *begun.get_or_insert((kind, done));
            if of != kind {
                begun = Some((kind, done));
            }
            anyhow::ensure!(of != kind || from == done, "cut off");
            Ok(())
        };
        match migration.run(&mut cut_off).await {
            Ok(moved) => break moved,
            Err(error) => assert_eq!(error.to_string(), "cut off"),
        }
        cuts += 1;
        if cuts == 1 {
            let refused = MongoStore::open(target.options()).await.err().unwrap();
            assert!(matches!(&refused, StoreError::Unavailable(why) if why.contains("being moved")), "{refused}");
        }
    };
    assert!(cuts > 20, "{cuts}");
    assert!(output.iter().all(|(done, all)| done <= all));
    let Transferred::Now(counts) = &moved else { panic!("{moved:?}") };
    assert!(counts.iter().all(|counted| counted.from == counted.to), "{counts:?}");
    let some = |kind| (kind, of(counts, kind));
    assert_eq!(some(Kind::Documents("users")), (Kind::Documents("users"), 6));
    assert_eq!(some(Kind::Documents("products")), (Kind::Documents("products"), 3));
    assert_eq!(some(Kind::Pictures), (Kind::Pictures, 8));
    assert_eq!(some(Kind::Documents("orders")), (Kind::Documents("orders"), 4));
    assert_eq!(some(Kind::Documents("payments")), (Kind::Documents("payments"), 2));
    assert_eq!(some(Kind::Documents("webhook_endpoints")), (Kind::Documents("webhook_endpoints"), 3));
    assert_eq!(some(Kind::Documents("parked")), (Kind::Documents("parked"), 3));
    assert_eq!(some(Kind::Events), (Kind::Events, 9));
    for kind in Kind::all() {
        assert!(of(counts, kind) > 0, "a shop with something of everything has {}", kind.name());
    }
    assert!(matches!(whole(&migration).await.unwrap(), Transferred::Before(_)), "once is enough");
    assert!(before == std::fs::read(&file).unwrap(), "the source is as it was");

    // The same shop from the folder and from the database, compared: what each user sees.
    let old = Shop::start(&config(&folder, None)).await;
    old.ready().await;
    let new = Shop::start(&config(&node, Some((&target.uri, &target.prefix)))).await;
    new.ready().await;
    for shop in [&old, &new] {
        shop.until("the late mail is there", async || !shop.mails(&people.unwelcomed).await.is_empty()).await;
        shop.app.settle(std::time::Duration::from_secs(60)).await.unwrap();
    }
    // Each finishes on its own what the end of the old one left.
    let mut differs = None;
    for _look in 0..200 {
        let (there, here) = (old.seen(&people).await, new.seen(&people).await);
        let known = |(what, seen): (&String, &(u16, String))| {
            (here[what] != *seen).then(|| format!("{what}:\n{seen:?}\n{:?}", here[what]))
        };
        differs = there.iter().find_map(known);
        if differs.is_none() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(differs, None);
    let there = new.seen(&people).await;
    assert!(there.values().filter(|(status, _)| *status == 200).count() > 25, "{there:?}");
    for email in people.emails().iter().chain([&people.unwelcomed]) {
        assert_eq!(old.mails(email).await, new.mails(email).await, "{email}");
        new.login(email).await;
    }
    assert_eq!(new.mails(&people.unwelcomed).await.len(), 1, "once");
    assert_eq!(new.get("/api/auth/me", &people.dead).await.0, 401);
    goes_on(&new, &people).await;
    old.app.shutdown().await.unwrap();
    assert_eq!(new.app.shutdown().await.unwrap().events_waiting, 0);
    target.drop().await;
}

/// Pending work of the folder continues over the database.
async fn goes_on(shop: &Shop, people: &People) {
    let asha = people.token("asha");
    let orders = shop.json("/api/orders/me?status=PENDING", asha).await;
    let open = orders["orders"][0].clone();
    let (order, product) = (open["_id"].as_str().unwrap(), open["items"][0]["product"].as_str().unwrap());
    let stock = async || shop.json(&format!("/api/inventory/{product}"), "").await;
    assert_eq!(stock().await["reserved"], 1);
    shop.pay(asha, order).await;
    let path = format!("/api/orders/{order}");
    shop.until("it is confirmed", async || shop.json(&path, asha).await["order"]["status"] == "CONFIRMED").await;
    shop.until("its units are sold", async || stock().await["reserved"] == 0).await;
    assert_eq!(stock().await["available"], 47);
    // A unit that was sold before is available again.
    let confirmed = shop.json("/api/orders/me?status=CONFIRMED", asha).await;
    let sold = confirmed["orders"].as_array().unwrap().iter().find(|sold| sold["_id"] != order).unwrap().clone();
    shop.post(&format!("/api/orders/{}/cancel", sold["_id"].as_str().unwrap()), asha, &json!({})).await;
    shop.until("its units are back", async || stock().await["available"] == 49).await;
}

#[actix_rt::test]
async fn a_target_in_use_is_refused() {
    let Some(target) = Target::new() else { return };
    let folders = [Folder::new(), Folder::new(), Folder::new()];
    let refusal = async |from: &Folder| whole(&target.migration(&from.0, 100)).await.unwrap_err().to_string();
    assert!(refusal(&folders[0]).await.contains("there is no shop in"));
    Shop::start(&config(&folders[1], None)).await.app.shutdown().await.unwrap();
    let nowhere = Migration { to: SecretString::from("nonsense"), ..target.migration(&folders[1].0, 100) };
    let output = format!("{:#}", whole(&nowhere).await.unwrap_err());
    assert!(output.contains("the address in mongo.uri is not one of MongoDB"), "{output}");
    // A folder that is in use.
    let serving = Shop::start(&config(&folders[0], None)).await;
    assert!(refusal(&folders[0]).await.contains("is in use by another microbazaar process"));
    serving.app.shutdown().await.unwrap();
    // A database that is in use, empty or not.
    let node = Shop::start(&config(&folders[2], Some((&target.uri, &target.prefix)))).await;
    node.until("it is refused as in use", async || {
        refusal(&folders[0]).await.contains("a node serves a shop from them now")
    })
    .await;
    node.app.shutdown().await.unwrap();
    // A database that was a target before, of another shop or of this one as it was.
    assert!(matches!(whole(&target.migration(&folders[0].0, 100)).await.unwrap(), Transferred::Now(_)));
    assert!(refusal(&folders[1]).await.contains("what was moved there from another folder"));
    let shop = Shop::start(&config(&folders[0], None)).await;
    shop.post("/api/auth/register", "", &json!({"email": "new@example.com", "password": "correct horse"})).await;
    shop.app.shutdown().await.unwrap();
    assert!(refusal(&folders[0]).await.contains("from this one before it was served again"));
    // A database that was filled without a transfer.
    let other = Target::new().unwrap();
    let node = Shop::start(&config(&folders[2], Some((&other.uri, &other.prefix)))).await;
    node.post("/api/auth/register", "", &json!({"email": "new@example.com", "password": "correct horse"})).await;
    node.app.shutdown().await.unwrap();
    let refused = whole(&other.migration(&folders[0].0, 100)).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("there are documents in {}auth.users already", other.prefix)), "{refused}");
    target.drop().await;
    other.drop().await;
}

/// As a version left it whose documents had fields instead of keys, and whose note named no layout.
#[actix_rt::test]
async fn a_partial_transfer_of_an_older_version_is_refused_unchanged() {
    let Some(target) = Target::new() else { return };
    let folder = Folder::new();
    let shop = Shop::start(&config(&folder, None)).await;
    shop.post("/api/auth/register", "", &json!({"email": "new@example.com", "password": "correct horse"})).await;
    shop.app.shutdown().await.unwrap();
    let fingerprint = Export::open(&folder.0).unwrap().fingerprint().unwrap();
    let auth = Client::with_uri_str(&target.uri).await.unwrap().database(&format!("{}auth", target.prefix));
    let (notes, users) = (auth.collection::<Document>("migration"), auth.collection::<Document>("users"));
    let note =
        doc! { "_id": "moved", "of": fingerprint, "at": 1_750_000_000_000_000_i64, "written": { "users": 1_i64 } };
    notes.insert_one(&note).await.unwrap();
    let user = doc! {
        "_id": ObjectId::new(), "version": 1_i64, "email": "new@example.com", "username": "new", "role": "user",
        "doc": { "email": "new@example.com", "username": "new" }, "outbox": [],
    };
    users.insert_one(&user).await.unwrap();
    let migration = target.migration(&folder.0, 100);
    for _again in 0..2 {
        let refused = whole(&migration).await.unwrap_err().to_string();
        assert!(refused.contains("another version of this program began to move the shop there"), "{refused}");
        assert!(refused.contains("empty them, or set another mongo.database_prefix"), "{refused}");
        let refused = MongoStore::open(target.options()).await.err().unwrap();
        assert!(matches!(&refused, StoreError::Unavailable(why) if why.contains("being moved")), "{refused}");
        assert_eq!(notes.find_one(doc! {}).await.unwrap().as_ref(), Some(&note));
        assert_eq!(users.find_one(doc! {}).await.unwrap().as_ref(), Some(&user));
    }
    // Emptied as the message says, it accepts the shop.
    for emptied in [&notes, &users] {
        emptied.drop().await.unwrap();
    }
    assert!(matches!(whole(&migration).await.unwrap(), Transferred::Now(_)));
    target.drop().await;
}
