use image::{ExtendedColorType, ImageEncoder, Rgba, RgbaImage, codecs::webp::WebPEncoder};
use proptest::prelude::*;

use super::*;

/// Red on the left half, blue on the right.
fn drawn(width: u32, height: u32, alpha: u8) -> DynamicImage {
    DynamicImage::ImageRgba8(RgbaImage::from_fn(width, height, |x, _| {
        if x < width / 2 { Rgba([255, 0, 0, alpha]) } else { Rgba([0, 0, 255, alpha]) }
    }))
}

fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    picture.write_to(&mut out, format).unwrap();
    out.into_inner()
}

fn jpeg(width: u32, height: u32) -> Vec<u8> {
    file(&DynamicImage::ImageRgb8(drawn(width, height, 255).into_rgb8()), ImageFormat::Jpeg)
}

/// An APP1 segment after the start of the file: an orientation and a "secret" place.
fn with_exif(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0, 0]);
    exif.extend_from_slice(b"secret place");
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn decoded(bytes: &Bytes) -> DynamicImage {
    image::load_from_memory(bytes).unwrap()
}

#[test]
fn each_format_becomes_a_jpeg_or_png_of_bounded_size() {
    let clear = drawn(2_600, 1_300, 100);
    let opaque = DynamicImage::ImageRgb8(clear.to_rgb8());
    let mut webp = Vec::new();
    WebPEncoder::new_lossless(&mut webp).write_image(opaque.as_bytes(), 2_600, 1_300, ExtendedColorType::Rgb8).unwrap();
    for (bytes, format) in [
        (jpeg(2_600, 1_300), StoredFormat::Jpeg),
        (webp, StoredFormat::Jpeg),
        (file(&clear, ImageFormat::WebP), StoredFormat::Png),
        (file(&opaque, ImageFormat::Png), StoredFormat::Png),
        (file(&clear, ImageFormat::Png), StoredFormat::Png),
        (file(&drawn(2_600, 1_300, 255), ImageFormat::Gif), StoredFormat::Png),
    ] {
        let ready = prepare(&bytes).unwrap();
        assert_eq!(ready.format, format);
        let (full, thumbnail) = (decoded(&ready.full), decoded(&ready.thumbnail));
        assert_eq!((full.width(), full.height()), (2_000, 1_000));
        assert_eq!((thumbnail.width(), thumbnail.height()), (400, 200));
    }
    let small = prepare(&jpeg(10, 10)).unwrap();
    assert_eq!(decoded(&small.full).width(), 10, "small ones are not blown up");
}

#[test]
fn metadata_goes_and_its_orientation_is_applied() {
    let bytes = with_exif(&jpeg(64, 32), 6);
    assert!(holds(&bytes, b"secret place"));
    let ready = prepare(&bytes).unwrap();
    let turned = decoded(&ready.full).to_rgb8();
    assert_eq!(turned.dimensions(), (32, 64));
    let (top, bottom) = (turned.get_pixel(16, 8), turned.get_pixel(16, 56));
    assert!(top[0] > 200 && bottom[2] > 200, "red is on top: {top:?} {bottom:?}");
    for file in [&ready.full, &ready.thumbnail] {
        assert!(!holds(file, b"Exif") && !holds(file, b"secret"));
    }
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    for (width, height) in [(60_000_u32, 60_000_u32), (12_001, 1), (6_000, 5_000)] {
        let mut header = b"IHDR".to_vec();
        header.extend_from_slice(&width.to_be_bytes());
        header.extend_from_slice(&height.to_be_bytes());
        header.extend_from_slice(&[8, 6, 0, 0, 0]);
        let crc = crc(&header).to_be_bytes();
        let start: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0d";
        let bytes = [start, &header, &crc, b"\0\0\0\0IDAT\x35\xaf\x06\x1e\0\0\0\0IEND\xae\x42\x60\x82"].concat();
        assert!(matches!(prepare(&bytes), Err(ImageError::TooManyPixels)), "{width}x{height}");
    }
}

/// CRC-32 as PNG has it.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[test]
fn what_is_no_picture_is_refused() {
    let html = b"<html><script>alert(1)</script></html>";
    let bmp = file(&drawn(4, 4, 255), ImageFormat::Png)[8..].to_vec();
    for bytes in [&html[..], b"", b"BM", b"%PDF-1.4", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a", &bmp] {
        assert!(matches!(prepare(bytes), Err(ImageError::Unsupported)));
    }
    assert!(matches!(prepare(&vec![0; MAX_IMAGE_BYTES + 1]), Err(ImageError::TooLarge)));
}

#[test]
fn a_truncated_file_is_refused_or_decoded_but_never_panics() {
    let picture = drawn(40, 40, 200);
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        let whole = file(&picture, format);
        assert!(prepare(&whole).is_ok());
        for length in (0..whole.len().saturating_sub(30)).step_by(7) {
            let _refused_or_not = prepare(&whole[..length]);
        }
        assert!(matches!(prepare(&whole[..whole.len() / 3]), Err(ImageError::Unsupported)), "{format:?}");
    }
}

#[test]
fn what_hides_in_a_file_does_not_come_out() {
    let mut polyglot = file(&drawn(8, 8, 255), ImageFormat::Gif);
    polyglot.extend_from_slice(b"<script>alert(1)</script>");
    let ready = prepare(&polyglot).unwrap();
    assert_eq!(ready.format, StoredFormat::Png);
    assert!(!holds(&ready.full, b"script") && !holds(&ready.thumbnail, b"script"));
}

#[tokio::test]
async fn many_at_once_all_get_their_turn() {
    let preparer = Preparer::default();
    let bytes = Bytes::from(jpeg(64, 64));
    let all = (0..12).map(|_| preparer.prepare_bounded(bytes.clone()));
    assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_end_in_a_picture_or_an_error(
        start in prop_oneof![
            Just(&b""[..]), Just(&b"\xff\xd8\xff\xe0"[..]), Just(&b"\x89PNG\r\n\x1a\n"[..]),
            Just(&b"GIF89a\x04\0\x04\0"[..]), Just(&b"RIFF\x40\0\0\0WEBPVP8 "[..]),
        ],
        rest in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let _either = prepare(&[start, &rest].concat());
    }

    #[test]
    fn a_file_with_flipped_bytes_never_panics(at in 0..600_usize, value in any::<u8>(), kind in 0..3_usize) {
        let format = [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif][kind];
        let mut bytes = if at % 2 == 0 { file(&drawn(9, 7, 99), format) } else { jpeg(9, 7) };
        let at = at % bytes.len();
        bytes[at] = value;
        let _either = prepare(&bytes);
    }
}

/// Files of encoders that this program does not have.
const SAMPLES: [(&str, &[u8]); 5] = [
    ("progressive.jpg", include_bytes!("samples/progressive.jpg")),
    ("restart.jpg", include_bytes!("samples/restart.jpg")),
    ("cmyk.jpg", include_bytes!("samples/cmyk.jpg")),
    ("lossy.webp", include_bytes!("samples/lossy.webp")),
    ("animated.gif", include_bytes!("samples/animated.gif")),
];

/// A picture that does not become small when it is encoded.
fn noisy(width: u32, height: u32) -> DynamicImage {
    DynamicImage::ImageRgb8(image::RgbImage::from_fn(width, height, |x, y| {
        let part = |factor: u32| u8::try_from((x * factor + y * y * 13 + x * y * 7) % 256).unwrap();
        image::Rgb([part(37), part(91), part(11)])
    }))
}

/// Whole files of every kind.
fn whole_files() -> Vec<(String, Vec<u8>)> {
    let picture = noisy(50, 40);
    let own = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif]
        .map(|format| (format!("{format:?}"), file(&picture, format)));
    let samples = SAMPLES.map(|(name, bytes)| (name.to_owned(), bytes.to_vec()));
    own.into_iter().chain(samples).collect()
}

#[test]
fn a_file_that_is_cut_off_is_refused_wherever_that_is() {
    for (name, bytes) in whole_files() {
        assert!(prepare(&bytes).is_ok(), "{name} is whole");
        let trailing = [&bytes[..], b"what a camera puts behind its picture"].concat();
        assert!(name.ends_with("webp") || prepare(&trailing).is_ok(), "{name} with something behind it");
        let last = bytes.len().saturating_sub(12)..bytes.len();
        for length in (0..bytes.len()).step_by(1 + bytes.len() / 60).chain(last) {
            let cut = prepare(&bytes[..length]);
            assert!(matches!(cut, Err(ImageError::Unsupported)), "{name}: {length} of {}", bytes.len());
        }
    }
}

#[test]
fn a_jpeg_that_ends_too_early_is_refused_also_when_an_end_is_put_to_it() {
    for (name, bytes) in whole_files().into_iter().filter(|(name, _)| name.to_lowercase().contains("jp")) {
        let scan = bytes.windows(2).rposition(|two| two == [0xff, 0xda]).unwrap();
        for length in (scan + 20..bytes.len() - 8).step_by(11) {
            let ended = [&bytes[..length], &[0xff, 0xd9]].concat();
            assert!(prepare(&ended).is_err(), "{name}: {length} of {}", bytes.len());
        }
    }
}

#[test]
fn damage_in_the_middle_is_refused() {
    let png = file(&noisy(50, 40), ImageFormat::Png);
    let middle = png.len() / 2;
    let mut damaged = png.clone();
    damaged[middle] ^= 1;
    assert!(prepare(&damaged).is_err(), "a bit of a PNG");
    let jpeg = file(&noisy(200, 160), ImageFormat::Jpeg);
    let zeroed = [&jpeg[..jpeg.len() / 2], &vec![0; jpeg.len() / 2], &[0xff, 0xd9]].concat();
    assert!(prepare(&zeroed).is_err(), "half of a JPEG in zeros");
    let restart = SAMPLES[1].1;
    let second = restart.windows(2).position(|two| two == [0xff, 0xd1]).unwrap();
    let first = restart.windows(2).position(|two| two == [0xff, 0xd0]).unwrap();
    let lost = [&restart[..first], &restart[second..]].concat();
    assert!(prepare(&lost).is_err(), "a part between two restart markers is missing");
}

/// Of one colour, with this profile.
fn profiled(colour: [u8; 3], profile: &ColorProfile, format: ImageFormat) -> Vec<u8> {
    use image::codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder};
    let picture = image::RgbImage::from_pixel(24, 24, image::Rgb(colour));
    let (mut out, icc) = (vec![], profile.encode().unwrap());
    macro_rules! written {
        ($encoder:expr) => {{
            let mut encoder = $encoder;
            encoder.set_icc_profile(icc).unwrap();
            encoder.write_image(&picture, 24, 24, ExtendedColorType::Rgb8).unwrap();
        }};
    }
    match format {
        ImageFormat::Jpeg => written!(JpegEncoder::new_with_quality(&mut out, 98)),
        ImageFormat::WebP => written!(WebPEncoder::new_lossless(&mut out)),
        _ => written!(PngEncoder::new(&mut out)),
    }
    out
}

/// The colour in the middle of both sizes.
fn seen(bytes: &[u8]) -> [u8; 3] {
    let ready = prepare(bytes).unwrap();
    let [full, small] = [&ready.full, &ready.thumbnail].map(|file| {
        let picture = decoded(file).to_rgb8();
        picture.get_pixel(picture.width() / 2, picture.height() / 2).0
    });
    assert!(near(full, small), "{full:?} {small:?}");
    full
}

fn near(one: [u8; 3], other: [u8; 3]) -> bool {
    one.iter().zip(other).all(|(one, other)| one.abs_diff(other) <= 4)
}

#[test]
fn colours_of_a_wide_gamut_are_converted() {
    // By the matrices of CSS Color 4.
    for (p3, srgb) in [
        ([200, 80, 60], [216, 69, 50]),
        ([90, 160, 70], [61, 162, 55]),
        ([60, 90, 180], [50, 91, 186]),
        ([120, 120, 120], [120, 120, 120]),
    ] {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            let wide = seen(&profiled(p3, &ColorProfile::new_display_p3(), format));
            assert!(near(wide, srgb), "{format:?} {p3:?}: {wide:?}, not {srgb:?}");
            let plain = seen(&profiled(p3, &ColorProfile::new_srgb(), format));
            assert!(near(plain, p3), "{format:?} {p3:?} is sRGB already: {plain:?}");
        }
    }
    let adobe = seen(&profiled([90, 160, 70], &ColorProfile::new_adobe_rgb(), ImageFormat::Png));
    assert!(adobe[0] < 60, "{adobe:?}");
}

#[test]
fn a_profile_that_is_not_for_the_picture_or_is_broken_changes_nothing() {
    let gray = ColorProfile::new_gray_with_gamma(1.0);
    assert!(near(seen(&profiled([90, 160, 70], &gray, ImageFormat::Png)), [90, 160, 70]));
    let mut encoder_out = vec![];
    let mut encoder = PngEncoder::new(&mut encoder_out);
    encoder.set_icc_profile(b"no profile at all".to_vec()).unwrap();
    encoder.write_image(&[90, 160, 70].repeat(576), 24, 24, ExtendedColorType::Rgb8).unwrap();
    assert!(near(seen(&encoder_out), [90, 160, 70]));
}

#[test]
fn gray_has_profiles_too() {
    let (mut out, linear) = (vec![], ColorProfile::new_gray_with_gamma(1.0).encode().unwrap());
    let mut encoder = PngEncoder::new(&mut out);
    encoder.set_icc_profile(linear.clone()).unwrap();
    encoder.write_image(&[128; 576], 24, 24, ExtendedColorType::L8).unwrap();
    let seen_png = seen(&out);
    assert!(near(seen_png, [188; 3]), "{seen_png:?}");
    let mut out = vec![];
    let mut encoder = JpegEncoder::new_with_quality(&mut out, 98);
    encoder.set_icc_profile(linear).unwrap();
    encoder.write_image(&[128; 576], 24, 24, ExtendedColorType::L8).unwrap();
    let seen_jpeg = seen(&out);
    assert!(near(seen_jpeg, [188; 3]), "{seen_jpeg:?}");
}

/// A PNG of one colour with a chunk before its pixels.
fn with_chunk(colour: [u8; 3], kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let png = file(&DynamicImage::ImageRgb8(image::RgbImage::from_pixel(24, 24, image::Rgb(colour))), ImageFormat::Png);
    let covered = [kind, data].concat();
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    // The signature and the header.
    let (start, rest) = png.split_at(8 + 25);
    [start, &length, &covered, &crc(&covered).to_be_bytes(), rest].concat()
}

#[test]
fn a_png_may_define_its_colours_in_other_chunks() {
    // Display P3 by code points, then by its chromaticities.
    let coded = seen(&with_chunk([200, 80, 60], b"cICP", &[12, 13, 0, 1]));
    assert!(near(coded, [216, 69, 50]), "{coded:?}");
    let primaries = [31_270_u32, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000];
    let measured = seen(&with_chunk([200, 80, 60], b"cHRM", &primaries.map(u32::to_be_bytes).concat()));
    assert!(near(measured, [216, 69, 50]), "{measured:?}");
    let linear = seen(&with_chunk([128; 3], b"gAMA", &100_000_u32.to_be_bytes()));
    assert!(near(linear, [188; 3]), "{linear:?}");
    let usual = seen(&with_chunk([128; 3], b"gAMA", &45_455_u32.to_be_bytes()));
    assert!(near(usual, [128; 3]), "{usual:?}");
    let nonsense = seen(&with_chunk([128; 3], b"cHRM", &[0; 32]));
    assert!(near(nonsense, [128; 3]), "{nonsense:?}");
}

#[test]
fn a_cmyk_jpeg_is_shown_in_its_colours() {
    let cmyk = decoded(&prepare(SAMPLES[2].1).unwrap().full).to_rgb8();
    let rgb = decoded(&prepare(SAMPLES[0].1).unwrap().full).to_rgb8();
    let mean = |picture: &image::RgbImage| {
        let sum =
            picture.pixels().fold(0_u64, |sum, pixel| sum + pixel.0.iter().map(|part| u64::from(*part)).sum::<u64>());
        sum / (u64::from(picture.width()) * u64::from(picture.height()) * 3)
    };
    assert_eq!(cmyk.dimensions(), rgb.dimensions());
    assert!(mean(&cmyk).abs_diff(mean(&rgb)) < 12, "{} {}", mean(&cmyk), mean(&rgb));
}
