//! Out of memory and misaligned results, injected at every call of a history and at every pair of calls.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::simulated::{Aborted, Block, Call, Fault, Simulated, layout};

const FAULTS: [Fault; 4] = [
    Fault::OutOfMemory,
    Fault::Misaligned(8),
    Fault::Misaligned(4),
    Fault::Misaligned(1),
];

/// A short history over both origins, with and without header, in which memory may be out at any point. Answers how
/// many calls it made that may fail, and how many of its operations found memory out.
fn history(
    faults: impl Fn(usize, Call) -> Option<Fault> + Send + Sync + 'static,
) -> (usize, usize) {
    let (python, heap) = Simulated::new().with_faults(faults).heap();
    let mut refused = 0;
    python.start();
    assert!(python.attach());
    let mut live: Vec<Block> = Vec::new();
    // Blocks of Python's, if nothing goes wrong; then all are resized by a detached thread, and by an attached one.
    for place in [true, false, true] {
        if place != (heap.attach_state() == crate::runtime_state::AttachState::Attached) {
            if place {
                assert!(python.attach())
            } else {
                python.detach()
            }
        }
        for (size, align, zeroed) in [
            (1, 1, false),
            (40, 8, true),
            (100, 16, false),
            (30, 256, true),
        ] {
            match Block::alloc(&heap, layout(size, align), zeroed, size) {
                Some(block) => live.push(block),
                None => refused += 1,
            }
        }
        for (index, block) in live.iter_mut().enumerate() {
            let size = if index % 2 == 0 {
                block.layout.size() * 3
            } else {
                block.layout.size().div_ceil(2)
            };
            if !block.realloc(&heap, size) {
                refused += 1;
            }
        }
        live.iter().for_each(Block::check);
        if live.len() > 1 {
            live.swap_remove(1).free(&heap);
        }
    }
    live.into_iter().for_each(|block| block.free(&heap));
    while heap.drain() > 0 {}
    assert_eq!(
        (python.python_blocks(), python.system_blocks()),
        (0, 0),
        "each block was freed"
    );
    python.detach();
    (python.calls(), refused)
}

#[test]
fn a_fault_at_any_call_leaves_all_other_blocks_as_they_were() {
    let (calls, refused) = history(|_, _| None);
    assert!(calls > 30);
    assert_eq!(refused, 0);
    for at in 0..calls {
        for fault in FAULTS {
            let (_, refused) = history(move |call, _| (call == at).then_some(fault));
            let limit = usize::from(fault == Fault::OutOfMemory);
            assert!(
                refused <= limit,
                "{fault:?} at call {at}: {refused} operations found memory out"
            );
        }
    }
}

#[test]
fn faults_at_any_two_calls_leave_all_other_blocks_as_they_were() {
    let (calls, _) = history(|_, _| None);
    // A fault may make the history call more often.
    let calls = if cfg!(miri) { 6 } else { calls + 4 };
    for first in 0..calls {
        for second in first + 1..calls {
            for one in FAULTS {
                for other in FAULTS {
                    history(move |call, _| match call {
                        _ if call == first => Some(one),
                        _ if call == second => Some(other),
                        _ => None,
                    });
                }
            }
        }
    }
}

#[test]
fn faults_at_every_call_from_any_call_on_leave_all_other_blocks_as_they_were() {
    let (calls, _) = history(|_, _| None);
    for from in 0..calls {
        for fault in FAULTS {
            let (_, refused) = history(move |call, _| (call >= from).then_some(fault));
            assert!(refused > 0 || fault != Fault::OutOfMemory);
        }
    }
}

#[test]
fn where_only_python_is_out_of_memory_attached_threads_get_none() {
    for from in 0..history(|_, _| None).0 {
        history(move |call, kind| {
            (call >= from && kind != Call::System).then_some(Fault::OutOfMemory)
        });
    }
    let (_, refused) = history(|_, kind| (kind != Call::System).then_some(Fault::OutOfMemory));
    assert!(refused > 0);
}

/// Run the history with a misaligned result of `realloc` at call `at` and memory out for the `out` calls after it.
/// Answers whether the process would have been aborted; `None` if call `at` is another one.
fn aborts(at: usize, out: usize) -> Option<bool> {
    let is_realloc = Arc::new(AtomicBool::new(false));
    let seen = is_realloc.clone();
    let run = move || {
        history(move |call, kind| match call {
            _ if call == at && kind == Call::Realloc => {
                seen.store(true, Ordering::Relaxed);
                Some(Fault::Misaligned(8))
            }
            _ if call > at && call <= at + out => Some(Fault::OutOfMemory),
            _ => None,
        })
    };
    // A thread of its own, for it ends attached.
    let aborted = match thread::spawn(run).join() {
        Ok(_) => false,
        Err(panic) if panic.is::<Aborted>() => true,
        Err(panic) => resume_unwind(panic),
    };
    is_realloc.load(Ordering::Relaxed).then_some(aborted)
}

#[test]
fn a_misaligned_realloc_aborts_only_if_nobody_has_memory_to_copy_to() {
    let (calls, _) = history(|_, _| None);
    let mut reallocs = 0;
    for at in 0..calls {
        for out in 0..4 {
            // The system is asked, then Python.
            if let Some(aborted) = aborts(at, out) {
                assert_eq!(aborted, out >= 2, "with memory out for {out} calls");
                reallocs += 1;
            }
        }
    }
    assert!(reallocs > 0);
}

#[test]
fn after_a_misaligned_answer_realloc_copies_before_it_frees() {
    for misaligned in [Call::Malloc, Call::Calloc, Call::Realloc] {
        let was_misaligned = AtomicBool::new(false);
        let faults = move |_, call| match call {
            _ if call == misaligned && !was_misaligned.swap(true, Ordering::Relaxed) => {
                Some(Fault::Misaligned(8))
            }
            Call::Realloc if was_misaligned.load(Ordering::Relaxed) => {
                panic!("PyMem_Realloc was called")
            }
            _ => None,
        };
        let (python, heap) = Simulated::new().with_faults(faults).heap();
        python.start();
        assert!(python.attach());
        for _ in 0..3 {
            let mut block = Block::alloc(&heap, layout(50, 8), misaligned == Call::Calloc, 1)
                .expect("memory is there");
            assert!(block.realloc(&heap, 100));
            assert!(block.realloc(&heap, 70));
            block.free(&heap);
        }
        assert_eq!((python.python_blocks(), python.system_blocks()), (0, 0));
        python.detach();
    }
}
