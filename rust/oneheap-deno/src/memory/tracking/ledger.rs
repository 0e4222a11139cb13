//! The ledger: which memory is alive, and which call stack allocated it.
//!
//! It has one lock, under which nothing is allocated but by the system, and Python isn't called. It is taken by every allocation and
//! free while somebody records call sites.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::memory::address_table::AddressTable;
use crate::memory::tracking::amounts::{Amount, Amounts};
use crate::memory::tracking::call_stack::{CallStack, Current};
use crate::memory::tracking::timeline::{Moment, Timeline};
use crate::runtime::platform;

/// An allocation that is alive.
#[derive(Clone, Copy)]
pub struct Allocation {
    pub bytes: usize,
    pub stack: Option<&'static CallStack>,
    weight: f64,
}

struct Ledger {
    allocations: AddressTable<Allocation>,
    /// What was allocated outside of any call stack.
    elsewhere: Amounts,
    live: Amount,
    /// The most bytes that were alive, and when.
    peak_bytes: f64,
    peak_milliseconds: f64,
    /// How many peaks there were: see [`Amounts`].
    peak: u64,
    timeline: Timeline,
    began: Option<Instant>,
    /// Memory was out for an entry.
    is_incomplete: bool,
}

static LEDGER: Mutex<Ledger> = Mutex::new(Ledger {
    allocations: AddressTable::new(),
    elsewhere: Amounts::new(),
    live: Amount {
        bytes: 0.0,
        count: 0.0,
    },
    peak_bytes: 0.0,
    peak_milliseconds: 0.0,
    peak: 0,
    timeline: Timeline::new(),
    began: None,
    is_incomplete: false,
});

fn lock() -> MutexGuard<'static, Ledger> {
    LEDGER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Enter a new allocation.
pub fn enter(address: usize, bytes: usize, Current { stack, weight }: Current) {
    let allocation = Allocation {
        bytes,
        stack,
        weight,
    };
    add(address, allocation, Amounts::allocate);
}

/// Enter an allocation again that was removed, though it wasn't freed.
pub fn restore(address: usize, allocation: Allocation) {
    add(address, allocation, Amounts::restore);
}

fn add(address: usize, allocation: Allocation, change: fn(&mut Amounts, Amount, u64)) {
    let mut ledger = lock();
    // What C code freed is still entered where the address is used again.
    ledger.remove(address);
    if ledger.allocations.insert(address, allocation).is_err() {
        ledger.is_incomplete = true;
        return;
    }
    let peak = ledger.peak;
    let amount = Amount::of(allocation.bytes, allocation.weight);
    change(ledger.amounts(allocation.stack), amount, peak);
    ledger.live.bytes += amount.bytes;
    ledger.live.count += amount.count;
    let now = ledger.milliseconds();
    if ledger.live.bytes > ledger.peak_bytes {
        ledger.peak_bytes = ledger.live.bytes;
        ledger.peak_milliseconds = now;
        ledger.peak += 1;
    }
    ledger.note(now);
}

/// Remove an allocation; none if it wasn't entered.
pub fn remove(address: usize) -> Option<Allocation> {
    let mut ledger = lock();
    let removed = ledger.remove(address)?;
    let now = ledger.milliseconds();
    ledger.note(now);
    Some(removed)
}

/// Note how much is alive and resident, for the timeline: what allocates nothing here is seen by it too.
pub fn note_moment() {
    let mut ledger = lock();
    let now = ledger.milliseconds();
    ledger.note(now);
}

impl Ledger {
    fn remove(&mut self, address: usize) -> Option<Allocation> {
        let removed = self.allocations.remove(address)?;
        let (amount, peak) = (Amount::of(removed.bytes, removed.weight), self.peak);
        self.amounts(removed.stack).free(amount, peak);
        self.live.bytes -= amount.bytes;
        self.live.count -= amount.count;
        Some(removed)
    }

    fn amounts(&mut self, stack: Option<&'static CallStack>) -> &mut Amounts {
        match stack {
            // SAFETY: the lock is held, and this borrows it as long as the amounts are.
            Some(stack) => unsafe { &mut *stack.amounts.get() },
            None => &mut self.elsewhere,
        }
    }

    fn milliseconds(&mut self) -> f64 {
        let began = *self.began.get_or_insert_with(Instant::now);
        began.elapsed().as_secs_f64() * 1e3
    }

    fn note(&mut self, now: f64) {
        let bytes = self.live.bytes;
        self.timeline.note(now, bytes, platform::resident_bytes);
    }
}

/// What is alive of each call stack.
pub fn live() -> Vec<(&'static CallStack, Amount)> {
    let mut live = Vec::new();
    loop {
        // Not under the lock, for this allocates.
        live.reserve(CallStack::count());
        let _ledger = lock();
        live.clear();
        for stack in CallStack::all() {
            if live.len() == live.capacity() {
                break;
            }
            // SAFETY: the lock is held.
            live.push((stack, unsafe { &*stack.amounts.get() }.live()));
        }
        if CallStack::count() <= live.capacity() {
            return live;
        }
    }
}

/// How many numbers [`read`] begins with, and how many each moment and each call stack take there.
const HEADER: usize = 12;
const MOMENT: usize = 3;
const STACK: usize = 7;

/// The ledger as numbers, in the order of `ffi/debug/ledger.ts`: the header, then the moments, then the call stacks.
pub fn read() -> Vec<f64> {
    let mut stacks = CallStack::count();
    loop {
        // Not under the lock, for this allocates.
        let space = HEADER + MOMENT * crate::limits::MAX_MOMENTS + STACK * stacks;
        let mut numbers = Vec::with_capacity(space);
        let ledger = lock();
        stacks = CallStack::count();
        if write(&ledger, &mut numbers, space) {
            return numbers;
        }
    }
}

/// Write the ledger to a vector of that capacity. Return whether it fits.
fn write(ledger: &Ledger, numbers: &mut Vec<f64>, space: usize) -> bool {
    let (elsewhere, peak) = (&ledger.elsewhere, ledger.peak);
    let moments = ledger.timeline.moments();
    numbers.extend([
        ledger.live.bytes,
        ledger.live.count,
        ledger.peak_bytes,
        ledger.peak_milliseconds,
        moments.len() as f64,
        f64::from(u8::from(ledger.is_incomplete)),
    ]);
    numbers.extend(numbers_of(elsewhere, peak));
    for &Moment {
        milliseconds,
        bytes,
        resident_bytes,
    } in moments
    {
        numbers.extend([milliseconds, bytes, resident_bytes]);
    }
    for stack in CallStack::all() {
        if numbers.len() + STACK > space {
            return false;
        }
        numbers.push(stack.address() as f64);
        // SAFETY: the lock is held.
        numbers.extend(numbers_of(unsafe { &*stack.amounts.get() }, peak));
    }
    true
}

fn numbers_of(amounts: &Amounts, peak: u64) -> [f64; STACK - 1] {
    let (live, at_peak, allocated) = (amounts.live(), amounts.at_peak(peak), amounts.allocated());
    [
        live.bytes,
        live.count,
        at_peak.bytes,
        at_peak.count,
        allocated.bytes,
        allocated.count,
    ]
}
