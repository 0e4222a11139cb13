//! The deferred list under `loom`, which tries all interleavings and all that the memory model allows.

use std::ptr::null_mut;
use std::sync::atomic::Ordering;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicPtr, fence};
use loom::thread;

use crate::deferred::{Deferred, Link, implement_head};

implement_head!(AtomicPtr<Link>);

type List = Deferred<AtomicPtr<Link>>;

fn empty() -> Arc<List> {
    Arc::new(Deferred::new(AtomicPtr::new(null_mut())))
}

/// A block whose contents `loom` watches: whoever reads them must have synchronised with whoever wrote them.
#[repr(C)]
struct Block {
    link: usize,
    contents: UnsafeCell<usize>,
}

/// Make a block, write its contents and push it; return whether the list was empty.
fn push(list: &List, contents: usize) -> bool {
    let block = Box::new(Block {
        link: 0,
        contents: UnsafeCell::new(0),
    });
    // SAFETY: nobody else has the block yet.
    block.contents.with_mut(|cell| unsafe { *cell = contents });
    // SAFETY: the block is longer than a word, and nobody uses it any more.
    unsafe { list.push(Box::into_raw(block).cast()) }
}

/// Take up to `most` blocks, read their contents and free them.
fn take(list: &List, most: usize) -> Vec<usize> {
    let taken = list.take(most).map(|block| {
        // SAFETY: `push` made the block and passed it on.
        let block = unsafe { Box::from_raw(block.cast::<Block>()) };
        // SAFETY: nobody else has the block any more.
        block.contents.with(|cell| unsafe { *cell })
    });
    taken.collect()
}

/// Blocks `0..there` are on the list. Runs the parts at once, each on a thread of its own, takes what is left, and checks
/// that each of the blocks `0..count` was taken once, no more than `most` at a time.
fn each_is_taken_once<const PARTS: usize>(
    there: usize,
    count: usize,
    most: usize,
    parts: [fn(&List, usize) -> Vec<usize>; PARTS],
) {
    let list = empty();
    for contents in 0..there {
        push(&list, contents);
    }
    let threads = parts.map(|part| {
        let list = list.clone();
        thread::spawn(move || part(&list, most))
    });
    let mut taken: Vec<usize> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    while list.has_deferred() {
        let batch = take(&list, most);
        assert!((1..=most).contains(&batch.len()));
        taken.extend(batch);
    }
    taken.sort();
    assert!(taken.into_iter().eq(0..count), "each block is taken once");
}

fn push_one(list: &List, _: usize) -> Vec<usize> {
    push(list, 2);
    Vec::new()
}

fn push_two(list: &List, _: usize) -> Vec<usize> {
    push(list, 3);
    push(list, 4);
    Vec::new()
}

/// With three threads at work, all interleavings would take minutes: those with up to three preemptions take seconds.
fn bounded_model(test: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(test);
}

#[test]
fn blocks_that_two_threads_push_are_all_taken() {
    loom::model(|| each_is_taken_once(2, 5, 5, [push_one, push_two]));
}

#[test]
fn blocks_that_are_taken_while_others_arrive_are_taken_once() {
    loom::model(|| each_is_taken_once(2, 3, 2, [push_one, take]));
}

#[test]
fn the_rest_of_a_portion_comes_back_beside_new_arrivals() {
    loom::model(|| each_is_taken_once(3, 5, 1, [push_two, take]));
}

#[test]
fn two_threads_may_take_while_another_pushes() {
    bounded_model(|| each_is_taken_once(2, 3, 1, [push_one, take, take]));
}

/// A thread that stops looking at the list, and one that pushes and then looks whether the other still looks, as
/// `PyMemAllocator::on_deferred` promises: none of the two misses the other, so no block is left without a thread that sees it.
#[test]
fn a_block_is_seen_by_who_stops_looking_or_its_thread_sees_that() {
    loom::model(|| {
        let list = empty();
        let looks = Arc::new(AtomicBool::new(true));
        let pusher = thread::spawn({
            let (list, looks) = (list.clone(), looks.clone());
            move || {
                assert!(push(&list, 0), "the list was empty");
                // `loom` takes a sequentially consistent operation for less than it is; the fence is as strong.
                fence(Ordering::SeqCst);
                !looks.load(Ordering::SeqCst)
            }
        });
        looks.store(false, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let has_deferred = list.has_deferred();
        let sees_that = pusher.join().unwrap();
        assert!(has_deferred || sees_that);
        assert_eq!(take(&list, 1), [0]);
    });
}
