//! What the evidence pack says of envelopes: how each came out, by the entries of the audit log, and which files are kept of those that were signed.

use jobkit::evidence::{Claim, Counts, Framework, Seen, Theme};

/// In the details of the entry by which we learnt that an envelope is out, where nobody lived to write down that it was sent.
pub const SENT: &str = "sent";

pub static ENVELOPES: Theme = Theme {
    id: "envelopes",
    title: "Envelopes sent for signature",
    says: "Each envelope's way is in the log, in the transaction that made it so; its end was asked for at DocuSign and not only told, unless we \
           voided it ourselves, which DocuSign confirmed. An envelope is counted once in each sentence. Deliveries that nobody of DocuSign's signed were refused and leave no entry.",
    controls: &[
        (Framework::Soc2, "PI1.4, PI1.5, CC6.7"),
        (Framework::Hipaa, "164.312(c)(1), 164.312(d), 164.316(b)(2)(i)"),
        (Framework::Iso27001, "A.5.14, A.5.28, A.5.33"),
    ],
    only_if_used: true,
    claims: &[
        Claim {
            id: "envelopes.sent",
            one: "envelope was sent",
            many: "envelopes were sent",
            counts: Counts::Things,
            is: was_sent,
        },
        Claim {
            id: "envelopes.completed",
            one: "envelope was signed by all",
            many: "envelopes were signed by all",
            counts: Counts::Things,
            is: |entry| entry.action == "docusign.envelope.complete",
        },
        Claim {
            id: "envelopes.declined",
            one: "envelope was declined",
            many: "envelopes were declined",
            counts: Counts::Things,
            is: |entry| entry.action == "docusign.envelope.decline",
        },
        Claim {
            id: "envelopes.voided",
            one: "envelope was voided or deleted",
            many: "envelopes were voided or deleted",
            counts: Counts::Things,
            is: |entry| matches!(entry.action, "docusign.envelope.void" | "docusign.envelope.delete"),
        },
        Claim {
            id: "envelopes.unresolved",
            one: "envelope was refused, was not to be found, lost its documents before they were archived or ended otherwise than was known, so that a person had to look",
            many: "envelopes were refused, were not to be found, lost their documents before they were archived or ended otherwise than was known, so that a person had to look",
            counts: Counts::Things,
            is: |entry| {
                matches!(
                    entry.action,
                    "docusign.envelope.fail"
                        | "docusign.envelope.contradict"
                        | "docusign.envelope.documents_gone"
                )
            },
        },
        Claim {
            id: "envelopes.archived",
            one: "file of signed envelopes was archived",
            many: "files of signed envelopes were archived",
            counts: Counts::Files,
            is: |entry| entry.action == "docusign.envelope.archive",
        },
    ],
};

fn was_sent(entry: &Seen<'_>) -> bool {
    match entry.action {
        "docusign.envelope.send" | "docusign.envelope.recall" => true,
        "docusign.envelope.deliver"
        | "docusign.envelope.complete"
        | "docusign.envelope.decline"
        | "docusign.envelope.void" => entry.detail(SENT) == true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_of_an_envelope_is_counted_where_a_reader_looks_for_it() {
        for (action, details, claims) in [
            ("begin", "{}", &[][..]),
            ("draft", "{}", &[]),
            ("send", "{}", &["envelopes.sent"]),
            // It went out before the database was restored.
            ("recall", "{}", &["envelopes.sent"]),
            ("deliver", "{}", &[]),
            // Whoever sent it did not live to say so.
            ("deliver", r#"{"sent":true}"#, &["envelopes.sent"]),
            ("complete", r#"{"recipients":{}}"#, &["envelopes.completed"]),
            ("complete", r#"{"sent":true}"#, &["envelopes.sent", "envelopes.completed"]),
            ("decline", "{}", &["envelopes.declined"]),
            ("void", "{}", &["envelopes.voided"]),
            // There was none.
            ("forbid", "{}", &[]),
            ("delete", "{}", &["envelopes.voided"]),
            ("fail", "{}", &["envelopes.unresolved"]),
            ("contradict", "{}", &["envelopes.unresolved"]),
            ("documents_gone", "{}", &["envelopes.unresolved"]),
            ("archive", "{}", &["envelopes.archived"]),
            ("recipient", r#"{"sent":true}"#, &[]),
            ("remind", "no json", &[]),
        ] {
            let action = format!("docusign.envelope.{action}");
            let entry = Seen {
                actor: "job:1",
                action: &action,
                object: "docusign.envelope/a",
                outcome: "ok",
                details: Some(details),
            };
            let found: Vec<_> =
                ENVELOPES.claims.iter().filter(|claim| (claim.is)(&entry)).map(|claim| claim.id).collect();
            assert_eq!(found, claims, "{action} {details}");
        }
    }
}
