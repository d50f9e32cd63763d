//! Models that score a ledger instead of what it teaches itself: opened before a line is read, joined with the names of the ledger, refused where they do not fit.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::RunError;
use crate::drift::{Bounds, Drift, Known, Summary};
use crate::model::{Model, ModelError, Opened, Population, Problem, Whose, id};
use crate::names::{Names, Ranks, Sort};
use crate::passes::populations::{Key, Populations};
use crate::result;
use crate::scoring::carry::Carry;
use crate::scoring::combine::Combiner;
use crate::scoring::detectors::Detectors;
use crate::scoring::dims::{Dims, Has};
use crate::scoring::measures::Yardstick;
use crate::scoring::schema::Schema;
use crate::spool::Spool;
use crate::stored::Broken;

/// By which models a ledger is scored; by what it teaches itself where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct By {
    /// The results are its.
    pub model: Option<Chosen>,
    /// Scores too, to be compared with it.
    pub challenger: Option<Chosen>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// As the file is called in results and errors.
    pub path: PathBuf,
    /// Where it is opened: the same, unless it was fetched.
    pub file: PathBuf,
    /// What the list of models says of it; none of a file that somebody names.
    pub listed: Option<InList>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InList {
    pub name: String,
    pub version: u32,
    pub sha256: String,
}

impl Chosen {
    /// A file that is in no list.
    pub fn file(path: &Path) -> Self {
        Self { path: path.into(), file: path.into(), listed: None }
    }

    fn open(&self) -> Result<Opened, RunError> {
        let kind = std::fs::metadata(&self.file);
        if kind.is_ok_and(|kind| !kind.is_file()) {
            return Err(RunError::NotAFile(self.path.clone()));
        }
        let sha256 = self.listed.as_ref().map(|listed| &*listed.sha256);
        Model::read_listed(&self.file, sha256).map_err(|error| self.refused(error))
    }

    /// By the name that the user knows.
    fn refused(&self, error: ModelError) -> RunError {
        let path = self.path.clone();
        RunError::Model(match error {
            ModelError::Read { cause, .. } => ModelError::Read { path, cause },
            ModelError::Refused { problem, .. } => ModelError::Refused { path, problem },
        })
    }
}

impl By {
    /// The model first.
    pub(super) fn open(&self) -> Result<Vec<(Chosen, Opened)>, RunError> {
        let chosen = self.model.iter().chain(&self.challenger);
        chosen.map(|chosen| Ok((chosen.clone(), chosen.open()?))).collect()
    }
}

/// The models of a run, for a ledger whose names are joined with theirs.
pub(super) struct Models {
    pub(super) model: Teacher,
    pub(super) challenger: Option<Teacher>,
    /// Of the ledger, as far as its own names tell it.
    schema: Schema,
}

pub(super) struct Teacher {
    chosen: Chosen,
    opened: Opened,
    /// From its symbols to those of the ledger and of all models.
    ranks: Ranks,
}

/// From now on the ledger's names are those of all. None where there is no model.
pub(super) fn join(spool: &mut Spool, opened: Vec<(Chosen, Opened)>, extra: &[String]) -> Option<Models> {
    let schema = Schema::named(spool.names()).titled(extra);
    let mut teachers: Vec<Teacher> = Vec::new();
    for (chosen, opened) in opened {
        let joined = spool.names().join(&opened.model.names);
        for known in &mut teachers {
            known.ranks = known.ranks.then(&joined.ours);
        }
        spool.rename(joined.names, &joined.ours);
        teachers.push(Teacher { chosen, opened, ranks: joined.theirs });
    }
    let mut teachers = teachers.into_iter();
    Some(Models { model: teachers.next()?, challenger: teachers.next(), schema })
}

/// Which models score a ledger that several jobs go over: their files are beside its parts.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ToldModels {
    /// Of the ledger's own names.
    schema: Schema,
    /// The model, and the challenger if there is one, each with the hash of its file.
    models: Vec<(Chosen, String)>,
}

/// Where the file of a model lies beside the parts.
fn beside(folder: &Path, place: usize) -> PathBuf {
    folder.join(format!("model-{place}"))
}

impl Models {
    fn all(&self) -> impl Iterator<Item = &Teacher> {
        std::iter::once(&self.model).chain(&self.challenger)
    }

    /// Whether the ledger has names in groups by itself.
    pub(super) fn has_groups(&self) -> bool {
        self.schema.grouped().next().is_some()
    }

    pub(super) fn by(&self) -> By {
        let chosen = |teacher: &Teacher| teacher.chosen.clone();
        By { model: Some(chosen(&self.model)), challenger: self.challenger.as_ref().map(chosen) }
    }

    pub(super) fn told(&self) -> ToldModels {
        let models = self.all().map(|teacher| (teacher.chosen.clone(), teacher.opened.sha256.clone()));
        ToldModels { schema: self.schema.clone(), models: models.collect() }
    }

    /// The same bytes that were read, whatever became of the files.
    pub(super) fn put_beside(&self, folder: &Path) -> io::Result<()> {
        let mut all = self.all().enumerate();
        all.try_for_each(|(place, teacher)| {
            std::fs::write(beside(folder, place), teacher.opened.model.seal().bytes)
        })
    }

    /// As they were when the ledger was put aside, whose names are joined with theirs.
    pub(super) fn again(told: ToldModels, names: &Names, folder: &Path) -> Result<Self, RunError> {
        let again = |(place, (chosen, sha256)): (usize, (Chosen, String))| {
            let opened = Model::read_listed(&beside(folder, place), Some(&sha256));
            let opened = opened.map_err(|error| match error {
                ModelError::Read { cause, .. } if cause.kind() == io::ErrorKind::NotFound => {
                    RunError::PartsAway { folder: folder.into() }
                }
                error => chosen.refused(error),
            })?;
            let ranks = names.join(&opened.model.names).theirs;
            Ok(Teacher { chosen, opened, ranks })
        };
        let teachers: Vec<Teacher> =
            told.models.into_iter().enumerate().map(again).collect::<Result<_, RunError>>()?;
        let mut teachers = teachers.into_iter();
        let model = teachers.next().ok_or(RunError::NoModel)?;
        Ok(Self { model, challenger: teachers.next(), schema: told.schema })
    }

    /// Whether each of them was made from columns as the ledger has them.
    pub(super) fn check(&self, has: Has) -> Result<(), RunError> {
        let schema = self.schema.clone().and(has);
        for Teacher { chosen, opened, .. } in self.all() {
            let fits = opened.model.schema.check(&schema);
            fits.map_err(|mismatch| RunError::Schema { path: chosen.path.clone(), mismatch })?;
        }
        // What one has in groups all names are in then, and the other would not find what it has one by one.
        let grouped = |teacher: &Teacher| -> Vec<String> { teacher.opened.model.schema.grouped().collect() };
        match &self.challenger {
            Some(challenger) if grouped(challenger) != grouped(&self.model) => Err(RunError::OtherGroups {
                model: self.model.chosen.path.clone(),
                challenger: challenger.chosen.path.clone(),
            }),
            _ => Ok(()),
        }
    }
}

/// A model by the symbols of the ledger: who is compared with whom, and in what.
pub(super) struct Carried {
    pub(super) dims: Arc<Dims>,
    pub(super) populations: Populations,
    pub(super) known: Known,
    pub(super) learned: Learned,
}

/// By population.
#[derive(Default)]
pub(super) struct Learned {
    pub(super) yardsticks: Vec<Yardstick>,
    pub(super) detectors: Vec<Detectors>,
    pub(super) combiners: Vec<Combiner>,
}

impl Teacher {
    pub(super) fn carried(&self, names: &Names) -> Result<Carried, RunError> {
        let model = &self.opened.model;
        let carry = Carry { names, ranks: &self.ranks };
        let known = Known::of(&carry);
        let mut learned = Learned::default();
        let mut first: Option<Arc<Dims>> = None;
        for fitted in model.carried(&carry) {
            first.get_or_insert(fitted.dims);
            learned.yardsticks.push(fitted.yardstick);
            learned.detectors.push(fitted.detectors);
            learned.combiners.push(fitted.combiner);
        }
        let apart = model.populations.iter().skip(1).map(|Population { whose, .. }| key(whose, names));
        let apart: Option<Vec<Key>> = apart.collect();
        let (Some(dims), Some(apart)) = (first, apart) else {
            let problem = Problem::Broken(Broken("its populations are not those of a ledger"));
            return Err(self.chosen.refused(ModelError::Refused { path: PathBuf::new(), problem }));
        };
        Ok(Carried { dims, populations: Populations::known(apart, names), known, learned })
    }

    /// How the populations of the ledger stand to those that the model was made from; where a population has no entries, there is nothing to tell.
    pub(super) fn drift(
        &self,
        populations: &Populations,
        summaries: &[Summary],
        bounds: Bounds,
    ) -> Vec<Drift> {
        let own = self.opened.model.populations.iter().zip(summaries).enumerate();
        own.filter(|(_, (_, summary))| summary.entries() > 0)
            .map(|(place, (population, summary))| {
                let title = populations.title(place).into();
                Drift::between(title, &population.reference, summary, bounds)
            })
            .collect()
    }

    /// As results name it: with the seed that it was made with, whatever the run draws by.
    pub(super) fn about(&self) -> result::Model {
        let Opened { model, sha256 } = &self.opened;
        let forest = model.populations.first().map(|first| &first.fitted.detectors.values);
        let listed = self.chosen.listed.as_ref();
        result::Model {
            id: id(sha256).into(),
            name: Some(listed.map_or_else(|| model.about.name.clone(), |listed| listed.name.clone())),
            version: listed.map(|listed| listed.version),
            sha256: sha256.clone(),
            seed: model.about.seed,
            trees: forest.map_or(0, |forest| forest.trees() as u64),
            sample: forest.map_or(0, |forest| forest.sample_size() as u64),
            features: model.populations.first().map_or(0, |first| features(&first.fitted.dims)),
            trained_on: format!("a ledger of the SHA-256 {}", model.about.input_sha256),
            trained_entries: model.about.entries,
            window: model.about.window,
        }
    }
}

/// What the forests look at.
pub(super) fn features(dims: &Dims) -> u64 {
    dims.len() as u64 + 7
}

fn key(whose: &Whose, names: &Names) -> Option<Key> {
    match whose {
        Whose::Whole => None,
        Whose::Apart { entity, manual } => Some((names.find(Sort::Entity, entity)?, *manual)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn teacher(name: &str, columns: &[&str]) -> Teacher {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.csv");
        crate::sample::write(
            &mut std::fs::File::create(&path).unwrap(),
            &crate::sample::SampleParams { entries: 30, seed: 1 },
        )
        .unwrap();
        let file = crate::attempt::tests::train(name, &path, folder.path()).file;
        let mut opened = Model::read(&file).unwrap();
        opened.model.schema = schema(columns);
        Teacher { chosen: Chosen::file(Path::new(name)), opened, ranks: Ranks::default() }
    }

    fn schema(columns: &[&str]) -> Schema {
        serde_json::from_value(json!({ "columns": columns })).unwrap()
    }

    /// Each of them fits the ledger, and together they would change the scores of the one that has names one by one.
    #[test]
    fn a_challenger_that_has_in_groups_what_the_champion_has_one_by_one_is_refused() {
        let (each, groups) = (["partner", "user"], ["partner (in groups)", "user"]);
        let check = |model: &[&str], challenger: &[&str]| {
            let models = Models {
                model: teacher("acme", model),
                challenger: Some(teacher("rival", challenger)),
                schema: schema(&["partner", "user"]),
            };
            models.check(Has::default())
        };

        assert!(check(&each, &each).is_ok() && check(&groups, &groups).is_ok());
        for (model, challenger) in [(each, groups), (groups, each)] {
            let error = check(&model, &challenger).unwrap_err().to_string();
            assert!(
                error.starts_with("the model acme and its challenger rival cannot be compared"),
                "{error}"
            );
        }
    }
}
