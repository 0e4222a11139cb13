//! How much was allocated from one place: what is alive, what was alive at the peak, and all of it.

/// How much memory. With sampling both are estimates.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub struct Amount {
    pub bytes: f64,
    pub count: f64,
}

impl Amount {
    /// `count` allocations of `bytes` bytes each.
    pub fn of(bytes: usize, count: f64) -> Self {
        Self {
            bytes: bytes as f64 * count,
            count,
        }
    }

    fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.count += other.count;
    }

    fn subtract(&mut self, other: Self) {
        self.bytes -= other.bytes;
        self.count -= other.count;
    }
}

/// The amounts of one place.
///
/// What was alive at the peak is known without a look at all places when there is a new peak: the peaks are numbered, and a place that
/// changes for the first time after one keeps what it had until then.
#[derive(Clone, Copy, Default, Debug)]
pub struct Amounts {
    live: Amount,
    allocated: Amount,
    /// What was alive at the peak of number `peak`.
    at_peak: Amount,
    peak: u64,
}

impl Amounts {
    /// Nothing, as it is before the first allocation.
    pub const fn new() -> Self {
        const NOTHING: Amount = Amount {
            bytes: 0.0,
            count: 0.0,
        };
        Self {
            live: NOTHING,
            allocated: NOTHING,
            at_peak: NOTHING,
            peak: 0,
        }
    }

    /// What is alive.
    pub fn live(&self) -> Amount {
        self.live
    }

    /// All that was ever allocated.
    pub fn allocated(&self) -> Amount {
        self.allocated
    }

    /// What was alive at the last peak, which has that number.
    pub fn at_peak(&self, peak: u64) -> Amount {
        if self.peak == peak {
            self.at_peak
        } else {
            self.live
        }
    }

    /// Add a new allocation, after the peak of that number.
    pub fn allocate(&mut self, amount: Amount, peak: u64) {
        self.restore(amount, peak);
        self.allocated.add(amount);
    }

    /// Add an allocation that was subtracted, though it wasn't freed.
    pub fn restore(&mut self, amount: Amount, peak: u64) {
        self.keep(peak);
        self.live.add(amount);
    }

    /// Subtract an allocation, after the peak of that number.
    pub fn free(&mut self, amount: Amount, peak: u64) {
        self.keep(peak);
        self.live.subtract(amount);
    }

    /// Keep what was alive at the last peak, unless that was done since.
    fn keep(&mut self, peak: u64) {
        self.at_peak = self.at_peak(peak);
        self.peak = peak;
    }
}
