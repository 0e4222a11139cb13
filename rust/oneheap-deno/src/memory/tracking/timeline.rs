//! How much was alive over time, within a fixed space.

use crate::limits::{FIRST_MOMENT_MILLISECONDS, MAX_MOMENTS};

/// A moment: the most that was alive in a span of time.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub struct Moment {
    /// When the span began, since recording did.
    pub milliseconds: f64,
    pub bytes: f64,
    /// How much of the process was in memory when the span began.
    pub resident_bytes: f64,
}

/// The moments since recording began. When the space is used up, each two become one, and further spans are twice as long.
pub struct Timeline {
    moments: [Moment; MAX_MOMENTS],
    length: usize,
    span: f64,
}

impl Timeline {
    /// No moments.
    pub const fn new() -> Self {
        const NOTHING: Moment = Moment {
            milliseconds: 0.0,
            bytes: 0.0,
            resident_bytes: 0.0,
        };
        Self {
            moments: [NOTHING; MAX_MOMENTS],
            length: 0,
            span: FIRST_MOMENT_MILLISECONDS,
        }
    }

    /// The moments, in order.
    pub fn moments(&self) -> &[Moment] {
        &self.moments[..self.length]
    }

    /// Note how much is alive now. `resident_bytes` is asked for where a span begins.
    pub fn note(&mut self, milliseconds: f64, bytes: f64, resident_bytes: impl FnOnce() -> u64) {
        if let Some(last) = self.moments[..self.length].last_mut()
            && milliseconds < last.milliseconds + self.span
        {
            last.bytes = last.bytes.max(bytes);
            return;
        }
        if self.length == MAX_MOMENTS {
            self.halve();
        }
        self.moments[self.length] = Moment {
            milliseconds,
            bytes,
            resident_bytes: resident_bytes() as f64,
        };
        self.length += 1;
    }

    /// Make each two moments one.
    fn halve(&mut self) {
        for index in 0..MAX_MOMENTS / 2 {
            let (first, second) = (self.moments[2 * index], self.moments[2 * index + 1]);
            self.moments[index] = Moment {
                milliseconds: first.milliseconds,
                bytes: first.bytes.max(second.bytes),
                resident_bytes: first.resident_bytes.max(second.resident_bytes),
            };
        }
        self.length = MAX_MOMENTS / 2;
        self.span *= 2.0;
    }
}
