//! Values that no field accepts.

/// As raw JSON text; some are malformed.
pub fn in_json() -> Vec<Vec<u8>> {
    let mut values: Vec<Vec<u8>> = [
        "null",
        "true",
        "0",
        "-0",
        "-1",
        "0.001",
        "10.999",
        "1.0000000000000001",
        "1e2",
        "1E+2",
        "1e400",
        "-1e400",
        "1e-400",
        "4294967296",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999999999999999",
        "NaN",
        "Infinity",
        "-Infinity",
        "0x10",
        "01",
        "+1",
        ".5",
        "5.",
        "1_000",
        "undefined",
        "'x'",
        "",
        "[]",
        "{}",
        "[1,2,3]",
        "[[[[[]]]]]",
        "[null]",
        r#""""#,
        r#"" ""#,
        r#""\u0000""#,
        r#""a\u0000b""#,
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        r#""\ud83d""#,
        r#""\u202eevil\u202c\u200b\ufeff""#,
        r#""\x""#,
        "\"\t\n\"",
        "\"open",
        r#""e\u0301\u0301\u0301\u0301""#,
        "\"👩‍👩‍👧‍👦🏳️‍🌈\"",
        "\"ﷺ مرحبا שלום\"",
        r#""<script>alert(1)</script>""#,
        r#""<img src=x onerror=alert(1)>""#,
        r#""{{7*7}}${7*7}<%= 7*7 %>""#,
        r#""'; DROP TABLE users; --""#,
        r#""' OR '1'='1""#,
        r#""%' AND 1=1 --""#,
        r#""../../../../etc/passwd""#,
        r#""a\r\nSet-Cookie: token=x""#,
        r#""$where""#,
        r#""__proto__""#,
        r#""1e400""#,
        r#""NaN""#,
        r#""0.001""#,
        r#""-1""#,
        r#""٣""#,
        r#""1,000""#,
        r#""0x1F""#,
        r#""true""#,
        r#""null""#,
        r#"{"$gt":""}"#,
        r#"{"$where":"sleep(1000)"}"#,
        r#"{"$ne":null}"#,
        r#"{"__proto__":{"role":"admin"}}"#,
        r#"{"constructor":{"prototype":{}}}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"amount":-1,"currency":"INR"}"#,
        r#"{"amount":0.001}"#,
        r#"{"amount":1e30,"currency":"EUR"}"#,
        r#""ffffffffffffffffffffffff""#,
        r#""FFFFFFFFFFFFFFFFFFFFFFFF""#,
        r#""000000000000000000000000""#,
        r#""a@b@c""#,
        r#""a@b.cd\nBcc: x@y.zz""#,
        r#""admin""#,
        r#""service""#,
    ]
    .into_iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    values.push(b"\"\xff\xfe\xc3\x28\"".to_vec());
    values.push(b"\"\xed\xa0\x80\"".to_vec());
    values.push(vec![0]);
    for length in [33, 129, 201, 321, 1_025, 10_001, 70_000] {
        values.push(format!("\"{}\"", "x".repeat(length)).into_bytes());
    }
    values.push(format!("\"{}\"", "💥".repeat(201)).into_bytes());
    values.push(format!("1{}", "0".repeat(400)).into_bytes());
    values.push(format!("0.{}1", "0".repeat(5_000)).into_bytes());
    values.push(format!("[{}]", vec!["1"; 1_001].join(",")).into_bytes());
    values.push("[".repeat(200).into_bytes());
    values
}

/// As part of a request target; some are invalid there.
pub fn in_target() -> Vec<Vec<u8>> {
    let mut values: Vec<Vec<u8>> = [
        "x",
        "0",
        "-1",
        "1e400",
        "null",
        "undefined",
        "true",
        "me",
        "seller",
        "zzzzzzzzzzzzzzzzzzzzzzzz",
        "000000000000000000000000",
        "FFFFFFFFFFFFFFFFFFFFFFFF",
        "0123456789abcdef0123456",
        "0123456789abcdef012345678",
        "%00",
        "a%00b",
        "%2e%2e",
        "..",
        ".",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e%5cwindows",
        "....//....//",
        "%zz",
        "%",
        "%2",
        "%ff%fe",
        "%c0%af",
        "%ed%a0%80",
        "%f0%9f%92%a9",
        "%e2%80%ae",
        "%25%32%66",
        "%0d%0aset-cookie:%20a=b",
        "%20",
        "+",
        "a+b",
        ";",
        "a;b=c",
        "*",
        "$gt",
        "$where",
        "[$ne]=1",
        "__proto__",
        "'%20or%20'1'='1",
        "%27%3b%20drop%20table%20users%3b--",
        "%3cscript%3ealert(1)%3c%2fscript%3e",
        "{}",
        "<script>",
        "\"",
        "\\",
        "^`|",
        "~",
        "a%2fb",
        "//",
        "a:b@c",
        "null%00.png",
        "é",
        "💩",
    ]
    .into_iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    values.push(b"\xff\xfe".to_vec());
    values.push(b"\x01\x7f".to_vec());
    values.push(b"x".repeat(2_000));
    values.push(b"%61".repeat(8_000));
    values.push(b"x".repeat(66_000));
    values
}
