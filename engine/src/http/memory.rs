//! How much of what callers send is held at once, over all requests. A limit on each body alone is none: a thousand
//! connections that send ten megabytes each are ten gigabytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Two rooms: those who need not show the token cannot fill the one of those who do.
pub struct Memory {
    pub callers: Room,
    pub strangers: Room,
}

impl Memory {
    pub fn new(bytes: usize) -> Self {
        let strangers = bytes / STRANGERS_SHARE;
        Self { callers: Room::new(bytes - strangers), strangers: Room::new(strangers) }
    }
}

/// One part in so many is for strangers. A body of the largest size must fit into it.
pub const STRANGERS_SHARE: usize = 4;

#[derive(Debug, Clone)]
pub struct Room {
    most: usize,
    used: Arc<AtomicUsize>,
}

impl Room {
    fn new(most: usize) -> Self {
        Self { most, used: Arc::default() }
    }

    pub fn enter(&self) -> Held {
        Held { room: self.clone(), bytes: 0 }
    }
}

/// What one body takes up; given back when it is dropped.
#[derive(Debug)]
pub struct Held {
    room: Room,
    bytes: usize,
}

impl Held {
    /// False when there is no room for so much more.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let most = self.room.most;
        let grown = |used: usize| used.checked_add(bytes).filter(|used| *used <= most);
        let fits = self.room.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).is_ok();
        self.bytes += if fits { bytes } else { 0 };
        fits
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_as_bytes_come_and_given_back_with_them() {
        let Memory { callers, strangers } = Memory::new(400);
        let (mut first, mut second) = (callers.enter(), callers.enter());

        assert!(first.grow(200) && second.grow(50) && second.grow(50));
        assert!(!second.grow(1) && second.grow(0));
        // Whoever fills one room takes nothing from the other.
        assert!(strangers.enter().grow(100));
        drop(first);
        assert!(second.grow(200) && !second.grow(1));
        drop(second);
        assert!(callers.enter().grow(300) && !callers.enter().grow(301));
    }
}
