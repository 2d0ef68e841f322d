//! The OpenAPI document: what utoipa collects from the handlers, and what all operations share.
//!
//! **Invariant:** every operation lists the errors that any caller of it can get.

use actix_web::{HttpResponse, get, http::header::CONTENT_TYPE, web::Data};
use serde_json::json;
use utoipa::{
    OpenApi as _, ToSchema,
    openapi::{
        ContentBuilder, Info, License, Object, ObjectBuilder, OpenApi, PathItem, Ref, RefOr, Response, ResponseBuilder,
        Server,
        header::{Header, HeaderBuilder},
        path::{Operation, Parameter, ParameterIn},
        schema::{Schema, SchemaType, Type},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
        tag::TagBuilder,
    },
};

use super::{
    error::{ApiError, ErrorBody, FieldError},
    state::State,
    tags::TAGS,
};
use crate::actors::tokens;

#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(ErrorBody, FieldError)))]
struct CommonComponents;

/// The document without routes: description, authentication, and the responses that many operations share.
#[must_use]
pub fn base() -> OpenApi {
    let mut document = CommonComponents::openapi();
    let mut info = Info::new("microBazaar", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "A marketplace: many sellers, carts, orders, payments. Money is in major units, times are RFC 3339 in UTC, ids \
         are 24 hex digits. Every error has the same body, with a stable `code`. A request that changes something by \
         the cookie must come from an allowed origin."
            .to_owned(),
    );
    let mut license = License::new("Apache License 2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    info.license = Some(license);
    document.info = info;
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let cookie = ApiKey::Cookie(ApiKeyValue::new(tokens::COOKIE));
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
    for (status, name, description, ..) in COMMON {
        components.responses.insert(name.to_owned(), RefOr::T(shared_response(status, description)));
    }
    // Where the document was read: a shop may be reached at more than one address.
    document.servers = Some(vec![Server::new("/")]);
    document.tags = Some(TAGS.map(|tag| TagBuilder::new().name(tag.name).description(Some(tag.about)).build()).into());
    document.security = Some(callers());
    document
}

fn callers() -> Vec<SecurityRequirement> {
    let none: [&str; 0] = [];
    vec![SecurityRequirement::new("bearer", none), SecurityRequirement::new("cookie", none)]
}

/// When a shared response can occur.
#[derive(Clone, Copy, PartialEq)]
enum When {
    Always,
    /// On operations that need a token.
    Authenticated,
    /// On operations that read a body.
    WithBody,
    /// On operations that read a body of a certain media type.
    WithTypedBody,
}

const COMMON: [(&str, &str, &str, When); 6] = [
    ("400", "Invalid", "Malformed or invalid input", When::Always),
    ("401", "Unauthorized", "No valid token", When::Authenticated),
    ("403", "Forbidden", "Wrong role, or not the owner", When::Authenticated),
    ("413", "TooLarge", "The body is too large: JSON may have 1 MiB", When::WithBody),
    ("415", "UnsupportedMedia", "The body has another media type", When::WithTypedBody),
    ("503", "Unavailable", "A required component is unavailable or busy; see Retry-After", When::Always),
];

fn shared_response(status: &str, description: &str) -> Response {
    let error = match status {
        "400" => ApiError::field("quantity", "must be between 1 and 999"),
        "401" => ApiError::unauthorized(),
        "403" => ApiError::forbidden(),
        "413" => ApiError::TooLarge("the body is larger than 1 MiB".into()),
        "415" => ApiError::UnsupportedMedia("send application/json".into()),
        _ => ApiError::unavailable("store"),
    };
    let example = serde_json::to_value(error.body("9f86d081884c7d65")).ok();
    let schema = Ref::from_schema_name(ErrorBody::name());
    let body = ContentBuilder::new().schema(Some(schema)).example(example).build();
    let response = ResponseBuilder::new().description(description).content("application/json", body);
    match status {
        "503" => response.header("Retry-After", header(Type::Integer, "Seconds to wait")).build(),
        _ => response.build(),
    }
}

fn header(kind: Type, description: &str) -> Header {
    let schema = ObjectBuilder::new().schema_type(kind).build();
    HeaderBuilder::new().description(Some(description)).schema(Some(schema)).build()
}

/// Describes the headers of a list; an operation that takes `skip` returns one.
fn describe_list_headers(operation: &mut Operation) {
    let is_skip = |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(parameter) if parameter.name == "skip");
    let is_list = operation.parameters.iter().flatten().any(is_skip);
    if let (true, Some(RefOr::T(response))) = (is_list, operation.responses.responses.get_mut("200")) {
        let (total, link) = ("How many there are in all", "First, previous, next and last page (RFC 8288)");
        response.headers.insert("X-Total-Count".to_owned(), RefOr::T(header(Type::Integer, total)));
        response.headers.insert("Link".to_owned(), RefOr::T(header(Type::String, link)));
    }
}

/// Adds the shared responses to every operation that does not describe them itself, describes the headers of lists,
/// and gives the operations under a second path unique ids.
#[must_use]
pub fn finish(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            describe_parameters(operation);
            describe_body(operation);
            for (status, name, _, when) in COMMON {
                if can_come(operation, when) {
                    let reference = RefOr::Ref(Ref::new(format!("#/components/responses/{name}")));
                    operation.responses.responses.entry(status.to_owned()).or_insert(reference);
                }
            }
            describe_list_headers(operation);
            if path.starts_with(SECOND_NAME) {
                operation.operation_id = operation.operation_id.take().map(|id| format!("{id}BySecondName"));
            }
        }
    }
    document
}

/// Gives ids in a path the form that they have. A parameter may be absent, but is never `null`: it is text.
fn describe_parameters(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        if let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema
            && let SchemaType::Array(types) = &mut schema.schema_type
        {
            types.retain(|kind| *kind != Type::Null);
            if let [kind] = types.as_slice() {
                schema.schema_type = SchemaType::Type(kind.clone());
            }
        }
        let is_id = parameter.name == "id" || parameter.name.ends_with("Id");
        if parameter.parameter_in == ParameterIn::Path && is_id && parameter.name != GATEWAY_ID {
            parameter.schema = Some(RefOr::T(id_schema().into()));
        }
    }
}

/// A body that may be absent is never `null`.
fn describe_body(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    for media in body.content.values_mut() {
        let RefOr::T(media) = media else { continue };
        let Some(RefOr::T(Schema::OneOf(choice))) = &mut media.schema else { continue };
        choice.items.retain(|item| !is_null(item));
        if let [only] = choice.items.as_slice() {
            media.schema = Some(only.clone());
        }
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}

fn id_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[0-9a-fA-F]{24}$"))
        .examples([json!("665f1f77bcf86cd799439011")])
        .build()
}

/// The one path parameter that is another's id.
const GATEWAY_ID: &str = "razorpayOrderId";

/// The second prefix of the payment routes.
const SECOND_NAME: &str = "/api/payment/";

fn can_come(operation: &Operation, when: When) -> bool {
    let body = match &operation.request_body {
        Some(RefOr::T(body)) => Some(body),
        Some(RefOr::Ref(_)) | None => None,
    };
    match when {
        When::Always => true,
        // `security(())` makes an operation public.
        When::Authenticated => {
            !operation.security.as_ref().is_some_and(|security| security.contains(&SecurityRequirement::default()))
        }
        When::WithBody => body.is_some(),
        When::WithTypedBody => body.is_some_and(|body| body.content.keys().any(|kind| kind != "*/*")),
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = item;
    [get, put, post, delete, options, head, patch, trace].into_iter().flatten()
}

/// The OpenAPI document.
///
/// # Errors
///
/// 503 before the document is built, which is before the first request.
#[utoipa::path(
    tag = "operations",
    operation_id = "getOpenApi",
    responses((status = 200, description = "The OpenAPI document", body = serde_json::Value, content_type = "application/json")),
    security(())
)]
#[get("/openapi.json")]
pub async fn openapi_json(state: Data<State>) -> Result<HttpResponse, ApiError> {
    let api = state.api().ok_or_else(|| ApiError::unavailable("documentation"))?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(api.json.clone()))
}
