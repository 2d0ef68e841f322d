//! Registration races, logins, addresses under contention, a store that panics.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use futures_util::future::join_all;
use parking_lot::Mutex;

use super::{calls::LoggedIn, *};
use crate::{
    domain::{
        Timestamp,
        event::{Envelope, Event},
        user::{ADDRESSES_MAX, Address, PostalAddress},
    },
    runtime::calls::Calls,
    store::document::{Backend, Change, Document, DocumentId, Key, Query, Raw, RawBody, Refused, Spec, Write},
};

/// A document in memory, with its keys.
struct Stored {
    raw: Raw,
    keys: Vec<Option<Key>>,
}

impl Stored {
    fn new(of: &Spec, raw: Raw) -> Self {
        Self { keys: (of.keys_of)(raw.clone()).unwrap(), raw }
    }

    fn user(&self) -> User {
        let RawBody::Json(json) = &self.raw.body else { panic!("no JSON") };
        serde_json::from_slice(json).unwrap()
    }
}

/// An in-memory store that can be made to fail. It answers without waiting, so that tests know the order.
#[derive(Default)]
struct Fake {
    documents: Mutex<HashMap<(&'static str, DocumentId), Stored>>,
    events: Mutex<Vec<Envelope>>,
    reads: AtomicI64,
    /// This many writes panic.
    panics: AtomicI64,
    /// Before this many writes another writer writes.
    rivals: AtomicI64,
}

impl Fake {
    fn user(&self, id: UserId) -> User {
        self.documents.lock()[&(User::SPEC.collection, id.into())].user()
    }

    /// Changes a user without the actors.
    fn change(&self, id: UserId, change: impl FnOnce(&mut User)) {
        let mut documents = self.documents.lock();
        let stored = documents.get_mut(&(User::SPEC.collection, id.into())).unwrap();
        let mut user = stored.user();
        change(&mut user);
        let body = RawBody::Json(serde_json::to_vec(&user).unwrap());
        *stored = Stored::new(User::SPEC, Raw { body, ..stored.raw.clone() });
    }
}

fn finds(of: &Spec, query: &Query, stored: &Stored) -> bool {
    let key = |index| {
        let place = (of.indexes)().iter().position(|of| of.name == index).unwrap();
        stored.keys[place].as_ref().is_some_and(|key| {
            query.from.as_ref().is_none_or(|from| key >= from) && query.to.as_ref().is_none_or(|to| key < to)
        })
    };
    query.index.is_none_or(key)
}

#[async_trait]
impl Backend for Fake {
    async fn get(&self, of: &'static Spec, ids: Vec<DocumentId>) -> Result<Vec<Raw>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let found = {
            let documents = self.documents.lock();
            ids.into_iter().filter_map(|id| Some(documents.get(&(of.collection, id))?.raw.clone())).collect()
        };
        tokio::task::yield_now().await;
        Ok(found)
    }

    async fn find(&self, of: &'static Spec, query: Query) -> Result<Vec<Raw>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let documents = self.documents.lock();
        let of_type = documents.iter().filter(|((collection, _), _)| *collection == of.collection);
        Ok(of_type.filter(|(_, stored)| finds(of, &query, stored)).map(|(_, stored)| stored.raw.clone()).collect())
    }

    async fn count(&self, of: &'static Spec, query: Query) -> Result<u64, StoreError> {
        self.find(of, query).await.map(|found| found.len().try_into().unwrap())
    }

    async fn save(&self, of: &'static Spec, write: Write<'_>) -> Result<u64, Refused> {
        tokio::task::yield_now().await;
        assert!(self.panics.fetch_sub(1, Ordering::SeqCst) <= 0, "in the store, on purpose");
        let mut documents = self.documents.lock();
        let this = (of.collection, write.id.clone());
        if self.rivals.fetch_sub(1, Ordering::SeqCst) > 0
            && let Some(stored) = documents.get_mut(&this)
        {
            stored.raw.version += 1;
        }
        if documents.get(&this).map_or(0, |stored| stored.raw.version) != write.version {
            return Err(Refused::Store(StoreError::Conflict));
        }
        for (place, index) in (of.indexes)().iter().enumerate().filter(|(_, index)| index.unique) {
            let key = write.keys[place].as_ref().unwrap();
            let query = Query { index: Some(index.name), from: Some(key.clone()), to: key.end(), ..Query::default() };
            let of_others = documents.iter().filter(|(other, _)| other.0 == of.collection && **other != this);
            if of_others.into_iter().any(|(_, stored)| finds(of, &query, stored)) {
                return Err(Refused::Duplicate(place));
            }
        }
        let raw = Raw { id: write.id, version: write.version + 1, body: RawBody::Json(write.body.json()?) };
        documents.insert(this, Stored { raw, keys: write.keys });
        self.events.lock().extend_from_slice(write.events);
        Ok(write.version + 1)
    }

    async fn delete(
        &self,
        of: &'static Spec,
        id: DocumentId,
        _: Option<u64>,
        _: &[Envelope],
    ) -> Result<bool, StoreError> {
        Ok(self.documents.lock().remove(&(of.collection, id)).is_some())
    }

    async fn delete_found(&self, of: &'static Spec, query: Query) -> Result<u64, StoreError> {
        let mut documents = self.documents.lock();
        let before = documents.len();
        documents.retain(|(collection, _), stored| *collection != of.collection || !finds(of, &query, stored));
        Ok((before - documents.len()).try_into().unwrap())
    }

    async fn changes(&self, _: &'static Spec, _: u64, _: u32) -> Result<Vec<Change>, StoreError> {
        Ok(vec![])
    }
}

struct World {
    runtime: Runtime,
    store: Arc<Fake>,
    passwords: Passwords,
    accounts: Calls,
}

fn world() -> World {
    let runtime = Runtime::new(2);
    let store = Arc::new(Fake::default());
    let passwords = Passwords::start(2).unwrap();
    let accounts = node(&runtime, &store, &passwords);
    World { runtime, store, passwords, accounts }
}

fn node(runtime: &Runtime, store: &Arc<Fake>, passwords: &Passwords) -> Calls {
    let mut registry = Registry::default();
    let settings = AccountSettings { shared: false, confirms_email: true };
    let tokens = Tokens::new(&[7; 32]);
    start(runtime, &mut registry, AccountStore::new(Arc::<Fake>::clone(store)), passwords.clone(), tokens, settings);
    Calls::local(registry)
}

async fn add(accounts: &Calls, user: UserId, street: usize, is_default: bool) -> Result<Vec<Address>, Failure> {
    accounts.ask(AddAddress { user, postal: postal(street), is_default }).await
}

/// The user who is logged in.
fn whole(logged_in: LoggedIn) -> User {
    match logged_in {
        LoggedIn::User(user) => *user,
        LoggedIn::CodeNeeded { user, .. } => panic!("{user} needs a code"),
    }
}

fn by_email(email: &str, password: impl Into<SecretString>) -> LogIn {
    LogIn { name: LoginName::Email(email.into()), password: password.into(), source: Source::default() }
}

fn jane(email: &str) -> Register {
    let full_name = FullName { first_name: "Jane".into(), last_name: "Doe".into() };
    Register {
        email: email.into(),
        username: None,
        full_name,
        role: Role::User,
        password: "correct horse".into(),
        source: Source::default(),
    }
}

fn postal(street: usize) -> PostalAddress {
    let line = || "x".to_owned();
    PostalAddress {
        street: street.to_string(),
        city: line(),
        state: line(),
        country: line(),
        zip: line(),
        ..PostalAddress::default()
    }
}

const fn refused(reason: AccountRefusal) -> Failure {
    CallError::Refused(reason)
}

#[actix_rt::test]
async fn one_of_twenty_concurrent_registrations_of_an_email_succeeds() {
    let world = world();
    let tries = (0..20).map(|i| world.accounts.ask(jane(if i % 2 == 0 { "Jane@x.io" } else { "jane@X.io" })));
    let answers = join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let exists = Err(refused(AccountRefusal::UserExists));
    assert_eq!(answers.iter().filter(|answer| **answer == exists).count(), 19);
    let user = answers.into_iter().find_map(Result::ok).unwrap();
    assert!(user.password_hash.is_empty());
    let events = world.store.events.lock().clone();
    let [Envelope { event: Event::UserCreated(created), .. }, confirmation] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(confirmation.event.name(), "EMAIL_CONFIRMATION_REQUESTED");
    assert_eq!((created.id, created.username.as_str()), (user.id, user.username.as_str()));
    assert_eq!(world.runtime.shutdown(Duration::from_secs(5)).await, 0);
}

#[actix_rt::test]
async fn derived_usernames_that_collide_get_a_suffix_and_chosen_ones_are_refused() {
    let world = world();
    let emails: Vec<_> = (0..10).map(|i| format!("jane@host{i}.io")).collect();
    let users = join_all(emails.iter().map(|email| world.accounts.ask(jane(email)))).await;
    let names: HashSet<_> = users.into_iter().map(|user| user.unwrap().username).collect();
    assert!(names.len() == 10 && names.contains("jane") && names.iter().all(|name| identity::is_username(name)));
    let chosen = Register { username: Some("JANE".into()), ..jane("other@x.io") };
    assert_eq!(world.accounts.ask(chosen).await, Err(refused(AccountRefusal::UserExists)));
}

#[actix_rt::test]
async fn a_reserved_username_is_refused_and_never_derived() {
    let world = world();
    for name in ["admin", "Support", "r00t", "micro.bazaar"] {
        let chosen = Register { username: Some(name.into()), ..jane("jane@x.io") };
        let Err(CallError::Refused(AccountRefusal::Invalid { field, .. })) = world.accounts.ask(chosen).await else {
            panic!("{name} is accepted")
        };
        assert_eq!(field, "username");
    }
    for email in ["admin@x.io", "support@x.io", "admin@y.io"] {
        let user = world.accounts.ask(jane(email)).await.unwrap();
        assert!(!identity::is_reserved(&user.username) && user.username.starts_with("user-"), "{}", user.username);
    }
    let admin =
        CreateAdmin { email: "a@b.io".into(), username: Some("admin".into()), password: "correct horse".into() };
    assert_eq!(world.accounts.ask(admin).await.unwrap().username, "admin", "the command line may use it");
}

#[actix_rt::test]
async fn registration_refuses_admins_and_invalid_fields() {
    let world = world();
    let cases = [
        Register { role: Role::Admin, ..jane("a@b.cd") },
        Register { role: Role::Service, ..jane("a@b.cd") },
        jane("nonsense"),
        Register { username: Some("é!".into()), ..jane("a@b.cd") },
        Register { password: "short".into(), ..jane("a@b.cd") },
    ];
    for case in cases {
        let answer = world.accounts.ask(case).await;
        assert!(matches!(answer, Err(CallError::Refused(AccountRefusal::Invalid { .. }))), "{answer:?}");
    }
    let create = CreateAdmin { email: "root@x.io".into(), username: None, password: "correct horse".into() };
    let admin = world.accounts.ask(create).await.unwrap();
    assert_eq!((admin.role, admin.username.as_str()), (Role::Admin, "root"));
}

#[actix_rt::test]
async fn an_unknown_user_costs_the_same_as_a_wrong_password() {
    let world = world();
    let user = world.accounts.ask(jane("jane@x.io")).await.unwrap();
    let bad = Err(refused(AccountRefusal::BadCredentials));
    let by_name = |name: &str| LogIn {
        name: LoginName::Username(name.into()),
        password: "correct horse".into(),
        source: Source::default(),
    };
    for (log_in, wanted) in [
        (by_email("JANE@x.io ", "wrong horse"), bad.clone()),
        (by_email("nobody@x.io", "correct horse"), bad.clone()),
        (by_name("nobody"), bad),
        (by_email(" JANE@x.io", "correct horse"), Ok(user.clone())),
        (by_name("Jane"), Ok(user)),
    ] {
        let before = world.passwords.begun();
        assert_eq!(world.accounts.ask(log_in).await.map(whole), wanted);
        assert_eq!(world.passwords.begun(), before + 1);
    }
}

#[actix_rt::test]
async fn logins_beyond_the_queue_are_busy_and_read_nothing() {
    let runtime = Runtime::new(1);
    let store = Arc::new(Fake::default());
    let passwords = Passwords::with_limits(1, 4, Duration::from_secs(1)).unwrap();
    let accounts = node(&runtime, &store, &passwords);
    let (open, release) = std::sync::mpsc::channel::<()>();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let holder = passwords.clone();
    let held = actix_rt::spawn(async move {
        let work = move |_: &mut Vec<_>| {
            begun.send(()).map_err(|()| PasswordError::Failed)?;
            release.recv().map_err(|_| PasswordError::Failed)
        };
        holder.run(Source::default(), work).await
    });
    has_begun.await.unwrap();
    let flood = join_all((0..100).map(|_| accounts.ask(by_email("a@b.cd", "password"))));
    let opens = async {
        // The burst was polled first: four wait and the others have their answers.
        assert_eq!(passwords.waiting(), 4);
        assert_eq!(store.reads.load(Ordering::SeqCst), 4);
        open.send(()).unwrap();
    };
    let (answers, ()) = futures_util::join!(flood, opens);
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Err(CallError::Busy(_)))).count(), 96);
    assert_eq!(held.await.unwrap(), Ok(()));
}

#[actix_rt::test]
async fn twenty_addresses_added_concurrently_on_two_nodes_are_all_stored_once() {
    let world = world();
    let other = node(&world.runtime, &world.store, &world.passwords);
    let id = world.accounts.ask(jane("jane@x.io")).await.unwrap().id;
    let node_of = |i: usize| if i.is_multiple_of(2) { &world.accounts } else { &other };
    let answers = join_all((0..ADDRESSES_MAX).map(|i| add(node_of(i), id, i, false))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let too_many = Err(refused(AccountRefusal::Rule(UserError::TooManyAddresses)));
    assert_eq!(add(&world.accounts, id, 21, true).await, too_many);
    for node in [&world.accounts, &other] {
        let addresses = node.ask(GetAddresses { user: id }).await.unwrap();
        let streets: HashSet<_> = addresses.iter().map(|address| &address.postal.street).collect();
        assert_eq!((streets.len(), addresses.iter().filter(|address| address.is_default).count()), (20, 1));
    }
}

#[actix_rt::test]
async fn a_write_is_retried_a_bounded_number_of_times() {
    let world = world();
    let id = world.accounts.ask(jane("jane@x.io")).await.unwrap().id;
    world.store.rivals.store(10, Ordering::SeqCst);
    assert_eq!(add(&world.accounts, id, 1, false).await.unwrap().len(), 1);
    world.store.rivals.store(1_000, Ordering::SeqCst);
    let conflict = Err(CallError::Conflict);
    assert_eq!(add(&world.accounts, id, 2, false).await, conflict);
}

#[actix_rt::test]
async fn a_user_is_read_once_and_returned_as_written() {
    let world = world();
    let id = world.accounts.ask(jane("jane@x.io")).await.unwrap().id;
    let added = add(&world.accounts, id, 1, false).await.unwrap();
    let reads = world.store.reads.load(Ordering::SeqCst);
    assert_eq!(world.accounts.ask(GetUser { user: id }).await.unwrap().unwrap().addresses, added);
    assert_eq!(world.store.reads.load(Ordering::SeqCst), reads);
    assert_eq!(world.accounts.ask(RemoveAddress { user: id, address: added[0].id }).await, Ok(vec![]));
    let gone = Err(refused(AccountRefusal::Rule(UserError::NoSuchAddress)));
    assert_eq!(world.accounts.ask(RemoveAddress { user: id, address: added[0].id }).await, gone);
    assert!(world.accounts.ask(GetUser { user: id }).await.unwrap().unwrap().addresses.is_empty());
    assert_eq!(world.accounts.ask(GetUser { user: UserId::generate() }).await, Ok(None));
    let nobody = add(&world.accounts, UserId::generate(), 1, false).await;
    assert_eq!(nobody, Err(refused(AccountRefusal::NoSuchUser)));
}

#[actix_rt::test]
async fn a_panic_in_the_store_is_a_typed_error_and_later_calls_succeed() {
    let world = world();
    let id = world.accounts.ask(jane("jane@x.io")).await.unwrap().id;
    world.store.panics.store(1, Ordering::SeqCst);
    assert_eq!(add(&world.accounts, id, 1, false).await, Err(CallError::OutcomeUnknown("auth".into())));
    assert_eq!(add(&world.accounts, id, 2, false).await.unwrap().len(), 1);
    assert_eq!(world.runtime.snapshot()[0].alive, 2);
    assert_eq!(world.runtime.shutdown(Duration::from_secs(5)).await, 0);
}

#[actix_rt::test]
async fn other_services_get_contacts_and_addresses() {
    let world = world();
    let id = world.accounts.ask(jane("jane@x.io")).await.unwrap().id;
    let added = add(&world.accounts, id, 1, false).await.unwrap();
    add(&world.accounts, id, 2, true).await.unwrap();
    let contact = async |user| world.accounts.ask(GetContact { user }).await;
    let address = async |address| world.accounts.ask(GetAddress { user: id, address }).await;
    assert_eq!(contact(id).await.unwrap().unwrap().email, "jane@x.io");
    assert_eq!(address(None).await, Ok(Some(postal(2))));
    assert_eq!(address(Some(added[0].id)).await, Ok(Some(postal(1))));
    assert_eq!(address(Some(AddressId::generate())).await, Ok(None));
    assert_eq!(contact(UserId::generate()).await, Ok(None));
}

#[actix_rt::test]
async fn revoked_tokens_are_kept_until_they_would_expire() {
    let world = world();
    let at = |second| Timestamp::from_second(second).unwrap();
    for (jti, expires_at) in [("early", at(10)), ("late", at(20))] {
        world.accounts.ask(RevokeToken { jti: jti.to_owned(), expires_at }).await.unwrap();
    }
    let store = AccountStore::new(world.store.clone());
    assert_eq!(store.dead_tokens(at(15)).await, Ok(vec![("late".to_owned(), at(20))]));
}

#[actix_rt::test]
async fn a_hash_of_another_form_is_replaced_at_login() {
    let world = world();
    let [composed, decomposed] = ["Ünïcödé pass", "U\u{308}ni\u{308}co\u{308}de\u{301} pass"].map(SecretString::from);
    let user = world.accounts.ask(jane("jane@x.io")).await.unwrap();
    let before = decomposed.clone();
    let hash = world.passwords.run(Source::default(), move |memory| passwords::hash(&before, memory)).await.unwrap();
    world.store.change(user.id, |user| user.password_hash.clone_from(&hash));
    let stored = || world.store.user(user.id).password_hash;
    let login =
        async |password: &SecretString| world.accounts.ask(by_email("jane@x.io", password.clone())).await.map(whole);
    let bad = Err(refused(AccountRefusal::BadCredentials));
    assert_eq!(login(&SecretString::from("Unicode pass")).await, bad);
    assert_eq!(stored(), hash);
    assert_eq!(login(&decomposed).await.map(|user| user.id), Ok(user.id));
    let replaced = stored();
    assert_ne!(replaced, hash);
    for password in [&composed, &decomposed] {
        assert_eq!(login(password).await.map(|user| user.id), Ok(user.id));
    }
    assert_eq!(stored(), replaced, "it is replaced once");
}

#[actix_rt::test]
async fn a_user_without_an_email_address_logs_in_by_name_and_sets_another_address() {
    let world = world();
    let older = world.accounts.ask(jane("jane@x.io")).await.unwrap();
    let other = world.accounts.ask(jane("jane2@x.io")).await.unwrap();
    let right = || SecretString::from("correct horse");
    let replace = async |email: &str, password| {
        world
            .accounts
            .ask(ReplaceEmail { user: other.id, email: email.into(), password, source: Source::default() })
            .await
    };
    assert_eq!(replace("new@x.io", right()).await, Err(refused(AccountRefusal::Rule(UserError::EmailKept))));
    world.store.change(other.id, |user| user.leave_email_to(older.id));

    let bad = Err(refused(AccountRefusal::BadCredentials));
    assert_eq!(world.accounts.ask(by_email("jane2@x.io", right())).await.map(whole), bad);
    let log_in =
        LogIn { name: LoginName::Username(other.username.clone()), password: right(), source: Source::default() };
    let by_name = whole(world.accounts.ask(log_in).await.unwrap());
    assert_eq!((by_name.id, by_name.email_taken_by), (other.id, Some(older.id)));
    assert_eq!(replace("new@x.io", "wrong horse".into()).await, bad);
    assert_eq!(replace("JANE@x.io", right()).await, Err(refused(AccountRefusal::UserExists)));
    let answer = replace("new\u{200B}@x.io", right()).await;
    assert_eq!(answer, Err(invalid("email", "must be an e-mail address")));
    assert_eq!(replace("New@x.io", right()).await.map(|user| user.email), Ok("New@x.io".to_owned()));
    let by_email = whole(world.accounts.ask(by_email("new@x.io", right())).await.unwrap());
    assert_eq!((by_email.id, by_email.email_taken_by), (other.id, None));
}
