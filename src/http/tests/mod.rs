//! Tests of the HTTP layer with an app that has a few test routes.

mod auth;
mod errors;
mod input;
mod middleware;

use std::num::NonZeroU32;

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    dev::ServiceResponse,
    get, post,
    test::{self, TestRequest},
    web::Data,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::*;
use crate::{
    actors::tokens::Tokens,
    config::{Network, Origins},
    domain::{
        Timestamp,
        ids::{ProductId, UserId},
        user::Role,
    },
    http::rate::AuthLimits,
    views::money::MoneyInput,
};

const SECRET: &[u8] = b"a secret of thirty-two bytes, or so";

#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Name {
    #[garde(length(chars, min = 1, max = 10))]
    first_name: String,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Thing {
    #[garde(dive)]
    full_name: Name,
    #[garde(range(min = 1, max = 999))]
    quantity: u32,
    #[serde(default)]
    #[garde(skip)]
    price: Option<MoneyInput>,
}

#[derive(Debug, Default, Deserialize, Serialize, Validate, ToSchema)]
struct Wish {
    #[garde(inner(length(chars, max = 5)))]
    reason: Option<String>,
}

#[derive(Debug, Deserialize, Validate)]
struct Search {
    #[garde(skip)]
    q: Option<String>,
    #[garde(skip)]
    min: Option<i64>,
}

#[utoipa::path]
#[post("/things")]
async fn make(body: Json<Thing>) -> impl Responder {
    let Thing { full_name, quantity, price } = body.0;
    let minor = price.map(|price| price.amount.minor());
    HttpResponse::Ok().json(serde_json::json!({"name": full_name.first_name, "quantity": quantity, "minor": minor}))
}

#[utoipa::path]
#[get("/things")]
async fn list(req: HttpRequest, paging: Paging, search: Query<Search>) -> impl Responder {
    paging.answer(&req, 45).json((search.0.q, search.0.min, paging.skip, paging.limit))
}

#[utoipa::path]
#[get("/things/{id}")]
async fn one(id: PathId<ProductId>) -> impl Responder {
    id.0.to_string()
}

#[utoipa::path]
#[post("/wishes")]
async fn wish(body: JsonOrEmpty<Wish>) -> impl Responder {
    HttpResponse::Ok().json(body.0)
}

#[utoipa::path]
#[get("/fault")]
async fn fault() -> Result<HttpResponse, ApiError> {
    Err(ApiError::Internal("the secret reason".into()))
}

macro_rules! guarded {
    ($name:ident, $path:literal, $extractor:ty) => {
        #[utoipa::path]
        #[post($path)]
        async fn $name(_caller: $extractor) -> impl Responder {
            HttpResponse::Ok()
        }
    };
}

guarded!(anyone, "/any", AuthUser);
guarded!(buyer, "/buyer", Buyer);
guarded!(seller, "/seller", SellerUser);
guarded!(seller_or_admin, "/seller-or-admin", SellerOrAdmin);
guarded!(admin, "/admin", AdminUser);
guarded!(service, "/service", ServiceCaller);
guarded!(maybe, "/maybe", MaybeUser);

#[utoipa::path]
#[post("/late")]
async fn late(_body: Json<Thing>, _caller: AdminUser) -> impl Responder {
    HttpResponse::Ok()
}

fn routes(register: &mut Register<'_>) {
    register.service(make).service(list).service(one).service(wish).service(fault);
    register.service(anyone).service(buyer).service(seller).service(seller_or_admin).service(admin).service(service);
    register.service(maybe).service(late);
}

fn state() -> Data<State> {
    let origins = Origins { allowed: vec!["https://shop.example".into()], ..Default::default() };
    let settings = HttpSettings { origins, ..HttpSettings::default() };
    let limits = AuthLimits::new(true, NonZeroU32::new(5).unwrap());
    let mut state = State::new(settings, Tokens::new(SECRET), limits);
    state.metrics = ops::install_metrics().ok();
    Data::new(state)
}

fn token(role: Role) -> String {
    Tokens::new(SECRET).issue(UserId::generate(), role, Timestamp::now()).unwrap().0
}

async fn call(request: TestRequest) -> ServiceResponse {
    call_with(&state(), request).await
}

async fn call_with(state: &Data<State>, request: TestRequest) -> ServiceResponse {
    let app = test::init_service(server::app(state, routes)).await;
    test::call_service(&app, request.to_request()).await.map_into_boxed_body()
}

async fn body(response: ServiceResponse) -> Value {
    let bytes = test::read_body(response).await;
    serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("no JSON: {bytes:?}"))
}

fn header(response: &ServiceResponse, name: &str) -> String {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}
