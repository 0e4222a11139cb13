//! What the runs do. Each checks as it goes, panics at the first thing that is wrong, and returns what else the closing
//! line is to say.

pub mod lives;
pub mod plain;
pub mod subinterpreter;
pub mod tracemalloc;
