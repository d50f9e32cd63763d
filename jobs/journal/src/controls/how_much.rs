//! M: how much it moves.

use serde::{Deserialize, Serialize};

use super::facts::What;
use super::lists::{PerCurrency, check_amounts};
use super::norms::{Whose, side};
use super::summary::log_amount;
use super::{
    Control, Hit, Id, Norms, Said, Value, View, Wrong, account, amount, at_least_one, count, currency, named,
    user, worst,
};
use crate::amount::Amount;
use crate::benford;
use crate::names::Sort;
use crate::part::Posting;

/// M1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Material {
    /// A line of more is material.
    pub materiality: PerCurrency<Amount>,
}

impl Control for Material {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let hit = worst(view.postings, |posting| {
            let materiality = *self.materiality.get(view.name(Sort::Currency, posting))?;
            (posting.signed.abs() > materiality).then_some((posting.signed.abs(), materiality))
        })?;
        let materiality = ("materiality", Value::Amount(hit.key.1));
        let values = [account(hit.posting), amount(hit.posting), currency(hit.posting), materiality];
        let said = Said::new("{amount} {currency} on account {account}, more than {materiality}", values);
        Some(Hit::new(Id::Material, hit.lines, said))
    }

    fn check(&self) -> Result<(), Wrong> {
        check_amounts("materiality", self.materiality.iter().map(|(_, amount)| amount))
    }

    fn idle(&self, _norms: &Norms) -> Option<&'static str> {
        self.materiality.is_empty().then_some("`materiality` is not set")
    }
}

/// M2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnusualAmount {
    /// So many robust standard deviations above the median of the account's side, in logarithms.
    pub deviations: f64,
    /// Of an account with fewer lines on the side, no amount is usual.
    pub least_lines: u64,
}

impl Default for UnusualAmount {
    fn default() -> Self {
        Self { deviations: 5.0, least_lines: 20 }
    }
}

impl Control for UnusualAmount {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let least = (self.deviations * 100.0) as i64;
        let hit = worst(view.postings, |posting| {
            let spread = view.norms().spread(posting).filter(|spread| spread.lines >= self.least_lines)?;
            Some(spread.deviations(log_amount(posting))).filter(|&deviations| deviations >= least)
        })?;
        let spread = view.norms().spread(hit.posting)?;
        // The median of a histogram is not exact to the cent, and must not look like it.
        let median = Amount::from_cents(libm::round(libm::expm1(spread.median)) as i64 * 100);
        let values = [
            account(hit.posting),
            amount(hit.posting),
            currency(hit.posting),
            ("side", Value::Text(side(hit.posting.side).into())),
            ("median", Value::Amount(median)),
            ("deviations", Value::Hundredths(hit.key)),
            count("lines", spread.lines),
        ];
        let sentence = "{amount} {currency} on account {account}, {deviations} deviations above about {median}, the median of {lines} \
                        {side} lines";
        Some(Hit::new(Id::UnusualAmount, hit.lines, Said::new(sentence, values)))
    }

    fn check(&self) -> Result<(), Wrong> {
        if !(0.5..=100.0).contains(&self.deviations) {
            let problem = format!("{} is no number of deviations", self.deviations);
            return Err(Wrong { field: "deviations", problem, remedy: "write 0.5 to 100" });
        }
        at_least_one("least_lines", self.least_lines)
    }
}

/// M3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Round {
    /// A whole amount that ends with so many zeros is round: 3 for thousands.
    pub zeros: u32,
}

impl Default for Round {
    fn default() -> Self {
        Self { zeros: 3 }
    }
}

impl Control for Round {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let hit = worst(view.postings, |posting| {
            let zeros = posting.signed.trailing_zeros();
            (zeros >= self.zeros).then_some((zeros, posting.signed.abs()))
        })?;
        let values = [
            account(hit.posting),
            amount(hit.posting),
            currency(hit.posting),
            count("zeros", hit.key.0.into()),
        ];
        let said = Said::new("{amount} {currency} on account {account}: {zeros} zeros", values);
        Some(Hit::new(Id::Round, hit.lines, said))
    }

    fn check(&self) -> Result<(), Wrong> {
        at_least_one("zeros", self.zeros.into())
    }
}

/// M4.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ending {
    /// Last digits: of whole amounts (`999`), or with decimals (`9.99`).
    pub endings: Vec<String>,
}

impl Default for Ending {
    fn default() -> Self {
        Self { endings: vec!["999".into(), "999.99".into()] }
    }
}

impl Control for Ending {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let endings: Vec<(i128, i128, &String)> =
            self.endings.iter().filter_map(|text| ending(text)).collect();
        let found = |posting: &Posting| {
            let units = posting.signed.abs().units();
            endings.iter().find(|(modulus, rest, _)| units % modulus == *rest)
        };
        let hit = worst(view.postings, |posting| found(posting).map(|_| posting.signed.abs()))?;
        let (_, _, ending) = found(hit.posting)?;
        let ending = Value::Text(ending.as_str().into());
        let values = [account(hit.posting), amount(hit.posting), currency(hit.posting), ("ending", ending)];
        let said = Said::new("{amount} {currency} on account {account} ends with {ending}", values);
        Some(Hit::new(Id::Ending, hit.lines, said))
    }

    fn check(&self) -> Result<(), Wrong> {
        let readable = |text: &String| {
            text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && ending(text).is_some()
        };
        match self.endings.iter().find(|text| !readable(text)) {
            None => Ok(()),
            Some(ending) => Err(Wrong {
                field: "endings",
                problem: format!("no amount ends with `{ending}`"),
                remedy: "write digits, with a point before decimals",
            }),
        }
    }

    fn idle(&self, _norms: &Norms) -> Option<&'static str> {
        self.endings.is_empty().then_some("no `endings` are listed")
    }
}

/// The units that are left of an amount with this ending, and after division by what.
fn ending(text: &String) -> Option<(i128, i128, &String)> {
    let whole = text.split_once('.').map_or(text.as_str(), |(whole, _)| whole);
    let modulus = 10_i128
        .checked_pow(u32::try_from(whole.len()).ok()?)?
        .checked_mul(Amount::from_cents(100).units())?;
    Some((modulus, text.parse::<Amount>().ok()?.units(), text))
}

/// M5.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JustBelow {
    /// Below an approval limit by this share of it or less.
    pub percent: u32,
}

impl Default for JustBelow {
    fn default() -> Self {
        Self { percent: 5 }
    }
}

impl Control for JustBelow {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let limits = &view.scene.config.approval_limits;
        let hit = worst(view.postings, |posting| {
            let amount = posting.signed.abs();
            let near = |limit: &&Amount| {
                let least = limit.units() * i128::from(100 - self.percent);
                amount < **limit && amount.units() * 100 >= least
            };
            limits.get(view.name(Sort::Currency, posting))?.iter().filter(near).max().copied()
        })?;
        let limit = ("limit", Value::Amount(hit.key));
        let values = [account(hit.posting), amount(hit.posting), currency(hit.posting), limit];
        let said =
            Said::new("{amount} {currency} on account {account}, just below the limit of {limit}", values);
        Some(Hit::new(Id::JustBelow, hit.lines, said))
    }

    fn check(&self) -> Result<(), Wrong> {
        match self.percent {
            1..=50 => Ok(()),
            percent => {
                let problem = format!("{percent} % below is not just below");
                Err(Wrong { field: "percent", problem, remedy: "write 1 to 50" })
            }
        }
    }
}

/// M6. Its facts are made in [`super::facts`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Split {
    /// Lines of less than this share of the limit are no parts of a split.
    pub least_percent: u32,
    /// So many lines of a user and account on a day are their daily work.
    pub most_lines: u32,
}

impl Default for Split {
    fn default() -> Self {
        Self { least_percent: 20, most_lines: 10 }
    }
}

impl Control for Split {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let mut lines = Vec::new();
        let mut greatest = None;
        for fact in view.facts {
            if let What::Split { lines: all, sum, limit } = fact.what {
                lines.push(fact.line);
                greatest = greatest.max(Some((limit, sum, all, fact.line, fact.other)));
            }
        }
        let (limit, sum, all, line, other) = greatest?;
        let posting = view.postings.get(line as usize)?;
        let values = [
            user(posting),
            account(posting),
            count("lines", all),
            ("sum", Value::Amount(sum)),
            currency(posting),
            ("limit", Value::Amount(limit)),
        ];
        let sentence = "{user} posted {lines} lines of the day on account {account}, {sum} {currency} in sum, each below the limit of {limit}";
        Some(Hit::new(Id::Split, lines, Said::new(sentence, values)).with(other))
    }

    fn check(&self) -> Result<(), Wrong> {
        if self.least_percent >= 100 {
            let problem = format!("no line below a limit is {} % of it", self.least_percent);
            return Err(Wrong { field: "least_percent", problem, remedy: "write 0 to 99" });
        }
        if self.most_lines < 2 {
            let problem = format!("{} lines are no split", self.most_lines);
            return Err(Wrong { field: "most_lines", problem, remedy: "write 2 or more" });
        }
        Ok(())
    }
}

/// M7.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Zero {}

impl Control for Zero {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let hit = worst(view.postings, |posting| (posting.signed == Amount::ZERO).then_some(()))?;
        let values = [account(hit.posting), count("count", hit.lines.len() as u64)];
        let said = Said::new("lines of 0.00: {count}, on account {account}", values);
        Some(Hit::new(Id::Zero, hit.lines, said))
    }

    fn check(&self) -> Result<(), Wrong> {
        Ok(())
    }
}

/// M8. A line is hit whose first two digits are too frequent in the ledger, its account or its user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Benford {
    /// Fewer amounts of ten and more say nothing of their digits.
    pub least_amounts: u64,
    /// Digits are looked at where their mean absolute deviation is greater: 0.0022 is nonconformity.
    pub mad: f64,
    /// So many standard deviations above their share.
    pub z: f64,
}

impl Default for Benford {
    fn default() -> Self {
        Self { least_amounts: 1_000, mad: 0.0022, z: 5.0 }
    }
}

impl Control for Benford {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let hit = worst(view.postings, |posting| {
            let digits = benford::first_two(posting.signed)?;
            let excess = |whose| {
                let slice = view.norms().slice(whose)?;
                let digit = slice.digit(digits);
                let too_many =
                    slice.amounts >= self.least_amounts && slice.mad > self.mad && digit.z >= self.z;
                too_many.then_some((digit.z, whose))
            };
            // The narrower population says more, where they say the same.
            [Whose::User(posting.user), Whose::Account(posting.account), Whose::All]
                .into_iter()
                .filter_map(excess)
                .reduce(|best, next| if next.0 > best.0 { next } else { best })
                .map(|(z, whose)| Excess { z, whose, digits })
        })?;
        let Excess { z, whose, digits } = hit.key;
        let slice = view.norms().slice(whose)?;
        let digit = slice.digit(digits);
        let percent = |share: f64| Value::Hundredths(libm::round(share * 10_000.0) as i64);
        let whom = match whose {
            Whose::All => ("whom", Value::Text("the ledger".into())),
            Whose::Account(account) => named("whom", Sort::Account, account),
            Whose::User(user) => named("whom", Sort::User, user),
        };
        let values = [
            amount(hit.posting),
            count("digits", digits.into()),
            whom,
            ("found", percent(digit.observed as f64 / slice.amounts as f64)),
            ("expected", percent(digit.expected)),
            count("amounts", slice.amounts),
            ("z", Value::Hundredths(libm::round(z * 100.0) as i64)),
        ];
        let sentence = match whose {
            Whose::All => {
                "{amount} begins with {digits}, as {found} % of {amounts} amounts of {whom} do, and {expected} % would by Benford's law (z {z})"
            }
            Whose::Account(_) => {
                "{amount} begins with {digits}, as {found} % of {amounts} amounts of account {whom} do, and {expected} % would by Benford's \
                 law (z {z})"
            }
            Whose::User(_) => {
                "{amount} begins with {digits}, as {found} % of {amounts} amounts of user {whom} do, and {expected} % would by Benford's law \
                 (z {z})"
            }
        };
        Some(Hit::new(Id::Benford, hit.lines, Said::new(sentence, values)))
    }

    fn check(&self) -> Result<(), Wrong> {
        at_least_one("least_amounts", self.least_amounts)?;
        for (field, value) in [("mad", self.mad), ("z", self.z)] {
            if !value.is_finite() || value < 0.0 {
                let problem = format!("{value} is no bound");
                return Err(Wrong { field, problem, remedy: "write a number of 0 or more" });
            }
        }
        Ok(())
    }

    fn idle(&self, norms: &Norms) -> Option<&'static str> {
        let amounts = norms.slice(Whose::All).map_or(0, |slice| slice.amounts);
        (amounts < self.least_amounts)
            .then_some("the ledger has fewer amounts of ten and more than `least_amounts`")
    }
}

#[derive(Debug, Clone, Copy)]
struct Excess {
    z: f64,
    whose: Whose,
    digits: u8,
}

impl PartialEq for Excess {
    fn eq(&self, other: &Self) -> bool {
        self.z == other.z
    }
}

impl PartialOrd for Excess {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.z.partial_cmp(&other.z)
    }
}

#[cfg(test)]
mod tests;
