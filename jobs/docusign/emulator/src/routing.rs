//! Whose turn it is: recipients go by their routing order, those of one order at once. Pure.

use crate::envelope::{Part, Recipient, Stage, Status};

/// Which recipients it is to go to now: those of the lowest order in which somebody is not done yet.
pub fn turn(recipients: &[Recipient]) -> Vec<usize> {
    let open = recipients.iter().filter(|recipient| !recipient.is_done());
    let Some(order) = open.map(|recipient| recipient.order).min() else { return Vec::new() };
    let here = recipients.iter().enumerate();
    here.filter(|(_, recipient)| recipient.order == order && recipient.stage == Stage::Created)
        .map(|(at, _)| at)
        .collect()
}

/// The order that is under way, as `currentRoutingOrder` says it.
pub fn current(recipients: &[Recipient]) -> u32 {
    let open = recipients.iter().filter(|recipient| !recipient.is_done()).map(|recipient| recipient.order);
    open.min().or_else(|| recipients.iter().map(|recipient| recipient.order).max()).unwrap_or(1)
}

/// What a sent envelope is, by its recipients.
pub fn status(recipients: &[Recipient]) -> Status {
    if recipients.iter().any(|recipient| recipient.stage == Stage::Declined) {
        return Status::Declined;
    }
    if recipients.iter().all(Recipient::is_done) {
        return Status::Completed;
    }
    let acting = recipients.iter().filter(|recipient| recipient.part() != Part::Copied);
    match acting.clone().all(|recipient| recipient.stage >= Stage::Delivered) && acting.count() > 0 {
        true => Status::Delivered,
        false => Status::Sent,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::Map;

    use super::*;
    use crate::envelope::LISTS;

    pub fn recipient(list: &str, id: &str, order: u32, stage: Stage) -> Recipient {
        Recipient {
            list: LISTS.iter().position(|(name, ..)| *name == list).unwrap(),
            id: id.into(),
            guid: format!("guid-{id}"),
            order,
            stage,
            sent: None,
            delivered: None,
            signed: None,
            declined: None,
            declined_reason: None,
            said: Map::new(),
            tabs: Map::new(),
        }
    }

    #[test]
    fn recipients_of_one_order_go_together_and_the_next_wait() {
        use Stage::{Completed, Created, Delivered, Sent};
        for (stages, turns, order, wanted) in [
            ([(1, Created), (1, Created), (2, Created)], vec![0, 1], 1, Status::Sent),
            ([(1, Sent), (1, Completed), (2, Created)], vec![], 1, Status::Sent),
            ([(1, Completed), (1, Completed), (2, Created)], vec![2], 2, Status::Sent),
            ([(1, Completed), (1, Completed), (2, Delivered)], vec![], 2, Status::Delivered),
            ([(1, Completed), (1, Completed), (2, Completed)], vec![], 2, Status::Completed),
            ([(1, Completed), (1, Stage::Declined), (2, Created)], vec![2], 2, Status::Declined),
            ([(3, Created), (7, Created), (7, Created)], vec![0], 3, Status::Sent),
        ] {
            let recipients: Vec<_> = stages
                .iter()
                .enumerate()
                .map(|(at, (order, stage))| recipient("signers", &at.to_string(), *order, *stage))
                .collect();
            assert_eq!(turn(&recipients), turns, "{stages:?}");
            assert_eq!(current(&recipients), order, "{stages:?}");
            assert_eq!(status(&recipients), wanted, "{stages:?}");
        }
    }

    #[test]
    fn a_copy_to_come_does_not_keep_an_envelope_from_being_delivered() {
        let recipients = [
            recipient("signers", "1", 1, Stage::Delivered),
            recipient("carbonCopies", "2", 2, Stage::Created),
        ];
        assert_eq!(status(&recipients), Status::Delivered);
    }
}
