//! Odd headers at every route.

use super::{
    api::{Operation, with_ids},
    callers::{self, Badges},
    fleet::{self, Case},
    shop::Shop,
    targets::run,
    wire::Request,
};

/// Headers, each for a separate request.
fn odd_headers() -> Vec<Vec<(&'static str, Vec<u8>)>> {
    let one = |name: &'static str, value: &str| vec![(name, value.as_bytes().to_vec())];
    let mut odd = vec![
        one("idempotency-key", ""),
        one("idempotency-key", &"k".repeat(256)),
        one("idempotency-key", "\u{e9}"),
        one("idempotency-key", "{\"$gt\":\"\"}"),
        vec![("idempotency-key", b"a\x80\xff".to_vec())],
        vec![("idempotency-key", b"one".to_vec()), ("idempotency-key", b"two".to_vec())],
        one("x-forwarded-for", "999.999.999.999, , ::::, [::1]:99999, <script>"),
        one("x-forwarded-for", &"1.2.3.4,".repeat(1_000)),
        one("x-forwarded-host", "evil.example"),
        one("forwarded", "for=\"[::1\";host=evil.example"),
        one("range", "bytes=0-0,1-1,-99999999999999999999"),
        one("range", "lines=1-"),
        one("if-range", "x"),
        one("if-none-match", "*"),
        one("if-none-match", &"\"x\",".repeat(5_000)),
        vec![("if-none-match", b"\xff".to_vec())],
        one("if-match", "\"x\""),
        one("if-modified-since", "yesterday"),
        one("accept", "text/html;q=2, */*;q=-1, application/json;q=NaN"),
        one("accept", ""),
        vec![("accept", b"\xff\xfe".to_vec())],
        one("accept", &"text/x,".repeat(5_000)),
        one("accept-encoding", "gzip;q=x, br, *;q=0"),
        one("accept-language", "\u{202e}"),
        one("accept-charset", "utf-7"),
        one("content-encoding", "gzip"),
        one("content-encoding", "gzip, gzip, br, identity"),
        one("expect", "200-maybe"),
        one("te", "trailers, deflate;q=0.5"),
        one("trailer", "content-length"),
        one("max-forwards", "-1"),
        one("host", "other.example"),
        one("x-request-id", &"x".repeat(65)),
        one("x-request-id", "<script>alert(1)</script>"),
        vec![("x-request-id", b"\xff".to_vec())],
        one("x-http-method-override", "DELETE"),
        one("x-original-url", "/api/orders/me"),
        one("origin", "null"),
        one("origin", "https://evil.example"),
        vec![("origin", b"\xff".to_vec())],
        one("sec-fetch-site", "cross-site"),
        one("referer", "javascript:alert(1)"),
        one("user-agent", &"a".repeat(30_000)),
        one("cookie", &"a=b; ".repeat(5_000)),
        one("cookie", "token=\"\"; token=a.b.c; =; ;;"),
        vec![("cookie", b"token=\xff\xfe".to_vec())],
        one("authorization", ""),
        one("authorization", "Bearer"),
        one("authorization", "Bearer "),
        one("authorization", "Basic YWRtaW46YWRtaW4="),
        one("authorization", "Bearer a b c"),
        vec![("authorization", b"Bearer \xff".to_vec())],
        vec![("authorization", b"Bearer x".to_vec()), ("authorization", b"Bearer y".to_vec())],
        one("x-razorpay-signature", "\u{0e}"),
        one("x-razorpay-signature", &"00".repeat(20_000)),
        one("x-razorpay-event-id", &"e".repeat(20_000)),
        one("upgrade-insecure-requests", "1"),
        one("access-control-request-method", "BREW"),
        one("connection", "keep-alive, x-custom, close"),
        one("proxy-connection", "keep-alive"),
    ];
    odd.push((0..60).map(|_| ("x-many", b"v".to_vec())).collect());
    odd
}

#[test]
fn no_header_causes_an_error() {
    run(async {
        let shop = Shop::open().await;
        let badges = Badges::of(&shop).await;
        let (own, operations) = (shop.own.clone(), Operation::all(&shop).await);
        let cases = operations.into_iter().flat_map(move |operation| {
            let (own, badges) = (own.clone(), badges.clone());
            odd_headers().into_iter().enumerate().flat_map(move |(index, headers)| {
                let mut request = Request::new(&operation.method, operation.target(&own, None));
                // Each header is combined with each kind of caller at some route.
                let caller = callers::KNOWN[(index + operation.path.len()) % callers::KNOWN.len()];
                let names_caller = |(name, _): &(&str, _)| matches!(*name, "authorization" | "cookie");
                if !headers.iter().any(names_caller) {
                    request = request.bearer(badges.token(caller).as_deref());
                }
                let what = format!("{}, {caller:?}", headers[0].0);
                request.headers.extend(headers.into_iter().map(|(name, value)| (name.to_owned(), value)));
                let request = match operation.json() {
                    Some(_) if operation.is_slow() => request.json(b"{}".as_slice()),
                    Some(body) => request.json(with_ids(body, &own).to_string()),
                    None => request,
                };
                [Case::new(what, request).or_parser()]
            })
        });
        let tally = fleet::send(&shop, cases).await;
        assert!(tally.sent() > 2_000, "{tally:?}");
        shop.close().await;
    });
}

#[test]
fn no_method_causes_an_error() {
    const METHODS: [&str; 16] = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW", "get", "Post",
        "PURGE", "LINK", "QUERY", "X-1",
    ];
    run(async {
        let shop = Shop::open().await;
        let badges = Badges::of(&shop).await;
        let (own, operations) = (shop.own.clone(), Operation::all(&shop).await);
        let known = operations.clone();
        let cases = operations.into_iter().flat_map(move |operation| {
            let (own, badges, known) = (own.clone(), badges.clone(), known.clone());
            METHODS.into_iter().flat_map(move |method| {
                let asks = |path: &str| known.iter().any(|other| other.method == method && other.path == path);
                let harmless = method == "HEAD" || !asks(&operation.path);
                let cases = callers::ALL.iter().filter(|_| harmless).map(|caller| {
                    let request = Request::new(method, operation.target(&own, None));
                    Case::new(format!("{caller:?}"), request.bearer(badges.token(*caller).as_deref()))
                });
                cases.collect::<Vec<_>>()
            })
        });
        let tally = fleet::send(&shop, cases).await;
        assert!(tally.statuses[&405] > 3_000, "{tally:?}");
        shop.close().await;
    });
}
