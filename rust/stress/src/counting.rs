//! A hook in front of Python's `PyMem` domain that counts what lives, for the tests of the TypeScript half: they open this
//! library in their own process, beside the one under test.
//!
//! Only sizes of a certain kind are counted, so that Python's own memory stays out of it. What is freed is overwritten
//! before, so that whoever goes on using it notices. The hook allocates nothing, for it is inside of an allocation.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::hook::{self, Allocator, original, wrong};

/// So many counted blocks may live at a time.
const CAPACITY: usize = 4096;

/// What freed memory is overwritten with. Python's debug hooks use 0xDD.
const FREED: u8 = 0xDB;

/// Which sizes are counted: from `LEAST` on, those that leave `REMAINDER` when divided by `MODULUS`.
static LEAST: AtomicUsize = AtomicUsize::new(usize::MAX);
static MODULUS: AtomicUsize = AtomicUsize::new(1);
static REMAINDER: AtomicUsize = AtomicUsize::new(0);

/// The allocator that was there before; null while nothing is counted. Never freed: Python keeps its address.
static ORIGINAL: AtomicPtr<Allocator> = AtomicPtr::new(null_mut());

/// A counted block.
#[derive(Clone, Copy)]
struct Block {
    address: usize,
    size: usize,
}

/// The counted blocks that live: the first `count` of the table.
struct Live {
    blocks: [Block; CAPACITY],
    count: usize,
    bytes: usize,
}

static LIVE: Mutex<Live> = Mutex::new(Live {
    blocks: [Block {
        address: 0,
        size: 0,
    }; CAPACITY],
    count: 0,
    bytes: 0,
});

/// No call into Python is made while this is locked.
fn live() -> MutexGuard<'static, Live> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    fn add(&mut self, address: usize, size: usize) {
        if self.count == CAPACITY {
            wrong("more blocks are counted than there is space for");
        }
        self.blocks[self.count] = Block { address, size };
        self.count += 1;
        self.bytes += size;
    }

    fn remove(&mut self, address: usize) -> Option<usize> {
        let index = self.blocks[..self.count]
            .iter()
            .rposition(|block| block.address == address)?;
        let Block { size, .. } = self.blocks[index];
        self.count -= 1;
        self.blocks[index] = self.blocks[self.count];
        self.bytes -= size;
        Some(size)
    }
}

/// Begin to count, from nothing: sizes of at least `least` bytes that leave `remainder` when divided by `modulus`.
///
/// # Safety
/// The calling thread is attached to a Python that runs, and nothing is counted yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_counting_start(least: usize, modulus: usize, remainder: usize) {
    stay();
    LEAST.store(least, Ordering::Relaxed);
    MODULUS.store(modulus.max(1), Ordering::Relaxed);
    REMAINDER.store(remainder, Ordering::Relaxed);
    {
        let mut live = live();
        live.count = 0;
        live.bytes = 0;
    }
    let hook = Allocator {
        context: null_mut(),
        malloc,
        calloc,
        realloc,
        free,
    };
    // SAFETY: as the caller vouches; this library stays.
    ORIGINAL.store(unsafe { hook::install(hook) }, Ordering::Relaxed);
}

/// Keep this library in the process: Python goes on after whoever opened it has closed it, at the end of the process too.
pub fn stay() {
    let mut found = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: this function's own address, for which there is a library; its name is a C string.
    unsafe {
        if libc::dladdr(stay as *const c_void, found.as_mut_ptr()) != 0 {
            let name = found.assume_init().dli_fname;
            libc::dlopen(name, libc::RTLD_NOW | libc::RTLD_NODELETE);
        }
    }
}

/// End counting, and take the hook away.
///
/// # Safety
/// The calling thread is attached, and no hook was put in front of this one that is still there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_counting_stop() {
    let original = ORIGINAL.swap(null_mut(), Ordering::Relaxed);
    if !original.is_null() {
        // SAFETY: as the caller vouches; what `install` returned.
        unsafe { hook::remove(original) };
    }
}

/// Write how many counted blocks live, and how many bytes they have.
///
/// # Safety
/// There is space for two numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_counting_read(counts: *mut f64) {
    let live = live();
    // SAFETY: as the caller vouches.
    unsafe {
        counts.write(live.count as f64);
        counts.add(1).write(live.bytes as f64);
    }
}

fn is_counted(size: usize) -> bool {
    size >= LEAST.load(Ordering::Relaxed)
        && size % MODULUS.load(Ordering::Relaxed) == REMAINDER.load(Ordering::Relaxed)
}

/// A block was allocated, if it was.
fn began(block: *mut c_void, size: usize) -> *mut c_void {
    if is_counted(size) && !block.is_null() {
        live().add(block.addr(), size);
    }
    block
}

/// A block is about to end. Afterwards its address may be another's.
fn ends(block: *mut c_void) -> Option<usize> {
    live().remove(block.addr())
}

unsafe extern "C" fn malloc(context: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: Python hands the context and what its caller passed.
    let block = unsafe {
        let original = original(context);
        (original.malloc)(original.context, size)
    };
    began(block, size)
}

unsafe extern "C" fn calloc(context: *mut c_void, count: usize, size: usize) -> *mut c_void {
    // SAFETY: as in `malloc`.
    let block = unsafe {
        let original = original(context);
        (original.calloc)(original.context, count, size)
    };
    began(block, count.saturating_mul(size))
}

unsafe extern "C" fn realloc(context: *mut c_void, block: *mut c_void, size: usize) -> *mut c_void {
    let old = ends(block);
    // SAFETY: as in `malloc`.
    let new = unsafe {
        let original = original(context);
        (original.realloc)(original.context, block, size)
    };
    match old {
        // It stays as it was.
        Some(old) if new.is_null() => live().add(block.addr(), old),
        _ => {}
    }
    began(new, size)
}

unsafe extern "C" fn free(context: *mut c_void, block: *mut c_void) {
    if let Some(size) = ends(block) {
        // SAFETY: the caller doesn't use the block any more, and it has that size.
        unsafe { block.cast::<u8>().write_bytes(FREED, size) };
    }
    // SAFETY: as in `malloc`.
    unsafe {
        let original = original(context);
        (original.free)(original.context, block);
    }
}
