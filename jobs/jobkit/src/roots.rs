//! Which files a job may touch: those below folders that the operator has named.
//!
//! Who may enqueue a job names its files, and the worker opens them with the worker's rights. Without these
//! bounds the right to enqueue would be the right to read whatever the worker can read.

use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

/// The path without symbolic links and `..`; none when it lies below none of the folders. Neither it nor they
/// need exist.
pub fn within<'a>(
    path: &Path,
    folders: impl IntoIterator<Item = &'a PathBuf>,
) -> io::Result<Option<PathBuf>> {
    let Some(real) = resolve(path)? else { return Ok(None) };
    let folders = folders.into_iter().filter(|folder| address(folder).is_none());
    let mut folders = folders.filter_map(|folder| resolve(folder).ok().flatten());
    Ok(folders.any(|folder| real.starts_with(folder)).then_some(real))
}

/// How the address of an object in a bucket begins. It is no path, however much it looks like one.
pub const BUCKET: &str = "s3://";

/// Such an address, or none when this is the path of a file.
pub fn address(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| text.starts_with(BUCKET))
}

/// Whether an address lies below one of the roots that are addresses too. Nothing in a key stands for the folder
/// above, so what is written is where it leads.
pub fn address_within<'a>(address: &str, roots: impl IntoIterator<Item = &'a PathBuf>) -> bool {
    let below = |root: &str| {
        let root = root.trim_end_matches('/');
        address.strip_prefix(root).is_some_and(|rest| rest.starts_with('/') && rest.len() > 1)
    };
    roots.into_iter().filter_map(|root| self::address(root)).any(below)
}

/// What exists of the path is asked of the file system; what does not, a folder of results say, is taken as it
/// is written. None when that goes up again: nobody can say where it leads.
fn resolve(path: &Path) -> io::Result<Option<PathBuf>> {
    let path = std::path::absolute(path)?;
    for existing in path.ancestors() {
        let mut real = match existing.canonicalize() {
            Ok(real) => real,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
            Err(error) => return Err(error),
        };
        let rest = path.strip_prefix(existing).unwrap_or(Path::new(""));
        if !rest.components().all(|part| matches!(part, Component::Normal(_))) {
            return Ok(None);
        }
        real.extend(rest);
        return Ok(Some(real));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_what_lies_below_a_root_is_within_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for place in ["root/deep", "root-beside", "elsewhere"] {
            fs::create_dir_all(at(place)).unwrap();
        }
        for file in ["root/a", "root/deep/b", "root-beside/c", "elsewhere/d"] {
            fs::write(at(file), "").unwrap();
        }
        symlink(at("elsewhere/d"), at("root/link")).unwrap();
        symlink(at("elsewhere"), at("root/folder")).unwrap();
        symlink(at("root"), at("alias")).unwrap();
        let roots = [at("not-yet"), at("alias")];

        for (path, is_within) in [
            ("root/a", true),
            ("alias/deep/b", true),
            ("root/deep/../a", true),
            ("root/not/there/yet", true),
            ("root-beside/c", false),
            ("elsewhere/d", false),
            ("root/../elsewhere/d", false),
            ("root/link", false),
            ("root/folder/d", false),
            ("root/folder/not/there", false),
            ("root/not/../../elsewhere/d", false),
            ("not-yet/a", true),
            ("not-yet/../elsewhere/d", false),
        ] {
            assert_eq!(within(&at(path), &roots).unwrap().is_some(), is_within, "{path}");
        }
        assert_eq!(within(&at("root/a"), []).unwrap(), None);
    }

    #[test]
    fn an_address_is_within_a_root_that_is_one() {
        let roots = ["/srv/ledgers", "s3://ledgers/incoming", "s3://whole/"].map(PathBuf::from);
        for (address, is_within) in [
            ("s3://ledgers/incoming/2026/a.csv", true),
            ("s3://ledgers/incoming/", false),
            ("s3://ledgers/incoming", false),
            ("s3://ledgers/incoming-too/a.csv", false),
            ("s3://ledgers/a.csv", false),
            ("s3://whole/a.csv", true),
            ("s3://whole-other/a.csv", false),
            ("/srv/ledgers/a.csv", false),
        ] {
            assert_eq!(address_within(address, &roots), is_within, "{address}");
        }
        // And no file is, whatever it is called.
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(within(&folder.path().join("a"), &roots[1..]).unwrap(), None);
    }
}
