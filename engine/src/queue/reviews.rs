//! What people decide on the items of a job's result: the use cases, and what is refused at the door. It is for every kind:
//! what an item is, the kind's result says, and nobody here looks into it.

use jiff::Timestamp;
use jobkit::JobId;

use super::Queue;
use crate::seal::{Part, SealError};
use store::state::JobState;
use store::{
    Comment, Decision, JobFilter, NewReview, Once, Request, ReviewFilter, ReviewRow, Reviewed, Reviewer,
    Scope, StoreError,
};

/// At once.
pub const MOST_REVIEWS: usize = 1_000;
pub const LONGEST_ITEM: usize = 500;
pub const LONGEST_COMMENT: usize = 4_000;
pub const LONGEST_BY: usize = 200;

/// As somebody wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub item: String,
    pub decision: Decision,
    pub comment: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    #[error("{field}: {problem}")]
    Invalid { field: &'static str, problem: String },
    #[error("items[{index}].{field}: {problem}")]
    Item { index: usize, field: &'static str, problem: String },
    #[error("job {0} is not known")]
    Unknown(JobId),
    #[error("job {job} is {}; only a job that has completed has a result to decide on", .state.name())]
    NotCompleted { job: JobId, state: JobState },
    #[error("the job's kind is encrypted, and the comments could not be")]
    Seal(#[source] SealError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Queue {
    /// Writes down what somebody decided, all of it or nothing, and says when.
    pub async fn review(
        &self,
        scope: &Scope,
        job: JobId,
        given: &[Given],
        by: &Reviewer,
    ) -> Result<Timestamp, ReviewError> {
        let reviews = self.checked_reviews(scope, job, given, by).await?;
        self.reviewed(job, self.store.review(scope, job, &reviews, by).await?)
    }

    /// As `review`, once for each key that callers choose.
    pub async fn review_once(
        &self,
        scope: &Scope,
        request: &Request,
        job: JobId,
        given: &[Given],
        by: &Reviewer,
    ) -> Result<Once<Timestamp>, ReviewError> {
        let reviews = self.checked_reviews(scope, job, given, by).await?;
        Ok(match self.store.review_once(scope, request, job, &reviews, by).await? {
            Once::Done(reviewed) => Once::Done(self.reviewed(job, reviewed)?),
            Once::Again(reviewed) => Once::Again(self.reviewed(job, reviewed)?),
            Once::Other => Once::Other,
        })
    }

    /// What was said of a job's items, the newest first; also of a job that was pruned since.
    pub async fn reviews(&self, scope: &Scope, filter: &ReviewFilter) -> Result<Vec<ReviewRow>, ReviewError> {
        let found = self.store.reviews(scope, filter).await?;
        self.shown_reviews(scope, filter.job, found).await
    }

    /// The last decision on each item that has one, by item.
    pub async fn decisions(
        &self,
        scope: &Scope,
        job: JobId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ReviewRow>, ReviewError> {
        let found = self.store.decisions(scope, job, after, limit).await?;
        self.shown_reviews(scope, job, found).await
    }

    async fn checked_reviews(
        &self,
        scope: &Scope,
        job: JobId,
        given: &[Given],
        by: &Reviewer,
    ) -> Result<Vec<NewReview>, ReviewError> {
        check(given, by.by.as_deref())?;
        let only = JobFilter { ids: vec![job], limit: Some(1), ..JobFilter::default() };
        let brief = self.store.briefs(scope, &only).await?.pop().ok_or(ReviewError::Unknown(job))?;
        if brief.state != JobState::Completed {
            return Err(ReviewError::NotCompleted { job, state: brief.state });
        }
        // A kind that this process does not know may be encrypted, if anything is.
        let known = self.registry.get(&brief.kind);
        let encrypted = known.map_or(self.keyring.can_seal(), |kind| kind.policy.encrypted);
        let review = |given: &Given| {
            let comment = given.comment.as_ref().map(|text| {
                let characters = text.chars().count();
                let text = match encrypted {
                    true => self.keyring.seal(job, Part::Review(&given.item), text)?,
                    false => text.clone(),
                };
                Ok(Comment { text, characters })
            });
            let comment = comment.transpose().map_err(ReviewError::Seal)?;
            Ok(NewReview { item: given.item.clone(), decision: given.decision, comment })
        };
        given.iter().map(review).collect()
    }

    fn reviewed(&self, job: JobId, reviewed: Reviewed) -> Result<Timestamp, ReviewError> {
        match reviewed {
            Reviewed::At(at) => {
                self.wake.news();
                Ok(at)
            }
            // It had completed a moment ago, so it has been pruned.
            Reviewed::NotCompleted => Err(ReviewError::Unknown(job)),
        }
    }

    /// With the comments opened. Where there are none the job is to be there, or some review of it.
    async fn shown_reviews(
        &self,
        scope: &Scope,
        job: JobId,
        mut found: Vec<ReviewRow>,
    ) -> Result<Vec<ReviewRow>, ReviewError> {
        if found.is_empty() {
            let any = ReviewFilter { job, items: Vec::new(), before: None, limit: 1 };
            let only = JobFilter { ids: vec![job], limit: Some(1), ..JobFilter::default() };
            let unknown = self.store.briefs(scope, &only).await?.is_empty();
            if unknown && self.store.reviews(scope, &any).await?.is_empty() {
                return Err(ReviewError::Unknown(job));
            }
        }
        for ReviewRow { item, comment, .. } in &mut found {
            comment.iter_mut().for_each(|text| self.keyring.show(job, Part::Review(item), text));
        }
        Ok(found)
    }
}

/// What is wrong with what somebody wrote, before anything is looked up.
fn check(given: &[Given], by: Option<&str>) -> Result<(), ReviewError> {
    if given.is_empty() || given.len() > MOST_REVIEWS {
        let problem = format!("{}; from 1 to {MOST_REVIEWS} may come at once", given.len());
        return Err(ReviewError::Invalid { field: "items", problem });
    }
    if let Some(problem) = by.and_then(|by| problem_of(by, LONGEST_BY)) {
        return Err(ReviewError::Invalid { field: "by", problem });
    }
    for (index, Given { item, decision, comment }) in given.iter().enumerate() {
        let problem = problem_of(item, LONGEST_ITEM).map(|problem| ("item", problem)).or_else(|| {
            let problem = match comment {
                Some(text) => problem_of(text, LONGEST_COMMENT)?,
                None if *decision == Decision::Comment => "is what a comment is made of; write one".into(),
                None => return None,
            };
            Some(("comment", problem))
        });
        if let Some((field, problem)) = problem {
            return Err(ReviewError::Item { index, field, problem });
        }
    }
    Ok(())
}

fn problem_of(text: &str, most: usize) -> Option<String> {
    let characters = text.chars().count();
    if text.trim().is_empty() {
        Some("says nothing".into())
    } else if characters > most {
        Some(format!("{characters} characters; at most {most}"))
    } else if text.contains('\0') {
        // PostgreSQL keeps no text with NUL in it.
        Some("must not have NUL in it".into())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(item: &str, decision: Decision, comment: Option<&str>) -> Given {
        Given { item: item.into(), decision, comment: comment.map(Into::into) }
    }

    #[test]
    fn what_nobody_can_have_meant_is_refused_with_its_place() {
        use Decision::{Cleared, Comment, FollowUp};
        let long = "é".repeat(LONGEST_COMMENT);
        let fine = given(&"é".repeat(LONGEST_ITEM), FollowUp, Some(&long));
        assert!(check(&[fine.clone(), given("a", Cleared, None)], Some(&"é".repeat(LONGEST_BY))).is_ok());
        for (second, told) in [
            (given("", Cleared, None), "items[1].item: says nothing"),
            (given(" ", Cleared, None), "items[1].item: says nothing"),
            (given(&"a".repeat(501), Cleared, None), "items[1].item: 501 characters; at most 500"),
            (given("a\0", Cleared, None), "items[1].item: must not have NUL in it"),
            (given("a", Comment, None), "items[1].comment: is what a comment is made of; write one"),
            (given("a", Comment, Some("\n")), "items[1].comment: says nothing"),
            (given("a", Cleared, Some("")), "items[1].comment: says nothing"),
            (
                given("a", Cleared, Some(&format!("{long}!"))),
                "items[1].comment: 4001 characters; at most 4000",
            ),
        ] {
            assert_eq!(check(&[fine.clone(), second], None).unwrap_err().to_string(), told);
        }
        let many = vec![given("a", Cleared, None); MOST_REVIEWS + 1];
        assert!(check(&many[1..], None).is_ok());
        for (given, by, told) in [
            (&many[..], None, "items: 1001; from 1 to 1000 may come at once"),
            (&[], None, "items: 0; from 1 to 1000 may come at once"),
            (&many[..1], Some(""), "by: says nothing"),
            (&many[..1], Some(&*long), "by: 4000 characters; at most 200"),
        ] {
            assert_eq!(check(given, by).unwrap_err().to_string(), told);
        }
    }
}
