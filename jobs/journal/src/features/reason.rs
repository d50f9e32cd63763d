//! A feature in plain words, with the plain values an auditor can check in the ledger itself.

use super::{
    Feature, Reference, accounting_date, days_to_month_end, distinct_accounts, imbalances, is_night,
    is_weekend, log_amount, longest_lag,
};
use crate::amount::group;
use crate::ledger::{Ledger, Line, Names, Symbol};
use crate::line::Side;

/// Closer to the median than this, an amount is nothing to talk about.
const NOTABLE_DEVIATIONS: f64 = 2.0;

pub(super) fn of(feature: Feature, ledger: &Ledger, reference: &Reference, lines: &[Line]) -> Option<String> {
    let words = Words { ledger, reference, lines };
    match feature {
        Feature::Account => words.rare("account", &ledger.accounts, feature, |line| line.account),
        Feature::User => words.rare("user", &ledger.users, feature, |line| line.user),
        Feature::Source => words.rare("source", &ledger.sources, feature, |line| line.source),
        Feature::BusinessUnit => {
            words.rare("business unit", &ledger.business_units, feature, |line| line.business_unit)
        }
        Feature::AccountOfUser => words.rare_pair("user", feature),
        Feature::AccountOfSource => words.rare_pair("source", feature),
        Feature::SideOfAccount => words.side(),
        Feature::Amount => {
            let line = words.most(feature)?;
            Some(format!("the largest amount is {}", words.amount(line)))
        }
        Feature::AmountInAccount => words.amount_in_account(),
        Feature::RoundAmount => {
            let line = lines.iter().max_by_key(|line| line.signed.trailing_zeros())?;
            let zeros = line.signed.trailing_zeros();
            (zeros > 0).then(|| format!("{} is round: it ends in {}", words.amount(line), zeros_text(zeros)))
        }
        Feature::Weekend => {
            let date = lines.iter().filter_map(|line| line.entered).find(|&date| is_weekend(date))?;
            Some(format!("entered on a {:?}, {date}", date.weekday()))
        }
        Feature::Night => {
            let time = lines.iter().filter_map(|line| line.entered_time).find(|&time| is_night(time))?;
            Some(format!("entered at {:02}:{:02}, between 20:00 and 06:00", time / 3_600, time / 60 % 60))
        }
        Feature::Lag => match longest_lag(lines)? {
            (_, 0) => None,
            (line, days) => {
                let (effective, entered) = (line.effective?, line.entered?);
                let when = if days > 0 { "after" } else { "before" };
                Some(format!(
                    "entered {} {when} its effective date {effective}, on {entered}",
                    count(days.into(), "day")
                ))
            }
        },
        Feature::PeriodEnd => {
            let date =
                lines.iter().filter_map(accounting_date).min_by_key(|&date| days_to_month_end(date))?;
            Some(match days_to_month_end(date) {
                0 => format!("dated {date}, the last day of a month"),
                days => format!("dated {date}, {} from a month end", count(days.into(), "day")),
            })
        }
        Feature::Lines => Some(format!("the entry has {}", count(lines.len() as i64, "line"))),
        Feature::Accounts => {
            Some(format!("the entry touches {}", count(distinct_accounts(lines) as i64, "different account")))
        }
        Feature::Imbalance => {
            let (currency, sum) = imbalances(lines).into_iter().max_by_key(|(_, sum)| sum.abs())?;
            (sum.abs() > crate::amount::Amount::ZERO).then(|| {
                let currency = ledger.currencies.name(currency);
                format!("debits and credits differ by {} {currency}", sum.abs().grouped())
                    .trim_end()
                    .to_string()
            })
        }
        Feature::MissingText => {
            let missing = lines.iter().filter(|line| !line.described).count();
            (missing > 0)
                .then(|| format!("{missing} of {} without any text", count(lines.len() as i64, "line")))
        }
    }
}

struct Words<'a> {
    ledger: &'a Ledger,
    reference: &'a Reference,
    lines: &'a [Line],
}

impl<'a> Words<'a> {
    /// The line the feature's value comes from; the first of equals.
    fn most(&self, feature: Feature) -> Option<&'a Line> {
        let value = |line: &Line| feature.of_line(line, self.reference).unwrap_or(f64::NEG_INFINITY);
        self.lines.iter().rev().max_by(|a, b| value(a).total_cmp(&value(b)))
    }

    fn rare(
        &self,
        what: &str,
        names: &Names,
        feature: Feature,
        symbol: impl Fn(&Line) -> Symbol,
    ) -> Option<String> {
        let symbol = symbol(self.most(feature)?);
        let counts = match feature {
            Feature::Account => &self.reference.accounts,
            Feature::User => &self.reference.users,
            Feature::Source => &self.reference.sources,
            _ => &self.reference.business_units,
        };
        let occurs = occurrences(counts.count(symbol), counts.total, "all");
        Some(match names.name(symbol) {
            "" => format!("no {what} is given, as on {occurs}"),
            name => format!("{what} {name} occurs on {occurs}"),
        })
    }

    fn rare_pair(&self, what: &str, feature: Feature) -> Option<String> {
        let line = self.most(feature)?;
        let (names, given, pairs) = match feature {
            Feature::AccountOfUser => (&self.ledger.users, line.user, &self.reference.accounts_of_users),
            _ => (&self.ledger.sources, line.source, &self.reference.accounts_of_sources),
        };
        let account = self.ledger.accounts.name(line.account);
        let name = named(names, given);
        let whose = format!("{what} {name}'s");
        let occurs = occurrences(pairs.count(given, line.account), pairs.given(given), &whose);
        Some(format!("account {account} occurs on {occurs}"))
    }

    fn side(&self) -> Option<String> {
        let line = self.most(Feature::SideOfAccount)?;
        let sides = &self.reference.sides_of_accounts;
        let account = self.ledger.accounts.name(line.account);
        let occurs = occurrences(
            sides.count(line.account, line.side),
            sides.given(line.account),
            &format!("account {account}'s"),
        );
        Some(format!("a {} is on {occurs}", side(line.side)))
    }

    fn amount_in_account(&self) -> Option<String> {
        let line = self.most(Feature::AmountInAccount)?;
        let spread = self.reference.amounts.of_line(line);
        let deviations = spread.deviations(log_amount(line));
        if deviations < NOTABLE_DEVIATIONS {
            return None;
        }
        let account = self.ledger.accounts.name(line.account);
        let side = side(line.side);
        let usual =
            crate::amount::Amount::from_cents((libm::expm1(spread.median) * 100.0).round() as i64).grouped();
        let whose = match spread.lines {
            0 => "all lines, its account having too few".to_string(),
            lines => format!("{} {side}s of account {account}", group(&lines.to_string())),
        };
        Some(format!(
            "{} is far from the usual {usual}, the median of {whose} ({deviations:.1} robust deviations)",
            self.amount(line)
        ))
    }

    fn amount(&self, line: &Line) -> String {
        let currency = self.ledger.currencies.name(line.currency);
        format!("{} {currency}", line.signed.abs().grouped()).trim_end().to_string()
    }
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Debit => "debit",
        Side::Credit => "credit",
    }
}

fn named(names: &Names, symbol: Symbol) -> &str {
    match names.name(symbol) {
        "" => "(none)",
        name => name,
    }
}

fn zeros_text(zeros: u32) -> String {
    if zeros == 1 { "1 zero".into() } else { format!("{zeros} zeros") }
}

/// "2 of all 41,220 lines", "1 of user MEIER's 7 lines".
fn occurrences(count: u64, total: u64, whose: &str) -> String {
    format!("{} of {whose} {} lines", group(&count.to_string()), group(&total.to_string()))
}

fn count(n: i64, what: &str) -> String {
    let n = n.abs();
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {what}{plural}", group(&n.to_string()))
}
