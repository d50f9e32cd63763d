//! The first line of a ledger file: which column is where, and what separates them.

use super::{LONGEST_RECORD, ReadError};

/// The columns of `GL_Detail` that we read; all others are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    JournalId,
    LineNumber,
    HeaderText,
    LineText,
    Source,
    BusinessUnit,
    EffectiveDate,
    Account,
    Amount,
    Side,
    Currency,
    EnteredBy,
    EnteredDate,
    EnteredTime,
}

const ALL: [Column; 14] = [
    Column::JournalId,
    Column::LineNumber,
    Column::HeaderText,
    Column::LineText,
    Column::Source,
    Column::BusinessUnit,
    Column::EffectiveDate,
    Column::Account,
    Column::Amount,
    Column::Side,
    Column::Currency,
    Column::EnteredBy,
    Column::EnteredDate,
    Column::EnteredTime,
];

const REQUIRED: [Column; 3] = [Column::JournalId, Column::Account, Column::Amount];

impl Column {
    /// As the standard writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::JournalId => "Journal_ID",
            Self::LineNumber => "Journal_ID_Line_Number",
            Self::HeaderText => "JE_Header_Description",
            Self::LineText => "JE_Line_Description",
            Self::Source => "Source",
            Self::BusinessUnit => "Business_Unit_Code",
            Self::EffectiveDate => "Effective_Date",
            Self::Account => "GL_Account_Number",
            Self::Amount => "Amount",
            Self::Side => "Amount_Credit_Debit_Indicator",
            Self::Currency => "Amount_Currency",
            Self::EnteredBy => "Entered_By",
            Self::EnteredDate => "Entered_Date",
            Self::EnteredTime => "Entered_Time",
        }
    }
}

#[derive(Debug)]
pub(super) struct Header {
    width: usize,
    places: [Option<usize>; ALL.len()],
}

impl Header {
    pub(super) fn parse(line: &[u8]) -> Result<(Self, u8), ReadError> {
        if line.starts_with(&[0xff, 0xfe]) || line.starts_with(&[0xfe, 0xff]) {
            return Err(ReadError::Utf16);
        }
        if line.len() > LONGEST_RECORD {
            return Err(ReadError::HeaderTooLong);
        }
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
        if line.is_empty() {
            return Err(ReadError::Empty);
        }
        let delimiter = delimiter(line);
        let names: Vec<String> = line.split(|&byte| byte == delimiter).map(canonical).collect();
        let mut places = [None; ALL.len()];
        for (place, column) in places.iter_mut().zip(ALL) {
            let wanted = canonical(column.name().as_bytes());
            let mut found =
                names.iter().enumerate().filter(|(_, name)| **name == wanted).map(|(index, _)| index);
            *place = found.next();
            if found.next().is_some() {
                return Err(ReadError::DoubledColumn(column.name()));
            }
        }
        let header = Self { width: names.len(), places };
        match REQUIRED.into_iter().find(|&column| header.index(column).is_none()) {
            Some(column) => Err(ReadError::MissingColumn(column.name())),
            None => Ok((header, delimiter)),
        }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn index(&self, column: Column) -> Option<usize> {
        self.places[column as usize]
    }
}

/// Case, blanks, underscores and quotes do not make another name: `JE_Header_ Description` occurs in the wild.
fn canonical(name: &[u8]) -> String {
    name.iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect()
}

/// The one that occurs most. The standard's own flat files use `|`.
fn delimiter(line: &[u8]) -> u8 {
    let count = |delimiter: u8| line.iter().filter(|&&byte| byte == delimiter).count();
    [b'|', b'\t', b';', b','].into_iter().max_by_key(|&delimiter| count(delimiter)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whatever_their_case_blanks_and_underscores() {
        let line = b"\xef\xbb\xbfjournal id,\"GL Account-Number\",AMOUNT,JE_Header_ Description\r\n";
        let (header, delimiter) = Header::parse(line).unwrap();

        let places = [Column::JournalId, Column::Account, Column::Amount, Column::HeaderText, Column::Source]
            .map(|column| header.index(column));
        assert_eq!((places, delimiter), ([Some(0), Some(1), Some(2), Some(3), None], b','));
    }

    #[test]
    fn every_column_is_at_its_own_place_in_the_table() {
        assert!(ALL.iter().enumerate().all(|(index, &column)| column as usize == index));
    }

    #[test]
    fn the_delimiter_is_seen_from_the_header() {
        for (line, delimiter) in [
            (&b"Journal_ID|GL_Account_Number|Amount"[..], b'|'),
            (b"Journal_ID\tGL_Account_Number\tAmount", b'\t'),
            (b"Journal_ID;GL_Account_Number;Amount", b';'),
        ] {
            assert_eq!(Header::parse(line).unwrap().1, delimiter);
        }
    }

    #[test]
    fn a_header_that_cannot_be_used_is_refused_with_the_remedy() {
        let refused = |line: &[u8]| Header::parse(line).unwrap_err().to_string();

        assert_eq!(
            refused(b"Journal_ID,Amount\n"),
            "column `GL_Account_Number` is missing from the first line; name it as the Audit Data Standards do"
        );
        assert_eq!(
            refused(b"Journal_ID,Amount,GL_Account_Number,amount\n"),
            "column `Amount` appears twice in the first line"
        );
        assert_eq!(refused(b"\xff\xfeJ\0"), "the file is UTF-16; save it as UTF-8");
        assert_eq!(refused(b"\r\n"), "the file is empty; it should begin with a line of column names");
    }
}
