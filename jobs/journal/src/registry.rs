//! Which of the models that there are scores a ledger: the champion of a name, or one that somebody names.

use jobkit::{ModelRecord, NewModel, Standing};

use crate::model::id;
use crate::result::Window;
use crate::run::Trained;

/// A model as a job or a person asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The champion of a name.
    Champion(String),
    /// A version of a name, also to score a ledger again by what scored it years ago.
    Version(String, u32),
    /// By the digits of its id, or of its hash.
    Id(String),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfound {
    #[error(
        "there is no model of the name `{name}`; train one with `journal.train_model`, or look for its name among the models"
    )]
    Name { name: String },
    #[error(
        "the name `{name}` has no champion among its models; promote one, or ask for a version as `{name}@{newest}`"
    )]
    Champion { name: String, newest: u32 },
    #[error("there is no version {version} of the model `{name}`; the newest is {newest}")]
    Version { name: String, version: u32, newest: u32 },
    #[error("there is no model of the id {id}; ids are the first sixteen digits of a model's hash")]
    Id { id: String },
}

impl Wanted {
    /// `NAME`, `NAME@VERSION`, or the hexadecimal digits of an id or a hash.
    pub fn parse(text: &str) -> Self {
        let is_hash = matches!(text.len(), 16 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hash {
            return Self::Id(text.to_ascii_lowercase());
        }
        match text.rsplit_once('@') {
            Some((name, version)) => match version.parse() {
                Ok(version) => Self::Version(name.into(), version),
                Err(_) => Self::Champion(text.into()),
            },
            None => Self::Champion(text.into()),
        }
    }

    /// The one that is meant, of all models of the name or of the id.
    pub fn pick<'r>(&self, records: &'r [ModelRecord]) -> Result<&'r ModelRecord, Unfound> {
        let of = |name: &str| -> Vec<&ModelRecord> {
            records.iter().filter(|record| record.model.name == name).collect()
        };
        let newest = |of: &[&ModelRecord]| of.iter().map(|record| record.version).max();
        match self {
            Self::Id(wanted) => {
                let same = |record: &&ModelRecord| {
                    let NewModel { id: known, sha256, .. } = &record.model;
                    *known == id(wanted) && (wanted.len() < 64 || sha256 == wanted)
                };
                records.iter().find(same).ok_or_else(|| Unfound::Id { id: wanted.clone() })
            }
            Self::Champion(name) => {
                let of = of(name);
                let newest = newest(&of).ok_or_else(|| Unfound::Name { name: name.clone() })?;
                let champion = of.iter().find(|record| record.standing == Standing::Champion).copied();
                champion.ok_or_else(|| Unfound::Champion { name: name.clone(), newest })
            }
            Self::Version(name, version) => {
                let of = of(name);
                let newest = newest(&of).ok_or_else(|| Unfound::Name { name: name.clone() })?;
                let found = of.iter().find(|record| record.version == *version).copied();
                found.ok_or_else(|| Unfound::Version { name: name.clone(), version: *version, newest })
            }
        }
    }
}

/// What the list of models keeps of this one, whose file is there.
pub fn entry(model: &Trained) -> NewModel {
    let Trained { id, sha256, name, schema_sha256, window, entries, file, .. } = model.clone();
    // Whoever opens it may stand in another folder.
    let path = std::path::absolute(&file).unwrap_or(file).to_string_lossy().into();
    let window = window.map(|Window { from, to }| (from, to));
    NewModel { id, sha256, name, schema_sha256, window, entries, path }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, name: &str, version: u32, standing: Standing) -> ModelRecord {
        let model = NewModel {
            id: id.into(),
            sha256: id.repeat(4),
            name: name.into(),
            schema_sha256: String::new(),
            window: None,
            entries: 1,
            path: String::new(),
        };
        let made_by = jobkit::testing::Bench::default().id;
        ModelRecord { model, version, standing, made_by, made_at: jiff::Timestamp::UNIX_EPOCH }
    }

    const ONE: &str = "00112233445566aa";
    const TWO: &str = "00112233445566bb";
    const THREE: &str = "00112233445566cc";

    fn records() -> Vec<ModelRecord> {
        vec![
            record(ONE, "acme", 1, Standing::Retired),
            record(TWO, "acme", 2, Standing::Champion),
            record(THREE, "new", 7, Standing::Challenger),
        ]
    }

    #[test]
    fn a_model_is_asked_for_by_name_version_or_id() {
        for (text, wanted) in [
            ("acme", Wanted::Champion("acme".into())),
            ("acme@3", Wanted::Version("acme".into(), 3)),
            ("a@b", Wanted::Champion("a@b".into())),
            ("a@b@3", Wanted::Version("a@b".into(), 3)),
            ("00112233445566AA", Wanted::Id(ONE.into())),
            ("00112233445566a", Wanted::Champion("00112233445566a".into())),
        ] {
            assert_eq!(Wanted::parse(text), wanted);
        }
    }

    #[test]
    fn the_one_that_is_meant_is_found_or_what_there_is_instead() {
        let records = records();
        let found = |text: &str| {
            Wanted::parse(text)
                .pick(&records)
                .map(|record| &*record.model.id)
                .map_err(|error| error.to_string())
        };

        assert_eq!(found("acme"), Ok(TWO));
        assert_eq!(found("acme@1"), Ok(ONE));
        assert_eq!([found(ONE), found(&ONE.repeat(4))], [Ok(ONE), Ok(ONE)]);
        for (text, error) in [
            (
                "none",
                "there is no model of the name `none`; train one with `journal.train_model`, or look for its name among the models",
            ),
            (
                "new",
                "the name `new` has no champion among its models; promote one, or ask for a version as `new@7`",
            ),
            ("acme@3", "there is no version 3 of the model `acme`; the newest is 2"),
            (
                "ffffffffffffffff",
                "there is no model of the id ffffffffffffffff; ids are the first sixteen digits of a model's hash",
            ),
        ] {
            assert_eq!(found(text), Err(error.to_string()));
        }
        assert!(found(&format!("{ONE}{}", "0".repeat(48))).is_err());
    }
}
