//! A line as bytes: small numbers in few bytes, text as it is.

use jiff::civil::Date;

use crate::amount::Amount;
use crate::line::{Line, Side};
use crate::names::{FIXED, Ranks, Sort};
use crate::part::{Namer, PartBuilder, Posting, Text};

/// Longer text is cut: nobody reads more in a report, and a ledger may hold anything.
pub(super) const LONGEST_TEXT: usize = 512;

// Which of the optional values follow, and the small ones themselves.
const CREDIT: u64 = 1;
const EFFECTIVE: u64 = 1 << 1;
const DOCUMENT: u64 = 1 << 2;
const ENTERED: u64 = 1 << 3;
const TIME: u64 = 1 << 4;
const YEAR: u64 = 1 << 5;
const PERIOD: u64 = 1 << 6;
const MANUAL_KNOWN: u64 = 1 << 7;
const MANUAL: u64 = 1 << 8;
/// The line's text is its header's.
const SAME_TEXT: u64 = 1 << 9;

pub(super) fn write(line: &Line<'_>, namer: &mut Namer, out: &mut Vec<u8>) {
    let set = |is: bool, flag: u64| if is { flag } else { 0 };
    let flags = set(line.working_side() == Side::Credit, CREDIT)
        | set(line.effective.is_some(), EFFECTIVE)
        | set(line.document.is_some(), DOCUMENT)
        | set(line.entered.is_some(), ENTERED)
        | set(line.entered_time.is_some(), TIME)
        | set(line.fiscal_year.is_some(), YEAR)
        | set(line.period.is_some(), PERIOD)
        | set(line.manual.is_some(), MANUAL_KNOWN)
        | set(line.manual == Some(true), MANUAL)
        | set(line.line_text == line.header_text, SAME_TEXT);
    put_bytes(line.entry, out);
    put(flags.into(), out);
    put(line.number.unwrap_or(0).into(), out);
    put(zigzag(line.signed().units()), out);
    for sort in Sort::all(namer.extra()) {
        put(namer.number(line, sort).into(), out);
    }
    for date in [line.effective, line.document, line.entered].into_iter().flatten() {
        out.extend(date.year().to_le_bytes());
        out.extend([date.month().cast_unsigned(), date.day().cast_unsigned()]);
    }
    if let Some(time) = line.entered_time {
        put(time.into(), out);
    }
    if let Some(year) = line.fiscal_year {
        out.extend(year.to_le_bytes());
    }
    if let Some(period) = line.period {
        out.push(period);
    }
    put_text(line.reference, out);
    put_text(line.reversal_of, out);
    put_text(line.header_text, out);
    if flags & SAME_TEXT == 0 {
        put_text(line.line_text, out);
    }
}

/// Reads one record off the front; `None` if the bytes are none.
pub(super) fn read(bytes: &mut &[u8], ranks: &Ranks, builder: &mut PartBuilder) -> Option<()> {
    let entry = take_text(bytes)?;
    let flags = take(bytes)? as u64;
    let number = take(bytes)? as u64;
    let signed = Amount::from_units(unzigzag(take(bytes)?));
    let mut symbols = [None; FIXED];
    for (symbol, sort) in symbols.iter_mut().zip(Sort::ALL) {
        *symbol = ranks.symbol(sort, u32::try_from(take(bytes)?).ok()?);
    }
    let symbol = |sort: Sort| symbols[sort.index()];
    let extra = Sort::all(ranks.extra()).skip(FIXED);
    let extra =
        extra.map(|sort| ranks.symbol(sort, u32::try_from(take(bytes)?).ok()?)).collect::<Option<_>>()?;
    let mut date = |flag| if flags & flag == 0 { Some(None) } else { take_date(bytes).map(Some) };
    let (effective, document, entered) = (date(EFFECTIVE)?, date(DOCUMENT)?, date(ENTERED)?);
    let entered_time = if flags & TIME == 0 { None } else { Some(take(bytes)? as u32) };
    let fiscal_year = if flags & YEAR == 0 {
        None
    } else {
        Some(i16::from_le_bytes(*take_bytes(bytes, 2)?.first_chunk()?))
    };
    let period = if flags & PERIOD == 0 { None } else { Some(*take_bytes(bytes, 1)?.first()?) };
    let reference = builder.keep(take_text(bytes)?);
    let reversal_of = builder.keep(take_text(bytes)?);
    let header_text: Text = builder.keep(take_text(bytes)?);
    let line_text = if flags & SAME_TEXT == 0 { builder.keep(take_text(bytes)?) } else { header_text };
    let posting = Posting {
        number,
        account: symbol(Sort::Account)?,
        side: if flags & CREDIT == 0 { Side::Debit } else { Side::Credit },
        signed,
        currency: symbol(Sort::Currency)?,
        entity: symbol(Sort::Entity)?,
        ledger: symbol(Sort::Ledger)?,
        business_unit: symbol(Sort::BusinessUnit)?,
        source: symbol(Sort::Source)?,
        document_type: symbol(Sort::DocumentType)?,
        user: symbol(Sort::User)?,
        approver: symbol(Sort::Approver)?,
        partner: symbol(Sort::Partner)?,
        header_head: symbol(Sort::HeaderHead)?,
        line_head: symbol(Sort::LineHead)?,
        reference_pattern: symbol(Sort::ReferencePattern)?,
        manual: (flags & MANUAL_KNOWN != 0).then_some(flags & MANUAL != 0),
        effective,
        document,
        entered,
        entered_time,
        fiscal_year,
        period,
        reference,
        reversal_of,
        header_text,
        line_text,
        extra,
    };
    builder.push(entry, posting);
    Some(())
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn put(mut number: u128, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u128> {
    // Nine bytes fit into a word, and hardly any number has more.
    let mut low = 0_u64;
    for shift in (0..63).step_by(7) {
        let byte = take_byte(bytes)?;
        low |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(low.into());
        }
    }
    let mut number = u128::from(low);
    for shift in (63..128).step_by(7) {
        let byte = take_byte(bytes)?;
        number |= u128::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (&byte, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(byte)
}

fn zigzag(number: i128) -> u128 {
    ((number << 1) ^ (number >> 127)).cast_unsigned()
}

fn unzigzag(number: u128) -> i128 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

fn put_bytes(text: &str, out: &mut Vec<u8>) {
    put(text.len() as u128, out);
    out.extend(text.as_bytes());
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    put_bytes(&text[..text.floor_char_boundary(LONGEST_TEXT)], out);
}

fn take_bytes<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let length = take(bytes)? as usize;
    std::str::from_utf8(take_bytes(bytes, length)?).ok()
}

fn take_date(bytes: &mut &[u8]) -> Option<Date> {
    let raw: [u8; 4] = *take_bytes(bytes, 4)?.first_chunk()?;
    Date::new(i16::from_le_bytes([raw[0], raw[1]]), raw[2].cast_signed(), raw[3].cast_signed()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn numbers_of_any_size_come_back(number: i128) {
            let mut bytes = Vec::new();
            put(zigzag(number), &mut bytes);

            let mut rest = bytes.as_slice();

            prop_assert_eq!(take(&mut rest).map(unzigzag), Some(number));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn bytes_that_are_no_record_are_refused_without_a_panic(bytes: Vec<u8>) {
            let mut namer = Namer::new(0);
            write(&Line::default(), &mut namer, &mut Vec::new());
            let (_, ranks) = crate::names::Names::of(vec![namer.finish()]).unwrap();
            let mut rest = bytes.as_slice();

            while !rest.is_empty() && read(&mut rest, &ranks[0], &mut PartBuilder::default()).is_some() {}
        }

        #[test]
        fn a_changed_byte_is_refused_or_read_without_a_panic(at in 0..60_usize, change in 1..=255_u8) {
            let (mut namer, mut bytes) = (Namer::new(0), Vec::new());
            let line = Line { entry: "JE-1", line_text: "Miete", effective: Some(jiff::civil::date(2025, 1, 31)), ..Line::default() };
            write(&line, &mut namer, &mut bytes);
            let (_, ranks) = crate::names::Names::of(vec![namer.finish()]).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= change;

            let mut rest = bytes.as_slice();
            while !rest.is_empty() && read(&mut rest, &ranks[0], &mut PartBuilder::default()).is_some() {}
        }
    }
}
