//! Watches: whether Python still holds the memory of a block that JavaScript has freed.

use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};
use std::sync::{Arc, Weak};

use napi_sys::{napi_callback_info, napi_env, napi_value};

use crate::boundary::napi::env::Env;
use crate::memory::block::SharedMemory;
use crate::memory::storage::slab::Slab;

/// The size of a watch's buffer, which JavaScript never looks into.
const WATCH_BYTES: usize = 1;

/// All watches. They keep no memory of Python's.
static WATCHES: Slab<Weak<SharedMemory>> = Slab::new();

/// `watchBlock(token)`: return a tiny buffer that stands for the memory of a block; undefined if no Python object holds it, or memory is out.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn watch_block(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles; JavaScript's thread alone uses the token. The watch lives until the finalizer takes it.
    unsafe {
        let Some(mut token) = env.token(env.arguments::<1>(info)[0]) else {
            return null_mut();
        };
        let slot = &mut token.as_mut().slot;
        if slot.exporters() == 0 {
            return null_mut();
        }
        let Ok(shared) = slot.share() else {
            return null_mut();
        };
        let Ok(watch) = WATCHES.insert(Arc::downgrade(&shared)) else {
            return null_mut();
        };
        let address: *mut c_void = watch.as_ptr().cast();
        env.external(address, WATCH_BYTES, drop_watch, address)
    }
}

/// `isHeldByPython(watch)`: return whether a Python object holds the memory still.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn is_held_by_python(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles. What the slab has at the address is a watch that lives as long as its buffer.
    unsafe {
        let watch = env
            .array_buffer(env.arguments::<1>(info)[0])
            .and_then(|(data, _)| WATCHES.get(data.cast()));
        let shared = watch.and_then(|watch| watch.as_ref().upgrade());
        env.boolean(shared.is_some_and(|shared| shared.exporters() > 0))
    }
}

/// Drop a watch, when V8 has collected its buffer.
///
/// # Safety
/// The hint is a watch of [`WATCHES`]; this runs once, on any thread.
unsafe extern "C" fn drop_watch(_env: napi_env, _data: *mut c_void, hint: *mut c_void) {
    if let Some(watch) = NonNull::new(hint.cast::<Weak<SharedMemory>>()) {
        // SAFETY: as the caller vouches.
        drop(unsafe { WATCHES.remove(watch) });
    }
}
