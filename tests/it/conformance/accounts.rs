//! Users and dead tokens.

use futures_util::future::join_all;
use jiff::SignedDuration;
use microbazaar::{
    domain::{
        Timestamp,
        user::{Role, User},
    },
    store::{
        StoreError, Stores,
        accounts::{UserKey, block_key},
        document::SaveError,
    },
};

use super::make;

const CONFLICT: Result<u64, SaveError<UserKey>> = Err(SaveError::Store(StoreError::Conflict));

pub async fn a_user_is_found_by_id_email_and_name(stores: &Stores) {
    let user = make::user("Ana@Example.com ", "Ana");
    assert_eq!(stores.accounts.save(&user, &[]).await, Ok(1));
    let stored = User { version: 1, ..user.clone() };
    assert_eq!(stores.accounts.get(user.id).await, Ok(Some(stored.clone())));
    assert_eq!(stores.accounts.by_email("ana@example.com").await, Ok(Some(stored.clone())));
    assert_eq!(stores.accounts.by_username("ana").await, Ok(Some(stored)));
    assert_eq!(stores.accounts.by_email("Ana@Example.com").await, Ok(None), "only the folded form is looked up");
}

pub async fn users_of_a_role_are_found(stores: &Stores) {
    let admin = |n: u32| User { role: Role::Admin, ..make::user(&format!("a{n}@x.com"), &format!("a{n}")) };
    let admins = [admin(0), admin(1), admin(2)];
    for user in admins.iter().chain([&make::user("ana@x.com", "ana")]) {
        stores.accounts.save(user, &[]).await.unwrap();
    }
    let found = async |role, limit| {
        let found = stores.accounts.of_role(role, limit).await.unwrap();
        found.into_iter().map(|user| user.id).collect::<Vec<_>>()
    };
    assert_eq!(found(Role::Admin, 10).await, admins.each_ref().map(|user| user.id));
    assert_eq!(found(Role::Admin, 2).await, [admins[0].id, admins[1].id]);
    assert_eq!(found(Role::Seller, 10).await, []);
    let mut demoted = stores.accounts.get(admins[0].id).await.unwrap().unwrap();
    demoted.role = Role::Seller;
    stores.accounts.save(&demoted, &[]).await.unwrap();
    assert_eq!(found(Role::Seller, 10).await, [demoted.id]);
    assert_eq!(found(Role::Admin, 10).await, [admins[1].id, admins[2].id]);
}

pub async fn a_stale_user_is_a_conflict(stores: &Stores) {
    let user = make::user("a@example.com", "aaa");
    stores.accounts.save(&user, &[]).await.unwrap();
    assert_eq!(stores.accounts.save(&user, &[]).await, CONFLICT, "a second first write");
    let read = stores.accounts.get(user.id).await.unwrap().unwrap();
    assert_eq!(stores.accounts.save(&read, &[]).await, Ok(2));
    assert_eq!(stores.accounts.save(&read, &[]).await, CONFLICT);
    let never = User { version: 3, ..make::user("b@example.com", "bbb") };
    assert_eq!(stores.accounts.save(&never, &[]).await, CONFLICT, "never stored");
}

pub async fn one_of_many_registrations_of_an_email_wins(stores: &Stores) {
    let users: Vec<_> =
        (0..20).map(|n| make::user(if n % 2 == 0 { "A@x.com" } else { "a@X.com" }, &format!("u{n}"))).collect();
    let results = join_all(users.iter().map(|user| stores.accounts.save(user, &[]))).await;
    assert_eq!(results.iter().filter(|result| **result == Ok(1)).count(), 1);
    assert_eq!(results.iter().filter(|result| **result == Err(SaveError::Duplicate(UserKey::Email))).count(), 19);
}

pub async fn a_name_can_be_changed_but_not_to_a_taken_one(stores: &Stores) {
    let (first, mut second) = (make::user("a@x.com", "first"), make::user("b@x.com", "second"));
    stores.accounts.save(&first, &[]).await.unwrap();
    second.version = stores.accounts.save(&second, &[]).await.unwrap();
    second.username = "FIRST".into();
    assert_eq!(stores.accounts.save(&second, &[]).await, Err(SaveError::Duplicate(UserKey::Username)));
    second.username = "third".into();
    assert_eq!(stores.accounts.save(&second, &[]).await, Ok(2));
    assert_eq!(stores.accounts.by_username("second").await, Ok(None), "the old name is free");
}

pub async fn a_refused_user_leaves_no_event(stores: &Stores) {
    let user = make::user("a@x.com", "first");
    stores.accounts.save(&user, &[make::event(1)]).await.unwrap();
    let twin = make::user("a@x.com", "twin");
    assert!(stores.accounts.save(&twin, &[make::event(2)]).await.is_err());
    assert_eq!(stores.outbox.depth().await, Ok(1));
}

pub async fn dead_tokens_are_forgotten_when_they_expire(stores: &Stores) {
    stores.accounts.kill_token("short", make::at(10)).await.unwrap();
    stores.accounts.kill_token("long", make::at(20)).await.unwrap();
    stores.accounts.kill_token("long", make::at(20)).await.unwrap();
    let mut dead = stores.accounts.dead_tokens(make::at(9)).await.unwrap();
    dead.sort();
    assert_eq!(dead, [("long".to_owned(), make::at(20)), ("short".to_owned(), make::at(10))]);
    assert_eq!(stores.accounts.dead_tokens(make::at(10)).await.unwrap(), [("long".to_owned(), make::at(20))]);
    assert_eq!(stores.accounts.dead_tokens(make::at(0)).await.unwrap().len(), 1, "forgotten for good");
}

pub async fn a_token_is_dead_once_it_is_killed(stores: &Stores) {
    let began = Timestamp::now();
    let tomorrow = began + SignedDuration::from_hours(24);
    assert_eq!(stores.accounts.is_dead("one").await, Ok(false));
    assert_eq!(stores.accounts.killed_since(began).await, Ok(vec![]));
    for jti in ["one", "two", "one"] {
        stores.accounts.kill_token(jti, tomorrow).await.unwrap();
    }
    for (jti, dead) in [("one", true), ("two", true), ("three", false), ("", false), ("$ne", false)] {
        assert_eq!(stores.accounts.is_dead(jti).await, Ok(dead), "{jti}");
    }
    // Times may be stored with millisecond precision.
    let mut killed = stores.accounts.killed_since(began - SignedDuration::from_secs(1)).await.unwrap();
    killed.sort();
    assert_eq!(killed.iter().map(|(jti, _)| jti.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert!(killed.iter().all(|(_, end)| *end >= tomorrow - SignedDuration::from_secs(1)));
}

pub async fn blocked_users_are_listed(stores: &Stores) {
    let later = Timestamp::now() + SignedDuration::from_hours(1);
    let (ana, ben) = (make::user("ana@x.com", "ana"), make::user("ben@x.com", "ben"));
    for key in ["a token", "users", "user", "user;", &block_key(&ana.id.to_hex()), &block_key(&ben.id.to_hex())] {
        stores.accounts.kill_token(key, later).await.unwrap();
    }
    let blocked = async || {
        let mut blocked = stores.accounts.blocked_users().await.unwrap();
        blocked.sort_unstable();
        blocked
    };
    assert_eq!(blocked().await, [ana.id, ben.id]);
    stores.accounts.revive_token(&block_key(&ana.id.to_hex())).await.unwrap();
    assert_eq!(blocked().await, [ben.id]);
}
