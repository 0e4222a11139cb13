//! The table of values by address, against the standard library's map.

#[path = "../src/memory/address_table.rs"]
#[allow(missing_docs)]
mod address_table;
#[path = "../src/limits.rs"]
#[allow(dead_code)]
mod limits;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::ptr::null_mut;

use address_table::{AddressTable, OutOfMemory};

const OPERATIONS: usize = if cfg!(miri) { 300 } else { 200_000 };

/// Pseudo-random numbers (SplitMix64), the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (number ^ (number >> 31)) as usize % limit
    }
}

#[test]
fn an_empty_table_has_no_address() {
    let mut table = AddressTable::<usize>::new();
    assert_eq!(table.remove(16), None);
    assert_eq!(table.len(), 0);
}

#[test]
fn an_address_that_is_set_again_has_the_new_size() {
    let mut table = AddressTable::new();
    assert_eq!(table.insert(16, 100), Ok(()));
    assert_eq!(table.insert(16, 200), Ok(()));
    assert_eq!(table.len(), 1);
    assert_eq!(table.remove(16), Some(200));
    assert_eq!(table.remove(16), None);
}

/// Have memory for the first entries only.
///
/// # Safety
/// The layout has a size that is not zero.
unsafe fn allocate_little(layout: Layout) -> *mut u8 {
    if layout.size() > 2048 {
        return null_mut();
    }
    // SAFETY: as the caller vouches.
    unsafe { System.alloc_zeroed(layout) }
}

#[test]
fn a_table_that_can_not_grow_is_as_it_was() {
    let mut table = AddressTable::with_allocator(allocate_little);
    let mut address = 16;
    while table.insert(address, address).is_ok() {
        address += 16;
    }
    let length = table.len();
    assert!(length > 0);
    assert_eq!(table.insert(address, 1), Err(OutOfMemory));
    assert_eq!(table.len(), length);
    assert_eq!(table.remove(address), None);
    for known in (16..address).step_by(16) {
        assert_eq!(table.remove(known), Some(known));
    }
    assert_eq!(table.insert(address, 1), Ok(()));
    assert_eq!(table.remove(address), Some(1));
}

#[test]
fn random_operations_do_what_a_map_does() {
    // Multiples of a page and of 16, few enough that entries collide and are met again.
    for (addresses, step) in [(100, 4096), (3_000, 16), (50_000, 65_536)] {
        let mut random = Random(addresses as u64);
        let mut table = AddressTable::new();
        let mut map = HashMap::new();
        for operation in 0..OPERATIONS {
            let address = (random.below(addresses) + 1) * step;
            if random.below(2) == 0 {
                assert_eq!(table.insert(address, operation), Ok(()));
                map.insert(address, operation);
            } else {
                assert_eq!(table.remove(address), map.remove(&address));
            }
            assert_eq!(table.len(), map.len());
        }
        for (address, bytes) in map {
            assert_eq!(table.remove(address), Some(bytes));
        }
        assert_eq!(table.len(), 0);
    }
}
