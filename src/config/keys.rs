//! Which keys exist, and which of them somebody probably meant. Pure.

use toml::{Table, Value};

use super::settings::Settings;

/// A key's parts; `*` stands for a name that the operator chooses.
pub type Path = Vec<String>;

pub struct Keys {
    known: Vec<Path>,
}

pub enum Known {
    /// A key with a value.
    Leaf,
    /// Keys lie below it.
    Section,
    No,
}

/// Maps whose names are chosen from a list of ours. What is in the list, the type of the name says when it is read.
const OF_A_LIST: [&[&str]; 3] = [
    &["journal", "settings", "mapping", "columns"],
    &["journal", "settings", "mapping", "constants"],
    &["journal", "settings", "controls", "weights"],
];

impl Keys {
    pub fn all() -> Self {
        let every = Value::try_from(Settings::with_every_key()).unwrap_or(Value::Boolean(false));
        let leaves = every.as_table().map(leaves).unwrap_or_default();
        Self { known: leaves.into_iter().map(|(at, _)| of_a_list(at)).collect() }
    }

    #[cfg(test)]
    pub fn all_paths(&self) -> impl Iterator<Item = &Path> {
        self.known.iter()
    }

    pub fn find(&self, path: &[String]) -> Known {
        let mut found = Known::No;
        for known in &self.known {
            match known.len() {
                n if n == path.len() && matches(known, path) => return Known::Leaf,
                n if n > path.len() && matches(&known[..path.len()], path) => found = Known::Section,
                _ => {}
            }
        }
        found
    }

    /// The known key that differs least, if any is near enough to have been meant. Names that the operator
    /// chose are taken over.
    pub fn nearest(&self, path: &[String]) -> Option<Path> {
        let written = dotted(path);
        self.known
            .iter()
            .map(|known| {
                let filled: Path = known
                    .iter()
                    .enumerate()
                    .map(|(at, part)| match (part.as_str(), path.get(at)) {
                        ("*", Some(name)) => name.clone(),
                        _ => part.clone(),
                    })
                    .collect();
                (distance(&dotted(&filled), &written), filled)
            })
            .min_by_key(|(distance, _)| *distance)
            .filter(|(distance, _)| near(*distance, &written))
            .map(|(_, path)| path)
    }
}

/// One name of a list stands for all of them.
fn of_a_list(mut path: Path) -> Path {
    if let Some((name, map)) = path.split_last_mut()
        && OF_A_LIST.iter().any(|list| map == *list)
    {
        *name = "*".into();
    }
    path
}

/// As [`Keys::nearest`], for names that are known from elsewhere.
pub fn nearest_name<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| (distance(name, written), *name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| near(*distance, written))
        .map(|(_, name)| name)
}

fn near(distance: usize, written: &str) -> bool {
    distance <= written.len() / 3
}

pub(super) fn matches(known: &[String], path: &[String]) -> bool {
    known.iter().zip(path).all(|(known, part)| known == "*" || known == part)
}

/// Keys whose values say where a secret is, or may.
pub fn holds_references(path: &[String]) -> bool {
    let path: Vec<_> = path.iter().map(String::as_str).collect();
    holds_secrets(&path) || matches!(path.as_slice(), ["store" | "redis", "url"])
}

/// Keys whose values say where a secret is, and never what it is.
pub(super) fn holds_secrets(path: &[&str]) -> bool {
    matches!(
        path,
        ["encryption", "keys", _]
            | ["audit", "key"]
            | ["mail", "password"]
            | ["webhooks", "secrets"]
            | ["http", "token"]
            | ["identity", "key"]
            | ["identity", "platform", "secret"]
            | ["buckets", _, "access_key_id" | "secret_access_key"]
            | ["triggers", "webhooks", _, "secrets"]
    )
}

/// As TOML writes it: a part with a dot in it is quoted.
pub fn dotted(path: &[String]) -> String {
    let bare = |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || "_-*".contains(c));
    path.iter()
        .map(|part| if bare(part) { part.clone() } else { format!("\"{part}\"") })
        .collect::<Vec<_>>()
        .join(".")
}

/// Every value of a table with its path. An array is one value.
pub fn leaves(table: &Table) -> Vec<(Path, Value)> {
    let mut found = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => found.extend(leaves(inner).into_iter().map(|(mut path, value)| {
                path.insert(0, key.clone());
                (path, value)
            })),
            value => found.push((vec![key.clone()], value.clone())),
        }
    }
    found
}

/// Levenshtein: how many letters must be added, dropped or replaced.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        text.split('.').map(String::from).collect()
    }

    #[test]
    fn a_slip_of_the_pen_finds_the_key_that_was_meant() {
        let keys = Keys::all();
        for (written, meant) in [
            ("worker.concurency", Some("worker.concurrency")),
            ("worker.leases", Some("worker.lease")),
            ("queues.mail.concurency", Some("queues.mail.concurrency")),
            ("retention.kinds.backup.complete", Some("retention.kinds.backup.completed")),
            ("wroker.poll", Some("worker.poll")),
            ("something.else_entirely", None),
        ] {
            assert_eq!(keys.nearest(&path(written)).map(|path| dotted(&path)).as_deref(), meant, "{written}");
        }
    }

    #[test]
    fn sections_and_keys_are_told_apart() {
        let keys = Keys::all();
        assert!(matches!(keys.find(&path("worker")), Known::Section));
        assert!(matches!(keys.find(&path("queues.mail")), Known::Section));
        assert!(matches!(keys.find(&path("queues.mail.concurrency")), Known::Leaf));
        assert!(matches!(keys.find(&path("queues.mail.speed")), Known::No));
        assert!(matches!(keys.find(&path("worker.lease.seconds")), Known::No));
    }
}
