//! Programs that bind to the exchange are independent of each other and of the shop.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use lapin::{
    Channel, Consumer,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use test_support::{
    DEADLINE,
    rabbit::{Broker, ReceivedEvent, check_order, keys_of, once_each},
};
use tokio::time::timeout;

use super::shop::Shop;

const SALES: usize = 10;

/// Starts to read; at most `ahead` messages come without an acknowledgement.
async fn read(channel: &Channel, queue: &str, ahead: u16) -> Consumer {
    channel.basic_qos(ahead, BasicQosOptions::default()).await.unwrap();
    let options = BasicConsumeOptions::default();
    channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await.unwrap()
}

/// The next message, not yet acknowledged.
async fn next(reader: &mut Consumer) -> lapin::message::Delivery {
    timeout(DEADLINE, reader.next()).await.expect("in time: a message").unwrap().unwrap()
}

/// Reads and acknowledges until `count` events were received.
async fn read_all(reader: &mut Consumer, received: &mut Vec<ReceivedEvent>, count: usize) {
    while received.len() < count {
        let message = next(reader).await;
        received.push(ReceivedEvent::of(&message));
        message.acker.ack(BasicAckOptions::default()).await.unwrap();
    }
}

#[actix_rt::test]
async fn slow_and_absent_consumers_affect_no_others() {
    let Some(broker) = Broker::empty().await else { return };
    let [quick, slow, absent] = [broker.bind_all().await, broker.bind_all().await, broker.bind_all().await];
    let ((_one, of_quick), (_other, of_slow)) = (broker.another().await, broker.another().await);
    let mut reading_quick = read(&of_quick, &quick, 50).await;
    let mut reading_slow = read(&of_slow, &slow, 1).await;
    let shop = Shop::start(&broker.url, None).await;
    let first = next(&mut reading_slow).await;

    // All orders are placed, sent and applied while the slow program handles its first event.
    let mut orders = vec![];
    for _ in 0..SALES {
        orders.push(shop.purchase().await);
    }
    shop.settle().await;
    shop.until_shown(&orders).await;
    let count = usize::try_from(broker.count(&absent).await).unwrap();
    let mut by_quick = vec![];
    read_all(&mut reading_quick, &mut by_quick, count).await;
    assert_eq!(broker.count(&quick).await, 0, "it got no more than there was");
    assert_eq!(usize::try_from(broker.count(&slow).await).unwrap(), count - 1, "the slow one has its first only");

    let mut by_slow = vec![ReceivedEvent::of(&first)];
    first.acker.ack(BasicAckOptions::default()).await.unwrap();
    read_all(&mut reading_slow, &mut by_slow, count).await;
    let by_absent = broker.drain(&absent).await;
    assert_eq!((&by_quick, &by_quick), (&by_slow, &by_absent), "each got all of it, in the same order");
    let ids: BTreeSet<_> = by_quick.iter().map(|one| &one.id).collect();
    assert_eq!(ids.len(), count, "every event came once");
    let received = once_each(&by_quick);
    check_order(&received);
    for order in &orders {
        assert_eq!(keys_of(&received, order), ["order.created", "order.confirmed"]);
    }
    for (channel, queue) in [(&of_quick, &quick), (&of_slow, &slow)] {
        channel.queue_delete(queue.as_str().into(), lapin::options::QueueDeleteOptions::default()).await.unwrap();
    }
    shop.stop().await;
}
