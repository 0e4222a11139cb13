//! Reporting external memory to V8.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Arc;

use napi_sys::{napi_callback_info, napi_env, napi_value};

use crate::boundary::napi::env::Env;
use crate::memory::external_memory::ExternalMemory;

/// `reportDue()`: return a buffer over the word that says whether [`report_external_memory`] is to be called.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn report_due(env: napi_env, _info: napi_callback_info) -> napi_value {
    let Some(external) = ExternalMemory::of_isolate() else {
        return null_mut();
    };
    let due = external.due();
    let hint = Arc::into_raw(external).cast_mut();
    // SAFETY: the count lives as long as its buffer, which has a share of it.
    unsafe { Env(env).external(due.cast(), size_of::<i32>(), drop_count, hint.cast()) }
}

/// `reportExternalMemory()`: report to V8 how much memory it doesn't see. V8 may collect garbage before this returns.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn report_external_memory(
    env: napi_env,
    _info: napi_callback_info,
) -> napi_value {
    if let Some(external) = ExternalMemory::of_isolate() {
        // SAFETY: the environment is live, and this thread's.
        unsafe { external.report_to_v8(env) };
    }
    null_mut()
}

/// Drop the share that the buffer of [`report_due`] has, when V8 has collected that.
///
/// # Safety
/// The hint is what [`report_due`] passed; this runs once.
unsafe extern "C" fn drop_count(_env: napi_env, _data: *mut c_void, hint: *mut c_void) {
    // SAFETY: as the caller vouches.
    drop(unsafe { Arc::from_raw(hint.cast::<ExternalMemory>()) });
}
