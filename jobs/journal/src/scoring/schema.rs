//! Which columns a ledger has. A model measures what it was made from: a ledger that has less, or more, it would score by something else than it seems to.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::dims::Has;
use crate::names::{Names, Sort};
use crate::stored::{Broken, Reader, Stored};

/// Another number for every change of what is measured of an entry, or how: scores by models from before would be others.
pub const FEATURES: u32 = 1;

/// Of a column with so many different values that they are counted in groups.
const IN_GROUPS: &str = " (in groups)";

/// The columns with anything in them, by the names that mappings have for them; and all that no field is for, which are known by their places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    columns: BTreeSet<String>,
}

/// A model and a ledger that do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schema mismatch: {}", in_words(.missing, .unknown, .grouped))]
pub struct SchemaMismatch {
    /// Columns that the model knows and the ledger does not have.
    pub missing: Vec<String>,
    /// Columns of the ledger that the model does not know.
    pub unknown: Vec<String>,
    /// Columns with so many different values in the ledger that they are counted in groups, which the model has one by one.
    pub grouped: Vec<String>,
}

impl Schema {
    /// Of a ledger by its own names, before those of a model have come to them.
    pub fn of(names: &Names, has: Has) -> Self {
        Self::named(names).and(has)
    }

    /// As far as names tell it.
    pub fn named(names: &Names) -> Self {
        let is_used = |sort: &Sort| names.all(*sort).iter().any(|name| !name.is_empty());
        let title = |sort: Sort| match names.are_grouped(sort) {
            true => sort.title() + IN_GROUPS,
            false => sort.title(),
        };
        Self { columns: Sort::all(names.extra()).filter(is_used).map(title).collect() }
    }

    /// With the names of the columns that no field is for: another column in the same place is another column. Each of them, with anything in it or not,
    /// since one that is left out would move those behind it.
    pub fn titled(mut self, extra: &[String]) -> Self {
        let places = (0..extra.len()).map(|place| Sort::Extra(place as u8).title());
        let titled = places.zip(extra).map(|(place, title)| {
            self.columns.remove(&place);
            let in_groups = if self.columns.remove(&(place + IN_GROUPS)) { IN_GROUPS } else { "" };
            format!("extra {title}{in_groups}")
        });
        let titled: Vec<String> = titled.collect();
        self.columns.extend(titled);
        self
    }

    /// With what is seen only line by line.
    pub fn and(mut self, has: Has) -> Self {
        let others = [
            (has.amounts, "amount"),
            (has.dates, "effective"),
            (has.times, "entered_time"),
            (has.periods, "period"),
            (has.manual, "manual"),
        ];
        self.columns.extend(others.into_iter().filter(|(has, _)| *has).map(|(_, name)| name.into()));
        self
    }

    /// The columns that it has in groups.
    pub fn grouped(&self) -> impl Iterator<Item = String> {
        self.columns.iter().filter_map(|column| column.strip_suffix(IN_GROUPS).map(str::to_string))
    }

    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str)
    }

    /// Whether a model of this schema can score a ledger of that one. It can put into groups what it has in groups; what it has one by one it cannot find in groups.
    pub fn check(&self, ledger: &Self) -> Result<(), SchemaMismatch> {
        let as_here = |column: &String| {
            let in_groups = format!("{column}{IN_GROUPS}");
            if self.columns.contains(&in_groups) { in_groups } else { column.clone() }
        };
        let ledger: BTreeSet<String> = ledger.columns.iter().map(as_here).collect();
        let mut missing: Vec<String> = self.columns.difference(&ledger).cloned().collect();
        let mut unknown: Vec<String> = ledger.difference(&self.columns).cloned().collect();
        let in_groups = |column: &String| ledger.contains(&format!("{column}{IN_GROUPS}"));
        let grouped: Vec<String> = missing.extract_if(.., |column| in_groups(column)).collect();
        unknown.retain(|column| {
            column.strip_suffix(IN_GROUPS).is_none_or(|column| !grouped.iter().any(|one| one == column))
        });
        match missing.is_empty() && unknown.is_empty() && grouped.is_empty() {
            true => Ok(()),
            false => Err(SchemaMismatch { missing, unknown, grouped }),
        }
    }

    /// SHA-256 of the columns and of what is measured of them: alike for ledgers and models that fit.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("features {FEATURES}\n"));
        for column in &self.columns {
            hash.update(column);
            hash.update("\n");
        }
        crate::output::hex(hash)
    }
}

fn in_words(missing: &[String], unknown: &[String], grouped: &[String]) -> String {
    let list = |columns: &[String]| {
        columns.iter().map(|column| format!("`{column}`")).collect::<Vec<_>>().join(", ")
    };
    let mut problems = Vec::new();
    let mut remedies = Vec::new();
    if !missing.is_empty() {
        problems.push(format!("the model knows {}, and the ledger has none", list(missing)));
        remedies.push("map columns of the ledger to what is missing");
    }
    if !unknown.is_empty() {
        problems.push(format!("the ledger has {}, which the model does not know", list(unknown)));
        remedies.push("leave out of the mapping what is too much");
    }
    if !grouped.is_empty() {
        problems.push(format!(
            "the ledger has so many different values of {} that they are counted in groups, and the model has them one by one",
            list(grouped)
        ));
    }
    match remedies.is_empty() {
        true => format!("{}; train a model on this ledger", problems.join("; ")),
        false => {
            format!("{}; {}, or train a model on this ledger", problems.join("; "), remedies.join(" and "))
        }
    }
}

impl Stored for Schema {
    const LEAST: usize = 8;

    fn put(&self, out: &mut Vec<u8>) {
        self.columns.iter().cloned().collect::<Vec<_>>().put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        Ok(Self { columns: Vec::take(from)?.into_iter().collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Line;
    use crate::part::from_lines;

    fn schema(line: Line<'_>, has: Has) -> Schema {
        let empty = Line { entry: "0", extra: &[""][..line.extra.len().min(1)], ..Line::default() };
        Schema::of(&from_lines([empty, line]).1, has)
    }

    #[test]
    fn a_ledger_has_the_columns_with_anything_in_them() {
        let has = Has { amounts: true, times: true, ..Has::default() };
        let schema =
            schema(Line { entry: "1", user: "x", source: "", extra: &["y"], ..Line::default() }, has);

        assert_eq!(schema.columns().collect::<Vec<_>>(), ["amount", "entered_time", "extra 1", "user"]);
    }

    #[test]
    fn a_column_that_no_field_is_for_is_there_by_its_name_though_it_is_blank() {
        let titled = |value, extra: &[&str]| {
            let line = Line { entry: "1", extra: &[value], ..Line::default() };
            let extra: Vec<String> = extra.iter().map(|title| title.to_string()).collect();
            let columns = schema(line, Has::default()).titled(&extra).columns;
            columns.into_iter().collect::<Vec<_>>()
        };

        assert_eq!(titled("y", &["Region"]), ["extra Region"]);
        assert_eq!(titled("", &["Region"]), ["extra Region"]);
        // A title may look like a place.
        assert_eq!(titled("y", &["2", "1"]), ["extra 1", "extra 2"]);
        assert_eq!(titled("y", &[]), ["extra 1"]);
    }

    #[test]
    fn what_one_has_and_the_other_has_not_is_refused_by_name() {
        let of = |user, business_unit, amounts| {
            let line = Line { entry: "1", user, business_unit, ..Line::default() };
            schema(line, Has { amounts, ..Has::default() })
        };
        let model = of("meier", "9900", true);

        assert_eq!(model.check(&of("huber", "0100", true)), Ok(()));
        for (ledger, message) in [
            (
                of("meier", "", true),
                "schema mismatch: the model knows `business_unit`, and the ledger has none; map columns of the ledger to what is missing, or train a model on this ledger",
            ),
            (
                of("", "", true),
                "schema mismatch: the model knows `business_unit`, `user`, and the ledger has none; map columns of the ledger to what is missing, or train a model on this ledger",
            ),
        ] {
            assert_eq!(model.check(&ledger).unwrap_err().to_string(), message);
        }
        assert_eq!(
            of("meier", "", true).check(&model).unwrap_err().to_string(),
            "schema mismatch: the ledger has `business_unit`, which the model does not know; leave out of the mapping what is too much, or train a model on this ledger"
        );
        let both = of("meier", "", true).check(&of("", "", false)).unwrap_err();
        assert_eq!((both.missing, both.unknown), (vec!["amount".to_string(), "user".into()], vec![]));
    }

    #[test]
    fn what_a_model_has_in_groups_a_ledger_may_have_one_by_one_and_not_the_other_way() {
        let of =
            |columns: &[&str]| Schema { columns: columns.iter().map(|column| column.to_string()).collect() };
        let (each, groups) = (of(&["partner", "user"]), of(&["partner (in groups)", "user"]));

        assert_eq!((groups.check(&each), groups.check(&groups), each.check(&each)), (Ok(()), Ok(()), Ok(())));
        // The model would be asked for groups that it has not counted.
        assert_eq!(
            each.check(&groups).unwrap_err().to_string(),
            "schema mismatch: the ledger has so many different values of `partner` that they are counted in groups, and the model has them one by one; train a model on this ledger"
        );
        assert_eq!(groups.grouped().collect::<Vec<_>>(), ["partner"]);
        assert!(groups.check(&of(&["user"])).is_err());
        let extra = of(&["extra 1 (in groups)", "extra 2"]).titled(&["Region".into(), "Cost".into()]);
        assert_eq!(extra.columns().collect::<Vec<_>>(), ["extra Cost", "extra Region (in groups)"]);
    }

    #[test]
    fn schemas_that_fit_have_one_hash() {
        let of = |user| schema(Line { entry: "1", user, ..Line::default() }, Has::default());

        assert_eq!(of("a").sha256(), of("b").sha256());
        assert_ne!(of("a").sha256(), of("").sha256());
    }
}
