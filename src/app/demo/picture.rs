//! A drawn picture for each demo product: no two look the same, and none is a grey box.

use anyhow::Result;
use image::{ImageFormat, Rgb, RgbImage};

use super::goods::Good;

/// Pixels a side.
const SIZE: u32 = 640;

/// Draws a good as a PNG: a soft gradient in its category's hue with rings of its own.
pub(super) fn draw(good: &Good) -> Result<Vec<u8>> {
    let hue = f32::from(u16::try_from(good.number * 47 % 360)?);
    let rings = 3 + u16::try_from(good.number % 5)?;
    let side = f32::from(u16::try_from(SIZE)?);
    let pixel = |x: u32, y: u32| {
        let at = |v: u32| f32::from(u16::try_from(v).unwrap_or(0)) / side;
        let (x, y) = (at(x), at(y));
        let from_centre = ((x - 0.5).powi(2) + (y - 0.52).powi(2)).sqrt();
        let wave = (from_centre * f32::from(rings) * 12.0).cos();
        let inside = if from_centre < 0.34 { 0.16 * wave + 0.1 } else { 0.0 };
        hsl(hue + 40.0 * y, 0.52, (0.78 - 0.28 * y + inside).clamp(0.0, 1.0))
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    RgbImage::from_fn(SIZE, SIZE, pixel).write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

fn hsl(hue: f32, saturation: f32, lightness: f32) -> Rgb<u8> {
    let chroma = saturation * lightness.min(1.0 - lightness);
    let channel = |n: f32| {
        let k = (n + hue / 30.0) % 12.0;
        let value = lightness - chroma * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "in 0..=255"
        )]
        {
            (value.clamp(0.0, 1.0) * 255.0).round() as u8
        }
    };
    Rgb([channel(0.0), channel(8.0), channel(4.0)])
}
