//! Makes an uploaded file a picture that is safe to serve: its format is detected by content, it is checked to be
//! complete, decoded within limits, turned upright, scaled down, converted to sRGB and encoded again, so that nothing
//! else of the file (metadata, locations, scripts) remains.
//!
//! **Invariant:** memory is allocated only after the header's dimensions are within limits, and any input ends in a
//! picture or an [`ImageError`].

mod colour;
mod jpeg;
mod whole;

use std::{
    io::Cursor,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use image::{
    DynamicImage, ImageDecoder, ImageError as DecodeError, ImageFormat, ImageReader, Limits,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
    imageops::FilterType,
};
use moxcms::ColorProfile;
use tokio::{sync::Semaphore, time};

use super::{ImageError, MAX_IMAGE_BYTES};

const SIDE_MAX: u32 = 12_000;
const PIXELS_MAX: u64 = 25_000_000;
const DECODER_BYTES_MAX: u64 = 104 * 1024 * 1024;
const FULL_SIDE: u32 = 2_000;
const THUMBNAIL_SIDE: u32 = 400;
const JPEG_QUALITY: u8 = 85;
/// More pixels are averaged in blocks.
const FILTERED_MAX: u64 = 9_000_000;
/// Millions of pixels that are decoded at once: one picture of the largest, or some small ones. Each pixel takes up to
/// eight bytes on its way.
const AT_ONCE: u32 = 26;
/// What each picture counts at least, so that few are prepared at once, however small.
const LEAST: u32 = AT_ONCE / 4;
/// Millions of pixels that may wait: what a second or two decodes. More is refused at once.
const WAITING_MAX: u32 = 5 * AT_ONCE;
/// How long one may wait and take together.
const DEADLINE: Duration = Duration::from_secs(15);

/// The format of a stored picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredFormat {
    /// Photographs.
    Jpeg,
    /// Pictures with transparency, and drawings.
    Png,
}

impl StoredFormat {
    /// The ending of file names.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }

    /// The media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }
}

/// A picture that is safe to store and serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedImage {
    /// The format of both files.
    pub format: StoredFormat,
    /// The picture.
    pub full: Bytes,
    /// A small one.
    pub thumbnail: Bytes,
}

/// Prepares pictures, a few at once, outside the async threads.
#[derive(Debug, Clone)]
pub struct Preparer {
    decoding: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Preparer {
    fn default() -> Self {
        let of = |megapixels: u32| Arc::new(Semaphore::new(usize::try_from(megapixels).unwrap_or(usize::MAX)));
        Self { decoding: of(AT_ONCE), waiting: of(WAITING_MAX) }
    }
}

impl Preparer {
    /// [`prepare`] on a thread of its own.
    ///
    /// # Errors
    /// As [`prepare`], and [`ImageError::Busy`] when too much waits already, or after 15 seconds.
    pub async fn prepare_bounded(&self, bytes: Bytes) -> Result<PreparedImage, ImageError> {
        let megapixels = megapixels(&bytes)?.clamp(LEAST, AT_ONCE);
        let queued = Arc::clone(&self.waiting).try_acquire_many_owned(megapixels).map_err(|_| ImageError::Busy)?;
        let decoding = Arc::clone(&self.decoding);
        let work = async move {
            let permit = decoding.acquire_many_owned(megapixels).await.map_err(|_| ImageError::Busy)?;
            drop(queued);
            // The permit is released when the work ends, even if the caller has gone away.
            let task = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                prepare(&bytes)
            });
            task.await.map_err(|_| ImageError::Unsupported)?
        };
        time::timeout(DEADLINE, work).await.map_err(|_| ImageError::Busy)?
    }
}

/// How large a picture its header says it is, in millions of pixels, rounded up. No pixel is read for it.
fn megapixels(bytes: &[u8]) -> Result<u32, ImageError> {
    let source = known_format(bytes)?;
    let header = || ImageReader::with_format(Cursor::new(bytes), source).into_dimensions();
    let (width, height) =
        catch_unwind(AssertUnwindSafe(header)).map_err(|_| ImageError::Unsupported)?.map_err(refusal)?;
    let pixels = u64::from(width) * u64::from(height);
    if width > SIDE_MAX || height > SIDE_MAX || pixels > PIXELS_MAX {
        return Err(ImageError::TooManyPixels);
    }
    Ok(u32::try_from(pixels.div_ceil(1_000_000)).unwrap_or(u32::MAX))
}

/// The format of a file by its content, if pictures of that format are taken.
fn known_format(bytes: &[u8]) -> Result<ImageFormat, ImageError> {
    if bytes.len() > MAX_IMAGE_BYTES {
        return Err(ImageError::TooLarge);
    }
    match image::guess_format(bytes) {
        Ok(known @ (ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP | ImageFormat::Gif)) => Ok(known),
        _ => Err(ImageError::Unsupported),
    }
}

/// Converts the bytes of a file to a picture. Blocks for up to about a second.
///
/// # Errors
/// [`ImageError::TooLarge`], `Unsupported` or `TooManyPixels`.
pub fn prepare(bytes: &[u8]) -> Result<PreparedImage, ImageError> {
    let source = known_format(bytes)?;
    // Decoders may panic.
    catch_unwind(AssertUnwindSafe(|| convert(bytes, source))).unwrap_or(Err(ImageError::Unsupported))
}

fn convert(bytes: &[u8], source: ImageFormat) -> Result<PreparedImage, ImageError> {
    let (picture, profile) = decode(bytes, source)?;
    let alpha = picture.color().has_alpha();
    let opaque = matches!(source, ImageFormat::Jpeg | ImageFormat::WebP) && !alpha;
    let format = if opaque { StoredFormat::Jpeg } else { StoredFormat::Png };
    let picture = within(of_eight_bits(picture), FULL_SIDE);
    let picture = profile.iter().fold(picture, colour::to_srgb);
    let full = if alpha {
        DynamicImage::ImageRgba8(picture.into_rgba8())
    } else {
        DynamicImage::ImageRgb8(picture.into_rgb8())
    };
    let thumbnail = within(full.clone(), THUMBNAIL_SIDE);
    Ok(PreparedImage { format, full: encode(&full, format)?, thumbnail: encode(&thumbnail, format)? })
}

/// The same with channels of eight bits; gray stays gray.
fn of_eight_bits(picture: DynamicImage) -> DynamicImage {
    match (picture.color().has_color(), picture.color().has_alpha()) {
        (false, false) => DynamicImage::ImageLuma8(picture.into_luma8()),
        (false, true) => DynamicImage::ImageLumaA8(picture.into_luma_alpha8()),
        (true, false) => DynamicImage::ImageRgb8(picture.into_rgb8()),
        (true, true) => DynamicImage::ImageRgba8(picture.into_rgba8()),
    }
}

/// The pixels, and their colour space if the file has one.
fn decode(bytes: &[u8], source: ImageFormat) -> Result<(DynamicImage, Option<ColorProfile>), ImageError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(DECODER_BYTES_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), source);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refusal)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(ImageError::TooManyPixels);
    }
    if decoder.total_bytes() > DECODER_BYTES_MAX {
        return Err(ImageError::TooManyPixels);
    }
    if !whole::is_whole(bytes, source) {
        return Err(ImageError::Unsupported);
    }
    let profile = colour::profile_of(bytes, source, &mut decoder);
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    picture.apply_orientation(orientation);
    Ok((picture, profile))
}

fn refusal(error: DecodeError) -> ImageError {
    match error {
        DecodeError::Limits(_) => ImageError::TooManyPixels,
        _ => ImageError::Unsupported,
    }
}

fn within(picture: DynamicImage, side: u32) -> DynamicImage {
    if picture.width() <= side && picture.height() <= side {
        return picture;
    }
    // Averaging whole blocks is cheap, and as good as filtering when several pixels become one. Filtering takes 16 bytes
    // for each pixel of one side of the result and the other of the source.
    let pixels = u64::from(picture.width()) * u64::from(picture.height());
    if picture.width().max(picture.height()) > side.saturating_mul(4) || pixels > FILTERED_MAX {
        return picture.thumbnail(side, side);
    }
    picture.resize(side, side, FilterType::Triangle)
}

fn encode(picture: &DynamicImage, format: StoredFormat) -> Result<Bytes, ImageError> {
    let mut out = Vec::new();
    let written = match format {
        StoredFormat::Jpeg => picture.write_with_encoder(JpegEncoder::new_with_quality(&mut out, JPEG_QUALITY)),
        StoredFormat::Png => picture.write_with_encoder(PngEncoder::new(&mut out)),
    };
    written.map_err(|_| ImageError::Unsupported)?;
    Ok(out.into())
}

#[cfg(test)]
mod tests;
