use crate::ingest::testing::{read, rows};
use crate::ingest::{Mapping, Preset, Row};

/// As Norway and the OECD write it.
const OECD: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<n1:AuditFile xmlns:n1="urn:StandardAuditFile-Taxation-Financial:NO">
<n1:Header><n1:Company><n1:RegistrationNumber>999</n1:RegistrationNumber></n1:Company>
<n1:DefaultCurrencyCode>NOK</n1:DefaultCurrencyCode></n1:Header>
<n1:MasterFiles><n1:Line><n1:AccountID>no line of the ledger</n1:AccountID></n1:Line></n1:MasterFiles>
<n1:GeneralLedgerEntries><n1:NumberOfEntries>1</n1:NumberOfEntries>
<n1:Journal><n1:JournalID>GL</n1:JournalID><n1:Description>General</n1:Description>
<n1:Transaction><n1:TransactionID>T&amp;1</n1:TransactionID><n1:Period>1</n1:Period><n1:PeriodYear>2024</n1:PeriodYear>
<n1:TransactionDate>2024-01-30</n1:TransactionDate><n1:SourceID>ola</n1:SourceID><n1:Description>Rent</n1:Description>
<n1:GLPostingDate>2024-01-31</n1:GLPostingDate>
<n1:Line><n1:RecordID>1</n1:RecordID><n1:AccountID>6300</n1:AccountID><n1:Description>January</n1:Description>
<n1:DebitAmount><n1:Amount>100.50</n1:Amount><n1:CurrencyCode>EUR</n1:CurrencyCode></n1:DebitAmount></n1:Line>
<n1:Line><n1:RecordID>2</n1:RecordID><n1:AccountID>1920</n1:AccountID><n1:SupplierID>S1</n1:SupplierID>
<n1:CreditAmount><n1:Amount>100.50</n1:Amount></n1:CreditAmount></n1:Line></n1:Transaction>
<n1:Transaction><n1:TransactionID>2</n1:TransactionID><n1:TransactionDate>2024-02-01</n1:TransactionDate>
<n1:Line><n1:RecordID>1</n1:RecordID><n1:AccountID>1</n1:AccountID><n1:CreditAmount><n1:Amount>NaN</n1:Amount></n1:CreditAmount></n1:Line>
</n1:Transaction></n1:Journal></n1:GeneralLedgerEntries></n1:AuditFile>"#;

/// As Portugal writes it.
const PORTUGAL: &[u8] = b"<?xml version='1.0' encoding='Windows-1252'?><AuditFile><Header><CompanyID>Lisboa 5</CompanyID>\
    <CurrencyCode>EUR</CurrencyCode></Header><GeneralLedgerEntries><Journal><JournalID>VD</JournalID><Transaction>\
    <TransactionID>2024-01-31 VD 7</TransactionID><Period>1</Period><TransactionDate>2024-01-31</TransactionDate>\
    <SourceID>jo\xe3o</SourceID><Description>Venda \x80</Description><GLPostingDate>2024-01-31</GLPostingDate><Lines>\
    <DebitLine><RecordID>1</RecordID><AccountID>211</AccountID><SystemEntryDate>2024-02-01T10:11:12</SystemEntryDate>\
    <Description>a</Description><DebitAmount>123.00</DebitAmount></DebitLine>\
    <CreditLine><RecordID>2</RecordID><AccountID>711</AccountID><Description>b</Description>\
    <CreditAmount>123.00</CreditAmount></CreditLine></Lines></Transaction></Journal></GeneralLedgerEntries></AuditFile>";

fn shown(xml: impl AsRef<[u8]>) -> Vec<Result<String, String>> {
    read(xml, &Mapping::of(Preset::Saft), |line| {
        let crate::line::Line { entry, account, currency, entity, source, user, partner, .. } = line;
        let dates = [line.effective, line.document, line.entered]
            .map(|date| date.map_or("-".into(), |date| date.to_string()));
        format!(
            "{entry} {:?} {account} {} {currency} {entity} {source} {user} [{partner}] {} {}/{}",
            line.number,
            line.signed(),
            dates.join(" "),
            line.header_text,
            line.line_text,
        )
    })
}

#[test]
fn a_file_of_the_oecd_is_read_with_its_header_entry_and_lines() {
    assert_eq!(
        shown(OECD),
        [
            Ok("T&1 Some(1) 6300 100.50 NOK 999 GL ola [] 2024-01-31 2024-01-30 - Rent/January".to_string()),
            Ok("T&1 Some(2) 1920 -100.50 NOK 999 GL ola [S1] 2024-01-31 2024-01-30 - Rent/".into()),
            Err("line 16: Line/CreditAmount/Amount: `NaN` cannot be read; correct it where the ledger was computed; it \
                 is no amount"
                .into()),
        ]
    );
}

#[test]
fn a_file_of_portugal_is_read_in_its_own_encoding() {
    assert_eq!(
        shown(PORTUGAL),
        [
            "2024-01-31 VD 7 Some(1) 211 123.00 EUR Lisboa 5 VD joão [] 2024-01-31 2024-01-31 2024-02-01 Venda €/a",
            "2024-01-31 VD 7 Some(2) 711 -123.00 EUR Lisboa 5 VD joão [] 2024-01-31 2024-01-31 - Venda €/b",
        ]
        .map(|text| Ok(text.to_string()))
    );
}

#[test]
fn a_file_in_utf16_is_read_whatever_its_declaration_says() {
    let wide: Vec<u8> = format!("\u{feff}{}", OECD.replace("utf-8", "utf-16"))
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();

    assert_eq!(shown(wide), shown(OECD));
}

#[test]
fn what_cannot_be_trusted_is_refused_as_a_whole() {
    for (change, to, error) in [
        (
            "T&amp;1",
            "&xxe;",
            "the XML is broken near line 8: entity `&xxe;` is not one of XML's own; write the text",
        ),
        ("utf-8", "shift_jis", "the XML is broken near line 1: is in shift_jis; save it as UTF-8"),
        (
            "</n1:Line></n1:Transaction>",
            "</n1:Line><n1:SourceID>late</n1:SourceID></n1:Transaction>",
            "the XML is broken near line 14: Transaction/SourceID stands behind lines of its entry; it must stand before \
             them",
        ),
    ] {
        let xml = OECD.replacen(change, to, 1);
        let error_of = |row: Row<'_>| assert!(matches!(row, Row::Line(_)));
        let found = rows(xml.as_bytes(), &Mapping::of(Preset::Saft), &mut { error_of }).unwrap_err();

        assert_eq!(found.to_string(), error);
    }
}
