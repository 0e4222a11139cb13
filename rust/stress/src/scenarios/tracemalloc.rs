//! `tracemalloc` puts its hooks in front of Python's allocators, and takes them away again, while the threads work.

use std::thread::sleep;
use std::time::Duration;

use fastrand::Rng;

use crate::plan::Plan;
use crate::{python, threads};

pub fn run(plan: Plan) -> String {
    let mut main = python::start();
    let mut random = Rng::with_seed(plan.seed);
    let mut pause = move || sleep(Duration::from_micros(random.u64(100..5_000)));
    let mut starts = 0;
    // SAFETY: Python was started on this thread and ends below. The other threads' states were made before and stay,
    // which CPython needs here.
    unsafe {
        threads::run(plan, &mut main, |main, threads| {
            threads.begin();
            while threads.is_working() {
                for code in [
                    c"import tracemalloc; tracemalloc.start()",
                    c"import tracemalloc; tracemalloc.stop()",
                ] {
                    main.attach();
                    python::run(code);
                    main.detach();
                    pause();
                }
                starts += 1;
            }
        });
        python::finalise(main);
    }
    format!(", tracemalloc started and stopped {starts} times")
}
