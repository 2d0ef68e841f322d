//! Users: who they are, and who may not come in.

use actix_web::{HttpRequest, HttpResponse, web::Path};
use askama::Template;

use super::{PER_PAGE, older};
use crate::{
    actors::admin::calls::{FindUser, GetNewestUsers, GetUsersWithoutAddress, IsUserBlocked, SetUserBlocked},
    actors::catalogue::calls::GetProductsOfSeller,
    domain::{
        ids::UserId,
        user::{Role, User},
    },
    http::{
        error::ApiError,
        pages::{context::PageContext, form::PostedForm, format, listing::asked, page::Page},
    },
};

struct Row {
    id: String,
    username: String,
    name: String,
    email: String,
    role: &'static str,
    since: format::Time,
    blocked: bool,
    /// Whether it can be blocked here.
    may_block: bool,
}

/// Two accounts that an upgrade found to have one e-mail address.
struct Shared {
    username: String,
    email: String,
    /// The account that keeps the address, and the address as it was typed there.
    keeper: String,
    keeper_email: String,
}

#[derive(Template)]
#[template(path = "admin/users.html")]
struct UsersPage {
    page: Page,
    shared: Vec<Shared>,
    q: String,
    rows: Vec<Row>,
    older: String,
    first: bool,
}

async fn row(context: &PageContext, user: User) -> Result<Row, ApiError> {
    Ok(Row {
        blocked: context.calls.ask(IsUserBlocked { user: user.id }).await?,
        id: user.id.to_hex(),
        name: format!("{} {}", user.full_name.first_name, user.full_name.last_name).trim().to_owned(),
        username: user.username,
        email: user.email,
        role: user.role.as_str(),
        since: format::date(user.created_at),
        may_block: matches!(user.role, Role::User | Role::Seller),
    })
}

/// The list, newest first, or who is looked for.
///
/// # Errors
/// 401, 403, 503.
pub async fn list(req: HttpRequest, context: PageContext) -> Result<HttpResponse, ApiError> {
    context.admin()?;
    let q = asked(&req, "q");
    let before: Option<UserId> = asked(&req, "before").parse().ok();
    let (users, older) = if q.is_empty() {
        let mut users = context.calls.ask(GetNewestUsers { before, limit: PER_PAGE + 1 }).await?;
        let older = older(&mut users, "/admin/users", |user| user.id.to_hex());
        (users, older)
    } else {
        (context.calls.ask(FindUser { name: q.clone() }).await?.into_iter().collect(), String::new())
    };
    let mut rows = Vec::with_capacity(users.len());
    for user in users {
        rows.push(row(&context, user).await?);
    }
    let is_first = q.is_empty() && before.is_none();
    let shared = if is_first { context.calls.ask(GetUsersWithoutAddress).await? } else { vec![] };
    let shared = shared.into_iter().map(|(user, keeper)| Shared {
        username: user.username,
        email: user.email,
        keeper: keeper.as_ref().map_or_else(|| "an account that is gone".to_owned(), |keeper| keeper.username.clone()),
        keeper_email: keeper.map(|keeper| keeper.email).unwrap_or_default(),
    });
    let shared = shared.collect();
    let view = UsersPage { page: context.page("Users"), shared, q, rows, older, first: before.is_none() };
    context.ok(&view)
}

#[derive(Template)]
#[template(path = "admin/block.html")]
struct BlockPage {
    page: Page,
    row: Row,
    /// How many products they offer.
    offers: u64,
}

/// Asks before a user is blocked: whom, and what comes of it. Only a POST to `/block` blocks.
///
/// # Errors
/// 401, 403, 404, 503.
pub async fn confirm(path: Path<(String, String)>, mut context: PageContext) -> Result<HttpResponse, ApiError> {
    context.admin()?;
    let (id, step) = path.into_inner();
    let id: UserId = id.parse().map_err(|_| ApiError::NotFound("user"))?;
    if !matches!(step.as_str(), "block" | "confirm-block") {
        return Err(ApiError::NotFound("page"));
    }
    let user = context.calls.ask(FindUser { name: id.to_hex() }).await?.ok_or(ApiError::NotFound("user"))?;
    let row = row(&context, user).await?;
    if !row.may_block || row.blocked {
        let why = if row.blocked { "is blocked already" } else { "is an admin and cannot be blocked here" };
        context.warn(format!("{} {why}.", row.username));
        return Ok(context.go("/admin/users"));
    }
    let offers = context.calls.ask(GetProductsOfSeller { seller: id, skip: 0, limit: 1 }).await?.total;
    let view = BlockPage { page: context.page("Block a user"), row, offers };
    context.ok(&view)
}

/// Blocks a user, or lets them in again.
///
/// # Errors
/// 401, 403, 404, 503.
pub async fn step(
    path: Path<(String, String)>,
    PostedForm { mut context, .. }: PostedForm,
) -> Result<HttpResponse, ApiError> {
    context.admin()?;
    let (id, step) = path.into_inner();
    let id: UserId = id.parse().map_err(|_| ApiError::NotFound("user"))?;
    let user = context.calls.ask(FindUser { name: id.to_hex() }).await?.ok_or(ApiError::NotFound("user"))?;
    let blocked = match step.as_str() {
        "block" => true,
        "unblock" => false,
        _ => return Err(ApiError::NotFound("page")),
    };
    if user.role == Role::Admin {
        context.warn("An admin cannot be blocked here.");
        return Ok(context.go("/admin/users"));
    }
    context.calls.ask(SetUserBlocked { user: id, blocked }).await?;
    tracing::info!(user.id = %id, blocked, "an admin blocked a user or let them in again");
    let told = match blocked {
        true => "is blocked and logged out everywhere; nothing that they offer is for sale",
        false => "may come in again; what they offer is for sale again",
    };
    context.say(format!("{} {told}.", user.username));
    Ok(context.go("/admin/users"))
}
