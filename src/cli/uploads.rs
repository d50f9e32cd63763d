//! `uploads`: files that jobs may name as `upload:ID`. `put` takes one in as the API does, with the same limits and the same
//! scanner.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::Subcommand;
use engine::audit::seen::Sight;
use engine::http::view::uploads::Upload;
use engine::uploads::format::Claim;
use engine::uploads::{BrokenOff, UploadError, Wish};
use futures::stream;
use jobkit::{Personal, UploadId};
use serde_json::json;
use store::{Scope, StoreError, UploadDeleted};
use tokio::io::AsyncReadExt;

use super::exit::{CliError, Exit, Result};
use super::{Call, actor, print, shows};
use crate::app::App;
use crate::cli::print::row;

#[derive(Debug, Subcommand)]
pub enum Uploads {
    /// Hand a file in, and print how a job names it.
    Put {
        file: PathBuf,
        /// The tenant whose it is; without it, the installation's.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// List uploads, the newest first.
    List {
        /// The newest so many.
        #[arg(long, default_value_t = 100, value_parser = super::at_least_one)]
        limit: usize,
    },
    /// Show one.
    Show {
        #[arg(value_parser = upload_id)]
        id: UploadId,
    },
    /// Delete one, with its bytes.
    Rm {
        #[arg(value_parser = upload_id)]
        id: UploadId,
    },
}

fn upload_id(text: &str) -> std::result::Result<UploadId, String> {
    let id = text.strip_prefix(jobkit::uploads::SCHEME).unwrap_or(text);
    id.parse().map_err(|_| format!("`{text}` is no id of an upload; `compline uploads list` shows them"))
}

pub async fn run(call: &Call, command: Uploads) -> Result {
    call.with_app(async |app| answer(call, app, command).await).await
}

async fn answer(call: &Call, app: &App, command: Uploads) -> Result {
    let everything = Scope::Installation;
    match command {
        Uploads::Put { file, tenant } => {
            let upload = put(app, &file, tenant).await?;
            call.print.answer(&upload, || upload.address.clone())?;
        }
        Uploads::List { limit } => {
            let rows = app.uploads.list(&everything, None, limit).await?;
            shows(app, &rows.iter().map(Sight::upload).collect::<Vec<_>>()).await?;
            let found: Vec<Upload> = rows.into_iter().map(Upload::from).collect();
            call.print.answer(&found, || listing(&found))?;
            if found.len() == limit && !call.print.json {
                print::remark(&format!("the newest {limit} are shown; --limit shows more"));
            }
        }
        Uploads::Show { id } => {
            let row = app.uploads.find(&everything, id).await?.ok_or_else(unknown)?;
            shows(app, &[Sight::upload(&row)]).await?;
            let upload = Upload::from(row);
            call.print.answer(&upload, || shown(&upload))?;
        }
        Uploads::Rm { id } => match app.uploads.delete(&everything, id, &actor()).await? {
            UploadDeleted::Done => {
                call.print
                    .answer(&json!({ "id": id, "deleted": true }), || format!("upload {id} is deleted"))?;
            }
            UploadDeleted::Unknown => return Err(unknown()),
            UploadDeleted::Used(job) => {
                let text = format!("job {job} names upload {id} and has not ended");
                return Err(CliError::new(Exit::Failed, text, "wait for the job, or cancel it"));
            }
        },
    }
    Ok(Exit::Ok)
}

fn unknown() -> CliError {
    CliError::new(Exit::NotFound, "there is no such upload", "`compline uploads list` shows those there are")
}

const PIECE: usize = 256 << 10;
/// A disk that is not there any more says nothing.
const PATIENCE: Duration = Duration::from_secs(60);

async fn put(app: &App, path: &Path, tenant: Option<String>) -> Result<Upload> {
    let unreadable = |cause| {
        let text = format!("{} cannot be read: {cause}", path.display());
        CliError::new(Exit::Usage, text, "name a file that this user may read")
    };
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let about = file.metadata().await.map_err(unreadable)?;
    if !about.is_file() {
        return Err(CliError::usage(format!("{} is not a file", path.display()), "name a file"));
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let wish = Wish {
        tenant,
        claims: name.as_deref().and_then(Claim::by_name).into_iter().collect(),
        name: name.map(Personal::new),
        bytes: Some(about.len()),
        sha256: None,
        patience: PATIENCE,
    };
    let pieces = stream::unfold(Some(file), |file| async move {
        let mut file = file?;
        let mut piece = vec![0; PIECE];
        match file.read(&mut piece).await {
            Ok(0) => None,
            Ok(read) => {
                piece.truncate(read);
                Some((Ok(Bytes::from(piece)), Some(file)))
            }
            Err(_) => Some((Err(BrokenOff), None)),
        }
    });
    let received = app.uploads.receive(&Scope::Installation, wish, Box::pin(pieces), &actor()).await;
    Ok(received.map_err(refused)?.into())
}

fn refused(error: UploadError) -> CliError {
    let remedy = match &error {
        UploadError::Store(StoreError::Database { .. }) => None,
        UploadError::TooLarge(_) => Some("raise uploads.max_bytes"),
        UploadError::Full { .. } => {
            Some("delete uploads that are not needed, or raise uploads.quota_bytes and uploads.quota_files")
        }
        UploadError::Unknown(_) | UploadError::Differs { .. } => {
            Some("hand in text, JSON, XML, XLSX, Parquet, PDF or DOCX, under a name that says so")
        }
        UploadError::Scanner(_) => Some("`compline doctor` says what is wrong with the scanner"),
        UploadError::NoRoom(_) | UploadError::Disk(_) => Some("see to the disk of uploads.directory"),
        _ => None,
    };
    let told = CliError::from_chain(error);
    match remedy {
        Some(remedy) => told.remedy(remedy),
        None => told,
    }
}

fn listing(uploads: &[Upload]) -> String {
    if uploads.is_empty() {
        return "there are no uploads; `compline uploads put FILE` hands one in".into();
    }
    let rows: Vec<_> = uploads
        .iter()
        .map(|upload| {
            row![
                upload.id.to_string(),
                upload.state,
                upload.format.clone().unwrap_or_else(|| "-".into()),
                upload.bytes.to_string(),
                upload.tenant.as_deref().map_or_else(|| "-".to_owned(), print::plain),
                upload.name.as_deref().map_or_else(|| "-".to_owned(), print::plain),
                print::time(upload.expires_at),
            ]
        })
        .collect();
    print::table(&["ID", "STATE", "FORMAT", "BYTES", "TENANT", "NAME", "KEPT UNTIL"], &rows)
}

fn shown(upload: &Upload) -> String {
    let lines = [
        format!("id          {}", upload.id),
        format!("in a job    {}", upload.address),
        format!("state       {}", upload.state),
        format!("name        {}", upload.name.as_deref().unwrap_or("-")),
        format!("format      {}", upload.format.as_deref().unwrap_or("-")),
        format!("bytes       {}", upload.bytes),
        format!("sha256      {}", upload.sha256.as_deref().unwrap_or("-")),
        format!("scanned     {}", if upload.scanned { "yes" } else { "no" }),
        format!("tenant      {}", upload.tenant.as_deref().unwrap_or("-")),
        format!("created     {} by {}", print::time(upload.created_at), upload.created_by),
        format!("kept until  {}", print::time(upload.expires_at)),
    ];
    print::plain(&lines.join("\n"))
}
