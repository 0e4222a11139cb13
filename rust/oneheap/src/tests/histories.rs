//! Random histories by several threads, against a model: each block holds bytes that are known.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use fastrand::Rng;

use super::simulated::{Block, LARGEST, Simulated, SimulatedHeap, layout};
use crate::runtime_state::AttachState;

const THREADS: usize = if cfg!(miri) { 3 } else { 8 };
const OPERATIONS: usize = if cfg!(miri) { 150 } else { 8_000 };
/// How many blocks a thread keeps at most.
const KEPT: usize = 40;

/// One thread's part of a history.
struct Actor<'a> {
    python: &'a Simulated,
    heap: &'a SimulatedHeap,
    /// Where threads leave blocks for each other.
    shared: &'a Mutex<Vec<Block>>,
    random: Rng,
    attached: bool,
    blocks: Vec<Block>,
    /// How many operations all threads have done.
    done: &'a AtomicUsize,
}

impl Actor<'_> {
    fn step(&mut self) {
        self.done.fetch_add(1, Ordering::Relaxed);
        match self.random.u32(0..100) {
            0..5 => self.change_place(),
            5..7 => drop(self.heap.drain()),
            7..40 => self.alloc(),
            40..60 => self.realloc(),
            60..75 => self.free(),
            75..90 => self.give(),
            _ => self.receive(),
        }
    }

    fn change_place(&mut self) {
        if self.attached {
            self.python.detach();
            self.attached = false;
            return;
        }
        self.attached = match self.random.u32(0..5) {
            0 => self.python.attach_to_subinterpreter(),
            _ => self.python.attach(),
        };
    }

    /// 1 B to 1 MiB, each order of magnitude as likely as the next.
    fn size(&mut self) -> usize {
        let bits = self.random.u32(0..=LARGEST.ilog2());
        self.random.usize(1..=1 << bits)
    }

    fn alloc(&mut self) {
        if self.blocks.len() >= KEPT {
            return self.free();
        }
        let align = 1 << self.random.u32(0..=12);
        let layout = layout(self.size(), align);
        let (zeroed, seed) = (self.random.bool(), self.random.usize(..));
        self.blocks
            .push(Block::alloc(self.heap, layout, zeroed, seed).expect("memory is there"));
    }

    fn realloc(&mut self) {
        let size = self.size();
        if let Some(block) = self.random.choice(self.blocks.iter_mut()) {
            assert!(block.realloc(self.heap, size));
        }
    }

    fn any_block(&mut self) -> Option<Block> {
        if self.blocks.is_empty() {
            return None;
        }
        let index = self.random.usize(..self.blocks.len());
        Some(self.blocks.swap_remove(index))
    }

    fn free(&mut self) {
        if let Some(block) = self.any_block() {
            block.free(self.heap);
        }
    }

    fn give(&mut self) {
        if let Some(block) = self.any_block() {
            self.shared.lock().unwrap().push(block);
        }
    }

    fn receive(&mut self) {
        let block = self.shared.lock().unwrap().pop();
        if let Some(block) = block {
            block.check();
            self.blocks.push(block);
        }
    }

    fn finish(mut self) {
        while !self.blocks.is_empty() {
            if self.random.u32(0..20) == 0 {
                self.change_place();
            }
            self.free();
        }
        if self.attached {
            self.python.detach();
        }
    }
}

impl Drop for Actor<'_> {
    /// A failed thread is in nobody's way.
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        self.done.fetch_add(OPERATIONS, Ordering::Relaxed);
        if self.attached {
            self.python.detach();
        }
    }
}

/// Run the threads; `meanwhile` runs on the calling thread and may wait for the number of operations done.
fn history(
    python: &Simulated,
    heap: &SimulatedHeap,
    seed: u64,
    meanwhile: impl FnOnce(&AtomicUsize),
) {
    let shared = Mutex::new(Vec::new());
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        for index in 0..THREADS {
            let (shared, done) = (&shared, &done);
            scope.spawn(move || {
                let random = Rng::with_seed(seed * 1000 + index as u64);
                let mut actor = Actor {
                    python,
                    heap,
                    shared,
                    random,
                    attached: false,
                    blocks: Vec::new(),
                    done,
                };
                for _ in 0..OPERATIONS {
                    actor.step();
                }
                actor.finish();
            });
        }
        meanwhile(&done);
    });
    for block in shared.into_inner().unwrap() {
        block.free(heap);
    }
}

fn wait_until(done: &AtomicUsize, percent: usize) {
    while done.load(Ordering::Relaxed) < THREADS * OPERATIONS * percent / 100 {
        thread::yield_now();
    }
}

/// All that is pending is freed, and with that all blocks are gone.
fn assert_all_freed(python: &Simulated, heap: &SimulatedHeap) {
    assert!(
        heap.counters().deferred > 0 && heap.counters().system > 0,
        "the slow paths were taken"
    );
    assert!(python.attach());
    while heap.drain() > 0 {}
    python.detach();
    assert_eq!((python.python_blocks(), python.system_blocks()), (0, 0));
}

/// How many deferred frees were reported in the one test that asks for it.
static REPORTS: AtomicU64 = AtomicU64::new(0);

#[test]
fn each_block_is_kept_and_goes_back_to_its_giver_once_and_each_deferred_free_is_reported() {
    for (seed, simulated) in [Simulated::new(), Simulated::new().free_threaded()]
        .into_iter()
        .enumerate()
    {
        let (python, heap) = simulated.heap();
        REPORTS.store(0, Ordering::Relaxed);
        heap.on_deferred(|pending| {
            assert!(pending > 0);
            REPORTS.fetch_add(1, Ordering::Relaxed);
        });
        python.start();
        history(&python, &heap, seed as u64, |_| {});
        assert_eq!(REPORTS.load(Ordering::Relaxed), heap.counters().deferred);
        assert_all_freed(&python, &heap);
        assert!(heap.counters().emptied > 0);
    }
}

#[test]
fn python_may_start_meanwhile() {
    let (python, heap) = Simulated::new().free_threaded().heap();
    history(&python, &heap, 2, |done| {
        wait_until(done, 30);
        python.start();
    });
    assert_all_freed(&python, &heap);
}

#[test]
fn python_may_end_and_start_again_meanwhile() {
    for (seed, simulated) in [Simulated::new(), Simulated::new().free_threaded()]
        .into_iter()
        .enumerate()
    {
        let (python, heap) = simulated.heap();
        python.start();
        history(&python, &heap, 3 + seed as u64, |done| {
            wait_until(done, 40);
            assert!(python.attach());
            python.finalise(&heap, || {}, thread::yield_now);
            wait_until(done, 70);
            python.start();
        });
        assert_eq!(heap.attach_state(), AttachState::Finalised);
        assert_eq!(
            python.system_blocks(),
            0,
            "each of the system's blocks was freed"
        );
        assert!(
            python.python_blocks() > 0,
            "what Python's end overtook has leaked"
        );
    }
}
