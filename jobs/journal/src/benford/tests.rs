use proptest::prelude::*;

use super::*;

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

#[test]
fn digits_come_from_the_exact_decimal() {
    for (text, first, last) in [
        ("10", Some(10), 0),
        ("9.9999", None, 99),
        ("-10.05", Some(10), 5),
        ("99.99", Some(99), 99),
        ("100.999", Some(10), 99),
        ("1299.07", Some(12), 7),
        ("0", None, 0),
        // Floats have this one as 50.4999….
        ("50.5", Some(50), 50),
        ("999999999999999999.9999", Some(99), 99),
    ] {
        assert_eq!((first_two(amount(text)), last_two(amount(text))), (first, last), "{text}");
    }
    // Differences are digits however small.
    assert_eq!([amount("0.05"), amount("0.0001"), amount("7")].map(leading), [Some(50), Some(10), Some(70)]);
}

#[test]
fn amounts_that_follow_the_law_conform_and_one_digit_too_many_does_not() {
    let lawful: Vec<u64> =
        (10..100_u8).map(|digits| (Kind::FirstTwo.expected(digits) * 1e6) as u64).collect();
    let mut bent = lawful.clone();
    bent[50 - 10] += 200_000;

    let (lawful, bent) = (Analysis::of(Kind::FirstTwo, &lawful), Analysis::of(Kind::FirstTwo, &bent));

    assert_eq!((lawful.conformity, bent.conformity), (Some(Conformity::Close), Some(Conformity::None)));
    assert!(lawful.p_value > 0.99, "{}", lawful.p_value);
    assert!(bent.p_value < 1e-9, "{}", bent.p_value);
    let worst = bent.digits.iter().max_by(|a, b| a.z.total_cmp(&b.z)).unwrap();
    assert_eq!(worst.digits, 50);
}

#[test]
fn conformity_is_bounded_as_nigrini_prints_it() {
    let first_two = Kind::FirstTwo.bounds().unwrap();
    for (mad, expected) in [
        (0.0012, Conformity::Close),
        (0.001_201, Conformity::Acceptable),
        (0.0018, Conformity::Acceptable),
        (0.001_801, Conformity::Marginal),
        (0.0022, Conformity::Marginal),
        (0.002_201, Conformity::None),
    ] {
        assert_eq!(conformity(mad, first_two), expected, "{mad}");
    }
    assert_eq!(conformity(0.006, Kind::First.bounds().unwrap()), Conformity::Close);
    assert_eq!(Kind::LastTwo.bounds(), None);
}

#[test]
fn the_second_order_looks_at_differences_and_passes_over_equal_amounts() {
    let mut counts = Counts::default();
    for (place, text) in ["110", "100", "100", "135", "10"].into_iter().enumerate() {
        counts.add(amount(text), place as u64);
    }

    // In order 10, 100, 100, 110, 135: differences 90, none, 10, 25.
    let analysis = counts.analysis(Kind::SecondOrder);

    let found: Vec<_> =
        analysis.digits.iter().filter(|digit| digit.observed > 0).map(|digit| digit.digits).collect();
    assert_eq!((analysis.amounts, found), (3, vec![10, 25, 90]));
}

#[test]
fn no_amounts_say_nothing() {
    for kind in Kind::ALL {
        let analysis = Counts::default().analysis(kind);

        assert_eq!((analysis.amounts, analysis.conformity), (0, None));
        assert_eq!(analysis.p_value.to_bits(), 1.0_f64.to_bits());
    }
}

proptest! {
    #[test]
    fn parts_add_up_to_the_whole_in_any_order(
        cents in proptest::collection::vec(-200_000_i64..200_000, 0..200),
        cut in 0_usize..200,
    ) {
        let placed: Vec<_> = cents.iter().enumerate().map(|(place, &cents)| (place as u64, Amount::from_cents(cents))).collect();
        let counted = |amounts: &[(u64, Amount)]| {
            let mut counts = Counts::default();
            for &(place, amount) in amounts {
                counts.add(amount, place);
            }
            counts
        };
        let (one, other) = placed.split_at(cut.min(placed.len()));

        let mut merged = counted(other);
        merged.merge(counted(one));

        prop_assert_eq!(&merged, &counted(&placed));
        for kind in Kind::ALL {
            prop_assert_eq!(merged.analysis(kind), counted(&placed).analysis(kind));
        }
    }
}
