//! The OpenAPI document describes every route.

use std::{fs, path::Path};

use microbazaar::app::openapi;
use serde_json::Value;

/// The required caller.
#[derive(Clone, Copy, PartialEq)]
enum Who {
    Anyone,
    Token,
}
use Who::{Anyone, Token};

/// Every route: method, path, caller, the statuses that it must describe, whether it has a body.
const ROUTES: [(&str, &str, Who, &[u16], bool); 55] = [
    ("post", "/api/auth/register", Anyone, &[201, 400], true),
    ("post", "/api/auth/login", Anyone, &[200, 401], true),
    ("get", "/api/auth/me", Token, &[200, 401], false),
    ("get", "/api/auth/logout", Anyone, &[200], false),
    ("post", "/api/auth/logout", Anyone, &[200], false),
    ("post", "/api/auth/users/me/addresses", Token, &[201, 400], true),
    ("get", "/api/auth/users/me/addresses", Token, &[200], false),
    ("delete", "/api/auth/users/me/addresses/{addressId}", Token, &[200, 404], false),
    ("post", "/api/products", Token, &[201, 400, 413, 415], true),
    ("get", "/api/products", Anyone, &[200, 400], false),
    ("get", "/api/products/{id}", Anyone, &[200, 400, 404], false),
    ("patch", "/api/products/{id}", Token, &[200, 403, 404], true),
    ("post", "/api/products/{id}/images", Token, &[200, 413, 415], true),
    ("delete", "/api/products/{id}/images/{imageId}", Token, &[200, 404], false),
    ("delete", "/api/products/{id}", Token, &[204, 404], false),
    ("get", "/api/products/seller", Token, &[200], false),
    ("get", "/api/inventory/{productId}", Anyone, &[200, 404], false),
    ("put", "/api/inventory/{productId}", Token, &[200, 403], true),
    ("post", "/api/inventory/reserve", Token, &[200, 403, 409], true),
    ("post", "/api/inventory/release", Token, &[200, 403], true),
    ("post", "/api/inventory/commit", Token, &[200, 403], true),
    ("get", "/api/cart", Token, &[200], false),
    ("post", "/api/cart/items", Token, &[200, 404, 409], true),
    ("patch", "/api/cart/items/{productId}", Token, &[200, 404, 409], true),
    ("delete", "/api/cart/items/{productId}", Token, &[200, 404], false),
    ("delete", "/api/cart", Token, &[200], false),
    ("post", "/api/orders", Token, &[201, 400, 409, 422], true),
    ("get", "/api/orders/me", Token, &[200, 400], false),
    ("get", "/api/orders/{id}", Token, &[200, 403, 404], false),
    ("post", "/api/orders/{id}/cancel", Token, &[200, 409], true),
    ("patch", "/api/orders/{id}/address", Token, &[200, 409], true),
    ("post", "/api/orders/{id}/ship", Token, &[200, 409], true),
    ("post", "/api/orders/{id}/deliver", Token, &[200, 409], true),
    ("post", "/api/payments/create/{orderId}", Token, &[201, 200, 409], false),
    ("post", "/api/payments/verify", Token, &[200, 400, 404], true),
    ("post", "/api/payments/webhook", Anyone, &[200, 400], true),
    ("get", "/api/payments/order/{orderId}", Token, &[200, 404], false),
    ("post", "/api/payments/{id}/refunds", Token, &[201, 409], true),
    ("post", "/sandbox/payments/{razorpayOrderId}", Token, &[200, 404], true),
    ("get", "/api/seller/dashboard/metrics", Token, &[200, 400], false),
    ("get", "/api/seller/dashboard/orders", Token, &[200], false),
    ("get", "/api/seller/dashboard/products", Token, &[200], false),
    ("post", "/api/webhooks", Token, &[201, 400, 409], true),
    ("get", "/api/webhooks", Token, &[200, 403], false),
    ("get", "/api/webhooks/{id}", Token, &[200, 404], false),
    ("patch", "/api/webhooks/{id}", Token, &[200, 404], true),
    ("delete", "/api/webhooks/{id}", Token, &[204, 404], false),
    ("post", "/api/webhooks/{id}/rotate-secret", Token, &[200, 404], true),
    ("post", "/api/webhooks/{id}/ping", Token, &[202, 404, 409], false),
    ("get", "/api/webhooks/{id}/deliveries", Token, &[200, 404], false),
    ("post", "/api/webhooks/{id}/deliveries/{deliveryId}/redeliver", Token, &[202, 404, 409], false),
    ("get", "/healthz", Anyone, &[200], false),
    ("get", "/readyz", Anyone, &[200, 503], false),
    ("get", "/metrics", Anyone, &[200], false),
    ("get", "/dev/mailbox", Anyone, &[200, 404], false),
];

fn document() -> Value {
    serde_json::from_str(&openapi().unwrap()).unwrap()
}

/// Resolves a `$ref`.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => resolved(document, document.pointer(reference.trim_start_matches('#')).unwrap()),
        None => value,
    }
}

/// Whether the schema, or a part of it, has an example.
fn has_example(document: &Value, schema: &Value, depth: usize) -> bool {
    let schema = resolved(document, schema);
    let own = schema.get("example").is_some() || schema.get("examples").is_some();
    let parts = schema["properties"].as_object().into_iter().flat_map(|all| all.values());
    let choices = ["oneOf", "allOf", "anyOf"].into_iter().flat_map(|key| schema[key].as_array().into_iter().flatten());
    let rest = schema.get("items").into_iter().chain(parts).chain(choices);
    // An enum's values are examples.
    own || schema.get("enum").is_some()
        || (depth > 0 && rest.into_iter().any(|part| has_example(document, part, depth - 1)))
}

fn check_content(document: &Value, what: &str, content: &Value) {
    let kinds = content.as_object().unwrap_or_else(|| panic!("{what} has no content"));
    assert!(!kinds.is_empty(), "{what} has no content");
    for (kind, media) in kinds {
        let schema = media.get("schema").unwrap_or_else(|| panic!("{what} has no schema for {kind}"));
        if kind == "application/json" && !what.contains("openapi.json") && !what.contains("webhook") {
            let shown = media.get("example").is_some() || media.get("examples").is_some();
            assert!(shown || has_example(document, schema, 4), "{what} has no example: {schema}");
        }
    }
}

#[test]
fn every_route_is_described_with_schemas_examples_and_security() {
    let document = document();
    let global = document["security"].as_array().unwrap();
    assert!(!global.is_empty());
    for scheme in global.iter().flat_map(|one| one.as_object().unwrap().keys()) {
        assert!(document["components"]["securitySchemes"].get(scheme).is_some(), "{scheme}");
    }
    let aliases = ROUTES.iter().filter(|route| route.1.starts_with("/api/payments/"));
    let aliases = aliases.map(|route| (route.1.replace("/api/payments/", "/api/payment/"), route));
    for (path, (method, _, who, statuses, body)) in
        ROUTES.iter().map(|route| (route.1.to_owned(), route)).chain(aliases)
    {
        let what = format!("{method} {path}");
        let operation = &document["paths"][&path][method];
        assert!(operation.is_object(), "{what} is not described");
        assert!(operation["summary"].is_string() || operation["description"].is_string(), "{what} says nothing");
        let open = operation["security"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one.as_object().unwrap().is_empty()));
        assert_eq!(open, *who == Anyone, "who may call {what}");
        for status in *statuses {
            let response = &operation["responses"][status.to_string()];
            assert!(response.is_object(), "{what} does not describe {status}");
            let response = resolved(&document, response);
            assert!(response["description"].is_string());
            if *status != 204 && *status != 304 {
                check_content(&document, &format!("{what} {status}"), &response["content"]);
            }
        }
        let has_body = operation.get("requestBody").is_some();
        assert_eq!(has_body, *body, "the body of {what}");
        if *body {
            check_content(&document, &format!("the body of {what}"), &operation["requestBody"]["content"]);
        }
        for name in path.split(['{', '}']).skip(1).step_by(2) {
            let parameters = operation["parameters"].as_array().unwrap();
            let known = parameters.iter().any(|one| one["name"] == name && one["in"] == "path");
            assert!(known, "{what} does not describe {name}");
        }
    }
}

#[test]
fn every_reference_resolves() {
    fn walk(document: &Value, value: &Value) {
        if let Some(reference) = value["$ref"].as_str() {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
        }
        match value {
            Value::Array(all) => all.iter().for_each(|one| walk(document, one)),
            Value::Object(all) => all.values().for_each(|one| walk(document, one)),
            _ => {}
        }
    }
    let document = document();
    walk(&document, &document);
}

/// The routes that handlers under `folder` declare, as (method, path, file).
fn declared(folder: &Path, found: &mut Vec<(String, String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("tests") {
                declared(&path, found);
            }
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        // The file's own tests with their routes follow.
        let source = source.split("#[cfg(test)]").next().unwrap();
        for attribute in source.split("#[").skip(1) {
            let Some((method, rest)) = attribute.split_once('(') else { continue };
            let Some(route) = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
                continue;
            };
            let method = method.trim().trim_start_matches("actix_web::");
            if ["get", "post", "put", "patch", "delete", "head"].contains(&method) {
                found.push((method.to_owned(), route.to_owned(), path.display().to_string()));
            }
        }
    }
}

#[test]
fn no_handler_is_missing_from_the_document() {
    let mut found = vec![];
    declared(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http"), &mut found);
    assert!(found.len() >= 40, "the source is not read as it should be: {found:?}");
    let document = document();
    let described = |method: &str, path: &str| document["paths"][path][method].is_object();
    let mut missing = vec![];
    for (method, path, file) in &found {
        // The payment routes are in a scope with two prefixes.
        let scoped = ["/api/payments", "/api/payment"].iter().all(|scope| described(method, &format!("{scope}{path}")));
        if !described(method, path) && !scoped {
            missing.push(format!("{method} {path} of {file}"));
        }
    }
    assert!(missing.is_empty(), "not in the document, or not registered: {missing:?}");
}
