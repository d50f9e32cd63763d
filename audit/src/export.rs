//! Where things lie in an export and in an anchor, which `verifier/verify.py` checks without us.
//!
//! Numbers have twenty digits, so that a listing is in their order, in a bucket too.

/// Lines in a file of entries, at most.
pub const LINES: u64 = 4_096;

pub const KEYS: &str = "keys";
pub const CHECKPOINT: &str = "checkpoint";
pub const OPENINGS: &str = "openings.jsonl";
pub const README: &str = "README.md";
pub const VERIFIER: &str = "verify.py";

/// The verifier and its instructions, which every export brings along.
pub const VERIFIER_TEXT: &str = include_str!("../verifier/verify.py");
pub const README_TEXT: &str = include_str!("../verifier/README.md");

const CHECKPOINTS_FOLDER: &str = "checkpoints/";
const ENTRIES_FOLDER: &str = "entries/";
const ENTRIES_END: &str = ".jsonl";

/// Where the signed checkpoint of this size lies.
pub fn checkpoint_path(size: u64) -> String {
    format!("{CHECKPOINTS_FOLDER}{size:020}")
}

/// Where the lines lie of which this is the number of the first leaf.
pub fn entries_path(first: u64) -> String {
    format!("{ENTRIES_FOLDER}{first:020}{ENTRIES_END}")
}

/// The size whose checkpoint lies there, or None where none does.
pub fn checkpoint_size(path: &str) -> Option<u64> {
    number(path.strip_prefix(CHECKPOINTS_FOLDER)?)
}

/// The first leaf whose entry lies there, or None where none does.
pub fn first_entry(path: &str) -> Option<u64> {
    number(path.strip_prefix(ENTRIES_FOLDER)?.strip_suffix(ENTRIES_END)?)
}

fn number(digits: &str) -> Option<u64> {
    let all = digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse().ok().filter(|_| all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_back_and_are_in_the_order_of_their_numbers() {
        let numbers = [0, 9, 10, 4_096, u64::MAX];
        for path in [checkpoint_path, entries_path] {
            let mut paths = numbers.map(path);
            paths.sort();
            assert_eq!(paths, numbers.map(path));
        }
        assert_eq!(checkpoint_path(70_000), "checkpoints/00000000000000070000");
        assert_eq!(entries_path(4_096), "entries/00000000000000004096.jsonl");
        for number in numbers {
            assert_eq!(checkpoint_size(&checkpoint_path(number)), Some(number));
            assert_eq!(first_entry(&entries_path(number)), Some(number));
        }
    }

    #[test]
    fn nothing_else_is_a_path() {
        for wrong in [
            "",
            "checkpoint",
            "checkpoints/7",
            "checkpoints/+0000000000000000007",
            "checkpoints/99999999999999999999",
            "checkpoints/00000000000000000007.jsonl",
            "entries/00000000000000000007",
            "entries/7.jsonl",
            "/entries/00000000000000000007.jsonl",
        ] {
            assert_eq!((checkpoint_size(wrong), first_entry(wrong)), (None, None), "{wrong}");
        }
    }
}
