//! What a run is to do: what the program hands to the library.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

/// What happens beside the threads at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum Scenario {
    /// Nothing.
    Plain,
    /// `tracemalloc` starts and stops.
    Tracemalloc,
    /// An isolated subinterpreter is at work.
    Subinterpreter,
    /// Python is finalised and started again.
    Lives,
}

impl Scenario {
    pub const NAMES: [(&str, Self); 4] = [
        ("plain", Self::Plain),
        ("tracemalloc", Self::Tracemalloc),
        ("subinterpreter", Self::Subinterpreter),
        ("lives", Self::Lives),
    ];
}

impl Display for Scenario {
    fn fmt(&self, formatter: &mut Formatter) -> fmt::Result {
        formatter.write_str(Self::NAMES[*self as usize].0)
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::NAMES.iter().find(|(known, _)| *known == name);
        known
            .map(|(_, scenario)| *scenario)
            .ok_or_else(|| format!("there is no scenario `{name}`"))
    }
}

/// One run.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Plan {
    pub scenario: Scenario,
    /// Of all threads together.
    pub operations: u64,
    pub threads: u64,
    /// The same seed gives each thread the same decisions; how the threads interleave is up to the system.
    pub seed: u64,
}
