//! Executes a plan over the segments: finds and ranks the matching products and returns the best page.
//!
//! A word matches a product if it is one of its words, a prefix of one, or, if it is rare as typed, one typo away
//! from one; adjacent words also match where they are written as one. If no product matches all words, those that no
//! product has are split into two words or ignored. The best match of a word gives the product's rank for that word;
//! ranks of all words are added, and a product that lacks one is excluded. Ranks are small numbers in a flat table
//! with one entry for each product, so that a query costs one pass over its postings and one over the table.
//!
//! **Invariant:** the order is total (rank, newest, id), so pages neither repeat nor miss a product while the index
//! does not change.

use std::{collections::HashSet, sync::Arc};

use tantivy::{
    DocId, InvertedIndexReader, Searcher, SegmentReader, Term,
    columnar::ColumnValues,
    fieldnorm::FieldNormReader,
    postings::TermInfo,
    query::{DfaWrapper, FuzzyTermQuery},
    schema::IndexRecordOption,
};

use super::{
    IndexError,
    best::{Best, Candidate},
    query::{Hits, Plan, SKIP_MAX, Sort},
    schema::{CREATED, Fields, ID_HIGH, ID_LOW, PRICE, join_id},
    words::WORD_MAX,
};
use crate::domain::{ids::UserId, product::ProductStatus};

/// The shortest word that may have a typo, in characters.
const TYPO_MIN: usize = 4;
/// How many texts must contain a word so that it does not count as a typo.
const KNOWN_MIN: u64 = 20;
/// The shortest prefix, in bytes; in descriptions, where many words begin alike, it is one more.
const PREFIX_MIN: usize = 2;

/// The score of a match, by field and kind.
struct MatchScore {
    exact: u8,
    prefix: u8,
    typo: u8,
    prefix_min: usize,
}

/// An exact match beats a prefix, the title beats the category, the category beats the description, and a typo scores
/// less than any match as typed.
const TITLE: MatchScore = MatchScore { exact: 90, prefix: 70, typo: 10, prefix_min: PREFIX_MIN };
const CATEGORY: MatchScore = MatchScore { exact: 50, prefix: 40, typo: 6, prefix_min: PREFIX_MIN };
const DESCRIPTION: MatchScore = MatchScore { exact: 30, prefix: 20, typo: 3, prefix_min: PREFIX_MIN + 1 };

/// A word with the automaton that accepts it with one typo.
struct QueryWord<'a> {
    word: &'a str,
    near: Option<DfaWrapper>,
}

/// The most adjacent words that may be one word.
const JOINED_MAX: usize = 3;
/// The shortest half of a word that is split in two, in characters.
const HALF_MIN: usize = 3;

/// The page of `plan`.
pub(super) fn run(
    searcher: &Searcher,
    fields: &Fields,
    plan: &Plan,
    left_out: &HashSet<UserId>,
) -> Result<Hits, IndexError> {
    let words = plan.words.as_deref().unwrap_or_default();
    let hits = run_with(searcher, fields, plan, left_out, words)?;
    if hits.total > 0 || words.is_empty() {
        return Ok(hits);
    }
    let mut known: Vec<String> = Vec::with_capacity(words.len());
    let (mut unknown, mut halved) = (Vec::new(), false);
    for (word, is_known) in words.iter().zip(known_words(searcher, fields, words)?) {
        if is_known {
            known.push(word.clone());
        } else if let Some((first, second)) = halves(searcher, fields, word)? {
            known.extend([first, second]);
            halved = true;
        } else {
            unknown.push(word.clone());
        }
    }
    let passed_over = !unknown.is_empty();
    if known.is_empty() || passed_over && plan.every_word || !passed_over && !halved {
        return Ok(hits);
    }
    let rest = run_with(searcher, fields, plan, left_out, &known)?;
    Ok(if rest.total > 0 { Hits { unknown: unknown.into(), ..rest } } else { hits })
}

/// The page of the products that have all of `words`.
fn run_with(
    searcher: &Searcher,
    fields: &Fields,
    plan: &Plan,
    left_out: &HashSet<UserId>,
    words: &[String],
) -> Result<Hits, IndexError> {
    let nothing = plan.words.is_some() && words.is_empty();
    let wanted = QueryWord::all(words, searcher, fields)?;
    let capacity = if plan.skip > SKIP_MAX || plan.limit == 0 { 0 } else { plan.skip + plan.limit };
    let mut best = Best::new(capacity);
    let mut total = 0;
    if !nothing {
        for reader in searcher.segment_readers() {
            let hidden = if plan.hidden { None } else { off_sale(reader, fields, left_out)? };
            total += scan_segment(reader, fields, plan, &wanted, &hidden, &mut best)?;
        }
    }
    let page = best.page(plan.skip);
    let ids = page.into_iter().map(|found| join_id(found.id.0, found.id.1)).collect();
    Ok(Hits { ids, total, unknown: Arc::default() })
}

/// Which of the words any product has in any form.
fn known_words(searcher: &Searcher, fields: &Fields, words: &[String]) -> Result<Vec<bool>, IndexError> {
    let wanted = QueryWord::all(words, searcher, fields)?;
    let mut known = vec![false; words.len()];
    for reader in searcher.segment_readers() {
        for (known, wanted) in known.iter_mut().zip(&wanted) {
            // The matches themselves are not needed, so the capacity is zero.
            *known = *known || rank_word(reader, fields, wanted, &mut [])?;
        }
        for join in JoinedWords::all(&wanted) {
            if rank_word(reader, fields, &join.wanted(), &mut [])? {
                known.iter_mut().skip(join.first).take(join.count).for_each(|known| *known = true);
            }
        }
    }
    Ok(known)
}

/// Splits a word that no product has into two that occur in titles or categories; the split with the most frequent
/// rarer half wins.
fn halves(searcher: &Searcher, fields: &Fields, word: &str) -> Result<Option<(String, String)>, IndexError> {
    let texts = |half: &str| -> Result<u64, IndexError> {
        let title = searcher.doc_freq(&Term::from_field_text(fields.title, half))?;
        Ok(title + searcher.doc_freq(&Term::from_field_text(fields.category_words, half))?)
    };
    let mut best: Option<(u64, String, String)> = None;
    let length = word.chars().count();
    for (before, (at, _)) in word.char_indices().enumerate() {
        if before < HALF_MIN || length - before < HALF_MIN {
            continue;
        }
        let (first, second) = word.split_at(at);
        let rarer = texts(first)?.min(texts(second)?);
        if rarer > 0 && best.as_ref().is_none_or(|(most, ..)| rarer > *most) {
            best = Some((rarer, first.to_owned(), second.to_owned()));
        }
    }
    Ok(best.map(|(_, first, second)| (first, second)))
}

/// Adjacent words of a query, written as one.
struct JoinedWords {
    first: usize,
    count: usize,
    word: String,
}

impl JoinedWords {
    fn all(wanted: &[QueryWord<'_>]) -> Vec<Self> {
        let of = |count: usize| {
            wanted.windows(count).enumerate().map(move |(first, run)| Self {
                first,
                count,
                word: run.iter().map(|wanted| wanted.word).collect(),
            })
        };
        (2..=JOINED_MAX).flat_map(of).filter(|join| join.word.chars().count() <= WORD_MAX).collect()
    }

    fn wanted(&self) -> QueryWord<'_> {
        QueryWord { word: &self.word, near: None }
    }

    fn covers(&self, at: usize) -> bool {
        (self.first..self.first + self.count).contains(&at)
    }
}

impl<'a> QueryWord<'a> {
    fn all(words: &'a [String], searcher: &Searcher, fields: &Fields) -> Result<Vec<Self>, IndexError> {
        words.iter().map(|word| Self::new(word, searcher, fields)).collect()
    }

    fn new(word: &'a str, searcher: &Searcher, fields: &Fields) -> Result<Self, IndexError> {
        // A different digit is not a typo: "x200" and "x300" are different products.
        let may_err = word.chars().count() >= TYPO_MIN && !word.chars().any(char::is_numeric);
        let mut texts = 0;
        for field in [fields.title, fields.category_words, fields.description] {
            texts += searcher.doc_freq(&Term::from_field_text(field, word))?;
        }
        let near = (may_err && texts < KNOWN_MIN)
            .then(|| FuzzyTermQuery::new(Term::from_field_text(fields.title, word), 1, true).automaton());
        Ok(Self { word, near: near.transpose()? })
    }
}

/// The columns of a segment that matching and sorting read.
struct Columns {
    price: Arc<dyn ColumnValues<i64>>,
    created: Arc<dyn ColumnValues<i64>>,
    id_high: Arc<dyn ColumnValues<u64>>,
    id_low: Arc<dyn ColumnValues<u64>>,
    title_length: FieldNormReader,
}

impl Columns {
    fn open(reader: &SegmentReader, fields: &Fields) -> Result<Self, IndexError> {
        let fast = reader.fast_fields();
        Ok(Self {
            price: fast.i64(PRICE)?.first_or_default_col(0),
            created: fast.i64(CREATED)?.first_or_default_col(0),
            id_high: fast.u64(ID_HIGH)?.first_or_default_col(0),
            id_low: fast.u64(ID_LOW)?.first_or_default_col(0),
            title_length: reader.get_fieldnorms_reader(fields.title)?,
        })
    }

    fn primary(&self, sort: Sort, doc: DocId, rank: u16) -> i64 {
        match sort {
            // Of two titles with the word, the shorter one is more relevant.
            Sort::Relevance => (i64::from(rank) << 8) | i64::from(u8::MAX - self.title_length.fieldnorm_id(doc)),
            Sort::PriceAsc => self.price.get_val(doc).saturating_neg(),
            Sort::PriceDesc => self.price.get_val(doc),
            Sort::Newest => self.created.get_val(doc),
        }
    }

    fn candidate(&self, primary: i64, doc: DocId) -> Candidate {
        let id = (self.id_high.get_val(doc), self.id_low.get_val(doc));
        Candidate { primary, created: self.created.get_val(doc), id }
    }
}

/// Offers the matches of one segment to `best` and counts them.
fn scan_segment(
    reader: &SegmentReader,
    fields: &Fields,
    plan: &Plan,
    wanted: &[QueryWord<'_>],
    hidden: &Option<Vec<u8>>,
    best: &mut Best,
) -> Result<u64, IndexError> {
    let Some(ranks) = ranks(reader, fields, plan, wanted)? else { return Ok(0) };
    let columns = Columns::open(reader, fields)?;
    let alive = reader.alive_bitset();
    let mut total = 0;
    let mut offer = |doc: DocId, rank: u16| {
        if alive.is_some_and(|alive| alive.is_deleted(doc)) || is_in(hidden, doc) {
            return;
        }
        if let Some((low, high)) = plan.prices
            && !(low..=high).contains(&columns.price.get_val(doc))
        {
            return;
        }
        total += 1;
        let primary = columns.primary(plan.sort, doc, rank);
        if primary >= best.floor {
            best.push(columns.candidate(primary, doc));
        }
    };
    // In reverse, because newer products tend to come later, so that the best are found early.
    match ranks {
        Ranks::All => (0..reader.max_doc()).rev().for_each(|doc| offer(doc, 0)),
        Ranks::Table(table) => {
            for (doc, rank) in (0..reader.max_doc()).zip(table).rev() {
                if rank > 0 {
                    offer(doc, rank);
                }
            }
        }
    }
    Ok(total)
}

/// The documents that are not for sale, marked in a table; none where all are.
pub(super) fn off_sale(
    reader: &SegmentReader,
    fields: &Fields,
    left_out: &HashSet<UserId>,
) -> Result<Option<Vec<u8>>, IndexError> {
    let mut table: Option<Vec<u8>> = None;
    let mut mark = |inverted: &InvertedIndexReader, term: &[u8]| -> Result<(), IndexError> {
        if let Some(info) = inverted.terms().get(term)? {
            let size = usize::try_from(reader.max_doc()).unwrap_or_default();
            raise(inverted, &info, 1, table.get_or_insert_with(|| vec![0; size]))?;
        }
        Ok(())
    };
    mark(&*reader.inverted_index(fields.off_sale)?, ProductStatus::TakenDown.as_str().as_bytes())?;
    if !left_out.is_empty() {
        let sellers = reader.inverted_index(fields.seller)?;
        left_out.iter().try_for_each(|seller| mark(&sellers, seller.as_slice()))?;
    }
    Ok(table)
}

/// Whether a document is marked.
pub(super) fn is_in(table: &Option<Vec<u8>>, doc: DocId) -> bool {
    let Some(table) = table else { return false };
    usize::try_from(doc).ok().and_then(|doc| table.get(doc)).is_some_and(|mark| *mark > 0)
}

enum Ranks {
    /// Every product matches.
    All,
    /// One number for each document, zero for those that do not match.
    Table(Vec<u16>),
}

/// How well each document matches, `None` if none can.
fn ranks(
    reader: &SegmentReader,
    fields: &Fields,
    plan: &Plan,
    wanted: &[QueryWord<'_>],
) -> Result<Option<Ranks>, IndexError> {
    let size = usize::try_from(reader.max_doc()).unwrap_or_default();
    let mut sum: Option<Vec<u16>> = None;
    if let Some(category) = &plan.category {
        let inverted = reader.inverted_index(fields.category)?;
        let Some(info) = inverted.terms().get(category.as_bytes())? else { return Ok(None) };
        let mut table = vec![0_u8; size];
        raise(&inverted, &info, 1, &mut table)?;
        merge(&mut sum, &table);
    }
    let mut table = vec![0_u8; size];
    let mut joined = Vec::new();
    for join in JoinedWords::all(wanted) {
        if rank_word(reader, fields, &join.wanted(), &mut table)? {
            joined.push((join, std::mem::replace(&mut table, vec![0; size])));
        }
    }
    for (at, wanted) in wanted.iter().enumerate() {
        table.fill(0);
        let mut any = rank_word(reader, fields, wanted, &mut table)?;
        for (_, ranks) in joined.iter().filter(|(join, _)| join.covers(at)) {
            any = true;
            table.iter_mut().zip(ranks).for_each(|(held, rank)| *held = (*held).max(*rank));
        }
        if !any {
            return Ok(None);
        }
        merge(&mut sum, &table);
    }
    Ok(Some(sum.map_or(Ranks::All, Ranks::Table)))
}

/// Ranks the documents that have the word in any field; whether there are any.
fn rank_word(
    reader: &SegmentReader,
    fields: &Fields,
    wanted: &QueryWord<'_>,
    table: &mut [u8],
) -> Result<bool, IndexError> {
    let mut any = false;
    for (field, worth) in [(fields.title, TITLE), (fields.category_words, CATEGORY), (fields.description, DESCRIPTION)]
    {
        any |= rank_field(&*reader.inverted_index(field)?, wanted, &worth, table)?;
    }
    Ok(any)
}

/// Adds the ranks of one more word; documents without it are excluded.
fn merge(sum: &mut Option<Vec<u16>>, table: &[u8]) {
    match sum {
        None => *sum = Some(table.iter().map(|rank| u16::from(*rank)).collect()),
        Some(sum) => {
            for (sum, rank) in sum.iter_mut().zip(table) {
                *sum = if *sum > 0 && *rank > 0 { *sum + u16::from(*rank) } else { 0 };
            }
        }
    }
}

/// Ranks the documents whose `field` has the word in some form; whether there are any.
fn rank_field(
    inverted: &InvertedIndexReader,
    wanted: &QueryWord<'_>,
    worth: &MatchScore,
    table: &mut [u8],
) -> Result<bool, IndexError> {
    let (terms, word) = (inverted.terms(), wanted.word.as_bytes());
    let mut any = false;
    if let Some(near) = &wanted.near {
        let mut stream = terms.search(near).without_keys().into_stream()?;
        while stream.advance() {
            raise(inverted, stream.value(), worth.typo, table)?;
            any = true;
        }
    }
    if word.len() >= worth.prefix_min {
        // 0xff is in no UTF-8, so this ends after the last word that begins so.
        let end = [word, &[0xff]].concat();
        let mut stream = terms.range().ge(word).lt(end).without_keys().into_stream()?;
        while stream.advance() {
            raise(inverted, stream.value(), worth.prefix, table)?;
            any = true;
        }
    }
    if let Some(info) = terms.get(word)? {
        raise(inverted, &info, worth.exact, table)?;
        any = true;
    }
    Ok(any)
}

/// Raises the rank of a term's documents to at least `rank`.
fn raise(inverted: &InvertedIndexReader, info: &TermInfo, rank: u8, table: &mut [u8]) -> Result<(), IndexError> {
    let mut postings = inverted.read_block_postings_from_terminfo(info, IndexRecordOption::Basic)?;
    loop {
        let docs = postings.docs();
        if docs.is_empty() {
            return Ok(());
        }
        for doc in docs {
            if let Some(held) = usize::try_from(*doc).ok().and_then(|doc| table.get_mut(doc)) {
                *held = rank.max(*held);
            }
        }
        postings.advance();
    }
}
