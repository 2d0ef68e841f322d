//! Turns in which the model fails: there is a reply, and the next turn works.

use std::time::Duration;

use microbazaar::ws::agent::model::{ModelSettings, Provider};

use super::{
    shop::{Chat, RULES, settings},
    standin::{ModelServer, Response},
};

macro_rules! gemini {
    ($name:literal) => {
        include_str!(concat!("recordings/gemini/", $name))
    };
}

const HELLO: &str = "Hello! What are you looking for?";

/// A turn with the failure in `script`, and another one with a working model.
async fn then_hello(script: &[Response]) -> (String, usize) {
    let server = ModelServer::start(script.iter().cloned()).await;
    let mut chat = Chat::by(&server.url);
    let exchange = chat.say("find a mug").await;
    let asked = server.asked().len();
    server.play([Response::Stream(gemini!("hello.sse"))]);
    assert_eq!(chat.say("hello").await.reply.text, HELLO, "the model is used again for the next message");
    (exchange.reply.text, asked)
}

#[tokio::test]
async fn an_unavailable_model_is_tried_twice_and_then_the_rules_answer() {
    let internal = Response::Whole(500, gemini!("internal.json"));
    for away in [internal.clone(), Response::Close, Response::Cut(""), Response::Stream(gemini!("nonsense.sse"))] {
        let (reply, asked) = then_hello(std::slice::from_ref(&away)).await;
        assert_eq!((reply.as_str(), asked), (RULES, 2), "{away:?}");
    }
    let (reply, asked) = then_hello(&[internal, Response::Stream(gemini!("hello.sse"))]).await;
    assert_eq!((reply.as_str(), asked), (HELLO, 2));
}

#[tokio::test]
async fn invalid_answers_are_requested_again() {
    for nothing in [gemini!("empty.sse"), gemini!("malformed_call.sse")] {
        let (reply, asked) = then_hello(&[Response::Stream(nothing), Response::Stream(gemini!("hello.sse"))]).await;
        assert_eq!((reply.as_str(), asked), (HELLO, 2));
        let (reply, asked) = then_hello(&[Response::Stream(nothing)]).await;
        assert_eq!((reply.as_str(), asked), (RULES, 2));
    }
}

#[tokio::test]
async fn an_exceeded_quota_or_a_wrong_key_is_not_retried() {
    for (status, problem) in [(429, gemini!("quota.json")), (400, gemini!("bad_key.json")), (403, "{}"), (302, "")] {
        let (reply, asked) = then_hello(&[Response::Whole(status, problem)]).await;
        assert_eq!((reply.as_str(), asked), (RULES, 1), "{status}");
    }
}

#[tokio::test]
async fn a_topic_that_the_model_refuses_is_declined_politely() {
    for blocked in [gemini!("safety_prompt.sse"), gemini!("safety_answer.sse")] {
        let (reply, asked) = then_hello(&[Response::Stream(blocked)]).await;
        assert!(reply.starts_with("I'm sorry, I can't help with that."), "{reply}");
        assert_eq!(asked, 1);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_keeps_its_complete_sentences() {
    let search = Response::Stream(gemini!("search_again.sse"));
    let (reply, asked) = then_hello(&[search.clone(), Response::Cut(gemini!("begun.sse"))]).await;
    assert!(reply.starts_with("I found the Blue Mug for ₹499.50. "), "{reply}");
    assert!(reply.contains("I lost the thread") && !reply.contains("And there"), "{reply}");
    assert_eq!(asked, 2, "what was sent is not sent again");
    let (reply, _) = then_hello(&[search, Response::Stream(gemini!("long.sse"))]).await;
    assert_eq!(reply.trim_end(), "The Blue Mug is ₹499.50.");
}

#[tokio::test]
async fn a_model_that_stalls_times_out() {
    for script in [Response::Stall(""), Response::Stall(gemini!("begun.sse")), Response::Trickle(gemini!("begun.sse"))]
    {
        let server = ModelServer::start([Response::Stream(gemini!("search_again.sse")), script.clone()]).await;
        let (deadline, stall) = (Duration::from_millis(1_500), Duration::from_millis(400));
        let mut chat =
            Chat::with(ModelSettings { deadline, stall, ..settings(Provider::Gemini, &server.url) }, 1_000_000);
        let reply = chat.say("find a mug").await.reply.text;
        assert!(reply.contains("I lost the thread"), "{script:?}: {reply}");
        server.play([Response::Stream(gemini!("hello.sse"))]);
        assert_eq!(chat.say("hello").await.reply.text, HELLO);
    }
}

#[tokio::test]
async fn a_model_that_repeats_a_call_is_stopped() {
    for script in [gemini!("search_again.sse"), gemini!("unknown_tool.sse")] {
        let server = ModelServer::start([Response::Stream(script)]).await;
        let mut chat = Chat::by(&server.url);
        let reply = chat.say("find a mug").await.reply.text;
        assert!(reply == RULES || reply.contains("tangled up"), "{reply}");
        assert!(server.asked().len() <= 8 && chat.tools.names().len() <= 1, "{:?}", chat.tools.names());
    }
}

#[tokio::test]
async fn a_model_that_keeps_calling_tools_has_eight_rounds() {
    let script = (0..20).map(|n| {
        let text = gemini!("search_again.sse").replace("\"mug\"", &format!("\"mug {n}\""));
        // Leaked, so that it lives as long as a recording.
        Response::Stream(Box::leak(text.into_boxed_str()))
    });
    let server = ModelServer::start(script).await;
    let mut chat = Chat::by(&server.url);
    let reply = chat.say("find a mug").await.reply.text;
    assert!(reply.contains("tangled up"), "{reply}");
    assert_eq!((server.asked().len(), chat.tools.names().len()), (8, 7));
    assert_eq!(server.asked()[7].body["toolConfig"]["functionCallingConfig"]["mode"], "NONE");
}

#[tokio::test]
async fn a_turn_and_a_day_have_token_limits() {
    let server = ModelServer::start([Response::Stream(gemini!("dear.sse"))]).await;
    let mut chat = Chat::by(&server.url);
    let reply = chat.say("find a mug").await.reply.text;
    assert!(reply.contains("tangled up"), "{reply}");
    assert_eq!(server.asked().len(), 1, "the limit per message is exceeded");

    let mut chat = Chat::with(settings(Provider::Gemini, &server.url), 80_000);
    let reply = chat.say("find a mug").await.reply.text;
    assert!(reply.contains("We have talked a lot today"), "{reply}");
    assert_eq!(chat.say("find a mug").await.reply.text, RULES, "the model is not called");
    assert_eq!(server.asked().len(), 2);
}
