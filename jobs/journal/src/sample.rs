//! A ledger to try things on: a year of a small trading company in the form of the Audit Data Standards, with a few
//! strange entries whose ids are known. The same seed writes the same bytes.
//!
//! It is made to look like a ledger, not to be hard: sources with their own accounts, users, hours and texts, amounts
//! spread log-normally, a little weekend work and a few late postings, so that the strange entries have something to
//! differ from.

use std::io::{self, Write};

use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};

use crate::amount::Amount;

mod chart;

use chart::{PROCESSES, Process};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleParams {
    pub entries: u32,
    pub seed: u64,
}

impl Default for SampleParams {
    fn default() -> Self {
        Self { entries: 20_000, seed: 1 }
    }
}

/// An entry that was made to stand out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strange {
    pub journal_id: String,
    pub what: String,
}

const HEADER: [&str; 16] = [
    "Journal_ID",
    "Journal_ID_Line_Number",
    "JE_Header_Description",
    "JE_Line_Description",
    "Source",
    "Business_Unit_Code",
    "Effective_Date",
    "Fiscal_Year",
    "Period",
    "GL_Account_Number",
    "Amount",
    "Amount_Credit_Debit_Indicator",
    "Amount_Currency",
    "Entered_By",
    "Entered_Date",
    "Entered_Time",
];

const FIRST_ID: u32 = 100_000_000;
const YEAR: i16 = 2025;

/// Writes the ledger and tells which entries are strange, and how.
pub fn write(out: &mut impl Write, params: &SampleParams) -> io::Result<Vec<Strange>> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(HEADER)?;
    let mut strange = Vec::new();
    // Spread over the year, so that neither their ids nor their dates give them away.
    let spacing = params.entries / (ODDITIES.len() as u32 + 1);
    for number in 0..params.entries {
        let mut random = Random::new(params.seed, number);
        let mut entry = Entry::ordinary(number, params.entries, &mut random);
        if let Some(oddity) = oddity_at(number, spacing) {
            entry.make_strange(oddity, &mut random);
            strange.push(Strange { journal_id: entry.id.to_string(), what: oddity.describe().into() });
        }
        entry.write(&mut csv)?;
    }
    csv.flush()?;
    Ok(strange)
}

fn oddity_at(number: u32, spacing: u32) -> Option<Oddity> {
    if spacing == 0 || number == 0 || !number.is_multiple_of(spacing) {
        return None;
    }
    ODDITIES.get((number / spacing) as usize - 1).copied()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Oddity {
    UnknownUserAtNight,
    RoundMillionOnSuspense,
    RevenueReversedWithoutText,
    OutOfBalance,
    Backdated,
    ThousandTimesTooMuch,
    ManyAccounts,
    PayrollByWarehouse,
}

const ODDITIES: [Oddity; 8] = [
    Oddity::UnknownUserAtNight,
    Oddity::RoundMillionOnSuspense,
    Oddity::RevenueReversedWithoutText,
    Oddity::OutOfBalance,
    Oddity::Backdated,
    Oddity::ThousandTimesTooMuch,
    Oddity::ManyAccounts,
    Oddity::PayrollByWarehouse,
];

impl Oddity {
    fn describe(self) -> &'static str {
        match self {
            Self::UnknownUserAtNight => {
                "entered on a Sunday at 02:14 without text by ADMIN99, who entered nothing else"
            }
            Self::RoundMillionOnSuspense => {
                "3,000,000.00 by hand against suspense account 999000, which is used nowhere else"
            }
            Self::RevenueReversedWithoutText => {
                "revenue of 482,500.00 debited against the bank on the year's last evening, without text"
            }
            Self::OutOfBalance => {
                "debits and credits differ by 9,900.00, entered by hand on a Saturday night"
            }
            Self::Backdated => {
                "revenue of 964,000.00 entered by hand on a Sunday, 214 days after its effective date"
            }
            Self::ThousandTimesTooMuch => {
                "a rent a thousand times the usual one, entered on a Saturday evening"
            }
            Self::ManyAccounts => {
                "a line on every account there is, where two are usual, mostly without text"
            }
            Self::PayrollByWarehouse => {
                "wages of over 90,000 paid on a Sunday at 23:41 by a warehouse user as goods received, without text"
            }
        }
    }
}

struct Entry {
    id: u32,
    process: &'static Process,
    user: &'static str,
    unit: &'static str,
    header: String,
    effective: Date,
    entered: Date,
    /// Seconds since midnight.
    time: u32,
    lines: Vec<Line>,
}

struct Line {
    account: u32,
    /// Cents; debits count up, credits down.
    cents: i64,
    text: String,
}

impl Entry {
    fn ordinary(number: u32, of: u32, random: &mut Random) -> Self {
        let process = random.weighted(&PROCESSES, |process| process.share);
        let day_of_year = (u64::from(number) * 365 / u64::from(of.max(1))) as i32;
        let mut entered = plus_days(date(YEAR, 1, 1), day_of_year);
        if random.below(100) >= process.weekend_percent {
            entered = to_weekday(entered);
        }
        // Most is booked for the day itself; some for a few days before; month-end work for the last month's end.
        let effective = match random.below(100) {
            0..60 => entered,
            60..97 => plus_days(entered, -(1 + random.below(6) as i32)),
            _ => plus_days(entered, -(7 + random.below(20) as i32)),
        };
        let (from, to) = process.hours;
        let cents = random.log_normal_cents(process.usual_amount, process.spread);
        let debit = *random.pick(process.debits);
        let credit = *random.pick(process.credits);
        let text = *random.pick(process.texts);
        let line_text =
            |random: &mut Random| if random.below(100) < 12 { String::new() } else { text.to_string() };
        let mut lines = vec![
            Line { account: debit, cents, text: line_text(random) },
            Line { account: credit, cents: -cents, text: line_text(random) },
        ];
        if random.below(100) < process.split_percent {
            // A second cost line, such as tax.
            let part = cents / 5;
            lines[0].cents -= part;
            let account = *random.pick(process.debits);
            lines.push(Line { account, cents: part, text: line_text(random) });
        }
        Self {
            id: FIRST_ID + number,
            process,
            user: *random.pick(process.users),
            unit: *random.pick(&["1000", "1000", "1000", "2000", "2000", "3000"]),
            header: format!("{text} {}", 10_000 + number),
            effective,
            entered,
            time: from * 3_600 + random.below((to - from) * 3_600),
            lines,
        }
    }

    fn make_strange(&mut self, oddity: Oddity, random: &mut Random) {
        match oddity {
            Oddity::UnknownUserAtNight => {
                self.replace("SA", &[(98_000, 4_712_000), (176_000, -4_712_000)]);
                self.clear_texts();
                self.user = "ADMIN99";
                self.enter(to_sunday(self.entered), 2, 14);
            }
            Oddity::RoundMillionOnSuspense => {
                self.replace("SA", &[(999_000, 300_000_000), (113_100, -300_000_000)]);
            }
            Oddity::RevenueReversedWithoutText => {
                self.replace("SA", &[(800_000, 48_250_000), (113_100, -48_250_000)]);
                self.clear_texts();
                self.enter(date(YEAR, 12, 31), 21, 52);
            }
            Oddity::OutOfBalance => {
                self.replace("SA", &[(479_000, 2_740_000), (471_000, 3_000_000), (99_000, -4_750_000)]);
                self.enter(plus_days(to_sunday(self.entered), -1), 22, 37);
            }
            Oddity::Backdated => {
                self.replace("SA", &[(140_000, 96_400_000), (800_000, -96_400_000)]);
                self.enter(to_sunday(self.entered), 17, 5);
                self.effective = plus_days(self.entered, -214);
            }
            Oddity::ThousandTimesTooMuch => {
                self.replace("SA", &[(470_000, 180_000_000), (113_100, -180_000_000)]);
                self.enter(plus_days(to_sunday(self.entered), -1), 20, 26);
            }
            Oddity::ManyAccounts => {
                let each = 10_000 + i64::from(random.below(90_000));
                let mut lines: Vec<_> =
                    chart::accounts().into_iter().map(|account| (account, each)).collect();
                lines.push((113_100, -each * lines.len() as i64));
                self.replace("SA", &lines);
                self.clear_texts();
                self.lines[0].text = "Correction".into();
            }
            Oddity::PayrollByWarehouse => {
                let cents = 9_000_000 + i64::from(random.below(900_000));
                self.replace("WE", &[(430_000, cents), (113_100, -cents)]);
                self.clear_texts();
                self.enter(to_sunday(self.entered), 23, 41);
            }
        }
    }

    fn enter(&mut self, on: Date, hour: u32, minute: u32) {
        self.entered = on;
        self.effective = on;
        self.time = hour * 3_600 + minute * 60;
    }

    fn replace(&mut self, source: &str, lines: &[(u32, i64)]) {
        if let Some(process) = PROCESSES.iter().find(|process| process.source == source) {
            self.process = process;
            self.user = process.users[0];
        }
        self.lines = lines
            .iter()
            .map(|&(account, cents)| Line { account, cents, text: self.process.texts[0].to_string() })
            .collect();
    }

    fn clear_texts(&mut self) {
        self.header.clear();
        for line in &mut self.lines {
            line.text.clear();
        }
    }

    fn write<W: Write>(&self, csv: &mut csv::Writer<W>) -> io::Result<()> {
        for (index, line) in self.lines.iter().enumerate() {
            csv.write_record([
                &*self.id.to_string(),
                &*(index + 1).to_string(),
                &self.header,
                &line.text,
                self.process.source,
                self.unit,
                &*compact(self.effective),
                &*self.effective.year().to_string(),
                &*self.effective.month().to_string(),
                &*line.account.to_string(),
                &*Amount::from_cents(line.cents.abs()).to_string(),
                if line.cents >= 0 { "S" } else { "H" },
                "EUR",
                self.user,
                &*compact(self.entered),
                &*format!("{:02}{:02}{:02}", self.time / 3_600, self.time / 60 % 60, self.time % 60),
            ])?;
        }
        Ok(())
    }
}

fn compact(date: Date) -> String {
    format!("{:04}{:02}{:02}", date.year(), date.month(), date.day())
}

fn plus_days(date: Date, days: i32) -> Date {
    date.saturating_add(jiff::Span::new().days(days))
}

/// Saturday's and Sunday's work is done on the Friday before.
fn to_weekday(date: Date) -> Date {
    plus_days(date, -i32::from((date.weekday().to_monday_zero_offset() - 4).max(0)))
}

fn to_sunday(date: Date) -> Date {
    plus_days(date, -i32::from(date.weekday().to_sunday_zero_offset()))
}

/// SplitMix64, keyed by seed and entry: an entry is the same however many there are before it.
struct Random(u64);

impl Random {
    fn new(seed: u64, entry: u32) -> Self {
        let mut random = Self(seed ^ u64::from(entry).wrapping_mul(0xd134_2543_de82_ef95));
        random.next();
        Self(random.next() ^ seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u32) -> u32 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u32
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u32) as usize]
    }

    fn weighted<'a, T>(&mut self, from: &'a [T], weight: impl Fn(&T) -> u32) -> &'a T {
        let mut left = self.below(from.iter().map(&weight).sum());
        from.iter()
            .find(|item| {
                let found = left < weight(item);
                left = left.saturating_sub(weight(item));
                found
            })
            .unwrap_or(&from[0])
    }

    /// Around `usual` units of currency; `spread` is the standard deviation of its logarithm.
    fn log_normal_cents(&mut self, usual: f64, spread: f64) -> i64 {
        // The sum of twelve uniform numbers is normal enough, and needs no function that differs between machines.
        let unit = 1.0 / (1_u64 << 53) as f64;
        let normal = (0..12).map(|_| (self.next() >> 11) as f64 * unit).sum::<f64>() - 6.0;
        libm::round(usual * libm::exp(normal * spread) * 100.0).max(1.0) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(entries: u32, seed: u64) -> (String, Vec<Strange>) {
        let mut file = Vec::new();
        let strange = write(&mut file, &SampleParams { entries, seed }).unwrap();
        (String::from_utf8(file).unwrap(), strange)
    }

    #[test]
    fn the_same_seed_writes_the_same_bytes_and_another_seed_others() {
        assert_eq!(sample(500, 7), sample(500, 7));
        assert_ne!(sample(500, 7).0, sample(500, 8).0);
    }

    #[test]
    fn every_oddity_has_an_entry_of_its_own() {
        let (file, strange) = sample(500, 7);

        let mut ids: Vec<_> = strange.iter().map(|strange| &strange.journal_id).collect();
        ids.dedup();
        assert_eq!(ids.len(), ODDITIES.len());
        assert!(ids.iter().all(|id| file.contains(&format!("\n{id},1,"))));
    }

    #[test]
    fn a_ledger_too_small_for_strange_entries_has_none() {
        assert!(sample(5, 7).1.is_empty());
        assert_eq!(sample(0, 7).0.lines().count(), 1);
    }
}
