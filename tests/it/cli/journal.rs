//! `compline journal` as a script meets it: on files, without a store.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::binary::Place;
use crate::support::postgres;

const LEDGER: &str = "ledger.csv";

/// A place with a small ledger of known bytes in it.
fn place() -> Place {
    let place = Place::new();
    let params = journal::sample::SampleParams { entries: 400, seed: 3 };
    let mut file = fs::File::create(place.path().join(LEDGER)).unwrap();
    journal::sample::write(&mut file, &params).unwrap();
    place
}

/// Opening and closing balances of all accounts of the ledger, one of them wrong by so many cents.
fn trial_balance(place: &Place, wrong_by: i64) -> String {
    let mut cents = std::collections::BTreeMap::<String, i64>::new();
    // The sample has no field that would have to be quoted.
    let ledger = fs::read_to_string(place.path().join(LEDGER)).unwrap();
    let mut records = ledger.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = records.next().unwrap();
    let [account, amount, side] = ["GL_Account_Number", "Amount", "Amount_Credit_Debit_Indicator"]
        .map(|name| header.iter().position(|known| *known == name).unwrap());
    for record in records {
        let moved: i64 = record[amount].replace('.', "").parse().unwrap();
        *cents.entry(record[account].into()).or_default() += if record[side] == "S" { moved } else { -moved };
    }
    *cents.values_mut().next().unwrap() += wrong_by;
    let rows = cents.iter().map(|(account, cents)| {
        let sign = if *cents < 0 { "-" } else { "" };
        format!("{account},0,{sign}{}.{:02}\n", cents.abs() / 100, cents.abs() % 100)
    });
    format!("GL_Account_Number,Amount_Beginning,Amount_Ending\n{}", rows.collect::<String>())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn results(place: &Place, folder: &str) -> Value {
    serde_json::from_slice(&fs::read(place.path().join(folder).join("results.json")).unwrap()).unwrap()
}

#[test]
fn a_ledger_is_scored_without_a_store_and_every_file_is_written() {
    let place = place();

    let told = place.run(&["journal", "score", LEDGER, "--out", "out", "--json"]).expect(0);

    assert_eq!(
        names(&place.path().join("out")),
        [
            "all_scores.csv",
            "all_scores.parquet",
            "completeness.json",
            "rejected.csv",
            "report.html",
            "report.pdf",
            "results.json",
            "summary.txt",
            "workpaper.xlsx"
        ]
    );
    assert_eq!(told.err, "");
    let summary = told.json();
    let results = results(&place, "out");
    assert_eq!(summary["entries"], json!(400));
    assert_eq!(summary["scores_sha256"], results["scores_sha256"]);
    assert_eq!(summary["settings_sha256"], results["parameters_sha256"]);
    assert_eq!(names(place.path()), [LEDGER, "out"], "nothing is left of what was put aside");
}

/// As docs/reference/journal.md shows it, without any of our code.
#[test]
fn anybody_can_compute_the_hashes_of_scores_and_settings() {
    let place = place();
    place.run(&["journal", "score", LEDGER, "--out", "out", "--set", "risk.high=0.6"]).expect(0);
    let results = results(&place, "out");
    let hex = |hash: ring::digest::Context| -> String {
        hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let sha256 = || ring::digest::Context::new(&ring::digest::SHA256);

    let csv = fs::read_to_string(place.path().join("out/all_scores.csv")).unwrap();
    let mut scores = sha256();
    for row in csv.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>()) {
        scores.update(&(row[0].len() as u64).to_le_bytes());
        scores.update(row[0].as_bytes());
        scores.update(&row[3].parse::<f64>().unwrap().to_bits().to_le_bytes());
    }
    let mut settings = sha256();
    for parameter in results["parameters"].as_array().unwrap() {
        let [name, value] = ["name", "value"].map(|key| parameter[key].as_str().unwrap());
        settings.update(format!("{name} = {value}\n").as_bytes());
    }

    assert_eq!(hex(scores), results["scores_sha256"]);
    assert_eq!(hex(settings), results["parameters_sha256"]);
}

/// The evidence says which command gives it again.
#[test]
fn the_command_that_results_name_gives_the_same_bytes_again() {
    let place = place();
    let set = ["--set", "controls.weights.round=0", "--set", "calendars.entities.1000=de"];
    let calendar = ["--set", "calendars.calendars.de.zone=Europe/Berlin", "--seed", "7"];
    let first = [&["journal", "score", LEDGER, "--out", "first"], &calendar[..], &set[..]].concat();
    place.run(&first).expect(0);
    let results = results(&place, "first");

    let named = results["command"].as_str().unwrap();
    let line = named.replacen("compline", &format!("'{}'", env!("CARGO_BIN_EXE_compline")), 1);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!("{line} --threads 1 --out again")]).current_dir(place.path()).env_clear();
    assert!(shell.output().unwrap().status.success(), "{line}");

    for file in names(&place.path().join("first")) {
        let read = |folder: &str| fs::read(place.path().join(folder).join(&file)).unwrap();
        assert!(read("first") == read("again"), "{file}");
    }
}

#[test]
fn tests_benford_and_reasons_are_told_without_a_file() {
    let place = place();

    place.run(&["journal", "tests", LEDGER]).expect(0).says(&[
        "ENTRIES HIT",
        "W1 User who rarely posts",
        "no `approval_limits` are set",
    ]);
    let tests = place.run(&["journal", "tests", LEDGER, "--json"]).expect(0).json();
    let hit = |id: &str| {
        let test = tests.as_array().unwrap().iter().find(|test| test["id"] == id);
        test.unwrap_or_else(|| panic!("{id}: {tests}"))["hits"].clone()
    };
    assert_eq!(hit("unbalanced")["total"], json!(1));
    place.run(&["journal", "benford", LEDGER]).expect(0).says(&["First digit", "First two", "CHI-SQUARE"]);
    let unbalanced = hit("unbalanced")["listed"][0]["entry"].as_str().unwrap().to_string();
    place.run(&["journal", "explain", LEDGER, "--entry", &unbalanced]).expect(0).says(&[
        &unbalanced,
        "risk ",
        "unbalanced: debits exceed credits by 9,900.00 EUR",
        "ACCOUNT",
    ]);
    assert_eq!(names(place.path()), [LEDGER]);
}

#[test]
fn what_the_columns_seem_to_mean_is_told() {
    let place = Place::new().file("gl.csv", "Belegnummer;Konto;Soll;Haben\n1;4711;1,50;\n1;1200;;1,50\n");

    place.run(&["journal", "guess", "gl.csv"]).expect(0).says(&["Belegnummer", "Konto", "Soll"]);
    place.run(&["journal", "guess", "nowhere.csv"]).expect(3).says(&["nowhere.csv"]);
}

#[test]
fn an_entry_or_a_ledger_that_is_not_there_is_exit_code_3() {
    let place = place();

    place
        .run(&["journal", "explain", LEDGER, "--entry", "4711"])
        .expect(3)
        .says(&["has no entry `4711`", "write the id as the ledger has it"]);
    place.run(&["journal", "score", "nowhere.csv"]).expect(3).says(&["nowhere.csv"]);
    place.run(&["journal", "compare", "one", "other"]).expect(3).says(&["one", "name a folder with results"]);
}

#[test]
fn a_setting_that_cannot_be_meant_is_exit_code_2_and_is_named() {
    let place = place().file("bad.toml", "[risk]\nhigh = 0.1\n").file("odd.toml", "[risk]\nhihg = 0.6\n");
    for (args, says) in [
        (&["--set", "risk.score_weight=21"][..], "settings.risk.score_weight: 21 is too much"),
        (&["--set", "controls.round.zeros=0"], "settings.controls.round.zeros: 0 hits nothing or everything"),
        (&["--set", "controls.weights.ruond=1"], "unknown variant `ruond`"),
        (&["--set", "sede=1"], "unknown field `sede`"),
        (&["--set", "seed"], "--set seed: has no `=`"),
        (&["--settings", "bad.toml"], "settings.risk.medium, high: 0.3 and 0.1 are no bounds"),
        (&["--settings", "odd.toml"], "unknown field `hihg`"),
        (&["--settings", "nowhere.toml"], "nowhere.toml"),
        (&["--accepted-by", "ada"], "--because"),
        (&["--threads", "0"], "--threads"),
    ] {
        let command = [&["journal", "score", LEDGER, "--out", "out"], args].concat();
        place.run(&command).expect(2).says(&[says]);
    }
    assert!(!place.path().join("out").exists());
    let configured = place.file("compline.toml", "[journal.settings.risk]\n\nhigh = 0.1\n");
    configured.run(&["journal", "score", LEDGER]).expect(2).says(&[
        "compline.toml:3",
        "journal.settings.risk.medium, high",
        "0.3 and 0.1 are no bounds",
    ]);
}

#[test]
fn numbers_are_taken_as_text_where_text_is_meant() {
    let place = place();
    let set = ["--set", "controls.approval_limits.EUR=[\"5000\"]", "--set", "mapping.constants.entity=1000"];
    let amount = ["--set", "selections.monetary_unit.materiality=100000", "--set", "outputs.scores=[]"];

    let told = [&["journal", "score", LEDGER, "--out", "out"], &set[..], &amount[..]].concat();
    place.run(&told).expect(0);

    let parameters = results(&place, "out")["parameters"].clone();
    for (name, value) in
        [("selections.monetary_unit.materiality", "100000.00"), ("mapping.constants.entity", "1000")]
    {
        assert!(
            parameters.as_array().unwrap().contains(&json!({ "name": name, "value": value })),
            "{parameters}"
        );
    }
}

#[test]
fn a_ledger_that_does_not_roll_forward_is_exit_code_1_unless_somebody_accepts_it() {
    let place = place();
    let (right, wrong) = (trial_balance(&place, 0), trial_balance(&place, 1));
    let place = place.file("right.csv", &right).file("wrong.csv", &wrong);
    let score = |balance: &str, out: &str, more: &[&str]| {
        let command = ["journal", "score", LEDGER, "--trial-balance", balance, "--out", out];
        place.run(&[&command[..], more].concat())
    };

    score("right.csv", "right", &[]).expect(0).says(&["accounts roll forward to the cent"]);
    score("wrong.csv", "out", &[]).expect(1).says(&[
        "does not roll forward to the trial balance: 1 accounts differ",
        "out/completeness.json",
        "remedy: get the whole ledger, or take it as it is with --accepted-by NAME --because REASON",
    ]);

    assert_eq!(names(&place.path().join("out")), ["completeness.json"]);
    let found: Value =
        serde_json::from_slice(&fs::read(place.path().join("out/completeness.json")).unwrap()).unwrap();
    assert_eq!(found["roll_forward"]["failed"]["count"], json!(1));
    score("wrong.csv", "out", &["--accepted-by", "ada", "--because", "rounding of the old system"])
        .expect(0)
        .says(&["1 accounts differ, accepted by ada: rounding of the old system"]);
    assert!(place.path().join("out/workpaper.xlsx").exists());
}

#[test]
fn a_ledger_without_a_line_that_can_be_used_is_exit_code_1_and_leaves_nothing() {
    let place = Place::new().file("gl.csv", "Journal_ID,GL_Account_Number,Amount\n,1,2\n");

    let told = place.run(&["journal", "score", "gl.csv", "--out", "out"]).expect(1);

    told.says(&["gl.csv has no line that can be used", "1 were rejected", "line 2"]);
    assert_eq!(names(&place.path().join("out")), [""; 0]);
}

#[test]
fn two_results_are_compared() {
    let place = place();
    for (seed, out) in [("1", "one"), ("1", "same"), ("2", "other")] {
        let quick = ["--set", "outputs.scores=[]", "--set", "outputs.report=false"];
        let score = ["journal", "score", LEDGER, "--seed", seed, "--out", out];
        place.run(&[&score[..], &quick[..]].concat()).expect(0);
    }

    place
        .run(&["journal", "compare", "one", "same"])
        .expect(0)
        .says(&["The input is the same, the scores are the same"]);
    place.run(&["journal", "compare", "one", "other/results.json"]).expect(0).says(&[
        "The input is the same, the scores are different",
        "Settings",
        "seed",
    ]);
    let told = place.run(&["journal", "compare", "one", "other", "--json"]).expect(0).json();
    assert_eq!((&told["same_input"], &told["same_scores"]), (&json!(true), &json!(false)));
}

/// The sample ledger as a table: text, but for the amount.
async fn in_postgres(place: &Place) -> String {
    let url = postgres::empty_database().await;
    let mut session = PgConnection::connect(&url).await.unwrap();
    let ledger = fs::read_to_string(place.path().join(LEDGER)).unwrap();
    let (header, lines) = ledger.split_once('\n').unwrap();
    let columns: Vec<String> = header
        .split(',')
        .map(|name| format!("\"{name}\" {}", if name == "Amount" { "numeric" } else { "text" }))
        .collect();
    let table = format!("CREATE TABLE gl (place serial, {})", columns.join(", "));
    sqlx::raw_sql(AssertSqlSafe(table)).execute(&mut session).await.unwrap();
    let names: Vec<String> = header.split(',').map(|name| format!("\"{name}\"")).collect();
    let copy = format!("COPY gl ({}) FROM STDIN WITH (FORMAT csv)", names.join(", "));
    let mut sink = session.copy_in_raw(&copy).await.unwrap();
    sink.send(lines.as_bytes()).await.unwrap();
    sink.finish().await.unwrap();
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_in_a_database_has_the_scores_of_its_file() {
    let place = place();
    let url = in_postgres(&place).await;
    let sql = "SELECT * FROM gl WHERE place > $1::int ORDER BY place";
    let config = format!(
        "[databases.erp]\nurl = \"env:ERP_URL\"\n[journal.queries.gl]\ndatabase = \"erp\"\nsql = \"{sql}\"\n"
    );
    let place = place.file("compline.toml", &config).with("ERP_URL", &url);
    place.run(&["doctor"]).says(&["queries", "query:gl has ", "and 1 parameter"]);

    place.run(&["journal", "score", LEDGER, "--out", "file"]).expect(0);
    place.run(&["journal", "score", "query:gl", "--parameter", "0", "--out", "query"]).expect(0);

    let bytes = |folder: &str, name: &str| fs::read(place.path().join(folder).join(name)).unwrap();
    assert!(bytes("file", "all_scores.csv") == bytes("query", "all_scores.csv"));
    assert_eq!(results(&place, "file")["scores_sha256"], results(&place, "query")["scores_sha256"]);
    assert_ne!(results(&place, "file")["scores_sha256"], Value::Null);

    place.run(&["migrate"]).expect(0);
    let id =
        place.enqueue(&["journal.score_ledger", "--args", r#"{"path": "query:gl", "parameters": ["0"]}"#]);
    place.work(0);
    let job = place.job(&id);
    assert_eq!(job["state"], "completed", "{job}");
    assert_eq!(job["result"]["scores_sha256"], results(&place, "file")["scores_sha256"]);

    place.run(&["journal", "score", "query:gl"]).expect(1).says(&["the query `gl` has 1, and 0 came"]);
    let two = ["journal", "score", "query:gl", "--parameter", "0", "--parameter", "1"];
    place.run(&two).expect(1).says(&["the query `gl` has 1, and 2 came"]);
    place.run(&["journal", "score", "query:x"]).expect(2).says(&["there is no query `x`; there are gl"]);
    place
        .run(&["journal", "score", LEDGER, "--parameter", "x"])
        .expect(2)
        .says(&["--parameter", "query:NAME"]);
}
