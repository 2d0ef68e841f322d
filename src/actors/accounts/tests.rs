//! Registration races, logins, addresses under contention, a store that panics.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use futures_util::future::join_all;
use parking_lot::Mutex;

use super::*;
use crate::{
    domain::{
        event::{Envelope, Event},
        user::{ADDRESSES_MAX, UserError},
    },
    peers,
};

/// A store in memory that can be made to fail.
#[derive(Default)]
struct Fake {
    users: Mutex<HashMap<UserId, User>>,
    events: Mutex<Vec<Envelope>>,
    dead: Mutex<Vec<(String, Timestamp)>>,
    reads: AtomicI64,
    /// So many writes panic.
    panics: AtomicI64,
    /// Before so many writes somebody else writes.
    rivals: AtomicI64,
}

impl Fake {
    fn find(&self, wanted: impl Fn(&User) -> bool) -> Option<User> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.users.lock().values().find(|user| wanted(user)).cloned()
    }
}

#[async_trait]
impl AccountStore for Fake {
    async fn save(&self, user: &User, events: &[Envelope]) -> Result<u64, StoreError> {
        tokio::task::yield_now().await;
        assert!(self.panics.fetch_sub(1, Ordering::SeqCst) <= 0, "in the store, on purpose");
        let mut users = self.users.lock();
        if self.rivals.fetch_sub(1, Ordering::SeqCst) > 0
            && let Some(stored) = users.get_mut(&user.id)
        {
            stored.version += 1;
        }
        if users.get(&user.id).map_or(0, |stored| stored.version) != user.version {
            return Err(StoreError::Conflict);
        }
        for other in users.values().filter(|other| other.id != user.id) {
            if identity::username_key(&other.username) == identity::username_key(&user.username) {
                return Err(StoreError::Duplicate("username"));
            }
            if other.email_key() == user.email_key() {
                return Err(StoreError::Duplicate("email"));
            }
        }
        let version = user.version + 1;
        users.insert(user.id, User { version, ..user.clone() });
        self.events.lock().extend_from_slice(events);
        Ok(version)
    }

    async fn get(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let found = self.find(|user| user.id == id);
        tokio::task::yield_now().await;
        Ok(found)
    }

    async fn by_email(&self, folded: &str) -> Result<Option<User>, StoreError> {
        Ok(self.find(|user| user.email_key() == folded))
    }

    async fn by_username(&self, folded: &str) -> Result<Option<User>, StoreError> {
        Ok(self.find(|user| identity::username_key(&user.username) == folded))
    }

    async fn of_role(&self, role: Role, limit: u32) -> Result<Vec<User>, StoreError> {
        Ok(self.find(|user| user.role == role && limit > 0).into_iter().collect())
    }

    async fn kill_token(&self, jti: &str, expires_at: Timestamp) -> Result<(), StoreError> {
        self.dead.lock().push((jti.to_owned(), expires_at));
        Ok(())
    }

    async fn dead_tokens(&self, now: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        self.dead.lock().retain(|(_, expires_at)| *expires_at > now);
        Ok(self.dead.lock().clone())
    }

    async fn is_dead(&self, jti: &str) -> Result<bool, StoreError> {
        Ok(self.dead.lock().iter().any(|(dead, _)| dead == jti))
    }

    async fn blocked_users(&self) -> Result<Vec<UserId>, StoreError> {
        Ok(vec![])
    }

    async fn killed_since(&self, _since: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        Ok(self.dead.lock().clone())
    }
}

struct World {
    runtime: Runtime,
    store: Arc<Fake>,
    passwords: Passwords,
    accounts: Accounts,
}

fn world() -> World {
    let runtime = Runtime::new(2);
    let store = Arc::new(Fake::default());
    let passwords = Passwords::start(2).unwrap();
    let accounts = node(&runtime, &store, &passwords);
    World { runtime, store, passwords, accounts }
}

fn node(runtime: &Runtime, store: &Arc<Fake>, passwords: &Passwords) -> Accounts {
    let store: Arc<dyn AccountStore> = Arc::<Fake>::clone(store);
    Accounts::start(runtime, store, passwords.clone(), false)
}

fn jane(email: &str) -> NewAccount {
    let full_name = FullName { first_name: "Jane".into(), last_name: "Doe".into() };
    NewAccount { email: email.into(), username: None, full_name, role: Role::User, password: "correct horse".into() }
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

const fn refused(error: AccountError) -> Failure {
    AskError::Refused(error)
}

#[actix_rt::test]
async fn of_twenty_registrations_of_one_email_one_wins() {
    let world = world();
    let tries = (0..20).map(|i| world.accounts.register(jane(if i % 2 == 0 { "Jane@x.io" } else { "jane@X.io" })));
    let answers = join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let exists = Err(refused(AccountError::UserExists));
    assert_eq!(answers.iter().filter(|answer| **answer == exists).count(), 19);
    let user = answers.into_iter().find_map(Result::ok).unwrap();
    assert!(user.password_hash.is_empty());
    let events = world.store.events.lock().clone();
    let [Envelope { event: Event::UserCreated(told), .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((told.id, told.username.as_str()), (user.id, user.username.as_str()));
    assert_eq!(world.runtime.shutdown(Duration::from_secs(5)).await, 0);
}

#[actix_rt::test]
async fn usernames_from_emails_that_collide_are_told_apart_and_chosen_ones_are_not() {
    let world = world();
    let emails: Vec<_> = (0..10).map(|i| format!("jane@host{i}.io")).collect();
    let users = join_all(emails.iter().map(|email| world.accounts.register(jane(email)))).await;
    let names: HashSet<_> = users.into_iter().map(|user| user.unwrap().username).collect();
    assert!(names.len() == 10 && names.contains("jane") && names.iter().all(|name| identity::is_username(name)));
    let chosen = NewAccount { username: Some("JANE".into()), ..jane("other@x.io") };
    assert_eq!(world.accounts.register(chosen).await, Err(refused(AccountError::UserExists)));
}

#[actix_rt::test]
async fn nobody_registers_as_an_admin_or_with_nonsense() {
    let world = world();
    let cases = [
        NewAccount { role: Role::Admin, ..jane("a@b.cd") },
        NewAccount { role: Role::Service, ..jane("a@b.cd") },
        jane("nonsense"),
        NewAccount { username: Some("é!".into()), ..jane("a@b.cd") },
        NewAccount { password: "short".into(), ..jane("a@b.cd") },
    ];
    for case in cases {
        let answer = world.accounts.register(case).await;
        assert!(matches!(answer, Err(AskError::Refused(AccountError::Invalid { .. }))), "{answer:?}");
    }
    let admin = world.accounts.create_admin("root@x.io".into(), None, "correct horse".into()).await.unwrap();
    assert_eq!((admin.role, admin.username.as_str()), (Role::Admin, "root"));
}

#[actix_rt::test]
async fn an_unknown_user_costs_what_a_wrong_password_costs() {
    let world = world();
    let user = world.accounts.register(jane("jane@x.io")).await.unwrap();
    let bad = Err(refused(AccountError::BadCredentials));
    let by_email = |email: &str| LoginName::Email(email.into());
    for (name, password, wanted) in [
        (by_email("JANE@x.io "), "wrong horse", bad.clone()),
        (by_email("nobody@x.io"), "correct horse", bad.clone()),
        (LoginName::Username("nobody".into()), "correct horse", bad),
        (by_email(" JANE@x.io"), "correct horse", Ok(user.clone())),
        (LoginName::Username("Jane".into()), "correct horse", Ok(user)),
    ] {
        let before = world.passwords.begun();
        assert_eq!(world.accounts.login(name, password.into()).await, wanted);
        assert_eq!(world.passwords.begun(), before + 1);
    }
}

#[actix_rt::test]
async fn a_flood_of_logins_is_busy_beyond_the_queue_and_reads_nothing_then() {
    let runtime = Runtime::new(1);
    let store = Arc::new(Fake::default());
    let passwords = Passwords::with_limits(1, 4, Duration::from_secs(1)).unwrap();
    let accounts = node(&runtime, &store, &passwords);
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let holder = passwords.clone();
    let held = actix_rt::spawn(async move {
        let work = move |_: &mut Vec<_>| {
            begun.send(()).map_err(|()| PasswordError::Failed)?;
            gate.recv().map_err(|_| PasswordError::Failed)
        };
        holder.run(work).await
    });
    has_begun.await.unwrap();
    let flood = join_all((0..100).map(|_| accounts.login(LoginName::Email("a@b.cd".into()), "password".into())));
    let opens = async {
        // The flood was polled first: four wait and the others have their answers.
        assert_eq!(passwords.waiting(), 4);
        assert_eq!(store.reads.load(Ordering::SeqCst), 4);
        open.send(()).unwrap();
    };
    let (answers, ()) = futures_util::join!(flood, opens);
    assert_eq!(answers.iter().filter(|answer| **answer == Err(AskError::Busy)).count(), 96);
    assert_eq!(held.await.unwrap(), Ok(()));
}

#[actix_rt::test]
async fn twenty_addresses_added_at_once_on_two_nodes_are_all_there_and_no_more() {
    let world = world();
    let other = node(&world.runtime, &world.store, &world.passwords);
    let id = world.accounts.register(jane("jane@x.io")).await.unwrap().id;
    let add = |i: usize| if i.is_multiple_of(2) { &world.accounts } else { &other }.add_address(id, postal(i), false);
    let answers = join_all((0..ADDRESSES_MAX).map(add)).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let too_many = Err(refused(AccountError::Rule(UserError::TooManyAddresses)));
    assert_eq!(world.accounts.add_address(id, postal(21), true).await, too_many);
    for node in [&world.accounts, &other] {
        let addresses = node.addresses(id).await.unwrap();
        let streets: HashSet<_> = addresses.iter().map(|address| &address.postal.street).collect();
        assert_eq!((streets.len(), addresses.iter().filter(|address| address.is_default).count()), (20, 1));
    }
}

#[actix_rt::test]
async fn a_write_is_tried_again_but_not_for_ever() {
    let world = world();
    let id = world.accounts.register(jane("jane@x.io")).await.unwrap().id;
    world.store.rivals.store(10, Ordering::SeqCst);
    assert_eq!(world.accounts.add_address(id, postal(1), false).await.unwrap().len(), 1);
    world.store.rivals.store(1_000, Ordering::SeqCst);
    let conflict = Err(refused(AccountError::Store(StoreError::Conflict)));
    assert_eq!(world.accounts.add_address(id, postal(2), false).await, conflict);
}

#[actix_rt::test]
async fn a_user_is_read_once_and_as_written() {
    let world = world();
    let id = world.accounts.register(jane("jane@x.io")).await.unwrap().id;
    let added = world.accounts.add_address(id, postal(1), false).await.unwrap();
    let reads = world.store.reads.load(Ordering::SeqCst);
    assert_eq!(world.accounts.user(id).await.unwrap().unwrap().addresses, added);
    assert_eq!(world.store.reads.load(Ordering::SeqCst), reads);
    assert_eq!(world.accounts.remove_address(id, added[0].id).await, Ok(vec![]));
    let gone = Err(refused(AccountError::Rule(UserError::NoSuchAddress)));
    assert_eq!(world.accounts.remove_address(id, added[0].id).await, gone);
    assert!(world.accounts.user(id).await.unwrap().unwrap().addresses.is_empty());
    assert_eq!(world.accounts.user(UserId::generate()).await, Ok(None));
    let nobody = world.accounts.add_address(UserId::generate(), postal(1), false).await;
    assert_eq!(nobody, Err(refused(AccountError::NoSuchUser)));
}

#[actix_rt::test]
async fn a_panic_in_the_store_is_a_typed_error_and_the_next_call_is_served() {
    let world = world();
    let id = world.accounts.register(jane("jane@x.io")).await.unwrap().id;
    world.store.panics.store(1, Ordering::SeqCst);
    assert_eq!(world.accounts.add_address(id, postal(1), false).await, Err(AskError::Died));
    assert_eq!(world.accounts.add_address(id, postal(2), false).await.unwrap().len(), 1);
    let accounts = &world.runtime.snapshot()[0];
    assert_eq!((accounts.restarts, accounts.alive), (1, 2));
    assert_eq!(world.runtime.shutdown(Duration::from_secs(5)).await, 0);
}

#[actix_rt::test]
async fn other_services_get_contacts_and_addresses() {
    let world = world();
    let id = world.accounts.register(jane("jane@x.io")).await.unwrap().id;
    let added = world.accounts.add_address(id, postal(1), false).await.unwrap();
    world.accounts.add_address(id, postal(2), true).await.unwrap();
    let peer: &dyn peers::Accounts = &world.accounts;
    assert_eq!(peer.contact(id).await.unwrap().unwrap().email, "jane@x.io");
    assert_eq!(peer.address(id, None).await, Ok(Some(postal(2))));
    assert_eq!(peer.address(id, Some(added[0].id)).await, Ok(Some(postal(1))));
    assert_eq!(peer.address(id, Some(AddressId::generate())).await, Ok(None));
    assert_eq!(peer.contact(UserId::generate()).await, Ok(None));
}

#[actix_rt::test]
async fn dead_tokens_are_kept_until_they_would_expire() {
    let world = world();
    let at = |second| Timestamp::from_second(second).unwrap();
    world.accounts.kill_token("early", at(10)).await.unwrap();
    world.accounts.kill_token("late", at(20)).await.unwrap();
    assert_eq!(world.accounts.dead_tokens(at(15)).await, Ok(vec![("late".to_owned(), at(20))]));
}

#[actix_rt::test]
async fn a_hash_of_another_form_is_replaced_when_the_password_is_typed() {
    let world = world();
    let [composed, decomposed] = ["Ünïcödé pass", "U\u{308}ni\u{308}co\u{308}de\u{301} pass"].map(SecretString::from);
    let user = world.accounts.register(jane("jane@x.io")).await.unwrap();
    let before = decomposed.clone();
    let hash = world.passwords.run(move |memory| passwords::hash(&before, memory)).await.unwrap();
    world.store.users.lock().get_mut(&user.id).unwrap().password_hash.clone_from(&hash);
    let stored = || world.store.users.lock()[&user.id].password_hash.clone();
    let login = async |password: &SecretString| {
        world.accounts.login(LoginName::Email("jane@x.io".into()), password.clone()).await
    };
    let bad = Err(refused(AccountError::BadCredentials));
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
async fn who_left_the_address_to_an_older_account_logs_in_by_name_and_takes_another() {
    let world = world();
    let older = world.accounts.register(jane("jane@x.io")).await.unwrap();
    let other = world.accounts.register(jane("jane2@x.io")).await.unwrap();
    let right = || SecretString::from("correct horse");
    let replace = async |email: &str, password| world.accounts.replace_email(other.id, email.into(), password).await;
    assert_eq!(replace("new@x.io", right()).await, Err(refused(AccountError::Rule(UserError::EmailKept))));
    world.store.users.lock().get_mut(&other.id).unwrap().leave_email_to(older.id);

    let bad = Err(refused(AccountError::BadCredentials));
    assert_eq!(world.accounts.login(LoginName::Email("jane2@x.io".into()), right()).await, bad);
    let by_name = world.accounts.login(LoginName::Username(other.username.clone()), right()).await.unwrap();
    assert_eq!((by_name.id, by_name.email_taken_by), (other.id, Some(older.id)));
    assert_eq!(replace("new@x.io", "wrong horse".into()).await, bad);
    assert_eq!(replace("JANE@x.io", right()).await, Err(refused(AccountError::UserExists)));
    let answer = replace("new\u{200B}@x.io", right()).await;
    assert!(matches!(answer, Err(AskError::Refused(AccountError::Invalid { field: "email", .. }))), "{answer:?}");
    assert_eq!(replace("New@x.io", right()).await.map(|user| user.email), Ok("New@x.io".to_owned()));
    let by_email = world.accounts.login(LoginName::Email("new@x.io".into()), right()).await.unwrap();
    assert_eq!((by_email.id, by_email.email_taken_by), (other.id, None));
}
