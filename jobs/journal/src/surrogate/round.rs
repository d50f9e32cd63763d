//! The number with the fewest digits between two: a threshold that can be written down is the one that is applied.

/// Beyond so many digits nobody reads; there is no round number between two that are so close.
const MOST_DIGITS: u32 = 6;

/// The roundest number above `below` and at most `above`, near their middle; `None` where every such number is long.
pub(super) fn between(below: f64, above: f64) -> Option<f64> {
    if !(0.0 <= below && below < above && above.is_finite()) {
        return None;
    }
    let highest = libm::floor(libm::log10(above)) as i32;
    let middle = below + (above - below) / 2.0;
    (0..MOST_DIGITS).find_map(|digit| {
        let power = highest - digit as i32;
        let (first, last) = (libm::floor(scaled(below, -power)) + 1.0, libm::floor(scaled(above, -power)));
        let steps = libm::round(scaled(middle, -power)).clamp(first, last.max(first));
        let number = scaled(steps, power);
        (below < number && number <= above).then_some(number)
    })
}

pub(super) fn to_digits(number: f64, digits: u32) -> f64 {
    if !(number.is_finite() && number > 0.0) {
        return number;
    }
    let power = libm::floor(libm::log10(number)) as i32 + 1 - digits as i32;
    scaled(libm::round(scaled(number, -power)), power)
}

/// Thousands apart, and without digits that nobody reads.
pub(super) fn written(number: f64) -> String {
    let plain = to_digits(number, MOST_DIGITS).to_string();
    match plain.split_once('.') {
        Some((whole, decimals)) => format!("{}.{decimals}", crate::amount::group(whole)),
        None => crate::amount::group(&plain),
    }
}

/// Times a power of ten. Divides by what floats hold exactly instead of multiplying by what they do not, so that three tenths are 0.3.
fn scaled(number: f64, power: i32) -> f64 {
    let ten_to = |power: u32| (0..power).fold(1.0, |product, _| product * 10.0);
    if power < 0 { number / ten_to(power.unsigned_abs()) } else { number * ten_to(power.unsigned_abs()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_roundest_number_is_the_one_with_the_fewest_digits() {
        for (below, above, expected) in [
            (3.17, 3.24, 3.2),
            (187.0, 221.0, 200.0),
            (120.0, 180.0, 150.0),
            (0.0, 1.0, 1.0),
            (0.0, 0.9, 0.5),
            (0.21, 0.22, 0.22),
            (0.2104, 0.2199, 0.215),
            (99.0, 100.0, 100.0),
            (100.0, 101.0, 101.0),
            (1_234_567.0, 1_234_599.0, 1_234_580.0),
            (2e-5, 9e-5, 6e-5),
        ] {
            assert_eq!(between(below, above), Some(expected), "{below} to {above}");
        }
    }

    #[test]
    fn there_is_none_between_neighbours_and_none_where_nothing_lies_between() {
        for (below, above) in
            [(1.0, 1.0 + f64::EPSILON), (2.0, 2.0), (2.0, 1.0), (1.0, f64::INFINITY), (-1.0, 2.0)]
        {
            assert_eq!(between(below, above), None, "{below} to {above}");
        }
    }

    #[test]
    fn a_number_is_rounded_to_its_first_digits() {
        for (number, digits, expected) in [
            (2.883, 1, 3.0),
            (2.883, 2, 2.9),
            (1_540.0, 2, 1_500.0),
            (0.018_1, 2, 0.018),
            (99.6, 2, 100.0),
            (0.0, 2, 0.0),
        ] {
            assert_eq!(to_digits(number, digits), expected, "{number}");
        }
    }

    #[test]
    fn numbers_are_written_with_thousands_apart_and_without_noise() {
        for (number, expected) in [
            (200.000_000_000_000_03, "200"),
            (0.3, "0.3"),
            (3.199_999_999_999_999_7, "3.2"),
            (1_234_567.8, "1,234,570"),
            (12_345.6, "12,345.6"),
            (1e12, "1,000,000,000,000"),
            (0.000_25, "0.00025"),
            (0.0, "0"),
        ] {
            assert_eq!(written(number), expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_found_lies_between(one in 0.0..1e9_f64, other in 0.0..1e9_f64, shrink in 0.0..1.0_f64) {
            let below = one.min(other);
            let above = below + (one - other).abs() * shrink * shrink * shrink;

            if let Some(number) = between(below, above) {
                prop_assert!(below < number && number <= above);
            } else {
                prop_assert!(above - below <= 1e-4 * above);
            }
        }
    }
}
