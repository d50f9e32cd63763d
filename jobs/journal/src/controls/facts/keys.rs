//! The keys under which entries look for each other.

use xxhash_rust::xxh3::xxh3_64;

use super::{Kind, Record};
use crate::amount::Amount;
use crate::calendar::{accounting_date, day_number, month_number, period_number};
use crate::controls::registry::{Config, Id};
use crate::controls::text::pattern;
use crate::names::{Names, Sort};
use crate::part::{Entry, Part, Posting};

/// All records of an entry, which is the entry of this number in the part of this number.
pub fn records(
    part: &Part,
    entry: &Entry,
    (part_number, number): (u32, u32),
    names: &Names,
    config: &Config,
    out: &mut Vec<Record>,
) {
    let postings = part.postings_of(entry);
    let hash = xxh3_64(part.id(entry).as_bytes());
    let mut put = |kind: Kind, line: u32, fields: &[i128], (day, extra, value): (i32, i32, i128)| {
        out.push(Record {
            key: key(kind, fields),
            kind,
            entry: hash,
            line,
            day,
            extra,
            value,
            part: part_number,
            number,
        });
    };
    let wants = |id| config.weight(id) > 0;
    let (duplicates, splits) = (wants(Id::Duplicate), wants(Id::Split) && !config.approval_limits.is_empty());
    let recurring = wants(Id::ChangedRecurring);
    let mut buffer = String::new();
    for (line, posting) in postings.iter().enumerate() {
        let line = line as u32;
        let facts = Facts::of(posting);
        let amount = posting.signed;
        if duplicates && amount.abs() >= config.duplicate.least_amount {
            let fields = [facts.entity, facts.currency, facts.account, amount.units(), facts.period];
            put(Kind::Same, line, &fields, (0, 0, 0));
            let has_partner = !names.name(Sort::Partner, posting.partner).is_empty();
            if let (true, Some(day)) = (has_partner, facts.day) {
                let fields = [facts.entity, facts.currency, facts.partner, amount.units()];
                put(Kind::Near, line, &fields, (day, 0, 0));
            }
            if let (true, Some(digits)) = (has_partner, digits(amount)) {
                let fields = [facts.entity, facts.currency, facts.account, facts.partner, facts.side, digits];
                put(Kind::Digits, line, &fields, (0, 0, amount.units()));
            }
        }
        let limits = config.approval_limits.get(names.name(Sort::Currency, posting.currency));
        let highest = limits.into_iter().flatten().max();
        if let (true, Some(day), Some(&highest)) = (splits, facts.day, highest)
            && amount.abs() < highest
            && amount != Amount::ZERO
        {
            let fields =
                [facts.entity, facts.currency, facts.account, facts.side, facts.user, i128::from(day)];
            put(Kind::Together, line, &fields, (day, posting.currency.0 as i32, amount.abs().units()));
        }
        if recurring
            && amount != Amount::ZERO
            && let Some(day) = facts.day
            && let Some(text) = pattern(part, posting, &mut buffer)
        {
            let fields =
                [facts.entity, facts.currency, facts.account, facts.partner, facts.side, i128::from(text)];
            let month = accounting_date(posting).map_or(0, month_number);
            put(Kind::Recurring, line, &fields, (day, month, amount.abs().units()));
        }
    }
    if wants(Id::Reversal)
        && let Some((fields, value)) = turned(postings)
        && let Some(day) = postings.iter().find_map(accounting_date).map(day_number)
    {
        let period = postings.iter().find_map(period_number).unwrap_or_default();
        put(Kind::Turned, 0, &fields, (day, period, value));
    }
}

/// A line's names as the numbers that keys are made of.
struct Facts {
    entity: i128,
    currency: i128,
    account: i128,
    partner: i128,
    user: i128,
    side: i128,
    period: i128,
    day: Option<i32>,
}

impl Facts {
    fn of(posting: &Posting) -> Self {
        Self {
            entity: posting.entity.0.into(),
            currency: posting.currency.0.into(),
            account: posting.account.0.into(),
            partner: posting.partner.0.into(),
            user: posting.user.0.into(),
            side: (posting.side as u8).into(),
            period: period_number(posting).map_or(-1, i128::from),
            day: accounting_date(posting).map(day_number),
        }
    }
}

/// Which digits an amount has in cents, however they are ordered, five bits for the count of each; `None` below 100.00, where exchanged digits are
/// nothing special.
fn digits(amount: Amount) -> Option<i128> {
    let mut rest = amount.units().unsigned_abs() / 100;
    if rest < 10_000 {
        return None;
    }
    let mut counts = [0_u8; 10];
    while rest > 0 {
        counts[(rest % 10) as usize] += 1;
        rest /= 10;
    }
    Some(counts.iter().fold(0, |all, &count| all << 5 | i128::from(count)))
}

/// The accounts and amounts of all lines without their sides as fields of a key, and with their sides as two hashes: as they are, and turned around.
fn turned(postings: &[Posting]) -> Option<([i128; 3], i128)> {
    let of = |signed: fn(&Posting) -> Amount| {
        let mut lines: Vec<(u32, u32, i128)> = postings
            .iter()
            .map(|posting| (posting.account.0, posting.currency.0, signed(posting).units()))
            .collect();
        lines.sort_unstable();
        let bytes: Vec<u8> = lines
            .iter()
            .flat_map(|(account, currency, units)| {
                let names = u64::from(*account) << 32 | u64::from(*currency);
                names.to_le_bytes().into_iter().chain(units.to_le_bytes())
            })
            .collect();
        xxh3_64(&bytes)
    };
    let (plain, opposite) = (of(|posting| posting.signed), of(|posting| -posting.signed));
    // An entry that is its own opposite would be taken for the reversal of every one like it.
    if plain == opposite {
        return None;
    }
    let without_sides = of(|posting| posting.signed.abs());
    let entity = postings.first()?.entity.0;
    let fields = [i128::from(entity), postings.len() as i128, i128::from(without_sides)];
    Some((fields, i128::from(plain) << 64 | i128::from(opposite)))
}

/// The lines of the entry as they are, and turned around.
pub(super) fn both_ways(record: &Record) -> (u64, u64) {
    ((record.value >> 64) as u64, record.value as u64)
}

fn key(kind: Kind, fields: &[i128]) -> u64 {
    let mut bytes = [0; 1 + 6 * 16];
    bytes[0] = kind as u8;
    for (place, field) in bytes[1..].chunks_exact_mut(16).zip(fields) {
        place.copy_from_slice(&field.to_le_bytes());
    }
    xxh3_64(&bytes[..=fields.len() * 16])
}
