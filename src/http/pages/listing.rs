//! Paging of long lists: the requested page, and links to its neighbours.

use actix_web::HttpRequest;

use super::page::escape;
use crate::{domain::text::trim_invisible, http::query};

/// The last page of a long list.
const PAGES_MAX: u32 = 10_000;

/// Links to the previous and the next page.
pub(crate) struct Pager {
    pub(crate) number: u32,
    /// How many pages there are.
    pub(crate) pages: u32,
    /// The URL of the previous page, or empty.
    pub(crate) previous: String,
    /// The URL of the next page, or empty.
    pub(crate) next: String,
}

/// A value of the query, or empty; at most 200 characters.
pub(crate) fn asked(req: &HttpRequest, name: &str) -> String {
    let value = query::value(req.query_string(), name).unwrap_or_default();
    trim_invisible(&value).chars().take(200).collect()
}

/// The requested page; 1 when the number is invalid.
pub(crate) fn page_of(req: &HttpRequest) -> u32 {
    asked(req, "page").parse().unwrap_or(1).clamp(1, PAGES_MAX)
}

impl Pager {
    /// The pager of a list of `total` rows at `path`; the other parameters stay.
    pub(crate) fn new(path: &str, fields: &[(&str, &str)], number: u32, per_page: u32, total: u64) -> Self {
        let pages = u32::try_from(total.div_ceil(u64::from(per_page.max(1)))).unwrap_or(PAGES_MAX).clamp(1, PAGES_MAX);
        let link = |page: u32| {
            let kept = fields.iter().filter(|(_, value)| !value.is_empty());
            let mut url = format!("{path}?page={page}");
            for (name, value) in kept {
                url.push_str(&format!("&{name}={}", escape(value)));
            }
            url
        };
        Self {
            number,
            pages,
            previous: if number > 1 { link(number - 1) } else { String::new() },
            next: if number < pages { link(number + 1) } else { String::new() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_links_to_both_sides() {
        let pager = Pager::new("/a", &[("q", "x y"), ("status", "")], 2, 10, 25);
        assert_eq!((pager.pages, pager.number), (3, 2));
        assert_eq!((pager.previous.as_str(), pager.next.as_str()), ("/a?page=1&q=x%20y", "/a?page=3&q=x%20y"));
        let only = Pager::new("/a", &[], 1, 10, 0);
        assert_eq!((only.pages, only.previous.as_str(), only.next.as_str()), (1, "", ""));
    }
}
