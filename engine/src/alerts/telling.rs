//! What there is to tell of an alert when its time has come. Pure.

use std::time::Duration;

use super::Pace;
use crate::store::{AlertRow, Nature};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    Opened,
    /// More of the same happened since.
    More,
    /// It is still so.
    Repeated,
    Closed,
}

impl Telling {
    /// As receivers of a webhook know it.
    pub fn name(self) -> &'static str {
        match self {
            Telling::Opened => "alert.opened",
            Telling::More => "alert.more",
            Telling::Repeated => "alert.repeated",
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
        _ if alert.closed_at.is_some() => tell(Telling::Closed, None),
        Nature::Event if alert.tellings == 0 => tell(Telling::Opened, Some(pace.window)),
        Nature::Event if alert.count > alert.told_count => tell(Telling::More, Some(pace.window)),
        Nature::Event => Next::Close,
        Nature::Condition if alert.tellings == 0 => tell(Telling::Opened, Some(pace.repeat)),
        Nature::Condition => tell(Telling::Repeated, Some(pace.repeat)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::message::tests::alert;

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
        ] {
            let mut alert = alert();
            (alert.nature, alert.count) = (nature, 3);
            (alert.tellings, alert.told_count) = (tellings, told_count);
            alert.closed_at = closed.then_some(alert.opened_at);

            assert_eq!(decide(&alert, &pace), next, "{nature:?} {tellings} {told_count} {closed}");
        }
    }
}
