//! Counts the products of each category.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use tantivy::Searcher;

use super::{
    IndexError,
    scan::{is_in, off_sale},
    schema::{CATEGORY_NAME, Fields},
};
use crate::domain::{ids::UserId, text::fold};

/// The categories with their number of products, the largest first, in their most common spelling.
pub(super) fn count(
    searcher: &Searcher,
    fields: &Fields,
    left_out: &HashSet<UserId>,
    limit: usize,
) -> Result<Vec<(String, u64)>, IndexError> {
    let mut spellings: HashMap<String, u64> = HashMap::new();
    for reader in searcher.segment_readers() {
        let Some(column) = reader.fast_fields().str(CATEGORY_NAME)? else { continue };
        let mut counts = vec![0_u64; column.num_terms()];
        let hidden = off_sale(reader, fields, left_out)?;
        for doc in reader.doc_ids_alive().filter(|doc| !is_in(&hidden, *doc)) {
            for ordinal in column.term_ords(doc) {
                if let Some(count) = usize::try_from(ordinal).ok().and_then(|at| counts.get_mut(at)) {
                    *count += 1;
                }
            }
        }
        for (ordinal, count) in (0..).zip(counts).filter(|(_, count)| *count > 0) {
            let mut name = String::new();
            column.ord_to_str(ordinal, &mut name)?;
            *spellings.entry(name).or_default() += count;
        }
    }
    let mut groups: HashMap<String, (String, u64, u64)> = HashMap::new();
    for (name, count) in spellings {
        let group = groups.entry(fold(&name)).or_default();
        group.2 += count;
        if (count, Reverse(&name)) > (group.1, Reverse(&group.0)) {
            (group.0, group.1) = (name, count);
        }
    }
    let mut all: Vec<(String, u64)> = groups.into_values().map(|(name, _, total)| (name, total)).collect();
    all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all.truncate(limit);
    Ok(all)
}
