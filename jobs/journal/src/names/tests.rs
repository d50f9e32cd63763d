use super::groups::Limits;
use super::*;

#[test]
fn a_name_has_one_symbol_whoever_met_it_first() {
    let (mut one, mut other) = (Interner::new(0), Interner::new(0));
    let first = ["b", "a", "b", ""].map(|name| one.number(Sort::User, name));
    let second = ["c", "a"].map(|name| other.number(Sort::User, name));

    let (names, ranks) = Names::of(vec![one, other]).unwrap();

    let name =
        |ranks: &Ranks, number| names.name(Sort::User, ranks.symbol(Sort::User, number).unwrap()).to_string();
    assert_eq!(first.map(|number| name(&ranks[0], number)), ["b", "a", "b", ""]);
    assert_eq!(second.map(|number| name(&ranks[1], number)), ["c", "a"]);
    assert_eq!(ranks[0].symbol(Sort::User, first[1]), ranks[1].symbol(Sort::User, second[1]));
    assert_eq!(names.count(Sort::User), 4);
    assert_eq!(names.find(Sort::User, "c"), Some(Symbol(3)));
    assert_eq!(names.find(Sort::Account, "c"), None);
}

fn named(users: &[&str], extra: &[&str]) -> Names {
    let mut interner = Interner::new(1);
    users.iter().for_each(|name| _ = interner.number(Sort::User, name));
    extra.iter().for_each(|name| _ = interner.number(Sort::Extra(0), name));
    Names::of(vec![interner]).unwrap().0
}

#[test]
fn names_that_are_joined_are_found_from_the_symbols_of_either() {
    let (one, other) = (named(&["b", "d"], &[]), named(&["a", "d", "e"], &["x"]));

    let joined = one.join(&other);

    assert_eq!(joined.names, named(&["a", "b", "d", "e"], &["x"]));
    for (names, ranks) in [(&one, &joined.ours), (&other, &joined.theirs)] {
        for sort in Sort::all(1) {
            let found: Vec<&str> =
                ranks.all(sort).iter().map(|&symbol| joined.names.name(sort, symbol)).collect();
            assert_eq!(found, names.all(sort).iter().map(|name| &**name).collect::<Vec<_>>());
        }
    }
}

#[test]
fn ranks_lead_on_to_the_symbols_of_more_names() {
    let mut interner = Interner::new(0);
    let numbers = ["b", "a"].map(|name| interner.number(Sort::User, name));
    let (names, ranks) = Names::of(vec![interner]).unwrap();
    let joined = names.join(&named(&["0", "aa"], &[]));

    let ranks = ranks[0].then(&joined.ours);

    let found = numbers.map(|number| ranks.symbol(Sort::User, number).unwrap());
    assert_eq!(found.map(|symbol| joined.names.name(Sort::User, symbol)), ["b", "a"]);
}

#[test]
fn names_come_back_from_bytes_and_only_in_order() {
    let mut names = named(&["a", "b"], &["x"]);
    let bytes = |names: &Names| {
        let mut bytes = Vec::new();
        names.put(&mut bytes);
        bytes
    };

    assert_eq!(Names::take(&mut Reader::new(&bytes(&names))), Ok(names.clone()));

    names.sorts[Sort::User.index()].names.swap(0, 1);
    assert_eq!(Names::take(&mut Reader::new(&bytes(&names))), Err(Broken("its names are out of order")));
    names.sorts.truncate(3);
    assert!(Names::take(&mut Reader::new(&bytes(&names))).is_err());
}

/// Interners that met these partners.
fn met(limits: Limits, partners: &[&[&str]]) -> (Vec<Interner>, Vec<Vec<u32>>) {
    let mut all = (Vec::new(), Vec::new());
    for partners in partners {
        let mut interner = Interner::within(limits, 0);
        all.1.push(partners.iter().map(|name| interner.number(Sort::Partner, name)).collect());
        all.0.push(interner);
    }
    all
}

#[test]
fn too_many_names_are_in_groups_whoever_met_them() {
    // Room for three names and the one that is too much.
    let limits = Limits { of_sort: 3 * groups::weight("a"), kept: 10_000 };
    let alone: &[&[&str]] = &[&["", "a", "b", "c", "d", "a"]];
    let together: &[&[&str]] = &[&["c", "a", ""], &["b", "d"]];
    let one_of_two: &[&[&str]] = &[&["d", "c", "b", "a", ""], &["a"]];
    let mut all = Vec::new();

    for partners in [alone, together, one_of_two] {
        let (interners, numbers) = met(limits, partners);
        let (names, ranks) = Names::of(interners).unwrap();

        assert!(names.are_grouped(Sort::Partner) && !names.are_grouped(Sort::Account));
        for ((numbers, partners), ranks) in numbers.iter().zip(partners).zip(&ranks) {
            for (&number, name) in numbers.iter().zip(*partners) {
                let symbol = ranks.symbol(Sort::Partner, number).unwrap();
                assert_eq!(names.find(Sort::Partner, name), Some(symbol), "{name}");
                assert_eq!(names.name(Sort::Partner, symbol), &*groups::title(groups::group(name)), "{name}");
            }
        }
        all.push(names);
    }

    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
    assert_eq!(all[0].count(Sort::Partner), 5);
}

#[test]
fn as_many_names_as_there_is_room_for_are_kept() {
    let limits = Limits { of_sort: 2 * groups::weight("a"), kept: 0 };

    let (names, _) = Names::of(met(limits, &[&["a", "b"], &["b", "a"]]).0).unwrap();

    assert!(!names.are_grouped(Sort::Partner));
    assert_eq!(names.all(Sort::Partner), ["a".into(), "b".into()]);
}

#[test]
fn names_that_must_be_kept_are_refused_whoever_met_them() {
    let limits = Limits { of_sort: 10_000, kept: 20 * groups::weight("a") };
    let refused = |accounts: &[&[&str]]| {
        let mut interners = Vec::new();
        for accounts in accounts {
            let mut interner = Interner::within(limits, 0);
            accounts.iter().for_each(|name| _ = interner.number(Sort::Account, name));
            interners.push(interner);
        }
        Names::of(interners).err().map(|error| error.to_string())
    };

    let message = "`account` has more different values than a ledger can have; set columns.account of the mapping to the column that really holds it, or leave it out";
    // Shorter than the titles of their groups would be.
    let names: Vec<String> = (b'a'..=b'u').map(|letter| char::from(letter).into()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(refused(&[&names[1..]]), None);
    assert_eq!(refused(&[&names]).as_deref(), Some(message));
    assert_eq!(refused(&[&names[..20], &names[20..]]).as_deref(), Some(message));
}

#[test]
fn what_one_has_in_groups_both_have_when_they_are_joined() {
    let few = Names::of(met(Limits::default(), &[&["", "a", "e"]]).0).unwrap().0;
    let many = Names::of(met(Limits { of_sort: 1, kept: 1 }, &[&["a", "b"]]).0).unwrap().0;

    for (one, other) in [(&few, &many), (&many, &few)] {
        let Joined { names, ours, theirs } = one.join(other);

        assert!(names.are_grouped(Sort::Partner));
        for (known, ranks) in [(one, ours), (other, theirs)] {
            for name in ["a", "b", "e", ""] {
                let Some(symbol) = known.find(Sort::Partner, name) else { continue };
                assert_eq!(ranks.symbol(Sort::Partner, symbol.0), names.find(Sort::Partner, name), "{name}");
            }
        }
        assert_eq!(names.count(Sort::Partner), 4);
    }
}
