//! CSV export and import of a seller's products.
//!
//! A file is parsed completely first; its changes are stored as an import, which the catalogue carries out; see
//! `actors::catalogue`.

use std::collections::HashMap;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
    },
};
use askama::Template;
use sha2::{Digest, Sha256};

use super::{
    csv::{self, COLUMNS, Row},
    edit::patch,
    fields::{FieldErrors, NewFields},
    products,
};
use crate::{
    actors::catalogue::calls::{GetImports, GetOffers, ImportFile},
    domain::{
        ids::{ProductId, UserId},
        import::{ChangedRow, Import, ImportRow, LeftOut, NewRow, RowChange, Tally},
        product::Offer,
    },
    http::{
        error::ApiError,
        pages::{
            context::PageContext,
            form::{Form, FormRequest},
            format,
            listing::asked,
            page::Page,
        },
    },
};

const FIELD: &str = "file";
/// How many imports are listed.
const LISTED: u32 = 10;

/// An import as the page shows it.
struct Outcome {
    finished: bool,
    made: u64,
    changed: u64,
    same: u64,
    wrong_count: u64,
    wrong: Vec<LeftOut>,
    more_wrong: u64,
    unknown: String,
    url: String,
}

/// An import in the list.
struct Listed {
    url: String,
    at: String,
    name: String,
    result: String,
}

#[derive(Template)]
#[template(path = "seller/import.html")]
struct ImportPage {
    page: Page,
    form: Form,
    outcome: Option<Outcome>,
    imports: Vec<Listed>,
    columns: String,
    most: usize,
}

/// Exports all of the seller's products.
///
/// # Errors
/// 401, 403, 503.
pub async fn export(context: PageContext) -> Result<HttpResponse, ApiError> {
    let seller = context.seller()?.id;
    let all = products::all(&context, seller).await?;
    let file = csv::write(&all)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"products.csv\""))
        .insert_header((CACHE_CONTROL, "private, no-store"))
        .body(file))
}

async fn answer(
    context: PageContext,
    status: StatusCode,
    form: Form,
    outcome: Option<Outcome>,
) -> Result<HttpResponse, ApiError> {
    let seller = context.seller()?.id;
    let imports = context.calls.ask(GetImports { seller, limit: LISTED }).await?;
    let view = ImportPage {
        page: context.page("Import products"),
        form,
        outcome,
        imports: imports.iter().map(listed).collect(),
        columns: COLUMNS.join(", "),
        most: csv::ROWS_MAX,
    };
    context.html(status, &view)
}

fn url(import: &Import) -> String {
    format!("/seller/products/import?id={}", import.id)
}

fn listed(import: &Import) -> Listed {
    let Tally { made, changed, same, .. } = import.tally;
    let result = match import.finished_at {
        Some(_) => {
            format!("{made} new, {changed} changed, {same} as before, {} left out", import.tally.left_out_count())
        }
        None => format!("under way: {} of {} rows", import.done, import.rows),
    };
    Listed { url: url(import), at: format::moment(import.started_at), name: import.name.clone(), result }
}

fn outcome(import: &Import, unknown: &[String]) -> Outcome {
    let mut wrong = import.tally.left_out.clone();
    wrong.sort_by_key(|row| row.line);
    Outcome {
        finished: import.finished_at.is_some(),
        made: import.tally.made,
        changed: import.tally.changed,
        same: import.tally.same,
        wrong_count: import.tally.left_out_count(),
        wrong,
        more_wrong: import.tally.more_left_out,
        unknown: unknown.join(", "),
        url: url(import),
    }
}

/// The upload form, and the result of an import.
///
/// # Errors
/// 401, 403, 503.
pub async fn form(req: HttpRequest, context: PageContext) -> Result<HttpResponse, ApiError> {
    let seller = context.seller()?.id;
    let asked = asked(&req, "id");
    let known = match asked.is_empty() {
        true => None,
        false => {
            let imports = context.calls.ask(GetImports { seller, limit: LISTED }).await?;
            imports.iter().find(|import| import.id.to_hex() == asked).map(|import| outcome(import, &[]))
        }
    };
    answer(context, StatusCode::OK, Form::default(), known).await
}

/// Creates and changes products from a file; rows with errors are reported and skipped. A malformed or ambiguous file
/// is refused as a whole.
///
/// # Errors
/// 401, 403, 503.
pub async fn import(FormRequest { context, mut form }: FormRequest) -> Result<HttpResponse, ApiError> {
    let seller = context.seller()?.id;
    context.must_be_verified().await?;
    let Some(file) = form.files.iter().find(|file| file.field == FIELD).cloned() else {
        form.refuse(FIELD, "choose a CSV file");
        let status = form.refused_status();
        return answer(context, status, form, None).await;
    };
    let sheet = match csv::read(&file.bytes) {
        Ok(sheet) => sheet,
        Err(error) => {
            form.refuse(FIELD, error.to_string());
            return answer(context, StatusCode::BAD_REQUEST, form, None).await;
        }
    };
    let (rows, tally) = plan(&context, seller, sheet.rows).await?;
    let digest = Sha256::digest(&file.bytes).to_vec();
    let name = file.name.chars().filter(|letter| !letter.is_control()).take(100).collect();
    let import = context.calls.ask(ImportFile { seller, digest, name, rows, tally }).await?;
    answer(context, StatusCode::OK, Form::default(), Some(outcome(&import, &sheet.unknown))).await
}

/// The changes to make, and the results of the rows that need none.
async fn plan(context: &PageContext, seller: UserId, rows: Vec<Row>) -> Result<(Vec<ImportRow>, Tally), ApiError> {
    let ids = rows.iter().filter_map(|row| row.id).collect();
    let offers = context.calls.ask(GetOffers { products: ids }).await?;
    let own = offers.into_iter().filter(|offer| offer.product.seller == seller);
    let known: HashMap<ProductId, Offer> = own.map(|offer| (offer.product.id, offer)).collect();
    let (mut planned, mut tally) = (vec![], Tally::default());
    for row in rows {
        let (line, title) = (row.line, row.title.clone());
        match step(row, &known) {
            Ok(Some(change)) => planned.push(ImportRow { line, title, change }),
            Ok(None) => tally.same += 1,
            Err(wrong) => {
                let what = wrong.iter().map(|(field, what)| format!("{field}: {what}")).collect();
                tally.leave_out(LeftOut { line, title, what });
            }
        }
    }
    Ok((planned, tally))
}

/// The change that a row makes, if any.
fn step(row: Row, known: &HashMap<ProductId, Offer>) -> Result<Option<RowChange>, FieldErrors> {
    let fields = row.fields?;
    let Some(product) = row.id else {
        let NewFields { title, description, price, stock, category, max_per_order } = fields.into_new()?;
        let new = NewRow { title, description, price, stock, category, max_per_order };
        return Ok(Some(RowChange::Make(Box::new(new))));
    };
    let missing = || vec![("id", "there is no product of yours with this id".to_owned())];
    let offer = known.get(&product).ok_or_else(missing)?;
    // A stock that equals the exported one was not edited, whatever was sold since.
    let unchanged = |stock: &u32| {
        let stock = i64::from(*stock);
        row.stock_seen == Some(stock) || offer.available == stock
    };
    let stock = fields.stock.filter(|stock| !unchanged(stock));
    let patch = patch(fields, offer.product.price.currency())?.without_what_is_so(&offer.product);
    if patch.is_empty() && stock.is_none() {
        return Ok(None);
    }
    Ok(Some(RowChange::Change(Box::new(ChangedRow { product, patch, stock, stock_seen: row.stock_seen }))))
}
