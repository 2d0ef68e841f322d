//! A seller's products out to a CSV file, and in from one, row by row.

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
    },
};
use askama::Template;

use super::{
    csv::{self, Row},
    edit::patch,
    fields::Fields,
    products,
};
use crate::{
    actors::catalogue::{Editor, NewProduct, snapshots::Snapshot},
    domain::ids::UserId,
    http::{
        error::ApiError,
        pages::{
            form::{Form, Posted},
            page::Page,
            visit::Visit,
        },
    },
};

/// The field of the file.
const FIELD: &str = "file";
/// How many rows with something wrong are shown.
const SHOWN: usize = 100;

struct WrongRow {
    line: u64,
    title: String,
    what: Vec<String>,
}

struct Outcome {
    made: usize,
    changed: usize,
    same: usize,
    wrong: Vec<WrongRow>,
    more_wrong: usize,
}

#[derive(Template)]
#[template(path = "seller/import.html")]
struct ImportPage {
    page: Page,
    form: Form,
    outcome: Option<Outcome>,
    most: usize,
}

/// What became of a row.
enum Done {
    Made,
    Changed,
    Same,
}

/// All of the seller's products as a file.
///
/// # Errors
/// 401, 403, 503.
pub async fn export(visit: Visit) -> Result<HttpResponse, ApiError> {
    let seller = visit.seller()?.id;
    let all = products::all(&visit, seller).await?;
    let file = csv::write(all.iter().map(|snapshot| &**snapshot))?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"products.csv\""))
        .insert_header((CACHE_CONTROL, "private, no-store"))
        .body(file))
}

fn answer(visit: Visit, status: StatusCode, form: Form, outcome: Option<Outcome>) -> Result<HttpResponse, ApiError> {
    let view = ImportPage { page: visit.page("Import products"), form, outcome, most: csv::ROWS_MAX };
    visit.html(status, &view)
}

/// The form for a file.
///
/// # Errors
/// 401, 403.
pub async fn form(visit: Visit) -> Result<HttpResponse, ApiError> {
    visit.seller()?;
    answer(visit, StatusCode::OK, Form::default(), None)
}

/// Makes and changes the products of a file; rows with something wrong are told and left out.
///
/// # Errors
/// 401, 403, 503.
pub async fn import(Posted { visit, mut form }: Posted) -> Result<HttpResponse, ApiError> {
    let seller = visit.seller()?.id;
    let Some(file) = form.files.iter().find(|file| file.field == FIELD).cloned() else {
        form.refuse(FIELD, "choose a CSV file");
        return answer(visit, StatusCode::BAD_REQUEST, form, None);
    };
    let rows = match csv::read(&file.bytes) {
        Ok(rows) => rows,
        Err(error) => {
            form.refuse(FIELD, error.to_string());
            return answer(visit, StatusCode::BAD_REQUEST, form, None);
        }
    };
    let mut outcome = Outcome { made: 0, changed: 0, same: 0, wrong: vec![], more_wrong: 0 };
    for row in rows {
        let (line, title) = (row.line, row.title.clone());
        match take(&visit, seller, row).await {
            Ok(Done::Made) => outcome.made += 1,
            Ok(Done::Changed) => outcome.changed += 1,
            Ok(Done::Same) => outcome.same += 1,
            Err(what) if outcome.wrong.len() < SHOWN => outcome.wrong.push(WrongRow { line, title, what }),
            Err(_) => outcome.more_wrong += 1,
        }
    }
    answer(visit, StatusCode::OK, Form::default(), Some(outcome))
}

/// Makes or changes one product.
async fn take(visit: &Visit, seller: UserId, row: Row) -> Result<Done, Vec<String>> {
    let fields =
        row.fields.map_err(|wrong| wrong.iter().map(|(field, what)| format!("{field}: {what}")).collect::<Vec<_>>())?;
    let told = |error: ApiError| vec![error.to_string()];
    let catalogue = visit.shop.catalogue().map_err(told)?;
    let Some(id) = row.id else {
        let Fields { title, description, price, stock, category } = fields;
        let new = NewProduct { seller, title, description, price, stock, category, files: vec![] };
        catalogue.create(new).await.map_err(|error| told(error.into()))?;
        return Ok(Done::Made);
    };
    let known = catalogue.get(id).await.map_err(|error| told(error.into()))?;
    let known = known.filter(|known| known.product.seller == seller);
    let known = known.ok_or_else(|| vec!["id: there is no product of yours with this id".to_owned()])?;
    if is_same(&known, &fields) {
        return Ok(Done::Same);
    }
    // A stock that is as the file has it stays, whatever was sold meanwhile.
    let stock_stays = i64::from(fields.stock) == known.stock();
    let (patch, stock) = patch(fields);
    let stock = (!stock_stays).then_some(stock);
    catalogue.patch(id, Editor::Seller(seller), patch, stock).await.map_err(|error| told(error.into()))?;
    Ok(Done::Changed)
}

fn is_same(known: &Snapshot, fields: &Fields) -> bool {
    let product = &known.product;
    let text = |stored: &str| stored.replace("\r\n", "\n").trim().to_owned();
    text(&product.title) == fields.title
        && text(&product.description) == fields.description
        && product.category.trim() == fields.category
        && product.price == fields.price
        && known.stock().max(0) == i64::from(fields.stock)
}
