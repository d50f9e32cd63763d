//! How a job calls the provider: within the account's limits, through its circuit breaker, obeying what the answer says of what may still be asked, and with what
//! follows from each fault. The table of it is [`follow`].

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jobkit::{Ctx, Failure, HoldOff};

use crate::account::Account;
use crate::config::{AccountConfig, SendMode};
use crate::envelope::{Envelope, name};
use crate::known::{Known, known};
use crate::provider::{Answered, Budget, By, CallError, Fault, Found, Reference, SignatureProvider, Stand};

/// The limit on the calls of an account, as `[calls]` has them; its rate is of the family's own settings.
pub fn limit(account: &str) -> String {
    format!("docusign.{account}")
}

/// So many calls of the limit are taken together at most. A burst that is smaller would have nobody come to an end.
pub fn at_once(account: &AccountConfig) -> u32 {
    LOOKS + for_sending(account)
}

/// For whatever there is under a key: by its name, and by its transaction.
const LOOKS: u32 = 2;

fn for_sending(account: &AccountConfig) -> u32 {
    match account.send_mode {
        // To make a draft and to send it.
        SendMode::TwoPhase => 2,
        SendMode::Direct => 1,
    }
}

/// What is left for people and other programs of the account, and for calls that are under way.
const RESERVE: u32 = 20;
const HALF_A_MINUTE: Duration = Duration::from_secs(30);
/// An envelope that was asked for too often.
const LEFT_ALONE: Duration = Duration::from_secs(60 * 60);
const LOCKED: Duration = Duration::from_secs(2 * 60);
/// A call that may be repeated is, a little later, before the job is.
const TRIES: u32 = 3;
const A_LITTLE: Duration = Duration::from_millis(500);

/// One job at its account.
pub struct Calls<'a> {
    pub ctx: &'a Ctx,
    pub account: &'a Account,
    /// The account is parked, and this job tries whether it still must be.
    tries: bool,
    /// Taken from the limit, and not called yet.
    ahead: AtomicU32,
}

/// Why a call gave nothing.
#[derive(Debug)]
pub enum Stop {
    /// The job cannot go on, whatever was called.
    Job(Failure),
    /// The provider said so; the caller may know better than the table.
    Call(CallError),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Job(failure)
    }
}

impl<'a> Calls<'a> {
    /// Once an account is not parked, or this job is to find out whether it still is.
    pub async fn open(ctx: &'a Ctx, account: &'a Account) -> Result<Self, Failure> {
        let tries = account.open(ctx).await?;
        Ok(Self { ctx, account, tries, ahead: AtomicU32::new(0) })
    }

    /// Takes the calls by which an envelope goes out from the limit, all or none, so that whoever begins can end. Without it an hour's
    /// calls go into beginning everything.
    pub async fn for_a_new_envelope(&self) -> Result<(), Failure> {
        let look = u32::from(!self.account.config.look_back.is_zero());
        self.ahead(look + for_sending(&self.account.config)).await
    }

    /// The same for one that somebody began.
    pub async fn for_a_known_envelope(&self) -> Result<(), Failure> {
        self.ahead(at_once(&self.account.config)).await
    }

    /// The same for one that was looked for.
    pub async fn for_an_envelope(&self) -> Result<(), Failure> {
        self.ahead(for_sending(&self.account.config)).await
    }

    /// By which the provider is to tell our envelopes from those of others in the account.
    pub async fn installation(&self) -> Result<String, Failure> {
        self.account.installation(self.ctx).await
    }

    async fn ahead(&self, count: u32) -> Result<(), Failure> {
        let has = self.ahead.load(Ordering::Relaxed);
        if has < count {
            self.ctx.take(&limit(&self.account.name), &self.account.name, count - has).await?;
            self.ahead.store(count, Ordering::Relaxed);
        }
        Ok(())
    }

    pub fn provider(&self) -> &'a dyn SignatureProvider {
        &*self.account.provider
    }

    /// Calls once.
    pub async fn once<T>(
        &self,
        call: impl Future<Output = Result<Answered<T>, CallError>>,
    ) -> Result<T, Stop> {
        let Self { ctx, account, tries, .. } = *self;
        self.ahead(1).await?;
        self.ahead.fetch_sub(1, Ordering::Relaxed);
        let name = format!("docusign/{}", account.name);
        let mut problem = None;
        let breaker = ctx.breaker(&name);
        let called = breaker.call(async {
            call.await.map_err(|error| {
                let counts = error.fault.is_fleeting();
                let told = error.to_string();
                problem = Some(error);
                // A refusal is an answer: the other side is well.
                if counts { Failure::transient(told) } else { Failure::permanent(told) }
            })
        });
        match (called.await, problem) {
            (Ok(Answered { value, budget }), _) => {
                if tries {
                    account.answered(ctx).await?;
                }
                self.obey(budget).await?;
                Ok(value)
            }
            (Err(_), Some(error)) => Err(Stop::Call(error)),
            (Err(failure), None) => Err(Stop::Job(failure)),
        }
    }

    /// Calls what can be repeated, again a little later when nobody knows what became of it.
    pub async fn repeated<T, Fut>(&self, mut call: impl FnMut() -> Fut) -> Result<T, Stop>
    where
        Fut: Future<Output = Result<Answered<T>, CallError>>,
    {
        let mut tried = 1;
        loop {
            match self.once(call()).await {
                Err(Stop::Call(error)) if error.fault.is_fleeting() && tried < TRIES => {
                    self.pause(tried).await?;
                    tried += 1;
                }
                done => return done,
            }
        }
    }

    /// Where an envelope stands. Asked among many, though it is alone: that providers do not mind.
    pub async fn stand(&self, envelope: &str) -> Result<Option<Stand>, Failure> {
        let ids = [envelope.to_owned()];
        match self.repeated(|| self.provider().stands(&ids)).await {
            Ok(stands) => Ok(stands.into_iter().next().map(|(_, stand)| stand)),
            Err(stop) => Err(self.fail(stop).await),
        }
    }

    /// Which one counts of all that the provider has under the envelope's key. Drafts that `is_taken` does not like are none.
    pub async fn known(
        &self,
        envelope: &Envelope,
        is_taken: impl Fn(&Found) -> bool,
    ) -> Result<Option<Known>, Stop> {
        let reference = self.reference(envelope);
        let mut found = self.repeated(|| self.provider().find(&reference, By::Key)).await?;
        found.retain(|found| is_taken(found));
        let by_key = known(&found, &envelope.transaction);
        // What is quite new another search may know, and what is old it has forgotten.
        if by_key.is_some() || reference.is_old {
            return Ok(by_key);
        }
        let mut found = self.repeated(|| self.provider().find(&reference, By::Transaction)).await?;
        found.retain(|found| is_taken(found));
        Ok(known(&found, &envelope.transaction))
    }

    /// What went out under the envelope's key at any time, though no record tells of it: the database was restored to before. Nobody looks where `look_back` is
    /// nothing.
    pub async fn went_out_before(&self, envelope: &Envelope) -> Result<Option<String>, Stop> {
        if self.account.config.look_back.is_zero() {
            return Ok(None);
        }
        let reference = self.reference(envelope);
        let found = self.repeated(|| self.provider().find(&reference, By::Key)).await?;
        Ok(match known(&found, &envelope.transaction) {
            Some(Known::Out(id) | Known::Before(id)) => Some(id),
            Some(Known::Draft(_)) | None => None,
        })
    }

    /// Whether it is there at all, in whatever state.
    pub async fn has(&self, envelope: &Envelope, id: &str) -> Result<Option<Found>, Stop> {
        let reference = self.reference(envelope);
        let mut found = self.repeated(|| self.provider().find(&reference, By::Key)).await?;
        if !reference.is_old {
            found.extend(self.repeated(|| self.provider().find(&reference, By::Transaction)).await?);
        }
        Ok(found.into_iter().find(|found| name(&found.id) == name(id)))
    }

    /// As far back as the envelope, and as it is looked.
    fn reference(&self, envelope: &Envelope) -> Reference {
        let now = self.ctx.clock().now();
        let reference = envelope.reference(now);
        let back = SignedDuration::try_from(self.account.config.look_back).ok();
        let since = back.and_then(|back| now.checked_sub(back).ok()).unwrap_or(Timestamp::UNIX_EPOCH);
        Reference { since: since.min(reference.since), ..reference }
    }

    pub async fn pause(&self, tried: u32) -> Result<(), Failure> {
        self.ctx.sleep(A_LITTLE * 2_u32.pow(tried)).await
    }

    /// The hour's calls are nearly used up: all jobs of the account rest until the next.
    async fn obey(&self, budget: Budget) -> Result<(), Failure> {
        let now = self.ctx.clock().now();
        let Some(wait) = rest(budget, now) else { return Ok(()) };
        let limit = limit(&self.account.name);
        let what = HoldOff::Calls { limit: &limit, key: &self.account.name };
        self.ctx.hold_off(what, wait, "the calls of this hour are nearly used up").await?;
        Ok(())
    }

    /// What follows from a fault that the caller has no answer to.
    pub async fn fail(&self, stop: Stop) -> Failure {
        match self.followed(stop).await {
            Ok(failure) | Err(failure) => failure,
        }
    }

    async fn followed(&self, stop: Stop) -> Result<Failure, Failure> {
        let error = match stop {
            Stop::Job(failure) => return Ok(failure),
            Stop::Call(error) => error,
        };
        match follow(&error, self.ctx.clock().now()) {
            Follow::Park => self.account.park(self.ctx, &error).await,
            Follow::Rest(wait) => {
                let limit = limit(&self.account.name);
                let what = HoldOff::Calls { limit: &limit, key: &self.account.name };
                self.ctx.hold_off(what, wait, &error.to_string()).await?;
                Ok(Failure::NotNow { after: wait, why: error.to_string() })
            }
            Follow::Later(after) => Ok(Failure::NotNow { after, why: error.to_string() }),
            Follow::Retry => Ok(Failure::transient(error)),
            Follow::GiveUp => Ok(Failure::permanent(error)),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Follow {
    /// The account waits for a person.
    Park,
    /// All calls of the account wait so long; no attempt is used.
    Rest(Duration),
    /// This job waits so long; no attempt is used.
    Later(Duration),
    Retry,
    GiveUp,
}

/// The table: one line for each thing that can be the matter.
fn follow(error: &CallError, now: Timestamp) -> Follow {
    match error.fault {
        Fault::Away | Fault::Unknown | Fault::Torn => Follow::Retry,
        Fault::Token | Fault::Consent | Fault::SignIn | Fault::Permission => Follow::Park,
        Fault::HourlyLimit => {
            Follow::Rest(until(error.budget.resets_at.unwrap_or_else(|| next_hour(now)), now))
        }
        Fault::BurstLimit => Follow::Rest(HALF_A_MINUTE),
        Fault::EnvelopeLimit => Follow::Later(LEFT_ALONE),
        Fault::Locked => Follow::Later(LOCKED),
        // Whoever can make something of these has done so before.
        Fault::Refused | Fault::Missing | Fault::Gone | Fault::State | Fault::Duplicate => Follow::GiveUp,
    }
}

/// How long all rest, when what is left is no more than the reserve.
fn rest(budget: Budget, now: Timestamp) -> Option<Duration> {
    let resets_at = budget.resets_at.unwrap_or_else(|| next_hour(now));
    budget.remaining.is_some_and(|left| left <= RESERVE).then(|| until(resets_at, now))
}

/// A second more, since clocks differ.
fn until(at: Timestamp, now: Timestamp) -> Duration {
    let longest = SignedDuration::from_hours(1);
    let wait = at.duration_since(now).clamp(SignedDuration::ZERO, longest);
    Duration::try_from(wait).unwrap_or(HALF_A_MINUTE) + Duration::from_secs(1)
}

/// DocuSign counts from the full hour.
fn next_hour(now: Timestamp) -> Timestamp {
    let begun = now.as_second() - now.as_second().rem_euclid(3_600);
    Timestamp::from_second(begun + 3_600).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(fault: Fault, budget: Budget) -> CallError {
        CallError { doing: "calling", fault, code: None, trace: None, status: None, budget }
    }

    #[test]
    fn each_fault_has_what_follows() {
        let now = Timestamp::from_second(1_800_000_000 + 600).unwrap();
        let seconds = Duration::from_secs;
        for (fault, expected) in [
            (Fault::Away, Follow::Retry),
            (Fault::Unknown, Follow::Retry),
            (Fault::Torn, Follow::Retry),
            (Fault::Token, Follow::Park),
            (Fault::Consent, Follow::Park),
            (Fault::SignIn, Follow::Park),
            (Fault::Permission, Follow::Park),
            (Fault::HourlyLimit, Follow::Rest(seconds(3_001))),
            (Fault::BurstLimit, Follow::Rest(seconds(30))),
            (Fault::EnvelopeLimit, Follow::Later(seconds(3_600))),
            (Fault::Locked, Follow::Later(seconds(120))),
            (Fault::Refused, Follow::GiveUp),
            (Fault::Missing, Follow::GiveUp),
            (Fault::Gone, Follow::GiveUp),
            (Fault::State, Follow::GiveUp),
            (Fault::Duplicate, Follow::GiveUp),
        ] {
            assert_eq!(follow(&error(fault, Budget::default()), now), expected, "{fault:?}");
        }
        let soon = Budget { remaining: Some(0), resets_at: Timestamp::from_second(now.as_second() + 9).ok() };
        assert_eq!(follow(&error(Fault::HourlyLimit, soon), now), Follow::Rest(seconds(10)));
    }

    #[test]
    fn the_last_calls_of_an_hour_are_left() {
        let now = Timestamp::from_second(1_800_000_000 + 600).unwrap();
        let left = |remaining| rest(Budget { remaining, resets_at: None }, now);

        assert_eq!(left(Some(RESERVE)), Some(Duration::from_secs(3_001)));
        assert_eq!((left(Some(RESERVE + 1)), left(None)), (None, None));
    }
}
