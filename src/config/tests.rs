mod artifacts;

use std::time::Duration;

use jobkit::{Ctx, Failure, Job, Outcome};

use super::keys::{Keys, leaves};
use super::*;

mod docusign;

const REFERENCE: &str = include_str!("../../config/compline.toml");

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("compline.toml");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

struct Any;

impl Job for Any {
    type Args = serde_json::Value;
    const KIND: &'static str = "a.b";

    async fn run(&self, _: serde_json::Value, _: &Ctx) -> Result<Outcome, Failure> {
        Ok(Outcome::done())
    }
}

fn kinds() -> Registry {
    let mut kinds = registry(Families::default());
    kinds.add(Any);
    kinds
}

fn load_text(text: &str) -> Result<Loaded, ConfigError> {
    let (_directory, path) = file(text);
    load_from(Some(path), [], &kinds())
}

fn load_variables(variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    load_from(None, variables.iter().map(|(name, value)| (name.to_string(), value.to_string())), &kinds())
}

/// What is commented out with no space after the `#` is a setting; with one, it is a sentence.
fn uncommented(text: &str) -> String {
    text.lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => setting,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_reference_file_is_the_defaults() {
    let loaded = load_text(REFERENCE).unwrap();

    assert_eq!(loaded.settings, Settings::default());
    assert_eq!(loaded.warnings, []);
}

#[test]
fn the_reference_file_names_every_key_and_no_other() {
    let written: Table = toml::from_str(&uncommented(REFERENCE)).unwrap();
    let keys = Keys::all();

    let named: Vec<_> = leaves(&written).into_iter().map(|(path, _)| path).collect();
    for path in &named {
        assert!(matches!(keys.find(path), keys::Known::Leaf), "{} is no key", keys::dotted(path));
    }
    for known in keys.all_paths() {
        assert!(
            named.iter().any(|path| path.len() == known.len() && keys::matches(known, path)),
            "config/compline.toml does not name {}",
            keys::dotted(known)
        );
    }
}

/// What is commented out is told by nobody else to be wrong.
#[test]
fn the_examples_for_ledgers_in_the_reference_file_can_be_meant() {
    let (_, journal) = REFERENCE.split_once("[journal]\n").unwrap();
    let database = "[databases.erp]\nurl = \"env:ERP_URL\"\n";
    let examples = uncommented(&format!("{database}[journal]\n{journal}"));

    let settings = load_text(&examples).unwrap().settings.journal.settings;

    assert_eq!(settings.mapping.round_to, Some(2));
    assert!(!settings.controls.approval_limits.is_empty());
}

#[test]
fn every_key_of_the_reference_file_has_a_comment_above_it() {
    let mut explained = false;
    for line in REFERENCE.lines() {
        let setting = line.trim_start_matches('#').trim_start();
        if line.starts_with("# ") {
            explained = true;
        } else if setting.contains('=') {
            assert!(explained, "no comment above `{line}`");
            explained = false;
        } else if line.is_empty() {
            explained = false;
        }
    }
}

#[test]
fn the_production_example_is_valid() {
    let loaded = load_text(include_str!("../../config/production.toml")).unwrap();

    assert_eq!(loaded.warnings, []);
    assert_eq!(format!("{:?}", loaded.settings.store.url), "env:DATABASE_URL");
}

#[test]
fn the_environment_goes_before_the_file_and_the_file_before_the_default() {
    let (_directory, path) = file("[worker]\nlease = \"10s\"\npoll = \"2s\"\n");
    let variables = [("COMPLINE__WORKER__LEASE".to_string(), "15s".to_string())];

    let loaded = load_from(Some(path.clone()), variables, &kinds()).unwrap();

    assert_eq!(loaded.settings.worker.lease, Duration::from_secs(15));
    assert_eq!(loaded.settings.worker.poll, Duration::from_secs(2));
    assert_eq!(loaded.settings.worker.concurrency, 64);
    let origin = |key: &str| loaded.explain().into_iter().find(|line| line.key == key).unwrap().origin;
    assert_eq!(origin("worker.lease"), Origin::Variable("COMPLINE__WORKER__LEASE".into()));
    assert_eq!(origin("worker.poll"), Origin::File { path, line: 3 });
    assert_eq!(origin("worker.concurrency"), Origin::Default);
}

#[test]
fn what_is_said_of_ledgers_is_laid_over_the_defaults() {
    let loaded = load_text(
        "[journal.settings.mapping]\ndecimal = \"comma\"\ncolumns.entry = { join = [\"A\", \"B\"] }\n",
    );

    let mapping = loaded.unwrap().settings.journal.settings.mapping;

    assert_eq!(mapping.preset, journal::settings::Settings::default().mapping.preset);
    assert_eq!(mapping.columns.values().next().unwrap().names(), ["A", "B"]);
    assert_eq!(
        load_variables(&[("COMPLINE__JOURNAL__SETTINGS__MAPPING__PRESET", "fec")])
            .unwrap()
            .settings
            .journal
            .settings
            .mapping
            .preset,
        Some(journal::ingest::Preset::Fec)
    );
}

#[test]
fn a_variable_is_toml_where_that_fits_and_a_string_where_not() {
    let loaded = load_variables(&[
        ("COMPLINE__WORKER__CONCURRENCY", "7"),
        ("COMPLINE__WORKER__NAME", "7"),
        ("COMPLINE__WORKER__QUEUES", "[\"a\", \"b\"]"),
        ("COMPLINE__STORE__MIGRATE_AT_START", "false"),
        ("COMPLINE__REDIS__URL", "env:REDIS_URL"),
        ("COMPLINE__STORE__URL", "env:DATABASE_URL"),
        ("COMPLINE__QUEUES__MAIL__CONCURRENCY", "3"),
        ("COMPLINE__KINDS__SYSTEM.NOOP__TIMEOUT", "5m"),
        ("COMPLINE__RETENTION__DISCARDED", "forever"),
        ("COMPLINE_CONFIG", "not a key"),
        ("PATH", "/bin"),
    ])
    .unwrap();

    let settings = loaded.settings;
    assert_eq!((settings.worker.concurrency, settings.worker.name.as_str()), (7, "7"));
    assert_eq!(settings.worker.queues, ["a", "b"]);
    assert!(!settings.store.migrate_at_start);
    assert_eq!(settings.store.url, UrlRef::from("env:DATABASE_URL"));
    assert_eq!(settings.queues["mail"].concurrency, Some(3));
    assert_eq!(settings.kinds["system.noop"].timeout, Some(Duration::from_secs(300)));
    assert_eq!(settings.retention.discarded, engine::units::Keep::Forever);
}

#[test]
fn every_mistake_in_the_file_is_told_with_its_line_and_its_remedy() {
    for (text, line, expected) in [
        (
            "[worker]\n\nconcurency = 3\n",
            3,
            "`worker.concurency`: unknown key; did you mean `worker.concurrency`?",
        ),
        ("[wroker]\nlease = \"3s\"\n", 1, "`wroker`: unknown key"),
        (
            "[worker]\nlease = 30\n",
            2,
            "`worker.lease`: invalid type: integer `30`, expected a duration such as",
        ),
        ("[worker]\nlease = \"soon\"\n", 2, "`soon` is not a duration such as \"500ms\""),
        ("[worker]\nlease = \"1ms\"\n", 2, "`worker.lease`: must be at least \"1s\""),
        ("\nworker = 3\n", 2, "this is a section, not a key"),
        ("[worker]\nname = \n", 2, "this is not TOML"),
        ("[worker]\nname = \"a\"\nname = \"b\"\n", 3, "this is not TOML: duplicate key"),
        ("[store]\nurl = \"mysql://host\"\n", 2, "must begin with sqlite:// or postgres://"),
        ("[store]\nconnections = 1\n", 2, "`store.connections`: must be at least 2"),
        ("[store]\nurl = \"sqlite://\"\n", 2, "`sqlite://` names no file"),
        (
            "[store]\nurl = \"sqlite:///nowhere/x.db\"\n",
            2,
            "the folder `/nowhere` of the SQLite store does not exist",
        ),
        ("[store]\nurl = \"postgres://u@h:99999/x\"\n", 2, "this is no PostgreSQL URL: "),
        ("[store]\nurl = \"postgres://u@h/x?sslmode=bogus\"\n", 2, "this is no PostgreSQL URL: "),
        ("[redis]\nurl = \"host:6379\"\n", 2, "`redis.url`: must begin with redis://"),
        ("[redis]\nprefix = \"a b\"\n", 2, "`redis.prefix`: `a b` must be 1 to 64 letters"),
        (
            "[http]\nlisten = \"8080\"\n",
            2,
            "`8080` is no address with a port; write one such as \"127.0.0.1:8080\"",
        ),
        (
            "[http]\nlisten = \"0.0.0.0:8080\"\n",
            2,
            "can be reached from other machines; set http.token or identity.key",
        ),
        ("[http]\ntoken = \"hunter2hunter2hunter2\"\n", 2, "`http.token`: a secret is never written"),
        ("[http]\nbody_bytes = 0\n", 2, "`http.body_bytes`: must be at least 1"),
        ("[http]\nmemory_bytes = 41943039\n", 2, "`http.memory_bytes`: must be at least 41943040"),
        ("[http]\nbatch = 0\n", 2, "`http.batch`: must be at least 1"),
        ("[http]\nconnections = 0\n", 2, "`http.connections`: must be at least 1"),
        ("[http]\nheader_timeout = \"0s\"\n", 2, "`http.header_timeout`: must be at least \"1s\""),
        ("[http]\nbody_timeout = \"10ms\"\n", 2, "`http.body_timeout`: must be at least \"1s\""),
        ("[http]\nanswer_timeout = \"1\"\n", 2, "`1` is not a duration"),
        ("[http]\nwrite_timeout = \"0s\"\n", 2, "`http.write_timeout`: must be at least \"1s\""),
        ("[http]\nstop_delay = \"5m\"\n", 2, "`http.stop_delay`: must be at most \"1m\""),
        ("[http.rate_limits]\nusers = \"many\"\n", 2, "at most \"1000000/s\", or \"off\""),
        ("[http.rate_limits.routes]\n\"POST /v1/job\" = \"off\"\n", 2, "did you mean `POST /v1/jobs`?"),
        ("[http.rate_limits.routes]\n\"GET /livez\" = \"off\"\n", 2, "there is no such route"),
        ("[http]\ncors_origins = [\"*\"]\n", 2, "`*` is no origin; write a scheme, a host"),
        ("[http]\ncors_origins = [\"https://a.example/path\"]\n", 2, "is no origin"),
        (
            "[kinds.\"a.b\"]\npriority = 10\n",
            2,
            "`kinds.\"a.b\".priority`: must be from 1 (first) to 9 (last)",
        ),
        ("[kinds.\"a.b\"]\npriority = 300\n", 2, "invalid value: integer `300`, expected u8"),
        ("[kinds.\"a.b\"]\nencrypted = true\n", 2, "set encryption.current"),
        ("[kinds.\"a.b\"]\nmax_attempts = 0\n", 2, "`kinds.\"a.b\".max_attempts`: must be from 1 to 1000"),
        ("[kinds.\"a.b\"]\nmax_attempts = 1001\n", 2, "must be from 1 to 1000"),
        ("[kinds.\"a.b\"]\nqueue = \"\"\n", 2, "must be 1 to 64 letters"),
        ("[kinds.\"a.b\"]\nqueue = \"month end\"\n", 2, "`kinds.\"a.b\".queue`: `month end` must be 1 to 64"),
        ("[encryption]\ncurrent = \"k2\"\n", 2, "names a key that is not there"),
        ("[buckets.Books]\nregion = \"eu\"\n", 2, "`buckets.Books`: is no name of a bucket"),
        (
            "[buckets.books]\nendpoint = \"books.example\"\n",
            2,
            "`buckets.books.endpoint`: must be an address such as",
        ),
        ("[buckets.books]\nendpoint = \"https://s3.example/books\"\n", 2, "without the bucket"),
        ("[buckets.books]\naccess_key_id = \"env:ID\"\n", 2, "is of no use without secret_access_key"),
        ("[buckets.books]\nsecret_access_key = \"env:KEY\"\n", 2, "is of no use without access_key_id"),
        (
            "[journal]\nroots = [\"s3://books/2026\"]\n",
            2,
            "the bucket `books` is not configured; add [buckets.books]",
        ),
        (
            "[journal.queries.gl]\ndatabase = \"erp\"\nsql = \"SELECT 1 ORDER BY 1\"\n",
            2,
            "`journal.queries.gl.database`: the database `erp` is not configured; add [databases.erp]",
        ),
        (
            "[databases.erp]\nurl = \"sqlite://erp.db\"\n[journal.queries.gl]\ndatabase = \"erp\"\nsql = \"SELECT 1\"\n",
            5,
            "`journal.queries.gl.sql`: has no ORDER BY",
        ),
        ("[journal]\nroots = [\"s3://\"]\n", 2, "`journal.roots`: `s3://` names no bucket"),
        (
            "[triggers.folders.in]\npath = \"s3://books\"\nkind = \"a.b\"\n",
            2,
            "`triggers.folders.in.path`: the bucket `books` is not configured",
        ),
        (
            "[triggers.webhooks.pay]\nsecrets = [\"env:S\"]\nkind = \"a.b\"\nunique_key = \"pay\"\n",
            4,
            "`triggers.webhooks.pay.unique_key`: is the same for each delivery",
        ),
        (
            "[triggers.folders.in]\npath = \"in\"\nkind = \"a.b\"\n",
            2,
            "must be an absolute path, since a process is started anywhere, or s3://BUCKET/FOLDER",
        ),
        (
            "[journal.settings.risk]\n\nhigh = 0.2\n",
            3,
            "`journal.settings.risk.medium, high`: 0.3 and 0.2 are no bounds of bands; write two numbers",
        ),
        (
            "[journal.settings.controls.weights]\nruond = 1\n",
            2,
            "`journal.settings.controls.weights.ruond`: unknown variant `ruond`, expected one of `rare_user`",
        ),
        (
            "[journal.settings.mapping.columns]\nacount = \"Konto\"\n",
            2,
            "`journal.settings.mapping.columns.acount`: unknown variant `acount`, expected one of `entry`",
        ),
        (
            "[journal.settings.calendars.entities]\n2000 = \"riyadh\"\n",
            2,
            "`journal.settings.calendars.entities.2000`: there is no calendar `riyadh`",
        ),
        (
            "[journal.settings.controls.round]\nzeroes = 2\n",
            2,
            "unknown key; did you mean `journal.settings.controls.round.zeros`?",
        ),
        (
            "[journal.settings.selections.monetary_unit]\nmateriality = \"100\"\nrisk_percent = 7\n",
            3,
            "`journal.settings.selections.monetary_unit.risk_percent`: 7 is not in the table",
        ),
        ("[log]\nformat = \"xml\"\n", 2, "expected `text` or `json`"),
        ("[log]\nfilter = \"a=b=c\"\n", 2, "write a level such as \"info\""),
        ("[queues.mail]\nconcurrency = 0\n", 2, "`queues.mail.concurrency`: must be at least 1"),
        ("[retention.kinds.\"a.b\"]\ncompleted = \"never\"\n", 2, "nor \"forever\""),
        ("[limits.x]\nby = \"all\"\n", 2, "`limits.x`: limits nothing; set rate (\"50/s\"), concurrency"),
        ("[limits.x]\nrate = \"50\"\n", 2, "`50` is not a rate such as \"50/s\""),
        ("[limits.x]\nrate = \"0/s\"\n", 2, "is not a rate"),
        ("[limits.x]\nrate = \"5/s\"\nburst = 0\n", 3, "`limits.x.burst`: must be from 1"),
        ("[limits.x]\nconcurrency = 1\nburst = 5\n", 3, "`limits.x.burst`: is part of a rate"),
        ("[limits.x]\nconcurrency = 0\n", 2, "to stop jobs, pause their queue"),
        ("[limits.x]\nconcurrency = 1\nby = \"account\"\n", 3, "\"args.account_id\""),
        ("[limits.x]\nconcurrency = 1\nkinds = [\"sytem.*\"]\n", 3, "is no kind, nor a family"),
        ("[limits.x]\nconcurrency = 1\nkinds = [\"system.nop\"]\n", 3, "did you mean `system.noop`?"),
        ("[limits.x]\nconcurrency = 1\nqueues = [\"a b\"]\n", 3, "`limits.x.queues`: `a b` must be"),
        ("[limits.\"a/b\"]\nconcurrency = 1\n", 2, "`limits.\"a/b\"`: `a/b` must be 1 to 64 letters"),
        ("[calls.api]\nburst = 2\n", 2, "`calls.api`: limits nothing; set rate (\"50/s\")"),
        ("[calls.api]\nrate = \"5/s\"\nburst = 0\n", 3, "`calls.api.burst`: 0; must be from 1"),
        ("[calls.\"a/b\"]\nrate = \"5/s\"\n", 2, "`calls.\"a/b\"`: `a/b` must be 1 to 64 letters"),
        ("[breakers]\nfailures = 0\n", 2, "`breakers.failures`: must be at least 1"),
        ("[breakers]\ncool_down = \"0s\"\n", 2, "`breakers.cool_down`: must be longer than nothing"),
    ] {
        let message = load_text(text).unwrap_err().to_string();

        assert!(message.contains(&format!("compline.toml:{line}: ")), "{text}\n{message}");
        assert!(message.contains(expected), "{text}\n{message}");
    }
}

/// It was once ignored, and the kind's dead letters were deleted by the general rule.
#[test]
fn a_kind_that_nobody_has_is_refused_where_it_stands_with_the_one_that_was_meant() {
    for (text, line, expected) in [
        (
            "[retention.kinds.\"journal.score_leger\"]\n\ndiscarded = \"forever\"\ncompleted = \"9d\"\n",
            3,
            "unknown kind `journal.score_leger`; did you mean `journal.score_ledger`?",
        ),
        (
            "[kinds.\"system.nop\"]\npriority = 1\n",
            2,
            "`kinds.\"system.nop\"`: unknown kind `system.nop`; did",
        ),
        (
            "kinds.\"mail.send\".priority = 1\n",
            1,
            "known kinds: a.b, docusign.apply_event, docusign.archive, docusign.reconcile, docusign.remind",
        ),
    ] {
        let message = load_text(text).unwrap_err().to_string();

        assert!(message.contains(&format!("compline.toml:{line}: ")), "{text}\n{message}");
        assert!(message.contains(expected), "{text}\n{message}");
    }
    let message = load_variables(&[("COMPLINE__KINDS__A.C__TIMEOUT", "5m")]).unwrap_err().to_string();
    assert!(message.contains("COMPLINE__KINDS__A.C__TIMEOUT: `kinds.\"a.c\"`: unknown kind"), "{message}");
}

/// A value that cannot be read once hid what was wrong elsewhere until it was mended.
#[test]
fn what_cannot_be_read_hides_nothing_but_its_neighbours() {
    let text = "[worker]\nlease = 5\npoll = \"0s\"\n[http]\nbatch = 0\n[limits.x]\nrate = \"0\"\n";

    let message = load_text(text).unwrap_err().to_string();

    for expected in
        ["toml:2: `worker.lease`", "toml:5: `http.batch`: must be at least 1", "toml:7: `limits.x.rate`"]
    {
        assert!(message.contains(expected), "{message}");
    }
    // The lease that it would be compared with is not the one that was meant, and the limit has a rate.
    assert!(!message.contains("worker.poll") && !message.contains("limits nothing"), "{message}");
}

#[test]
fn every_secret_that_is_missing_is_told_where_the_reference_stands() {
    let text = "[store]\nurl = \"env:NO_STORE\"\n[http]\ntoken = \"file:/nowhere/token\"\n[webhooks]\n\
                secrets = [\"env:PATH\", \"env:NO_SECRET\"]\n[schedules.x]\nevery = \"1h\"\nkind = \"a.b\"\n\
                args = { text = \"env:NO_SECRET_EITHER\" }\n";

    let missing = load_text(text).unwrap().missing_secrets();

    let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
    assert_eq!(missing.len(), 3, "{missing:?}");
    for expected in [
        ("toml:2: `store.url`: ", "`NO_STORE` is not set"),
        ("toml:4: `http.token`: ", "`/nowhere/token` cannot be read"),
        ("toml:6: `webhooks.secrets[1]`: ", "`NO_SECRET` is not set"),
    ] {
        let told = |line: &String| line.contains(expected.0) && line.contains(expected.1);
        assert!(missing.iter().any(told), "{expected:?}: {missing:?}");
    }
}

#[test]
fn a_mistake_in_the_environment_names_the_variable() {
    for (name, value, expected) in [
        ("COMPLINE__WORKER__CONCURENCY", "3", "did you mean COMPLINE__WORKER__CONCURRENCY?"),
        ("COMPLINE__WORKER__CONCURRENCY", "many", "invalid type: string \"many\""),
        ("COMPLINE__WORKER", "many", "this is a section"),
        ("COMPLINE__WORKER__LEASE", "30", "`30` is not a duration"),
        ("COMPLINE__STORE__CONNECTIONS", "0", "must be at least 2"),
    ] {
        let message = load_variables(&[(name, value)]).unwrap_err().to_string();

        assert!(message.contains(&format!("{name}: ")), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let message = load_text("[worker]\nleese = \"3s\"\npole = \"1s\"\n").unwrap_err().to_string();

    assert!(message.contains("worker.leese") && message.contains("worker.pole"), "{message}");
}

#[test]
fn a_secret_in_the_wrong_place_is_never_repeated() {
    const NUMBER: &str = "1234567890123456";
    let secret = "c0ffee00c0ffee00";
    for text in [
        format!("[encryption.keys]\nk1 = \"{secret}\"\n"),
        format!("[encryption]\nkeys = \"{secret}\"\n"),
        format!("[encryption.keys]\nk1 = [\"{secret}\"]\n"),
        format!("[encryption.keys]\nk1 = {{ key = \"{secret}\" }}\n"),
        format!("[encryption.keys]\nk1 = \"{secret}\n"),
        format!("[http]\ntoken = \"{secret}\"\n"),
        format!("[http]\ntoken = {NUMBER}\n"),
        format!("[mail]\npassword = {NUMBER}\n"),
        format!("[buckets.books]\nsecret_access_key = \"{secret}\"\n"),
        format!("[buckets.books]\naccess_key_id = {NUMBER}\n"),
        format!("[store]\nurl = [\"postgres://ada:{secret}@host/db\"]\n"),
        format!("[store]\nurl = \"mysql://ada:{secret}@host/db\"\n"),
    ] {
        let error = load_text(&text).unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(!told.contains(secret) && !told.contains(NUMBER), "{error:?}");
    }
    let error = load_variables(&[("COMPLINE__ENCRYPTION__KEYS__K1", secret)]).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
    assert!(error.to_string().contains("`env:NAME`"), "{error}");
}

#[test]
fn a_password_in_the_url_is_warned_of_and_hidden_when_shown() {
    let loaded = load_text("[store]\nurl = \"postgres://ada:hunter2@host/db\"\n").unwrap();

    assert!(loaded.warnings[0].to_string().contains("env:DATABASE_URL"), "{:?}", loaded.warnings);
    let printed = format!("{loaded:?} {:?}", loaded.explain());
    assert!(printed.contains("ada:[redacted]@host") && !printed.contains("hunter2"), "{printed}");

    let loaded = load_text("[redis]\nurl = \"redis://:hunter2@host:6379\"\n").unwrap();

    assert!(loaded.warnings[0].to_string().contains("env:REDIS_URL"), "{:?}", loaded.warnings);
    let printed = format!("{loaded:?} {:?}", loaded.explain());
    assert!(printed.contains("redis://:[redacted]@host") && !printed.contains("hunter2"), "{printed}");
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let error = load_from(Some("/nowhere/compline.toml".into()), [], &kinds()).unwrap_err();

    assert!(error.to_string().contains("/nowhere/compline.toml"), "{error}");
}

fn problems(text: &str) -> Vec<String> {
    let (_directory, path) = file(text);
    match load_from(Some(path.clone()), [], &kinds()) {
        Err(ConfigError::Problems(problems)) => {
            let place = format!("{}:", path.display());
            problems.iter().map(|problem| problem.to_string().replace(&place, "")).collect()
        }
        other => panic!("{text}: {other:?}"),
    }
}

/// `serve` refused these, and `config check` had called them valid.
#[test]
fn a_schedule_whose_job_would_be_refused_is_no_valid_configuration() {
    for (keys, expected) in [
        (
            r#"kind = "system.sleep""#,
            "2: `schedules.slp.args`: `system.sleep` cannot take them: missing field `ms`",
        ),
        ("kind = \"system.sleep\"\nargs = '[5]'", "4: `schedules.slp.args`: must be a JSON object"),
        (
            "kind = \"system.noop\"\nargs = '{\"at\": \"{{nope}}\"}'",
            "4: `schedules.slp.args`: `{{nope}}` is not known",
        ),
        ("kind = \"system.noop\"\npriority = 12", "4: `schedules.slp.priority`: 12; use 1"),
        (
            r#"kind = "system.callback""#,
            "3: `schedules.slp.kind`: `system.callback` is made by the engine alone",
        ),
        (r#"kind = "system.bulk""#, "3: `schedules.slp.kind`: `system.bulk` is made by the engine alone"),
    ] {
        let found = problems(&format!("[schedules.slp]\nevery = \"1s\"\n{keys}\n"));

        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(expected), "{found:?}");
    }
}

/// Each was valid, and made nothing, ever.
#[test]
fn a_trigger_that_can_never_work_is_no_valid_configuration() {
    let chain = "[triggers.chains.t]\nafter = \"system.noop\"\n";
    let folder = "[triggers.folders.t]\npath = \"/in\"\n";
    let hook = "[triggers.webhooks.t]\nsecrets = [\"env:S\"]\n";
    for (trigger, keys, expected) in [
        (
            chain,
            "kind = \"system.sleep\"",
            "chains.t.args`: `system.sleep` cannot take them: missing field `ms`",
        ),
        (
            chain,
            "kind = \"system.callback\"",
            "chains.t.kind`: `system.callback` is made by the engine alone",
        ),
        (chain, "kind = \"system.bulk\"", "chains.t.kind`: `system.bulk` is made by the engine alone"),
        (
            chain,
            "kind = \"a.b\"\nargs = '{\"x\": \"{/output}\"}'",
            "chains.t.args`: `{/output}` is never there; use {/id}",
        ),
        (
            folder,
            "kind = \"a.b\"\nargs = '{\"path\": \"{/nope}\"}'",
            "folders.t.args`: `{/nope}` is never there; use {/name}",
        ),
        (folder, "kind = \"a.b\"\nargs = '[\"{/path}\"]'", "folders.t.args`: must be a JSON object"),
        (
            hook,
            "kind = \"system.sleep\"\nargs = '{\"mss\": 5}'",
            "webhooks.t.args`: `system.sleep` cannot take them: unknown field",
        ),
        (
            hook,
            "kind = \"a.b\"\nargs = '{\"x\": \"{/id}\"}'",
            "webhooks.t.args`: `{/id}` is never there; use {/body}, {/headers}",
        ),
    ] {
        let found = problems(&format!("{trigger}{keys}\n"));

        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(&format!("`triggers.{expected}")), "{found:?}");
    }
    for good in [
        format!("{chain}kind = \"a.b\"\nargs = '{{\"x\": \"{{/result/deep}}\", \"all\": \"{{}}\"}}'\n"),
        format!("{folder}kind = \"a.b\"\nargs = '\"{{}}\"'\n"),
        format!("{hook}kind = \"system.sleep\"\nargs = '{{\"ms\": \"{{/body/ms}}\"}}'\n"),
    ] {
        load_text(&good).unwrap();
    }
}

/// They vanished: whoever forgot to write the keys had no limit, and nobody said so.
#[test]
fn an_empty_section_is_told_as_one_that_is_not_complete() {
    let text = "[limits.b]\n\n[alerts.routes.a]\n\n[schedules.a]\n\n[triggers.chains.c]\n\n[calls.d]\n";

    let found = problems(text);

    for expected in [
        "1: `limits.b`: limits nothing; set rate",
        "3: `alerts.routes.a",
        "5: `schedules.a.cron`: says when, and is missing",
        "7: `triggers.chains.c.after`: must name a kind",
        "9: `calls.d`: limits nothing",
    ] {
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected}: {found:#?}");
    }
    assert_eq!(load_text("[worker]\n[queues.mail]\n[limits]\n").unwrap().settings.queues.len(), 1);
}
