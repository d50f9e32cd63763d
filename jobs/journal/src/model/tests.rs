use proptest::prelude::*;

use super::*;
use crate::drift::Summary;
use crate::part::{Part, from_lines};
use crate::scoring::detectors::{Detectors, Growth};
use crate::scoring::dims::Has;
use crate::scoring::facets::Facets;
use crate::scoring::fitted::Judged;
use crate::scoring::fixture::{Lines, ledger};
use crate::scoring::measures::Measures;
use crate::scoring::whole;

const HAS: Has = Has { amounts: true, dates: true, times: true, periods: true, manual: true };

fn scored(fitted: &Fitted, part: &Part) -> Vec<Judged> {
    let entries = part.entries().iter().map(|entry| part.postings_of(entry));
    fitted.score(&mut Facets::default(), entries).unwrap()
}

/// A population of forests so small that a byte of something else is often met.
fn population(whose: Whose, part: &Part, names: &Names) -> Population {
    let mut fitted = whole::whole(std::slice::from_ref(part), names, 7).unwrap().fitted;
    let measures: Vec<Measures> = scored(&fitted, part).into_iter().map(|judged| judged.measures).collect();
    let growth = Growth { trees: 2, sample: 8, seed: 1 };
    let rows: Vec<&Measures> = measures.iter().collect();
    fitted.detectors = Detectors::grow(&rows, fitted.detectors.signals, growth, true).unwrap();
    let mut summary = Summary::new(&fitted.dims, names);
    scored(&fitted, part).iter().for_each(|judged| summary.add(&judged.measures, &judged.scored));
    let reference = summary.reference(&fitted.dims);
    Population { whose, entries: part.entries().len() as u64, fitted, reference }
}

fn model(lines: &Lines) -> (Model, Part) {
    let (part, names) = from_lines(lines.iter());
    let about = About {
        name: "ledger".into(),
        program: "compline 0.1.0".into(),
        parameters: r#"{"trees":2}"#.into(),
        seed: 7,
        window: Some(Window { from: jiff::civil::date(2025, 1, 1), to: jiff::civil::date(2025, 12, 31) }),
        entries: part.entries().len() as u64,
        lines: part.postings().len() as u64,
        input_sha256: "ab".repeat(32),
        config_sha256: "cd".repeat(32),
        job: "0196f0c0-0000-7000-8000-000000000001".into(),
    };
    let by_hand = Whose::Apart { entity: "1000".into(), manual: Some(true) };
    let populations = vec![population(Whose::Whole, &part, &names), population(by_hand, &part, &names)];
    (Model { about, schema: Schema::of(&names, HAS), names, populations }, part)
}

/// As [`Sealed::of`] does: another body with a header and a hash that are right.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut bytes = MARK.to_vec();
    FORMAT.put(&mut bytes);
    0_u64.put(&mut bytes);
    bytes.extend(body);
    Sealed::of(bytes).bytes
}

fn body(bytes: &[u8]) -> &[u8] {
    &bytes[HEADER..bytes.len() - HASH]
}

#[test]
fn a_model_comes_back_from_its_file_and_scores_with_the_same_bits() {
    let (model, part) = model(&ledger(0..120, "m"));
    let folder = tempfile::tempdir().unwrap();
    let sealed = model.seal();

    let path = sealed.write(folder.path(), &RunTag { run: "run".into(), claim: 1 }).unwrap();
    let opened = Model::read(&path).unwrap();

    assert_eq!(path.file_name().unwrap().to_str(), Some(&*format!("model-{}.jemodel", sealed.id())));
    assert_eq!((id(&opened.sha256), sealed.id().len()), (sealed.id(), 16));
    assert_eq!((&opened.model.about, &opened.model.schema), (&model.about, &model.schema));
    assert_eq!(opened.model.names, model.names);
    for (back, own) in opened.model.populations.iter().zip(&model.populations) {
        assert_eq!((&back.whose, back.entries, &back.reference), (&own.whose, own.entries, &own.reference));
        assert_eq!(scored(&back.fitted, &part), scored(&own.fitted, &part));
    }
    assert_eq!(opened.model.seal(), sealed);
}

#[test]
fn the_same_ledger_makes_the_same_file() {
    let (one, other) = (model(&ledger(0..80, "m")).0.seal(), model(&ledger(0..80, "m")).0.seal());

    assert!(one == other, "{} {}", one.sha256, other.sha256);
    assert_ne!(one.sha256, model(&ledger(0..81, "m")).0.seal().sha256);
}

#[test]
fn a_model_is_carried_to_a_ledger_with_all_its_populations() {
    let (model, part) = model(&ledger(0..120, "m"));
    let lines = ledger(0..120, "m").and(ledger(0..50, "a"));
    let (_folder, mut spool) = lines.spooled();
    let schema = Schema::of(spool.names(), HAS);

    let Carried { names, ranks, fitted, .. } = model.carry(spool.names(), &schema).unwrap();
    spool.rename(names, &ranks);

    let all = spool.load(0).unwrap();
    for (carried, population) in fitted.iter().zip(&model.populations) {
        let found = scored(carried, &all);
        let known = all.entries().iter().zip(found).filter(|(entry, _)| all.id(entry).starts_with("mE"));
        assert_eq!(known.map(|(_, judged)| judged).collect::<Vec<_>>(), scored(&population.fitted, &part));
    }
    assert!(std::sync::Arc::ptr_eq(&fitted[0].dims, &fitted[1].dims));
}

#[test]
fn a_ledger_with_other_columns_is_refused() {
    let (model, _) = model(&ledger(0..30, "m"));
    let (_, names) = from_lines(ledger(0..30, "m").iter());
    let without = Schema::of(&names, Has { times: false, ..HAS });

    let refused = model.carry(&names, &without).unwrap_err();

    assert_eq!(
        refused.to_string(),
        "schema mismatch: the model knows `entered_time`, and the ledger has none; map columns of the ledger to what is missing, or train a model on this ledger"
    );
}

#[test]
fn each_fault_of_a_file_is_refused_by_what_it_is() {
    let bytes = model(&ledger(0..30, "m")).0.seal().bytes;
    let length = bytes.len() as u64;
    let refused = |bytes: &[u8]| Model::from_bytes(bytes).unwrap_err();

    assert_eq!(refused(b""), Problem::NoModel);
    assert_eq!(refused(b"Journal_ID,Amount\n"), Problem::NoModel);
    assert_eq!(refused(&bytes[..10]), Problem::CutOff { has: 10, needs: 52 });
    for cut in [15, 40, 1_000, bytes.len() - 1] {
        let found = refused(&bytes[..cut]);
        assert!(matches!(found, Problem::CutOff { has, .. } if has == cut as u64), "{found:?}");
    }
    let mut longer = bytes.clone();
    longer.extend(b"\r\n");
    assert_eq!(refused(&longer), Problem::GoesOn { has: length + 2, needs: length });
    let mut other = bytes.clone();
    other[8] += 1;
    assert_eq!(refused(&other), Problem::OtherFormat { found: FORMAT + 1 });
    let mut features = body(&bytes).to_vec();
    features[0] += 1;
    assert_eq!(refused(&sealed(&features)), Problem::OtherFeatures { found: FEATURES + 1 });
    let mut more = body(&bytes).to_vec();
    more.push(0);
    assert_eq!(refused(&sealed(&more)), Problem::Broken(Broken("it has more than its parts")));
    let less = &body(&bytes)[..2_000];
    assert!(matches!(refused(&sealed(less)), Problem::Broken(_)));
}

#[test]
fn a_byte_that_changed_is_refused_wherever_it_is() {
    let bytes = model(&ledger(0..10, "m")).0.seal().bytes;
    let places = (0..80).chain((80..bytes.len() - 40).step_by(211)).chain(bytes.len() - 40..bytes.len());
    for at in places {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        let found = Model::from_bytes(&changed).unwrap_err();
        let expected = match at {
            0..8 => matches!(found, Problem::NoModel),
            8..12 => matches!(found, Problem::OtherFormat { .. }),
            12..20 => matches!(found, Problem::CutOff { .. } | Problem::GoesOn { .. }),
            _ => found == Problem::Altered,
        };
        assert!(expected, "{at}: {found:?}");
    }
}

#[test]
fn a_file_that_is_refused_says_where_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.csv");
    std::fs::write(&path, "Journal_ID\n").unwrap();

    let refused = Model::read(&path).unwrap_err().to_string();

    let expected = "is refused: it is none; name a file that the training of a model wrote";
    assert_eq!(refused, format!("the model {} {expected}", path.display()));
    let missing = Model::read(&folder.path().join("none")).unwrap_err();
    assert!(matches!(missing, ModelError::Read { .. }), "{missing}");
}

#[derive(Debug, Clone)]
enum Change {
    Set(usize, u8),
    /// Eight bytes, as a length has.
    Length(usize, u64),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    let lengths = prop_oneof![Just(u64::MAX), Just(1 << 40), 0..100_000_u64, any::<u64>()];
    prop_oneof![
        // Mostly what leaves the rest where it is, and so is often accepted.
        12 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => (any::<usize>(), lengths).prop_map(|(at, length)| Change::Length(at, length)),
        1 => (any::<usize>(), 1..64_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        1 => (any::<usize>(), prop::collection::vec(any::<u8>(), 1..16))
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
    ]
}

fn changed(body: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut body = body.to_vec();
    for change in changes {
        match change {
            Change::Set(at, byte) => {
                let at = at % body.len();
                body[at] = *byte;
            }
            Change::Length(at, length) => {
                let at = at % (body.len() - 8);
                body[at..at + 8].copy_from_slice(&length.to_le_bytes());
            }
            Change::Remove(at, length) => {
                let at = at % (body.len() - 64);
                body.drain(at..at + length);
            }
            Change::Insert(at, bytes) => {
                let at = at % body.len();
                body.splice(at..at, bytes.iter().copied());
            }
        }
    }
    body
}

/// Bytes that somebody made to fit their hash are refused, or score as what they say they are.
#[test]
fn a_file_that_was_forged_is_refused_or_scores_without_a_fault() {
    let lines = ledger(0..12, "m");
    let bytes = model(&lines).0.seal().bytes;
    let (_folder, spool) = lines.spooled();
    let schema = Schema::of(spool.names(), HAS);
    let config = ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() };

    proptest!(config, |(changes in prop::collection::vec(change(), 1..4))| {
        let Ok(opened) = Model::from_bytes(&sealed(&changed(body(&bytes), &changes))) else { return Ok(()) };
        let Ok(carried) = opened.model.carry(spool.names(), &schema) else { return Ok(()) };
        let (_folder, mut spool) = lines.spooled();
        spool.rename(carried.names, &carried.ranks);
        let part = spool.load(0).unwrap();
        for fitted in &carried.fitted {
            let entries = part.entries().iter().map(|entry| part.postings_of(entry));
            // Numbers beyond what a forest takes are an error, not a fault.
            let _ = fitted.score(&mut Facets::default(), entries);
        }
    });
}
