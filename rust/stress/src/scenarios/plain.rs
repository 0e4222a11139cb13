//! Threads that attach and detach at random, and exchange what they own.

use crate::plan::Plan;
use crate::{python, threads};

pub fn run(plan: Plan) -> String {
    let mut main = python::start();
    // SAFETY: Python was started on this thread and ends below.
    unsafe {
        threads::run(plan, &mut main, |_, threads| threads.begin());
        python::finalise(main);
    }
    String::new()
}
