//! Everything that a run can be told, with its default: the mapping of the source, the tests and their weights, calendars, selections, outputs.
//!
//! Settings, the ledger's bytes and the seed are all that results follow from, so the hash of the settings is on every cover.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::amount::Amount;
use crate::ingest::control::{BalanceMapping, TotalMapping};
use crate::ingest::{Mapping, Preset};
use crate::output::hex;
use crate::passes::judge::Wanted;
use crate::passes::populations;
use crate::result::{MOST_SELECTED, MOST_TOP, Parameter};
use crate::scores_file::Format;
use crate::selection::monetary_unit::Basis;
use crate::{calendar, completeness, controls, drift, risk};

mod every;
mod said;
mod window;

pub(crate) use said::quoted;
pub use window::Window;

/// More do not make a better forest, only a slower one.
const MOST_TREES: usize = 10_000;
/// As many entries as forests are fitted on.
const MOST_SAMPLE: usize = 65_536;

/// What is read is laid over the defaults, as it is over what is configured: a decimal sign does not undo the preset beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct Settings {
    /// The same seed, settings and ledger give the same results bit for bit.
    pub seed: u64,
    /// The days that are looked at.
    pub window: Window,
    /// What the columns of the ledger mean.
    pub mapping: Mapping,
    /// What the columns of the trial balance mean.
    pub trial_balance: BalanceMapping,
    /// What the columns of the log of entries mean.
    pub entry_log: TotalMapping,
    pub completeness: completeness::Config,
    pub controls: controls::Config,
    pub calendars: calendar::Config,
    pub populations: populations::Config,
    pub forest: Forest,
    pub risk: risk::Config,
    pub drift: drift::Bounds,
    pub selections: Selections,
    pub outputs: Outputs,
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The derived one.
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let said = Value::deserialize(deserializer)?;
        let mut all = serde_json::to_value(Self::default()).map_err(D::Error::custom)?;
        lay_over(&mut all, &said);
        Self::deserialize(all).map_err(D::Error::custom)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            window: Window::default(),
            mapping: Mapping::of(Preset::Ads),
            trial_balance: BalanceMapping::default(),
            entry_log: TotalMapping::default(),
            completeness: completeness::Config::default(),
            controls: controls::Config::default(),
            calendars: calendar::Config::default(),
            populations: populations::Config::default(),
            forest: Forest::default(),
            risk: risk::Config::default(),
            drift: drift::Bounds::default(),
            selections: Selections::default(),
            outputs: Outputs::default(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Forest {
    pub trees: usize,
    /// Entries that each tree is grown from.
    pub sample: usize,
}

impl Default for Forest {
    fn default() -> Self {
        Self { trees: 100, sample: 256 }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selections {
    /// Entries drawn at random; 0 draws none.
    pub random: u64,
    /// Lower bounds of amounts in rising order, each with how many entries are drawn from there to the next.
    pub strata: Vec<StratumSize>,
    pub monetary_unit: MonetaryUnit,
}

impl Default for Selections {
    fn default() -> Self {
        let strata = [(0, 10), (1_000_000, 10), (10_000_000, 10), (100_000_000, 10)];
        let strata = strata.map(|(cents, size)| StratumSize { from: Amount::from_cents(cents), size });
        Self { random: 25, strata: strata.into(), monetary_unit: MonetaryUnit::default() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StratumSize {
    pub from: Amount,
    pub size: u64,
}

/// By a number of units, or by materiality; 0 and none draw none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MonetaryUnit {
    pub size: u64,
    /// The misstatement that can be tolerated; said, it goes before the size.
    pub materiality: Option<Amount>,
    pub expected: Amount,
    /// The risk of accepting a ledger that is misstated by more, in per cent.
    pub risk_percent: u8,
}

impl Default for MonetaryUnit {
    fn default() -> Self {
        Self { size: 25, materiality: None, expected: Amount::ZERO, risk_percent: 5 }
    }
}

impl Selections {
    fn check(&self) -> Result<(), SettingsError> {
        if self.random > MOST_SELECTED as u64 {
            let problem = format!("{} are too many; write at most {MOST_SELECTED}", self.random);
            return Err(SettingsError::at("selections.random", problem));
        }
        let basis = self.monetary_unit.basis();
        basis.map_or(Ok(()), Basis::check).map_err(SettingsError::below("selections.monetary_unit"))
    }
}

impl MonetaryUnit {
    pub fn basis(&self) -> Option<Basis> {
        match self.materiality {
            Some(materiality) => {
                let Self { expected, risk_percent, .. } = *self;
                Some(Basis::Materiality { materiality, expected, risk_percent })
            }
            None => (self.size > 0).then_some(Basis::Size(self.size)),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outputs {
    /// How many entries are reported with reasons.
    pub top: usize,
    /// The forms in which all scores are written.
    pub scores: Vec<Format>,
    pub workpaper: bool,
    pub report: bool,
    /// Entries that are reported with reasons whatever their risk is, by their ids.
    pub entries: BTreeSet<String>,
}

impl Default for Outputs {
    fn default() -> Self {
        #[cfg(feature = "parquet")]
        let scores = vec![Format::Csv, Format::Parquet];
        #[cfg(not(feature = "parquet"))]
        let scores = vec![Format::Csv];
        Self { top: MOST_TOP, scores, workpaper: true, report: true, entries: BTreeSet::new() }
    }
}

/// A setting that cannot be meant, by its place; what cannot be read at all has none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}{}{problem}", if place.is_empty() { "" } else { ": " })]
pub struct SettingsError {
    pub place: String,
    /// What is wrong, and what to write.
    pub problem: String,
}

impl SettingsError {
    fn unreadable(error: &serde_json::Error) -> Self {
        Self { place: String::new(), problem: error.to_string() }
    }

    fn at(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }

    /// What a part of the settings says of itself begins with its own name for the place.
    fn below<E: ToString>(place: &str) -> impl Fn(E) -> Self + '_ {
        move |error| {
            let error = error.to_string();
            match error.split_once(": ") {
                Some((own, problem)) => Self::at(format!("{place}.{own}"), problem),
                None => Self::at(place, error),
            }
        }
    }
}

impl Settings {
    /// These settings with what `more` says of them; what it does not say stays.
    pub fn with(&self, more: &Value) -> Result<Self, SettingsError> {
        let mut all = serde_json::to_value(self).map_err(|error| SettingsError::unreadable(&error))?;
        lay_over(&mut all, more);
        // The derived one: these are not laid over the defaults, they are all there is.
        let settings = Self::deserialize(all).map_err(|error| SettingsError::unreadable(&error))?;
        settings.check()?;
        Ok(settings)
    }

    pub fn check(&self) -> Result<(), SettingsError> {
        self.window.check().map_err(SettingsError::below("window"))?;
        self.mapping.check().map_err(SettingsError::below("mapping"))?;
        self.trial_balance.written.check().map_err(SettingsError::below("trial_balance.written"))?;
        self.entry_log.written.check().map_err(SettingsError::below("entry_log.written"))?;
        self.completeness.check().map_err(SettingsError::below("completeness"))?;
        self.controls.check().map_err(SettingsError::below("controls"))?;
        self.risk.check().map_err(SettingsError::below("risk"))?;
        self.drift.check().map_err(SettingsError::below("drift"))?;
        // Of no ledger yet: whether zones and calendars can be meant does not depend on one.
        calendar::Calendars::new(&self.calendars, &crate::names::Names::default())
            .map_err(SettingsError::below("calendars"))?;
        let Forest { trees, sample } = self.forest;
        if !(1..=MOST_TREES).contains(&trees) {
            return Err(SettingsError::at("forest.trees", format!("{trees}; write 1 to {MOST_TREES}")));
        }
        if !(2..=MOST_SAMPLE).contains(&sample) {
            return Err(SettingsError::at("forest.sample", format!("{sample}; write 2 to {MOST_SAMPLE}")));
        }
        if self.populations.least_entries == 0 {
            return Err(SettingsError::at("populations.least_entries", "0; write 1 or more"));
        }
        if self.outputs.top > MOST_TOP {
            let problem = format!("{} are too many; write at most {MOST_TOP}", self.outputs.top);
            return Err(SettingsError::at("outputs.top", problem));
        }
        self.selections.check()?;
        self.wanted().check().map_err(SettingsError::below("selections"))
    }

    pub fn wanted(&self) -> Wanted {
        Wanted {
            top: self.outputs.top,
            seed: self.seed,
            random: self.selections.random,
            strata: self.selections.strata.iter().map(|stratum| (stratum.from, stratum.size)).collect(),
            asked: self.outputs.entries.clone(),
        }
    }

    /// Every setting by its place, defaults included.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        // These are our own types, which have names for their fields.
        let all = serde_json::to_value(self).unwrap_or_default();
        flatten("", &all, &mut parameters);
        parameters
    }

    /// Over all of them in one form.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for Parameter { name, value } in self.parameters() {
            hash.update(format!("{name} = {value}\n"));
        }
        hex(hash)
    }
}

/// Objects are joined, everything else is replaced; null takes back.
fn lay_over(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                match under.get_mut(key) {
                    Some(known) => lay_over(known, value),
                    None => {
                        under.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (under, over) => *under = over.clone(),
    }
}

fn flatten(place: &str, value: &Value, out: &mut Vec<Parameter>) {
    match value {
        Value::Object(fields) => {
            // In the order of their names, whatever order the map has.
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            for (name, value) in fields {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                flatten(&place, value, out);
            }
        }
        Value::Null => {}
        value => out.push(Parameter {
            name: place.into(),
            value: value.as_str().map_or_else(|| value.to_string(), str::to_string),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_can_be_meant_and_survive_their_own_form() {
        let settings = Settings::default();

        assert_eq!(settings.check(), Ok(()));
        assert_eq!(settings.with(&json!({})), Ok(settings));
    }

    #[test]
    fn what_is_said_is_laid_over_and_the_rest_stays() {
        let settings = Settings::default();
        let with = settings
            .with(&json!({"seed": 7, "risk": {"high": 0.6}, "controls": {"weights": {"manual": 0}}}))
            .unwrap();

        assert_eq!((with.seed, with.risk.high, with.risk.medium), (7, 0.6, settings.risk.medium));
        assert_eq!(with.controls.weight(controls::Id::Manual), 0);
        assert_ne!(with.sha256(), settings.sha256());
        assert!(with.parameters().contains(&Parameter { name: "risk.high".into(), value: "0.6".into() }));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_place() {
        for (more, place) in [
            (json!({"risk": {"score_weight": 21}}), "risk.score_weight"),
            (json!({"forest": {"trees": 0}}), "forest.trees"),
            (json!({"drift": {"watch": 0.3}}), "drift.watch"),
            (json!({"forest": {"sample": 0}}), "forest.sample"),
            (json!({"outputs": {"top": 1_001}}), "outputs.top"),
            (json!({"calendars": {"ledger_zone": "Nowhere"}}), "calendars.ledger_zone"),
            (
                json!({"selections": {"strata": [{"from": "10", "size": 1}, {"from": "5", "size": 1}]}}),
                "selections.strata",
            ),
            (json!({"populations": {"least_entries": 0}}), "populations.least_entries"),
            (json!({"mapping": {"round_to": 9}}), "mapping.round_to"),
            (json!({"trial_balance": {"written": {"delimiter": "a"}}}), "trial_balance.written.delimiter"),
            (json!({"entry_log": {"written": {"grouping": "point"}}}), "entry_log.written.grouping"),
            (json!({"completeness": {"first_month": 13}}), "completeness.first_month"),
            (json!({"controls": {"round": {"zeros": 0}}}), "controls.round.zeros"),
            (json!({"calendars": {"entities": {"1000": "x"}}}), "calendars.entities.1000"),
            (json!({"selections": {"random": 10_001}}), "selections.random"),
            (json!({"selections": {"monetary_unit": {"size": 10_001}}}), "selections.monetary_unit.size"),
            (
                json!({"selections": {"monetary_unit": {"materiality": "1000", "risk_percent": 7}}}),
                "selections.monetary_unit.risk_percent",
            ),
            (
                json!({"selections": {"monetary_unit": {"materiality": "1000", "expected": "900"}}}),
                "selections.monetary_unit.materiality",
            ),
            (json!({"sede": 1}), "unknown field `sede`"),
            (json!({"risk": 5}), "invalid type"),
        ] {
            let error = Settings::default().with(&more).unwrap_err();
            match place.contains(' ') {
                true => assert!(error.place.is_empty() && error.problem.contains(place), "{more}: {error}"),
                false => assert_eq!(error.place, place, "{more}: {error}"),
            }
        }
    }

    /// It was once read over nothing: the preset was gone, and no column was found.
    #[test]
    fn what_is_configured_is_laid_over_the_defaults() {
        let said = json!({
            "mapping": {"decimal": "comma"},
            "controls": {"keyword": {"words": {"es": ["ajuste"], "fr": []}}},
            "calendars": {"standard": {"zone": "Europe/Berlin"}},
        });

        let settings: Settings = serde_json::from_value(said).unwrap();

        let mut expected = Settings::default();
        expected.mapping.decimal = Some(crate::ingest::mapping::DecimalSign::Comma);
        let words = &mut expected.controls.keyword.words;
        words.insert("es".into(), vec!["ajuste".into()]);
        words.insert("fr".into(), Vec::new());
        expected.calendars.standard.zone = Some("Europe/Berlin".into());
        assert_eq!(settings, expected);
    }

    #[test]
    fn what_was_taken_back_stays_away() {
        let bare = Settings::default().with(&json!({"mapping": {"preset": null}})).unwrap();

        assert_eq!(bare.mapping.preset, None);
        assert_eq!(bare.with(&json!({"seed": 7})).unwrap(), Settings { seed: 7, ..bare.clone() });
        let json = serde_json::to_string(&bare).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), bare);
    }

    #[test]
    fn the_hash_is_that_of_the_meaning_and_not_of_the_form() {
        let said = Settings::default().with(&json!({"seed": 0, "risk": {"medium": 0.3}})).unwrap();

        assert_eq!(said.sha256(), Settings::default().sha256());
    }
}
