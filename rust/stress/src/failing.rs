//! A hook in front of Python's allocators that fails large requests, for the hostile fuzzer of the TypeScript half.
//!
//! Only requests of the thread that armed it fail, above a size, with a probability. The hook allocates nothing, for it is
//! inside of an allocation.

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::Once;

use crate::counting::stay;
use crate::hook::{self, Allocator, MEM_DOMAIN, OBJ_DOMAIN, original};

/// Which requests of this thread fail.
#[derive(Clone, Copy)]
struct Failing {
    /// Requests of so many bytes and more; `usize::MAX` for none.
    min_size: usize,
    /// One of so many.
    one_in: u32,
    /// The state of the generator that decides.
    state: u32,
    /// How many have failed since it was armed.
    failed: u32,
}

const DISARMED: Failing = Failing {
    min_size: usize::MAX,
    one_in: 1,
    state: 0,
    failed: 0,
};

thread_local! {
    // Constant, and without a destructor: reading it allocates nothing.
    static FAILING: Cell<Failing> = const { Cell::new(DISARMED) };
}

static INSTALLED: Once = Once::new();

/// Install the hook, for as long as the process lives.
///
/// # Safety
/// The calling thread is attached to a Python that runs, and no other thread is at work.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_failing_install() {
    INSTALLED.call_once(|| {
        stay();
        for domain in [MEM_DOMAIN, OBJ_DOMAIN] {
            let hook = Allocator {
                context: std::ptr::null_mut(),
                malloc,
                calloc,
                realloc,
                free,
            };
            // SAFETY: as the caller vouches; this library stays.
            unsafe { hook::install_in(domain, hook) };
        }
    });
}

/// Have one in `one_in` requests of this thread fail, of those of at least `min_size` bytes.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_failing_arm(min_size: u32, one_in: u32, seed: u32) {
    FAILING.set(Failing {
        min_size: min_size as usize,
        one_in: one_in.max(1),
        state: seed,
        failed: 0,
    });
}

/// Have no request of this thread fail any more. Answers how many have.
#[unsafe(no_mangle)]
pub extern "C" fn oneheap_failing_disarm() -> u32 {
    FAILING.replace(DISARMED).failed
}

/// Return whether this request is to fail.
fn fails(size: usize) -> bool {
    let Ok(mut failing) = FAILING.try_with(Cell::get) else {
        return false;
    };
    if size < failing.min_size {
        return false;
    }
    // SplitMix32.
    failing.state = failing.state.wrapping_add(0x9e37_79b9);
    let mut bits = failing.state;
    bits = (bits ^ (bits >> 16)).wrapping_mul(0x85eb_ca6b);
    bits = (bits ^ (bits >> 13)).wrapping_mul(0xc2b2_ae35);
    let fails = (bits ^ (bits >> 16)) % failing.one_in == 0;
    failing.failed += u32::from(fails);
    FAILING.set(failing);
    fails
}

unsafe extern "C" fn malloc(context: *mut c_void, size: usize) -> *mut c_void {
    if fails(size) {
        return std::ptr::null_mut();
    }
    // SAFETY: Python hands the context and what its caller passed.
    unsafe {
        let original = original(context);
        (original.malloc)(original.context, size)
    }
}

unsafe extern "C" fn calloc(context: *mut c_void, count: usize, size: usize) -> *mut c_void {
    if fails(count.saturating_mul(size)) {
        return std::ptr::null_mut();
    }
    // SAFETY: as in `malloc`.
    unsafe {
        let original = original(context);
        (original.calloc)(original.context, count, size)
    }
}

unsafe extern "C" fn realloc(context: *mut c_void, block: *mut c_void, size: usize) -> *mut c_void {
    if fails(size) {
        return std::ptr::null_mut();
    }
    // SAFETY: as in `malloc`.
    unsafe {
        let original = original(context);
        (original.realloc)(original.context, block, size)
    }
}

unsafe extern "C" fn free(context: *mut c_void, block: *mut c_void) {
    // SAFETY: as in `malloc`.
    unsafe {
        let original = original(context);
        (original.free)(original.context, block);
    }
}
