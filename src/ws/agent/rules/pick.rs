//! Finds the product that a shopper means: in what was shown, in her cart, or in the shop.

use serde_json::json;

use super::{
    act::{Act, Done},
    goods::{self, Goods},
    refer::Refer,
    speech::{self, Spoken},
    vocabulary,
};

/// How many products are asked about at most.
const CHOICES_MAX: usize = 4;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// These, one or more.
    These(Vec<Goods>),
    /// One of these: she has to say which.
    Which(Vec<Goods>),
    /// Nothing of this name; these come near.
    Nothing { called: String, near: Vec<Goods> },
    /// She did not say what, and nothing was shown.
    Unsaid,
}

impl Found {
    fn one(goods: Goods) -> Self {
        Self::These(vec![goods])
    }

    fn some(goods: Vec<Goods>) -> Self {
        if goods.is_empty() { Self::Unsaid } else { Self::These(goods) }
    }
}

/// Which of `goods` a reference that points at a list means.
pub(super) fn pointed(refer: &Refer, goods: &[Goods], current: Option<crate::domain::ids::ProductId>) -> Option<Found> {
    let at = |place: usize| goods.get(place.checked_sub(1)?).cloned();
    Some(match refer {
        Refer::Places(places) => Found::some(places.iter().filter_map(|place| at(*place)).collect()),
        Refer::FirstOf(count) => Found::some(goods.iter().take(*count).cloned().collect()),
        Refer::Last => Found::some(goods.last().cloned().into_iter().collect()),
        Refer::All => Found::some(goods.to_vec()),
        Refer::Cheapest(words) if words.is_empty() => {
            Found::some(goods.iter().min_by_key(|goods| goods.price.minor()).cloned().into_iter().collect())
        }
        Refer::Dearest(words) if words.is_empty() => {
            Found::some(goods.iter().max_by_key(|goods| goods.price.minor()).cloned().into_iter().collect())
        }
        Refer::Other => match goods {
            [one, other] if current == Some(other.id) => Found::one(one.clone()),
            [_, other] => Found::one(other.clone()),
            _ => Found::Unsaid,
        },
        Refer::It | Refer::Nothing => match (goods, goods.iter().find(|goods| Some(goods.id) == current)) {
            (_, Some(goods)) => Found::one(goods.clone()),
            ([only], None) => Found::one(only.clone()),
            (goods, None) if goods.len() > 1 && goods.len() <= CHOICES_MAX => Found::Which(goods.to_vec()),
            _ => Found::Unsaid,
        },
        Refer::Named(_) | Refer::Cheapest(_) | Refer::Dearest(_) => return None,
    })
}

/// Those of `goods` that have all `words` in their title; `None` when none has.
pub(super) fn named(words: &[String], goods: &[Goods]) -> Option<Found> {
    let mut all: Vec<Goods> =
        goods.iter().filter(|goods| vocabulary::matching(words, &goods.title) == words.len()).cloned().collect();
    // The whole title is one product, also where longer titles begin with it.
    let exact: Vec<Goods> =
        all.iter().filter(|goods| vocabulary::stems(&goods.title).len() == words.len()).cloned().collect();
    if let [only] = &exact[..] {
        return Some(Found::one(only.clone()));
    }
    match &all[..] {
        [] => None,
        [only] => Some(Found::one(only.clone())),
        _ => {
            all.truncate(CHOICES_MAX);
            Some(Found::Which(all))
        }
    }
}

impl Act<'_> {
    /// What `refer` means among what was shown, and else in the shop.
    pub(super) async fn resolve(&mut self, refer: &Refer) -> Done<Found> {
        let listed = self.listed().await?;
        if matches!(refer, Refer::It | Refer::Nothing)
            && let Some(current) = self.known.current.filter(|current| self.known.has(*current))
        {
            let answer = self.look("get_product", json!({ "productId": current })).await?;
            return Ok(goods::product(&answer).map_or(Found::Unsaid, Found::one));
        }
        if let Some(found) = pointed(refer, &listed, self.known.current) {
            return Ok(found);
        }
        match refer {
            Refer::Named(words) => match named(words, &listed) {
                Some(found) => Ok(found),
                None => self.in_shop(words, "relevance").await,
            },
            Refer::Cheapest(words) => self.first_in_shop(words, "price").await,
            Refer::Dearest(words) => self.first_in_shop(words, "-price").await,
            _ => Ok(Found::Unsaid),
        }
    }

    async fn in_shop(&mut self, words: &[String], sort: &str) -> Done<Found> {
        let query = words.join(" ");
        let answer = self.look("search_products", json!({ "query": query, "sort": sort })).await?;
        let near = goods::products(&answer);
        Ok(named(words, &near).unwrap_or(Found::Nothing { called: query, near }))
    }

    /// The first of those that have all the words.
    async fn first_in_shop(&mut self, words: &[String], sort: &str) -> Done<Found> {
        let query = words.join(" ");
        let answer = self.look("search_products", json!({ "query": query, "sort": sort, "inStock": true })).await?;
        let near = goods::products(&answer);
        let first = near.iter().find(|goods| vocabulary::matching(words, &goods.title) == words.len()).cloned();
        Ok(first.map_or(Found::Nothing { called: query, near }, Found::one))
    }

    /// Asks which of these is meant; the answer is understood by the list.
    pub(super) fn ask_which(&mut self, goods: &[Goods]) -> Spoken {
        self.known.listed = goods.iter().map(|goods| goods.id).collect();
        self.known.current = None;
        Spoken::with(format!("{}\n{}", speech::WHICH, speech::numbered(goods)), goods)
    }

    /// Says that nothing is meant, and what comes near.
    pub(super) fn nothing_called(&mut self, called: &str, near: &[Goods]) -> Spoken {
        if near.is_empty() {
            return Spoken::of(format!(
                "I found nothing called “{called}” in the shop. Could you put it in other words?"
            ));
        }
        let near = &near[..near.len().min(CHOICES_MAX)];
        self.known.listed = near.iter().map(|goods| goods.id).collect();
        self.known.current = None;
        let text = format!("I found nothing called just “{called}”. The nearest I have:\n{}", speech::numbered(near));
        Spoken::with(text, near)
    }
}
