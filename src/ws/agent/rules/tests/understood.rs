//! The intents of single messages.

use proptest::prelude::*;

use super::super::{
    intent::{Intent, Preference, Quantity, read},
    quantity::Item,
    reference::Reference,
};
use crate::domain::order::OrderStatus;

fn named(words: &str) -> Reference {
    Reference::Named(words.split(' ').map(str::to_owned).collect())
}

fn one(quantity: Option<u32>, reference: Reference) -> Intent {
    Intent::Add(vec![Item { quantity, reference }])
}

#[test]
fn searches_are_understood() {
    for (text, words, min, max, in_stock, preference) in [
        ("show me lamps", "lamps", None, None, false, Preference::Best),
        ("Show me some nice lamps please!", "lamps", None, None, false, Preference::Best),
        ("lamps", "lamps", None, None, false, Preference::Best),
        ("I am looking for a desk lamp", "desk lamp", None, None, false, Preference::Best),
        ("I need a gift under 500", "gift", None, Some(500), false, Preference::Best),
        ("anything under ₹500?", "", None, Some(500), false, Preference::Best),
        ("lamps between 200 and 800", "lamps", Some(200), Some(800), false, Preference::Best),
        ("do you have kettles over 2000 rupees", "kettles", Some(2000), None, false, Preference::Best),
        ("cheapest kettle", "kettle", None, None, false, Preference::Cheapest),
        ("what is the cheapest kettle you have?", "kettle", None, None, false, Preference::Cheapest),
        ("most expensive headphones", "headphones", None, None, false, Preference::Dearest),
        ("lamps in stock", "lamps", None, None, true, Preference::Best),
        ("which lamps are available", "lamps", None, None, true, Preference::Best),
        ("something for the kitchen", "kitchen", None, None, false, Preference::Best),
        ("I want a lamp", "lamp", None, None, false, Preference::Best),
        ("get me a kettle under 2k", "kettle", None, Some(2000), false, Preference::Best),
        ("hi, can you find me a brass pen?", "brass pen", None, None, false, Preference::Best),
        ("show me 3 lamps", "lamps", None, None, false, Preference::Best),
        ("what's new?", "", None, None, false, Preference::Newest),
        ("recommend a lamp under 1000", "lamp", None, Some(1000), false, Preference::Best),
        ("pour-over coffee dripper", "pour over coffee dripper", None, None, false, Preference::Best),
        ("under 1000", "", None, Some(1000), false, Preference::Best),
    ] {
        let Intent::Find(wanted) = read(text) else { panic!("{text}: {:?}", read(text)) };
        assert_eq!(wanted.words.join(" "), words, "{text}");
        let major = |minor: Option<i64>| minor.map(|minor| minor / 100);
        assert_eq!((major(wanted.limits.min), major(wanted.limits.max)), (min, max), "{text}");
        assert_eq!((wanted.in_stock, wanted.preference), (in_stock, preference), "{text}");
    }
}

#[test]
fn changes_of_the_cart_are_understood() {
    let cases = [
        ("add the second one", one(None, Reference::Positions(vec![2]))),
        ("add the second one to my cart please", one(None, Reference::Positions(vec![2]))),
        ("put it in my cart", one(None, Reference::It)),
        ("add it", one(None, Reference::It)),
        ("add to cart", one(None, Reference::It)),
        ("add two of the first", one(Some(2), Reference::Positions(vec![1]))),
        ("add #3", one(None, Reference::Positions(vec![3]))),
        ("add number 2", one(None, Reference::Positions(vec![2]))),
        ("add 2", one(Some(2), Reference::Nothing)),
        ("add the brass desk lamp", one(None, named("brass desk lamp"))),
        ("add 2 brass desk lamps to the cart", one(Some(2), named("brass desk lamps"))),
        ("add brass desk lamp x2", one(Some(2), named("brass desk lamp"))),
        ("add three enamel tea kettles", one(Some(3), named("enamel tea kettles"))),
        ("add a dozen dotted notebooks", one(Some(12), named("dotted notebooks"))),
        ("buy the cheapest kettle", one(None, Reference::Cheapest(vec!["kettle".into()]))),
        ("i want the second one", one(None, Reference::Positions(vec![2]))),
        ("i'll take it", one(None, Reference::It)),
        ("I'll take two of those", one(Some(2), Reference::All)),
        ("add both", one(None, Reference::FirstOf(2))),
        ("add salt and pepper mill", one(None, named("salt pepper mill"))),
        ("add the stoneware mug, set of four", one(None, named("stoneware mug set four"))),
        (
            "add two of the first and three of the third",
            Intent::Add(vec![
                Item { quantity: Some(2), reference: Reference::Positions(vec![1]) },
                Item { quantity: Some(3), reference: Reference::Positions(vec![3]) },
            ]),
        ),
        (
            "add the kettle and two notebooks",
            Intent::Add(vec![
                Item { quantity: None, reference: named("kettle") },
                Item { quantity: Some(2), reference: named("notebooks") },
            ]),
        ),
        ("make it 3", Intent::Change(Reference::It, Quantity::To(3))),
        ("make that two", Intent::Change(Reference::It, Quantity::To(2))),
        ("change the kettle to two", Intent::Change(named("kettle"), Quantity::To(2))),
        ("change the quantity of the second to 4", Intent::Change(Reference::Positions(vec![2]), Quantity::To(4))),
        ("set the brass desk lamp to 5", Intent::Change(named("brass desk lamp"), Quantity::To(5))),
        ("one more", Intent::Change(Reference::It, Quantity::More(1))),
        ("add one more", Intent::Change(Reference::It, Quantity::More(1))),
        ("two less please", Intent::Change(Reference::It, Quantity::Less(2))),
        ("double it", Intent::Change(Reference::It, Quantity::Twice)),
        ("increase the lamp by 2", Intent::Change(named("lamp"), Quantity::More(2))),
        ("remove it", Intent::Remove(vec![Item { quantity: None, reference: Reference::It }])),
        ("remove the kettle from my cart", Intent::Remove(vec![Item { quantity: None, reference: named("kettle") }])),
        (
            "take the second out",
            Intent::Remove(vec![Item { quantity: None, reference: Reference::Positions(vec![2]) }]),
        ),
        ("I don't want the lamp", Intent::Remove(vec![Item { quantity: None, reference: named("lamp") }])),
        (
            "remove one of the notebooks",
            Intent::Remove(vec![Item { quantity: Some(1), reference: named("notebooks") }]),
        ),
        ("empty my cart", Intent::ClearCart),
        ("remove everything", Intent::ClearCart),
        ("show my cart", Intent::ShowCart),
        ("what's in my cart?", Intent::ShowCart),
        ("what is the total?", Intent::ShowCart),
        ("checkout", Intent::Checkout),
        ("I'd like to check out", Intent::Checkout),
        ("place the order", Intent::Checkout),
        ("how can i pay?", Intent::Checkout),
    ];
    for (text, intent) in cases {
        assert_eq!(read(text), intent, "{text}");
    }
}

#[test]
fn other_intents_are_understood() {
    let cases = [
        ("where is my order?", Intent::OrderStatus(None)),
        ("has my order shipped", Intent::OrderStatus(None)),
        ("track my package", Intent::OrderStatus(None)),
        ("show my orders", Intent::ListOrders(None)),
        ("order history", Intent::ListOrders(None)),
        ("my cancelled orders", Intent::ListOrders(Some(OrderStatus::Cancelled))),
        ("cancel my order", Intent::AboutOrders),
        ("I want a refund for my order", Intent::AboutOrders),
        ("compare the first two", Intent::Compare(vec![Reference::FirstOf(2)])),
        (
            "compare the first and the third",
            Intent::Compare(vec![Reference::Positions(vec![1]), Reference::Positions(vec![3])]),
        ),
        ("compare them", Intent::Compare(vec![Reference::All])),
        (
            "brass desk lamp vs clay table lamp",
            Intent::Compare(vec![named("brass desk lamp"), named("clay table lamp")]),
        ),
        ("tell me more about the second", Intent::Details(Reference::Positions(vec![2]))),
        ("tell me about the brass desk lamp", Intent::Details(named("brass desk lamp"))),
        ("how much is the second one?", Intent::Details(Reference::Positions(vec![2]))),
        ("is it in stock?", Intent::Details(Reference::It)),
        ("tell me more", Intent::Details(Reference::It)),
        ("show me something similar", Intent::Recommend(Reference::Nothing)),
        ("what is similar to the brass desk lamp", Intent::Recommend(named("brass desk lamp"))),
        ("recommend something", Intent::Recommend(Reference::Nothing)),
        ("what do you sell?", Intent::Categories),
        ("hello", Intent::Hello),
        ("Hi there!", Intent::Hello),
        ("thanks a lot", Intent::Thanks),
        ("ok thank you!", Intent::Thanks),
        ("bye", Intent::Bye),
        ("yes please", Intent::Yes),
        ("no thanks", Intent::Thanks),
        ("never mind", Intent::No),
        ("help", Intent::Help),
        ("what can you do?", Intent::Help),
        ("who are you?", Intent::WhoAreYou),
        ("???", Intent::Unclear),
        ("is it?", Intent::Unclear),
    ];
    for (text, intent) in cases {
        assert_eq!(read(text), intent, "{text}");
    }
    let order = "order 665f1f77bcf86cd799439012";
    assert_eq!(read(order), Intent::OrderStatus("665f1f77bcf86cd799439012".parse().ok()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_text_can_be_read(text in "\\PC{0,200}", words in proptest::collection::vec(
        prop_oneof![
            Just("add"), Just("the"), Just("second"), Just("under"), Just("500"), Just("-"), Just("and"), Just("x2"), Just("₹"),
            Just("between"), Just("hundred"), Just("remove"), Just("make"), Just("it"), Just("lamp"), Just("more"), Just("by"),
            Just("99999999999999999999"), Just("lakh"), Just("a"), Just("dozen"), Just("first"), Just("of"), Just("out"),
            Just("compare"), Just("#"), Just("cart"), Just("0"), Just("1.5k"), Just("take"), Just("quantity"), Just("pcs"),
            Just("dont"), Just("want"), Just("order"), Just("+"), Just("or"), Just("less"), Just("İ"), Just("twice")
        ], 0..24)) {
        let _intent = read(&text);
        let _intent = read(&words.join(" "));
    }
}
