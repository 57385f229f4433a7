//! The sequencer as a whole: places, answers, durability under faults, and a model it is held against.

mod conflicts;
mod faults;
mod limits;
mod model;
mod order;
