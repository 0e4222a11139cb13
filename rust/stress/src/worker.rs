//! A thread at work: it makes, changes, checks, hands on and drops values, attached and detached at random.

use std::thread::sleep;
use std::time::Duration;

use fastrand::Rng;
use oneheap::PyMemAllocator;

use crate::exchange::Exchange;
use crate::value::Value;

/// How many values a thread keeps at most.
const KEPT: usize = 64;

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
            _ => drop(PyMemAllocator::drain_deferred()),
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

    /// Return whether to attach, this time.
    pub fn attaches(&mut self) -> bool {
        self.random.bool()
    }
}
