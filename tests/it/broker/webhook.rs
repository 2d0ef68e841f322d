//! Webhooks whose events come over the broker.

use std::sync::{Arc, Mutex};

use actix_web::{App, HttpResponse, HttpServer, web};
use microbazaar::domain::queues;
use serde_json::Value;

use crate::broker::{server::Broker, shop::Shop};

type Bodies = Arc<Mutex<Vec<Value>>>;

async fn take(bodies: web::Data<Mutex<Vec<Value>>>, body: web::Json<Value>) -> HttpResponse {
    bodies.lock().unwrap().push(body.into_inner());
    HttpResponse::NoContent().finish()
}

#[actix_rt::test]
async fn events_of_the_exchange_reach_webhooks_once() {
    let Some(broker) = Broker::empty().await else { return };
    let bodies = Bodies::default();
    let of_app = web::Data::from(Arc::clone(&bodies));
    let server = HttpServer::new(move || App::new().app_data(of_app.clone()).default_service(web::to(take)));
    let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    actix_rt::spawn(server);

    // By its name, as an operator writes it.
    let shop = Shop::start(&broker.url, Some(vec![queues::EVENTS_WEBHOOK.to_owned()])).await;
    shop.register_webhook(&url).await;
    let orders = [shop.purchase().await, shop.purchase().await];
    let output = |kind: &str| {
        let bodies = bodies.lock().unwrap();
        let of_kind = bodies.iter().filter(|body| body["type"] == kind);
        let mut ids: Vec<_> = of_kind.map(|body| body["data"]["_id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    for kind in ["order.created", "order.confirmed"] {
        shop.until(kind, async || output(kind).len() >= 2).await;
    }
    shop.until_sent().await;
    shop.until("the queue is empty", async || broker.count(queues::EVENTS_WEBHOOK).await == 0).await;
    let mut expected = orders.to_vec();
    expected.sort();
    assert_eq!(output("order.created"), expected);
    assert_eq!(output("order.confirmed"), expected);
    assert_eq!(broker.count(queues::ORDER_CREATED_DASHBOARD).await, 2, "what is not to be read is left");
    shop.stop().await;
    handle.stop(false).await;
}
