use super::*;

fn ranks(values: impl IntoIterator<Item = f64>) -> Ranks {
    let mut counts = RankCounts::default();
    values.into_iter().for_each(|value| counts.add(coarse(value)));
    counts.finish()
}

#[test]
fn bins_hold_a_tenth_of_the_values_each() {
    let bins = Bins::of(&ranks((1..=100).map(f64::from)));

    assert_eq!(bins.edges, [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0]);
    assert_eq!(bins.counts, [10; 10]);
    assert_eq!(bins.count(&ranks([10.0, 10.25, 91.0, 500.0])), [1, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
}

/// What is nothing for most is nothing or something, and what is always the same has room for something else.
#[test]
fn values_that_are_alike_share_a_bin() {
    let mostly_nothing = Bins::of(&ranks((0..100).map(|at| if at < 97 { 0.0 } else { f64::from(at) })));
    let always_one = Bins::of(&ranks([1.0; 50]));

    assert_eq!((mostly_nothing.edges, mostly_nothing.counts), (vec![0.0], vec![97, 3]));
    assert_eq!((&always_one.edges[..], &always_one.counts[..]), (&[1.0][..], &[50, 0][..]));
    assert_eq!(always_one.count(&ranks([0.5, 1.0, 1.1])), [2, 1]);
}

#[test]
fn coarse_values_differ_by_a_hundredth_from_the_fine() {
    for value in [0.0, 1e-9, 0.37, 1.0, 5.55, 13.8, 1e6] {
        let found = coarse(value);
        assert!(found <= value && value - found <= value / 100.0, "{value} {found}");
    }
    assert_eq!((coarse(-3.0), coarse(f64::NAN)), (0.0, 0.0));
}

#[test]
fn bins_come_back_from_bytes_and_only_in_order() {
    let taken = |edges: &[f64], counts: &[u64]| {
        let mut bytes = Vec::new();
        Bins { edges: edges.to_vec(), counts: counts.to_vec() }.put(&mut bytes);
        Bins::take(&mut Reader::new(&bytes))
    };

    assert_eq!(taken(&[1.0, 2.0], &[3, 4, 5]).unwrap().counts, [3, 4, 5]);
    assert!(taken(&[2.0, 1.0], &[3, 4, 5]).is_err());
    assert!(taken(&[1.0, 2.0], &[3, 4]).is_err());
    assert!(taken(&[1.0; 10], &[1; 11]).is_err());
    assert!(taken(&[], &[u64::MAX]).is_err());
}
