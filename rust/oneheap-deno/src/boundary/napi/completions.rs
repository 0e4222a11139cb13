//! Completion queues: the results of runs on threads of their own.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Arc;

use napi_sys::{napi_add_env_cleanup_hook, napi_callback_info, napi_env, napi_value};

use crate::boundary::napi::env::Env;
use crate::boundary::status::{Status, safe_integer};
use crate::running::completion_queue::CompletionQueue;

/// `newCompletionQueue()`: return the address of a new queue, which lives as long as JavaScript's thread.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn new_completion_queue(
    env: napi_env,
    _info: napi_callback_info,
) -> napi_value {
    let queue = Arc::into_raw(Arc::<CompletionQueue>::default());
    // SAFETY: the environment is live. The hook runs on this thread, when no JavaScript runs any more.
    unsafe {
        napi_add_env_cleanup_hook(env, Some(close_queue), queue.cast_mut().cast());
        Env(env).double(queue.expose_provenance() as f64)
    }
}

/// Close a queue, when JavaScript's thread ends.
///
/// # Safety
/// The argument is a queue of [`new_completion_queue`]; this runs once.
unsafe extern "C" fn close_queue(queue: *mut c_void) {
    // SAFETY: as the caller vouches.
    unsafe { Arc::from_raw(queue.cast::<CompletionQueue>()) }.close();
}

/// `waitHandle(queue)`: return what `oneheap_wait` is to be called with, once. It is the same until then.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn wait_handle(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    unsafe {
        let Ok(queue) = queue_at(env, env.arguments::<1>(info)[0]) else {
            return null_mut();
        };
        let address = Arc::as_ptr(&queue).expose_provenance();
        if queue.wait_handle() {
            // Whoever waits with the handle owns this count.
            std::mem::forget(queue);
        }
        env.double(address as f64)
    }
}

/// Wait until there is something in the queue of a wait handle.
///
/// # Safety
/// The handle is one of [`wait_handle`], and used once.
pub unsafe fn wait(wait_handle: f64) {
    let Ok(address) = safe_integer(wait_handle) else {
        return;
    };
    let queue: *const CompletionQueue = std::ptr::with_exposed_provenance(address);
    if !queue.is_null() {
        // SAFETY: as the caller vouches.
        unsafe { Arc::from_raw(queue) }.wait();
    }
}

/// `nextCompletion(queue)`: return the number of the run whose result is to be taken next; undefined if none has ended.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn next_completion(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    unsafe {
        match queue_at(env, env.arguments::<1>(info)[0]).map(|queue| queue.next()) {
            Ok(Some(run)) => env.double(f64::from(run)),
            _ => null_mut(),
        }
    }
}

/// `takeResult(queue)`: take the result of the run that `nextCompletion` returns.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn take_result(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    unsafe {
        match queue_at(env, env.arguments::<1>(info)[0]).map(|queue| queue.take()) {
            Ok(Some(result)) => env.result(result),
            _ => null_mut(),
        }
    }
}

/// `interruptRun(queue, run)`: have a run raise `KeyboardInterrupt`, if it hasn't ended. Waits for nothing.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn interrupt_run(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    unsafe {
        let [at, run] = env.arguments::<2>(info);
        if let (Ok(queue), Some(run)) = (queue_at(env, at), env.number(run)) {
            queue.interrupt(run as u32);
        }
    }
    null_mut()
}

/// Return the queue at an address that [`new_completion_queue`] returned.
///
/// # Safety
/// The environment and the value are live, and the address is one of this thread's queues.
pub unsafe fn queue_at(env: Env, address: napi_value) -> Result<Arc<CompletionQueue>, Status> {
    // SAFETY: as the caller vouches; the queue lives as long as JavaScript's thread, and this is one more count of it.
    unsafe {
        let address = safe_integer(env.number(address).ok_or(Status::Invalid)?)?;
        let queue: *const CompletionQueue = std::ptr::with_exposed_provenance(address);
        if queue.is_null() {
            return Err(Status::Invalid);
        }
        Arc::increment_strong_count(queue);
        Ok(Arc::from_raw(queue))
    }
}
