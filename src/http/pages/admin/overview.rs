//! `/admin`: the state of the process and its components, and pending work.

use actix_web::HttpResponse;
use askama::Template;
use jiff::SignedDuration;

use crate::{
    actors::admin::calls::{GetDeadMessages, GetWaitingEvents},
    domain::Timestamp,
    http::{
        error::ApiError,
        ops::{ActorKind, Overall, PartState},
        pages::{context::PageContext, format, page::Page},
    },
};

struct PartRow {
    name: String,
    word: &'static str,
    class: &'static str,
    detail: String,
}

#[derive(Template)]
#[template(path = "admin/overview.html")]
struct OverviewPage {
    page: Page,
    state: &'static str,
    state_class: &'static str,
    parts: Vec<PartRow>,
    actors: Vec<ActorKind>,
    waiting: String,
    oldest: String,
    dead: String,
    dead_trouble: String,
}

fn ago(at: Timestamp) -> String {
    let past = Timestamp::now().duration_since(at).max(SignedDuration::ZERO);
    match past.as_secs() {
        0..=1 => "just now".to_owned(),
        seconds @ 2..=119 => format!("{seconds} seconds ago"),
        seconds @ 120..=7_199 => format!("{} minutes ago", seconds / 60),
        seconds @ 7_200..=172_799 => format!("{} hours ago", seconds / 3_600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

///
/// # Errors
/// 401, 403, 503.
pub async fn show(context: PageContext) -> Result<HttpResponse, ApiError> {
    context.admin()?;
    let report = (context.state().readiness)();
    let (state, state_class) = match report.overall() {
        Overall::Ready => ("Ready", "good"),
        Overall::Degraded => ("Degraded", "warn"),
        Overall::Unavailable => ("Cannot serve", "bad"),
    };
    let parts = report.parts.iter().map(|part| {
        let (word, class) = match part.state {
            PartState::Up => ("Up", "good"),
            PartState::Degraded => ("Away", "warn"),
            PartState::Down => ("Down", "bad"),
        };
        PartRow { name: part.name.clone(), word, class, detail: part.detail.clone().unwrap_or_default() }
    });
    let waiting = context.calls.ask(GetWaitingEvents).await?;
    let (dead, dead_trouble) = match context.calls.ask(GetDeadMessages).await {
        Ok(dead) => (format::count(u64::try_from(dead.len()).unwrap_or(u64::MAX)), String::new()),
        Err(error) => ("?".to_owned(), error.to_string()),
    };
    let mut actors = report.actors.clone();
    actors.sort_by(|one, other| other.failing.cmp(&one.failing).then_with(|| one.kind.cmp(&other.kind)));
    let view = OverviewPage {
        page: context.page("Admin"),
        state,
        state_class,
        parts: parts.collect(),
        actors,
        waiting: format::count(waiting.count),
        oldest: waiting.oldest.map_or_else(String::new, |(name, at)| format!("{name}, {}", ago(at))),
        dead,
        dead_trouble,
    };
    context.ok(&view)
}
