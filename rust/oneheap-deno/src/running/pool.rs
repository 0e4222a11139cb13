//! Threads for work that JavaScript doesn't wait for. As many as there is work at a time, for one piece of Python code may
//! wait for another; those that have nothing to do wait a while for more.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{ThreadId, current};

use crate::boundary::status::Status;
use crate::limits::THREAD_STACK_BYTES;
use crate::limits::{MAX_IDLE_THREADS, THREAD_IDLE_TIMEOUT};

/// Something to do on a thread of its own.
type Work = Box<dyn FnOnce() + Send>;

/// A thread that waits.
struct Idle {
    thread: ThreadId,
    sender: SyncSender<Work>,
}

/// The threads that wait. A table of a fixed size needs no memory while it is locked: an allocation of Python's can release
/// the GIL, and then a thread that has it waits for the lock.
static IDLE: Mutex<[Option<Idle>; MAX_IDLE_THREADS]> =
    Mutex::new([const { None }; MAX_IDLE_THREADS]);

/// Have a thread do the work. It is not attached.
pub fn submit(work: impl FnOnce() + Send + 'static) -> Result<(), Status> {
    let work: Work = Box::new(work);
    let waiting = IDLE
        .lock()
        .ok()
        .and_then(|mut idle| idle.iter_mut().find_map(Option::take));
    let Some(waiting) = waiting else {
        return spawn_thread(work);
    };
    // Whoever is taken out of the table waits until it gets something to do.
    waiting.sender.send(work).map_err(|_| Status::NoThread)
}

fn spawn_thread(work: Work) -> Result<(), Status> {
    std::thread::Builder::new()
        .name("oneheap-run".into())
        .stack_size(THREAD_STACK_BYTES)
        .spawn(|| {
            let (sender, receiver) = sync_channel(1);
            let mut work = Some(work);
            while let Some(now) = work {
                now();
                work = wait(&sender, &receiver);
            }
        })
        .map_err(|_| Status::NoThread)?;
    Ok(())
}

/// Wait for more to do; none if the thread is to end.
fn wait(sender: &SyncSender<Work>, receiver: &Receiver<Work>) -> Option<Work> {
    let thread = current().id();
    let idle = Idle {
        thread,
        sender: sender.clone(),
    };
    let place = {
        let mut table = IDLE.lock().ok()?;
        let place = table.iter().position(Option::is_none)?;
        table[place] = Some(idle);
        place
    };
    match receiver.recv_timeout(THREAD_IDLE_TIMEOUT) {
        Ok(work) => Some(work),
        Err(_) if withdraw(place, thread) => None,
        // Taken out of the table just now: something to do is on its way.
        Err(_) => receiver.recv().ok(),
    }
}

/// Take a thread out of the table; no if it is there no more.
fn withdraw(place: usize, thread: ThreadId) -> bool {
    let withdrawn = IDLE
        .lock()
        .ok()
        .and_then(|mut table| table[place].take_if(|idle| idle.thread == thread));
    withdrawn.is_some()
}
