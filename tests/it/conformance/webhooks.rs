//! Webhooks and their deliveries.

use futures_util::future::join_all;
use jiff::SignedDuration;
use microbazaar::{
    domain::{
        Timestamp,
        ids::{EventId, UserId, WebhookDeliveryId, WebhookId},
        user::Role,
        webhook::{Attempt, DeliveryState, SwitchedOff, Webhook, WebhookDelivery, WebhookSecret},
    },
    store::{
        StoreError, Stores,
        webhooks::{ClaimLimits, Claimed, Enqueued, Health, WebhookStats},
    },
};

use super::make;

const LIMITS: ClaimLimits = ClaimLimits { all: 100, per_webhook: 2, per_owner: 8 };
const BAD: Health = Health::Bad { switch_off_after: 3 };
const PAUSES: [std::time::Duration; 1] = [std::time::Duration::from_secs(10)];

fn webhook(owner: UserId, role: Role) -> Webhook {
    Webhook {
        id: WebhookId::generate(),
        owner,
        role,
        url: "https://seller.example/hook".into(),
        events: vec!["order.*".into()],
        description: Some("\"quoted\" \u{1F6D2}".into()),
        secret: WebhookSecret("whsec_AAAA".into()),
        old_secret: None,
        off: None,
        consecutive_failures: 0,
        created_at: make::at(0),
        updated_at: make::at(0),
        version: 1,
    }
}

async fn seller(stores: &Stores) -> Webhook {
    let made = webhook(UserId::generate(), Role::Seller);
    assert_eq!(stores.webhooks.insert(&made, 20).await, Ok(true));
    made
}

fn delivery(webhook: &Webhook, second: i64) -> WebhookDelivery {
    let (id, event) = (WebhookDeliveryId::generate(), EventId::generate());
    WebhookDelivery::new(id, webhook.id, event, "order.created".into(), "{\"a\":1}".into(), make::at(second))
}

async fn put(stores: &Stores, webhook: &Webhook, seconds: std::ops::Range<i64>) -> Vec<WebhookDelivery> {
    let made: Vec<_> = seconds.map(|second| delivery(webhook, second)).collect();
    for delivery in &made {
        assert_eq!(stores.webhooks.enqueue(delivery, 10_000).await, Ok(Enqueued::New));
    }
    made
}

fn lease(now: Timestamp) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(15)).unwrap()
}

async fn claim(stores: &Stores, second: i64) -> Vec<Claimed> {
    stores.webhooks.claim(make::at(second), lease(make::at(second)), LIMITS).await.unwrap()
}

/// Records a response with this status.
async fn answered(stores: &Stores, claimed: Claimed, status: u16, health: Health, second: i64) -> bool {
    let Claimed { mut delivery, lease, .. } = claimed;
    let attempt = Attempt { at: make::at(second), status: Some(status), error: None, response: None, millis: 3 };
    delivery.tried(attempt, make::at(second), &PAUSES, 1.0);
    stores.webhooks.record(&delivery, lease, health, make::at(second)).await.unwrap()
}

async fn now(stores: &Stores, webhook: &Webhook) -> Webhook {
    stores.webhooks.get(webhook.id).await.unwrap().unwrap()
}

pub async fn an_owner_has_a_bounded_number_of_webhooks(stores: &Stores) {
    let owner = UserId::generate();
    let made: Vec<_> = (0..6).map(|_| webhook(owner, Role::Seller)).collect();
    let inserted = join_all(made.iter().map(|webhook| stores.webhooks.insert(webhook, 4))).await;
    assert_eq!(inserted.iter().filter(|done| **done == Ok(true)).count(), 4);
    let page = stores.webhooks.list(Some(owner), 1, 2).await.unwrap();
    assert_eq!((page.rows.len(), page.total), (2, 4));
    assert!(page.rows[0].id > page.rows[1].id, "newest first");
    for _again in 0..3 {
        // A freed place is taken by one.
        let gone = stores.webhooks.list(Some(owner), 1, 1).await.unwrap().rows.remove(0);
        assert_eq!(stores.webhooks.delete(gone.id).await, Ok(true));
        let made: Vec<_> = (0..3).map(|_| webhook(owner, Role::Seller)).collect();
        let inserted = join_all(made.iter().map(|webhook| stores.webhooks.insert(webhook, 4))).await;
        assert_eq!(inserted.iter().filter(|done| **done == Ok(true)).count(), 1);
    }
    let other = seller(stores).await;
    assert_eq!(stores.webhooks.get(other.id).await, Ok(Some(other.clone())));
    assert_eq!(stores.webhooks.list(None, 0, 100).await.unwrap().total, 5);
    assert_eq!(stores.webhooks.list(Some(UserId::generate()), 0, 100).await.unwrap().total, 0);
    assert_eq!(stores.webhooks.get(WebhookId::generate()).await, Ok(None));
}

pub async fn a_stale_webhook_is_a_conflict(stores: &Stores) {
    let mut mine = seller(stores).await;
    mine.url = "https://other.example".into();
    assert_eq!(stores.webhooks.save(&mine).await, Ok(2));
    assert_eq!(stores.webhooks.save(&mine).await, Err(StoreError::Conflict));
    assert_eq!(now(stores, &mine).await, Webhook { version: 2, ..mine.clone() });
    assert_eq!(stores.webhooks.delete(mine.id).await, Ok(true));
    assert_eq!(stores.webhooks.delete(mine.id).await, Ok(false));
    assert_eq!(stores.webhooks.save(&mine).await, Err(StoreError::Conflict));
}

pub async fn listeners_are_the_active_ones_of_owners_and_a_role(stores: &Stores) {
    let (mira, mut ravi) = (seller(stores).await, seller(stores).await);
    let admin = webhook(UserId::generate(), Role::Admin);
    stores.webhooks.insert(&admin, 20).await.unwrap();
    let listeners = async |owners: &[UserId]| {
        let mut ids: Vec<_> = stores.webhooks.listeners(owners, Role::Admin).await.unwrap();
        ids.sort_unstable_by_key(|webhook| webhook.id);
        ids.into_iter().map(|webhook| webhook.id).collect::<Vec<_>>()
    };
    assert_eq!(listeners(&[]).await, [admin.id]);
    assert_eq!(listeners(&[mira.owner, ravi.owner, admin.owner]).await, [mira.id, ravi.id, admin.id]);
    ravi.off = Some(SwitchedOff { reason: "by me".into(), at: make::at(5) });
    stores.webhooks.save(&ravi).await.unwrap();
    assert_eq!(now(stores, &ravi).await.off, ravi.off);
    assert_eq!(listeners(&[mira.owner, ravi.owner]).await, [mira.id, admin.id]);
}

pub async fn a_delivery_is_put_in_once(stores: &Stores) {
    let mine = seller(stores).await;
    let one = delivery(&mine, 0);
    let put = join_all((0..8).map(|_| stores.webhooks.enqueue(&one, 100))).await;
    assert_eq!(put.iter().filter(|done| **done == Ok(Enqueued::New)).count(), 1);
    assert_eq!(put.iter().filter(|done| **done == Ok(Enqueued::AlreadyQueued)).count(), 7);
    let page = stores.webhooks.deliveries(mine.id, 0, 10).await.unwrap();
    assert_eq!((page.rows, page.total), (vec![one], 1));
    let nobody = webhook(UserId::generate(), Role::Seller);
    assert_eq!(stores.webhooks.enqueue(&delivery(&nobody, 0), 100).await, Ok(Enqueued::NotActive));
}

pub async fn a_delivery_is_claimed_by_one_and_recorded_by_whoever_claimed_it(stores: &Stores) {
    let mine = seller(stores).await;
    put(stores, &mine, 0..1).await;
    assert!(claim(stores, -1).await.is_empty(), "not due yet");
    let claims = join_all((0..6).map(|_| claim(stores, 0))).await;
    let mut claimed: Vec<_> = claims.into_iter().flatten().collect();
    assert_eq!(claimed.len(), 1);
    let first = claimed.remove(0);
    assert_eq!(first.webhook, mine);
    assert!(claim(stores, 14).await.is_empty(), "it is claimed");
    // The claim has expired: another sender takes the delivery, and the first one comes too late.
    let second = claim(stores, 16).await.remove(0);
    assert!(!answered(stores, first, 500, BAD, 17).await);
    assert!(!answered(stores, second, 200, Health::Good, 18).await);
    let log = stores.webhooks.deliveries(mine.id, 0, 10).await.unwrap();
    assert_eq!(log.rows[0].state, DeliveryState::Delivered);
    assert_eq!(log.rows[0].attempts.len(), 1);
    assert_eq!(now(stores, &mine).await.consecutive_failures, 0);
    assert!(claim(stores, 1_000).await.is_empty());
}

pub async fn a_slow_webhook_takes_up_its_own_places_alone(stores: &Stores) {
    let (slow, quick) = (seller(stores).await, seller(stores).await);
    let waiting = put(stores, &slow, 0..5).await;
    put(stores, &quick, 10..11).await;
    let claimed = claim(stores, 20).await;
    let of_slow: Vec<_> = claimed.iter().filter(|claimed| claimed.webhook.id == slow.id).collect();
    assert_eq!(of_slow.iter().map(|claimed| claimed.delivery.id).collect::<Vec<_>>(), [waiting[0].id, waiting[1].id]);
    assert_eq!(claimed.len(), 3, "the quick one is not behind the slow one's queue");
    assert!(claim(stores, 21).await.is_empty(), "two are under way");
    let first = of_slow[0].clone();
    answered(stores, first, 200, Health::Good, 22).await;
    let next = claim(stores, 23).await;
    assert_eq!(next.iter().map(|claimed| claimed.delivery.id).collect::<Vec<_>>(), [waiting[2].id], "in their order");
    let limits = ClaimLimits { all: 1, ..LIMITS };
    let one = stores.webhooks.claim(make::at(900), lease(make::at(900)), limits).await.unwrap();
    assert_eq!(one.len(), 1);
    let owner = UserId::generate();
    for _ in 0..6 {
        let another = webhook(owner, Role::Seller);
        stores.webhooks.insert(&another, 20).await.unwrap();
        put(stores, &another, 0..3).await;
    }
    let claimed = claim(stores, 30).await;
    assert_eq!(claimed.iter().filter(|claimed| claimed.webhook.owner == owner).count(), 8);
}

pub async fn too_many_failures_switch_off_and_hold_what_waits(stores: &Stores) {
    let mine = seller(stores).await;
    put(stores, &mine, 0..4).await;
    let mut both = claim(stores, 10).await;
    let late = both.remove(1);
    assert!(!answered(stores, both.remove(0), 500, BAD, 11).await);
    assert!(!answered(stores, claim(stores, 12).await.remove(0), 500, BAD, 12).await);
    assert_eq!(now(stores, &mine).await.consecutive_failures, 2);
    assert!(answered(stores, claim(stores, 13).await.remove(0), 500, BAD, 13).await, "it is the third");
    let off = now(stores, &mine).await;
    assert_eq!(off.off.as_ref().unwrap().at, make::at(13));
    assert!(off.off.as_ref().unwrap().reason.contains('3'));
    assert_eq!(stores.webhooks.save(&mine).await, Err(StoreError::Conflict), "switching off is a write");
    // The attempt in progress is recorded, and the delivery waits without a date.
    assert!(!answered(stores, late, 500, BAD, 14).await);
    assert!(claim(stores, 1_000).await.is_empty());
    assert_eq!(stores.webhooks.enqueue(&delivery(&mine, 20), 100).await, Ok(Enqueued::NotActive));
    let log = stores.webhooks.deliveries(mine.id, 0, 10).await.unwrap();
    assert!(log.rows.iter().all(|row| row.state == DeliveryState::Waiting && row.next_try_at.is_none()));
    let expected = WebhookStats { active: 0, off: 1, waiting: 4 };
    assert_eq!(stores.webhooks.stats().await, Ok(expected));

    stores.webhooks.save(&Webhook { off: None, ..off }).await.unwrap();
    let on = now(stores, &mine).await;
    assert_eq!((on.off, on.consecutive_failures), (None, 0));
    assert_eq!(claim(stores, 30).await.len(), 2, "waiting deliveries continue");
    let gone = claim(stores, 60).await.remove(0);
    assert!(answered(stores, gone, 410, Health::Gone, 61).await);
    assert!(now(stores, &mine).await.off.unwrap().reason.contains("410"));
}

pub async fn too_many_that_wait_switch_off(stores: &Stores) {
    let mine = seller(stores).await;
    put(stores, &mine, 0..3).await;
    assert_eq!(stores.webhooks.enqueue(&delivery(&mine, 3), 3).await, Ok(Enqueued::Overflow));
    let off = now(stores, &mine).await;
    assert!(off.off.is_some());
    assert_eq!(stores.webhooks.deliveries(mine.id, 0, 10).await.unwrap().total, 3);
    assert!(claim(stores, 10).await.is_empty());
}

pub async fn switching_on_ends_the_pauses_of_what_waits(stores: &Stores) {
    let mut mine = seller(stores).await;
    let made = put(stores, &mine, 0..3).await;
    let claimed = claim(stores, 5).await;
    for claimed in claimed {
        answered(stores, claimed, 500, Health::Bad { switch_off_after: 9 }, 6).await;
    }
    mine.off = Some(SwitchedOff { reason: "by me".into(), at: make::at(7) });
    (mine.updated_at, mine.version) = (make::at(7), stores.webhooks.save(&mine).await.unwrap());
    assert!(claim(stores, 100).await.is_empty());
    let on = Webhook { off: None, updated_at: make::at(8), ..now(stores, &mine).await };
    assert_eq!(on.consecutive_failures, 2);
    stores.webhooks.save(&on).await.unwrap();
    let first = claim(stores, 8).await;
    assert_eq!(first.iter().map(|claimed| claimed.delivery.id).collect::<Vec<_>>(), [made[0].id, made[1].id]);
    for claimed in first {
        answered(stores, claimed, 200, Health::Good, 9).await;
    }
    assert_eq!(claim(stores, 9).await.remove(0).delivery.id, made[2].id, "in their order");
}

/// A delivery is not overlooked when it is stored while its webhook is being marked as idle.
pub async fn what_is_put_in_at_any_moment_is_claimed(stores: &Stores) {
    let all: Vec<_> = join_all((0..4).map(|_| seller(stores))).await;
    let putting = async {
        for second in 0..12 {
            join_all(all.iter().map(|webhook| put(stores, webhook, second..second + 1))).await;
        }
    };
    let sent = std::sync::atomic::AtomicUsize::new(0);
    let sending = async {
        for _turn in 0..400 {
            for claimed in claim(stores, 20).await {
                answered(stores, claimed, 200, Health::Good, 20).await;
                sent.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
            if sent.load(std::sync::atomic::Ordering::Relaxed) == 48 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    tokio::join!(putting, sending, sending_beside(stores, &sent));
    assert_eq!(sent.load(std::sync::atomic::Ordering::Relaxed), 48);
    assert_eq!(stores.webhooks.stats().await.unwrap().waiting, 0);
}

/// Another node.
async fn sending_beside(stores: &Stores, sent: &std::sync::atomic::AtomicUsize) {
    for _turn in 0..100 {
        for claimed in claim(stores, 20).await {
            answered(stores, claimed, 200, Health::Good, 20).await;
            sent.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }
}

pub async fn a_delivery_is_sent_again_when_asked_for(stores: &Stores) {
    let mine = seller(stores).await;
    let made = put(stores, &mine, 0..1).await.remove(0);
    answered(stores, claim(stores, 1).await.remove(0), 200, Health::Good, 2).await;
    let again = stores.webhooks.redeliver(mine.id, made.id, make::at(50)).await.unwrap().unwrap();
    assert_eq!((again.state, again.next_try_at, again.attempts.len()), (DeliveryState::Waiting, Some(make::at(50)), 1));
    assert_eq!(claim(stores, 51).await.remove(0).delivery, again);
    assert_eq!(stores.webhooks.redeliver(mine.id, WebhookDeliveryId::generate(), make::at(50)).await, Ok(None));
    assert_eq!(stores.webhooks.redeliver(WebhookId::generate(), made.id, make::at(50)).await, Ok(None));
}

pub async fn old_deliveries_are_forgotten_and_deleted_ones_are_gone(stores: &Stores) {
    let (mine, other) = (seller(stores).await, seller(stores).await);
    put(stores, &mine, 0..5).await;
    put(stores, &other, 0..1).await;
    assert_eq!(stores.webhooks.forget(make::at(2), 1).await, Ok(1));
    assert_eq!(stores.webhooks.forget(make::at(2), 100).await, Ok(2));
    assert_eq!(stores.webhooks.deliveries(mine.id, 0, 10).await.unwrap().total, 3);
    stores.webhooks.delete(mine.id).await.unwrap();
    assert_eq!(stores.webhooks.deliveries(mine.id, 0, 10).await.unwrap().total, 0);
    assert!(claim(stores, 100).await.iter().all(|claimed| claimed.webhook.id == other.id));
}
