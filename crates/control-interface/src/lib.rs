//! control-interface
