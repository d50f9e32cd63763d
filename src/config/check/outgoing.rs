//! What types cannot say about mail, webhooks and alerts.

use std::time::Duration;

use engine::reference::UrlRef;
use engine::webhooks::target::{Prefix, Target};

use super::Findings;
use crate::config::keys::{dotted, nearest_name};
use crate::config::outgoing::{Alerts, Mail, MailTls, Route, Webhooks};
use crate::config::settings::Settings;

const SHORTEST: Duration = Duration::from_secs(1);
/// What nobody has seen for longer is pruned before long.
const LONGEST_AFTER: Duration = Duration::from_secs(30 * 86_400);

pub(super) fn outgoing(settings: &Settings, kinds: &[&str], rules: &[&str], found: &mut Findings) {
    mail(&settings.mail, found);
    webhooks(&settings.webhooks, found);
    pace(&settings.alerts, found);
    for (name, route) in &settings.alerts.routes {
        self::route(settings, name, route, found);
        let key = |last: &str| dotted(&["alerts".into(), "routes".into(), name.clone(), last.into()]);
        unknown(&route.rules, rules, &key("rules"), "rule", found);
        unknown(&route.kinds, kinds, &key("kinds"), "kind", found);
    }
}

fn mail(mail: &Mail, found: &mut Findings) {
    if mail.host.is_empty() {
        return;
    }
    if !mail.from.is_plausible() {
        found.add("mail.from", "must be a mail address such as compline@example.org");
    }
    if mail.port == 0 {
        found.add("mail.port", "must be a port: 587 for STARTTLS, 465 for TLS from the first byte");
    }
    if mail.tls == MailTls::None && !is_this_machine(&mail.host) {
        found.add(
            "mail.tls",
            "may be \"none\" for a server on this machine alone; write \"starttls\" or \"required\"",
        );
    }
    match (mail.user.is_empty(), &mail.password) {
        (true, Some(_)) => found.add("mail.user", "is missing; mail.password is of no use without it"),
        (false, None) => {
            found.add("mail.password", "is missing; write a reference such as \"env:SMTP_PASSWORD\"");
        }
        _ => {}
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn webhooks(webhooks: &Webhooks, found: &mut Findings) {
    for prefix in &webhooks.allow {
        if let Err(problem) = Prefix::parse(prefix) {
            found.add("webhooks.allow", format!("`{prefix}` {problem}"));
        }
    }
    if !webhooks.allow.is_empty() && webhooks.secrets.is_empty() {
        found.add("webhooks.secrets", NO_SECRETS);
    }
    if webhooks.timeout < SHORTEST || webhooks.timeout > Duration::from_secs(50) {
        found.add("webhooks.timeout", "must be from \"1s\" to \"50s\"; the default is \"10s\"");
    }
}

const NO_SECRETS: &str = "is empty, and webhooks are signed; write [\"env:WEBHOOK_SECRET\"], and put there what \
     `echo whsec_$(openssl rand -base64 32)` prints";

fn pace(alerts: &Alerts, found: &mut Findings) {
    for (key, value) in [
        ("alerts.window", alerts.window),
        ("alerts.repeat", alerts.repeat),
        ("alerts.stuck_after", alerts.stuck_after),
    ] {
        if value < SHORTEST {
            found.add(key, "must be at least \"1s\"");
        }
    }
    found.at_least_one("alerts.attempts", alerts.attempts as usize);
}

fn route(settings: &Settings, name: &str, route: &Route, found: &mut Findings) {
    let section = dotted(&["alerts".into(), "routes".into(), name.into()]);
    let key = |last: &str| format!("{section}.{last}");
    // It is part of the id of each message, which is a header and the local part of an address.
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 32 || !name.chars().all(plain) {
        found.add(section.clone(), "the name must be 1 to 32 letters, digits or any of _ -");
    }
    match (route.mail.is_empty(), &route.webhook) {
        (true, None) => found.add(section.clone(), "tells nobody; give it `mail` or `webhook`"),
        (false, Some(_)) => {
            found.add(key("webhook"), "stands beside `mail`; make a route for each of them");
        }
        (false, None) if settings.mail.host.is_empty() => {
            found.add(key("mail"), "needs a mail server; set mail.host");
        }
        (true, Some(_)) if settings.webhooks.secrets.is_empty() => {
            found.add("webhooks.secrets", NO_SECRETS);
        }
        _ => {}
    }
    if route.after.is_some_and(|after| !(SHORTEST..=LONGEST_AFTER).contains(&after)) {
        found.add(
            key("after"),
            "must be from \"1s\" to \"30d\"; leave it out for a route that is told at once",
        );
    }
    if route.mail.iter().any(|address| !address.is_plausible()) {
        found.add(key("mail"), "has something in it that is no mail address");
    }
    if let Some(UrlRef::Literal(url)) = &route.webhook
        && let Err(problem) = Target::parse(url)
    {
        found.add(key("webhook"), problem);
    }
}

/// What nobody has would be waited for in vain.
fn unknown(names: &[String], known: &[&str], key: &str, what: &str, found: &mut Findings) {
    for name in names.iter().filter(|name| !known.contains(&name.as_str())) {
        let remedy = match nearest_name(name, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known: {}", known.join(", ")),
        };
        found.add(key, format!("unknown {what} `{name}`; {remedy}"));
    }
}

#[cfg(test)]
mod tests {
    use engine::reference::SecretRef;

    use super::*;

    #[test]
    fn a_route_names_rules_of_the_engine_and_of_families_and_no_others() {
        let rules = ["job.discarded", "post.lost"];
        for (rule, told) in [
            ("job.discarded", None),
            ("post.lost", None),
            ("post.lots", Some("unknown rule `post.lots`; did you mean `post.lost`?")),
        ] {
            let mut settings = Settings::default();
            settings.webhooks.secrets = vec![SecretRef::Env("S".into())];
            let webhook = Some(UrlRef::Literal("https://example.org/alerts".into()));
            let route = Route { webhook, rules: vec![rule.into()], ..Route::default() };
            settings.alerts.routes.insert("ops".into(), route);
            let mut found = Findings::default();

            outgoing(&settings, &[], &rules, &mut found);

            let found: Vec<_> = found.0.iter().map(|finding| finding.text.as_str()).collect();
            assert_eq!(found, told.into_iter().collect::<Vec<_>>());
        }
    }
}
