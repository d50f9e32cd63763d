//! What the tests of this crate have in common: a store and a target in memory, and a world with a secret that is rotated.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use jobkit::SecretString;
use jobkit::redact::ExposeSecret;

use crate::managed::{Managed, Secrets};
use crate::phase::Adoption;
use crate::rotate::{Rotate, RotateArgs};
use crate::secret::{OfTheSystem, Randomness, VersionId, password};
use crate::store::{self, Labels, Put, SecretStore, StoreError};
use crate::target::{self, InUse, Target, TargetError, Verdict};

#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Kept>>);

#[derive(Default)]
pub struct Kept {
    pub labels: Labels,
    pub values: BTreeMap<VersionId, SecretString>,
    /// The next calls fail so.
    pub away: usize,
    pub puts: usize,
}

impl MemoryStore {
    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call<'a, T: Send + 'a>(&self, act: impl FnOnce(&mut Kept) -> T) -> store::Answer<'a, T> {
        let mut kept = self.kept();
        let done = match kept.away {
            0 => Ok(act(&mut kept)),
            _ => {
                kept.away -= 1;
                Err(StoreError::Away { store: "memory".into(), doing: "anything", cause: "sealed".into() })
            }
        };
        async move { done }.boxed()
    }
}

impl SecretStore for MemoryStore {
    fn labels<'a>(&'a self, _: &'a str) -> store::Answer<'a, Labels> {
        self.call(|kept| kept.labels.clone())
    }

    fn read<'a>(&'a self, _: &'a str, version: &'a VersionId) -> store::Answer<'a, Option<SecretString>> {
        self.call(|kept| kept.values.get(version).cloned())
    }

    fn put_pending<'a>(
        &'a self,
        _: &'a str,
        version: &'a VersionId,
        value: &'a SecretString,
    ) -> store::Answer<'a, Put> {
        self.call(|kept| match &kept.labels.pending {
            Some(other) if other != version => Put::Other(other.clone()),
            _ => {
                kept.puts += 1;
                kept.labels.pending = Some(version.clone());
                kept.values.entry(version.clone()).or_insert_with(|| value.clone());
                Put::Kept
            }
        })
    }

    fn publish<'a>(
        &'a self,
        _: &'a str,
        from: Option<&'a VersionId>,
        to: &'a VersionId,
    ) -> store::Answer<'a, bool> {
        self.call(|kept| {
            if kept.labels.current.as_ref() != from {
                return false;
            }
            kept.labels.previous = kept.labels.current.replace(to.clone());
            kept.labels.pending = None;
            true
        })
    }

    fn publish_previous<'a>(&'a self, _: &'a str, _: &'a VersionId) -> store::Answer<'a, bool> {
        self.call(|kept| {
            kept.labels.current = kept.labels.previous.take();
            true
        })
    }

    fn forget<'a>(&'a self, _: &'a str, version: &'a VersionId) -> store::Answer<'a, ()> {
        self.call(|kept| {
            kept.values.remove(version);
            let labels = &mut kept.labels;
            for label in [&mut labels.pending, &mut labels.previous] {
                *label = label.take().filter(|one| one != version);
            }
        })
    }
}

/// How the target behaves at the next call of a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Play {
    Away,
    /// It is done, and the answer is lost.
    LostAfter,
    RefusesTheValue,
    /// A person has to do something.
    Refuses,
}

#[derive(Clone)]
pub struct MemoryTarget(Arc<Mutex<World>>);

pub struct World {
    pub lets_in: BTreeSet<String>,
    pub sessions: Option<u64>,
    pub has_overlap: bool,
    pub forgets_to_retire: bool,
    /// What was let in when something was published cannot be told here; but how many were let in at most can.
    pub most_at_once: usize,
    pub plays: BTreeMap<&'static str, VecDeque<Play>>,
    pub calls: Vec<&'static str>,
}

impl MemoryTarget {
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn play(&self, method: &'static str, plays: impl IntoIterator<Item = Play>) {
        self.world().plays.entry(method).or_default().extend(plays);
    }

    fn call<'a, T: Send + 'a>(
        &self,
        method: &'static str,
        act: impl FnOnce(&mut World) -> T,
    ) -> target::Answer<'a, T> {
        let mut world = self.world();
        world.calls.push(method);
        let away = || TargetError::Away { target: "memory".into(), doing: method, cause: "no answer".into() };
        let done = match world.plays.get_mut(method).and_then(VecDeque::pop_front) {
            None => Ok(act(&mut world)),
            Some(Play::Away) => Err(away()),
            Some(Play::LostAfter) => {
                act(&mut world);
                Err(away())
            }
            Some(Play::Refuses) => {
                Err(TargetError::Refused { target: "memory".into(), problem: "no right".into() })
            }
            Some(Play::RefusesTheValue) => {
                Err(TargetError::Value { target: "memory".into(), problem: "it is too plain".into() })
            }
        };
        world.most_at_once = world.most_at_once.max(world.lets_in.len());
        async move { done }.boxed()
    }
}

impl Target for MemoryTarget {
    fn name(&self) -> String {
        "memory".into()
    }

    fn has_overlap(&self) -> bool {
        self.world().has_overlap
    }

    fn make(
        &self,
        _: Option<&SecretString>,
        randomness: &dyn Randomness,
    ) -> Result<SecretString, TargetError> {
        Ok(password(randomness)?)
    }

    fn test<'a>(&'a self, value: &'a SecretString) -> target::Answer<'a, Verdict> {
        self.call("test", |world| match world.lets_in.contains(value.expose_secret()) {
            true => Verdict::Accepted,
            false => Verdict::Refused,
        })
    }

    fn set<'a>(&'a self, new: &'a SecretString, current: Option<&'a SecretString>) -> target::Answer<'a, ()> {
        self.call("set", |world| {
            if !world.has_overlap {
                world.lets_in.clear();
            }
            if let Some(current) = current.filter(|_| world.has_overlap) {
                assert!(
                    world.lets_in.contains(current.expose_secret()),
                    "the current one is let in as before"
                );
            }
            world.lets_in.insert(new.expose_secret().into());
        })
    }

    fn in_use<'a>(&'a self, _: &'a SecretString) -> target::Answer<'a, InUse> {
        self.call("in_use", |world| match world.sessions {
            Some(count) => InUse::By { count, who: vec!["billing".into()] },
            None => InUse::Unknown,
        })
    }

    fn cut<'a>(&'a self, _: &'a SecretString) -> target::Answer<'a, u64> {
        self.call("cut", |world| world.sessions.replace(0).unwrap_or(0))
    }

    fn retire<'a>(&'a self, old: &'a SecretString, stays: &'a SecretString) -> target::Answer<'a, ()> {
        self.call("retire", |world| {
            assert!(world.lets_in.contains(stays.expose_secret()), "the new one is let in as before");
            if !world.forgets_to_retire {
                world.lets_in.remove(old.expose_secret());
            }
        })
    }
}

/// A secret with a value that is in use.
pub struct House {
    pub store: MemoryStore,
    pub target: MemoryTarget,
}

pub const OLD: &str = "the value of before";
pub const GRACE: Duration = Duration::from_secs(86_400);
pub const MAX_GRACE: Duration = Duration::from_secs(7 * 86_400);

pub fn first() -> VersionId {
    VersionId("version-0".into())
}

pub fn house() -> (Rotate, House) {
    house_with(GRACE, Adoption::Extend)
}

pub fn house_with(grace: Duration, adoption: Adoption) -> (Rotate, House) {
    let store = MemoryStore::default();
    store.kept().labels.current = Some(first());
    store.kept().values.insert(first(), SecretString::from(OLD));
    let target = MemoryTarget(Arc::new(Mutex::new(World {
        lets_in: [OLD.to_owned()].into(),
        sessions: Some(0),
        has_overlap: true,
        forgets_to_retire: false,
        most_at_once: 1,
        plays: BTreeMap::new(),
        calls: Vec::new(),
    })));
    let managed = Managed {
        name: "app-db".into(),
        store: Arc::new(store.clone()),
        path: "app-db".into(),
        target: Arc::new(target.clone()),
        every: Duration::from_secs(90 * 86_400),
        grace,
        max_grace: MAX_GRACE,
        adoption,
    };
    let secrets = Secrets::new([managed], Arc::new(OfTheSystem));
    (Rotate { secrets }, House { store, target })
}

pub fn args() -> RotateArgs {
    RotateArgs { name: "app-db".into(), compromised: false, clear_pending: None }
}

impl House {
    pub fn current(&self) -> String {
        let kept = self.store.kept();
        let current = kept.labels.current.as_ref().and_then(|version| kept.values.get(version));
        current.map(|value| value.expose_secret().to_owned()).unwrap_or_default()
    }

    /// What every end must be: one value is let in, and it is the one that readers get.
    pub fn assert_one_lives(&self) {
        let lets_in: Vec<String> = self.target.world().lets_in.iter().cloned().collect();
        assert_eq!(lets_in, [self.current()]);
        assert_ne!(self.current(), OLD);
        let kept = self.store.kept();
        assert_eq!((kept.values.len(), &kept.labels.pending, &kept.labels.previous), (1, &None, &None));
    }
}
