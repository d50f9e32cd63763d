//! Places in the audit log: a position behind an entry, and what of the log behind that position is no news to whoever
//! stands there.
//!
//! On PostgreSQL the log ends at the oldest transaction that is open, because whatever that one writes stands in its place.
//! Behind it stands what others have written since, perhaps for hours. A reader that begins there has not asked for those, and
//! no position can leave them out: they stand among entries that do not exist yet. So it keeps what was open when it began.

use std::fmt;
use std::str::FromStr;

use jobkit::AuditEntry;
use serde::{Serialize, Serializer};

/// A place in the log, behind an entry. Later places are larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// Grows when a database is loaded from a dump, which lets the numbers of transactions begin anew.
    pub era: u32,
    pub tx: u64,
    pub seq: i64,
}

impl Position {
    /// Before the first entry.
    pub const START: Self = Self { era: 0, tx: 0, seq: 0 };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.era, self.tx, self.seq)
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Where a reader of the log stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    pub at: Position,
    /// None once it has come past all that was there when it began, and where nothing was open then.
    begun: Option<Beginning>,
}

/// The transactions at the moment in which a reader began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// The number that the next one was to get.
    pub next: u64,
    /// Those that had not ended. What they wrote came later, and is news.
    pub open: Vec<u64>,
}

impl From<Position> for Place {
    fn from(at: Position) -> Self {
        Self { at, begun: None }
    }
}

impl Place {
    /// The numbers of the beginning are those of the position's era.
    pub fn since(at: Position, begun: Beginning) -> Self {
        Self { at, begun: (at.tx < begun.next && !begun.open.is_empty()).then_some(begun) }
    }

    pub fn begun(&self) -> Option<&Beginning> {
        self.begun.as_ref()
    }

    /// The number from which on everything is news.
    fn upto(&self) -> u64 {
        self.begun.as_ref().map_or(self.at.tx, |begun| begun.next)
    }

    /// Whether nobody who reads a log that ends at `head` can have come here.
    pub fn lies_behind(&self, head: &Self) -> bool {
        self.at > head.at || (self.at.era == head.at.era && self.upto() > head.upto())
    }

    /// Further on in the log.
    pub fn moved_to(self, at: Position) -> Self {
        match self.begun {
            Some(begun) if at.era == self.at.era => Self::since(at, begun),
            _ => at.into(),
        }
    }

    /// Whether an entry that stands behind this place came after the reader had begun.
    pub fn is_news(&self, entry: Position) -> bool {
        self.begun.as_ref().is_none_or(|begun| {
            entry.era != self.at.era || entry.tx >= begun.next || begun.open.contains(&entry.tx)
        })
    }

    /// Of entries that stand behind this place, those that came after the reader had begun.
    pub fn news<'a>(
        &'a self,
        entries: &'a [(Position, AuditEntry)],
    ) -> impl Iterator<Item = &'a (Position, AuditEntry)> {
        entries.iter().filter(|(position, _)| self.is_news(*position))
    }
}

/// `1-7301-42`, or `1-7301-42~7399:7301,7350` with what came next and what was open.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.at)?;
        let Some(begun) = &self.begun else { return Ok(()) };
        write!(f, "~{}", begun.next)?;
        for (place, tx) in begun.open.iter().enumerate() {
            write!(f, "{}{tx}", if place == 0 { ':' } else { ',' })?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no place in the log; give back one that was given, such as 1-7301-42")]
pub struct NoPlace(String);

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let read = || match text.split_once('~') {
            Some((at, begun)) => Some(Self::since(position(at)?, beginning(begun)?)),
            None => position(text).map(Self::from),
        };
        read().ok_or_else(|| NoPlace(text.into()))
    }
}

fn position(text: &str) -> Option<Position> {
    let mut parts = text.split('-');
    let (era, tx, seq) = (parts.next()?, parts.next()?, parts.next()?);
    let position = Position { era: era.parse().ok()?, tx: number(tx)?, seq: seq.parse().ok()? };
    let fits = i32::try_from(position.era).is_ok();
    (parts.next().is_none() && fits).then_some(position)
}

fn beginning(text: &str) -> Option<Beginning> {
    let (next, open) = text.split_once(':')?;
    let open = open.split(',').map(number).collect::<Option<_>>()?;
    Some(Beginning { next: number(next)?, open })
}

/// They are kept as signed numbers.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number| i64::try_from(*number).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(era: u32, tx: u64, seq: i64) -> Position {
        Position { era, tx, seq }
    }

    fn begun(next: u64, open: &[u64]) -> Beginning {
        Beginning { next, open: open.into() }
    }

    #[test]
    fn a_place_reads_back_and_nothing_else_is_one() {
        for (place, text) in [
            (at(1, 7_301, 42).into(), "1-7301-42"),
            (Place::since(at(1, 7_301, 42), begun(7_399, &[7_301])), "1-7301-42~7399:7301"),
            (Place::since(at(1, 7_301, 0), begun(7_399, &[7_301, 7_350])), "1-7301-0~7399:7301,7350"),
        ] {
            assert_eq!(place.to_string(), text);
            assert_eq!(text.parse(), Ok(place));
        }
        for wrong in [
            "",
            "7",
            "1-2",
            "1-2-3-4",
            "1--3",
            "a-2-3",
            "1-2-3 ",
            "-1-2-3",
            "1-18446744073709551615-3",
            "1-2-3~",
            "1-2-3~9",
            "1-2-3~9:",
            "1-2-3~9:5,",
            "1-2-3~x:5",
            "1-2-3~9:18446744073709551615",
            "1-2-3~9:5~9:5",
        ] {
            assert_eq!(wrong.parse::<Place>(), Err(NoPlace(wrong.into())), "{wrong}");
        }
    }

    #[test]
    fn positions_are_in_the_order_of_era_transaction_and_number() {
        let mut places = [at(2, 1, 1), at(1, 9, 3), at(1, 8, 7), at(1, 9, 2), Position::START];
        places.sort();
        assert_eq!(places, [Position::START, at(1, 8, 7), at(1, 9, 2), at(1, 9, 3), at(2, 1, 1)]);
    }

    #[test]
    fn news_is_what_was_open_or_had_not_begun() {
        let place = Place::since(at(2, 70, 0), begun(90, &[70, 80]));
        for (entry, news) in [
            (at(2, 70, 1), true),
            (at(2, 71, 2), false),
            (at(2, 80, 3), true),
            (at(2, 89, 4), false),
            (at(2, 90, 5), true),
            (at(3, 75, 6), true),
        ] {
            assert_eq!(place.is_news(entry), news, "{entry}");
        }
        assert!(Place::from(at(2, 70, 0)).is_news(at(2, 71, 2)));
    }

    #[test]
    fn a_place_of_a_log_that_was_longer_lies_behind_the_end_of_this_one() {
        let head = Place::since(at(2, 70, 0), begun(90, &[70]));
        for (place, behind) in [
            (at(2, 70, 0).into(), false),
            (at(2, 70, 1).into(), true),
            (at(3, 1, 1).into(), true),
            (Place::since(at(2, 60, 4), begun(90, &[60])), false),
            (Place::since(at(2, 60, 4), begun(91, &[60])), true),
            (Place::since(at(1, 60, 4), begun(91, &[60])), false),
        ] {
            assert_eq!(place.lies_behind(&head), behind, "{place}");
        }
    }

    #[test]
    fn who_has_come_past_its_beginning_forgets_it() {
        let place = Place::since(at(2, 70, 0), begun(90, &[70]));
        for (to, still) in
            [(at(2, 70, 9), true), (at(2, 89, 1), true), (at(2, 90, 1), false), (at(3, 75, 1), false)]
        {
            assert_eq!(place.clone().moved_to(to).begun().is_some(), still, "{to}");
        }
        assert_eq!(Place::since(at(2, 90, 0), begun(90, &[])), at(2, 90, 0).into());
    }
}
