//! Conversations, and their token counts.

use futures_util::future::join_all;
use microbazaar::{
    domain::{
        conversation::{Conversation, Line, Speaker},
        ids::{ConversationId, ProductId, UserId},
    },
    store::{StoreError, Stores},
};

use super::make;

fn conversation(user: UserId, said_at: i64) -> Conversation {
    let mut talk = Conversation::new(ConversationId::generate(), user, make::at(said_at));
    let text = "a \"lamp\" \u{1F4A1}, {\"$gt\": 1}".to_owned();
    talk.say(Line { by: Speaker::User, text, products: vec![], at: make::at(said_at) });
    let products = vec![ProductId::generate(), ProductId::generate()];
    talk.known.note(&products);
    talk.known.current = products.first().copied();
    talk.say(Line { by: Speaker::Assistant, text: "Here.".into(), products, at: make::at(said_at) });
    talk
}

pub async fn a_conversation_is_kept_with_its_version(stores: &Stores) {
    let mut talk = conversation(UserId::generate(), 0);
    assert_eq!(stores.conversations.get(talk.id).await, Ok(None));
    assert_eq!(stores.conversations.owner_of(talk.id).await, Ok(None));
    for version in 1..=3 {
        talk.version = stores.conversations.save(&talk).await.unwrap();
        assert_eq!(talk.version, version);
        assert_eq!(stores.conversations.get(talk.id).await, Ok(Some(talk.clone())));
        talk.say(Line { by: Speaker::User, text: "more".into(), products: vec![], at: make::at(9) });
    }
    assert_eq!(stores.conversations.owner_of(talk.id).await, Ok(Some(talk.user)));
    let stale = Conversation { version: 1, ..talk.clone() };
    assert_eq!(stores.conversations.save(&stale).await, Err(StoreError::Conflict));
    let second = Conversation { version: 0, ..talk.clone() };
    assert_eq!(stores.conversations.save(&second).await, Err(StoreError::Conflict));
    let taken = Conversation { user: UserId::generate(), ..talk };
    assert_eq!(stores.conversations.save(&taken).await, Err(StoreError::Conflict), "another user's");
}

pub async fn a_user_pages_through_her_conversations(stores: &Stores) {
    let (user, other) = (UserId::generate(), UserId::generate());
    assert_eq!(stores.conversations.newest(user).await, Ok(None));
    let all: Vec<Conversation> = [5, 1, 9, 3].map(|said_at| conversation(user, said_at)).into();
    for talk in all.iter().chain([&conversation(other, 99)]) {
        stores.conversations.save(talk).await.unwrap();
    }
    assert_eq!(stores.conversations.newest(user).await, Ok(Some(all[2].id)));
    let page = stores.conversations.of_user(user, 0, 10).await.unwrap();
    assert_eq!(page.total, 4);
    assert_eq!(page.rows, [2, 0, 3, 1].map(|at: usize| all[at].summary()));
    let page = stores.conversations.of_user(user, 3, 10).await.unwrap();
    assert_eq!((page.rows, page.total), (vec![all[1].summary()], 4));
    assert!(stores.conversations.of_user(user, 4, 10).await.unwrap().rows.is_empty());
    assert_eq!(stores.conversations.keep_newest(user, 3).await, Ok(1));
    assert_eq!(stores.conversations.keep_newest(user, 3).await, Ok(0));
    assert_eq!(stores.conversations.get(all[1].id).await, Ok(None), "the oldest");
    assert_eq!(stores.conversations.of_user(other, 0, 10).await.unwrap().total, 1);
}

pub async fn a_deleted_conversation_stays_deleted(stores: &Stores) {
    let mut talk = conversation(UserId::generate(), 0);
    talk.version = stores.conversations.save(&talk).await.unwrap();
    assert_eq!(stores.conversations.delete(UserId::generate(), talk.id).await, Ok(false), "somebody else's");
    assert_eq!(stores.conversations.delete(talk.user, talk.id).await, Ok(true));
    assert_eq!(stores.conversations.delete(talk.user, talk.id).await, Ok(false));
    assert_eq!(stores.conversations.save(&talk).await, Err(StoreError::Conflict));
    assert_eq!(stores.conversations.get(talk.id).await, Ok(None));
}

pub async fn old_conversations_expire_some_at_a_time(stores: &Stores) {
    let user = UserId::generate();
    for said_at in 0..6 {
        stores.conversations.save(&conversation(user, said_at)).await.unwrap();
    }
    let before = make::at(5);
    assert_eq!(stores.conversations.expire(before, 3).await, Ok(3));
    assert_eq!(stores.conversations.expire(before, 3).await, Ok(2));
    assert_eq!(stores.conversations.expire(before, 3).await, Ok(0));
    assert_eq!(stores.conversations.of_user(user, 0, 10).await.unwrap().total, 1);
}

pub async fn what_was_spent_adds_up_by_user_and_day(stores: &Stores) {
    let (user, other) = (UserId::generate(), UserId::generate());
    assert_eq!(stores.conversations.spent(user, 20_000).await, Ok(0));
    let spends = join_all((0..20).map(|_| stores.conversations.spend(user, 20_000, 7))).await;
    assert!(spends.iter().all(Result::is_ok), "{spends:?}");
    stores.conversations.spend(user, 20_001, 5).await.unwrap();
    stores.conversations.spend(other, 20_000, 1).await.unwrap();
    assert_eq!(stores.conversations.spent(user, 20_000).await, Ok(140));
    assert_eq!(stores.conversations.spent(user, 20_001).await, Ok(5));
    assert_eq!(stores.conversations.forget_spent(20_001, 1).await, Ok(1));
    assert_eq!(stores.conversations.forget_spent(20_001, 10).await, Ok(1));
    assert_eq!(stores.conversations.spent(user, 20_000).await, Ok(0));
    assert_eq!(stores.conversations.spent(user, 20_001).await, Ok(5));
}
