//! The months that a text names, in English, German or French, or in digits.

/// In order, to be searched. "Mar" would be another word too easily, as would most of the other short forms.
const NAMES: [(&str, i32); 34] = [
    ("août", 7),
    ("april", 3),
    ("august", 7),
    ("avril", 3),
    ("december", 11),
    ("dezember", 11),
    ("décembre", 11),
    ("feb", 1),
    ("februar", 1),
    ("february", 1),
    ("février", 1),
    ("jan", 0),
    ("januar", 0),
    ("january", 0),
    ("janvier", 0),
    ("juillet", 6),
    ("juin", 5),
    ("juli", 6),
    ("july", 6),
    ("june", 5),
    ("juni", 5),
    ("jänner", 0),
    ("mai", 4),
    ("march", 2),
    ("mars", 2),
    ("märz", 2),
    ("november", 10),
    ("novembre", 10),
    ("october", 9),
    ("octobre", 9),
    ("oktober", 9),
    ("sept", 8),
    ("september", 8),
    ("septembre", 8),
];

/// Months since year 0. A month without a year is the one nearest to the month given.
pub fn named(text: &str, near: i32) -> Vec<i32> {
    let text = text.to_lowercase();
    let mut found = Vec::new();
    let mut words =
        text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        let next = words.peek().copied();
        if let Ok(place) = NAMES.binary_search_by_key(&word, |(name, _)| name) {
            let (_, month) = NAMES[place];
            found.push(match next.and_then(year) {
                Some(year) => year * 12 + month,
                None => nearest(month, near),
            });
        }
        // 03/2025, 2025-03; a date such as 31.03.2025 is found by its two last numbers.
        let pair = match (month(word), next.and_then(year), year(word), next.and_then(month)) {
            (Some(month), Some(year), _, _) | (_, _, Some(year), Some(month)) => Some(year * 12 + month),
            _ => None,
        };
        found.extend(pair);
    }
    found
}

/// Four digits of our time.
fn year(word: &str) -> Option<i32> {
    let year: i32 = word.parse().ok().filter(|_| word.len() == 4)?;
    (1990..2100).contains(&year).then_some(year)
}

/// Two digits, counted from 0.
fn month(word: &str) -> Option<i32> {
    let month: i32 = word.parse().ok().filter(|_| word.len() == 2)?;
    (1..=12).contains(&month).then_some(month - 1)
}

fn nearest(month: i32, near: i32) -> i32 {
    let of_the_year = near - near.rem_euclid(12) + month;
    match of_the_year - near {
        ahead if ahead > 6 => of_the_year - 12,
        behind if behind < -5 => of_the_year + 12,
        _ => of_the_year,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARCH_2025: i32 = 2025 * 12 + 2;

    #[test]
    fn names_are_in_order() {
        assert!(NAMES.is_sorted());
    }

    #[test]
    fn finds_months_by_name_and_by_number() {
        for (text, months) in [
            ("Rent March 2025", vec![(2025, 3)]),
            ("Miete Jänner", vec![(2025, 1)]),
            ("RENT DECEMBER", vec![(2024, 12)]),
            ("loyer août 2024", vec![(2024, 8)]),
            ("accrual 11/2024", vec![(2024, 11)]),
            ("2024-02 closing", vec![(2024, 2)]),
            ("invoice of 31.01.2025", vec![(2025, 1)]),
            ("Jan and Feb", vec![(2025, 1), (2025, 2)]),
            ("march on", vec![(2025, 3)]),
        ] {
            let months: Vec<_> = months.into_iter().map(|(year, month)| year * 12 + month - 1).collect();

            assert_eq!(named(text, MARCH_2025), months, "{text}");
        }
    }

    #[test]
    fn numbers_that_are_no_months_name_none() {
        for text in [
            "invoice 4711",
            "13/2025",
            "00/2025",
            "2025",
            "Janet Marsh",
            "order 20250312",
            "1/2025",
            "03/1850",
        ] {
            assert!(named(text, MARCH_2025).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_month_alone_is_the_nearest_one() {
        for (month, expected) in [(8, 2025 * 12 + 8), (9, 2024 * 12 + 9), (2, MARCH_2025)] {
            assert_eq!(nearest(month, MARCH_2025), expected, "{month}");
        }
    }
}
