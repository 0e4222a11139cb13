//! A thread at work: it makes, changes, checks, hands on and drops values, attached and detached at random.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use fastrand::Rng;
use oneheap::{PyMemAllocator, Standing};

use crate::exchange::Exchange;
use crate::oracle::{Expected, expect};
use crate::plan::Plan;
use crate::python::Attachment;
use crate::value::Value;

/// How many values a thread keeps at most.
const KEPT: usize = 64;

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

/// What a thread owns.
pub struct Worker<'a> {
    random: Rng,
    values: Vec<Value>,
    exchange: &'a Exchange,
}

impl<'a> Worker<'a> {
    pub fn new(random: Rng, exchange: &'a Exchange) -> Self {
        Self {
            random,
            values: Vec::new(),
            exchange,
        }
    }

    /// One operation, attached or not.
    pub fn step(&mut self) {
        match self.random.u32(0..100) {
            0..30 => self.make(),
            30..50 => self.resize(),
            50..70 => drop(self.take()),
            70..95 => self.exchange(),
            _ => drop(PyMemAllocator::drain()),
        }
    }

    fn make(&mut self) {
        if self.values.len() >= KEPT {
            self.take();
        }
        let value = Value::new(&mut self.random);
        self.values.push(value);
    }

    fn resize(&mut self) {
        if let Some(value) = self.random.choice(self.values.iter_mut()) {
            value.check();
            value.resize(&mut self.random);
        }
    }

    /// One of the values, checked.
    fn take(&mut self) -> Option<Value> {
        if self.values.is_empty() {
            return None;
        }
        let index = self.random.usize(..self.values.len());
        let value = self.values.swap_remove(index);
        value.check();
        Some(value)
    }

    fn exchange(&mut self) {
        let given = self.take();
        if let Some(found) = self.exchange.swap(&mut self.random, given) {
            found.check();
            self.values.push(found);
        }
    }

    /// The operations until the thread's next change, with a pause now and then. Answers how many there were, up to
    /// `most`.
    pub fn stretch(&mut self, most: u64) -> u64 {
        self.pause();
        let operations = self.random.u64(1..=100).min(most);
        (0..operations).for_each(|_| self.step());
        self.pause();
        operations
    }

    fn pause(&mut self) {
        if self.random.u32(0..50) == 0 {
            sleep(Duration::from_micros(self.random.u64(20..500)));
        }
    }

    /// Whether to attach, this time.
    pub fn attaches(&mut self) -> bool {
        self.random.bool()
    }
}

/// The threads of a run, as what runs beside them sees them.
pub struct Crew<'a> {
    start: &'a Barrier,
    working: &'a AtomicU64,
    pub exchange: &'a Exchange,
}

impl Crew<'_> {
    /// Lets the threads begin, which have been made and wait.
    pub fn begin(&self) {
        self.start.wait();
    }

    /// Whether a thread is still at work; those that aren't wait.
    pub fn is_working(&self) -> bool {
        self.working.load(Ordering::Relaxed) > 0
    }
}

/// Runs the plan's threads, and `beside` on the calling thread, which has them begin. They have made their Python thread
/// states before that and keep them until `beside` has ended. At the end everything is checked and freed.
///
/// # Safety
/// Python runs and doesn't end meanwhile; `main` is the calling thread's attachment, detached before and after `beside`.
pub unsafe fn crew(plan: Plan, main: &mut Attachment, beside: impl FnOnce(&mut Attachment, Crew)) {
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
        let crew = Crew {
            start: &start,
            working: &working,
            exchange: &exchange,
        };
        beside(main, crew);
        over.wait();
    });
    exchange.into_values().for_each(|value| value.check());
    // SAFETY: Python runs, by the caller's promise.
    unsafe { main.attach() };
    while PyMemAllocator::drain() > 0 {}
    assert!(!PyMemAllocator::waiting());
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

/// Runs a part of the work, and tells the oracle what the thread may do in it.
pub fn expecting<R>(expected: Expected, work: impl FnOnce() -> R) -> R {
    let standing = match expected {
        Expected::Calls => Standing::Attached,
        _ => Standing::Detached,
    };
    expect(expected);
    assert_eq!(PyMemAllocator::standing(), standing);
    let result = work();
    expect(Expected::Anything);
    result
}
