//! Recording of call sites, for as long as somebody wants it.

use std::cell::Cell;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::debug::traced_memory;
use crate::limits::{MOMENT_PERIOD, PEAK_PAUSE_FACTOR, PEAK_PERIOD, THREAD_START_TIMEOUT};
use crate::memory::tracking::flags::{is_recording, set_recording};
use crate::memory::tracking::ledger;
use crate::runtime::attach::{AttachGuard, detach_for};
use crate::runtime::maintenance_thread;

/// How many recordings there are, of all threads.
struct Recorders {
    exact: u32,
    sampling: u32,
    /// Whether the thread that notes moments runs.
    has_thread: bool,
}

static RECORDERS: Mutex<Recorders> = Mutex::new(Recorders {
    exact: 0,
    sampling: 0,
    has_thread: false,
});

/// The recordings of a thread. What hasn't ended ends with the thread: a Worker may be terminated.
struct OwnRecordings {
    exact: Cell<u32>,
    sampling: Cell<u32>,
}

thread_local! {
    static OWN: OwnRecordings = const {
        OwnRecordings { exact: Cell::new(0), sampling: Cell::new(0) }
    };
}

impl Drop for OwnRecordings {
    fn drop(&mut self) {
        for (count, is_sampling) in [(&self.exact, false), (&self.sampling, true)] {
            for _ in 0..count.get() {
                change(is_sampling, false);
            }
        }
    }
}

/// Begin one recording of this thread's. All allocations are entered while nobody samples.
pub fn begin(is_sampling: bool) {
    OWN.with(|own| {
        let count = own.count(is_sampling);
        count.set(count.get() + 1);
    });
    change(is_sampling, true);
}

/// End one recording of this thread's.
pub fn end(is_sampling: bool) {
    let is_known = OWN.with(|own| {
        let count = own.count(is_sampling);
        let known = count.get();
        count.set(known.saturating_sub(1));
        known > 0
    });
    if is_known {
        change(is_sampling, false);
    }
}

impl OwnRecordings {
    fn count(&self, is_sampling: bool) -> &Cell<u32> {
        if is_sampling {
            &self.sampling
        } else {
            &self.exact
        }
    }
}

/// Count one recording more or less.
fn change(is_sampling: bool, begins: bool) {
    let mut recorders = RECORDERS.lock().unwrap_or_else(PoisonError::into_inner);
    let count = if is_sampling {
        &mut recorders.sampling
    } else {
        &mut recorders.exact
    };
    *count = if begins {
        *count + 1
    } else {
        count.saturating_sub(1)
    };
    set_recording(
        recorders.exact + recorders.sampling > 0,
        recorders.sampling > 0,
    );
    let needs_thread = is_recording() && !recorders.has_thread;
    recorders.has_thread |= needs_thread;
    drop(recorders);
    if needs_thread {
        start_thread();
    }
}

/// Start the thread of the timeline. Return once it has its Python thread state: CPython crashes where one is made while the
/// program stops `tracemalloc` (gh-128679). Without a thread, the timeline has moments of allocations alone.
fn start_thread() {
    let (ready, is_ready) = sync_channel(1);
    let started = maintenance_thread::builder()
        .name("oneheap-timeline".into())
        .spawn(move || {
            drop(AttachGuard::enter());
            // Nobody waits any more if that took long.
            let _ = ready.send(());
            note_moments();
        });
    if started.is_ok() {
        let _ = detach_for(|| is_ready.recv_timeout(THREAD_START_TIMEOUT));
    }
}

/// Note moments while somebody records: what Python allocates by itself makes the process grow too. And look for Python's peak.
fn note_moments() {
    let mut next_look = Instant::now();
    loop {
        std::thread::sleep(MOMENT_PERIOD);
        let mut recorders = RECORDERS.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_recording() {
            recorders.has_thread = false;
            return;
        }
        drop(recorders);
        ledger::note_moment();
        if Instant::now() >= next_look {
            next_look = Instant::now() + look_for_peak();
        }
    }
}

/// Look whether Python has more memory than ever. Return how long to wait until the next look.
fn look_for_peak() -> Duration {
    let Ok(attached) = AttachGuard::enter() else {
        return PEAK_PERIOD;
    };
    let start = Instant::now();
    // SAFETY: attached, and no exception is set on a thread of our own.
    unsafe { traced_memory::note_peak() };
    drop(attached);
    PEAK_PERIOD.max(start.elapsed() * PEAK_PAUSE_FACTOR)
}
