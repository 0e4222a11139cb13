//! Room on the stack for Python code.
//!
//! Python code recurses on the stack of its thread. On a small one (a Worker's has 4 MiB) Python's limit of recursion comes too
//! late: up to 3.13, sorting with keys that sort again crashes the process. So a thread whose stack is too small has a companion, with a stack that is large enough, which
//! runs Python code for it while it waits.

use std::cell::OnceCell;
use std::sync::mpsc::{SyncSender, sync_channel};

use crate::attach::{Scope, let_go_while};
use crate::code::Code;
use crate::objects::object::release_waiting;
use crate::system;

/// The stack of threads that this library makes to run Python code. Up to Python's limit of recursion, most code needs 5 MiB at
/// most, and the hungriest that was found (`select.select` that calls itself by a `fileno`) 48; what isn't used costs nothing.
pub const STACK_BYTES: usize = 64 * 1024 * 1024;

/// A thread with a stack of at least this size runs Python code itself. A process's first thread usually has 8 MiB.
const ENOUGH_BYTES: usize = 7 * 1024 * 1024;

/// Something that a companion does.
type Errand = Box<dyn FnOnce() + Send>;

thread_local! {
    static HAS_ROOM: bool = system::stack_bytes() >= ENOUGH_BYTES;
    /// Ends when the thread does, for then its channel is closed.
    static COMPANION: OnceCell<SyncSender<Errand>> = const { OnceCell::new() };
}

/// Does some work that may run Python code: attached, and with room on the stack for it.
pub fn with_python<R: Send>(work: impl FnOnce() -> R + Send) -> Result<R, Code> {
    let attached = || {
        let _attached = Scope::enter()?;
        // SAFETY: attached; no exception is set between two calls of JavaScript's, and nothing is held here.
        unsafe { release_waiting() };
        Ok(work())
    };
    match HAS_ROOM.try_with(|&has_room| has_room) {
        Ok(true) => attached(),
        Ok(false) => on_companion(attached)?,
        Err(_) => Err(Code::NoPython),
    }
}

/// Has this thread's companion do it, and waits for the outcome. An attached thread lets go meanwhile.
fn on_companion<R: Send>(work: impl FnOnce() -> R + Send) -> Result<R, Code> {
    let companion = COMPANION
        .try_with(|companion| {
            if let Some(companion) = companion.get() {
                return Ok(companion.clone());
            }
            let made = make_companion()?;
            Ok(companion.get_or_init(|| made).clone())
        })
        .unwrap_or(Err(Code::NoPython))?;
    let (sender, outcome) = sync_channel(1);
    let errand: Box<dyn FnOnce() + Send + '_> = Box::new(move || {
        let _ = sender.send(work());
    });
    // SAFETY: only the lifetime changes. What the errand borrows outlives it, for this waits until it is done: the sender is
    // gone then, whatever became of the errand.
    let errand = unsafe { std::mem::transmute::<Box<dyn FnOnce() + Send + '_>, Errand>(errand) };
    let_go_while(|| {
        companion.send(errand).map_err(|_| Code::NoThread)?;
        outcome.recv().map_err(|_| Code::NoThread)
    })
}

fn make_companion() -> Result<SyncSender<Errand>, Code> {
    let (sender, errands) = sync_channel::<Errand>(1);
    std::thread::Builder::new()
        .name("oneheap-companion".into())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            for errand in errands {
                errand();
            }
        })
        .map_err(|_| Code::NoThread)?;
    Ok(sender)
}
