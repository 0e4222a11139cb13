//! The functions that JavaScript gets by Node-API, as `ffi/boundary/node_api.ts` declares them.

use std::ffi::CStr;
use std::ptr::null_mut;
use std::sync::Once;

use napi_sys::{
    Status as NapiStatus, napi_callback, napi_callback_info, napi_create_function, napi_env,
    napi_set_named_property, napi_value,
};

use crate::boundary::napi::{
    backing_store, buffers, call_stacks, completions, external_memory, references, running, scopes,
    stack, tapes, watches,
};
use crate::memory::external_memory::ExternalMemory;
use crate::memory::tracking::debug_hooks;
use crate::runtime::stack as stack_limit;

/// Node-API's entry.
///
/// # Safety
/// Called by Node-API with a live environment and exports object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn napi_register_module_v1(env: napi_env, exports: napi_value) -> napi_value {
    static SYMBOLS: Once = Once::new();
    ExternalMemory::begin_isolate();
    stack_limit::begin_isolate();
    tapes::begin_isolate();
    debug_hooks::detect();
    // SAFETY: the host process has Node-API's functions; `Once` keeps a second thread from writing their table again.
    SYMBOLS.call_once(|| unsafe {
        napi_sys::setup();
    });
    for (name, callback) in [
        (
            c"newFinalizerToken",
            backing_store::new_finalizer_token as CallbackFn,
        ),
        (c"slotAddress", backing_store::slot_address),
        (c"newBackingStore", backing_store::new_backing_store),
        (c"freeBlock", backing_store::free_block),
        (c"reallocBlock", backing_store::realloc_block),
        (c"reportDue", external_memory::report_due),
        (
            c"reportExternalMemory",
            external_memory::report_external_memory,
        ),
        (c"setStackProver", stack::set_stack_prover),
        (c"ensureStack", stack::ensure_stack),
        (c"run", running::run),
        (c"newFunction", running::new_function),
        (c"ownFunction", running::own_function),
        (c"runAsync", running::run_async),
        (c"newCompletionQueue", completions::new_completion_queue),
        (c"waitHandle", completions::wait_handle),
        (c"nextCompletion", completions::next_completion),
        (c"takeResult", completions::take_result),
        (c"interruptRun", completions::interrupt_run),
        (c"newScope", scopes::new_scope),
        (c"getItem", scopes::get_item),
        (c"disposeScope", scopes::dispose_scope),
        (c"fromOwnedPointer", references::from_owned_pointer),
        (c"fromBorrowedPointer", references::from_borrowed_pointer),
        (c"address", references::address),
        (c"registerTape", tapes::register_tape),
        (c"registerOutput", tapes::register_output),
        (c"addKeys", tapes::add_keys),
        (c"clearKeys", tapes::clear_keys),
        (c"toJs", tapes::to_js),
        (c"call", references::call),
        (c"operate", references::operate),
        (c"str", references::str),
        (c"decref", references::decref),
        (c"decrefAll", references::decref_all),
        (c"releaseException", references::release_exception),
        (c"releaseBuffer", buffers::release_buffer),
        (c"toPython", buffers::to_python),
        (c"borrow", buffers::borrow),
        (c"watchBlock", watches::watch_block),
        (c"isHeldByPython", watches::is_held_by_python),
        (c"callStack", call_stacks::call_stack),
        (c"callStackText", call_stacks::call_stack_text),
        (c"within", call_stacks::within),
        (c"callWithin", call_stacks::call_within),
        (c"setRecording", call_stacks::set_recording),
        (c"readLedger", call_stacks::read_ledger),
        (c"readTraces", call_stacks::read_traces),
    ] {
        // SAFETY: env and exports are live for the length of this call.
        unsafe { export(env, exports, name, Some(callback)) };
    }
    exports
}

type CallbackFn = unsafe extern "C" fn(napi_env, napi_callback_info) -> napi_value;

/// Set a function as a property of the exports object; a failure leaves a pending exception or no such property.
///
/// # Safety
/// `env` and `exports` are live.
unsafe fn export(env: napi_env, exports: napi_value, name: &CStr, callback: napi_callback) {
    let mut function = null_mut();
    let length = name.to_bytes().len() as isize;
    // SAFETY: the name is valid for its length, the result is written only on success.
    let made = unsafe {
        napi_create_function(
            env,
            name.as_ptr(),
            length,
            callback,
            null_mut(),
            &mut function,
        )
    };
    if made == NapiStatus::napi_ok {
        // SAFETY: all three are live.
        unsafe { napi_set_named_property(env, exports, name.as_ptr(), function) };
    }
}
