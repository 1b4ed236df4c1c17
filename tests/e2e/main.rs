//! Whole-lattice scenarios. Each file is one story; `lattice_tests` sets the stage.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod control;
mod first_light;
mod limits;
mod states;
mod trust;
