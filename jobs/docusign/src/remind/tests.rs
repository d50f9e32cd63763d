use std::time::Duration;

use jobkit::testing::Bench;

use super::*;
use crate::config::AccountConfig;
use crate::phase::Status;
use crate::send_envelope::SendEnvelope;
use crate::tests::{account, args, completed};

#[tokio::test]
async fn recipients_are_reminded_at_most_once_a_day_and_only_while_they_are_waited_for() {
    let (accounts, provider) = account(AccountConfig::default());
    let bench = Bench::default();
    let send = SendEnvelope { accounts: accounts.clone(), roots: Vec::new() };
    let sent = completed(&bench, &send, &args("a")).await;
    let id = sent["envelope"].as_str().unwrap().to_owned();
    bench.host.kept().let_go(bench.id);
    let (bench, job, wanted) =
        (bench.beside(), Remind { accounts: accounts.clone() }, RemindArgs { key: "a".into() });

    let first = completed(&bench, &job, &wanted).await;
    bench.clock.advance(Duration::from_secs(86_399));
    let soon = completed(&bench, &job, &wanted).await;
    bench.clock.advance(Duration::from_secs(1));
    let next_day = completed(&bench, &job, &wanted).await;
    bench.host.kept().let_go(bench.id);
    let voiding = bench.beside();
    completed(
        &voiding,
        &crate::Void { accounts },
        &crate::void::VoidArgs {
            key: "a".into(),
            not_begun: false,
            account: None,
            reason: jobkit::Personal::new("Wrong.".into()),
        },
    )
    .await;
    bench.host.kept().let_go(voiding.id);
    let over = completed(&bench, &job, &wanted).await;

    let outcomes = [first, soon, next_day, over].map(|value| value["outcome"].as_str().unwrap().to_owned());
    assert_eq!(outcomes, ["reminded", "reminded_already", "reminded", "not_out"]);
    let world = provider.world();
    assert_eq!((world.envelopes[&id].reminded, world.envelopes[&id].status), (2, Status::Voided));
}
