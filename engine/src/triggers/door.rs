//! Jobs from deliveries to doors of families: `POST /v1/webhooks/{name}`. The family believes a delivery and names its job; here it is taken
//! once. Whatever is authentic is answered well, also when no job can be made of it: a provider that is refused stops delivering.
//!
//! The HTTP layer brings the bytes as they came and answers with what is said here.

use std::sync::Arc;

use jobkit::door::Headers;
use jobkit::{Delivered, JobId, Registry, Unopened};
use tracing::warn;

use super::gather::Gather;
use super::refusals::Refusals;
use super::{Around, Verdict, refused};
use crate::queue::{Queue, QueueError};
use store::triggers::Intake;
use store::{Store, chain};

/// What the sender is told.
#[derive(Debug)]
pub enum Receipt {
    /// 200.
    Taken { job: JobId, duplicate: bool },
    /// 200 too: it is from whom it should be, and no job can be made of it. People are told.
    Unusable,
    /// 404.
    Unknown,
    /// 401; nothing was written.
    Forged(String),
    /// 503: whether it is from whom it should be could not be told.
    Unsure,
    /// 503: try again.
    Away(QueueError),
}

pub struct Doors {
    registry: Arc<Registry>,
    queue: Arc<Queue>,
    store: Arc<dyn Store>,
    gather: Arc<Gather>,
    refusals: Refusals,
}

impl Doors {
    pub fn new(around: &Around) -> Self {
        Self {
            registry: around.registry.clone(),
            queue: around.queue.clone(),
            store: around.store.clone(),
            gather: Gather::new(around.queue.clone()),
            refusals: Refusals::of("door", around.clock.clone()),
        }
    }

    pub fn source(name: &str) -> String {
        format!("door:{name}")
    }

    /// Whether it is worth reading the body of a delivery, by all that comes before it.
    pub fn look(&self, name: &str, headers: &Headers) -> Result<(), Receipt> {
        let Some(door) = self.registry.door(name) else { return Err(Receipt::Unknown) };
        door.look(headers).map_err(|problem| self.unopened(name, problem))
    }

    pub async fn receive(&self, name: &str, headers: &Headers, body: &[u8]) -> Receipt {
        let Some(door) = self.registry.door(name) else { return Receipt::Unknown };
        let delivered = match door.open(headers, body).await {
            Ok(delivered) => delivered,
            Err(problem) => return self.unopened(name, problem),
        };
        match self.take(name, delivered).await {
            Ok(receipt) => receipt,
            Err(problem) if matches!(Verdict::of(&problem), Verdict::Never) => {
                self.unusable(name, &problem).await
            }
            Err(problem) => Receipt::Away(problem),
        }
    }

    async fn take(&self, name: &str, Delivered { mark, job }: Delivered) -> Result<Receipt, QueueError> {
        let source = Self::source(name);
        if let Some(problem) = problem_of_mark(&mark) {
            return Err(QueueError::Invalid { field: "mark", problem });
        }
        self.queue.freshen().await?;
        // The family makes it, which may make what nobody enqueues by its name.
        let rows = match self.queue.children(vec![job]) {
            Ok(rows) => rows,
            // What was taken stays taken, whatever the kind has come to say since. Asked only here: taking asks by itself.
            Err(problem) => {
                let known = self.queue.taken(&source, &mark).await?;
                return known.map(|job| Receipt::Taken { job, duplicate: true }).ok_or(problem);
            }
        };
        let taken = self.gather.take(&source, Intake { mark, rows }).await?;
        let taken = taken.first().map(|job| Receipt::Taken { job: job.id, duplicate: job.duplicate });
        Ok(taken.unwrap_or(Receipt::Unknown))
    }

    fn unopened(&self, name: &str, problem: Unopened) -> Receipt {
        match problem {
            Unopened::Forged(why) => {
                self.refusals.another(name, &why);
                Receipt::Forged(why)
            }
            Unopened::Unsure(why) => {
                self.refusals.another(name, &format_args!("it cannot be told who signed it: {why}"));
                Receipt::Unsure
            }
        }
    }

    /// It is lost if nobody looks, and whoever sent it cannot mend it.
    async fn unusable(&self, name: &str, problem: &QueueError) -> Receipt {
        warn!("no job can be made of a delivery to the door {name}: {}", chain(problem));
        match self.store.raise(&[refused(&Self::source(name))]).await {
            Ok(()) => Receipt::Unusable,
            Err(problem) => Receipt::Away(problem.into()),
        }
    }
}

const LONGEST_MARK: usize = 512;

fn problem_of_mark(mark: &str) -> Option<String> {
    let fits = (1..=LONGEST_MARK).contains(&mark.len()) && !mark.contains('\0');
    (!fits).then(|| format!("must be 1 to {LONGEST_MARK} bytes, without NUL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_what_the_store_can_keep() {
        for (mark, fits) in
            [("1", true), ("", false), ("a\0", false), (&"m".repeat(512), true), (&"m".repeat(513), false)]
        {
            assert_eq!(problem_of_mark(mark).is_none(), fits, "{mark}");
        }
    }
}
