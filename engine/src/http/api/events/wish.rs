//! Which events a listener wants, and what it is told of one. Pure.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use jobkit::{AuditEntry, JobId};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::audit::seen::ACCESS;
use crate::http::extract::{Parameters, job_id};
use crate::http::problem::Result;
use store::Scope;

/// All conditions must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wish {
    jobs: HashSet<JobId>,
    kinds: HashSet<String>,
    queues: HashSet<String>,
    actions: HashSet<String>,
}

/// One thing that happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct Happened {
    pub at: Option<Timestamp>,
    /// Who did it.
    pub actor: String,
    /// What was done, such as `job.enqueue`, `job.finish` or `queue.pause`.
    pub action: String,
    /// To what: a queue, the kind of the jobs when they share one, or a thing of a family's own.
    pub object: String,
    /// How it ended.
    pub outcome: String,
    pub tenant: Option<String>,
    /// The jobs it was done to; with conditions, those of them that meet them.
    #[schema(value_type = Vec<Uuid>)]
    pub jobs: Vec<JobId>,
    /// With conditions on kind or queue: jobs that were deleted since, so that it is not known whether they met them.
    #[schema(value_type = Vec<Uuid>)]
    pub deleted: Vec<JobId>,
    #[schema(value_type = Object)]
    pub details: Value,
}

/// Kind and queue of jobs that are there.
pub type Known = HashMap<JobId, (String, String)>;

enum Meets {
    Yes,
    No,
    NotKnown,
}

impl Wish {
    pub fn read(given: &Parameters) -> Result<Self> {
        let id = |text: &str| job_id("job", text).map_err(|_| "a job id".to_owned());
        Ok(Self {
            jobs: given.all("job", id)?.into_iter().collect(),
            kinds: given.texts("kind")?.into_iter().collect(),
            queues: given.texts("queue")?.into_iter().collect(),
            actions: given.texts("action")?.into_iter().collect(),
        })
    }

    /// An entry names its jobs and not their queues and kinds, so those are looked up.
    pub fn asks_about_jobs(&self) -> bool {
        !self.kinds.is_empty() || !self.queues.is_empty()
    }

    /// Those of an entry that have to be looked up to grant it or not.
    pub fn unknown_jobs(&self, scope: &Scope, entry: &AuditEntry) -> Vec<JobId> {
        let unknown = self.asks_about_jobs() || !scope.covers(entry.tenant.as_deref());
        match unknown && self.wants_action(&entry.action) {
            true => jobs_of(entry),
            false => Vec::new(),
        }
    }

    fn wants_action(&self, action: &str) -> bool {
        match self.actions.is_empty() {
            // Who reads a job on each event of it would hear of that, and read it again.
            true => !action.starts_with(ACCESS),
            false => self.actions.contains(action),
        }
    }

    /// The event if it is wanted. A job that is not known any more may have been meant, and is named as such: an event
    /// that is left out for it would be missed.
    pub fn grant(&self, entry: &AuditEntry, known: &Known) -> Option<Happened> {
        if !self.wants_action(&entry.action) {
            return None;
        }
        let mut details = entry.details.clone();
        if let Some(fields) = details.as_object_mut() {
            fields.remove("jobs");
        }
        let (mut jobs, mut deleted) = (Vec::new(), Vec::new());
        for id in jobs_of(entry) {
            match self.meets(entry, id, known) {
                Meets::Yes => jobs.push(id),
                Meets::NotKnown => deleted.push(id),
                Meets::No => {}
            }
        }
        let asked = !self.jobs.is_empty() || self.asks_about_jobs();
        // What is done to a queue names it, and no job.
        let of_queue = self.jobs.is_empty()
            && self.kinds.is_empty()
            && entry.action.starts_with("queue.")
            && self.queues.contains(&entry.object);
        (!asked || of_queue || !jobs.is_empty() || !deleted.is_empty()).then(|| Happened {
            at: entry.at,
            actor: entry.actor.clone(),
            action: entry.action.clone(),
            object: entry.object.clone(),
            outcome: entry.outcome.clone(),
            tenant: entry.tenant.clone(),
            jobs,
            deleted,
            details,
        })
    }

    fn meets(&self, entry: &AuditEntry, id: JobId, known: &Known) -> Meets {
        if !self.jobs.is_empty() && !self.jobs.contains(&id) {
            return Meets::No;
        }
        let wanted = |set: &HashSet<String>, own: &str| set.is_empty() || set.contains(own);
        match known.get(&id) {
            _ if !self.asks_about_jobs() => Meets::Yes,
            Some((kind, queue)) => match wanted(&self.kinds, kind) && wanted(&self.queues, queue) {
                true => Meets::Yes,
                false => Meets::No,
            },
            // Jobs of one kind have it in their entry.
            None if entry.action == "job.enqueue" && entry.object.contains('.') => {
                match (wanted(&self.kinds, &entry.object), self.queues.is_empty()) {
                    (false, _) => Meets::No,
                    (true, true) => Meets::Yes,
                    (true, false) => Meets::NotKnown,
                }
            }
            None => Meets::NotKnown,
        }
    }
}

/// What may be heard of an entry. One that names the tenant is the tenant's, as it stands. Of one that names none, its own
/// jobs, as the store knows them, and who did what: others' jobs may stand beside them, and what else is told may be about
/// those.
pub fn within<'e>(scope: &Scope, entry: &'e AuditEntry, known: &Known) -> Option<Cow<'e, AuditEntry>> {
    if scope.covers(entry.tenant.as_deref()) {
        return Some(Cow::Borrowed(entry));
    }
    let own: Vec<JobId> = match entry.tenant {
        None => jobs_of(entry).into_iter().filter(|id| known.contains_key(id)).collect(),
        Some(_) => Vec::new(),
    };
    let told = AuditEntry { details: json!({ "jobs": own }), ..entry.clone() };
    (!own.is_empty()).then_some(Cow::Owned(told))
}

fn jobs_of(entry: &AuditEntry) -> Vec<JobId> {
    let ids = entry.details.get("jobs").and_then(Value::as_array);
    ids.into_iter().flatten().filter_map(|id| id.as_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn entry(action: &str, object: &str, jobs: &[u128]) -> AuditEntry {
        let ids: Vec<_> = jobs.iter().map(|id| Uuid::from_u128(*id)).collect();
        AuditEntry {
            at: None,
            actor: "user:ada".into(),
            action: action.into(),
            object: object.into(),
            outcome: "ok".into(),
            tenant: None,
            origin: jobkit::Origin::default(),
            details: json!({ "jobs": ids, "reason": "because" }),
        }
    }

    fn known() -> Known {
        [(1, ("a.b", "mail")), (2, ("a.c", "mail")), (3, ("a.b", "slow"))]
            .into_iter()
            .map(|(id, (kind, queue))| (JobId(Uuid::from_u128(id)), (kind.to_owned(), queue.to_owned())))
            .collect()
    }

    fn set(texts: &[&str]) -> HashSet<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn numbers(jobs: &[JobId]) -> Vec<u128> {
        jobs.iter().map(|id| id.0.as_u128()).collect()
    }

    #[test]
    fn a_listener_gets_what_it_asked_for_and_only_those_jobs() {
        let known = known();
        let finish = || entry("job.finish", "job", &[1, 2, 3]);
        for (wish, entry, wanted) in [
            (Wish::default(), finish(), Some(vec![1, 2, 3])),
            (Wish::default(), entry("queue.pause", "mail", &[]), Some(vec![])),
            (Wish { actions: set(&["job.enqueue"]), ..Wish::default() }, finish(), None),
            (Wish { kinds: set(&["a.b"]), ..Wish::default() }, finish(), Some(vec![1, 3])),
            (
                Wish { kinds: set(&["a.b"]), queues: set(&["mail"]), ..Wish::default() },
                finish(),
                Some(vec![1]),
            ),
            (Wish { kinds: set(&["other"]), ..Wish::default() }, finish(), None),
            (
                Wish { queues: set(&["mail"]), ..Wish::default() },
                entry("queue.pause", "mail", &[]),
                Some(vec![]),
            ),
            (Wish { queues: set(&["slow"]), ..Wish::default() }, entry("queue.pause", "mail", &[]), None),
            (Wish { jobs: [JobId(Uuid::from_u128(2))].into(), ..Wish::default() }, finish(), Some(vec![2])),
            (Wish { jobs: [JobId(Uuid::from_u128(9))].into(), ..Wish::default() }, finish(), None),
        ] {
            let told = wish.grant(&entry, &known);
            assert_eq!(told.map(|told| numbers(&told.jobs)), wanted, "{wish:?}");
        }
    }

    #[test]
    fn a_tenant_hears_of_its_own_and_of_nothing_beside_it() {
        let own: Known = known().into_iter().filter(|(id, _)| id.0.as_u128() != 2).collect();
        let of = |tenant: &str| AuditEntry { tenant: Some(tenant.into()), ..entry("schedule.put", "s", &[]) };
        let north = Scope::Tenant("north".into());
        for (scope, entry, wanted) in [
            (&Scope::Installation, entry("job.finish", "job", &[1, 2]), Some((vec![1, 2], true))),
            (&north, entry("job.finish", "job", &[1, 2]), Some((vec![1], false))),
            (&north, entry("job.finish", "job", &[2]), None),
            (&north, entry("queue.pause", "mail", &[]), None),
            (&north, of("north"), Some((vec![], true))),
            (&north, of("south"), None),
            // Of no tenant's entry is a job told that another tenant's entry names.
            (&north, AuditEntry { tenant: Some("south".into()), ..entry("job.enqueue", "a.b", &[1]) }, None),
            (&Scope::Nobody, entry("queue.pause", "mail", &[]), None),
            (&Scope::Nobody, of("north"), None),
        ] {
            let told = within(scope, &entry, &own)
                .map(|told| (numbers(&jobs_of(&told)), told.details.get("reason").is_some()));
            assert_eq!(told, wanted, "{scope:?} {entry:?}");
        }
    }

    /// They were left out, with the whole event when it was about no other.
    #[test]
    fn jobs_that_were_deleted_since_are_named_unless_they_cannot_be_meant() {
        let (kinds, queues) = (set(&["a.b"]), set(&["mail"]));
        let of_kind = || Wish { kinds: kinds.clone(), ..Wish::default() };
        let of_both = || Wish { kinds: kinds.clone(), queues: queues.clone(), ..Wish::default() };
        for (wish, entry, wanted) in [
            (of_kind(), entry("job.finish", "job", &[1, 8, 9]), Some((vec![1], vec![8, 9]))),
            (of_kind(), entry("job.finish", "job", &[2, 9]), Some((vec![], vec![9]))),
            (of_kind(), entry("job.enqueue", "a.b", &[9]), Some((vec![9], vec![]))),
            (of_kind(), entry("job.enqueue", "a.c", &[9]), None),
            (of_both(), entry("job.enqueue", "a.b", &[9]), Some((vec![], vec![9]))),
            (Wish::default(), entry("job.finish", "job", &[9]), Some((vec![9], vec![]))),
        ] {
            let told = wish.grant(&entry, &known()).map(|told| (numbers(&told.jobs), numbers(&told.deleted)));
            assert_eq!(told, wanted, "{wish:?} {entry:?}");
        }
    }
}
