//! What is not told plainly changes nothing; what is asked gets an answer.

use crate::ws::agent::{
    instruction::{Mood, tests::phrases},
    testing::{Talk, TestShop},
};

/// A conversation with a lamp and a kettle in the cart, and lamps on the screen.
async fn begun(shop: &std::sync::Arc<TestShop>) -> Talk {
    let mut talk = Talk::new(shop);
    talk.say("add the enamel tea kettle").await;
    talk.say("add the solar garden lamp").await;
    talk.say("show me lamps").await;
    talk
}

#[actix_rt::test]
async fn nothing_changes_on_what_is_no_instruction() {
    let shop = TestShop::open();
    for (mood, phrase) in phrases() {
        let told = matches!(mood, Mood::Instruction | Mood::Yes);
        for question in ["", "tell me about the clay table lamp", "empty my cart", "add 30 solar garden lamps"] {
            let mut talk = begun(&shop).await;
            if !question.is_empty() {
                let asked = talk.say(question).await;
                assert!(asked.contains("Shall I"), "{asked}");
            }
            let brief = mood == Mood::Naming && phrase.contains("more");
            if told || brief {
                continue;
            }
            let before = talk.cart();
            assert_eq!(before.len(), 2);
            let reply = talk.say(phrase).await;
            assert_eq!(talk.cart(), before, "{question} / {phrase}: {reply}");
            assert!(!reply.contains("/checkout?summary="), "{phrase}: {reply}");
            // A yes answers what was asked last and nothing before it.
            let asks = reply.trim_end().ends_with('?') || reply.contains("Say “yes”");
            if !asks {
                talk.say("yes").await;
                assert_eq!(talk.cart(), before, "{question} / {phrase} / yes: {reply}");
            }
        }
    }
}

#[actix_rt::test]
async fn a_yes_to_no_question_does_nothing() {
    let shop = TestShop::open();
    for (mood, phrase) in phrases() {
        if mood != Mood::Yes && mood != Mood::No {
            continue;
        }
        let mut talk = begun(&shop).await;
        let before = talk.cart();
        talk.say(phrase).await;
        assert_eq!(talk.cart(), before, "{phrase}");
        // A no ends what was asked.
        talk.say("tell me about the clay table lamp").await;
        talk.say("no").await;
        talk.say("yes").await;
        assert_eq!(talk.cart(), before, "{phrase}");
    }
}

#[actix_rt::test]
async fn plain_instructions_and_answers_act() {
    let shop = TestShop::open();
    for (said, title, count) in [
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
        let mut talk = begun(&shop).await;
        let reply = talk.say(said).await;
        let cart = talk.cart();
        assert_eq!(cart.len(), 3, "{said}: {reply}");
        assert!(cart.contains(&(title.to_owned(), count)), "{said}: {reply}");
    }
    let mut talk = begun(&shop).await;
    let both = talk.say("add two dotted notebooks and check out").await;
    assert!(both.contains("2 × Dotted notebook") && both.contains("/checkout?summary="), "{both}");
}

#[actix_rt::test]
async fn a_polite_question_is_offered_and_done_by_a_yes() {
    let shop = TestShop::open();
    for (said, question, title, count) in [
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
        let mut talk = begun(&shop).await;
        let asked = talk.say(said).await;
        assert!(asked.contains(question), "{said}: {asked}");
        talk.say("yes").await;
        assert!(talk.cart().contains(&(title.to_owned(), count)), "{said}: {:?}", talk.cart());
    }
    let mut talk = begun(&shop).await;
    let asked = talk.say("I don't want the solar lamp").await;
    assert!(asked.contains("Shall I take Solar garden lamp out of your cart?"), "{asked}");
    talk.say("yes").await;
    assert_eq!(talk.cart(), [("Enamel tea kettle".to_owned(), 1)]);
    let which = talk.say("can you add a lamp?").await;
    assert!(which.contains("Which one do you mean?"), "{which}");
    talk.say("is the second one good?").await;
    assert_eq!(talk.cart().len(), 1);
    talk.say("can you add a lamp?").await;
    talk.say("the first one, no, the brass one").await;
    assert!(talk.cart().contains(&("Brass desk lamp".to_owned(), 1)), "{:?}", talk.history);
}

#[actix_rt::test]
async fn questions_about_the_shop_are_answered_from_its_settings() {
    let shop = TestShop::open();
    let mut talk = begun(&shop).await;
    for (said, words) in [
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
        let reply = talk.say(said).await;
        for word in words {
            assert!(reply.contains(word), "{said}: {reply}");
        }
    }
}
