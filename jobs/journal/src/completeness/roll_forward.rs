//! C2: opening balance and all lines make the closing balance, per account and to the cent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::findings::{Firsts, Verdict};
use crate::amount::Amount;
use crate::names::{Names, Sort, Symbol};
use crate::part::Part;

/// More accounts, times entities, times currencies, is no ledger: 64 MB of them.
const MOST_ACCOUNTS: usize = 1 << 20;

/// A row of the trial balance. Where no row says an entity or a currency, accounts are compared over all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    pub entity: String,
    pub account: String,
    pub currency: String,
    /// Debit balances are above zero.
    pub opening: Amount,
    pub closing: Amount,
}

/// An account with its balances and what the lines say of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Movement {
    pub entity: String,
    pub account: String,
    pub currency: String,
    pub opening: Amount,
    /// The sum of its lines, debits above zero.
    pub movement: Amount,
    pub closing: Amount,
    pub known: Known,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    Both,
    /// Its balances count as zero.
    LedgerOnly,
    /// It has no lines.
    BalanceOnly,
}

impl Movement {
    /// Opening and movement less closing.
    pub fn difference(&self) -> Amount {
        self.opening + self.movement - self.closing
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AccountDifference {
    pub movement: Movement,
    pub difference: Amount,
    /// The one account that differs by as much in the other direction: lines may have gone to the one instead of the other.
    pub swapped_with: Option<String>,
}

impl fmt::Display for AccountDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Movement { account, opening, movement, closing, known, .. } = &self.movement;
        let (opening, movement, closing) = (opening.grouped(), movement.grouped(), closing.grouped());
        let difference = self.difference.grouped();
        match known {
            Known::LedgerOnly => {
                write!(f, "account {account} has lines of {movement} and is not in the trial balance")
            }
            Known::BalanceOnly => write!(f, "account {account} has no lines, and {opening} became {closing}"),
            Known::Both => {
                write!(
                    f,
                    "account {account}: {opening} and lines of {movement} make {difference} too much for {closing}"
                )
            }
        }?;
        match &self.swapped_with {
            Some(other) => write!(f, "; account {other} differs by the opposite"),
            None => Ok(()),
        }
    }
}

type Account = (Symbol, Symbol, Symbol);

/// Sums per entity, account and currency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Movements {
    sums: BTreeMap<Account, Amount>,
    too_many: bool,
}

/// As it travels between processes.
#[derive(Serialize, Deserialize)]
struct Stored {
    sums: Vec<([u32; 3], Amount)>,
    too_many: bool,
}

impl From<Movements> for Stored {
    fn from(movements: Movements) -> Self {
        let sums = movements.sums.into_iter().map(|((a, b, c), sum)| ([a.0, b.0, c.0], sum)).collect();
        Self { sums, too_many: movements.too_many }
    }
}

impl From<Stored> for Movements {
    fn from(stored: Stored) -> Self {
        let account = |[a, b, c]: [u32; 3]| (Symbol(a), Symbol(b), Symbol(c));
        Self {
            sums: stored.sums.into_iter().map(|(symbols, sum)| (account(symbols), sum)).collect(),
            too_many: stored.too_many,
        }
    }
}

/// What the ledger and the trial balance say of an account, where they say anything.
#[derive(Default)]
struct Sides {
    movement: Option<Amount>,
    /// Opening and closing.
    balances: Option<(Amount, Amount)>,
}

impl Movements {
    pub fn add(&mut self, part: &Part) {
        for posting in part.postings() {
            self.add_sum((posting.entity, posting.account, posting.currency), posting.signed);
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.too_many |= other.too_many;
        for (account, sum) in other.sums {
            self.add_sum(account, sum);
        }
        if self.too_many {
            self.sums.clear();
        }
    }

    fn add_sum(&mut self, account: Account, sum: Amount) {
        if self.too_many {
            return;
        }
        let known = self.sums.entry(account).or_default();
        *known = *known + sum;
        if self.sums.len() > MOST_ACCOUNTS {
            self.too_many = true;
            self.sums.clear();
        }
    }

    pub fn roll_forward(&self, names: &Names, balances: &[Balance]) -> Verdict<AccountDifference> {
        if self.too_many {
            return Verdict::NotPossible(format!("there are more than {MOST_ACCOUNTS} accounts"));
        }
        if balances.is_empty() {
            return Verdict::NotPossible("the trial balance has no accounts".into());
        }
        // Of the lines: a model that scores the ledger may know more names.
        let currencies: BTreeSet<Symbol> = self.sums.keys().map(|(_, _, currency)| *currency).collect();
        let currencies = currencies.len();
        if currencies > 1 && balances.iter().all(|balance| balance.currency.is_empty()) {
            let why = format!("the ledger has {currencies} currencies, and the trial balance names none");
            return Verdict::NotPossible(why);
        }
        let movements = self.all(names, balances);
        let differing = || movements.iter().filter(|movement| movement.difference() != Amount::ZERO);
        let mut by_difference: BTreeMap<Amount, Vec<&str>> = BTreeMap::new();
        for movement in differing() {
            by_difference.entry(movement.difference()).or_default().push(&movement.account);
        }
        let only = |difference: Amount| match by_difference.get(&difference).map(Vec::as_slice) {
            Some([account]) => Some(account.to_string()),
            _ => None,
        };
        let findings: Firsts<AccountDifference> = differing()
            .map(|movement| {
                let difference = movement.difference();
                let swapped_with = only(difference).and_then(|_| only(-difference));
                AccountDifference { movement: movement.clone(), difference, swapped_with }
            })
            .collect();
        findings.verdict(movements.len() as u64)
    }

    /// All accounts of the ledger and of the balances, those that differ first.
    pub fn all(&self, names: &Names, balances: &[Balance]) -> Vec<Movement> {
        let per_entity = balances.is_empty() || balances.iter().any(|balance| !balance.entity.is_empty());
        let per_currency = balances.is_empty() || balances.iter().any(|balance| !balance.currency.is_empty());
        let key = |entity: &str, account: &str, currency: &str| {
            let if_told = |told: bool, name: &str| if told { name.to_string() } else { String::new() };
            (if_told(per_entity, entity), account.to_string(), if_told(per_currency, currency))
        };
        let mut accounts: BTreeMap<(String, String, String), Sides> = BTreeMap::new();
        for (&(entity, account, currency), &sum) in &self.sums {
            let name = |sort, symbol| names.name(sort, symbol);
            let (entity, currency) = (name(Sort::Entity, entity), name(Sort::Currency, currency));
            let sides = accounts.entry(key(entity, name(Sort::Account, account), currency)).or_default();
            sides.movement = Some(sides.movement.unwrap_or_default() + sum);
        }
        for balance in balances {
            let sides =
                accounts.entry(key(&balance.entity, &balance.account, &balance.currency)).or_default();
            let (opening, closing) = sides.balances.unwrap_or_default();
            sides.balances = Some((opening + balance.opening, closing + balance.closing));
        }
        let mut movements: Vec<Movement> = accounts
            .into_iter()
            .map(|((entity, account, currency), Sides { movement, balances })| {
                let known = match (movement, balances) {
                    (Some(_), Some(_)) => Known::Both,
                    (Some(_), None) => Known::LedgerOnly,
                    (None, _) => Known::BalanceOnly,
                };
                let (opening, closing) = balances.unwrap_or_default();
                let movement = movement.unwrap_or_default();
                Movement { entity, account, currency, opening, movement, closing, known }
            })
            .collect();
        movements.sort_by_key(|movement| movement.difference() == Amount::ZERO);
        movements
    }
}
