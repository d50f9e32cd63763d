//! `tokens`: what services show to be known by, made and looked after by whoever has the store.

use std::time::Duration;

use clap::{Args, Subcommand};
use engine::approvals::rules::Action;
use engine::http::view::tokens::Token;
use engine::identity::networks::Network;
use engine::identity::tokens::{Given, Issued, rotating};
use engine::identity::{Permission, Permissions, Tokens, keys, platform};
use jiff::Timestamp;
use jobkit::redact::ExposeSecret;
use serde_json::json;
use store::tokens::{TokenRow, TokenState, Which};
use store::{Role, TokenId};

use super::approvals::ApprovalArg;
use super::exit::{CliError, Exit, Result};
use super::{Call, actor, print};
use crate::app::App;
use crate::cli::print::row;
use crate::config::Settings;

#[derive(Debug, Subcommand)]
pub enum TokensCommand {
    /// Create a token for a service, and print its secret, which is not shown again.
    Create(CreateArgs),
    /// List tokens, the first that came first.
    List {
        /// Those that have expired or were revoked, too.
        #[arg(long)]
        all: bool,
    },
    /// Show one token.
    Show { token: Named },
    /// Let nobody in by a token any more, at once and for good.
    Revoke { token: Named },
    /// Give a token another secret, and print it; the one there is goes on for a while.
    Rotate {
        token: Named,
        /// For how long the secret that there is goes on: "0s" where somebody else may have it.
        #[arg(long, default_value = "1d", value_parser = super::duration)]
        grace: Duration,
        /// When the token ends, from now.
        #[arg(long, default_value = "90d", value_parser = super::duration)]
        expires: Duration,
        #[command(flatten)]
        approval: ApprovalArg,
    },
    /// Print what the audit log calls somebody whom the platform knows.
    PlatformName {
        /// As the platform writes it in identity.platform.subject_claim.
        subject: String,
    },
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    /// What the audit log calls it: service:NAME. One token has it, for ever.
    #[arg(long)]
    name: String,
    /// What it may do; may be given several times. `docs/reference/access.md` lists all.
    #[arg(long = "permission", value_name = "PERMISSION", required_unless_present = "role")]
    permissions: Vec<Permission>,
    /// All that a role may do today and a service may have: admin, member or viewer.
    #[arg(long)]
    role: Option<Role>,
    /// The tenant that it is for; without it, the whole installation.
    #[arg(long)]
    tenant: Option<String>,
    /// When it ends, from now; 366 days at most.
    #[arg(long, default_value = "90d", value_parser = super::duration)]
    expires: Duration,
    /// A network that it may be shown from, such as 10.0.0.0/8; may be given several times.
    #[arg(long = "from", value_name = "CIDR")]
    networks: Vec<Network>,
    #[command(flatten)]
    approval: ApprovalArg,
}

/// A token, by id or by name.
#[derive(Debug, Clone)]
pub struct Named(Which);

impl std::str::FromStr for Named {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.parse().map_or_else(|_| Which::Name(text.into()), Which::Id)))
    }
}

pub async fn run(call: &Call, command: TokensCommand) -> Result {
    call.with_app_and_settings(async |app, settings| answer(call, app, settings, command).await).await
}

async fn answer(call: &Call, app: &App, settings: &Settings, command: TokensCommand) -> Result {
    let tokens = Tokens::new(app.store.clone(), app.clock.clone());
    match command {
        TokensCommand::Create(args) => {
            let approval = args.approval;
            let given = args.given();
            let by = approval.leave(app, Action::TokensCreate, given.told()).await?;
            let issued = tokens.create(given, Permissions::all(), &by).await?;
            told(call, app, issued, "created").await?;
        }
        TokensCommand::List { all } => {
            let now = app.store.now().await?;
            let mut found = every(&tokens).await?;
            found.retain(|token| all || token.state(now) == TokenState::Live);
            let json: Vec<_> = found.iter().map(|token| Token::of(token.clone(), now)).collect();
            call.print.answer(&json, || listing(&found, now))?;
        }
        TokensCommand::Show { token } => {
            let now = app.store.now().await?;
            let token = Token::of(find(&tokens, &token).await?, now);
            call.print.answer(&token, || shown(&token))?;
        }
        TokensCommand::Revoke { token } => {
            let token = find(&tokens, &token).await?;
            let changed = tokens.revoke(token.id, &actor()).await?;
            let already = if changed { "now" } else { "already" };
            let json = json!({ "id": token.id, "changed": changed });
            call.print.answer(&json, || format!("token {} is {already} revoked", token.name))?;
        }
        TokensCommand::Rotate { token, grace, expires, approval } => {
            let token = find(&tokens, &token).await?;
            let by = approval.leave(app, Action::TokensCreate, rotating(&token, grace, expires)).await?;
            let issued = tokens.rotate(&token, (grace, expires), Permissions::all(), &by).await?;
            told(call, app, issued, "rotated").await?;
        }
        TokensCommand::PlatformName { subject } => {
            let issuer = &settings.identity.platform.issuer;
            let (Some(key), false) = (&settings.identity.key, issuer.is_empty()) else {
                let remedy = "set identity.key and identity.platform as the processes have them that serve";
                return Err(CliError::usage("there is no platform in this configuration", remedy));
            };
            let keys =
                keys::Keys::load(key).map_err(|problem| CliError::from_chain(problem).ending(Exit::Usage))?;
            let name = platform::name(&keys.subject, issuer, &subject);
            call.print.answer(&json!({ "actor": name }), || name.clone())?;
        }
    }
    Ok(Exit::Ok)
}

impl CreateArgs {
    fn given(self) -> Given {
        let by_role = self.role.map(|role| Permissions::of_role(role).of_services());
        // What is of the whole installation is nothing for a tenant, and nobody asked for it by its name.
        let fits = |one: &Permission| self.tenant.is_none() || !one.is_of_the_installation();
        let by_role: Permissions = by_role.unwrap_or_default().iter().filter(fits).collect();
        let permissions = by_role.union(self.permissions.into_iter().collect());
        let Self { name, tenant, networks, expires, .. } = self;
        Given { name, permissions, tenant, networks, life: expires }
    }
}

/// The secret goes to standard output alone, so that a script can take it from there.
async fn told(call: &Call, app: &App, Issued { token, secret }: Issued, what: &str) -> Result<()> {
    let token = Token::of(token, app.store.now().await?);
    let json = json!({ "token": token, "secret": secret.expose_secret() });
    if !call.print.json {
        let until = print::time(token.expires_at);
        print::remark(&format!(
            "token {} is {what} and ends {until}; its secret is not shown again",
            print::plain(&token.name)
        ));
    }
    call.print.answer(&json, || secret.expose_secret().to_owned())
}

async fn find(tokens: &Tokens, which: &Named) -> Result<TokenRow> {
    tokens.find(&which.0).await?.ok_or_else(|| {
        let remedy = "`compline tokens list --all` shows those there are";
        CliError::new(Exit::NotFound, "there is no such token", remedy)
    })
}

pub async fn every(tokens: &Tokens) -> Result<Vec<TokenRow>> {
    const PAGE: usize = 500;
    let mut found: Vec<TokenRow> = Vec::new();
    loop {
        let last: Option<TokenId> = found.last().map(|token| token.id);
        let page = tokens.list(last, PAGE).await?;
        let last = page.len() < PAGE;
        found.extend(page);
        if last {
            return Ok(found);
        }
    }
}

fn listing(tokens: &[TokenRow], now: Timestamp) -> String {
    if tokens.is_empty() {
        return "there are no tokens; `compline tokens create` makes one".into();
    }
    let rows: Vec<_> = tokens
        .iter()
        .map(|token| {
            row![
                token.id.to_string(),
                print::plain(&token.name),
                token.state(now).name(),
                print::plain(&token.permissions.join(" ")),
                token.tenant.as_deref().map_or_else(|| "-".to_owned(), print::plain),
                print::time(token.expires_at),
                print::optional_time(token.used_at),
            ]
        })
        .collect();
    print::table(&["ID", "NAME", "STATE", "MAY", "TENANT", "ENDS", "USED"], &rows)
}

fn shown(token: &Token) -> String {
    let or_anywhere = if token.networks.is_empty() { "anywhere".into() } else { token.networks.join(" ") };
    let lines = [
        format!("id           {}", token.id),
        format!("name         {}", token.name),
        format!("state        {}", token.state),
        format!("may          {}", token.permissions.join(" ")),
        format!("tenant       {}", token.tenant.as_deref().unwrap_or("-")),
        format!("from         {or_anywhere}"),
        format!("created      {} by {}", print::time(token.created_at), token.created_by),
        format!("ends         {}", print::time(token.expires_at)),
        format!("rotated      {}", print::optional_time(token.rotated_at)),
        format!("old secret   {}", print::optional_time(token.old_secret_until)),
        format!("revoked      {}", print::optional_time(token.revoked_at)),
        format!("used         {}", print::optional_time(token.used_at)),
    ];
    print::plain(&lines.join("\n"))
}
