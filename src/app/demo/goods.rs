//! What the demo shop sells, and who sells it: `demo/goods.toml`, and the pictures beside it.

use anyhow::{Context, Result};
use bytes::Bytes;
use include_dir::{Dir, include_dir};
use serde::Deserialize;

static PICTURES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/demo/pictures");

/// The demo catalogue.
#[derive(Deserialize)]
pub(super) struct Goods {
    pub(super) sellers: Vec<Seller>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
pub(super) struct Seller {
    pub(super) username: String,
    pub(super) first_name: String,
    pub(super) last_name: String,
}

#[derive(Deserialize)]
pub(super) struct Category {
    pub(super) name: String,
    /// User name.
    pub(super) seller: String,
    products: Vec<Item>,
}

#[derive(Deserialize)]
pub(super) struct Item {
    pub(super) title: String,
    /// The name of its pictures without the ending; some have a second one, `NAME-near`.
    picture: String,
    pub(super) rupees: i64,
    /// How many there are after all past orders.
    pub(super) stock: u32,
    pub(super) description: String,
}

/// Something to sell.
#[derive(Clone, Copy)]
pub(super) struct Good<'a> {
    pub(super) item: &'a Item,
    pub(super) category: &'a Category,
}

impl Good<'_> {
    pub(super) fn pictures(&self) -> Vec<Bytes> {
        let name = &self.item.picture;
        let files = [format!("{name}.webp"), format!("{name}-near.webp")];
        let found = files.iter().filter_map(|file| PICTURES.get_file(file));
        found.map(|file| Bytes::from_static(file.contents())).collect()
    }
}

/// One of any number of goods.
pub(super) struct Numbered<'a> {
    /// No two have the same.
    pub(super) title: String,
    pub(super) description: String,
    pub(super) category: &'a str,
    pub(super) price_minor: i64,
}

impl Goods {
    pub(super) fn read() -> Result<Self> {
        let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/demo/goods.toml"));
        toml::from_str(text).context("the demo's goods cannot be read")
    }

    /// All goods, the categories by turns, so that the newest are of all kinds.
    pub(super) fn all(&self) -> Vec<Good<'_>> {
        let rows = self.categories.iter().map(|category| category.products.len()).max().unwrap_or(0);
        let place = |row: usize| {
            let categories = self.categories.iter();
            categories.filter_map(move |category| Some(Good { item: category.products.get(row)?, category }))
        };
        (0..rows).flat_map(place).collect()
    }

    /// One of any number of goods, no two with the same title.
    pub(super) fn numbered(&self, number: u32) -> Numbered<'_> {
        let at = usize::try_from(number).unwrap_or(0);
        let category = &self.categories[at % self.categories.len()];
        let item = &category.products[at / self.categories.len() % category.products.len()];
        Numbered {
            title: format!("{} no {number}", item.title),
            description: format!("{}. {}", item.title, item.description),
            category: &category.name,
            price_minor: item.rupees * 100 + i64::from(number % 977),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_good_is_its_own() {
        let goods = Goods::read().unwrap();
        assert_eq!(goods.sellers[0].username, crate::app::demo::SELLER);
        let all = goods.all();
        assert_eq!(all.len(), 64);
        let titles: HashSet<_> = all.iter().map(|good| &good.item.title).collect();
        let pictures: HashSet<_> = all.iter().flat_map(Good::pictures).collect();
        assert_eq!((titles.len(), pictures.len()), (64, 86));
        assert_eq!(pictures.len(), PICTURES.files().count(), "every picture is of a good");
        let numbered: HashSet<_> = (0..200).map(|number| goods.numbered(number).title).collect();
        assert_eq!(numbered.len(), 200);
        for good in all {
            assert!(!good.pictures().is_empty(), "{}", good.item.title);
            let sentences = good.item.description.matches(['.', '?', '!']).count();
            assert!((2..=5).contains(&sentences), "{}: {}", good.item.title, good.item.description);
            assert!(goods.sellers.iter().any(|seller| seller.username == good.category.seller));
        }
    }
}
