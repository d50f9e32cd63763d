//! What there is to tell of an alert when its time has come. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Pace, Routes};
use store::{AlertRow, Nature};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    Opened,
    /// More of the same happened since.
    More,
    /// It is still so.
    Repeated,
    /// Nobody has acknowledged it, and it is time that somebody else hears of it.
    Escalated,
    Closed,
}

impl Telling {
    /// As receivers of a webhook know it.
    pub fn name(self) -> &'static str {
        match self {
            Telling::Opened => "alert.opened",
            Telling::More => "alert.more",
            Telling::Repeated => "alert.repeated",
            Telling::Escalated => "alert.escalated",
            Telling::Closed => "alert.closed",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Tell {
        telling: Telling,
        look_again: Option<Duration>,
    },
    /// Nothing followed; the next is another alert.
    Close,
}

pub fn decide(alert: &AlertRow, pace: &Pace) -> Next {
    let tell = |telling, look_again| Next::Tell { telling, look_again };
    match alert.nature {
        // It closed while nobody had routes.
        _ if alert.closed_at.is_some() && alert.tellings == 0 => tell(Telling::Opened, None),
        _ if alert.closed_at.is_some() => tell(Telling::Closed, None),
        Nature::Event if alert.tellings == 0 => tell(Telling::Opened, Some(pace.window)),
        Nature::Event if alert.count > alert.told_count => tell(Telling::More, Some(pace.window)),
        Nature::Event => Next::Close,
        Nature::Condition if alert.tellings == 0 => tell(Telling::Opened, Some(pace.repeat)),
        Nature::Condition => tell(Telling::Repeated, Some(pace.repeat)),
    }
}

/// Who is told of it by which route, of what, and how much later. A route that waits for nobody to acknowledge the alert
/// is told the rest of the story once it has been told the beginning.
pub fn addressed<'r>(
    routes: &'r Routes,
    alert: &AlertRow,
    telling: Telling,
    escalated: &BTreeSet<String>,
) -> Vec<(&'r str, Telling, Duration)> {
    let concerned = routes.iter().filter(|(_, route)| route.concerns(alert));
    let told = concerned.filter_map(|(name, route)| match (route.after, telling) {
        (None, _) => Some((name.as_str(), telling, Duration::ZERO)),
        (Some(after), Telling::Opened) => Some((name.as_str(), Telling::Escalated, after)),
        (Some(_), _) if escalated.contains(name) => Some((name.as_str(), telling, Duration::ZERO)),
        (Some(_), _) => None,
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::message::tests::alert;
    use crate::alerts::{Route, To};
    use store::Severity;

    #[test]
    fn a_second_route_is_told_later_and_then_the_rest() {
        let route = |after| Route {
            to: To::Mail(Vec::new()),
            after,
            severity: Severity::Info,
            rules: Vec::new(),
            kinds: Vec::new(),
            queues: Vec::new(),
        };
        let hour = Duration::from_secs(3_600);
        let narrow = Route { severity: Severity::Critical, ..route(None) };
        let routes: Routes = [("first", route(None)), ("second", route(Some(hour))), ("narrow", narrow)]
            .map(|(name, route)| (name.to_owned(), route))
            .into();
        let (nobody, second) = (BTreeSet::new(), BTreeSet::from(["second".to_owned()]));
        let now = |name, telling| (name, telling, Duration::ZERO);

        let told = |telling, escalated| addressed(&routes, &alert(), telling, escalated);

        let later = ("second", Telling::Escalated, hour);
        assert_eq!(told(Telling::Opened, &nobody), [now("first", Telling::Opened), later]);
        assert_eq!(told(Telling::Repeated, &nobody), [now("first", Telling::Repeated)]);
        let both = [now("first", Telling::Closed), now("second", Telling::Closed)];
        assert_eq!(told(Telling::Closed, &second), both);
    }

    #[test]
    fn an_event_is_told_then_counted_then_closed_and_a_condition_until_it_ends() {
        use Nature::{Condition, Event};
        let pace = Pace::default();
        let (window, repeat) = (Some(pace.window), Some(pace.repeat));
        let tell = |telling, look_again| Next::Tell { telling, look_again };
        for (nature, tellings, told_count, closed, next) in [
            (Event, 0, 0, false, tell(Telling::Opened, window)),
            (Event, 1, 2, false, tell(Telling::More, window)),
            (Event, 2, 3, false, Next::Close),
            (Condition, 0, 0, false, tell(Telling::Opened, repeat)),
            (Condition, 1, 3, false, tell(Telling::Repeated, repeat)),
            (Condition, 1, 3, true, tell(Telling::Closed, None)),
            (Event, 0, 0, true, tell(Telling::Opened, None)),
        ] {
            let mut alert = alert();
            (alert.nature, alert.count) = (nature, 3);
            (alert.tellings, alert.told_count) = (tellings, told_count);
            alert.closed_at = closed.then_some(alert.opened_at);

            assert_eq!(decide(&alert, &pace), next, "{nature:?} {tellings} {told_count} {closed}");
        }
    }
}
