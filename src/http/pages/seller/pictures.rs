//! The pictures of a product's form.

use bytes::Bytes;

use crate::{
    domain::product::IMAGES_MAX,
    http::{error::ApiError, pages::form::Form},
};

pub(super) const FIELD: &str = "images";

/// The pictures of a form; a product that has `there` pictures may get only so many more.
pub(super) fn of(form: &mut Form, there: usize) -> Vec<Bytes> {
    let files: Vec<Bytes> =
        form.files.iter().filter(|file| file.field == FIELD).map(|file| file.bytes.clone()).collect();
    if there + files.len() > IMAGES_MAX {
        form.refuse(
            FIELD,
            format!("a product has at most {IMAGES_MAX} pictures; choose {}", IMAGES_MAX.saturating_sub(there)),
        );
    }
    files
}

/// Shows a refusal of a picture beside its field; other errors are returned.
pub(super) fn refused(form: &mut Form, error: ApiError) -> Result<(), ApiError> {
    match error {
        ApiError::UnsupportedMedia(_) => {
            form.refuse(FIELD, "choose JPEG, PNG, WebP or GIF pictures; another file, or one that is damaged or cut off, was among them");
            Ok(())
        }
        ApiError::TooLarge(what) => {
            form.refuse(FIELD, what.to_string());
            Ok(())
        }
        other => form.take(other, |path| if path.starts_with("image") { FIELD.to_owned() } else { path.to_owned() }),
    }
}
