//! Python in this process and the threads that are attached to it.

pub mod attach;
pub mod initialization;
pub mod maintenance;
pub mod maintenance_thread;
pub mod once_box;
pub mod own_code;
pub mod pending_decrefs;
pub mod platform;
pub mod recursion_limit;
pub mod shutdown;
pub mod stack;
pub mod start;
pub mod state;
