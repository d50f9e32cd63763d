//! Whether there are people who can give the approvals that the configuration demands.

use engine::approvals::rules::may_give;
use store::identities::UserRow;

use super::Check;
use crate::app::App;
use crate::cli::print;
use crate::config::Settings;

const PAGE: usize = 500;

/// Nothing to say where nothing is demanded.
pub async fn approvals(settings: &Settings, app: &App) -> Option<Check> {
    let name = "approvals";
    settings.approvals.wanted().next()?;
    let (users, waiting) = match (everybody(app).await, app.store.approvals_open().await) {
        (Ok(users), Ok((waiting, _))) => (users, waiting),
        (Err(error), _) | (_, Err(error)) => return Some(Check::fail(name, &error.into())),
    };
    let able = |permission| {
        users.iter().filter(|user| user.tenant.is_none() && may_give(user.role, permission)).count()
    };
    let short =
        settings.approvals.wanted().find(|(_, people, permission)| able(*permission) < usize::from(*people));
    Some(match short {
        Some((action, people, permission)) => Check::warn(
            name,
            format!(
                "{action} wants {} with {permission}, and there are {}",
                print::count(usize::from(people), "user"),
                able(permission)
            ),
            "give more users a role that has it; whoever asks does not count, and whoever has the store may approve too",
        ),
        None => Check::ok(
            name,
            format!("{} for people", print::count(usize::try_from(waiting).unwrap_or(0), "approval")),
        ),
    })
}

/// Those who may sign in.
async fn everybody(app: &App) -> store::Result<Vec<UserRow>> {
    let mut found: Vec<UserRow> = Vec::new();
    loop {
        let page = app.store.users(found.last().map(|user| user.id), PAGE).await?;
        let last = page.len() < PAGE;
        found.extend(page);
        if last {
            found.retain(|user| user.disabled_at.is_none());
            return Ok(found);
        }
    }
}
