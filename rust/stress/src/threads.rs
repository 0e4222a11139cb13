//! The threads of a run, and their work beside whatever the scenario does meanwhile.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use fastrand::Rng;
use oneheap::{AttachState, PyMemAllocator};

use crate::exchange::Exchange;
use crate::oracle::{Expected, expect};
use crate::plan::Plan;
use crate::python::Attachment;
use crate::worker::Worker;

/// The share of a run that one thread does.
pub struct Share {
    pub operations: u64,
    pub random: Rng,
}

/// Divides the operations among the plan's threads.
pub fn shares(plan: Plan) -> impl Iterator<Item = Share> {
    (0..plan.threads).map(move |index| {
        let rest = u64::from(index < plan.operations % plan.threads);
        let random = Rng::with_seed(plan.seed.wrapping_mul(1024).wrapping_add(index));
        Share {
            operations: plan.operations / plan.threads + rest,
            random,
        }
    })
}

/// The threads of a run, as what runs beside them sees them.
pub struct Threads<'a> {
    start: &'a Barrier,
    working: &'a AtomicU64,
    pub exchange: &'a Exchange,
}

impl Threads<'_> {
    /// Let the threads begin, which have been made and wait.
    pub fn begin(&self) {
        self.start.wait();
    }

    /// Return whether a thread is still at work; those that aren't wait.
    pub fn is_working(&self) -> bool {
        self.working.load(Ordering::Relaxed) > 0
    }
}

/// Run the plan's threads, and `beside` on the calling thread, which has them begin. They have made their Python thread
/// states before that and keep them until `beside` has ended. At the end everything is checked and freed.
///
/// # Safety
/// Python runs and doesn't end meanwhile; `main` is the calling thread's attachment, detached before and after `beside`.
pub unsafe fn run(
    plan: Plan,
    main: &mut Attachment,
    beside: impl FnOnce(&mut Attachment, Threads),
) {
    let exchange = Exchange::new();
    let working = AtomicU64::new(plan.threads);
    let [ready, start, over] = [0; 3].map(|_| Barrier::new(plan.threads as usize + 1));
    thread::scope(|scope| {
        for share in shares(plan) {
            let (exchange, working) = (&exchange, &working);
            let (ready, start, over) = (&ready, &start, &over);
            scope.spawn(move || {
                // SAFETY: Python runs, by the caller's promise; the thread is new.
                let mut attachment = unsafe { Attachment::new() };
                ready.wait();
                start.wait();
                // SAFETY: Python runs, by the caller's promise.
                unsafe { work(share, exchange, &mut attachment) };
                working.fetch_sub(1, Ordering::Relaxed);
                over.wait();
                // SAFETY: as above.
                unsafe { attachment.end() };
            });
        }
        ready.wait();
        let threads = Threads {
            start: &start,
            working: &working,
            exchange: &exchange,
        };
        beside(main, threads);
        over.wait();
    });
    exchange.into_values().for_each(|value| value.check());
    // SAFETY: Python runs, by the caller's promise.
    unsafe { main.attach() };
    while PyMemAllocator::drain_deferred() > 0 {}
    assert!(!PyMemAllocator::has_deferred());
    main.detach();
}

/// One thread's work, attached and detached at random.
///
/// # Safety
/// Python runs and doesn't end meanwhile; the attachment is this thread's.
unsafe fn work(share: Share, exchange: &Exchange, attachment: &mut Attachment) {
    let mut worker = Worker::new(share.random, exchange);
    let mut left = share.operations;
    while left > 0 {
        if worker.attaches() {
            // SAFETY: the caller's promise.
            unsafe { attachment.attach() };
            left -= expecting(Expected::Calls, || worker.stretch(left));
            attachment.detach();
        } else {
            left -= expecting(Expected::NoCalls, || worker.stretch(left));
        }
    }
}

/// Run a part of the work, and informs the oracle of what the thread may do in it.
pub fn expecting<R>(expected: Expected, work: impl FnOnce() -> R) -> R {
    let expected_state = match expected {
        Expected::Calls => AttachState::Attached,
        _ => AttachState::Detached,
    };
    expect(expected);
    assert_eq!(PyMemAllocator::attach_state(), expected_state);
    let result = work();
    expect(Expected::Anything);
    result
}
