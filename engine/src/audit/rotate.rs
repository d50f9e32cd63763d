//! A key that signs the log hands over to another: both sign one checkpoint that says so, and the old one signs nothing more
//! ([0125](../../../docs/decisions/0125-a-key-hands-over-in-a-checkpoint.md)).

use audit::note::SigningKey;
use audit::succession::hand_over;
use serde_json::json;
use store::{Actor, SignedRow};

use super::grower::catch_up;
use super::signer::{SignError, Signer};

#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error("the new key is of `{new}` and the log is `{log}`; a key of another name is another log")]
    Name { new: String, log: String },
    #[error(
        "other processes sign faster, or a transaction that is open holds the log up; nothing was handed over, try again"
    )]
    Overtaken,
}

/// Each time there is an entry, so that the hand-over is of a tree of its own.
const TRIES: usize = 5;

impl Signer {
    /// Hands over to this key. What was signed of it lies in the database, and in the anchors as soon as they can be reached.
    pub async fn hand_over(&self, to: &SigningKey, by: &Actor) -> Result<SignedRow, RotateError> {
        let (own, new) = (self.secret.vkey(), to.vkey());
        if own.name() != new.name() {
            return Err(RotateError::Name { new: new.name().into(), log: own.name().into() });
        }
        let hand = self.hand().await?;
        let to = &to.named(hand.secret.vkey().name()).map_err(SignError::from)?;
        let details = json!({ "from": own.to_string(), "to": new.to_string() });
        for _ in 0..TRIES {
            // That somebody does it is in the log before it is done, and a later try is no other hand-over.
            let entry = by.entry("audit.key_rotate", "audit", "begun", details.clone());
            self.store.append_audit(&entry).await.map_err(SignError::from)?;
            let standing = catch_up(&self.store).await.map_err(SignError::from)?;
            let last = self.store.last_checkpoint().await.map_err(SignError::from)?;
            let checkpoint = hand.to_sign(&standing, last.as_ref()).await?;
            let size = checkpoint.size;
            let note = hand_over(checkpoint, &hand.secret, to).map_err(SignError::from)?;
            if let Some(signed) = hand.keep(size, note, last).await? {
                hand.take_out(&standing, &signed).await;
                return Ok(signed);
            }
        }
        Err(RotateError::Overtaken)
    }
}
