//! Lists of the configuration: accounts by pattern, amounts per currency.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Wrong;
use crate::amount::Amount;

/// Accounts by number `4711`, by beginning `47*`, or by range `4700-4799`, in which numbers of another length do not lie.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Accounts(Vec<String>);

impl Accounts {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, account: &str) -> bool {
        self.0.iter().any(|pattern| matches(pattern, account))
    }

    pub(super) fn check(&self, field: &'static str) -> Result<(), Wrong> {
        let remedy = "write a number, a beginning like `47*` or a range like `4700-4799`";
        for pattern in &self.0 {
            let range_is_turned =
                pattern.split_once('-').is_some_and(|(from, to)| from.len() == to.len() && from > to);
            if pattern.trim().is_empty() || pattern.trim_end_matches('*').contains('*') || range_is_turned {
                return Err(Wrong { field, problem: format!("`{pattern}` names no account"), remedy });
            }
        }
        Ok(())
    }
}

impl<const N: usize> From<[&str; N]> for Accounts {
    fn from(patterns: [&str; N]) -> Self {
        Self(patterns.map(String::from).to_vec())
    }
}

fn matches(pattern: &str, account: &str) -> bool {
    if pattern == account {
        return true;
    }
    if let Some(beginning) = pattern.strip_suffix('*') {
        return account.starts_with(beginning);
    }
    pattern.split_once('-').is_some_and(|(from, to)| {
        from.len() == account.len() && to.len() == account.len() && (from..=to).contains(&account)
    })
}

/// Something per currency; `*` is for all that are not named. A limit in dollars says nothing about yen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PerCurrency<T>(BTreeMap<String, T>);

impl<T> Default for PerCurrency<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> PerCurrency<T> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, currency: &str) -> Option<&T> {
        self.0.get(currency).or_else(|| self.0.get("*"))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &T)> {
        self.0.iter()
    }
}

impl<T, const N: usize> From<[(&str, T); N]> for PerCurrency<T> {
    fn from(per_currency: [(&str, T); N]) -> Self {
        Self(per_currency.into_iter().map(|(currency, value)| (currency.into(), value)).collect())
    }
}

/// Refuses limits that nothing lies below.
pub(super) fn check_amounts<'a>(
    field: &'static str,
    amounts: impl IntoIterator<Item = &'a Amount>,
) -> Result<(), Wrong> {
    for amount in amounts {
        if *amount <= Amount::ZERO {
            return Err(Wrong {
                field,
                problem: format!("{amount} is no limit"),
                remedy: "write an amount above zero",
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_named_by_number_beginning_or_range() {
        let accounts = Accounts::from(["4711", "12*", "4000-4099", "A-1"]);
        let of = |account| accounts.contains(account);

        assert_eq!(["4711", "47110", "471"].map(of), [true, false, false]);
        assert_eq!(["12", "1299", "112"].map(of), [true, true, false]);
        assert_eq!(["3999", "4000", "4099", "4100", "40500"].map(of), [false, true, true, false, false]);
        assert!(of("A-1"));
    }

    #[test]
    fn refuses_patterns_that_name_no_account() {
        for pattern in ["", " ", "4*7", "4799-4700"] {
            let wrong = Accounts::from([pattern]).check("accounts").unwrap_err();

            assert_eq!(wrong.problem, format!("`{pattern}` names no account"));
        }
        assert!(Accounts::from(["4*", "4700-4799"]).check("accounts").is_ok());
    }

    #[test]
    fn a_limit_holds_for_its_currency_or_for_all_others() {
        let limits = PerCurrency::from([("USD", 1), ("*", 2)]);

        assert_eq!((limits.get("USD"), limits.get("JPY")), (Some(&1), Some(&2)));
        assert_eq!(PerCurrency::from([("USD", 1)]).get("JPY"), None);
    }
}
