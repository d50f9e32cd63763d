//! `users`: the people who sign in, made and looked after by whoever has the store.

use std::io::{IsTerminal, Read};
use std::sync::Arc;

use clap::{Args, Subcommand};
use engine::approvals::rules::Action;
use engine::audit::seen::{Sight, Thing};
use engine::identity::Users;
use engine::identity::password::Passwords;
use engine::identity::users::{Given, giving_role, resetting};
use jobkit::{Personal, SecretString};
use serde_json::{Value, json};
use store::identities::{Email, SessionRow, UserChange, UserRow, Whom};
use store::{Actor, Role, SessionId};

use super::approvals::ApprovalArg;
use super::exit::{CliError, Exit, Result};
use super::{Call, actor, print, shows};
use crate::app::App;
use crate::cli::print::row;
use crate::telemetry::Voice;

mod terminal;

#[derive(Debug, Subcommand)]
pub enum UsersCommand {
    /// Create a user; the password is asked for, and not shown.
    Create {
        #[arg(long, value_parser = email)]
        email: Email,
        /// What the user is called.
        #[arg(long)]
        name: String,
        /// owner, admin, member or viewer.
        #[arg(long)]
        role: Role,
        /// The tenant that the user belongs to; without it, the whole installation.
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        approval: ApprovalArg,
    },
    /// List users, the first that came first.
    List,
    /// Show one user.
    Show { user: Who },
    /// Let a user sign in no more; all sessions end.
    Disable { user: Who },
    /// Let a user sign in again.
    Enable { user: Who },
    /// Give a user another role.
    SetRole {
        user: Who,
        /// owner, admin, member or viewer.
        role: Role,
        #[command(flatten)]
        approval: ApprovalArg,
    },
    /// Give a user another password; all sessions end.
    ResetPassword {
        user: Who,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        approval: ApprovalArg,
    },
    /// Take the second factor from a user who lost it, with its recovery codes.
    ResetTotp {
        user: Who,
        #[command(flatten)]
        approval: ApprovalArg,
    },
    /// List the sessions that a user has open.
    Sessions { user: Who },
    /// End the sessions of a user, or one of them.
    SignOut {
        user: Who,
        #[arg(long, value_name = "ID", value_parser = session_id)]
        session: Option<SessionId>,
    },
}

#[derive(Debug, Args)]
pub struct PasswordArgs {
    /// Read the password from standard input, up to the end or the end of the line.
    #[arg(long)]
    password_stdin: bool,
}

/// A user, by id or by address.
#[derive(Debug, Clone)]
pub struct Who(Whom);

impl std::str::FromStr for Who {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(id) = text.parse() {
            return Ok(Self(Whom::Id(id)));
        }
        let unknown =
            "this is neither an id of a user nor an e-mail address; `compline users list` shows them";
        text.parse().map(|email| Self(Whom::Email(email))).map_err(|_| unknown.into())
    }
}

fn email(text: &str) -> Result<Email, String> {
    text.parse().map_err(|expected| format!("this is not {expected}"))
}

fn session_id(text: &str) -> Result<SessionId, String> {
    text.parse().map_err(|_| format!("`{text}` is no id of a session; `compline users sessions` shows them"))
}

pub async fn run(call: &Call, command: UsersCommand) -> Result {
    let loaded = call.load(Voice::Command)?;
    let app = super::open(&loaded.settings).await?;
    let users = Passwords::new().map(|passwords| {
        let idle = loaded.settings.identity.session_idle;
        Users::new(app.store.clone(), app.clock.clone(), Arc::new(passwords), idle)
    });
    let ended = match users {
        Ok(users) => answer(call, &app, &users, command).await,
        Err(problem) => Err(problem.into()),
    };
    app.close().await;
    ended
}

async fn answer(call: &Call, app: &App, users: &Users, command: UsersCommand) -> Result {
    match command {
        UsersCommand::Create { email, name, role, tenant, password, approval } => {
            let password = password.read()?;
            let given = Given { email, name: Personal::new(name), role, tenant, password };
            let by = approval.leave(app, Action::UsersCreate, given.told()).await?;
            let user = users.create(given, &by).await?;
            call.print.answer(&as_json(&user), || format!("user {} is created", user.id))?;
        }
        UsersCommand::List => {
            let found = all(users).await?;
            shows(app, &found.iter().map(sight).collect::<Vec<_>>()).await?;
            let json: Vec<_> = found.iter().map(as_json).collect();
            call.print.answer(&json, || listing(&found))?;
        }
        UsersCommand::Show { user } => {
            let user = find(users, &user).await?;
            shows(app, &[sight(&user)]).await?;
            call.print.answer(&as_json(&user), || shown(&user))?;
        }
        UsersCommand::Disable { user } => change(call, users, &user, UserChange::Disable, "disabled").await?,
        UsersCommand::Enable { user } => change(call, users, &user, UserChange::Enable, "enabled").await?,
        UsersCommand::SetRole { user, role, approval } => {
            let found = find(users, &user).await?;
            let by = approval.leave(app, Action::UsersSetRole, giving_role(&found, role)).await?;
            let change = UserChange::Role { from: Some(found.role), to: role };
            change_by(call, users, &user, change, role.name(), &by).await?;
        }
        UsersCommand::ResetTotp { user, approval } => {
            let what = resetting(&find(users, &user).await?);
            let by = approval.leave(app, Action::UsersResetTotp, what).await?;
            change_by(call, users, &user, UserChange::RemoveTotp, "without a second factor", &by).await?;
        }
        UsersCommand::ResetPassword { user, password, approval } => {
            let user = find(users, &user).await?;
            let by = approval.leave(app, Action::UsersResetPassword, resetting(&user)).await?;
            users.reset_password(&user, &password.read()?, &by).await?;
            let json = json!({ "id": user.id, "changed": true });
            call.print.answer(&json, || format!("user {} has another password, and no session", user.id))?;
        }
        UsersCommand::Sessions { user } => {
            let user = find(users, &user).await?;
            let sessions = users.sessions(user.id).await?;
            if !sessions.is_empty() {
                shows(app, &[Sight::of(Thing::Sessions(user.id), "sessions")]).await?;
            }
            let json: Vec<_> = sessions.iter().map(session_json).collect();
            call.print.answer(&json, || sessions_listing(&sessions))?;
        }
        UsersCommand::SignOut { user, session } => {
            let user = find(users, &user).await?;
            let ended = users.sign_out(user.id, session, &actor()).await?;
            let json = json!({ "id": user.id, "ended": ended });
            call.print.answer(&json, || format!("{ended} sessions of user {} have ended", user.id))?;
        }
    }
    Ok(Exit::Ok)
}

fn sight(user: &UserRow) -> Sight {
    Sight::user(user.id, user.tenant.as_deref())
}

async fn change(call: &Call, users: &Users, user: &Who, change: UserChange, is: &str) -> Result<()> {
    change_by(call, users, user, change, is, &actor()).await
}

async fn change_by(
    call: &Call,
    users: &Users,
    user: &Who,
    change: UserChange,
    is: &str,
    by: &Actor,
) -> Result<()> {
    let user = find(users, user).await?;
    let changed = users.change(user.id, &change, by).await?;
    let already = if changed { "now" } else { "already" };
    let json = json!({ "id": user.id, "changed": changed });
    call.print.answer(&json, || format!("user {} is {already} {is}", user.id))
}

async fn find(users: &Users, who: &Who) -> Result<UserRow> {
    users.find(&who.0).await?.ok_or_else(|| {
        CliError::new(Exit::NotFound, "there is no such user", "`compline users list` shows those there are")
    })
}

async fn all(users: &Users) -> Result<Vec<UserRow>> {
    const PAGE: usize = 500;
    let mut found: Vec<UserRow> = Vec::new();
    loop {
        let page = users.list(found.last().map(|user| user.id), PAGE).await?;
        let last = page.len() < PAGE;
        found.extend(page);
        if last {
            return Ok(found);
        }
    }
}

impl PasswordArgs {
    fn read(&self) -> Result<SecretString> {
        if self.password_stdin {
            let mut text = String::new();
            std::io::stdin().take(4_096).read_to_string(&mut text).map_err(CliError::from_chain)?;
            let line = text.lines().next().unwrap_or_default();
            return Ok(SecretString::from(line));
        }
        if !std::io::stdin().is_terminal() {
            let remedy = "pass --password-stdin, and the password on standard input";
            return Err(CliError::usage("there is no terminal to ask for the password", remedy));
        }
        let first = terminal::ask("Password: ").map_err(CliError::from_chain)?;
        let second = terminal::ask("The same again: ").map_err(CliError::from_chain)?;
        match terminal::same(&first, &second) {
            true => Ok(first),
            false => Err(CliError::usage("the two passwords differ", "type the same one twice")),
        }
    }
}

fn as_json(user: &UserRow) -> Value {
    json!({
        "id": user.id,
        "email": user.email.expose(),
        "name": user.name.expose(),
        "role": user.role,
        "tenant": user.tenant,
        "created_at": user.created_at,
        "password_changed_at": user.password_changed_at,
        "disabled_at": user.disabled_at,
        "second_factor": user.second_factor().is_some(),
        "recovery_codes_left": user.recovery,
    })
}

fn session_json(session: &SessionRow) -> Value {
    json!({
        "id": session.id,
        "created_at": session.created_at,
        "used_at": session.used_at,
        "expires_at": session.expires_at,
        "user_agent": session.user_agent,
        "source": session.source,
    })
}

fn listing(users: &[UserRow]) -> String {
    if users.is_empty() {
        return "there are no users; `compline users create` makes the first".into();
    }
    let rows: Vec<_> = users
        .iter()
        .map(|user| {
            row![
                user.id.to_string(),
                print::plain(user.email.expose()),
                print::plain(user.name.expose()),
                user.role.name(),
                user.tenant.as_deref().map_or_else(|| "-".to_owned(), print::plain),
                if user.disabled_at.is_some() { "disabled" } else { "-" },
                if user.second_factor().is_some() { "yes" } else { "-" },
            ]
        })
        .collect();
    print::table(&["ID", "EMAIL", "NAME", "ROLE", "TENANT", "STATE", "SECOND FACTOR"], &rows)
}

fn shown(user: &UserRow) -> String {
    let lines = [
        format!("id             {}", user.id),
        format!("email          {}", user.email.expose()),
        format!("name           {}", user.name.expose()),
        format!("role           {}", user.role.name()),
        format!("tenant         {}", user.tenant.as_deref().unwrap_or("-")),
        format!("created        {}", print::time(user.created_at)),
        format!("password       changed {}", print::time(user.password_changed_at)),
        format!("disabled       {}", print::optional_time(user.disabled_at)),
        format!("second factor  {}", if user.second_factor().is_some() { "yes" } else { "-" }),
        format!("recovery codes {}", user.recovery),
    ];
    print::plain(&lines.join("\n"))
}

fn sessions_listing(sessions: &[SessionRow]) -> String {
    if sessions.is_empty() {
        return "the user has no session open".into();
    }
    let rows: Vec<_> = sessions
        .iter()
        .map(|session| {
            row![
                session.id.to_string(),
                print::time(session.created_at),
                print::time(session.used_at),
                print::time(session.expires_at),
                print::plain(&session.source),
                print::plain(&print::short(&session.user_agent, 40)),
            ]
        })
        .collect();
    print::table(&["ID", "OPENED", "USED", "EXPIRES", "FROM", "BY"], &rows)
}
