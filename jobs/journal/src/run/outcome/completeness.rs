//! What completeness found, as the outputs show it.

use crate::completeness as checks;
use crate::completeness::{Findings, LoggedDifference, Movement, Verdict};
use crate::result::{
    AccountMovement, Completeness, ControlTotal, Duplicate, Gap, Imbalance, Listed, MOST_ACCOUNTS,
    MOST_FINDINGS, RollForward, Told, Verdict as Followed,
};
use crate::run::{Read, Request, Surveyed};

pub(in crate::run) fn of(request: &Request, read: &Read, surveyed: &Surveyed) -> Completeness {
    let found = &surveyed.completeness;
    Completeness {
        incomplete: listed(&found.lines_complete, |one| Told {
            entry: one.entry.clone(),
            words: one.to_string(),
        }),
        roll_forward: roll_forward(request, read, found),
        unbalanced: listed(&found.balanced, |entry| Imbalance {
            entry: entry.entry.clone(),
            currency: entry.currency.clone(),
            difference: entry.difference,
        }),
        control_totals: control_totals(found),
        gaps: listed(&found.gaps, |gap| Gap {
            after: gap.after.clone(),
            before: gap.before.clone(),
            missing: gap.missing,
        }),
        duplicates: listed(&found.doubled, |doubled| Duplicate {
            id: doubled.entry.clone(),
            times: doubled.lines,
        }),
        misdated: listed(&found.dated, |one| Told { entry: one.entry.clone(), words: one.to_string() }),
    }
}

fn listed<T, U>(verdict: &Verdict<T>, make: impl Fn(&T) -> U) -> Listed<U> {
    let total = match verdict {
        Verdict::Failed(Findings { count, .. }) => *count,
        Verdict::Passed { .. } | Verdict::NotPossible(_) => 0,
    };
    Listed::of(verdict.findings().iter().take(MOST_FINDINGS).map(make).collect(), total)
}

fn roll_forward(request: &Request, read: &Read, found: &checks::Completeness) -> RollForward {
    let (differing, verdict) = match &found.roll_forward {
        Verdict::NotPossible(why) => return RollForward::NotDone { why: why.clone() },
        Verdict::Passed { .. } => (0, Followed::Agrees),
        Verdict::Failed(differences) => {
            let (by, why) = request.accept.as_ref().map_or(("", ""), |accept| (&accept.by, &accept.why));
            (differences.count, Followed::Overridden { by: by.into(), why: why.into() })
        }
    };
    let all = found.movements.iter().take(MOST_ACCOUNTS).map(|movement| account(read, movement)).collect();
    RollForward::Done { accounts: Listed::of(all, found.movements.len() as u64), differing, verdict }
}

fn account(read: &Read, movement: &Movement) -> AccountMovement {
    let spool = &read.reading.spool;
    let symbol = spool.names().find(crate::names::Sort::Account, &movement.account);
    AccountMovement {
        entity: movement.entity.clone(),
        account: movement.account.clone(),
        name: symbol.map_or("", |symbol| spool.account_name(symbol)).into(),
        currency: movement.currency.clone(),
        opening: movement.opening,
        movement: movement.movement,
        closing: movement.closing,
        difference: movement.difference(),
    }
}

fn control_totals(found: &checks::Completeness) -> Vec<ControlTotal> {
    let total = |name: &str, expected: &str, found: &str, agrees| ControlTotal {
        name: name.into(),
        expected: expected.into(),
        found: found.into(),
        agrees,
    };
    let mut totals = Vec::new();
    match &found.control_totals {
        Verdict::NotPossible(_) => {}
        Verdict::Passed { checked } => {
            totals.push(total(
                "control totals of the ledger",
                &format!("{checked} totals"),
                "all of them agree",
                true,
            ));
        }
        Verdict::Failed(findings) => {
            let of = |one: &checks::TotalDifference| total(&one.name, &one.expected, &one.found, false);
            totals.extend(findings.first.iter().map(of));
        }
    }
    match &found.entry_totals {
        Verdict::NotPossible(_) => {}
        Verdict::Passed { checked } => {
            totals.push(total("log of entries", &format!("{checked} entries"), "all of them agree", true));
        }
        Verdict::Failed(findings) => {
            let of = |one: &checks::EntryDifference| {
                let (expected, found) = match &one.difference {
                    LoggedDifference::NotInLog => ("not in the log".into(), "in the ledger".into()),
                    LoggedDifference::NotInLedger => ("in the log".into(), "not in the ledger".into()),
                    LoggedDifference::Debits { logged, found }
                    | LoggedDifference::Credits { logged, found } => (logged.grouped(), found.grouped()),
                };
                total(&format!("entry {}", one.entry), &expected, &found, false)
            };
            totals.extend(findings.first.iter().take(MOST_FINDINGS).map(of));
        }
    }
    totals
}
