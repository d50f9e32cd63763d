//! Numbers and names as a reader has them.

use crate::amount::{Amount, group};
use crate::names::{Names, Sort};
use crate::part::Posting;
use crate::scoring::measures::Share;

/// Longer names are cut.
const LONGEST: usize = 48;

/// "41,220".
pub(super) fn grouped(number: u64) -> String {
    group(&number.to_string())
}

/// "1 entry", "2 entries".
pub(super) fn entries(number: u64) -> String {
    format!("{} {}", grouped(number), if number == 1 { "entry" } else { "entries" })
}

/// "2 of 41,220 entries".
pub(super) fn of_entries(share: Share) -> String {
    format!("{} of {}", grouped(share.count), entries(share.of))
}

/// To two digits, or to the whole number where that says more: what comes from a histogram or a product is not exact and must not look as if it were.
pub(super) fn about(number: f64) -> String {
    let number = number.max(0.0);
    match number {
        // The lowest step of a histogram of amounts ends here.
        0.0..0.035 => "0".into(),
        0.035..0.095 => format!("{number:.2}"),
        0.095..9.95 => format!("{number:.1}"),
        _ => {
            let mut unit = 1.0;
            while number / unit >= 99.5 {
                unit *= 10.0;
            }
            grouped((libm::round(number / unit) * unit) as u64)
        }
    }
}

/// "120,000.00 EUR".
pub(super) fn money(names: &Names, amount: Amount, posting: &Posting) -> String {
    let currency = name(names, Sort::Currency, posting.currency.0);
    format!("{} {currency}", amount.abs().grouped()).trim_end().to_string()
}

/// On one line and not too long.
pub(super) fn name(names: &Names, sort: Sort, symbol: u32) -> String {
    shown(names.name(sort, crate::names::Symbol(symbol)))
}

pub(super) fn shown(name: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = name.chars().take(LONGEST + 1).map(plain).collect();
    if shown.chars().count() > LONGEST {
        shown.pop();
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_not_exact_have_two_digits() {
        for (number, expected) in [
            (0.0, "0"),
            (0.016, "0"),
            (0.04, "0.04"),
            (0.32, "0.3"),
            (3.27, "3.3"),
            (9.94, "9.9"),
            (9.96, "10"),
            (99.4, "99"),
            (99.6, "100"),
            (312.4, "310"),
            (8_650.0, "8,700"),
            (1_234_567.0, "1,200,000"),
            (-0.4, "0"),
        ] {
            assert_eq!(about(number), expected, "{number}");
        }
    }

    #[test]
    fn names_stay_on_one_line_and_short() {
        assert_eq!(shown("two\nlines"), "two lines");
        assert_eq!(shown(&"ä".repeat(48)), "ä".repeat(48));
        assert_eq!(shown(&"ä".repeat(49)), format!("{}…", "ä".repeat(48)));
    }
}
