//! A list of all variants of an enum that cannot lack one.

/// The constant `ALL` of an enum without fields, inside its `impl`: `every! { "What it says of itself." ErrorCode: NoLink, Denied, }`.
/// A variant that is missing in the list does not compile.
macro_rules! every {
    ($doc:literal $of:ident: $($variant:ident,)*) => {
        #[doc = $doc]
        pub const ALL: [$of; [$($of::$variant),*].len()] = [$($of::$variant),*];

        const _COMPLETE: fn($of) = |one| match one { $($of::$variant => (),)* };
    };
}

pub(crate) use every;
