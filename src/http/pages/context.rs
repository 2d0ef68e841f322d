//! The context of a page: its user or guest, the data in their cookies, and the response.
//!
//! **Invariant:** every page is answered through a [`PageContext`], which sets cookies, form token and caching.

use std::sync::Arc;

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError,
    cookie::Cookie,
    dev::Payload,
    http::{
        StatusCode,
        header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE},
    },
    web::Data,
};
use askama::Template;
use futures_util::future::LocalBoxFuture;

use super::{
    cards::Card,
    cookies,
    form::Form,
    guest::GuestCart,
    page::{Flash, NO_COOKIES, Page, local},
    saved_forms::{SavedForm, SavedForms},
};
use crate::{
    actors::{
        accounts::calls::GetUser,
        cart::calls::GetCart,
        tokens::{self, Tokens},
    },
    domain::{
        Timestamp,
        ids::ProductId,
        product::Offer,
        text::visible,
        user::{Role, User},
    },
    http::{
        auth::{self, AuthUser, MaybeUser, TokenSource},
        error::ApiError,
        features::{Button, ButtonOf, FEATURES},
        query,
        routes::Services,
        sessions,
        state::State,
    },
    integrations::payment::SandboxGateway,
    runtime::calls::Calls,
};

/// How many ids fit into a cookie.
const IDS_MAX: usize = 100;
/// How many recently viewed products are remembered.
const SEEN_MAX: usize = 8;

/// How a form's token relates to the session that sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormTokenState {
    /// Made for this session, or for this browser before the login.
    Own,
    /// Made for another session of the same account.
    SameAccount,
    /// Made by this shop, but for a session that has ended or for another account.
    Earlier,
    /// Not made by this shop.
    Foreign,
}

/// The context of a request for a page.
pub struct PageContext {
    pub calls: Calls,
    /// The sandbox gateway, if it takes the payments.
    pub sandbox: Option<Arc<SandboxGateway>>,
    /// The logged-in user.
    pub user: Option<AuthUser>,
    /// The user's first name, or else their user name.
    pub name: String,
    /// The guest's cart; after a login, the lines that still have to be merged into the user's cart.
    pub guest_cart: GuestCart,
    /// Recently viewed products, newest first.
    pub seen: Vec<ProductId>,
    /// The request's path and query.
    pub here: String,
    /// The shop's public address, for absolute links.
    pub origin: String,
    /// Whether a script sent the request and expects JSON.
    pub wants_json: bool,
    /// Whether the browser sent no cookie of this shop: it is new, or stores none.
    pub is_new: bool,
    is_operator: bool,
    lacks_two_factor: bool,
    /// Forms that were sent after their session had ended.
    kept: SavedForms,
    state: Data<State>,
    req: HttpRequest,
    /// The buttons of features on this page's products.
    buttons: Vec<ButtonOf>,
    /// The browser's random name.
    browser: String,
    flash: Option<Flash>,
    cart_count: u64,
    set: Vec<Cookie<'static>>,
}

impl PageContext {
    /// The context of a request.
    ///
    /// # Errors
    ///
    /// 503 while it cannot be checked whether the session has ended.
    pub async fn of(req: &HttpRequest) -> Result<Self, ApiError> {
        let MaybeUser(user) = MaybeUser::from_request(req, &mut Payload::None).await?;
        let mut context = Self::anonymous(req)?;
        if let Some(user) = user {
            context.load_user(user).await;
        }
        Ok(context)
    }

    /// The context of a request, without reading who is logged in.
    ///
    /// # Errors
    ///
    /// [`ApiError::Internal`] in an app without state or services.
    pub fn anonymous(req: &HttpRequest) -> Result<Self, ApiError> {
        let state = req.app_data::<Data<State>>().cloned();
        let state = state.ok_or_else(|| ApiError::Internal("the app has no state".into()))?;
        let read = |name| cookies::read(&state.tokens, req, name);
        let secure = state.settings.production;
        let mut set = vec![];
        let known = read(cookies::VISIT);
        let is_new = known.is_none();
        let browser = known.unwrap_or_else(|| {
            let name = hex::encode(rand::random::<[u8; 16]>());
            set.push(cookies::sealed(&state.tokens, secure, cookies::VISIT, &name));
            name
        });
        let guest_cart = read(cookies::CART).map(|text| GuestCart::read(&text)).unwrap_or_default();
        let flash = read(cookies::FLASH).map(|text| {
            let bad = text.starts_with('!');
            Flash { bad, text: text.trim_start_matches('!').to_owned() }
        });
        let services = req.app_data::<Data<Services>>();
        let services = services.ok_or_else(|| ApiError::Internal("the app has no services".into()))?;
        Ok(Self {
            calls: services.calls.clone(),
            sandbox: services.sandbox.clone(),
            user: None,
            name: String::new(),
            cart_count: guest_cart.units(),
            guest_cart,
            seen: ids(&read(cookies::SEEN).unwrap_or_default()),
            here: req.uri().path_and_query().map_or_else(|| "/".to_owned(), |path| path.as_str().to_owned()),
            origin: state.settings.origins.public_url.to_string(),
            wants_json: wants_json(req),
            is_new,
            is_operator: state.is_operator(req),
            lacks_two_factor: false,
            kept: SavedForms::read(&state.tokens, req),
            state,
            req: req.clone(),
            buttons: vec![],
            browser,
            flash,
            set,
        })
    }

    async fn load_user(&mut self, user: AuthUser) {
        let id = user.id;
        let account = self.calls.ask(GetUser { user: id }).await.ok().flatten();
        self.lacks_two_factor = self.state.settings.two_factor_for.contains(&user.role)
            && account.as_ref().is_none_or(|account| account.security.two_factor.is_none());
        self.name = account.map_or_else(String::new, |account| match account.full_name.first_name {
            first if visible(&first).is_none() => account.username,
            first => first,
        });
        self.cart_count = 0;
        if user.role == Role::User
            && let Ok(cart) = self.calls.ask(GetCart { user: id }).await
        {
            self.cart_count = cart.units();
        }
        self.user = Some(user);
    }

    /// Starts a session of a user who was authenticated at `at`.
    ///
    /// # Errors
    /// [`ApiError::Internal`] when no token can be signed.
    pub async fn renew_session(&mut self, user: &User, at: Timestamp) -> Result<(), ApiError> {
        let (_, claims, cookie) = sessions::begin(&self.req, &self.state, &self.calls, user, at).await?;
        self.set_cookie(cookie);
        let (id, role, source) = (user.id, user.role, TokenSource::Cookie);
        self.user = Some(AuthUser { id, role, jti: claims.jti, iat: claims.iat, exp: claims.exp, source });
        Ok(())
    }

    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The logged-in user.
    ///
    /// # Errors
    /// 401, which sends a browser to the login page; 403 without the second factor that the user's role must have, which
    /// sends it to where that is set up.
    pub fn user(&self) -> Result<&AuthUser, ApiError> {
        let user = self.any_user()?;
        if self.lacks_two_factor { Err(ApiError::two_factor_required()) } else { Ok(user) }
    }

    /// As [`PageContext::user`], also without the second factor that the user's role must have.
    ///
    /// # Errors
    /// 401, which sends a browser to the login page.
    pub fn any_user(&self) -> Result<&AuthUser, ApiError> {
        self.user.as_ref().ok_or_else(ApiError::unauthorized)
    }

    /// Refuses a user whose e-mail address is not confirmed, where that is required.
    ///
    /// # Errors
    /// 401; 403, which sends a browser to where the address is confirmed; 503.
    pub async fn must_be_verified(&self) -> Result<(), ApiError> {
        sessions::must_be_verified(&self.state, &self.calls, self.user()?.id).await
    }

    fn in_role(&self, role: Role) -> Result<&AuthUser, ApiError> {
        self.user().and_then(|user| if user.role == role { Ok(user) } else { Err(ApiError::forbidden()) })
    }

    /// A logged-in buyer.
    ///
    /// # Errors
    /// 401, or 403 for other roles.
    pub fn buyer(&self) -> Result<&AuthUser, ApiError> {
        self.in_role(Role::User)
    }

    /// A logged-in seller.
    ///
    /// # Errors
    /// 401, or 403 for other roles.
    pub fn seller(&self) -> Result<&AuthUser, ApiError> {
        self.in_role(Role::Seller)
    }

    /// A logged-in admin.
    ///
    /// # Errors
    /// 401, or 403 for other roles.
    pub fn admin(&self) -> Result<&AuthUser, ApiError> {
        self.in_role(Role::Admin)
    }

    /// A token for a form. It differs each time, so that compression does not reveal it.
    #[must_use]
    pub fn csrf(&self) -> String {
        let session = self.user.as_ref().map_or(self.browser.as_str(), |user| user.jti.as_str());
        let token = form_token(&self.state.tokens, session);
        let account = self.account_mark(token.split('.').next().unwrap_or_default());
        let made = self.state.tokens.mark("csrf made", &format!("{token}.{account}"));
        format!("{token}.{account}.{made}")
    }

    /// A keyed hash of the account, which binds a form's token to it.
    fn account_mark(&self, salt: &str) -> String {
        let account = self.user.as_ref().map_or_else(|| "guest".to_owned(), |user| user.id.to_hex());
        self.state.tokens.mark("csrf account", &format!("{salt}{account}"))
    }

    /// How a form's token relates to this context.
    #[must_use]
    pub fn form_token_state(&self, token: &str) -> FormTokenState {
        let parts: Vec<&str> = token.split('.').collect();
        let (salt, mark, account) = match parts.as_slice() {
            // A page that was opened before an upgrade.
            [salt, mark] => (salt, mark, None),
            [salt, mark, account, made] => {
                let right = self.state.tokens.mark("csrf made", &format!("{salt}.{mark}.{account}"));
                if !cookies::same(made, &right) {
                    return FormTokenState::Foreign;
                }
                (salt, mark, Some(account))
            }
            _ => return FormTokenState::Foreign,
        };
        let sessions = [self.user.as_ref().map(|user| user.jti.as_str()), Some(self.browser.as_str())];
        let of_session = format!("{salt}.{mark}");
        if sessions.into_iter().flatten().any(|session| is_form_token(&self.state.tokens, &of_session, session)) {
            return FormTokenState::Own;
        }
        match account {
            None => FormTokenState::Foreign,
            Some(account) if self.user.is_some() && cookies::same(account, &self.account_mark(salt)) => {
                FormTokenState::SameAccount
            }
            Some(_) => FormTokenState::Earlier,
        }
    }

    /// Saves a form over the login, if the user typed something into it; returns the message to show.
    pub fn save_form(&mut self, form: SavedForm) -> String {
        let (message, is_worth_saving) = self.kept.add(form);
        if is_worth_saving {
            self.write_saved_forms();
        }
        message
    }

    fn write_saved_forms(&mut self) {
        for cookie in self.kept.cookies(&self.state.tokens, self.state.settings.production) {
            self.set_cookie(cookie);
        }
    }

    /// Whether this page checks for cookies and the browser did not send one back.
    #[must_use]
    pub fn keeps_no_cookies(&self) -> bool {
        let query = self.here.split_once('?').map_or("", |(_, query)| query);
        self.is_new && query::value(query, "cookies").as_deref() == Some("check")
    }

    /// The message about saved forms after a login; forms of other accounts are removed.
    pub fn saved_forms_message(&mut self) -> String {
        let mut kept = std::mem::take(&mut self.kept);
        let is_changed = kept.retain(|kept| self.may_see(kept));
        self.kept = kept;
        if is_changed {
            self.write_saved_forms();
        }
        self.kept.after_login_message()
    }

    /// Whether the form belongs to a guest or to this account.
    fn may_see(&self, kept: &SavedForm) -> bool {
        let of_guest = || {
            let (salt, account) = (kept.csrf.split('.').next(), kept.csrf.split('.').nth(2));
            let right = salt.map(|salt| self.state.tokens.mark("csrf account", &format!("{salt}guest")));
            account.zip(right).is_some_and(|(account, right)| cookies::same(account, &right))
        };
        matches!(self.form_token_state(&kept.csrf), FormTokenState::Own | FormTokenState::SameAccount) || of_guest()
    }

    /// Removes and returns the saved form for `action`, so that its page shows it once.
    pub fn take_saved_form(&mut self, action: &str) -> Option<Form> {
        let kept = self.kept.take(action)?;
        self.write_saved_forms();
        self.may_see(&kept).then(|| kept.form())
    }

    /// The frame of a page with this title.
    #[must_use]
    pub fn page(&self, title: impl Into<String>) -> Page {
        Page {
            title: title.into(),
            name: self.name.clone(),
            role: self.user.as_ref().map(|user| user.role),
            cart_count: self.cart_count,
            csrf: self.csrf(),
            flash: self.flash.clone(),
            here: self.here.clone(),
            buttons: !self.buttons.is_empty(),
            api: self.is_operator,
            ..Page::default()
        }
    }

    /// As [`PageContext::page`], for a page that may check for cookies: it says so when the browser stores none.
    #[must_use]
    pub fn page_with_cookie_check(&self, title: impl Into<String>) -> Page {
        let mut page = self.page(title);
        if self.keeps_no_cookies() {
            page.flash = Some(Flash { bad: true, text: NO_COOKIES.to_owned() });
        }
        page
    }

    /// Loads the buttons of features for this page's products; only guests and buyers have them.
    pub async fn load_buttons(&mut self) {
        if self.user.as_ref().is_none_or(|user| user.role == Role::User) {
            for feature in FEATURES {
                let button = feature.button(self).await;
                self.buttons.extend(button);
            }
        }
    }

    /// The buttons of a product.
    #[must_use]
    pub fn buttons(&self, product: ProductId) -> Vec<Button> {
        self.buttons.iter().map(|button| button(product)).collect()
    }

    /// A product as a card.
    #[must_use]
    pub fn card(&self, offer: &Offer) -> Card {
        Card { buttons: self.buttons(offer.product.id), ..Card::from(offer) }
    }

    pub fn set_cart_count(&mut self, units: u64) {
        self.cart_count = units;
    }

    /// Shows a message on the next page.
    pub fn flash_message(&mut self, text: impl AsRef<str>) {
        let text: String = text.as_ref().chars().take(300).collect();
        self.store_cookie(cookies::FLASH, &text);
    }

    /// Shows an error on the next page.
    pub fn flash_error(&mut self, text: impl AsRef<str>) {
        self.flash_message(format!("!{}", text.as_ref()));
    }

    /// Stores a guest's cart in the browser; an empty cart is removed.
    pub fn store_cart(&mut self, cart: GuestCart) {
        match cart.is_empty() {
            true => self.remove_cookie(cookies::CART),
            false => self.store_cookie(cookies::CART, &cart.text()),
        }
        if self.user.is_none() {
            self.cart_count = cart.units();
        }
        self.guest_cart = cart;
    }

    /// Remembers a product as recently viewed.
    pub fn remember_product(&mut self, product: ProductId) {
        self.seen.retain(|seen| *seen != product);
        self.seen.insert(0, product);
        self.seen.truncate(SEEN_MAX);
        let seen = self.seen.clone();
        self.store_ids(cookies::SEEN, &seen);
    }

    /// Forgets the user: the browser has no token any more and gets a new name, and earlier forms become invalid.
    pub fn forget_user(&mut self) {
        self.user = None;
        self.set_cookie(tokens::removal_cookie(self.state.settings.production));
        self.cart_count = 0;
        self.remove_cookie(cookies::SEEN);
        self.browser = hex::encode(rand::random::<[u8; 16]>());
        let name = self.browser.clone();
        self.store_cookie(cookies::VISIT, &name);
    }

    /// The ids of products that the browser stores in this cookie, each once.
    #[must_use]
    pub fn stored_ids(&self, name: &'static str) -> Vec<ProductId> {
        ids(&cookies::read(&self.state.tokens, &self.req, name).unwrap_or_default())
    }

    /// Stores ids of products in a cookie of the browser, which is removed when there are none; returns whether they
    /// fit.
    pub fn store_ids(&mut self, name: &'static str, ids: &[ProductId]) -> bool {
        if ids.len() > IDS_MAX {
            return false;
        }
        let text = ids.iter().map(|id| id.to_hex()).collect::<Vec<_>>().join(".");
        match ids.is_empty() {
            true => self.remove_cookie(name),
            false => self.store_cookie(name, &text),
        }
        true
    }

    fn store_cookie(&mut self, name: &'static str, text: &str) {
        self.set_cookie(cookies::sealed(&self.state.tokens, self.state.settings.production, name, text));
    }

    fn remove_cookie(&mut self, name: &'static str) {
        self.set_cookie(cookies::removal(&self.state.tokens, self.state.settings.production, name));
    }

    /// Adds a cookie to the response; it replaces an earlier one of the same name.
    pub fn set_cookie(&mut self, cookie: Cookie<'static>) {
        self.set.retain(|kept| kept.name() != cookie.name());
        self.set.push(cookie);
    }

    fn answer(&self, status: StatusCode) -> HttpResponseBuilder {
        let mut answer = HttpResponse::build(status);
        for cookie in &self.set {
            answer.append_header((SET_COOKIE, cookie.to_string()));
        }
        let caching = if self.user.is_some() { "private, no-store" } else { "private, no-cache" };
        answer.insert_header((CACHE_CONTROL, caching));
        answer
    }

    /// A page. The message for this page has been shown then and is removed.
    ///
    /// # Errors
    ///
    /// [`ApiError::Internal`] when the template fails, which no input causes.
    pub fn html(mut self, status: StatusCode, template: &impl Template) -> Result<HttpResponse, ApiError> {
        let body = template.render().map_err(|error| ApiError::Internal(error.to_string()))?;
        if self.flash.is_some() && !self.set.iter().any(|cookie| cookie.name() == cookies::FLASH) {
            self.remove_cookie(cookies::FLASH);
        }
        Ok(self.answer(status).insert_header((CONTENT_TYPE, "text/html; charset=utf-8")).body(body))
    }

    /// A page with the status 200.
    ///
    /// # Errors
    /// As [`PageContext::html`].
    pub fn ok(self, template: &impl Template) -> Result<HttpResponse, ApiError> {
        self.html(StatusCode::OK, template)
    }

    /// Redirects to another page of this shop.
    #[must_use]
    pub fn redirect(self, to: &str) -> HttpResponse {
        self.answer(StatusCode::SEE_OTHER).insert_header((LOCATION, to)).finish()
    }

    /// Redirects after a form that guests send too. A browser that sent no cookie is redirected to `check` instead,
    /// whose frame is [`PageContext::page_with_cookie_check`].
    #[must_use]
    pub fn redirect_checking_cookies(self, to: &str, check: &str) -> HttpResponse {
        if self.is_new { self.redirect(&format!("{check}?cookies=check")) } else { self.redirect(local(to)) }
    }

    /// An error for a script, with the context's cookies.
    #[must_use]
    pub fn error_json(self, error: &ApiError) -> HttpResponse {
        let mut answer = error.error_response();
        for cookie in &self.set {
            if let Ok(value) = cookie.to_string().parse() {
                answer.headers_mut().append(SET_COOKIE, value);
            }
        }
        answer
    }

    /// A JSON response for a script.
    #[must_use]
    pub fn json(self, value: &serde_json::Value) -> HttpResponse {
        self.answer(StatusCode::OK).json(value)
    }
}

impl FromRequest for PageContext {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move { Self::of(&req).await })
    }
}

/// Whether the client expects JSON instead of a page.
pub(super) fn wants_json(req: &HttpRequest) -> bool {
    let accept = req.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("application/json") && !accept.contains("text/html")
}

/// Whether a browser requests a page.
pub(super) fn wants_html(req: &HttpRequest) -> bool {
    req.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

/// The state of a request, for code without a context.
///
/// # Errors
/// As [`auth::state`].
pub(super) fn state(req: &HttpRequest) -> Result<&State, ApiError> {
    auth::state(req)
}

fn ids(text: &str) -> Vec<ProductId> {
    let mut ids: Vec<ProductId> = vec![];
    for id in text.split('.').filter_map(|id| id.parse().ok()) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

fn form_token(tokens: &Tokens, session: &str) -> String {
    let salt = hex::encode(rand::random::<[u8; 8]>());
    let mark = tokens.mark("csrf", &format!("{salt}{session}"));
    format!("{salt}.{mark}")
}

fn is_form_token(tokens: &Tokens, token: &str, session: &str) -> bool {
    let Some((salt, mark)) = token.split_once('.') else { return false };
    cookies::same(mark, &tokens.mark("csrf", &format!("{salt}{session}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_support::{BASE64_URL, HEX, altered};

    #[test]
    fn a_form_token_that_is_nearly_right_is_wrong() {
        let tokens = Tokens::new(b"a secret of thirty-two bytes, or so");
        let token = form_token(&tokens, "session");
        assert!(is_form_token(&tokens, &token, "session"));
        assert!(!is_form_token(&tokens, &token, "another"));
        let (salt, mark) = token.split_once('.').unwrap();
        for nearly in altered(mark, HEX) {
            assert!(!is_form_token(&tokens, &format!("{salt}.{nearly}"), "session"), "{nearly}");
        }
        for nearly in altered(&token, BASE64_URL) {
            assert!(!is_form_token(&tokens, &nearly, "session"), "{nearly}");
        }
    }
}
