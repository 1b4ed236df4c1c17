//! Which route a request takes: pure data, looked up without allocation.
//!
//! A lookup goes from the most exact host to the least and from the longest path to the shortest, one hash lookup for
//! each label and segment, so that ten thousand routes cost no more than ten.

use std::{collections::HashMap, fmt};

/// The hosts a route serves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum HostPattern {
    /// All.
    Any,
    /// One name, lower case.
    Exact(String),
    /// Every name that ends in a dot and this text, lower case.
    Under(String),
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Any => f.write_str("*"),
            HostPattern::Exact(name) => f.write_str(name),
            HostPattern::Under(name) => write!(f, "*.{name}"),
        }
    }
}

/// Routes of one listener.
#[derive(Debug)]
pub(crate) struct Routes<T> {
    exact: HashMap<String, Paths<T>>,
    under: HashMap<String, Paths<T>>,
    any: Paths<T>,
}

#[derive(Debug)]
struct Paths<T> {
    by_prefix: HashMap<String, T>,
    /// Longest prefix in bytes: what is longer need not be looked up.
    longest: usize,
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self { by_prefix: HashMap::new(), longest: 0 }
    }
}

impl<T> Default for Routes<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), under: HashMap::new(), any: Paths::default() }
    }
}

impl<T> Routes<T> {
    /// What stands at exactly this place.
    pub(crate) fn at(&self, host: &HostPattern, path: &str) -> Option<&T> {
        let paths = match host {
            HostPattern::Any => Some(&self.any),
            HostPattern::Exact(name) => self.exact.get(name),
            HostPattern::Under(name) => self.under.get(name),
        };
        paths?.by_prefix.get(path)
    }

    /// Puts a route at its place; `path` has no slash at its end.
    pub(crate) fn insert(&mut self, host: &HostPattern, path: &str, target: T) {
        let paths = match host {
            HostPattern::Any => &mut self.any,
            HostPattern::Exact(name) => self.exact.entry(name.clone()).or_default(),
            HostPattern::Under(name) => self.under.entry(name.clone()).or_default(),
        };
        paths.longest = paths.longest.max(path.len());
        paths.by_prefix.insert(path.to_owned(), target);
    }

    /// The route for a lower-case host without port and a path as it was sent.
    pub(crate) fn select(&self, host: &str, path: &str) -> Option<&T> {
        let exact = || self.exact.get(host)?.select(path);
        let under = || {
            let suffixes = host.match_indices('.').map(|(dot, _)| &host[dot + 1..]);
            suffixes.filter_map(|suffix| self.under.get(suffix)).find_map(|paths| paths.select(path))
        };
        let exact = if self.exact.is_empty() { None } else { exact() };
        let named = exact.or_else(|| if self.under.is_empty() { None } else { under() });
        named.or_else(|| self.any.select(path))
    }
}

impl<T> Paths<T> {
    fn select(&self, path: &str) -> Option<&T> {
        let mut end = path.len();
        loop {
            if end <= self.longest
                && let Some(found) = self.by_prefix.get(&path[..end])
            {
                return Some(found);
            }
            if end == 0 {
                return None;
            }
            end = path[..end].rfind('/').unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn routes(places: &[(HostPattern, &str)]) -> Routes<usize> {
        let mut routes = Routes::default();
        for (index, (host, path)) in places.iter().enumerate() {
            routes.insert(host, path, index);
        }
        routes
    }

    #[test]
    fn which_of_several_is_taken() {
        let exact = |name: &str| HostPattern::Exact(name.into());
        let under = |name: &str| HostPattern::Under(name.into());
        let table = routes(&[
            (HostPattern::Any, ""),
            (HostPattern::Any, "/api"),
            (exact("a.example"), "/api"),
            (under("example"), ""),
            (under("b.example"), "/deep/er"),
        ]);
        for (host, path, want) in [
            ("other", "/", 0),
            ("other", "/apix", 0),
            ("other", "/api", 1),
            ("other", "/api/", 1),
            ("other", "/api/x/y", 1),
            ("other", "*", 0),
            ("other", "", 0),
            ("a.example", "/api/x", 2),
            ("a.example", "/else", 3),
            ("example", "/", 0),
            ("x.b.example", "/deep/er/x", 4),
            ("x.b.example", "/deep", 3),
            ("b.example", "/deep/er", 3),
        ] {
            assert_eq!(table.select(host, path), Some(&want), "{host}{path}");
        }
        assert_eq!(routes(&[(exact("a"), "/x")]).select("a", "/y"), None);
        assert_eq!(routes(&[(exact("a"), "/x")]).select("b", "/x"), None);
    }

    /// The rule as one sentence: of all routes that match, the most exact host, then the longest path.
    fn by_the_rule(places: &[(HostPattern, String)], host: &str, path: &str) -> Option<usize> {
        let host_rank = |pattern: &HostPattern| match pattern {
            HostPattern::Any => Some(0),
            HostPattern::Under(name) => host.ends_with(&format!(".{name}")).then_some(1 + name.len()),
            HostPattern::Exact(name) => (host == name).then_some(usize::MAX),
        };
        let matches =
            |prefix: &str| path == prefix || path.starts_with(&format!("{prefix}/")) || prefix.is_empty();
        let all = places.iter().enumerate().filter(|(_, (_, prefix))| matches(prefix));
        let ranked = all.filter_map(|(i, (pattern, prefix))| Some((host_rank(pattern)?, prefix.len(), i)));
        ranked.max().map(|(_, _, index)| index)
    }

    fn any_host() -> impl Strategy<Value = String> {
        "[ab](\\.[ab]){0,3}"
    }

    fn any_place() -> impl Strategy<Value = (HostPattern, String)> {
        let pattern = prop_oneof![
            Just(HostPattern::Any),
            any_host().prop_map(HostPattern::Exact),
            any_host().prop_map(HostPattern::Under),
        ];
        (pattern, "(/[xy]{1,2}){0,3}")
    }

    proptest! {
        #[test]
        fn the_table_keeps_to_the_rule(
            places in proptest::collection::vec(any_place(), 0..12),
            host in any_host(),
            path in "(/[xy]{0,2}){1,4}",
        ) {
            let mut table = Routes::default();
            for (index, (pattern, prefix)) in places.iter().enumerate() {
                table.insert(pattern, prefix, index);
            }
            prop_assert_eq!(table.select(&host, &path).copied(), by_the_rule(&places, &host, &path));
        }
    }
}
