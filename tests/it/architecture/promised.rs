//! What the documentation says that a test shows, a test shows: each row of a table of promises names tests that there are.

use std::path::Path;

use super::Tree;

const PAGES: &[&str] = &["docs/reference/docusign-failures.md"];

/// Crates that pages may name, and where their modules are.
const CRATES: &[(&str, &str)] =
    &[("docusign", "jobs/docusign/src/"), ("it", "tests/it/"), ("jobkit", "jobs/jobkit/src/")];

/// The rows of all tables, but for their heads.
fn rows(page: &str) -> Vec<&str> {
    let lines: Vec<&str> = page.lines().collect();
    let is_rule = |line: &str| line.starts_with('|') && line.chars().all(|letter| "|-: ".contains(letter));
    let is_head = |at: usize| lines.get(at + 1).is_some_and(|next| is_rule(next));
    let is_row = |at: usize, line: &str| line.starts_with('|') && !is_rule(line) && !is_head(at);
    lines.iter().enumerate().filter(|(at, line)| is_row(*at, line)).map(|(_, line)| *line).collect()
}

/// The tests of a row: `crate::module::test`.
fn tests(row: &str) -> Vec<&str> {
    let quoted = row.split('`').skip(1).step_by(2);
    let named = |text: &&str| CRATES.iter().any(|(name, _)| text.starts_with(&format!("{name}::")));
    quoted.filter(named).collect()
}

/// Whether there is a test of this path.
fn is_there(tree: &Tree, path: &str) -> bool {
    let mut parts: Vec<&str> = path.split("::").collect();
    let (Some(test), Some((_, folder))) =
        (parts.pop(), CRATES.iter().find(|(name, _)| path.starts_with(&format!("{name}::"))))
    else {
        return false;
    };
    let modules = parts[1..].join("/");
    // A module of tests may stand in the file that it tests.
    let inline = modules.strip_suffix("/tests").map(|file| format!("{folder}{file}.rs"));
    let files = [format!("{folder}{modules}.rs"), format!("{folder}{modules}/mod.rs")];
    let says = |file: &String| {
        let text = tree.0.get(file).map_or("", String::as_str);
        text.contains(&format!("fn {test}(")) && text.contains("#[test]")
            || text.contains(&format!("async fn {test}("))
    };
    files.iter().chain(&inline).any(says)
}

fn rows_name_tests_that_there_are(tree: &Tree, name: &str, page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for row in rows(page) {
        let named = tests(row);
        if named.is_empty() {
            found.push(format!("{name}: no test is named in {row}"));
        }
        let gone = named.into_iter().filter(|test| !is_there(tree, test));
        found.extend(gone.map(|test| format!("{name}: there is no test {test}")));
    }
    found
}

#[test]
fn each_promise_of_the_pages_has_its_test() {
    let tree = Tree::of_this_repository();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in PAGES {
        let page = std::fs::read_to_string(root.join(name)).unwrap();
        assert!(rows(&page).len() > 10, "{name} has no table any more");

        let found = rows_name_tests_that_there_are(&tree, name, &page);

        assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    }
}

#[test]
fn a_test_that_is_gone_and_a_row_without_one_are_caught() {
    let tree = Tree::of(&[
        ("jobs/docusign/src/void/tests.rs", "#[tokio::test]\nasync fn it_is_voided() {}"),
        ("jobs/docusign/src/phase.rs", "#[cfg(test)]\nmod tests {\n#[test]\nfn it_goes_on() {}\n}"),
        ("tests/it/faults/mod.rs", "on_both![a];\nasync fn it_lives(world: World) {}"),
    ]);
    for (row, caught) in [
        ("| lost | `docusign::void::tests::it_is_voided` |", None),
        ("| on | `docusign::phase::tests::it_goes_on`, `it::faults::it_lives` |", None),
        (
            "| lost | `docusign::void::tests::it_was_voided` |",
            Some("there is no test docusign::void::tests::it_was"),
        ),
        ("| lost | `docusign::avoid::tests::it_is_voided` |", Some("there is no test docusign::avoid")),
        ("| 404 | `docusign.unresolved` is raised |", Some("no test is named in | 404")),
    ] {
        let page = format!("# A page\n\n| seen | test |\n|---|---|\n{row}\n");
        let found = rows_name_tests_that_there_are(&tree, "page", &page);
        match caught {
            None => assert_eq!(found, Vec::<String>::new(), "{row}"),
            Some(by) => assert!(found.len() == 1 && found[0].contains(by), "{row}: {found:?}"),
        }
    }
}
