use proptest::prelude::*;

use super::cut::LONGEST_RECORD;
use super::*;
use crate::ingest::table::Item;
use crate::ingest::testing;

/// Records as `line:field|field`, broken ones as `first-last:why`, of a file whose header is as wide as asked.
fn read(width: usize, bytes: &[u8]) -> Vec<String> {
    let header = vec!["h"; width].join(",") + "\n";
    let table = testing::text_table(&[header.as_bytes(), bytes].concat(), &Mapping::default());
    records(table)
}

fn records(mut table: TextTable) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(block) = table.next_records().unwrap() {
        let take = &mut |item: Item<'_>| {
            found.push(match item {
                Item::Broken(broken) => {
                    format!("{}-{}:{}", broken.first_line - 1, broken.last_line - 1, broken.problem)
                }
                Item::Record(record) => {
                    let field = |span: &crate::ingest::table::Span| {
                        &record.text[span.start as usize..span.end as usize]
                    };
                    let fields: Vec<_> = record.fields.iter().map(field).collect();
                    format!("{}:{}", record.first_line - 1, fields.join("|"))
                }
            });
        };
        block.each(take).unwrap();
    }
    found
}

#[test]
fn splits_plain_and_quoted_fields() {
    assert_eq!(
        read(3, b"a,b,c\n\"x, y\",\"say \"\"hi\"\"\",\n,,\n\"\",\"b\",\"\"\n"),
        ["1:a|b|c", "2:x, y|say \"hi\"|", "3:||", "4:|b|"]
    );
}

#[test]
fn line_breaks_of_windows_and_a_missing_last_one_are_fine() {
    assert_eq!(read(2, b"a,\"b\"\r\nc,d\r\n\r\n\ne,f"), ["1:a|b", "2:c|d", "5:e|f"]);
}

/// A random test found that the return was taken from the field before, whose end then lay beyond the text.
#[test]
fn a_return_at_the_end_of_an_earlier_field_stays_there() {
    assert_eq!(read(2, b"a\r,\n\"b\r\",\n"), ["1:a\r|", "2:b\r|"]);
}

#[test]
fn a_quote_inside_a_plain_field_is_just_a_quote() {
    assert_eq!(read(2, b"5\" pipe,1\nb,2\n"), ["1:5\" pipe|1", "2:b|2"]);
}

#[test]
fn a_quoted_field_may_span_lines() {
    assert_eq!(read(2, b"\"a\nb\",c\nd,e\n"), ["1:a\nb|c", "3:d|e"]);
}

#[test]
fn an_unclosed_quote_is_reported_with_the_lines_it_swallowed() {
    assert_eq!(read(2, b"a,b\n\"c,d\ne,f\n"), ["1:a|b", "2-3:a quote is opened and never closed"]);
}

#[test]
fn a_record_beyond_the_limit_is_given_up_and_reading_goes_on() {
    let long = vec![b'x'; LONGEST_RECORD + 1];
    let mut file = [b"a,b\nk,", long.as_slice(), b",\"y\nc,d\n"].concat();
    assert_eq!(read(2, &file), ["1:a|b", "2-2:longer than 1 MiB", "3:c|d"]);

    file = [b"\"", vec![b'\n'; LONGEST_RECORD + 5].as_slice(), b"c,d\n"].concat();
    let found = read(2, &file);
    assert!(found[0].ends_with(":longer than 1 MiB"), "{found:?}");
    assert_eq!(found.last().unwrap(), &format!("{}:c|d", LONGEST_RECORD + 6));
}

#[test]
fn a_record_of_many_mebibytes_is_passed_over_without_being_held() {
    for tail in [&b"\nc,d\n"[..], b""] {
        let file = [b"a,b\n", vec![b'x'; 5 << 20].as_slice(), tail].concat();
        let found = read(2, &file);

        assert_eq!(found[..2], ["1:a|b", "2-2:longer than 1 MiB"]);
        assert_eq!(found.get(2).map(String::as_str), (!tail.is_empty()).then_some("3:c|d"));
    }
}

#[test]
fn records_that_lie_across_blocks_are_whole() {
    // Fields of a length that fits into no block evenly, every third one quoted with a line break and a doubled quote.
    let line = |number: usize| {
        let text = "ä".repeat(number % 700);
        let quoted = number.is_multiple_of(3);
        (
            if quoted { format!("{number},\"{text}\n\"\"\"\n") } else { format!("{number},{text}\n") },
            if quoted { format!("|{text}\n\"") } else { format!("|{text}") },
        )
    };
    let lines: Vec<_> = (0..5_000).map(line).collect();
    let file: String = lines.iter().map(|(written, _)| written.as_str()).collect();
    assert!(file.len() > 3 << 20);

    let found = read(2, file.as_bytes());

    assert_eq!(found.len(), lines.len());
    let mut place = 1;
    for (number, (found, (written, fields))) in found.iter().zip(&lines).enumerate() {
        assert_eq!(found, &format!("{place}:{number}{fields}"));
        place += written.matches('\n').count();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// What the `csv` crate, which is slower and unbounded, reads from well-formed files.
    #[test]
    fn reads_what_the_csv_crate_wrote(
        rows in prop::collection::vec(prop::collection::vec("[a-z\",;\n\r ü]{0,6}", 3), 1..8)
    ) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let file = writer.into_inner().unwrap();

        let expected: Vec<String> = rows.iter().map(|row| row.join("|")).collect();
        let found = read(3, &file);

        let fields = |text: &String| text.split_once(':').unwrap().1.to_string();
        prop_assert_eq!(found.iter().map(fields).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_delimiter_is_found_wherever_it_stands_and_nothing_else_is() {
    for length in 0..20 {
        for at in 0..=length {
            // Bytes that differ from the delimiter by a bit, and those whose highest bit is set, are none.
            let mut record: Vec<u8> = (0..length).map(|at| [b'-', b'.', b'$', 0xac, 0x2d][at % 5]).collect();
            let mut expected = vec![(0, length)];
            if at < length {
                record[at] = b',';
                expected = vec![(0, at), (at + 1, length)];
            }
            let mut fields = Vec::new();

            split::plain(&record, b',', &mut fields);

            let found: Vec<_> = fields.iter().map(|span| (span.start as usize, span.end as usize)).collect();
            assert_eq!(found, expected, "{length}, {at}");
        }
    }
}
