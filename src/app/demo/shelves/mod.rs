//! What the demo shop sells, shelf by shelf: words, prices, stock and drawings
//! ([`super::shape`] has the language of these).

pub(super) mod audio;
pub(super) mod garden;
pub(super) mod kitchen;
pub(super) mod lighting;
pub(super) mod stationery;
pub(super) mod textiles;
pub(super) mod toys;
pub(super) mod travel;
