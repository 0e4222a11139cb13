//! The maintenance thread: Python's main thread, which lives as long as the process.
//!
//! It frees what other threads have deferred while no thread attaches, decrefs objects for threads that can't, raises interrupts for
//! which no thread could be made, and flushes Python's files when the process ends.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering, fence};
use std::time::Instant;

use oneheap::{Counters, PyMemAllocator};

use crate::boundary::status::Status;
use crate::limits::{DEFERRED_PERIOD, DEFERRED_WAKE_BYTES};
use crate::runtime::attach::AttachGuard;
use crate::runtime::maintenance_thread::{self, RUNS_FINALIZERS, wake};
use crate::runtime::pending_decrefs::{drain_pending_decrefs, has_pending_decrefs};
use crate::runtime::shutdown;

/// Work of a higher layer that the maintenance thread does before anything that may run Python code.
pub struct UrgentWork {
    /// Returns whether there is work. Called often: it should be one load.
    pub is_pending: fn() -> bool,
    /// Does the work.
    ///
    /// # Safety
    /// The thread is attached.
    pub perform: unsafe fn(),
}

static URGENT_WORK: OnceLock<UrgentWork> = OnceLock::new();

/// Set the urgent work, unless it is set.
pub fn set_urgent_work(work: UrgentWork) {
    let _ = URGENT_WORK.set(work);
}

fn has_urgent_work() -> bool {
    URGENT_WORK.get().is_some_and(|work| (work.is_pending)())
}

/// What the maintenance thread is to do about deferred frees. Other threads only raise it.
static DEFERRED: AtomicU8 = AtomicU8::new(SLEEP);

/// Nothing was put on the list of late, and the thread sleeps until it is woken.
const SLEEP: u8 = 0;
/// The thread looks at the list at the end of each period.
const WATCH: u8 = 1;
/// Enough waits to be freed at once.
const FREE: u8 = 2;

/// A block was put on the deferred list, where `bytes` bytes wait now. Wakes the maintenance thread if it isn't to do so already, and says what
/// there is to do. May be called in any state of the thread: it takes no lock and allocates nothing.
fn on_deferred(bytes: usize) {
    let wanted = if bytes < DEFERRED_WAKE_BYTES {
        WATCH
    } else {
        FREE
    };
    // Sequentially consistent, so that a thread that goes to sleep is not missed: see `Period::end`.
    if DEFERRED.load(Ordering::SeqCst) < wanted
        && DEFERRED.fetch_max(wanted, Ordering::SeqCst) < wanted
    {
        wake();
    }
}

/// Do the work of the maintenance thread until the process ends.
pub fn maintenance_loop() {
    // Before it can be woken.
    maintenance_thread::set(std::thread::current());
    PyMemAllocator::on_deferred(on_deferred);
    let mut period = Period::end();
    while !shutdown::is_ending() {
        Period::wait(&period);
        if !is_due(&mut period) && !has_pending_decrefs() && !has_urgent_work() {
            continue;
        }
        if do_pending_work().is_err() {
            // Python has ended, or ends; nothing is left to do but to respond to whoever ends the process.
            while !shutdown::is_ending() {
                std::thread::park();
            }
        }
    }
    shutdown::finish();
}

/// Do all work that is pending: urgent work, deferred frees, and decrefs.
fn do_pending_work() -> Result<(), Status> {
    while PyMemAllocator::has_deferred() || has_pending_decrefs() || has_urgent_work() {
        // Detached again after each batch, so that other threads get the GIL.
        let _attached = AttachGuard::enter()?;
        // Before what may run Python code.
        if let Some(work) = URGENT_WORK.get() {
            // SAFETY: attached.
            unsafe { (work.perform)() };
        }
        PyMemAllocator::drain_deferred();
        RUNS_FINALIZERS.store(true, Ordering::Relaxed);
        // SAFETY: attached; no exception is set, and nothing is held here.
        unsafe { drain_pending_decrefs() };
        RUNS_FINALIZERS.store(false, Ordering::Relaxed);
    }
    Ok(())
}

/// Return whether the maintenance thread is to free what is on the deferred list. Threads that attach free it themselves, so that is not so
/// while they do.
fn is_due(period: &mut Option<Period>) -> bool {
    match DEFERRED.load(Ordering::Acquire) {
        FREE => {
            // Before the list is looked at, so that what fills it once more wakes this thread once more.
            DEFERRED.store(WATCH, Ordering::SeqCst);
            *period = Some(Period::begin());
            return true;
        }
        WATCH if period.is_none() => *period = Some(Period::begin()),
        _ => {}
    }
    let Some(now) = period.as_ref().filter(|period| period.is_over()) else {
        return false;
    };
    let is_due = now.nobody_emptied_the_list() && PyMemAllocator::has_deferred();
    *period = if is_due || now.saw_something() {
        Some(Period::begin())
    } else {
        Period::end()
    };
    is_due
}

/// A while during which the maintenance thread leaves the deferred list to threads that attach.
struct Period {
    start: Instant,
    /// What had been deferred and emptied when it began.
    counters: Counters,
}

impl Period {
    fn begin() -> Self {
        Self {
            start: Instant::now(),
            counters: PyMemAllocator::counters(),
        }
    }

    /// After a period in which nothing happened: none follows, unless a block comes just now. So a process that frees nothing wakes
    /// no thread, and one that does so in a loop wakes this one, by its clock, ten times a second.
    fn end() -> Option<Self> {
        DEFERRED.store(SLEEP, Ordering::SeqCst);
        // Either this sees the block, or who deferred it sees the store above and wakes this thread.
        fence(Ordering::SeqCst);
        if !PyMemAllocator::has_deferred() {
            return None;
        }
        DEFERRED.fetch_max(WATCH, Ordering::SeqCst);
        Some(Self::begin())
    }

    /// Sleep until the period is over, or without one, or until somebody wakes the thread.
    fn wait(period: &Option<Self>) {
        match period {
            None => std::thread::park(),
            Some(period) => {
                std::thread::park_timeout(DEFERRED_PERIOD.saturating_sub(period.start.elapsed()));
            }
        }
    }

    fn is_over(&self) -> bool {
        self.start.elapsed() >= DEFERRED_PERIOD
    }

    fn nobody_emptied_the_list(&self) -> bool {
        PyMemAllocator::counters().emptied == self.counters.emptied
    }

    fn saw_something(&self) -> bool {
        PyMemAllocator::counters().deferred != self.counters.deferred
    }
}
