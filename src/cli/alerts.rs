//! `alerts`: what is the matter, who was told, and whether a route works.

use clap::Subcommand;
use engine::alerts::desk::Desk;
use serde_json::json;
use store::{AlertDetail, AlertFilter, AlertId, AlertRow};

use super::exit::{CliError, Exit, Result};
use super::{Call, actor, print};
use crate::app::App;
use crate::cli::print::row;
use crate::config::Settings;
use crate::telemetry::Voice;

#[derive(Debug, Subcommand)]
pub enum Alerts {
    /// List alerts, the newest first.
    List {
        /// Closed ones too.
        #[arg(long)]
        all: bool,
        /// Of this rule only, such as job.discarded; may be given several times.
        #[arg(long = "rule", value_name = "RULE")]
        rules: Vec<String>,
        /// The newest so many.
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Show one alert, and what was sent of it.
    Show {
        #[arg(value_parser = alert_id)]
        id: AlertId,
    },
    /// Say that you have seen it: an event is closed, a condition is told again only when it has ended.
    Ack {
        #[arg(value_parser = alert_id)]
        id: AlertId,
    },
    /// Send a sample by a route of the configuration, at once.
    Test { route: String },
}

fn alert_id(text: &str) -> std::result::Result<AlertId, String> {
    text.parse().map_err(|_| format!("`{text}` is no id of an alert; `compline alerts list` shows them"))
}

pub async fn run(call: &Call, command: Alerts) -> Result {
    let loaded = call.load(Voice::Command)?;
    let app = super::open(&loaded.settings).await?;
    let ended = answer(call, &app, &loaded.settings, command).await;
    app.close().await;
    ended
}

async fn answer(call: &Call, app: &App, settings: &Settings, command: Alerts) -> Result {
    let desk = Desk { store: app.store.clone(), clock: app.clock.clone() };
    match command {
        Alerts::List { all, rules, limit } => {
            let alerts =
                desk.list(&AlertFilter { open: !all, rules, limit, ..AlertFilter::default() }).await?;
            call.print.answer(&alerts, || listing(&alerts))?;
        }
        Alerts::Show { id } => {
            let detail = desk.show(id).await?.ok_or_else(|| unknown(id))?;
            call.print.answer(&detail, || shown(&detail))?;
        }
        Alerts::Ack { id } => {
            desk.show(id).await?.ok_or_else(|| unknown(id))?;
            let acked = desk.ack(id, &actor()).await?;
            call.print.answer(&json!({ "alert": id, "acknowledged": acked }), || match acked {
                true => format!("alert {id} is acknowledged"),
                false => format!("alert {id} was closed or acknowledged already"),
            })?;
        }
        Alerts::Test { route } => test(call, app, settings, &desk, &route).await?,
    }
    Ok(Exit::Ok)
}

fn unknown(id: AlertId) -> CliError {
    let remedy = "`compline alerts list --all` shows those that there are";
    CliError::new(Exit::NotFound, format!("there is no alert {id}"), remedy)
}

async fn test(call: &Call, app: &App, settings: &Settings, desk: &Desk, route: &str) -> Result<()> {
    let courier = app.courier(settings)?.filter(|courier| courier.routes.contains_key(route));
    let Some(courier) = courier else {
        let known: Vec<_> = settings.alerts.routes.keys().map(String::as_str).collect();
        let remedy = match known.is_empty() {
            true => "add it to the configuration, below [alerts.routes]".to_owned(),
            false => format!("name one of: {}", known.join(", ")),
        };
        return Err(CliError::usage(format!("there is no route `{route}`"), remedy));
    };
    let key = desk.test(&courier, route, &actor()).await.map_err(|error| {
        let remedy = "`compline doctor` looks at the mail server and the receivers without sending";
        CliError::new(Exit::Unreachable, CliError::from_chain(error).with_causes(), remedy)
    })?;
    call.print.answer(&json!({ "route": route, "id": key }), || {
        format!("a sample was sent by route {route}, under the id {key}")
    })
}

fn listing(alerts: &[AlertRow]) -> String {
    if alerts.is_empty() {
        return "nothing is the matter".into();
    }
    let rows: Vec<_> = alerts
        .iter()
        .map(|alert| {
            row![
                alert.id.to_string(),
                alert.severity.name(),
                alert.rule.as_str(),
                alert.count.to_string(),
                print::time(alert.opened_at),
                state(alert),
                print::short(&alert.text, 60),
            ]
        })
        .collect();
    print::table(&["ID", "SEVERITY", "RULE", "COUNT", "SINCE", "STATE", "WHAT"], &rows)
}

fn state(alert: &AlertRow) -> &'static str {
    match (alert.closed_at, alert.acked_at) {
        (Some(_), _) => "closed",
        (None, Some(_)) => "acknowledged",
        (None, None) => "open",
    }
}

fn shown(detail: &AlertDetail) -> String {
    let AlertDetail { alert, deliveries } = detail;
    let acked = match (&alert.acked_by, alert.acked_at) {
        (Some(by), Some(at)) => format!("{} by {by}", print::time(at)),
        _ => "-".into(),
    };
    let mut lines = vec![
        alert.text.clone(),
        format!("rule          {}", alert.rule),
        format!("severity      {}", alert.severity.name()),
        format!("state         {}", state(alert)),
        format!("count         {}", alert.count),
        format!("since         {}", print::time(alert.opened_at)),
        format!("last          {}", print::time(alert.last_at)),
        format!("closed        {}", print::optional_time(alert.closed_at)),
        format!("acknowledged  {acked}"),
    ];
    lines.extend(alert.jobs.iter().map(|job| format!("job           {job}")));
    if !deliveries.is_empty() {
        let rows: Vec<_> = deliveries
            .iter()
            .map(|sent| {
                row![
                    sent.telling.to_string(),
                    sent.route.as_str(),
                    sent.state.as_str(),
                    sent.attempts.to_string(),
                    print::time(sent.ended_at.unwrap_or(sent.due_at)),
                    sent.error.as_deref().unwrap_or("-"),
                ]
            })
            .collect();
        lines.push(String::new());
        lines.push(print::table(&["MESSAGE", "ROUTE", "STATE", "TRIES", "ENDED OR DUE", "ERROR"], &rows));
    }
    print::plain(&lines.join("\n"))
}
