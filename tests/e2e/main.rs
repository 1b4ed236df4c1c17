//! Whole-lattice scenarios. Each file is one story; `lattice_tests` sets the stage.

mod first_light;
