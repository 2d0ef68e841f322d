//! The pictures of the demo's goods, drawn by the program: each good stands in the light of its
//! shelf, with its shadow.

use anyhow::Result;
use image::codecs::jpeg::JpegEncoder;

use super::{
    canvas::{Canvas, SIZE, mix},
    goods::Good,
    shape::{self, View},
};

/// Fine enough that edges stay clean when the picture is made ready for the shop.
const QUALITY: u8 = 92;
/// Where the table begins, as a part of the height.
const TABLE: f32 = 0.74;

/// From which side a good is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// All of it.
    Front,
    /// From nearer, and in other light.
    Near,
}

/// Draws a good as a JPEG.
pub(super) fn draw(good: &Good, side: Side) -> Result<Vec<u8>> {
    let [wall, glow, table] = good.shelf.light.map(shape::colour);
    let (wall, glow) = if side == Side::Front { (wall, glow) } else { (glow, wall) };
    let mut canvas = Canvas::new(|x, y| {
        let far = ((x - 0.42).powi(2) + (y - 0.36).powi(2)).sqrt();
        let lit = (1.0 - far / 0.72).clamp(0.0, 1.0);
        let back = mix(wall, glow, lit * lit * (3.0 - 2.0 * lit));
        // A soft edge between wall and table.
        let on_table = ((y - TABLE) / 0.012).clamp(0.0, 1.0);
        let plane = mix(table, glow, ((y - TABLE) / (1.0 - TABLE)).clamp(0.0, 1.0) * 0.35);
        if good.item.stands { mix(back, plane, on_table) } else { mix(back, table, (y * y * 0.55).min(1.0)) }
    });
    let (width, foot) = if good.item.stands { (0.36, 0.845) } else { (0.30, 0.93) };
    shadow(&mut canvas, width, foot);
    let view = match side {
        Side::Front => View { zoom: 1.0, mirrored: false },
        Side::Near => View { zoom: 1.32, mirrored: true },
    };
    shape::draw(&mut canvas, good.item.drawing, view);
    let mut bytes = Vec::new();
    canvas.into_image().write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))?;
    Ok(bytes)
}

/// A soft shadow below what stands at `foot`.
fn shadow(canvas: &mut Canvas, width: f32, foot: f32) {
    let side = f32::from(SIZE);
    let (x, y, rx, ry) = (0.53 * side, foot * side, width * side, width * 0.16 * side);
    let around = vec![vec![(x - rx, y - ry), (x + rx, y - ry), (x + rx, y + ry), (x - rx, y + ry)]];
    canvas.fill(&around, |px, py| {
        let far = (((px - x) / rx).powi(2) + ((py - y) / ry).powi(2)).sqrt().min(1.0);
        ([0.14, 0.09, 0.12], 0.42 * (1.0 - far).powi(2))
    });
}
