//! Users: the list, and blocking.

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
        pages::{context::PageContext, form::FormRequest, format, listing::asked, page::Page},
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
    may_block: bool,
}

/// Two accounts with the same e-mail address, found by an upgrade.
struct EmailConflict {
    username: String,
    email: String,
    /// The account that keeps the address, and the address as that account has it.
    owner: String,
    owner_email: String,
}

#[derive(Template)]
#[template(path = "admin/users.html")]
struct UsersPage {
    page: Page,
    email_conflicts: Vec<EmailConflict>,
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

/// The list, newest first, or the search result.
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
    let email_conflicts = if is_first { context.calls.ask(GetUsersWithoutAddress).await? } else { vec![] };
    let email_conflicts = email_conflicts.into_iter().map(|(user, owner)| EmailConflict {
        username: user.username,
        email: user.email,
        owner: owner.as_ref().map_or_else(|| "an account that is gone".to_owned(), |owner| owner.username.clone()),
        owner_email: owner.map(|owner| owner.email).unwrap_or_default(),
    });
    let email_conflicts = email_conflicts.collect();
    let view = UsersPage { page: context.page("Users"), email_conflicts, q, rows, older, first: before.is_none() };
    context.ok(&view)
}

#[derive(Template)]
#[template(path = "admin/block.html")]
struct BlockPage {
    page: Page,
    row: Row,
    /// How many products the user offers.
    offers: u64,
}

/// The confirmation page before a user is blocked. Only a POST to `/block` blocks.
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
        context.flash_error(format!("{} {why}.", row.username));
        return Ok(context.redirect("/admin/users"));
    }
    let offers = context.calls.ask(GetProductsOfSeller { seller: id, skip: 0, limit: 1 }).await?.total;
    let view = BlockPage { page: context.page("Block a user"), row, offers };
    context.ok(&view)
}

/// Blocks or unblocks a user.
///
/// # Errors
/// 401, 403, 404, 503.
pub async fn step(
    path: Path<(String, String)>,
    FormRequest { mut context, .. }: FormRequest,
) -> Result<HttpResponse, ApiError> {
    context.admin()?;
    let (id, step) = path.into_inner();
    let id: UserId = id.parse().map_err(|_| ApiError::NotFound("user"))?;
    let user = context.calls.ask(FindUser { name: id.to_hex() }).await?.ok_or(ApiError::NotFound("user"))?;
    let blocked = match step.as_str() {
        "block" => true,
        "unblock" => false,
        // The list's button: a link would not belong to the form that programs post.
        "confirm-block" => return Ok(context.redirect(&format!("/admin/users/{id}/confirm-block"))),
        _ => return Err(ApiError::NotFound("page")),
    };
    if user.role == Role::Admin {
        context.flash_error("An admin cannot be blocked here.");
        return Ok(context.redirect("/admin/users"));
    }
    context.calls.ask(SetUserBlocked { user: id, blocked }).await?;
    tracing::info!(user.id = %id, blocked, "an admin blocked or unblocked a user");
    let outcome = match blocked {
        true => "is blocked and logged out everywhere; nothing that they offer is for sale",
        false => "may come in again; what they offer is for sale again",
    };
    context.flash_message(format!("{} {outcome}.", user.username));
    Ok(context.redirect("/admin/users"))
}
