//! The upper tail of the chi-square distribution, with the same bits everywhere.

/// The series and the continued fraction gain a digit or more per term where each of them is used.
const MOST_TERMS: u32 = 10_000;
const ENOUGH: f64 = 1e-15;

/// How likely a sum of so many squared standard normal numbers is at least `value`.
pub fn upper_tail(value: f64, degrees: u32) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let (a, x) = (f64::from(degrees) / 2.0, value / 2.0);
    let scale = libm::exp(a * libm::log(x) - x - libm::lgamma(a));
    let tail = if x < a + 1.0 { 1.0 - scale * lower_series(a, x) } else { scale * upper_fraction(a, x) };
    tail.clamp(0.0, 1.0)
}

/// The lower incomplete gamma function without its scale, as a power series.
fn lower_series(a: f64, x: f64) -> f64 {
    let mut term = 1.0 / a;
    let mut sum = term;
    for index in 1..MOST_TERMS {
        term *= x / (a + f64::from(index));
        sum += term;
        if term < sum * ENOUGH {
            break;
        }
    }
    sum
}

/// The upper one, as a continued fraction by Lentz's method.
fn upper_fraction(a: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for index in 1..MOST_TERMS {
        let index = f64::from(index);
        let numerator = -index * (index - a);
        b += 2.0;
        d = 1.0 / away_from_zero(numerator * d + b, TINY);
        c = away_from_zero(b + numerator / c, TINY);
        fraction *= c * d;
        if (c * d - 1.0).abs() < ENOUGH {
            break;
        }
    }
    fraction
}

fn away_from_zero(value: f64, tiny: f64) -> f64 {
    if value.abs() < tiny { tiny } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_printed_tables() {
        // Critical values for 5 % and 1 %.
        for (degrees, value, tail) in [
            (1, 3.841_458_820_694_124, 0.05),
            (8, 15.507_313_055_865_453, 0.05),
            (8, 20.090_235_029_663_233, 0.01),
            (89, 112.021_985_727_126_4, 0.05),
            (99, 134.641_616_858_126, 0.01),
            (89, 88.334_175_4, 0.500),
        ] {
            let found = upper_tail(value, degrees);

            assert!((found - tail).abs() < 2e-5, "{degrees} {value}: {found}");
        }
    }

    #[test]
    fn ends_at_one_and_at_zero() {
        assert_eq!(upper_tail(0.0, 89).to_bits(), 1.0_f64.to_bits());
        assert_eq!(upper_tail(32_094.0, 89).to_bits(), 0.0_f64.to_bits());
    }
}
