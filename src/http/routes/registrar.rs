//! Registers handlers in the processes that serve their tag's service.

use std::collections::BTreeMap;

use actix_web::dev::HttpServiceFactory;
use utoipa::openapi::{RefOr, schema::Schema};
use utoipa_actix_web::OpenApiFactory;

use crate::{
    config::{Service, Services},
    http::{Register, tags::tag_of},
};

/// Registers the handlers whose service this process serves.
pub struct Registrar<'to, 'app> {
    register: &'to mut Register<'app>,
    served: &'to Services,
    registered: usize,
    schemas: BTreeMap<String, RefOr<Schema>>,
}

impl<'to, 'app> Registrar<'to, 'app> {
    pub fn new(register: &'to mut Register<'app>, served: &'to Services) -> Self {
        Self { register, served, registered: 0, schemas: BTreeMap::new() }
    }

    /// Registers a handler if the service of its tag is served. A handler without a known tag is a programming error:
    /// it panics in a debug build and is skipped in a release build.
    pub fn add<H: HttpServiceFactory + OpenApiFactory + 'static>(&mut self, handler: H) -> &mut Self {
        self.add_if(handler, |served, service| service.is_none_or(|service| served.serve(service)))
    }

    /// Registers a handler also where `other` is served.
    pub fn add_also<H: HttpServiceFactory + OpenApiFactory + 'static>(
        &mut self,
        other: Service,
        handler: H,
    ) -> &mut Self {
        self.add_if(handler, |served, service| {
            served.serve(other) || service.is_none_or(|service| served.serve(service))
        })
    }

    /// Registers a handler whose tag has no service, where `only` is served.
    pub fn add_only<H: HttpServiceFactory + OpenApiFactory + 'static>(
        &mut self,
        only: Service,
        handler: H,
    ) -> &mut Self {
        self.add_if(handler, |served, _| served.serve(only))
    }

    fn add_if<H: HttpServiceFactory + OpenApiFactory + 'static>(
        &mut self,
        handler: H,
        here: impl FnOnce(&Services, Option<Service>) -> bool,
    ) -> &mut Self {
        self.check_schemas(&handler);
        match tag_of(&handler) {
            Ok(tag) if here(self.served, tag.service) => {
                self.register.service(handler);
                self.registered += 1;
            }
            Ok(_) => {}
            Err(error) => {
                debug_assert!(false, "{error}");
                tracing::error!(%error, "a handler is not registered");
            }
        }
        self
    }

    /// Two types of one name would be one schema, which is wrong for one of them: that ends a debug build.
    fn check_schemas(&mut self, handler: &impl OpenApiFactory) {
        if cfg!(debug_assertions) {
            let mut schemas = vec![];
            handler.schemas(&mut schemas);
            for (name, schema) in schemas {
                self.check_schema(name, schema);
            }
        }
    }

    fn check_schema(&mut self, name: String, schema: RefOr<Schema>) {
        if let Some(known) = self.schemas.get(&name) {
            debug_assert!(*known == schema, "two types are named {name} in the API's document");
        }
        self.schemas.insert(name, schema);
    }

    /// Registers handlers under `prefix`. An empty scope is not registered: it would answer 404 in place of other
    /// routes.
    pub fn add_scope(&mut self, prefix: &str, handlers: impl FnOnce(&mut Registrar<'_, '_>)) -> &mut Self {
        let mut schemas = BTreeMap::new();
        let Self { register, served, registered, .. } = self;
        register.scope(prefix, |register| {
            let mut inner = Registrar::new(register, served);
            handlers(&mut inner);
            *registered += inner.registered;
            schemas = inner.schemas;
            inner.registered > 0
        });
        for (name, schema) in schemas {
            self.check_schema(name, schema);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use actix_web::{HttpResponse, get};

    use super::*;
    use crate::http::{routes::configure_some, server};

    fn paths(of: &[Service]) -> BTreeSet<String> {
        let served = Services::Some(of.to_vec());
        let document = server::document(false, |register| configure_some(register, &served));
        let none = server::document(false, |_| ());
        document.paths.paths.into_keys().filter(|path| !none.paths.paths.contains_key(path)).collect()
    }

    #[test]
    fn routes_are_where_their_service_is_served() {
        assert_eq!(paths(&[]), BTreeSet::new());
        assert_eq!(paths(&[Service::Web]), BTreeSet::from(["/media/{file}".to_owned()]));
        assert!(paths(&[Service::Product]).contains("/media/{file}"));
        assert!(paths(&[Service::Notification]).contains("/dev/mailbox"));
        let payments = paths(&[Service::Payment]);
        assert!(payments.contains("/api/payments/verify") && payments.contains("/api/payment/verify"));
        assert!(payments.iter().all(|path| path.contains("/payment")), "{payments:?}");
        let each: BTreeSet<String> = Service::ALL.iter().flat_map(|service| paths(&[*service])).collect();
        assert_eq!(each, paths(&Service::ALL));
    }

    #[utoipa::path(tag = "nowhere", responses())]
    #[get("/stray")]
    async fn stray() -> HttpResponse {
        HttpResponse::Ok().finish()
    }

    mod other {
        #[derive(serde::Serialize, utoipa::ToSchema)]
        pub struct Twin {
            pub other: bool,
        }
    }

    #[derive(serde::Serialize, utoipa::ToSchema)]
    struct Twin {
        one: u8,
    }

    #[utoipa::path(tag = "cart", responses((status = 200, body = Twin)))]
    #[get("/one")]
    async fn one() -> HttpResponse {
        HttpResponse::Ok().finish()
    }

    #[utoipa::path(tag = "cart", responses((status = 200, body = other::Twin)))]
    #[get("/another")]
    async fn another() -> HttpResponse {
        HttpResponse::Ok().finish()
    }

    #[test]
    #[should_panic(expected = "two types are named Twin")]
    fn two_types_of_one_name_end_a_debug_build() {
        let _document = server::document(false, |register| {
            Registrar::new(register, &Services::All).add(one).add(another);
        });
    }

    #[test]
    #[should_panic(expected = "/stray")]
    fn a_handler_with_an_unknown_tag_panics_in_a_debug_build() {
        let _document = server::document(false, |register| {
            Registrar::new(register, &Services::All).add(stray);
        });
    }
}
