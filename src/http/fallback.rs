//! Answers for requests that no route handles: 405 with `Allow` on a known path, 404 on any other.

use actix_router::ResourceDef;
use actix_web::{
    HttpRequest, HttpResponse,
    body::BodySize,
    http::{
        Method, StatusCode,
        header::{ALLOW, HeaderMap},
    },
};
use serde_json::Value;

use super::{auth, error::ApiError, pages};

/// The paths of the OpenAPI document with the methods that each supports.
pub struct RouteTable {
    routes: Vec<(ResourceDef, Vec<String>)>,
}

impl RouteTable {
    /// The routes of an OpenAPI document.
    #[must_use]
    pub fn new(document: &Value) -> Self {
        let paths = document.get("paths").and_then(Value::as_object).into_iter().flatten();
        let routes = paths.map(|(path, item)| {
            let operations = item.as_object().into_iter().flatten();
            let methods = operations.map(|(method, _)| method.to_ascii_uppercase());
            (
                ResourceDef::new(path.as_str()),
                methods.filter(|method| Method::try_from(method.as_str()).is_ok()).collect(),
            )
        });
        Self { routes: routes.collect() }
    }

    /// The `Allow` header of a path, if the path is known.
    #[must_use]
    pub fn allow(&self, path: &str) -> Option<String> {
        // `/products/seller` is no product: of the paths that match, those with the fewest parameters are meant.
        let parameters = |pattern: &ResourceDef| pattern.pattern().map_or(0, |text| text.matches('{').count());
        let matching = || self.routes.iter().filter(|(pattern, _)| pattern.is_match(path));
        let fewest = matching().map(|(pattern, _)| parameters(pattern)).min()?;
        let matching = matching().filter(|(pattern, _)| parameters(pattern) == fewest);
        let mut methods: Vec<&str> = matching.flat_map(|(_, methods)| methods).map(String::as_str).collect();
        if methods.is_empty() {
            return None;
        }
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.sort_unstable();
        methods.dedup();
        Some(methods.join(", "))
    }
}

/// The error for a request that no route handles.
#[must_use]
pub fn error_for(req: &HttpRequest) -> ApiError {
    let state = auth::state(req).ok();
    match state.and_then(|state| state.api()?.routes.allow(req.path())) {
        Some(allow) if !allow.split(", ").any(|method| method == req.method().as_str()) => {
            ApiError::MethodNotAllowed { allow }
        }
        _ => ApiError::NotFound("page"),
    }
}

/// The error for a resource that refused a method with an empty body; `None` for other responses.
#[must_use]
pub fn refused_method(req: &HttpRequest, status: StatusCode, headers: &HeaderMap, size: BodySize) -> Option<ApiError> {
    if status != StatusCode::METHOD_NOT_ALLOWED || !matches!(size, BodySize::None | BodySize::Sized(0)) {
        return None;
    }
    let known = error_for(req);
    if matches!(known, ApiError::MethodNotAllowed { .. }) {
        return Some(known);
    }
    let allowed = headers.get(ALLOW).and_then(|allow| allow.to_str().ok()).unwrap_or_default();
    let mut methods: Vec<&str> = allowed.split(',').map(str::trim).filter(|method| !method.is_empty()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.sort_unstable();
    methods.dedup();
    Some(ApiError::MethodNotAllowed { allow: methods.join(", ") })
}

///
/// # Errors
///
/// 405 or 404; a browser gets an error page.
pub async fn fallback(req: HttpRequest) -> Result<HttpResponse, ApiError> {
    let error = error_for(&req);
    pages::middleware::not_found(&req, &error).await.ok_or(error)
}
