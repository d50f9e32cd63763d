//! How the log goes: by whole segments, when anchors have them and their time is over, and not otherwise.

use std::time::Duration;

use engine::audit::export::{self, ExportError, Wish};
use engine::audit::grower::catch_up;
use engine::audit::keeper::Keeper;
use engine::audit::verify::Finding;
use store::{AuditSearch, SegmentRow};

use super::{KEEP, Log};
use crate::support::store::{TestStore, promises};

promises![
    a_month_is_closed_when_all_anchors_have_it,
    what_is_over_goes_and_what_is_left_still_fits,
    nothing_goes_that_is_not_over,
    entries_that_are_gone_without_a_word_in_the_log_are_missed,
    of_two_keepers_one_closes_and_one_drops,
];

const DAY: Duration = Duration::from_secs(86_400);

impl Log {
    fn keeper(&self) -> Keeper {
        Keeper {
            store: self.t.store.clone(),
            clock: self.t.clock.clone(),
            keep: Some(KEEP),
            anchors: vec!["one".into()],
        }
    }

    /// Signs the tree when it has so many leaves.
    async fn sign_all(&self, size: u64) {
        assert!(
            self.t.store.search_audit(&AuditSearch::default(), 10_000).await.unwrap()[0].0.seq
                >= size.cast_signed()
        );
        while catch_up(&self.t.store).await.unwrap().edge.size() < size {
            tokio::task::yield_now().await;
        }
        assert_eq!(self.signer(&self.secret).look().await.unwrap().map(|signed| signed.size), Some(size));
    }

    async fn segments(&self) -> Vec<(u64, u64, bool)> {
        let rows: Vec<SegmentRow> = self.t.store.segments().await.unwrap();
        rows.iter().map(|row| (row.segment.first, row.segment.until, row.dropped_at.is_some())).collect()
    }

    /// Three months of 300, 301 (one of which closes the first) and 302 entries.
    async fn of_three_months(t: TestStore) -> Self {
        let log = Self::of(t).await;
        log.write(300).await;
        log.sign_all(300).await;
        log.t.clock.advance(31 * DAY);
        log.keeper().look().await.unwrap();
        log.t.clock.advance(Duration::from_secs(1));
        log.write(300).await;
        log.sign_all(601).await;
        log.t.clock.advance(31 * DAY);
        log.keeper().look().await.unwrap();
        log.t.clock.advance(Duration::from_secs(1));
        log.write(300).await;
        log.sign_all(902).await;
        log
    }

    async fn oldest(&self) -> i64 {
        let all = self.t.store.search_audit(&AuditSearch::default(), 10_000).await.unwrap();
        all.last().unwrap().0.seq
    }
}

async fn a_month_is_closed_when_all_anchors_have_it(t: TestStore) {
    let log = Log::of(t).await;
    log.write(10).await;
    log.sign_all(10).await;
    log.keeper().look().await.unwrap();
    assert_eq!(log.segments().await, [], "the month goes on");
    log.t.clock.advance(31 * DAY);
    let mut keeper = log.keeper();
    keeper.anchors.push("two".into());
    keeper.look().await.unwrap();
    keeper.anchors.clear();
    keeper.look().await.unwrap();
    assert_eq!(log.segments().await, [], "an anchor is missing");

    log.keeper().look().await.unwrap();
    log.keeper().look().await.unwrap();

    assert_eq!(log.segments().await, [(0, 10, false)]);
    let wanted = AuditSearch { action: Some("audit.segment_close".into()), ..AuditSearch::default() };
    let told = log.t.store.search_audit(&wanted, 10).await.unwrap();
    let rows = log.t.store.segments().await.unwrap();
    let [(_, entry)] = told.as_slice() else { panic!("one entry: {told:?}") };
    assert_eq!((&entry.details, entry.actor.as_str()), (&rows[0].segment.told(), "system"));
    assert_eq!(rows[0].segment.last.seq, 10);
}

async fn what_is_over_goes_and_what_is_left_still_fits(t: TestStore) {
    let log = Log::of_three_months(t).await;
    assert_eq!(log.segments().await, [(0, 300, false), (300, 601, false)]);
    log.t.clock.advance(KEEP - 40 * DAY);

    log.keeper().look().await.unwrap();

    // The third month was closed by the same look.
    assert_eq!(log.segments().await, [(0, 300, true), (300, 601, false), (601, 902, false)]);
    assert_eq!(log.oldest().await, 301);
    log.sign_all(904).await;
    let verified = log.verify().await;
    assert_eq!((verified.entries, verified.gone, verified.findings), (904, 300, vec![]));
    // An entry that is left is proven as before, and what is gone is not taken along.
    engine::audit::prove::receipt(log.t.store.as_ref(), 301).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let keys = [log.secret.vkey().clone()];
    let wish = |from| Wish { keys: &keys, from, openings: false };
    let refused =
        export::export(log.t.store.as_ref(), &folder.path().join("all"), &wish(0)).await.unwrap_err();
    assert!(matches!(refused, ExportError::Gone { from: 0, first: 512 }), "{refused:?}");
    export::export(log.t.store.as_ref(), &folder.path().join("rest"), &wish(512)).await.unwrap();
}

async fn nothing_goes_that_is_not_over(t: TestStore) {
    let log = Log::of_three_months(t).await;
    log.t.clock.advance(KEEP - 70 * DAY);

    log.keeper().look().await.unwrap();
    let mut forever = log.keeper();
    forever.keep = None;
    log.t.clock.advance(1_000 * DAY);
    forever.look().await.unwrap();

    assert!(log.segments().await.iter().all(|(.., dropped)| !dropped));
    assert_eq!(log.t.store.forget_entries(1_000).await.unwrap(), 0);
    let refusal = log.t.connection().await.refusal("DELETE FROM {} WHERE seq = 1", "audit_entry").await;
    assert!(refusal.contains("append-only"), "{refusal}");
}

async fn entries_that_are_gone_without_a_word_in_the_log_are_missed(t: TestStore) {
    let log = Log::of_three_months(t).await;
    log.tamper("UPDATE {}audit_segment SET dropped_at = closed_at WHERE number = 0").await;
    assert_eq!(log.t.store.forget_entries(1_000).await.unwrap(), 300);

    let untold = Finding::Segment { number: 0, problem: "no entry says that it was dropped" };
    assert_eq!(log.verify().await.findings, [untold]);

    let row = &log.t.store.segments().await.unwrap()[0];
    let said = jobkit::AuditEntry {
        at: None,
        actor: "system".into(),
        action: "audit.segment_drop".into(),
        object: "audit".into(),
        outcome: "ok".into(),
        tenant: None,
        origin: jobkit::Origin::default(),
        details: row.segment.told(),
    };
    log.t.store.append_audit(&said).await.unwrap();
    log.sign_all(903).await;
    let early = Finding::Segment { number: 0, problem: "it was dropped before its time" };
    assert_eq!(log.verify().await.findings, [early]);
}

async fn of_two_keepers_one_closes_and_one_drops(t: TestStore) {
    let log = Log::of_three_months(t).await;
    log.t.clock.advance(KEEP);
    let (first, mut second) = (log.keeper(), log.keeper());
    second.store = log.t.another().await;

    let (one, other) = tokio::join!(first.look(), second.look());

    one.unwrap();
    other.unwrap();
    let actions = async |action: &str| {
        let wanted = AuditSearch { action: Some(action.into()), ..AuditSearch::default() };
        log.t.store.search_audit(&wanted, 100).await.unwrap().len()
    };
    assert_eq!(log.segments().await, [(0, 300, true), (300, 601, true), (601, 902, false)]);
    assert_eq!((actions("audit.segment_close").await, actions("audit.segment_drop").await), (3 - 1, 2));
    assert_eq!(log.oldest().await, 602);
}
