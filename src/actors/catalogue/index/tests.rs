use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use proptest::prelude::*;

use super::*;
use crate::domain::{
    Timestamp,
    ids::{ProductId, UserId},
    money::{Currency, Money},
    product::{Product, ProductStatus},
};

fn product(title: &str, description: &str, category: &str, minor: i64, second: i64) -> Product {
    let at = Timestamp::from_second(1_700_000_000 + second).unwrap();
    Product {
        id: ProductId::generate(),
        title: title.into(),
        description: description.into(),
        price: Money::new(minor, Currency::Inr),
        category: category.into(),
        seller: UserId::generate(),
        images: vec![],
        max_per_order: None,
        status: ProductStatus::Live,
        status_reason: None,
        created_at: at,
        updated_at: at,
        version: 1,
    }
}

fn titled(title: &str) -> Product {
    product(title, "", "", 100, 0)
}

fn change(sequence: u64, product: &Product) -> ProductChange {
    ProductChange { sequence, id: product.id, product: Some(product.clone()) }
}

fn fill(index: &SearchIndex, products: &[Product]) {
    let start = index.last_sequence() + 1;
    let changes: Vec<_> = (start..).zip(products).map(|(sequence, product)| change(sequence, product)).collect();
    index.apply(&changes).unwrap();
    index.commit().unwrap();
}

fn index_of(products: &[Product]) -> SearchIndex {
    let index = SearchIndex::open(None).unwrap();
    fill(&index, products);
    index
}

fn text(text: &str) -> ListQuery {
    ListQuery { text: Some(text.into()), limit: 20, ..ListQuery::default() }
}

fn found(index: &SearchIndex, products: &[Product], query: &ListQuery) -> Vec<String> {
    let hits = index.search(query).unwrap();
    let title = |id: &ProductId| products.iter().find(|product| product.id == *id).map(|product| product.title.clone());
    hits.ids.iter().filter_map(title).collect()
}

struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("microbazaar-index-{}", ProductId::generate())))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _gone_already = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_title_beats_the_category_beats_the_description_beats_a_typo() {
    let products = [
        product("Typo", "", "", 1, 9),
        product("Desk", "goes with any laptop", "", 1, 8),
        product("Sleeve", "", "Laptop", 1, 7),
        product("Laptop bag", "", "", 1, 6),
        product("Laptop", "", "", 1, 5),
        product("Laptops", "", "", 1, 4),
        product("Lamp", "", "", 1, 3),
        product("Laptpo", "", "", 1, 2),
    ];
    let index = index_of(&products);
    assert_eq!(
        found(&index, &products, &text("laptop")),
        ["Laptop", "Laptop bag", "Laptops", "Sleeve", "Desk", "Laptpo"]
    );
}

#[test]
fn a_typo_a_prefix_an_accent_and_all_words_count() {
    let products =
        [titled("Café Table"), titled("Wireless Headphones"), titled("Wireless Mouse"), titled("Phone x200 pro")];
    let index = index_of(&products);
    let find = |words: &str| found(&index, &products, &text(words));
    assert_eq!(find("cafe"), ["Café Table"]);
    assert_eq!(find("CAFÉ tab"), ["Café Table"]);
    assert_eq!(find("haedphones"), ["Wireless Headphones"]);
    assert_eq!(find("headphonse"), ["Wireless Headphones"]);
    assert_eq!(find("wire"), ["Wireless Mouse", "Wireless Headphones"]);
    assert_eq!(find("mouse wireless"), ["Wireless Mouse"]);
    assert!(find("wireless table").is_empty(), "all words must be there");
    assert!(find("x300").is_empty(), "a digit is no typo");
    assert!(find("prx").is_empty(), "a short word has no typo");
    assert!(find("()!").is_empty(), "no word finds nothing");
    assert_eq!(find("  ").len(), 4, "blank is no text");
}

#[test]
fn what_is_written_in_one_word_or_in_parts_is_the_same() {
    let products = [
        titled("Wi-Fi router"),
        titled("Wifi plug"),
        titled("T-shirt"),
        titled("Tshirts"),
        titled("T shirt"),
        titled("USB-C cable 5 m"),
        titled("USBC hub"),
        titled("Cable 5m"),
        titled("Head phone"),
        product("Card", "sends an e-mail over wi-fi", "", 1, 0),
    ];
    let index = index_of(&products);
    let find = |words: &str| {
        let mut titles = found(&index, &products, &text(words));
        titles.sort();
        titles
    };
    for words in ["wifi", "wi-fi", "Wi Fi", "WI‑FI"] {
        assert_eq!(find(words), ["Card", "Wi-Fi router", "Wifi plug"], "{words}");
    }
    for words in ["tshirt", "t-shirt", "t shirt"] {
        assert_eq!(find(words), ["T shirt", "T-shirt", "Tshirts"], "{words}");
    }
    for words in ["usbc", "usb-c", "usb c"] {
        assert_eq!(find(words), ["USB-C cable 5 m", "USBC hub"], "{words}");
    }
    for words in ["cable 5m", "cable 5 m"] {
        assert_eq!(find(words), ["Cable 5m", "USB-C cable 5 m"], "{words}");
    }
    for words in ["email", "e-mail", "e mail"] {
        assert_eq!(find(words), ["Card"], "{words}");
    }
    assert_eq!(find("headphone"), ["Head phone"]);
    assert!(find("wifi shirt").is_empty());
}

#[test]
fn a_word_that_no_product_has_is_ignored_and_reported() {
    let products = [titled("Brass lamp"), titled("Brass table"), titled("Desk lamp")];
    let index = index_of(&products);
    let find = |words: &str| {
        let hits = index.search(&text(words)).unwrap();
        (found(&index, &products, &text(words)), hits.unknown.to_vec())
    };
    assert_eq!(find("brass xyzzy lamp"), (vec!["Brass lamp".to_owned()], vec!["xyzzy".to_owned()]));
    assert_eq!(find("qwrtp brass lmap"), (vec!["Brass lamp".to_owned()], vec!["qwrtp".to_owned()]));
    assert_eq!(find("brass lamp"), (vec!["Brass lamp".to_owned()], vec![]));
    for words in ["xyzzy", "xyzzy qwrtp", "table desk"] {
        assert_eq!(find(words), (vec![], vec![]), "{words}");
    }
    let strict = ListQuery { every_word: true, ..text("brass xyzzy lamp") };
    assert_eq!(index.search(&strict).unwrap().total, 0);
    let filtered = ListQuery { max_price: Some(1), ..text("brass xyzzy") };
    assert_eq!(index.search(&filtered).unwrap().total, 0);
}

#[test]
fn a_word_that_many_products_have_is_not_taken_for_a_typo() {
    let mut products: Vec<_> = (0..30).map(|n| titled(&format!("Mouse {n}"))).collect();
    products.push(titled("House"));
    let index = index_of(&products);
    assert_eq!(index.search(&text("mouse")).unwrap().total, 30);
    assert_eq!(index.search(&text("house")).unwrap().total, 31, "a rare word may be one");
}

#[test]
fn filters_and_sorts() {
    let products = [
        product("A lamp", "", "Home & Living", 500, 1),
        product("B lamp", "", "home & living", 100, 2),
        product("C lamp", "", "Office", 300, 3),
        product("D pen", "", "Office", 50, 4),
    ];
    let index = index_of(&products);
    let find = |query: ListQuery| found(&index, &products, &query);
    let all = ListQuery { limit: 20, ..ListQuery::default() };
    assert_eq!(find(all.clone()), ["D pen", "C lamp", "B lamp", "A lamp"]);
    assert_eq!(find(ListQuery { sort: Sort::PriceAsc, ..all.clone() }), ["D pen", "B lamp", "C lamp", "A lamp"]);
    assert_eq!(find(ListQuery { sort: Sort::PriceDesc, ..text("lamp") }), ["A lamp", "C lamp", "B lamp"]);
    assert_eq!(find(ListQuery { category: Some(" HOME & living ".into()), ..all.clone() }), ["B lamp", "A lamp"]);
    assert!(find(ListQuery { category: Some("Home".into()), ..all.clone() }).is_empty());
    assert_eq!(find(ListQuery { category: Some("office".into()), ..text("lamp") }), ["C lamp"]);
    let priced = ListQuery { min_price: Some(100), max_price: Some(300), ..all.clone() };
    assert_eq!(find(priced), ["C lamp", "B lamp"]);
    assert!(find(ListQuery { min_price: Some(2), max_price: Some(1), ..all }).is_empty());
    assert_eq!(*index.categories().unwrap(), [("Home & Living".to_owned(), 2), ("Office".to_owned(), 2)]);
}

#[test]
fn pages_are_complete_and_stable_over_segments() {
    let products: Vec<_> = (0..500).map(|n| product("Same lamp", "", "", 100 + n % 3, n % 7)).collect();
    let index = SearchIndex::open(None).unwrap();
    products.chunks(90).for_each(|chunk| fill(&index, chunk));
    for sort in [Sort::Relevance, Sort::PriceAsc, Sort::PriceDesc, Sort::Newest] {
        let whole = index.search(&ListQuery { sort, limit: 500, ..text("lamp") }).unwrap();
        assert_eq!(whole.total, 500);
        let mut paged = Vec::new();
        for skip in (0..520).step_by(33) {
            let hits = index.search(&ListQuery { sort, skip, limit: 33, ..text("lamp") }).unwrap();
            assert_eq!(hits.total, 500);
            paged.extend_from_slice(&hits.ids);
        }
        assert_eq!(paged, *whole.ids);
        assert_eq!(paged.iter().collect::<HashSet<_>>().len(), 500);
    }
    let beyond = index.search(&ListQuery { skip: SKIP_MAX + 1, ..text("lamp") }).unwrap();
    assert_eq!((beyond.ids.len(), beyond.total), (0, 500));
    let none = index.search(&ListQuery { limit: 0, ..text("lamp") }).unwrap();
    assert_eq!((none.ids.len(), none.total), (0, 500));
}

#[test]
fn updates_and_deletes_show_after_the_commit() {
    let mut lamp = titled("Lamp");
    let index = index_of(std::slice::from_ref(&lamp));
    let count = |word: &str| index.search(&text(word)).unwrap().total;
    assert_eq!(count("lamp"), 1);
    lamp.title = "Torch".into();
    index.apply(&[change(2, &lamp)]).unwrap();
    assert_eq!((count("lamp"), count("torch")), (1, 0), "not before the commit");
    index.commit().unwrap();
    assert_eq!((count("lamp"), count("torch"), index.count()), (0, 1, 1));
    index.apply(&[ProductChange { sequence: 3, id: lamp.id, product: None }]).unwrap();
    index.commit().unwrap();
    assert_eq!((count("torch"), index.count(), index.last_sequence()), (0, 0, 3));
    index.clear().unwrap();
    assert_eq!(index.last_sequence(), 0);
}

#[test]
fn an_index_on_disk_goes_on_where_it_was() {
    let dir = Dir::new();
    let lamp = titled("Lamp");
    {
        let index = SearchIndex::open(Some(&dir.0)).unwrap();
        fill(&index, &[lamp.clone(), titled("Pen")]);
        index.apply(&[change(7, &titled("Never committed"))]).unwrap();
        index.release_writer().unwrap();
        fill(&index, &[titled("Cup")]);
    }
    let index = SearchIndex::open(Some(&dir.0)).unwrap();
    assert_eq!((index.last_sequence(), index.count()), (3, 3));
    assert_eq!(*index.search(&text("lamp")).unwrap().ids, [lamp.id]);
    fill(&index, &[titled("Plate")]);
    assert_eq!((index.last_sequence(), index.count()), (4, 4));
}

#[test]
fn a_damaged_or_incompatible_index_is_rebuilt() {
    let dir = Dir::new();
    let refill = || {
        let index = SearchIndex::open(Some(&dir.0)).unwrap();
        assert_eq!((index.last_sequence(), index.count()), (0, 0));
        fill(&index, &[titled("Lamp")]);
        assert_eq!(index.search(&text("lamp")).unwrap().total, 1);
    };
    refill();
    std::fs::write(dir.0.join("meta.json"), "{").unwrap();
    refill();
    let meta = std::fs::read_to_string(dir.0.join("meta.json")).unwrap();
    let version = format!("\\\"schema\\\":{}", schema::SCHEMA_VERSION);
    assert!(meta.contains(&version));
    std::fs::write(dir.0.join("meta.json"), meta.replace(&version, "\\\"schema\\\":0")).unwrap();
    refill();
    for extension in ["idx", "term", "fast"] {
        let files = std::fs::read_dir(&dir.0).unwrap().map(|entry| entry.unwrap().path());
        let broken: Vec<_> = files.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
        assert!(!broken.is_empty());
        broken.iter().for_each(|path| std::fs::write(path, "short").unwrap());
        refill();
    }
    std::fs::remove_dir_all(&dir.0).unwrap();
    std::fs::write(&dir.0, "a file").unwrap();
    refill();
}

fn files(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn an_index_with_damaged_files_is_rebuilt_while_it_is_searched() {
    let cut = |dir: &Path, part: u64| {
        for path in files(dir) {
            let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(file.metadata().unwrap().len() * part / 100).unwrap();
        }
    };
    type Damage<'a> = (&'a str, &'a dyn Fn(&Path));
    let damages: [Damage<'_>; 6] = [
        ("files cut to nothing", &|dir| cut(dir, 0)),
        ("files cut in the middle", &|dir| cut(dir, 50)),
        ("files deleted", &|dir| files(dir).iter().for_each(|path| std::fs::remove_file(path).unwrap())),
        ("the folder deleted", &|dir| std::fs::remove_dir_all(dir).unwrap()),
        ("a file deleted", &|dir| {
            let of_terms = files(dir).into_iter().find(|path| path.extension().is_some_and(|found| found == "term"));
            std::fs::remove_file(of_terms.unwrap()).unwrap();
        }),
        ("the list of files overwritten", &|dir| std::fs::write(dir.join("meta.json"), "{}").unwrap()),
    ];
    for (damage, doing) in damages {
        let dir = Dir::new();
        let lamps: Vec<Product> = (0..40).map(|n| titled(&format!("Lamp {n}"))).collect();
        let index = SearchIndex::open(Some(&dir.0)).unwrap();
        lamps.chunks(7).for_each(|some| fill(&index, some));
        assert!(!index.rebuild_if_damaged(false).unwrap(), "nothing is damaged yet");
        doing(&dir.0);
        assert_eq!(index.search(&text("lamp")).unwrap().total, 40, "{damage}: searches go on");
        assert!(index.rebuild_if_damaged(false).unwrap(), "{damage} is noticed");
        assert_eq!((index.last_sequence(), index.is_rebuilding()), (0, true), "{damage}");
        assert_eq!(index.search(&text("lamp 39")).unwrap().total, 1, "{damage}: searches still go on");
        let all: Vec<Product> = lamps.iter().cloned().chain([titled("Lamp of brass")]).collect();
        fill(&index, &all);
        assert_eq!((index.search(&text("lamp")).unwrap().total, index.is_rebuilding()), (41, false), "{damage}");
        assert!(!index.rebuild_if_damaged(false).unwrap(), "{damage} is repaired");
        index.release_writer().unwrap();
        drop(index);
        let index = SearchIndex::open(Some(&dir.0)).unwrap();
        assert_eq!((index.last_sequence(), index.count()), (41, 41), "{damage}: what is on disk is whole");
    }
}

#[test]
fn an_index_with_other_bytes_is_rebuilt_when_it_is_opened() {
    for extension in ["idx", "term", "fast"] {
        let dir = Dir::new();
        fill(&SearchIndex::open(Some(&dir.0)).unwrap(), &[titled("Lamp"), titled("Cup")]);
        for path in files(&dir.0).into_iter().filter(|path| path.extension().is_some_and(|found| found == extension)) {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[0] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
        let index = SearchIndex::open(Some(&dir.0)).unwrap();
        assert_eq!((index.last_sequence(), index.count()), (0, 0), "{extension}");
    }
}

#[test]
fn many_small_commits_leave_few_segments() {
    let index = SearchIndex::open(None).unwrap();
    for n in 0..60 {
        fill(&index, &[titled(&format!("Lamp {n}"))]);
    }
    index.release_writer().unwrap();
    assert_eq!(index.count(), 60);
    let segments = index.reader.read().searcher().segment_readers().len();
    assert!(segments <= 8, "{segments} segments");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_query_whatever_fails(
        words in prop_oneof![any::<String>(), "[a-z\"'()\\[\\]{}:*~^+\\-\\\\/ \0]{0,60}", "(lamp|tabel|🔥| ){0,30}"],
        category in proptest::option::of(any::<String>()),
        (min_price, max_price) in any::<(Option<i64>, Option<i64>)>(),
        (skip, limit) in any::<(usize, usize)>(),
    ) {
        static INDEX: std::sync::LazyLock<SearchIndex> =
            std::sync::LazyLock::new(|| index_of(&[titled("Lamp 🔥"), product("Table", "a + b", "<b>", i64::MAX, 1)]));
        let query = ListQuery { text: Some(words), min_price, max_price, category, sort: Sort::Relevance, skip, limit, every_word: false, hidden: false };
        let hits = INDEX.search(&query).unwrap();
        prop_assert!(hits.ids.len() <= 2 && hits.total <= 2);
    }
}

#[test]
fn what_is_not_for_sale_is_found_by_staff_alone() {
    let mut products = [
        product("Brass lamp", "", "Lighting", 100, 3),
        product("Paper lamp", "", "Lighting", 100, 2),
        product("Clay lamp", "", "Lighting", 100, 1),
        product("Cup", "", "Kitchen", 100, 0),
    ];
    products[1].status = ProductStatus::TakenDown;
    let index = index_of(&products);
    let all = ListQuery { limit: 20, ..ListQuery::default() };
    assert_eq!(found(&index, &products, &text("lamp")), ["Brass lamp", "Clay lamp"]);
    assert_eq!(&*index.categories().unwrap(), [("Lighting".to_owned(), 2), ("Kitchen".to_owned(), 1)]);
    index.leave_out(Arc::new(HashSet::from([products[2].seller, products[3].seller])));
    assert_eq!(found(&index, &products, &text("lamp")), ["Brass lamp"]);
    assert_eq!(index.search(&all).unwrap().total, 1);
    assert_eq!(&*index.categories().unwrap(), [("Lighting".to_owned(), 1)]);
    let staff = ListQuery { hidden: true, ..text("lamp") };
    assert_eq!(found(&index, &products, &staff), ["Brass lamp", "Paper lamp", "Clay lamp"]);
    assert_eq!(index.search(&ListQuery { hidden: true, ..all.clone() }).unwrap().total, 4);
    index.leave_out(Arc::default());
    products[1].status = ProductStatus::Live;
    fill(&index, &products);
    assert_eq!(index.search(&all).unwrap().total, 4);
    assert_eq!(found(&index, &products, &text("lamp")).len(), 3);
}
