//! Python in this process and the threads that are attached to it.

pub mod attach;
pub mod initialization;
pub mod once_box;
pub mod platform;
pub mod python;
pub mod recursion_limit;
pub mod stack;
