//! Undelivered events, and parked messages.

use std::time::Duration;

use microbazaar::{
    domain::{event::Envelope, ids::UserId},
    store::{Stores, outbox::Parked},
};

use super::make;

/// Writes events with a document each, and returns their sequences.
async fn written(stores: &Stores, events: &[Envelope]) -> Vec<u64> {
    for event in events {
        let product = make::product(UserId::generate(), "P");
        stores.products.save(&product, std::slice::from_ref(event)).await.unwrap();
    }
    stores.outbox.waiting(0, 1_000).await.unwrap().into_iter().map(|(sequence, _)| sequence).collect()
}

fn parked(envelope: Envelope, retry_at: Option<i64>) -> Parked {
    Parked { id: 0, queue: "Q".into(), envelope, attempts: 1, retry_at: retry_at.map(make::at), reason: "no".into() }
}

pub async fn events_wait_in_order_until_settled(stores: &Stores) {
    let events: Vec<_> = (0..5).map(make::event).collect();
    let sequences = written(stores, &events).await;
    assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]));
    let next = stores.outbox.waiting(sequences[1], 2).await.unwrap();
    assert_eq!(next, [(sequences[2], events[2].clone()), (sequences[3], events[3].clone())]);
    stores.outbox.settle(&[sequences[4], sequences[0], sequences[1]], &[]).await.unwrap();
    assert_eq!(stores.outbox.depth().await, Ok(2));
    assert_eq!(stores.outbox.waiting(0, 10).await.unwrap(), next);
    stores.outbox.settle(&[sequences[0]], &[]).await.unwrap();
    assert_eq!(stores.outbox.depth().await, Ok(2), "settling again changes nothing");
}

pub async fn a_sequence_is_not_used_again(stores: &Stores) {
    let first = written(stores, &[make::event(1)]).await;
    stores.outbox.settle(&first, &[]).await.unwrap();
    let second = written(stores, &[make::event(2)]).await;
    assert!(second[0] > first[0]);
}

pub async fn what_failed_is_parked_with_the_settling(stores: &Stores) {
    let event = make::event(1);
    let sequences = written(stores, std::slice::from_ref(&event)).await;
    stores.outbox.settle(&sequences, &[parked(event.clone(), Some(10)), parked(event.clone(), None)]).await.unwrap();
    assert_eq!(stores.outbox.depth().await, Ok(0));
    assert_eq!(stores.outbox.retry_due(make::at(9), 10).await, Ok(vec![]));
    let due = stores.outbox.retry_due(make::at(10), 10).await.unwrap();
    assert_eq!(due, [Parked { id: due[0].id, ..parked(event.clone(), Some(10)) }]);
    let dead = stores.outbox.dead(0, 10).await.unwrap();
    assert_eq!(dead, [Parked { id: dead[0].id, ..parked(event, None) }]);
}

pub async fn a_settling_that_is_repeated_parks_nothing_twice(stores: &Stores) {
    let event = make::event(1);
    let sequences = written(stores, std::slice::from_ref(&event)).await;
    for _life in 0..2 {
        stores
            .outbox
            .settle(&sequences, &[parked(event.clone(), Some(10)), parked(event.clone(), None)])
            .await
            .unwrap();
    }
    let [due, dead] =
        [stores.outbox.retry_due(make::at(10), 9).await, stores.outbox.dead(0, 9).await].map(Result::unwrap);
    assert_eq!((due.len(), dead.len()), (1, 1));
    // The number of a handled message is not used again.
    let highest = due[0].id.max(dead[0].id);
    for handled in [due[0].id, dead[0].id] {
        stores.outbox.repark(handled, None).await.unwrap();
    }
    stores.outbox.settle(&[], &[parked(make::event(2), None)]).await.unwrap();
    assert!(stores.outbox.dead(0, 9).await.unwrap()[0].id > highest);
}

pub async fn a_parked_message_is_tried_until_handled_or_dead(stores: &Stores) {
    let messages: Vec<_> = [30, 10, 20].map(|second| parked(make::event(second), Some(second))).to_vec();
    stores.outbox.settle(&[], &messages).await.unwrap();
    let due = stores.outbox.retry_due(make::at(30), 2).await.unwrap();
    assert_eq!(due.iter().map(|parked| parked.retry_at).collect::<Vec<_>>(), [Some(make::at(10)), Some(make::at(20))]);
    stores.outbox.repark(due[0].id, None).await.unwrap();
    let again = Parked { attempts: 2, retry_at: Some(make::at(99)), reason: "still no".into(), ..due[1].clone() };
    stores.outbox.repark(due[1].id, Some(&again)).await.unwrap();
    assert_eq!(stores.outbox.retry_due(make::at(50), 10).await.unwrap().len(), 1);
    assert_eq!(stores.outbox.retry_due(make::at(99), 10).await.unwrap()[1], again);
    let dead = Parked { retry_at: None, ..again };
    stores.outbox.repark(dead.id, Some(&dead)).await.unwrap();
    assert_eq!(stores.outbox.dead(0, 10).await.unwrap(), [dead]);
    assert_eq!(stores.outbox.retry_due(make::at(99), 10).await.unwrap().len(), 1);
}

pub async fn dead_messages_are_revived_as_new(stores: &Stores) {
    let row = |second, retry_at| Parked { attempts: 5, ..parked(make::event(second), retry_at) };
    stores.outbox.settle(&[], &[row(1, None), row(2, Some(9)), row(3, None), row(4, None)]).await.unwrap();
    let dead = stores.outbox.dead(0, 2).await.unwrap();
    assert_eq!(dead.len(), 2);
    let last = stores.outbox.dead(dead[1].id, 10).await.unwrap();
    assert!(last.len() == 1 && last[0].id > dead[1].id);
    let waiting = stores.outbox.retry_due(make::at(9), 10).await.unwrap();
    let ids = [dead[0].id, dead[1].id, waiting[0].id, u64::from(u32::MAX)];
    assert_eq!(stores.outbox.revive(&ids, make::at(5)).await, Ok(2), "what is not dead is left as it is");
    let due = stores.outbox.retry_due(make::at(5), 10).await.unwrap();
    let fresh = |row: &Parked| Parked { attempts: 0, retry_at: Some(make::at(5)), ..row.clone() };
    assert_eq!(due, [fresh(&dead[0]), fresh(&dead[1])]);
    assert_eq!(stores.outbox.dead(0, 10).await.unwrap(), last);
    assert_eq!(stores.outbox.revive(&ids, make::at(6)).await, Ok(0));
}

pub async fn a_write_with_events_wakes_the_waiter(stores: &Stores) {
    let wait = || tokio::time::timeout(Duration::from_secs(5), stores.outbox.written());
    written(stores, &[make::event(1)]).await;
    wait().await.expect("a write before the wait is not missed");
    let second = [make::event(2)];
    let (woken, _) = tokio::join!(wait(), written(stores, &second));
    woken.expect("a write during the wait wakes");
}
