//! Answering SIGUSR2: a thread of this library writes what holds memory to a file, whatever JavaScript does meanwhile.

use std::path::PathBuf;

use crate::debug::memory_summary::summary;

/// Who asks, and where the answer goes.
pub struct Answering {
    /// The file that is written.
    pub file: PathBuf,
    /// What the summary calls the program.
    pub program: String,
}

impl Answering {
    /// Write the summary: beside its place, then there, so that nobody reads a part of it.
    pub fn write(&self) -> std::io::Result<()> {
        let beside = self.file.with_extension("part");
        std::fs::write(&beside, summary(&self.program))?;
        std::fs::rename(&beside, &self.file)
    }
}

/// Answer from now on, for as long as the process lives. Return whether that is possible: on Unix, where nobody handles the signal.
#[cfg(unix)]
pub fn answer(answering: Answering) -> bool {
    use std::sync::atomic::{AtomicI32, Ordering};

    /// The end of a pipe that the handler writes to.
    static WAKE: AtomicI32 = AtomicI32::new(-1);

    extern "C" fn wake(_signal: i32) {
        // SAFETY: `write` may be called by a handler; the pipe is never closed. `errno` is put back.
        unsafe {
            let before = std::io::Error::last_os_error();
            libc::write(WAKE.load(Ordering::Relaxed), [1u8].as_ptr().cast(), 1);
            restore_errno(before.raw_os_error().unwrap_or(0));
        }
    }

    let mut ends = [0; 2];
    // SAFETY: writes two descriptors.
    if unsafe { libc::pipe(ends.as_mut_ptr()) } != 0 {
        return false;
    }
    let [read, write] = ends;
    for end in ends {
        // SAFETY: a descriptor that was made above. A program that is started has no use for it.
        unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    if WAKE
        .compare_exchange(-1, write, Ordering::Relaxed, Ordering::Relaxed)
        .is_err()
    {
        // Another thread of JavaScript's has done all of this.
        // SAFETY: made above.
        unsafe {
            libc::close(read);
            libc::close(write);
        }
        return true;
    }
    let thread = std::thread::Builder::new().name("oneheap-memory".into());
    let spawned = thread.spawn(move || {
        let mut byte = 0u8;
        // SAFETY: a descriptor that is never closed, and a byte of space.
        while unsafe { libc::read(read, (&raw mut byte).cast(), 1) } != 0 {
            // Who asked waits for the file in vain where it can't be written.
            let _ = answering.write();
        }
    });
    spawned.is_ok() && handle_signal(wake)
}

/// Set what the interrupted code finds in `errno`.
#[cfg(unix)]
fn restore_errno(errno: i32) {
    #[cfg(target_os = "linux")]
    // SAFETY: the thread's own.
    unsafe {
        *libc::__errno_location() = errno;
    }
    #[cfg(target_os = "macos")]
    // SAFETY: the thread's own.
    unsafe {
        *libc::__error() = errno;
    }
}

/// Set the handler of SIGUSR2, unless there is one.
#[cfg(unix)]
fn handle_signal(handler: extern "C" fn(i32)) -> bool {
    // SAFETY: plain data, all of whose fields may be zero; the calls write and read it alone.
    unsafe {
        let mut known: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGUSR2, std::ptr::null(), &mut known);
        if known.sa_sigaction != libc::SIG_DFL {
            return false;
        }
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGUSR2, &action, std::ptr::null_mut()) == 0
    }
}

/// Windows has no such signal.
#[cfg(windows)]
pub fn answer(_answering: Answering) -> bool {
    false
}
