//! Counts lookups of tokens in the nodes' common store.

use std::sync::atomic::{AtomicU64, Ordering};

use microbazaar::store::{StoreError, accounts::BLOCK_PREFIX, document::DocumentId};
use test_support::{Around, Asked};

#[derive(Default)]
pub struct Counting {
    asked: AtomicU64,
}

impl Counting {
    /// How often it was asked whether a token is dead.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Around for Counting {
    async fn around<T: Send, E: From<StoreError> + Send>(
        &self,
        asked: Asked<'_>,
        call: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        // In between it is asked whether a user is blocked, once in two seconds.
        let is_token = |id: &DocumentId| matches!(id, DocumentId::Text(jti) if !jti.starts_with(BLOCK_PREFIX));
        if let Asked::Get(of, ids) = asked
            && of.collection == "dead_tokens"
            && ids.iter().any(is_token)
        {
            self.asked.fetch_add(1, Ordering::SeqCst);
        }
        call.await
    }
}
