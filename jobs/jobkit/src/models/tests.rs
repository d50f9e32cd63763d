use super::Standing::{Challenger, Champion, Retired};
use super::*;
use crate::testing::{Bench, FakeModels};

fn model(id: &str, name: &str) -> NewModel {
    NewModel {
        id: id.into(),
        sha256: id.repeat(4),
        name: name.into(),
        schema_sha256: "ab".repeat(32),
        window: Some((jiff::civil::date(2025, 1, 1), jiff::civil::date(2025, 12, 31))),
        entries: 100,
        path: format!("file:{id}"),
    }
}

fn records(standings: &[Standing]) -> Vec<ModelRecord> {
    let record = |(place, &standing): (usize, &Standing)| ModelRecord {
        model: model(&format!("m{}", place + 1), "ledger"),
        version: place as u32 + 1,
        standing,
        made_by: Bench::default().id,
        made_at: Timestamp::UNIX_EPOCH,
    };
    standings.iter().enumerate().map(record).collect()
}

#[test]
fn a_name_has_one_champion_and_what_is_older_is_retired() {
    for (before, promoted, after) in [
        (&[Challenger][..], "m1", &[Champion][..]),
        (&[Champion, Challenger], "m2", &[Retired, Champion]),
        (&[Champion, Challenger, Challenger, Challenger], "m3", &[Retired, Retired, Champion, Challenger]),
        // The way back.
        (&[Retired, Champion, Challenger], "m1", &[Champion, Retired, Challenger]),
        (&[Retired, Champion, Challenger], "m2", &[Retired, Champion, Challenger]),
    ] {
        let mut records = records(before);

        for StandingChange { id, from, to } in promotion(&records, promoted).unwrap() {
            let record = records.iter_mut().find(|record| record.model.id == id).unwrap();
            assert_eq!(record.standing, from);
            record.standing = to;
        }

        let found: Vec<Standing> = records.iter().map(|record| record.standing).collect();
        assert_eq!(found, after, "{before:?}, {promoted}");
    }
    assert_eq!(promotion(&records(&[Champion]), "other"), None);
    assert_eq!(promotion(&records(&[Champion]), "m1"), Some(Vec::new()));
}

#[test]
fn a_standing_is_read_as_it_is_written() {
    for standing in [Champion, Challenger, Retired] {
        assert_eq!(standing.name().parse(), Ok(standing));
        assert_eq!(serde_json::to_value(standing).unwrap(), standing.name());
    }
    assert_eq!("king".parse::<Standing>(), Err("unknown standing `king`".into()));
}

#[tokio::test]
async fn the_attempts_of_a_job_see_one_list() {
    let bench = Bench::default();
    let (first, second) = (bench.ctx("test.kind", 1), bench.ctx("test.kind", 2));

    let added = first.models().add(&first, &model("a", "ledger")).await.unwrap();

    assert_eq!(second.models().get("a").await.unwrap(), Some(added));
}

#[tokio::test]
async fn a_model_is_taken_in_once_and_counted_by_its_name() {
    let (models, bench) = (FakeModels::default(), Bench::default());
    let ctx = bench.ctx("test.kind", 1);

    let first = models.add(&ctx, &model("a", "ledger")).await.unwrap();
    let elsewhere = NewModel { path: "file:of another run".into(), ..model("a", "ledger") };
    let again = models.add(&ctx, &elsewhere).await.unwrap();
    let other = models.add(&ctx, &model("b", "other")).await.unwrap();
    let second = models.add(&ctx, &model("c", "ledger")).await.unwrap();

    assert_eq!(first, again);
    assert_eq!([first.version, other.version, second.version], [1, 1, 2]);
    assert_eq!((first.standing, first.made_by), (Challenger, bench.id));
    let named = models.named("ledger").await.unwrap();
    assert_eq!(named.iter().map(|record| &*record.model.id).collect::<Vec<_>>(), ["c", "a"]);
    for (other, why) in [
        (NewModel { sha256: "x".into(), ..model("a", "ledger") }, "another model"),
        (model("a", "other"), "under the name `ledger`"),
    ] {
        let taken = models.add(&ctx, &other).await;
        assert!(matches!(&taken, Err(HostError::Refused(told)) if told.contains(why)), "{taken:?}");
    }
}

#[tokio::test]
async fn a_promotion_shows_in_the_list() {
    let (models, bench) = (FakeModels::default(), Bench::default());
    let ctx = bench.ctx("test.kind", 1);
    for id in ["a", "b"] {
        models.add(&ctx, &model(id, "ledger")).await.unwrap();
    }

    models.promote(&ctx, "a").await.unwrap();
    let changes = models.promote(&ctx, "b").await.unwrap();

    let change = |id: &str, from, to| StandingChange { id: id.into(), from, to };
    assert_eq!(changes, [change("a", Champion, Retired), change("b", Challenger, Champion)]);
    assert_eq!(models.get("a").await.unwrap().map(|record| record.standing), Some(Retired));
    assert_eq!(models.get("b").await.unwrap().map(|record| record.standing), Some(Champion));
    let unknown = models.promote(&ctx, "z").await;
    assert!(matches!(unknown, Err(HostError::Refused(_))), "{unknown:?}");
}
