//! `/docs`: the OpenAPI document as a page, rendered once, without scripts. The known
//! pages are scripts from another host (ADR 13).

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    web::Data,
};
use askama::Template;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    error::{ApiError, ErrorBody},
    state::State,
};

#[derive(Template)]
#[template(path = "docs.html")]
struct Page {
    title: String,
    version: String,
    description: String,
    groups: Vec<Group>,
    schemas: Vec<Named>,
}

struct Group {
    tag: String,
    about: String,
    operations: Vec<Operation>,
}

struct Operation {
    anchor: String,
    method: String,
    path: String,
    summary: String,
    description: String,
    public: bool,
    parameters: Vec<Parameter>,
    bodies: Vec<Body>,
    responses: Vec<Response>,
}

struct Parameter {
    name: String,
    place: String,
    required: bool,
    description: String,
    shape: Shape,
}

struct Body {
    media: String,
    shape: Shape,
}

struct Response {
    status: String,
    description: String,
    bodies: Vec<Body>,
}

/// A schema in short, and the name of the schema that it refers to.
struct Shape {
    text: String,
    name: Option<String>,
    example: String,
}

struct Named {
    name: String,
    json: String,
}

/// Renders a document as a page. Groups have the order of the document's tags.
#[must_use]
pub fn render(document: &Value) -> String {
    let tags = document.get("tags").and_then(Value::as_array).cloned().unwrap_or_default();
    let group =
        |tag: &Value| Group { tag: text(tag.get("name")), about: text(tag.get("description")), operations: vec![] };
    let mut groups: Vec<Group> = tags.iter().map(group).collect();
    for (path, item) in entries(document.get("paths")) {
        for (method, value) in entries(Some(item)).filter(|(_, value)| value.get("responses").is_some()) {
            let tag = value.pointer("/tags/0").and_then(Value::as_str).unwrap_or("other");
            let operation = operation(document, path, method, value);
            match groups.iter_mut().find(|group| group.tag == tag) {
                Some(group) => group.operations.push(operation),
                None => {
                    groups.push(Group { tag: tag.to_owned(), about: String::new(), operations: vec![operation] });
                }
            }
        }
    }
    let page = Page {
        title: text(document.pointer("/info/title")),
        version: text(document.pointer("/info/version")),
        description: text(document.pointer("/info/description")),
        groups,
        schemas: entries(document.pointer("/components/schemas"))
            .map(|(name, schema)| Named { name: name.clone(), json: pretty(schema) })
            .collect(),
    };
    page.render().unwrap_or_default()
}

fn operation(document: &Value, path: &str, method: &str, value: &Value) -> Operation {
    let items = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    Operation {
        anchor: format!("{method}{}", path.replace(['/', '{', '}', '.'], "-")),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(value.get("summary")),
        description: text(value.get("description")),
        public: items(value.get("security")).iter().any(|one| one.as_object().is_some_and(serde_json::Map::is_empty)),
        parameters: items(value.get("parameters")).iter().map(parameter).collect(),
        bodies: request_bodies(document, value.get("requestBody")),
        responses: entries(value.get("responses")).map(|(status, value)| response(document, status, value)).collect(),
    }
}

fn parameter(value: &Value) -> Parameter {
    Parameter {
        name: text(value.get("name")),
        place: text(value.get("in")),
        required: value.get("required") == Some(&Value::Bool(true)),
        description: text(value.get("description")),
        shape: shape(value.get("schema"), value.get("example")),
    }
}

fn response(document: &Value, status: &str, value: &Value) -> Response {
    let reference = value.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    let value = reference.and_then(|pointer| document.pointer(pointer)).unwrap_or(value);
    Response {
        status: status.to_owned(),
        description: text(value.get("description")),
        bodies: bodies(document, value.get("content")),
    }
}

fn request_bodies(document: &Value, body: Option<&Value>) -> Vec<Body> {
    let Some(body) = body else { return vec![] };
    let mut all = bodies(document, body.get("content"));
    if body.get("required") != Some(&Value::Bool(true)) {
        all.iter_mut().for_each(|body| body.shape.text.push_str(", or nothing"));
    }
    all
}

fn bodies(document: &Value, content: Option<&Value>) -> Vec<Body> {
    let body = |(media, value): (&String, &Value)| {
        let schema = value.get("schema");
        // All errors share one schema, so one example would be wrong for most of them.
        let documented = schema.filter(|schema| name_of(schema).is_none_or(|name| name != ErrorBody::name()));
        let made = documented.and_then(|schema| example_of(document, schema, DEPTH_MAX));
        Body { media: media.clone(), shape: shape(schema, value.get("example").or(made.as_ref())) }
    };
    entries(content).map(body).collect()
}

/// The maximum depth of an example.
const DEPTH_MAX: u32 = 8;

/// An example value for `schema`, built from the examples of its fields.
fn example_of(document: &Value, schema: &Value, depth: u32) -> Option<Value> {
    let deeper = |schema: &Value| example_of(document, schema, depth.checked_sub(1)?);
    let list = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
    if let Some(example) = schema.get("example").or_else(|| list("examples").next()).or_else(|| list("enum").next()) {
        return Some(example.clone());
    }
    if let Some(name) = name_of(schema) {
        return deeper(document.pointer(&format!("/components/schemas/{name}"))?);
    }
    if let Some(items) = schema.get("items") {
        return deeper(items).map(|item| Value::Array(vec![item]));
    }
    let fields = entries(schema.get("properties")).filter_map(|(name, field)| Some((name.clone(), deeper(field)?)));
    let parts = list("allOf").filter_map(deeper).filter_map(|part| part.as_object().cloned());
    let fields: serde_json::Map<String, Value> = fields.chain(parts.flatten()).collect();
    if !fields.is_empty() {
        return Some(Value::Object(fields));
    }
    let plain = (schema.get("type").and_then(Value::as_str) == Some("boolean")).then_some(Value::Bool(false));
    plain.or_else(|| list("oneOf").find_map(deeper))
}

fn shape(schema: Option<&Value>, example: Option<&Value>) -> Shape {
    let Some(schema) = schema else { return Shape { text: String::new(), name: None, example: String::new() } };
    let example = example.or_else(|| schema.get("example")).map(pretty).unwrap_or_default();
    let name = name_of(schema).or_else(|| schema.get("items").and_then(name_of));
    Shape { text: brief(schema), name, example }
}

fn name_of(schema: &Value) -> Option<String> {
    schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()).map(str::to_owned)
}

/// A schema in a few words: its name, its type and bounds, or the values that it allows.
fn brief(schema: &Value) -> String {
    if let Some(name) = name_of(schema) {
        return name;
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.iter().map(|word| word.as_str().unwrap_or("null")).collect::<Vec<_>>().join(" | ");
    }
    if let Some(items) = schema.get("items") {
        return format!("array of {}", brief(items));
    }
    let types = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).find(|one| *one != "null"),
        Some(one) => one.as_str(),
        None => None,
    };
    let bound = |key: &str, sign: &str| schema.get(key).map(|value| format!(" {sign} {value}")).unwrap_or_default();
    format!("{}{}{}", types.unwrap_or("any"), bound("minimum", "≥"), bound("maximum", "≤"))
}

fn entries(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// The OpenAPI document as a page; in production for operators.
///
/// # Errors
///
/// 403 for others, 503 before the document is built, which is before the first request.
#[utoipa::path(
    tag = "operations",
    operation_id = "getDocs",
    responses(
        (status = 200, description = "A page", body = String, content_type = "text/html"),
        (status = 403, description = "Not one of the shop's operators", body = ErrorBody),
    ),
    security(())
)]
#[get("/docs")]
pub async fn docs(req: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    state.operators_only(&req)?;
    let api = state.api().ok_or_else(|| ApiError::unavailable("documentation"))?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .body(api.page.clone()))
}
