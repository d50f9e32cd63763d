use std::fs;
use std::process::Command;

use super::*;
use crate::result::{Listed, RollForward, sample};

fn tag() -> RunTag {
    RunTag { run: "r".into(), claim: 1 }
}

fn html(results: &Results) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::read_to_string(write_html(folder.path(), &tag(), results).unwrap()).unwrap()
}

/// The text of the PDF as another program reads it; none without that program.
fn pdf_text(results: &Results) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = write_pdf(folder.path(), &tag(), results).unwrap();
    let Ok(output) =
        Command::new("pdftotext").args(["-layout", "-enc", "UTF-8"]).arg(&path).arg("-").output()
    else {
        eprintln!("skipped: pdftotext is not installed");
        return None;
    };
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// What both reports must say.
fn needed(results: &Results) -> Vec<String> {
    let mut needed = vec![
        results.inputs[0].sha256.clone(),
        results.parameters_sha256.clone(),
        results.model.id.clone(),
        "20260101".into(),
        "15,400".into(),
        "41,220".into(),
        "1 of 40 accounts differ. Overridden by m.meier".into(),
        "Prepared by".into(),
        "an account in fewer than".into(),
        "Monetary unit".into(),
        "Amounts and scores".into(),
        "Weekdays and hours of entry".into(),
        "Benford: first two digits".into(),
    ];
    needed.extend(results.tests.iter().map(|test| test.id.clone()));
    needed
        .extend(results.top.listed().iter().take(50).map(|entry| format!("{}. {}", entry.rank, entry.entry)));
    needed
}

#[test]
fn the_page_says_everything_and_needs_nothing_else() {
    let results = sample::results(1);

    let page = html(&results);

    for needed in needed(&results) {
        assert!(page.contains(&html::escape(&needed)), "{needed}");
    }
    assert_eq!(page.matches("<svg").count(), 7);
    assert_eq!(page.matches("<details>").count(), 7, "each chart has its table");
    for elsewhere in ["<script", "<link", "<img", " src=", "url(", "@import", " href=\"h"] {
        assert_eq!(page.matches(elsewhere).count(), 0, "{elsewhere}");
    }
}

#[test]
fn no_text_of_the_ledger_becomes_markup() {
    let evil =
        "</title></td><script>alert(1)</script><svg onload=x> \" onmouseover='y' & \u{202e}gpj.exe \u{7}";
    let mut results = sample::results(1);
    let plain = html(&results);
    results.command = evil.into();
    results.inputs[0].path = evil.into();
    results.tests[0].title = evil.into();
    results.population.totals[0].entity = evil.into();
    results.model.id = evil.into();
    results.surrogate.rules[0].text = evil.into();
    let mut top = results.top.listed()[0].clone();
    top.entry = evil.into();
    top.user = evil.into();
    top.text = evil.into();
    top.reasons[0].words = evil.into();
    top.hits[0].words = evil.into();
    results.top = Listed::of(vec![top; 60], 60);

    let page = html(&results);

    for markup in ["<script", "<svg onload", "</title></td>", "' &", "\u{202e}", "\u{7}", "onmouseover='"] {
        assert_eq!(page.matches(markup).count(), 0, "{markup}");
    }
    for element in ["<title", "<svg", "<section", "<article", "<h2", "<figure"] {
        assert_eq!(page.matches(element).count(), plain.matches(element).count(), "{element}");
    }
}

#[test]
fn every_element_that_is_opened_is_closed() {
    let page = html(&sample::results(1));
    let mut open: Vec<&str> = Vec::new();

    for tag in page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !(tag.ends_with('/') || tag.starts_with('!') || name == "meta") {
            open.push(name);
        }
    }

    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn the_pdf_says_what_the_page_says_also_where_its_fonts_lack_the_letters() {
    let results = sample::results(1);

    let Some(text) = pdf_text(&results) else { return };

    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    let whole = squeezed(&text);
    for needed in
        needed(&results).iter().chain(&["年末调整".into(), "Zażółćgęśląjaźń".into(), "Προσαρμογή".into()])
    {
        assert!(whole.contains(&squeezed(needed)), "{needed}");
    }
    assert!(text.contains("page 1 of"), "{text}");
}

#[test]
fn the_same_results_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for write in [write_html, write_pdf] {
        let [first, again, other] = [1, 1, 2]
            .map(|seed| fs::read(write(folder.path(), &tag(), &sample::results(seed)).unwrap()).unwrap());

        assert!(first == again);
        assert!(first != other);
    }
}

#[test]
fn results_with_nothing_found_make_a_report_too() {
    let mut results = sample::results(1);
    results.tests.clear();
    results.top = Listed::default();
    results.selections.clear();
    results.surrogate.rules.clear();
    results.parameters.clear();
    results.population.window = None;
    results.population.totals.clear();
    results.distributions.points.clear();
    results
        .distributions
        .benford
        .iter_mut()
        .for_each(|benford| (benford.amounts, benford.digits) = (0, vec![]));
    results.distributions.scores.counts.clear();
    results.completeness.roll_forward = RollForward::NotDone { why: "no trial balance was given".into() };

    let page = html(&results);
    let text = pdf_text(&results);

    assert!(page.contains("Not done: no trial balance was given."));
    assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    assert!(text.is_none_or(|text| text.contains("Not done: no trial balance was given.")));
}

#[test]
fn a_text_of_any_length_ends_on_its_page() {
    let mut results = sample::results(1);
    let long = "x".repeat(40_000);
    results.tests[0].title = long.clone();
    let mut top = results.top.listed()[0].clone();
    top.text = long;
    results.top = Listed::of(vec![top], 1);
    results.distributions.points.clear();

    let pages =
        pdf::file(&document::of(&results)).windows(11).filter(|bytes| bytes == b"/Type /Page").count();

    // Ten without the long text, which alone fills two.
    assert!((5..30).contains(&pages), "{pages}");
}

#[test]
fn the_report_names_the_model_its_drift_and_what_another_one_would_flag() {
    let results = sample::by_model(1);
    let needed = [
        "entry 100000099 has one line",
        "outside the ledger",
        "acme, version 3: je-2025-eur-7f3a",
        "alarm: they differ from those of the model",
        "`hour` has moved: stability index 0.310 (alarm from 0.25)",
        "acme, version 4, je-2026-eur-0001",
        "Flagged by the challenger alone",
        "100000816",
    ];

    let page = html(&results);

    for needed in needed {
        assert!(page.contains(&html::escape(needed)), "{needed}");
    }
    if let Some(text) = pdf_text(&results) {
        let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for needed in needed {
            assert!(joined.contains(needed), "{needed}");
        }
    }
}
