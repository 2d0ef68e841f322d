//! Tests of the executor: what it refuses and what it returns.

use serde_json::{Value as Json, json};

use super::{arguments::ToolRequest, specs};
use crate::{
    domain::{
        ids::{OrderId, ProductId, UserId},
        order::OrderStatus,
        user::Role,
    },
    runtime::calls::CallError,
    ws::agent::{
        TurnEvent,
        testing::{PRODUCTS, TestChat, TestShop, id},
    },
};

/// The fields that serde expects, taken from its message about an unknown field.
fn fields(tool: &str) -> Vec<String> {
    let message = ToolRequest::read(tool, json!({ "zzz": 1 })).unwrap_err().message;
    let known = message.split_once("expected").map(|(_, known)| known).unwrap_or_default();
    let mut fields: Vec<String> = known.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    fields.sort();
    fields
}

#[test]
fn schemas_have_the_fields_that_are_read() {
    assert_eq!(specs::all().len(), 12);
    for spec in specs::all() {
        let properties = spec.schema["properties"].as_object().unwrap();
        let mut named: Vec<String> = properties.keys().cloned().collect();
        named.sort();
        assert_eq!(named, fields(spec.name), "{}", spec.name);
        let required: Vec<&str> =
            spec.schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap()).collect();
        let sample = |name: &str| match name {
            "productIds" => json!(["665f1f77bcf86cd799439012"]),
            "productId" | "orderId" => json!("665f1f77bcf86cd799439012"),
            "quantity" => json!(2),
            "minPrice" => json!(1.5),
            "maxPrice" => json!(2000),
            "inStock" => json!(true),
            "status" => json!("SHIPPED"),
            "sort" => json!("-price"),
            _ => json!("lamp"),
        };
        let all: Json = named.iter().map(|name| (name.clone(), sample(name))).collect::<serde_json::Map<_, _>>().into();
        assert!(ToolRequest::read(spec.name, all.clone()).is_ok(), "{all}");
        for name in &named {
            let mut without = all.clone();
            without.as_object_mut().unwrap().remove(name);
            assert_eq!(
                ToolRequest::read(spec.name, without).is_err(),
                required.contains(&name.as_str()),
                "{} {name}",
                spec.name
            );
        }
        let changes = ["add_to_cart", "change_quantity", "remove_from_cart"].contains(&spec.name);
        assert_eq!(spec.reads_only, !changes, "{}", spec.name);
    }
}

#[actix_rt::test]
async fn invalid_calls_are_refused_before_a_service_is_called() {
    let shop = TestShop::open();
    let mut chat = TestChat::new(&shop);
    let lamp = id("Brass desk lamp");
    chat.known.note(&[lamp]);
    let stranger = ProductId::generate();
    for (tool, arguments, code) in [
        ("place_order", json!({}), "tool.unknown"),
        ("", Json::Null, "tool.unknown"),
        ("view_cart", json!({ "user": "x" }), "tool.bad_arguments"),
        ("view_cart", json!([1]), "tool.bad_arguments"),
        ("search_products", json!({}), "tool.bad_arguments"),
        ("search_products", json!({ "query": 5 }), "tool.bad_arguments"),
        ("search_products", json!({ "query": "x", "minPrice": 9, "maxPrice": 8 }), "tool.bad_arguments"),
        ("search_products", json!({ "query": "x", "maxPrice": 0.001 }), "tool.bad_arguments"),
        ("search_products", json!({ "query": "x", "sort": "random" }), "tool.bad_arguments"),
        ("add_to_cart", json!({ "productId": lamp }), "tool.bad_arguments"),
        ("add_to_cart", json!({ "productId": lamp, "quantity": 0 }), "tool.bad_arguments"),
        ("add_to_cart", json!({ "productId": lamp, "quantity": 1000 }), "tool.bad_arguments"),
        ("add_to_cart", json!({ "productId": lamp, "quantity": -1 }), "tool.bad_arguments"),
        ("add_to_cart", json!({ "productId": lamp, "quantity": 1.5 }), "tool.bad_arguments"),
        ("add_to_cart", json!({ "productId": lamp, "quantity": "2" }), "tool.bad_arguments"),
        ("add_to_cart", json!({ "productId": lamp, "quantity": 2, "price": 1 }), "tool.bad_arguments"),
        ("add_to_cart", json!({ "productId": "the lamp", "quantity": 1 }), "tool.bad_arguments"),
        ("compare_products", json!({ "productIds": [] }), "tool.bad_arguments"),
        ("add_to_cart", json!({ "productId": stranger, "quantity": 1 }), "tool.unknown_product"),
        ("change_quantity", json!({ "productId": stranger, "quantity": 1 }), "tool.unknown_product"),
        ("remove_from_cart", json!({ "productId": stranger }), "tool.unknown_product"),
        ("get_product", json!({ "productId": stranger }), "tool.unknown_product"),
        ("recommend", json!({ "productId": stranger }), "tool.unknown_product"),
        ("compare_products", json!({ "productIds": [lamp, stranger] }), "tool.unknown_product"),
        ("list_orders", json!({ "status": "LOST" }), "tool.bad_arguments"),
        ("order_status", json!({ "orderId": "x" }), "tool.bad_arguments"),
    ] {
        let refusal = chat.call(tool, arguments.clone()).await.unwrap_err();
        assert_eq!(refusal.code, code, "{tool} {arguments}: {refusal}");
    }
    assert_eq!(*shop.asked.lock(), Vec::<String>::new());
    assert!(chat.events.0.lock().is_empty());
    let done = chat.call("add_to_cart", json!({ "productId": lamp, "quantity": 2.0 })).await.unwrap();
    assert_eq!(done["cart"]["totalQuantity"], 2);
}

#[actix_rt::test]
async fn a_seller_can_search_and_has_no_cart() {
    let shop = TestShop::open();
    let mut chat = TestChat::new(&shop);
    for role in [Role::Seller, Role::Admin] {
        chat.shopper.role = role;
        chat.call("search_products", json!({ "query": "lamp" })).await.unwrap();
        assert!(!chat.call("recommend", json!({})).await.unwrap()["products"].as_array().unwrap().is_empty());
        shop.asked.lock().clear();
        for (tool, arguments) in [
            ("view_cart", json!({})),
            ("add_to_cart", json!({ "productId": id("Brass desk lamp"), "quantity": 1 })),
            ("prepare_checkout", json!({})),
            ("list_orders", json!({})),
            ("order_status", json!({})),
        ] {
            assert_eq!(chat.call(tool, arguments).await.unwrap_err().code, "tool.forbidden", "{tool}");
        }
        assert!(shop.asked.lock().is_empty());
    }
}

#[actix_rt::test]
async fn a_search_is_bounded_displayed_and_stored() {
    let shop = TestShop::open();
    let mut chat = TestChat::new(&shop);
    let found = chat.call("search_products", json!({ "query": "lamps", "maxPrice": 2000 })).await.unwrap();
    assert_eq!(found["total"], 2);
    let first = &found["products"][0];
    assert_eq!(first["price"]["currency"], "INR");
    assert!(first.get("title").is_none(), "text of sellers is separate: {first}");
    assert!(first["untrusted"]["title"].as_str().unwrap().contains("lamp"));
    let events = std::mem::take(&mut *chat.events.0.lock());
    assert_eq!(events[0], TurnEvent::Status("Searching for products…"));
    assert!(matches!(&events[1], TurnEvent::Products(cards) if cards.len() == 2));
    assert_eq!(chat.known.listed.len(), 2);
    assert!(chat.known.has(id("Clay table lamp")) && !chat.known.has(id("Brass desk lamp")));

    let all = chat.call("search_products", json!({ "query": "" })).await.unwrap();
    assert_eq!(
        (all["total"].as_u64(), all["products"].as_array().unwrap().len()),
        (u64::try_from(PRODUCTS.len()).ok(), 8)
    );
    let stocked = chat.call("search_products", json!({ "query": "reading light", "inStock": true })).await.unwrap();
    assert_eq!(stocked["products"], json!([]));
    let dear =
        chat.call("search_products", json!({ "query": "", "category": "kitchen", "sort": "-price" })).await.unwrap();
    assert_eq!(dear["products"][0]["untrusted"]["title"], "Gooseneck kettle in steel");
}

#[actix_rt::test]
async fn text_of_sellers_is_separate_and_sanitized() {
    let shop = TestShop::open();
    let mut chat = TestChat::new(&shop);
    let found = chat.call("search_products", json!({ "query": "phone stand" })).await.unwrap();
    let product = &found["products"][0];
    let mut outside = product.clone();
    outside.as_object_mut().unwrap().remove("untrusted");
    assert!(!outside.to_string().contains("gnore"), "{outside}");
    let description = product["untrusted"]["description"].as_str().unwrap();
    assert!(!description.contains(['\n', '\u{0}', '\u{202e}']), "{description:?}");
    assert_eq!(chat.cart(), []);
}

#[actix_rt::test]
async fn a_change_returns_the_cart_and_refusals_are_sentences() {
    let shop = TestShop::open();
    let mut chat = TestChat::new(&shop);
    chat.call("search_products", json!({ "query": "kettle" })).await.unwrap();
    let kettle = id("Enamel tea kettle");
    chat.events.0.lock().clear();
    let done = chat.call("add_to_cart", json!({ "productId": kettle, "quantity": 2 })).await.unwrap();
    assert_eq!(done["cart"]["items"][0]["lineTotal"], json!({ "amount": 3598, "currency": "INR" }));
    let events = chat.events.0.lock().clone();
    assert_eq!(events[0], TurnEvent::Status("Adding to your cart…"));
    let TurnEvent::Cart(cart) = &events[1] else { panic!("{events:?}") };
    assert_eq!(cart["items"][0]["title"], "Enamel tea kettle");
    assert_eq!(cart["totals"]["totalQuantity"], 2);
    let refused = chat.call("add_to_cart", json!({ "productId": kettle, "quantity": 2 })).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.message.as_str()),
        ("tool.insufficient_stock", "Only 3 of this product can be bought now.")
    );
    let other = id("Gooseneck kettle in steel");
    let refused = chat.call("change_quantity", json!({ "productId": other, "quantity": 2 })).await.unwrap_err();
    assert_eq!(refused.code, "tool.not_in_cart");
    chat.call("change_quantity", json!({ "productId": kettle, "quantity": 3 })).await.unwrap();
    chat.call("remove_from_cart", json!({ "productId": kettle })).await.unwrap();
    assert_eq!(chat.cart(), []);
}

#[actix_rt::test]
async fn a_checkout_is_summarized_and_places_no_order() {
    let shop = TestShop::open();
    let mut chat = TestChat::new(&shop);
    assert_eq!(chat.call("prepare_checkout", json!({})).await.unwrap_err().code, "tool.empty_cart");
    chat.known.note(&[id("Dotted notebook")]);
    chat.call("add_to_cart", json!({ "productId": id("Dotted notebook"), "quantity": 3 })).await.unwrap();
    let summary = chat.call("prepare_checkout", json!({})).await.unwrap();
    assert_eq!(summary["totals"]["tax"]["amount"], 104.7);
    assert_eq!(summary["totals"]["total"]["amount"], 1201.7);
    assert!(summary["link"].as_str().unwrap().starts_with("/checkout?summary="));
    assert_eq!(chat.cart().len(), 1, "nothing was removed from the cart");
}

#[actix_rt::test]
async fn a_user_sees_only_their_own_orders() {
    let shop = TestShop::open();
    let mut chat = TestChat::new(&shop);
    assert_eq!(chat.call("order_status", json!({})).await.unwrap_err().code, "tool.no_orders");
    let others = shop.order(UserId::generate(), "Brass desk lamp", OrderStatus::Confirmed);
    for id in [others, OrderId::generate()] {
        let refused = chat.call("order_status", json!({ "orderId": id })).await.unwrap_err();
        assert_eq!(refused.code, "tool.unknown_order");
    }
    assert_eq!(chat.call("list_orders", json!({})).await.unwrap()["total"], 0);
    let own = shop.order(chat.shopper.id, "Wireless earbuds", OrderStatus::Shipped);
    let answer = chat.call("order_status", json!({})).await.unwrap();
    assert_eq!(answer["order"]["orderId"], json!(own));
    assert_eq!(answer["order"]["items"][0]["untrusted"]["trackingNumber"], "AWB-7");
    assert!(chat.known.has(id("Wireless earbuds")));
    let shipped = chat.call("list_orders", json!({ "status": "SHIPPED" })).await.unwrap();
    assert_eq!(shipped["orders"].as_array().unwrap().len(), 1);
    assert_eq!(chat.call("list_orders", json!({ "status": "PENDING" })).await.unwrap()["total"], 0);
}

#[actix_rt::test]
async fn an_unavailable_service_is_a_polite_refusal() {
    let shop = TestShop::open();
    let mut chat = TestChat::new(&shop);
    for (error, code) in [
        (CallError::Busy("product".into()), "tool.unavailable"),
        (CallError::Unavailable("cart".into()), "tool.unavailable"),
        (CallError::OutcomeUnknown("order".into()), "tool.outcome_unknown"),
    ] {
        *shop.away.lock() = Some(error);
        for tool in ["view_cart", "list_orders", "list_categories", "recommend", "prepare_checkout"] {
            assert_eq!(chat.call(tool, json!({})).await.unwrap_err().code, code, "{tool}");
        }
    }
    *shop.away.lock() = None;
    assert!(chat.call("view_cart", json!({})).await.is_ok());
}

#[actix_rt::test]
async fn recommendations_are_similar_in_stock_and_not_the_same_product() {
    let shop = TestShop::open();
    let mut chat = TestChat::new(&shop);
    chat.known.note(&[id("Brass desk lamp")]);
    let answer = chat.call("recommend", json!({ "productId": id("Brass desk lamp") })).await.unwrap();
    let titles: Vec<&str> =
        answer["products"].as_array().unwrap().iter().map(|row| row["untrusted"]["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["Clay table lamp", "Solar garden lamp"]);
    chat.known.note(&[id("Enamel tea kettle")]);
    let answer = chat.call("recommend", json!({ "productId": id("Enamel tea kettle") })).await.unwrap();
    assert_eq!(answer["products"][0]["untrusted"]["title"], "Stoneware mug, set of four");
    assert_eq!(answer["products"][0]["boughtTogether"], true);
    assert_eq!(answer["products"][1]["untrusted"]["title"], "Gooseneck kettle in steel");
    assert_eq!(answer["products"][1]["boughtTogether"], false);
}
