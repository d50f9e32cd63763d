//! Values as bytes, in one layout on every machine: little-endian, no padding, a count before what may be many.
//!
//! What comes back is checked by the types that rely on it; here nothing is read beyond the end, and nothing is made room for that the bytes cannot hold.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a file's bytes contradict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub &'static str);

/// Bytes that are read from the front.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Broken("it ends within a value"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Broken("it ends within a value"))?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Bytes of somebody else, who checks them.
    pub fn bytes(&mut self) -> Result<&'a [u8], Broken> {
        let length = u64::take(self)?;
        self.take(usize::try_from(length).map_err(|_| Broken("it ends within a value"))?)
    }
}

pub fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    (bytes.len() as u64).put(out);
    out.extend(bytes);
}

/// What travels as JSON elsewhere too; its numbers come back bit for bit.
pub fn put_json(value: &impl Serialize, out: &mut Vec<u8>) {
    // These are our own types, which have names for their fields.
    put_bytes(&serde_json::to_vec(value).unwrap_or_default(), out);
}

pub fn take_json<T: DeserializeOwned>(from: &mut Reader<'_>) -> Result<T, Broken> {
    serde_json::from_slice(from.bytes()?).map_err(|_| Broken("a value is not what it should be"))
}

/// A value that can be put into bytes and taken from them.
pub trait Stored: Sized {
    /// It takes at least so many bytes: a list cannot be longer than these allow.
    const LEAST: usize;

    fn put(&self, out: &mut Vec<u8>);
    fn take(from: &mut Reader<'_>) -> Result<Self, Broken>;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Stored for $number {
            const LEAST: usize = size_of::<$number>();

            fn put(&self, out: &mut Vec<u8>) {
                out.extend(self.to_le_bytes());
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
                from.array().map(Self::from_le_bytes)
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, u128, i16, i32, i128);

/// Nothing that is stored is infinite.
impl Stored for f64 {
    const LEAST: usize = 8;

    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let number = Self::from_le_bytes(from.array()?);
        if number.is_finite() { Ok(number) } else { Err(Broken("a number is not finite")) }
    }
}

impl Stored for bool {
    const LEAST: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        out.push((*self).into());
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        match u8::take(from)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Broken("neither yes nor no")),
        }
    }
}

impl<T: Stored> Stored for Option<T> {
    const LEAST: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        bool::take(from)?.then(|| T::take(from)).transpose()
    }
}

impl<A: Stored, B: Stored> Stored for (A, B) {
    const LEAST: usize = A::LEAST + B::LEAST;

    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        Ok((A::take(from)?, B::take(from)?))
    }
}

impl<A: Stored, B: Stored, C: Stored> Stored for (A, B, C) {
    const LEAST: usize = A::LEAST + B::LEAST + C::LEAST;

    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
        self.2.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        Ok((A::take(from)?, B::take(from)?, C::take(from)?))
    }
}

impl<T: Stored, const N: usize> Stored for [T; N] {
    const LEAST: usize = T::LEAST * N;

    fn put(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|value| value.put(out));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let values: Vec<T> = (0..N).map(|_| T::take(from)).collect::<Result<_, _>>()?;
        values.try_into().map_err(|_| Broken("it ends within a value"))
    }
}

impl<T: Stored> Stored for Vec<T> {
    const LEAST: usize = 8;

    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        self.iter().for_each(|value| value.put(out));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let length = u64::take(from)?;
        let most = from.rest.len() / T::LEAST.max(1);
        let length = usize::try_from(length).ok().filter(|&length| length <= most);
        let length = length.ok_or(Broken("a list is longer than what is left of it"))?;
        let mut values = Self::with_capacity(length);
        for _ in 0..length {
            values.push(T::take(from)?);
        }
        Ok(values)
    }
}

impl Stored for Box<str> {
    const LEAST: usize = 8;

    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_bytes(), out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        str::from_utf8(from.bytes()?).map(Self::from).map_err(|_| Broken("a text is no text"))
    }
}

impl Stored for String {
    const LEAST: usize = 8;

    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_bytes(), out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        <Box<str>>::take(from).map(Self::from)
    }
}

/// What is looked up by a key, in the order of the keys.
pub fn put_sorted<K: Stored + Ord, V: Stored>(pairs: impl Iterator<Item = (K, V)>, out: &mut Vec<u8>) {
    let mut pairs: Vec<(K, V)> = pairs.collect();
    pairs.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    pairs.put(out);
}

/// What [`put_sorted`] wrote, each key once.
pub fn take_sorted<K: Stored + Ord, V: Stored>(from: &mut Reader<'_>) -> Result<Vec<(K, V)>, Broken> {
    let pairs: Vec<(K, V)> = Vec::take(from)?;
    if pairs.is_sorted_by(|one, other| one.0 < other.0) {
        Ok(pairs)
    } else {
        Err(Broken("a list is out of order"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type All = (Vec<(u32, Option<String>)>, (f64, bool), [i16; 2]);

    fn bytes(value: &impl Stored) -> Vec<u8> {
        let mut bytes = Vec::new();
        value.put(&mut bytes);
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn values_come_back_as_they_were(list: Vec<(u32, Option<String>)>, number in -1e300..1e300, yes: bool, pair: [i16; 2]) {
            let all: All = (list, (number, yes), pair);
            let bytes = bytes(&all);
            let mut reader = Reader::new(&bytes);

            prop_assert_eq!(All::take(&mut reader), Ok(all));
            prop_assert!(reader.is_at_end());
        }

        #[test]
        fn what_is_cut_off_is_refused(list: Vec<(u32, Option<String>)>, cut in 1..20_usize) {
            let bytes = bytes(&list);
            let cut = bytes.len().saturating_sub(cut);

            prop_assert!(Vec::<(u32, Option<String>)>::take(&mut Reader::new(&bytes[..cut])).is_err());
        }

        #[test]
        fn any_bytes_are_refused_or_read_without_a_panic(bytes: Vec<u8>) {
            let _ = All::take(&mut Reader::new(&bytes));
        }
    }

    #[test]
    fn no_room_is_made_for_a_list_that_the_bytes_cannot_hold() {
        let mut long = bytes(&(u64::MAX / 8));
        long.extend([0; 32]);
        let mut some = bytes(&9_u64);
        some.extend([0; 32]);

        let refused = Err(Broken("a list is longer than what is left of it"));
        assert_eq!(Vec::<u32>::take(&mut Reader::new(&long)), refused);
        assert_eq!(Vec::<u32>::take(&mut Reader::new(&some)), refused);
        assert_eq!(Vec::<u8>::take(&mut Reader::new(&some)).map(|list| list.len()), Ok(9));
    }

    #[test]
    fn keys_that_are_out_of_order_or_doubled_are_refused() {
        for (keys, is) in [([1, 2, 3], true), ([1, 3, 2], false), ([1, 1, 2], false)] {
            let bytes = bytes(&keys.map(|key: u32| (key, 0_u8)).to_vec());
            assert_eq!(take_sorted::<u32, u8>(&mut Reader::new(&bytes)).is_ok(), is, "{keys:?}");
        }
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        for number in [f64::NAN, f64::INFINITY] {
            assert!(f64::take(&mut Reader::new(&bytes(&number))).is_err());
        }
        assert_eq!(bool::take(&mut Reader::new(&[2])), Err(Broken("neither yes nor no")));
        assert!(String::take(&mut Reader::new(&bytes(&vec![0xff_u8]))).is_err());
    }
}
