//! The OpenAPI document, checked for client generators.

use std::collections::BTreeSet;

use serde_json::Value;

fn document() -> Value {
    serde_json::from_str(&microbazaar::app::openapi().unwrap()).unwrap()
}

/// Every operation with its method and path.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, _)| {
        let item: &Value = item;
        let methods = item.as_object().unwrap();
        methods.iter().map(|(method, value)| (format!("{method} {path}"), value)).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(to)) = fields.get("$ref") {
                found.insert(to.clone());
            }
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_operation_has_a_unique_id_a_known_tag_and_a_summary() {
    let document = document();
    let tags: Vec<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut names = BTreeSet::new();
    for (at, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap_or_default();
        assert!(!name.is_empty() && !name.contains('_') && names.insert(name.to_owned()), "{at}: {name}");
        assert!(tags.contains(&operation["tags"][0].as_str().unwrap_or_default()), "{at}");
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{at}");
    }
}

#[test]
fn every_reference_resolves() {
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for to in found {
        assert!(document.pointer(to.trim_start_matches('#')).is_some(), "{to}");
    }
}

#[test]
fn operations_list_their_possible_errors() {
    for (at, operation) in operations(&document()) {
        let answers = operation["responses"].as_object().unwrap();
        let public = operation["security"].as_array().is_some_and(|all| all.contains(&serde_json::json!({})));
        let mut wanted = vec!["400", "503"];
        if !public {
            wanted.extend(["401", "403"]);
        }
        if !operation["requestBody"].is_null() {
            wanted.push("413");
        }
        // An answer that does not depend on whether the resource exists says so.
        let says_so = |answer: &Value| answer["description"].as_str().is_some_and(|text| text.contains("also when"));
        if at.contains('{') && !answers.values().any(says_so) {
            wanted.push("404");
        }
        for status in wanted {
            assert!(answers.contains_key(status), "{at}: {status}");
        }
    }
}

/// What generators make of an object without members is one that may have none.
fn objects_without_members(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let named = ["properties", "additionalProperties"].iter().any(|key| fields.contains_key(*key));
            if fields.get("type").is_some_and(|kind| kind == "object") && !named {
                found.push(at.to_owned());
            }
            fields.iter().for_each(|(key, field)| objects_without_members(field, &format!("{at}/{key}"), found));
        }
        Value::Array(items) => items.iter().for_each(|item| objects_without_members(item, at, found)),
        _ => {}
    }
}

#[test]
fn every_object_names_its_members_or_takes_any() {
    let mut found = vec![];
    objects_without_members(&document(), "", &mut found);
    assert_eq!(found, [""; 0]);
}

#[test]
fn parameters_and_bodies_may_be_absent_but_are_never_null() {
    let is_null = |schema: &Value| {
        let types = schema["type"].as_array().into_iter().flatten();
        let choices = schema["oneOf"].as_array().into_iter().flatten().map(|choice| &choice["type"]);
        types.chain(choices).any(|kind| kind == "null")
    };
    for (at, operation) in operations(&document()) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let media = operation["requestBody"]["content"].as_object().into_iter().flatten().map(|(_, media)| media);
        for one in parameters.chain(media) {
            assert!(!is_null(&one["schema"]), "{at}: {one}");
        }
    }
}
