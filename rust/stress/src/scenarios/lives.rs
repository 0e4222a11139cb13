//! Python is finalised and started again while the threads go on working: what the first lifetime allocated is freed when that
//! lifetime is over, detached and attached to a later one.

use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use oneheap::{AttachState, PyMemAllocator};

use crate::exchange::Exchange;
use crate::plan::Plan;
use crate::python::{self, Attachment};
use crate::threads::{Share, shares};
use crate::worker::Worker;

/// How often Python is started.
const LIVES: u64 = 4;

/// How often a place is looked at for a value to be kept from the first lifetime.
const HEIRLOOMS: usize = 500;

/// Which lifetime of Python it is, from 1 on, or 0 if Python is not running. Attached threads hold the lock for reading, and
/// whoever ends Python takes it for writing: a thread that waits for a GIL that has gone would hang.
type CurrentLifetime = RwLock<u64>;

pub fn run(plan: Plan) -> String {
    let exchange = Exchange::new();
    let lifetime = CurrentLifetime::new(0);
    let pace = Pace::default();
    thread::scope(|scope| {
        for share in shares(plan) {
            scope.spawn(|| work(share, &exchange, &lifetime, &pace));
        }
        let mut random = Rng::with_seed(!plan.seed);
        let mut heirlooms = Vec::new();
        for number in 1..=LIVES {
            let percent =
                |percent: u64| plan.operations * ((number - 1) * 100 + percent) / (LIVES * 100);
            // Python starts and ends while threads are at work.
            pace.allow(percent(10));
            let main = python::start();
            *lifetime.write().unwrap() = number;
            // In each later lifetime the threads get half of what is left of the first.
            for value in heirlooms.split_off(heirlooms.len() / 2) {
                drop(exchange.swap(&mut random, Some(value)));
            }
            pace.allow(percent(80));
            pace.wait_until_used_up();
            if number == 1 {
                heirlooms.extend((0..HEIRLOOMS).filter_map(|_| exchange.swap(&mut random, None)));
            }
            let mut lifetime = lifetime.write().unwrap();
            pace.allow(percent(100));
            // SAFETY: this thread started Python; nobody is attached, nor will be, while the lock is held.
            unsafe { python::finalise(main) };
            *lifetime = 0;
        }
    });
    assert_eq!(PyMemAllocator::attach_state(), AttachState::Finalised);
    exchange.into_values().for_each(|value| value.check());
    format!(", {LIVES} lifetimes of Python")
}

/// How many operations the threads have done, and how many they may do until more are allowed: they are faster than
/// Python starts.
#[derive(Default)]
struct Pace {
    allowed: AtomicU64,
    done: AtomicU64,
}

impl Pace {
    fn allow(&self, operations: u64) {
        self.allowed.store(operations, Ordering::Relaxed);
    }

    fn is_used_up(&self) -> bool {
        self.done.load(Ordering::Relaxed) >= self.allowed.load(Ordering::Relaxed)
    }

    fn wait_until_used_up(&self) {
        while !self.is_used_up() {
            thread::yield_now();
        }
    }

    fn wait_for_more(&self) {
        while self.is_used_up() {
            thread::sleep(Duration::from_micros(100));
        }
    }
}

/// One thread's work, attached and detached at random.
fn work(share: Share, exchange: &Exchange, lifetime: &CurrentLifetime, pace: &Pace) {
    let mut worker = Worker::new(share.random, exchange);
    let mut left = share.operations;
    while left > 0 {
        pace.wait_for_more();
        let operations = match worker.attaches() {
            true => work_attached(&mut worker, left, lifetime),
            false => worker.stretch(left),
        };
        pace.done.fetch_add(operations, Ordering::Relaxed);
        left -= operations;
    }
}

/// Works attached, if Python runs and isn't ending.
fn work_attached(worker: &mut Worker, most: u64, lifetime: &CurrentLifetime) -> u64 {
    let Ok(lifetime) = lifetime.try_read() else {
        return worker.stretch(most);
    };
    if *lifetime == 0 {
        return worker.stretch(most);
    }
    // SAFETY: Python runs and doesn't end while the lock is held; the thread has no state: it ended its last one.
    let mut attachment = unsafe { Attachment::new() };
    // SAFETY: Python runs, in the lifetime in which the state was made, and doesn't end while the lock is held.
    unsafe { attachment.attach() };
    let expected = if *lifetime == 1 {
        AttachState::Attached
    } else {
        AttachState::Finalised
    };
    assert_eq!(PyMemAllocator::attach_state(), expected);
    let operations = worker.stretch(most);
    // SAFETY: as above. Python 3.15 doesn't forget the state of a lifetime that is over.
    unsafe { attachment.end() };
    operations
}
