//! The home page: search, categories, price filter, sorting and paging.
//!
//! **Invariant:** the URL contains all that selects what is shown, so that links and the back button work.

use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::{
    assets,
    cards::Card,
    context::{self, PageContext},
    format, numbers,
    page::{Page, escape},
};
use crate::{
    actors::catalogue::{
        calls::{GetCategories, GetOffer, SearchProducts},
        index::{ListQuery, Sort},
    },
    domain::{ids::ProductId, money::Currency, text::trim_invisible},
    http::{
        auth,
        error::ApiError,
        ops, query,
        rate::work::{Limited, Search},
    },
};

/// Products on a page.
const PER_PAGE: usize = 24;
/// The last page of a long list.
const PAGES_MAX: usize = 400;
/// How many categories are offered.
const CATEGORIES: usize = 12;
/// How many recently viewed products are shown.
const SEEN: usize = 4;

/// The search of the URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct CatalogueFilter {
    q: String,
    category: String,
    minprice: String,
    maxprice: String,
    sort: String,
    page: usize,
}

struct Choice {
    value: &'static str,
    label: &'static str,
    current: bool,
}

struct Chip {
    label: String,
    count: String,
    url: String,
    current: bool,
}

#[derive(Template)]
#[template(path = "shop/home.html")]
struct HomePage {
    page: Page,
    plain: bool,
    /// Whether the shop has no products.
    nothing_yet: bool,
    filtered: bool,
    total: String,
    /// Search words that no product has, in quotation marks.
    unknown: String,
    q: String,
    category: String,
    minprice: String,
    maxprice: String,
    price_error: String,
    sorts: Vec<Choice>,
    categories: Vec<Chip>,
    products: Vec<Card>,
    seen: Vec<Card>,
    number: usize,
    pages: usize,
    previous: String,
    next: String,
}

impl CatalogueFilter {
    /// Reads the query; unknown parameters and invalid values are ignored.
    fn read(text: &str) -> Self {
        let mut wanted = Self { page: 1, ..Self::default() };
        for (name, value) in query::pairs(text) {
            let value: String = trim_invisible(&value.unwrap_or_default()).chars().take(200).collect();
            match name.unwrap_or_default().as_str() {
                "q" => wanted.q = value,
                "category" => wanted.category = value,
                "minprice" => wanted.minprice = value,
                "maxprice" => wanted.maxprice = value,
                "sort" => wanted.sort = value,
                "page" => wanted.page = value.parse().unwrap_or(1).clamp(1, PAGES_MAX),
                _ => {}
            }
        }
        wanted
    }

    fn filtered(&self) -> bool {
        ![&self.q, &self.category, &self.minprice, &self.maxprice].iter().all(|text| text.is_empty())
    }

    fn url(&self) -> String {
        let page = if self.page > 1 { self.page.to_string() } else { String::new() };
        let fields = [
            ("q", &self.q),
            ("category", &self.category),
            ("minprice", &self.minprice),
            ("maxprice", &self.maxprice),
            ("sort", &self.sort),
            ("page", &page),
        ];
        let given = fields.iter().filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> = given.map(|(name, value)| format!("{name}={}", escape(value))).collect();
        if pairs.is_empty() { "/".to_owned() } else { format!("/?{}", pairs.join("&")) }
    }

    fn at(&self, page: usize) -> String {
        Self { page, ..self.clone() }.url()
    }

    fn sort(&self) -> Sort {
        match self.sort.as_str() {
            "price" => Sort::PriceAsc,
            "-price" => Sort::PriceDesc,
            "newest" => Sort::Newest,
            _ if self.q.is_empty() => Sort::Newest,
            _ => Sort::Relevance,
        }
    }

    fn sorts(&self) -> Vec<Choice> {
        let (now, first) = (self.sort(), (!self.q.is_empty()).then_some(("relevance", "Best match", Sort::Relevance)));
        let rest = [
            ("newest", "Newest", Sort::Newest),
            ("price", "Price, low to high", Sort::PriceAsc),
            ("-price", "Price, high to low", Sort::PriceDesc),
        ];
        let choices = first.into_iter().chain(rest);
        choices.map(|(value, label, sort)| Choice { value, label, current: sort == now }).collect()
    }

    /// A price of the filter, in minor units.
    fn price(text: &str) -> Result<Option<i64>, String> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        // The filter compares amounts and ignores the currency.
        let currency = if text.contains('$') { Currency::Usd } else { Currency::Inr };
        let read = numbers::money(text, currency)?;
        Ok(Some(read.minor()).filter(|minor| *minor >= 0))
    }

    fn title(&self) -> String {
        match (self.q.as_str(), self.category.as_str()) {
            ("", "") => "All products".to_owned(),
            ("", category) => category.to_owned(),
            (words, "") => format!("“{words}”"),
            (words, category) => format!("“{words}” in {category}"),
        }
    }
}

/// The recently viewed products, with current offers.
pub(super) async fn seen(context: &PageContext, without: Option<ProductId>) -> Vec<Card> {
    let mut cards = vec![];
    for product in context.seen.iter().copied().filter(|id| Some(*id) != without).take(SEEN) {
        let offer = context.calls.ask(GetOffer { product }).await.ok().flatten();
        cards.extend(offer.filter(|offer| offer.for_sale).iter().map(|offer| context.card(offer)));
    }
    cards
}

/// The home page; programs get the name and state.
///
/// # Errors
///
/// 503 while the catalogue is unavailable.
pub async fn home(req: HttpRequest, _limit: Limited<Search>) -> Result<HttpResponse, ApiError> {
    if context::wants_json(&req) {
        return Ok(HttpResponse::Ok().json(ops::root_view(auth::state(&req)?)));
    }
    let mut context = PageContext::of(&req).await?;
    let wanted = CatalogueFilter::read(req.query_string());
    let (low, high) = (CatalogueFilter::price(&wanted.minprice), CatalogueFilter::price(&wanted.maxprice));
    let price_error = match (&low, &high) {
        (Err(what), _) | (_, Err(what)) => what.clone(),
        (Ok(Some(low)), Ok(Some(high))) if low > high => "the first price is above the second".to_owned(),
        _ => String::new(),
    };
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let asked = ListQuery {
        text: given(&wanted.q),
        min_price: low.ok().flatten(),
        max_price: high.ok().flatten(),
        category: given(&wanted.category),
        sort: wanted.sort(),
        skip: (wanted.page - 1) * PER_PAGE,
        limit: PER_PAGE,
        every_word: false,
        hidden: false,
    };
    let calls = &context.calls;
    let listed = calls.ask(SearchProducts { query: asked }).await?;
    let pages = usize::try_from(listed.total).unwrap_or(usize::MAX).div_ceil(PER_PAGE).clamp(1, PAGES_MAX);
    let chips = calls.ask(GetCategories {}).await?;
    let everything = Chip {
        label: "All".to_owned(),
        count: String::new(),
        url: CatalogueFilter { category: String::new(), page: 1, ..wanted.clone() }.url(),
        current: wanted.category.is_empty(),
    };
    let chip = |(name, count): &(String, u64)| Chip {
        label: name.clone(),
        count: format::count(*count),
        url: CatalogueFilter { category: name.clone(), page: 1, ..wanted.clone() }.url(),
        current: *name == wanted.category,
    };
    let chips = chips.iter().filter(|(name, _)| !name.is_empty()).take(CATEGORIES).map(chip);
    // A search without matches may be in a shop without products.
    let anything = SearchProducts { query: ListQuery { limit: 1, ..ListQuery::default() } };
    let nothing_on_sale = listed.total == 0 && (!wanted.filtered() || calls.ask(anything).await?.total == 0);
    let plain = !wanted.filtered() && wanted.page == 1;
    if !listed.rows.is_empty() {
        context.load_buttons().await;
    }
    let mut page =
        context.page(if plain { "Good things from people who make them".to_owned() } else { wanted.title() });
    page = page.searching(&wanted.q).describe("Lamps, kettles, books and more from independent sellers, in one cart.");
    if wanted.q.is_empty() && price_error.is_empty() {
        page.canonical = format!("{}{}", context.origin, wanted.url());
        page.picture = format!("{}{}", context.origin, assets::url("share.png"));
    }
    let view = HomePage {
        plain,
        nothing_yet: listed.total == 0 && nothing_on_sale,
        filtered: wanted.filtered(),
        total: format::count(listed.total),
        unknown: listed.unknown.iter().map(|word| format!("“{word}”")).collect::<Vec<_>>().join(", "),
        sorts: wanted.sorts(),
        categories: std::iter::once(everything).chain(chips).collect(),
        products: listed.rows.iter().map(|offer| context.card(offer)).collect(),
        seen: seen(&context, None).await,
        number: wanted.page,
        pages,
        previous: if wanted.page > 1 { wanted.at((wanted.page - 1).min(pages)) } else { String::new() },
        next: if wanted.page < pages { wanted.at(wanted.page + 1) } else { String::new() },
        price_error,
        q: wanted.q,
        category: wanted.category,
        minprice: wanted.minprice,
        maxprice: wanted.maxprice,
        page,
    };
    context.ok(&view)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_contains_the_filter_and_nothing_more() {
        let wanted = CatalogueFilter::read(
            "q=dashboard+lamp&category=Home%20%26%20Living&minprice=1%2C000&page=3&x=y&sort=price",
        );
        assert_eq!(
            wanted.url(),
            "/?q=dashboard%20lamp&category=Home%20%26%20Living&minprice=1%2C000&sort=price&page=3"
        );
        assert_eq!(CatalogueFilter::read(wanted.url().split_once('?').unwrap().1), wanted);
        assert_eq!(CatalogueFilter::price("₹1,000.50"), Ok(Some(100_050)));
        assert_eq!((CatalogueFilter::price("$5"), CatalogueFilter::price(" ")), (Ok(Some(500)), Ok(None)));
        for unclear in ["cheap", "1e99", "1,29", "1.299"] {
            assert!(CatalogueFilter::price(unclear).is_err(), "{unclear}");
        }
        assert_eq!(CatalogueFilter::read("page=0").page, 1);
        assert_eq!(CatalogueFilter::read("page=99999999999999999999999&q=%ff").url(), "/");
    }
}
