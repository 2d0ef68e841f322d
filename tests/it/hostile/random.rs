//! Arbitrary JSON and queries at arbitrary routes. A failure prints its smallest input and seed.

use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    test_runner::{Config, TestError, TestRunner},
};
use serde_json::{Map, Value, json};

use super::{
    api::{Operation, places, with_ids},
    callers::{self, Badges, Caller},
    judge::{self, By},
    shop::Shop,
    targets::run,
    wire::{Body, Connection, Request},
};

/// The requests of one run.
const CASES: u32 = 1_500;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        (-10_i64..1_100).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~]{0,20}".prop_map(Value::from),
        "[0-9a-f]{24}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            btree_map("[a-zA-Z$_.]{0,12}", inner, 0..6).prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
}

#[derive(Debug, Clone)]
struct Shot {
    operation: prop::sample::Index,
    caller: prop::sample::Index,
    place: Option<prop::sample::Index>,
    value: Value,
    query: String,
}

fn shot() -> impl Strategy<Value = Shot> {
    let query = prop_oneof![
        Just(String::new()),
        "[!-~]{0,40}".prop_map(|text| text.replace('#', "")),
        "(q|skip|limit|page|sort|status|from|to|minprice|maxprice|category)=[!-~]{0,12}"
            .prop_map(|text| text.replace('#', "")),
        "(from|to)=-?[0-9]{4,7}-[0-1][0-9]-[0-3][0-9]",
    ];
    let place = prop::option::weighted(0.8, any::<prop::sample::Index>());
    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), place, any_json(), query)
        .prop_map(|(operation, caller, place, value, query)| Shot { operation, caller, place, value, query })
}

/// The request, unless it would be a valid login or registration.
fn aimed(shot: &Shot, operations: &[Operation], shop: &Shop, badges: &Badges) -> Request {
    let operation = shot.operation.get(operations);
    let known = [callers::KNOWN.as_slice(), &[Caller::Nobody]].concat();
    let mut target = operation.target(&shop.own, None);
    if !shot.query.is_empty() {
        target = format!("{target}?{}", shot.query);
    }
    let request = Request::new(&operation.method, target).bearer(badges.token(*shot.caller.get(&known)).as_deref());
    let valid = operation.json().map(|body| with_ids(body, &shop.own)).filter(|_| !operation.is_slow());
    let body = match (valid, shot.place) {
        (Some(mut body), Some(place)) => {
            let places = places(&body);
            if !places.is_empty() {
                let place = place.get(&places);
                *body.pointer_mut(place).unwrap() = shot.value.clone();
            }
            body
        }
        _ => shot.value.clone(),
    };
    request.body("application/json", Body::Sized(body.to_string().into()))
}

#[test]
fn no_random_request_causes_an_error() {
    run(async {
        let shop = Shop::open().await;
        let badges = Badges::of(&shop).await;
        let operations = Operation::all(&shop).await;
        let handle = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
            let connection = std::cell::RefCell::new(Connection::new(shop.address));
            let result = TestRunner::new(config).run(&shot(), |shot| {
                let request = aimed(&shot, &operations, &shop, &badges);
                let answer = handle.block_on(connection.borrow_mut().exchange(&request));
                // A query of arbitrary characters may be refused by the HTTP parser.
                match judge::fault(&answer, By::Parser, false) {
                    None => Ok(()),
                    Some(fault) => {
                        let target = String::from_utf8_lossy(&request.target).into_owned();
                        Err(TestCaseError::fail(format!("{} {target}: {fault}", request.method)))
                    }
                }
            });
            if let Err(TestError::Fail(reason, shot)) = &result {
                panic!("{reason}\n{shot:#?}");
            }
            result.unwrap();
        });
        shop.is_well().await;
        shop.close().await;
    });
}
