//! Values as whole numbers in the same order, so that a split is one comparison of integers on every processor.

/// What a missing value is when it shall go right: above every number, also above infinity.
pub(crate) const MISSING_RIGHT: u32 = u32::MAX;
/// What it is when it shall go left: below every number.
pub(crate) const MISSING_LEFT: u32 = 0;
/// The key of padding, which nothing exceeds.
pub(crate) const NEVER: u32 = u32::MAX;

const SIGN: u32 = 1 << 31;

/// The key of a number; greater numbers have greater keys, and both zeros the same. Not for NaN.
#[inline]
pub(crate) fn key(value: f32) -> u32 {
    // Adding zero turns the negative zero into the positive one.
    let bits = (value + 0.0).to_bits();
    bits ^ (((bits.cast_signed() >> 31).cast_unsigned()) | SIGN)
}

/// The number of a key.
#[cfg(test)]
pub(crate) fn number(key: u32) -> f32 {
    f32::from_bits(if key & SIGN == 0 { !key } else { key ^ SIGN })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_their_numbers() {
        let numbers = [
            f32::NEG_INFINITY,
            f32::MIN,
            -1.5,
            -1.0,
            -f32::MIN_POSITIVE,
            -f32::from_bits(1),
            0.0,
            f32::from_bits(1),
            f32::MIN_POSITIVE,
            1.0,
            f32::MAX,
            f32::INFINITY,
        ];

        assert!(numbers.windows(2).all(|pair| key(pair[0]) < key(pair[1])));
        assert!(numbers.iter().all(|&value| number(key(value)).to_bits() == value.to_bits()));
        assert!(numbers.iter().all(|&value| (MISSING_LEFT + 1..MISSING_RIGHT).contains(&key(value))));
    }

    #[test]
    fn both_zeros_are_one() {
        assert_eq!(key(-0.0), key(0.0));
    }
}
