use jiff::civil::date;

use super::*;
use crate::amount::Amount;
use crate::line::Side;
use crate::names::Sort;
use crate::part::from_lines;

fn lines() -> Vec<Line<'static>> {
    let full = Line {
        entry: "JE-1",
        number: Some(7),
        account: "4711",
        amount: Amount::from_cents(-1_234_567),
        side: Side::Credit,
        currency: "EUR",
        entity: "ACME",
        ledger: "0L",
        business_unit: "9900",
        source: "P2P",
        document_type: "KR",
        manual: Some(false),
        user: "meier",
        approver: "huber",
        effective: Some(date(2025, 1, 31)),
        document: Some(date(2024, 12, 31)),
        entered: Some(date(2025, 2, 1)),
        entered_time: Some(86_399),
        fiscal_year: Some(2025),
        period: Some(16),
        reference: "R-1",
        partner: "V-9",
        reversal_of: "JE-0",
        header_text: "Miete Jänner",
        line_text: "Büro",
        account_name: "",
        extra: &["x", "y"],
    };
    let same_text = Line { number: None, manual: Some(true), line_text: "Miete Jänner", ..full.clone() };
    vec![
        full,
        same_text,
        Line { entry: "JE-2", ..Line::default() },
        Line { entry: "JE-3", user: "x", ..Line::default() },
    ]
}

/// Everything a part says, in words.
fn told(part: &Part, names: &Names) -> Vec<String> {
    let entries = part.entries().iter().flat_map(|entry| {
        part.postings_of(entry).iter().map(move |posting| {
            let names: Vec<&str> = Sort::all(2).map(|sort| names.name(sort, posting.symbol(sort))).collect();
            let texts = [posting.reference, posting.reversal_of, posting.header_text, posting.line_text];
            let dates = (posting.effective, posting.document, posting.entered, posting.entered_time);
            let rest = (posting.fiscal_year, posting.period, posting.manual);
            let money = (posting.number, posting.side, posting.signed);
            format!(
                "{} {names:?} {:?} {dates:?} {rest:?} {money:?}",
                part.id(entry),
                texts.map(|text| part.text(text))
            )
        })
    });
    entries.collect()
}

#[test]
fn what_was_put_aside_comes_back_whoever_wrote_it_and_in_however_many_parts() {
    let (whole, names) = from_lines(lines());
    let mut expected = told(&whole, &names);
    expected.sort();

    for (writers, parts) in [(1, 1), (2, 1), (1, 5), (3, 4)] {
        let folder = tempfile::tempdir().unwrap();
        let mut threads: Vec<_> = (0..writers)
            .map(|writer| SpoolWriter::create(folder.path(), writer, parts, 2).unwrap())
            .collect();
        for (index, line) in lines().iter().enumerate() {
            threads[index % writers].push(line).unwrap();
        }
        let interners = threads.into_iter().map(|writer| writer.finish().unwrap()).collect();
        let spool = Spool::new(folder.path().into(), parts, interners).unwrap();

        let mut found: Vec<String> =
            (0..parts).flat_map(|part| told(&spool.load(part).unwrap(), spool.names())).collect();

        found.sort();
        assert_eq!(found, expected, "{writers} writers, {parts} parts");
        assert_eq!(*spool.names(), names);
    }
}

#[test]
fn a_file_that_was_cut_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = SpoolWriter::create(folder.path(), 0, 1, 2).unwrap();
    for line in lines() {
        writer.push(&line).unwrap();
    }
    let spool = Spool::new(folder.path().into(), 1, vec![writer.finish().unwrap()]).unwrap();
    let file = path(folder.path(), 0, 0);
    let whole = std::fs::read(&file).unwrap();

    for length in 0..whole.len() {
        std::fs::write(&file, &whole[..length]).unwrap();
        assert_eq!(spool.load(0).unwrap_err().kind(), io::ErrorKind::InvalidData, "{length}");
    }
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(spool.load(0).unwrap().postings().len(), lines().len());
}

#[test]
fn a_line_that_is_gone_or_there_twice_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = SpoolWriter::create(folder.path(), 0, 1, 0).unwrap();
    let line = Line { entry: "JE-1", account: "4711", ..Line::default() };
    writer.push(&line).unwrap();
    writer.push(&line).unwrap();
    let spool = Spool::new(folder.path().into(), 1, vec![writer.finish().unwrap()]).unwrap();
    let file = path(folder.path(), 0, 0);
    let whole = std::fs::read(&file).unwrap();
    let one = (whole.len() - COUNT) / 2;

    for changed in [&whole[one..], &[&whole[..one], &whole[..]].concat()] {
        std::fs::write(&file, changed).unwrap();
        assert_eq!(spool.load(0).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}

#[test]
fn long_text_is_cut_between_characters() {
    let folder = tempfile::tempdir().unwrap();
    let long = "ä".repeat(1_000);
    let mut writer = SpoolWriter::create(folder.path(), 0, 1, 2).unwrap();
    writer.push(&Line { entry: "a", line_text: &long, ..Line::default() }).unwrap();
    let spool = Spool::new(folder.path().into(), 1, vec![writer.finish().unwrap()]).unwrap();

    let part = spool.load(0).unwrap();

    assert_eq!(part.text(part.postings()[0].line_text), "ä".repeat(256));
}

#[test]
fn large_input_makes_many_parts_and_no_input_one() {
    assert_eq!([0, 1, 48 << 20, (48 << 20) + 1, u64::MAX].map(parts_for), [1, 1, 3, 4, 512]);
}

/// Parts, samples and the order of the fitted rows hang on these bits: another library, or another version of this one, must have them too.
#[test]
fn the_hash_that_chooses_parts_and_samples_is_the_published_one() {
    use xxhash_rust::xxh3::xxh3_64_with_seed;

    let published = [
        ("", 0x2d06_8005_38d3_94c2),
        ("a", 0xe6c6_32b6_1e96_4e1f),
        ("abc", 0x78af_5f94_892f_3950),
        ("The quick brown fox jumps over the lazy dog", 0xce7d_19a5_418f_b365),
    ];
    for (text, hash) in published {
        assert_eq!(xxh3_64(text.as_bytes()), hash, "{text}");
        assert_eq!(xxh3_64_with_seed(text.as_bytes(), 0), hash, "{text}");
    }
    assert_eq!(xxh3_64_with_seed(b"", 2_654_435_761), 0xf702_ca38_14de_2125);
    assert_eq!(xxh3_64_with_seed(b"abc", 2_654_435_761), 0x0582_3d71_d740_ed4f);
}
