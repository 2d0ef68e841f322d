//! What no route takes: 405 with `Allow` on a path that is known, 404 on one that is not.

use actix_router::ResourceDef;
use actix_web::{HttpRequest, HttpResponse, http::Method};
use serde_json::Value;

use super::{auth, error::ApiError, pages};

/// The paths of the OpenAPI document and the methods that each knows.
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

    /// The `Allow` header of a path, if it is known.
    #[must_use]
    pub fn allow(&self, path: &str) -> Option<String> {
        let matching = self.routes.iter().filter(|(pattern, _)| pattern.is_match(path));
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

/// The error of a request that no route takes.
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

/// The default service.
///
/// # Errors
/// 405 or 404; a browser gets a page that says so.
pub async fn fallback(req: HttpRequest) -> Result<HttpResponse, ApiError> {
    let error = error_for(&req);
    pages::edge::not_found(&req, &error).await.ok_or(error)
}
