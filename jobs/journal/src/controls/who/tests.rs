use super::*;
use crate::controls::fixture::{config, day, hits, hits_x, ids, line, lines_hit, usual};
use crate::line::Line;

/// The number of lines of MEIER is that of the ids; those of the stranger are all in entry `x`.
fn with_stranger<'a>(ids: &'a [String], stranger: Line<'a>, times: usize) -> Vec<Line<'a>> {
    let mut lines = usual(ids, &line("", "4711", "100"));
    lines.extend(std::iter::repeat_n(stranger, times));
    lines
}

#[test]
fn a_user_of_ten_lines_is_rare_and_one_of_eleven_is_not() {
    let ids = ids(20);
    let stranger = Line { user: "HUBER", ..line("x", "4711", "100") };
    let hit = |times| hits(&config("{}"), Id::RareUser, with_stranger(&ids, stranger.clone(), times));

    assert_eq!(hit(10), [("x".into(), "HUBER posted 10 of 30 lines".into())]);
    assert_eq!(hit(11), []);
}

#[test]
fn an_account_a_user_posted_twice_is_rare_for_a_user_of_a_hundred_lines() {
    let strange = line("x", "0815", "100");
    let hit = |usual: usize, times| {
        let ids = ids(usual);
        hits(&config("{}"), Id::RareUserAccount, with_stranger(&ids, strange.clone(), times))
    };

    assert_eq!(hit(98, 2), [("x".into(), "account 0815 posted by MEIER 2 times of 100 lines".into())]);
    assert_eq!(hit(99, 1), [("x".into(), "account 0815 posted by MEIER once of 100 lines".into())]);
    assert_eq!(hit(97, 2), [], "99 lines make nothing usual");
    assert_eq!(hit(98, 3), [], "three times is not rarely");
}

#[test]
fn nobody_approves_their_own_entries() {
    let own = Line { approver: "MEIER", ..line("x", "4711", "100") };
    let others = Line { approver: "HUBER", ..line("x", "4711", "100") };
    let nobodys = Line { user: "", approver: "", ..line("x", "4711", "100") };

    assert_eq!(
        hits(&config("{}"), Id::SelfApproval, vec![own]),
        [("x".into(), "entered and approved by MEIER".into())]
    );
    assert_eq!(hits(&config("{}"), Id::SelfApproval, vec![others]), []);
    assert_eq!(hits(&config("{}"), Id::SelfApproval, vec![nobodys]), []);
}

#[test]
fn duties_are_not_kept_apart_where_a_user_posts_in_both_sources() {
    let config = config(r#"{ "self_approval": { "conflicts": [{ "one": "KR", "other": "KZ" }] } }"#);
    let of = |entry, user, source| Line { user, source, ..line(entry, "4711", "100") };
    let both =
        vec![of("a", "MEIER", "KR"), of("b", "MEIER", "KZ"), of("c", "MEIER", "SA"), of("d", "HUBER", "KZ")];
    let apart = vec![of("a", "MEIER", "KR"), of("b", "HUBER", "KZ")];

    let words = "MEIER posted 1 lines in source KR and 1 in source KZ".to_string();
    assert_eq!(hits(&config, Id::SelfApproval, both), [("a".into(), words.clone()), ("b".into(), words)]);
    assert_eq!(hits(&config, Id::SelfApproval, apart), []);
}

#[test]
fn watched_users_are_the_senior_the_departed_and_the_unknown() {
    let config = config(
        r#"{ "watched_user": {
            "senior": ["CEO"], "departed": { "huber": "2025-03-31" }, "known": ["ceo", "HUBER", "MEIER"]
        } }"#,
    );
    let of = |user, entered| Line { user, entered: Some(day(entered)), ..line("x", "4711", "100") };
    let words = |line| hits(&config, Id::WatchedUser, vec![line]).pop().map(|(_, words)| words);

    assert_eq!(words(of("CEO", "2025-01-01")).unwrap(), "entered by CEO of the senior management");
    assert_eq!(
        words(of("HUBER", "2025-04-01")).unwrap(),
        "entered on 2025-04-01 by HUBER, who left on 2025-03-31"
    );
    assert_eq!(words(of("HUBER", "2025-03-31")), None, "the last day is a day of work");
    assert_eq!(words(of("X", "2025-01-01")).unwrap(), "X is not among the known users");
    assert_eq!(words(of("MEIER", "2025-01-01")), None);
}

#[test]
fn a_source_a_user_used_twice_is_outside_their_own() {
    let strange = Line { source: "ZZ", ..line("x", "4711", "100") };
    let hit = |usual: usize, times| {
        let ids = ids(usual);
        hits(&config("{}"), Id::OutsideSource, with_stranger(&ids, strange.clone(), times))
    };

    assert_eq!(hit(98, 2), [("x".into(), "MEIER used source ZZ 2 times in 100 lines".into())]);
    assert_eq!(hit(97, 2), []);
    assert_eq!(hit(98, 3), []);
}

#[test]
fn a_hit_names_the_lines_concerned_and_speaks_of_the_rarest() {
    let ids = ids(20);
    let mut lines = usual(&ids, &line("", "4711", "100"));
    lines.push(Line { number: Some(1), user: "B", ..line("x", "4711", "1") });
    lines.push(Line { number: Some(2), ..line("x", "4711", "1") });
    lines.push(Line { number: Some(3), user: "A", ..line("x", "4711", "1") });
    lines.push(Line { number: Some(4), user: "B", ..line("x", "4711", "1") });

    assert_eq!(lines_hit(&config("{}"), Id::RareUser, lines.clone()), [("x".into(), vec![0, 2, 3])]);
    assert_eq!(hits(&config("{}"), Id::RareUser, lines), [("x".into(), "A posted 1 of 24 lines".into())]);
}

#[test]
fn a_weight_of_zero_turns_a_test_off() {
    let config = config(r#"{ "weights": { "rare_user": 0 } }"#);

    assert!(!hits_x(&config, Id::RareUser, vec![line("x", "4711", "100")]));
}
