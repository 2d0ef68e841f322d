//! Checks whether the entropy-coded data of a JPEG is complete.
//!
//! Decoders show the available part of a truncated file and fill the rest with grey. Here the Huffman codes of every
//! scan are read, baseline and progressive, without decoding pixels: a scan that ends before its last block, an
//! invalid code, a restart marker that is not the next one and a file without an end are damage.
//!
//! **Invariant:** memory is bounded by the dimensions in the header, which the caller has checked.

/// The most scans in a file; encoders make about ten.
const SCANS_MAX: usize = 100;
/// Bytes that some encoders leave between a scan's last block and the next marker.
const PADDING_MAX: usize = 64;

/// Whether the picture is complete.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    File { bytes, at: 2, frame: None, tables: Tables::default(), restart: 0, scans: 0 }.walk().is_some()
}

struct File<'a> {
    bytes: &'a [u8],
    at: usize,
    frame: Option<Frame>,
    tables: Tables,
    /// MCUs between two restart markers; none when 0.
    restart: usize,
    scans: usize,
}

struct Frame {
    progressive: bool,
    width: usize,
    height: usize,
    /// The largest sampling factors.
    most: (usize, usize),
    components: Vec<Component>,
}

struct Component {
    id: u8,
    /// Sampling factors.
    across: usize,
    down: usize,
    /// Blocks in a row, with those that fill up the last MCU.
    stride: usize,
    scanned: bool,
    /// For each block, which coefficients are known not to be zero. Only a progressive file's refinements need it.
    nonzero: Vec<u64>,
}

#[derive(Default)]
struct Tables {
    dc: [Option<Huffman>; 4],
    ac: [Option<Huffman>; 4],
}

struct Huffman {
    /// By the next nine bits: the code's length and its value; a length of 0 is a longer code.
    short: Vec<(u8, u8)>,
    /// By length: the first code, how many there are, and where their values begin.
    by_length: [(u32, u32, usize); 17],
    values: Vec<u8>,
}

impl Huffman {
    fn new(counts: &[u8], values: &[u8]) -> Option<Self> {
        let mut table = Self { short: vec![(0, 0); 512], by_length: [(0, 0, 0); 17], values: values.to_vec() };
        let (mut code, mut first) = (0_u32, 0_usize);
        for (length, count) in (1_u8..).zip(counts) {
            let count = u32::from(*count);
            if code + count > 1 << length {
                return None;
            }
            table.by_length[usize::from(length)] = (code, count, first);
            for (code, value) in (code..code + count).zip(values.get(first..)?) {
                if let Some(free) = 9_u8.checked_sub(length) {
                    let begin = usize::try_from(code).ok()? << free;
                    table.short.get_mut(begin..begin + (1 << free))?.fill((length, *value));
                }
            }
            first += usize::try_from(count).ok()?;
            code = (code + count) << 1;
        }
        (first == values.len()).then_some(table)
    }
}

/// A component of a scan.
#[derive(Clone, Copy)]
struct Part {
    component: usize,
    dc: usize,
    ac: usize,
}

/// The coefficients that a scan codes.
struct Scan {
    parts: Vec<Part>,
    /// First and last coefficient.
    band: (u32, u32),
    /// Whether it refines earlier scans.
    refines: bool,
}

impl<'a> File<'a> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// The next marker; at most this many other bytes before it are skipped.
    fn marker(&mut self, most: usize) -> Option<u8> {
        let begun = self.at;
        loop {
            if self.byte()? == 0xff {
                let mut code = self.byte()?;
                while code == 0xff {
                    code = self.byte()?;
                }
                if code != 0 {
                    return Some(code);
                }
            }
            if self.at - begun > most {
                return None;
            }
        }
    }

    fn segment(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(u16::from_be_bytes([self.byte()?, self.byte()?])).checked_sub(2)?;
        let segment = self.bytes.get(self.at..self.at + length)?;
        self.at += length;
        Some(segment)
    }

    /// `None` for damage.
    fn walk(mut self) -> Option<()> {
        loop {
            match self.marker(usize::MAX)? {
                0xd9 => {
                    let frame = self.frame.as_ref()?;
                    return frame.components.iter().all(|component| component.scanned).then_some(());
                }
                0x01 | 0xd0..=0xd8 => {}
                0xc4 => self.huffman_tables()?,
                0xc0..=0xc2 if self.frame.is_some() => return None,
                code @ 0xc0..=0xc2 => {
                    let frame = Frame::read(self.segment()?, code == 0xc2)?;
                    self.frame = Some(frame);
                }
                // Lossless, hierarchical and arithmetic files, which no browser shows.
                0xc3 | 0xc5..=0xcb | 0xcd..=0xcf => return None,
                0xdd => self.restart = usize::from(u16::from_be_bytes(self.segment()?.try_into().ok()?)),
                0xda => self.scan()?,
                _ => {
                    self.segment()?;
                }
            }
        }
    }

    fn huffman_tables(&mut self) -> Option<()> {
        let mut rest = self.segment()?;
        while let [head, ..] = rest {
            let counts = rest.get(1..17)?;
            let all: usize = counts.iter().map(|count| usize::from(*count)).sum();
            let table = Huffman::new(counts, rest.get(17..17 + all)?)?;
            let tables = if head >> 4 == 0 { &mut self.tables.dc } else { &mut self.tables.ac };
            *tables.get_mut(usize::from(head & 15))? = Some(table);
            rest = rest.get(17 + all..)?;
        }
        Some(())
    }

    fn scan(&mut self) -> Option<()> {
        self.scans += 1;
        if self.scans > SCANS_MAX {
            return None;
        }
        let head = self.segment()?;
        let frame = self.frame.as_mut()?;
        let scan = Scan::read(head, frame)?;
        let mut bits = Bits { bytes: self.bytes, at: self.at, kept: 0, count: 0 };
        frame.walk(&scan, &self.tables, self.restart, &mut bits)?;
        self.at = bits.at;
        // The marker that ends the scan is near; it is read again.
        self.marker(PADDING_MAX)?;
        self.at = bits.at;
        Some(())
    }
}

impl Frame {
    fn read(segment: &[u8], progressive: bool) -> Option<Self> {
        let [_, h1, h2, w1, w2, count, parts @ ..] = segment else { return None };
        let (height, width) =
            (usize::from(u16::from_be_bytes([*h1, *h2])), usize::from(u16::from_be_bytes([*w1, *w2])));
        if width == 0 || height == 0 || !(1..=4).contains(count) || parts.len() < usize::from(*count) * 3 {
            return None;
        }
        let sampled = parts.chunks_exact(3).take(usize::from(*count)).map(|part| {
            let (across, down) = (usize::from(part[1] >> 4), usize::from(part[1] & 15));
            let fits = (1..=4).contains(&across) && (1..=4).contains(&down);
            fits.then_some((part[0], across, down))
        });
        let sampled: Vec<_> = sampled.collect::<Option<_>>()?;
        let most = (sampled.iter().map(|part| part.1).max()?, sampled.iter().map(|part| part.2).max()?);
        let (columns, rows) = (width.div_ceil(8 * most.0), height.div_ceil(8 * most.1));
        let components = sampled.into_iter().map(|(id, across, down)| {
            let stride = columns * across;
            let blocks = if progressive { stride * rows * down } else { 0 };
            Component { id, across, down, stride, scanned: false, nonzero: vec![0; blocks] }
        });
        Some(Self { progressive, width, height, most, components: components.collect() })
    }

    /// Reads the blocks of a scan.
    fn walk(&mut self, scan: &Scan, tables: &Tables, restart: usize, bits: &mut Bits<'_>) -> Option<()> {
        for part in &scan.parts {
            self.components.get_mut(part.component)?.scanned = true;
        }
        let ((columns, rows), single) = self.units(scan)?;
        let (mut run, mut next) = (0, 0_u8);
        for unit in 0..columns * rows {
            if restart > 0 && unit > 0 && unit % restart == 0 {
                bits.restart(next)?;
                (run, next) = (0, (next + 1) % 8);
            }
            let (column, row) = (unit % columns, unit / columns);
            for part in &scan.parts {
                let component = self.components.get_mut(part.component)?;
                let (across, down) = if single { (1, 1) } else { (component.across, component.down) };
                for block in 0..across * down {
                    let (x, y) = (column * across + block % across, row * down + block / across);
                    let nonzero = if self.progressive && scan.band.0 > 0 {
                        component.nonzero.get_mut(y * component.stride + x)?
                    } else {
                        &mut 0
                    };
                    let (dc, ac) = (tables.dc.get(part.dc)?.as_ref(), tables.ac.get(part.ac)?.as_ref());
                    if self.progressive {
                        progressive_block(scan, dc, ac, &mut run, nonzero, bits)?;
                    } else {
                        block_of_all(dc?, ac?, bits)?;
                    }
                }
            }
        }
        Some(())
    }

    /// How many MCUs a scan has across and down, and whether each is one block.
    fn units(&self, scan: &Scan) -> Option<((usize, usize), bool)> {
        let [part] = scan.parts.as_slice() else {
            let across = self.width.div_ceil(8 * self.most.0);
            return Some(((across, self.height.div_ceil(8 * self.most.1)), false));
        };
        let component = self.components.get(part.component)?;
        let across = (self.width * component.across).div_ceil(self.most.0).div_ceil(8);
        Some(((across, (self.height * component.down).div_ceil(self.most.1).div_ceil(8)), true))
    }
}

impl Scan {
    fn read(head: &[u8], frame: &Frame) -> Option<Self> {
        let count = usize::from(*head.first()?);
        let parts = head.get(1..1 + count * 2)?.chunks_exact(2).map(|part| {
            let component = frame.components.iter().position(|component| component.id == part[0])?;
            Some(Part { component, dc: usize::from(part[1] >> 4), ac: usize::from(part[1] & 15) })
        });
        let parts: Vec<Part> = parts.collect::<Option<_>>()?;
        let [first, last, approximation] = head.get(1 + count * 2..)? else { return None };
        let band = (u32::from(*first), u32::from(*last));
        // A scan of a progressive file has either the first coefficient, or others of one component.
        let fits = match band {
            _ if !frame.progressive => true,
            (0, last) => last == 0,
            (first, last) => first <= last && last < 64 && parts.len() == 1,
        };
        (fits && !parts.is_empty()).then_some(Self { parts, band, refines: approximation >> 4 != 0 })
    }
}

/// A block of a file that is not progressive.
fn block_of_all(dc: &Huffman, ac: &Huffman, bits: &mut Bits<'_>) -> Option<()> {
    let size = bits.decode(dc)?;
    bits.take(u32::from(size))?;
    let mut at = 1;
    while at < 64 {
        let symbol = bits.decode(ac)?;
        let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        match (zeros, size) {
            (15, 0) => at += 16,
            (_, 0) => break,
            _ => {
                at += zeros + 1;
                if at > 64 {
                    return None;
                }
                bits.take(size)?;
            }
        }
    }
    Some(())
}

/// A block's part of a scan of a progressive file. `run` counts the blocks that follow and have
/// nothing new in this band.
fn progressive_block(
    scan: &Scan,
    dc: Option<&Huffman>,
    ac: Option<&Huffman>,
    run: &mut u32,
    nonzero: &mut u64,
    bits: &mut Bits<'_>,
) -> Option<()> {
    let (first, last) = scan.band;
    if first == 0 {
        let size = if scan.refines { 1 } else { u32::from(bits.decode(dc?)?) };
        bits.take(size)?;
        return Some(());
    }
    let mut at = first;
    if *run == 0 {
        while at <= last {
            let symbol = bits.decode(ac?)?;
            let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 && zeros < 15 {
                *run = (1 << zeros) + bits.take(zeros)?;
                break;
            }
            if scan.refines {
                bits.take(size.min(1))?;
                at = skip(at, last, zeros, *nonzero, bits)?;
            } else {
                at += zeros;
                bits.take(size)?;
            }
            if size > 0 {
                if at > last {
                    return None;
                }
                *nonzero |= 1 << at;
            }
            at += 1;
        }
    }
    if *run > 0 {
        if scan.refines {
            skip(at, last, u32::MAX, *nonzero, bits)?;
        }
        *run -= 1;
    }
    Some(())
}

/// Skips known coefficients, each of which has a bit, and this many zeros; returns the position of the next zero.
fn skip(mut at: u32, last: u32, mut zeros: u32, nonzero: u64, bits: &mut Bits<'_>) -> Option<u32> {
    while at <= last {
        if nonzero & (1 << at) != 0 {
            bits.take(1)?;
        } else if zeros == 0 {
            break;
        } else {
            zeros -= 1;
        }
        at += 1;
    }
    Some(at)
}

/// Bits of entropy-coded data, up to the next marker.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    kept: u64,
    count: u32,
}

impl Bits<'_> {
    fn fill(&mut self) {
        while self.count <= 48 {
            let Some(byte) = self.bytes.get(self.at) else { return };
            match (*byte, self.bytes.get(self.at + 1)) {
                (0xff, Some(0)) => self.at += 2,
                (0xff, _) => return,
                _ => self.at += 1,
            }
            self.kept = (self.kept << 8) | u64::from(*byte);
            self.count += 8;
        }
    }

    /// The next bits, 16 at most; `None` when there are too few.
    fn take(&mut self, count: u32) -> Option<u32> {
        if self.count < count {
            self.fill();
        }
        self.count = self.count.checked_sub(count)?;
        u32::try_from((self.kept >> self.count) & ((1 << count) - 1)).ok()
    }

    fn decode(&mut self, table: &Huffman) -> Option<u8> {
        if self.count < 16 {
            self.fill();
        }
        let next = if self.count >= 16 { self.kept >> (self.count - 16) } else { self.kept << (16 - self.count) };
        let next = u32::try_from(next & 0xffff).ok()?;
        let (length, value) = *table.short.get(usize::try_from(next >> 7).ok()?)?;
        if length > 0 {
            self.count = self.count.checked_sub(u32::from(length))?;
            return Some(value);
        }
        for length in 10..=16_u32 {
            let (first, count, values) = *table.by_length.get(usize::try_from(length).ok()?)?;
            let code = next >> (16 - length);
            if let Some(nth) = code.checked_sub(first).filter(|nth| *nth < count) {
                self.count = self.count.checked_sub(length)?;
                return table.values.get(values + usize::try_from(nth).ok()?).copied();
            }
        }
        None
    }

    /// Skips the next restart marker, which must have this number.
    fn restart(&mut self, number: u8) -> Option<()> {
        (self.kept, self.count) = (0, 0);
        let begun = self.at;
        while *self.bytes.get(self.at)? != 0xff || self.bytes.get(self.at + 1) == Some(&0) {
            self.at += 1;
            if self.at - begun > PADDING_MAX {
                return None;
            }
        }
        while self.bytes.get(self.at + 1) == Some(&0xff) {
            self.at += 1;
        }
        (self.bytes.get(self.at + 1) == Some(&(0xd0 + number))).then(|| self.at += 2)
    }
}
