//! Registers handlers in an app or in the OpenAPI document.
//!
//! The same functions do both, so that the document has every route of the app, and no worker makes
//! a document when it starts.

use std::mem;

use actix_web::{
    dev::HttpServiceFactory,
    web::{self, ServiceConfig},
};
use utoipa::openapi::OpenApi;
use utoipa_actix_web::OpenApiFactory;

/// Where handlers are registered.
pub enum Register<'to> {
    /// In an app, which serves them.
    App(&'to mut ServiceConfig),
    /// In the document, which describes them.
    Document(&'to mut OpenApi),
}

impl Register<'_> {
    /// Registers a handler.
    pub fn service<H: HttpServiceFactory + OpenApiFactory + 'static>(&mut self, handler: H) -> &mut Self {
        match self {
            Self::App(app) => {
                app.service(handler);
            }
            Self::Document(document) => {
                let mut schemas = vec![];
                handler.schemas(&mut schemas);
                document.paths.merge(handler.paths());
                document.components.get_or_insert_default().schemas.extend(schemas);
            }
        }
        self
    }

    /// Configures the app; the document stays as it is.
    pub fn in_app(&mut self, configure: impl FnOnce(&mut ServiceConfig)) -> &mut Self {
        if let Self::App(app) = self {
            configure(app);
        }
        self
    }

    /// Registers handlers under `prefix`, unless `handlers` returns that there are none: an empty scope would
    /// answer 404 in place of other routes.
    pub fn scope(&mut self, prefix: &str, handlers: impl FnOnce(&mut Register<'_>) -> bool) {
        match self {
            Self::App(app) => {
                let mut any = false;
                let scope = web::scope(prefix).configure(|inner| any = handlers(&mut Register::App(inner)));
                if any {
                    app.service(scope);
                }
            }
            Self::Document(document) => {
                let mut inner = OpenApi::default();
                handlers(&mut Register::Document(&mut inner));
                let paths = mem::take(&mut inner.paths.paths).into_iter();
                inner.paths.paths = paths.map(|(path, item)| (format!("{prefix}{path}"), item)).collect();
                document.merge(inner);
            }
        }
    }
}
