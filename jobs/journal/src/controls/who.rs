//! W: who entered it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{
    Control, Hit, Id, Norms, Said, Value, View, Wrong, account, at_least_one, count, named, rarest, times,
    user, worst,
};
use crate::names::Sort;
use crate::part::Posting;

/// W1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RareUser {
    /// A user of so many lines or fewer posts rarely.
    pub most_lines: u64,
}

impl Default for RareUser {
    fn default() -> Self {
        Self { most_lines: 10 }
    }
}

impl Control for RareUser {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let norms = view.norms();
        let lines_of = |posting: &Posting| norms.count(Sort::User, posting.user);
        let (lines, posting, posted) = rarest(view.postings, |posting| {
            Some(lines_of(posting)).filter(|&lines| lines <= self.most_lines)
        })?;
        let values = [user(posting), count("count", posted), count("of", norms.lines())];
        Some(Hit::new(Id::RareUser, lines, Said::new("{user} posted {count} of {of} lines", values)))
    }

    fn check(&self) -> Result<(), Wrong> {
        at_least_one("most_lines", self.most_lines)
    }
}

/// W2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RareUserAccount {
    /// A user who posted an account so many times or fewer posts it rarely.
    pub most_lines: u64,
    /// Of a user of fewer lines, nothing is usual.
    pub least_user_lines: u64,
}

impl Default for RareUserAccount {
    fn default() -> Self {
        Self { most_lines: 2, least_user_lines: 100 }
    }
}

impl Control for RareUserAccount {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let norms = view.norms();
        let (lines, posting, posted) = rarest(view.postings, |posting| {
            let posted = norms.user_account(posting.user, posting.account)?;
            let knows_the_user = norms.count(Sort::User, posting.user) >= self.least_user_lines;
            (knows_the_user && posted <= self.most_lines).then_some(posted)
        })?;
        let of = norms.count(Sort::User, posting.user);
        let values = [account(posting), user(posting), times("times", posted), count("of", of)];
        let said = Said::new("account {account} posted by {user} {times} of {of} lines", values);
        Some(Hit::new(Id::RareUserAccount, lines, said))
    }

    fn check(&self) -> Result<(), Wrong> {
        at_least_one("most_lines", self.most_lines)
    }
}

/// W3.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SelfApproval {
    /// Sources of which no user should post both, such as invoices and payments.
    pub conflicts: Vec<Conflict>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conflict {
    pub one: String,
    pub other: String,
}

impl Control for SelfApproval {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let approves_own = |posting: &Posting| {
            let author = view.name(Sort::User, posting);
            (!author.is_empty() && author == view.name(Sort::Approver, posting)).then_some(())
        };
        if let Some(own) = worst(view.postings, approves_own) {
            let said = Said::new("entered and approved by {user}", [user(own.posting)]);
            return Some(Hit::new(Id::SelfApproval, own.lines, said));
        }
        self.conflicts.iter().find_map(|conflict| self.conflicting(view, conflict))
    }

    fn check(&self) -> Result<(), Wrong> {
        match self.conflicts.iter().find(|conflict| conflict.one == conflict.other) {
            None => Ok(()),
            Some(conflict) => Err(Wrong {
                field: "conflicts",
                problem: format!("`{}` conflicts with itself", conflict.one),
                remedy: "name two sources",
            }),
        }
    }
}

impl SelfApproval {
    fn conflicting(&self, view: &View<'_>, conflict: &Conflict) -> Option<Hit> {
        let norms = view.norms();
        let find = |source: &str| view.scene.names.find(Sort::Source, source);
        let (one, other) = (find(&conflict.one)?, find(&conflict.other)?);
        let both = worst(view.postings, |posting| {
            let counts = (norms.user_source(posting.user, one)?, norms.user_source(posting.user, other)?);
            let is_one_of_them = posting.source == one || posting.source == other;
            let is_somebody = !view.name(Sort::User, posting).is_empty();
            (is_one_of_them && is_somebody && counts.0 > 0 && counts.1 > 0).then_some(counts)
        })?;
        let values = [
            user(both.posting),
            named("one", Sort::Source, one),
            named("other", Sort::Source, other),
            count("ones", both.key.0),
            count("others", both.key.1),
        ];
        let said =
            Said::new("{user} posted {ones} lines in source {one} and {others} in source {other}", values);
        Some(Hit::new(Id::SelfApproval, both.lines, said))
    }
}

/// W4.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WatchedUser {
    /// Users of the senior management, who can override controls.
    pub senior: Vec<String>,
    /// Users who left, with their last day.
    pub departed: BTreeMap<String, Date>,
    /// All users there should be. Nobody is unknown where the list is empty.
    pub known: Vec<String>,
}

impl Control for WatchedUser {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let name = |posting| view.name(Sort::User, posting);
        let after_leaving = worst(view.postings, |posting| {
            let entered = posting.entered.or(posting.effective)?;
            let (_, &left) = self.departed.iter().find(|(user, _)| same(user, name(posting)))?;
            (entered > left).then_some((entered, left))
        });
        if let Some(hit) = after_leaving {
            let (entered, left) = hit.key;
            let values = [user(hit.posting), ("left", Value::Date(left)), ("entered", Value::Date(entered))];
            let said = Said::new("entered on {entered} by {user}, who left on {left}", values);
            return Some(Hit::new(Id::WatchedUser, hit.lines, said));
        }
        let listed = |list: &[String], posting| list.iter().any(|user| same(user, name(posting)));
        let unknown = worst(view.postings, |posting| {
            (!self.known.is_empty() && !listed(&self.known, posting)).then_some(())
        });
        if let Some(hit) = unknown {
            let said = Said::new("{user} is not among the known users", [user(hit.posting)]);
            return Some(Hit::new(Id::WatchedUser, hit.lines, said));
        }
        let senior = worst(view.postings, |posting| listed(&self.senior, posting).then_some(()))?;
        let said = Said::new("entered by {user} of the senior management", [user(senior.posting)]);
        Some(Hit::new(Id::WatchedUser, senior.lines, said))
    }

    fn check(&self) -> Result<(), Wrong> {
        let (field, problem, remedy) =
            ("senior", "a name is empty".to_string(), "write the user as in the ledger");
        match self.senior.iter().any(|user| user.trim().is_empty()) {
            true => Err(Wrong { field, problem, remedy }),
            false => Ok(()),
        }
    }

    fn idle(&self, _norms: &Norms) -> Option<&'static str> {
        let nobody = self.senior.is_empty() && self.departed.is_empty() && self.known.is_empty();
        nobody.then_some("no users are listed in `senior`, `departed` or `known`")
    }
}

/// Systems differ in how they write their users' names in capitals.
fn same(listed: &str, user: &str) -> bool {
    listed.eq_ignore_ascii_case(user)
}

/// W5.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutsideSource {
    /// A user with so many lines in a source or fewer is outside their usual ones.
    pub most_lines: u64,
    /// Of a user of fewer lines, nothing is usual.
    pub least_user_lines: u64,
}

impl Default for OutsideSource {
    fn default() -> Self {
        Self { most_lines: 2, least_user_lines: 100 }
    }
}

impl Control for OutsideSource {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let norms = view.norms();
        let (lines, posting, posted) = rarest(view.postings, |posting| {
            let posted = norms.user_source(posting.user, posting.source)?;
            let knows_the_user = norms.count(Sort::User, posting.user) >= self.least_user_lines;
            (knows_the_user && posted <= self.most_lines).then_some(posted)
        })?;
        let of = norms.count(Sort::User, posting.user);
        let source = named("source", Sort::Source, posting.source);
        let values = [source, user(posting), times("times", posted), count("of", of)];
        let said = Said::new("{user} used source {source} {times} in {of} lines", values);
        Some(Hit::new(Id::OutsideSource, lines, said))
    }

    fn check(&self) -> Result<(), Wrong> {
        at_least_one("most_lines", self.most_lines)
    }
}

#[cfg(test)]
mod tests;
