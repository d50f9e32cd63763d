//! Whoever looks for malware, and who looks after it: a scanner that is away, or knows nothing new, is told of before
//! somebody hands a file in.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use jobkit::Clock;

use crate::alerts::{SCANNER_AWAY, SCANNER_OLD};
use crate::service::Patience;
use crate::units::format_duration;
use store::{News, Severity, Store, chain};

pub trait Scanner: Send + Sync + 'static {
    /// Only what was looked at as a whole is clean.
    fn scan<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Verdict, ScanError>>;

    /// Whether it answers, and how old what it knows is.
    fn look(&self) -> BoxFuture<'_, Result<Known, ScanError>>;

    /// What it knows should not be older.
    fn oldest(&self) -> Duration;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Clean,
    /// With the name of what was found.
    Infected(String),
}

/// What a scanner says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub version: String,
    /// None when it does not say, as one with signatures of its own alone.
    pub at: Option<Timestamp>,
}

#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error("{address} cannot be reached")]
    Away {
        address: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("{address} did not answer within {within:?}")]
    Silent { address: String, within: Duration },
    #[error("{address} does not take files of this size; raise StreamMaxLength, MaxFileSize and MaxScanSize")]
    TooLarge { address: String },
    #[error("{address} answered `{answer}`")]
    Odd { address: String, answer: String },
    #[error("reading the file that is to be scanned")]
    File(#[source] std::io::Error),
}

/// What is amiss with a scanner that answered, if anything is.
pub fn too_old(known: &Known, oldest: Duration, now: Timestamp) -> Option<String> {
    let age = now.duration_since(known.at?);
    let age = Duration::try_from(age).ok().filter(|age| *age > oldest)?;
    let age = format_duration(Duration::from_secs(age.as_secs() / 3_600 * 3_600));
    Some(format!("the signatures of the scanner are {age} old"))
}

/// Looks now and then, and says what changed.
pub struct Lookout {
    pub scanner: Arc<dyn Scanner>,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
}

const EVERY: Duration = Duration::from_secs(60);
const ABOUT: &str = "clamav";

impl Lookout {
    pub async fn run(self) {
        let mut patience = Patience::new("telling of the scanner", self.clock.clone());
        // At the start everything is said: what another process began may have ended meanwhile.
        let mut said = None;
        loop {
            let now = judge(self.scanner.look().await, self.scanner.oldest(), self.clock.now());
            let news = news(said.as_ref(), &now);
            match self.tell(&news).await {
                Ok(()) => {
                    patience.succeeded();
                    said = Some(now);
                }
                Err(problem) => patience.failed(&problem).await,
            }
            self.clock.sleep(EVERY).await;
        }
    }

    async fn tell(&self, news: &[News]) -> store::Result<()> {
        match news.is_empty() {
            true => Ok(()),
            false => self.store.raise(news).await,
        }
    }
}

/// None where nothing is amiss.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Amiss {
    away: Option<String>,
    old: Option<String>,
}

fn judge(looked: Result<Known, ScanError>, oldest: Duration, now: Timestamp) -> Amiss {
    match looked {
        Err(problem) => {
            let away = format!("the scanner of uploads is away, so none are taken: {}", chain(&problem));
            Amiss { away: Some(away), old: None }
        }
        Ok(known) => Amiss { away: None, old: too_old(&known, oldest, now) },
    }
}

/// Pure: of each condition what is new. A scanner that is away says nothing of how old it is.
fn news(said: Option<&Amiss>, now: &Amiss) -> Vec<News> {
    let of = |rule: &str, before: Option<&Option<String>>, now: &Option<String>, over: &str| match now {
        Some(text) if !before.is_some_and(Option::is_some) => {
            Some(News::began(rule, ABOUT, Severity::Critical, text))
        }
        None if !before.is_some_and(Option::is_none) => Some(News::ended(rule, ABOUT, over)),
        _ => None,
    };
    let away = of(SCANNER_AWAY, said.map(|said| &said.away), &now.away, "the scanner of uploads answers");
    let old = match now.away {
        Some(_) => None,
        None => {
            // What was said before it went away may not be so any more.
            let before = said.filter(|said| said.away.is_none()).map(|said| &said.old);
            of(SCANNER_OLD, before, &now.old, "the signatures of the scanner are new")
        }
    };
    away.into_iter().chain(old).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::NewsChange::{Began, Ended};

    fn amiss(away: bool, old: bool) -> Amiss {
        let text = |so: bool| so.then(|| "text".to_owned());
        Amiss { away: text(away), old: text(old) }
    }

    #[test]
    fn what_changed_is_told_once_and_all_of_it_at_the_start() {
        let (well, away, old) = (amiss(false, false), amiss(true, false), amiss(false, true));
        for (said, now, told) in [
            (None, &well, vec![(SCANNER_AWAY, Ended), (SCANNER_OLD, Ended)]),
            (None, &away, vec![(SCANNER_AWAY, Began)]),
            (Some(&well), &well, vec![]),
            (Some(&well), &away, vec![(SCANNER_AWAY, Began)]),
            (Some(&away), &away, vec![]),
            (Some(&away), &well, vec![(SCANNER_AWAY, Ended), (SCANNER_OLD, Ended)]),
            (Some(&away), &old, vec![(SCANNER_AWAY, Ended), (SCANNER_OLD, Began)]),
            (Some(&well), &old, vec![(SCANNER_OLD, Began)]),
            (Some(&old), &old, vec![]),
            (Some(&old), &well, vec![(SCANNER_OLD, Ended)]),
        ] {
            let news = news(said, now);
            let got: Vec<_> = news.iter().map(|news| (news.rule.as_str(), news.change)).collect();
            assert_eq!(got, told, "{said:?} {now:?}");
        }
    }

    #[test]
    fn signatures_are_too_old_when_they_are_older_than_was_asked_for() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let day = Duration::from_secs(86_400);
        for (age, old) in [(Some(day), false), (Some(3 * day), false), (Some(4 * day), true), (None, false)] {
            let known = Known { version: "ClamAV 1".into(), at: age.map(|age| now - age) };
            assert_eq!(too_old(&known, 3 * day, now).is_some(), old, "{age:?}");
        }
    }
}
