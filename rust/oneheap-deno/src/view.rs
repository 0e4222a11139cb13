//! What JavaScript gets through Node-API: external `ArrayBuffer`s, whose backing stores V8 counts.
//!
//! Sub-views, pending reads and writes, transfers to other threads and garbage collection all hold a backing store, and
//! V8 runs the finaliser when the last of them lets go, on whatever thread that is. The finalisers here wait for nothing.

use std::ffi::{CStr, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Once};

use napi_sys::{
    Status, napi_adjust_external_memory, napi_callback, napi_callback_info, napi_create_double,
    napi_create_external_arraybuffer, napi_create_function, napi_env, napi_get_cb_info,
    napi_get_value_double, napi_set_named_property, napi_value,
};

use crate::block::{Holding, Slot, slot, slot_address};

/// The size of a keeper's buffer, which JavaScript never looks into.
const KEEPER_BYTES: usize = 1;

/// What a keeper's buffer owns.
#[repr(C)]
struct Keeper {
    /// First, so that its address is the keeper's.
    slot: Slot,
    /// Its thread's [`COLLECTED`].
    collected: Arc<AtomicI64>,
}

thread_local! {
    /// Bytes of lost blocks without a view that were freed since V8 was told last. One for each isolate, which has its
    /// thread to itself; finalisers add to it from other threads.
    static COLLECTED: Arc<AtomicI64> = Arc::default();
}

/// Node-API's entry: each thread that opens the library gets functions of its own.
///
/// # Safety
/// Called by Node-API with a live environment and exports object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn napi_register_module_v1(env: napi_env, exports: napi_value) -> napi_value {
    static SYMBOLS: Once = Once::new();
    // SAFETY: the host process has Node-API's functions; `Once` keeps a second thread from writing their table again.
    SYMBOLS.call_once(|| unsafe {
        napi_sys::setup();
    });
    for (name, callback) in [
        (c"keeper", keeper as CallbackFn),
        (c"slot", slot_of),
        (c"view", view),
        (c"account", account),
    ] {
        // SAFETY: env and exports are live for the length of this call.
        unsafe { export(env, exports, name, Some(callback)) };
    }
    exports
}

type CallbackFn = unsafe extern "C" fn(napi_env, napi_callback_info) -> napi_value;

/// Sets a function as a property of the exports object; a failure leaves a pending exception or no such property.
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
    if made == Status::napi_ok {
        // SAFETY: all three are live.
        unsafe { napi_set_named_property(env, exports, name.as_ptr(), function) };
    }
}

/// `view(slot)`: an `ArrayBuffer` over the block's memory that holds it; undefined if the slot has no memory to give.
///
/// # Safety
/// Called by Node-API.
unsafe extern "C" fn view(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: Node-API's own handles.
    let Some(address) = (unsafe { number_argument(env, info) }) else {
        return null_mut();
    };
    // SAFETY: the address is from `slot(keeper)`, and the caller keeps the keeper alive across this call.
    let Some(holding) = unsafe { slot(address) }.ok().and_then(Slot::view) else {
        return null_mut();
    };
    // SAFETY: the hold in `holding` keeps the record alive.
    let memory = unsafe { holding.as_ref() }.memory;
    // SAFETY: the memory is live for as long as the hold, which goes to the backing store.
    unsafe {
        external(
            env,
            memory.pointer.as_ptr(),
            memory.bytes,
            let_go,
            holding.as_ptr().cast(),
        )
    }
}

/// `keeper()`: a tiny `ArrayBuffer` that owns an empty slot. A block refers to it, so it is lost when the block is.
///
/// # Safety
/// Called by Node-API.
unsafe extern "C" fn keeper(env: napi_env, _info: napi_callback_info) -> napi_value {
    let Ok(collected) = COLLECTED.try_with(Arc::clone) else {
        return null_mut();
    };
    let keeper = Box::into_raw(Box::new(Keeper {
        slot: Slot::Empty,
        collected,
    }));
    // SAFETY: the keeper lives until the finaliser takes it; it is larger than the buffer's one byte.
    unsafe { external(env, keeper.cast(), KEEPER_BYTES, collect, keeper.cast()) }
}

/// `account(change)`: tells V8 by how many bytes the memory that it doesn't see has changed on this thread, less what was
/// collected of it since. V8 may collect garbage before this returns.
///
/// # Safety
/// Called by Node-API.
unsafe extern "C" fn account(env: napi_env, info: napi_callback_info) -> napi_value {
    // SAFETY: Node-API's own handles.
    let Some(change) = (unsafe { number_argument(env, info) }) else {
        return null_mut();
    };
    let collected = COLLECTED
        .try_with(|collected| collected.swap(0, Ordering::Relaxed))
        .unwrap_or(0);
    let mut total = 0;
    // SAFETY: the environment is live, and the result has its place.
    unsafe { napi_adjust_external_memory(env, change as i64 - collected, &mut total) };
    null_mut()
}

/// `slot(keeper)`: the address of a keeper's slot.
///
/// # Safety
/// Called by Node-API.
unsafe extern "C" fn slot_of(env: napi_env, info: napi_callback_info) -> napi_value {
    let (mut count, mut argument, mut data, mut length) = (1, null_mut(), null_mut(), 0);
    let mut address = null_mut();
    // SAFETY: Node-API's own handles; each result is written before it is read, or the call failed and it stays null.
    unsafe {
        napi_get_cb_info(env, info, &mut count, &mut argument, null_mut(), null_mut());
        napi_sys::napi_get_arraybuffer_info(env, argument, &mut data, &mut length);
        napi_create_double(env, slot_address(data.cast()), &mut address);
    }
    address
}

/// The first argument, if it is a number.
///
/// # Safety
/// `env` and `info` are those of the call under way.
unsafe fn number_argument(env: napi_env, info: napi_callback_info) -> Option<f64> {
    let (mut count, mut argument, mut number) = (1, null_mut(), f64::NAN);
    // SAFETY: as the caller vouches; there is room for one argument.
    unsafe {
        napi_get_cb_info(env, info, &mut count, &mut argument, null_mut(), null_mut());
        (napi_get_value_double(env, argument, &mut number) == Status::napi_ok).then_some(number)
    }
}

/// An `ArrayBuffer` over memory that isn't V8's, with its finaliser.
///
/// # Safety
/// `env` is live, and the memory lives until the finaliser runs.
unsafe fn external(
    env: napi_env,
    data: *mut u8,
    bytes: usize,
    finalizer: unsafe extern "C" fn(napi_env, *mut c_void, *mut c_void),
    hint: *mut c_void,
) -> napi_value {
    let mut buffer = null_mut();
    // SAFETY: as the caller vouches. The call doesn't fail with an environment and a place for the result.
    unsafe {
        napi_create_external_arraybuffer(
            env,
            data.cast(),
            bytes,
            Some(finalizer),
            hint,
            &mut buffer,
        )
    };
    buffer
}

/// V8 lets go of a view's memory.
///
/// # Safety
/// The hint is the holding whose hold the view was given; this runs once.
unsafe extern "C" fn let_go(_env: napi_env, _data: *mut c_void, hint: *mut c_void) {
    if let Some(holding) = NonNull::new(hint.cast::<Holding>()) {
        // SAFETY: the hold that `view` handed over.
        unsafe { Holding::let_go_collected(holding) };
    }
}

/// A keeper was collected, and so was the block that referred to it, if there was one.
///
/// # Safety
/// The hint is the [`Keeper`]; this runs once.
unsafe extern "C" fn collect(_env: napi_env, _data: *mut c_void, hint: *mut c_void) {
    // SAFETY: made by `Box::into_raw` in `keeper`, and nobody refers to the keeper any more.
    let mut keeper = unsafe { Box::from_raw(hint.cast::<Keeper>()) };
    let bytes = keeper.slot.collect();
    keeper.collected.fetch_add(bytes as i64, Ordering::Relaxed);
}
