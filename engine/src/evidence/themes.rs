//! What a pack says, under which heading, and of which entries; and what the frameworks call it. Pure.

use jobkit::evidence::{Claim, Counts, Framework, Seen, Theme};

use crate::audit::seen::ACCESS;

fn is(entry: &Seen<'_>, action: &str, outcome: &str) -> bool {
    entry.action == action && entry.outcome == outcome
}

/// Somebody who is no part of the machine.
fn by_people(entry: &Seen<'_>) -> bool {
    ["user:", "cli:", "token:", "service:", "platform:"].iter().any(|who| entry.actor.starts_with(who))
}

fn about_access(entry: &Seen<'_>) -> bool {
    ["user.", "session.", "token.", "service."].iter().any(|what| entry.action.starts_with(what))
}

/// What may be seen only by those who have to.
fn about_data(entry: &Seen<'_>) -> bool {
    about_log_data(entry) || entry.action.starts_with(ACCESS)
}

fn about_log_data(entry: &Seen<'_>) -> bool {
    matches!(entry.action, "audit.look" | "audit.export" | "audit.evidence" | "audit.redact")
}

fn about_log(entry: &Seen<'_>) -> bool {
    entry.action.starts_with("audit.") && !about_data(entry)
}

fn of_approvals(entry: &Seen<'_>) -> bool {
    entry.action.starts_with("approval.")
}

const SOC2: Framework = Framework::Soc2;
const HIPAA: Framework = Framework::Hipaa;
const ISO: Framework = Framework::Iso27001;

pub const THEMES: &[Theme] = &[
    Theme {
        id: "jobs",
        title: "Jobs run and failed",
        says: "Each job's way from being asked for to its end is in the log, in the transaction that made it so.",
        controls: &[
            (SOC2, "PI1.2, PI1.3, PI1.5, CC7.4"),
            (HIPAA, "164.312(b), 164.308(a)(1)(ii)(D)"),
            (ISO, "A.8.15, A.8.16"),
        ],
        only_if_used: false,
        claims: &[
            Claim {
                id: "jobs.enqueued",
                one: "job was asked for",
                many: "jobs were asked for",
                counts: Counts::Jobs,
                is: |entry| entry.action == "job.enqueue",
            },
            Claim {
                id: "jobs.completed",
                one: "job ended well",
                many: "jobs ended well",
                counts: Counts::Jobs,
                is: |entry| is(entry, "job.finish", "completed"),
            },
            Claim {
                id: "jobs.retried",
                one: "attempt failed and the job was tried again",
                many: "attempts failed and their jobs were tried again",
                counts: Counts::Jobs,
                is: |entry| is(entry, "job.finish", "failed"),
            },
            Claim {
                id: "jobs.discarded",
                one: "job failed for good",
                many: "jobs failed for good",
                counts: Counts::JobsListed,
                is: |entry| is(entry, "job.finish", "discarded") || entry.action == "job.discard",
            },
            Claim {
                id: "jobs.rescued",
                one: "job was taken from a worker that was gone",
                many: "jobs were taken from workers that were gone",
                counts: Counts::JobsListed,
                is: |entry| entry.action == "job.rescue",
            },
            Claim {
                id: "jobs.cancelled",
                one: "job was cancelled",
                many: "jobs were cancelled",
                counts: Counts::JobsListed,
                is: |entry| entry.action == "job.cancel" || is(entry, "job.finish", "cancelled"),
            },
            Claim {
                id: "jobs.pruned",
                one: "job was deleted when its time was over",
                many: "jobs were deleted when their time was over",
                counts: Counts::Jobs,
                is: |entry| entry.action == "job.prune",
            },
        ],
    },
    Theme {
        id: "changes",
        title: "What people changed",
        says: "Everything that somebody did by hand or by a program of theirs, other than asking for jobs, signing in, and \
               looking after access.",
        controls: &[
            (SOC2, "CC6.8, CC8.1"),
            (HIPAA, "164.308(a)(1)(ii)(D), 164.312(b)"),
            (ISO, "A.8.2, A.8.15, A.8.32"),
        ],
        only_if_used: false,
        claims: &[Claim {
            id: "changes.made",
            one: "change was made",
            many: "changes were made",
            counts: Counts::Entries,
            is: |entry| {
                by_people(entry)
                    && entry.action != "job.enqueue"
                    && !about_access(entry)
                    && !about_data(entry)
                    && !about_log(entry)
                    && !of_approvals(entry)
            },
        }],
    },
    Theme {
        id: "approvals",
        title: "Approvals",
        says: "Actions that others had to agree to, bound to exactly what was done.",
        controls: &[(SOC2, "CC6.3, CC8.1"), (HIPAA, "164.308(a)(3)"), (ISO, "A.5.3, A.8.32")],
        only_if_used: true,
        claims: &[Claim {
            id: "approvals.steps",
            one: "step of an approval was taken",
            many: "steps of approvals were taken",
            counts: Counts::Entries,
            is: of_approvals,
        }],
    },
    Theme {
        id: "access",
        title: "Access",
        says: "Who was let in, who was not, and whose rights were changed. The review below has those who have access now.",
        controls: &[
            (SOC2, "CC6.1, CC6.2, CC6.3"),
            (HIPAA, "164.308(a)(3), 164.308(a)(4), 164.308(a)(5)(ii)(C), 164.312(a)(1), 164.312(d)"),
            (ISO, "A.5.15, A.5.16, A.5.18, A.8.2, A.8.5"),
        ],
        only_if_used: false,
        claims: &[
            Claim {
                id: "access.signed_in",
                one: "sign-in succeeded",
                many: "sign-ins succeeded",
                counts: Counts::Entries,
                is: |entry| entry.action == "user.signed_in",
            },
            Claim {
                id: "access.refused",
                one: "sign-in was refused",
                many: "sign-ins were refused",
                counts: Counts::Entries,
                is: |entry| entry.action == "user.sign_in_failed",
            },
            Claim {
                id: "access.reused",
                one: "session was ended because its token had been used by somebody else",
                many: "sessions were ended because their tokens had been used by somebody else",
                counts: Counts::Entries,
                is: |entry| entry.action == "session.reused",
            },
            Claim {
                id: "access.changed",
                one: "right, password, second factor or session was changed",
                many: "rights, passwords, second factors and sessions were changed",
                counts: Counts::Entries,
                is: |entry| {
                    about_access(entry)
                        && !matches!(
                            entry.action,
                            "user.signed_in"
                                | "user.sign_in_failed"
                                | "user.password_rehashed"
                                | "session.reused"
                        )
                },
            },
        ],
    },
    Theme {
        id: "data",
        title: "Personal data and evidence looked at, taken along or erased",
        says: "Entries hold no personal data; what opens their commitments is kept apart, and each look at it is an entry. \
               What somebody was shown of a thing in a minute is one.",
        controls: &[
            (SOC2, "CC6.1, P4.3, P6.1"),
            (HIPAA, "164.312(a)(1), 164.312(b), 164.528"),
            (ISO, "A.5.28, A.5.34, A.8.10"),
        ],
        only_if_used: false,
        claims: &[
            Claim {
                id: "data.touched",
                one: "time somebody looked at, exported or erased what the log keeps of people",
                many: "times somebody looked at, exported or erased what the log keeps of people",
                counts: Counts::Entries,
                is: about_log_data,
            },
            Claim {
                id: "data.read",
                one: "time somebody was shown results, files, reviews or users",
                many: "times somebody was shown results, files, reviews or users",
                counts: Counts::Entries,
                is: |entry| entry.action.starts_with(ACCESS),
            },
        ],
    },
    Theme {
        id: "secrets",
        title: "Secrets rotated",
        says: "Credentials that were replaced, and the proof that the old ones are dead.",
        controls: &[(SOC2, "CC6.1"), (HIPAA, "164.308(a)(5)(ii)(D), 164.312(d)"), (ISO, "A.5.17, A.8.24")],
        only_if_used: true,
        claims: &[Claim {
            id: "secrets.rotated",
            one: "step of a rotation was taken",
            many: "steps of rotations were taken",
            counts: Counts::Entries,
            is: |entry| entry.action.starts_with("secret.") || entry.action.starts_with("rotation."),
        }],
    },
    Theme {
        id: "backups",
        title: "Backups taken and proven by restoring them",
        says: "What was backed up, and the drills that restored it.",
        controls: &[(SOC2, "A1.2, A1.3"), (HIPAA, "164.308(a)(7)"), (ISO, "A.8.13, A.5.30")],
        only_if_used: true,
        claims: &[Claim {
            id: "backups.steps",
            one: "step of a backup or a drill was taken",
            many: "steps of backups and drills were taken",
            counts: Counts::Entries,
            is: |entry| entry.action.starts_with("backup."),
        }],
    },
    Theme {
        id: "deletions",
        title: "Data deleted when it was due",
        says: "What was deleted, on which plan, and what was held.",
        controls: &[
            (SOC2, "C1.2, P4.2, P4.3"),
            (HIPAA, "164.310(d)(2)(i), 164.316(b)(2)(i)"),
            (ISO, "A.5.33, A.8.10"),
        ],
        only_if_used: true,
        claims: &[Claim {
            id: "deletions.steps",
            one: "step of a deletion was taken",
            many: "steps of deletions were taken",
            counts: Counts::Entries,
            is: |entry| entry.action.starts_with("retention."),
        }],
    },
    Theme {
        id: "log",
        title: "The log itself",
        says: "Segments that were closed and dropped, and keys that were changed.",
        controls: &[
            (SOC2, "CC7.2, CC7.3"),
            (HIPAA, "164.312(b), 164.312(c)(1), 164.316(b)(2)(i)"),
            (ISO, "A.5.28, A.8.15"),
        ],
        only_if_used: false,
        claims: &[Claim {
            id: "log.kept",
            one: "step in keeping the log was taken",
            many: "steps in keeping the log were taken",
            counts: Counts::Entries,
            is: about_log,
        }],
    },
];

/// The engine's own, and those of families before the last, which is about the log that all of them stand on.
pub fn with(families: &[&'static Theme]) -> Vec<&'static Theme> {
    let (last, own) = THEMES.split_last().map_or((None, THEMES), |(last, own)| (Some(last), own));
    own.iter().chain(families.iter().copied()).chain(last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::facts::seen;
    use crate::evidence::facts::tests::entry;

    #[test]
    fn every_entry_is_counted_where_a_reader_looks_for_it() {
        for (actor, action, outcome, claims) in [
            ("token:api", "job.enqueue", "ok", &["jobs.enqueued"][..]),
            ("worker:1", "job.finish", "completed", &["jobs.completed"]),
            ("worker:1", "job.finish", "failed", &["jobs.retried"]),
            ("worker:1", "job.finish", "discarded", &["jobs.discarded"]),
            ("worker:1", "job.claim", "running", &[]),
            ("user:1", "job.discard", "ok", &["jobs.discarded", "changes.made"]),
            ("cli:root", "queue.pause", "ok", &["changes.made"]),
            ("system", "schedule.fire", "ok", &[]),
            ("user:1", "user.signed_in", "ok", &["access.signed_in"]),
            ("stranger", "user.sign_in_failed", "refused", &["access.refused"]),
            ("user:1", "user.role_changed", "ok", &["access.changed"]),
            ("user:1", "session.reused", "refused", &["access.reused"]),
            ("cli:root", "audit.export", "begun", &["data.touched"]),
            ("cli:root", "audit.redact", "ok", &["data.touched"]),
            ("service:billing", "access.job", "ok", &["data.read"]),
            ("user:1", "access.user", "ok", &["data.read"]),
            ("system", "audit.segment_close", "ok", &["log.kept"]),
            ("user:2", "approval.granted", "ok", &["approvals.steps"]),
            ("job:1", "backup.take", "done", &["backups.steps"]),
        ] {
            let entry = entry(1, actor, action, outcome);
            let found: Vec<_> = THEMES
                .iter()
                .flat_map(|theme| theme.claims)
                .filter(|claim| (claim.is)(&seen(&entry)))
                .map(|claim| claim.id)
                .collect();
            assert_eq!(found, claims, "{actor} {action} {outcome}");
        }
    }

    #[test]
    fn each_theme_names_the_controls_of_each_framework() {
        for theme in THEMES {
            let named: Vec<_> = theme.controls.iter().map(|(framework, _)| *framework).collect();
            assert_eq!(named, Framework::ALL, "{}", theme.id);
        }
        assert_eq!("hipaa".parse(), Ok(Framework::Hipaa));
        assert!("gdpr".parse::<Framework>().unwrap_err().contains("soc2, hipaa, iso27001"));
    }
}
