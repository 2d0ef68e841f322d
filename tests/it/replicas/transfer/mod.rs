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
use test_support::{Person, Settings, Shop, eventually, servers, text};

use self::shop::{People, fill, leave_behind, login, mails, seen, settings, until_ready};

/// The target of the transfer; the databases are dropped by [`Target::drop`].
struct Target {
    uri: String,
    prefix: String,
}

impl Target {
    /// Prints a note and returns `None` where there is no server.
    fn new() -> Option<Self> {
        let uri = servers::mongo()?;
        Some(Self { uri, prefix: format!("mv_{}_", UserId::generate()) })
    }

    fn migration<'a>(&self, from: &'a Path, rows: usize) -> Migration<'a> {
        let batch = Batch { rows, bytes: 1 << 20 };
        Migration { from, to: SecretString::from(self.uri.as_str()), prefix: self.prefix.clone(), batch }
    }

    fn options(&self) -> MongoOptions {
        MongoOptions::new(SecretString::from(self.uri.as_str()), self.prefix.clone())
    }

    /// Those of a shop there.
    fn settings(&self) -> Settings {
        settings().mongo(&self.uri, &self.prefix)
    }

    async fn drop(self) {
        MongoStore::open(self.options()).await.unwrap().drop_databases().await.unwrap();
    }
}

/// A stopped shop with some data of every kind.
async fn embedded(settings: &Settings) -> People {
    let shop = Shop::start(settings.clone()).await;
    until_ready(&shop).await;
    let mut people = fill(&shop).await;
    shop.stop().await;
    leave_behind(&settings.data(), &mut people).await;
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
    let settings = settings();
    let people = embedded(&settings).await;
    let folder = settings.data();
    let file = folder.join("microbazaar.db");
    let before = std::fs::read(&file).unwrap();

    // Interrupted after each batch in turn; each time it continues from there.
    let migration = target.migration(&folder, 3);
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
    let old = Shop::start(settings.clone()).await;
    until_ready(&old).await;
    let new = Shop::start(target.settings()).await;
    until_ready(&new).await;
    for shop in [&old, &new] {
        eventually("the late mail is there", async || !mails(shop, &people.unwelcomed).await.is_empty()).await;
        shop.app.settle(std::time::Duration::from_secs(60)).await.unwrap();
    }
    // Each finishes on its own what the end of the old one left.
    let mut differs = None;
    for _look in 0..200 {
        let (there, here) = (seen(&old, &people).await, seen(&new, &people).await);
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
    let there = seen(&new, &people).await;
    assert!(there.values().filter(|(status, _)| *status == 200).count() > 25, "{there:?}");
    for email in people.emails().iter().chain([&people.unwelcomed]) {
        assert_eq!(mails(&old, email).await, mails(&new, email).await, "{email}");
        login(&new, email).await;
    }
    assert_eq!(mails(&new, &people.unwelcomed).await.len(), 1, "once");
    new.get("/api/auth/me").token(&people.dead).send().await.expect(401);
    goes_on(&new, &people).await;
    old.stop().await;
    new.shutdown().await;
    target.drop().await;
}

/// Pending work of the folder continues over the database.
async fn goes_on(shop: &Shop, people: &People) {
    let asha = people.token("asha");
    let orders = shop.read(asha, "/api/orders/me?status=PENDING").await;
    let open = orders["orders"][0].clone();
    let (order, product) = (open["_id"].as_str().unwrap(), open["items"][0]["product"].as_str().unwrap());
    let stock = async || shop.read("", &format!("/api/inventory/{product}")).await;
    assert_eq!(stock().await["reserved"], 1);
    shop.pay(&Person::of(asha), &open).await;
    let path = format!("/api/orders/{order}");
    eventually("it is confirmed", async || shop.read(asha, &path).await["order"]["status"] == "CONFIRMED").await;
    eventually("its units are sold", async || stock().await["reserved"] == 0).await;
    assert_eq!(stock().await["available"], 47);
    // A unit that was sold before is available again.
    let confirmed = shop.read(asha, "/api/orders/me?status=CONFIRMED").await;
    let sold = confirmed["orders"].as_array().unwrap().iter().find(|sold| sold["_id"] != order).unwrap().clone();
    shop.do_as(asha, &format!("/api/orders/{}/cancel", text(&sold["_id"])), &json!({})).await;
    eventually("its units are back", async || stock().await["available"] == 49).await;
}

#[actix_rt::test]
async fn a_target_in_use_is_refused() {
    let Some(target) = Target::new() else { return };
    let [one, two, three] = [(); 3].map(|()| settings());
    let [first, second] = [&one, &two].map(|settings| settings.folder().join("data"));
    let refusal = async |from: &Path| whole(&target.migration(from, 100)).await.unwrap_err().to_string();
    assert!(refusal(&first).await.contains("there is no shop in"));
    Shop::start(two.clone()).await.stop().await;
    let nowhere = Migration { to: SecretString::from("nonsense"), ..target.migration(&second, 100) };
    let output = format!("{:#}", whole(&nowhere).await.unwrap_err());
    assert!(output.contains("the address in mongo.uri is not one of MongoDB"), "{output}");
    // A folder that is in use.
    let serving = Shop::start(one.clone()).await;
    assert!(refusal(&first).await.contains("is in use by another microbazaar process"));
    serving.stop().await;
    // A database that is in use, empty or not.
    let node = Shop::start(three.clone().mongo(&target.uri, &target.prefix)).await;
    eventually("it is refused as in use", async || {
        refusal(&first).await.contains("a node serves a shop from them now")
    })
    .await;
    node.stop().await;
    // A database that was a target before, of another shop or of this one as it was.
    assert!(matches!(whole(&target.migration(&first, 100)).await.unwrap(), Transferred::Now(_)));
    assert!(refusal(&second).await.contains("what was moved there from another folder"));
    let shop = Shop::start(one.clone()).await;
    shop.user("new").await;
    shop.stop().await;
    assert!(refusal(&first).await.contains("from this one before it was served again"));
    // A database that was filled without a transfer.
    let other = Target::new().unwrap();
    let node = Shop::start(three.mongo(&other.uri, &other.prefix)).await;
    node.user("new").await;
    node.stop().await;
    let refused = whole(&other.migration(&first, 100)).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("there are documents in {}auth.users already", other.prefix)), "{refused}");
    target.drop().await;
    other.drop().await;
}

/// As a version left it whose documents had fields instead of keys, and whose note named no layout.
#[actix_rt::test]
async fn a_partial_transfer_of_an_older_version_is_refused_unchanged() {
    let Some(target) = Target::new() else { return };
    let settings = settings();
    let folder = settings.data();
    let shop = Shop::start(settings.clone()).await;
    shop.user("new").await;
    shop.stop().await;
    let fingerprint = Export::open(&folder).unwrap().fingerprint().unwrap();
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
    let migration = target.migration(&folder, 100);
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
