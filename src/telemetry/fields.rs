//! What a log line may say beside its words. A field that is not listed is left out, whoever wrote it: libraries too, which
//! know nothing of what is personal here. Ours are all here, which a test keeps (`tests/it/architecture/logged.rs`).

/// In the order of the alphabet.
pub const ALLOWED: &[&str] = &[
    "alert.count",
    "alert.id",
    "alert.route",
    "alert.routes",
    "alert.rule",
    "alert.severity",
    "attempts",
    "audit.size",
    "audit.until",
    "away_ms",
    "backtrace",
    "entry",
    "http.address",
    "http.route",
    "http.status",
    "job.id",
    "job.kind",
    "jobs",
    "jobs.discarded",
    "jobs.late",
    "jobs.left",
    "jobs.pruned",
    "jobs.rescued",
    "jobs.running",
    "missed",
    "ms",
    "queue",
    "request.id",
    "schedule",
    "service",
    "session.id",
    "times",
    "token.id",
    "trace.id",
    "upload.bytes",
    "upload.id",
    "user.id",
    "version",
    "worker.id",
];

pub fn is_allowed(name: &str) -> bool {
    ALLOWED.binary_search(&name).is_ok()
}

/// The crates whose words are ours. What others say at debug and trace is about bytes that went by, and nobody can promise
/// what is in those.
const OURS: &[&str] = &["compline", "iforest", "jobkit", "journal"];

pub fn is_ours(target: &str) -> bool {
    let name = target.split("::").next().unwrap_or_default();
    OURS.contains(&name) || name.starts_with("compline_")
}

#[cfg(test)]
mod tests {
    use std::any::type_name;

    use super::*;

    #[test]
    fn the_list_is_in_order_and_has_nothing_twice() {
        assert!(ALLOWED.is_sorted_by(|one, next| one < next));
        assert!(is_allowed("job.id") && !is_allowed("email") && !is_allowed("job"));
    }

    #[test]
    fn a_line_is_ours_by_its_crate() {
        for (target, ours) in [
            (type_name::<crate::app::App>(), true),
            (type_name::<engine::queue::Queue>(), true),
            (type_name::<store::StoreError>(), true),
            (type_name::<store_postgres::PostgresStore>(), true),
            (type_name::<store_sqlite::SqliteStore>(), true),
            (type_name::<jobkit::JobId>(), true),
            (type_name::<journal::Config>(), true),
            ("sqlx::query", false),
            ("jobkits::a", false),
            ("log", false),
        ] {
            assert_eq!(is_ours(target), ours, "{target}");
        }
    }
}
