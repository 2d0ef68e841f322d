//! Converts colours to sRGB, which browsers assume when a file has no profile. The picture's own profile is removed
//! with all other metadata, so it is applied here.
//!
//! **Invariant:** an unreadable profile changes no pixel.

use image::{DynamicImage, ImageDecoder, ImageFormat, RgbImage, RgbaImage};
use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, DataColorSpace, Layout,
    MatrixCoefficients, ToneReprCurve, TransferCharacteristics, TransformOptions,
};

use super::whole;

/// The colour space of a picture.
pub(super) fn profile_of(bytes: &[u8], source: ImageFormat, decoder: &mut impl ImageDecoder) -> Option<ColorProfile> {
    let png = if source == ImageFormat::Png { PngColours::read(bytes) } else { PngColours::default() };
    if let Some(profile) = png.coded() {
        return Some(profile);
    }
    if let Ok(Some(profile)) = decoder.icc_profile() {
        return ColorProfile::new_from_slice(&profile).ok();
    }
    png.measured()
}

/// Converts to sRGB. Converts `Luma` or `Rgb` of 8 bits, with or without alpha; a picture that the profile does not
/// fit is returned unchanged.
pub(super) fn to_srgb(picture: DynamicImage, profile: &ColorProfile) -> DynamicImage {
    let (width, height) = (picture.width(), picture.height());
    let (from, alpha, gray) = match &picture {
        DynamicImage::ImageLuma8(_) => (Layout::Gray, false, true),
        DynamicImage::ImageLumaA8(_) => (Layout::GrayAlpha, true, true),
        DynamicImage::ImageRgb8(_) => (Layout::Rgb, false, false),
        DynamicImage::ImageRgba8(_) => (Layout::Rgba, true, false),
        _ => return picture,
    };
    let space = if gray { DataColorSpace::Gray } else { DataColorSpace::Rgb };
    if profile.color_space != space {
        return picture;
    }
    let (into, channels) = if alpha { (Layout::Rgba, 4) } else { (Layout::Rgb, 3) };
    let Ok(transform) =
        profile.create_transform_8bit(from, &ColorProfile::new_srgb(), into, TransformOptions::default())
    else {
        return picture;
    };
    let pixels = picture.as_bytes();
    let count = pixels.len() / usize::from(picture.color().channel_count());
    let mut converted = vec![0; count * channels];
    if transform.transform(pixels, &mut converted).is_err() {
        return picture;
    }
    let made = if alpha {
        RgbaImage::from_raw(width, height, converted).map(DynamicImage::ImageRgba8)
    } else {
        RgbImage::from_raw(width, height, converted).map(DynamicImage::ImageRgb8)
    };
    made.unwrap_or(picture)
}

/// The colour information of a PNG besides a profile.
#[derive(Default)]
struct PngColours {
    /// `cICP`: primaries, transfer function, matrix, range.
    cicp: Option<[u8; 4]>,
    /// Whether it is marked as sRGB.
    is_srgb: bool,
    /// `gAMA`, times 100,000.
    gamma: Option<u32>,
    /// `cHRM`: x and y of white, red, green and blue, times 100,000.
    primaries: Option<[u32; 8]>,
}

/// The gamma and the primaries of sRGB, and how much others may differ without a visible change.
const GAMMA: u32 = 45_455;
const PRIMARIES: [u32; 8] = [31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000];
const UNSEEN: u32 = 500;

impl PngColours {
    fn read(bytes: &[u8]) -> Self {
        let (mut found, mut at) = (Self::default(), whole::PNG_BEGINS);
        while let Some((chunk, next)) = whole::chunk(bytes, at) {
            match chunk.kind {
                // Chunks after the first pixel data are too late.
                b"IDAT" => break,
                b"cICP" => found.cicp = chunk.data.try_into().ok(),
                b"sRGB" => found.is_srgb = true,
                b"gAMA" => found.gamma = numbers::<1>(chunk.data).map(|[gamma]| gamma),
                b"cHRM" => found.primaries = numbers(chunk.data),
                _ => {}
            }
            at = next;
        }
        found
    }

    /// The colour space of the code points.
    fn coded(&self) -> Option<ColorProfile> {
        let [primaries, transfer, _, _] = self.cicp?;
        let mut profile = ColorProfile::new_srgb();
        let cicp = CicpProfile {
            color_primaries: CicpColorPrimaries::try_from(primaries).ok()?,
            transfer_characteristics: TransferCharacteristics::try_from(transfer).ok()?,
            matrix_coefficients: MatrixCoefficients::Identity,
            full_range: true,
        };
        // Code points without a meaning leave it sRGB.
        profile.update_rgb_colorimetry_from_cicp(cicp);
        Some(profile)
    }

    /// The measured colour space, if it differs from sRGB.
    fn measured(&self) -> Option<ColorProfile> {
        let (gamma, primaries) = (self.gamma.unwrap_or(GAMMA), self.primaries.unwrap_or(PRIMARIES));
        let near = |one: &u32, other: &u32| one.abs_diff(*other) <= UNSEEN;
        let is_srgb = near(&gamma, &GAMMA) && primaries.iter().zip(&PRIMARIES).all(|(one, other)| near(one, other));
        // A gamma out of bounds, or a missing white, is an error of the writing program.
        let makes_sense = (10_000..=1_000_000).contains(&gamma) && primaries.iter().all(|part| *part < 100_000);
        if self.is_srgb || is_srgb || !makes_sense || primaries.iter().skip(1).step_by(2).any(|y| *y == 0) {
            return None;
        }
        let mut profile = ColorProfile::new_srgb();
        if !primaries.iter().zip(&PRIMARIES).all(|(one, other)| near(one, other)) {
            let [white_x, white_y, red_x, red_y, green_x, green_y, blue_x, blue_y] = primaries.map(part);
            let primaries = ColorPrimaries {
                red: Chromaticity::new(red_x, red_y),
                green: Chromaticity::new(green_x, green_y),
                blue: Chromaticity::new(blue_x, blue_y),
            };
            profile.update_rgb_colorimetry(Chromaticity::new(white_x, white_y).to_xyyb(), primaries);
        }
        if !near(&gamma, &GAMMA) {
            let curve = ToneReprCurve::Parametric(vec![1.0 / part(gamma)]);
            profile.red_trc = Some(curve.clone());
            profile.green_trc = Some(curve.clone());
            profile.blue_trc = Some(curve);
        }
        profile.cicp = None;
        Some(profile)
    }
}

/// A number of a chunk as a fraction.
fn part(number: u32) -> f32 {
    let of = |number: u32| f32::from(u16::try_from(number).unwrap_or(u16::MAX));
    of(number / 1_000) / 100.0 + of(number % 1_000) / 100_000.0
}

fn numbers<const N: usize>(data: &[u8]) -> Option<[u32; N]> {
    let mut numbers = [0; N];
    if data.len() != N * 4 {
        return None;
    }
    for (number, bytes) in numbers.iter_mut().zip(data.chunks_exact(4)) {
        *number = u32::from_be_bytes(bytes.try_into().ok()?);
    }
    Some(numbers)
}
