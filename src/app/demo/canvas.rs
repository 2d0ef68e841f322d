//! A small canvas: fills outlines with soft edges and gradients.
//!
//! **Invariant:** whatever an outline's numbers are, only pixels of the canvas are touched.

use image::{Rgb, RgbImage};

/// Pixels a side; fewer in a build for development, which draws slowly.
pub(super) const SIZE: u16 = if cfg!(debug_assertions) { 400 } else { 800 };
/// How many lines are looked at for each row of pixels.
const SUB_ROWS: u16 = 4;

/// A point, in pixels.
pub(super) type Point = (f32, f32);
/// Red, green and blue, each 0 to 1.
pub(super) type Colour = [f32; 3];

/// A picture on its way.
pub(super) struct Canvas {
    pixels: Vec<Colour>,
    side: usize,
}

/// Where an outline crosses a line, and which way it goes there.
struct Crossing(f32, i32);

impl Canvas {
    /// A canvas painted by `colour`, which gets a place as parts of the side.
    pub(super) fn new(colour: impl Fn(f32, f32) -> Colour) -> Self {
        let side = usize::from(SIZE);
        let part = |at: u16| f32::from(at) / f32::from(SIZE);
        let pixels = (0..SIZE).flat_map(|y| (0..SIZE).map(move |x| (x, y))).map(|(x, y)| colour(part(x), part(y)));
        Self { pixels: pixels.collect(), side }
    }

    /// Fills what lies within the outlines (wound any way but none), with a colour and its
    /// opacity by place.
    pub(super) fn fill(&mut self, outlines: &[Vec<Point>], paint: impl Fn(f32, f32) -> (Colour, f32)) {
        let side = f32::from(SIZE);
        let points = || outlines.iter().flatten();
        let top = points().map(|point| point.1).fold(side, f32::min).max(0.0);
        let bottom = points().map(|point| point.1).fold(0.0, f32::max).min(side);
        let mut cover = vec![0.0_f32; self.side];
        for row in whole(top)..whole(bottom.ceil()) {
            cover.fill(0.0);
            for sub in 0..SUB_ROWS {
                let y = real(row) + (f32::from(sub) + 0.5) / f32::from(SUB_ROWS);
                spans(&crossings(outlines, y), |from, to| add(&mut cover, from, to));
            }
            for (x, covered) in cover.iter().enumerate().filter(|(_, covered)| **covered > 0.0) {
                let (colour, opacity) = paint(real(x), real(row));
                if let Some(pixel) = self.pixels.get_mut(row * self.side + x) {
                    *pixel = mix(*pixel, colour, opacity * covered.min(1.0));
                }
            }
        }
    }

    /// The finished picture.
    pub(super) fn into_image(self) -> RgbImage {
        let mut image = RgbImage::new(SIZE.into(), SIZE.into());
        for (pixel, colour) in image.pixels_mut().zip(self.pixels) {
            *pixel = Rgb(colour.map(byte));
        }
        image
    }
}

fn crossings(outlines: &[Vec<Point>], y: f32) -> Vec<Crossing> {
    let mut found = Vec::new();
    for outline in outlines {
        let next = outline.iter().cycle().skip(1);
        for (&(x0, y0), &(x1, y1)) in outline.iter().zip(next) {
            if (y0 <= y) != (y1 <= y) {
                found.push(Crossing(x0 + (y - y0) / (y1 - y0) * (x1 - x0), if y1 > y0 { 1 } else { -1 }));
            }
        }
    }
    found.sort_by(|one, other| one.0.total_cmp(&other.0));
    found
}

fn spans(crossings: &[Crossing], mut span: impl FnMut(f32, f32)) {
    let mut winding = 0;
    for (one, next) in crossings.iter().zip(crossings.iter().skip(1)) {
        winding += one.1;
        if winding != 0 {
            span(one.0, next.0);
        }
    }
}

/// Adds what a span covers of each pixel of a row.
fn add(cover: &mut [f32], from: f32, to: f32) {
    let (from, to) = (from.max(0.0), to.min(f32::from(SIZE)));
    let weight = 1.0 / f32::from(SUB_ROWS);
    for x in whole(from)..whole(to.ceil()) {
        let part = (to.min(real(x) + 1.0) - from.max(real(x))).clamp(0.0, 1.0);
        if let Some(covered) = cover.get_mut(x) {
            *covered += part * weight;
        }
    }
}

/// A colour between two.
pub(super) fn mix(from: Colour, to: Colour, part: f32) -> Colour {
    std::array::from_fn(|at| from[at] + (to[at] - from[at]) * part)
}

fn real(at: usize) -> f32 {
    f32::from(u16::try_from(at).unwrap_or(u16::MAX))
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within the canvas"
)]
fn whole(at: f32) -> usize {
    at.clamp(0.0, f32::from(SIZE)) as usize
}

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in 0..=255")]
fn byte(part: f32) -> u8 {
    (part.clamp(0.0, 1.0) * 255.0).round() as u8
}
