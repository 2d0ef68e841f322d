//! Checks whether a file ends where its format says. Decoders accept truncated files and show the missing part in
//! grey.

use image::ImageFormat;

use super::jpeg;

/// Whether the file is complete by its structure. The decoder itself checks that the data has as many pixels as the
/// header says.
pub(super) fn is_whole(bytes: &[u8], source: ImageFormat) -> bool {
    match source {
        ImageFormat::Jpeg => jpeg::is_whole(bytes),
        ImageFormat::Png => png(bytes).is_some(),
        ImageFormat::Gif => gif(bytes).is_some(),
        ImageFormat::WebP => webp(bytes).is_some(),
        _ => false,
    }
}

/// A chunk of a PNG.
pub(super) struct Chunk<'a> {
    pub kind: &'a [u8],
    pub data: &'a [u8],
    crc: &'a [u8],
    /// The kind and the data together.
    covered: &'a [u8],
}

/// The next chunk at `at`, and where the one after it begins.
pub(super) fn chunk(bytes: &[u8], at: usize) -> Option<(Chunk<'_>, usize)> {
    let rest = bytes.get(at..)?;
    let length = usize::try_from(u32::from_be_bytes(rest.get(..4)?.try_into().ok()?)).ok()?;
    let covered = rest.get(4..length.checked_add(8)?)?;
    let crc = rest.get(length + 8..length.checked_add(12)?)?;
    let (kind, data) = covered.split_at(4);
    Some((Chunk { kind, data, crc, covered }, at + length + 12))
}

/// Where the first chunk of a PNG begins.
pub(super) const PNG_BEGINS: usize = 8;

fn png(bytes: &[u8]) -> Option<()> {
    let mut at = PNG_BEGINS;
    loop {
        let (chunk, next) = chunk(bytes, at)?;
        // Damage in chunks that a decoder may ignore is ignored too.
        let critical = chunk.kind.first().is_some_and(u8::is_ascii_uppercase);
        if critical && crc32fast::hash(chunk.covered).to_be_bytes() != *chunk.crc {
            return None;
        }
        if chunk.kind == b"IEND" {
            return Some(());
        }
        at = next;
    }
}

fn gif(bytes: &[u8]) -> Option<()> {
    let colours = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut at = 13 + colours(*bytes.get(10)?);
    loop {
        match *bytes.get(at)? {
            0x3b => return Some(()),
            0x21 => at += 2,
            // The descriptor, its colours, and how many bits a code begins with.
            0x2c => at += 11 + colours(*bytes.get(at + 9)?),
            _ => return None,
        }
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
    }
}

fn webp(bytes: &[u8]) -> Option<()> {
    let size = usize::try_from(u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?)).ok()?;
    let body = bytes.get(12..size.checked_add(8)?)?;
    let mut at = 0;
    while at < body.len() {
        let length = usize::try_from(u32::from_le_bytes(body.get(at + 4..at + 8)?.try_into().ok()?)).ok()?;
        at = at.checked_add(8)?.checked_add(length)?;
        if at > body.len() {
            return None;
        }
        // A chunk of odd length is followed by one byte, which some encoders leave out at the end.
        at += length % 2;
    }
    Some(())
}
