//! Looks at the mail server and the receivers of alerts, and sends nothing.

use std::sync::Arc;

use engine::adapters::clock::SystemClock;
use engine::alerts::To;
use jobkit::Clock;

use super::Check;
use crate::app::outgoing::{courier, mailer, webhooks};
use crate::cli::exit::{CliError, Exit};
use crate::cli::print;
use crate::config::Settings;

pub(super) async fn outgoing(settings: &Settings) -> Vec<Check> {
    vec![mail(settings).await, routes(settings).await]
}

async fn mail(settings: &Settings) -> Check {
    let name = "mail";
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    match mailer(settings, clock) {
        Err(error) => Check::fail(name, &error.into()),
        Ok(None) => Check::ok(name, "mail.host is empty; no mail is sent"),
        Ok(Some(mailer)) => match mailer.reach().await {
            Ok(()) => Check::ok(name, format!("{} lets us in", settings.mail.host)),
            Err(error) => Check::fail(
                name,
                &CliError::new(
                    Exit::Unreachable,
                    format!("{}:{}: {error}", settings.mail.host, settings.mail.port),
                    "check [mail]; messages wait until it works, and are given up after alerts.attempts",
                ),
            ),
        },
    }
}

async fn routes(settings: &Settings) -> Check {
    let name = "alerts";
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let courier = webhooks(settings, clock.clone()).and_then(|webhooks| courier(settings, webhooks, clock));
    let courier = match courier {
        Err(error) => return Check::fail(name, &error.into()),
        Ok(None) => {
            return Check::warn(
                name,
                "there is no route; nobody is told when something is the matter",
                "add one below [alerts.routes], and try it with `compline alerts test NAME`",
            );
        }
        Ok(Some(courier)) => courier,
    };
    for (route, to) in courier.routes.iter().map(|(name, route)| (name, &route.to)) {
        if let To::Webhook(target) = to
            && let Err(error) = courier.webhooks.client.reach(target.url()).await
        {
            let error = CliError::from_chain(error);
            return Check::fail(
                name,
                &CliError::new(
                    Exit::Unreachable,
                    format!("route {route}: {target} cannot be reached: {}", error.with_causes()),
                    "check the address, and that this machine may connect to it",
                ),
            );
        }
    }
    Check::ok(
        name,
        format!("{}, and every receiver can be reached", print::count(courier.routes.len(), "route")),
    )
}
