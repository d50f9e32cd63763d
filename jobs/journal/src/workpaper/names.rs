//! Names of sheets that every spreadsheet accepts.

use std::collections::BTreeSet;

const MOST_CHARS: usize = 31;

/// Gives each sheet a name that no other has, whatever its case.
#[derive(Debug, Default)]
pub(super) struct SheetNames {
    taken: BTreeSet<String>,
}

impl SheetNames {
    pub(super) fn claim(&mut self, wanted: &str) -> String {
        let plain = plain(wanted);
        let mut name = cut(&plain, MOST_CHARS);
        let mut number = 1;
        while !self.taken.insert(name.to_lowercase()) {
            number += 1;
            let suffix = format!(" ({number})");
            name = cut(&plain, MOST_CHARS - suffix.len()) + &suffix;
        }
        name
    }
}

fn plain(wanted: &str) -> String {
    let allowed = |c: char| match c {
        '[' | ']' | ':' | '*' | '?' | '/' | '\\' => '-',
        c if c.is_control() => ' ',
        c => c,
    };
    let name: String = wanted.chars().map(allowed).collect();
    let name = name.trim_matches(|c: char| c == '\'' || c.is_whitespace());
    match name.to_lowercase().as_str() {
        // Excel keeps this one for itself.
        "" | "history" => format!("Sheet {name}").trim_end().into(),
        _ => name.into(),
    }
}

/// Excel counts UTF-16 units.
fn cut(name: &str, most: usize) -> String {
    let mut units = 0;
    let fits = |c: &char| {
        units += c.len_utf16();
        units <= most
    };
    let cut: String = name.chars().take_while(fits).collect();
    cut.trim_end_matches(|c: char| c == '\'' || c.is_whitespace()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_every_spreadsheet_accepts() {
        for (wanted, name) in [
            ("Cover", "Cover"),
            ("D1/D2 Missing [text]: or *?\\", "D1-D2 Missing -text-- or ---"),
            ("'quoted'", "quoted"),
            ("history", "Sheet history"),
            ("  ", "Sheet"),
            ("a\tb", "a b"),
            ("A2 Rare pair of debit and credit account", "A2 Rare pair of debit and credi"),
            ("Rare pair of debit and credit  account", "Rare pair of debit and credit"),
            (
                "\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}",
                "\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}\u{1d11e}",
            ),
        ] {
            assert_eq!(SheetNames::default().claim(wanted), name);
        }
    }

    #[test]
    fn no_two_sheets_have_one_name() {
        let mut names = SheetNames::default();
        let long = "a name that is longer than a sheet's may be";

        let claimed = ["Tests", "TESTS", "tests", long, long].map(|wanted| names.claim(wanted));

        assert_eq!(
            claimed,
            [
                "Tests",
                "TESTS (2)",
                "tests (3)",
                "a name that is longer than a sh",
                "a name that is longer than (2)"
            ]
        );
    }
}
