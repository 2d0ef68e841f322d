//! Sends many cases over many connections and checks every response.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

use super::{
    judge::{self, By},
    shop::Shop,
    wire::{Answer, Connection, Request},
};

/// Connections at once.
const CONNECTIONS: usize = 24;
/// How many faults are reported; more would add nothing.
const REPORTED_MAX: usize = 25;

/// A request, and which layer may answer it.
pub struct Case {
    pub what: String,
    pub request: Request,
    pub by: By,
}

impl Case {
    pub fn new(what: impl Into<String>, request: Request) -> Self {
        Self { what: what.into(), request, by: By::App }
    }

    pub fn or_parser(mut self) -> Self {
        self.by = By::Parser;
        self
    }
}

/// The number of responses by status.
#[derive(Debug, Default)]
pub struct Tally {
    pub statuses: BTreeMap<u16, usize>,
    pub faults: Vec<String>,
}

impl Tally {
    pub fn sent(&self) -> usize {
        self.statuses.values().sum()
    }

    fn count(&mut self, case: &Case, answer: &Result<Answer, String>) {
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        *self.statuses.entry(status).or_default() += 1;
        if let Some(fault) = judge::fault(answer, case.by, case.request.method == "HEAD") {
            let target = String::from_utf8_lossy(&case.request.target).chars().take(200).collect::<String>();
            let fault: String = fault.chars().take(500).collect();
            self.faults.push(format!("{} {target} [{}]: {fault}", case.request.method, case.what));
        }
    }
}

/// Sends every case. Returns the tally, or panics with the faults.
pub async fn send(shop: &Shop, cases: impl Iterator<Item = Case> + Send + 'static) -> Tally {
    let cases = Arc::new(Mutex::new(cases));
    let tally = Arc::new(Mutex::new(Tally::default()));
    let workers = (0..CONNECTIONS).map(|_| {
        let (cases, tally, address) = (Arc::clone(&cases), Arc::clone(&tally), shop.address);
        tokio::spawn(async move {
            let mut connection = Connection::new(address);
            loop {
                let next = cases.lock().next();
                let Some(case) = next else { return };
                let answer = connection.exchange(&case.request).await;
                tally.lock().count(&case, &answer);
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    let tally = std::mem::take(&mut *tally.lock());
    let faults = tally.faults.iter().take(REPORTED_MAX).cloned().collect::<Vec<_>>().join("\n");
    assert!(tally.faults.is_empty(), "{} faults, such as\n{faults}", tally.faults.len());
    shop.is_well().await;
    tally
}
