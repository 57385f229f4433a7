//! Asks a server what it has.

use std::path::Path;
use std::time::Duration;

use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};

use super::messages::{
    ListAgentsResponse, ListBundlesRequest, ListBundlesResponse, ListEntriesResponse, ListRequest, Nothing, RawBundle,
    States,
};
use crate::grpc::ask;
use crate::spire::api::{Agent, Authority, Bundle, Entry, Listing};

/// A connection to a server's own socket. Whoever may use that socket may do everything; this asks, and changes nothing.
#[derive(Clone, Debug)]
pub struct Client(Grpc<Channel>);

/// Why a server does not say what it has.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// There is nobody.
    #[error("{path}: {cause}; is the server running, and may this user use its socket?")]
    Connect {
        /// The socket.
        path: String,
        /// What the system says.
        cause: tonic::transport::Error,
    },
    /// The server refuses.
    #[error("{method}: {code}")]
    Refused {
        /// What was asked.
        method: &'static str,
        /// How it was refused.
        code: Code,
    },
    /// The answer is none.
    #[error("{0}: an answer that cannot be read")]
    Answer(&'static str),
    /// There is more than can be kept.
    #[error("{method}: more than {most}")]
    TooMuch {
        /// What was asked.
        method: &'static str,
        /// How much may be answered.
        most: usize,
    },
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    ///
    /// [`AskError::Connect`].
    pub async fn connect(socket: &Path) -> Result<Self, AskError> {
        let path = socket.display().to_string();
        let failed = |cause| AskError::Connect { path: path.clone(), cause };
        let endpoint = Endpoint::from_shared(format!("unix:{path}")).map_err(failed)?;
        let endpoint = endpoint.connect_timeout(PATIENCE).timeout(PATIENCE);
        let channel = endpoint.connect().await.map_err(failed)?;
        Ok(Self(Grpc::new(channel).max_decoding_message_size(MAX_ANSWER)))
    }

    /// Asks for everything.
    ///
    /// # Errors
    ///
    /// [`AskError`]; what one server does not have, as WIT keys, is not asked for again.
    pub async fn listing(&mut self) -> Result<Listing, AskError> {
        let entries = self.entries().await?;
        let agents = self.agents().await?;
        let own: RawBundle = self.ask(GET_BUNDLE, Nothing {}).await?;
        let mut bundles = vec![own.check().ok_or(AskError::Answer(GET_BUNDLE))?];
        bundles.extend(self.foreign().await?);
        let mut authorities = Vec::new();
        for (purpose, method) in STATES {
            authorities.extend(self.states(purpose, method).await?);
        }
        Ok(Listing { entries: Some(entries), agents: Some(agents), bundles, authorities })
    }

    async fn entries(&mut self) -> Result<Vec<Entry>, AskError> {
        let (mut entries, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListRequest { page_size: PAGE, page_token };
            let page: ListEntriesResponse = self.ask(LIST_ENTRIES, request).await?;
            for raw in page.entries {
                entries.push(raw.check().ok_or(AskError::Answer(LIST_ENTRIES))?);
            }
            within(LIST_ENTRIES, entries.len())?;
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(entries);
            }
        }
    }

    async fn agents(&mut self) -> Result<Vec<Agent>, AskError> {
        let (mut agents, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListRequest { page_size: PAGE, page_token };
            let page: ListAgentsResponse = self.ask(LIST_AGENTS, request).await?;
            agents.extend(page.agents.into_iter().map(super::messages::RawAgent::check));
            within(LIST_AGENTS, agents.len())?;
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(agents);
            }
        }
    }

    async fn foreign(&mut self) -> Result<Vec<Bundle>, AskError> {
        let (mut bundles, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListBundlesRequest { page_size: PAGE, page_token };
            let page: ListBundlesResponse = self.ask(LIST_BUNDLES, request).await?;
            for raw in page.bundles {
                bundles.push(raw.check().ok_or(AskError::Answer(LIST_BUNDLES))?);
            }
            within(LIST_BUNDLES, bundles.len())?;
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(bundles);
            }
        }
    }

    /// Older servers have no such interface, and some have kinds of keys turned off.
    async fn states(&mut self, purpose: &str, method: &'static str) -> Result<Vec<Authority>, AskError> {
        match self.ask::<_, States>(method, Nothing {}).await {
            Ok(states) => Ok(states.check(purpose)),
            Err(AskError::Refused {
                code: Code::Unimplemented | Code::Unavailable | Code::FailedPrecondition, ..
            }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn ask<Q, A>(&mut self, method: &'static str, request: Q) -> Result<A, AskError>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let answer = ask(&mut self.0, method, Request::new(request)).await;
        answer.map_err(|code| AskError::Refused { method, code })
    }
}

fn within(method: &'static str, found: usize) -> Result<(), AskError> {
    if found > MOST { Err(AskError::TooMuch { method, most: MOST }) } else { Ok(()) }
}

const LIST_ENTRIES: &str = "/spire.api.server.entry.v1.Entry/ListEntries";
const LIST_AGENTS: &str = "/spire.api.server.agent.v1.Agent/ListAgents";
const GET_BUNDLE: &str = "/spire.api.server.bundle.v1.Bundle/GetBundle";
const LIST_BUNDLES: &str = "/spire.api.server.bundle.v1.Bundle/ListFederatedBundles";
const STATES: [(&str, &str); 3] = [
    ("x509-svid", "/spire.api.server.localauthority.v1.LocalAuthority/GetX509AuthorityState"),
    ("jwt-svid", "/spire.api.server.localauthority.v1.LocalAuthority/GetJWTAuthorityState"),
    ("wit-svid", "/spire.api.server.localauthority.v1.LocalAuthority/GetWITAuthorityState"),
];

const PATIENCE: Duration = Duration::from_secs(10);
const PAGE: i32 = 500;
/// A page of entries that each have a hundred selectors.
const MAX_ANSWER: usize = 16 << 20;
/// More entries than the largest servers are known to have.
const MOST: usize = 500_000;
