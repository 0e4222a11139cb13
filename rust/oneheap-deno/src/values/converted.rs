//! A value that was converted as a whole, on its way to JavaScript.

use crate::values::handle::Py;
use crate::values::tape::writer::Writer;

/// An object on a tape for JavaScript.
pub enum Referred {
    /// A block, by its identity.
    Block(f64, Py),
    Object(Py),
    /// An object that a function of JavaScript's converts, and its path.
    Converted(Py, String),
}

/// A tape for JavaScript.
pub struct Converted {
    pub tape: Writer,
    pub objects: Vec<Referred>,
    /// The keys of the tape's own tree, each behind the number of its parent; none where the tree is that of JavaScript's thread.
    pub keys: Option<Vec<(u32, Vec<u16>)>>,
}
