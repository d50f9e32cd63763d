//! A model: what a ledger taught about its populations, frozen, to score other ledgers by.
//!
//! A file holds one, whole and for ever: retraining makes another file. Little-endian, in one layout on every machine:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | [`MARK`] |
//! | 4 | [`FORMAT`] |
//! | 8 | how many bytes the file has |
//! | 4 | [`FEATURES`] |
//! | … | [`About`], the [`Schema`], the names, the populations |
//! | 32 | SHA-256 of all before |
//!
//! The first sixteen hex digits of the hash are the model's id. The file holds names of accounts, users and partners, and heads of texts, as the ledger has them: it
//! is to be kept as the ledger is.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::drift::{Known, Reference};
use crate::names::{Joined, Names, Ranks, Sort};
use crate::output::hex;
use crate::output::{Pending, RunTag};
use crate::result::Window;
use crate::scoring::carry::Carry;
use crate::scoring::fitted::Fitted;
use crate::scoring::schema::{FEATURES, Schema, SchemaMismatch};
use crate::stored::{Broken, Reader, Stored};

mod error;

pub use error::{ModelError, Problem};

/// What a model's file begins with.
pub const MARK: [u8; 8] = *b"je-model";
/// Another number for every change of the layout.
pub const FORMAT: u32 = 2;
/// How the name of a model's file ends.
pub const EXTENSION: &str = "jemodel";

/// Up to the number of the features.
const HEADER: usize = MARK.len() + 4 + 8;
const HASH: usize = 32;
/// An entry says in two bytes which one it is of.
const MOST_POPULATIONS: usize = 1 << 16;
/// A model is of names and counts: no ledger makes one as large as this.
const MOST_BYTES: u64 = 4 << 30;

/// What a model was made from, how and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Models of one name replace each other.
    pub name: String,
    /// Name and version of the program.
    pub program: String,
    /// All parameters of the training, as JSON.
    pub parameters: String,
    pub seed: u64,
    /// The first and last date that decides a period.
    pub window: Option<Window>,
    pub entries: u64,
    pub lines: u64,
    /// Over the bytes of the ledger.
    pub input_sha256: String,
    pub config_sha256: String,
    /// The job that made it, or how else it was made.
    pub job: String,
}

/// Which entries a population has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// All of the ledger.
    Whole,
    /// Those of an entity that were made by hand, or automatically, or without a word on that.
    Apart { entity: String, manual: Option<bool> },
}

/// Entries that were measured among themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct Population {
    pub whose: Whose,
    pub entries: u64,
    pub fitted: Fitted,
    /// How they looked, for drift.
    pub reference: Reference,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub about: About,
    pub schema: Schema,
    /// Of the ledger that it was made from, and of no other.
    pub names: Names,
    pub populations: Vec<Population>,
}

/// A model by the symbols of a ledger: ready to score it.
#[derive(Debug)]
pub struct Carried {
    /// Of both.
    pub names: Names,
    /// From the ledger's own symbols to those of both.
    pub ranks: Ranks,
    pub known: Known,
    /// In the order of the model's populations.
    pub fitted: Vec<Fitted>,
}

/// The bytes of a model's file, and what it is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub bytes: Vec<u8>,
    pub sha256: String,
}

/// A model that was read, with the hash of its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    pub model: Model,
    pub sha256: String,
}

/// How a model is called: the first sixteen digits of its hash.
pub fn id(sha256: &str) -> &str {
    sha256.get(..16).unwrap_or(sha256)
}

impl Model {
    /// For a ledger that has these names and columns of its own.
    pub fn carry(&self, ledger: &Names, schema: &Schema) -> Result<Carried, SchemaMismatch> {
        self.schema.check(schema)?;
        let Joined { names, ours, theirs } = ledger.join(&self.names);
        let carry = Carry { names: &names, ranks: &theirs };
        let (known, fitted) = (Known::of(&carry), self.carried(&carry));
        Ok(Carried { names, ranks: ours, known, fitted })
    }

    /// What scores each of its populations, asked by the symbols of more names than its own.
    pub fn carried(&self, carry: &Carry<'_>) -> Vec<Fitted> {
        let mut fitted: Vec<Fitted> = Vec::with_capacity(self.populations.len());
        for (place, population) in self.populations.iter().enumerate() {
            let before =
                place.checked_sub(1).map(|before| (&self.populations[before].fitted, &fitted[before]));
            let carried = population.fitted.carried(carry, before);
            fitted.push(carried);
        }
        fitted
    }

    pub fn seal(&self) -> Sealed {
        let Self { about, schema, names, populations } = self;
        let mut bytes = MARK.to_vec();
        FORMAT.put(&mut bytes);
        0_u64.put(&mut bytes);
        FEATURES.put(&mut bytes);
        about.put(&mut bytes);
        schema.put(&mut bytes);
        names.put(&mut bytes);
        (populations.len() as u64).put(&mut bytes);
        for Population { whose, entries, fitted, reference } in populations {
            whose.put(&mut bytes);
            entries.put(&mut bytes);
            fitted.put(&mut bytes);
            reference.put(&mut bytes);
        }
        Sealed::of(bytes)
    }

    pub fn read(path: &Path) -> Result<Opened, ModelError> {
        Self::read_listed(path, None)
    }

    /// Refuses another file than the one whose hash somebody kept, before anything in it is believed.
    pub fn read_listed(path: &Path, sha256: Option<&str>) -> Result<Opened, ModelError> {
        let reading = |cause| ModelError::Read { path: path.into(), cause };
        let refused = |problem| ModelError::Refused { path: path.into(), problem };
        let file = File::open(path).map_err(reading)?;
        let length = file.metadata().map_err(reading)?.len();
        if length > MOST_BYTES {
            return Err(refused(Problem::NoModel));
        }
        let mut bytes = Vec::with_capacity(length as usize);
        file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(reading)?;
        Self::parse(&bytes, sha256).map_err(refused)
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Opened, Problem> {
        Self::parse(bytes, None)
    }

    fn parse(bytes: &[u8], listed: Option<&str>) -> Result<Opened, Problem> {
        let (body, sha256) = unsealed(bytes)?;
        if listed.is_some_and(|listed| listed != sha256) {
            return Err(Problem::Another);
        }
        let mut from = Reader::new(body);
        let features = u32::take(&mut from)?;
        if features != FEATURES {
            return Err(Problem::OtherFeatures { found: features });
        }
        let (about, schema, names) =
            (About::take(&mut from)?, Schema::take(&mut from)?, Names::take(&mut from)?);
        let count = u64::take(&mut from)?;
        let mut populations: Vec<Population> = Vec::new();
        for _ in 0..count {
            let population = population(&mut from, &names, populations.last())?;
            populations.push(population);
        }
        if !from.is_at_end() {
            return Err(Broken("it has more than its parts").into());
        }
        complete(&names, &populations)?;
        Ok(Opened { model: Self { about, schema, names, populations }, sha256 })
    }
}

/// What is between the header and the hash, once both are as they should be; and the hash.
fn unsealed(bytes: &[u8]) -> Result<(&[u8], String), Problem> {
    let rest = bytes.strip_prefix(&MARK).ok_or(Problem::NoModel)?;
    let has = bytes.len() as u64;
    let short = |_| Problem::CutOff { has, needs: (HEADER + HASH) as u64 };
    let mut header = Reader::new(rest);
    let format = u32::take(&mut header).map_err(short)?;
    if format != FORMAT {
        return Err(Problem::OtherFormat { found: format });
    }
    let needs = u64::take(&mut header).map_err(short)?.max((HEADER + HASH) as u64);
    if has < needs {
        return Err(Problem::CutOff { has, needs });
    }
    if has > needs {
        return Err(Problem::GoesOn { has, needs });
    }
    let (sealed, hash) = bytes.split_at(bytes.len() - HASH);
    let found = Sha256::new_with_prefix(sealed);
    if found.clone().finalize()[..] != *hash {
        return Err(Problem::Altered);
    }
    Ok((&sealed[HEADER..], hex(found)))
}

fn population(
    from: &mut Reader<'_>,
    names: &Names,
    before: Option<&Population>,
) -> Result<Population, Broken> {
    let whose = Whose::take(from)?;
    let entries = u64::take(from)?;
    let fitted = Fitted::take(from, names, before.map(|before| &before.fitted))?;
    let reference = Reference::take(from)?;
    if !reference.is_of(&fitted.dims) {
        return Err(Broken("a population is held against another"));
    }
    Ok(Population { whose, entries, fitted, reference })
}

/// The whole of a ledger comes first; the others are parts of it, and compared in the same categories.
fn complete(names: &Names, populations: &[Population]) -> Result<(), Broken> {
    let Some((first, apart)) = populations.split_first() else {
        return Err(Broken("it has no population"));
    };
    let is_known = |whose: &Whose| match whose {
        Whose::Whole => false,
        Whose::Apart { entity, .. } => names.find(Sort::Entity, entity).is_some(),
    };
    if first.whose != Whose::Whole || !apart.iter().all(|population| is_known(&population.whose)) {
        return Err(Broken("its populations are not those of a ledger"));
    }
    if populations.len() > MOST_POPULATIONS {
        return Err(Broken("it has more populations than there can be"));
    }
    if apart.iter().any(|population| population.fitted.dims != first.fitted.dims) {
        return Err(Broken("its populations are compared in different categories"));
    }
    Ok(())
}

impl Sealed {
    /// Bytes whose header has room for their length, which they do not yet tell.
    fn of(mut bytes: Vec<u8>) -> Self {
        let length = (bytes.len() + HASH) as u64;
        bytes[HEADER - 8..HEADER].copy_from_slice(&length.to_le_bytes());
        let hash = Sha256::new_with_prefix(&bytes);
        bytes.extend(hash.clone().finalize());
        Self { bytes, sha256: hex(hash) }
    }

    pub fn id(&self) -> &str {
        id(&self.sha256)
    }

    /// A file named after the model, whole or not at all.
    pub fn write(&self, folder: &Path, tag: &RunTag) -> io::Result<PathBuf> {
        let mut file = Pending::create(folder, &format!("model-{}.{EXTENSION}", self.id()), tag)?;
        file.write_all(&self.bytes)?;
        file.commit()
    }
}

impl Stored for About {
    const LEAST: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        let Self {
            name,
            program,
            parameters,
            seed,
            window,
            entries,
            lines,
            input_sha256,
            config_sha256,
            job,
        } = self;
        name.put(out);
        program.put(out);
        parameters.put(out);
        seed.put(out);
        window.map(|Window { from, to }| (day(from), day(to))).put(out);
        entries.put(out);
        lines.put(out);
        input_sha256.put(out);
        config_sha256.put(out);
        job.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        Ok(Self {
            name: Stored::take(from)?,
            program: Stored::take(from)?,
            parameters: Stored::take(from)?,
            seed: Stored::take(from)?,
            window: <Option<(Day, Day)> as Stored>::take(from)?.map(window).transpose()?,
            entries: Stored::take(from)?,
            lines: Stored::take(from)?,
            input_sha256: Stored::take(from)?,
            config_sha256: Stored::take(from)?,
            job: Stored::take(from)?,
        })
    }
}

/// Year, month, day.
type Day = (i16, u8, u8);

fn day(date: Date) -> Day {
    (date.year(), date.month().cast_unsigned(), date.day().cast_unsigned())
}

fn window((from, to): (Day, Day)) -> Result<Window, Broken> {
    let date = |(year, month, day): Day| {
        Date::new(year, month.cast_signed(), day.cast_signed()).map_err(|_| Broken("a date is none"))
    };
    Ok(Window { from: date(from)?, to: date(to)? })
}

impl Stored for Whose {
    const LEAST: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        let apart = match self {
            Self::Whole => None,
            Self::Apart { entity, manual } => Some((entity.clone(), *manual)),
        };
        apart.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let apart: Option<(String, Option<bool>)> = Stored::take(from)?;
        Ok(apart.map_or(Self::Whole, |(entity, manual)| Self::Apart { entity, manual }))
    }
}

#[cfg(test)]
mod tests;
