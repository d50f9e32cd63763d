//! The stream as Redis has it: the consumer group, and the few commands we say to it.
//!
//! An entry that is done is acknowledged and deleted in one step, so the stream is as long as its backlog. One that
//! cannot be a job moves to the stream of the rejected in one step with its acknowledgement, once.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Pipeline, Script, Value, cmd};

use super::entry::{Entry, Fields, mark};
use crate::adapters::redis::{Line, Redis, RedisFault};

const GROUP: &str = "compline";

/// Fields that we add to a rejected entry. A field of an entry's own never begins so.
const ERROR: &str = "_error";
const ENTRY: &str = "_entry";

/// Written before it is acknowledged: a script that fails in between has done what it did so far.
const REJECT: &str = r"
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0 then return 0 end
redis.call('XADD', KEYS[2], '*', unpack(ARGV, 3))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return 1";

/// Whoever looks and deletes in two steps may delete a consumer that has just read something, and with it the
/// knowledge that this was read.
const FORGET_CONSUMERS: &str = r"
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local of = {}
    for at = 1, #consumer, 2 do of[consumer[at]] = consumer[at + 1] end
    if of.pending == 0 and of.idle > tonumber(ARGV[2]) then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], of.name)
    end
end";

const REQUEUE: &str = r"
local found = redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1])[1]
if not found then return false end
local fields = {}
for at = 1, #found[2], 2 do
    if string.sub(found[2][at], 1, 1) ~= '_' then
        fields[#fields + 1] = found[2][at]
        fields[#fields + 1] = found[2][at + 1]
    end
end
if #fields == 0 then fields = {'kind', ''} end
local id = redis.call('XADD', KEYS[1], '*', unpack(fields))
redis.call('XDEL', KEYS[2], ARGV[1])
return id";

/// A script cannot pass on more than some thousands of values; no job has so many fields.
const MOST_FIELDS: usize = 1_000;

pub struct Group {
    redis: Arc<Redis>,
    waiting: Line,
    consumer: String,
    pub stream: String,
    pub rejected: String,
}

/// One that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub id: String,
    /// The id it had in the stream.
    pub entry: String,
    pub error: String,
    pub fields: Fields,
}

/// How the stream stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Entries that are not done, those in somebody's hand included.
    pub length: u64,
    pub rejected: u64,
}

impl Group {
    pub fn new(redis: Arc<Redis>, consumer: String, longest_wait: Duration) -> Self {
        let (stream, rejected) = (redis.key("enqueue"), redis.key("enqueue:rejected"));
        Self { waiting: redis.waiting_line(longest_wait), redis, consumer, stream, rejected }
    }

    /// From the beginning: what was written before anybody read is not passed over.
    pub async fn make(&self) -> Result<(), RedisFault> {
        let mut make = cmd("XGROUP");
        make.arg("CREATE").arg(&self.stream).arg(GROUP).arg("0").arg("MKSTREAM");
        match self.redis.query::<Value>("making the consumer group", &make).await {
            Err(problem) if problem.code() == Some("BUSYGROUP") => Ok(()),
            made => made.map(drop),
        }
    }

    /// Entries that nobody was given yet. Waits for the first so long.
    pub async fn read(&self, count: usize, wait: Duration) -> Result<Vec<Entry>, RedisFault> {
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP").arg(GROUP).arg(&self.consumer).arg("COUNT").arg(count);
        read.arg("BLOCK").arg(millis(wait)).arg("STREAMS").arg(&self.stream).arg(">");
        let answer: Value = self.waiting.query("reading the stream", &read).await?;
        // Stream by stream; there is one, or nothing came.
        let streams = items(answer);
        let named = streams.into_iter().next().map(items).unwrap_or_default();
        Ok(named.into_iter().nth(1).map(entries).unwrap_or_default())
    }

    /// Entries that others were given and have not done for so long, from a place in the list of them; with the
    /// place to go on from, if there are more.
    pub async fn claim(
        &self,
        from: &str,
        idle: Duration,
        count: usize,
    ) -> Result<(Vec<Entry>, Option<String>), RedisFault> {
        let mut claim = cmd("XAUTOCLAIM");
        claim.arg(&self.stream).arg(GROUP).arg(&self.consumer).arg(millis(idle)).arg(from);
        claim.arg("COUNT").arg(count);
        let answer: Value = self.redis.query("taking over entries of others", &claim).await?;
        let mut answer = items(answer).into_iter();
        let next = answer.next().and_then(text).filter(|next| next != "0-0");
        Ok((answer.next().map(entries).unwrap_or_default(), next))
    }

    pub async fn acknowledge(&self, ids: &[&str]) -> Result<(), RedisFault> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut done = Pipeline::new();
        done.atomic();
        done.cmd("XACK").arg(&self.stream).arg(GROUP).arg(ids).ignore();
        done.cmd("XDEL").arg(&self.stream).arg(ids).ignore();
        self.redis.pipeline("acknowledging entries", &done).await
    }

    pub async fn reject(&self, entry: &Entry, error: &str) -> Result<(), RedisFault> {
        let script = Script::new(REJECT);
        let mut reject = script.key(&self.stream);
        reject.key(&self.rejected).arg(GROUP).arg(&entry.id).arg(ERROR).arg(error).arg(ENTRY).arg(&entry.id);
        for (name, value) in entry.fields.iter().take(MOST_FIELDS) {
            reject.arg(name).arg(value);
        }
        self.redis.script("setting an entry aside", &reject).await
    }

    /// Below this mark everything is done, and has been for so long.
    pub async fn done_before(&self, since: Duration) -> Result<String, RedisFault> {
        let mut ask = Pipeline::new();
        ask.cmd("XPENDING").arg(&self.stream).arg(GROUP).cmd("TIME");
        let (pending, now): (Value, (u64, u64)) = self.redis.pipeline("asking what is done", &ask).await?;
        let long_ago = (now.0 * 1_000).saturating_sub(millis(since));
        let long_ago = mark(&format!("{long_ago}-0"));
        let first_pending = items(pending).into_iter().nth(1).and_then(text);
        Ok(first_pending.map_or(long_ago.clone(), |id| mark(&id).min(long_ago)))
    }

    /// Consumers that hold nothing and were not heard of for so long.
    pub async fn forget_consumers(&self, silent_for: Duration) -> Result<(), RedisFault> {
        let script = Script::new(FORGET_CONSUMERS);
        let mut forget = script.key(&self.stream);
        forget.arg(GROUP).arg(millis(silent_for));
        self.redis.script("forgetting old consumers", &forget).await
    }

    pub async fn standing(&self) -> Result<Standing, RedisFault> {
        let mut ask = Pipeline::new();
        ask.cmd("XLEN").arg(&self.stream).cmd("XLEN").arg(&self.rejected);
        let (length, rejected) = self.redis.pipeline("asking how the stream stands", &ask).await?;
        Ok(Standing { length, rejected })
    }

    /// The oldest so many.
    pub async fn rejected(&self, count: usize) -> Result<Vec<Rejected>, RedisFault> {
        let mut range: Cmd = cmd("XRANGE");
        range.arg(&self.rejected).arg("-").arg("+").arg("COUNT").arg(count);
        let found: Value = self.redis.query("listing rejected entries", &range).await?;
        Ok(entries(found).into_iter().map(rejected).collect())
    }

    /// Gives a rejected entry back to the stream as it was, and says under which id; none when there is none such.
    pub async fn requeue(&self, id: &str) -> Result<Option<String>, RedisFault> {
        let script = Script::new(REQUEUE);
        let mut requeue = script.key(&self.stream);
        requeue.key(&self.rejected).arg(id);
        self.redis.script("giving an entry back to the stream", &requeue).await
    }
}

fn rejected(entry: Entry) -> Rejected {
    let (ours, fields): (Fields, Fields) =
        entry.fields.into_iter().partition(|(name, _)| name.starts_with(b"_"));
    let of = |wanted: &str| {
        let found = ours.iter().find(|(name, _)| name == wanted.as_bytes());
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
    };
    Rejected { id: entry.id, entry: of(ENTRY), error: of(ERROR), fields }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn items(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

fn text(value: Value) -> Option<String> {
    bytes(value).and_then(|bytes| String::from_utf8(bytes).ok())
}

/// `[id, [name, value, …]]` each. The library's own type is a map, and would hide a field that stands there twice.
fn entries(value: Value) -> Vec<Entry> {
    let entry = |value: Value| {
        let mut parts = items(value).into_iter();
        let id = parts.next().and_then(text)?;
        let mut names_and_values = items(parts.next()?).into_iter().filter_map(bytes);
        let mut fields = Vec::new();
        while let (Some(name), Some(value)) = (names_and_values.next(), names_and_values.next()) {
            fields.push((name, value));
        }
        Some(Entry { id, fields })
    };
    items(value).into_iter().filter_map(entry).collect()
}
