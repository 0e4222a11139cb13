//! How much memory V8's small objects keep alive, so that V8 collects lost ones in time.
//!
//! V8 knows how large a view's buffer is, but not what a block without a view keeps, nor what a Python object does; that is
//! reported to it here. And it makes its cheap minor collection for the sake of buffers only when it makes a buffer itself, never
//! for external ones; so TypeScript makes one, and loses it (`ffi/memory/external_memory.ts`). All is reported in large steps: a loop that
//! allocates and frees reports nothing. What changes these counts is done in the one call that changes the memory itself.
//!
//! Nothing says how large a frame or a tensor is without running its code. So the growth of the memory in use is the sign
//! there: it is looked at now and then while references to such objects are made.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use napi_sys::{napi_adjust_external_memory, napi_env};

use crate::limits::{
    MAX_PRESSURE_BYTES, MAX_SAMPLE_MILLISECONDS, MIN_GROWTH_BYTES, MIN_SAMPLE_MILLISECONDS,
    PRESSURE_BYTES, PRESSURE_STEP_BYTES, REPORT_SLACK_BYTES, REPORT_STEP_BYTES,
    SAMPLE_PAUSE_FACTOR, SETTLING_SAMPLES,
};
use crate::runtime::platform;

/// Nothing is to be done.
const NOT_DUE: i32 = 0;
/// What this thread retains has grown: that is to be reported to V8, which is to make a minor collection. Explicit frees undo it.
const RETAINED_DUE: i32 = 1;
/// The memory in use has grown: V8 is to make a collection.
const SAMPLE_DUE: i32 = 2;

/// The count of one isolate. Only that thread changes it, but for `collected`.
#[derive(Default)]
pub struct ExternalMemory {
    /// Whether TypeScript is to report, which it sees without a call. First, for TypeScript has its address.
    due: AtomicI32,
    /// Bytes of the blocks that this thread allocated, and of what it borrowed or refers to in Python, and did not free explicitly;
    /// what was lost is among them.
    retained: AtomicI64,
    /// What `retained` was at the last report.
    reported: AtomicI64,
    /// By how many bytes the blocks without a view, and the objects in Python, have changed since the last report.
    unreported: AtomicI64,
    /// Bytes that were reported to V8 and were lost since. Finalizers add to it on any thread.
    collected: AtomicI64,
    /// Whether all garbage is to be collected with the next report.
    collects_all: AtomicBool,
    /// How many bytes more than [`PRESSURE_BYTES`] the next such report has.
    pressure: AtomicI64,
}

/// What is done about the growth of the memory in use.
enum Growth {
    /// There is none, or not enough.
    Small,
    /// A minor collection was made for it.
    Minor,
    /// All garbage was collected, so many looks ago, when so much was in use.
    All(u8, u64),
}

/// What is known of the memory in use. Isolates share it, for they share the process.
struct Watch {
    /// What was in use when that was least, since all garbage was collected last.
    baseline: u64,
    growth: Growth,
}

thread_local! {
    /// The count of the isolate that runs on this thread. One after the other may, as the files of `deno test` do.
    static ISOLATE: RefCell<Arc<ExternalMemory>> = RefCell::default();
}

static WATCH: Mutex<Watch> = Mutex::new(Watch {
    baseline: u64::MAX,
    growth: Growth::Small,
});

/// When the memory in use is looked at next, in milliseconds of the system's clock.
static NEXT_SAMPLE: AtomicU64 = AtomicU64::new(0);

impl ExternalMemory {
    /// Return the count of the calling thread's isolate; none when the thread ends.
    pub fn of_isolate() -> Option<Arc<Self>> {
        ISOLATE.try_with(|isolate| isolate.borrow().clone()).ok()
    }

    /// Begin with a new count: a new isolate starts on this thread.
    pub fn begin_isolate() {
        let _ = ISOLATE.try_with(|isolate| isolate.replace(Arc::default()));
    }

    /// Return the address of the word in which TypeScript sees whether a report is due.
    pub fn due(&self) -> *mut i32 {
        self.due.as_ptr()
    }

    /// Count `bytes` more: a block without a view was made or grew, or a reference to an object of that size was made.
    #[inline]
    pub fn track_retained(&self, bytes: i64) {
        add(&self.unreported, bytes);
        let retained = add(&self.retained, bytes);
        if retained - self.reported.load(Relaxed) >= REPORT_STEP_BYTES {
            self.set_due(RETAINED_DUE);
        }
    }

    /// Count `bytes` fewer: they were freed explicitly.
    #[inline]
    pub fn track_freed(&self, bytes: i64) {
        let retained = add(&self.retained, -bytes);
        let slack = REPORT_SLACK_BYTES.max(bytes);
        let reported = self.reported.load(Relaxed);
        if reported - retained > slack {
            self.reported.store(retained + slack, Relaxed);
        }
        // What is made and freed in turn, however large, is nothing for V8 to collect.
        if self.due.load(Relaxed) & RETAINED_DUE != 0 && retained - reported < REPORT_STEP_BYTES {
            let due = self.due.load(Relaxed) & !RETAINED_DUE;
            self.due.store(due, Relaxed);
        }
    }

    /// Leave `bytes` out of the next report: a block got a view, whose size V8 knows, or something without one was freed.
    #[inline]
    pub fn untrack(&self, bytes: i64) {
        add(&self.unreported, -bytes);
    }

    /// Have TypeScript report. Only this thread changes the word.
    fn set_due(&self, reason: i32) {
        self.due.store(self.due.load(Relaxed) | reason, Relaxed);
    }

    /// Take `bytes` into the next report again: a block of that size has lost its view.
    pub fn retrack(&self, bytes: i64) {
        add(&self.unreported, bytes);
    }

    /// Count a buffer over `bytes` bytes, whose size V8 knows. [`track_freed`](Self::track_freed) counts its explicit end.
    pub fn track_buffer(&self, bytes: i64) {
        self.track_retained(bytes);
        self.untrack(bytes);
    }

    /// Count `bytes` that were reported to V8 and whose owner V8 has collected. On any thread.
    pub fn track_collected(&self, bytes: i64) {
        self.collected.fetch_add(bytes, Relaxed);
    }

    /// Look now and then whether the memory in use has grown. For references to objects of unknown size.
    #[inline]
    pub fn sample_growth(&self) {
        let now = platform::coarse_milliseconds();
        if now >= NEXT_SAMPLE.load(Relaxed) {
            self.sample(now);
        }
    }

    #[cold]
    fn sample(&self, now: u64) {
        let start = Instant::now();
        let used = platform::used_bytes();
        let pause = (start.elapsed() * SAMPLE_PAUSE_FACTOR).as_millis() as u64;
        let pause = pause.clamp(MIN_SAMPLE_MILLISECONDS, MAX_SAMPLE_MILLISECONDS);
        NEXT_SAMPLE.store(now + pause, Relaxed);
        // Nothing is allocated and nobody is called while this is locked; another thread's look will do as well.
        let Ok(mut watch) = WATCH.try_lock() else {
            return;
        };
        if watch.grows(used) {
            let collects_all = matches!(watch.growth, Growth::All(..));
            self.collects_all.store(collects_all, Relaxed);
            self.set_due(SAMPLE_DUE);
        }
    }

    /// Report the changes since the last time to V8, which may collect garbage before this returns.
    ///
    /// # Safety
    /// The environment is live, and this is its thread's count.
    pub unsafe fn report_to_v8(&self, env: napi_env) {
        let change = self.unreported.load(Relaxed) - self.collected.swap(0, Relaxed);
        self.unreported.store(0, Relaxed);
        self.reported.store(self.retained.load(Relaxed), Relaxed);
        self.due.store(NOT_DUE, Relaxed);
        let mut total = 0;
        // SAFETY: as the caller vouches, and the result has its place.
        unsafe { napi_adjust_external_memory(env, change, &mut total) };
        if !self.collects_all.swap(false, Relaxed) {
            return;
        }
        let pressure = PRESSURE_BYTES + add(&self.pressure, PRESSURE_STEP_BYTES);
        let pressure = pressure.min(MAX_PRESSURE_BYTES);
        // SAFETY: as above; the second call undoes the first.
        unsafe {
            napi_adjust_external_memory(env, pressure, &mut total);
            napi_adjust_external_memory(env, -pressure, &mut total);
        }
    }
}

impl Watch {
    /// Take a look into account. Whether something is to be done about growth.
    fn grows(&mut self, used: u64) -> bool {
        self.baseline = self.baseline.min(used);
        let limit = MIN_GROWTH_BYTES.max(self.baseline / 4);
        let is_grown = used - self.baseline >= limit;
        self.growth = match self.growth {
            Growth::All(looks, before) if used < before || looks >= SETTLING_SAMPLES => {
                self.baseline = used;
                Growth::Small
            }
            Growth::All(looks, before) => Growth::All(looks + 1, before),
            _ if !is_grown => Growth::Small,
            Growth::Small => Growth::Minor,
            // The minor collection didn't end the growth: what was lost is old, or nothing was.
            Growth::Minor => Growth::All(0, used),
        };
        matches!(self.growth, Growth::Minor | Growth::All(0, _))
    }
}

/// Add to a count that one thread changes, and return the sum. No locked instruction.
#[inline]
fn add(count: &AtomicI64, change: i64) -> i64 {
    let sum = count.load(Relaxed) + change;
    count.store(sum, Relaxed);
    sum
}
