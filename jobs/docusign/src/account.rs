//! The accounts, and whether one is parked: when a sign-in or a permission is at fault no job does any better, so that one tries now and then, and the others
//! wait without using their attempts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jobkit::records::{Hold, Put, Record, RecordChange, RecordId};
use jobkit::{Ctx, Failure, Gravity, News};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::config::{AccountConfig, DEFAULT_ACCOUNT};
use crate::provider::{CallError, Fault, SignatureProvider};

pub const COLLECTION: &str = "docusign.account";
/// The alert while an account is parked.
pub const PARKED: &str = "docusign.parked";
/// How often one job tries whether it is well again.
pub const TRY_AGAIN: Duration = Duration::from_secs(5 * 60);
const A_MOMENT: Duration = Duration::from_secs(30);
const OPEN: &str = "open";
const CLOSED: &str = "parked";

pub struct Account {
    pub name: String,
    /// Whose envelopes they are, where several installations share it; none: by the name that was drawn with the database.
    pub installation: Option<String>,
    pub config: AccountConfig,
    pub provider: Arc<dyn SignatureProvider>,
}

#[derive(Clone, Default)]
pub struct Accounts(Arc<BTreeMap<String, Account>>);

impl Accounts {
    pub fn new(accounts: impl IntoIterator<Item = Account>) -> Self {
        Self(Arc::new(accounts.into_iter().map(|account| (account.name.clone(), account)).collect()))
    }

    pub fn all(&self) -> impl Iterator<Item = &Account> {
        self.0.values()
    }

    pub fn named(&self, name: &str) -> Option<&Account> {
        self.0.get(name)
    }

    /// At the door, where nobody knows yet whose the job is.
    pub fn check(&self, name: Option<&str>) -> Result<(), String> {
        let name = name.unwrap_or(DEFAULT_ACCOUNT);
        match self.0.contains_key(name) {
            true => Ok(()),
            false => Err(format!("account: there is no account `{name}`; {}", self.known())),
        }
    }

    fn known(&self) -> String {
        match self.0.is_empty() {
            true => "none is configured; add [docusign.accounts.default], or set DOCUSIGN_INTEGRATION_KEY and the others".into(),
            false => "docusign.accounts of the configuration has their names".into(),
        }
    }

    /// The account that the job may use.
    pub fn of(&self, name: Option<&str>, ctx: &Ctx) -> Result<&Account, Failure> {
        self.check(name).map_err(Failure::permanent)?;
        let account = self.0.get(name.unwrap_or(DEFAULT_ACCOUNT));
        let account = account.filter(|account| account.config.is_for(ctx.job().tenant.as_deref()));
        account.ok_or_else(|| {
            let name = name.unwrap_or(DEFAULT_ACCOUNT);
            Failure::permanent(format!(
                "account: `{name}` is not for jobs of this tenant; see docusign.accounts.{name}.tenants"
            ))
        })
    }
}

/// Why it is parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Parked {
    why: String,
    code: Option<String>,
    /// One alert for each: who mends one is to hear of the other. None of what was written down before there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    since: Timestamp,
}

/// For each tenant that uses it one of its own: what a job of a tenant finds is not another's to see, or to suffer from.
fn id(account: &str, ctx: &Ctx) -> RecordId {
    RecordId { collection: COLLECTION.into(), tenant: ctx.job().tenant.clone(), key: account.into() }
}

impl Account {
    /// By which the provider is to tell our envelopes from those of others in the account.
    pub async fn installation(&self, ctx: &Ctx) -> Result<String, Failure> {
        match &self.installation {
            Some(name) => Ok(name.clone()),
            None => Ok(ctx.installation().await?.to_string()),
        }
    }

    /// Lets a job through, unless the account is parked: then one of all, when it is time to try, which is told so.
    pub async fn open(&self, ctx: &Ctx) -> Result<bool, Failure> {
        let Some(record) = ctx.records().get(ctx, &id(&self.name, ctx)).await? else { return Ok(false) };
        if record.state != CLOSED {
            return Ok(false);
        }
        let now = ctx.clock().now();
        // A clock that was ahead must not park it for longer than any other.
        let wait = record.due_at.and_then(|at| Duration::try_from(at.duration_since(now)).ok());
        let wait = wait.map(|wait| wait.min(TRY_AGAIN));
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            return Err(self.parked(&record, wait));
        }
        match ctx.records().hold(ctx, &id(&self.name, ctx)).await? {
            Some(record) => Ok(record.state == CLOSED),
            // Another tries, and will know in a moment.
            None => Err(self.parked(&record, A_MOMENT)),
        }
    }

    fn parked(&self, record: &Record, after: Duration) -> Failure {
        let parked: Option<Parked> = serde_json::from_value(record.body.clone()).ok();
        let why = parked.map(|parked| parked.why).unwrap_or_default();
        Failure::NotNow { after, why: format!("the account `{}` is parked: {why}", self.name) }
    }

    /// Nobody calls it until one that tries is answered. Told once, however many find it so.
    pub async fn park(&self, ctx: &Ctx, error: &CallError) -> Result<Failure, Failure> {
        let known = ctx.records().get(ctx, &id(&self.name, ctx)).await?;
        let now = ctx.clock().now();
        let since = known.as_ref().filter(|record| record.state == CLOSED);
        let since = since.and_then(|record| serde_json::from_value::<Parked>(record.body.clone()).ok());
        let parked = Parked {
            why: error.to_string(),
            code: error.code.clone(),
            reason: Some(reason(error)),
            since: since.as_ref().map_or(now, |parked| parked.since),
        };
        let about = self.about(&parked);
        let before = since.map(|parked| self.about(&parked)).filter(|before| *before != about);
        // What was the matter before is no longer, or nobody could tell.
        let ended = before.map(|before| {
            let text = format!("the DocuSign account `{}` is parked for another reason: {error}", self.name);
            News::ended(PARKED, &before, text)
        });
        let text = format!("the DocuSign account `{}` is parked: {error}", self.name);
        let news = ended.into_iter().chain([News::began(PARKED, &about, Gravity::Critical, text)]).collect();
        let record = self.change(ctx, known.as_ref(), CLOSED, "docusign.account.park", news);
        let due_at = now.checked_add(TRY_AGAIN).ok();
        let change =
            RecordChange { due_at, body: json!(parked), details: json!({ "code": parked.code }), ..record };
        // Who was quicker found the same.
        ctx.records().put(ctx, change).await?;
        Ok(Failure::NotNow { after: TRY_AGAIN, why: text_of(&self.name, error) })
    }

    /// The account answered: if it was parked, it no longer is.
    pub async fn answered(&self, ctx: &Ctx) -> Result<(), Failure> {
        let known = ctx.records().get(ctx, &id(&self.name, ctx)).await?;
        let Some(known) = known.filter(|record| record.state == CLOSED) else { return Ok(()) };
        let parked = serde_json::from_value::<Parked>(known.body.clone()).ok();
        let about = parked.map_or_else(|| self.name.clone(), |parked| self.about(&parked));
        let news = News::ended(PARKED, &about, format!("the DocuSign account `{}` answers again", self.name));
        let change = self.change(ctx, Some(&known), OPEN, "docusign.account.open", vec![news]);
        match ctx.records().put(ctx, change).await? {
            Put::Done(_) | Put::Moved | Put::Taken(_) => Ok(()),
        }
    }

    /// What the alert is about.
    fn about(&self, parked: &Parked) -> String {
        let reason = parked.reason.as_deref().map(|reason| format!("/{reason}"));
        format!("{}{}", self.name, reason.unwrap_or_default())
    }

    fn change(
        &self,
        ctx: &Ctx,
        known: Option<&Record>,
        state: &str,
        action: &str,
        news: Vec<News>,
    ) -> RecordChange {
        RecordChange {
            id: id(&self.name, ctx),
            from: known.map_or(0, |record| record.version),
            names: Vec::new(),
            state: state.into(),
            due_at: None,
            body: json!({}),
            action: action.into(),
            details: json!({}),
            news,
            // Whoever finds it otherwise has to be able to say so, however long this job still has to do.
            hold: Hold::LetGo,
        }
    }
}

fn reason(error: &CallError) -> String {
    let by_fault = match error.fault {
        Fault::Token => "token",
        Fault::Consent => "consent",
        Fault::Permission => "permission",
        _ => "sign_in",
    };
    error.code.as_deref().unwrap_or(by_fault).to_lowercase()
}

fn text_of(account: &str, error: &CallError) -> String {
    format!("the account `{account}` is parked: {error}")
}
