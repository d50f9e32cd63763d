//! The names of one sort, in order: what everybody who met some of them agrees on.

use std::collections::BTreeSet;

use super::Symbol;
use super::groups::{group, title, weight};
use super::interner::Numbered;
use crate::stored::{Broken, Reader, Stored};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) names: Vec<Box<str>>,
    /// They are titles of groups: there were too many names, see [`super::groups`].
    pub(super) grouped: bool,
}

impl Known {
    /// Of all that was met; in groups if it takes more than `limit`, or if somebody met so much alone.
    pub(super) fn of(met: &[Numbered<'_>], limit: usize) -> Self {
        let each: Option<Vec<_>> = met.iter().map(|met| met.names()).collect();
        if let Some(each) = each {
            let names: BTreeSet<&str> = each.into_iter().flatten().map(|name| &**name).collect();
            if names.iter().map(|name| weight(name)).sum::<usize>() <= limit {
                return Self { names: names.into_iter().map(Box::from).collect(), grouped: false };
            }
        }
        Self::titled(met.iter().flat_map(|met| met.groups()))
    }

    fn titled(groups: impl Iterator<Item = u32>) -> Self {
        let groups: BTreeSet<u32> = groups.collect();
        Self { names: groups.into_iter().map(title).collect(), grouped: true }
    }

    pub(super) fn find(&self, name: &str) -> Option<Symbol> {
        if self.grouped { self.find_title(&title(group(name))) } else { self.find_title(name) }
    }

    fn find_title(&self, title: &str) -> Option<Symbol> {
        let found = self.names.binary_search_by(|known| (**known).cmp(title));
        found.ok().map(|rank| Symbol(rank as u32))
    }

    /// The symbols of what somebody met, who is among those that these are of.
    pub(super) fn ranks(&self, met: Numbered<'_>) -> Vec<Symbol> {
        let all = |found: &mut dyn Iterator<Item = Option<Symbol>>| {
            found.map(|found| found.unwrap_or(Symbol(0))).collect()
        };
        match met {
            Numbered::Names(names) => all(&mut names.iter().map(|name| self.find(name))),
            Numbered::Groups(groups) => all(&mut groups.iter().map(|&group| self.find_title(&title(group)))),
        }
    }

    /// Of both. Names that one of them has in groups are in groups.
    pub(super) fn joined(one: Option<&Self>, other: Option<&Self>) -> Self {
        let both = || one.into_iter().chain(other);
        let grouped = both().any(|known| known.grouped);
        let mut names: Vec<Box<str>> = both().flat_map(|known| known.in_groups_if(grouped)).collect();
        names.sort();
        names.dedup();
        Self { names, grouped }
    }

    fn in_groups_if(&self, grouped: bool) -> impl Iterator<Item = Box<str>> {
        let group_them = grouped && !self.grouped;
        self.names.iter().map(move |name| if group_them { title(group(name)) } else { name.clone() })
    }

    /// The symbols here of all that another knows, who was joined into this.
    pub(super) fn ranks_of(&self, other: &Self) -> Vec<Symbol> {
        let names = other.in_groups_if(self.grouped);
        names.map(|name| self.find_title(&name).unwrap_or(Symbol(0))).collect()
    }

    /// None where not all of them are kept.
    pub(super) fn weight(&self) -> Option<usize> {
        (!self.grouped).then(|| self.names.iter().map(|name| weight(name)).sum())
    }
}

impl Stored for Known {
    const LEAST: usize = bool::LEAST + Vec::<Box<str>>::LEAST;

    fn put(&self, out: &mut Vec<u8>) {
        self.grouped.put(out);
        self.names.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Broken> {
        let (grouped, names): (bool, Vec<Box<str>>) = Stored::take(from)?;
        if !names.is_sorted_by(|one, other| one < other) {
            return Err(Broken("its names are out of order"));
        }
        Ok(Self { names, grouped })
    }
}
