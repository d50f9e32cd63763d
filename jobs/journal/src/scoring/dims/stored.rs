//! Categories as bytes of a model file.

use std::sync::Arc;

use super::{Dim, Dims, HEADER, LINE, MOST};
use crate::names::{FIXED, Names, Sort};
use crate::stored::{Broken, Reader, Stored};

/// Codes of categories that are no names; below are the places of sorts, the extra ones from [`EXTRA`] on.
const OTHERS: [Dim; 5] = [Dim::Side, Dim::Manual, Dim::Weekday, Dim::Hour, Dim::Period];
const EXTRA: u16 = 256;
const OTHER: u16 = 512;

impl Dims {
    pub(in crate::scoring) fn put(&self, out: &mut Vec<u8>) {
        self.header.put(out);
        self.line.put(out);
    }

    /// Of a ledger or model that has these names. They may be those that `before` has.
    pub(in crate::scoring) fn take(
        from: &mut Reader<'_>,
        names: &Names,
        before: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, Broken> {
        let (header, line): (Vec<Dim>, Vec<Dim>) = Stored::take(from)?;
        let is_extra = |dim: &Dim| match dim {
            Dim::Name(Sort::Extra(place)) => usize::from(*place) < names.extra(),
            _ => false,
        };
        let known = header.iter().all(|dim| HEADER.contains(dim) || is_extra(dim))
            && line.iter().all(|dim| LINE.contains(dim));
        let once = |dims: &[Dim]| (1..dims.len()).all(|at| !dims[..at].contains(&dims[at]));
        if !known || !once(&header) || !once(&line) || header.len() + line.len() > MOST {
            return Err(Broken("it compares what entries do not have"));
        }
        Ok(match before.filter(|before| before.header == header && before.line == line) {
            Some(before) => Arc::clone(before),
            None => Arc::new(Self::made(header, line, names)),
        })
    }
}

impl Stored for Dim {
    const LEAST: usize = 2;

    fn put(&self, out: &mut Vec<u8>) {
        let other = || OTHERS.iter().position(|other| other == self).unwrap_or(OTHERS.len());
        let code = match self {
            Self::Name(Sort::Extra(place)) => EXTRA + u16::from(*place),
            Self::Name(sort) => sort.index() as u16,
            _ => OTHER + other() as u16,
        };
        code.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let code = usize::from(u16::take(from)?);
        let (extra, other) = (usize::from(EXTRA), usize::from(OTHER));
        let dim = match code {
            0..FIXED => Some(Self::Name(Sort::ALL[code])),
            _ if (extra..other).contains(&code) => Some(Self::Name(Sort::Extra((code - extra) as u8))),
            _ => code.checked_sub(other).and_then(|place| OTHERS.get(place).copied()),
        };
        dim.ok_or(Broken("it compares what entries do not have"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Interner;

    #[test]
    fn categories_come_back_from_bytes_and_only_those_that_entries_have() {
        let names = Names::of(vec![Interner::new(2)]).unwrap().0;
        let all = HEADER.into_iter().chain([0, 1].map(|place| Dim::Name(Sort::Extra(place))));
        let dims = Dims::made(all.collect(), LINE.to_vec(), &names);
        let taken = |dims: &Dims, before| {
            let mut bytes = Vec::new();
            dims.put(&mut bytes);
            Dims::take(&mut Reader::new(&bytes), &names, before)
        };

        let back = taken(&dims, None).unwrap();
        assert_eq!(*back, dims);
        assert!(Arc::ptr_eq(&taken(&dims, Some(&back)).unwrap(), &back));

        let wrong = |header: &[Dim], line: &[Dim]| {
            taken(&Dims { header: header.to_vec(), line: line.to_vec(), ..dims.clone() }, None).is_err()
        };
        assert!(wrong(&[Dim::Weekday, Dim::Hour, Dim::Weekday], &[]));
        assert!(wrong(&[Dim::Name(Sort::Extra(2))], &[]));
        assert!(wrong(&[Dim::Side], &[]) && wrong(&[], &[Dim::Hour]));
        assert!(Dim::take(&mut Reader::new(&[13, 0])).is_err());
        assert!(Dim::take(&mut Reader::new(&[5, 2])).is_err());
    }
}
