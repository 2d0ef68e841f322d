//! What the demo shop sells.

/// Sellers: user name, first and last name.
pub(super) const SELLERS: [(&str, &str, &str); 6] = [
    ("lakeside-lamps", "Asha", "Rao"),
    ("copper-kitchen", "Dev", "Patel"),
    ("paper-garden", "Leela", "Iyer"),
    ("hill-textiles", "Tenzin", "Dorje"),
    ("quiet-audio", "Farah", "Khan"),
    ("green-balcony", "Ravi", "Menon"),
];

/// Something to sell.
#[derive(Debug, Clone)]
pub(super) struct Good {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) category: &'static str,
    pub(super) price_minor: i64,
    pub(super) stock: u32,
    /// Shades the picture.
    pub(super) number: u32,
}

/// A category: its name, what is said of its goods, and the goods with their prices in rupees.
type Shelf = (&'static str, &'static str, [(&'static str, i64); 8]);

const SHELVES: [Shelf; 8] = [
    (
        "Lighting",
        "Warm, even light that is kind to tired eyes.",
        [
            ("Brass desk lamp", 2499),
            ("Paper floor lantern", 3299),
            ("Clay table lamp", 1899),
            ("Clip-on reading light", 799),
            ("Glass pendant light", 2899),
            ("Rattan ceiling shade", 2199),
            ("Copper wall sconce", 1599),
            ("Solar garden lamp", 649),
        ],
    ),
    (
        "Kitchen",
        "Made to be used every day, and to look better for it.",
        [
            ("Cast iron skillet", 1999),
            ("Copper water bottle", 1149),
            ("Stoneware mug, set of four", 1299),
            ("Walnut chopping board", 1499),
            ("Steel masala box", 999),
            ("Pour-over coffee dripper", 1249),
            ("Cotton apron with pockets", 749),
            ("Enamel tea kettle", 1799),
        ],
    ),
    (
        "Stationery",
        "Paper with a grain that a pen can feel.",
        [
            ("Dotted notebook", 349),
            ("Brass fountain pen", 1899),
            ("Handmade paper, fifty sheets", 599),
            ("Linen desk calendar", 449),
            ("Wax seal set", 899),
            ("Watercolour pocket tin", 1099),
            ("Recycled pencil dozen", 199),
            ("Letterpress greeting cards", 549),
        ],
    ),
    (
        "Textiles",
        "Woven by hand, softer with every wash.",
        [
            ("Merino wool throw", 3499),
            ("Block-print bed sheet", 2299),
            ("Linen cushion cover", 699),
            ("Handloom cotton towel", 549),
            ("Quilted table runner", 999),
            ("Jute door mat", 499),
            ("Silk scarf in indigo", 1899),
            ("Kantha stitched quilt", 4299),
        ],
    ),
    (
        "Audio",
        "Clear at a whisper, calm at full volume.",
        [
            ("Closed-back headphones", 5999),
            ("Bookshelf speaker pair", 12999),
            ("Bamboo phone amplifier", 899),
            ("Portable radio", 2499),
            ("Vinyl record brush", 699),
            ("Wireless earbuds", 3499),
            ("Desktop microphone", 4499),
            ("Braided audio cable", 599),
        ],
    ),
    (
        "Garden",
        "For balconies and back yards alike.",
        [
            ("Terracotta planter", 449),
            ("Brass watering can", 1699),
            ("Herb seed collection", 299),
            ("Bamboo trellis", 599),
            ("Pruning shears", 899),
            ("Hanging fern basket", 749),
            ("Compost bin for kitchens", 1299),
            ("Bird feeder in teak", 1099),
        ],
    ),
    (
        "Travel",
        "Packs flat, lasts long, weighs little.",
        [
            ("Canvas weekender bag", 3999),
            ("Leather passport wallet", 1299),
            ("Quick-dry travel towel", 649),
            ("Folding backpack", 1499),
            ("Packing cubes, set of three", 1199),
            ("Steel lunch tiffin", 899),
            ("Neck pillow in memory foam", 999),
            ("Trekking umbrella", 1399),
        ],
    ),
    (
        "Toys",
        "Wood, wool and a little imagination.",
        [
            ("Channapatna stacking rings", 799),
            ("Wooden train set", 2199),
            ("Knitted elephant", 899),
            ("Story dice", 499),
            ("Puzzle map of India", 699),
            ("Spinning tops, pair", 249),
            ("Shadow puppet theatre", 1599),
            ("Building blocks in beech", 1799),
        ],
    ),
];

/// The demo catalogue.
pub(super) fn all() -> impl Iterator<Item = Good> {
    let shelved = SHELVES
        .into_iter()
        .flat_map(|(category, words, goods)| goods.map(|(title, rupees)| (category, words, title, rupees)));
    (0_u32..).zip(shelved).map(|(number, (category, words, title, rupees))| Good {
        title: title.to_owned(),
        description: format!("{title}. {words}"),
        category,
        price_minor: rupees * 100,
        stock: 5 + number * 7 % 60,
        number,
    })
}

/// One of any number of goods, no two with the same title.
pub(super) fn numbered(number: u32) -> Good {
    let shelf = &SHELVES[usize::try_from(number % 8).unwrap_or(0)];
    let (title, rupees) = shelf.2[usize::try_from(number / 8 % 8).unwrap_or(0)];
    Good {
        title: format!("{title} no {number}"),
        description: format!("{title}. {}", shelf.1),
        category: shelf.0,
        price_minor: rupees * 100 + i64::from(number % 977),
        stock: 1_000,
        number,
    }
}
