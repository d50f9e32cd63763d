use audit::Entry;
use jobkit::{Clock, Origin, Personal};
use store::{Actor, FullTile, JobFilter, OpeningRow, Position, Scope, SignedRow, Trunk};

use crate::support::store::{TestStore, ada, promises};

promises![
    a_tree_grows_from_where_it_stands_and_nowhere_else,
    of_two_that_let_it_grow_one_does,
    full_tiles_are_found_by_name_and_by_place,
    a_leaf_has_all_that_its_entry_has,
    what_was_signed_stays_and_is_read_in_order,
    an_anchor_never_goes_back,
    an_opening_is_found_by_what_it_opens,
];

fn at(seq: i64) -> Position {
    Position { seq, ..Position::START }
}

fn trunk(size: u64) -> Trunk {
    let seq = size.cast_signed();
    Trunk { size, last: at(seq), first: at(seq + 1), edge: vec![size as u8; 9] }
}

fn tile(level: u8, number: u64, first: Option<i64>) -> FullTile {
    FullTile { level, number, hashes: vec![level * 16 + number as u8; 8_192], first: first.map(at) }
}

async fn a_tree_grows_from_where_it_stands_and_nowhere_else(t: TestStore) {
    assert_eq!(t.store.tree().await.unwrap(), None);
    assert!(!t.store.grow(5, &trunk(9), &[]).await.unwrap(), "there is no tree of five leaves");

    assert!(t.store.grow(0, &trunk(5), &[]).await.unwrap());
    assert!(!t.store.grow(4, &trunk(9), &[tile(0, 0, Some(1))]).await.unwrap());
    assert_eq!(t.store.tree().await.unwrap(), Some(trunk(5)));
    assert_eq!(t.store.tiles(&[(0, 0)]).await.unwrap(), []);
    assert!(t.store.grow(5, &trunk(300), &[tile(0, 0, Some(1))]).await.unwrap());

    assert_eq!(t.store.tree().await.unwrap(), Some(trunk(300)));
    assert!(!t.store.grow(0, &trunk(5), &[]).await.unwrap(), "nobody plants it anew");
}

async fn of_two_that_let_it_grow_one_does(t: TestStore) {
    t.store.grow(0, &trunk(5), &[]).await.unwrap();
    let (left, right) = (trunk(6), trunk(7));

    let (one, other) = tokio::join!(t.store.grow(5, &left, &[]), t.store.grow(5, &right, &[]));

    let stands = t.store.tree().await.unwrap().unwrap();
    assert_eq!((one.unwrap(), other.unwrap()), (stands == left, stands == right));
    assert!(stands == left || stands == right);
}

async fn full_tiles_are_found_by_name_and_by_place(t: TestStore) {
    let tiles = [tile(0, 0, Some(3)), tile(0, 1, Some(300)), tile(1, 0, None)];
    t.store.grow(0, &trunk(600), &tiles).await.unwrap();

    let mut found = t.store.tiles(&[(1, 0), (0, 1), (0, 7)]).await.unwrap();
    found.sort_by_key(|tile| tile.level);
    assert_eq!(found, tiles[1..]);
    for (seq, of) in [(2, None), (3, Some(0)), (299, Some(0)), (300, Some(1)), (9_999, Some(1))] {
        let found = t.store.tile_at(at(seq)).await.unwrap();
        assert_eq!(found.map(|tile| tile.number), of, "{seq}");
    }
}

async fn a_leaf_has_all_that_its_entry_has(t: TestStore) {
    let origin = Origin { request: Some("r-1".into()), source: Some("c:0a".into()), ..Origin::default() };
    let by = Actor::with_origin("user:ada", origin);
    let id = t.store.insert(&Scope::Installation, &[t.row()], &by).await.unwrap()[0].id;
    let filter = JobFilter { ids: vec![id], ..JobFilter::default() };
    t.store.change(&Scope::Installation, &filter, store::Change::Cancel, &ada(), 1).await.unwrap();
    t.store.pause("default", None, &ada(), "month \"end\"").await.unwrap();
    let positions: Vec<_> = t.audited_behind(Position::START, 10).await.iter().map(|(at, _)| *at).collect();

    let leaves = t.store.leaves_after(Position::START, 10, u64::MAX).await.unwrap();

    assert_eq!(leaves.iter().map(|(at, _)| *at).collect::<Vec<_>>(), positions);
    let entries: Vec<&Entry> = leaves.iter().map(|(_, entry)| entry).collect();
    for ((at, entry), action) in leaves.iter().zip(["job.enqueue", "job.cancel", "queue.pause"]) {
        assert_eq!((entry.seq, entry.action.as_str(), entry.at), (at.seq, action, t.clock.now()));
        assert_eq!(entry.place, (at.era > 0).then_some((at.era, at.tx)));
    }
    assert_eq!(entries[0].jobs, Some(vec![id.0]));
    assert_eq!((entries[0].request.as_deref(), entries[0].source.as_deref()), (Some("r-1"), Some("c:0a")));
    assert_eq!((entries[1].request.as_deref(), entries[1].object.as_str()), (None, "job"));
    assert!(entries[2].details.as_deref().unwrap().contains(r#""month \"end\"""#));
    // A stretch of them is had too, from behind any.
    let rest = t.store.leaves_after(positions[0], 1, 1).await.unwrap();
    assert_eq!(rest, leaves[1..2]);
    assert_eq!(t.store.position_of(positions[1].seq).await.unwrap(), Some(positions[1]));
    assert_eq!(t.store.position_of(9_999).await.unwrap(), None);
}

async fn what_was_signed_stays_and_is_read_in_order(t: TestStore) {
    let signed = |size: u64, note: &str| SignedRow { size, at: t.clock.now(), note: note.into() };
    assert_eq!(t.store.last_checkpoint().await.unwrap(), None);
    for (row, behind, kept) in [
        (signed(7, "seven"), 0, true),
        (signed(300, "too early"), 6, false),
        (signed(300, "later"), 7, true),
        (signed(7, "another seven"), 300, false),
        (signed(300, "another"), 300, false),
        (signed(301, "by one who looked too long ago"), 7, false),
    ] {
        assert_eq!(t.store.put_checkpoint(&row, behind).await.unwrap(), kept, "{row:?}");
    }

    assert_eq!(t.store.last_checkpoint().await.unwrap(), Some(signed(300, "later")));
    assert_eq!(t.store.checkpoints(0, 9).await.unwrap(), [signed(7, "seven"), signed(300, "later")]);
    assert_eq!(t.store.checkpoints(7, 9).await.unwrap(), [signed(300, "later")]);
    assert_eq!(t.store.checkpoints(0, 1).await.unwrap(), [signed(7, "seven")]);
}

async fn an_anchor_never_goes_back(t: TestStore) {
    for (name, size) in [("books", 7), ("auditor", 3), ("books", 5)] {
        t.store.anchored(name, size, t.clock.now()).await.unwrap();
    }

    let anchors = t.store.anchors().await.unwrap();
    let told: Vec<_> = anchors.iter().map(|anchor| (anchor.name.as_str(), anchor.size)).collect();
    assert_eq!(told, [("auditor", 3), ("books", 7)]);
}

async fn an_opening_is_found_by_what_it_opens(t: TestStore) {
    let opening = |commitment: &str, value: &str| OpeningRow {
        commitment: commitment.into(),
        field: "address".into(),
        salt: [7; 32],
        value: Personal::new(value.into()),
        subject: "user:1".into(),
        at: t.clock.now(),
    };
    t.store.put_opening(&opening("c:1", "192.0.2.7")).await.unwrap();
    t.store.put_opening(&opening("c:1", "another")).await.unwrap();
    t.store.put_opening(&opening("c:2", "192.0.2.8")).await.unwrap();

    let found = t.store.openings(&["c:1".into(), "c:3".into()]).await.unwrap();

    assert_eq!(found, [opening("c:1", "192.0.2.7")]);
}
