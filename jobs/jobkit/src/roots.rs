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
    let mut folders = folders.into_iter().filter_map(|folder| resolve(folder).ok().flatten());
    Ok(folders.any(|folder| real.starts_with(folder)).then_some(real))
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
}
