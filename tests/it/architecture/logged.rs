//! What our log lines say beside their words is on the list of what they may say, and the list has nothing else.

use std::collections::BTreeSet;

use compline::telemetry::fields::ALLOWED;

use super::source::Source;
use super::{Tree, kept};

const MACROS: &[&str] = &["trace!(", "debug!(", "info!(", "warn!(", "error!(", "info_span!("];

/// The names of fields that a source logs, each as it stands in the line.
fn logged(source: &Source) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for begins in MACROS {
        for (at, _) in source.code.match_indices(begins) {
            let inside = &source.code[at + begins.len()..];
            // The words come behind the fields; of a span, its name before them.
            let inside = if *begins == "info_span!(" {
                inside.split_once(',').map_or("", |(_, rest)| rest)
            } else {
                inside
            };
            names.extend(fields(inside));
        }
    }
    names
}

fn fields(inside: &str) -> Vec<String> {
    let (mut depth, mut part, mut parts) = (0, String::new(), Vec::new());
    for letter in inside.chars() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => parts.push(std::mem::take(&mut part)),
            _ => {}
        }
        part.push(letter);
    }
    parts.push(part);
    let parts = parts.iter().map(|part| part.trim_matches([',', ' ', '\n']));
    let parts = parts.take_while(|part| !part.starts_with('"')).filter(|part| !part.is_empty());
    parts
        .map(|part| part.split(" = ").next().unwrap_or(part).trim_start_matches(['%', '?']).to_owned())
        .collect()
}

fn every_field_is_listed(tree: &Tree) -> Vec<String> {
    let mut used = BTreeSet::new();
    let mut found = Vec::new();
    for (path, source) in tree.production() {
        for name in logged(&source) {
            if !ALLOWED.contains(&name.as_str()) {
                found.push(format!("{path}: logs `{name}`, which src/telemetry/fields.rs does not list"));
            }
            used.insert(name);
        }
    }
    let idle = ALLOWED.iter().filter(|name| !used.contains(**name));
    found.extend(idle.map(|name| format!("src/telemetry/fields.rs lists `{name}`, which nothing logs")));
    found
}

#[test]
fn what_is_logged_beside_words_is_listed() {
    kept(every_field_is_listed);
}

#[test]
fn a_field_is_found_wherever_it_stands() {
    for (text, names) in [
        (r#"info!("plain {x}")"#, &[][..]),
        (r#"info!(job.id = %id(a, b), "x")"#, &["job.id"]),
        (r#"warn!(a = 1, b.c = ?f([1, 2]), ms, "x {}", y = 3)"#, &["a", "b.c", "ms"]),
        (r#"let s = info_span!("job", job.id = 1, trace.id = id);"#, &["job.id", "trace.id"]),
    ] {
        let found: Vec<_> = logged(&Source::read(text)).into_iter().collect();
        assert_eq!(found, names, "{text}");
    }
}
