use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::*;

fn passing<'a>(hands: Hands, folder: &'a Path, tag: &'a RunTag) -> Passing<'a> {
    Passing { hands, folder, tag, threads: 1 }
}

fn go_on(_: u64, _: Option<u64>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Which parts were gone over, each once.
#[derive(Debug, Default, PartialEq, Eq)]
struct Gone(BTreeMap<u64, u64>);

impl Sum for Gone {
    type Of<'a> = ();

    fn merge(&mut self, more: Self) {
        more.0.into_iter().for_each(|(part, times)| *self.0.entry(part).or_default() += times);
    }

    fn put(&self, out: &mut Vec<u8>) {
        crate::stored::put_sorted(self.0.iter().map(|(part, times)| (*part, *times)), out);
    }

    fn take(from: &mut Reader<'_>, (): ()) -> Result<Self, crate::stored::Broken> {
        Ok(Self(crate::stored::take_sorted(from)?.into_iter().collect()))
    }
}

/// Goes over ten parts, and leaves a file for each.
fn go_over(crew: Crew<'_>) -> Result<Gone, PassError> {
    let gone = crew.over(
        10,
        |_| Ok(Gone::default()),
        |gone, part| {
            *gone.0.entry(part as u64).or_default() += 1;
            let file = crew.share.into.join(format!("part-{part}"));
            fs::write(file, format!("of part {part}")).map_err(PassError::put_aside(crew.share.into))
        },
    );
    Ok(crate::passes::sums::all(gone?).unwrap_or_default())
}

fn sorted_names(folder: &Path) -> Vec<String> {
    let name = |file: io::Result<fs::DirEntry>| file.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}

fn tag(claim: u64) -> RunTag {
    RunTag { run: "job".into(), claim }
}

#[test]
fn what_jobs_leave_is_what_one_process_finds_whoever_comes_first_or_twice() {
    let (alone, shared) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = passing(Hands::Own, alone.path(), &tag(1)).sum(Pass::Count, (), &go_on, go_over).unwrap();

    for index in [2, 0, 3, 1, 3, 0] {
        let hands = Hands::Stint(Stint { pass: Pass::Count, index, of: 4 });
        let done = passing(hands, shared.path(), &tag(1)).sum(Pass::Count, (), &go_on, go_over);
        assert!(matches!(done, Err(RunError::StintDone)), "{done:?}");
    }
    let last = tag(2);
    let jobs = passing(Hands::Jobs(4), shared.path(), &last);
    let found: Gone = jobs.sum(Pass::Count, (), &go_on, |_| panic!("others did it")).unwrap();

    assert_eq!(found, expected);
    assert_eq!(expected.0, (0..10).map(|part| (part, 1)).collect());
    let sums = (0..4).map(|index| format!("sums-count-{index}"));
    assert_eq!(
        sorted_names(shared.path()),
        sorted_names(alone.path()).into_iter().chain(sums).collect::<Vec<_>>()
    );
}

#[test]
fn a_share_that_ends_early_leaves_nothing_and_is_not_taken_for_done() {
    let folder = tempfile::tempdir().unwrap();
    let stint = Hands::Stint(Stint { pass: Pass::Count, index: 0, of: 1 });
    let stopped = |done: u64, _| if done < 4 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };

    let ended = passing(stint, folder.path(), &tag(1)).sum(Pass::Count, (), &stopped, go_over);
    assert!(matches!(ended, Err(RunError::Stopped)), "{ended:?}");
    assert_eq!(sorted_names(folder.path()), [""; 0]);

    let early = passing(Hands::Jobs(1), folder.path(), &tag(1)).sum(Pass::Count, (), &go_on, go_over);
    assert!(
        matches!(&early, Err(RunError::PartsAway { folder: named }) if named == folder.path()),
        "{early:?}"
    );
}

/// One that was killed left a folder of its own, which its next claim removes; one that lost its lease and lives on makes the same files once more.
#[test]
fn claims_of_one_share_do_not_meet_in_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let stint = Hands::Stint(Stint { pass: Pass::Count, index: 0, of: 1 });
    let killed = Workplace::within(folder.path(), &tag(1)).unwrap();
    fs::write(killed.path().join("part-3"), "half").unwrap();
    std::mem::forget(killed);

    let lost_its_lease = tag(2);
    let late = passing(stint, folder.path(), &lost_its_lease).sum(Pass::Count, (), &go_on, |crew| {
        let next = tag(3);
        let done = passing(stint, folder.path(), &next).sum(Pass::Count, (), &go_on, go_over);
        assert!(matches!(done, Err(RunError::StintDone)), "{done:?}");
        go_over(crew)
    });

    // Its folder was removed under its hands.
    assert!(matches!(late, Err(RunError::Write { .. })), "{late:?}");
    let all = (0..10).map(|part| format!("part-{part}")).chain(["sums-count-0".into()]);
    assert_eq!(sorted_names(folder.path()), all.collect::<Vec<_>>());
    assert_eq!(fs::read_to_string(folder.path().join("part-3")).unwrap(), "of part 3");
}

#[test]
fn a_folder_that_is_gone_does_not_come_back() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("gone");
    let stint = Hands::Stint(Stint { pass: Pass::Count, index: 0, of: 1 });

    let ended = passing(stint, &folder, &tag(1)).sum(Pass::Count, (), &go_on, go_over);

    assert!(matches!(ended, Err(RunError::Write { .. })), "{ended:?}");
    assert!(!folder.exists());
}

#[test]
fn files_of_any_number_are_all_moved_before_the_sums_say_so() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    (0..2_000).for_each(|part| fs::write(from.path().join(format!("part-{part}")), "x").unwrap());
    let last = to.path().join("sums-count-0");

    publish(from.path(), to.path(), &last, b"sums").unwrap();

    assert_eq!(sorted_names(from.path()), [""; 0]);
    assert_eq!(sorted_names(to.path()).len(), 2_001);
    assert_eq!(fs::read(&last).unwrap(), b"sums");
}

#[test]
fn a_file_that_was_not_seen_in_time_keeps_the_share_from_being_taken_for_done() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    ["part-0", "part-1", SUMS].iter().for_each(|name| fs::write(from.path().join(name), "x").unwrap());
    let last = to.path().join("sums-count-0");

    let missed = move_all(from.path(), &["part-0".into()], to.path(), &last);

    assert!(missed.is_err() && !last.exists());
    move_all(from.path(), &["part-1".into()], to.path(), &last).unwrap();
    assert_eq!(sorted_names(to.path()), ["part-0", "part-1", "sums-count-0"]);
}
