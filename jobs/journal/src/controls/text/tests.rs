use super::*;
use crate::controls::Config;
use crate::controls::fixture::{config, day, hits, ids, line, usual};
use crate::line::Line;

fn says(text: &str) -> Line<'_> {
    Line { line_text: text, ..line("x", "4711", "1") }
}

fn words(config: &Config, id: Id, line: Line<'_>) -> Option<String> {
    hits(config, id, vec![line]).pop().map(|(_, words)| words)
}

#[test]
fn three_characters_explain_something_and_two_do_not() {
    let words = |line| words(&config("{}"), Id::MissingText, line);

    assert_eq!(words(says("")).unwrap(), "1 of 1 lines without text");
    assert_eq!(words(says(" ab ")).unwrap(), "no more text than \"ab\"");
    assert_eq!(words(says("abc")), None);
    assert_eq!(words(Line { header_text: "rent", ..says("") }), None, "the head explains the line");
}

#[test]
fn keywords_are_whole_words_in_any_case_and_language() {
    let words = |text| words(&config("{}"), Id::Keyword, says(text));

    assert_eq!(words("Year-end ADJUSTMENT").unwrap(), "\"adjustment\" in \"Year-end ADJUSTMENT\"");
    assert_eq!(words("posted per  CEO"), None);
    assert_eq!(words("posted per CEO, urgent").unwrap(), "\"per ceo\" in \"posted per CEO, urgent\"");
    assert_eq!(words("Umbuchung Kst. 9900").unwrap(), "\"umbuchung\" in \"Umbuchung Kst. 9900\"");
    assert_eq!(words("PRÄMIE").unwrap(), "\"prämie\" in \"PRÄMIE\"");
    assert_eq!(words("readjustments"), None);
    assert_eq!(words("errors"), None);
    assert_eq!(words("office supplies"), None);
}

#[test]
fn a_text_once_in_a_hundred_lines_of_few_texts_is_rare() {
    let ids = ids(120);
    let hit = |lines: usize, strange: &[&str]| {
        let mut all = usual(&ids[..lines], &line("", "4711", "1"));
        all.extend(strange.iter().map(|text| says(text)));
        hits(&config("{}"), Id::RareText, all).pop().map(|(_, words)| words)
    };

    assert_eq!(
        hit(99, &["settlement"]).unwrap(),
        "\"settlement\" in 1 of 100 lines of account 4711, which has 2 different texts"
    );
    assert_eq!(hit(98, &["settlement"]), None);
    assert_eq!(hit(98, &["settlement 1", "Settlement 22"]), None, "numbers and capitals make no other text");
}

#[test]
fn an_account_of_many_texts_has_no_rare_ones() {
    let ids = ids(90);
    let texts: Vec<String> = ('a'..='k').map(|letter| format!("deal {letter}")).collect();
    let hit = |strange: usize| {
        let mut lines = usual(&ids, &line("", "4711", "1"));
        lines.extend(texts[..strange].iter().map(|text| says(text)));
        // Others of the usual text, so that there are always a hundred lines or a little more.
        lines.extend(std::iter::repeat_n(line("y", "4711", "1"), 12 - strange));
        hits(&config("{}"), Id::RareText, lines).len()
    };

    assert_eq!(hit(9), 1, "ten texts in 102 lines");
    assert_eq!(hit(10), 0, "eleven texts in 102 lines");
}

#[test]
fn a_text_two_months_away_names_another_period() {
    let on = |text, date| {
        let line = Line { effective: Some(day(date)), ..says(text) };
        words(&config("{}"), Id::OtherPeriod, line)
    };

    assert_eq!(
        on("Rent January 2025", "2025-03-12").unwrap(),
        "\"Rent January 2025\" names 2025-01 and is dated 2025-03-12, 2 months away"
    );
    assert_eq!(on("Rent February 2025", "2025-03-12"), None);
    assert_eq!(on("Rent April", "2025-03-12"), None);
    assert_eq!(
        on("Miete 03/2024", "2025-03-12").unwrap(),
        "\"Miete 03/2024\" names 2024-03 and is dated 2025-03-12, 12 months away"
    );
    assert_eq!(on("accrual 11/2024, paid 03/2025", "2025-03-12"), None, "its own month is named too");
    assert_eq!(on("order 4711", "2025-03-12"), None);
}

#[test]
fn long_texts_are_cut_where_a_character_ends() {
    let long = "ü".repeat(100);

    assert_eq!(shown(&long), Value::Text(format!("{}…", "ü".repeat(60)).into()));
    assert_eq!(shown("ü"), Value::Text("ü".into()));
}
