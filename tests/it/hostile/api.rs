//! The operations of the running shop, from its OpenAPI document.

use serde_json::{Map, Value, json};

use super::shop::{Shop, Things};

/// A placeholder in a body for raw bytes.
pub const HOLE: &str = "@@hole@@";

/// An operation.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Its operation id.
    pub id: String,
    pub method: String,
    pub path: String,
    /// The names of the query parameters.
    pub query: Vec<String>,
    /// The roles in its `security`, if any.
    pub roles: Vec<String>,
    /// A valid body for each media type.
    pub bodies: Vec<(String, Value)>,
}

impl Operation {
    /// Every operation of the shop's document.
    pub async fn all(shop: &Shop) -> Vec<Self> {
        Self::of(&shop.get("/openapi.json", None).await)
    }

    /// Every operation of a document.
    pub fn of(document: &Value) -> Vec<Self> {
        let mut all = vec![];
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                all.push(Self::read(document, path, method, operation));
            }
        }
        assert!(all.len() > 40, "{} operations", all.len());
        all
    }

    fn read(document: &Value, path: &str, method: &str, operation: &Value) -> Self {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let query = parameters.iter().filter(|parameter| parameter["in"] == "query");
        let content = operation["requestBody"]["content"].as_object().cloned().unwrap_or_default();
        let roles = operation["security"].pointer("/0/bearer").and_then(Value::as_array).cloned().unwrap_or_default();
        let example = |media: &Value| example(document, &media["schema"]);
        Self {
            id: operation["operationId"].as_str().unwrap().to_owned(),
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            query: query.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect(),
            roles: roles.iter().map(|role| role.as_str().unwrap().to_owned()).collect(),
            bodies: content.iter().map(|(media, schema)| (media.clone(), example(schema))).collect(),
        }
    }

    /// Its valid JSON body.
    pub fn json(&self) -> Option<&Value> {
        self.bodies.iter().find(|(media, _)| media == "application/json").map(|(_, body)| body)
    }

    /// Whether a valid call hashes a password, which is deliberately slow.
    pub fn is_slow(&self) -> bool {
        ["/register", "/login", "/password", "/email/change"].iter().any(|end| self.path.ends_with(end))
    }

    /// The names of the path parameters.
    pub fn parameters(&self) -> Vec<&str> {
        self.path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
    }

    /// The path, with every parameter except `except` filled from `things`.
    pub fn target(&self, things: &Things, except: Option<(&str, &str)>) -> String {
        let mut path = self.path.clone();
        for name in self.parameters() {
            let value = match except {
                Some((except, value)) if except == name => value.to_owned(),
                _ => self.thing(name, things),
            };
            path = path.replace(&format!("{{{name}}}"), &value);
        }
        path
    }

    fn thing(&self, name: &str, things: &Things) -> String {
        match name {
            "productId" => things.product.clone(),
            "orderId" => things.order.clone(),
            "addressId" => things.address.clone(),
            "imageId" => things.image.clone(),
            "razorpayOrderId" => things.gateway_order.clone(),
            "deliveryId" => things.delivery.clone(),
            "file" => format!("{}.png", things.image),
            _ if self.path.contains("/products/") => things.product.clone(),
            _ if self.path.contains("/orders/") => things.order.clone(),
            _ if self.path.contains("/webhooks/") => things.webhook.clone(),
            _ if self.path.contains("/sessions/") => things.session.clone(),
            _ if self.path.contains("/conversations/") => things.conversation.clone(),
            _ => things.payment.clone(),
        }
    }
}

/// An example value for `schema`.
fn example(document: &Value, schema: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        let found = document.pointer(name.trim_start_matches('#')).unwrap();
        return example(document, found);
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        let found = schema[several].as_array().and_then(|list| list.iter().find(|one| one["type"] != "null"));
        if let Some(found) = found {
            return example(document, found);
        }
    }
    if let Some(properties) = schema["properties"].as_object() {
        let fields = properties.iter().map(|(key, schema)| (key.clone(), example(document, schema)));
        return Value::Object(fields.collect());
    }
    for given in [&schema["example"], &schema["examples"][0], &schema["enum"][0]] {
        if !given.is_null() {
            return given.clone();
        }
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind {
        Some("array") => json!([example(document, &schema["items"])]),
        Some("number" | "integer") => json!(1),
        Some("boolean") => json!(true),
        Some("string") => json!("text"),
        _ => json!({}),
    }
}

/// `body` with existing ids.
pub fn with_ids(body: &Value, things: &Things) -> Value {
    match body {
        Value::Object(fields) => {
            let filled = fields.iter().map(|(key, value)| {
                let id = match key.as_str() {
                    "productId" => &things.product,
                    "orderId" => &things.order,
                    "addressId" => &things.address,
                    "razorpay_order_id" => &things.gateway_order,
                    _ => return (key.clone(), with_ids(value, things)),
                };
                (key.clone(), json!(id))
            });
            Value::Object(filled.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(|item| with_ids(item, things)).collect(),
        other => other.clone(),
    }
}

/// Every position in `body`, as JSON pointers.
pub fn places(body: &Value) -> Vec<String> {
    let mut found = vec![];
    let mut walk = vec![(String::new(), body)];
    while let Some((at, value)) = walk.pop() {
        if !at.is_empty() {
            found.push(at.clone());
        }
        match value {
            Value::Object(fields) => walk.extend(fields.iter().map(|(key, value)| (format!("{at}/{key}"), value))),
            Value::Array(items) => {
                walk.extend(items.iter().enumerate().map(|(index, value)| (format!("{at}/{index}"), value)));
            }
            _ => {}
        }
    }
    found
}

/// `body` as bytes with `raw` at `place`, or without it.
pub fn with_raw(body: &Value, place: &str, raw: Option<&[u8]>) -> Vec<u8> {
    let mut body = body.clone();
    let Some(raw) = raw else {
        let (parent, key) = place.rsplit_once('/').unwrap();
        match body.pointer_mut(parent) {
            Some(Value::Object(fields)) => drop(fields.remove(key)),
            Some(Value::Array(items)) => items.clear(),
            _ => {}
        }
        return body.to_string().into_bytes();
    };
    *body.pointer_mut(place).unwrap() = json!(HOLE);
    let text = body.to_string();
    let (before, after) = text.split_once(&format!("\"{HOLE}\"")).unwrap();
    [before.as_bytes(), raw, after.as_bytes()].concat()
}
