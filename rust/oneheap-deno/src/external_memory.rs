//! How much memory V8's small objects keep alive, so that V8 collects lost ones in time.
//!
//! V8 knows how large a view's buffer is, but not what a block without a view keeps, nor what a Python object does; that is
//! reported to it here. And it makes its cheap minor collection for the sake of buffers only when it makes a buffer itself, never
//! for external ones; so TypeScript makes one, and loses it (`ffi/external_memory.ts`). All is reported in large steps: a loop that
//! allocates and frees reports nothing. What changes these counts is done in the one call that changes the memory itself.
//!
//! Nobody tells how large a list, a frame or a tensor is without running its code. So the growth of the process is the
//! sign there: it is looked at now and then while references to such objects are made.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU64, Ordering::Relaxed};

use napi_sys::{napi_adjust_external_memory, napi_env};

use crate::system;

/// Growth by so many bytes is reported to V8.
const STEP_BYTES: i64 = 32 * 1024 * 1024;

/// After frees by hand it takes at most this many more bytes until growth is reported again, or as many as were freed at once: what
/// is borrowed and released in turn is reported of the first time only.
const SLACK_BYTES: i64 = 256 * 1024 * 1024;

/// How often the size of the process is looked at, at most. A look takes some 2 µs.
const SAMPLE_MILLISECONDS: u64 = 4;

/// Growth of the process by so many bytes, or by a quarter of what it was, is taken for lost Python objects.
const GROWTH_BYTES: u64 = 64 * 1024 * 1024;

/// More than V8 lets external memory be before it collects all garbage at once: half the largest heap.
const PRESSURE_BYTES: i64 = 1 << 42;

/// Nothing is to be done.
const NOT_DUE: i32 = 0;
/// V8 is to be told of growth, and to make a minor collection.
const DUE: i32 = 1;

/// The count of one isolate. Only that thread changes it, but for `collected`.
#[derive(Default)]
pub struct ExternalMemory {
    /// Whether TypeScript is to report, which it sees without a call. First, for TypeScript has its address.
    due: AtomicI32,
    /// Bytes of the blocks that this thread allocated, and of what it borrowed or refers to in Python, and did not free by hand;
    /// what was lost is among them.
    retained: AtomicI64,
    /// What `retained` was at the last report.
    reported: AtomicI64,
    /// By how many bytes the blocks without a view, and the objects in Python, have changed since the last report.
    unreported: AtomicI64,
    /// Bytes that V8 was told of and that were lost since. Finalizers add to it on any thread.
    collected: AtomicI64,
    /// A minor collection was made for the growth of the process; if that goes on, all garbage is collected.
    escalates: AtomicI32,
}

thread_local! {
    /// The count of the isolate that runs on this thread. One after the other may, as the files of `deno test` do.
    static ISOLATE: RefCell<Arc<ExternalMemory>> = RefCell::default();
}

/// The size of the process when garbage was collected for it last, or when it was smaller since.
static BASELINE: AtomicU64 = AtomicU64::new(0);

/// When the size of the process was looked at last, in milliseconds of the system's clock.
static SAMPLED: AtomicU64 = AtomicU64::new(0);

impl ExternalMemory {
    /// The count of the calling thread's isolate; none when the thread ends.
    pub fn of_isolate() -> Option<Arc<Self>> {
        ISOLATE.try_with(|isolate| isolate.borrow().clone()).ok()
    }

    /// A new isolate begins on this thread: what the last one reported is none of its business.
    pub fn begin_isolate() {
        let _ = ISOLATE.try_with(|isolate| isolate.replace(Arc::default()));
    }

    /// Where TypeScript sees whether a report is due.
    pub fn due(&self) -> *mut i32 {
        self.due.as_ptr()
    }

    /// A block without a view grew by `bytes`, or began with so many; or there is a reference to an object of that size.
    #[inline]
    pub fn retain(&self, bytes: i64) {
        add(&self.unreported, bytes);
        let retained = add(&self.retained, bytes);
        if retained - self.reported.load(Relaxed) >= STEP_BYTES {
            self.due.store(DUE, Relaxed);
        }
    }

    /// `bytes` were freed by hand.
    #[inline]
    pub fn release(&self, bytes: i64) {
        let retained = add(&self.retained, -bytes);
        let slack = SLACK_BYTES.max(bytes);
        if self.reported.load(Relaxed) - retained > slack {
            self.reported.store(retained + slack, Relaxed);
        }
    }

    /// A block of `bytes` bytes got a view, or was freed without one, or an object's reference was: V8 needn't be told of them.
    #[inline]
    pub fn hide(&self, bytes: i64) {
        add(&self.unreported, -bytes);
    }

    /// A block of `bytes` bytes has lost its view.
    pub fn show(&self, bytes: i64) {
        add(&self.unreported, bytes);
    }

    /// A buffer over `bytes` bytes was made whose size V8 knows; its end by hand is told by [`release`](Self::release).
    pub fn retain_buffer(&self, bytes: i64) {
        self.retain(bytes);
        self.hide(bytes);
    }

    /// What V8 was told of was lost. On any thread.
    pub fn collect(&self, bytes: i64) {
        self.collected.fetch_add(bytes, Relaxed);
    }

    /// A reference to an object of unknown size was made: looks now and then whether the process has grown.
    #[inline]
    pub fn sample_growth(&self) {
        let now = system::coarse_milliseconds();
        if now.wrapping_sub(SAMPLED.load(Relaxed)) >= SAMPLE_MILLISECONDS {
            SAMPLED.store(now, Relaxed);
            self.compare_growth(system::resident_bytes());
        }
    }

    #[cold]
    fn compare_growth(&self, resident: u64) {
        let baseline = BASELINE.load(Relaxed);
        if resident < baseline || baseline == 0 {
            BASELINE.store(resident, Relaxed);
        }
        if baseline == 0 || resident - baseline.min(resident) < GROWTH_BYTES.max(baseline / 4) {
            self.escalates.store(0, Relaxed);
            return;
        }
        self.escalates
            .store(self.escalates.load(Relaxed) + 1, Relaxed);
        self.due.store(DUE, Relaxed);
    }

    /// Reports the changes since the last time to V8, which may collect garbage before this returns.
    ///
    /// # Safety
    /// The environment is live, and this is its thread's count.
    pub unsafe fn report(&self, env: napi_env) {
        let change = self.unreported.load(Relaxed) - self.collected.swap(0, Relaxed);
        self.unreported.store(0, Relaxed);
        self.reported.store(self.retained.load(Relaxed), Relaxed);
        self.due.store(NOT_DUE, Relaxed);
        let mut total = 0;
        // SAFETY: as the caller vouches, and the result has its place.
        unsafe { napi_adjust_external_memory(env, change, &mut total) };
        if self.escalates.load(Relaxed) < 2 {
            return;
        }
        // The minor collection before didn't end the growth: what was lost is old, or nothing was.
        self.escalates.store(0, Relaxed);
        // SAFETY: as above; the second call undoes the first.
        unsafe {
            napi_adjust_external_memory(env, PRESSURE_BYTES, &mut total);
            napi_adjust_external_memory(env, -PRESSURE_BYTES, &mut total);
        }
        // From here on it is what the program needs.
        BASELINE.store(system::resident_bytes(), Relaxed);
    }
}

/// Adds to a count that one thread changes, and returns the sum. No locked instruction.
#[inline]
fn add(count: &AtomicI64, change: i64) -> i64 {
    let sum = count.load(Relaxed) + change;
    count.store(sum, Relaxed);
    sum
}
