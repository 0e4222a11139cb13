//! What differs between operating systems. What is not Linux has not been run so far.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::OnceLock;

use libc::wchar_t;

/// A path for Python's wide-character calls, with a closing NUL. What is no UTF-8 becomes lone surrogates, as
/// `os.fsdecode` has it.
#[cfg(unix)]
pub fn wide(path: &[u8]) -> Vec<wchar_t> {
    let mut wide = Vec::with_capacity(path.len() + 1);
    for chunk in path.utf8_chunks() {
        wide.extend(chunk.valid().chars().map(|character| character as wchar_t));
        wide.extend(
            chunk
                .invalid()
                .iter()
                .map(|&byte| 0xDC00 + wchar_t::from(byte)),
        );
    }
    wide.push(0);
    wide
}

/// A path for Python's wide-character calls, with a closing NUL.
#[cfg(windows)]
pub fn wide(path: &[u8]) -> Vec<wchar_t> {
    String::from_utf8_lossy(path)
        .encode_utf16()
        .chain([0])
        .collect()
}

/// The name of an environment variable as it is compared.
#[cfg(unix)]
pub fn variable_name(name: &str) -> &str {
    name
}

/// The name of an environment variable as it is compared: without regard to case.
#[cfg(windows)]
pub fn variable_name(name: &str) -> String {
    name.to_ascii_uppercase()
}

/// The path that this library was opened by; empty if the system doesn't say.
#[cfg(unix)]
pub fn own_path() -> Vec<u8> {
    // SAFETY: plain data, all of whose fields may be zero.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    let own_address = own_path as fn() -> Vec<u8> as *const libc::c_void;
    // SAFETY: writes the structure alone.
    if unsafe { libc::dladdr(own_address, &mut info) } == 0 || info.dli_fname.is_null() {
        return Vec::new();
    }
    // SAFETY: the loader's own string, which lives as long as this library.
    unsafe { std::ffi::CStr::from_ptr(info.dli_fname) }
        .to_bytes()
        .to_vec()
}

/// The path that this library was opened by; empty if the system doesn't say.
#[cfg(windows)]
pub fn own_path() -> Vec<u8> {
    Vec::new()
}

/// Have the process call a function when it ends in order.
#[cfg(unix)]
pub fn at_exit(function: extern "C" fn()) {
    // SAFETY: a plain function of a library that is never unmapped.
    unsafe { libc::atexit(function) };
}

/// Windows ends all other threads before it notifies a library, so nobody is left to do anything in Python then.
#[cfg(windows)]
pub fn at_exit(_function: extern "C" fn()) {}

/// Return whether the calling thread ends because the process does: by `exit`, on the thread that the process started with.
#[cfg(target_os = "linux")]
pub fn ends_with_process() -> bool {
    // SAFETY: both only return a number, and can't fail.
    unsafe { libc::gettid() == libc::getpid() }
}

/// Return whether the calling thread ends because the process does: by `exit`, on the thread that the process started with.
#[cfg(target_os = "macos")]
pub fn ends_with_process() -> bool {
    // SAFETY: only returns a number, and can't fail.
    unsafe { libc::pthread_main_np() == 1 }
}

/// Return whether the calling thread ends because the process does.
#[cfg(windows)]
pub fn ends_with_process() -> bool {
    #[link(name = "ntdll", kind = "raw-dylib")]
    unsafe extern "system" {
        fn RtlDllShutdownInProgress() -> u8;
    }
    // SAFETY: only returns a flag, and can't fail.
    unsafe { RtlDllShutdownInProgress() != 0 }
}

/// The size of the calling thread's stack; 0 if the system doesn't say.
#[cfg(target_os = "linux")]
pub fn stack_bytes() -> usize {
    let mut bytes = 0;
    // SAFETY: the attributes are made by the first call, and destroyed once.
    unsafe {
        let mut attributes = std::mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) == 0 {
            libc::pthread_attr_getstacksize(&attributes, &mut bytes);
            libc::pthread_attr_destroy(&mut attributes);
        }
    }
    bytes
}

/// The size of the calling thread's stack.
#[cfg(target_os = "macos")]
pub fn stack_bytes() -> usize {
    // SAFETY: only returns a number, and can't fail.
    unsafe { libc::pthread_get_stacksize_np(libc::pthread_self()) }
}

/// The size of the calling thread's stack.
#[cfg(windows)]
pub fn stack_bytes() -> usize {
    #[link(name = "kernel32", kind = "raw-dylib")]
    unsafe extern "system" {
        fn GetCurrentThreadStackLimits(low: *mut usize, high: *mut usize);
    }
    let (mut low, mut high) = (0, 0);
    // SAFETY: writes the two addresses, and can't fail.
    unsafe { GetCurrentThreadStackLimits(&mut low, &mut high) };
    high - low
}

/// Milliseconds of a clock that only goes forward, as exact as the system has it without effort: some 4 ms.
#[cfg(target_os = "linux")]
pub fn coarse_milliseconds() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes the time, and can't fail for a clock that there is.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut now) };
    now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
}

/// Milliseconds of a clock that only goes forward.
#[cfg(not(target_os = "linux"))]
pub fn coarse_milliseconds() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_millis() as u64
}

/// Return how much memory the C library has allocated, in bytes; where it doesn't say, how much of the process is resident. What was freed
/// may stay resident, and would hide what is used again.
pub fn used_bytes() -> u64 {
    allocated_bytes().unwrap_or_else(resident_bytes)
}

/// Return how much memory the C library has allocated; none if it doesn't say.
#[cfg(target_os = "linux")]
fn allocated_bytes() -> Option<u64> {
    /// `struct mallinfo2` of glibc's `malloc.h`.
    #[repr(C)]
    struct MallocInformation {
        before: [usize; 4],
        mapped: usize,
        between: [usize; 2],
        used: usize,
        after: [usize; 2],
    }
    type Function = unsafe extern "C" fn() -> MallocInformation;
    static FUNCTION: OnceLock<Option<Function>> = OnceLock::new();
    let function = FUNCTION.get_or_init(|| {
        // From glibc 2.33 on.
        let address = oneheap::python_symbol(c"mallinfo2")?;
        // SAFETY: glibc's function of this name has this type.
        Some(unsafe { std::mem::transmute::<NonNull<c_void>, Function>(address) })
    });
    // SAFETY: may be called at any time; it takes the locks of glibc's own arenas one by one.
    let information = unsafe { (*function)?() };
    Some((information.mapped + information.used) as u64)
}

/// Return how much memory the C library has allocated; none if it doesn't say.
#[cfg(not(target_os = "linux"))]
fn allocated_bytes() -> Option<u64> {
    None
}

/// Return how much of the process is in memory, in bytes; 0 if the system doesn't say. Allocates nothing.
#[cfg(target_os = "linux")]
pub fn resident_bytes() -> u64 {
    let mut text = [0u8; 128];
    // SAFETY: a path with a closing NUL; the buffer has that much space; the file is closed once.
    let length = unsafe {
        let file = libc::open(
            c"/proc/self/statm".as_ptr(),
            libc::O_RDONLY | libc::O_CLOEXEC,
        );
        if file < 0 {
            return 0;
        }
        let length = libc::read(file, text.as_mut_ptr().cast(), text.len());
        libc::close(file);
        length
    };
    // SAFETY: only returns a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64;
    text.get(..length.max(0) as usize)
        .and_then(|text| std::str::from_utf8(text).ok())
        .and_then(|text| text.split_ascii_whitespace().nth(1))
        .and_then(|pages| pages.parse::<u64>().ok())
        .map_or(0, |pages| pages * page)
}

/// Return how much of the process is in memory, in bytes; 0 if the system doesn't say.
#[cfg(target_os = "macos")]
pub fn resident_bytes() -> u64 {
    // SAFETY: a structure of numbers.
    let mut information: libc::proc_taskinfo = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::proc_taskinfo>() as i32;
    // SAFETY: the structure has that size, and is written only.
    let written = unsafe {
        libc::proc_pidinfo(
            libc::getpid(),
            libc::PROC_PIDTASKINFO,
            0,
            (&raw mut information).cast(),
            size,
        )
    };
    if written == size {
        information.pti_resident_size
    } else {
        0
    }
}

/// Return how much of the process is in memory, in bytes; 0 if the system doesn't say.
#[cfg(windows)]
pub fn resident_bytes() -> u64 {
    /// `PROCESS_MEMORY_COUNTERS` of `psapi.h`.
    #[repr(C)]
    #[derive(Default)]
    struct Counters {
        size: u32,
        page_faults: u32,
        peak_working_set: usize,
        working_set: usize,
        others: [usize; 6],
    }
    #[link(name = "kernel32", kind = "raw-dylib")]
    unsafe extern "system" {
        fn GetCurrentProcess() -> *mut std::ffi::c_void;
        fn K32GetProcessMemoryInfo(
            process: *mut std::ffi::c_void,
            counters: *mut Counters,
            size: u32,
        ) -> i32;
    }
    let mut counters = Counters::default();
    let size = size_of::<Counters>() as u32;
    // SAFETY: the structure has that size, and is written only.
    let is_filled = unsafe { K32GetProcessMemoryInfo(GetCurrentProcess(), &mut counters, size) };
    if is_filled != 0 {
        counters.working_set as u64
    } else {
        0
    }
}
