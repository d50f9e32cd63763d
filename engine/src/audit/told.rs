//! What people are told of the signing of the log: that nothing is signed any more, and that an anchor has nothing new. Pure.

use std::time::Duration;

use jiff::Timestamp;
use store::{AlertRow, AnchorRow, News, Severity, SignedRow};

use crate::alerts::{AUDIT_ANCHOR_BEHIND, AUDIT_REFUSED};

/// An anchor may be away for so long without anybody being told: what is missing is brought when it is back.
pub const PATIENCE: Duration = Duration::from_secs(3_600);

/// How the signer stands.
#[derive(Debug, Clone, Copy)]
pub struct Signing<'a> {
    /// The name of the log.
    pub log: &'a str,
    /// Why nothing is signed, if waiting will not mend it.
    pub refused: Option<&'a str>,
    /// The names of the anchors.
    pub anchors: &'a [&'a str],
}

/// What is so now and was not told, and what was told and is so no longer.
pub fn news(
    signing: Signing<'_>,
    last: Option<&SignedRow>,
    rows: &[AnchorRow],
    open: &[AlertRow],
    now: Timestamp,
) -> Vec<News> {
    let is_open = |rule: &str, about: &str| open.iter().any(|alert| alert.key == format!("{rule}/{about}"));
    let mut news = Vec::new();
    let log = signing.log;
    match (signing.refused, is_open(AUDIT_REFUSED, log)) {
        (Some(why), false) => {
            let text = format!("nothing of the audit log is signed any more: {why}");
            news.push(News::began(AUDIT_REFUSED, log, Severity::Critical, text));
        }
        (None, true) => news.push(News::ended(AUDIT_REFUSED, log, "the audit log is signed again")),
        _ => {}
    }
    for name in signing.anchors {
        match (is_behind(name, last, rows, now), is_open(AUDIT_ANCHOR_BEHIND, name)) {
            (true, false) => {
                let text =
                    format!("the anchor {name} has got nothing of the audit log for an hour or longer");
                news.push(News::began(AUDIT_ANCHOR_BEHIND, name, Severity::Warning, text));
            }
            (false, true) => {
                let text = format!("the anchor {name} has all of the audit log that is signed");
                news.push(News::ended(AUDIT_ANCHOR_BEHIND, name, text));
            }
            _ => {}
        }
    }
    news
}

fn is_behind(name: &str, last: Option<&SignedRow>, rows: &[AnchorRow], now: Timestamp) -> bool {
    let Some(last) = last else { return false };
    match rows.iter().find(|row| row.name == name) {
        None => true,
        Some(row) => {
            let since = Duration::try_from(now.duration_since(row.at)).unwrap_or_default();
            row.size < last.size && since >= PATIENCE
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use store::NewsChange;

    use super::*;
    use crate::alerts::message::tests::alert;

    const LOG: &str = "audit.example.com/log";

    fn told(refused: Option<&str>, size: u64, ago: i64, open: &[&str]) -> Vec<(String, NewsChange)> {
        let now = Timestamp::UNIX_EPOCH + 100.hours();
        let last = SignedRow { size: 7, at: now, note: String::new() };
        let rows = [AnchorRow { name: "one".into(), size, at: now - ago.minutes() }];
        let open: Vec<_> = open.iter().map(|key| AlertRow { key: (*key).into(), ..alert() }).collect();
        let signing = Signing { log: LOG, refused, anchors: &["one"] };
        let news = news(signing, Some(&last), &rows, &open, now);
        news.into_iter().map(|news| (news.key, news.change)).collect()
    }

    #[test]
    fn a_condition_is_told_once_when_it_begins_and_once_when_it_ends() {
        let refused = format!("{AUDIT_REFUSED}/{LOG}");
        let behind = format!("{AUDIT_ANCHOR_BEHIND}/one");
        let began = |key: &str| vec![(key.to_owned(), NewsChange::Began)];
        let ended = |key: &str| vec![(key.to_owned(), NewsChange::Ended)];

        assert_eq!(told(None, 7, 0, &[]), []);
        assert_eq!(told(Some("it was set back"), 7, 0, &[]), began(&refused));
        assert_eq!(told(Some("it was set back"), 7, 0, &[&refused]), []);
        assert_eq!(told(None, 7, 0, &[&refused]), ended(&refused));
        assert_eq!(told(None, 3, 59, &[]), []);
        assert_eq!(told(None, 3, 60, &[]), began(&behind));
        assert_eq!(told(None, 3, 60, &[&behind]), []);
        assert_eq!(told(None, 7, 600, &[&behind]), ended(&behind));
        assert_eq!(told(None, 7, 600, &[]), [], "there is nothing new for it");
    }

    #[test]
    fn an_anchor_that_never_had_anything_is_behind_when_something_is_signed() {
        let now = Timestamp::UNIX_EPOCH;
        let signing = Signing { log: LOG, refused: None, anchors: &["one"] };
        let last = SignedRow { size: 7, at: now, note: String::new() };
        assert_eq!(news(signing, Some(&last), &[], &[], now).len(), 1);
        assert_eq!(news(signing, None, &[], &[], now), []);
    }
}
