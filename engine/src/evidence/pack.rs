//! Reads the log and makes the pack: the page, the facts, the log as an auditor takes it along, and receipts.
//!
//! What was signed can be proven, so the pack goes as far as the last checkpoint; what was written since is for the next one.

use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use audit::Vkey;
use audit::checkpoint::{Checkpoint, CheckpointError};
use jiff::Timestamp;
use jobkit::PortError;
use jobkit::evidence::{Counts, Theme};
use serde::Serialize;
use serde_json::json;
use store::{AuditSearch, Position, Store, StoreError};
use zip::ZipWriter;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;

use super::facts::Facts;
use super::files::{self, There};
use super::report::{Report, Reviewed, Service, page};
use super::{Framework, themes};
use crate::artifacts::ArtifactStore;
use crate::audit::export::{self, ExportError};
use crate::audit::prove::{self, ProveError, behind};
use crate::audit::verify::{Against, Verified, VerifyError, verify};

/// What is asked for.
pub struct Wish<'a> {
    pub from: Timestamp,
    pub until: Timestamp,
    pub made_at: Timestamp,
    pub framework: Option<Framework>,
    pub keys: &'a [Vkey],
    /// Names and addresses, and what opens commitments.
    pub with_personal: bool,
    /// What families say beside the engine.
    pub themes: &'a [&'static Theme],
    /// From where the files come that entries name; without it the pack has their hashes alone.
    pub files: Option<&'a dyn ArtifactStore>,
}

#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    Prove(#[from] ProveError),
    #[error("the last checkpoint cannot be read")]
    Checkpoint(#[from] CheckpointError),
    #[error("{0} is there already; name a file that is not")]
    Occupied(String),
    #[error("nothing was signed of that time; see `compline audit status`")]
    Nothing,
    #[error("the pack cannot be written")]
    Disk(#[from] std::io::Error),
    #[error("the pack cannot be written")]
    Zip(#[from] ZipError),
    #[error("what was found cannot be written down")]
    Facts(#[from] serde_json::Error),
    #[error(transparent)]
    Port(#[from] PortError),
}

#[derive(Debug)]
pub struct Packed {
    pub entries: u64,
    pub receipts: usize,
    pub verified: Verified,
    pub files: Files,
}

/// How many files entries name, and what was found of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Files {
    pub named: usize,
    pub in_the_pack: usize,
    pub gone: usize,
    pub differing: usize,
    pub not_taken: usize,
}

const PAGE: usize = 4_096;
const MOST_BYTES: u64 = 16 << 20;
/// Receipts beside the tiles, for entries that are shown one by one; the rest are proven by the tiles.
const MOST_RECEIPTS: usize = 200;

pub async fn pack(
    store: &dyn Store,
    against: &Against<'_>,
    wish: &Wish<'_>,
    out: &Path,
) -> Result<Packed, PackError> {
    if out.exists() {
        return Err(PackError::Occupied(out.display().to_string()));
    }
    let verified = verify(store, against).await?;
    let work = Scratch::beside(out)?;
    let (position, first) = begin(store, wish.from).await?;
    let wanted = export::Wish { keys: wish.keys, from: first, openings: wish.with_personal };
    let exported = export::export(store, &work.0.join("log"), &wanted).await?;
    let (mut facts, entries) = read(store, position, first, exported.size, wish).await?;
    if entries == 0 {
        return Err(PackError::Nothing);
    }
    if let Some(artifacts) = wish.files {
        files::take_along(artifacts, facts.files_mut(), &work.0.join(files::FOLDER)).await?;
    }
    let files = count(&facts);
    let receipts = receipts(store, &facts, &work.0.join("receipts")).await?;
    let review = review(store, wish.with_personal).await?;
    let services = services(store, wish.made_at).await?;
    let note = std::fs::read_to_string(work.0.join("log").join(audit::export::CHECKPOINT))?;
    let checkpoint = Checkpoint::unverified(&note)?;
    let keys: Vec<String> = wish.keys.iter().map(ToString::to_string).collect();
    let report = Report {
        log: &checkpoint.origin,
        from: wish.from,
        until: wish.until,
        made_at: wish.made_at,
        framework: wish.framework,
        verified: &verified,
        first,
        size: checkpoint.size,
        root: &checkpoint.root.to_string(),
        keys: &keys,
        facts: &facts,
        review: &review,
        services: &services,
        receipts: &receipts,
    };
    std::fs::write(work.0.join("report.html"), page(&report))?;
    let machine = json!({
        "log": report.log, "from": wish.from, "until": wish.until, "made_at": wish.made_at, "first": first, "size": report.size,
        "root": report.root, "keys": keys, "verified": verified, "claims": claims(&facts), "files": files, "review": review, "services": services,
        "receipts": receipts,
    });
    std::fs::write(work.0.join("facts.json"), serde_json::to_vec_pretty(&machine)?)?;
    std::fs::write(work.0.join("README.txt"), README)?;
    zip_up(&work.0, out, wish.made_at)?;
    Ok(Packed { entries, receipts: receipts.len(), verified, files })
}

fn count(facts: &Facts) -> Files {
    let mut files = Files::default();
    for file in facts.all().iter().flat_map(|found| &found.files) {
        files.named += 1;
        match file.there {
            There::NotAsked => {}
            There::InThePack => files.in_the_pack += 1,
            There::Gone => files.gone += 1,
            There::Differs => files.differing += 1,
            There::NotTaken => files.not_taken += 1,
        }
    }
    files
}

const README: &str = "\
report.html    what happened, for people; print it for a PDF
facts.json     the same for programs: each sentence with the leaves of the entries that it stands on
log/           the entries of that time, the tiles of the tree, checkpoints and keys, and verify.py
receipts/      entries that the report shows one by one, each with a proof that can be checked by itself
files/         if they were asked for: files that entries name, each in a folder with the number of the entry's leaf;
               the second of one name, and one whose name is too long, lie in LEAF-2, LEAF-3 and so on

Check it:      python3 log/verify.py --key KEY log
               and, where there are files, python3 log/verify.py --key KEY --files files log
               which misses what entries of that time name and is not there, unless facts.json says that it was left out
               where KEY is the public key that you were given by other means than this pack.
A receipt is a C2SP tlog-proof; any tool for those verifies it. The leaf numbers of facts.json are those of the lines in
log/entries, counted from the number in a file's name.
";

/// A folder that goes when the pack is made, or is not.
struct Scratch(PathBuf);

impl Scratch {
    fn beside(out: &Path) -> std::io::Result<Self> {
        let mut name = out.file_name().unwrap_or_default().to_owned();
        name.push(".parts");
        let folder = out.with_file_name(name);
        std::fs::create_dir(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is named so that people see what it is.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where reading begins: the tile of the last entry from before that time, and the number of its first leaf.
async fn begin(store: &dyn Store, from: Timestamp) -> Result<(Position, u64), PackError> {
    let before = AuditSearch { until: Some(from), ..AuditSearch::default() };
    let last = store.search_audit(&before, 1).await?.pop();
    let Some((position, _)) = last else {
        let (leaf, position) = prove::kept(store, (0, Position::START)).await?;
        let aligned = leaf.next_multiple_of(audit::tile::WIDTH as u64);
        return match aligned == leaf {
            true => Ok((behind(position), leaf)),
            false => tile(store, aligned).await,
        };
    };
    let (leaf, position) = prove::tile_of_entry(store, position).await?;
    match leaf % audit::tile::WIDTH as u64 {
        0 => Ok((behind(position), leaf)),
        _ => tile(store, leaf.next_multiple_of(audit::tile::WIDTH as u64)).await,
    }
}

/// Where this leaf, the first of its tile, stands.
async fn tile(store: &dyn Store, leaf: u64) -> Result<(Position, u64), PackError> {
    let tile = store.tiles(&[(0, leaf / audit::tile::WIDTH as u64)]).await?.pop();
    let first = tile.and_then(|tile| tile.first).ok_or(PackError::Nothing)?;
    Ok((behind(first), leaf))
}

async fn read(
    store: &dyn Store,
    mut at: Position,
    first: u64,
    size: u64,
    wish: &Wish<'_>,
) -> Result<(Facts, u64), PackError> {
    let mut facts = Facts::of_themes(themes::with(wish.themes));
    let (mut leaf, mut taken) = (first, 0);
    while leaf < size {
        let page = store.leaves_after(at, PAGE, MOST_BYTES).await?;
        let Some((last, _)) = page.last() else { break };
        at = *last;
        for (_, entry) in page.iter().take(usize::try_from(size - leaf).unwrap_or(usize::MAX)) {
            if entry.at >= wish.from && entry.at < wish.until {
                facts.take(leaf, entry);
                taken += 1;
            }
            leaf += 1;
        }
    }
    Ok((facts, taken))
}

async fn receipts(store: &dyn Store, facts: &Facts, folder: &Path) -> Result<Vec<i64>, PackError> {
    let mut wanted: Vec<i64> = facts.all().iter().flat_map(|found| &found.rows).map(|row| row.seq).collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted.truncate(MOST_RECEIPTS);
    std::fs::create_dir(folder)?;
    let mut made = Vec::new();
    for seq in wanted {
        match prove::receipt(store, seq).await {
            Ok(proven) => {
                std::fs::write(folder.join(format!("entry-{seq}.json")), &proven.line)?;
                std::fs::write(folder.join(format!("entry-{seq}.tlog-proof")), proven.receipt.text())?;
                made.push(seq);
            }
            // The report says what does not fit; there is no receipt for that.
            Err(ProveError::Altered(_)) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Ok(made)
}

async fn review(store: &dyn Store, with_personal: bool) -> Result<Vec<Reviewed>, PackError> {
    let mut people = Vec::new();
    loop {
        let after = people.last().map(|(id, _)| *id);
        let page = store.users(after, 1_000).await?;
        if page.is_empty() {
            break;
        }
        people.extend(page.into_iter().map(|user| {
            let reviewed = Reviewed {
                id: format!("user:{}", user.id),
                name: with_personal.then(|| user.name.expose().clone()),
                email: with_personal.then(|| user.email.expose().to_owned()),
                role: user.role.name(),
                tenant: user.tenant.clone(),
                created_at: user.created_at,
                disabled_at: user.disabled_at,
                second_factor: user.second_factor().is_some(),
                password_changed_at: user.password_changed_at,
            };
            (user.id, reviewed)
        }));
    }
    Ok(people.into_iter().map(|(_, reviewed)| reviewed).collect())
}

/// Every token there ever was: those that have ended let nobody in, and did.
async fn services(store: &dyn Store, now: Timestamp) -> Result<Vec<Service>, PackError> {
    let mut services = Vec::new();
    let mut after = None;
    loop {
        let page = store.tokens(after, 1_000).await?;
        let Some(last) = page.last() else { return Ok(services) };
        after = Some(last.id);
        services.extend(page.into_iter().map(|token| Service {
            id: format!("token:{}", token.id),
            live: token.revoked_at.is_none() && token.expires_at > now,
            name: token.name,
            permissions: token.permissions,
            tenant: token.tenant,
            networks: token.networks,
            created_by: token.created_by,
            created_at: token.created_at,
            expires_at: token.expires_at,
            used_at: token.used_at,
            revoked_at: token.revoked_at,
        }));
    }
}

fn claims(facts: &Facts) -> Vec<serde_json::Value> {
    let claims = facts.themes().iter().flat_map(|theme| theme.claims.iter().map(move |claim| (theme, claim)));
    claims
        .map(|(theme, claim)| {
            let found = facts.of(claim.id);
            let controls: serde_json::Map<_, _> = theme
                .controls
                .iter()
                .map(|(framework, names)| {
                    (json!(framework).as_str().unwrap_or_default().to_owned(), json!(names))
                })
                .collect();
            let mut told = json!({
                "theme": theme.id, "claim": claim.id, "says": claim.many, "count": found.count,
                "leaves": found.leaves, "entries": found.rows, "controls": controls,
            });
            if claim.counts == Counts::Files {
                told["files"] = json!(found.files);
            }
            told
        })
        .collect()
}

/// The file appears when it is whole.
fn zip_up(folder: &Path, out: &Path, at: Timestamp) -> Result<(), PackError> {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = out.with_file_name(name);
    let file = std::fs::File::create_new(&part)?;
    let written = write_zip(folder, file, at).and_then(|()| Ok(std::fs::rename(&part, out)?));
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written
}

fn write_zip(folder: &Path, file: std::fs::File, at: Timestamp) -> Result<(), PackError> {
    let mut zip = ZipWriter::new(file);
    let zoned = at.to_zoned(jiff::tz::TimeZone::UTC);
    let made = zip::DateTime::from_date_and_time(
        zoned.year().unsigned_abs(),
        zoned.month().unsigned_abs(),
        zoned.day().unsigned_abs(),
        zoned.hour().unsigned_abs(),
        zoned.minute().unsigned_abs(),
        zoned.second().unsigned_abs(),
    );
    let options = SimpleFileOptions::default()
        .last_modified_time(made.unwrap_or_default())
        .unix_permissions(0o644)
        .large_file(true);
    add(&mut zip, folder, folder, options)?;
    zip.finish()?.sync_all()?;
    Ok(())
}

fn add<W: Write + Seek>(
    zip: &mut ZipWriter<W>,
    root: &Path,
    folder: &Path,
    options: SimpleFileOptions,
) -> Result<(), PackError> {
    let entries =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = entries?;
    paths.sort_unstable();
    for path in paths {
        if path.is_dir() {
            add(zip, root, &path, options)?;
            continue;
        }
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        zip.start_file(name, options)?;
        std::io::copy(&mut std::fs::File::open(&path)?, zip)?;
    }
    Ok(())
}
