//! Backing stores of views, and finalizer tokens: external `ArrayBuffer`s, whose backing stores V8 counts.
//!
//! Sub-views, pending reads and writes, transfers to other threads and garbage collection all hold a backing store, and
//! V8 runs the finalizer when the last of them ends, on whatever thread that is. The finalizers here wait for nothing.

use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;

use napi_sys::{napi_callback_info, napi_detach_arraybuffer, napi_env, napi_value};

use crate::boundary::napi::env::Env;
use crate::boundary::status::{Status, address_or_status, safe_integer};
use crate::memory::block::{FinalizerToken, SharedMemory, Slot, TOKENS};
use crate::memory::external_memory::ExternalMemory;

/// The size of a token's buffer, which JavaScript never looks into.
const TOKEN_BYTES: usize = 1;

/// `newFinalizerToken()`: return a tiny `ArrayBuffer` that owns an empty slot. A block refers to it, so it is lost when the block is. Undefined if
/// memory is out.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn new_finalizer_token(
    env: napi_env,
    _info: napi_callback_info,
) -> napi_value {
    let Some(external) = ExternalMemory::of_isolate() else {
        return null_mut();
    };
    let token = FinalizerToken {
        slot: Slot::Empty,
        external,
    };
    let Ok(token) = TOKENS.insert(token) else {
        return null_mut();
    };
    let address: *mut c_void = token.as_ptr().cast();
    // SAFETY: the token lives until the finalizer takes it; it is larger than the buffer's one byte.
    unsafe { Env(env).external(address, TOKEN_BYTES, collect, address) }
}

/// `slotAddress(token)`: return the address of a token's slot, which the functions of Deno's FFI take.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn slot_address(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    unsafe {
        match env.token(env.arguments::<1>(info)[0]) {
            Some(token) => env.double(token.as_ptr().expose_provenance() as f64),
            None => null_mut(),
        }
    }
}

/// `newBackingStore(token)`: return an `ArrayBuffer` over the memory of a `Block`, whose backing store holds it from now on; undefined if the block has no memory to
/// give. What makes a typed array of it needs JavaScript, so that there is stack left is made sure of first.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn new_backing_store(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles; JavaScript's thread alone uses the token. The memory is live as long as what is handed over
    // to the backing store.
    unsafe {
        if !env.has_stack() {
            return null_mut();
        }
        let Some(mut token) = env.token(env.arguments::<1>(info)[0]) else {
            return null_mut();
        };
        let token = token.as_mut();
        let mut bytes = 0;
        let buffer = token.slot.view(|shared| {
            let memory = shared.memory();
            bytes = memory.bytes as i64;
            let hint = Arc::into_raw(shared);
            env.try_external(
                memory.pointer.as_ptr().cast(),
                memory.bytes,
                drop_shared,
                hint.cast_mut().cast(),
            )
            .ok_or_else(|| Arc::from_raw(hint))
        });
        let Ok(buffer) = buffer else {
            return null_mut();
        };
        token.external.untrack(bytes);
        buffer
    }
}

/// `freeBlock(token, buffer)`: free a block whose view is over that buffer, and detach the buffer. Return 1, or a status.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn free_block(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles; JavaScript's thread alone uses the token.
    unsafe {
        let [token, buffer] = env.arguments::<2>(info);
        let freed = env.token(token).ok_or(Status::Invalid).and_then(|token| {
            FinalizerToken::free(token.as_ptr(), || {
                napi_detach_arraybuffer(env.0, buffer);
            })
        });
        env.double(freed.map_or_else(Status::as_f64, |()| 1.0))
    }
}

/// `reallocBlock(token, buffer, bytes, zeroed)`: resize a block whose view is over that buffer, and detach the buffer. Return the new
/// address, or a status.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn realloc_block(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles; JavaScript's thread alone uses the token.
    unsafe {
        let [token, buffer, bytes, zeroed] = env.arguments::<4>(info);
        let bytes = env
            .number(bytes)
            .ok_or(Status::Invalid)
            .and_then(safe_integer);
        let zeroed = env.number(zeroed) == Some(1.0);
        let resized = env.token(token).ok_or(Status::Invalid).and_then(|token| {
            FinalizerToken::reallocate(token.as_ptr(), bytes?, zeroed, || {
                napi_detach_arraybuffer(env.0, buffer);
            })
        });
        env.double(address_or_status(resized))
    }
}

impl Env {
    /// The token that a buffer refers to; none for anything else.
    ///
    /// # Safety
    /// The environment and the value are live.
    pub unsafe fn token(self, value: napi_value) -> Option<NonNull<FinalizerToken>> {
        // SAFETY: as the caller vouches.
        let (data, _) = unsafe { self.array_buffer(value) }?;
        TOKENS.get(data.cast())
    }
}

/// V8 drops a view's backing store.
///
/// # Safety
/// The hint is what [`new_backing_store`] passed; this runs once.
unsafe extern "C" fn drop_shared(_env: napi_env, _data: *mut c_void, hint: *mut c_void) {
    // SAFETY: as the caller vouches.
    drop(unsafe { Arc::from_raw(hint.cast::<SharedMemory>()) });
}

/// A token was collected, and so was the block that referred to it, if there was one.
///
/// # Safety
/// The hint is the token; this runs once.
unsafe extern "C" fn collect(_env: napi_env, _data: *mut c_void, hint: *mut c_void) {
    let Some(token) = NonNull::new(hint.cast::<FinalizerToken>()) else {
        return;
    };
    // SAFETY: inserted by `token`, and nobody refers to it any more.
    let mut token = unsafe { TOKENS.remove(token) };
    let bytes = token.slot.collect().map_or(0, |memory| memory.bytes);
    token.external.track_collected(bytes as i64);
}
