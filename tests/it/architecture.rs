//! Who may import whom, and what every file owes its reader: DESIGN's rules, kept by a test.
//!
//! Each rule is a function from the tree to the violations it finds, so that the same function is asked
//! about this repository and about a snippet that breaks the rule: a rule that cannot fail keeps nothing.
//! A rule that is wrong is changed here, in review; an exception is listed with its reason.

mod caught;
mod logged;
mod promised;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use source::Source;

/// Crates of others and the places that may name them; a place ending in `/` is a folder.
const OWNED_CRATES: &[(&str, &[&str])] = &[
    ("apalis", &["engine/src/worker/apalis_backend.rs", "engine/src/worker.rs"]),
    // The emulator is a server of its own, which knows nothing of the engine.
    ("axum", &["engine/src/http.rs", "engine/src/http/", "jobs/docusign/emulator/"]),
    ("hyper", &["engine/src/http.rs", "engine/src/http/", "jobs/docusign/emulator/"]),
    ("iforest", &["jobs/journal/"]),
    ("lettre", &["engine/src/adapters/"]),
    ("linfa", &["jobs/journal/"]),
    ("ndarray", &["jobs/journal/"]),
    (
        "redis",
        &[
            "engine/src/adapters/",
            "engine/src/wake.rs",
            "engine/src/wake/",
            "engine/src/limits.rs",
            "engine/src/limits/",
            "engine/src/triggers.rs",
            "engine/src/triggers/",
        ],
    ),
    ("reqwest", &["engine/src/adapters/", "jobs/docusign/src/adapters/"]),
    ("rustls", &["engine/src/adapters/", "jobs/docusign/src/adapters/"]),
    ("sqlx", &["store/"]),
    ("tower_http", &["engine/src/http.rs", "engine/src/http/"]),
    ("utoipa", &["engine/src/http.rs", "engine/src/http/"]),
];

/// Values in, values out: no runtime, no clock, no files, so that a table can test them.
const PURE: &[&str] = &[
    "store/src/state.rs",
    "store/src/rule",
    "store/src/ledger",
    "store/src/breaker.rs",
    "audit/src/",
    "engine/src/json.rs",
    "engine/src/alerts/message.rs",
    "engine/src/alerts/telling.rs",
    "engine/src/limits/callers/hand.rs",
    "engine/src/worker/lanes",
    "engine/src/scheduler/cron",
    "engine/src/scheduler/calendar",
    "engine/src/scheduler/timing",
    "engine/src/scheduler/policy",
    "engine/src/scheduler/template",
    "engine/src/scheduler/definition",
    "jobs/jobkit/src/policy.rs",
    "jobs/jobkit/src/outcome.rs",
    "jobs/journal/src/features",
    "jobs/journal/iforest/src/",
    "jobs/docusign/src/adapters/docusign/faults.rs",
    "jobs/docusign/src/adapters/docusign/wire.rs",
    "jobs/docusign/src/args",
    "jobs/docusign/src/known.rs",
    "jobs/docusign/src/phase.rs",
    "jobs/secret_rotation/src/phase.rs",
    "jobs/docusign/emulator/src/check",
    "jobs/docusign/emulator/src/contract.rs",
    "jobs/docusign/emulator/src/faults.rs",
    "jobs/docusign/emulator/src/life",
    "jobs/docusign/emulator/src/limits.rs",
    "jobs/docusign/emulator/src/oauth",
    "jobs/docusign/emulator/src/pdf",
    "jobs/docusign/emulator/src/routing.rs",
    "jobs/docusign/emulator/src/rules",
    "jobs/docusign/emulator/src/switches.rs",
    "jobs/docusign/emulator/src/view.rs",
    "jobs/retention/src/holds",
    "engine/src/webhooks/signature.rs",
    "engine/src/webhooks/target.rs",
];
const IMPURE_WORDS: &[&str] =
    &["async", "await", "tokio", "reqwest", "sqlx", "SystemTime", "Instant", "Clock", "ManualClock"];
const IMPURE_PATHS: &[&str] =
    &["std::fs", "std::net", "std::env", "std::process", "std::io", "std::time::Instant"];

/// Files that may say `unsafe`, with the reason.
const UNSAFE: &[(&str, &str)] = &[
    (
        "store/postgres/src/at_once.rs",
        "the driver does not show the sockets on which it forgot an option; decision 0072",
    ),
    (
        "jobs/journal/iforest/src/kernel/scalar.rs",
        "lookups of the innermost loop, whose bounds hold by construction; decision 0100",
    ),
    ("jobs/journal/iforest/src/kernel/avx2.rs", "wide instructions; decision 0100"),
    ("jobs/journal/iforest/src/kernel/avx512.rs", "wide instructions; decision 0100"),
];

/// Operations of PostgreSQL that SQLite has under another name, or not at all, with the reason.
const NO_TWIN: &[(&str, Option<&str>, &str)] = &[
    (
        "store/postgres/src/upload_lock.sql",
        Some("upload_find"),
        "on SQLite nobody else writes meanwhile, so there is nothing to lock",
    ),
    ("migrations/postgres/0003_enqueue.sql", None, "a function that other programs call; SQLite has none"),
    (
        "migrations/postgres/0004_insert.sql",
        Some("insert"),
        "functions that spare round trips; SQLite has none",
    ),
    (
        "migrations/postgres/0015_beginnings.sql",
        None,
        "on SQLite one process writes at a time, and nothing is open",
    ),
    (
        "store/postgres/src/finish.sql",
        Some("end"),
        "plain successes are worth a statement of their own only here",
    ),
    (
        "store/postgres/src/request_answer.sql",
        None,
        "SQLite keeps a key when the answer is known, because nobody else writes meanwhile",
    ),
    (
        "store/postgres/src/buckets_lock_open.sql",
        Some("lanes"),
        "SQLite leaves no dead index entries behind, so each of its claims looks for the lanes",
    ),
    (
        "store/postgres/src/own_jobs.sql",
        Some("parents"),
        "what a caller names is looked up as the role of tenants; SQLite has none",
    ),
    (
        "store/postgres/src/queues_of_tenant.sql",
        Some("queues_known"),
        "the role of tenants may not read who paused a queue; SQLite leaves it out in one statement",
    ),
    ("store/postgres/src/tenant_amiss.sql", None, "SQLite has no policies for rows"),
    (TENANT_ROLE, None, "SQLite has no roles"),
    (TENANT_USABLE, None, "SQLite has no roles"),
    ("store/postgres/src/insert_one.sql", Some("insert"), "SQLite inserts row by row in any case"),
];

const TENANT_ROLE: &str = "store/postgres/src/tenant_role.sql";
const TENANT_USABLE: &str = "store/postgres/src/tenant_usable.sql";

const LONGEST_FILE: usize = 600;

const SHIPS: &[&str] = &["audit/src/", "engine/src/", "store/", "src/", "jobs/"];

/// Every file that a rule looks at, by its path from the root.
struct Tree(BTreeMap<String, String>);

impl Tree {
    fn of_this_repository() -> Self {
        let mut tree = Tree(BTreeMap::new());
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for top in ["Cargo.toml", "audit", "engine", "store", "src", "jobs", "migrations", "tests", "benches"]
        {
            tree.add(root, &root.join(top));
        }
        assert!(tree.0.len() > 30, "the tree was not found at {}", root.display());
        tree
    }

    fn add(&mut self, root: &Path, path: &Path) {
        if path.is_dir() {
            let skipped = ["target", "node_modules", ".venv"];
            if path.file_name().is_some_and(|name| skipped.iter().any(|skip| name == *skip)) {
                return;
            }
            for entry in std::fs::read_dir(path).unwrap() {
                self.add(root, &entry.unwrap().path());
            }
        } else if path.extension().is_some_and(|end| ["rs", "sql", "toml"].iter().any(|known| end == *known))
        {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            self.0.insert(name, std::fs::read_to_string(path).unwrap());
        }
    }

    fn of(files: &[(&str, &str)]) -> Self {
        Tree(files.iter().map(|(path, text)| ((*path).into(), (*text).into())).collect())
    }

    fn ending(&self, end: &str) -> impl Iterator<Item = (&str, &str)> {
        let files = self.0.iter().filter(move |(path, _)| path.ends_with(end));
        files.map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The Rust that ships, without what only tests see.
    fn production(&self) -> impl Iterator<Item = (&str, Source)> {
        let ships = |path: &str| {
            SHIPS.iter().any(|place| path.starts_with(place))
                && !path.ends_with("/tests.rs")
                && !["/tests/", "/examples/", "/benches/"].iter().any(|part| path.contains(part))
        };
        self.ending(".rs")
            .filter(move |(path, _)| ships(path))
            .map(|(path, text)| (path, Source::production(text)))
    }
}

fn lies_in(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path == *place || (place.ends_with('/') && path.starts_with(place)))
}

/// A family's way to a *customer's* database, which may speak SQL.
fn is_family_adapter(path: &str) -> bool {
    path.starts_with("jobs/") && path.contains("/adapters/")
}

/// `linfa` owns `linfa_trees`, and `apalis` owns `apalis_core`.
fn is_of(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', '-']))
}

// The rules.

fn crates_depend_only_downwards(tree: &Tree) -> Vec<String> {
    let manifests: Vec<(&str, toml::Table)> =
        tree.ending("Cargo.toml").map(|(path, text)| (path, text.parse().unwrap())).collect();
    let place = |path: &str| path.trim_end_matches("Cargo.toml").trim_end_matches('/').to_owned();
    let ours: BTreeMap<String, String> = manifests
        .iter()
        .filter_map(|(path, manifest)| {
            Some((manifest.get("package")?.get("name")?.as_str()?.to_owned(), place(path)))
        })
        .collect();
    // Members say `engine.workspace = true`; which package that is, the root says.
    let renamed = |name: &str| -> Option<String> {
        let (_, root) = manifests.iter().find(|(path, _)| *path == "Cargo.toml")?;
        let wanted = root.get("workspace")?.get("dependencies")?.get(name)?;
        Some(wanted.get("package")?.as_str()?.to_owned())
    };
    let mut found = Vec::new();
    for (path, manifest) in &manifests {
        let from = place(path);
        for asked in dependencies(manifest) {
            let name = renamed(&asked).unwrap_or_else(|| asked.clone());
            if let Some(to) = ours.get(&name) {
                let for_tests = from == "engine" && to == "store/sqlite" && !ships(manifest, &asked);
                if !(may_depend(&from, to) || for_tests) {
                    found.push(format!("{path}: may not depend on `{name}`"));
                }
            } else if let Some((owner, places)) = OWNED_CRATES.iter().find(|(owner, _)| is_of(&name, owner)) {
                let owned = places.iter().any(|place| place.starts_with(&format!("{from}/")))
                    || lies_in(&format!("{from}/"), places);
                let adapter = *owner == "sqlx" && is_family(&from);
                // The integration tests are in the folder of the program.
                let tests = from.is_empty() && !ships(manifest, &name);
                let bench = from.starts_with("benches") || from.starts_with("tests");
                if !(owned || adapter || tests || bench) {
                    found.push(format!("{path}: may not depend on `{name}`"));
                }
            }
        }
    }
    found
}

fn is_family(place: &str) -> bool {
    place.strip_prefix("jobs/").is_some_and(|name| !name.contains('/') && name != "jobkit")
}

/// May the crate in this folder use ours in that folder?
fn may_depend(from: &str, to: &str) -> bool {
    match from {
        "jobs/jobkit" | "audit" => false,
        // What an entry is and how it is hashed is the same for all.
        "engine" | "store" | "store/postgres" | "store/sqlite" if to == "audit" => true,
        // It would be compiled anew with every edit of a family, and wait for the databases.
        "engine" => to == "jobs/jobkit" || to == "store",
        "store" => to == "jobs/jobkit",
        _ if from.starts_with("store/") => to == "jobs/jobkit" || to == "store",
        _ if is_family(from) => to == "jobs/jobkit" || to.starts_with(&format!("{from}/")),
        // A crate inside a family's folder is one that a stranger could use alone.
        _ if from.starts_with("jobs/") => false,
        _ => true,
    }
}

fn ships(manifest: &toml::Table, name: &str) -> bool {
    let mut shipped = manifest.clone();
    shipped.remove("dev-dependencies");
    dependencies(&shipped).iter().any(|wanted| wanted == name)
}

/// Names of the packages a manifest asks for, of every kind and for every target.
fn dependencies(manifest: &toml::Table) -> Vec<String> {
    let mut names = Vec::new();
    for (key, value) in manifest {
        let Some(table) = value.as_table() else { continue };
        match key.as_str() {
            "dependencies" | "dev-dependencies" | "build-dependencies" => {
                names.extend(table.iter().map(|(name, wanted)| {
                    let renamed = wanted.get("package").and_then(toml::Value::as_str);
                    renamed.unwrap_or(name).to_owned()
                }));
            }
            "target" => names.extend(table.values().filter_map(toml::Value::as_table).flat_map(dependencies)),
            _ => {}
        }
    }
    names.sort();
    names.dedup();
    names
}

fn crates_of_others_stay_in_their_place(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, source) in tree.production() {
        for named in source.paths() {
            let first = named.split("::").next().unwrap_or_default();
            let Some((owner, places)) = OWNED_CRATES.iter().find(|(owner, _)| is_of(first, owner)) else {
                continue;
            };
            let adapter = *owner == "sqlx" && is_family_adapter(path);
            if !lies_in(path, places) && !adapter {
                found.push(format!("{path}: `{named}` belongs in {}", places.join(", ")));
            }
        }
    }
    found
}

fn sql_stays_in_the_store(tree: &Tree) -> Vec<String> {
    const VERBS: &[&str] = &[
        "SELECT ",
        "INSERT INTO ",
        "UPDATE ",
        "DELETE FROM ",
        "WITH ",
        "CREATE ",
        "ALTER ",
        "DROP ",
        "PRAGMA ",
    ];
    let elsewhere = |path: &str| !lies_in(path, &["store/"]) && !is_family_adapter(path);
    let mut found = Vec::new();
    for (path, source) in tree.production().filter(|(path, _)| elsewhere(path)) {
        let sql =
            source.strings.iter().find(|text| VERBS.iter().any(|verb| text.trim_start().starts_with(verb)));
        found.extend(sql.map(|text| format!("{path}: SQL outside store: {text:.40}")));
    }
    for (path, _) in tree.ending(".sql").filter(|(path, _)| elsewhere(path)) {
        if !lies_in(path, &["migrations/", "tests/", "benches/"]) {
            found.push(format!("{path}: SQL outside store"));
        }
    }
    found
}

fn pure_files_do_nothing_but_compute(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, source) in tree.production() {
        if PURE.iter().any(|pure| path.starts_with(pure)) {
            found.extend(impurity(&source).map(|what| format!("{path}: is pure and may not know `{what}`")));
        }
        if let Some(decide) = function(&source.code, "decide") {
            let decide = Source { code: decide, strings: Vec::new() };
            found.extend(
                impurity(&decide).map(|what| format!("{path}: decide() is pure and may not know `{what}`")),
            );
        }
    }
    found
}

fn impurity(source: &Source) -> Option<String> {
    let word = source.words().find(|word| IMPURE_WORDS.contains(word)).map(str::to_owned);
    word.or_else(|| {
        let reads_time = |path: &str| path.ends_with("::now") || path.contains("Clock");
        source
            .paths()
            .into_iter()
            .find(|path| IMPURE_PATHS.iter().any(|impure| path.starts_with(impure)) || reads_time(path))
    })
}

/// A function from the words before its `fn` on that line to its last brace.
fn function(code: &str, name: &str) -> Option<String> {
    let found = code.find(&format!("fn {name}("))?;
    let from = code[..found].rfind('\n').unwrap_or(0);
    let mut depth = 0;
    for (at, c) in code[found..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return Some(code[from..found + at].to_owned()),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn production_does_not_use_the_testing_kit(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, source) in tree.production() {
        if path.starts_with("jobs/jobkit/src/testing") {
            continue;
        }
        let kit = |named: &String| {
            named.starts_with("jobkit::testing")
                || (path.starts_with("jobs/jobkit/") && named.starts_with("crate::testing"))
        };
        found.extend(source.paths().into_iter().find(kit).map(|named| format!("{path}: ships `{named}`")));
    }
    found
}

fn unsafe_is_listed(tree: &Tree) -> Vec<String> {
    let listed = |path: &str| UNSAFE.iter().any(|(file, _)| *file == path);
    let unsafes =
        tree.ending(".rs").filter(|(_, text)| Source::read(text).words().any(|word| word == "unsafe"));
    unsafes
        .filter(|(path, _)| !listed(path))
        .map(|(path, _)| format!("{path}: `unsafe` is not listed"))
        .collect()
}

fn files_open_with_their_reason(tree: &Tree) -> Vec<String> {
    // `foo/tests.rs` is about the file it is named after.
    let ours = |path: &str| SHIPS.iter().any(|place| path.starts_with(place)) && !path.ends_with("/tests.rs");
    let rust = tree.ending(".rs").filter(|(path, text)| ours(path) && !text.starts_with("//! "));
    let sql = tree.ending(".sql").filter(|(_, text)| !text.starts_with("-- "));
    rust.chain(sql)
        .map(|(path, _)| format!("{path}: does not open with a comment that says what it is for"))
        .collect()
}

/// What the role of tenants is given, and what is asked before it is used: a table that only one of them knows is read by nobody, or is
/// missed by the first tenant who asks for it.
fn the_role_of_tenants_is_asked_for_what_it_is_given(tree: &Tree) -> Vec<String> {
    let named = |path: &str| -> BTreeSet<&str> {
        let text = tree.0.get(path).map(String::as_str).unwrap_or_default();
        let list = text.split_once("ARRAY[").and_then(|(_, behind)| behind.split_once(']'));
        let (list, _) = list.unwrap_or_default();
        list.split(',').map(|name| name.trim().trim_matches('\'')).filter(|name| !name.is_empty()).collect()
    };
    let (given, asked) = (named(TENANT_ROLE), named(TENANT_USABLE));
    if given.is_empty() {
        return vec![format!("{TENANT_ROLE}: its tables are not found")];
    }
    let lacks = |path: &str, table: &str| format!("{path}: lacks `{table}`");
    let unasked = given.difference(&asked).map(|table| lacks(TENANT_USABLE, table));
    unasked.chain(asked.difference(&given).map(|table| lacks(TENANT_ROLE, table))).collect()
}

fn files_are_short(tree: &Tree) -> Vec<String> {
    let long = tree.ending("").map(|(path, text)| (path, text.lines().count()));
    long.filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(path, lines)| format!("{path}: {lines} lines, more than {LONGEST_FILE}"))
        .collect()
}

/// SQLite has every operation of PostgreSQL, in one file of that name or in parts named `operation_part`: it
/// cannot change several tables in one statement, so its transitions are made of more. Migrations are the
/// same on both sides.
fn both_stores_have_the_same_operations(tree: &Tree) -> Vec<String> {
    let names = |folder: &str| -> Vec<&str> {
        let files = tree.ending(".sql").filter_map(|(path, _)| path.strip_prefix(folder));
        files.map(|name| name.trim_end_matches(".sql")).collect()
    };
    let mut found = Vec::new();
    let (postgres, sqlite) = (names("store/postgres/src/"), names("store/sqlite/src/"));
    let has = |operation: &str| sqlite.iter().any(|name| is_of(name, operation));
    for operation in postgres {
        let path = format!("store/postgres/src/{operation}.sql");
        match NO_TWIN.iter().find(|(listed, ..)| *listed == path) {
            None if !has(operation) => found.push(format!("{path}: has no twin in sqlite")),
            Some((_, Some(other), _)) if !has(other) => {
                found.push(format!("{path}: its twin {other} is gone"));
            }
            _ => {}
        }
    }
    let sides = ["migrations/postgres/", "migrations/sqlite/"];
    for (side, other) in [(sides[0], sides[1]), (sides[1], sides[0])] {
        for name in names(side) {
            let path = format!("{side}{name}.sql");
            if !names(other).contains(&name) && !NO_TWIN.iter().any(|(listed, ..)| *listed == path) {
                found.push(format!("{path}: has no twin"));
            }
        }
    }
    found
}

// This repository keeps them.

fn kept(rule: fn(&Tree) -> Vec<String>) {
    let found = rule(&Tree::of_this_repository());
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn families_cannot_reach_each_other_or_the_engine() {
    kept(crates_depend_only_downwards);
}

#[test]
fn apalis_sqlx_redis_axum_lettre_and_the_forest_stay_in_their_place() {
    kept(crates_of_others_stay_in_their_place);
}

#[test]
fn only_the_store_speaks_sql() {
    kept(sql_stays_in_the_store);
}

#[test]
fn what_is_called_pure_is_pure() {
    kept(pure_files_do_nothing_but_compute);
}

#[test]
fn no_fake_ships() {
    kept(production_does_not_use_the_testing_kit);
}

#[test]
fn no_unsafe_is_unlisted() {
    kept(unsafe_is_listed);
}

#[test]
fn every_file_says_what_it_is_for() {
    kept(files_open_with_their_reason);
}

#[test]
fn no_file_is_too_long_to_read() {
    kept(files_are_short);
}

#[test]
fn sqlite_and_postgres_are_twins() {
    kept(both_stores_have_the_same_operations);
}

#[test]
fn what_tenants_may_read_is_one_list_in_two_files() {
    kept(the_role_of_tenants_is_asked_for_what_it_is_given);
}
