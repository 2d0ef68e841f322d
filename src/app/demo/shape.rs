//! The words in which the demo's drawings are written, and the outlines that they mean.
//!
//! A drawing is shapes with `;` between them, the hindmost first. A shape is a paint, a kind and
//! numbers on a field of 100 by 100: `e x y rx ry` an ellipse, `o w x y rx ry` its outline,
//! `r x y w h corner` a rectangle, `p` a polygon, `s` a smooth one, `l w` a line, `c w` a smooth
//! line, and `m x` or `v x` half an outline (distance from the axis `x`, height), mirrored, `v`
//! smoothly. A paint is the letter of a material, then `+` lighter, `-` darker, `f` flat, and
//! its opacity in percent.

use super::canvas::{Canvas, Colour, Point, SIZE, mix};

/// Materials by their letters.
const MATERIALS: &[(char, u32)] = &[
    ('b', 0x00CD_A34C),
    ('c', 0x00C8_7A4C),
    ('d', 0x0080_573B),
    ('e', 0x003F_8F8A),
    ('g', 0x0062_935C),
    ('i', 0x0042_5393),
    ('k', 0x003C_424B),
    ('l', 0x009F_C7DE),
    ('n', 0x00DF_CEB1),
    ('o', 0x00D6_A971),
    ('p', 0x00E7_A79F),
    ('r', 0x00BC_4A42),
    ('s', 0x00B9_C2CB),
    ('t', 0x00CA_7350),
    ('v', 0x008D_73AC),
    ('w', 0x00F7_F1E6),
    ('x', 0x00FF_FFFF),
    ('y', 0x00E3_B245),
    ('z', 0x0020_242C),
];
/// Into how many pieces a smooth line goes between two points.
const PIECES: u16 = 10;
/// The corners of what stands for a circle.
const CORNERS: u16 = 48;

/// How a drawing is put on the canvas.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    /// How large, around the middle of its foot.
    pub(super) zoom: f32,
    /// Left and right change sides.
    pub(super) mirrored: bool,
}

/// Red, green and blue of `0xRRGGBB`.
pub(super) fn colour(rgb: u32) -> Colour {
    let [_, red, green, blue] = rgb.to_be_bytes();
    [red, green, blue].map(|part| f32::from(part) / 255.0)
}

/// Draws all shapes of a drawing; what cannot be read is left out.
pub(super) fn draw(canvas: &mut Canvas, drawing: &str, view: View) {
    for shape in drawing.split(';') {
        let mut words = shape.split_whitespace();
        let (Some(paint), Some(kind)) = (words.next(), words.next()) else { continue };
        let numbers: Vec<f32> = words.filter_map(|word| word.parse().ok()).collect();
        let outlines: Vec<Vec<Point>> = outlines(kind, &numbers)
            .into_iter()
            .map(|outline| outline.into_iter().map(|at| view.place(at)).collect())
            .collect();
        Paint::read(paint).fill(canvas, &outlines);
    }
}

impl View {
    fn place(self, (x, y): Point) -> Point {
        let x = if self.mirrored { 100.0 - x } else { x };
        let unit = f32::from(SIZE) / 100.0;
        ((50.0 + (x - 50.0) * self.zoom) * unit, (60.0 + (y - 60.0) * self.zoom) * unit)
    }
}

struct Paint {
    light: Colour,
    dark: Colour,
    opacity: f32,
}

impl Paint {
    fn read(word: &str) -> Self {
        let material = word.chars().next().and_then(|letter| MATERIALS.iter().find(|known| known.0 == letter));
        let mut base = colour(material.map_or(0, |known| known.1));
        if word.contains('+') {
            base = mix(base, [1.0; 3], 0.35);
        }
        if word.contains('-') {
            base = mix(base, [0.06, 0.05, 0.09], 0.28);
        }
        let percent: String = word.chars().filter(char::is_ascii_digit).collect();
        let opacity = percent.parse::<f32>().map_or(1.0, |percent| percent / 100.0);
        let shade = if word.contains('f') { 0.0 } else { 1.0 };
        Self {
            light: mix(base, [1.0, 0.99, 0.95], 0.22 * shade),
            dark: mix(base, [0.10, 0.07, 0.14], 0.24 * shade),
            opacity,
        }
    }

    /// Lighter where the light comes from, the upper left.
    fn fill(&self, canvas: &mut Canvas, outlines: &[Vec<Point>]) {
        let points = || outlines.iter().flatten();
        let (left, right) = points().fold((f32::MAX, f32::MIN), |(low, high), at| (low.min(at.0), high.max(at.0)));
        let (top, bottom) = points().fold((f32::MAX, f32::MIN), |(low, high), at| (low.min(at.1), high.max(at.1)));
        let (width, height) = ((right - left).max(1.0), (bottom - top).max(1.0));
        canvas.fill(outlines, |x, y| {
            let part = (0.7 * (x - left) / width + 0.3 * (y - top) / height).clamp(0.0, 1.0);
            (mix(self.light, self.dark, part * part * (3.0 - 2.0 * part)), self.opacity)
        });
    }
}

fn outlines(kind: &str, numbers: &[f32]) -> Vec<Vec<Point>> {
    let pairs = |from: usize| -> Vec<Point> {
        let rest = numbers.get(from..).unwrap_or_default();
        rest.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
    };
    match (kind, numbers) {
        ("e", &[x, y, rx, ry]) => vec![ellipse(x, y, rx, ry)],
        ("o", &[width, x, y, rx, ry]) => stroke(&closed(ellipse(x, y, rx, ry)), width),
        ("r", &[x, y, w, h, corner]) => vec![rectangle(x, y, w, h, corner)],
        ("p", _) => vec![pairs(0)],
        ("s", _) => vec![smooth(&pairs(0), true)],
        ("l", &[width, ..]) => stroke(&pairs(1), width),
        ("c", &[width, ..]) => stroke(&smooth(&pairs(1), false), width),
        ("m", &[axis, ..]) => vec![mirrored(&pairs(1), axis)],
        ("v", &[axis, ..]) => vec![mirrored(&smooth(&pairs(1), false), axis)],
        _ => vec![],
    }
}

fn ellipse(x: f32, y: f32, rx: f32, ry: f32) -> Vec<Point> {
    let angle = |corner: u16| f32::from(corner) / f32::from(CORNERS) * std::f32::consts::TAU;
    (0..CORNERS).map(|corner| (x + rx * angle(corner).cos(), y + ry * angle(corner).sin())).collect()
}

fn closed(mut outline: Vec<Point>) -> Vec<Point> {
    outline.extend(outline.first().copied());
    outline
}

fn rectangle(x: f32, y: f32, w: f32, h: f32, corner: f32) -> Vec<Point> {
    let corner = corner.min(w / 2.0).min(h / 2.0);
    let centres = [
        (x + w - corner, y + h - corner),
        (x + corner, y + h - corner),
        (x + corner, y + corner),
        (x + w - corner, y + corner),
    ];
    let quarter = CORNERS / 4;
    let round = ellipse(0.0, 0.0, corner, corner);
    (0..=CORNERS + 3)
        .map(|at| {
            let side = (at / (quarter + 1)).min(3);
            let step = (side * quarter + at % (quarter + 1)) % CORNERS;
            let (centre, by) = (centres[usize::from(side)], round[usize::from(step)]);
            (centre.0 + by.0, centre.1 + by.1)
        })
        .collect()
}

/// A smooth line through points (Catmull and Rom's).
fn smooth(points: &[Point], round: bool) -> Vec<Point> {
    let count = points.len();
    if count < 3 {
        return points.to_vec();
    }
    let at = |index: usize, back: usize| -> Point {
        if round { points[(index + count - back) % count] } else { points[(index.max(back) - back).min(count - 1)] }
    };
    let mut line = Vec::new();
    for index in 0..if round { count } else { count - 1 } {
        let (before, from, to, after) = (at(index, 1), at(index, 0), at(index + 1, 0), at(index + 2, 0));
        for piece in 0..PIECES {
            let t = f32::from(piece) / f32::from(PIECES);
            let between = |a: f32, b: f32, c: f32, d: f32| {
                0.5 * (2.0 * b
                    + (c - a) * t
                    + (2.0 * a - 5.0 * b + 4.0 * c - d) * t * t
                    + (3.0 * b - a - 3.0 * c + d) * t * t * t)
            };
            line.push((between(before.0, from.0, to.0, after.0), between(before.1, from.1, to.1, after.1)));
        }
    }
    if !round {
        line.extend(points.last().copied());
    }
    line
}

fn mirrored(half: &[Point], axis: f32) -> Vec<Point> {
    let right = half.iter().map(|(by, y)| (axis + by, *y));
    let left = half.iter().rev().map(|(by, y)| (axis - by, *y));
    right.chain(left).collect()
}

/// The outlines of a line with round ends and corners, all wound the same way.
fn stroke(line: &[Point], width: f32) -> Vec<Vec<Point>> {
    let half = width / 2.0;
    let mut pieces: Vec<Vec<Point>> = line.iter().map(|at| ellipse(at.0, at.1, half, half)).collect();
    for (from, to) in line.iter().zip(line.iter().skip(1)) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        if length > 0.0 {
            let (x, y) = (-dy / length * half, dx / length * half);
            pieces.push(vec![
                (from.0 - x, from.1 - y),
                (to.0 - x, to.1 - y),
                (to.0 + x, to.1 + y),
                (from.0 + x, from.1 + y),
            ]);
        }
    }
    pieces
}
