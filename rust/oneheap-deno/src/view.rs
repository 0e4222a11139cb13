//! Views and keepers: external `ArrayBuffer`s, whose backing stores V8 counts.
//!
//! Sub-views, pending reads and writes, transfers to other threads and garbage collection all hold a backing store, and
//! V8 runs the finaliser when the last of them lets go, on whatever thread that is. The finalisers here wait for nothing.

use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use napi_sys::{napi_adjust_external_memory, napi_callback_info, napi_env, napi_value};

use crate::block::{Holding, Slot, slot, slot_address};
use crate::node::Env;

/// The size of a keeper's buffer, which JavaScript never looks into. No reference has a buffer of that size.
pub const KEEPER_BYTES: usize = 1;

/// What a keeper's buffer owns.
#[repr(C)]
struct Keeper {
    /// First, so that its address is the keeper's.
    slot: Slot,
    /// Its thread's [`COLLECTED`].
    collected: Arc<AtomicI64>,
}

thread_local! {
    /// Bytes that V8 was told of and that were lost since: of blocks without a view, and of Python objects. One for each
    /// isolate, which has its thread to itself; finalisers add to it from other threads.
    static COLLECTED: Arc<AtomicI64> = Arc::default();
}

/// Where the finalisers of this thread's isolate count what was lost; none when the thread ends.
pub fn collected() -> Option<Arc<AtomicI64>> {
    COLLECTED.try_with(Arc::clone).ok()
}

/// `view(slot)`: an `ArrayBuffer` over the block's memory that holds it; undefined if the slot has no memory to give.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn view(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    let Some(address) = (unsafe { env.number(env.arguments::<1>(info)[0]) }) else {
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
        env.external(
            memory.pointer.as_ptr().cast(),
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
pub unsafe extern "C" fn keeper(env: napi_env, _info: napi_callback_info) -> napi_value {
    let Some(collected) = collected() else {
        return null_mut();
    };
    let keeper = Box::into_raw(Box::new(Keeper {
        slot: Slot::Empty,
        collected,
    }));
    // SAFETY: the keeper lives until the finaliser takes it; it is larger than the buffer's one byte.
    unsafe { Env(env).external(keeper.cast(), KEEPER_BYTES, collect, keeper.cast()) }
}

/// `account(change)`: tells V8 by how many bytes the memory that it doesn't see has changed on this thread, less what was
/// collected of it since. V8 may collect garbage before this returns.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn account(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    let Some(change) = (unsafe { env.number(env.arguments::<1>(info)[0]) }) else {
        return null_mut();
    };
    let collected = COLLECTED
        .try_with(|collected| collected.swap(0, Ordering::Relaxed))
        .unwrap_or(0);
    let mut total = 0;
    // SAFETY: the environment is live, and the result has its place.
    unsafe { napi_adjust_external_memory(env.0, change as i64 - collected, &mut total) };
    null_mut()
}

/// `slot(keeper)`: the address of a keeper's slot.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn slot_of(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    unsafe {
        let Some((keeper, _)) = env.array_buffer(env.arguments::<1>(info)[0]) else {
            return null_mut();
        };
        env.double(slot_address(keeper.cast()))
    }
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
