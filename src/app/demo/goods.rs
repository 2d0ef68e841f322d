//! What the demo shop sells, and who sells it.

use super::shelves::{audio, garden, kitchen, lighting, stationery, textiles, toys, travel};

/// Sellers: user name, first and last name.
pub(super) const SELLERS: [(&str, &str, &str); 6] = [
    ("lakeside-lamps", "Asha", "Rao"),
    ("copper-kitchen", "Dev", "Patel"),
    ("paper-garden", "Leela", "Iyer"),
    ("hill-textiles", "Tenzin", "Dorje"),
    ("quiet-audio", "Farah", "Khan"),
    ("green-balcony", "Ravi", "Menon"),
];

/// A category of goods.
pub(crate) struct Shelf {
    /// Its name.
    pub(crate) category: &'static str,
    /// Whose it is, by the place in [`SELLERS`].
    pub(crate) seller: usize,
    /// Wall, light and table of its pictures.
    pub(crate) light: [u32; 3],
    /// What stands on it.
    pub(crate) items: &'static [Item],
}

/// What stands on a shelf.
pub(crate) struct Item {
    /// What it is called.
    pub(crate) title: &'static str,
    /// Its price.
    pub(crate) rupees: i64,
    /// How many there are after all past orders.
    pub(crate) stock: u32,
    /// Whether it stands on a table, or lies or hangs.
    pub(crate) stands: bool,
    /// What is said of it.
    pub(crate) words: &'static str,
    /// Its drawing.
    pub(crate) drawing: &'static str,
}

/// Every shelf.
const SHELVES: [&Shelf; 8] = [
    &lighting::SHELF,
    &kitchen::SHELF,
    &stationery::SHELF,
    &textiles::SHELF,
    &audio::SHELF,
    &garden::SHELF,
    &travel::SHELF,
    &toys::SHELF,
];

/// Something to sell.
#[derive(Clone, Copy)]
pub(super) struct Good {
    /// Its words, price and drawing.
    pub(super) item: &'static Item,
    /// Where it stands.
    pub(super) shelf: &'static Shelf,
}

/// The demo catalogue, the shelves by turns, so that the newest are of all kinds.
pub(super) fn all() -> Vec<Good> {
    let rows = SHELVES.iter().map(|shelf| shelf.items.len()).max().unwrap_or(0);
    let place = |row: usize| SHELVES.iter().filter_map(move |shelf| Some(Good { item: shelf.items.get(row)?, shelf }));
    (0..rows).flat_map(place).collect()
}

/// One of any number of goods.
pub(super) struct Numbered {
    /// No two have the same.
    pub(super) title: String,
    /// What is said of it.
    pub(super) description: String,
    /// Its shelf's name.
    pub(super) category: &'static str,
    /// Its price.
    pub(super) price_minor: i64,
}

/// One of any number of goods, no two with the same title.
pub(super) fn numbered(number: u32) -> Numbered {
    let at = usize::try_from(number).unwrap_or(0);
    let shelf = SHELVES[at % SHELVES.len()];
    let item = &shelf.items[at / SHELVES.len() % shelf.items.len()];
    Numbered {
        title: format!("{} no {number}", item.title),
        description: format!("{}. {}", item.title, item.words),
        category: shelf.category,
        price_minor: item.rupees * 100 + i64::from(number % 977),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_good_is_its_own() {
        let goods = all();
        assert_eq!(goods.len(), 64);
        let titles: HashSet<_> = goods.iter().map(|good| good.item.title).collect();
        let drawings: HashSet<_> = goods.iter().map(|good| good.item.drawing).collect();
        assert_eq!((titles.len(), drawings.len()), (64, 64));
        let numbered: HashSet<_> = (0..200).map(|number| numbered(number).title).collect();
        assert_eq!(numbered.len(), 200);
        for good in goods {
            let sentences = good.item.words.matches(['.', '?', '!']).count();
            assert!((2..=5).contains(&sentences), "{}: {}", good.item.title, good.item.words);
        }
    }
}
