//! What was alive at the peak, and the timeline, against what a plain model says.

#[path = "../src/memory/tracking/amounts.rs"]
#[allow(missing_docs)]
mod amounts;
#[path = "../src/limits.rs"]
#[allow(dead_code)]
mod limits;
#[path = "../src/memory/tracking/timeline.rs"]
#[allow(missing_docs)]
mod timeline;

use amounts::{Amount, Amounts};
use limits::MAX_MOMENTS;
use timeline::Timeline;

const OPERATIONS: usize = if cfg!(miri) { 300 } else { 100_000 };

/// Pseudo-random numbers (SplitMix64), the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (number ^ (number >> 31)) as usize % limit
    }
}

#[test]
fn each_place_knows_what_it_had_at_the_peak_of_all() {
    const PLACES: usize = 5;
    let mut random = Random(1);
    let mut places = [Amounts::new(); PLACES];
    let mut alive: Vec<(usize, usize)> = Vec::new();
    let (mut total, mut peak_bytes, mut peak) = (0, 0, 0);
    let mut at_peak = [0; PLACES];
    let mut ever = [0; PLACES];
    for _ in 0..OPERATIONS {
        // Grows for a while, then shrinks, so that there are peaks, and long times without one.
        let grows = random.below(100) < if total < 200_000 { 55 } else { 30 };
        if grows || alive.is_empty() {
            let (place, bytes) = (random.below(PLACES), random.below(1000) + 1);
            places[place].allocate(Amount::of(bytes, 1.0), peak);
            alive.push((place, bytes));
            ever[place] += bytes;
            total += bytes;
            if total > peak_bytes {
                (peak_bytes, peak) = (total, peak + 1);
                at_peak = live(&alive);
            }
        } else {
            let (place, bytes) = alive.swap_remove(random.below(alive.len()));
            places[place].free(Amount::of(bytes, 1.0), peak);
            total -= bytes;
        }
    }
    for (place, bytes) in live::<PLACES>(&alive).into_iter().enumerate() {
        assert_eq!(places[place].live().bytes, bytes as f64);
        assert_eq!(places[place].at_peak(peak).bytes, at_peak[place] as f64);
        assert_eq!(places[place].allocated().bytes, ever[place] as f64);
    }
    assert_eq!(at_peak.iter().sum::<usize>(), peak_bytes);
}

/// What is alive in each place.
fn live<const PLACES: usize>(alive: &[(usize, usize)]) -> [usize; PLACES] {
    let mut bytes = [0; PLACES];
    for &(place, size) in alive {
        bytes[place] += size;
    }
    bytes
}

#[test]
fn what_is_entered_again_after_a_resizing_that_failed_was_not_allocated_again() {
    let mut place = Amounts::new();
    let amount = Amount::of(100, 1.0);
    place.allocate(amount, 0);
    place.free(amount, 1);
    place.restore(amount, 1);
    assert_eq!(place.live(), amount);
    assert_eq!(place.allocated(), amount);
}

#[test]
fn the_timeline_has_the_most_of_each_span_and_never_more_than_its_space() {
    let mut timeline = Timeline::new();
    timeline.note(0.0, 10.0, || 1);
    timeline.note(0.2, 30.0, || 2);
    timeline.note(0.4, 20.0, || 3);
    let [first] = timeline.moments() else {
        panic!("one span");
    };
    assert_eq!((first.bytes, first.resident_bytes), (30.0, 1.0));
    let mut highest = 30.0;
    for step in 1..3 * MAX_MOMENTS {
        let bytes = (step % 977) as f64;
        timeline.note(step as f64 * 1.5, bytes, || 4);
        highest = f64::max(highest, bytes);
        assert!(timeline.moments().len() <= MAX_MOMENTS);
    }
    let moments = timeline.moments();
    assert!(moments.len() > MAX_MOMENTS / 4);
    assert!(moments.is_sorted_by(|one, next| one.milliseconds < next.milliseconds));
    let most = moments.iter().map(|moment| moment.bytes);
    assert_eq!(most.fold(0.0, f64::max), highest);
}
