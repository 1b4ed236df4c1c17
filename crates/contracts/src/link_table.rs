//! The links of a provider that actors call: what serves whom, how each link stands, and what of that is told.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lattice_core::{CallError, Contract, EntityId, ErrorCode, Hop, LinkKey, LinkName, ProviderId, State};

use crate::{CallContext, ProviderContext, ProviderLink, Report, state_of_all};

/// What serves each link, an `L`, found by who calls and under which name.
pub struct LinkTable<L> {
    provider: ProviderId,
    contract: Contract,
    report: Arc<dyn Report>,
    rows: Mutex<Rows<L>>,
}

struct Rows<L> {
    serving: HashMap<(EntityId, LinkName), Arc<L>>,
    states: BTreeMap<LinkKey, State>,
    told: Option<State>,
    stopping: bool,
}

impl<L> LinkTable<L> {
    /// The table of a provider that serves `contract` alone; reports it as ready.
    #[must_use]
    pub fn new(ctx: &ProviderContext, contract: Contract) -> Self {
        let rows = Rows { serving: HashMap::new(), states: BTreeMap::new(), told: None, stopping: false };
        let (provider, report) = (ctx.id.clone(), ctx.report.clone());
        let table = Self { provider, contract, report, rows: Mutex::new(rows) };
        table.tell_whole(&mut table.lock());
        table
    }

    /// Checks that a link carries the contract, to this provider; `what` is one, as `an HTTP client`.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub fn accepts(&self, link: &ProviderLink, what: &str) -> Result<(), String> {
        let Self { provider, contract, .. } = self;
        let LinkKey { contract: carried, target, .. } = &link.key;
        if carried != contract {
            return Err(format!("this provider serves {contract} alone, and the link carries {carried}"));
        }
        if *target != EntityId::from(provider.clone()) {
            return Err(format!("actors call {what}: put the link with {provider} as its target"));
        }
        Ok(())
    }

    /// Takes `found` of what serves the caller's link.
    ///
    /// # Errors
    /// [`ErrorCode::Unreachable`] once the provider is stopping, [`ErrorCode::NoLink`] where nothing serves the link.
    pub fn find<T>(&self, call: &CallContext, found: impl FnOnce(&Arc<L>) -> T) -> Result<T, CallError> {
        let rows = self.lock();
        let hop = || Hop::Provider(self.provider.clone());
        if rows.stopping {
            return Err(CallError::new(hop(), ErrorCode::Unreachable, "the provider is stopping").not_run());
        }
        match rows.serving.get(&(call.source.clone(), call.link.clone())) {
            Some(link) => Ok(found(link)),
            None => Err(CallError::new(hop(), ErrorCode::NoLink, self.missing(call, &rows))),
        }
    }

    fn missing(&self, call: &CallContext, rows: &Rows<L>) -> String {
        let (id, source) = (&self.provider, &call.source);
        let failed = rows.states.iter().find(|(key, _)| key.source == *source && key.name == call.link);
        match failed {
            Some((_, state)) => format!("the link of {source} to {id} is {state}"),
            None => format!(
                "{source} has no link to {id}; make it: wash ctl link put {source} {id} {}",
                self.contract
            ),
        }
    }

    /// Lets `link` serve the link `key`, or nothing. What serves it no more comes back: what did before, or `link` itself where
    /// the provider is stopping.
    #[must_use]
    pub fn put(&self, key: &LinkKey, link: Option<Arc<L>>) -> Option<Arc<L>> {
        let mut rows = self.lock();
        match link {
            Some(link) if !rows.stopping => rows.serving.insert(place(key), link),
            Some(link) => Some(link),
            None => rows.serving.remove(&place(key)),
        }
    }

    /// Tells a link's state. `of` is what speaks: what serves no more has nothing to say.
    pub fn tell(&self, key: &LinkKey, of: Option<&Arc<L>>, state: State) {
        let mut rows = self.lock();
        let speaks = match (of, rows.serving.get(&place(key))) {
            (Some(of), Some(serving)) => Arc::ptr_eq(of, serving),
            (of, _) => of.is_none(),
        };
        let state = match rows.stopping {
            true => State::Stopping,
            false if !speaks => return,
            false => state,
        };
        self.report.link(key, state.clone());
        rows.states.insert(key.clone(), state);
        self.tell_whole(&mut rows);
    }

    /// Forgets a link; what served it comes back.
    pub fn forget(&self, key: &LinkKey) -> Option<Arc<L>> {
        let mut rows = self.lock();
        rows.states.remove(key);
        self.tell_whole(&mut rows);
        rows.serving.remove(&place(key))
    }

    /// Lets nothing be found any more; all that served comes back.
    pub fn stop(&self) -> Vec<Arc<L>> {
        let mut rows = self.lock();
        rows.stopping = true;
        self.tell_whole(&mut rows);
        rows.serving.drain().map(|(_, link)| link).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Rows<L>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_whole(&self, rows: &mut Rows<L>) {
        let state = match rows.stopping {
            true => State::Stopping,
            false => state_of_all(rows.states.values()),
        };
        if rows.told.as_ref() != Some(&state) {
            self.report.provider(state.clone());
            rows.told = Some(state);
        }
    }
}

fn place(key: &LinkKey) -> (EntityId, LinkName) {
    (key.source.clone(), key.name.clone())
}

#[cfg(test)]
mod tests {
    use lattice_core::InvocationId;
    use tokio_util::{sync::CancellationToken, task::TaskTracker};

    use super::*;
    use crate::{Callee, InvocationIds, Refused};

    #[derive(Default)]
    struct Told(Mutex<Vec<String>>);

    impl Report for Told {
        fn provider(&self, state: State) {
            self.0.lock().unwrap().push(state.to_string());
        }

        fn link(&self, link: &LinkKey, state: State) {
            self.0.lock().unwrap().push(format!("{}: {state}", link.source));
        }

        fn refused(&self, refused: Refused) {
            self.0.lock().unwrap().push(format!("{} refused: {}", refused.asker, refused.reason));
        }
    }

    impl Told {
        fn take(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    fn table() -> (LinkTable<u32>, Arc<Told>) {
        let told = Arc::new(Told::default());
        let ctx = ProviderContext {
            id: ProviderId::new("kv").unwrap(),
            config: BTreeMap::new(),
            report: told.clone(),
            ids: Arc::new(InvocationIds::new(1)),
            tasks: TaskTracker::new(),
            cancel: CancellationToken::new(),
        };
        (LinkTable::new(&ctx, Contract::keyvalue()), told)
    }

    fn key(source: &str) -> LinkKey {
        LinkKey {
            source: source.parse().unwrap(),
            target: "kv".parse().unwrap(),
            contract: Contract::keyvalue(),
            name: LinkName::default(),
        }
    }

    fn found(table: &LinkTable<u32>, source: &str) -> Result<u32, String> {
        let call = CallContext {
            id: InvocationId::from_bits(1),
            source: source.parse().unwrap(),
            target: "kv".parse().unwrap(),
            link: LinkName::default(),
            deadline: tokio::time::Instant::now(),
            depth: 0,
            trace: None,
        };
        table.find(&call, |link| **link).map_err(|error| error.reason)
    }

    #[test]
    fn what_serves_is_found_and_the_last_word_is_told() {
        let (table, told) = table();
        assert_eq!(told.take(), ["ready"]);
        assert!(found(&table, "a").unwrap_err().contains("wash ctl link put a kv wasi:keyvalue"));
        let (one, two) = (Arc::new(1), Arc::new(2));
        assert_eq!(table.put(&key("a"), Some(one.clone())), None);
        table.tell(&key("a"), Some(&one), State::Ready);
        assert_eq!((found(&table, "a"), told.take()), (Ok(1), vec!["a: ready".to_owned()]));
        assert_eq!(table.put(&key("a"), Some(two.clone())), Some(one.clone()));
        table.tell(&key("a"), Some(&one), State::Failed("old".to_owned()));
        assert_eq!(
            (found(&table, "a"), told.take()),
            (Ok(2), vec![]),
            "what was replaced has nothing to say"
        );
        assert_eq!(table.put(&key("a"), None), Some(two));
        table.tell(&key("a"), None, State::Failed("no".to_owned()));
        assert_eq!(found(&table, "a").unwrap_err(), "the link of a to kv is failed: no");
        assert_eq!(told.take(), ["a: failed: no", "failed: no"]);
        assert_eq!(table.forget(&key("a")), None);
        assert_eq!(told.take(), ["ready"]);
    }

    #[test]
    fn what_comes_while_it_stops_serves_nobody() {
        let (table, told) = table();
        let (one, two) = (Arc::new(1), Arc::new(2));
        assert_eq!(table.put(&key("a"), Some(one.clone())), None);
        assert_eq!(table.stop(), [one]);
        assert_eq!(table.put(&key("b"), Some(two.clone())), Some(two.clone()));
        table.tell(&key("b"), Some(&two), State::Ready);
        assert_eq!(told.take(), ["ready", "stopping", "b: stopping"]);
        assert_eq!(found(&table, "b").unwrap_err(), "the provider is stopping");
    }

    #[test]
    fn a_link_of_another_contract_or_the_other_way_round_is_refused() {
        let (table, _) = table();
        let accepts = |key: LinkKey| {
            let (actor, interfaces, config) = ("a".parse().unwrap(), Vec::new(), BTreeMap::new());
            let link = ProviderLink {
                key,
                actor,
                interfaces,
                config,
                secrets: BTreeMap::new(),
                callee: Callee::None,
            };
            table.accepts(&link, "a store")
        };
        assert_eq!(accepts(key("a")), Ok(()));
        let other = accepts(LinkKey { contract: Contract::http(), ..key("a") }).unwrap_err();
        assert_eq!(other, "this provider serves wasi:keyvalue alone, and the link carries wasi:http");
        let round = accepts(LinkKey { target: "a".parse().unwrap(), ..key("kv") }).unwrap_err();
        assert_eq!(round, "actors call a store: put the link with kv as its target");
    }
}
