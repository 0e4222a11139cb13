//! Where memory comes from and goes back to, in each state of Python and of the thread.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::thread;

use super::simulated::{Block, Simulated, SimulatedHeap, layout};
use crate::heap::Counters;
use crate::limits::BATCH_BLOCKS;
use crate::runtime_state::AttachState;

/// One layout without a header and one with.
const ALIGNMENTS: [usize; 2] = [8, 64];

fn block(heap: &SimulatedHeap, align: usize) -> Block {
    Block::alloc(heap, layout(100, align), false, align).expect("memory is there")
}

fn blocks(heap: &SimulatedHeap) -> [Block; 2] {
    ALIGNMENTS.map(|align| block(heap, align))
}

#[test]
fn before_python_starts_memory_is_the_systems() {
    let (python, heap) = Simulated::new().heap();
    assert_eq!(heap.attach_state(), AttachState::Detached);
    let blocks = blocks(&heap);
    assert_eq!((python.python_blocks(), python.system_blocks()), (0, 2));
    blocks.into_iter().for_each(|block| block.free(&heap));
    assert_eq!(python.system_blocks(), 0);
}

#[test]
fn attached_memory_is_pythons() {
    let (python, heap) = Simulated::new().heap();
    python.start();
    assert!(python.attach());
    assert_eq!(heap.attach_state(), AttachState::Attached);
    let blocks = blocks(&heap);
    assert_eq!((python.python_blocks(), python.system_blocks()), (2, 0));
    blocks.into_iter().for_each(|block| block.free(&heap));
    assert_eq!(python.python_blocks(), 0);
    assert_eq!(heap.counters(), Counters::default());
    python.detach();
}

#[test]
fn detached_memory_is_the_systems() {
    let (python, heap) = Simulated::new().heap();
    python.start();
    assert_eq!(heap.attach_state(), AttachState::Detached);
    let blocks = blocks(&heap);
    assert_eq!((python.python_blocks(), python.system_blocks()), (0, 2));
    assert_eq!(
        heap.counters(),
        Counters {
            system: 2,
            ..Counters::default()
        }
    );
    blocks.into_iter().for_each(|block| block.free(&heap));
    assert_eq!(python.system_blocks(), 0);
}

#[test]
fn in_a_subinterpreter_memory_is_the_systems() {
    let (python, heap) = Simulated::new().heap();
    python.start();
    assert!(python.attach());
    let from_main = blocks(&heap);
    python.detach();
    assert!(python.attach_to_subinterpreter());
    assert_eq!(heap.attach_state(), AttachState::Detached);
    let from_sub = blocks(&heap);
    assert_eq!((python.python_blocks(), python.system_blocks()), (2, 2));
    from_main
        .into_iter()
        .chain(from_sub)
        .for_each(|block| block.free(&heap));
    assert_eq!(heap.drain(), 0);
    assert_eq!((python.python_blocks(), python.system_blocks()), (2, 0));
    python.detach();
    assert!(python.attach());
    assert_eq!(heap.drain(), 2);
    assert_eq!(python.python_blocks(), 0);
    python.detach();
}

#[test]
fn systems_blocks_are_freed_at_once_on_every_thread() {
    let (python, heap) = Simulated::new().heap();
    python.start();
    let blocks = blocks(&heap);
    assert!(python.attach());
    blocks.into_iter().for_each(|block| block.free(&heap));
    assert_eq!(python.system_blocks(), 0);
    python.detach();
}

#[test]
fn pythons_blocks_freed_while_detached_wait_for_an_attached_thread() {
    let (python, heap) = Simulated::new().heap();
    python.start();
    assert!(python.attach());
    let blocks = blocks(&heap);
    python.detach();
    assert!(!heap.has_deferred());
    blocks.into_iter().for_each(|block| block.free(&heap));
    assert!(heap.has_deferred());
    assert_eq!(heap.counters().deferred, 2);
    assert_eq!(heap.drain(), 0, "a detached thread frees nothing");
    assert_eq!(python.python_blocks(), 2);
    assert!(python.attach());
    assert_eq!(heap.drain(), 2);
    assert_eq!(python.python_blocks(), 0);
    assert!(!heap.has_deferred());
    python.detach();
}

#[test]
fn deferred_blocks_are_freed_in_portions_by_allocating_freeing_and_resizing() {
    let (python, heap) = Simulated::new().heap();
    python.start();
    assert!(python.attach());
    let mut kept = block(&heap, 8);
    let dropped: Vec<Block> = (0..4 * BATCH_BLOCKS).map(|_| block(&heap, 8)).collect();
    python.detach();
    dropped.into_iter().for_each(|block| block.free(&heap));
    assert!(python.attach());
    assert_eq!(python.python_blocks(), 1 + 4 * BATCH_BLOCKS);
    let other = block(&heap, 8);
    assert_eq!(python.python_blocks(), 2 + 3 * BATCH_BLOCKS);
    other.free(&heap);
    assert_eq!(python.python_blocks(), 1 + 2 * BATCH_BLOCKS);
    assert!(kept.realloc(&heap, 200));
    assert_eq!(python.python_blocks(), 1 + BATCH_BLOCKS);
    assert_eq!(heap.drain(), BATCH_BLOCKS);
    assert_eq!(heap.drain(), 0);
    kept.free(&heap);
    python.detach();
}

#[test]
fn realloc_brings_a_block_to_where_the_thread_allocates_but_leaves_pythons_to_python() {
    let (python, heap) = Simulated::new().heap();
    python.start();
    let mut detached = blocks(&heap);
    assert!(python.attach());
    for block in &mut detached {
        assert!(block.realloc(&heap, 300));
    }
    assert_eq!((python.python_blocks(), python.system_blocks()), (2, 0));
    python.detach();
    for block in &mut detached {
        assert!(block.realloc(&heap, 50));
    }
    assert_eq!(
        (python.python_blocks(), python.system_blocks()),
        (2, 2),
        "the old blocks are pending on the list"
    );
    assert_eq!(heap.counters().deferred, 2);
    detached.into_iter().for_each(|block| block.free(&heap));
    assert!(python.attach());
    assert_eq!(heap.drain(), 2);
    assert_eq!((python.python_blocks(), python.system_blocks()), (0, 0));
    python.detach();
}

#[test]
fn after_finalisation_pythons_blocks_leak_and_memory_is_the_systems() {
    let (python, heap) = Simulated::new().heap();
    python.start();
    assert!(python.attach());
    let [deferred, resized] = blocks(&heap);
    let [freed, lost] = blocks(&heap);
    let mut resized = resized;
    thread::scope(|scope| {
        scope.spawn(|| deferred.free(&heap));
    });
    python.finalise(
        &heap,
        || freed.free(&heap),
        || {
            assert_eq!(heap.attach_state(), AttachState::Detached);
            lost.free(&heap);
        },
    );
    assert_eq!(heap.attach_state(), AttachState::Finalised);
    assert_eq!(python.python_blocks(), 2, "`deferred` went with `freed`");
    assert!(resized.realloc(&heap, 1000));
    assert_eq!((python.python_blocks(), python.system_blocks()), (2, 1));
    assert_eq!(heap.drain(), 0);
    resized.free(&heap);
    assert_eq!(python.system_blocks(), 0);
}

#[test]
fn a_second_life_of_python_changes_nothing() {
    let (python, heap) = Simulated::new().heap();
    python.start();
    assert!(python.attach());
    let first_life = blocks(&heap);
    python.finalise(&heap, || {}, || {});
    python.start();
    assert!(python.attach());
    assert_eq!(heap.attach_state(), AttachState::Finalised);
    let second_life = blocks(&heap);
    assert_eq!((python.python_blocks(), python.system_blocks()), (2, 2));
    first_life
        .into_iter()
        .chain(second_life)
        .for_each(|block| block.free(&heap));
    assert_eq!(heap.counters().deferred, 0);
    assert_eq!(heap.drain(), 0);
    assert_eq!((python.python_blocks(), python.system_blocks()), (2, 0));
    python.finalise(&heap, || {}, || {});
}

#[test]
fn without_a_slot_for_the_exit_callback_memory_is_the_systems() {
    let (python, heap) = Simulated::new().without_exit_slots().heap();
    python.start();
    assert!(python.attach());
    assert_eq!(heap.attach_state(), AttachState::Detached);
    let blocks = blocks(&heap);
    assert_eq!((python.python_blocks(), python.system_blocks()), (0, 2));
    blocks.into_iter().for_each(|block| block.free(&heap));
    python.detach();
}

#[test]
fn while_one_thread_registers_the_exit_callback_nobody_waits() {
    let (python, heap) = Simulated::new().free_threaded().heap();
    python.start();
    let (registering, other_heap) = (Arc::downgrade(&python), Arc::downgrade(&heap));
    let first = Once::new();
    python.set_hook(move || {
        first.call_once(|| {
            let registering = registering.upgrade().expect("the test runs");
            let heap = other_heap.upgrade().expect("the test runs");
            block(&heap, 8).free(&heap);
            thread::scope(|scope| {
                scope.spawn(|| {
                    assert!(registering.attach());
                    assert_eq!(heap.attach_state(), AttachState::Detached);
                    block(&heap, 8).free(&heap);
                    registering.detach();
                });
            });
        });
    });
    assert!(python.attach());
    assert_eq!(heap.attach_state(), AttachState::Attached);
    assert_eq!(heap.counters().system, 2);
    python.detach();
}

#[test]
fn deferred_raw_blocks_are_freed_by_an_attached_thread_and_leak_after_finalisation() {
    use crate::interpreter::Interpreter;
    let (python, heap) = Simulated::new().heap();
    python.start();
    assert!(python.attach());
    assert_eq!(heap.attach_state(), AttachState::Attached);
    // SAFETY: attached.
    let [first, second] = [unsafe { python.malloc(16) }, unsafe { python.malloc(16) }];
    python.detach();
    // SAFETY: a live block, which nobody uses any more.
    unsafe { heap.defer(first, 16) };
    assert!(python.attach());
    assert_eq!(heap.drain(), 1);
    python.finalise(&heap, || {}, || {});
    // SAFETY: as above.
    unsafe { heap.defer(second, 16) };
    assert_eq!(heap.counters().deferred, 1);
    assert!(!heap.has_deferred());
    assert_eq!(python.python_blocks(), 1);
}

thread_local! {
    /// What the last deferred free on this thread reported.
    static REPORTED: Cell<usize> = const { Cell::new(0) };
}

/// What a deferred free reports that `drop` does.
fn reported(drop: impl FnOnce()) -> usize {
    REPORTED.set(0);
    drop();
    REPORTED.get()
}

#[test]
fn a_deferred_free_reports_how_many_bytes_wait_until_the_list_is_emptied() {
    let (python, heap) = Simulated::new().heap();
    heap.on_deferred(|bytes| REPORTED.set(bytes));
    python.start();
    assert!(python.attach());
    let [small, aligned] = blocks(&heap);
    let large = Block::alloc(&heap, layout(5000, 1), false, 0).expect("memory is there");
    let [attached, last] = blocks(&heap);
    assert_eq!(reported(|| attached.free(&heap)), 0, "not deferred");
    python.detach();
    assert_eq!(reported(|| small.free(&heap)), 100);
    assert_eq!(reported(|| aligned.free(&heap)), 100 + 164);
    assert_eq!(reported(|| large.free(&heap)), 100 + 164 + 5000);
    assert!(python.attach());
    assert_eq!(heap.counters().emptied, 0);
    assert_eq!(heap.drain(), 3);
    assert_eq!(heap.counters().emptied, 1);
    python.detach();
    assert_eq!(reported(|| last.free(&heap)), 164);
}

#[test]
fn what_is_left_of_the_list_counts_with_what_was_freed_until_it_is_emptied() {
    let (python, heap) = Simulated::new().heap();
    heap.on_deferred(|bytes| REPORTED.set(bytes));
    python.start();
    assert!(python.attach());
    let [one, another] = [block(&heap, 8), block(&heap, 8)];
    let dropped: Vec<Block> = (0..2 * BATCH_BLOCKS).map(|_| block(&heap, 8)).collect();
    python.detach();
    dropped.into_iter().for_each(|block| block.free(&heap));
    assert!(python.attach());
    assert_eq!(heap.drain(), BATCH_BLOCKS);
    assert_eq!(heap.counters().emptied, 0);
    python.detach();
    assert_eq!(reported(|| one.free(&heap)), (2 * BATCH_BLOCKS + 1) * 100);
    assert!(python.attach());
    while heap.drain() > 0 {}
    python.detach();
    assert_eq!(reported(|| another.free(&heap)), 100);
    assert!(python.attach());
    assert_eq!(heap.drain(), 1);
    python.detach();
}

#[test]
fn a_deferred_raw_block_reports_the_size_it_was_given() {
    use crate::interpreter::Interpreter;
    let (python, heap) = Simulated::new().heap();
    heap.on_deferred(|bytes| REPORTED.set(bytes));
    python.start();
    assert!(python.attach());
    assert_eq!(heap.attach_state(), AttachState::Attached);
    // SAFETY: attached.
    let [first, second] = [unsafe { python.malloc(16) }, unsafe { python.malloc(16) }];
    python.detach();
    // SAFETY: a live block, which nobody uses any more.
    assert_eq!(reported(|| unsafe { heap.defer(first, 65_536) }), 65_536);
    assert!(python.attach());
    assert_eq!(heap.drain(), 1);
    python.finalise(&heap, || {}, || {});
    // SAFETY: as above.
    let after_the_end = reported(|| unsafe { heap.defer(second, 65_536) });
    assert_eq!(after_the_end, 0, "it leaks");
}

#[test]
fn sizes_beyond_the_address_space_are_out_of_memory() {
    let (python, heap) = Simulated::new().heap();
    python.start();
    for attached in [false, true] {
        if attached {
            assert!(python.attach());
        }
        for align in [1, 8, 16, 4096] {
            let largest = layout(isize::MAX as usize + 1 - align, align);
            assert!(Block::alloc(&heap, largest, false, 0).is_none());
            assert!(Block::alloc(&heap, largest, true, 0).is_none());
            let mut block = block(&heap, align);
            assert!(!block.realloc(&heap, largest.size()));
            block.free(&heap);
        }
    }
    assert_eq!((python.python_blocks(), python.system_blocks()), (0, 0));
    python.detach();
}

#[test]
fn a_hook_may_allocate_through_the_heap_and_detach() {
    let (python, heap) = Simulated::new().free_threaded().heap();
    python.start();
    let hooked = AtomicUsize::new(0);
    let (in_hook, hook_heap) = (Arc::downgrade(&python), Arc::downgrade(&heap));
    python.set_hook(move || {
        let in_hook = in_hook.upgrade().expect("the test runs");
        let heap = hook_heap.upgrade().expect("the test runs");
        let round = hooked.fetch_add(1, Ordering::Relaxed);
        let mut own = block(&heap, ALIGNMENTS[round % 2]);
        in_hook.detach();
        assert!(own.realloc(&heap, 40));
        let other = block(&heap, 8);
        assert!(in_hook.attach());
        assert!(own.realloc(&heap, 400));
        other.free(&heap);
        own.free(&heap);
    });
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..100 {
                    assert!(python.attach());
                    let mut both = blocks(&heap);
                    if round % 3 == 0 {
                        python.detach();
                    }
                    for block in &mut both {
                        assert!(block.realloc(&heap, 3000));
                    }
                    both.into_iter().for_each(|block| block.free(&heap));
                    if round % 3 != 0 {
                        python.detach();
                    }
                }
            });
        }
    });
    assert!(python.attach());
    while heap.drain() > 0 {}
    assert_eq!((python.python_blocks(), python.system_blocks()), (0, 0));
    python.detach();
}
