//! A ledger for tests, with something of everything that is measured.

use jiff::ToSpan;
use jiff::civil::{Date, date};

use crate::amount::Amount;
use crate::line::{Line, Side};
use crate::spool::{Spool, SpoolWriter};

/// Lines that own their texts.
pub(crate) struct Lines(Vec<Made>);

struct Made {
    entry: String,
    number: u64,
    account: String,
    entity: String,
    source: String,
    document_type: String,
    user: String,
    partner: String,
    header_text: String,
    line_text: String,
    cents: i64,
    side: Side,
    manual: bool,
    effective: Date,
    time: u32,
}

/// `begin` goes before each name that is not common: entries of two ledgers with another beginning have such names apart. Seven hundred entries have so many
/// users and partners that their pairs are counted in the map.
pub(crate) fn ledger(entries: std::ops::Range<u32>, begin: &str) -> Lines {
    let lines = entries.flat_map(|entry| {
        let random = move |salt: u32| {
            xxhash_rust::xxh3::xxh3_64(&(u64::from(entry) << 32 | u64::from(salt)).to_le_bytes())
        };
        let below = move |salt: u32, limit: u64| random(salt) % limit;
        let manual = below(1, 5) == 0;
        let effective = date(2025, 1, 1) + (below(2, 364) as i64).days();
        let header_text = ["", "rent ", "invoice ", "payroll "][below(3, 4) as usize];
        let user = below(23, 600);
        // Half of them have a partner of their own.
        let partner = if below(27, 2) == 0 { user } else { below(24, 600) };
        let cents = 100 + below(4, 1_000_000) as i64;
        (0..2 + below(5, 3)).map(move |line| Made {
            entry: format!("{begin}E{entry:06}"),
            number: line + 1,
            account: format!("{begin}{}", 4_000 + account(random(6 + line as u32))),
            entity: ["1000", "2000"][below(20, 2) as usize].into(),
            source: format!("{begin}{}", ["AP", "AR", "GL"][below(21, 3) as usize]),
            document_type: format!("{begin}{}", ["KR", "DR", "SA"][below(22, 3) as usize]),
            user: format!("{begin}user{user}"),
            partner: format!("{begin}partner{partner}"),
            header_text: if header_text.is_empty() {
                String::new()
            } else {
                format!("{header_text} {begin}")
            },
            line_text: format!(
                "{begin} {}",
                ["desk", "chair", "lamp"][random(25 + line as u32) as usize % 3]
            ),
            cents: if line == 0 { cents } else { cents / (1 + line as i64) },
            side: if line == 0 { Side::Debit } else { Side::Credit },
            manual,
            effective,
            time: below(26, 86_400) as u32,
        })
    });
    Lines(lines.collect())
}

/// One of them has too few debits to be measured by those.
fn account(random: u64) -> u64 {
    if random % 50 == 7 { 1 } else { 100 * (random % 9) }
}

impl Lines {
    pub(crate) fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    /// Read as any ledger is, by its own symbols, in one part.
    pub(crate) fn spooled(&self) -> (tempfile::TempDir, Spool) {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = SpoolWriter::create(folder.path(), 0, 1, 0).unwrap();
        self.iter().for_each(|line| writer.push(&line).unwrap());
        let spool = Spool::new(folder.path().into(), 1, vec![writer.finish().unwrap()]).unwrap();
        (folder, spool)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Line<'_>> {
        self.0.iter().map(|made| Line {
            entry: &made.entry,
            number: Some(made.number),
            account: &made.account,
            entity: &made.entity,
            currency: "EUR",
            source: &made.source,
            document_type: &made.document_type,
            user: &made.user,
            partner: &made.partner,
            header_text: &made.header_text,
            line_text: &made.line_text,
            amount: Amount::from_cents(made.cents),
            side: made.side,
            manual: Some(made.manual),
            effective: Some(made.effective),
            document: Some(made.effective - 3.days()),
            entered: Some(made.effective + 1.day()),
            entered_time: Some(made.time),
            fiscal_year: Some(made.effective.year()),
            period: Some(made.effective.month().cast_unsigned()),
            ..Line::default()
        })
    }
}
