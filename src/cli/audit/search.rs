//! `audit search` and `audit redact`: what was done, by whom and from where; and what is personal of that, erased.

use clap::{ArgGroup, Args};
use engine::approvals::rules::Action;
use jobkit::{AuditEntry, JobId};
use serde_json::{Value, json};
use store::{AuditSearch, Erasing, Position, Store};

use crate::cli::approvals::ApprovalArg;
use crate::cli::exit::{CliError, Exit, Result};
use crate::cli::moment::Moment;
use crate::cli::print::{self, row};
use crate::cli::{Call, actor};

/// All conditions must hold.
#[derive(Debug, Args)]
pub struct Search {
    /// Who did it, as entries name it: user:ID, token:api, cli:NAME, worker:7.
    #[arg(long)]
    actor: Option<String>,
    /// What was done; with a dot at its end all that begins so, as in `job.`.
    #[arg(long)]
    action: Option<String>,
    /// To what.
    #[arg(long)]
    object: Option<String>,
    /// How it ended.
    #[arg(long)]
    outcome: Option<String>,
    #[arg(long)]
    tenant: Option<String>,
    /// In the request of this id, the answer's X-Request-Id.
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// To this job.
    #[arg(long, value_name = "ID")]
    job: Option<JobId>,
    /// Then or later: a time, or so long ago.
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    from: Option<Moment>,
    /// Before: a time, or so long ago.
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    until: Option<Moment>,
    /// With a smaller number than this entry: where the page before ended.
    #[arg(long, value_name = "SEQ")]
    before: Option<i64>,
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
    /// Show the addresses and other personal data that entries stand for. That is written down itself.
    #[arg(long)]
    with_personal: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whose").required(true).args(["subject", "commitments", "before"]))]
pub struct Redact {
    /// All that is kept of this caller, as entries name it.
    #[arg(long, value_name = "WHO")]
    subject: Option<String>,
    /// What this commitment stands for; can be given several times.
    #[arg(long = "commitment", value_name = "c:…")]
    commitments: Vec<String>,
    /// All that was written so long ago or before that time.
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    before: Option<Moment>,
    /// With --before: of this field alone, such as `address`.
    #[arg(long)]
    field: Option<String>,
    /// Why, as the entry will say: the law, the request, the period.
    #[arg(long)]
    basis: String,
    #[command(flatten)]
    approval: ApprovalArg,
}

pub async fn search(call: &Call, wanted: Search) -> Result {
    let Search { limit, with_personal, .. } = wanted;
    let (from, until) = (wanted.from, wanted.until);
    let mut wanted = AuditSearch {
        actor: wanted.actor,
        action: wanted.action,
        object: wanted.object,
        outcome: wanted.outcome,
        tenant: wanted.tenant,
        request: wanted.request,
        job: wanted.job,
        from: None,
        until: None,
        before: wanted.before,
    };
    call.with_app(async |app| {
        let store = app.store.as_ref();
        let now = store.now().await?;
        [wanted.from, wanted.until] = [from, until].map(|moment| moment.map(|moment| moment.before(now)));
        let found = store.search_audit(&wanted, usize::from(limit)).await?;
        let opened = match with_personal {
            true => open(store, &found).await?,
            false => Vec::new(),
        };
        let personal = |text: &str| {
            opened.iter().find(|(commitment, _)| commitment == text).map(|(_, value)| value.as_str())
        };
        let json: Vec<_> = found
            .iter()
            .map(|(at, entry)| {
                let mut json = json!({ "seq": at.seq, "entry": entry });
                let source = entry.origin.source.as_deref();
                if let Some(value) = source.and_then(personal) {
                    json["address"] = value.into();
                }
                for (field, commitment) in personal_of(entry) {
                    if let Some(value) = personal(commitment) {
                        json["personal"][field] = value.into();
                    }
                }
                json
            })
            .collect();
        call.print.answer(&json, || {
            let rows: Vec<_> = found
                .iter()
                .map(|(at, entry)| {
                    let source = entry.origin.source.as_deref();
                    row![
                        at.seq.to_string(),
                        print::optional_time(entry.at),
                        entry.actor.as_str(),
                        entry.action.as_str(),
                        entry.object.as_str(),
                        entry.outcome.as_str(),
                        entry.origin.request.as_deref().unwrap_or_default(),
                        source
                            .map(|source| personal(source).unwrap_or(&source[..source.len().min(10)]))
                            .unwrap_or_default(),
                    ]
                })
                .collect();
            let headings = ["SEQ", "AT", "ACTOR", "ACTION", "OBJECT", "OUTCOME", "REQUEST", "SOURCE"];
            match rows.is_empty() {
                true => "no entry meets these conditions".into(),
                false => print::table(&headings, &rows),
            }
        })?;
        Ok(Exit::Ok)
    })
    .await
}

/// The commitments of an entry beside that to where it was asked from, by what they are to.
fn personal_of(entry: &AuditEntry) -> impl Iterator<Item = (&str, &str)> {
    let fields = entry.details.get("personal").and_then(Value::as_object);
    fields.into_iter().flatten().filter_map(|(field, value)| Some((field.as_str(), value.as_str()?)))
}

/// What opens the commitments of these entries. That it was looked at is written down before it is shown.
async fn open(store: &dyn Store, found: &[(Position, AuditEntry)]) -> Result<Vec<(String, String)>> {
    let sources = found.iter().filter_map(|(_, entry)| entry.origin.source.clone());
    let others = found.iter().flat_map(|(_, entry)| personal_of(entry)).map(|(_, value)| value.to_owned());
    let wanted: Vec<String> = sources.chain(others).collect();
    let seqs: Vec<i64> = found.iter().map(|(at, _)| at.seq).collect();
    let looked = actor().entry("audit.look", "audit", "ok", json!({ "entries": seqs }));
    store.append_audit(&looked).await?;
    let rows = store.openings(&wanted).await?;
    Ok(rows.into_iter().map(|row| (row.commitment, row.value.expose().clone())).collect())
}

/// What will be erased, for whoever approves it.
fn erasing(of: &Erasing, basis: &str) -> Value {
    match of {
        Erasing::Subject(subject) => json!({ "subject": subject, "basis": basis }),
        Erasing::Commitments(these) => json!({ "commitments": these, "basis": basis }),
        Erasing::Before { at, field } => json!({ "before": at, "field": field, "basis": basis }),
    }
}

/// So many in one entry.
const AT_ONCE: usize = 1_000;

pub async fn redact(call: &Call, wanted: Redact) -> Result {
    let Redact { subject, commitments, before, field, basis, approval } = wanted;
    if basis.trim().is_empty() {
        return Err(CliError::usage(
            "--basis is empty",
            "say why it is erased: the law, the request, the period",
        ));
    }
    if field.is_some() && before.is_none() {
        return Err(CliError::usage("--field goes with --before", "give --before, or leave --field out"));
    }
    call.with_app(async |app| {
        let of = match (subject, before) {
            (Some(subject), _) => Erasing::Subject(subject),
            (_, Some(before)) => Erasing::Before { at: before.before(app.store.now().await?), field },
            _ => Erasing::Commitments(commitments),
        };
        let mut by = approval.leave(app, Action::AuditRedact, erasing(&of, &basis)).await?;
        let mut erased = 0;
        loop {
            let now = app.store.erase_openings(&of, &basis, AT_ONCE, &by).await?.len();
            // The first of them used the approval; the rest is what it was given for.
            by = actor();
            erased += now;
            if now < AT_ONCE {
                break;
            }
        }
        call.print.answer(&json!({ "erased": erased }), || match erased {
            0 => "there was nothing of it; nothing was erased".into(),
            _ => format!(
                "{} erased; the entries stand, and nobody can tell any more what was in that place",
                print::count(erased, "value")
            ),
        })?;
        Ok(if erased > 0 { Exit::Ok } else { Exit::NotFound })
    })
    .await
}
