//! Uploads as callers see them. What a file is called is told to those who may read uploads, and to nobody else.

use jiff::Timestamp;
use jobkit::UploadId;
use serde::Serialize;
use store::UploadRow;
use store::uploads::hex;
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
pub struct Upload {
    #[schema(value_type = Uuid)]
    pub id: UploadId,
    /// What a job's arguments say where they could say a path: `upload:ID`.
    pub address: String,
    #[schema(value_type = UploadedState)]
    pub state: &'static str,
    /// As whoever sent it calls it.
    pub name: Option<String>,
    /// What its content is: `text`, `json`, `xml`, `xlsx` or `parquet`. Null until it is ready.
    pub format: Option<String>,
    /// What was announced, until it is ready.
    pub bytes: u64,
    /// In hexadecimal. Null until it is ready.
    pub sha256: Option<String>,
    /// Whether a scanner called it clean. False where there is none.
    pub scanned: bool,
    /// Null: of the installation.
    pub tenant: Option<String>,
    pub created_at: Timestamp,
    pub created_by: String,
    /// It is deleted then, or when the last job that names it has ended.
    pub expires_at: Timestamp,
}

/// `receiving`: its bytes still come. `ready`: jobs may name it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UploadedState {
    Receiving,
    Ready,
}

impl From<UploadRow> for Upload {
    fn from(row: UploadRow) -> Self {
        Self {
            id: row.id,
            address: row.id.address(),
            state: row.state.name(),
            name: row.name.map(|name| name.expose().clone()),
            format: row.format,
            bytes: row.bytes,
            sha256: row.sha256.map(|sum| hex(&sum)),
            scanned: row.is_scanned,
            tenant: row.tenant,
            created_at: row.created_at,
            created_by: row.created_by,
            expires_at: row.expires_at,
        }
    }
}
