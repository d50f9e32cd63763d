use super::*;
use crate::controls::fixture::{self, config, line, parted};
use crate::line::Line;

#[test]
fn records_read_back_as_they_were_written() {
    let line = Line { partner: "ACME", ..line("x", "4711", "-1234.56") };
    let (parts, names) = parted(vec![line], |_| 0);
    let mut all = Vec::new();
    records(&parts[0], &parts[0].entries()[0], (3, 70_000), &names, &config("{}"), &mut all);

    let read: Vec<_> = all.iter().map(|record| Record::from_bytes(&record.to_bytes()).unwrap()).collect();

    assert_eq!(read, all);
    let kinds: Vec<_> = all.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [Kind::Same, Kind::Near, Kind::Digits, Kind::Recurring, Kind::Turned]);
    let mut broken = all[0].to_bytes();
    broken[8] = 77;
    assert_eq!(Record::from_bytes(&broken), None);
}

#[test]
fn a_test_without_weight_asks_for_no_records() {
    let off =
        config(r#"{ "weights": { "duplicate": 0, "reversal": 0, "changed_recurring": 0, "split": 0 } }"#);
    let (parts, names) = parted(vec![line("x", "4711", "1234")], |_| 0);
    let mut all = Vec::new();
    records(&parts[0], &parts[0].entries()[0], (0, 0), &names, &off, &mut all);

    assert_eq!(all, []);
}

#[test]
fn which_of_several_reversals_belongs_to_an_entry_does_not_depend_on_where_they_lie() {
    let entry = |id, debit, credit| vec![line(id, "1", debit), line(id, "2", credit)];
    let lines = || {
        [entry("a", "7", "-7"), entry("b", "-7", "7"), entry("c", "-7", "7"), entry("d", "7", "-7")].concat()
    };
    let told = |place: &dyn Fn(usize) -> usize| {
        let (parts, names) = parted(lines(), place);
        let facts = fixture::facts(&parts, &names, &config("{}")).into_iter();
        let mut told: Vec<_> = facts
            .flat_map(|((part, number), facts)| {
                let part = &parts[part as usize];
                let id = part.id(&part.entries()[number as usize]).to_string();
                facts.into_iter().map(move |fact| (id.clone(), fact.order()))
            })
            .collect();
        told.sort_unstable();
        told
    };

    let together = told(&|_| 0);

    assert!(!together.is_empty());
    for places in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1]] {
        assert_eq!(told(&|index| places[index]), together, "{places:?}");
    }
}

#[test]
fn a_habit_is_looked_at_in_part_and_counted_as_a_whole() {
    let record = |entry: u64| Record {
        key: 1,
        kind: Kind::Same,
        entry,
        line: 0,
        day: 0,
        extra: 0,
        value: 0,
        part: 0,
        number: entry as u32,
    };
    let facts = |order: &dyn Fn(u64) -> u64| {
        let mut group = Group::default();
        for number in 0..LARGEST_GROUP as u64 + 10 {
            group.push(record(order(number)));
        }
        let (_, names) = parted(Vec::new(), |_| 0);
        group.finish(&Config::default(), &names)
    };

    let (forward, backward) = (facts(&|number| number), facts(&|number| LARGEST_GROUP as u64 + 9 - number));

    assert_eq!(forward, backward);
    assert_eq!(forward.len(), LARGEST_GROUP);
    let What::Same { lines, .. } = forward[0].what else { panic!("{forward:?}") };
    assert_eq!(lines, LARGEST_GROUP as u64 + 10);
}
