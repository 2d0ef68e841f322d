//! Extractors for the caller: 401 without a valid token, 403 with the wrong role.
//!
//! A token comes as `Authorization: Bearer` or in the cookie, and Bearer wins. A request that authenticates by cookie
//! must pass the CSRF check before it changes anything.
//!
//! **Invariant:** a token that a logout ended is refused here, before any handler runs, and a caller is refused before
//! anything else of the request.

use std::{
    cell::Cell,
    future::{Ready, ready},
    ops::Deref,
    rc::Rc,
    sync::Arc,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::{
        Method,
        header::{AUTHORIZATION, COOKIE as COOKIE_HEADER, HeaderName, HeaderValue},
    },
};

use futures_util::future::{Either, LocalBoxFuture};

use super::{audit, csrf, error::ApiError, sessions, state::State};
use crate::{
    actors::{
        accounts::two_factor,
        tokens::{COOKIE, Claims, RevokedTokens, TokenId, TokenStatus},
    },
    domain::{ids::UserId, user::Role},
    runtime::calls::Calls,
};

/// Lets a browser forget what it keeps of this shop, at a logout.
pub const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
/// The cache is not named: nothing about a user is in it, and clearing it takes browsers seconds.
pub const CLEARED: HeaderValue = HeaderValue::from_static("\"cookies\", \"storage\"");
/// For the pages, whose cookies have the message of the logout and a guest's cart. The session's cookie is removed by name.
pub const STORAGE_CLEARED: HeaderValue = HeaderValue::from_static("\"storage\"");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenSource {
    /// In `Authorization: Bearer`.
    Bearer,
    /// In the cookie, which browsers send automatically.
    Cookie,
}

/// A logged-in user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthUser {
    pub id: UserId,
    pub role: Role,
    pub jti: String,
    /// When the token was issued, in seconds.
    pub iat: i64,
    /// When the token expires, in seconds.
    pub exp: i64,
    pub source: TokenSource,
}

impl AuthUser {
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// Accepts `owner`, and refuses everyone else.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`].
    pub fn must_be(&self, owner: UserId) -> Result<(), ApiError> {
        if self.id == owner { Ok(()) } else { Err(ApiError::forbidden()) }
    }

    /// Accepts `owner` and admins, and refuses everyone else.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`].
    pub fn must_be_or_admin(&self, owner: UserId) -> Result<(), ApiError> {
        if self.is_admin() { Ok(()) } else { self.must_be(owner) }
    }
}

/// The token of a request.
#[must_use]
pub fn token_of(req: &HttpRequest) -> Option<(&str, TokenSource)> {
    if let Some(value) = req.headers().get(AUTHORIZATION) {
        // A header that is no Bearer token counts as an invalid token: the cookie is not tried after it.
        let bearer = value.to_str().ok().and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        return Some((bearer.unwrap_or_default(), TokenSource::Bearer));
    }
    cookie_of(req, COOKIE).map(|token| (token, TokenSource::Cookie))
}

/// The first cookie of this name that is not empty; malformed cookies are ignored.
#[must_use]
pub fn cookie_of<'a>(req: &'a HttpRequest, name: &str) -> Option<&'a str> {
    let cookies = req.headers().get_all(COOKIE_HEADER).filter_map(|line| line.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let value = pairs.find(|(found, _)| *found == name).map(|(_, value)| value.trim_matches('"'))?;
    (!value.is_empty()).then_some(value)
}

/// The shared state.
///
/// # Errors
/// [`ApiError::Internal`] when the app was built without it.
pub fn state(req: &HttpRequest) -> Result<&State, ApiError> {
    req.app_data::<actix_web::web::Data<State>>()
        .map(actix_web::web::Data::get_ref)
        .ok_or_else(|| ApiError::Internal("the app has no state".into()))
}

/// The future of an extractor: ready at once where this node alone knows of every logout.
type Caller<T> = Either<Ready<Result<T, ApiError>>, LocalBoxFuture<'static, Result<T, ApiError>>>;

const INVALID: ApiError = ApiError::Unauthorized { code: "auth.invalid_token", message: "the token is not valid" };

/// The revoked tokens to check before the claims are accepted; `None` when no check is needed.
type RevokedTokenCheck = Option<Arc<RevokedTokens>>;

fn claims(req: &HttpRequest) -> Result<(Claims, TokenSource, RevokedTokenCheck), ApiError> {
    let (token, source) = token_of(req).ok_or_else(ApiError::unauthorized)?;
    let state = state(req)?;
    let claims = state.tokens.verify(token).map_err(|_| INVALID)?;
    let doubt = match state.dead_tokens.status_of(token_id(&claims)) {
        TokenStatus::Revoked => return Err(INVALID),
        // Services do not log out.
        TokenStatus::Unknown if claims.role != Role::Service => Some(Arc::clone(&state.dead_tokens)),
        TokenStatus::Unknown | TokenStatus::Valid => None,
    };
    if source == TokenSource::Cookie {
        csrf::check(req, &state.settings.origins)?;
    }
    sessions::touch(req, state, &claims);
    Ok((claims, source, doubt))
}

/// Whether a request is open to users who have yet to set up the second factor that their role must have.
fn is_open_without_factor(req: &HttpRequest) -> bool {
    match req.path() {
        "/api/auth/me" => req.method() == Method::GET,
        "/api/auth/logout" => true,
        path => path.starts_with("/api/auth/2fa/"),
    }
}

/// The caller, if `accept` accepts the claims.
fn caller<T: 'static>(req: &HttpRequest, accept: impl FnOnce(Claims, TokenSource) -> Result<T, ApiError>) -> Caller<T> {
    let (claims, source, doubt) = match claims(req) {
        Ok(known) => known,
        Err(error) => return refused(req, error),
    };
    let must_have_factor = state(req).is_ok_and(|state| state.settings.two_factor_for.contains(&claims.role));
    let asks_factor = must_have_factor && !claims.has_two_factor() && !is_open_without_factor(req);
    let lookup = Lookup {
        jti: claims.jti.clone(),
        iat: claims.iat,
        exp: claims.exp,
        user: claims.id.clone(),
        dead: doubt,
        factor: asks_factor.then(|| sessions::calls(req)),
    };
    let role = claims.role;
    let accepted = accept(claims, source);
    if let Ok(user) = lookup.user.parse() {
        audit::note(req, user, role, accepted.is_err());
    }
    if lookup.dead.is_none() && lookup.factor.is_none() {
        return match accepted {
            Ok(caller) => Either::Left(ready(Ok(caller))),
            Err(error) => refused(req, error),
        };
    }
    let checked = Rc::new(Cell::new(false));
    req.extensions_mut().insert(Authorization {
        checked: Rc::clone(&checked),
        lookup: Some(lookup.clone()),
        refusal: accepted.as_ref().err().cloned(),
    });
    Either::Right(Box::pin(async move {
        let looked_up = lookup.check().await;
        checked.set(true);
        looked_up.and(accepted)
    }))
}

fn refused<T>(req: &HttpRequest, error: ApiError) -> Caller<T> {
    let refusal = Some(error.clone());
    req.extensions_mut().insert(Authorization { checked: Rc::default(), lookup: None, refusal });
    Either::Left(ready(Err(error)))
}

/// What is looked up about a token.
#[derive(Clone)]
struct Lookup {
    jti: String,
    iat: i64,
    exp: i64,
    user: String,
    /// Where to look whether another node has revoked it, if that is not known here.
    dead: RevokedTokenCheck,
    /// Where to look whether the user has a second factor, if that is asked for.
    factor: Option<Calls>,
}

impl Lookup {
    async fn check(&self) -> Result<(), ApiError> {
        let Self { jti, iat, exp, user, dead, factor } = self;
        if let Some(dead) = dead
            && dead.is_revoked(TokenId { jti, user, iat: *iat, exp: *exp }).await?
        {
            return Err(INVALID);
        }
        if let Some(calls) = factor
            && two_factor::is_missing(calls, user.parse().map_err(|_| INVALID)?).await?
        {
            return Err(ApiError::two_factor_required());
        }
        Ok(())
    }
}

/// The authorization of a request whose handler has not run.
struct Authorization {
    /// Whether its extractor came to its end.
    checked: Rc<Cell<bool>>,
    lookup: Option<Lookup>,
    /// Why the caller is refused even with a valid token.
    refusal: Option<ApiError>,
}

/// Why the caller of a request is refused. The extractors of a handler run together, so that another one, of the body for
/// example, may refuse a request before its caller is known; callers must not learn what a body lacks before that.
pub(super) async fn refusal_of(req: &HttpRequest) -> Option<ApiError> {
    let Authorization { checked, lookup, refusal } = req.extensions_mut().remove()?;
    match lookup {
        _ if checked.get() => None,
        None => refusal,
        Some(lookup) => match lookup.check().await {
            Ok(()) => refusal,
            Err(error) => Some(error),
        },
    }
}

fn token_id(claims: &Claims) -> TokenId<'_> {
    TokenId { jti: &claims.jti, user: &claims.id, iat: claims.iat, exp: claims.exp }
}

fn user(claims: Claims, source: TokenSource) -> Result<AuthUser, ApiError> {
    if claims.role == Role::Service {
        return Err(ApiError::forbidden());
    }
    let id = claims.id.parse().map_err(|_| ApiError::unauthorized())?;
    Ok(AuthUser { id, role: claims.role, jti: claims.jti, iat: claims.iat, exp: claims.exp, source })
}

impl FromRequest for AuthUser {
    type Error = ApiError;
    type Future = Caller<Self>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        caller(req, user)
    }
}

/// A logged-in user, or `None` without a valid token. The handler applies the CSRF check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaybeUser(pub Option<AuthUser>);

impl FromRequest for MaybeUser {
    type Error = ApiError;
    type Future = Caller<Self>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = || {
            let (token, source) = token_of(req)?;
            let state = state(req).ok()?;
            let claims = state.tokens.verify(token).ok()?;
            let status = state.dead_tokens.status_of(token_id(&claims));
            sessions::touch(req, state, &claims);
            let user = user(claims, source).ok()?;
            audit::note(req, user.id, user.role, false);
            (status != TokenStatus::Revoked).then(|| (user, status, Arc::clone(&state.dead_tokens)))
        };
        match found() {
            Some((user, TokenStatus::Unknown, dead)) => Either::Right(Box::pin(async move {
                let id = user.id.to_hex();
                let token = TokenId { jti: &user.jti, user: &id, iat: user.iat, exp: user.exp };
                let dead = dead.is_revoked(token).await?;
                Ok(Self((!dead).then_some(user)))
            })),
            found => Either::Left(ready(Ok(Self(found.map(|(user, ..)| user))))),
        }
    }
}

/// Another process of the platform, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCaller(pub String);

impl FromRequest for ServiceCaller {
    type Error = ApiError;
    type Future = Caller<Self>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        caller(req, |claims, _| match claims.role {
            Role::Service => Ok(Self(claims.id)),
            Role::User | Role::Seller | Role::Admin => Err(ApiError::forbidden()),
        })
    }
}

macro_rules! role_extractor {
    ($(#[$doc:meta])* $name:ident, $($role:pat_param)|+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub AuthUser);

        impl Deref for $name {
            type Target = AuthUser;

            fn deref(&self) -> &AuthUser {
                &self.0
            }
        }

        impl FromRequest for $name {
            type Error = ApiError;
            type Future = Caller<Self>;

            fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
                caller(req, |claims, source| {
                    let user = user(claims, source)?;
                    if matches!(user.role, $($role)|+) { Ok(Self(user)) } else { Err(ApiError::forbidden()) }
                })
            }
        }
    };
}

role_extractor!(/// A user of the role `user`.
    Buyer, Role::User);
role_extractor!(/// A user of the role `user` or `admin`.
    BuyerOrAdmin, Role::User | Role::Admin);
role_extractor!(/// A user of the role `seller`.
    SellerUser, Role::Seller);
role_extractor!(/// A user of the role `seller` or `admin`.
    SellerOrAdmin, Role::Seller | Role::Admin);
role_extractor!(/// A user of the role `admin`.
    AdminUser, Role::Admin);
