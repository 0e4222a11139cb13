//! Making sure of JavaScript's stack: `runtime/stack.rs` says why and how.

use std::cell::Cell;
use std::ptr::null_mut;

use napi_sys::{
    Status as NapiStatus, napi_call_function, napi_callback_info, napi_create_reference, napi_env,
    napi_get_reference_value, napi_get_undefined, napi_ref, napi_throw_range_error, napi_value,
};

use crate::boundary::napi::env::Env;
use crate::runtime::stack;

thread_local! {
    /// The function of JavaScript that calls itself until `oneheap_stack_descend` ends it: the one of the isolate on this thread.
    static PROVER: Cell<napi_ref> = const { Cell::new(null_mut()) };
}

/// `setStackProver(prove)`: set the function that tries how deep JavaScript's stack is.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn set_stack_prover(env: napi_env, info: napi_callback_info) -> napi_value {
    let mut prover = null_mut();
    // SAFETY: Node-API's own handles.
    unsafe { napi_create_reference(env, Env(env).arguments::<1>(info)[0], 1, &mut prover) };
    PROVER.set(prover);
    null_mut()
}

/// `ensureStack()`: throw a `RangeError` unless there is enough of JavaScript's stack left for what follows: several calls, each of
/// which looks itself.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn ensure_stack(env: napi_env, _info: napi_callback_info) -> napi_value {
    if !stack::has_room_for_several() {
        // SAFETY: as the caller vouches. What it throws is thrown when this returns.
        unsafe { Env(env).prove_stack(stack::has_room_for_several) };
    }
    null_mut()
}

impl Env {
    /// Return whether there is enough of JavaScript's stack left for what follows; if not, an exception is pending, and the caller returns
    /// before it changes anything.
    ///
    /// # Safety
    /// The environment is live, and no exception is pending.
    #[inline]
    pub unsafe fn has_stack(self) -> bool {
        // SAFETY: as the caller vouches.
        stack::has_room() || unsafe { self.prove_stack(stack::has_room) }
    }

    /// Have JavaScript try how deep it gets, until there is space.
    ///
    /// # Safety
    /// As for [`has_stack`](Self::has_stack).
    #[cold]
    unsafe fn prove_stack(self, has_room: fn() -> bool) -> bool {
        if stack::begin_trial() {
            let (mut prover, mut receiver, mut result) = (null_mut(), null_mut(), null_mut());
            // SAFETY: as the caller vouches; each result is written, or stays null.
            let status = unsafe {
                napi_get_reference_value(self.0, PROVER.get(), &mut prover);
                napi_get_undefined(self.0, &mut receiver);
                napi_call_function(self.0, receiver, prover, 0, [].as_ptr(), &mut result)
            };
            if status != NapiStatus::napi_ok {
                // What was thrown, at the end of the stack or by a Worker's end, is pending.
                return false;
            }
            stack::end_trial();
            if has_room() {
                return true;
            }
        }
        let message = c"Maximum call stack size exceeded";
        // SAFETY: as the caller vouches.
        unsafe { napi_throw_range_error(self.0, std::ptr::null(), message.as_ptr()) };
        false
    }
}
