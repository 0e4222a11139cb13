//! The library: everything that runs beside Python, with [`oneheap::PyMemAllocator`] as its global allocator.
//!
//! Each scenario checks what its threads own, byte by byte, whenever it changes hands and before it is freed. Python's
//! own checks come on top (`PYTHONMALLOC=debug`), and in `subinterpreter`, where those no longer see the GIL, a hook.

mod counting;
mod exchange;
mod failing;
mod hook;
mod oracle;
mod plan;
mod python;
mod scenarios;
mod threads;
mod value;
mod worker;

use std::time::Instant;

use oneheap::PyMemAllocator;
use plan::{Plan, Scenario};

#[global_allocator]
static GLOBAL: PyMemAllocator = PyMemAllocator;

/// Run the plan on the calling thread, which becomes Python's main thread, and print one line at the end. Answers the
/// exit code.
///
/// # Safety
/// libpython's symbols are in the process, Python is not started, and this is called once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oneheap_stress(plan: Plan) -> i32 {
    end_at_first_panic();
    let start = Instant::now();
    let remarks = match plan.scenario {
        Scenario::Plain => scenarios::plain::run(plan),
        Scenario::Tracemalloc => scenarios::tracemalloc::run(plan),
        Scenario::Subinterpreter => scenarios::subinterpreter::run(plan),
        Scenario::Lives => scenarios::lives::run(plan),
    };
    let seconds = start.elapsed().as_secs_f64();
    let counters = PyMemAllocator::counters();
    println!(
        "{} on Python {}: {} operations by {} threads in {seconds:.1} s ({:.0} per second), {} blocks deferred, \
         {} allocations from the system{remarks}; all contents right",
        plan.scenario,
        python::version(),
        plan.operations,
        plan.threads,
        plan.operations as f64 / seconds,
        counters.deferred,
        counters.system,
    );
    0
}

/// A thread that fails would leave the others waiting for it.
fn end_at_first_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        // SAFETY: ends the process at once, whatever its threads are doing.
        unsafe { libc::_exit(1) };
    }));
}
