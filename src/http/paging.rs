//! Paging: which part of a list is requested, and the headers that describe the part returned.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder, dev::Payload, http::header::HeaderValue};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::{error::ApiError, query};
use crate::views::order::PaginationView;

/// The default number of rows.
const LIMIT_DEFAULT: u32 = 20;
/// The most rows of one answer.
const LIMIT_MAX: u32 = 100;
/// The largest skip that every store supports.
const SKIP_MAX: u64 = 1_000_000_000_000;

/// The longest `Link` header, in bytes: less than what proxies and clients take for a whole head.
const LINKS_MAX: usize = 4_000;

/// The paging parameters of a request.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PagingParams {
    /// How many rows to skip; not together with `page`.
    #[param(example = 0, minimum = 0)]
    pub skip: Option<u64>,
    /// The page, from 1; not together with `skip`.
    #[param(example = 1, minimum = 1)]
    pub page: Option<u64>,
    /// How many rows, 1 to 100.
    #[param(example = 20, minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
}

/// The requested part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// How many rows to skip.
    pub skip: u64,
    /// How many rows, 1 to 100.
    pub limit: u32,
    by_page: bool,
}

impl TryFrom<PagingParams> for Paging {
    type Error = ApiError;

    fn try_from(params: PagingParams) -> Result<Self, ApiError> {
        let limit = params.limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(ApiError::field("limit", "must be 1 to 100"));
        }
        let skip = match (params.skip, params.page) {
            (Some(_), Some(_)) => return Err(ApiError::field("page", "must not be used with skip")),
            (_, Some(0)) => return Err(ApiError::field("page", "must be 1 or more")),
            (None, Some(page)) => (page - 1).saturating_mul(u64::from(limit)),
            (skip, None) => skip.unwrap_or(0),
        };
        if skip > SKIP_MAX {
            let field = if params.page.is_some() { "page" } else { "skip" };
            return Err(ApiError::field(field, "is too large"));
        }
        Ok(Self { skip, limit, by_page: params.page.is_some() })
    }
}

impl FromRequest for Paging {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(query::parse::<PagingParams>(req.query_string()).and_then(Self::try_from))
    }
}

impl Paging {
    /// The page, from 1.
    #[must_use]
    pub fn page(&self) -> u64 {
        self.skip / u64::from(self.limit) + 1
    }

    /// The position of this part in a list of `total` rows.
    #[must_use]
    pub fn pagination(&self, total: u64) -> PaginationView {
        let total_pages = total.div_ceil(u64::from(self.limit));
        PaginationView { page: self.page(), limit: self.limit, total, total_pages }
    }

    /// A response of 200 with `X-Total-Count` and `Link`; the caller adds the rows.
    #[must_use]
    pub fn answer(&self, req: &HttpRequest, total: u64) -> HttpResponseBuilder {
        let mut response = HttpResponse::Ok();
        response.insert_header(("x-total-count", total));
        // A path of any bytes fits into a header, but for those that no URL can have. Without room for a link there is none.
        let links = self.links(req, total);
        if !links.is_empty()
            && let Ok(links) = HeaderValue::from_bytes(links.as_bytes())
        {
            response.insert_header(("link", links));
        }
        response
    }

    /// The same with the rows, of a list that is in memory as a whole.
    #[must_use]
    pub fn show<T, V: Serialize>(&self, req: &HttpRequest, list: &[T], view: impl Fn(&T) -> V) -> HttpResponse {
        let at = |row: u64| usize::try_from(row).map_or(list.len(), |row| row.min(list.len()));
        let rows = &list[at(self.skip)..at(self.skip.saturating_add(u64::from(self.limit)))];
        let total = u64::try_from(list.len()).unwrap_or(u64::MAX);
        self.answer(req, total).json(rows.iter().map(view).collect::<Vec<_>>())
    }

    fn links(&self, req: &HttpRequest, total: u64) -> String {
        let limit = u64::from(self.limit);
        let last = total.saturating_sub(1) / limit * limit;
        let mut links = vec![("first", 0)];
        if self.skip > 0 {
            links.push(("prev", self.skip.saturating_sub(limit).min(last)));
        }
        if self.skip.saturating_add(limit) < total {
            links.push(("next", self.skip + limit));
        }
        links.push(("last", last));
        let link = |(rel, skip)| (rel, format!("<{}>; rel=\"{rel}\"", self.target(req, skip)));
        let mut links: Vec<(&str, String)> = links.into_iter().map(link).collect();
        // Each repeats the query: where there is no room for all, those that clients follow stay.
        for rel in ["last", "first", "prev", "next"] {
            if links.iter().map(|(_, link)| link.len() + 2).sum::<usize>() > LINKS_MAX {
                links.retain(|(name, _)| *name != rel);
            }
        }
        links.into_iter().map(|(_, link)| link).collect::<Vec<_>>().join(", ")
    }

    /// The URI of the same request with another skip.
    fn target(&self, req: &HttpRequest, skip: u64) -> String {
        let others = form_urlencoded::parse(req.query_string().as_bytes())
            .filter(|(name, _)| !["skip", "page", "limit"].contains(&name.as_ref()));
        let place = if self.by_page { ("page", skip / u64::from(self.limit) + 1) } else { ("skip", skip) };
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(others)
            .append_pair(place.0, &place.1.to_string())
            .append_pair("limit", &self.limit.to_string())
            .finish();
        format!("{}?{query}", req.path())
    }
}
