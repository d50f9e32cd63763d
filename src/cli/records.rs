//! `records`: what families keep of things beyond jobs, and where each stands. Jobs alone change it.

use clap::Subcommand;
use engine::http::view::records::{Record, RecordInFull};
use jobkit::{RecordFilter, RecordId};
use store::{RecordPage, Scope};

use super::exit::{CliError, Exit, Result};
use super::{Call, Until, print};
use crate::cli::print::row;

#[derive(Debug, Subcommand)]
pub enum Records {
    /// List the records of a collection, by key, or the longest due first.
    List {
        /// Things of one sort: FAMILY.THING.
        collection: String,
        /// In this state; may be given several times.
        #[arg(long = "state", value_name = "STATE", value_delimiter = ',')]
        states: Vec<String>,
        /// Only those that are due by then: a time, or so long from now.
        #[arg(long, value_name = "TIME", value_parser = super::until)]
        due_by: Option<Until>,
        /// The first so many.
        #[arg(long, default_value_t = 100, value_parser = super::at_least_one)]
        limit: usize,
    },
    /// Show one record, with all that the family knows of the thing.
    Show {
        collection: String,
        key: String,
        /// The tenant whose it is; without it, the installation's.
        #[arg(long)]
        tenant: Option<String>,
    },
}

pub async fn run(call: &Call, command: Records) -> Result {
    let everything = Scope::Installation;
    call.with_app(async |app| {
        match command {
            Records::List { collection, states, due_by, limit } => {
                let due_by = match due_by {
                    Some(until) => Some(until.on(app).await?),
                    None => None,
                };
                let filter = RecordFilter { collection, states, due_by, after: None, limit };
                let page = RecordPage { with_bodies: false, ..RecordPage::of(&filter) };
                let records = app.store.records(&everything, &page).await?;
                let records: Vec<_> = records.into_iter().map(Record::from).collect();
                call.print.answer(&records, || listing(&records))?;
                if records.len() == limit && !call.print.json {
                    print::remark(&format!("the first {limit} are shown; --limit shows more"));
                }
            }
            Records::Show { collection, key, tenant } => {
                let id = RecordId { collection, tenant, key };
                let record = app.store.record(&everything, &id).await?.ok_or_else(|| unknown(&id))?;
                let record = RecordInFull::from(record);
                call.print.answer(&record, || shown(&record))?;
            }
        }
        Ok(Exit::Ok)
    })
    .await
}

fn unknown(RecordId { collection, tenant, key }: &RecordId) -> CliError {
    let whose =
        tenant.as_ref().map_or_else(|| "the installation".to_owned(), |tenant| format!("tenant `{tenant}`"));
    let text = format!("there is no record `{key}` of {whose} in `{collection}`");
    let remedy = format!("`compline records list {collection}` shows them; --tenant says whose it is");
    CliError::new(Exit::NotFound, text, remedy)
}

fn listing(records: &[Record]) -> String {
    if records.is_empty() {
        return "no records match; jobs of the family make them".into();
    }
    let rows: Vec<_> = records
        .iter()
        .map(|record| {
            row![
                print::plain(&record.key),
                record.tenant.as_deref().map_or_else(|| "-".to_owned(), print::plain),
                print::plain(&record.state),
                record.version.to_string(),
                record.due_at.map_or_else(|| "-".to_owned(), print::time),
                print::time(record.changed_at),
            ]
        })
        .collect();
    print::table(&["KEY", "TENANT", "STATE", "VERSION", "DUE", "CHANGED"], &rows)
}

fn shown(RecordInFull { record, body }: &RecordInFull) -> String {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    let lines = [
        format!("collection  {}", record.collection),
        format!("key         {}", record.key),
        format!("tenant      {}", or_none(record.tenant.clone())),
        format!("names       {}", or_none((!record.names.is_empty()).then(|| record.names.join(", ")))),
        format!("state       {}", record.state),
        format!("due         {}", or_none(record.due_at.map(print::time))),
        format!("version     {}", record.version),
        format!("made        {}", print::time(record.made_at)),
        format!("changed     {} by job {}", print::time(record.changed_at), record.changed_by),
        format!("body        {body}"),
    ];
    print::plain(&lines.join("\n"))
}
