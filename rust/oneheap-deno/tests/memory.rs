//! The modules of `memory/`, which need no Python: what a block, its views, Python and V8's finalizers do with its memory, in all
//! orders, with a failure between any two steps. Run under Miri too: `MIRIFLAGS="-Zmiri-permissive-provenance -Zmiri-ignore-leaks" cargo
//! +nightly miri test -p oneheap-deno --test memory` (the tests leak their records of what was freed).

#[path = "../src/limits.rs"]
#[allow(dead_code)]
mod limits;
#[path = "../src/memory/storage/mod.rs"]
mod storage;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use storage::shared_memory::{Backing, ExportedMemory, SharedMemory};
use storage::slab::Slab;
use storage::slot::{NoMemory, Slot};

/// The outcome for one piece of memory.
#[derive(Default)]
struct Record {
    frees: AtomicUsize,
    explicit_frees: AtomicUsize,
}

/// Memory that remembers who freed it: a leaked record, so that a double free is seen, not met.
#[derive(Clone, Copy)]
struct Memory(&'static Record);

impl Memory {
    fn new() -> Self {
        Self(Box::leak(Box::default()))
    }

    fn frees(self) -> usize {
        self.0.frees.load(Ordering::SeqCst)
    }
}

impl Backing for Memory {
    unsafe fn free_without_waiting(self, is_explicit: bool) {
        self.0.frees.fetch_add(1, Ordering::SeqCst);
        self.0
            .explicit_frees
            .fetch_add(is_explicit.into(), Ordering::SeqCst);
    }

    unsafe fn free(self) {
        // SAFETY: as the caller vouches.
        unsafe { self.free_without_waiting(true) };
    }
}

fn filled() -> (Slot<Memory>, Memory) {
    let memory = Memory::new();
    let mut slot = Slot::Empty;
    assert!(slot.fill(memory).is_ok());
    (slot, memory)
}

/// Make a view as V8 does: its backing store takes over the share.
fn viewed(slot: &mut Slot<Memory>) -> Arc<SharedMemory<Memory>> {
    slot.view(Ok).expect("the slot has memory")
}

#[test]
fn a_block_that_is_freed_frees_its_memory_once() {
    let (mut slot, memory) = filled();
    assert!(slot.free(|| panic!("no view is over it")).is_some());
    assert_eq!(memory.frees(), 1);
    assert!(slot.free(|| ()).is_none());
    assert!(slot.collect().is_none());
    assert_eq!(memory.frees(), 1);
}

#[test]
fn a_full_slot_returns_further_memory() {
    let (mut slot, memory) = filled();
    let other = Memory::new();
    assert!(slot.fill(other).is_err());
    slot.free(|| ());
    assert_eq!((memory.frees(), other.frees()), (1, 0));
}

#[test]
fn a_view_that_cannot_be_made_leaves_the_block_as_it_was() {
    let (mut slot, memory) = filled();
    for _ in 0..2 {
        assert!(slot.view::<()>(Err).is_err());
        assert_eq!(memory.frees(), 0);
    }
    let view = viewed(&mut slot);
    drop(view);
    assert_eq!(memory.frees(), 1);
}

#[test]
fn memory_that_went_with_its_view_is_never_reached_again() {
    let (mut slot, memory) = filled();
    drop(viewed(&mut slot));
    assert_eq!(memory.frees(), 1);
    assert!(matches!(slot.share(), Err(NoMemory::Freed)));
    assert!(matches!(slot.export(), Err(NoMemory::Freed)));
    assert!(matches!(slot.view(Ok), Err(NoMemory::Viewed)));
    assert_eq!(
        slot.begin_resize(|| panic!("nothing is there")),
        Err(NoMemory::Freed)
    );
    assert_eq!(slot.exporters(), 0);
    assert!(slot.free(|| panic!("nothing is there")).is_none());
    assert_eq!(memory.frees(), 1);
}

#[test]
fn a_view_that_was_transferred_keeps_the_memory_that_the_block_is_freed_of() {
    let (mut slot, memory) = filled();
    let elsewhere = viewed(&mut slot);
    assert_eq!(slot.clear(), Ok(()));
    assert!(slot.is_empty());
    assert_eq!(memory.frees(), 0);
    drop(elsewhere);
    assert_eq!(memory.frees(), 1);
    assert_eq!(memory.0.explicit_frees.load(Ordering::SeqCst), 0);
}

#[test]
fn a_pending_read_keeps_the_memory_of_a_freed_block() {
    let (mut slot, memory) = filled();
    let mut view = Some(viewed(&mut slot));
    let read = view.clone();
    slot.free(|| drop(view.take()));
    assert_eq!(memory.frees(), 0);
    drop(read);
    assert_eq!(memory.frees(), 1);
    assert_eq!(memory.0.explicit_frees.load(Ordering::SeqCst), 1);
}

#[test]
fn python_keeps_a_block_from_being_resized_and_its_view_from_being_detached() {
    let (mut slot, memory) = filled();
    let view = viewed(&mut slot);
    let export = slot.export().expect("the view holds the memory");
    assert_eq!(slot.exporters(), 1);
    let refused = slot.begin_resize(|| panic!("the view stays"));
    assert_eq!(refused, Err(NoMemory::Exported));
    drop(view);
    assert_eq!(memory.frees(), 0);
    drop(export);
    assert_eq!(memory.frees(), 1);
}

#[test]
fn a_resize_that_fails_leaves_the_block_as_it_was() {
    for shared in [false, true] {
        let (mut slot, memory) = filled();
        let mut view = Some(viewed(&mut slot));
        let read = if shared { view.clone() } else { None };
        slot.begin_resize(|| drop(view.take()))
            .expect("nobody in Python has it");
        let failed = slot.resize(|_| Err(()), |_| Err(()));
        assert!(matches!(failed, Some(Err(()))));
        assert_eq!(memory.frees(), 0);
        drop(read);
        assert_eq!(memory.frees(), 0);
        slot.free(|| ());
        assert_eq!(memory.frees(), 1);
    }
}

#[test]
fn a_resize_beside_a_pending_read_goes_on_with_a_copy() {
    let (mut slot, memory) = filled();
    let mut view = Some(viewed(&mut slot));
    let read = view.clone();
    slot.begin_resize(|| drop(view.take()))
        .expect("nobody in Python has it");
    let copy = Memory::new();
    let resized = slot.resize(
        |_| -> Result<_, ()> { panic!("it is shared") },
        |_| Ok(copy),
    );
    assert!(matches!(resized, Some(Ok(_))));
    assert_eq!((memory.frees(), copy.frees()), (0, 0));
    drop(read);
    slot.free(|| ());
    assert_eq!((memory.frees(), copy.frees()), (1, 1));
}

#[test]
fn a_lost_block_frees_what_it_holds_and_nothing_else() {
    let (mut owned, memory) = filled();
    owned.collect();
    assert_eq!(
        (
            memory.frees(),
            memory.0.explicit_frees.load(Ordering::SeqCst)
        ),
        (1, 0)
    );
    let (mut shared, memory) = filled();
    let export = shared.export();
    shared.collect();
    assert_eq!(memory.frees(), 0);
    drop(export);
    assert_eq!(memory.frees(), 1);
    let (mut slot, memory) = filled();
    let view = viewed(&mut slot);
    slot.collect();
    assert_eq!(memory.frees(), 0);
    drop(view);
    assert_eq!(memory.frees(), 1);
}

#[test]
fn a_block_that_is_being_resized_is_used_by_nobody() {
    let (mut slot, memory) = filled();
    let taken = slot.take_for_resize().expect("it has memory");
    assert!(matches!(slot.share(), Err(NoMemory::Busy)));
    assert!(matches!(slot.view(Ok), Err(NoMemory::Busy)));
    assert!(matches!(slot.take(), Err(NoMemory::Busy)));
    assert!(matches!(slot.take_for_resize(), Err(NoMemory::Busy)));
    assert_eq!(slot.begin_resize(|| ()), Err(NoMemory::Busy));
    assert_eq!(slot.clear(), Err(NoMemory::Busy));
    assert_eq!(slot.exporters(), 0);
    assert!(slot.collect().is_none());
    slot = taken;
    assert_eq!(memory.frees(), 0);
    slot.free(|| ());
    assert_eq!(memory.frees(), 1);
    assert!(matches!(slot.take(), Err(NoMemory::Freed)));
}

#[test]
fn an_identity_stays_and_is_never_used_twice() {
    let (mut one, _) = filled();
    let (mut other, _) = filled();
    let identity = |slot: &mut Slot<Memory>| slot.share().expect("it has memory").identity();
    assert_eq!(identity(&mut one), identity(&mut one));
    assert_ne!(identity(&mut one), identity(&mut other));
    one.free(|| ());
    other.free(|| ());
}

/// A small generator of pseudo-random numbers (xorshift64*), so that a failing history is the same the next time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }
}

/// Random histories of one block: every operation, with and without failures, while views, reads and exports come and go. After each
/// step the memory lives exactly if somebody holds it.
#[test]
fn memory_lives_exactly_as_long_as_somebody_holds_it() {
    let histories = if cfg!(miri) { 60 } else { 20_000 };
    for seed in 1..=histories {
        let mut random = Random(seed);
        let (mut slot, mut memory) = filled();
        let mut view: Option<Arc<SharedMemory<Memory>>> = None;
        let mut reads: Vec<(Memory, Arc<SharedMemory<Memory>>)> = Vec::new();
        let mut exports: Vec<(Memory, ExportedMemory<Memory>)> = Vec::new();
        let mut all = vec![memory];
        for _ in 0..24 {
            match random.below(10) {
                0 if view.is_none() && !slot.is_empty() => {
                    let fails = random.below(3) == 0;
                    let made = slot.view(|shared| if fails { Err(shared) } else { Ok(shared) });
                    assert_eq!(made.is_err(), fails);
                    view = made.ok();
                }
                1 => reads.extend(view.clone().map(|view| (memory, view))),
                2 => drop(reads.pop()),
                3 => exports.extend(slot.export().ok().map(|export| (memory, export))),
                4 => drop(exports.pop()),
                // The view's buffer is transferred away, and dropped there.
                5 if view.take().is_some() => {
                    let _ = slot.clear();
                }
                6 => {
                    let is_exported = exports.iter().any(|(of, _)| std::ptr::eq(of.0, memory.0));
                    match slot.begin_resize(|| drop(view.take())) {
                        Err(NoMemory::Exported) => assert!(is_exported),
                        Err(_) => assert!(slot.is_empty()),
                        Ok(()) => {
                            assert!(!is_exported);
                            let fails = random.below(2) == 0;
                            let next = Memory::new();
                            all.push(next);
                            let resize = |old: Memory| {
                                if fails {
                                    return Err(());
                                }
                                // Moved: the old memory is gone as by `realloc`.
                                old.0.frees.fetch_add(1, Ordering::SeqCst);
                                Ok(next)
                            };
                            let copy = |_| if fails { Err(()) } else { Ok(next) };
                            let resized = slot.resize(resize, copy).expect("it has memory");
                            if resized.is_ok() {
                                memory = next;
                            } else {
                                next.0.frees.fetch_add(1, Ordering::SeqCst);
                            }
                        }
                    }
                }
                7 => {
                    slot.free(|| drop(view.take()));
                }
                8 => {
                    let _ = slot.exporters();
                    let _ = slot.share();
                }
                _ => {}
            }
            for one in &all {
                let is_blocks = std::ptr::eq(one.0, memory.0) && !slot.is_empty();
                let is_read = reads.iter().any(|(of, _)| std::ptr::eq(of.0, one.0));
                let is_exported = exports.iter().any(|(of, _)| std::ptr::eq(of.0, one.0));
                let is_held = is_blocks || is_read || is_exported;
                assert_eq!(one.frees(), usize::from(!is_held), "seed {seed}");
            }
        }
        slot.collect();
        drop((view, reads, exports));
        assert!(all.iter().all(|memory| memory.frees() == 1), "seed {seed}");
    }
}

/// A view that was transferred to a Worker ends there while the block is asked here.
#[test]
fn a_backing_store_that_ends_on_another_thread_meets_every_operation_soundly() {
    let rounds = if cfg!(miri) { 20 } else { 3_000 };
    for round in 0..rounds {
        let (mut slot, memory) = filled();
        let view = viewed(&mut slot);
        let barrier = Arc::new(Barrier::new(2));
        let other = barrier.clone();
        let worker = std::thread::spawn(move || {
            other.wait();
            drop(view);
        });
        barrier.wait();
        match round % 4 {
            0 => drop(slot.share()),
            1 => drop(slot.export()),
            2 => {
                let _ = slot.begin_resize(|| ());
            }
            _ => {
                slot.free(|| ());
            }
        }
        worker.join().expect("the other thread only drops");
        slot.free(|| ());
        assert_eq!(memory.frees(), 1);
    }
}

#[test]
fn a_slab_knows_its_records_and_nothing_else() {
    static SLAB: Slab<u64> = Slab::new();
    assert!(SLAB.get(std::ptr::null()).is_none());
    let records: Vec<_> = (0..2_000u64)
        .map(|number| SLAB.insert(number).expect("there is memory"))
        .collect();
    for (number, record) in records.iter().enumerate() {
        let found = SLAB.get(record.as_ptr().cast()).expect("it is there");
        // SAFETY: the record is live, and nobody writes to it.
        assert_eq!(unsafe { *found.as_ref() }, number as u64);
        let inside = record.as_ptr().cast::<u8>().wrapping_add(1);
        assert!(SLAB.get(inside).is_none());
    }
    let mine = 7u64;
    assert!(SLAB.get((&raw const mine).cast()).is_none());
    let first = records[0];
    // SAFETY: inserted above, and not removed so far.
    assert_eq!(unsafe { SLAB.remove(first) }, 0);
    assert!(SLAB.get(first.as_ptr().cast()).is_none());
    let again = SLAB.insert(9).expect("there is a place");
    assert_eq!(again, first);
}

#[test]
fn threads_share_a_slab() {
    static SLAB: Slab<usize> = Slab::new();
    let seen = Mutex::new(0);
    let rounds = if cfg!(miri) { 20 } else { 5_000 };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let seen = &seen;
            scope.spawn(move || {
                let mut mine = Vec::new();
                for round in 0..rounds {
                    mine.push((round, SLAB.insert(thread * rounds + round).expect("memory")));
                    if round % 3 == 0 {
                        let (number, record) = mine.swap_remove(round % mine.len());
                        // SAFETY: inserted above, and removed once.
                        assert_eq!(unsafe { SLAB.remove(record) }, thread * rounds + number);
                    }
                }
                for (number, record) in mine {
                    assert!(SLAB.get(record.as_ptr().cast()).is_some());
                    // SAFETY: inserted above, and removed once.
                    assert_eq!(unsafe { SLAB.remove(record) }, thread * rounds + number);
                    *seen.lock().expect("nobody panics") += 1;
                }
            });
        }
    });
    assert!(*seen.lock().expect("nobody panics") > 0);
}
