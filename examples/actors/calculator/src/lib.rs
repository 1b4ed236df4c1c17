//! Plain functions, to be called with `wash call`: numbers, records, lists, options and results, one that ends badly, and
//! one that cannot be called by hand since a resource cannot be written down.

mod bindings;

use std::cell::Cell;

use bindings::exports::demo::calls::{math, tally};

bindings::export!(Calculator with_types_in bindings);

struct Calculator;

impl bindings::Guest for Calculator {
    fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }
}

impl math::Guest for Calculator {
    fn add(a: u32, b: u32) -> Option<u32> {
        a.checked_add(b)
    }

    fn middle(a: math::Point, b: math::Point) -> math::Point {
        math::Point { x: a.x.midpoint(b.x), y: a.y.midpoint(b.y) }
    }

    fn largest(of: Vec<i32>) -> Option<i32> {
        of.into_iter().max()
    }

    fn divide(a: u32, b: u32) -> Result<u32, String> {
        a.checked_div(b).ok_or_else(|| format!("{a} cannot be divided by zero"))
    }

    fn rest() {}

    fn give_up() {
        panic!("it was told to give up")
    }
}

impl tally::Guest for Calculator {
    type Counter = Counter;

    fn open() -> tally::Counter {
        tally::Counter::new(Counter::default())
    }
}

#[derive(Default)]
struct Counter(Cell<u32>);

impl tally::GuestCounter for Counter {
    fn new() -> Self {
        Self::default()
    }

    fn increment(&self) -> u32 {
        self.0.set(self.0.get().saturating_add(1));
        self.0.get()
    }
}
