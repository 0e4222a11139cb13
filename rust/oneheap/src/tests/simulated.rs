//! A simulated interpreter, which panics where a real one would be corrupted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::HashMap;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::heap::Heap;
use crate::interpreter::Interpreter;

/// The attach state of the calling thread in the simulated interpreter. A test's threads see one simulation each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    Outside,
    MainInterpreter,
    Subinterpreter,
}

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place::Outside) };
    static IN_HOOK: Cell<bool> = const { Cell::new(false) };
}

/// The calls that may fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    Malloc,
    Calloc,
    Realloc,
    System,
}

/// What goes wrong with a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    OutOfMemory,
    /// Python returns an address this much above a multiple of 16.
    Misaligned(usize),
}

/// What [`Interpreter::abort`] unwinds with, so that a test can distinguish it from a failed assertion.
pub struct Aborted;

type Faults = Box<dyn Fn(usize, Call) -> Option<Fault> + Send + Sync>;
type Hook = Box<dyn Fn() + Send + Sync>;

struct SimulatedState {
    running: bool,
    /// The finalising thread alone is left; nobody attaches any more.
    ending: bool,
    attached: usize,
    /// How often Python was started.
    lifetime: usize,
    exit_callbacks: usize,
}

/// A live block.
struct Record {
    /// Where the block really starts; a misaligned one is handed out further on.
    start: *mut u8,
    layout: Layout,
    bytes: usize,
    lifetime: usize,
}

// SAFETY: a record owns its block; who uses it is the test's affair.
unsafe impl Send for Record {}

pub struct Simulated {
    state: Mutex<SimulatedState>,
    changed: Condvar,
    python: Mutex<HashMap<usize, Record>>,
    system: Mutex<HashMap<usize, Layout>>,
    /// How many threads may be attached at once.
    most_attached: usize,
    exit_slots: usize,
    calls: AtomicUsize,
    faults: Faults,
    hook: OnceLock<Hook>,
}

pub type SimulatedHeap = Heap<Arc<Simulated>>;

impl Simulated {
    /// An interpreter with a GIL, not started.
    pub fn new() -> Self {
        Self {
            state: Mutex::new(SimulatedState {
                running: false,
                ending: false,
                attached: 0,
                lifetime: 0,
                exit_callbacks: 0,
            }),
            changed: Condvar::new(),
            python: Mutex::default(),
            system: Mutex::default(),
            most_attached: 1,
            exit_slots: 32,
            calls: AtomicUsize::new(0),
            faults: Box::new(|_, _| None),
            hook: OnceLock::new(),
        }
    }

    pub fn free_threaded(mut self) -> Self {
        self.most_attached = usize::MAX;
        self
    }

    pub fn without_exit_slots(mut self) -> Self {
        self.exit_slots = 0;
        self
    }

    /// `faults` is asked for each call that may fail, with the number of such calls before it.
    pub fn with_faults(
        mut self,
        faults: impl Fn(usize, Call) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        self.faults = Box::new(faults);
        self
    }

    pub fn heap(self) -> (Arc<Self>, Arc<SimulatedHeap>) {
        let simulated = Arc::new(self);
        (simulated.clone(), Arc::new(Heap::new(simulated)))
    }

    /// `hook` runs in each call into Python, but not in those it makes itself.
    pub fn set_hook(&self, hook: impl Fn() + Send + Sync + 'static) {
        assert!(self.hook.set(Box::new(hook)).is_ok());
    }

    pub fn start(&self) {
        let mut state = self.state.lock().unwrap();
        assert!(!state.running);
        state.running = true;
        state.lifetime += 1;
    }

    /// Attach the calling thread to the main interpreter, when no other thread is in the way. Answers whether it did.
    pub fn attach(&self) -> bool {
        self.enter(Place::MainInterpreter)
    }

    /// Attach the calling thread to a subinterpreter that shares the GIL.
    pub fn attach_to_subinterpreter(&self) -> bool {
        self.enter(Place::Subinterpreter)
    }

    fn enter(&self, place: Place) -> bool {
        assert_eq!(PLACE.get(), Place::Outside);
        let mut state = self.state.lock().unwrap();
        while state.running && !state.ending && state.attached >= self.most_attached {
            state = self.changed.wait(state).unwrap();
        }
        if !state.running || state.ending {
            return false;
        }
        state.attached += 1;
        PLACE.set(place);
        true
    }

    pub fn detach(&self) {
        assert_ne!(PLACE.get(), Place::Outside);
        PLACE.set(Place::Outside);
        // A thread that failed detaches too.
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .attached -= 1;
        self.changed.notify_all();
    }

    /// End Python from an attached thread: runs `ending` while the thread is the last one attached, then `ended` when
    /// its state is gone, and then what [`Interpreter::register_exit`] has registered.
    pub fn finalise(&self, heap: &SimulatedHeap, ending: impl FnOnce(), ended: impl FnOnce()) {
        assert_eq!(PLACE.get(), Place::MainInterpreter);
        let mut state = self.state.lock().unwrap();
        state.ending = true;
        self.changed.notify_all();
        while state.attached > 1 {
            state = self.changed.wait(state).unwrap();
        }
        drop(state);
        ending();
        self.detach();
        ended();
        let mut state = self.state.lock().unwrap();
        state.running = false;
        state.ending = false;
        for _ in 0..std::mem::take(&mut state.exit_callbacks) {
            heap.finalise();
        }
    }

    /// Return how many calls were made that may fail.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    pub fn python_blocks(&self) -> usize {
        self.python.lock().unwrap().len()
    }

    pub fn system_blocks(&self) -> usize {
        self.system.lock().unwrap().len()
    }

    fn next_fault(&self, call: Call) -> Option<Fault> {
        (self.faults)(self.calls.fetch_add(1, Ordering::Relaxed), call)
    }

    /// What each memory function of Python's begins with: the caller must be attached to the main interpreter, in its
    /// first lifetime. Returns the lifetime.
    fn enter_python(&self) -> usize {
        assert_eq!(
            PLACE.get(),
            Place::MainInterpreter,
            "PyMem was called on a thread that is not attached"
        );
        self.run_hook();
        let state = self.state.lock().unwrap();
        assert!(state.running);
        assert_eq!(
            state.lifetime, 1,
            "PyMem was called in a second lifetime of Python"
        );
        state.lifetime
    }

    fn run_hook(&self) {
        if let Some(hook) = self.hook.get()
            && !IN_HOOK.replace(true)
        {
            hook();
            IN_HOOK.set(false);
        }
    }

    fn python_alloc(&self, call: Call, bytes: usize) -> *mut u8 {
        let lifetime = self.enter_python();
        assert!(bytes >= 16);
        let offset = match self.next_fault(call) {
            Some(Fault::OutOfMemory) => return null_mut(),
            Some(Fault::Misaligned(offset)) => offset,
            None => 0,
        };
        let Ok(layout) = Layout::from_size_align(bytes.saturating_add(offset), 16) else {
            return null_mut();
        };
        // SAFETY: not empty. What is not asked to be zero is garbage.
        let start = unsafe {
            let start = System.alloc(layout);
            start.write_bytes(if call == Call::Calloc { 0 } else { 0xCD }, layout.size());
            start
        };
        // SAFETY: within the block.
        let block = unsafe { start.add(offset) };
        self.python.lock().unwrap().insert(
            block.addr(),
            Record {
                start,
                layout,
                bytes,
                lifetime,
            },
        );
        block
    }

    fn python_free(&self, block: *mut u8) {
        let lifetime = self.enter_python();
        let record = self.python.lock().unwrap().remove(&block.addr());
        let record = record.expect("PyMem_Free was called for what is no live block of PyMem's");
        assert_eq!(record.lifetime, lifetime);
        release(&record);
    }

    fn live_bytes(&self, block: *mut u8) -> usize {
        let python = self.python.lock().unwrap();
        python
            .get(&block.addr())
            .expect("PyMem_Realloc was called for what is no live block of PyMem's")
            .bytes
    }

    fn system_ledger(&self) -> MutexGuard<'_, HashMap<usize, Layout>> {
        self.system.lock().unwrap()
    }

    fn system_alloc_filled(&self, layout: Layout, byte: u8) -> *mut u8 {
        assert_ne!(layout.size(), 0);
        if self.next_fault(Call::System) == Some(Fault::OutOfMemory) {
            return null_mut();
        }
        // SAFETY: not empty.
        let block = unsafe {
            let block = System.alloc(layout);
            block.write_bytes(byte, layout.size());
            block
        };
        self.system_ledger().insert(block.addr(), layout);
        block
    }
}

/// Overwrites a block, so that nobody reads it after, and frees it.
fn release(record: &Record) {
    // SAFETY: the record's own block, which is off the ledger.
    unsafe {
        record.start.write_bytes(0xDD, record.layout.size());
        System.dealloc(record.start, record.layout);
    }
}

impl Drop for Simulated {
    /// Blocks that rightly leaked.
    fn drop(&mut self) {
        self.python
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .drain()
            .for_each(|(_, record)| release(&record));
    }
}

impl Interpreter for Arc<Simulated> {
    fn found(&self) -> bool {
        self.state.lock().unwrap().running
    }

    unsafe fn attached(&self) -> bool {
        PLACE.get() == Place::MainInterpreter
    }

    unsafe fn register_exit(&self) -> bool {
        assert_eq!(PLACE.get(), Place::MainInterpreter);
        self.run_hook();
        let mut state = self.state.lock().unwrap();
        assert!(state.running && state.exit_callbacks == 0);
        if self.exit_slots == 0 {
            return false;
        }
        state.exit_callbacks = 1;
        true
    }

    unsafe fn malloc(&self, bytes: usize) -> *mut u8 {
        self.python_alloc(Call::Malloc, bytes)
    }

    unsafe fn calloc(&self, bytes: usize) -> *mut u8 {
        self.python_alloc(Call::Calloc, bytes)
    }

    /// Always moves.
    unsafe fn realloc(&self, block: *mut u8, bytes: usize) -> *mut u8 {
        let kept = self.live_bytes(block).min(bytes);
        let moved = self.python_alloc(Call::Realloc, bytes);
        if !moved.is_null() {
            // SAFETY: both are live and at least that long.
            unsafe { moved.copy_from_nonoverlapping(block, kept) };
            self.python_free(block);
        }
        moved
    }

    unsafe fn free(&self, block: *mut u8) {
        self.python_free(block);
    }

    unsafe fn system_alloc(&self, layout: Layout) -> *mut u8 {
        self.system_alloc_filled(layout, 0xCD)
    }

    unsafe fn system_alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.system_alloc_filled(layout, 0)
    }

    /// Always moves.
    unsafe fn system_realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        let new = Layout::from_size_align(bytes, layout.align()).expect("a valid size");
        let moved = self.system_alloc_filled(new, 0xCD);
        if !moved.is_null() {
            // SAFETY: both are live and at least that long; nobody uses the old one any more.
            unsafe {
                moved.copy_from_nonoverlapping(block, layout.size().min(bytes));
                self.system_free(block, layout);
            }
        }
        moved
    }

    unsafe fn system_free(&self, block: *mut u8, layout: Layout) {
        let known = self.system_ledger().remove(&block.addr());
        assert_eq!(
            known,
            Some(layout),
            "the system's free was called for what is no live block of its"
        );
        // SAFETY: the ledger's block.
        unsafe {
            block.write_bytes(0xDD, layout.size());
            System.dealloc(block, layout);
        }
    }

    fn abort(&self) -> ! {
        std::panic::resume_unwind(Box::new(Aborted))
    }
}

/// An allocation of a heap's, with contents that are known.
pub struct Block {
    pub pointer: *mut u8,
    pub layout: Layout,
    seed: usize,
}

// SAFETY: a block is used by whoever holds it.
unsafe impl Send for Block {}

/// The largest block of a test.
pub const LARGEST: usize = if cfg!(miri) { 8 << 10 } else { 1 << 20 };
const SEEDS: usize = 4 << 10;

/// Random bytes; a block holds those from its seed on.
fn bytes_from(seed: usize, length: usize) -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    let bytes = BYTES.get_or_init(|| {
        let mut bytes = vec![0; LARGEST + SEEDS];
        fastrand::Rng::with_seed(1).fill(&mut bytes);
        bytes
    });
    &bytes[seed..seed + length]
}

impl Block {
    /// A new block, whose contents are checked to be zero if `zeroed`; `None` if memory is out.
    pub fn alloc(heap: &SimulatedHeap, layout: Layout, zeroed: bool, seed: usize) -> Option<Self> {
        // SAFETY: no test asks for nothing.
        let pointer = unsafe {
            if zeroed {
                heap.alloc_zeroed(layout)
            } else {
                heap.alloc(layout)
            }
        };
        if pointer.is_null() {
            return None;
        }
        let block = Self {
            pointer,
            layout,
            seed: seed % SEEDS,
        };
        if zeroed {
            assert!(
                block.bytes(layout.size()).iter().all(|&byte| byte == 0),
                "alloc_zeroed returned other bytes than zero"
            );
        }
        block.fill();
        Some(block)
    }

    /// Resize the block and check what it keeps; return whether there was memory.
    pub fn realloc(&mut self, heap: &SimulatedHeap, size: usize) -> bool {
        // SAFETY: the block is live; no test asks for nothing.
        let moved = unsafe { heap.realloc(self.pointer, self.layout, size) };
        if moved.is_null() {
            self.check();
            return false;
        }
        let kept = self.layout.size().min(size);
        self.pointer = moved;
        self.layout = Layout::from_size_align(size, self.layout.align()).unwrap();
        assert!(
            self.bytes(kept) == bytes_from(self.seed, kept),
            "realloc lost bytes"
        );
        self.fill();
        true
    }

    /// Check the block and free it.
    pub fn free(self, heap: &SimulatedHeap) {
        self.check();
        // SAFETY: the block is live, and consumed.
        unsafe { heap.dealloc(self.pointer, self.layout) };
    }

    pub fn check(&self) {
        let size = self.layout.size();
        assert!(
            self.bytes(size) == bytes_from(self.seed, size),
            "a block's bytes changed"
        );
    }

    fn bytes(&self, length: usize) -> &[u8] {
        // SAFETY: the block is live, and its first `length` bytes were written.
        unsafe { std::slice::from_raw_parts(self.pointer, length) }
    }

    fn fill(&self) {
        assert_eq!(
            self.pointer.addr() % self.layout.align(),
            0,
            "a block is not aligned as its layout asks"
        );
        let bytes = bytes_from(self.seed, self.layout.size());
        // SAFETY: the block is live and that long.
        unsafe {
            self.pointer
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
        };
    }
}

pub fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}
