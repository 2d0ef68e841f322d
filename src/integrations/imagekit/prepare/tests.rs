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
        (jpeg(2_600, 1_300), PictureFormat::Jpeg),
        (webp, PictureFormat::Jpeg),
        (file(&clear, ImageFormat::WebP), PictureFormat::Png),
        (file(&opaque, ImageFormat::Png), PictureFormat::Png),
        (file(&clear, ImageFormat::Png), PictureFormat::Png),
        (file(&drawn(2_600, 1_300, 255), ImageFormat::Gif), PictureFormat::Png),
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
        assert!(matches!(prepare(&bytes), Err(PictureError::TooManyPixels)), "{width}x{height}");
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
        assert!(matches!(prepare(bytes), Err(PictureError::Unsupported)));
    }
    assert!(matches!(prepare(&vec![0; MAX_PICTURE_BYTES + 1]), Err(PictureError::TooLarge)));
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
        assert!(matches!(prepare(&whole[..whole.len() / 3]), Err(PictureError::Unsupported)), "{format:?}");
    }
}

#[test]
fn what_hides_in_a_file_does_not_come_out() {
    let mut polyglot = file(&drawn(8, 8, 255), ImageFormat::Gif);
    polyglot.extend_from_slice(b"<script>alert(1)</script>");
    let ready = prepare(&polyglot).unwrap();
    assert_eq!(ready.format, PictureFormat::Png);
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
