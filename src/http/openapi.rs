//! The OpenAPI document: what utoipa gathers from the handlers, with what all share.

use actix_web::{HttpResponse, get, http::header::CONTENT_TYPE, web::Data};
use utoipa::{
    OpenApi as _, ToSchema,
    openapi::{
        ContentBuilder, Info, License, OpenApi, PathItem, Ref, RefOr, ResponseBuilder,
        path::Operation,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::{
    error::{ApiError, ErrorBody, FieldError},
    state::State,
    tokens,
};

#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(ErrorBody, FieldError)))]
struct Shared;

/// The document before any route: what it is about, how callers authenticate, and the
/// responses that many operations share.
#[must_use]
pub fn base() -> OpenApi {
    let mut document = Shared::openapi();
    let mut info = Info::new("microBazaar", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "A marketplace: many sellers, carts, orders, payments. Money is in major units; every error has the same body."
            .to_owned(),
    );
    info.license = Some(License::new("Apache-2.0"));
    document.info = info;
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let cookie = ApiKey::Cookie(ApiKeyValue::new(tokens::COOKIE));
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
    for (_, name, description, _) in COMMON {
        let body = ContentBuilder::new().schema(Some(Ref::from_schema_name(ErrorBody::name()))).build();
        let response = ResponseBuilder::new().description(description).content("application/json", body).build();
        components.responses.insert(name.to_owned(), RefOr::T(response));
    }
    document.security = Some(callers());
    document
}

fn callers() -> Vec<SecurityRequirement> {
    let none: [&str; 0] = [];
    vec![SecurityRequirement::new("bearer", none), SecurityRequirement::new("cookie", none)]
}

/// When a shared response can come: always, or only where a token is needed.
#[derive(Clone, Copy, PartialEq)]
enum When {
    Always,
    Authenticated,
}

const COMMON: [(&str, &str, &str, When); 5] = [
    ("400", "Invalid", "Malformed or invalid input", When::Always),
    ("401", "Unauthorized", "No valid token", When::Authenticated),
    ("403", "Forbidden", "Wrong role, or not the owner", When::Authenticated),
    ("429", "TooMany", "Too many requests; see Retry-After", When::Always),
    ("503", "Unavailable", "A needed part is away; see Retry-After", When::Always),
];

/// Adds the shared responses to every operation that does not describe them itself.
#[must_use]
pub fn finish(mut document: OpenApi) -> OpenApi {
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            // `security(())` makes an operation public.
            let public =
                operation.security.as_ref().is_some_and(|security| security.contains(&SecurityRequirement::default()));
            for (status, name, _, when) in COMMON {
                if when == When::Always || !public {
                    let reference = RefOr::Ref(Ref::new(format!("#/components/responses/{name}")));
                    operation.responses.responses.entry(status.to_owned()).or_insert(reference);
                }
            }
        }
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = item;
    [get, put, post, delete, options, head, patch, trace].into_iter().flatten()
}

/// This document.
///
/// # Errors
/// 503 before it is made, which is before the first request.
#[utoipa::path(
    tag = "operations",
    responses((status = 200, description = "The OpenAPI document", body = Object, content_type = "application/json")),
    security(())
)]
#[get("/openapi.json")]
pub async fn openapi_json(state: Data<State>) -> Result<HttpResponse, ApiError> {
    let api = state.api().ok_or_else(|| ApiError::unavailable("documentation"))?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(api.json.clone()))
}
