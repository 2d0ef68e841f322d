use proptest::prelude::*;
use serde_json::json;

use super::*;

const LIMITS: AttachmentLimits = AttachmentLimits { count: 3, bytes: 8, within: Duration::from_secs(10) };

fn read(text: &str) -> Result<Option<Incoming>, FrameError> {
    Decoder::new(LIMITS).text(Str::copy_from_slice(text))
}

#[test]
fn events_and_acknowledgements_round_trip() {
    let data = Data::new(vec![json!(1), json!("é"), json!({"3": [true]})]);
    let sent = event("/custom", "message", data.clone(), Some(12));
    assert_eq!(sent.text.as_str(), r#"2/custom,12["message",1,"é",{"3":[true]}]"#);
    let expected =
        Incoming::Event { namespace: "/custom".into(), name: "message".into(), data: data.clone(), ack: Some(12) };
    assert_eq!(read(&sent.text), Ok(Some(expected)));
    let sent = acknowledged("/", 456, data.clone());
    assert_eq!(read(&sent.text), Ok(Some(Incoming::Ack { namespace: "/".into(), id: 456, data })));
}

#[test]
fn attachments_follow_their_packet() {
    let mut decoder = Decoder::new(LIMITS);
    let text = r#"51-["a",{"_placeholder":true,"num":0}]"#;
    assert_eq!(decoder.text(text.into()), Ok(None));
    assert!(decoder.is_incomplete());
    let Ok(Some(Incoming::Event { name, data, .. })) = decoder.binary(Bytes::from_static(b"xyz")) else {
        panic!("an event was expected");
    };
    assert!(!decoder.is_incomplete());
    let sent = event("/", &name, data, None);
    assert_eq!((sent.text.as_str(), sent.attachments), (text, vec![Bytes::from_static(b"xyz")]));
}

#[test]
fn attachments_that_do_not_fit_are_refused() {
    assert!(read(r#"54-["a"]"#).is_err(), "too many");
    let mut decoder = Decoder::new(LIMITS);
    assert!(decoder.binary(Bytes::from_static(b"x")).is_err(), "no attachment is expected");
    assert_eq!(decoder.text(r#"52-["a"]"#.into()), Ok(None));
    assert_eq!(decoder.binary(Bytes::from_static(b"1234")), Ok(None));
    assert!(decoder.binary(Bytes::from_static(b"12345")).is_err(), "too heavy");
    let mut decoder = Decoder::new(LIMITS);
    assert_eq!(decoder.text(r#"51-["a"]"#.into()), Ok(None));
    assert!(decoder.text(r#"2["b"]"#.into()).is_err(), "an attachment is expected");
}

#[test]
fn invalid_packets_are_refused() {
    let long = format!("0/{}", "n".repeat(NAME_MAX));
    let deep = format!("2[\"a\",{}", "[".repeat(100_000));
    let more = [long.as_str(), deep.as_str()];
    let short = [
        "",
        "abc",
        "9",
        "2",
        "2{}",
        "2[]",
        "2[1]",
        "2[null]",
        "2abc[\"a\"]",
        "2[\"a\"",
        "2[\"connect\"]",
        "3[]",
        "3",
        "31",
        "31{}",
        "4{\"message\":\"x\"}",
        "0abc",
        "0[]",
        "0\"x\"",
        "5[\"a\"]",
        "5-[\"a\"]",
        "6",
        "2[\"a\"]x",
        "51",
        "599999999999999999999-[\"a\"]",
    ];
    for text in short.into_iter().chain(more) {
        assert!(matches!(read(text), Err(FrameError::Socket(_))), "{text:.40}");
    }
}

proptest! {
    #[test]
    fn no_frames_panic(frames in prop::collection::vec((any::<bool>(), "[0-6]?[0-9]{0,3}-?(/[a-z]{0,2},?)?\\PC{0,24}"), 0..6)) {
        let mut decoder = Decoder::new(LIMITS);
        for (binary, text) in frames {
            let _any = if binary { decoder.binary(Bytes::from(text)) } else { decoder.text(text.into()) };
        }
    }
}
