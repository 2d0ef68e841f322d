//! Odd paths and queries at every route.

use serde_json::Value;

use super::{
    api::{Operation, with_ids},
    callers::{self, Badges, Caller},
    fleet::{self, Case},
    shop::{Shop, Things},
    values,
    wire::Request,
};

fn request(operation: &Operation, target: impl Into<Vec<u8>>, things: &Things) -> Request {
    let request = Request::new(&operation.method, target);
    match operation.json().filter(|body| !body.as_object().is_some_and(serde_json::Map::is_empty)) {
        // Cheap to refuse; valid calls are tested elsewhere.
        Some(_) if operation.is_slow() => request.json(b"{}".as_slice()),
        Some(body) => request.json(with_ids(body, things).to_string()),
        None => request,
    }
}

#[test]
fn no_path_parameter_causes_an_error() {
    run(async {
        let shop = Shop::open().await;
        let badges = Badges::of(&shop).await;
        let (own, operations) = (shop.own.clone(), Operation::all(&shop).await);
        let cases = operations.into_iter().flat_map(move |operation| {
            let (own, badges) = (own.clone(), badges.clone());
            let names: Vec<String> = operation.parameters().into_iter().map(str::to_owned).collect();
            names.into_iter().flat_map(move |name| {
                let (own, badges, operation) = (own.clone(), badges.clone(), operation.clone());
                values::in_target().into_iter().enumerate().flat_map(move |(index, value)| {
                    let template = operation.target(&own, Some((&name, "@@")));
                    let (before, after) = template.split_once("@@").unwrap();
                    let target = [before.as_bytes(), &value, after.as_bytes()].concat();
                    // Every caller tries something, the known ones everything.
                    let other = callers::ALL[index % callers::ALL.len()];
                    let tried = [Caller::User, Caller::Seller, Caller::Admin, Caller::Service, other];
                    let cases = tried.map(|caller| {
                        let request = request(&operation, target.clone(), &own);
                        let request = request.bearer(badges.token(caller).as_deref());
                        Case::new(format!("{name}, {caller:?}"), request).or_parser()
                    });
                    cases.into_iter()
                })
            })
        });
        let tally = fleet::send(&shop, cases).await;
        assert!(tally.sent() > 3_000, "{tally:?}");
        assert!(tally.statuses[&400] > 500 && tally.statuses[&404] > 100, "{tally:?}");
        shop.close().await;
    });
}

#[test]
fn callers_cannot_access_the_data_of_others() {
    run(async {
        let shop = Shop::open().await;
        let badges = Badges::of(&shop).await;
        let (keeps, operations) = (shop.keeps.clone(), Operation::all(&shop).await);
        let cases = operations.into_iter().filter(|operation| !operation.is_slow()).flat_map(move |operation| {
            let (keeps, badges) = (keeps.clone(), badges.clone());
            // Admins and the platform's own processes may access any user's data.
            let strangers = callers::ALL.into_iter().filter(|who| !matches!(who, Caller::Admin | Caller::Service));
            strangers.flat_map(move |caller| {
                let token = badges.token(caller);
                let bearer = request(&operation, operation.target(&keeps, None), &keeps).bearer(token.as_deref());
                let cookie = request(&operation, operation.target(&keeps, None), &keeps);
                let cookie = match token {
                    Some(token) => cookie.header("cookie", format!("a=b; token={token}")),
                    None => cookie.header("cookie", "token=; token"),
                };
                [Case::new(format!("{caller:?}"), bearer), Case::new(format!("{caller:?} by cookie"), cookie)]
            })
        });
        let tally = fleet::send(&shop, cases).await;
        assert!(tally.statuses[&401] > 200 && tally.statuses[&403] > 20, "{tally:?}");
        shop.close().await;
    });
}

#[test]
fn no_hostile_query_causes_an_error() {
    run(async {
        let shop = Shop::open().await;
        let badges = Badges::of(&shop).await;
        let (own, operations) = (shop.own.clone(), Operation::all(&shop).await);
        let cases = operations.into_iter().flat_map(move |operation| {
            let (own, badges) = (own.clone(), badges.clone());
            queries(&operation).into_iter().flat_map(move |query| {
                let target = [operation.target(&own, None).as_bytes(), b"?", &query].concat();
                let callers: &[Caller] = if operation.query.is_empty() { &callers::ALL[..1] } else { &callers::KNOWN };
                let cases = callers.iter().map(|caller| {
                    let request = request(&operation, target.clone(), &own);
                    Case::new(format!("{caller:?}"), request.bearer(badges.token(*caller).as_deref())).or_parser()
                });
                cases.collect::<Vec<_>>()
            })
        });
        let tally = fleet::send(&shop, cases).await;
        assert!(tally.sent() > 3_000, "{tally:?}");

        for query in
            ["limit=1&limit=2", "limit=101", "limit=0", "limit=-1", "skip=1e3", "page=0", "q=%zz", "minprice=1.001"]
        {
            let answer = shop.ask(&Request::new("GET", format!("/api/products?{query}"))).await;
            assert_eq!(answer.status, 400, "{query}");
            let name = query.split('=').next().unwrap();
            assert_eq!(answer.json()["errors"][0]["path"], Value::from(name), "{query}");
        }
        shop.close().await;
    });
}

/// Queries for an operation: every parameter with every value, and odd queries.
fn queries(operation: &Operation) -> Vec<Vec<u8>> {
    let mut queries: Vec<Vec<u8>> = vec![];
    for name in &operation.query {
        for value in values::in_target() {
            queries.push([name.as_bytes(), b"=", &value].concat());
        }
        for number in ["18446744073709551616", "9223372036854775807", "1000000000000", "1.5", "0.001", "1e2", "NaN", ""]
        {
            queries.push(format!("{name}={number}").into_bytes());
        }
        for shape in ["{}", "{}=&{}=", "{}=1&{}=2", "{}[]=1", "{}[$gt]=", "{}[a][b]=1", "%7b{}%7d=1", "{}==", "{}=1#x"]
        {
            queries.push(shape.replace("{}", name).into_bytes());
        }
    }
    for shape in ["", "&", "&&&&", "=", "?", "a", "a=%", "%=%", "__proto__=1", "a[b]=c", "\u{feff}=1", "a=b;c=d"] {
        queries.push(shape.as_bytes().to_vec());
    }
    queries.push(b"a=1&".repeat(5_000));
    queries.push([b"q=".as_slice(), &b"word+".repeat(8_000)].concat());
    queries
}

/// Runs a test on its own runtime.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.unwrap().block_on(test);
}
