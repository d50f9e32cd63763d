//! The page that people read: no script, nothing from elsewhere, and every sentence names its entries. Pure.

use std::fmt::Write as _;

use jiff::Timestamp;
use jobkit::evidence::{Claim, Counts, Framework, Theme};
use serde::Serialize;

use super::facts::{Facts, Found, MOST_ROWS, Row};
use super::files::{File, There};
use crate::audit::verify::Verified;

pub struct Report<'a> {
    /// The name of the log.
    pub log: &'a str,
    pub from: Timestamp,
    pub until: Timestamp,
    pub made_at: Timestamp,
    /// All of them when none is named.
    pub framework: Option<Framework>,
    pub verified: &'a Verified,
    /// What the pack's proofs lead to.
    pub first: u64,
    pub size: u64,
    pub root: &'a str,
    pub keys: &'a [String],
    pub facts: &'a Facts,
    pub review: &'a [Reviewed],
    pub services: &'a [Service],
    /// Entries that have a receipt of their own.
    pub receipts: &'a [i64],
}

/// Somebody who has access, or had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reviewed {
    pub id: String,
    /// Only where personal data was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    pub role: &'static str,
    pub tenant: Option<String>,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
    pub second_factor: bool,
    pub password_changed_at: Timestamp,
}

/// A token of a service, which lets in or did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Service {
    pub id: String,
    pub name: String,
    pub permissions: Vec<String>,
    pub tenant: Option<String>,
    pub networks: Vec<String>,
    pub created_by: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// It lets in when the pack is made.
    pub live: bool,
}

const STYLE: &str = include_str!("report.css");

pub fn page(report: &Report<'_>) -> String {
    let mut page = String::with_capacity(64 << 10);
    let title = format!("Evidence of {}", report.log);
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n\
         <p class=\"lead\">From {from} until {until}. Made on {made}.</p>\n",
        title = escape(&title),
        from = report.from,
        until = report.until,
        made = report.made_at,
    );
    integrity(&mut page, report);
    for &shown in
        report.facts.themes().iter().filter(|theme| !theme.only_if_used || is_used(theme, report.facts))
    {
        theme(&mut page, shown, report);
        if shown.id == "access" {
            review(&mut page, report.review);
            services(&mut page, report.services);
        }
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn is_used(theme: &Theme, facts: &Facts) -> bool {
    theme.claims.iter().any(|claim| facts.of(claim.id).count > 0)
}

fn integrity(page: &mut String, report: &Report<'_>) {
    let verified = report.verified;
    page.push_str("<section id=\"integrity\">\n<h2>Whether the log is what was written</h2>\n");
    match verified.findings.as_slice() {
        [] => {
            let _ = writeln!(
                page,
                "<p class=\"well\">All {} entries fit the tree that was signed, {} checkpoints are signed by the keys below, \
                 and the anchors have {} entries.</p>",
                verified.entries - verified.gone,
                verified.checkpoints,
                verified.anchored,
            );
        }
        findings => {
            let _ = writeln!(
                page,
                "<p class=\"ill\">{} things do not fit. Nothing below can be relied on before they are explained.</p>\n<ul>",
                findings.len()
            );
            for finding in findings.iter().take(MOST_ROWS) {
                let _ = writeln!(page, "<li>{}</li>", escape(&finding.to_string()));
            }
            page.push_str("</ul>\n");
        }
    }
    for lost in &verified.lost {
        let _ = writeln!(page, "<p class=\"ill\">{}.</p>", escape(&lost.to_string()));
    }
    let _ = writeln!(
        page,
        "<p>The pack has the entries of leaves {} to {}, counted from 0. The proofs in this pack lead to the signed tree of {} entries with the root <code>{}</code>. \
         <code>python3 log/verify.py --key KEY log</code> checks all of it without us; take KEY from somebody you \
         trust and not from this pack.</p>\n<ul>",
        report.first,
        report.size - 1,
        report.size,
        escape(report.root)
    );
    for key in report.keys {
        let _ = writeln!(page, "<li><code>{}</code></li>", escape(key));
    }
    page.push_str("</ul>\n</section>\n");
}

fn theme(page: &mut String, theme: &Theme, report: &Report<'_>) {
    let _ = writeln!(
        page,
        "<section id=\"{}\">\n<h2>{}</h2>\n<p>{}</p>",
        theme.id,
        escape(theme.title),
        escape(theme.says)
    );
    let controls =
        theme.controls.iter().filter(|(own, _)| report.framework.is_none_or(|wanted| wanted == *own));
    let controls: Vec<_> = controls.map(|(own, names)| format!("{}: {names}", own.name())).collect();
    let _ = writeln!(page, "<p class=\"controls\">{}</p>", escape(&controls.join(" · ")));
    for claim in theme.claims {
        self::claim(page, claim, report);
    }
    page.push_str("</section>\n");
}

fn claim(page: &mut String, claim: &Claim, report: &Report<'_>) {
    let found = report.facts.of(claim.id);
    let what = if found.count == 1 { claim.one } else { claim.many };
    let _ = writeln!(
        page,
        "<p id=\"{}\" class=\"claim\"><strong>{}</strong> {what}{}</p>",
        claim.id,
        found.count,
        escape(&stands_on(found))
    );
    if claim.counts == Counts::Jobs || found.rows.is_empty() {
        return;
    }
    match claim.counts {
        Counts::Files => files(page, found, report),
        _ => entries(page, &found.rows, report),
    }
}

fn entries(page: &mut String, rows: &[Row], report: &Report<'_>) {
    page.push_str(
        "<table>\n<thead><tr><th>Entry</th><th>Leaf</th><th>When</th><th>Who</th><th>What</th><th>To what</th>\
         <th>Outcome</th><th>More</th></tr></thead>\n<tbody>\n",
    );
    for row in rows {
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            number(row.seq, report),
            row.leaf,
            row.at,
            escape(&row.actor),
            escape(&row.action),
            escape(&row.object),
            escape(&row.outcome),
            escape(&row.detail)
        );
    }
    page.push_str("</tbody>\n</table>\n");
    if rows.len() == MOST_ROWS {
        let _ = writeln!(
            page,
            "<p>The first {MOST_ROWS} entries are shown; facts.json has the leaves of all.</p>"
        );
    }
}

/// The number of an entry, which leads to its receipt where it has one.
fn number(seq: i64, report: &Report<'_>) -> String {
    match report.receipts.binary_search(&seq) {
        Ok(_) => format!("<a href=\"receipts/entry-{seq}.tlog-proof\">{seq}</a>"),
        Err(_) => seq.to_string(),
    }
}

fn files(page: &mut String, found: &Found, report: &Report<'_>) {
    let differing = found.files.iter().filter(|file| file.there == There::Differs).count();
    if differing > 0 {
        let _ = writeln!(
            page,
            "<p class=\"ill\">Of {differing} files other bytes lie in their place than the entry says; they are not in this pack.</p>"
        );
    }
    page.push_str(
        "<table>\n<thead><tr><th>Entry</th><th>Leaf</th><th>Of what</th><th>File</th><th>Bytes</th><th>SHA-256</th>\
         <th>Kept as</th><th>Here</th></tr></thead>\n<tbody>\n",
    );
    for file in found.files.iter().take(MOST_ROWS) {
        let File { leaf, seq, object, tenant, name, sha256, bytes, address, there } = file;
        let whose = tenant.as_deref().map(|tenant| format!(" ({tenant})")).unwrap_or_default();
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{leaf}</td><td>{}</td><td>{}</td><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            number(*seq, report),
            escape(&format!("{object}{whose}")),
            escape(name),
            bytes.map(|bytes| bytes.to_string()).unwrap_or_default(),
            escape(sha256),
            escape(address.as_deref().unwrap_or_default()),
            there.says()
        );
    }
    page.push_str("</tbody>\n</table>\n");
    if found.files.len() > MOST_ROWS {
        let _ = writeln!(page, "<p>The first {MOST_ROWS} files are shown; facts.json has all.</p>");
    }
}

/// More stretches than that are named in facts.json alone.
const MOST_STRETCHES: usize = 4;

fn stands_on(found: &Found) -> String {
    let stretch = |(first, last): &(u64, u64)| match first == last {
        true => first.to_string(),
        false => format!("{first}–{last}"),
    };
    match found.leaves.as_slice() {
        [] => ".".into(),
        leaves => {
            let shown: Vec<_> = leaves.iter().take(MOST_STRETCHES).map(stretch).collect();
            let more = if leaves.len() > MOST_STRETCHES { " and others, see facts.json" } else { "" };
            format!(". Leaves {}{more}.", shown.join(", "))
        }
    }
}

fn review(page: &mut String, people: &[Reviewed]) {
    let able: Vec<_> = people.iter().filter(|person| person.disabled_at.is_none()).collect();
    let of = |is: fn(&Reviewed) -> bool| able.iter().filter(|person| is(person)).count();
    let _ = writeln!(
        page,
        "<section id=\"review\">\n<h2>Who has access</h2>\n<p>As the database has it when this pack was made: {} people, of \
         whom {} run the installation (owner, admin) and {} have a second factor. {} are disabled.</p>",
        able.len(),
        of(|person| matches!(person.role, "owner" | "admin")),
        of(|person| person.second_factor),
        people.len() - able.len()
    );
    if !people.is_empty() {
        page.push_str(
            "<table>\n<thead><tr><th>User</th><th>Name</th><th>Role</th><th>Tenant</th><th>Since</th><th>Password of</th>\
             <th>Second factor</th><th>Disabled</th></tr></thead>\n<tbody>\n",
        );
    }
    for person in people {
        let name = [person.name.as_deref(), person.email.as_deref()];
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&person.id),
            escape(&name.into_iter().flatten().collect::<Vec<_>>().join(", ")),
            person.role,
            escape(person.tenant.as_deref().unwrap_or("all")),
            person.created_at,
            person.password_changed_at,
            if person.second_factor { "yes" } else { "no" },
            person.disabled_at.map(|at| at.to_string()).unwrap_or_default()
        );
    }
    if !people.is_empty() {
        page.push_str("</tbody>\n</table>\n");
    }
    page.push_str("</section>\n");
}

fn services(page: &mut String, services: &[Service]) {
    let live = services.iter().filter(|service| service.live).count();
    let _ = writeln!(
        page,
        "<section id=\"services\">\n<h2>Which services have access</h2>\n<p>As the database has it when this pack was made: {live} \
         tokens of services let in, and {} have ended or were revoked.</p>",
        services.len() - live
    );
    if !services.is_empty() {
        page.push_str(
            "<table>\n<thead><tr><th>Token</th><th>Service</th><th>Permissions</th><th>Tenant</th><th>From</th><th>Made by</th>\
             <th>On</th><th>Until</th><th>Last used</th><th>Revoked</th></tr></thead>\n<tbody>\n",
        );
    }
    let time = |at: Option<Timestamp>, never: &str| at.map_or_else(|| never.to_owned(), |at| at.to_string());
    for service in services {
        let networks =
            if service.networks.is_empty() { "anywhere".into() } else { service.networks.join(", ") };
        let cells = [
            service.id.clone(),
            service.name.clone(),
            service.permissions.join(", "),
            service.tenant.clone().unwrap_or_else(|| "all".into()),
            networks,
            service.created_by.clone(),
            service.created_at.to_string(),
            service.expires_at.to_string(),
            time(service.used_at, "never"),
            time(service.revoked_at, ""),
        ];
        let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        let _ = writeln!(page, "<tr>{cells}</tr>");
    }
    if !services.is_empty() {
        page.push_str("</tbody>\n</table>\n");
    }
    page.push_str("</section>\n");
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter if letter.is_control() && letter != '\n' => safe.push('\u{fffd}'),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::verify::{Finding, Lost};
    use crate::evidence::facts::tests::entry;

    fn service(revoked_at: Option<Timestamp>) -> Service {
        Service {
            id: "token:7".into(),
            name: "<billing>".into(),
            permissions: vec!["jobs:read".into(), "jobs:write".into()],
            tenant: None,
            networks: vec!["10.0.0.0/8".into()],
            created_by: "user:1".into(),
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: Timestamp::UNIX_EPOCH,
            used_at: None,
            revoked_at,
            live: revoked_at.is_none(),
        }
    }

    fn reported(facts: &Facts, verified: &Verified, framework: Option<Framework>) -> String {
        let person = Reviewed {
            id: "user:1".into(),
            name: None,
            email: None,
            role: "owner",
            tenant: None,
            created_at: Timestamp::UNIX_EPOCH,
            disabled_at: None,
            second_factor: true,
            password_changed_at: Timestamp::UNIX_EPOCH,
        };
        page(&Report {
            log: "audit.example.com/<log>",
            from: Timestamp::UNIX_EPOCH,
            until: Timestamp::UNIX_EPOCH,
            made_at: Timestamp::UNIX_EPOCH,
            framework,
            verified,
            first: 0,
            size: 7,
            root: "abc=",
            keys: &["audit.example.com/log+1+2".into()],
            facts,
            review: &[person],
            services: &[service(None), service(Some(Timestamp::UNIX_EPOCH))],
            receipts: &[3],
        })
    }

    #[test]
    fn each_sentence_names_its_entries_and_what_callers_wrote_is_text() {
        let mut facts = Facts::default();
        let mut odd = entry(3, "cli:<script>", "queue.pause", "ok");
        odd.details = Some("{\"reason\":\"<img src=x>\"}".into());
        facts.take(2, &odd);
        facts.take(5, &entry(9, "user:1", "queue.resume", "ok"));

        let page = reported(&facts, &Verified::default(), None);

        assert!(page.contains("<strong>2</strong> changes were made. Leaves 2, 5."), "{page}");
        assert!(page.contains("<a href=\"receipts/entry-3.tlog-proof\">3</a>"), "{page}");
        assert!(page.contains("<td>9</td><td>5</td>"), "{page}");
        assert!(page.contains("cli:&lt;script&gt;") && page.contains("&lt;img src=x&gt;"), "{page}");
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("<log>"), "{page}");
        assert!(page.contains("1 people, of whom 1 run"), "{page}");
        assert!(page.contains("1 tokens of services let in, and 1 have ended or were revoked"), "{page}");
        let row = "<td>token:7</td><td>&lt;billing&gt;</td><td>jobs:read, jobs:write</td><td>all</td><td>10.0.0.0/8</td>\
                   <td>user:1</td>";
        assert!(page.contains(row) && page.contains("<td>never</td>"), "{page}");
        assert!(page.contains("<strong>0</strong> jobs failed for good."), "{page}");
    }

    #[test]
    fn a_family_that_is_not_in_use_is_not_spoken_of_and_one_framework_is_enough() {
        let page = reported(&Facts::default(), &Verified::default(), Some(Framework::Hipaa));
        assert!(!page.contains("Backups taken"), "{page}");
        assert!(page.contains("164.312(b)") && !page.contains("CC7.2"), "{page}");
        let mut facts = Facts::default();
        facts.take(0, &entry(1, "job:1", "backup.take", "done"));
        assert!(reported(&facts, &Verified::default(), None).contains("Backups taken"));
    }

    #[test]
    fn a_file_stands_with_its_hash_beside_the_entry_that_proves_it() {
        let mut facts = Facts::default();
        let sha256 = "ab".repeat(32);
        let details = format!(
            r#"{{"files":[{{"name":"<b>.pdf","sha256":"{sha256}","bytes":7,"address":"file:a"}},{{"name":"c.pdf","sha256":"{sha256}"}}]}}"#
        );
        facts.take(4, &audit::Entry { details: Some(details), ..entry(3, "job:1", "letter.keep", "ok") });
        facts.files_mut().last().unwrap().there = There::Differs;

        let page = reported(&facts, &Verified::default(), None);

        let row = format!(
            "<tr><td><a href=\"receipts/entry-3.tlog-proof\">3</a></td><td>4</td><td>job</td><td>&lt;b&gt;.pdf</td><td>7</td>\
             <td><code>{sha256}</code></td><td>file:a</td><td></td></tr>"
        );
        assert!(page.contains(&row), "{page}");
        assert!(page.contains("<strong>2</strong> files were kept. Leaves 4."), "{page}");
        assert!(page.contains("Of 1 files other bytes lie in their place"), "{page}");
    }

    #[test]
    fn what_a_restore_lost_is_told() {
        let lost = Lost { epoch: 1, after: 300, entries: 40, declared_at: Timestamp::UNIX_EPOCH };
        let verified = Verified { lost: vec![lost], ..Verified::default() };
        let page = reported(&Facts::default(), &verified, None);
        assert!(page.contains("40 entries of epoch 1 after 300 were lost by a restore"), "{page}");
    }

    #[test]
    fn what_does_not_fit_stands_first() {
        let verified =
            Verified { findings: vec![Finding::Altered { leaf: 1, seq: 2 }], ..Verified::default() };
        let page = reported(&Facts::default(), &verified, None);
        assert!(page.contains("Nothing below can be relied on"), "{page}");
        assert!(page.find("entry 2 was altered").unwrap() < page.find("id=\"jobs\"").unwrap());
    }
}
