//! Tenants in the store: what is one's own is seen, and what is another's is answered as what never was.

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use jobkit::{JobId, OnConflict};
use serde_json::json;
use store::schedules::{FireRange, Fired, Firing, Occasion, PutSchedule, Source};
use store::{
    Actor, Change, Decision, JobFilter, NewReview, NewRow, Once, Release, Request, ReviewFilter, Reviewer,
    Scope, StoreError,
};

use crate::support::store::{ALL, TestStore, ada, completed, promises, seconds, unique};

promises![
    what_is_anothers_is_answered_as_what_never_was,
    lists_have_ones_own_alone,
    nobody_sees_and_touches_nothing,
    a_row_is_the_callers_own_or_is_refused,
    two_tenants_with_one_key_of_a_request_have_two_answers,
    a_schedule_is_its_definitions_and_its_name_brings_no_memory_along,
    what_waits_for_a_tenants_job_goes_on_whosever_it_is,
    whatever_two_tenants_do_in_any_order_neither_hears_of_the_other,
];

fn tenant(name: &str) -> Scope {
    Scope::Tenant(name.into())
}

/// Things of one tenant to ask for.
#[derive(Clone)]
struct Target {
    tenant: String,
    live: JobId,
    done: JobId,
    schedule: String,
    revision: i64,
}

fn schedule(name: &str, tenant: Option<&str>, revision: Option<i64>) -> PutSchedule {
    PutSchedule {
        name: name.into(),
        source: Source::Api,
        definition: json!({ "definition": { "tenant": tenant } }).to_string(),
        digest: "d".into(),
        enabled: true,
        next_fire: None,
        revision,
    }
}

fn firing(t: &TestStore, name: &str, tenant: Option<&str>) -> Firing {
    let row = NewRow { tenant: tenant.map(str::to_owned), ..t.row() };
    Firing {
        name: name.into(),
        jobs: vec![(Timestamp::UNIX_EPOCH, row)],
        cancel: Vec::new(),
        occasion: Occasion::Run,
        details: json!({}),
        news: Vec::new(),
    }
}

async fn target(t: &TestStore, name: &str) -> Target {
    let worker = t.worker().await;
    let done = t.add(|row| row.tenant = Some(name.into())).await;
    while t.state(done).await != store::state::JobState::Completed {
        t.run(worker, completed()).await;
    }
    let item = NewReview { item: format!("of {name}"), decision: Decision::Cleared, comment: None };
    t.store.review(ALL, done, &[item], &by()).await.unwrap();
    let schedule_name = format!("s{}", t.ids.next());
    t.store.put_schedule(ALL, &schedule(&schedule_name, Some(name), None), &ada()).await.unwrap();
    let revision = t.store.schedule(ALL, &schedule_name).await.unwrap().unwrap().revision;
    // Last: nobody claims it.
    let parent = t.add(|row| row.tenant = Some(name.into())).await;
    let live = t
        .add(|row| {
            row.tenant = Some(name.into());
            row.after = vec![parent];
        })
        .await;
    Target { tenant: name.into(), live, done, schedule: schedule_name, revision }
}

/// Of what nobody has.
fn nothing(t: &TestStore) -> Target {
    let (live, done) = (t.ids.next(), t.ids.next());
    Target { tenant: "nowhere".into(), live, done, schedule: format!("s{}", t.ids.next()), revision: 1 }
}

fn by() -> Reviewer {
    Reviewer { actor: ada(), by: None }
}

fn request(t: &TestStore) -> Request {
    let mut key = [0; 32];
    key[..16].copy_from_slice(t.ids.next().0.as_bytes());
    Request { key, fingerprint: [1; 32] }
}

fn only(id: JobId) -> JobFilter {
    JobFilter { ids: vec![id], ..JobFilter::default() }
}

type Ask = for<'a> fn(&'a TestStore, &'a Scope, &'a Target) -> BoxFuture<'a, String>;

/// As text, with what names the thing taken out of it.
macro_rules! ask {
    (|$t:ident, $scope:ident, $target:ident| $asked:expr) => {
        (|$t, $scope, $target| {
            async move {
                let told = match $asked.await {
                    Ok(told) => format!("{told:?}"),
                    Err(StoreError::Refused(told)) => told,
                    Err(problem) => panic!("{problem:?}"),
                };
                [$target.live.to_string(), $target.done.to_string(), $target.schedule.clone()]
                    .iter()
                    .fold(told, |told, name| told.replace(name, "IT"))
            }
            .boxed()
        }) as Ask
    };
}

/// Every verb that takes a scope and the name of a thing.
const VERBS: &[(&str, Ask)] = &[
    ("job", ask!(|t, scope, it| t.store.job(scope, it.live))),
    ("jobs", ask!(|t, scope, it| t.store.jobs(scope, &only(it.done)))),
    (
        "jobs of a tenant",
        ask!(|t, scope, it| {
            let filter = JobFilter { tenants: vec![it.tenant.clone()], ..JobFilter::default() };
            async move { t.store.jobs(scope, &filter).await }
        }),
    ),
    ("briefs", ask!(|t, scope, it| t.store.briefs(scope, &only(it.live)))),
    ("cancel", ask!(|t, scope, it| t.store.change(scope, &only(it.live), Change::Cancel, ada_ref(), 1))),
    ("discard", ask!(|t, scope, it| t.store.change(scope, &only(it.live), Change::Discard, ada_ref(), 1))),
    ("retry", ask!(|t, scope, it| t.store.change(scope, &only(it.done), Change::Retry, ada_ref(), 1))),
    (
        "cancel once",
        ask!(|t, scope, it| {
            let request = request(t);
            async move { t.store.change_once(scope, &request, it.live, Change::Cancel, &ada()).await }
        }),
    ),
    (
        "wait for it",
        ask!(|t, scope, it| {
            let row = NewRow { tenant: own(scope), after: vec![it.live], ..t.row() };
            async move { t.store.insert(scope, &[row], &ada()).await.map(|made| made[0].duplicate) }
        }),
    ),
    (
        "wait for it once",
        ask!(|t, scope, it| {
            let (row, request) = (NewRow { tenant: own(scope), after: vec![it.done], ..t.row() }, request(t));
            async move {
                let once = t.store.insert_once(scope, &request, &[row], &ada()).await;
                once.map(|once| matches!(once, Once::Done(_)))
            }
        }),
    ),
    (
        "review",
        ask!(|t, scope, it| {
            let item = NewReview { item: "i".into(), decision: Decision::Cleared, comment: None };
            async move { t.store.review(scope, it.done, &[item], &by()).await }
        }),
    ),
    (
        "review once",
        ask!(|t, scope, it| {
            let item = NewReview { item: "i".into(), decision: Decision::Cleared, comment: None };
            let request = request(t);
            async move { t.store.review_once(scope, &request, it.done, &[item], &by()).await }
        }),
    ),
    (
        "reviews",
        ask!(|t, scope, it| {
            let filter = ReviewFilter { job: it.done, items: Vec::new(), before: None, limit: 10 };
            async move { t.store.reviews(scope, &filter).await }
        }),
    ),
    ("decisions", ask!(|t, scope, it| t.store.decisions(scope, it.done, None, 10))),
    ("schedule", ask!(|t, scope, it| t.store.schedule(scope, &it.schedule))),
    (
        "put",
        ask!(|t, scope, it| {
            let put = schedule(&it.schedule, own(scope).as_deref(), Some(it.revision));
            async move { t.store.put_schedule(scope, &put, &ada()).await }
        }),
    ),
    ("pause", ask!(|t, scope, it| t.store.pause_schedule(scope, &it.schedule, ada_ref(), "why"))),
    (
        "resume",
        ask!(|t, scope, it| t.store.resume_schedule(scope, &it.schedule, it.revision, None, ada_ref())),
    ),
    ("delete", ask!(|t, scope, it| t.store.delete_schedule(scope, &it.schedule, ada_ref()))),
    (
        "run",
        ask!(|t, scope, it| {
            let firing = firing(t, &it.schedule, own(scope).as_deref());
            async move { t.store.fire_schedule(scope, &firing, &ada()).await.map(|fired| fired == Fired::Lost) }
        }),
    ),
    (
        "run once",
        ask!(|t, scope, it| {
            let (firing, request) = (firing(t, &it.schedule, own(scope).as_deref()), request(t));
            async move {
                let once = t.store.fire_once(scope, &request, &firing, &ada()).await;
                once.map(|once| once == Once::Done(Fired::Lost))
            }
        }),
    ),
];

fn own(scope: &Scope) -> Option<String> {
    scope.bound().map(str::to_owned)
}

fn ada_ref() -> &'static Actor {
    static ADA: std::sync::LazyLock<Actor> = std::sync::LazyLock::new(ada);
    &ADA
}

/// All that there is of it.
async fn stands(t: &TestStore, it: &Target) -> String {
    let mut told = String::new();
    for name in ["job", "jobs", "reviews", "decisions", "schedule"] {
        let (_, ask) = VERBS.iter().find(|(verb, _)| *verb == name).unwrap();
        told.push_str(&ask(t, ALL, it).await);
    }
    told
}

pub(super) async fn what_is_anothers_is_answered_as_what_never_was(t: TestStore) {
    for (verb, ask) in VERBS {
        let (own, foreign) = (target(&t, "north").await, target(&t, "south").await);
        let never = nothing(&t);
        let north = tenant("north");
        let before = stands(&t, &foreign).await;

        let unknown = ask(&t, &north, &never).await;
        let told = ask(&t, &north, &foreign).await;
        assert_eq!(told, unknown, "{verb} of another's");
        assert_eq!(stands(&t, &foreign).await, before, "{verb} changed another's");
        let (before, told) = (stands(&t, &own).await, ask(&t, &Scope::Nobody, &own).await);
        assert!(told == unknown || told.starts_with("tenant: "), "{verb} by nobody: {told}");
        assert_eq!(stands(&t, &own).await, before, "{verb} by nobody");

        assert_ne!(ask(&t, &north, &own).await, unknown, "{verb} of one's own");
        assert_ne!(
            ask(&t, ALL, &foreign).await,
            ask(&t, ALL, &never).await,
            "{verb} by whoever has everything"
        );
    }
}

pub(super) async fn lists_have_ones_own_alone(t: TestStore) {
    let (own, foreign) = (target(&t, "north").await, target(&t, "south").await);
    t.add(|row| row.queue = "apart".into()).await;
    t.add(|row| {
        row.tenant = Some("south".into());
        row.queue = "southern".into();
    })
    .await;
    t.store.pause("default", None, &ada(), "the south is in arrears").await.unwrap();
    let north = tenant("north");

    let jobs = t.store.jobs(&north, &JobFilter::default()).await.unwrap();
    assert!(jobs.iter().all(|job| job.tenant.as_deref() == Some("north")), "{jobs:?}");
    assert!([own.live, own.done].iter().all(|id| jobs.iter().any(|job| job.id == *id)), "{jobs:?}");
    let briefs = t.store.briefs(&north, &JobFilter::default()).await.unwrap();
    assert_eq!(
        briefs.iter().map(|job| job.id).collect::<Vec<_>>(),
        jobs.iter().map(|job| job.id).collect::<Vec<_>>()
    );
    let schedules = t.store.schedules(&north).await.unwrap();
    assert_eq!(schedules.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), [own.schedule.as_str()]);

    let queues = t.store.queues(&north).await.unwrap();
    let [queue] = &queues[..] else { panic!("{queues:?}") };
    let live = jobs.iter().filter(|job| !job.state.is_final()).count() as u64;
    assert_eq!((queue.name.as_str(), queue.counts.values().sum::<u64>()), ("default", live));
    assert_eq!((queue.paused_at.is_some(), &queue.paused_by, &queue.reason), (true, &None, &None));

    let everything =
        t.store.change(&north, &JobFilter::default(), Change::Cancel, &ada(), 100).await.unwrap();
    assert!(everything.ids.contains(&own.live) && !everything.ids.contains(&foreign.live), "{everything:?}");
    assert!(!t.state(foreign.live).await.is_final());
}

pub(super) async fn nobody_sees_and_touches_nothing(t: TestStore) {
    target(&t, "north").await;
    t.add(|_| {}).await;
    let nobody = Scope::Nobody;

    assert_eq!(t.store.jobs(&nobody, &JobFilter::default()).await.unwrap(), []);
    assert_eq!(t.store.queues(&nobody).await.unwrap(), []);
    assert_eq!(t.store.schedules(&nobody).await.unwrap(), []);
    let changed = t.store.change(&nobody, &JobFilter::default(), Change::Cancel, &ada(), 100).await.unwrap();
    assert_eq!((changed.ids, changed.asked, changed.refused), (vec![], vec![], vec![]));
    let refused = t.store.insert(&nobody, &[t.row()], &ada()).await.unwrap_err();
    assert!(refused.to_string().starts_with("tenant: "), "{refused}");
}

async fn a_row_is_the_callers_own_or_is_refused(t: TestStore) {
    let north = tenant("north");
    let row = |tenant: Option<&str>| NewRow { tenant: tenant.map(str::to_owned), ..t.row() };
    let many = |tenant: &str| (0..150).map(|_| row(Some(tenant))).collect::<Vec<_>>();

    let careful =
        NewRow { unique: unique(1, Release::AtEnd, OnConflict::ReturnExisting), ..row(Some("north")) };
    for rows in [vec![row(Some("north"))], vec![careful], many("north")] {
        let made = t.store.insert(&north, &rows, &ada()).await.unwrap();
        assert_eq!(t.job(made[0].id).await.job.tenant.as_deref(), Some("north"));
    }
    let before = t.store.jobs(ALL, &JobFilter::default()).await.unwrap();
    for rows in [
        vec![row(None)],
        vec![row(Some("south"))],
        many("south"),
        vec![row(Some("north")), row(Some("south"))],
    ] {
        let refused = t.store.insert(&north, &rows, &ada()).await.unwrap_err().to_string();
        assert!(refused.starts_with("tenant: ") && !refused.contains("south"), "{refused}");
        let refused = t.store.insert_once(&north, &request(&t), &rows, &ada()).await.unwrap_err();
        assert!(refused.to_string().starts_with("tenant: "), "{refused}");
    }
    assert_eq!(t.store.jobs(ALL, &JobFilter::default()).await.unwrap(), before);
}

async fn two_tenants_with_one_key_of_a_request_have_two_answers(t: TestStore) {
    let request = request(&t);
    let mut answers = Vec::new();
    for name in ["north", "south"] {
        let row = NewRow { tenant: Some(name.into()), ..t.row() };
        let once = t.store.insert_once(&tenant(name), &request, &[row], &ada()).await.unwrap();
        let Once::Done(made) = once else { panic!("{name} got {once:?}") };
        answers.push(made[0].id);
    }
    let row = NewRow { tenant: Some("north".into()), ..t.row() };
    let again = t.store.insert_once(&tenant("north"), &request, &[row], &ada()).await.unwrap();

    assert!(matches!(&again, Once::Again(made) if made[0].id == answers[0]), "{again:?}");
    assert_ne!(answers[0], answers[1]);
}

async fn a_schedule_is_its_definitions_and_its_name_brings_no_memory_along(t: TestStore) {
    let (north, south) = (tenant("north"), tenant("south"));
    let range =
        FireRange { from: Timestamp::UNIX_EPOCH, until: Timestamp::UNIX_EPOCH + seconds(1), limit: 10 };
    let put = |of: &str| schedule("nightly", Some(of), None);
    assert!(t.store.put_schedule(&south, &put("south"), &ada()).await.unwrap());
    // Taken, and nothing else is told.
    assert!(!t.store.put_schedule(&north, &put("north"), &ada()).await.unwrap());
    for foreign in [schedule("other", Some("south"), None), schedule("other", None, None)] {
        let refused = t.store.put_schedule(&north, &foreign, &ada()).await.unwrap_err().to_string();
        assert!(refused.starts_with("tenant: ") && !refused.contains("south"), "{refused}");
    }
    assert_eq!(t.store.schedule(ALL, "other").await.unwrap(), None);
    t.store.fire_schedule(&south, &firing(&t, "nightly", Some("south")), &ada()).await.unwrap();
    assert_eq!(t.store.fires(&south, "nightly", range).await.unwrap().len(), 1);
    assert!(t.store.delete_schedule(&south, "nightly", &ada()).await.unwrap());

    assert!(t.store.put_schedule(&north, &put("north"), &ada()).await.unwrap());

    assert_eq!(t.store.fires(ALL, "nightly", range).await.unwrap(), []);
    assert_eq!(t.store.first_fired(&north, "nightly").await.unwrap(), None);
    let fired = t.store.fire_schedule(&north, &firing(&t, "nightly", Some("north")), &ada()).await.unwrap();
    assert!(matches!(&fired, Fired::Enqueued(jobs) if jobs.len() == 1), "{fired:?}");
    assert_eq!(t.store.fires(&south, "nightly", range).await.unwrap(), []);
    let told = t.everything_audited().await;
    let tenants: Vec<_> = told
        .iter()
        .filter(|entry| entry.action == "schedule.put")
        .map(|entry| entry.tenant.as_deref())
        .collect();
    assert_eq!(tenants, [Some("south"), Some("north")]);
}

/// Whoever has the database may make a job of one tenant wait for another's; the tenant that ends its own does not see it.
async fn what_waits_for_a_tenants_job_goes_on_whosever_it_is(t: TestStore) {
    let parent = t.add(|row| row.tenant = Some("north".into())).await;
    let child = t
        .add(|row| {
            row.tenant = Some("south".into());
            row.after = vec![parent];
        })
        .await;
    let seen = t.store.job(&tenant("south"), child).await.unwrap().unwrap();
    assert_eq!(seen.waits_for, [], "another's job is not named");
    assert_eq!(t.job(child).await.waits_for, [parent]);

    let changed = t.store.change(&tenant("north"), &only(parent), Change::Cancel, &ada(), 1).await.unwrap();

    assert_eq!((changed.ids, changed.refused), (vec![parent], vec![]));
    assert_eq!(t.state(child).await, store::state::JobState::Cancelled);
}

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        usize::try_from((mixed ^ (mixed >> 27)) % most).unwrap()
    }
}

/// Two tenants enqueue, change, wait for and look at whatever there is, each other's included. Every id and every word of one
/// stays out of all that the other is told.
pub(super) async fn whatever_two_tenants_do_in_any_order_neither_hears_of_the_other(t: TestStore) {
    for seed in 0..6 {
        let mut dice = Dice(seed);
        let tenants = [format!("north{seed}"), format!("south{seed}")];
        let mut ids: [Vec<JobId>; 2] = Default::default();
        for step in 0..40 {
            let who = dice.below(2);
            let scope = tenant(&tenants[who]);
            let all: Vec<JobId> = ids.iter().flatten().copied().collect();
            let any = |dice: &mut Dice| match all.len() {
                0 => t.ids.next(),
                some => all[dice.below(some as u64)],
            };
            // What the caller names may be told back to it.
            let (named, told) = match dice.below(7) {
                0 => {
                    let key = u8::try_from(dice.below(3)).unwrap();
                    let row = NewRow {
                        tenant: Some(tenants[who].clone()),
                        args: format!("{{\"of\":\"{}\"}}", tenants[who]),
                        // As the door makes them: the tenant is part of the key.
                        unique: unique(
                            key * 2 + u8::try_from(who).unwrap() + 10 * u8::try_from(seed).unwrap(),
                            Release::AtEnd,
                            OnConflict::Replace,
                        ),
                        ..t.row()
                    };
                    let made = t.store.insert(&scope, &[row], &ada()).await.unwrap();
                    if !made[0].duplicate {
                        ids[who].push(made[0].id);
                    }
                    (None, format!("{made:?}"))
                }
                1 => {
                    let parent = any(&mut dice);
                    let row = NewRow { tenant: Some(tenants[who].clone()), after: vec![parent], ..t.row() };
                    let made = t.store.insert(&scope, &[row], &ada()).await;
                    ids[who].extend(made.iter().flatten().map(|made| made.id));
                    (Some(parent), format!("{made:?}"))
                }
                action @ 2..=4 => {
                    let id = any(&mut dice);
                    let change = [Change::Cancel, Change::Discard, Change::Retry][action - 2];
                    let filter = if dice.below(3) == 0 { JobFilter::default() } else { only(id) };
                    let changed = t.store.change(&scope, &filter, change, &ada(), 3).await.unwrap();
                    (Some(id), format!("{changed:?}"))
                }
                5 => {
                    let id = any(&mut dice);
                    (Some(id), format!("{:?}", t.store.job(&scope, id).await.unwrap()))
                }
                _ => {
                    let jobs = t.store.jobs(&scope, &JobFilter::default()).await.unwrap();
                    (None, format!("{jobs:?} {:?}", t.store.queues(&scope).await.unwrap()))
                }
            };
            let other = 1 - who;
            assert!(!told.contains(&tenants[other]), "seed {seed}, step {step}: {told}");
            for id in ids[other].iter().filter(|id| Some(**id) != named) {
                assert!(!told.contains(&id.to_string()), "seed {seed}, step {step}: {told}");
            }
        }
        for (own, name) in ids.iter().zip(&tenants) {
            for id in own {
                assert_eq!(t.job(*id).await.job.tenant.as_deref(), Some(name.as_str()));
            }
        }
    }
}
