//! Only plain instructions change something; questions get an answer.

use crate::ws::agent::{
    instruction::{Mood, tests::phrases},
    testing::{TestChat, TestShop},
};

/// A conversation with a lamp and a kettle in the cart, and a list of lamps.
async fn begun(shop: &std::sync::Arc<TestShop>) -> TestChat {
    let mut chat = TestChat::new(shop);
    chat.say("add the enamel tea kettle").await;
    chat.say("add the solar garden lamp").await;
    chat.say("show me lamps").await;
    chat
}

#[actix_rt::test]
async fn other_messages_change_nothing() {
    let shop = TestShop::open();
    for (mood, phrase) in phrases() {
        let instructed = matches!(mood, Mood::Instruction | Mood::Yes);
        for question in ["", "tell me about the clay table lamp", "empty my cart", "add 30 solar garden lamps"] {
            let mut chat = begun(&shop).await;
            if !question.is_empty() {
                let asked = chat.say(question).await;
                assert!(asked.contains("Shall I"), "{asked}");
            }
            let brief = mood == Mood::Naming && phrase.contains("more");
            if instructed || brief {
                continue;
            }
            let before = chat.cart();
            assert_eq!(before.len(), 2);
            let reply = chat.say(phrase).await;
            assert_eq!(chat.cart(), before, "{question} / {phrase}: {reply}");
            assert!(!reply.contains("/checkout?summary="), "{phrase}: {reply}");
            // A yes answers only the last question.
            let is_question = reply.trim_end().ends_with('?') || reply.contains("Say “yes”");
            if !is_question {
                chat.say("yes").await;
                assert_eq!(chat.cart(), before, "{question} / {phrase} / yes: {reply}");
            }
        }
    }
}

#[actix_rt::test]
async fn a_yes_without_a_question_does_nothing() {
    let shop = TestShop::open();
    for (mood, phrase) in phrases() {
        if mood != Mood::Yes && mood != Mood::No {
            continue;
        }
        let mut chat = begun(&shop).await;
        let before = chat.cart();
        chat.say(phrase).await;
        assert_eq!(chat.cart(), before, "{phrase}");
        // A no ends the question.
        chat.say("tell me about the clay table lamp").await;
        chat.say("no").await;
        chat.say("yes").await;
        assert_eq!(chat.cart(), before, "{phrase}");
    }
}

#[actix_rt::test]
async fn plain_instructions_and_answers_change_the_cart() {
    let shop = TestShop::open();
    for (text, title, count) in [
        ("add two dotted notebooks", "Dotted notebook", 2),
        ("please add the masala box to my cart", "Steel masala box", 1),
        ("ADD THE MASALA BOX!", "Steel masala box", 1),
        ("Hello! I like your shop. Please add the masala box. Thanks!", "Steel masala box", 1),
        ("Don't add the notebook. Add the masala box.", "Steel masala box", 1),
        ("add the masala box but not the notebook", "Steel masala box", 1),
        ("add the notebook, no, the masala box", "Steel masala box", 1),
        ("the clay table lamp: add it", "Clay table lamp", 1),
        ("I'll take two of the clay table lamps", "Clay table lamp", 2),
        ("add the “Clay table lamp”", "Clay table lamp", 1),
    ] {
        let mut chat = begun(&shop).await;
        let reply = chat.say(text).await;
        let cart = chat.cart();
        assert_eq!(cart.len(), 3, "{text}: {reply}");
        assert!(cart.contains(&(title.to_owned(), count)), "{text}: {reply}");
    }
    let mut chat = begun(&shop).await;
    let both = chat.say("add two dotted notebooks and check out").await;
    assert!(both.contains("2 × Dotted notebook") && both.contains("/checkout?summary="), "{both}");
}

#[actix_rt::test]
async fn a_polite_question_gets_an_offer_that_a_yes_carries_out() {
    let shop = TestShop::open();
    for (text, question, title, count) in [
        ("can you add two dotted notebooks?", "Shall I add 2 × Dotted notebook to your cart?", "Dotted notebook", 2),
        (
            "could you please add the masala box",
            "Shall I add 1 × Steel masala box to your cart?",
            "Steel masala box",
            1,
        ),
        (
            "my wife said \"add the masala box\"",
            "Shall I add 1 × Steel masala box to your cart?",
            "Steel masala box",
            1,
        ),
        ("can you make the kettle 3?", "Shall I change Enamel tea kettle from 1 to 3?", "Enamel tea kettle", 3),
    ] {
        let mut chat = begun(&shop).await;
        let asked = chat.say(text).await;
        assert!(asked.contains(question), "{text}: {asked}");
        chat.say("yes").await;
        assert!(chat.cart().contains(&(title.to_owned(), count)), "{text}: {:?}", chat.cart());
    }
    let mut chat = begun(&shop).await;
    let asked = chat.say("I don't want the solar lamp").await;
    assert!(asked.contains("Shall I take Solar garden lamp out of your cart?"), "{asked}");
    chat.say("yes").await;
    assert_eq!(chat.cart(), [("Enamel tea kettle".to_owned(), 1)]);
    let which = chat.say("can you add a lamp?").await;
    assert!(which.contains("Which one do you mean?"), "{which}");
    chat.say("is the second one good?").await;
    assert_eq!(chat.cart().len(), 1);
    chat.say("can you add a lamp?").await;
    chat.say("the first one, no, the brass one").await;
    assert!(chat.cart().contains(&("Brass desk lamp".to_owned(), 1)), "{:?}", chat.history);
}

#[actix_rt::test]
async fn questions_about_the_shop_are_answered_from_its_settings() {
    let shop = TestShop::open();
    let mut chat = begun(&shop).await;
    for (text, words) in [
        ("how long does delivery take?", &["₹50.00", "/orders"][..]),
        ("how much is shipping", &["₹50.00"]),
        ("do you deliver to Mumbai?", &["₹50.00"]),
        ("how can I pay?", &["order's page", "check out"]),
        ("do you take credit cards?", &["ways to pay"]),
        ("can I pay cash on delivery?", &["ways to pay"]),
        ("what is your return policy?", &["/orders"]),
        ("can I send it back?", &["/orders"]),
        ("how much tax do I pay?", &["10 %"]),
        ("did you remove the kettle?", &["changed nothing", "Enamel tea kettle"]),
        ("why did you add the lamp?", &["changed nothing", "Solar garden lamp"]),
        ("which lamp should I buy?", &["Clay table lamp", "Brass desk lamp"]),
        ("how do I remove an item?", &["remove the kettle"]),
        ("Add the masala box. How long does delivery take?", &["1 × Steel masala box", "₹50.00"]),
    ] {
        let reply = chat.say(text).await;
        for word in words {
            assert!(reply.contains(word), "{text}: {reply}");
        }
    }
}
